/* SPDX-License-Identifier: MIT */
/* What the tests of the linvo store share: a store in a folder of the test's
 * own, documents that can be told by their number, and a look at whether the
 * store still holds what it should.  Nothing here asserts, so that forked
 * children can use it. */

#ifndef TALLY_TESTS_LINVO_KIT_H
#define TALLY_TESTS_LINVO_KIT_H

#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

#define LINVO_KIT_BATCH 20

struct linvo_kit {
  const struct tally_store *ops;
  char root[64];  /* removed with all in it at the end */
  char path[128]; /* of the store, in root; not made yet */
  void *handle;
  struct tally_error err;
};

int linvo_kit_setup (void **state);
int linvo_kit_teardown (void **state);

int linvo_kit_open (struct linvo_kit *k, unsigned flags);
void linvo_kit_close (struct linvo_kit *k);

/* Puts LINVO_KIT_BATCH documents of version n as one batch, whatever is
 * there: half of them new, half the same in every batch.  Fingerprints are
 * those of version n - 1. */
int linvo_kit_put (struct linvo_kit *k, unsigned n);

/* Whether all of the batches 1 to n are there, whole, and nothing else but
 * at most `more` later ones: TALLY_OK, what the store said, or 1 when it
 * said nothing and something is wrong. */
int linvo_kit_check (struct linvo_kit *k, unsigned n, unsigned more);

/* As fake_digest_fits. */
int linvo_kit_check_digest (struct linvo_kit *k);

/* Reads the document with this id and the feed's head: TALLY_OK when it is
 * there at version n or later, in one piece, and the feed lists each once. */
int linvo_kit_read_one (struct linvo_kit *k, const struct tally_slice *id,
                        unsigned n, uint64_t *head);

/* Files, whole.  0, or -1. */
int linvo_kit_copy (const char *from, const char *to); /* a folder */
int linvo_kit_remove (const char *path);               /* a folder */
int linvo_kit_write (const char *folder, const char *name, const void *data,
                     size_t size);
char *linvo_kit_read (const char *folder, const char *name, size_t *size);

/* A sum over names and contents of a folder. */
uint64_t linvo_kit_sum (const char *folder);

/* The name of a file with this end or start, in name; 0, or -1. */
int linvo_kit_name (const char *folder, const char *part, char *name,
                    size_t size);

#endif /* TALLY_TESTS_LINVO_KIT_H */
