/* SPDX-License-Identifier: MIT */
/* Three stores, wired with the drivers of sync-shim.h. */

#ifndef TALLY_TEST_SYNC_WORLD_H
#define TALLY_TEST_SYNC_WORLD_H

#include "sync-shim.h"

/* Two devices, each with a link of its name to a hub that is served in a
 * thread, all in one context. */
struct world {
  const char *driver; /* of all three stores */
  char folder[KIT_PATH];
  const struct tally_setup *setup; /* or NULL */
  const char *keep_deleted;        /* or NULL */
  struct tally *tally;
  struct tally_replica *d1, *d2, *hub;
  struct kit_server server;
};

/* Makes the folder; NULL: "held". */
void world_make (struct world *world, const char *driver);
void world_remove (struct world *world);

void world_open (struct world *world);
void world_close (struct world *world);

/* Makes and opens it over this driver, or skips the test. */
void world_start (struct world *world, const char *driver);

/* For cmocka: a world that is open, one that is yet to be made, and the end
 * of one. */
int world_set_up (void **state);
int world_set_up_empty (void **state);
int world_tear_down (void **state);

/* Where a store of a closed world is kept. */
void world_path (const struct world *world, const char *store,
                 char path[2 * KIT_PATH]);

/* All three are equal. */
void world_same (struct world *world);

/* Both devices in turn, and the first again. */
void world_sync (struct world *world);

/* n documents {"v":0}, named by a letter and three digits. */
void world_fill (struct tally_replica *replica, char letter, unsigned n);

/* kit_expect of all three. */
void world_expect (struct world *world, const char *collection, const char *id,
                   const char *part);

/* Another run of either device moves nothing, and all three are equal, with
 * so many documents. */
void world_settled (struct world *world, uint64_t documents);

#endif /* TALLY_TEST_SYNC_WORLD_H */
