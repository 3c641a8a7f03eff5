/* SPDX-License-Identifier: MIT */
/* Any bytes as the cells of a sketch: peeling ends, finds no more than there
 * are cells, and what it calls all of it makes just these cells.  With
 * -DTALLY_LIBFUZZER and -fsanitize=fuzzer a fuzzer; else a test, which makes
 * its own input:
 *
 *   fuzz-sketch [COUNT [SEED]]   sketches of random items, many damaged
 *   fuzz-sketch FILE...          these inputs again */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "../core/sketch.h"
#include "kit/rng.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define CHECK(condition) \
  ((condition) ? (void) 0 : broken (#condition, __LINE__))

static void
broken (const char *condition, int line)
{
  fprintf (stderr, "fuzz-sketch.c:%d: not true: %s\n", line, condition);
  abort ();
}

static unsigned long found_all;

/* The cells of these items are the cells that came. */
static void
check_all (const struct sketch_peel *peel, const unsigned char *nonce,
           const uint8_t *cells, size_t n)
{
  unsigned char *bytes = malloc (n * SKETCH_CELL_SIZE + 1);
  struct sketch again;

  CHECK (bytes && sketch_init (&again, nonce, 0, n));
  for (size_t i = 0; i < peel->n_found; i++)
    if (peel->found[i].added)
      sketch_add (&again, &peel->found[i].item);
    else
      sketch_subtract (&again, &peel->found[i].item);
  sketch_write (&again, bytes);
  CHECK (memcmp (bytes, cells, n * SKETCH_CELL_SIZE) == 0);
  found_all++;
  sketch_free (&again);
  free (bytes);
}

/* The nonce, a byte that says where the cells are cut in two, the cells, and
 * what is left as counters. */
int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  unsigned char nonce[SKETCH_NONCE_SIZE], packed[SKETCH_PACKED_SIZE] = { 0 };
  int32_t counters[SKETCH_COUNTERS] = { 0 };
  struct sketch_peel peel = { 0 };
  enum sketch_verdict verdict = SKETCH_MORE;
  size_t n, cut, at = 0;

  if (size <= SKETCH_NONCE_SIZE)
    return 0;
  memcpy (nonce, data, sizeof nonce);
  cut = data[SKETCH_NONCE_SIZE];
  data += SKETCH_NONCE_SIZE + 1;
  size -= SKETCH_NONCE_SIZE + 1;
  n = size / SKETCH_CELL_SIZE;
  if (n > SKETCH_CELLS_MAX)
    n = SKETCH_CELLS_MAX;
  cut = cut < n ? cut : n;
  for (int part = 0; part < 2; part++) {
    size_t more = part == 0 ? cut : n - cut;
    struct sketch sketch;

    CHECK (sketch_init (&sketch, nonce, at, more));
    sketch_read (&sketch, data + at * SKETCH_CELL_SIZE);
    verdict = sketch_peel (&peel, &sketch);
    sketch_free (&sketch);
    at += more;
    CHECK (verdict != SKETCH_NOMEM && peel.n_found <= at);
    if (verdict == SKETCH_DONE)
      check_all (&peel, nonce, data, at);
    if (verdict == SKETCH_BAD)
      break;
  }
  sketch_peel_free (&peel);
  memcpy (packed, data, size < sizeof packed ? size : sizeof packed);
  CHECK (sketch_cells (sketch_estimate (packed, counters))
         <= SKETCH_CELLS_MAX);
  return 0;
}

#ifndef TALLY_LIBFUZZER

static uint64_t
next (uint64_t *state)
{
  uint64_t x = *state;

  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return *state = x;
}

/* A sketch of a few items, which nobody, or somebody, damaged. */
static void
run_one (uint64_t *state)
{
  enum { MOST = 120 };
  static uint8_t input[SKETCH_NONCE_SIZE + 1 + MOST * SKETCH_CELL_SIZE];
  size_t n = next (state) % MOST, items = next (state) % (n + 1);
  size_t size = SKETCH_NONCE_SIZE + 1 + n * SKETCH_CELL_SIZE;
  struct sketch sketch;

  for (size_t i = 0; i <= SKETCH_NONCE_SIZE; i++)
    input[i] = (uint8_t) next (state);
  CHECK (sketch_init (&sketch, input, 0, n));
  for (size_t i = 0; i < items; i++) {
    struct sketch_item item = { 0 };

    for (size_t at = 0; at < sizeof item.when; at++)
      item.when[at] = (unsigned char) next (state);
    if (next (state) & 1)
      sketch_add (&sketch, &item);
    else
      sketch_subtract (&sketch, &item);
  }
  sketch_write (&sketch, input + SKETCH_NONCE_SIZE + 1);
  sketch_free (&sketch);
  for (size_t i = next (state) % 4; i > 0; i--)
    input[next (state) % size] = (uint8_t) next (state);
  LLVMFuzzerTestOneInput (input, size);
}

static int
run_file (const char *path)
{
  static uint8_t input[1 << 20];
  FILE *file = fopen (path, "rb");

  if (!file) {
    perror (path);
    return 1;
  }
  LLVMFuzzerTestOneInput (input, fread (input, 1, sizeof input, file));
  fclose (file);
  return 0;
}

int
main (int argc, char **argv)
{
  unsigned long count = rng_tries (20000), seed = 1;
  int failed = 0;
  char *end;

  if (sodium_init () < 0)
    return 1;
  if (argc > 1) {
    count = strtoul (argv[1], &end, 10);
    if (*end) {
      for (int i = 1; i < argc; i++)
        failed |= run_file (argv[i]);
      return failed;
    }
  }
  if (argc > 2)
    seed = strtoul (argv[2], NULL, 10);
  printf ("%lu inputs from seed %lu\n", count, seed);
  fflush (stdout);
  {
    uint64_t state = seed * UINT64_C (0x9e3779b97f4a7c15) | 1;

    while (count-- > 0)
      run_one (&state);
  }
  printf ("%lu times all was found\n", found_all);
  return found_all == 0;
}

#endif /* !TALLY_LIBFUZZER */
