/* SPDX-License-Identifier: MIT */
/* What a transport that is a folder must do: blobs that are whole, stay, and
 * are never written over. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "asserting.h"
#include "kit.h"
#include "values.h"

#define BIG ((size_t) 5 << 20)
#define WRITERS 4
#define RACES 25

struct folder {
  const struct kit_subject *subject;
  const struct tally_transport *ops;
  struct tally_host host;
  char value[4096];
  void *handle;
  struct tally_error err;

  char *data; /* of the blob that was read last */
  size_t size;
  unsigned blobs;
  unsigned names;
  unsigned stop_after; /* 0: never */
  char list[4096];     /* " NAME NAME " */
};

static int
folder_open (struct folder *f, void **handle, unsigned flags)
{
  struct tally_value values[KIT_VALUES];

  kit_values (values, f->subject, f->value);
  *handle = NULL;
  return f->ops->open (handle, &f->host, values, flags, &f->err);
}

static void
folder_close (struct folder *f)
{
  if (f->handle)
    f->ops->close (f->handle);
  f->handle = NULL;
}

static int
folder_setup (void **state)
{
  const struct kit_subject *subject = *state;
  struct folder *f = calloc (1, sizeof *f);

  if (!f)
    return -1;
  f->subject = subject;
  f->ops = subject->driver->transport;
  kit_host (&f->host);
  if (subject->fresh (f->value, sizeof f->value)
      || folder_open (f, &f->handle, TALLY_OPEN_CREATE) != TALLY_OK) {
    kit_note ("open: %s", f->err.text);
    free (f);
    return -1;
  }
  *state = f;
  return 0;
}

static int
folder_teardown (void **state)
{
  struct folder *f = *state;

  folder_close (f);
  free (f->data);
  free (f);
  return 0;
}

/* ---- calls -------------------------------------------------------------- */

static int
keep_blob (void *ctx, const void *data, size_t size)
{
  struct folder *f = ctx;

  f->blobs++;
  free (f->data);
  f->data = malloc (size + 1);
  assert_non_null (f->data);
  if (size > 0)
    memcpy (f->data, data, size);
  f->data[size] = '\0';
  f->size = size;
  return 0;
}

static int
keep_name (void *ctx, const char *name)
{
  struct folder *f = ctx;
  size_t used = strlen (f->list);

  snprintf (f->list + used, sizeof f->list - used, "%s ", name);
  f->names++;
  return f->names == f->stop_after;
}

static int
create (struct folder *f, const char *name, const char *text)
{
  return f->ops->create (f->handle, name, text, strlen (text), &f->err);
}

static void
create_well (struct folder *f, const char *name, const char *text)
{
  int status = create (f, name, text);

  if (status != TALLY_OK)
    kit_note ("create: %s", f->err.text);
  assert_int_equal (status, TALLY_OK);
}

static int
read_blob (struct folder *f, void *handle, const char *name)
{
  f->blobs = 0;
  return f->ops->read (handle, name, keep_blob, f, &f->err);
}

static void
assert_blob (struct folder *f, void *handle, const char *name,
             const char *data, size_t size)
{
  int status = read_blob (f, handle, name);

  if (status != TALLY_OK)
    kit_note ("read: %s", f->err.text);
  assert_int_equal (status, TALLY_OK);
  assert_int_equal (f->blobs, 1);
  assert_int_equal (f->size, size);
  if (size > 0)
    assert_memory_equal (f->data, data, size);
}

static void
list (struct folder *f, const char *prefix, unsigned stop_after)
{
  strcpy (f->list, " ");
  f->names = 0;
  f->stop_after = stop_after;
  assert_int_equal (f->ops->list (f->handle, prefix, keep_name, f, &f->err),
                    TALLY_OK);
}

/* ---- checks ------------------------------------------------------------- */

static void
open_missing (void **state)
{
  static const unsigned flags[] = { 0, TALLY_OPEN_READONLY,
                                    TALLY_OPEN_READONLY | TALLY_OPEN_CREATE };
  struct folder *f = *state;
  void *handle;

  if (!f->subject->persistent)
    skip ();
  folder_close (f);
  assert_int_equal (f->subject->fresh (f->value, sizeof f->value), 0);
  for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
    memset (&f->err, 0, sizeof f->err);
    assert_int_equal (folder_open (f, &handle, flags[i]), TALLY_NOTFOUND);
    assert_int_equal (f->err.status, TALLY_NOTFOUND);
    assert_non_null (strchr (f->err.text, ':'));
  }
}

static void
blob_any_bytes (void **state)
{
  struct folder *f = *state;
  char bytes[512];

  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (char) (255 - i % 256);
  assert_int_equal (
      f->ops->create (f->handle, "bytes", bytes, sizeof bytes, &f->err),
      TALLY_OK);
  create_well (f, "empty", "");
  assert_blob (f, f->handle, "bytes", bytes, sizeof bytes);
  assert_blob (f, f->handle, "empty", "", 0);
}

static void
blob_big (void **state)
{
  struct folder *f = *state;
  char *bytes = malloc (BIG);
  int status;

  assert_non_null (bytes);
  for (size_t i = 0; i < BIG; i++)
    bytes[i] = (char) ((i * 2654435761u) >> 13);
  status = f->ops->create (f->handle, "big", bytes, BIG, &f->err);
  assert_int_equal (status, TALLY_OK);
  assert_blob (f, f->handle, "big", bytes, BIG);
  free (bytes);
}

static void
create_persists (void **state)
{
  struct folder *f = *state;

  if (!f->subject->persistent)
    skip ();
  create_well (f, "a", "one");
  folder_close (f);
  assert_int_equal (folder_open (f, &f->handle, 0), TALLY_OK);
  assert_blob (f, f->handle, "a", "one", 3);
  folder_close (f);
  assert_int_equal (folder_open (f, &f->handle, TALLY_OPEN_READONLY),
                    TALLY_OK);
  assert_blob (f, f->handle, "a", "one", 3);
}

static void
create_never_over (void **state)
{
  struct folder *f = *state;

  create_well (f, "a", "first");
  memset (&f->err, 0, sizeof f->err);
  assert_int_equal (create (f, "a", "second"), TALLY_CONFLICT);
  assert_int_equal (f->err.status, TALLY_CONFLICT);
  assert_int_not_equal (f->err.text[0], '\0');
  assert_blob (f, f->handle, "a", "first", 5);
}

static void
create_seen_at_once (void **state)
{
  struct folder *f = *state;
  void *other;

  assert_int_equal (folder_open (f, &other, 0), TALLY_OK);
  create_well (f, "a", "one");
  assert_blob (f, other, "a", "one", 3);
  assert_int_equal (f->ops->create (other, "a", "x", 1, &f->err),
                    TALLY_CONFLICT);
  f->ops->close (other);
}

struct racer {
  struct folder *folder;
  void *handle;
  char text[16];
  unsigned round;
  int status;
};

static void *
race (void *ctx)
{
  struct racer *racer = ctx;
  struct tally_error err;
  char name[16];

  snprintf (name, sizeof name, "r%u", racer->round);
  racer->status = racer->folder->ops->create (racer->handle, name, racer->text,
                                              strlen (racer->text), &err);
  return NULL;
}

/* Handles, not threads, are what races: each has its own, as processes do. */
static void
create_once (void **state)
{
  struct folder *f = *state;
  struct racer racers[WRITERS];
  pthread_t threads[WRITERS];

  if (f->ops->threads == TALLY_THREADS_ONE)
    skip ();
  for (size_t i = 0; i < WRITERS; i++) {
    racers[i].folder = f;
    snprintf (racers[i].text, sizeof racers[i].text, "writer %zu", i);
    assert_int_equal (folder_open (f, &racers[i].handle, 0), TALLY_OK);
  }
  for (unsigned round = 0; round < RACES; round++) {
    unsigned won = 0, lost = 0;
    char name[16];

    for (size_t i = 0; i < WRITERS; i++) {
      racers[i].round = round;
      assert_int_equal (pthread_create (&threads[i], NULL, race, &racers[i]),
                        0);
    }
    for (size_t i = 0; i < WRITERS; i++)
      pthread_join (threads[i], NULL);
    snprintf (name, sizeof name, "r%u", round);
    for (size_t i = 0; i < WRITERS; i++) {
      won += racers[i].status == TALLY_OK;
      lost += racers[i].status == TALLY_CONFLICT;
      if (racers[i].status == TALLY_OK)
        assert_blob (f, f->handle, name, racers[i].text,
                     strlen (racers[i].text));
    }
    assert_int_equal (won, 1);
    assert_int_equal (lost, WRITERS - 1);
  }
  for (size_t i = 0; i < WRITERS; i++)
    f->ops->close (racers[i].handle);
}

static void
read_missing (void **state)
{
  struct folder *f = *state;

  create_well (f, "ab", "1");
  memset (&f->err, 0, sizeof f->err);
  assert_int_equal (read_blob (f, f->handle, "a"), TALLY_NOTFOUND);
  assert_int_equal (f->err.status, TALLY_NOTFOUND);
  assert_int_equal (f->blobs, 0);
}

static void
names_long (void **state)
{
  struct folder *f = *state;
  char name[251];

  memset (name, 'n', sizeof name - 1);
  name[250] = '\0';
  create_well (f, name, "long");
  name[249] = '\0';
  assert_int_equal (read_blob (f, f->handle, name), TALLY_NOTFOUND);
  name[249] = 'n';
  assert_blob (f, f->handle, name, "long", 4);
  create_well (f, "-A.b_9", "odd");
  assert_blob (f, f->handle, "-A.b_9", "odd", 3);
}

static void
list_prefix (void **state)
{
  struct folder *f = *state;

  list (f, "", 0);
  assert_int_equal (f->names, 0);
  create_well (f, "ab-1", "1");
  create_well (f, "ab-2", "2");
  create_well (f, "a", "3");
  create_well (f, "Ab-3", "4");
  list (f, "ab", 0);
  assert_int_equal (f->names, 2);
  assert_non_null (strstr (f->list, " ab-1 "));
  assert_non_null (strstr (f->list, " ab-2 "));
  list (f, "", 0);
  assert_int_equal (f->names, 4);
  list (f, "abc", 0);
  assert_int_equal (f->names, 0);
}

static void
list_stops (void **state)
{
  struct folder *f = *state;

  create_well (f, "a", "1");
  create_well (f, "b", "2");
  create_well (f, "c", "3");
  list (f, "", 2);
  assert_int_equal (f->names, 2);
  create_well (f, "d", "4");
}

static void
remove_twice (void **state)
{
  struct folder *f = *state;

  create_well (f, "a", "1");
  create_well (f, "ab", "2");
  assert_int_equal (f->ops->remove (f->handle, "a", &f->err), TALLY_OK);
  assert_int_equal (read_blob (f, f->handle, "a"), TALLY_NOTFOUND);
  list (f, "", 0);
  assert_string_equal (f->list, " ab ");
  assert_int_equal (f->ops->remove (f->handle, "a", &f->err), TALLY_OK);
  create_well (f, "a", "again");
  assert_blob (f, f->handle, "a", "again", 5);
}

static void
folders_apart (void **state)
{
  struct folder *f = *state;
  struct folder other = *f;

  assert_int_equal (f->subject->fresh (other.value, sizeof other.value), 0);
  assert_int_equal (folder_open (&other, &other.handle, TALLY_OPEN_CREATE),
                    TALLY_OK);
  create_well (f, "a", "mine");
  assert_int_equal (read_blob (f, other.handle, "a"), TALLY_NOTFOUND);
  assert_int_equal (other.ops->create (other.handle, "a", "x", 1, &f->err),
                    TALLY_OK);
  other.ops->close (other.handle);
  assert_blob (f, f->handle, "a", "mine", 4);
}

static const struct kit_check folder_checks[] = {
  KIT_CHECK (open_missing, "open",
             "a folder that is not there is TALLY_NOTFOUND without CREATE"),
  KIT_CHECK (folders_apart, "open",
             "two handles on different folders never meet"),
  KIT_CHECK (blob_any_bytes, "create", "a blob is any bytes, or none"),
  KIT_CHECK (blob_big, "create", "a blob may be large"),
  KIT_CHECK (create_persists, "create",
             "a blob is there after close and open"),
  KIT_CHECK (create_never_over, "create",
             "a name that is taken is TALLY_CONFLICT, and its blob stays"),
  KIT_CHECK (create_seen_at_once, "create",
             "other handles see a blob as soon as it was made"),
  KIT_CHECK (create_once, "create",
             "of those who make one name at once, one does"),
  KIT_CHECK (read_missing, "read",
             "a blob that is not there is "
             "TALLY_NOTFOUND and emits nothing"),
  KIT_CHECK (names_long, "read",
             "names have up to 250 bytes, all of which count"),
  KIT_CHECK (list_prefix, "list", "the blobs with the prefix, and no others"),
  KIT_CHECK (list_stops, "list",
             "an emit that says stop ends it, with TALLY_OK"),
  KIT_CHECK (remove_twice, "remove",
             "the blob is gone, and removing it again is TALLY_OK"),
  { 0 },
};

static const struct kit_check *const folder_tables[] = { folder_checks, NULL };

const struct kit_suite kit_folder = { folder_tables, folder_setup,
                                      folder_teardown };
