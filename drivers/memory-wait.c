/* SPDX-License-Identifier: MIT */
/* The head of the memory store once more, for those who wait: they stand
 * outside the host's lock. */

#include <time.h>

#include "memory-wait.h"

#define TICK_MS 100 /* how late a cancel may be seen */

int
memory_wait_init (struct memory_wait *wait)
{
  pthread_condattr_t attr;
  int failed = pthread_condattr_init (&attr);

  if (failed)
    return failed;
  failed = pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  if (!failed)
    failed = pthread_cond_init (&wait->moved, &attr);
  pthread_condattr_destroy (&attr);
  if (failed)
    return failed;
  failed = pthread_mutex_init (&wait->lock, NULL);
  if (failed)
    pthread_cond_destroy (&wait->moved);
  return failed;
}

void
memory_wait_free (struct memory_wait *wait)
{
  pthread_mutex_destroy (&wait->lock);
  pthread_cond_destroy (&wait->moved);
}

void
memory_wait_tell (struct memory_wait *wait, uint64_t head)
{
  pthread_mutex_lock (&wait->lock);
  wait->told = head;
  pthread_cond_broadcast (&wait->moved);
  pthread_mutex_unlock (&wait->lock);
}

/* A tick at a time. */
bool
memory_wait_for (struct memory_wait *wait, const struct tally_host *host,
                 uint64_t since, unsigned timeout_ms, uint64_t *head)
{
  bool cancelled = false;

  pthread_mutex_lock (&wait->lock);
  while (wait->told <= since && timeout_ms > 0 && !cancelled) {
    unsigned tick = timeout_ms < TICK_MS ? timeout_ms : TICK_MS;
    struct timespec until;

    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long) tick * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait (&wait->moved, &wait->lock, &until);
    timeout_ms -= tick;
    cancelled = host && host->cancelled (host->ctx);
  }
  *head = wait->told;
  pthread_mutex_unlock (&wait->lock);
  return !cancelled;
}
