/* SPDX-License-Identifier: MIT */
/* Who the folder is, and what a run knows of it. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "folder-internal.h"

/* How many segments are asked who the folder is. */
#define WITNESSES_MAX 16

/* ---- lanes -------------------------------------------------------------- */

static void
lane_free (struct lane *lane)
{
  if (!lane)
    return;
  buf_free (&lane->own.note);
  doclist_free (&lane->own.pending);
  idmap_free (&lane->own.pending_ids);
  buf_free (&lane->reads);
  free (lane->collection);
  free (lane);
}

struct lane *
folder_lane (struct folder *folder, const char *collection)
{
  size_t at = idmap_find (&folder->lane_ids, slice_text (collection));
  struct lane **lanes, *lane;

  if (at != IDMAP_NONE)
    return folder->lanes[at];
  lanes = realloc (folder->lanes, (folder->n_lanes + 1) * sizeof *lanes);
  if (!lanes)
    return NULL;
  folder->lanes = lanes;
  lane = calloc (1, sizeof *lane);
  if (!lane)
    return NULL;
  lane->collection = strdup (collection);
  if (!lane->collection
      || !idmap_add (&folder->lane_ids, slice_text (lane->collection),
                     folder->n_lanes, NULL)) {
    lane_free (lane);
    return NULL;
  }
  folder->lanes[folder->n_lanes++] = lane;
  return lane;
}

void
folder_complain (struct lane *lane, const struct tally_error *why)
{
  if (lane->complaint.status != TALLY_OK)
    return;
  lane->complaint = *why;
  if (why->status == TALLY_NOTFOUND || why->status == TALLY_CORRUPT)
    lane->complaint.status = TALLY_AGAIN;
}

/* ---- blobs -------------------------------------------------------------- */

void
folder_blob_name (const char *collection, const unsigned char *writer,
                  uint64_t number, uint32_t part, struct segment_name *name,
                  char text[SEGMENT_NAME_SIZE])
{
  memset (name, 0, sizeof *name);
  memcpy (name->writer, writer, REPLICA_ID_SIZE);
  snprintf (name->collection, sizeof name->collection, "%s", collection);
  name->number = number;
  name->part = part;
  segment_name_make (text, name);
}

static bool
is_named (const struct segment *segment, const struct segment_name *name)
{
  return memcmp (segment->writer, name->writer, REPLICA_ID_SIZE) == 0
         && slice_equal (segment->collection, slice_text (name->collection))
         && segment->number == name->number && segment->part == name->part;
}

int
folder_fetch (struct folder *folder, const char *collection,
              const unsigned char *writer, uint64_t number, uint32_t part,
              struct buf *bytes, struct segment *out, struct tally_error *err)
{
  const char *where = folder->channel->name;
  char text[SEGMENT_NAME_SIZE];
  struct segment_name name;
  int status;

  memset (out, 0, sizeof *out);
  folder_blob_name (collection, writer, number, part, &name, text);
  status = channel_read (folder->channel, text, bytes, err);
  if (status == TALLY_NOTFOUND)
    return error_set (err, status,
                      "%s: segment %s is not there yet; it is "
                      "read on the next sync",
                      where, text);
  if (status != TALLY_OK)
    return status;
  status = segment_decode (out, buf_slice (bytes));
  if (status == TALLY_OK && !is_named (out, &name)) {
    segment_free (out);
    status = TALLY_CORRUPT;
  }
  switch (status) {
  case TALLY_OK:
    return TALLY_OK;
  case TALLY_UNSUPPORTED:
    return error_set (err, status,
                      "%s: segment %s was written by a later "
                      "version",
                      where, text);
  case TALLY_CORRUPT:
    return error_set (err, status,
                      "%s: segment %s is incomplete or "
                      "damaged; it is read again on the next sync",
                      where, text);
  default:
    return error_nomem (err);
  }
}

/* ---- opening ------------------------------------------------------------ */

static int
read_marker (struct folder *folder, bool *found, struct tally_error *err)
{
  int status =
      channel_read (folder->channel, SEGMENT_MARKER, &folder->scratch, err);

  *found = status == TALLY_OK;
  if (status == TALLY_NOTFOUND)
    return TALLY_OK;
  if (status == TALLY_OK
      && !segment_marker_parse (folder->id, buf_slice (&folder->scratch)))
    return error_set (err, TALLY_AGAIN,
                      "%s: " SEGMENT_MARKER " is "
                      "incomplete or damaged; if it stays so remove it, and "
                      "the next sync makes it again",
                      folder->channel->name);
  return status;
}

/* Segments can arrive before the marker, and know it.  A second id for one
 * folder would make every writer begin again. */
static int
choose_id (struct folder *folder, struct tally_error *err)
{
  const struct listing *listing = &folder->listing;

  if (listing->count == 0) {
    randombytes_buf (folder->id, sizeof folder->id);
    return TALLY_OK;
  }
  for (size_t i = 0; i < listing->count && i < WITNESSES_MAX; i++) {
    const struct entry *entry = &listing->entries[i];
    struct segment segment;
    int status =
        folder_fetch (folder, entry->collection, entry->writer, entry->number,
                      entry->part, &folder->scratch, &segment, err);

    if (status == TALLY_CANCELLED)
      return status;
    if (status != TALLY_OK)
      continue;
    memcpy (folder->id, segment.folder, sizeof folder->id);
    segment_free (&segment);
    return TALLY_OK;
  }
  return error_set (err, TALLY_AGAIN,
                    "%s: " SEGMENT_MARKER " is not there "
                    "yet",
                    folder->channel->name);
}

static int
make_marker (struct folder *folder, struct tally_error *err)
{
  int status = choose_id (folder, err);
  bool found;

  if (status != TALLY_OK)
    return status;
  buf_clear (&folder->scratch);
  segment_marker_make (&folder->scratch, folder->id);
  if (folder->scratch.failed)
    return error_nomem (err);
  status = channel_create (folder->channel, SEGMENT_MARKER,
                           buf_slice (&folder->scratch), err);
  if (status != TALLY_CONFLICT)
    return status;
  status = read_marker (folder, &found, err);
  if (status == TALLY_OK && !found)
    status = error_set (err, TALLY_AGAIN,
                        "%s: " SEGMENT_MARKER " came and "
                        "went",
                        folder->channel->name);
  return status;
}

/* Whether we are who wrote our log is asked before anything moves. */
static int
load_own_logs (struct folder *folder, struct tally_error *err)
{
  const struct listing *listing = &folder->listing;

  for (size_t i = 0; i < listing->n_logs; i++) {
    const struct entry *entry = listing->logs[i].entries;
    struct lane *lane;
    int status;

    if (memcmp (entry->writer, folder->self, sizeof folder->self) != 0)
      continue;
    lane = folder_lane (folder, entry->collection);
    status = lane ? folder_load_own (folder, lane, err) : error_nomem (err);
    if (status != TALLY_OK)
      return status;
  }
  return TALLY_OK;
}

int
folder_open (struct folder **out, struct channel *channel,
             struct replica *replica,
             const unsigned char self[REPLICA_ID_SIZE], bool look,
             unsigned char id[REPLICA_ID_SIZE], struct tally_error *err)
{
  struct folder *folder = calloc (1, sizeof *folder);
  bool found = false;
  int status;

  *out = NULL;
  if (!folder)
    return error_nomem (err);
  folder->channel = channel;
  folder->replica = replica;
  folder->look = look;
  memcpy (folder->self, self, sizeof folder->self);
  status = read_marker (folder, &found, err);
  if (status == TALLY_OK)
    status = folder_list (folder, err);
  if (status == TALLY_OK && !found && !look)
    status = make_marker (folder, err);
  if (status == TALLY_OK && !found && look && folder->listing.count > 0)
    status = choose_id (folder, err);
  if (status == TALLY_OK)
    status = load_own_logs (folder, err);
  if (status != TALLY_OK) {
    folder_close (folder);
    return status;
  }
  memcpy (id, folder->id, REPLICA_ID_SIZE);
  *out = folder;
  return TALLY_OK;
}

void
folder_unload (struct folder *folder)
{
  segment_free (&folder->loaded);
  idmap_clear (&folder->loaded_ids);
}

void
folder_close (struct folder *folder)
{
  if (!folder)
    return;
  folder_unload (folder);
  idmap_free (&folder->loaded_ids);
  for (size_t i = 0; i < folder->n_lanes; i++)
    lane_free (folder->lanes[i]);
  free (folder->lanes);
  idmap_free (&folder->lane_ids);
  folder_listing_free (&folder->listing);
  buf_free (&folder->bytes);
  buf_free (&folder->scratch);
  free (folder);
}

size_t
folder_collections (struct folder *folder, const char *const **names)
{
  *names = folder->listing.names;
  return folder->listing.n_names;
}

int
folder_complaint (struct folder *folder, const char *collection,
                  struct tally_error *err)
{
  size_t at = idmap_find (&folder->lane_ids, slice_text (collection));

  if (at == IDMAP_NONE || folder->lanes[at]->complaint.status == TALLY_OK)
    return TALLY_OK;
  *err = folder->lanes[at]->complaint;
  return err->status;
}
