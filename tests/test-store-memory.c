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

enum { NODES = 5000 };

struct walked {
  const struct memory_node *before;
  enum memory_tree_order by;
  size_t n;
};

static bool
visit (void *ctx, const struct memory_node *node)
{
  struct walked *walked = ctx;
  const struct memory_node *before = walked->before;

  if (before) {
    struct tally_position at = { .id = { before->id, before->id_size } };

    memcpy (at.stamp, walked->by == MEMORY_BY_STAMP ? before->rev : node->rev,
            TALLY_STAMP_SIZE);
    assert_true (memory_compare_place (&at, node) < 0);
  }
  walked->before = node;
  walked->n++;
  return true;
}

static void
assert_order (const struct memory_tree *tree, size_t n)
{
  struct walked walked = { .by = tree->by };

  if (tree->by == MEMORY_BY_ID)
    memory_tree_walk (tree, NULL, visit, &walked);
  else
    memory_tree_scan (tree, NULL, visit, &walked);
  assert_int_equal (walked.n, n);
}

static struct memory_node *
make_node (size_t i)
{
  struct memory_node *node = calloc (1, sizeof *node + 24);

  assert_non_null (node);
  /* Half of them begin like others, for longer than a tree keeps at hand. */
  node->id_size = (size_t) snprintf (
      node->id, 24, i % 2 ? "%08zu" : "a long beginning%05zu", i % NODES);
  node->rev[TALLY_STAMP_SIZE - 1] = (unsigned char) (i * 37);
  return node;
}

/* Documents come in batches, in steps of `step`, each with room made for it
 * before; and go likewise. */
static void
come_and_go (size_t step)
{
  static struct memory_node *nodes[NODES];
  struct memory_tree trees[] = { { .by = MEMORY_BY_ID },
                                 { .by = MEMORY_BY_STAMP } };
  size_t n = 0, batch = 0;

  for (size_t k = 0; k < NODES; k++) {
    size_t i = k * step % NODES;

    nodes[i] = make_node (i);
    for (int by = 0; by < 2; by++) {
      if (batch == 0)
        assert_int_equal (memory_tree_reserve (&trees[by], 1 + k % 300), 0);
      memory_tree_insert (&trees[by], nodes[i]);
    }
    batch = batch == 0 ? k % 300 : batch - 1;
  }
  assert_order (&trees[0], NODES);
  assert_order (&trees[1], NODES);
  assert_in_range (trees[0].height, 2, 3);

  for (size_t i = 0; i < NODES; i++)
    if (i % 3 == 0 || i > NODES / 2) {
      memory_tree_remove (&trees[1], nodes[i]);
      memory_tree_remove (&trees[0], nodes[i]);
      memory_node_free (nodes[i]);
      nodes[i] = NULL;
    } else
      n++;
  assert_order (&trees[0], n);
  assert_order (&trees[1], n);
  for (size_t i = 0; i < NODES; i++) {
    struct memory_node *like = make_node (i);
    struct tally_slice id = { like->id, like->id_size };

    assert_ptr_equal (memory_tree_find (&trees[0], id), nodes[i]);
    memory_node_free (like);
  }
  for (size_t i = 0; i < NODES; i++)
    if (nodes[i] && i % 2) {
      memory_tree_remove (&trees[1], nodes[i]);
      memory_tree_remove (&trees[0], nodes[i]);
      memory_node_free (nodes[i]);
    }
  memory_tree_free (&trees[1], false);
  memory_tree_free (&trees[0], true);
}

static void
tree_keeps_order (void **state)
{
  (void) state;
  come_and_go (1);
  come_and_go (NODES - 1);
  come_and_go (1237);
}

/* What was emptied can be filled again, and needs no more room than before. */
static void
tree_gives_pages_back (void **state)
{
  struct memory_tree tree = { .by = MEMORY_BY_ID };
  struct memory_node *nodes[1000];
  size_t spares = 0;

  (void) state;
  for (unsigned round = 0; round < 3; round++) {
    assert_int_equal (memory_tree_reserve (&tree, 1000), 0);
    for (size_t i = 0; i < 1000; i++) {
      nodes[i] = make_node (i * 773 % 1000);
      memory_tree_insert (&tree, nodes[i]);
    }
    assert_order (&tree, 1000);
    for (size_t i = 0; i < 1000; i++) {
      memory_tree_remove (&tree, nodes[i]);
      memory_node_free (nodes[i]);
    }
    assert_null (tree.root);
    assert_int_equal (tree.height, 0);
    if (round > 0)
      assert_int_equal (tree.spares, spares);
    spares = tree.spares;
  }
  memory_tree_free (&tree, true);
}

int
main (void)
{
  const struct store_kit kit = { .driver = tally_driver_1 (),
                                 .persistent = false,
                                 .fresh = fresh };
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (large), cmocka_unit_test (same_name_apart),
    cmocka_unit_test (tree_keeps_order),
    cmocka_unit_test (tree_gives_pages_back)
  };
  int failed = store_kit_run (&kit);

  failed += cmocka_run_group_tests_name ("memory's own", tests, NULL, NULL);
  return failed != 0;
}
