/* SPDX-License-Identifier: MIT */
/* sim [-j JOBS] [-t SECONDS] [-f FEATURES] [-x FEATURES] [-a FEATURES] [-1]
 *     [-q] [SEED [N]]
 *
 * Runs N schedules from SEED on in JOBS processes, or as many as SECONDS of
 * each process's time allow; one alone with its trace.  A schedule draws some
 * of the features; -f lets it have only these, -x all but these, and -a gives
 * it these always.  -1 ends at the first violation, and that and -q shrink
 * nothing.  The last line is "N schedules, M operations, V
 * violations". */

#include <config.h>

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

#define JOBS_MAX 64
/* Of one process: the first ones say enough. */
#define SHOWN_MAX 5

struct options {
  uint64_t seed, n;
  unsigned jobs, seconds, features, always;
  bool hasty, quiet;
};

struct counts {
  uint64_t schedules, operations, violations;
};

/* The seed under way, for whom a signal ends. */
static volatile uint64_t current_seed;

static void
on_crash (int signal)
{
  char text[64];
  int size = snprintf (text, sizeof text, "seed %llu: signal %d\n",
                       (unsigned long long) current_seed, signal);

  if (write (STDERR_FILENO, text, (size_t) size) < 0)
    _exit (99);
  _exit (98);
}

static void
show (struct schedule *schedule, const struct verdict *verdict,
      const struct options *options)
{
  struct verdict again;

  printf ("seed %" PRIu64 ": %s\n", schedule->seed, verdict->why);
  fflush (stdout);
  if (options->hasty || options->quiet)
    return;
  schedule_shrink (schedule, verdict->violation);
  printf ("the shortest history that fails so:\n");
  setup_print (stdout, &schedule->setup);
  for (size_t i = 0; i < schedule->n; i++)
    op_print_c (stdout, &schedule->ops[i]);
  printf ("and what happens in it:\n");
  schedule_run (schedule, stdout, &again);
  fflush (stdout);
}

static void
run_one (uint64_t seed, const struct options *options, struct counts *counts)
{
  static struct schedule schedule;
  struct verdict verdict;
  bool alone = options->n == 1;

  current_seed = seed;
  schedule_make (&schedule, seed, options->features, options->always);
  if (alone)
    setup_print (stdout, &schedule.setup);
  schedule_run (&schedule, alone ? stdout : NULL, &verdict);
  counts->schedules++;
  counts->operations += verdict.operations;
  if (verdict.violation == VIOLATION_NONE)
    return;
  counts->violations++;
  if (counts->violations <= SHOWN_MAX)
    show (&schedule, &verdict, options);
  else
    printf ("seed %" PRIu64 ": %s\n", seed, verdict.why);
}

static struct counts
run_share (const struct options *options, unsigned job)
{
  struct counts counts = { 0, 0, 0 };

  for (uint64_t i = job; i < options->n; i += options->jobs) {
    if (options->hasty && counts.violations > 0)
      break;
    if (options->seconds > 0
        && clock () / CLOCKS_PER_SEC >= (clock_t) options->seconds)
      break;
    run_one (options->seed + i, options, &counts);
  }
  return counts;
}

/* In a process of its own; what it counted comes through the pipe. */
static int
start_job (const struct options *options, unsigned job)
{
  int ends[2];
  pid_t child;

  fflush (stdout);
  if (pipe (ends) != 0)
    return -1;
  child = fork ();
  if (child < 0)
    return -1;
  if (child == 0) {
    struct counts counts = run_share (options, job);

    fflush (stdout);
    _exit (write (ends[1], &counts, sizeof counts) == sizeof counts ? 0 : 1);
  }
  close (ends[1]);
  return ends[0];
}

static int
run_all (const struct options *options)
{
  struct counts total = { 0, 0, 0 };
  int ends[JOBS_MAX];
  bool good = true;

  if (options->jobs == 1)
    total = run_share (options, 0);
  else {
    for (unsigned i = 0; i < options->jobs; i++)
      ends[i] = start_job (options, i);
    for (unsigned i = 0; i < options->jobs; i++) {
      struct counts counts;

      if (ends[i] < 0
          || read (ends[i], &counts, sizeof counts) != sizeof counts) {
        good = false;
        continue;
      }
      total.schedules += counts.schedules;
      total.operations += counts.operations;
      total.violations += counts.violations;
      close (ends[i]);
    }
    while (wait (NULL) > 0)
      continue;
  }
  if (!good) {
    fprintf (stderr, "sim: a process ended before its time\n");
    total.violations++;
  }
  printf ("%" PRIu64 " schedules, %" PRIu64 " operations, %" PRIu64
          " violations\n",
          total.schedules, total.operations, total.violations);
  return total.violations > 0;
}

static uint64_t
fresh_seed (void)
{
  struct timespec now;

  clock_gettime (CLOCK_REALTIME, &now);
  return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

int
main (int argc, char **argv)
{
  struct options options = { .n = 1000, .jobs = 1, .features = SIM_FEATURES };
  int option;

  options.seed = fresh_seed ();
  while ((option = getopt (argc, argv, "j:t:f:x:a:1q")) != -1) {
    uint64_t number = optarg ? strtoull (optarg, NULL, 0) : 0;

    switch (option) {
    case 'j':
      options.jobs = number > JOBS_MAX ? JOBS_MAX : (unsigned) number;
      break;
    case 't':
      options.seconds = (unsigned) number;
      break;
    case 'f':
      options.features = (unsigned) number;
      break;
    case 'x':
      options.features &= ~(unsigned) number;
      break;
    case 'a':
      options.always = (unsigned) number;
      break;
    case '1':
      options.hasty = true;
      break;
    case 'q':
      options.quiet = true;
      break;
    default:
      return 2;
    }
  }
  if (optind < argc)
    options.seed = strtoull (argv[optind++], NULL, 0);
  if (optind < argc)
    options.n = strtoull (argv[optind], NULL, 0);
  if (options.n == 1 || options.jobs == 0)
    options.jobs = 1;
  signal (SIGSEGV, on_crash);
  signal (SIGABRT, on_crash);
  signal (SIGFPE, on_crash);
  printf ("sim: seed %" PRIu64 "\n", options.seed);
  return run_all (&options);
}
