/* SPDX-License-Identifier: MIT */
/* One put is one LevelDB batch.  The entries are looked up and written in the
 * order of their keys, which finds an id that comes twice and reads and writes
 * neighbours together; their seqs have the order given. */

#include <stdlib.h>
#include <string.h>

#include "entry-order.h"
#include "linvo-batch.h"
#include "linvo-put.h"

static const unsigned char nothing[TALLY_REV_SIZE];

/* ---- checking ---------------------------------------------------------- */

static int
compare_items (const void *a, const void *b)
{
  const struct linvo_item *p = *(struct linvo_item *const *) a;
  const struct linvo_item *q = *(struct linvo_item *const *) b;

  return entry_compare (p->entry, p->start, q->entry, q->start);
}

static int
check_entry (const struct linvo_batch *b, const struct tally_entry *entry,
             struct tally_error *err)
{
  const char *path = b->s->folder.path;

  if (!entry->collection || strlen (entry->collection) > LINVO_NAME_MAX)
    return linvo_fail (err, TALLY_INVALID, path, "bad collection name");
  if (entry->doc.id.size == 0 || entry->doc.id.size > TALLY_ID_MAX)
    return linvo_fail (err, TALLY_INVALID, path, "an id has 1 to %d bytes",
                       TALLY_ID_MAX);
  if ((entry->flags & TALLY_ENTRY_FORGET) && !entry->expected)
    return linvo_fail (err, TALLY_INVALID, path,
                       "forgetting takes an expected rev");
  if (entry->doc.flags & ~(uint32_t) TALLY_DOC_DELETED)
    return linvo_fail (err, TALLY_INVALID, path,
                       "a document has a flag that is not known");
  return TALLY_OK;
}

/* In order, and none is there twice. */
static bool
items_rise (const struct linvo_batch *b)
{
  for (size_t i = 1; i < b->n; i++)
    if (compare_items (&b->sorted[i - 1], &b->sorted[i]) >= 0)
      return false;
  return true;
}

/* Sorts the items and refuses an id that is there twice. */
static int
sort_items (struct linvo_batch *b, const struct tally_entry *entries,
            struct tally_error *err)
{
  size_t i;
  int r;

  for (i = 0; i < b->n; i++) {
    r = check_entry (b, &entries[i], err);
    if (r != TALLY_OK)
      return r;
    b->items[i].entry = &entries[i];
    b->items[i].start = entry_start (&entries[i].doc.id);
    b->items[i].forget = (entries[i].flags & TALLY_ENTRY_FORGET) != 0;
    b->sorted[i] = &b->items[i];
  }
  if (items_rise (b))
    return TALLY_OK;
  qsort (b->sorted, b->n, sizeof *b->sorted, compare_items);
  return items_rise (b) ? TALLY_OK
                        : linvo_fail (err, TALLY_INVALID, b->s->folder.path,
                                      "an id is in the batch twice");
}

/* Whether what is stored is what the entry expects. */
static bool
as_expected (const struct linvo_item *item)
{
  const unsigned char *expected = item->entry->expected;

  if (!expected)
    return true;
  return memcmp (expected, item->found ? item->rev : nothing, TALLY_REV_SIZE)
         == 0;
}

/* Marks what a read has just found not to be there. */
static int
mark_absent (struct linvo_batch *b, struct tally_error *err)
{
  struct linvo_absence absence;
  const char *collection = NULL;
  uint32_t read, number = 0;
  size_t at = 0;
  bool holds = linvo_absent_take (&b->s->absent, &read, &absence);
  int r = TALLY_OK;

  for (size_t i = 0; r == TALLY_OK && holds && i < b->n; i++) {
    struct linvo_item *item = &b->items[i];

    if (collection != item->entry->collection) {
      collection = item->entry->collection;
      r = linvo_read_number (b->s, b->s->read, collection, &number, err);
    }
    item->absent =
        r == TALLY_OK && number == read
        && linvo_absence_next_is (&absence, &at, &item->entry->doc.id);
  }
  free (absence.ids);
  return r;
}

static int
look_up (struct linvo_batch *b, struct linvo_item *item,
         struct tally_error *err)
{
  struct linvo_found found = { .found = false };
  int r = item->absent ? TALLY_OK
                       : linvo_find (b->s, b->s->read, item->number,
                                     &item->entry->doc.id, false, &found, err);

  if (r == TALLY_OK) {
    item->found = found.found;
    item->live = found.found && !(found.doc.flags & TALLY_DOC_DELETED);
    item->seq = found.doc.seq;
    memcpy (item->rev, found.doc.rev, TALLY_REV_SIZE);
    item->conflict = !as_expected (item);
    b->conflicts += item->conflict;
    b->writes += linvo_item_changes (item);
  }
  linvo_found_done (&found);
  return r;
}

static int
look_up_all (struct linvo_batch *b, struct tally_error *err)
{
  const char *collection = NULL;
  uint32_t number = 0;
  size_t i;
  int r;

  for (i = 0; i < b->n; i++) {
    struct linvo_item *item = b->sorted[i];

    if (!collection || strcmp (collection, item->entry->collection) != 0) {
      collection = item->entry->collection;
      r = linvo_read_number (b->s, b->s->read, collection, &number, err);
      if (r != TALLY_OK)
        return r;
    }
    item->number = number;
    r = look_up (b, item, err);
    if (r != TALLY_OK)
      return r;
  }
  return TALLY_OK;
}

/* ---- the slot ---------------------------------------------------------- */

static void
report (const struct linvo_batch *b, bool written,
        struct tally_outcome *outcomes)
{
  size_t i;

  memset (outcomes, 0, b->n * sizeof *outcomes);
  for (i = 0; i < b->n; i++) {
    const struct linvo_item *item = &b->items[i];

    outcomes[i].status = item->conflict ? TALLY_CONFLICT : TALLY_OK;
    if (!item->conflict && (!written || item->forget))
      continue;
    outcomes[i].seq = item->seq;
    memcpy (outcomes[i].rev, item->rev, TALLY_REV_SIZE);
  }
}

/* With the store entered for writing. */
static int
put_batch (struct linvo_batch *b, unsigned flags,
           struct tally_outcome *outcomes, struct tally_error *err)
{
  bool write;
  int r;

  b->head = b->s->head;
  r = mark_absent (b, err);
  if (r == TALLY_OK)
    r = look_up_all (b, err);
  if (r != TALLY_OK)
    return r;
  write = !((flags & TALLY_PUT_ALL) && b->conflicts > 0);
  if (write && b->writes > 0)
    r = linvo_batch_write (b, err);
  if (r == TALLY_OK)
    report (b, write, outcomes);
  return r;
}

int
linvo_put (void *handle, const struct tally_entry *entries, size_t n,
           unsigned flags, struct tally_outcome *outcomes,
           struct tally_error *err)
{
  struct linvo *s = handle;
  struct linvo_batch b = { .s = s, .n = n };
  int r;

  if (n == 0)
    return TALLY_OK;
  b.items = calloc (n, sizeof *b.items);
  b.sorted = calloc (n, sizeof *b.sorted);
  if (!b.items || !b.sorted) {
    r = linvo_fail_memory (s, err);
    goto out;
  }

  r = sort_items (&b, entries, err);
  if (r != TALLY_OK)
    goto out;
  r = linvo_begin_write (s, err);
  if (r != TALLY_OK)
    goto out;
  r = put_batch (&b, flags, outcomes, err);
  linvo_end_write (s);

out:
  free (b.value);
  free (b.sorted);
  free (b.items);
  return r;
}
