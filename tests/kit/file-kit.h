/* SPDX-License-Identifier: MIT */
/* What the tests of the file transport share: a folder for each test, the
 * calls with their results checked, and system calls that fail. */

#ifndef TALLY_TESTS_FILE_KIT_H
#define TALLY_TESTS_FILE_KIT_H

#include <stdbool.h>
#include <stddef.h>

#include <tally/driver.h>

/* What the next call of a kind does; 0: what it always does. */
extern struct kit_fault {
  int link_errno;
  bool link_happens; /* all the same, as when NFS loses an answer */
  int rename_errno;
  int fsync_errno;
  int fsync_skip; /* calls that work before */
  int write_errno;
  bool write_short;
  bool interrupts; /* every call is interrupted once before it works */
} kit_fault;

struct test {
  const struct tally_transport *ops;
  struct tally_host host;
  void *handle;
  int cancel_after; /* looks at cancelled; 0: never */
  char base[64];    /* holds the folder, and what is outside of it */
  char path[96];
  struct tally_error err;
  unsigned names;
  char list[2048];
  unsigned blobs; /* emitted by read */
  char *data;
  size_t size;
};

int kit_setup (void **state);
int kit_teardown (void **state);

#define KIT_TEST(name) \
  cmocka_unit_test_setup_teardown (name, kit_setup, kit_teardown)

/* The calls of the table, on the test's handle; opening closes it first. */
int kit_open (struct test *t, const char *path, unsigned flags);
int kit_create (struct test *t, const char *name, const char *text);
int kit_read (struct test *t, const char *name);
int kit_list (struct test *t, const char *prefix);
int kit_remove (struct test *t, const char *name);

/* What kit_list emits to: the ctx is the test. */
int kit_keep_name (void *ctx, const char *name);

void kit_assert_blob (struct test *t, const char *name, const char *text);

/* The path of what has that name in the folder. */
char *kit_inside (const struct test *t, const char *name, char path[512]);
void kit_put_file (const char *path, const char *text);

/* All files, also those that are no blobs. */
unsigned kit_count (const char *path);

#endif /* TALLY_TESTS_FILE_KIT_H */
