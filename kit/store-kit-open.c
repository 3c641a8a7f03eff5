/* SPDX-License-Identifier: MIT */
/* Opening and reopening, and any history against a model in memory. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store-kit-impl.h"

#define MODEL_IDS 24
#define MODEL_COLLECTIONS 3

static void
open_persists (void **state)
{
  struct kit *k = *state;
  struct rows *rows;
  uint64_t first, second, head;

  if (!k->kit->persistent)
    skip ();
  first = put_one (k, "things", "b", 1);
  second = put_one (k, "things", "a", 2);
  kit_reopen (k);
  kit_reopen (k);
  rows = get_changes (k, "things", 0, 0, &head);
  assert_int_equal (rows->n, 2);
  assert_row (rows, 0, "b", 1);
  assert_row (rows, 1, "a", 2);
  assert_int_equal (rows->docs[0].seq, first);
  assert_int_equal (rows->docs[1].seq, second);
  rows_free (rows);
  kit_close (k);
  assert_int_equal (kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
  assert_stored (k, "things", "a", 2);
  kit_close (k);
  assert_int_equal (kit_open (k, TALLY_OPEN_READONLY), TALLY_OK);
  assert_stored (k, "things", "a", 2);
  rows_free (get_changes (k, "things", 0, 0, &head));
}

static void
open_missing (void **state)
{
  static const unsigned flags[] = { 0, TALLY_OPEN_READONLY };
  struct kit *k = *state;
  struct stat st;

  if (!k->kit->persistent)
    skip ();
  kit_close (k);
  assert_int_equal (k->kit->fresh (k->value, sizeof k->value), 0);
  for (size_t i = 0; i < COUNT (flags); i++) {
    memset (&k->err, 0, sizeof k->err);
    assert_int_equal (kit_open (k, flags[i]), TALLY_NOTFOUND);
    assert_int_equal (k->err.status, TALLY_NOTFOUND);
    assert_non_null (strchr (k->err.text, ':'));
    assert_int_equal (stat (k->value, &st), -1);
    assert_int_equal (errno, ENOENT);
    k->handle = NULL;
  }
}

static void
open_two (void **state)
{
  struct kit *k = *state;
  struct kit other = *k;

  assert_int_equal (other.kit->fresh (other.value, sizeof other.value), 0);
  assert_int_equal (kit_open (&other, TALLY_OPEN_CREATE), TALLY_OK);
  put_one (k, "things", "a", 1);
  assert_stored (&other, "things", "a", 0);
  put_one (&other, "things", "a", 2);
  assert_stored (k, "things", "a", 1);
  kit_close (&other);
  assert_stored (k, "things", "a", 1);
}

struct model {
  uint32_t random;
  uint64_t last; /* greatest seq given */
  struct {
    unsigned n; /* 0: not there */
    uint64_t seq;
    uint32_t flags;
  } docs[MODEL_COLLECTIONS][MODEL_IDS];
};

static const char *const model_names[MODEL_COLLECTIONS] = { "one", "on",
                                                            "_three" };

static unsigned
model_random (struct model *m, unsigned below)
{
  m->random = m->random * 1664525u + 1013904223u;
  return (m->random >> 8) % below;
}

/* Puts one batch of random entries, right and wrong expectations mixed, and
 * checks its outcomes against the model. */
static void
model_put (struct kit *k, struct model *m)
{
  unsigned char expected[MODEL_IDS][TALLY_REV_SIZE];
  char ids[MODEL_IDS][8];
  struct tally_entry entries[MODEL_IDS];
  struct tally_outcome outcomes[MODEL_IDS];
  bool fits[MODEL_IDS], all_fit = true;
  unsigned c = model_random (m, MODEL_COLLECTIONS);
  unsigned first = model_random (m, MODEL_IDS), step = 5; /* coprime to 24 */
  size_t n = 1 + model_random (m, k->ops->max_entries == 1 ? 1 : MODEL_IDS);
  unsigned flags =
      k->ops->max_entries != 1 && !model_random (m, 3) ? TALLY_PUT_ALL : 0;

  for (size_t i = 0; i < n; i++) {
    unsigned d = (first + (unsigned) i * step) % MODEL_IDS;
    unsigned found = m->docs[c][d].n;
    bool wrong = !model_random (m, flags ? 40 : 5);

    snprintf (ids[i], sizeof ids[i], "d%u", d);
    make_rev (expected[i], wrong ? found + 1 : found);
    entries[i] = make_entry (model_names[c], ids[i], expected[i],
                             1 + model_random (m, 1000), "{}");
    entries[i].doc.flags = !model_random (m, 4) ? TALLY_DOC_DELETED : 0;
    if (found && !model_random (m, 6))
      entries[i].flags = TALLY_ENTRY_FORGET;
    else if (!wrong && !model_random (m, 3))
      entries[i].expected = NULL;
    fits[i] = !wrong;
    all_fit = all_fit && fits[i];
  }
  put_entries (k, entries, n, flags, outcomes);
  for (size_t i = 0; i < n; i++) {
    unsigned d = (first + (unsigned) i * step) % MODEL_IDS;

    if (!fits[i])
      assert_conflict (&outcomes[i], m->docs[c][d].seq, m->docs[c][d].n);
    else if (flags && !all_fit)
      assert_int_equal (outcomes[i].seq, 0);
    else if (entries[i].flags & TALLY_ENTRY_FORGET)
      memset (&m->docs[c][d], 0, sizeof m->docs[c][d]);
    else {
      assert_true (outcomes[i].seq > m->last);
      assert_memory_equal (outcomes[i].rev, entries[i].doc.rev,
                           TALLY_REV_SIZE);
      m->last = m->docs[c][d].seq = outcomes[i].seq;
      m->docs[c][d].flags = entries[i].doc.flags;
      m->docs[c][d].n =
          (unsigned) entries[i].doc.rev[10] << 8 | entries[i].doc.rev[11];
    }
    if (fits[i])
      assert_int_equal (outcomes[i].status, TALLY_OK);
  }
}

static void
model_check (struct kit *k, const struct model *m, uint64_t since)
{
  for (unsigned c = 0; c < MODEL_COLLECTIONS; c++) {
    uint64_t head;
    struct rows *rows = get_changes (k, model_names[c], since, 0, &head);
    size_t n = 0;

    for (unsigned d = 0; d < MODEL_IDS; d++) {
      char id[8];

      snprintf (id, sizeof id, "d%u", d);
      assert_stored (k, model_names[c], id, m->docs[c][d].n);
      if (m->docs[c][d].seq <= since)
        continue;
      n++;
      for (size_t i = 0; i < rows->n; i++)
        if (rows->docs[i].seq == m->docs[c][d].seq) {
          assert_row (rows, i, id, m->docs[c][d].n);
          assert_int_equal (rows->docs[i].flags, m->docs[c][d].flags);
        }
    }
    assert_int_equal (rows->n, n);
    rows_free (rows);
  }
}

static void
random_history (void **state)
{
  struct kit *k = *state;
  struct model *m = calloc (1, sizeof *m);

  assert_non_null (m);
  m->random = 20240229;
  for (unsigned round = 0; round < 40; round++) {
    uint64_t since = round % 2 ? m->last : 0;

    for (unsigned i = 0; i < 6; i++)
      model_put (k, m);
    model_check (k, m, since);
    if (round % 8 == 7)
      kit_reopen (k);
  }
  model_check (k, m, 0);
  free (m);
}

/* In a store with whatever a history leaves, also when it is opened again. */
static void
check_finds_nothing (void **state)
{
  struct kit *k = *state;
  struct tally_outcome outcome;

  if (!k->ops->check)
    skip ();
  assert_int_equal (k->ops->check (k->handle, &k->err), TALLY_OK);
  for (unsigned i = 1; i <= 40; i++)
    put_one (k, i % 3 ? "things" : "others", i % 2 ? "a" : "b", i);
  put_one (k, "things", "c", 41);
  assert_int_equal (forget_one (k, "things", "c", 41, &outcome), TALLY_OK);
  assert_int_equal (k->ops->check (k->handle, &k->err), TALLY_OK);
  kit_reopen (k);
  assert_int_equal (k->ops->check (k->handle, &k->err), TALLY_OK);
}

const struct kit_check kit_open_tests[] = {
  KIT_CHECK (open_persists, "open",
             "what was put is there after close and open"),
  KIT_CHECK (open_missing, "open",
             "a store that is not there is TALLY_NOTFOUND without CREATE, and "
             "nothing is made"),
  KIT_CHECK (open_two, "open", "two handles on different stores never meet"),
  KIT_CHECK (random_history, "put",
             "a random history of puts leaves what a model of it has, also "
             "after reopening"),
  KIT_CHECK (check_finds_nothing, "check",
             "a store that is whole is TALLY_OK"),
  { 0 },
};
