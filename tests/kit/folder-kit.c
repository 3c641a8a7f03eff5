/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../core/json.h"
#include "../../core/segment.h"
#include "../../core/state.h"
#include "folder-kit.h"
#include "place.h"
#include "quiet-host.h"

/* The file transport is linked under this name, beside the memory store, which
 * has the one that every driver has. */
const struct tally_driver *file_driver_1 (void);

/* ---- shims -------------------------------------------------------------- */

struct kit_fault kit_fault;

bool
kit_is_dead (void)
{
  return kit_fault.dies_at > 0 && kit_fault.calls >= kit_fault.dies_at;
}

static int
dead (struct tally_error *err)
{
  err->status = TALLY_FAILED;
  snprintf (err->text, sizeof err->text, "test: is dead");
  return TALLY_FAILED;
}

/* True: the call is to be made. */
static bool
lives (bool *fails)
{
  bool was_dead = kit_is_dead ();

  kit_fault.calls++;
  *fails = kit_is_dead ();
  return !was_dead && (!*fails || kit_fault.after);
}

static int
shim_create (void *handle, const char *name, const void *data, size_t size,
             struct tally_error *err)
{
  bool fails;
  int status = TALLY_OK;

  if (lives (&fails))
    status =
        file_driver_1 ()->transport->create (handle, name, data, size, err);
  return fails ? dead (err) : status;
}

static int
shim_remove (void *handle, const char *name, struct tally_error *err)
{
  bool fails;
  int status = TALLY_OK;

  if (lives (&fails))
    status = file_driver_1 ()->transport->remove (handle, name, err);
  return fails ? dead (err) : status;
}

static int
shim_note_put (void *handle, const char *key,
               const struct tally_slice *expected,
               const struct tally_slice *value, struct tally_error *err)
{
  bool fails;
  int status = TALLY_OK;

  if (lives (&fails))
    status =
        tally_driver_1 ()->store->note_put (handle, key, expected, value, err);
  return fails ? dead (err) : status;
}

/* ---- devices ------------------------------------------------------------ */

void
kit_make_device (struct world *w, struct device *device)
{
  struct tally_value path[] = { { w->path, 0 } }, name[] = { { NULL, 0 } };
  struct replica_setup setup = { .driver = &w->store_driver,
                                 .values = name,
                                 .flags = TALLY_OPEN_CREATE,
                                 .name = "store",
                                 .host = &w->host };

  memset (device, 0, sizeof *device);
  assert_int_equal (replica_open (&device->replica, &setup, &w->err),
                    TALLY_OK);
  assert_int_equal (channel_open (&device->channel, &w->transport_driver, path,
                                  0, "stick", &w->host, &w->err),
                    TALLY_OK);
}

void
kit_free_device (struct device *device)
{
  folder_close (device->folder);
  channel_close (device->channel);
  replica_close (device->replica);
}

int
kit_setup (void **state)
{
  struct world *w = calloc (1, sizeof *w);

  assert_non_null (w);
  memset (&kit_fault, 0, sizeof kit_fault);
  assert_true (place_make (w->path, "folder"));
  w->host = (struct tally_host) QUIET_HOST;
  w->store = *tally_driver_1 ()->store;
  w->store.note_put = shim_note_put;
  w->store_driver.store = &w->store;
  w->transport = *file_driver_1 ()->transport;
  w->transport.create = shim_create;
  w->transport.remove = shim_remove;
  w->transport_driver.transport = &w->transport;
  for (size_t i = 0; i < DEVICES; i++)
    kit_make_device (w, &w->devices[i]);
  *state = w;
  return 0;
}

int
kit_each_file (const struct world *w, const char *part,
               void (*fn) (const char *path, void *ctx), void *ctx)
{
  DIR *dir = opendir (w->path);
  const struct dirent *row;
  char path[512];
  int n = 0;

  assert_non_null (dir);
  for (row = readdir (dir); row; row = readdir (dir))
    if (row->d_name[0] != '.' && strstr (row->d_name, part)) {
      snprintf (path, sizeof path, "%s/%s", w->path, row->d_name);
      if (fn)
        fn (path, ctx);
      n++;
    }
  closedir (dir);
  return n;
}

void
kit_remove_file (const char *path, void *ctx)
{
  (void) ctx;
  assert_int_equal (remove (path), 0);
}

int
kit_teardown (void **state)
{
  struct world *w = *state;

  for (size_t i = 0; i < DEVICES; i++)
    kit_free_device (&w->devices[i]);
  kit_each_file (w, "", kit_remove_file, NULL);
  assert_int_equal (rmdir (w->path), 0);
  free (w);
  return 0;
}

int
kit_open (struct world *w, struct device *device, bool look)
{
  folder_close (device->folder);
  if (!device->renamed)
    replica_id (device->replica, device->self);
  return folder_open (&device->folder, device->channel, device->replica,
                      device->self, look, device->folder_id, &w->err);
}

void
kit_rename (struct device *device)
{
  device->renamed = true;
  device->self[0] ^= 0xff;
}

void
kit_reopen (struct world *w, struct device *device)
{
  assert_int_equal (kit_open (w, device, false), TALLY_OK);
}

/* ---- documents ---------------------------------------------------------- */

int
kit_put_sized (struct world *w, struct device *device, unsigned id,
               unsigned value, size_t filler)
{
  struct buf meta = BUF_INIT, body = BUF_INIT;
  struct tally_doc doc = { .flags = 0 };
  struct state made = { .deleted = false };
  char name[16];
  int status;

  snprintf (name, sizeof name, "d%03u", id);
  assert_true (stamp_make (&made.whole, 1000 + ++w->clock, 0, 1));
  state_encode (&made, &meta);
  buf_addf (&body, "{\"_id\":\"%s\",\"n\":%u,\"x\":\"", name, value);
  for (size_t i = 0; i < filler; i++)
    buf_add_byte (&body, 'x');
  buf_add_text (&body, "\"}");
  doc.id = slice_text (name);
  doc.meta = buf_slice (&meta);
  doc.body = buf_slice (&body);
  assert_false (meta.failed || body.failed);
  status = folder_put (device->folder, "notes", &doc, 1, &w->err);
  buf_free (&meta);
  buf_free (&body);
  return status;
}

int
kit_put (struct world *w, struct device *device, unsigned id, unsigned value)
{
  return kit_put_sized (w, device, id, value, 0);
}

int
kit_commit (struct world *w, struct device *device)
{
  return folder_commit (device->folder, "notes", &w->err);
}

/* One segment with one document. */
void
kit_publish (struct world *w, struct device *device, unsigned id,
             unsigned value)
{
  assert_int_equal (kit_put (w, device, id, value), TALLY_OK);
  assert_int_equal (kit_commit (w, device), TALLY_OK);
}

static unsigned
number_of (struct tally_slice digits)
{
  char text[16];

  assert_true (digits.size < sizeof text);
  memcpy (text, digits.data, digits.size);
  text[digits.size] = '\0';
  return (unsigned) strtoul (text, NULL, 10);
}

static void
take (struct view *view, const struct tally_doc *doc)
{
  unsigned id = number_of (slice_make (doc->id.data + 1, doc->id.size - 1));
  struct tally_slice n;

  assert_true (json_find_member (doc->body, slice_text ("n"), &n));
  assert_true (id < IDS);
  view->documents++;
  if (memcmp (doc->rev, view->rev[id], TALLY_REV_SIZE) <= 0)
    return;
  memcpy (view->rev[id], doc->rev, TALLY_REV_SIZE);
  view->value[id] = number_of (n);
}

/* Reads one segment, if there is one. */
int
kit_read_one (struct world *w, struct device *device, bool *more)
{
  struct doclist headers = DOCLIST_INIT, docs = DOCLIST_INIT;
  struct view *view = &device->view;
  struct buf next = BUF_INIT;
  struct tally_slice ids[IDS];
  int status = folder_meta (device->folder, "notes", view->cursor, &headers,
                            &next, more, &w->err);

  if (status == TALLY_OK) {
    assert_true (headers.count <= IDS);
    for (size_t i = 0; i < headers.count; i++) {
      assert_int_equal (headers.docs[i].body.size, 0);
      ids[i] = headers.docs[i].id;
    }
    assert_int_equal (
        folder_get (device->folder, ids, headers.count, &docs, &w->err),
        TALLY_OK);
    assert_int_equal (docs.count, headers.count);
    for (size_t i = 0; i < docs.count; i++) {
      assert_memory_equal (docs.docs[i].rev, headers.docs[i].rev,
                           TALLY_REV_SIZE);
      take (view, &docs.docs[i]);
    }
    view->segments += headers.count > 0;
    assert_true (next.size <= sizeof view->cursor);
    memcpy (view->cursor, next.data, next.size);
  }
  buf_free (&next);
  doclist_free (&headers);
  doclist_free (&docs);
  return status;
}

/* Reads all, and returns what there is to complain about. */
int
kit_read_all (struct world *w, struct device *device)
{
  bool more = true;

  device->view.segments = device->view.documents = 0;
  kit_reopen (w, device);
  while (more)
    assert_int_equal (kit_read_one (w, device, &more), TALLY_OK);
  return folder_complaint (device->folder, "notes", &w->err);
}

void
kit_blob_path (const struct world *w, const struct device *writer,
               uint64_t number, uint32_t part, char path[512])
{
  struct segment_name name = { .number = number, .part = part };
  char text[SEGMENT_NAME_SIZE];

  replica_id (writer->replica, name.writer);
  snprintf (name.collection, sizeof name.collection, "notes");
  segment_name_make (text, &name);
  snprintf (path, 512, "%s/%s", w->path, text);
}

/* Moves a segment out of sight, or back. */
void
kit_hide (const struct world *w, const struct device *writer, uint64_t number,
          uint32_t part, bool back)
{
  char path[512], hidden[520];

  kit_blob_path (w, writer, number, part, path);
  snprintf (hidden, sizeof hidden, "%s.away", path);
  assert_int_equal (back ? rename (hidden, path) : rename (path, hidden), 0);
}

int
kit_count (const struct world *w, const struct device *writer)
{
  char id[REPLICA_ID_TEXT];
  unsigned char bytes[REPLICA_ID_SIZE];

  replica_id (writer->replica, bytes);
  replica_id_text (bytes, id);
  return kit_each_file (w, id, NULL, NULL);
}
