/* SPDX-License-Identifier: MIT */
/* The names of a folder, sorted into logs. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "folder-internal.h"

static const char *
intern (struct listing *listing, const char *name)
{
  size_t at = idmap_find (&listing->known, slice_text (name));
  const char *copy;

  if (at != IDMAP_NONE)
    return listing->names[at];
  if (listing->n_names == listing->names_capacity) {
    size_t capacity = listing->n_names ? listing->n_names * 2 : 16;
    const char **names = realloc (listing->names, capacity * sizeof *names);

    if (!names)
      return NULL;
    listing->names = names;
    listing->names_capacity = capacity;
  }
  copy = arena_add (&listing->arena, name, strlen (name) + 1);
  if (!copy
      || !idmap_add (&listing->known, slice_text (copy), listing->n_names,
                     NULL))
    return NULL;
  listing->names[listing->n_names++] = copy;
  return copy;
}

static bool
make_room (struct listing *listing)
{
  size_t capacity = listing->capacity ? listing->capacity * 2 : 64;
  struct entry *entries;

  if (listing->count < listing->capacity)
    return true;
  entries = realloc (listing->entries, capacity * sizeof *entries);
  if (!entries)
    return false;
  listing->entries = entries;
  listing->capacity = capacity;
  return true;
}

static int
collect_blob (void *ctx, const char *blob)
{
  struct listing *listing = ctx;
  struct segment_name name;
  struct entry *entry;

  if (!segment_name_parse (&name, blob))
    return 0;
  listing->crowded = listing->count == LISTED_MAX;
  if (listing->crowded)
    return 1;
  if (!make_room (listing)) {
    listing->failed = true;
    return 1;
  }
  entry = &listing->entries[listing->count];
  entry->collection = intern (listing, name.collection);
  listing->failed = !entry->collection;
  memcpy (entry->writer, name.writer, sizeof entry->writer);
  entry->number = name.number;
  entry->part = name.part;
  listing->count++;
  return listing->failed;
}

static int
by_log (const struct entry *a, const struct entry *b)
{
  if (a->collection != b->collection)
    return strcmp (a->collection, b->collection);
  return memcmp (a->writer, b->writer, sizeof a->writer);
}

static int
by_place (const void *pa, const void *pb)
{
  const struct entry *a = pa, *b = pb;
  int order = by_log (a, b);

  if (order == 0)
    order = (a->number > b->number) - (a->number < b->number);
  return order ? order : (a->part > b->part) - (a->part < b->part);
}

static int
by_name (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static bool
make_logs (struct listing *listing)
{
  listing->logs = calloc (listing->count + 1, sizeof *listing->logs);
  if (!listing->logs)
    return false;
  for (size_t i = 0; i < listing->count; i++) {
    if (i == 0 || by_log (&listing->entries[i - 1], &listing->entries[i]))
      listing->logs[listing->n_logs++].entries = &listing->entries[i];
    listing->logs[listing->n_logs - 1].count++;
  }
  return true;
}

int
folder_list (struct folder *folder, struct tally_error *err)
{
  struct listing *listing = &folder->listing;
  int status = channel_list (folder->channel, "", collect_blob, listing, err);

  idmap_free (&listing->known);
  if (status != TALLY_OK)
    return status;
  if (listing->crowded)
    return error_set (err, TALLY_UNSUPPORTED,
                      "%s: holds more than a million "
                      "segments",
                      folder->channel->name);
  if (listing->failed)
    return error_nomem (err);
  if (listing->count > 0) {
    qsort (listing->entries, listing->count, sizeof *listing->entries,
           by_place);
    qsort (listing->names, listing->n_names, sizeof *listing->names, by_name);
  }
  return make_logs (listing) ? TALLY_OK : error_nomem (err);
}

void
folder_listing_free (struct listing *listing)
{
  free (listing->entries);
  free (listing->logs);
  free (listing->names);
  idmap_free (&listing->known);
  arena_free (&listing->arena);
}

size_t
folder_seek_log (const struct listing *listing, const char *collection,
                 const unsigned char *writer)
{
  size_t low = 0, high = listing->n_logs;

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const struct entry *entry = listing->logs[middle].entries;
    int order = strcmp (entry->collection, collection);

    if (order == 0 && writer)
      order = memcmp (entry->writer, writer, REPLICA_ID_SIZE);
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

const struct log *
folder_find_log (const struct folder *folder, const char *collection,
                 const unsigned char *writer)
{
  size_t at = folder_seek_log (&folder->listing, collection, writer);
  const struct log *log = &folder->listing.logs[at];

  if (at < folder->listing.n_logs
      && strcmp (log->entries->collection, collection) == 0
      && memcmp (log->entries->writer, writer, REPLICA_ID_SIZE) == 0)
    return log;
  return NULL;
}

bool
folder_is_listed (const struct log *log, uint64_t number, uint32_t part)
{
  struct entry key = log->entries[0];

  key.number = number;
  key.part = part;
  return bsearch (&key, log->entries, log->count, sizeof key, by_place);
}

uint64_t
folder_log_head (const struct log *log)
{
  for (size_t i = log->count; i > 0; i--)
    if (log->entries[i - 1].part == 0)
      return log->entries[i - 1].number;
  return 0;
}
