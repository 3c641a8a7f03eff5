/* SPDX-License-Identifier: MIT */
/* Documents become segments of our own log. */

#include <config.h>

#include <string.h>

#include "error.h"
#include "folder-internal.h"

static int
ensure_ours (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  int status;

  status = folder_load_own (folder, lane, err);
  if (status == TALLY_OK && lane->own.unsure)
    status = folder_settle (folder, lane, err);
  if (status == TALLY_OK && lane->own.ahead)
    status = folder_another_copy (folder, err);
  return status;
}

struct segment
folder_start_segment (const struct folder *folder, const struct lane *lane)
{
  struct segment segment = { .begin = lane->own.begin };

  memcpy (segment.folder, folder->id, sizeof segment.folder);
  memcpy (segment.writer, folder->self, sizeof segment.writer);
  segment.collection = slice_text (lane->collection);
  segment.number = lane->own.published + 1;
  return segment;
}

int
folder_create_blob (struct folder *folder, const struct lane *lane,
                    const struct segment *segment, struct tally_slice bytes,
                    struct tally_error *err)
{
  char text[SEGMENT_NAME_SIZE];
  struct segment_name name;

  if (bytes.size > SEGMENT_SIZE_MAX)
    return error_set (err, TALLY_INVALID,
                      "%s: a document of %s is too large "
                      "for a folder",
                      folder->channel->name, lane->collection);
  folder_blob_name (lane->collection, segment->writer, segment->number,
                    segment->part, &name, text);
  return channel_create (folder->channel, text, bytes, err);
}

int
folder_publish (struct folder *folder, struct lane *lane,
                const struct segment *segment, struct tally_error *err)
{
  struct own *own = &lane->own;
  struct buf bytes = BUF_INIT;
  int status;

  segment_encode (&bytes, segment);
  if (bytes.failed) {
    status = error_nomem (err);
    goto out;
  }
  segment_checksum (own->intent, buf_slice (&bytes));
  own->has_intent = true;
  own->unsure = true;
  status = folder_save_note (folder, lane, err);
  if (status == TALLY_OK)
    status =
        folder_create_blob (folder, lane, segment, buf_slice (&bytes), err);
  if (status == TALLY_OK)
    folder_adopt (own, segment);
  else if (status == TALLY_CONFLICT) {
    status = folder_settle (folder, lane, err);
    if (status == TALLY_OK && own->published != segment->number)
      status = folder_another_copy (folder, err);
  }
out:
  buf_free (&bytes);
  return status;
}

static int
publish_pending (struct folder *folder, struct lane *lane,
                 struct tally_error *err)
{
  struct own *own = &lane->own;
  struct segment segment;
  int status;

  if (own->pending.count == 0)
    return TALLY_OK;
  status = ensure_ours (folder, lane, err);
  if (status != TALLY_OK)
    return status;
  segment = folder_start_segment (folder, lane);
  if ((own->missing || own->restarting) && !own->restarted) {
    own->restarting = true;
    segment.begin = segment.number;
  }
  segment.reads = buf_slice (&lane->reads);
  segment.docs = own->pending.docs;
  segment.n_docs = own->pending.count;
  status = folder_publish (folder, lane, &segment, err);
  if (status != TALLY_OK)
    return status;
  idmap_clear (&own->pending_ids);
  doclist_clear (&own->pending);
  return TALLY_OK;
}

bool
folder_is_full (const struct doclist *list, const struct tally_doc *doc)
{
  size_t size = doc->id.size + doc->meta.size + doc->body.size;

  return list->count == SEGMENT_DOCS_MAX
         || (list->count > 0 && list->bytes + size > SEGMENT_BYTES_MAX);
}

static int
add_pending (struct folder *folder, struct lane *lane,
             const struct tally_doc *doc, struct tally_error *err)
{
  struct own *own = &lane->own;
  struct doclist *pending = &own->pending;
  struct tally_doc *added;
  size_t at;
  int status;

  if (folder_is_full (pending, doc)) {
    status = publish_pending (folder, lane, err);
    if (status != TALLY_OK)
      return status;
  }
  added = doclist_add (pending, doc);
  if (!added
      || !idmap_add (&own->pending_ids, added->id, pending->count - 1, &at))
    return error_nomem (err);
  if (at != pending->count - 1)
    pending->docs[at] = pending->docs[--pending->count];
  return TALLY_OK;
}

int
folder_put (struct folder *folder, const char *collection,
            const struct tally_doc *docs, size_t n, struct tally_error *err)
{
  struct lane *lane = folder_lane (folder, collection);
  int status;

  if (!lane)
    return error_nomem (err);
  if (folder->look)
    return error_set (err, TALLY_INVALID, "%s: is only looked at",
                      folder->channel->name);
  status = ensure_ours (folder, lane, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = add_pending (folder, lane, &docs[i], err);
  return status;
}

int
folder_commit (struct folder *folder, const char *collection,
               struct tally_error *err)
{
  struct lane *lane = folder_lane (folder, collection);
  struct tally_error why = { 0 };
  struct own *own;
  int status;

  if (!lane)
    return error_nomem (err);
  if (folder->look)
    return TALLY_OK;
  own = &lane->own;
  status = ensure_ours (folder, lane, err);
  if (status == TALLY_OK)
    status = publish_pending (folder, lane, err);
  if (status == TALLY_OK && own->restarted) {
    own->restarting = own->missing = own->restarted = false;
    own->dirty = true;
  }
  if (status == TALLY_OK && own->dirty)
    status = folder_save_note (folder, lane, err);
  if (status == TALLY_OK && folder_tidy (folder, lane, &why) != TALLY_OK)
    folder_complain (lane, &why);
  return status;
}
