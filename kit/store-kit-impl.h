/* SPDX-License-Identifier: MIT */
/* What the files of the store kit share. */

#ifndef TALLY_TESTS_STORE_KIT_IMPL_H
#define TALLY_TESTS_STORE_KIT_IMPL_H

#include "asserting.h"
#include "kit.h"

#define COUNT(a) (sizeof (a) / sizeof (a)[0])
#define ROWS_MAX 512

/* The state of each test, made by kit_setup: a new store, opened. */
struct kit {
  const struct kit_subject *kit;
  const struct tally_store *ops;
  struct tally_host host;
  char value[4096];
  void *handle;
  struct tally_error err;
};

/* What an emit function was handed.  The first ROWS_MAX are kept. */
struct rows {
  size_t n;
  size_t stop_after; /* 0: never */
  struct tally_doc docs[ROWS_MAX];
  char ids[ROWS_MAX][TALLY_ID_MAX];
  char *meta; /* of the last one */
  char *body;
};

int kit_setup (void **state);
int kit_teardown (void **state);
int kit_open (struct kit *k, unsigned flags);
void kit_close (struct kit *k);

/* Leaves a store that does not persist as it is. */
void kit_reopen (struct kit *k);

/* A rev with stamp n, below 65,536; 0 gives the rev that means "not
 * there". */
void make_rev (unsigned char rev[TALLY_REV_SIZE], unsigned n);
struct tally_entry make_entry (const char *collection, const char *id,
                               const unsigned char *expected, unsigned n,
                               const char *body);

/* Puts a batch, which must succeed as a whole. */
void put_entries (struct kit *k, const struct tally_entry *entries, size_t n,
                  unsigned flags, struct tally_outcome *outcomes);

/* Puts one document, whatever is there; returns its seq. */
uint64_t put_one (struct kit *k, const char *collection, const char *id,
                  unsigned n);

/* Forgets the document if it has rev n; returns the outcome's status. */
int forget_one (struct kit *k, const char *collection, const char *id,
                unsigned n, struct tally_outcome *outcome);

/* The bytes with a NUL after them; free it. */
char *copy_bytes (struct tally_slice slice);

struct rows *rows_new (size_t stop_after);
void rows_free (struct rows *rows);
int keep_row (void *ctx, const struct tally_doc *doc);

struct rows *get_rows (struct kit *k, const char *collection,
                       const char *const *ids, size_t n, unsigned flags,
                       size_t stop_after);

/* Checks what holds for any feed: seqs rise, headers only, head above. */
struct rows *get_changes (struct kit *k, const char *collection,
                          uint64_t since, size_t stop_after, uint64_t *head);

void assert_row (const struct rows *rows, size_t i, const char *id,
                 unsigned n);

/* The document is stored with this rev; n 0: it is not stored. */
void assert_stored (struct kit *k, const char *collection, const char *id,
                    unsigned n);
void assert_conflict (const struct tally_outcome *outcome, uint64_t seq,
                      unsigned n);

/* A row without a name ends each. */
extern const struct kit_check kit_open_tests[];
extern const struct kit_check kit_read_tests[];
extern const struct kit_check kit_put_tests[];
extern const struct kit_check kit_notes_tests[];
extern const struct kit_check kit_wait_tests[];
extern const struct kit_check kit_scan_tests[];
extern const struct kit_check kit_find_tests[];

#endif /* TALLY_TESTS_STORE_KIT_IMPL_H */
