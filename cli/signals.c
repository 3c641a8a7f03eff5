/* SPDX-License-Identifier: MIT */
/* SIGINT, SIGTERM and SIGHUP cancel the call under way; a second one kills,
 * as it would have without us.  A handler has no argument of ours, so this
 * file has the program's only changing statics. */

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/select.h>

#include <tally/tally.h>

#include "signals.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

#define COUNT (sizeof signals / sizeof signals[0])

static struct tally *volatile target;
static volatile sig_atomic_t caught;

static void
set_all (void (*handler) (int))
{
  struct sigaction action, old;
  size_t i;

  memset (&action, 0, sizeof action);
  action.sa_handler = handler;
  sigemptyset (&action.sa_mask);
  for (i = 0; i < COUNT; i++)
    sigaddset (&action.sa_mask, signals[i]);
  for (i = 0; i < COUNT; i++) {
    /* nohup(1) means it. */
    if (signals[i] == SIGHUP && sigaction (SIGHUP, NULL, &old) == 0
        && old.sa_handler == SIG_IGN)
      continue;
    sigaction (signals[i], &action, NULL);
  }
}

static void
on_signal (int number)
{
  if (!caught)
    caught = number;
  set_all (SIG_DFL);
  tally_cancel (target);
}

void
signals_begin (struct tally *tally)
{
  target = tally;
  set_all (on_signal);
}

void
signals_end (void)
{
  set_all (SIG_DFL);
  target = NULL;
}

int
signals_caught (void)
{
  return caught;
}

/* A signal between a look at `caught` and a read that blocks would be slept
 * over: they are let in by pselect only. */
int
signals_await (int fd)
{
  sigset_t blocked, before;
  fd_set readable;
  size_t i;

  sigemptyset (&blocked);
  for (i = 0; i < COUNT; i++)
    sigaddset (&blocked, signals[i]);
  sigprocmask (SIG_BLOCK, &blocked, &before);
  FD_ZERO (&readable);
  FD_SET (fd, &readable);
  if (!caught)
    pselect (fd + 1, &readable, NULL, NULL, NULL, &before);
  sigprocmask (SIG_SETMASK, &before, NULL);
  return caught;
}
