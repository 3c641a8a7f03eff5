/* SPDX-License-Identifier: MIT */
/* Sorts that an index serves: the same documents in the same order as without
 * it, no more rows read than a limit wants, and none where a document sorts by
 * something else than its row. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <tally/tally.h>

#include "../core/context.h"
#include "../core/finder.h"

#define DOCUMENTS 1500

struct world {
  struct tally *tally;
  struct tally_replica *plain, *indexed;
  char folder[64];
  struct tally_find_plan plan;
};

/* ids, each with a blank. */
struct order {
  char ids[DOCUMENTS * 8];
  size_t size;
};

static struct tally_error err;

static void
must (int status)
{
  if (status != TALLY_OK)
    fail_msg ("%s", err.text);
}

static void
put (struct world *world, const char *text)
{
  must (tally_put (world->plain, "c", text, strlen (text), NULL, NULL, NULL,
                   &err));
  must (tally_put (world->indexed, "c", text, strlen (text), NULL, NULL, NULL,
                   &err));
}

static void
put_all (struct world *world)
{
  static char text[DOCUMENTS * 80];
  size_t at = 0;

  for (unsigned i = 0; i < DOCUMENTS; i++)
    at += (size_t) snprintf (
        text + at, sizeof text - at,
        i % 10 == 3
            ? "{\"_id\":\"d%04u\",\"a\":null,\"o\":{\"n\":\"x%u\"}}\n"
            : "{\"_id\":\"d%04u\",\"a\":%u,\"b\":%u,\"o\":{\"n\":%u}}\n",
        i, i * 7919 % 13, i * 31 % 101, i * 17 % 23);
  put (world, text);
}

static int
start (void **state)
{
  static struct world world;
  char name[128];

  memset (&world, 0, sizeof world);
  strcpy (world.folder, "/tmp/tally-find-order-XXXXXX");
  *state = &world;
  if (!mkdtemp (world.folder)
      || tally_new (&world.tally, NULL, &err) != TALLY_OK)
    return -1;
  snprintf (name, sizeof name, "sqlite:%s/i", world.folder);
  if (tally_replica_open (&world.indexed, world.tally, name, TALLY_OPEN_CREATE,
                          &err)
          != TALLY_OK
      || tally_replica_open (&world.plain, world.tally, "memory:p",
                             TALLY_OPEN_CREATE, &err)
             != TALLY_OK) {
    printf ("%s\n", err.text);
    return 0;
  }
  put_all (&world);
  return 0;
}

static int
end (void **state)
{
  struct world *world = *state;
  char command[96];

  tally_replica_close (world->plain);
  tally_replica_close (world->indexed);
  tally_free (world->tally);
  snprintf (command, sizeof command, "rm -rf %s", world->folder);
  return system (command);
}

static void
index_on (struct world *world, const char *fields, int sparse)
{
  struct tally_index_options options = { .size = sizeof options };

  options.sparse = sparse;
  must (tally_index (world->indexed, "c", fields, &options, &err));
}

static int
add_id (void *ctx, const struct tally_document *document)
{
  struct order *order = ctx;

  order->size +=
      (size_t) snprintf (order->ids + order->size,
                         sizeof order->ids - order->size, "%s ", document->id);
  return 0;
}

static void
keep_plan (void *ctx, const struct tally_find_plan *plan)
{
  memcpy (ctx, plan, sizeof *plan);
}

/* The same with an index and without; `ordered`, whether it served the sort.
 */
static void
agree (struct world *world, const char *query, const char *sort,
       uint64_t limit, int ordered)
{
  static struct order with, without;
  struct tally_find_options options = { .size = sizeof options };

  if (!world->plain)
    skip ();
  options.sort = sort;
  options.limit = limit;
  options.skip = limit / 2;
  options.explain = keep_plan;
  options.explain_ctx = &world->plan;
  with.size = without.size = 0;
  with.ids[0] = without.ids[0] = '\0';
  must (
      tally_find (world->plain, "c", query, &options, add_id, &without, &err));
  assert_false (world->plan.ordered);
  must (
      tally_find (world->indexed, "c", query, &options, add_id, &with, &err));
  assert_string_equal (with.ids, without.ids);
  assert_int_equal (world->plan.ordered, ordered);
  assert_int_equal (world->plan.sorted, !ordered);
}

static void
test_all_of_an_index (void **state)
{
  struct world *world = *state;

  index_on (world, "a", 0);
  agree (world, "{}", "a", 0, 1);
  agree (world, "{}", "-a", 0, 0);
  agree (world, "{\"a\":{\"$gt\":5}}", "a", 0, 1);
  agree (world, "{\"a\":{\"$in\":[7,null,3,\"x\"]}}", "a", 0, 1);
  agree (world, "{\"b\":7}", "a", 0, 0);
  agree (world, "{\"b\":{\"$gt\":50}}", "a", 20, 1);
}

static void
test_a_limit_reads_few_rows (void **state)
{
  struct world *world = *state;

  index_on (world, "-o.n,b", 0);
  agree (world, "{}", "-o.n,b", 0, 1);
  agree (world, "{}", "-o.n,b", 6, 1);
  assert_true (world->plan.rows <= 16);
  assert_true (world->plan.documents <= 16);
  agree (world, "{}", "-o.n", 6, 0);
}

static void
test_behind_what_is_equal (void **state)
{
  struct world *world = *state;

  index_on (world, "a,-b", 0);
  agree (world, "{\"a\":7}", "-b", 0, 1);
  assert_true (world->plan.rows < DOCUMENTS / 5);
  agree (world, "{\"a\":7,\"b\":{\"$lt\":50}}", "-b", 10, 1);
  agree (world, "{\"a\":{\"$in\":[7,8]}}", "-b", 0, 0);
  agree (world, "{\"a\":null}", "-b", 0, 0);
  agree (world, "{}", "a,-b", 0, 1);
}

/* What ties comes by id here, too. */
static void
test_backwards (void **state)
{
  struct world *world = *state;

  index_on (world, "a", 0);
  agree (world, "{}", "-a", 0, 0);
  agree (world, "{}", "-a", 6, 1);
  assert_true (world->plan.documents <= 16);
  agree (world, "{}", "-a", DOCUMENTS, 1);
  agree (world, "{\"a\":{\"$gt\":5}}", "-a", DOCUMENTS, 1);
  agree (world, "{\"a\":{\"$in\":[7,null,3,\"x\"]}}", "-a", DOCUMENTS, 1);
  agree (world, "{\"b\":{\"$gt\":50}}", "-a", 20, 1);
  /* More of one key than a batch. */
  index_on (world, "z", 0);
  agree (world, "{}", "-z", DOCUMENTS, 1);
  index_on (world, "a,-b", 0);
  agree (world, "{}", "-a,b", 40, 1);
  agree (world, "{}", "-a,-b", 40, 0);
  agree (world, "{\"a\":7}", "b", 10, 1);
  agree (world, "{\"a\":7,\"b\":{\"$lt\":50}}", "b", 10, 1);
  assert_true (world->plan.rows < DOCUMENTS / 5);
}

static void
test_not_where_rows_are_not_the_order (void **state)
{
  struct world *world = *state;

  index_on (world, "a", 1);
  agree (world, "{}", "a", 0, 0);
  index_on (world, "o.n", 0);
  agree (world, "{}", "o.n", 0, 1);
  /* One value, and it sorts as an array all the same. */
  put (world, "{\"_id\":\"e\",\"o\":[{\"n\":5}]}");
  agree (world, "{}", "o.n", 0, 0);
}

static void
test_more_than_fits_in_memory (void **state)
{
  struct world *world = *state;
  struct finder finder = { .collection = "c", .sort_bytes = 4096 }, without;
  struct field_list sort;
  unsigned found = 0;

  if (!world->plain)
    skip ();
  index_on (world, "a", 0);
  must (context_replica (&finder.replica, world->indexed, &err));
  must (query_parse (&finder.query, "{\"b\":{\"$gt\":50}}", &err));
  must (field_list_parse_sort (&sort, "a", &err));
  finder.sort = &sort;
  without = finder;
  must (finder_start (&finder, &err));
  assert_true (finder.in_order);
  while (!finder.done) {
    must (finder_next (&finder, &err));
    found += (unsigned) finder.found.count;
  }
  assert_true (found > DOCUMENTS / 4);
  finder_end (&finder);
  must (tally_index_drop (world->indexed, "c", "a", &err));
  assert_int_equal (finder_start (&without, &err), TALLY_UNSUPPORTED);
  finder_end (&without);
  query_free (finder.query);
  field_list_free (&sort);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, start, end)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (test_all_of_an_index),
    TEST (test_a_limit_reads_few_rows),
    TEST (test_behind_what_is_equal),
    TEST (test_backwards),
    TEST (test_not_where_rows_are_not_the_order),
    TEST (test_more_than_fits_in_memory),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
