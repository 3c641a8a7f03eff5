/* SPDX-License-Identifier: MIT */
/* What the linvo store has acknowledged is there after a kill and after a
 * failed write, the same in all of its orders. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <leveldb/c.h>

#include "../drivers/linvo-keys.h"
#include "linvo-kit.h"

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, linvo_kit_setup, linvo_kit_teardown)
#define KILLS 10

/* ---- the three orders, read past the driver ---------------------------- */

struct orders {
  leveldb_t *db;
  leveldb_readoptions_t *read;
  size_t docs, seqs, stamps, digests;
};

static char *
raw_get (struct orders *o, const struct linvo_key *key,
         struct tally_slice *value)
{
  char *text = NULL, *data;

  data =
      leveldb_get (o->db, o->read, key->data, key->size, &value->size, &text);
  assert_null (text);
  assert_non_null (data);
  value->data = data;
  return data;
}

/* A header has its document, which names its seq, and its stamp record. */
static void
check_header (struct orders *o, const struct tally_slice *key,
              const struct tally_slice *header)
{
  char *data;
  struct tally_doc doc, stored;
  struct tally_slice value;
  struct linvo_key other;

  memset (&doc, 0, sizeof doc);
  assert_true (linvo_seq_of_key (key, &doc.seq));
  assert_true (linvo_decode_seq (header, &doc));
  linvo_key_doc (&other, 1, &doc.id);
  data = raw_get (o, &other, &value);
  assert_true (linvo_decode_doc (&value, &stored));
  assert_true (stored.seq == doc.seq);
  assert_memory_equal (stored.rev, doc.rev, TALLY_STAMP_SIZE);
  leveldb_free (data);

  linvo_key_stamp (&other, 1, doc.rev, &doc.id);
  data = raw_get (o, &other, &value);
  assert_true (linvo_decode_hash (&value, &doc));
  assert_memory_equal (stored.rev, doc.rev, TALLY_REV_PART);
  leveldb_free (data);
}

static void
check_record (struct orders *o, leveldb_iterator_t *it)
{
  struct tally_slice key, value;

  key.data = leveldb_iter_key (it, &key.size);
  value.data = leveldb_iter_value (it, &value.size);
  assert_true (key.size > 0);
  if (key.data[0] == LINVO_DOC)
    o->docs++;
  else if (key.data[0] == LINVO_STAMP)
    o->stamps++;
  else if (key.data[0] == LINVO_DIGEST)
    o->digests++;
  else if (key.data[0] == LINVO_SEQ) {
    o->seqs++;
    check_header (o, &key, &value);
  }
}

/* Each document stands once in each order, and nothing else does. */
static void
assert_orders_agree (const char *path)
{
  leveldb_options_t *options = leveldb_options_create ();
  struct orders o = { NULL, leveldb_readoptions_create (), 0, 0, 0, 0 };
  leveldb_iterator_t *it;
  char *text = NULL;

  o.db = leveldb_open (options, path, &text);
  assert_non_null (o.db);
  it = leveldb_create_iterator (o.db, o.read);
  for (leveldb_iter_seek_to_first (it); leveldb_iter_valid (it);
       leveldb_iter_next (it))
    check_record (&o, it);
  leveldb_iter_get_error (it, &text);
  assert_null (text);
  leveldb_iter_destroy (it);
  leveldb_close (o.db);
  leveldb_readoptions_destroy (o.read);
  leveldb_options_destroy (options);
  assert_true (o.docs > 0);
  assert_int_equal (o.digests, 1);
  assert_int_equal (o.docs, o.seqs);
  assert_int_equal (o.docs, o.stamps);
}

/* ---- kills ------------------------------------------------------------- */

/* Runs this program again as a child that does one of the jobs in main: a
 * fork alone would lack LevelDB's thread.  *fd is the child's stdout. */
static pid_t
start_job (const struct linvo_kit *k, const char *job, unsigned n, int *fd)
{
  char number[16];
  int ends[2];
  pid_t pid;

  snprintf (number, sizeof number, "%u", n);
  assert_int_equal (pipe (ends), 0);
  pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0) {
    dup2 (ends[1], STDOUT_FILENO);
    close (ends[0]);
    close (ends[1]);
    execl ("/proc/self/exe", "test-linvo-crash", job, k->path, number,
           (char *) NULL);
    _exit (127);
  }
  close (ends[1]);
  *fd = ends[0];
  return pid;
}

/* A job: puts batch after batch and tells of each that was acknowledged. */
static int
write_until_killed (struct linvo_kit *k, unsigned n)
{
  if (linvo_kit_open (k, TALLY_OPEN_CREATE) != TALLY_OK)
    return 1;
  for (; linvo_kit_put (k, n) == TALLY_OK; n++) {
    if (write (STDOUT_FILENO, &n, sizeof n) != (ssize_t) sizeof n)
      return 2;
  }
  return 3;
}

/* Returns the last batch that was acknowledged before the kill. */
static unsigned
write_and_kill (struct linvo_kit *k, unsigned n, unsigned acks)
{
  unsigned last = n - 1, got = 0;
  int fd, status = 0;
  pid_t pid = start_job (k, "write", n, &fd);

  while (read (fd, &last, sizeof last) == (ssize_t) sizeof last) {
    got++;
    if (got == acks)
      assert_int_equal (kill (pid, SIGKILL), 0);
  }
  close (fd);
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
  return last;
}

/* Enough batches to have LevelDB write tables and merge them meanwhile. */
static void
kill_loses_nothing (void **state)
{
  struct linvo_kit *k = *state;
  unsigned n = 0, i, next;

  for (i = 0; i < KILLS; i++) {
    n = write_and_kill (k, n + 1, 1 + i * i * 7);
    assert_int_equal (linvo_kit_open (k, 0), TALLY_OK);
    next = n + 1;
    if (linvo_kit_check (k, n, 0) == TALLY_OK)
      next = n;
    else
      assert_int_equal (linvo_kit_check (k, n, 1), TALLY_OK);
    assert_int_equal (linvo_kit_check_digest (k), TALLY_OK);
    linvo_kit_close (k);
    assert_orders_agree (k->path);
    n = next;
  }
}

/* ---- failed writes ----------------------------------------------------- */

/* A job: puts 300 batches into files that may not grow beyond a size which
 * they reach again and again; one that fails is put again. */
static int
write_in_little_room (struct linvo_kit *k)
{
  struct rlimit limit = { 400000, RLIM_INFINITY };
  unsigned n, failed = 0;

  signal (SIGXFSZ, SIG_IGN);
  if (linvo_kit_open (k, TALLY_OPEN_CREATE) != TALLY_OK)
    return 1;
  for (n = 1; n <= 300; n++) {
    if (n % 50 == 25 && setrlimit (RLIMIT_FSIZE, &limit) == -1)
      return 2;
    if (linvo_kit_put (k, n) == TALLY_OK)
      continue;
    failed++;
    if (linvo_kit_check (k, n - 1, 0) != TALLY_OK)
      return 3;
    /* Still no room: refused, and readable all the same. */
    if (linvo_kit_put (k, n) != TALLY_FAILED
        || linvo_kit_check (k, n - 1, 0) != TALLY_OK
        || linvo_kit_check_digest (k) != TALLY_OK)
      return 4;
    limit.rlim_cur = RLIM_INFINITY;
    if (setrlimit (RLIMIT_FSIZE, &limit) == -1)
      return 5;
    limit.rlim_cur = 400000;
    if (linvo_kit_put (k, n) != TALLY_OK)
      return 6;
  }
  linvo_kit_close (k);
  return failed > 0 ? 0 : 7;
}

static void
failed_write_loses_nothing (void **state)
{
  struct linvo_kit *k = *state;
  int fd, status = 1;
  pid_t pid = start_job (k, "room", 0, &fd);

  assert_int_equal (waitpid (pid, &status, 0), pid);
  close (fd);
  assert_true (WIFEXITED (status));
  assert_int_equal (WEXITSTATUS (status), 0);
  assert_int_equal (linvo_kit_open (k, 0), TALLY_OK);
  assert_int_equal (linvo_kit_check (k, 300, 0), TALLY_OK);
  assert_int_equal (linvo_kit_check_digest (k), TALLY_OK);
  linvo_kit_close (k);
  assert_orders_agree (k->path);
}

/* What start_job runs. */
static int
run_job (char **argv)
{
  struct linvo_kit k;

  memset (&k, 0, sizeof k);
  k.ops = tally_driver_1 ()->store;
  snprintf (k.path, sizeof k.path, "%s", argv[2]);
  if (strcmp (argv[1], "write") == 0)
    return write_until_killed (&k, (unsigned) strtoul (argv[3], NULL, 10));
  return write_in_little_room (&k);
}

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    TEST (kill_loses_nothing),
    TEST (failed_write_loses_nothing),
  };

  if (argc == 4)
    return run_job (argv);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
