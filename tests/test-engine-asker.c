/* SPDX-License-Identifier: MIT */
/* Who asks may lie, too: about what it has, where it stands and what it wants.
 * Each question has one answer, or one clear error, of bounded size and after
 * few looks at the rows; and nothing has changed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../core/rows.h"
#include "../core/wire.h"
#include "rng.h"
#include "twins.h"

#define DOCUMENTS 3000
#define QUESTIONS 400
#define NOISE ((size_t) ROWS_PLACE_SIZE * WIRE_HEADERS_MAX)

/* A scan for the sum, one for its parts and one for what is told; what is
 * fetched by places is read a range for each millisecond. */
#define ROWS_MOST (3 * DOCUMENTS)

static struct twins twins;
static struct rng rng;
static unsigned char noise[NOISE];

static int
set_up (void **state)
{
  struct twins_run run;

  (void) state;
  rng = rng_start ("asker");
  twins_start (&twins, 1);
  twins_write (&twins, twins.far, 0, DOCUMENTS, 0);
  twins_sync (&twins, NULL, &run);
  for (size_t i = 0; i < NOISE; i++)
    noise[i] = (unsigned char) rng_next (&rng);
  return 0;
}

static int
tear_down (void **state)
{
  (void) state;
  twins_free (&twins);
  return 0;
}

/* ---- one question ------------------------------------------------------- */

static void
check_answer (const struct wire_message *reply)
{
  const struct wire_compared *compared = &reply->as.compared;

  switch (reply->type) {
  case WIRE_COMPARED:
    assert_true (compared->data.size
                 <= (size_t) SKETCH_CELLS_MAX * SKETCH_CELL_SIZE);
    assert_true (compared->n_splits <= ROWS_SPLITS_MAX);
    assert_true (compared->count <= DOCUMENTS);
    break;
  case WIRE_FETCHED:
    assert_true (reply->as.fetched.n <= DOCUMENTS);
    break;
  default:
    assert_int_equal (reply->type, WIRE_FAILURE);
    assert_true (reply->as.failure.text.size > 0);
  }
}

static void
ask (const struct wire_message *message)
{
  struct buf frame = BUF_INIT, answer = BUF_INIT;
  struct wire_message reply = { 0 };
  struct tally_error err = { 0 };
  struct tally_slice rest;
  unsigned char sender[REPLICA_ID_SIZE];

  wire_start (&frame, twins.near->id);
  wire_encode (&frame, message);
  wire_seal (&frame);
  assert_false (frame.failed);
  twins_rows ();
  assert_int_equal (answer_frame (&twins.answer, ACCOUNT_DEFAULT,
                                  buf_slice (&frame), &answer, &err),
                    TALLY_OK);
  assert_true (twins_rows () <= ROWS_MOST);
  assert_int_equal (wire_open (&rest, sender, buf_slice (&answer), &err),
                    TALLY_OK);
  assert_int_equal (wire_unseal (&rest, buf_slice (&answer), &err), TALLY_OK);
  assert_int_equal (wire_decode (&reply, &rest, &err), TALLY_OK);
  check_answer (&reply);
  assert_int_equal (rest.size, 0);
  wire_message_free (&reply);
  buf_free (&frame);
  buf_free (&answer);
}

/* ---- lies --------------------------------------------------------------- */

static struct tally_slice
some_noise (size_t size)
{
  return slice_make (noise + rng_below (&rng, (uint32_t) (NOISE - size)),
                     size);
}

static uint64_t
any_number (void)
{
  switch (rng_below (&rng, 5)) {
  case 0:
    return 0;
  case 1:
    return UINT64_MAX;
  case 2:
    return rng_next (&rng);
  default:
    return rng_below (&rng, 2 * DOCUMENTS);
  }
}

static struct tally_slice
any_end (void)
{
  return rng_one_in (&rng, 2)
             ? slice_make (NULL, 0)
             : some_noise (TALLY_STAMP_SIZE + rng_below (&rng, 20));
}

/* An estimate of nothing, of anything, and of more than there can be. */
static struct tally_slice
any_counters (void)
{
  static const unsigned char nothing[SKETCH_PACKED_SIZE];

  return rng_one_in (&rng, 3) ? slice_make (nothing, sizeof nothing)
                              : some_noise (SKETCH_PACKED_SIZE);
}

static void
lie_about_rows (struct wire_message *message)
{
  struct wire_compare *compare = &message->as.compare;

  message->type = WIRE_COMPARE;
  compare->collection = slice_text (
      rng_one_in (&rng, 9) ? "nothing of that name" : TWINS_COLLECTION);
  compare->flags = rng_below (&rng, 8);
  compare->nonce = some_noise (SKETCH_NONCE_SIZE);
  compare->from = any_end ();
  compare->to = any_end ();
  compare->count = any_number ();
  compare->root = some_noise (ROWS_ROOT_SIZE);
  compare->counters = any_counters ();
  if (rng_one_in (&rng, 2))
    compare->first = rng_below (&rng, SKETCH_CELLS_MAX + 1);
  compare->cells =
      rng_below (&rng, (uint32_t) (SKETCH_CELLS_MAX - compare->first) + 1);
  compare->seq = any_number ();
  if (rng_one_in (&rng, 3))
    compare->token = some_noise (WIRE_TOKEN_SIZE);
}

static void
lie_about_wants (struct wire_message *message)
{
  struct wire_fetch *fetch = &message->as.fetch;

  message->type = WIRE_FETCH;
  fetch->collection = slice_text (TWINS_COLLECTION);
  fetch->flags = rng_below (&rng, 4);
  fetch->nonce = some_noise (SKETCH_NONCE_SIZE);
  fetch->from = any_end ();
  fetch->to = any_end ();
  if (!(fetch->flags & WIRE_FETCH_RANGE))
    fetch->places = some_noise (rng_below (&rng, 300) * ROWS_PLACE_SIZE);
}

static void
test_lies_of_who_asks (void **state)
{
  struct twins_run run;

  (void) state;
  for (unsigned i = 0; i < rng_tries (QUESTIONS); i++) {
    struct wire_message message;

    memset (&message, 0, sizeof message);
    if (rng_one_in (&rng, 3))
      lie_about_wants (&message);
    else
      lie_about_rows (&message);
    ask (&message);
  }
  twins_same (&twins);
  twins_sync (&twins, NULL, &run);
  assert_int_equal (run.round_trips, 1);
  assert_int_equal (run.pulled + run.pushed + run.merged, 0);
}

/* All places that one question may ask for, in milliseconds of their own. */
static void
test_as_many_places_as_fit (void **state)
{
  struct wire_message message = { .type = WIRE_FETCH };

  (void) state;
  message.as.fetch.collection = slice_text (TWINS_COLLECTION);
  message.as.fetch.nonce = some_noise (SKETCH_NONCE_SIZE);
  message.as.fetch.places = slice_make (noise, NOISE);
  ask (&message);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_lies_of_who_asks),
    cmocka_unit_test (test_as_many_places_as_fit),
  };

  return cmocka_run_group_tests (tests, set_up, tear_down);
}
