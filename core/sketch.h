/* SPDX-License-Identifier: MIT */
/* How two sets of rows (stamp, id, rev) are told apart at the cost of their
 * difference: a rateless sketch, after "Practical Rateless Set Reconciliation"
 * (Lei Yang, Yossi Gilad, Mohammad Alizadeh, SIGCOMM 2024, arXiv 2402.02668).
 * A row becomes an item of 19 bytes; each item is added to cells of an endless
 * row of cells, to cell i with probability 1 / (1 + i/2).  The cells of one
 * set less those of the other are the cells of their difference, and from the
 * first 1.35 to 1.7 for each item that differs (more where these are few) the
 * items can be peeled off.
 *
 * All is keyed with a nonce, so that nobody can choose documents that collide,
 * and whole numbers only say which cells an item goes to: no two machines
 * differ.  Pure; what comes from elsewhere may be anything. */

#ifndef TALLY_SKETCH_H
#define TALLY_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

#define SKETCH_NONCE_SIZE 16
/* The parts of an item: milliseconds and client of its rev, the keyed hash of
 * its id, and that of its rev. */
#define SKETCH_WHEN_SIZE 9
#define SKETCH_ID_SIZE 6
#define SKETCH_REV_SIZE 4
#define SKETCH_ITEM_SIZE (SKETCH_WHEN_SIZE + SKETCH_ID_SIZE + SKETCH_REV_SIZE)
#define SKETCH_CELL_SIZE (SKETCH_ITEM_SIZE + 3) /* as bytes */
#define SKETCH_CELLS_MAX 32768

struct sketch_key {
  unsigned char id[16], rev[16], item[16];
};

void sketch_key_init (struct sketch_key *key,
                      const unsigned char nonce[SKETCH_NONCE_SIZE]);

/* The parts of an item.  A counter would tell no more than its rev does. */
struct sketch_item {
  unsigned char when[SKETCH_WHEN_SIZE];
  unsigned char id[SKETCH_ID_SIZE];
  unsigned char rev[SKETCH_REV_SIZE];
};

void sketch_item (struct sketch_item *item, const struct sketch_key *key,
                  struct tally_slice id,
                  const unsigned char rev[TALLY_REV_SIZE]);
void sketch_id (unsigned char out[SKETCH_ID_SIZE],
                const struct sketch_key *key, struct tally_slice id);

/* A stamp without its counter, as bytes that sort as it does; and back, with a
 * counter of 0. */
void sketch_when (unsigned char out[SKETCH_WHEN_SIZE],
                  const unsigned char stamp[TALLY_STAMP_SIZE]);
void sketch_stamp (unsigned char out[TALLY_STAMP_SIZE],
                   const unsigned char when[SKETCH_WHEN_SIZE]);

/* The keyed hash of an item. */
uint64_t sketch_hash (const struct sketch_key *key,
                      const struct sketch_item *item);

struct sketch_cell {
  uint64_t sum[3]; /* the item's bytes, the last five of these are zero */
  uint32_t check;  /* 22 bits of its hash */
  uint32_t count;  /* modulo 4: how many of ours less how many of theirs */
};

/* The part of an item's hash that is kept with it. */
static inline uint32_t
sketch_check (uint64_t hash)
{
  return (uint32_t) hash >> 10;
}

/* Cells `first` to `first` + n of a set. */
struct sketch {
  struct sketch_key key;
  struct sketch_cell *cells;
  size_t first, n;
};

/* False: out of memory, or beyond SKETCH_CELLS_MAX. */
bool sketch_init (struct sketch *sketch,
                  const unsigned char nonce[SKETCH_NONCE_SIZE], size_t first,
                  size_t n);
void sketch_free (struct sketch *sketch);

/* Puts an item in, or takes it out. */
void sketch_add (struct sketch *sketch, const struct sketch_item *item);
void sketch_subtract (struct sketch *sketch, const struct sketch_item *item);

/* The cells as n * SKETCH_CELL_SIZE bytes, and back. */
void sketch_write (const struct sketch *sketch, unsigned char *out);
void sketch_read (struct sketch *sketch, const unsigned char *in);

/* The cell after `at` for a random number; `end` or more: none before `end`,
 * which is at most SKETCH_CELLS_MAX. */
size_t sketch_next (size_t at, uint32_t draw, size_t end);

/* The cells of an item one after the other, `at` the first of them. */
struct sketch_walk {
  size_t at, end; /* at >= end: that was all */
  uint64_t state;
};

struct sketch_walk sketch_walk (uint64_t hash, size_t end);
void sketch_walk_on (struct sketch_walk *walk);

/* ---- peeling (sketch-peel.c) -------------------------------------------- */

/* What one set has and the other has not. */
struct sketch_found {
  struct sketch_item item;
  bool added; /* by sketch_add, or read; else by sketch_subtract */
};

/* Grows by cells that follow each other, and finds what is in them. */
struct sketch_peel {
  struct sketch all; /* cells 0 to n */
  size_t capacity;
  struct sketch_found *found;
  size_t n_found;
  uint32_t *todo; /* cells that may have become pure, each once */
  bool *waits;    /* whether a cell is among them */
  size_t n_todo;
};

enum sketch_verdict {
  SKETCH_DONE, /* that is all that differs */
  SKETCH_MORE, /* these cells do not tell */
  SKETCH_BAD,  /* they are those of no difference of two sets */
  SKETCH_NOMEM
};

/* Takes the next cells, whose `first` is the number of those that are there
 * already, and looks for all it can.  At most as many are found as there are
 * cells. */
enum sketch_verdict sketch_peel (struct sketch_peel *peel,
                                 const struct sketch *next);
void sketch_peel_free (struct sketch_peel *peel);

/* ---- how much differs (sketch-estimate.c) ------------------------------- */

/* An estimate after Alon, Matias and Szegedy: of 128 sums over a set, in which
 * each item counts as 1 or -1 at random, the squares of the difference to
 * those of another set are on average what differs.  Ten bits of each sum are
 * told, which is enough up to SKETCH_ESTIMATE_MAX. */
#define SKETCH_COUNTERS TALLY_DIGEST_COUNTERS
#define SKETCH_PACKED_SIZE (SKETCH_COUNTERS * 10 / 8)
#ifndef SKETCH_ESTIMATE_MAX
#define SKETCH_ESTIMATE_MAX 30000
#endif

void sketch_pack (unsigned char out[SKETCH_PACKED_SIZE],
                  const int32_t counters[SKETCH_COUNTERS]);
/* Beyond SKETCH_ESTIMATE_MAX it is only "many". */
uint64_t sketch_estimate (const unsigned char packed[SKETCH_PACKED_SIZE],
                          const int32_t counters[SKETCH_COUNTERS]);

/* Adds an item with this hash to counters of one comparison. */
void sketch_count (int32_t counters[SKETCH_COUNTERS], uint64_t hash);

/* So many cells are asked for first, and so many once `had` did not do. */
size_t sketch_cells (uint64_t estimate);
size_t sketch_more_cells (size_t had);

#endif /* TALLY_SKETCH_H */
