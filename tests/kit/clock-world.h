/* SPDX-License-Identifier: MIT */
/* Two devices and a hub, each with a clock that the test owns: what is done
 * there, and what was told of it. */

#ifndef TALLY_TEST_CLOCK_WORLD_H
#define TALLY_TEST_CLOCK_WORLD_H

#include "sync-world.h"

#define DAY INT64_C (86400000)
#define YEAR (365 * DAY)

enum { D1, D2, HUB, STORES };

struct clock {
  const uint64_t *now_ms;
  int64_t off_ms;
};

struct clock_world {
  struct world world;
  struct tally_setup setup;
  uint64_t now_ms;
  struct clock clocks[STORES];
  char log[8192];
};

struct clock_world *clock_make (const char *driver);

/* For cmocka; bare: without notes and collections, one entry a call. */
int clock_set_up (void **state);
int clock_set_up_bare (void **state);
int clock_tear_down (void **state);

#define CLOCK_TEST(function) \
  cmocka_unit_test_setup_teardown (function, clock_set_up, clock_tear_down)
#define CLOCK_TEST_BARE(function)                                           \
  {                                                                         \
#function " (bare)", function, clock_set_up_bare, clock_tear_down, NULL \
  }

void clock_pass (struct clock_world *f, uint64_t ms);

/* Runs a link, "l1" of d1 or "l2" of d2; good: which must work; held: which
 * must say this of what is held back. */
void clock_sync (struct clock_world *f, const char *link, struct kit_run *run);
void clock_good (struct clock_world *f, const char *link);
void clock_held (struct clock_world *f, const char *link, const char *why);

/* Both, that of d1 first. */
void clock_all_good (struct clock_world *f);

/* Sets one field, v to y, and leaves the others. */
void clock_put (struct clock_world *f, struct tally_replica *replica,
                const char *id, char field, int value);

/* All are equal and have so many documents, and nothing moves any more. */
void clock_settled (struct clock_world *f, uint64_t documents);

/* What was logged as an error or a warning, anywhere. */
void clock_logged (struct clock_world *f, const char *text);
size_t clock_lines (const struct clock_world *f, const char *text);

/* What a store holds back: how many, and the last of them. */
struct clock_found {
  unsigned n;
  char id[64], held[16], reason[256];
};

struct clock_found clock_list_held (struct clock_world *f, const char *store);

bool clock_is_ahead (struct tally_replica *replica);

/* So many conflicts all journals have together. */
size_t clock_conflicts (struct clock_world *f);

#endif /* TALLY_TEST_CLOCK_WORLD_H */
