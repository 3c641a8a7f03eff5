/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "indexes-lists.h"

static int
recall (struct replica *replica, struct indexed *indexed,
        struct tally_error *err)
{
  int status =
      indexes_recall (replica, indexed->collection, &indexed->list, err);

  indexed->checks =
      indexes_possible (replica) && indexes_concern (indexed->collection);
  indexes_made_id (indexed->made,
                   indexed->list.next > 0 ? indexed->list.next : 1);
  return status;
}

int
index_lists_find (struct index_lists *lists, const char *collection,
                  size_t *which, struct tally_error *err)
{
  struct indexed *indexed;

  for (*which = lists->n; (*which)-- > 0;)
    if (strcmp (lists->all[*which].collection, collection) == 0)
      return TALLY_OK;
  indexed = realloc (lists->all, (lists->n + 1) * sizeof *indexed);
  if (!indexed)
    return error_nomem (err);
  lists->all = indexed;
  *which = lists->n++;
  indexed += *which;
  memset (indexed, 0, sizeof *indexed);
  indexed->collection = collection;
  indexes_rows_name (indexed->rows, collection);
  return recall (lists->replica, indexed, err);
}

/* What is to go must not be there, and nothing becomes of it. */
size_t
index_lists_check (const struct index_lists *lists, struct tally_entry *put)
{
  static const unsigned char absent_rev[TALLY_REV_SIZE];
  size_t n = 0;

  for (size_t k = 0; k < lists->n; k++) {
    const struct indexed *indexed = &lists->all[k];
    struct tally_entry *entry = &put[n];

    if (!indexed->checks)
      continue;
    n++;
    memset (entry, 0, sizeof *entry);
    entry->collection = indexed->rows;
    entry->flags = TALLY_ENTRY_FORGET;
    entry->expected = absent_rev;
    entry->doc.id = slice_text (indexed->made);
  }
  return n;
}

int
index_lists_renew (struct index_lists *lists, const struct tally_outcome *got,
                   bool *any, struct tally_error *err)
{
  int status = TALLY_OK;

  *any = false;
  for (size_t k = 0; k < lists->n && status == TALLY_OK; k++) {
    struct indexed *indexed = &lists->all[k];

    if (!indexed->checks || (got++)->status == TALLY_OK)
      continue;
    *any = true;
    index_list_free (&indexed->list);
    indexes_unlearn (lists->replica, indexed->collection);
    status = recall (lists->replica, indexed, err);
  }
  return status;
}

void
index_lists_free (struct index_lists *lists)
{
  for (size_t k = 0; k < lists->n; k++)
    index_list_free (&lists->all[k].list);
  free (lists->all);
}
