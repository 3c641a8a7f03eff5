/* SPDX-License-Identifier: MIT */
/* Documents by id, from one to another. */

#include <string.h>

#include "linvo-db.h"
#include "linvo-find.h"

#define PREFIX (1 + 4) /* the kind and the number of a key */
#define CANCEL_EVERY 4096

struct range {
  struct linvo_key from;
  const struct tally_slice *to;
  unsigned flags;
  tally_emit_doc *emit;
  void *ctx;
  uint32_t number;
  const leveldb_readoptions_t *point, *range; /* for records, for the walk */
};

static bool
is_before (struct tally_slice id, const struct tally_slice *to)
{
  size_t size = id.size < to->size ? id.size : to->size;
  int order = size > 0 ? memcmp (id.data, to->data, size) : 0;

  return order != 0 ? order < 0 : id.size < to->size;
}

static int
emit_document (struct linvo *s, const struct range *range,
               const leveldb_iterator_t *it, struct tally_slice id, bool *stop,
               struct tally_error *err)
{
  struct tally_doc doc = { .id = id };
  struct tally_slice value;
  int r = TALLY_OK;

  value.data = leveldb_iter_value (it, &value.size);
  if (!linvo_decode_doc (&value, &doc))
    return linvo_fail_corrupt (s, "a document's record is damaged", err);
  if (doc.flags & TALLY_DOC_DELETED)
    return TALLY_OK;
  if (!(range->flags & TALLY_GET_PART))
    r = linvo_read_rev (s, range->point, range->number, &doc, err);
  if (r == TALLY_OK)
    *stop = range->emit (range->ctx, &doc) != 0;
  return r;
}

static int
walk (struct linvo *s, const struct range *range, struct tally_error *err)
{
  bool ids = (range->flags & TALLY_FIND_IDS) != 0;
  leveldb_iterator_t *it = linvo_scan_kept (s, range->range, &range->from);
  struct tally_slice key;
  bool stop = false;
  int r = TALLY_OK;

  for (unsigned i = 0; r == TALLY_OK && !stop
                       && linvo_scan_within (it, &range->from, PREFIX, &key);
       i++) {
    struct tally_doc doc = { .id = { key.data + PREFIX, key.size - PREFIX } };

    if (range->to && !is_before (doc.id, range->to))
      break;
    if (ids)
      stop = range->emit (range->ctx, &doc) != 0;
    else
      r = emit_document (s, range, it, doc.id, &stop, err);
    if (r == TALLY_OK && i % CANCEL_EVERY == 0 && linvo_cancelled (s))
      r = linvo_fail (err, TALLY_CANCELLED, s->folder.path, "cancelled");
    leveldb_iter_next (it);
  }
  if (r != TALLY_OK) {
    leveldb_iter_destroy (it);
    return r;
  }
  return linvo_scan_end (s, it, err);
}

/* The last key before `to`, which is in the collection. */
static int
emit_last (struct linvo *s, const struct range *range, struct tally_error *err)
{
  struct linvo_key to;
  leveldb_iterator_t *it;
  struct tally_slice key, id = *range->to;

  if (id.size > TALLY_ID_MAX)
    id.size = TALLY_ID_MAX;
  linvo_key_doc (&to, range->number, &id);
  it = linvo_scan_kept (s, range->range, &to);
  if (leveldb_iter_valid (it))
    leveldb_iter_prev (it);
  else
    leveldb_iter_seek_to_last (it);
  if (linvo_scan_within (it, &range->from, PREFIX, &key)) {
    struct tally_doc doc = { .id = { key.data + PREFIX, key.size - PREFIX } };
    struct tally_slice from = { range->from.data + PREFIX,
                                range->from.size - PREFIX };

    if (!is_before (doc.id, &from))
      (void) range->emit (range->ctx, &doc);
  }
  return linvo_scan_end (s, it, err);
}

static int
walk_collection (struct linvo *s, struct range *range, const char *collection,
                 const struct tally_slice *from, struct tally_error *err)
{
  struct tally_slice begin = { "", 0 };
  int r = linvo_read_number (s, range->point, collection, &range->number, err);

  if (r != TALLY_OK || range->number == 0)
    return r;
  if (from)
    begin = *from;
  /* No id is longer than this, so none of them is missed. */
  if (begin.size > TALLY_ID_MAX)
    begin.size = TALLY_ID_MAX;
  linvo_key_doc (&range->from, range->number, &begin);
  return range->flags & TALLY_FIND_LAST ? emit_last (s, range, err)
                                        : walk (s, range, err);
}

/* Where nothing is read but what an iterator shows, it is a snapshot itself.
 * Ids alone are asked for of indexes, of which a search wants little: their
 * blocks are worth to be kept, as those of a get. */
int
linvo_find_slot (void *handle, const char *collection,
                 const struct tally_slice *from, const struct tally_slice *to,
                 unsigned flags, tally_emit_doc *emit, void *ctx,
                 struct tally_error *err)
{
  struct range range = { .to = to, .flags = flags, .emit = emit, .ctx = ctx };
  struct linvo *s = handle;
  struct linvo_view view;
  int r;

  if (flags & (TALLY_FIND_IDS | TALLY_GET_PART)) {
    r = linvo_begin_look (s, err);
    if (r != TALLY_OK)
      return r;
    range.point = s->read;
    range.range = flags & TALLY_FIND_IDS ? s->read : s->pass;
    r = walk_collection (s, &range, collection, from, err);
    linvo_end_look (s);
    return r;
  }
  r = linvo_begin_read (s, &view, err);
  if (r != TALLY_OK)
    return r;
  range.point = view.point;
  range.range = view.range;
  r = walk_collection (s, &range, collection, from, err);
  linvo_end_read (s, &view);
  return r;
}
