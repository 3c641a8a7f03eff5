/* SPDX-License-Identifier: MIT */
/* The segment log when its writer dies or fails at any call that writes: the
 * next run heals it, and readers never see a half. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include <string.h>

#include "folder-kit.h"
#include "rng.h"

#define ROUNDS 40

/* What a store holds, and up to which of its changes the folder has it. */
struct model {
  unsigned value[IDS];
  unsigned changed[IDS]; /* the round of the last change */
  unsigned round, cursor;
};

/* As the engine: everything since the cursor is put, or everything. */
static int
run (struct world *w, struct device *device, struct model *model)
{
  unsigned since = model->cursor;
  int status = kit_open (w, device, false);

  if (status != TALLY_OK)
    return status;
  assert_false (folder_is_ahead (device->folder));
  if (folder_is_behind (device->folder, "notes"))
    since = 0;
  for (unsigned i = 0; i < IDS && status == TALLY_OK; i++)
    if (model->changed[i] > since)
      status = kit_put (w, device, i, model->value[i]);
  if (status == TALLY_OK)
    status = kit_commit (w, device);
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
  struct device *a = &w->devices[0], *b = &w->devices[1], *c = &w->devices[2];
  struct model model = { .round = 0 };
  bool died = false;

  kit_fault = (struct kit_fault){ 0, at, after };
  while (model.round < ROUNDS) {
    model.round++;
    for (unsigned i = 0; i < 3; i++) {
      unsigned id = (model.round * 7 + i) % 9;

      model.value[id] = model.round;
      model.changed[id] = model.round;
    }
    if (run (w, a, &model) != TALLY_OK || kit_is_dead ()) {
      assert_true (kit_is_dead ());
      died = true;
      memset (&kit_fault, 0, sizeof kit_fault);
      /* Who reads now has no complaint: nothing is half there. */
      assert_int_equal (kit_read_all (w, b), TALLY_OK);
      assert_int_equal (run (w, a, &model), TALLY_OK);
      assert_int_equal (folder_complaint (a->folder, "notes", &w->err),
                        TALLY_OK);
    }
    if (model.round == 20)
      kit_each_file (w, "notes", kit_remove_file, NULL);
    else if (model.round % 5 == 0) {
      assert_int_equal (kit_read_all (w, b), TALLY_OK);
      assert_view (&b->view, &model);
    }
  }
  assert_int_equal (kit_read_all (w, c), TALLY_OK);
  assert_view (&c->view, &model);
  assert_true (kit_count (w, a) <= 18);
  return died;
}

static void
torture (struct world *w, bool after)
{
  long at = 1;
  bool died = true;

  for (; died; at += 1 + 99 / rng_tries (100)) {
    died = die_once (w, at, after);
    memset (&kit_fault, 0, sizeof kit_fault);
    kit_each_file (w, "", kit_remove_file, NULL);
    for (size_t i = 0; i < DEVICES; i++) {
      kit_free_device (&w->devices[i]);
      kit_make_device (w, &w->devices[i]);
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

  kit_reopen (w, a);
  for (int i = 0; i < 12; i++) {
    unsigned id = (unsigned) i;

    assert_int_equal (kit_put (w, a, id, id + 1), TALLY_OK);
    kit_fault = (struct kit_fault){ 0, 1 + i % 3, i % 6 == 1 };
    assert_int_equal (kit_commit (w, a), TALLY_FAILED);
    memset (&kit_fault, 0, sizeof kit_fault);
    assert_int_equal (kit_put (w, a, id + 12, id), TALLY_OK);
    assert_int_equal (kit_commit (w, a), TALLY_OK);
  }
  assert_int_equal (kit_read_all (w, b), TALLY_OK);
  for (unsigned i = 0; i < 12; i++) {
    assert_int_equal (b->view.value[i], i + 1);
    assert_int_equal (b->view.value[i + 12], i);
  }
  kit_reopen (w, a);
  assert_false (folder_is_ahead (a->folder));
  assert_false (folder_is_behind (a->folder, "notes"));
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    KIT_TEST (test_die_before),
    KIT_TEST (test_die_after),
    KIT_TEST (test_fail_once),
  };

  if (sodium_init () < 0)
    return 1;
  return cmocka_run_group_tests (tests, NULL, NULL);
}
