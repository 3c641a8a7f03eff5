/* SPDX-License-Identifier: MIT */
/* The child tells of its check through a pipe, whose end is also the end of a
 * child that crashed. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "driver-run.h"
#include "signals.h"

#define PATIENCE_MS 60000

/* What goes through the pipe. */
struct told {
  int outcome;
  char why[KIT_WHY];
};

static void
run_child (const struct kit_suite *suite, const struct kit_check *check,
           const struct kit_subject *subject, int out)
{
  struct told told;
  ssize_t n;

  memset (&told, 0, sizeof told);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGINT, SIG_DFL);
  signal (SIGTERM, SIG_DFL);
  told.outcome = kit_run (suite, check, subject, told.why);
  n = write (out, &told, sizeof told);
  _exit (n == (ssize_t) sizeof told ? 0 : 1);
}

static long
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (long) (now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/* False: it took too long, or a signal came. */
static bool
await (int in, struct told *told, size_t *got)
{
  long until = now_ms () + PATIENCE_MS;
  struct pollfd poll_in = { in, POLLIN, 0 };

  for (*got = 0; *got < sizeof *told;) {
    long left = until - now_ms ();
    ssize_t n;

    if (left <= 0 || signals_caught ())
      return false;
    if (poll (&poll_in, 1, (int) left) <= 0)
      continue;
    n = read (in, (char *) told + *got, sizeof *told - *got);
    if (n == 0)
      return true;
    if (n > 0)
      *got += (size_t) n;
  }
  return true;
}

static enum kit_outcome
judge (const struct told *told, size_t got, bool in_time, int result,
       char why[KIT_WHY])
{
  if (!in_time)
    snprintf (why, KIT_WHY, "it does not return");
  else if (got == sizeof *told) {
    memcpy (why, told->why, KIT_WHY);
    return (enum kit_outcome) told->outcome;
  } else if (WIFSIGNALED (result))
    snprintf (why, KIT_WHY, "it crashes: %s", strsignal (WTERMSIG (result)));
  else
    snprintf (why, KIT_WHY, "it ends the process");
  return KIT_FAILED;
}

enum kit_outcome
driver_run (const struct kit_suite *suite, const struct kit_check *check,
            const struct kit_subject *subject, char why[KIT_WHY])
{
  struct told told;
  size_t got = 0;
  int fds[2], result = 0;
  bool in_time;
  pid_t pid;

  fflush (NULL);
  if (pipe (fds) != 0) {
    snprintf (why, KIT_WHY, "pipe: %s", strerror (errno));
    return KIT_FAILED;
  }
  pid = fork ();
  if (pid == 0) {
    close (fds[0]);
    run_child (suite, check, subject, fds[1]);
  }
  close (fds[1]);
  if (pid < 0) {
    close (fds[0]);
    snprintf (why, KIT_WHY, "fork: %s", strerror (errno));
    return KIT_FAILED;
  }
  in_time = await (fds[0], &told, &got);
  close (fds[0]);
  if (!in_time)
    kill (pid, SIGKILL);
  while (waitpid (pid, &result, 0) < 0 && errno == EINTR)
    ;
  return judge (&told, got, in_time, result, why);
}
