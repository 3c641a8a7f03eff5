/* SPDX-License-Identifier: MIT */
/* A pass over a sqlite store in the order of arrival, and writes between its
 * batches: each document is found once, in the order of ids, and as it was
 * when the pass met it last. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/finder.h"
#include "../core/replica.h"
#include "../core/write.h"
#include "sqlite-folder.h"
#include "sqlite-replica.h"

#define DOCUMENTS 9000
#define EVERY 100 /* of these one matches */

static int
make (void **state)
{
  (void) state;
  return folder_make ();
}

static int
remove_all (void **state)
{
  (void) state;
  folder_remove ();
  return 0;
}

/* Of documents from `from` on; n is what they match by. */
static void
put (struct replica *replica, unsigned from, unsigned count, unsigned n)
{
  struct write_item *items = calloc (count, sizeof *items);
  struct write_result *results = calloc (count, sizeof *results);
  char (*texts)[2][64] = calloc (count, sizeof *texts);
  struct tally_error err;

  assert_true (items && results && texts);
  for (unsigned i = 0; i < count; i++) {
    snprintf (texts[i][0], 64, "k%05u", from + i);
    snprintf (texts[i][1], 64, "{\"_id\":\"k%05u\",\"n\":%u}", from + i,
              n > 0 ? n : (from + i) % EVERY);
    items[i].id = slice_text (texts[i][0]);
    items[i].body = slice_text (texts[i][1]);
  }
  assert_int_equal (write_batch (replica, "c", items, count, results, &err),
                    TALLY_OK);
  free (texts);
  free (results);
  free (items);
}

static void
fill (struct replica *replica)
{
  for (unsigned i = 0; i < DOCUMENTS; i += 500)
    put (replica, i, 500, 0);
}

struct search {
  struct finder finder;
  struct query *query;
  char last[16];
  unsigned found, other;
};

static void
start (struct search *search, struct replica *replica, const char *query)
{
  struct tally_error err;

  memset (search, 0, sizeof *search);
  assert_int_equal (query_parse (&search->query, query, &err), TALLY_OK);
  search->finder.replica = replica;
  search->finder.collection = "c";
  search->finder.query = search->query;
  assert_int_equal (finder_start (&search->finder, &err), TALLY_OK);
}

static void
next (struct search *search)
{
  const struct doclist *found = &search->finder.found;
  struct tally_error err;

  assert_int_equal (finder_next (&search->finder, &err), TALLY_OK);
  assert_true (found->count <= FINDER_BATCH);
  for (size_t i = 0; i < found->count; i++) {
    const struct tally_doc *doc = &found->docs[i];
    char id[16] = "";

    assert_true (doc->id.size < sizeof id);
    memcpy (id, doc->id.data, doc->id.size);
    assert_true (strcmp (id, search->last) > 0);
    strcpy (search->last, id);
    search->found++;
    search->other += doc->body.data[doc->body.size - 2] == '0';
  }
}

static void
end (struct search *search)
{
  while (!search->finder.done)
    next (search);
  finder_end (&search->finder);
  query_free (search->query);
}

static void
what_is_written_meanwhile_is_found_once (void **state)
{
  char path[4096];
  struct replica *replica;
  struct search search;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  replica = open_replica (path);
  fill (replica);
  start (&search, replica, "{\"n\":{\"$in\":[7,7000]}}");
  next (&search);
  assert_true (search.finder.passing);
  assert_int_equal (search.found, 3);
  next (&search);
  assert_int_equal (search.found, 3);
  put (replica, 307, 1, 7000);            /* was met */
  put (replica, DOCUMENTS - 93, 1, 7000); /* is to be met */
  put (replica, 8, 1, 7000);              /* the walk is past it */
  put (replica, DOCUMENTS, 1, 7000);      /* was not there */
  end (&search);
  assert_int_equal (search.found, DOCUMENTS / EVERY + 1);
  assert_int_equal (search.other, 3);
  replica_close (replica);
}

static void
a_pass_that_finds_too_much_goes_on_by_id (void **state)
{
  char path[4096];
  struct replica *replica;
  struct search search;

  (void) state;
  assert_int_equal (folder_fresh (path, sizeof path), 0);
  replica = open_replica (path);
  fill (replica);
  for (unsigned i = 300; i < DOCUMENTS; i += 500)
    put (replica, i, i + 500 < DOCUMENTS ? 500 : DOCUMENTS - i, 7000);
  start (&search, replica, "{\"n\":7000}");
  next (&search);
  assert_true (search.finder.passing);
  end (&search);
  assert_false (search.finder.passing);
  assert_int_equal (search.found, DOCUMENTS - 300);
  replica_close (replica);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (what_is_written_meanwhile_is_found_once,
                                     make, remove_all),
    cmocka_unit_test_setup_teardown (a_pass_that_finds_too_much_goes_on_by_id,
                                     make, remove_all),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
