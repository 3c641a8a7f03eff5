/* SPDX-License-Identifier: MIT */
/* Waiting for a change.  How long it takes to see one is the driver's; the
 * timeouts here are only there for those who never do. */

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store-kit-impl.h"

#define LONG_MS 30000

static uint64_t
wait_for (struct kit *k, uint64_t since, unsigned timeout_ms)
{
  uint64_t head = UINT64_MAX;

  assert_int_equal (
      k->ops->wait (k->handle, since, timeout_ms, &head, &k->err), TALLY_OK);
  return head;
}

static void
wait_only_looks (void **state)
{
  struct kit *k = *state;
  uint64_t first, second;

  if (!k->ops->wait)
    skip ();
  assert_int_equal (wait_for (k, 0, 0), 0);
  first = put_one (k, "a", "x", 1);
  assert_true (wait_for (k, 0, 0) >= first);
  assert_true (wait_for (k, first, 0) <= first);
  second = put_one (k, "b", "x", 1);
  assert_true (wait_for (k, first, 0) >= second);
  assert_true (wait_for (k, first, LONG_MS) >= second);
  assert_true (wait_for (k, second, 0) <= second);
  assert_true (wait_for (k, second, 20) <= second);
  assert_true (wait_for (k, UINT64_MAX, 20) <= second);
}

struct waiting {
  struct kit *k;
  uint64_t since;
  uint64_t head;
  int status;
};

static void *
wait_thread (void *ctx)
{
  struct waiting *waiting = ctx;
  struct tally_error err;

  while (waiting->head <= waiting->since && waiting->status == TALLY_OK)
    waiting->status = waiting->k->ops->wait (
        waiting->k->handle, waiting->since, LONG_MS, &waiting->head, &err);
  return NULL;
}

/* Beside a put on the same handle, and twice at once. */
static void
wait_sees_a_put (void **state)
{
  struct kit *k = *state;
  struct waiting waiting[2] = { { .k = k }, { .k = k } };
  pthread_t threads[2];
  uint64_t last;

  if (!k->ops->wait)
    skip ();
  waiting[0].since = waiting[1].since = put_one (k, "a", "x", 1);
  for (size_t i = 0; i < 2; i++)
    assert_int_equal (
        pthread_create (&threads[i], NULL, wait_thread, &waiting[i]), 0);
  last = put_one (k, "a", "y", 2);
  for (size_t i = 0; i < 2; i++) {
    pthread_join (threads[i], NULL);
    assert_int_equal (waiting[i].status, TALLY_OK);
    assert_true (waiting[i].head >= last);
  }
}

/* Nothing was put, so nothing woke. */
static void
wait_sees_no_refusal (void **state)
{
  struct kit *k = *state;
  unsigned char rev[TALLY_REV_SIZE];
  struct tally_entry entry;
  struct tally_outcome outcome;
  uint64_t seq;

  if (!k->ops->wait)
    skip ();
  seq = put_one (k, "a", "x", 1);
  make_rev (rev, 7);
  entry = make_entry ("a", "x", rev, 2, "{}");
  put_entries (k, &entry, 1, 0, &outcome);
  assert_true (wait_for (k, seq, 20) <= seq);
}

static int
always_cancelled (void *ctx)
{
  (void) ctx;
  return 1;
}

static void
wait_is_cancelled (void **state)
{
  struct kit *k = *state;
  uint64_t head, seq;

  if (!k->ops->wait)
    skip ();
  seq = put_one (k, "a", "x", 1);
  k->host.cancelled = always_cancelled;
  assert_int_equal (k->ops->wait (k->handle, seq, LONG_MS, &head, &k->err),
                    TALLY_CANCELLED);
  assert_int_equal (k->err.status, TALLY_CANCELLED);
}

const struct kit_check kit_wait_tests[] = {
  KIT_CHECK (wait_only_looks, "wait",
             "the head is above `since` if, and only if, there is such a seq"),
  KIT_CHECK (wait_sees_a_put, "wait",
             "a put on the same handle ends it, for all who wait"),
  KIT_CHECK (wait_sees_no_refusal, "wait",
             "an entry that was refused is no change"),
  KIT_CHECK (wait_is_cancelled, "wait",
             "it is TALLY_CANCELLED when the host says so"),
  { 0 },
};
