/* SPDX-License-Identifier: MIT */
/* Nobody can complain about a segment of ours that was damaged in the folder,
 * so we look.  Each run reads two of them back, drawn at random so that no
 * note moves with them, and once a day a run reads our whole log. */

#include <config.h>

#include <stdio.h>

#include <sodium.h>

#include "folder-internal.h"

/* What a run looks at. */
#define CHECKED_AT_ONCE 2
#define CHECK_ALL_MS UINT64_C (86400000)

static void
tell (const struct folder *folder, const struct entry *entry)
{
  const struct tally_host *host = folder->replica->host;
  char name[SEGMENT_NAME_SIZE], text[SEGMENT_NAME_SIZE + 256];
  struct segment_name ignored;

  if (!host || !host->log)
    return;
  folder_blob_name (entry->collection, entry->writer, entry->number,
                    entry->part, &ignored, name);
  snprintf (text, sizeof text,
            "%s: segment %s, which this store wrote, is damaged: all of %s is "
            "written again",
            folder->channel->name, name, entry->collection);
  host->log (host->ctx, 2, text);
}

/* What cannot be read for another reason is not known to be damaged. */
static int
check_entry (struct folder *folder, struct lane *lane,
             const struct entry *entry, struct tally_error *err)
{
  struct tally_error why = { 0 };
  struct segment segment;
  int status;

  if (!folder_is_needed (&lane->own, entry->number, entry->part))
    return TALLY_OK;
  status =
      folder_fetch (folder, entry->collection, entry->writer, entry->number,
                    entry->part, &folder->scratch, &segment, &why);
  if (status == TALLY_OK)
    segment_free (&segment);
  else if (status == TALLY_CORRUPT || status == TALLY_NOTFOUND) {
    lane->own.missing = true;
    tell (folder, entry);
  } else if (status == TALLY_CANCELLED) {
    *err = why;
    return status;
  }
  return TALLY_OK;
}

int
folder_check_own (struct folder *folder, struct lane *lane,
                  const struct log *log, struct tally_error *err)
{
  struct own *own = &lane->own;
  uint64_t now = replica_wall_ms (folder->replica);
  bool all = now < own->checked_ms || now - own->checked_ms >= CHECK_ALL_MS;
  size_t n =
      all || log->count < CHECKED_AT_ONCE ? log->count : CHECKED_AT_ONCE;
  size_t at = randombytes_uniform ((uint32_t) log->count);
  int status = TALLY_OK;

  for (size_t i = 0; i < n && !own->missing && status == TALLY_OK; i++)
    status =
        check_entry (folder, lane, &log->entries[(at + i) % log->count], err);
  if (all && status == TALLY_OK) {
    own->checked_ms = now;
    own->dirty = true;
  }
  return status;
}
