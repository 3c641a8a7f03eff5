/* SPDX-License-Identifier: MIT */
/* Two stores in memory, the engine of one and the answering side of the other
 * with nothing between but the bytes of their messages.  Time and chance are
 * the test's own, so that it costs the same to the byte in each run. */

#ifndef TALLY_TEST_TWINS_H
#define TALLY_TEST_TWINS_H

#include "../../core/answer.h"
#include "../../core/channel.h"
#include "../../core/engine.h"

#define TWINS_COLLECTION "notes"
#define TWINS_BODY 300 /* about the bytes of a document: all have as many */

struct twins;

/* Looks at a whole frame, or puts another one in its place (malloced). */
typedef char *twins_rewrite_fn (void *ctx, const char *frame, size_t *size);

struct twins {
  struct replica *near, *far;
  struct answer answer;
  struct channel *channel;
  uint64_t wall_ms;

  unsigned exchanges;
  /* Before and after a frame is answered; or NULL. */
  void (*begins) (void *ctx), (*ended) (void *ctx);
  twins_rewrite_fn *request, *reply; /* or NULL */
  void *ctx;
};

/* What a run came to, all collections together. */
struct twins_run {
  int status;
  struct tally_error err;
  char strategy[16];
  uint64_t pulled, pushed, merged, round_trips, bytes;
};

/* seed: of all that is drawn at random. */
void twins_start (struct twins *twins, uint64_t seed);
void twins_free (struct twins *twins);

/* Writes documents `first` to first + n - 1, a version of them in one field.
 */
void twins_write (struct twins *twins, struct replica *replica, unsigned first,
                  unsigned n, unsigned version);

/* The bytes of n documents as JSON. */
uint64_t twins_bytes (unsigned n);

/* nonce: of the first comparison, or NULL. */
void twins_try (struct twins *twins, const unsigned char *nonce,
                struct twins_run *run);

/* The same, and it must succeed. */
void twins_sync (struct twins *twins, const unsigned char *nonce,
                 struct twins_run *run);

/* As if the two had never met. */
void twins_part (struct twins *twins);

/* Both hold the same live documents. */
void twins_same (struct twins *twins);

/* How many rows both stores gave in order, by scan or changes, since the last
 * call of this. */
uint64_t twins_rows (void);

#endif /* TALLY_TEST_TWINS_H */
