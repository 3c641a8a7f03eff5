/* SPDX-License-Identifier: MIT */
/* What an engine alone can do with a store's records. */

#ifndef TALLY_BENCH_LIMIT_H
#define TALLY_BENCH_LIMIT_H

#include <stdint.h>

struct engine {
  const char *driver;
  /* Seconds; the store at path is closed and stays as it is. */
  double (*write) (const char *path, const char *scratch, uint64_t n,
                   uint64_t batch);
  double (*read) (const char *path, uint64_t n);
  /* Writes the records without compression or empty room. */
  void (*pack) (const char *path, const char *scratch);
};

extern const struct engine engine_linvo, engine_sqlite;

#endif /* TALLY_BENCH_LIMIT_H */
