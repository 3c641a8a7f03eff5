/* SPDX-License-Identifier: MIT */
/* With a limit the items are sorted and cut off whenever there are twice as
 * many as it takes: each is moved a few times at most. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "slice.h"
#include "sorter.h"

#define FIRST 16 /* most sorts are of what a search of an index finds */
#define LEAST 1024

static int
in_order (const void *a, const void *b)
{
  const struct sorted *x = a, *y = b;
  int order = slice_cmp (x->key, y->key);

  return order ? order : slice_cmp (x->id, y->id);
}

static bool
copy_item (struct arena *arena, struct sorted *item)
{
  char *key = arena_add (arena, item->key.data, item->key.size);
  char *id = arena_add (arena, item->id.data, item->id.size);

  item->key.data = key;
  item->id.data = id;
  return key && id;
}

static int
cut (struct sorter *sorter, struct tally_error *err)
{
  struct arena arena = sorter->arena;

  if (sorter->n > 0)
    qsort (sorter->items, sorter->n, sizeof *sorter->items, in_order);
  if (sorter->most == 0 || sorter->n <= sorter->most)
    return TALLY_OK;
  sorter->n = (size_t) sorter->most;
  memset (&sorter->arena, 0, sizeof sorter->arena);
  sorter->bytes = 0;
  for (size_t i = 0; i < sorter->n; i++) {
    sorter->bytes += sorter->items[i].key.size + sorter->items[i].id.size;
    if (!copy_item (&sorter->arena, &sorter->items[i])) {
      arena_free (&arena);
      return error_nomem (err);
    }
  }
  arena_free (&arena);
  return TALLY_OK;
}

static bool
grow (struct sorter *sorter)
{
  size_t room = sorter->room ? 2 * sorter->room : FIRST;
  struct sorted *items = realloc (sorter->items, room * sizeof *items);

  if (!items)
    return false;
  sorter->items = items;
  sorter->room = room;
  return true;
}

static bool
is_full (const struct sorter *sorter)
{
  size_t most = sorter->bytes_max ? sorter->bytes_max : SORTER_BYTES_MAX;

  return sorter->bytes + sorter->n * sizeof *sorter->items > most;
}

int
sorter_add (struct sorter *sorter, struct tally_slice key,
            struct tally_slice id, const char *what, struct tally_error *err)
{
  struct sorted item = { key, id };
  bool cuts =
      sorter->most > 0 && sorter->n > sorter->most
      && (sorter->n - sorter->most > sorter->most + LEAST || is_full (sorter));
  int status = cuts ? cut (sorter, err) : TALLY_OK;

  if (status != TALLY_OK)
    return status;
  if (is_full (sorter))
    return error_set (err, TALLY_UNSUPPORTED,
                      "%s: takes more than %zu MiB of memory; a limit or an "
                      "index on it would help",
                      what, SORTER_BYTES_MAX >> 20);
  if (sorter->n == sorter->room && !grow (sorter))
    return error_nomem (err);
  if (!copy_item (&sorter->arena, &item))
    return error_nomem (err);
  sorter->bytes += key.size + id.size;
  sorter->items[sorter->n++] = item;
  return TALLY_OK;
}

int
sorter_end (struct sorter *sorter, struct tally_error *err)
{
  return cut (sorter, err);
}

void
sorter_free (struct sorter *sorter)
{
  free (sorter->items);
  arena_free (&sorter->arena);
  memset (sorter, 0, sizeof *sorter);
}
