/* SPDX-License-Identifier: MIT */
/* The file transport with several processes in one folder: each name has one
 * winner, and one that is killed leaves whole blobs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file-kit.h"

#define RACES 60
#define RACERS 3

/* Waits at the pipe, so that all start at once; then says for each name
 * whether it made it. */
static int
race (struct test *t, int start, int racer)
{
  char go, name[16], text[32];
  unsigned won = 0;

  if (kit_open (t, t->path, 0) != TALLY_OK || read (start, &go, 1) != 0)
    return 255;
  snprintf (text, sizeof text, "racer %d", racer);
  for (int i = 0; i < RACES; i++) {
    int status;

    snprintf (name, sizeof name, "n%d", i);
    status = t->ops->create (t->handle, name, text, strlen (text), &t->err);
    if (status != TALLY_OK && status != TALLY_CONFLICT)
      return 254;
    won += status == TALLY_OK;
  }
  return (int) won;
}

static void
race_for_names (struct test *t)
{
  pid_t pids[RACERS];
  int fds[2], result, won = 0;
  int blobs[RACERS]; /* what each says it made, less what is there */
  char name[16];

  assert_int_equal (pipe (fds), 0);
  for (int i = 0; i < RACERS; i++) {
    pids[i] = fork ();
    assert_true (pids[i] >= 0);
    if (pids[i] == 0) {
      close (fds[1]);
      _exit (race (t, fds[0], i));
    }
  }
  close (fds[0]);
  close (fds[1]);
  for (int i = 0; i < RACERS; i++) {
    assert_int_equal (waitpid (pids[i], &result, 0), pids[i]);
    assert_true (WIFEXITED (result));
    assert_true (WEXITSTATUS (result) <= RACES);
    blobs[i] = WEXITSTATUS (result);
    won += blobs[i];
  }
  assert_int_equal (won, RACES);
  for (int i = 0; i < RACES; i++) {
    snprintf (name, sizeof name, "n%d", i);
    assert_int_equal (kit_read (t, name), TALLY_OK);
    assert_int_equal (t->size, strlen ("racer 0"));
    assert_in_range (t->data[6], '0', '0' + RACERS - 1);
    blobs[t->data[6] - '0']--;
  }
  for (int i = 0; i < RACERS; i++)
    assert_int_equal (blobs[i], 0);
  assert_int_equal (kit_count (t->path), RACES);
}

static void
one_winner (void **state)
{
  race_for_names (*state);
}

static void
one_winner_without_links (void **state)
{
  kit_fault.link_errno = EPERM;
  race_for_names (*state);
}

/* A blob tells its own size and holds nothing but its number. */
static void
create_for_ever (struct test *t, int out, unsigned round)
{
  static char data[40000];
  char name[32];

  for (unsigned i = 0;; i++) {
    size_t size = 1 + (i * 7919u) % sizeof data;

    memset (data, 'a' + i % 26, size);
    snprintf (name, sizeof name, "k%u-%u-%zu-%u", round, i, size, i % 26);
    if (t->ops->create (t->handle, name, data, size, &t->err) != TALLY_OK
        || write (out, &i, sizeof i) != (ssize_t) sizeof i)
      _exit (1);
  }
}

static void
assert_whole (struct test *t, const char *name)
{
  unsigned round, i, letter;
  size_t size;

  assert_int_equal (sscanf (name, "k%u-%u-%zu-%u", &round, &i, &size, &letter),
                    4);
  assert_int_equal (kit_read (t, name), TALLY_OK);
  assert_int_equal (t->size, size);
  for (size_t n = 0; n < size; n++)
    assert_int_equal (t->data[n], 'a' + letter);
}

/* Kills a writer; all that it was told of is there, all that is there is
 * whole, and at most its one temporary file is left. */
static void
kill_one (struct test *t, unsigned round)
{
  char prefix[16];
  unsigned told = 0, i;
  int fds[2];
  DIR *dir;
  pid_t pid;

  assert_int_equal (pipe (fds), 0);
  pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0)
    create_for_ever (t, fds[1], round);
  close (fds[1]);
  while (told < 1 + 3 * round) {
    assert_int_equal (read (fds[0], &i, sizeof i), sizeof i);
    told++;
  }
  assert_int_equal (kill (pid, SIGKILL), 0);
  assert_int_equal (waitpid (pid, NULL, 0), pid);
  while (read (fds[0], &i, sizeof i) == (ssize_t) sizeof i)
    told++;
  close (fds[0]);

  snprintf (prefix, sizeof prefix, "k%u-", round);
  assert_int_equal (kit_list (t, prefix), TALLY_OK);
  assert_in_range (t->names, told, told + 1);
  dir = opendir (t->path);
  assert_non_null (dir);
  for (struct dirent *row = readdir (dir); row; row = readdir (dir))
    if (strncmp (row->d_name, prefix, strlen (prefix)) == 0)
      assert_whole (t, row->d_name);
  closedir (dir);
  assert_int_equal (kit_list (t, ""), TALLY_OK);
  assert_in_range (kit_count (t->path), t->names, t->names + round + 1);
}

static void
killed_writer_leaves_whole_blobs (void **state)
{
  struct test *t = *state;
  unsigned left;

  for (unsigned round = 0; round < 20; round++)
    kill_one (t, round);
  assert_int_equal (kit_list (t, ""), TALLY_OK);
  left = t->names;
  assert_int_equal (kit_create (t, "after", "1"), TALLY_OK);
  assert_int_equal (kit_list (t, ""), TALLY_OK);
  assert_int_equal (t->names, left + 1);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    KIT_TEST (one_winner),
    KIT_TEST (one_winner_without_links),
    KIT_TEST (killed_writer_leaves_whole_blobs),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
