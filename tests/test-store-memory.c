/* SPDX-License-Identifier: MIT */
/* The memory store against the contract, and what is its own: two handles
 * of one name never meet, a large, much rewritten store keeps its order, and
 * no order of ids makes its tree slow. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory-index.h"
#include "store-kit.h"

#define DOCUMENTS 20000u
#define BATCH 500u

static int
fresh (char *value, size_t size)
{
  return snprintf (value, size, "test") < 0;
}

static void *
open_store (const struct tally_store *store)
{
  struct tally_host host = { .size = sizeof host };
  struct tally_value values[1] = { { "test", 0 } };
  struct tally_error err;
  void *handle = NULL;

  assert_int_equal (store->open (&handle, &host, values, 0, &err), TALLY_OK);
  return handle;
}

static int
count (void *ctx, const struct tally_doc *doc)
{
  (void) doc;
  ++*(size_t *) ctx;
  return 0;
}

/* Puts documents first, first + step, … below DOCUMENTS, or forgets them. */
static void
put_every (const struct tally_store *store, void *handle, uint32_t flags,
           unsigned first, unsigned step)
{
  static const unsigned char rev[TALLY_REV_SIZE] = { 1 };
  struct tally_entry entries[BATCH];
  struct tally_outcome outcomes[BATCH];
  struct tally_error err;
  char ids[BATCH][16];
  size_t n = 0;

  for (unsigned i = first; i < DOCUMENTS; i += step) {
    memset (&entries[n], 0, sizeof entries[n]);
    snprintf (ids[n], sizeof ids[n], "%u", i);
    entries[n].collection = "things";
    entries[n].flags = flags;
    entries[n].expected = flags ? rev : NULL;
    entries[n].doc.id.data = ids[n];
    entries[n].doc.id.size = strlen (ids[n]);
    memcpy (entries[n].doc.rev, rev, sizeof rev);
    n++;
    if (n < BATCH && i + step < DOCUMENTS)
      continue;
    assert_int_equal (store->put (handle, entries, n, 0, outcomes, &err),
                      TALLY_OK);
    for (size_t k = 0; k < n; k++)
      assert_int_equal (outcomes[k].status, TALLY_OK);
    n = 0;
  }
}

/* Every document is found, or none of those forgotten. */
static void
assert_every (const struct tally_store *store, void *handle, unsigned first,
              unsigned step, size_t each)
{
  struct tally_error err;

  for (unsigned i = first; i < DOCUMENTS; i += step) {
    char id[16];
    struct tally_slice slice = { id, 0 };
    size_t found = 0;

    slice.size = (size_t) snprintf (id, sizeof id, "%u", i);
    assert_int_equal (
        store->get (handle, "things", &slice, 1, 0, count, &found, &err),
        TALLY_OK);
    assert_int_equal (found, each);
  }
}

static void
large (void **state)
{
  const struct tally_store *store = tally_driver_1 ()->store;
  void *handle = open_store (store);
  struct tally_error err;
  uint64_t head;
  size_t n = 0;

  (void) state;
  put_every (store, handle, 0, 0, 1);
  for (unsigned round = 0; round < 5; round++)
    put_every (store, handle, 0, round, 3);
  put_every (store, handle, TALLY_ENTRY_FORGET, 0, 2);
  assert_every (store, handle, 0, 2, 0);
  assert_every (store, handle, 1, 2, 1);
  put_every (store, handle, 0, 0, 6);
  assert_every (store, handle, 0, 6, 1);
  assert_int_equal (
      store->changes (handle, "things", 0, count, &n, &head, &err), TALLY_OK);
  assert_int_equal (n, DOCUMENTS / 2 + (DOCUMENTS + 5) / 6);
  put_every (store, handle, TALLY_ENTRY_FORGET, 1, 2);
  put_every (store, handle, TALLY_ENTRY_FORGET, 0, 6);
  n = 0;
  assert_int_equal (
      store->changes (handle, "things", 0, count, &n, &head, &err), TALLY_OK);
  assert_int_equal (n, 0);
  store->close (handle);
}

static void
same_name_apart (void **state)
{
  const struct tally_store *store = tally_driver_1 ()->store;
  void *one = open_store (store), *two = open_store (store);

  (void) state;
  put_every (store, one, 0, 0, 1000);
  assert_every (store, one, 0, 1000, 1);
  assert_every (store, two, 0, 1000, 0);
  store->close (one);
  store->close (two);
}

/* Returns the height; every node is in order and its sides level. */
static int
assert_level (const struct memory_node *node, enum memory_tree_order by)
{
  const struct memory_links *links;
  int left, right;

  if (!node)
    return 0;
  links = &node->links[by];
  left = assert_level (links->child[0], by);
  right = assert_level (links->child[1], by);
  assert_in_range (left - right + 1, 0, 2);
  for (int i = 0; i < 2; i++)
    if (links->child[i]) {
      struct tally_position at = { .id = { node->id, node->id_size } };
      const struct memory_node *child = links->child[i];

      memcpy (at.stamp, by == MEMORY_BY_STAMP ? node->rev : child->rev,
              TALLY_STAMP_SIZE);
      assert_int_equal (memory_compare_place (&at, child) < 0, i);
    }
  assert_int_equal (links->height, 1 + (left > right ? left : right));
  return links->height;
}

/* Whatever order they come and go in. */
static void
tree_stays_level (void **state)
{
  enum { N = 1000 };
  struct memory_node *nodes[N], *roots[MEMORY_TREES] = { NULL, NULL };

  (void) state;
  for (size_t i = 0; i < N; i++) {
    nodes[i] = calloc (1, sizeof *nodes[i] + 8);
    assert_non_null (nodes[i]);
    nodes[i]->id_size = (size_t) snprintf (nodes[i]->id, 8, "%05zu", i);
    nodes[i]->rev[TALLY_STAMP_SIZE - 1] = (unsigned char) (i * 37);
    for (int by = 0; by < MEMORY_TREES; by++) {
      memory_tree_insert (&roots[by], nodes[i], by);
      assert_level (roots[by], by);
    }
  }
  for (size_t i = 0; i < N; i++)
    if (i % 3 == 0 || i > N / 2) {
      for (int by = MEMORY_TREES - 1; by >= 0; by--) {
        memory_tree_remove (&roots[by], nodes[i], by);
        assert_level (roots[by], by);
      }
      memory_node_free (nodes[i]);
    }
  for (size_t i = 0; i < N; i++) {
    bool gone = i % 3 == 0 || i > N / 2;
    char id[8];
    struct tally_slice slice = { id, (size_t) snprintf (id, 8, "%05zu", i) };

    assert_ptr_equal (memory_tree_find (roots[MEMORY_BY_ID], slice),
                      gone ? NULL : nodes[i]);
  }
  memory_tree_free (roots[MEMORY_BY_ID]);
}

int
main (void)
{
  const struct store_kit kit = { .driver = tally_driver_1 (),
                                 .persistent = false,
                                 .fresh = fresh };
  const struct CMUnitTest tests[] = { cmocka_unit_test (large),
                                      cmocka_unit_test (same_name_apart),
                                      cmocka_unit_test (tree_stays_level) };
  int failed = store_kit_run (&kit);

  failed += cmocka_run_group_tests_name ("memory's own", tests, NULL, NULL);
  return failed != 0;
}
