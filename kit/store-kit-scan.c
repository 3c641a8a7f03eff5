/* SPDX-License-Identifier: MIT */
/* What scan and digest must do, of a store that has them: after random
 * batches both must be what the test's own list says, whatever conflicted, was
 * refused as a whole, was forgotten, or was closed in between. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tally/digest.h>

#include "fake-print.h"
#include "store-kit-impl.h"

#define IDS 60
#define BATCH 40

static const char *const names[] = { "things", "others" };

/* What is stored under an id; n 0: nothing. */
struct thing {
  unsigned n;
  bool deleted;
};

struct model {
  uint64_t random;
  unsigned last; /* n of the newest rev */
  struct thing things[COUNT (names)][IDS];
};

static unsigned
draw (struct model *model, unsigned below)
{
  model->random ^= model->random << 13;
  model->random ^= model->random >> 7;
  model->random ^= model->random << 17;
  return (unsigned) (model->random >> 20) % below;
}

static void
make_id (char id[16], unsigned i)
{
  snprintf (id, 16, "%.*s%u", (int) (i % 4), "idid", i);
}

static struct tally_slice
id_slice (char id[16], unsigned i)
{
  struct tally_slice slice = { id, 0 };

  make_id (id, i);
  slice.size = strlen (id);
  return slice;
}

/* Every third stamp is that of the rev before. */
static void
tied_rev (unsigned char rev[TALLY_REV_SIZE], unsigned n)
{
  unsigned char before[TALLY_REV_SIZE];

  make_rev (rev, n);
  make_rev (before, n - 1);
  if (n > 0 && n % 3 == 0)
    memcpy (rev, before, TALLY_STAMP_SIZE);
}

static bool
is_live (const struct thing *thing)
{
  return thing->n && !thing->deleted;
}

/* ---- what they must give ---- */

struct item {
  char id[16];
  unsigned char rev[TALLY_REV_SIZE];
};

static int
item_compare (const void *left, const void *right)
{
  const struct item *a = left, *b = right;
  int order = memcmp (a->rev, b->rev, TALLY_STAMP_SIZE);

  return order ? order : strcmp (a->id, b->id);
}

/* The live ones in their order. */
static size_t
model_items (const struct model *model, size_t c, struct item items[IDS])
{
  size_t n = 0;

  for (unsigned i = 0; i < IDS; i++)
    if (is_live (&model->things[c][i])) {
      make_id (items[n].id, i);
      tied_rev (items[n++].rev, model->things[c][i].n);
    }
  qsort (items, n, sizeof *items, item_compare);
  return n;
}

static struct tally_position
item_position (const struct item *item)
{
  struct tally_position at = { .id = { item->id, strlen (item->id) } };

  memcpy (at.stamp, item->rev, TALLY_STAMP_SIZE);
  return at;
}

static void
assert_scan (struct kit *k, const char *collection, const struct item *items,
             size_t n, const struct tally_position *from,
             const struct tally_position *to)
{
  struct rows *rows = rows_new (0), *rest;
  uint64_t seq = 0, head;
  int status = k->ops->scan (k->handle, collection, from, to, keep_row, rows,
                             &seq, &k->err);

  if (status)
    kit_note ("scan: %s", k->err.text);
  assert_int_equal (status, TALLY_OK);
  assert_int_equal (rows->n, n);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal (rows->docs[i].id.size, strlen (items[i].id));
    assert_memory_equal (rows->ids[i], items[i].id, strlen (items[i].id));
    assert_memory_equal (rows->docs[i].rev, items[i].rev, TALLY_REV_SIZE);
    assert_int_equal (rows->docs[i].flags, 0);
    assert_int_equal (rows->docs[i].meta.size, 0);
    assert_int_equal (rows->docs[i].body.size, 0);
    assert_true (rows->docs[i].seq <= seq);
  }
  rest = get_changes (k, collection, seq, 0, &head);
  assert_int_equal (rest->n, 0);
  rows_free (rest);
  rows_free (rows);
}

/* All of it, and some ranges. */
static void
assert_scans (struct kit *k, struct model *model, size_t c)
{
  struct item items[IDS];
  size_t n = model_items (model, c, items);

  assert_scan (k, names[c], items, n, NULL, NULL);
  for (unsigned round = 0; n > 0 && round < 4; round++) {
    size_t a = draw (model, (unsigned) n), b = draw (model, (unsigned) n);
    struct tally_position from = item_position (&items[a]);
    struct tally_position to = item_position (&items[b]);
    size_t until = b > a ? b - a : 0;

    assert_scan (k, names[c], items + a, n - a, &from, NULL);
    assert_scan (k, names[c], items, b, NULL, &to);
    assert_scan (k, names[c], items + a, until, &from, &to);
    /* A stamp alone stands before all that have it. */
    from.id.size = 0;
    while (a > 0
           && memcmp (items[a - 1].rev, from.stamp, TALLY_STAMP_SIZE) == 0)
      a--;
    assert_scan (k, names[c], items + a, n - a, &from, NULL);
    assert_scan (k, names[c], items, a, NULL, &from);
  }
}

static void
assert_digest (struct kit *k, const struct model *model, size_t c,
               unsigned flags)
{
  struct tally_digest wanted = { 0 }, found;
  struct rows *rest;
  uint64_t head;
  int status;

  for (unsigned i = 0; i < IDS; i++)
    if (is_live (&model->things[c][i])) {
      unsigned char bytes[TALLY_FINGERPRINT_SIZE], rev[TALLY_REV_SIZE];
      char text[16];
      struct tally_slice id = id_slice (text, i);

      tied_rev (rev, model->things[c][i].n);
      fake_print (&id, rev, bytes);
      tally_digest_add (&wanted, bytes);
    }
  memset (&found, 0xff, sizeof found);
  status =
      k->ops->digest (k->handle, names[c], flags, fake_print, &found, &k->err);
  if (status)
    kit_note ("digest: %s", k->err.text);
  assert_int_equal (status, TALLY_OK);
  assert_true (found.count == wanted.count);
  assert_memory_equal (found.sum, wanted.sum, sizeof wanted.sum);
  assert_memory_equal (found.counters, wanted.counters,
                       sizeof wanted.counters);
  rest = get_changes (k, names[c], found.seq, 0, &head);
  assert_int_equal (rest->n, 0);
  rows_free (rest);
}

/* ---- batches ---- */

struct change {
  size_t c;
  unsigned i, n;
  unsigned char rev[TALLY_REV_SIZE];
  unsigned char add[TALLY_FINGERPRINT_SIZE], subtract[TALLY_FINGERPRINT_SIZE];
  char id[16];
  bool fits;
};

/* One in eight expects what is not there. */
static void
make_change (struct model *model, struct change *change,
             struct tally_entry *entry, size_t c, unsigned i)
{
  struct thing *thing = &model->things[c][i];
  struct tally_slice id = id_slice (change->id, i);
  unsigned dice = draw (model, 8);

  change->c = c;
  change->i = i;
  change->n = ++model->last;
  change->fits = dice != 0;
  tied_rev (change->rev, change->fits ? thing->n : change->n + 20000);
  *entry = make_entry (names[c], change->id, change->rev, change->n, "{}");
  tied_rev (entry->doc.rev, change->n);
  if (dice < 3)
    entry->doc.flags = TALLY_DOC_DELETED;
  if (dice == 3)
    entry->flags = TALLY_ENTRY_FORGET;
  fake_print (&id, entry->doc.rev, change->add);
  fake_print (&id, change->rev, change->subtract);
  if (!(entry->flags & TALLY_ENTRY_FORGET) && !entry->doc.flags)
    entry->add = change->add;
  /* Also over a tombstone: only the store knows that it is one. */
  if (thing->n || !change->fits)
    entry->subtract = change->subtract;
}

static size_t
make_batch (struct model *model, struct change *changes,
            struct tally_entry *entries)
{
  bool taken[COUNT (names)][IDS] = { { false } };
  size_t n = 0;

  for (unsigned round = draw (model, BATCH); n < BATCH && round > 0; round--) {
    size_t c = draw (model, COUNT (names));
    unsigned i = draw (model, IDS);

    if (taken[c][i])
      continue;
    taken[c][i] = true;
    make_change (model, &changes[n], &entries[n], c, i);
    n++;
  }
  return n;
}

static void
follow (struct model *model, const struct change *changes,
        const struct tally_entry *entries, size_t n, bool all)
{
  bool refused = false;

  for (size_t i = 0; i < n; i++)
    refused = refused || (all && !changes[i].fits);
  for (size_t i = 0; i < n && !refused; i++) {
    struct thing *thing = &model->things[changes[i].c][changes[i].i];
    bool forget = entries[i].flags & TALLY_ENTRY_FORGET;

    if (!changes[i].fits)
      continue;
    thing->n = forget ? 0 : changes[i].n;
    thing->deleted = !forget && entries[i].doc.flags;
  }
}

/* In pieces where the driver has no batches. */
static void
put_batch (struct kit *k, struct model *model, bool all)
{
  static struct change changes[BATCH];
  struct tally_entry entries[BATCH];
  struct tally_outcome outcomes[BATCH];
  size_t n = make_batch (model, changes, entries), most, i;

  most = k->ops->max_entries ? k->ops->max_entries : n;
  if (most < n)
    all = false;
  for (i = 0; i < n; i += most)
    put_entries (k, entries + i, n - i < most ? n - i : most,
                 all ? TALLY_PUT_ALL : 0, outcomes + i);
  for (i = 0; i < n; i++)
    assert_int_equal (outcomes[i].status,
                      changes[i].fits ? TALLY_OK : TALLY_CONFLICT);
  follow (model, changes, entries, n, all);
}

static void
both_follow_random_batches (void **state)
{
  struct kit *k = *state;
  struct model model = { .random = 88172645463325252u };

  for (unsigned round = 0; round < 60; round++) {
    put_batch (k, &model, round % 3 == 0);
    if (round % 7 == 6)
      kit_reopen (k);
    for (size_t c = 0; c < COUNT (names); c++) {
      if (k->ops->scan)
        assert_scans (k, &model, c);
      if (k->ops->digest)
        assert_digest (k, &model, c, round % 5 == 4 ? TALLY_DIGEST_ANEW : 0);
    }
  }
}

static void
both_of_nothing (void **state)
{
  struct kit *k = *state;
  struct model model = { .random = 1 };

  for (unsigned round = 0; round < 2; round++) {
    if (k->ops->scan)
      assert_scan (k, names[0], NULL, 0, NULL, NULL);
    if (k->ops->digest) {
      assert_digest (k, &model, 0, 0);
      assert_digest (k, &model, 0, TALLY_DIGEST_ANEW);
    }
    put_one (k, names[1], "a", 1);
    kit_reopen (k);
  }
}

static void
scan_stops (void **state)
{
  struct kit *k = *state;
  struct rows *rows = rows_new (2);
  uint64_t seq = 0, last;

  if (!k->ops->scan) {
    rows_free (rows);
    skip ();
  }
  put_one (k, "things", "c", 1);
  put_one (k, "things", "b", 2);
  last = put_one (k, "things", "a", 3);
  assert_int_equal (k->ops->scan (k->handle, "things", NULL, NULL, keep_row,
                                  rows, &seq, &k->err),
                    TALLY_OK);
  assert_int_equal (rows->n, 2);
  assert_row (rows, 0, "c", 1);
  assert_row (rows, 1, "b", 2);
  assert_true (seq >= last);
  rows_free (rows);
  put_one (k, "things", "d", 4);
}

/* Puts by somebody who hands in none, and then one who does. */
static void
digest_lost_is_made (void **state)
{
  struct kit *k = *state;
  struct model model = { .random = 88172645463325252u, .last = 100 };
  char id[16];

  if (!k->ops->digest)
    skip ();
  for (unsigned round = 0; round < 4; round++) {
    put_batch (k, &model, false);
    make_id (id, round);
    model.last += model.last % 3 == 2 ? 2 : 1; /* no tie, for put_one */
    model.things[0][round].n = model.last;
    model.things[0][round].deleted = false;
    put_one (k, names[0], id, model.last);
    if (round % 2)
      kit_reopen (k);
    put_batch (k, &model, false);
    for (size_t c = 0; c < COUNT (names); c++)
      assert_digest (k, &model, c, 0);
    put_batch (k, &model, false);
    kit_reopen (k);
    for (size_t c = 0; c < COUNT (names); c++)
      assert_digest (k, &model, c, 0);
  }
}

/* What is given to a reader is right, and nothing is written. */
static void
digest_readonly (void **state)
{
  struct kit *k = *state;
  struct model model = { .random = 88172645463325252u, .last = 100 };

  if (!k->ops->digest || !k->kit->persistent)
    skip ();
  put_batch (k, &model, false);
  model.things[0][0].n = 7;
  model.things[0][0].deleted = false;
  put_one (k, names[0], "0", 7);
  kit_close (k);
  assert_int_equal (kit_open (k, TALLY_OPEN_READONLY), TALLY_OK);
  for (size_t c = 0; c < COUNT (names); c++) {
    assert_digest (k, &model, c, 0);
    assert_digest (k, &model, c, TALLY_DIGEST_ANEW);
  }
}

const struct kit_check kit_scan_tests[] = {
  KIT_CHECK (both_follow_random_batches, "scan",
             "scan and digest say what is stored, after random batches and "
             "reopening"),
  KIT_CHECK (both_of_nothing, "scan",
             "of an empty collection there is nothing to scan, and a digest "
             "of nothing"),
  KIT_CHECK (scan_stops, "scan",
             "an emit that says stop ends it, with TALLY_OK"),
  KIT_CHECK (digest_lost_is_made, "digest",
             "fingerprints that were not handed in are made up for"),
  KIT_CHECK (digest_readonly, "digest",
             "a reader is told a right digest, and nothing is written"),
  { 0 },
};
