/* SPDX-License-Identifier: MIT */
/* Waiting for the next put of the memory store, outside the host's lock. */

#ifndef TALLY_MEMORY_WAIT_H
#define TALLY_MEMORY_WAIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <tally/driver.h>

struct memory_wait {
  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t moved;
  uint64_t told; /* the head after the last put */
};

/* 0, or an error of pthread.h. */
int memory_wait_init (struct memory_wait *wait);
void memory_wait_free (struct memory_wait *wait);

void memory_wait_tell (struct memory_wait *wait, uint64_t head);

/* As the slot says; false: cancelled.  host may be NULL. */
bool memory_wait_for (struct memory_wait *wait, const struct tally_host *host,
                      uint64_t since, unsigned timeout_ms, uint64_t *head);

#endif /* TALLY_MEMORY_WAIT_H */
