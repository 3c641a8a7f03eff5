/* SPDX-License-Identifier: MIT */
/* A search that looks at many documents and finds few, which a store may do in
 * another order.  It finds what a plain count says, in the order of ids, with
 * any limit, and nothing that is deleted. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <tally/tally.h>

#define DOCUMENTS 9000
#define GROUPS 1000
#define LARGE 120 /* groups of documents that fill batches: 4.4 MB */

struct world {
  struct tally *tally;
  struct tally_replica *replica;
  char folder[64];
  char last[16];
  unsigned found;
};

static int
make_world (void **state)
{
  static struct world world;
  struct tally_error err;

  memset (&world, 0, sizeof world);
  strcpy (world.folder, "/tmp/tally-find-scan-XXXXXX");
  *state = &world;
  return mkdtemp (world.folder)
                 && tally_new (&world.tally, NULL, &err) == TALLY_OK
             ? 0
             : -1;
}

static int
end_world (void **state)
{
  struct world *world = *state;
  char command[96];

  tally_replica_close (world->replica);
  tally_free (world->tally);
  snprintf (command, sizeof command, "rm -rf %s", world->folder);
  return system (command);
}

static void
put_all (struct world *world)
{
  static char text[DOCUMENTS * 64 + DOCUMENTS / GROUPS * LARGE * 5000];
  struct tally_error err;
  char pad[4097];
  size_t at = 0;

  memset (pad, 'x', 4096);
  pad[4096] = '\0';
  for (unsigned i = 0; i < DOCUMENTS; i++)
    at += (size_t) snprintf (text + at, sizeof text - at,
                             "{\"_id\":\"d%05u\",\"n\":%u,\"p\":\"%s\"}\n",
                             i * 7919 % DOCUMENTS, i * 7919 % GROUPS,
                             i * 7919 % GROUPS >= GROUPS - LARGE ? pad : "");
  if (tally_put (world->replica, "c", text, at, NULL, NULL, NULL, &err)
      != TALLY_OK)
    fail_msg ("%s", err.text);
}

static void
open_store (struct world *world, const char *driver)
{
  struct tally_error err;
  char endpoint[128];

  snprintf (endpoint, sizeof endpoint, "%s:%s/%s", driver, world->folder,
            driver);
  if (tally_replica_open (&world->replica, world->tally, endpoint,
                          TALLY_OPEN_CREATE, &err)
      == TALLY_OK) {
    put_all (world);
    return;
  }
  world->replica = NULL;
  printf ("%s\n", err.text);
  skip ();
}

static int
take (void *ctx, const struct tally_document *document)
{
  struct world *world = ctx;

  assert_true (strcmp (document->id, world->last) > 0);
  assert_true (document->json_size > 20);
  snprintf (world->last, sizeof world->last, "%s", document->id);
  world->found++;
  return 0;
}

static void
finds (struct world *world, const char *query, uint64_t limit, unsigned wanted)
{
  struct tally_find_options options = { .size = sizeof options };
  struct tally_error err;

  options.limit = limit;
  world->found = 0;
  world->last[0] = '\0';
  if (tally_find (world->replica, "c", query, &options, take, world, &err)
      != TALLY_OK)
    fail_msg ("%s: %s", query, err.text);
  assert_int_equal (world->found, wanted);
}

static void
check (struct world *world, const char *driver)
{
  const unsigned each = DOCUMENTS / GROUPS;
  struct tally_error err;

  open_store (world, driver);
  finds (world, "{\"n\":7}", 0, each);
  finds (world, "{\"n\":{\"$lt\":100}}", 0, 100 * each);
  finds (world, "{\"n\":{\"$lt\":300}}", 0, 300 * each);
  finds (world, "{\"n\":{\"$lt\":100}}", 500, 500);
  /* None is among the first few hundred. */
  finds (world, "{\"n\":{\"$gte\":900}}", 0, 100 * each);
  finds (world, "{\"n\":{\"$gte\":900}}", 500, 500);
  finds (world, "{\"n\":{\"$gte\":880}}", 0, 120 * each);
  finds (world, "{\"n\":-1}", 0, 0);
  /* Hidden in a tombstone, a field must not bring it back. */
  if (tally_update (world->replica, "c", "{\"n\":7}", "{\"$set\":{\"m\":1}}",
                    NULL, NULL, NULL, &err)
          != TALLY_OK
      || tally_remove_found (world->replica, "c", "{\"n\":7}", NULL, NULL,
                             &err)
             != TALLY_OK)
    fail_msg ("%s", err.text);
  finds (world, "{\"n\":7}", 0, 0);
  finds (world, "{\"m\":1}", 0, 0);
  finds (world, "{\"n\":{\"$in\":[6,7,8]}}", 0, 2 * each);
  /* Documents without this field are what is left, and no tombstone. */
  finds (world, "{\"n\":{\"$exists\":false}}", 0, 0);
}

static void
test_memory (void **state)
{
  check (*state, "memory");
}

static void
test_sqlite (void **state)
{
  check (*state, "sqlite");
}

static void
test_linvo (void **state)
{
  check (*state, "linvo");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_memory, make_world, end_world),
    cmocka_unit_test_setup_teardown (test_sqlite, make_world, end_world),
    cmocka_unit_test_setup_teardown (test_linvo, make_world, end_world),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
