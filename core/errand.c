/* SPDX-License-Identifier: MIT */
/* A thread for each: they come a few times a second, and last longer than it
 * takes to make one. */

#include <config.h>

#include <string.h>

#include "errand.h"

static void *
errand_thread (void *ctx)
{
  struct errand *errand = ctx;

  errand->status = errand->run (errand->ctx, &errand->err);
  return NULL;
}

void
errand_start (struct errand *errand, bool threaded, errand_fn *run, void *ctx)
{
  memset (errand, 0, sizeof *errand);
  errand->run = run;
  errand->ctx = ctx;
  errand->threaded =
      threaded
      && pthread_create (&errand->thread, NULL, errand_thread, errand) == 0;
  if (!errand->threaded)
    errand_thread (errand);
}

int
errand_wait (struct errand *errand, struct tally_error *err)
{
  int status;

  if (!errand->run)
    return TALLY_OK;
  if (errand->threaded)
    pthread_join (errand->thread, NULL);
  status = errand->status;
  if (status != TALLY_OK && err)
    *err = errand->err;
  errand->run = NULL;
  return status;
}
