/* SPDX-License-Identifier: MIT */
/* Whole runs over a folder that is full, or damages what lies in it: what is
 * reported, and what heals. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync-shim.h"

#define BLOBS 64

/* ---- the folder --------------------------------------------------------- */

struct blob {
  char name[256];
  char *data; /* NULL: there is none */
  size_t size;
};

/* What lies in the one folder, and whether more fits. */
static struct {
  struct blob blobs[BLOBS];
  bool full;
} flat;

static struct blob *
find_blob (const char *name)
{
  for (size_t i = 0; i < BLOBS; i++)
    if (flat.blobs[i].data && strcmp (flat.blobs[i].name, name) == 0)
      return &flat.blobs[i];
  return NULL;
}

static int
flat_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  (void) host;
  (void) values;
  (void) flags;
  (void) err;
  *handle = &flat;
  return TALLY_OK;
}

static void
flat_close (void *handle)
{
  (void) handle;
}

static int
flat_list (void *handle, const char *prefix, tally_emit_name *emit, void *ctx,
           struct tally_error *err)
{
  (void) handle;
  (void) err;
  for (size_t i = 0; i < BLOBS; i++)
    if (flat.blobs[i].data
        && strncmp (flat.blobs[i].name, prefix, strlen (prefix)) == 0
        && emit (ctx, flat.blobs[i].name))
      break;
  return TALLY_OK;
}

static int
fails (struct tally_error *err, int status, const char *text)
{
  err->status = status;
  snprintf (err->text, sizeof err->text, "flat: %s", text);
  return status;
}

static int
flat_read (void *handle, const char *name, tally_emit_bytes *emit, void *ctx,
           struct tally_error *err)
{
  const struct blob *blob = find_blob (name);

  (void) handle;
  if (!blob)
    return fails (err, TALLY_NOTFOUND, "no such blob");
  emit (ctx, blob->data, blob->size);
  return TALLY_OK;
}

static int
flat_create (void *handle, const char *name, const void *data, size_t size,
             struct tally_error *err)
{
  struct blob *blob = flat.blobs;

  (void) handle;
  if (find_blob (name))
    return fails (err, TALLY_CONFLICT, "is taken");
  if (flat.full)
    return fails (err, TALLY_FAILED, "disk is full");
  while (blob->data)
    assert_true (++blob < flat.blobs + BLOBS);
  snprintf (blob->name, sizeof blob->name, "%s", name);
  blob->data = malloc (size + 1);
  assert_non_null (blob->data);
  memcpy (blob->data, data, size);
  blob->size = size;
  return TALLY_OK;
}

static int
flat_remove (void *handle, const char *name, struct tally_error *err)
{
  struct blob *blob = find_blob (name);

  (void) handle;
  (void) err;
  if (blob) {
    free (blob->data);
    memset (blob, 0, sizeof *blob);
  }
  return TALLY_OK;
}

static const struct tally_transport flat_transport = {
  TALLY_TRANSPORT_INIT,  .threads = TALLY_THREADS_ONE,
  .open = flat_open,     .close = flat_close,
  .list = flat_list,     .read = flat_read,
  .create = flat_create, .remove = flat_remove,
};

static const struct tally_driver flat_driver = {
  TALLY_DRIVER_INIT,
  .name = "flat",
  .summary = "a folder in memory",
  .transport = &flat_transport,
};

/* ---- the stores --------------------------------------------------------- */

struct rig {
  struct tally *tally;
  struct tally_replica *a, *b;
};

static int
set_up (void **state)
{
  struct rig *rig = calloc (1, sizeof *rig);

  assert_non_null (rig);
  rig->tally = kit_context (NULL, "[store a]\ndriver = held\nname = a\n"
                                  "[store b]\ndriver = held\nname = b\n"
                                  "[transport stick]\ndriver = flat\n"
                                  "[sync la]\nstore = a\ntransport = stick\n"
                                  "[sync lb]\nstore = b\ntransport = stick\n");
  shim_register (rig->tally);
  assert_int_equal (tally_registry_add (rig->tally, &flat_driver, NULL),
                    TALLY_OK);
  rig->a = kit_store (rig->tally, "a");
  rig->b = kit_store (rig->tally, "b");
  *state = rig;
  return 0;
}

static int
tear_down (void **state)
{
  struct rig *rig = *state;

  tally_replica_close (rig->a);
  tally_replica_close (rig->b);
  tally_free (rig->tally);
  free (rig);
  for (size_t i = 0; i < BLOBS; i++)
    free (flat.blobs[i].data);
  memset (&flat, 0, sizeof flat);
  shim_reset ();
  return 0;
}

/* ---- full --------------------------------------------------------------- */

static void
test_what_is_not_published_does_not_count (void **state)
{
  struct rig *rig = *state;
  struct kit_run run;

  kit_put (rig->a, "notes", "{\"_id\":\"1\"}");
  kit_sync (&run, rig->tally, "la");
  kit_put (rig->a, "notes", "{\"_id\":\"2\"}");
  kit_remove (rig->a, "notes", "1");
  flat.full = true;
  kit_try_sync (&run, rig->tally, "la", TALLY_BOTH);
  assert_int_equal (run.status, TALLY_FAILED);
  assert_non_null (strstr (run.err.text, "disk is full"));
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pushed = 0));
  flat.full = false;
  kit_sync (&run, rig->tally, "la");
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pushed = 2, .deleted = 1));
  kit_sync (&run, rig->tally, "lb");
  kit_same (rig->a, rig->b);
}

/* ---- damaged ------------------------------------------------------------ */

/* All of a's segments are cut short. */
static void
cut_segments (void)
{
  for (size_t i = 0; i < BLOBS; i++)
    if (flat.blobs[i].data && strstr (flat.blobs[i].name, ".notes."))
      flat.blobs[i].size /= 2;
}

static void
test_a_damaged_segment_is_written_again (void **state)
{
  struct rig *rig = *state;
  struct kit_run run;

  kit_put (rig->a, "notes", "{\"_id\":\"1\"}");
  kit_put (rig->a, "notes", "{\"_id\":\"2\"}");
  kit_sync (&run, rig->tally, "la");
  cut_segments ();
  kit_try_sync (&run, rig->tally, "lb", TALLY_BOTH);
  assert_int_equal (run.status, TALLY_AGAIN);
  kit_sync (&run, rig->tally, "la");
  kit_expect_figures (&run, "notes", KIT_FIGURES (.pushed = 2));
  kit_sync (&run, rig->tally, "lb");
  kit_same (rig->a, rig->b);
  kit_sync (&run, rig->tally, "la");
  kit_expect_nothing (&run, 0);
  kit_sync (&run, rig->tally, "lb");
  kit_expect_nothing (&run, 0);
}

static void
test_a_damaged_marker_says_what_to_do (void **state)
{
  struct rig *rig = *state;
  struct kit_run run;
  struct blob *marker;

  kit_put (rig->a, "notes", "{\"_id\":\"1\"}");
  kit_sync (&run, rig->tally, "la");
  marker = find_blob ("folder.tally-id");
  assert_non_null (marker);
  marker->size /= 2;
  kit_try_sync (&run, rig->tally, "lb", TALLY_BOTH);
  assert_int_equal (run.status, TALLY_AGAIN);
  assert_non_null (strstr (run.err.text, "if it stays so remove it"));
  assert_int_equal (
      flat_remove (NULL, "folder.tally-id", &(struct tally_error){ 0 }),
      TALLY_OK);
  kit_sync (&run, rig->tally, "lb");
  kit_same (rig->a, rig->b);
  kit_sync (&run, rig->tally, "la");
  kit_expect_nothing (&run, 0);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
  static const struct CMUnitTest tests[] = {
    TEST (test_what_is_not_published_does_not_count),
    TEST (test_a_damaged_segment_is_written_again),
    TEST (test_a_damaged_marker_says_what_to_do),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
