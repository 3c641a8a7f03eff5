/* SPDX-License-Identifier: MIT */
/* The program as a user starts it, watched from outside.  Memory is counted as
 * anonymous memory: what a store maps of its files is the kernel's to keep or
 * to drop. */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define ARGUMENTS_MAX 32
#define LOOK_US 2000

extern char **environ;

static double
read_clock (clockid_t clock)
{
  struct timespec now;

  clock_gettime (clock, &now);
  return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static double cpu_now, cpu_before;

double
now_seconds (void)
{
  cpu_before = cpu_now;
  cpu_now = read_clock (CLOCK_PROCESS_CPUTIME_ID);
  return read_clock (CLOCK_MONOTONIC);
}

double
cpu_seconds (void)
{
  return cpu_now - cpu_before;
}

double
number_in (const char *json, const char *key)
{
  char quoted[64];
  const char *at;

  snprintf (quoted, sizeof quoted, "\"%s\":", key);
  at = strstr (json, quoted);
  return at ? strtod (at + strlen (quoted), NULL) : 0;
}

/* ---- processes ---------------------------------------------------------- */

static struct child
start (const struct bench *bench, const char *const *arguments)
{
  const char *argv[ARGUMENTS_MAX] = { bench->program };
  posix_spawn_file_actions_t actions;
  struct child child;
  int ends[2];
  int error;

  for (size_t i = 0; arguments[i]; i++) {
    if (i + 2 >= ARGUMENTS_MAX)
      die ("too many arguments");
    argv[i + 1] = arguments[i];
  }
  if (pipe2 (ends, O_CLOEXEC))
    die ("pipe: %s", strerror (errno));
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_addopen (&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2 (&actions, ends[1], 1);
  error = posix_spawn (&child.pid, bench->program, &actions, NULL,
                       (char *const *) argv, environ);
  if (error)
    die ("%s: %s", bench->program, strerror (error));
  posix_spawn_file_actions_destroy (&actions);
  close (ends[1]);
  child.out = ends[0];
  return child;
}

static uint64_t
anonymous_of (int pid)
{
  char path[64], line[256];
  uint64_t kib = 0;
  FILE *file;

  snprintf (path, sizeof path, "/proc/%d/status", pid);
  file = fopen (path, "r");
  if (!file)
    return 0;
  while (fgets (line, sizeof line, file))
    if (sscanf (line, "RssAnon: %" SCNu64, &kib) == 1)
      break;
  fclose (file);
  return kib * 1024;
}

static void
watch (struct ended *ended, int pid, int other)
{
  uint64_t bytes = anonymous_of (pid);

  if (bytes > ended->anonymous)
    ended->anonymous = bytes;
  bytes = other ? anonymous_of (other) : 0;
  if (bytes > ended->beside)
    ended->beside = bytes;
}

void
run_program (const struct bench *bench, const char *const *arguments,
             int other, struct ended *ended)
{
  double began = now_seconds ();
  struct child child = start (bench, arguments);
  size_t size = 0;
  int status, ready;

  memset (ended, 0, sizeof *ended);
  fcntl (child.out, F_SETFL, O_NONBLOCK);
  do {
    ssize_t n =
        read (child.out, ended->text + size, sizeof ended->text - 1 - size);

    if (n > 0)
      size += (size_t) n;
    if (size > sizeof ended->text / 2) {
      memmove (ended->text, ended->text + size / 2, size - size / 2);
      size -= size / 2;
    }
    watch (ended, child.pid, other);
    ready = waitpid (child.pid, &status, WNOHANG);
    if (ready == 0 && n <= 0)
      nanosleep (&(struct timespec){ .tv_nsec = LOOK_US * 1000 }, NULL);
  } while (ready == 0);
  ended->seconds = now_seconds () - began;
  for (;;) {
    ssize_t n =
        read (child.out, ended->text + size, sizeof ended->text - 1 - size);

    if (n <= 0)
      break;
    size += (size_t) n;
  }
  ended->text[size] = '\0';
  close (child.out);
  if (!WIFEXITED (status) || WEXITSTATUS (status) != 0)
    die ("%s %s %s: exit %d", bench->program, arguments[0], arguments[1],
         WIFEXITED (status) ? WEXITSTATUS (status) : 128);
}

struct child
start_server (const struct bench *bench, const char *store, const char *listen,
              char url[PATH_ROOM])
{
  const char *const arguments[] = { "serve", store, "--listen", listen, NULL };
  struct child server = start (bench, arguments);
  FILE *out = fdopen (dup (server.out), "r");
  char line[PATH_ROOM];

  if (!out || !fgets (line, sizeof line, out)
      || sscanf (line, "listening on %511s", url) != 1)
    die ("%s: did not begin to serve", store);
  fclose (out);
  return server;
}

void
stop_server (struct child *server)
{
  int status;

  kill (server->pid, SIGTERM);
  waitpid (server->pid, &status, 0);
  close (server->out);
}

/* ---- files -------------------------------------------------------------- */

static int
remove_one (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void) st;
  (void) type;
  (void) ftw;
  return remove (path) != 0;
}

/* With what SQLite keeps beside its file. */
void
remove_tree (const char *path)
{
  char beside[PATH_ROOM + 8];

  nftw (path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  snprintf (beside, sizeof beside, "%s-wal", path);
  remove (beside);
  snprintf (beside, sizeof beside, "%s-shm", path);
  remove (beside);
}

void
copy_tree (const char *from, const char *to)
{
  char *const argv[] = { "cp", "-r", (char *) (uintptr_t) from,
                         (char *) (uintptr_t) to, NULL };
  int pid, status;

  remove_tree (to);
  if (posix_spawnp (&pid, "cp", NULL, NULL, argv, environ)
      || waitpid (pid, &status, 0) != pid || status != 0)
    die ("%s: cannot copy it to %s", from, to);
}

static uint64_t tree_size; /* nftw has no context */

static int
count_one (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
  (void) path;
  (void) ftw;
  if (type == FTW_F)
    tree_size += (uint64_t) st->st_size;
  return 0;
}

uint64_t
size_of_tree (const char *path)
{
  tree_size = 0;
  nftw (path, count_one, 16, FTW_PHYS);
  return tree_size;
}

void
write_file (const char *path, const struct text *text)
{
  FILE *file = fopen (path, "w");

  if (!file || fwrite (text->data, 1, text->size, file) != text->size
      || fclose (file))
    die ("%s: %s", path, strerror (errno));
}
