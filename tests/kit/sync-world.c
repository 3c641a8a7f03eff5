/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync-world.h"

void
world_make (struct world *world, const char *driver)
{
  memset (world, 0, sizeof *world);
  world->driver = driver ? driver : "held";
  kit_folder_make (world->folder);
}

void
world_remove (struct world *world)
{
  if (world->tally)
    world_close (world);
  kit_folder_remove (world->folder);
  shim_reset ();
}

int
world_set_up (void **state)
{
  struct world *world = calloc (1, sizeof *world);

  assert_non_null (world);
  world_make (world, NULL);
  world_open (world);
  *state = world;
  return 0;
}

int
world_set_up_empty (void **state)
{
  *state = calloc (1, sizeof (struct world));
  assert_non_null (*state);
  return 0;
}

int
world_tear_down (void **state)
{
  struct world *world = *state;

  if (world->folder[0])
    world_remove (world);
  free (world);
  return 0;
}

void
world_start (struct world *world, const char *driver)
{
  struct tally *tally = kit_context (NULL, "[tally]\ndevice = test\n");
  bool found =
      strcmp (driver, "held") == 0 || kit_has_driver (tally, driver, "store");

  tally_free (tally);
  if (!found) {
    print_message ("there is no driver %s\n", driver);
    skip ();
  }
  world_make (world, driver);
  world_open (world);
}

void
world_path (const struct world *world, const char *store,
            char path[2 * KIT_PATH])
{
  assert_true (snprintf (path, 2 * KIT_PATH, "%s/%s", world->folder, store)
               < 2 * KIT_PATH);
}

void
world_open (struct world *world)
{
  const char *driver = world->driver, *key = "path", *at = world->folder;

  if (strcmp (driver, "held") == 0 || strcmp (driver, "bare") == 0) {
    key = "name";
    at = "held";
  }

  world->tally =
      kit_context (world->setup,
                   "[tally]\nkeep_deleted = %s\n"
                   "[store d1]\ndriver = %s\n%s = %s/d1\n"
                   "[store d2]\ndriver = %s\n%s = %s/d2\n"
                   "[store hub]\ndriver = %s\n%s = %s/hub\n"
                   "[transport wire]\ndriver = wire\n"
                   "[serve it]\ntransport = wire\nstore = hub\n"
                   "[sync l1]\nstore = d1\ntransport = wire\n"
                   "[sync l2]\nstore = d2\ntransport = wire\n",
                   world->keep_deleted ? world->keep_deleted : "90d", driver,
                   key, at, driver, key, at, driver, key, at);
  shim_register (world->tally);
  world->d1 = kit_store (world->tally, "d1");
  world->d2 = kit_store (world->tally, "d2");
  world->hub = kit_store (world->tally, "hub");
  kit_serve (&world->server, world->tally, "it");
}

void
world_close (struct world *world)
{
  kit_serve_end (&world->server);
  tally_replica_close (world->d1);
  tally_replica_close (world->d2);
  tally_replica_close (world->hub);
  tally_free (world->tally);
  world->tally = NULL;
}

void
world_same (struct world *world)
{
  kit_same (world->d1, world->hub);
  kit_same (world->d2, world->hub);
}

void
world_sync (struct world *world)
{
  struct kit_run run;

  kit_sync (&run, world->tally, "l1");
  kit_sync (&run, world->tally, "l2");
  kit_sync (&run, world->tally, "l1");
}

void
world_fill (struct tally_replica *replica, char letter, unsigned n)
{
  for (unsigned i = 0; i < n; i++)
    kit_put (replica, "notes", "{\"_id\":\"%c%03u\",\"v\":0}", letter, i);
}

void
world_expect (struct world *world, const char *collection, const char *id,
              const char *part)
{
  kit_expect (world->d1, collection, id, part);
  kit_expect (world->d2, collection, id, part);
  kit_expect (world->hub, collection, id, part);
}

void
world_settled (struct world *world, uint64_t documents)
{
  struct kit_run run;

  kit_sync (&run, world->tally, "l1");
  kit_expect_nothing (&run, 2);
  kit_sync (&run, world->tally, "l2");
  kit_expect_nothing (&run, 2);
  world_same (world);
  kit_verify (world->tally, "d1", "wire", documents);
  kit_verify (world->tally, "d2", "wire", documents);
  kit_verify (world->tally, "d1", "d2", documents);
}
