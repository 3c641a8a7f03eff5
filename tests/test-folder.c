/* SPDX-License-Identifier: MIT */
/* The segment log, over the real file transport and memory stores: several
 * writers, what a copying program or a crash leaves behind, clones, lost
 * folders, compaction.  Writing calls of transport and store go through
 * shims that can die at any of them. */

/* First, since it asks for _GNU_SOURCE.  The memory store is linked under
 * the name that every driver has. */
#define tally_driver_1 file_driver_1
#include "../drivers/transport-file.c"
#undef tally_driver_1
const struct tally_driver *tally_driver_1 (void);

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>

#include "../core/folder.h"
#include "../core/json.h"
#include "../core/segment.h"
#include "../core/state.h"

#define DEVICES 3
#define IDS 40

/* ---- shims -------------------------------------------------------------- */

static struct fault
{
  long calls;   /* writing calls so far */
  long dies_at; /* this one fails, and all after it; 0: none */
  bool after;   /* what fails has been done */
} fault;

static bool
is_dead (void)
{
  return fault.dies_at > 0 && fault.calls >= fault.dies_at;
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
  bool was_dead = is_dead ();

  fault.calls++;
  *fails = is_dead ();
  return !was_dead && (!*fails || fault.after);
}

static int
shim_create (void *handle, const char *name, const void *data, size_t size,
             struct tally_error *err)
{
  bool fails;
  int status = TALLY_OK;

  if (lives (&fails))
    status = file_create (handle, name, data, size, err);
  return fails ? dead (err) : status;
}

static int
shim_remove (void *handle, const char *name, struct tally_error *err)
{
  bool fails;
  int status = TALLY_OK;

  if (lives (&fails))
    status = file_remove (handle, name, err);
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
    status = tally_driver_1 ()->store->note_put (handle, key, expected, value,
                                                 err);
  return fails ? dead (err) : status;
}

/* ---- devices ------------------------------------------------------------ */

/* What somebody has read: the newest state of each document. */
struct view
{
  char cursor[4096];
  unsigned value[IDS];
  unsigned char rev[IDS][TALLY_REV_SIZE];
  unsigned segments, documents; /* of the last reading */
};

struct device
{
  struct replica *replica;
  struct channel *channel;
  struct folder *folder;
  unsigned char folder_id[REPLICA_ID_SIZE];
  struct view view;
};

struct world
{
  char path[64];
  struct tally_host host;
  struct tally_store store;
  struct tally_transport transport;
  struct driver store_driver, transport_driver;
  struct device devices[DEVICES];
  unsigned clock;
  struct tally_error err;
};

static int
host_cancelled (void *ctx)
{
  (void) ctx;
  return 0;
}

static void
make_device (struct world *w, struct device *device)
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
  assert_int_equal (channel_open (&device->channel, &w->transport_driver,
                                  path, 0, "stick", &w->host, &w->err),
                    TALLY_OK);
}

static void
free_device (struct device *device)
{
  folder_close (device->folder);
  channel_close (device->channel);
  replica_close (device->replica);
}

static int
set_up (void **state)
{
  struct world *w = calloc (1, sizeof *w);

  assert_non_null (w);
  memset (&fault, 0, sizeof fault);
  snprintf (w->path, sizeof w->path, "/tmp/test-folder-XXXXXX");
  assert_non_null (mkdtemp (w->path));
  w->host.size = sizeof w->host;
  w->host.cancelled = host_cancelled;
  w->store = *tally_driver_1 ()->store;
  w->store.note_put = shim_note_put;
  w->store_driver.store = &w->store;
  w->transport = file_transport;
  w->transport.create = shim_create;
  w->transport.remove = shim_remove;
  w->transport_driver.transport = &w->transport;
  for (size_t i = 0; i < DEVICES; i++)
    make_device (w, &w->devices[i]);
  *state = w;
  return 0;
}

static int
each_file (const struct world *w, const char *part,
           void (*fn) (const char *path, void *ctx), void *ctx)
{
  DIR *dir = opendir (w->path);
  const struct dirent *row;
  char path[512];
  int n = 0;

  assert_non_null (dir);
  for (row = readdir (dir); row; row = readdir (dir))
    if (row->d_name[0] != '.' && strstr (row->d_name, part))
      {
        snprintf (path, sizeof path, "%s/%s", w->path, row->d_name);
        if (fn)
          fn (path, ctx);
        n++;
      }
  closedir (dir);
  return n;
}

static void
remove_file (const char *path, void *ctx)
{
  (void) ctx;
  assert_int_equal (remove (path), 0);
}

static int
tear_down (void **state)
{
  struct world *w = *state;

  for (size_t i = 0; i < DEVICES; i++)
    free_device (&w->devices[i]);
  each_file (w, "", remove_file, NULL);
  assert_int_equal (rmdir (w->path), 0);
  free (w);
  return 0;
}

static int
try_open (struct world *w, struct device *device, bool look)
{
  folder_close (device->folder);
  return folder_open (&device->folder, device->channel, device->replica, look,
                      device->folder_id, &w->err);
}

static void
reopen (struct world *w, struct device *device)
{
  assert_int_equal (try_open (w, device, false), TALLY_OK);
}

/* ---- documents ---------------------------------------------------------- */

static int
put_sized (struct world *w, struct device *device, unsigned id,
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

static int
put (struct world *w, struct device *device, unsigned id, unsigned value)
{
  return put_sized (w, device, id, value, 0);
}

static int
commit (struct world *w, struct device *device)
{
  return folder_commit (device->folder, "notes", &w->err);
}

/* One segment with one document. */
static void
publish_one (struct world *w, struct device *device, unsigned id,
             unsigned value)
{
  assert_int_equal (put (w, device, id, value), TALLY_OK);
  assert_int_equal (commit (w, device), TALLY_OK);
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
static int
read_one (struct world *w, struct device *device, bool *more)
{
  struct doclist headers = DOCLIST_INIT, docs = DOCLIST_INIT;
  struct view *view = &device->view;
  struct buf next = BUF_INIT;
  struct tally_slice ids[IDS];
  int status = folder_meta (device->folder, "notes", view->cursor, &headers,
                            &next, more, &w->err);

  if (status == TALLY_OK)
    {
      assert_true (headers.count <= IDS);
      for (size_t i = 0; i < headers.count; i++)
        {
          assert_int_equal (headers.docs[i].body.size, 0);
          ids[i] = headers.docs[i].id;
        }
      assert_int_equal (folder_get (device->folder, ids, headers.count, &docs,
                                    &w->err),
                        TALLY_OK);
      assert_int_equal (docs.count, headers.count);
      for (size_t i = 0; i < docs.count; i++)
        {
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
static int
read_all (struct world *w, struct device *device)
{
  bool more = true;

  device->view.segments = device->view.documents = 0;
  reopen (w, device);
  while (more)
    assert_int_equal (read_one (w, device, &more), TALLY_OK);
  return folder_complaint (device->folder, "notes", &w->err);
}

static void
blob_path (const struct world *w, const struct device *writer,
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
static void
hide (const struct world *w, const struct device *writer, uint64_t number,
      uint32_t part, bool back)
{
  char path[512], hidden[520];

  blob_path (w, writer, number, part, path);
  snprintf (hidden, sizeof hidden, "%s.away", path);
  assert_int_equal (back ? rename (hidden, path) : rename (path, hidden), 0);
}

static int
count_blobs (const struct world *w, const struct device *writer)
{
  char id[REPLICA_ID_TEXT];
  unsigned char bytes[REPLICA_ID_SIZE];

  replica_id (writer->replica, bytes);
  replica_id_text (bytes, id);
  return each_file (w, id, NULL, NULL);
}

/* ---- several writers ---------------------------------------------------- */

static void
test_two_writers (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1],
                *c = &w->devices[2];
  const char *const *names;
  char cursor[sizeof c->view.cursor];
  bool more;

  reopen (w, a);
  reopen (w, b);
  assert_memory_equal (a->folder_id, b->folder_id, REPLICA_ID_SIZE);
  publish_one (w, a, 1, 11);
  publish_one (w, a, 2, 12);
  publish_one (w, b, 3, 13);
  assert_int_equal (read_all (w, c), TALLY_OK);
  assert_int_equal (c->view.segments, 3);
  assert_int_equal (c->view.value[1], 11);
  assert_int_equal (c->view.value[2], 12);
  assert_int_equal (c->view.value[3], 13);
  assert_int_equal (folder_collections (c->folder, &names), 1);
  assert_string_equal (names[0], "notes");
  assert_false (folder_is_ahead (c->folder));
  assert_false (folder_is_behind (c->folder, "notes"));

  /* Nothing is read twice, and our own not at all. */
  memcpy (cursor, c->view.cursor, sizeof cursor);
  assert_int_equal (read_all (w, c), TALLY_OK);
  assert_int_equal (c->view.segments, 0);
  assert_string_equal (c->view.cursor, cursor);
  assert_int_equal (read_all (w, a), TALLY_OK);
  assert_int_equal (a->view.segments, 1);
  assert_int_equal (a->view.value[1], 0);
  assert_int_equal (read_one (w, a, &more), TALLY_OK);
  assert_false (more);
}

static void
test_more (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  bool more;

  reopen (w, a);
  publish_one (w, a, 1, 1);
  publish_one (w, a, 2, 1);
  reopen (w, b);
  assert_int_equal (read_one (w, b, &more), TALLY_OK);
  assert_int_equal (b->view.segments, 1);
  assert_true (more);
  assert_int_equal (read_one (w, b, &more), TALLY_OK);
  assert_int_equal (b->view.segments, 2);
  assert_false (more);
}

static void
test_last_put_counts (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  reopen (w, a);
  assert_int_equal (put (w, a, 1, 1), TALLY_OK);
  assert_int_equal (put (w, a, 2, 2), TALLY_OK);
  publish_one (w, a, 1, 3);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 2);
  assert_int_equal (b->view.value[1], 3);
  assert_int_equal (b->view.value[2], 2);
}

static void
test_full_segments (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  reopen (w, a);
  for (unsigned i = 0; i < 6; i++)
    assert_int_equal (put_sized (w, a, i, i + 1, 1500000), TALLY_OK);
  assert_int_equal (put_sized (w, a, 6, 7, 6000000), TALLY_OK);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.segments, 3);
  assert_int_equal (commit (w, a), TALLY_OK);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.segments, 1);
  for (unsigned i = 0; i < 7; i++)
    assert_int_equal (b->view.value[i], i + 1);
}

/* ---- the marker --------------------------------------------------------- */

static void
test_look (void **state)
{
  static const unsigned char zero[REPLICA_ID_SIZE];
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  const char *const *names;

  memset (a->folder_id, 1, sizeof a->folder_id);
  assert_int_equal (try_open (w, a, true), TALLY_OK);
  assert_memory_equal (a->folder_id, zero, sizeof zero);
  assert_int_equal (folder_collections (a->folder, &names), 0);
  assert_int_equal (put (w, a, 1, 1), TALLY_INVALID);
  assert_int_equal (commit (w, a), TALLY_OK);
  assert_int_equal (each_file (w, "", NULL, NULL), 0);
  reopen (w, b);
  publish_one (w, b, 1, 1);
  fault.calls = 0;
  assert_int_equal (try_open (w, a, true), TALLY_OK);
  assert_memory_equal (a->folder_id, b->folder_id, sizeof zero);
  assert_int_equal (folder_collections (a->folder, &names), 1);
  assert_int_equal (fault.calls, 0);
}

/* Segments know whose folder it is. */
static void
test_lost_marker (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  char path[512];
  FILE *file;

  reopen (w, a);
  publish_one (w, a, 1, 1);
  assert_int_equal (each_file (w, SEGMENT_MARKER, remove_file, NULL), 1);
  reopen (w, b);
  assert_memory_equal (a->folder_id, b->folder_id, REPLICA_ID_SIZE);
  assert_int_equal (each_file (w, SEGMENT_MARKER, NULL, NULL), 1);
  reopen (w, a);
  assert_false (folder_is_ahead (a->folder));

  snprintf (path, sizeof path, "%s/" SEGMENT_MARKER, w->path);
  assert_int_equal (truncate (path, 20), 0);
  assert_int_equal (try_open (w, b, false), TALLY_AGAIN);
  assert_int_equal (remove (path), 0);
  blob_path (w, a, 1, 0, path);
  assert_int_equal (truncate (path, 20), 0);
  assert_int_equal (try_open (w, b, false), TALLY_AGAIN);
  file = fopen (path, "w");
  assert_non_null (file);
  fclose (file);
}

/* ---- what copying programs do ------------------------------------------- */

static void
test_foreign_files (void **state)
{
  static const char *const names[]
    = { "readme.txt", "00112233445566778899aabbccddeeff.notes.1.tally",
        "00112233445566778899aabbccddeeff.notes.0000000001 (copy).tally",
        "00112233445566778899aabbccddeeff.notes.0000000001.tally.tmp",
        "x.tally", "..tally", "folder (conflicted copy).tally-id" };
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  char path[512];

  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    {
      FILE *file;

      snprintf (path, sizeof path, "%s/%s", w->path, names[i]);
      file = fopen (path, "w");
      assert_non_null (file);
      fclose (file);
    }
  reopen (w, a);
  publish_one (w, a, 1, 1);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.segments, 1);
  snprintf (path, sizeof path, "%s/..tally", w->path);
  assert_int_equal (remove (path), 0);
}

static void
copy_file (const char *from, const char *to, size_t most)
{
  FILE *in = fopen (from, "rb"), *out = fopen (to, "wb");
  int c;

  assert_non_null (in);
  assert_non_null (out);
  for (c = getc (in); c != EOF && most > 0; c = getc (in), most--)
    putc (c, out);
  fclose (in);
  assert_int_equal (fclose (out), 0);
}

/* Half of it is there: it waits, the others do not. */
static void
test_half_a_segment (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1],
                *c = &w->devices[2];
  char path[512], whole[520];
  struct stat st;

  reopen (w, a);
  reopen (w, b);
  publish_one (w, a, 1, 1);
  publish_one (w, a, 2, 2);
  publish_one (w, b, 3, 3);
  blob_path (w, a, 1, 0, path);
  assert_int_equal (stat (path, &st), 0);
  for (size_t size = 0; size < (size_t) st.st_size; size += 7)
    {
      memset (&c->view, 0, sizeof c->view);
      snprintf (whole, sizeof whole, "%s.whole", path);
      assert_int_equal (rename (path, whole), 0);
      copy_file (whole, path, size);
      assert_int_equal (read_all (w, c), TALLY_AGAIN);
      assert_non_null (strstr (w->err.text, "incomplete or damaged"));
      assert_int_equal (c->view.segments, 1);
      assert_int_equal (c->view.value[3], 3);
      assert_int_equal (rename (whole, path), 0);
      assert_int_equal (read_all (w, c), TALLY_OK);
      assert_int_equal (c->view.segments, 2);
      assert_int_equal (c->view.value[1], 1);
      assert_int_equal (c->view.value[2], 2);
    }
}

static void
test_wrong_name (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1],
                *c = &w->devices[2];
  char from[512], to[512];

  reopen (w, a);
  reopen (w, b);
  publish_one (w, a, 1, 1);
  publish_one (w, b, 2, 2);
  blob_path (w, a, 1, 0, from);
  blob_path (w, a, 2, 0, to);
  copy_file (from, to, SIZE_MAX);
  blob_path (w, b, 2, 0, to);
  copy_file (from, to, SIZE_MAX);
  assert_int_equal (read_all (w, c), TALLY_AGAIN);
  assert_int_equal (c->view.segments, 2);
  assert_int_equal (c->view.documents, 2);
}

static void
test_gap (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  reopen (w, a);
  for (unsigned i = 1; i <= 4; i++)
    publish_one (w, a, i, i);
  hide (w, a, 2, 0, false);
  assert_int_equal (read_all (w, b), TALLY_AGAIN);
  assert_non_null (strstr (w->err.text, "is not there yet"));
  assert_int_equal (b->view.segments, 1);
  assert_int_equal (b->view.value[3], 0);
  hide (w, a, 2, 0, true);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.segments, 3);
  assert_int_equal (b->view.value[4], 4);
}

static void
test_cursors (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  struct view before;
  bool more;

  reopen (w, a);
  publish_one (w, a, 1, 1);
  assert_int_equal (read_all (w, b), TALLY_OK);
  before = b->view;
  each_file (w, "notes", remove_file, NULL);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_string_equal (b->view.cursor, before.cursor);
  snprintf (b->view.cursor, sizeof b->view.cursor, "garbage");
  assert_int_equal (read_one (w, b, &more), TALLY_CORRUPT);
}

/* ---- hostile segments --------------------------------------------------- */

/* A segment whose checksum is right, by a writer that has no store. */
static void
forge (struct world *w, const struct device *in, uint64_t number,
       struct tally_doc *docs, size_t n)
{
  struct segment segment = { .number = number, .begin = 1 };
  struct segment_name name = { .number = number };
  char text[SEGMENT_NAME_SIZE];
  struct buf bytes = BUF_INIT;

  memset (segment.writer, 7, sizeof segment.writer);
  memset (name.writer, 7, sizeof name.writer);
  memcpy (segment.folder, in->folder_id, sizeof segment.folder);
  snprintf (name.collection, sizeof name.collection, "notes");
  segment.collection = slice_text ("notes");
  segment.docs = docs;
  segment.n_docs = n;
  segment_encode (&bytes, &segment);
  segment_name_make (text, &name);
  assert_int_equal (channel_create (in->channel, text, buf_slice (&bytes),
                                    &w->err),
                    TALLY_OK);
  buf_free (&bytes);
}

static void
test_bad_documents (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0];
  struct state made = { .deleted = false };
  struct buf meta = BUF_INIT;
  struct tally_doc docs[6];

  reopen (w, a);
  assert_true (stamp_make (&made.whole, 5, 0, 1));
  state_encode (&made, &meta);
  memset (docs, 0, sizeof docs);
  for (size_t i = 0; i < 6; i++)
    docs[i].meta = buf_slice (&meta);
  docs[0].id = slice_text ("d001");
  docs[0].body = slice_text ("{\"_id\":\"d001\",\"n\":1}");
  docs[1].id = slice_text (""); /* no id */
  docs[1].body = slice_text ("{\"_id\":\"\",\"n\":1}");
  docs[2].id = slice_text ("d002"); /* the body has another */
  docs[2].body = slice_text ("{\"_id\":\"d003\",\"n\":1}");
  docs[3].id = slice_text ("d004"); /* not canonical */
  docs[3].body = slice_text ("{\"n\":1, \"_id\":\"d004\"}");
  docs[4].id = slice_text ("d005"); /* no meta */
  docs[4].meta = slice_make (NULL, 0);
  docs[4].body = slice_text ("{\"_id\":\"d005\",\"n\":1}");
  docs[5].id = slice_text ("d001"); /* worse than the first */
  docs[5].body = slice_text ("[]");
  forge (w, a, 1, docs, 6);
  forge (w, a, 2, docs, 1);
  assert_int_equal (read_all (w, a), TALLY_INVALID);
  assert_int_equal (a->view.segments, 2);
  assert_int_equal (a->view.documents, 2);
  assert_int_equal (a->view.value[1], 1);
  assert_int_equal (read_all (w, a), TALLY_OK);
  buf_free (&meta);
}

/* ---- copies of a store -------------------------------------------------- */

/* As a copied store: the same id, and the notes as they were. */
static void
copy_store (struct device *to, const struct device *from)
{
  memcpy (to->replica->id, from->replica->id, REPLICA_ID_SIZE);
}

static void
test_ahead (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  reopen (w, a);
  publish_one (w, a, 1, 1);
  reopen (w, a);
  assert_false (folder_is_ahead (a->folder));
  copy_store (b, a);
  reopen (w, b);
  assert_true (folder_is_ahead (b->folder));
  assert_int_equal (put (w, b, 2, 2), TALLY_AGAIN);

  /* As another it sees what the first wrote. */
  assert_int_equal (identity_renew (b->replica, true, &w->err), TALLY_OK);
  assert_false (folder_is_ahead (b->folder));
  publish_one (w, b, 2, 2);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[1], 1);
  assert_int_equal (read_all (w, a), TALLY_OK);
  assert_int_equal (a->view.value[2], 2);
}

/* Both have looked, then both write. */
static void
test_clones_meet (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  copy_store (b, a);
  reopen (w, a);
  reopen (w, b);
  publish_one (w, a, 1, 1);
  assert_int_equal (put (w, b, 2, 2), TALLY_OK);
  assert_int_equal (commit (w, b), TALLY_AGAIN);
  assert_non_null (strstr (w->err.text, "another copy of this store"));
  assert_int_equal (commit (w, b), TALLY_AGAIN);
  reopen (w, b);
  assert_true (folder_is_ahead (b->folder));
  reopen (w, a);
  assert_false (folder_is_ahead (a->folder));
  assert_int_equal (count_blobs (w, a), 1);
}

/* What was put under the old name and not published is not lost. */
static void
test_renewed_between (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  reopen (w, a);
  publish_one (w, a, 1, 1);
  assert_int_equal (put (w, a, 2, 2), TALLY_OK);
  assert_int_equal (identity_renew (a->replica, true, &w->err), TALLY_OK);
  assert_int_equal (commit (w, a), TALLY_OK);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[1], 1);
  assert_int_equal (b->view.value[2], 2);
  assert_int_equal (read_all (w, a), TALLY_OK);
  assert_int_equal (a->view.documents, 1);
}

static void
test_damaged_note (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0];
  struct tally_slice garbage = slice_text ("{\"begin\":1}");
  char key[256], id[REPLICA_ID_TEXT];

  reopen (w, a);
  publish_one (w, a, 1, 1);
  replica_id_text (a->folder_id, id);
  snprintf (key, sizeof key, "folder/%s/notes", id);
  assert_int_equal (replica_note_put (a->replica, key, NULL, &garbage,
                                      &w->err),
                    TALLY_OK);
  assert_int_equal (try_open (w, a, false), TALLY_CORRUPT);
}

/* ---- lost segments ------------------------------------------------------ */

static void
test_behind (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1],
                *c = &w->devices[2];

  reopen (w, a);
  for (unsigned i = 1; i <= 3; i++)
    publish_one (w, a, i, i);
  assert_int_equal (read_all (w, b), TALLY_OK);
  hide (w, a, 2, 0, false);
  reopen (w, a);
  assert_false (folder_is_ahead (a->folder));
  assert_true (folder_is_behind (a->folder, "notes"));
  assert_false (folder_is_behind (a->folder, "others"));

  /* Everything is put again; a cut leaves it to be done. */
  assert_int_equal (put_sized (w, a, 1, 1, 4000000), TALLY_OK);
  assert_int_equal (put_sized (w, a, 2, 2, 4000000), TALLY_OK);
  reopen (w, a);
  assert_true (folder_is_behind (a->folder, "notes"));
  for (unsigned i = 1; i <= 4; i++)
    assert_int_equal (put_sized (w, a, i, i, 2000000), TALLY_OK);
  assert_int_equal (commit (w, a), TALLY_OK);
  assert_false (folder_is_behind (a->folder, "notes"));
  assert_int_equal (count_blobs (w, a), 3); /* one is hidden */
  reopen (w, a);
  assert_false (folder_is_behind (a->folder, "notes"));
  assert_int_equal (folder_complaint (a->folder, "notes", &w->err),
                    TALLY_OK);

  /* Who read it all before, and who never did. */
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[4], 4);
  assert_int_equal (read_all (w, c), TALLY_OK);
  for (unsigned i = 1; i <= 4; i++)
    assert_int_equal (c->view.value[i], i);
}

static void
test_emptied_folder (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  char path[512], before[sizeof b->view.cursor];

  reopen (w, a);
  publish_one (w, a, 1, 1);
  publish_one (w, a, 2, 2);
  assert_int_equal (read_all (w, b), TALLY_OK);
  memcpy (before, b->view.cursor, sizeof before);
  each_file (w, "notes", remove_file, NULL);
  reopen (w, a);
  assert_true (folder_is_behind (a->folder, "notes"));
  publish_one (w, a, 5, 5);

  /* No number is used twice. */
  blob_path (w, a, 3, 0, path);
  assert_int_equal (access (path, F_OK), 0);
  assert_int_equal (count_blobs (w, a), 1);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[5], 5);
}

/* ---- compaction --------------------------------------------------------- */

static void
test_compaction (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1],
                *c = &w->devices[2];

  reopen (w, a);
  for (unsigned i = 0; i < 16; i++)
    publish_one (w, a, i % 4, i + 1);
  assert_int_equal (count_blobs (w, a), 16);
  assert_int_equal (read_all (w, b), TALLY_OK);
  publish_one (w, a, 4, 99);
  assert_int_equal (folder_complaint (a->folder, "notes", &w->err),
                    TALLY_OK);
  assert_int_equal (count_blobs (w, a), 2); /* the base and its part */

  /* b lacks the last segment: it reads the base. */
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 5);
  assert_int_equal (b->view.value[4], 99);
  assert_int_equal (read_all (w, c), TALLY_OK);
  assert_int_equal (c->view.documents, 5);
  for (unsigned i = 0; i < 4; i++)
    assert_int_equal (c->view.value[i], 13 + i);

  /* The log goes on; who saw all of it reads no base. */
  for (unsigned i = 0; i < 11; i++)
    publish_one (w, a, i % 4, 100 + i);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 11);
  reopen (w, a);
  assert_false (folder_is_ahead (a->folder));
  assert_false (folder_is_behind (a->folder, "notes"));
  for (unsigned i = 0; i < 3; i++)
    publish_one (w, a, 5, 200 + i);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 3);
  publish_one (w, a, 5, 300);
  assert_int_equal (count_blobs (w, a), 2);
  memset (&c->view, 0, sizeof c->view);
  assert_int_equal (read_all (w, c), TALLY_OK);
  assert_int_equal (c->view.documents, 6);
  assert_int_equal (c->view.value[0], 108);
  assert_int_equal (c->view.value[5], 300);
}

/* Who is just before the base moves over it without a document. */
static void
test_base_is_skipped (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  char cursor[sizeof b->view.cursor];

  reopen (w, a);
  for (unsigned i = 0; i < 16; i++)
    publish_one (w, a, 1, i + 1);
  assert_int_equal (put (w, a, 1, 17), TALLY_OK);
  fault.calls = 0;
  fault.dies_at = 4; /* after the segment, when the part is made */
  assert_int_equal (commit (w, a), TALLY_OK);
  assert_int_equal (folder_complaint (a->folder, "notes", &w->err),
                    TALLY_FAILED);
  memset (&fault, 0, sizeof fault);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[1], 17);
  memcpy (cursor, b->view.cursor, sizeof cursor);
  reopen (w, a);
  assert_int_equal (commit (w, a), TALLY_OK);
  assert_int_equal (count_blobs (w, a), 2);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 0);
  assert_string_not_equal (b->view.cursor, cursor);
}

/* The base is there, and what it replaces is still there, too. */
static void
test_base_is_preferred (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  reopen (w, a);
  for (unsigned i = 0; i < 16; i++)
    publish_one (w, a, 1, i + 1);
  assert_int_equal (put (w, a, 1, 17), TALLY_OK);
  /* Three for the segment, the part, and three for the base. */
  fault = (struct fault){ 0, 8, false };
  assert_int_equal (commit (w, a), TALLY_OK);
  memset (&fault, 0, sizeof fault);
  assert_int_equal (count_blobs (w, a), 19);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 1);
  assert_int_equal (b->view.value[1], 17);
  reopen (w, a);
  assert_int_equal (commit (w, a), TALLY_OK);
  assert_int_equal (count_blobs (w, a), 2);
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.documents, 0);

  /* A part is as much needed as a segment. */
  hide (w, a, 18, 1, false);
  reopen (w, a);
  assert_true (folder_is_behind (a->folder, "notes"));
}

static void
test_distinct_documents_stay (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0];

  reopen (w, a);
  for (unsigned i = 0; i < 30; i++)
    publish_one (w, a, i, 1);
  assert_int_equal (count_blobs (w, a), 30);
}

/* A base of several parts is read part by part, over runs, and waits for
 * each. */
static void
test_parts (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  bool more;

  reopen (w, a);
  for (unsigned i = 0; i < 12; i++)
    publish_one (w, a, 6, i);
  for (unsigned i = 0; i < 6; i++)
    {
      assert_int_equal (put_sized (w, a, i, i + 1, 1500000), TALLY_OK);
      assert_int_equal (commit (w, a), TALLY_OK);
    }
  assert_int_equal (count_blobs (w, a), 5); /* base, three parts, and one */
  hide (w, a, 18, 2, false);
  assert_int_equal (read_all (w, b), TALLY_AGAIN);
  assert_int_equal (b->view.segments, 0);
  hide (w, a, 18, 2, true);
  reopen (w, b);
  assert_int_equal (read_one (w, b, &more), TALLY_OK);
  assert_true (more);
  assert_non_null (strstr (b->view.cursor, ":18.1"));
  hide (w, a, 18, 2, false);
  assert_int_equal (read_all (w, b), TALLY_AGAIN);
  hide (w, a, 18, 2, true);
  assert_int_equal (read_all (w, b), TALLY_OK);
  for (unsigned i = 0; i < 6; i++)
    assert_int_equal (b->view.value[i], i + 1);
  assert_int_equal (b->view.value[6], 11);
}

/* The base that somebody was reading is replaced by another one. */
static void
test_base_goes_away (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  bool more;

  reopen (w, a);
  for (unsigned i = 0; i < 18; i++)
    {
      assert_int_equal (put_sized (w, a, i % 6, i, 1500000), TALLY_OK);
      assert_int_equal (commit (w, a), TALLY_OK);
    }
  reopen (w, b);
  assert_int_equal (read_one (w, b, &more), TALLY_OK);
  assert_non_null (strchr (b->view.cursor, '.'));
  for (unsigned i = 0; i < 24; i++)
    {
      assert_int_equal (put_sized (w, a, i % 6, 100 + i, 1500000), TALLY_OK);
      assert_int_equal (commit (w, a), TALLY_OK);
    }
  assert_int_equal (read_all (w, b), TALLY_OK);
  for (unsigned i = 0; i < 6; i++)
    assert_int_equal (b->view.value[i], 118 + i);
}

/* Seen when the log is compacted, healed by the next run. */
static void
test_own_damage (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];
  char path[512];

  reopen (w, a);
  for (unsigned i = 0; i < 16; i++)
    publish_one (w, a, i % 2, i);
  blob_path (w, a, 5, 0, path);
  assert_int_equal (truncate (path, 100), 0);
  assert_int_equal (read_all (w, b), TALLY_AGAIN);
  reopen (w, a);
  assert_false (folder_is_behind (a->folder, "notes"));
  publish_one (w, a, 0, 50);
  assert_int_equal (folder_complaint (a->folder, "notes", &w->err),
                    TALLY_AGAIN);
  publish_one (w, a, 0, 51); /* in the same run: no new beginning */
  reopen (w, a);
  assert_true (folder_is_behind (a->folder, "notes"));
  assert_int_equal (put (w, a, 0, 51), TALLY_OK);
  publish_one (w, a, 1, 15);
  assert_int_equal (count_blobs (w, a), 1);
  reopen (w, a);
  assert_false (folder_is_behind (a->folder, "notes"));
  assert_int_equal (read_all (w, b), TALLY_OK);
  assert_int_equal (b->view.value[0], 51);
  assert_int_equal (b->view.value[1], 15);
}

/* ---- crashes ------------------------------------------------------------ */

#define ROUNDS 40

/* What a store holds, and up to which of its changes the folder has it. */
struct model
{
  unsigned value[IDS];
  unsigned changed[IDS]; /* the round of the last change */
  unsigned round, cursor;
};

/* As the engine: everything since the cursor is put, or everything. */
static int
run (struct world *w, struct device *device, struct model *model)
{
  unsigned since = model->cursor;
  int status = try_open (w, device, false);

  if (status != TALLY_OK)
    return status;
  assert_false (folder_is_ahead (device->folder));
  if (folder_is_behind (device->folder, "notes"))
    since = 0;
  for (unsigned i = 0; i < IDS && status == TALLY_OK; i++)
    if (model->changed[i] > since)
      status = put (w, device, i, model->value[i]);
  if (status == TALLY_OK)
    status = commit (w, device);
  if (status == TALLY_OK)
    model->cursor = model->round;
  return status;
}

static void
assert_view (const struct view *view, const struct model *model)
{
  for (unsigned i = 0; i < IDS; i++)
    if (view->value[i] != model->value[i])
      fail_msg ("document %u: read %u, is %u", i, view->value[i],
                model->value[i]);
}

/* Twenty rounds, a folder that loses a segment, twenty more; dead from one
 * writing call on, and then another run.  False: it never came to die. */
static bool
die_once (struct world *w, long at, bool after)
{
  struct device *a = &w->devices[0], *b = &w->devices[1],
                *c = &w->devices[2];
  struct model model = { .round = 0 };
  bool died = false;

  fault = (struct fault){ 0, at, after };
  while (model.round < ROUNDS)
    {
      model.round++;
      for (unsigned i = 0; i < 3; i++)
        {
          unsigned id = (model.round * 7 + i) % 9;

          model.value[id] = model.round;
          model.changed[id] = model.round;
        }
      if (run (w, a, &model) != TALLY_OK || is_dead ())
        {
          assert_true (is_dead ());
          died = true;
          memset (&fault, 0, sizeof fault);
          /* Who reads now has no complaint: nothing is half there. */
          assert_int_equal (read_all (w, b), TALLY_OK);
          assert_int_equal (run (w, a, &model), TALLY_OK);
          assert_int_equal (folder_complaint (a->folder, "notes", &w->err),
                            TALLY_OK);
        }
      if (model.round == 20)
        each_file (w, "notes", remove_file, NULL);
      else if (model.round % 5 == 0)
        {
          assert_int_equal (read_all (w, b), TALLY_OK);
          assert_view (&b->view, &model);
        }
    }
  assert_int_equal (read_all (w, c), TALLY_OK);
  assert_view (&c->view, &model);
  assert_true (count_blobs (w, a) <= 18);
  return died;
}

static void
torture (struct world *w, bool after)
{
  long at = 1;
  bool died = true;

  for (; died; at++)
    {
      died = die_once (w, at, after);
      memset (&fault, 0, sizeof fault);
      each_file (w, "", remove_file, NULL);
      for (size_t i = 0; i < DEVICES; i++)
        {
          free_device (&w->devices[i]);
          make_device (w, &w->devices[i]);
        }
    }
  assert_true (at > 150);
}

static void
test_die_before (void **state)
{
  torture (*state, false);
}

static void
test_die_after (void **state)
{
  torture (*state, true);
}

/* A call that fails, and a run that goes on: the note of what comes, the
 * segment, the note of what came.  A note that fails is not written, a
 * segment may be there. */
static void
test_fail_once (void **state)
{
  struct world *w = *state;
  struct device *a = &w->devices[0], *b = &w->devices[1];

  reopen (w, a);
  for (int i = 0; i < 12; i++)
    {
      unsigned id = (unsigned) i;

      assert_int_equal (put (w, a, id, id + 1), TALLY_OK);
      fault = (struct fault){ 0, 1 + i % 3, i % 6 == 1 };
      assert_int_equal (commit (w, a), TALLY_FAILED);
      memset (&fault, 0, sizeof fault);
      assert_int_equal (put (w, a, id + 12, id), TALLY_OK);
      assert_int_equal (commit (w, a), TALLY_OK);
    }
  assert_int_equal (read_all (w, b), TALLY_OK);
  for (unsigned i = 0; i < 12; i++)
    {
      assert_int_equal (b->view.value[i], i + 1);
      assert_int_equal (b->view.value[i + 12], i);
    }
  reopen (w, a);
  assert_false (folder_is_ahead (a->folder));
  assert_false (folder_is_behind (a->folder, "notes"));
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    TEST (test_two_writers),
    TEST (test_more),
    TEST (test_last_put_counts),
    TEST (test_full_segments),
    TEST (test_look),
    TEST (test_lost_marker),
    TEST (test_foreign_files),
    TEST (test_half_a_segment),
    TEST (test_wrong_name),
    TEST (test_gap),
    TEST (test_cursors),
    TEST (test_bad_documents),
    TEST (test_ahead),
    TEST (test_clones_meet),
    TEST (test_renewed_between),
    TEST (test_damaged_note),
    TEST (test_behind),
    TEST (test_emptied_folder),
    TEST (test_compaction),
    TEST (test_base_is_skipped),
    TEST (test_base_is_preferred),
    TEST (test_distinct_documents_stay),
    TEST (test_parts),
    TEST (test_base_goes_away),
    TEST (test_own_damage),
    TEST (test_die_before),
    TEST (test_die_after),
    TEST (test_fail_once),
  };

  if (sodium_init () < 0)
    return 1;
  return cmocka_run_group_tests (tests, NULL, NULL);
}
