/* SPDX-License-Identifier: MIT */
/* Random queries and updates over random documents, through every store that
 * there is, with and without indexes, against what plain/ makes of trees: what
 * is found, sorted, cut, projected and updated.  All must agree, and in the
 * end every index with the documents. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <tally/tally.h>

#include "../core/context.h"
#include "../core/indexes.h"
#include "place.h"
#include "plain/plain.h"

#define DOCUMENTS 60
#define QUERIES 150
#define ROUNDS 12

/* ---- the stores --------------------------------------------------------- */

struct world {
  struct tally *tally;
  struct tally_replica *replicas[6];
  const char *names[6];
  size_t n;
  char folder[PLACE_SIZE];
  uint64_t seed;
  unsigned ordered; /* sorts that an index served */
  unsigned updates; /* that could be done */
  uint64_t now_ms;  /* what all stores take for the time */
};

static uint64_t
wall_ms (void *ctx)
{
  const struct world *world = ctx;

  return world->now_ms;
}

static void
set_time (struct world *world, struct tally_replica *handle)
{
  struct time_source time = { wall_ms, system_time.sleep_ms, world };
  struct tally_error err = { 0, "" };
  struct replica *replica;

  assert_int_equal (context_replica (&replica, handle, &err), TALLY_OK);
  replica->time = time;
}

static void
open_store (struct world *world, const char *driver, unsigned number,
            bool indexed)
{
  struct tally_error err = { 0, "" };
  struct tally_replica *replica;
  char endpoint[128];

  snprintf (endpoint, sizeof endpoint, "%s:%s/%s%u%s", driver, world->folder,
            driver, number, indexed ? "i" : "");
  if (tally_replica_open (&replica, world->tally, endpoint, TALLY_OPEN_CREATE,
                          &err)
      != TALLY_OK) {
    printf ("%s: %s\n", endpoint, err.text);
    return;
  }
  set_time (world, replica);
  world->replicas[world->n] = replica;
  world->names[world->n++] = driver;
  for (unsigned i = 0; indexed && i < 7; i++) {
    static const char *const fields[] = { "a",   "-b",   "a.b,-c", "c.d",
                                          "a.0", "b,-a", "-b,c,a" };
    struct tally_index_options options = { .size = sizeof options };

    options.sparse = i == 3;
    if (tally_index (replica, "c", fields[i], &options, &err) != TALLY_OK)
      fail_msg ("%s: %s", fields[i], err.text);
  }
}

struct answer {
  char text[200000];
  size_t size, count;
};

static int
add_document (void *ctx, const struct tally_document *document)
{
  struct answer *answer = ctx;

  assert_true (answer->size + document->json_size + 2 < sizeof answer->text);
  memcpy (answer->text + answer->size, document->json, document->json_size);
  answer->size += document->json_size;
  answer->text[answer->size++] = '\n';
  answer->text[answer->size] = '\0';
  answer->count++;
  return 0;
}

static void
start_answer (struct answer *answer)
{
  answer->size = answer->count = 0;
  answer->text[0] = '\0';
}

static void
add_plain (struct answer *answer, const json_t *document)
{
  char *text = json_dumps (document, JSON_COMPACT | JSON_SORT_KEYS);

  strcpy (answer->text + answer->size, text);
  answer->size += strlen (text);
  answer->text[answer->size++] = '\n';
  answer->text[answer->size] = '\0';
  answer->count++;
  free (text);
}

static void
plain_answer (struct answer *answer, json_t *const *documents, size_t n,
              const json_t *query, const struct tally_find_options *options)
{
  const json_t *found[DOCUMENTS];
  size_t n_found = 0, end;

  for (size_t i = 0; i < n; i++)
    if (plain_match (query, documents[i]))
      found[n_found++] = documents[i];
  if (options->sort)
    plain_sort (found, n_found, options->sort);
  end = n_found;
  if (options->limit > 0 && options->skip + options->limit < n_found)
    end = (size_t) (options->skip + options->limit);
  start_answer (answer);
  for (size_t i = (size_t) options->skip; i < end; i++) {
    json_t *shown = options->fields ? plain_project (found[i], options->fields)
                                    : json_incref ((json_t *) found[i]);

    add_plain (answer, shown);
    json_decref (shown);
  }
}

static void
count_ordered (void *ctx, const struct tally_find_plan *plan)
{
  *(unsigned *) ctx += plan->ordered != 0;
}

static size_t
check_find (struct world *world, json_t *const *documents, size_t n,
            const json_t *query, struct tally_find_options *options)
{
  static struct answer plain, got;
  char *text = json_dumps (query, JSON_COMPACT);

  options->explain = count_ordered;
  options->explain_ctx = &world->ordered;
  plain_answer (&plain, documents, n, query, options);
  for (size_t i = 0; i < world->n; i++) {
    struct tally_error err = { 0, "" };

    start_answer (&got);
    if (tally_find (world->replicas[i], "c", text, options, add_document, &got,
                    &err)
        != TALLY_OK)
      fail_msg ("%s: %s", text, err.text);
    if (strcmp (got.text, plain.text) != 0)
      fail_msg ("%s %zu: %s by %s, skip %zu, limit %zu, of %s gives\n%s"
                "but should\n%s",
                world->names[i], i, text, options->sort ? options->sort : "id",
                (size_t) options->skip, (size_t) options->limit,
                options->fields ? options->fields : "all", got.text,
                plain.text);
  }
  free (text);
  return plain.count;
}

static size_t
check_query (struct world *world, json_t *const *documents, size_t n,
             const json_t *query)
{
  struct tally_find_options options = { .size = sizeof options };

  return check_find (world, documents, n, query, &options);
}

/* Sorted, cut and projected, all that match or all that there are. */
static void
check_sorted (struct world *world, struct rng *rng, json_t *const *documents,
              size_t n, const json_t *query)
{
  struct tally_find_options options = { .size = sizeof options };
  json_t *all = json_object ();

  options.sort = rng_one_in (rng, 8) ? NULL : random_sort (rng);
  options.skip = rng_one_in (rng, 2) ? rng_below (rng, 10) : 0;
  options.limit = rng_one_in (rng, 2) ? 1 + rng_below (rng, 10) : 0;
  options.fields = rng_one_in (rng, 2) ? random_fields (rng) : NULL;
  check_find (world, documents, n, rng_one_in (rng, 3) ? all : query,
              &options);
  json_decref (all);
}

/* ---- updates ------------------------------------------------------------ */

/* To all that match, or to none when it cannot be done to one of them. */
static bool
plain_update_all (json_t **documents, size_t n, const json_t *query,
                  const json_t *update, uint64_t now_ms)
{
  json_t *now[DOCUMENTS];
  bool good = true;

  for (size_t i = 0; i < n; i++) {
    now[i] = json_deep_copy (documents[i]);
    if (good && plain_match (query, documents[i]))
      good = plain_update (now[i], update, now_ms);
  }
  for (size_t i = 0; i < n; i++) {
    json_decref (good ? documents[i] : now[i]);
    if (good)
      documents[i] = now[i];
  }
  return good;
}

/* Of many documents there is nearly always one that it does not suit. */
static json_t *
random_target (struct rng *rng, json_t *const *documents, size_t n)
{
  const json_t *one = documents[rng_below (rng, (uint32_t) n)];

  if (rng_one_in (rng, 3))
    return random_query (rng, 1);
  return json_pack ("{sO}", "_id", json_object_get (one, "_id"));
}

static void
check_update (struct world *world, struct rng *rng, json_t **documents,
              size_t n, bool flat)
{
  json_t *update = random_update (rng, flat), *all = json_object ();
  json_t *query = random_target (rng, documents, n);
  char *text = json_dumps (query, JSON_COMPACT);
  char *change = json_dumps (update, JSON_COMPACT);
  bool good;

  world->now_ms += 1000;
  good = plain_update_all (documents, n, query, update, world->now_ms);
  for (size_t i = 0; i < world->n; i++) {
    struct tally_error err = { 0, "" };
    int status = tally_update (world->replicas[i], "c", text, change, NULL,
                               NULL, NULL, &err);

    if (status != (good ? TALLY_OK : TALLY_INVALID))
      fail_msg ("%s %s: %s", text, change,
                status == TALLY_OK ? "should not be possible" : err.text);
  }
  world->updates += good;
  check_query (world, documents, n, all);
  json_decref (all);
  json_decref (update);
  json_decref (query);
  free (change);
  free (text);
}

static void
check_indexes (struct world *world)
{
  for (size_t i = 0; i < world->n; i++) {
    struct tally_error err = { 0, "" };
    struct replica *replica;

    assert_int_equal (context_replica (&replica, world->replicas[i], &err),
                      TALLY_OK);
    if (indexes_check (replica, "c", &err) != TALLY_OK)
      fail_msg ("%s", err.text);
  }
}

static int
copy_first (void *ctx, const struct tally_doc *row)
{
  snprintf (ctx, 1024, "%.*s", (int) row->id.size, row->id.data);
  return 1;
}

/* A row that is not there, and one that nothing stands behind. */
static void
check_spoilt (struct world *world)
{
  static const unsigned char rev[TALLY_REV_SIZE] = { 1 };

  for (size_t i = 0; i < world->n; i++) {
    struct tally_error err = { 0, "" };
    struct tally_entry entry = { .collection = "_i:c", .expected = rev };
    struct tally_slice from = slice_text ("----");
    struct tally_outcome outcome;
    struct replica *replica;
    char row[1024] = "", more[1026];

    assert_int_equal (context_replica (&replica, world->replicas[i], &err),
                      TALLY_OK);
    assert_int_equal (indexes_check_all (replica, &err), TALLY_OK);
    assert_int_equal (replica_find (replica, "_i:c", &from, NULL,
                                    TALLY_FIND_IDS, copy_first, row, &err),
                      TALLY_OK);
    if (!row[0])
      continue;
    snprintf (more, sizeof more, "%sz", row);
    entry.doc.id = slice_text (more);
    entry.expected = NULL;
    memcpy (entry.doc.rev, rev, TALLY_REV_SIZE);
    assert_int_equal (
        replica_put_plain (replica, &entry, 1, 0, &outcome, &err), TALLY_OK);
    assert_int_equal (indexes_check_all (replica, &err), TALLY_CORRUPT);
    assert_non_null (strstr (err.text, "rows of no document"));
    entry.flags = TALLY_ENTRY_FORGET;
    entry.expected = rev;
    assert_int_equal (
        replica_put_plain (replica, &entry, 1, 0, &outcome, &err), TALLY_OK);
    assert_int_equal (indexes_check_all (replica, &err), TALLY_OK);
  }
}

/* ---- rounds ------------------------------------------------------------- */

/* How many documents its queries found. */
static size_t
run_round (struct world *world, struct rng *rng, unsigned number)
{
  static const char *const drivers[] = { "memory", "sqlite", "linvo" };
  json_t *documents[DOCUMENTS];
  bool flat = number % 3 == 1;
  size_t found = 0;

  world->n = 0;
  for (size_t i = 0; i < 6; i++)
    open_store (world, drivers[i / 2], number, i % 2);
  if (world->n == 0)
    skip ();
  for (unsigned i = 0; i < DOCUMENTS; i++) {
    char *text;

    documents[i] = random_document (rng, i, flat);
    text = json_dumps (documents[i], JSON_COMPACT);
    for (size_t k = 0; k < world->n; k++) {
      struct tally_error err = { 0, "" };

      if (tally_put (world->replicas[k], "c", text, strlen (text), NULL, NULL,
                     NULL, &err)
          != TALLY_OK)
        fail_msg ("%s: %s", text, err.text);
    }
    free (text);
  }
  for (unsigned i = 0; i < QUERIES; i++) {
    json_t *query = random_query (rng, 2);

    found += check_query (world, documents, DOCUMENTS, query);
    check_sorted (world, rng, documents, DOCUMENTS, query);
    json_decref (query);
    if (rng_one_in (rng, 3))
      check_update (world, rng, documents, DOCUMENTS, flat);
  }
  check_indexes (world);
  if (number == 0)
    check_spoilt (world);
  for (unsigned i = 0; i < DOCUMENTS; i++)
    json_decref (documents[i]);
  for (size_t i = 0; i < world->n; i++)
    tally_replica_close (world->replicas[i]);
  return found;
}

static void
test_all_agree (void **state)
{
  struct world *world = *state;
  struct rng rng = { .state = world->seed };
  struct tally_error err = { 0, "" };
  unsigned rounds = rng_tries (ROUNDS);
  size_t found = 0;

  if (tally_new (&world->tally, NULL, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  world->now_ms = system_time.wall_ms (system_time.ctx);
  for (unsigned i = 0; i < rounds; i++)
    found += run_round (world, &rng, i);
  tally_free (world->tally);
  /* A matcher that is never satisfied would agree with any other.  One round
   * may find little, when an update has made all documents alike. */
  assert_true (found > (rounds - 1) * QUERIES / 4);
  assert_true (world->updates > rounds);
  assert_true (rounds < 2 || world->n < 2 || world->ordered > 0);
}

static int
make_folder (void **state)
{
  struct world *world = *state;

  return place_make (world->folder, "differential") ? 0 : -1;
}

static int
remove_folder (void **state)
{
  const struct world *world = *state;
  char command[96];

  snprintf (command, sizeof command, "rm -rf %s", world->folder);
  return system (command);
}

int
main (void)
{
  static struct world world;
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_prestate_setup_teardown (test_all_agree, make_folder,
                                              remove_folder, &world)
  };

  world.seed = rng_start ("differential").state;
  if (cmocka_run_group_tests (tests, NULL, NULL) == 0)
    return 0;
  /* Said last, and without a word on the memory that a failure leaves, or a
   * sanitizer's list would hide it. */
  printf ("again with TALLY_TEST_SEED=%llu\n",
          (unsigned long long) world.seed);
  fflush (stdout);
  _exit (1);
}
