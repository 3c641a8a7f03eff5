/* SPDX-License-Identifier: MIT */
/* One piece of work that goes on beside its owner's, who waits for it before
 * touching anything that it was given. */

#ifndef TALLY_ERRAND_H
#define TALLY_ERRAND_H

#include <pthread.h>
#include <stdbool.h>

#include <tally/driver.h>

typedef int errand_fn (void *ctx, struct tally_error *err);

/* Zero: there is none. */
struct errand {
  errand_fn *run;
  void *ctx;
  pthread_t thread;
  bool threaded;
  int status;
  struct tally_error err;
};

/* Starts it in a thread of its own, or, when there is none to be had or
 * wanted, does it now. */
void errand_start (struct errand *errand, bool threaded, errand_fn *run,
                   void *ctx);

/* Waits, and says how it went.  There is none then. */
int errand_wait (struct errand *errand, struct tally_error *err);

static inline bool
errand_is_out (const struct errand *errand)
{
  return errand->run != NULL;
}

#endif /* TALLY_ERRAND_H */
