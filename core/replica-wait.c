/* SPDX-License-Identifier: MIT */
/* Waiting for a store to change.  A driver with the slot does it itself; for
 * others the head is looked at now and then, less and less often while
 * nothing happens, and at once after a put of this process. */

#include <config.h>

#include <errno.h>
#include <time.h>

#include "error.h"
#include "namelist.h"
#include "replica.h"

#define PAUSE_MS 50
#define PAUSE_MAX_MS 2000
#define TICK_MS 100 /* how late a cancel may be seen */

/* ---- puts of this process ----------------------------------------------- */

void
replica_init_wait (struct replica *replica)
{
  pthread_condattr_t attr;

  pthread_mutex_init (&replica->puts_lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&replica->put, &attr);
  pthread_condattr_destroy (&attr);
}

void
replica_free_wait (struct replica *replica)
{
  pthread_cond_destroy (&replica->put);
  pthread_mutex_destroy (&replica->puts_lock);
}

void
replica_tell_put (struct replica *replica)
{
  pthread_mutex_lock (&replica->puts_lock);
  replica->puts++;
  pthread_cond_broadcast (&replica->put);
  pthread_mutex_unlock (&replica->puts_lock);
}

static bool
cancelled (const struct replica *replica)
{
  const struct tally_host *host = replica->host;

  return host && host->cancelled && host->cancelled (host->ctx);
}

static uint64_t
now_ms (void)
{
  return (uint64_t) (monotonic_seconds () * 1000);
}

/* Until a put that `seen` does not count, or the time, or a cancel. */
static void
pause_until (struct replica *replica, uint64_t end_ms, uint64_t seen)
{
  bool told = false;

  while (!told && now_ms () < end_ms && !cancelled (replica)) {
    uint64_t left = end_ms - now_ms ();
    struct timespec until;

    clock_gettime (CLOCK_MONOTONIC, &until);
    if (left > TICK_MS)
      left = TICK_MS;
    until.tv_nsec += (long) left * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock (&replica->puts_lock);
    if (replica->puts == seen)
      pthread_cond_timedwait (&replica->put, &replica->puts_lock, &until);
    told = replica->puts != seen;
    pthread_mutex_unlock (&replica->puts_lock);
  }
}

static uint64_t
count_puts (struct replica *replica)
{
  uint64_t puts;

  pthread_mutex_lock (&replica->puts_lock);
  puts = replica->puts;
  pthread_mutex_unlock (&replica->puts_lock);
  return puts;
}

/* ---- looking ------------------------------------------------------------ */

static int
stop_at_first (void *ctx, const struct tally_doc *doc)
{
  (void) ctx;
  (void) doc;
  return 1;
}

/* A driver's head may be that of one collection: the greatest is the
 * store's. */
static int
look_at_heads (struct replica *replica, uint64_t since, uint64_t *head,
               struct tally_error *err)
{
  struct namelist names = NAMELIST_INIT;
  int status = replica_collections (replica, namelist_emit, &names, err);

  *head = 0;
  if (status == TALLY_OK && names.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < names.count && status == TALLY_OK; i++) {
    uint64_t here = 0;

    status = replica_changes (replica, names.names[i], since, stop_at_first,
                              NULL, &here, err);
    if (here > *head)
      *head = here;
  }
  namelist_free (&names);
  return status;
}

static int
look (struct replica *replica, struct replica_watch *watch, bool *moved,
      struct tally_error *err)
{
  uint64_t head = 0;
  int status = look_at_heads (replica, watch->head, &head, err);

  *moved = status == TALLY_OK && head > watch->head;
  if (*moved) {
    watch->head = head;
    watch->pause_ms = 0;
  }
  return status;
}

/* ---- waiting ------------------------------------------------------------ */

static int
poll_head (struct replica *replica, struct replica_watch *watch,
           unsigned timeout_ms, bool *moved, struct tally_error *err)
{
  uint64_t end = now_ms () + timeout_ms;
  int status;

  for (;;) {
    /* Counted first: a put after the look is not slept over. */
    uint64_t puts = count_puts (replica), now, next;

    status = look (replica, watch, moved, err);
    now = now_ms ();
    if (status != TALLY_OK || *moved || now >= end)
      return status;
    if (cancelled (replica))
      return error_set (err, TALLY_CANCELLED, "cancelled");
    watch->pause_ms = watch->pause_ms == 0             ? PAUSE_MS
                      : watch->pause_ms < PAUSE_MAX_MS ? watch->pause_ms * 2
                                                       : PAUSE_MAX_MS;
    if (watch->pause_ms > PAUSE_MAX_MS)
      watch->pause_ms = PAUSE_MAX_MS;
    next = now + watch->pause_ms;
    pause_until (replica, next < end ? next : end, puts);
  }
}

int
replica_wait (struct replica *replica, struct replica_watch *watch,
              unsigned timeout_ms, bool *moved, struct tally_error *err)
{
  uint64_t head = 0;
  int status;

  *moved = false;
  if (!replica_can_wait (replica))
    return poll_head (replica, watch, timeout_ms, moved, err);
  status = replica_wait_slot (replica, watch->head, timeout_ms, &head, err);
  *moved = status == TALLY_OK && head > watch->head;
  if (*moved)
    watch->head = head;
  return status;
}
