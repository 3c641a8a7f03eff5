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
};

static bool
is_before (struct tally_slice id, const struct tally_slice *to)
{
  size_t size = id.size < to->size ? id.size : to->size;
  int order = size > 0 ? memcmp (id.data, to->data, size) : 0;

  return order != 0 ? order < 0 : id.size < to->size;
}

static int
emit_document (struct linvo *s, const struct linvo_view *view,
               const struct range *range, const leveldb_iterator_t *it,
               struct tally_slice id, bool *stop, struct tally_error *err)
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
    r = linvo_read_rev (s, view->point, range->number, &doc, err);
  if (r == TALLY_OK)
    *stop = range->emit (range->ctx, &doc) != 0;
  return r;
}

static int
walk (struct linvo *s, const struct linvo_view *view,
      const struct range *range, struct tally_error *err)
{
  /* Where ids alone are asked for it is an index, of which a search wants
   * little: its blocks are worth to be kept, as those of a get. */
  bool ids = (range->flags & TALLY_FIND_IDS) != 0;
  leveldb_iterator_t *it =
      linvo_scan_kept (s, ids ? view->point : view->range, &range->from);
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
      r = emit_document (s, view, range, it, doc.id, &stop, err);
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

int
linvo_find_slot (void *handle, const char *collection,
                 const struct tally_slice *from, const struct tally_slice *to,
                 unsigned flags, tally_emit_doc *emit, void *ctx,
                 struct tally_error *err)
{
  static const struct tally_slice first = { "", 0 };
  struct range range = { .to = to, .flags = flags, .emit = emit, .ctx = ctx };
  struct linvo *s = handle;
  struct linvo_view view;
  int r = linvo_begin_read (s, &view, err);

  if (r != TALLY_OK)
    return r;
  r = linvo_read_number (s, view.point, collection, &range.number, err);
  /* No id is longer than this, so none of them is missed. */
  if (r == TALLY_OK && range.number != 0) {
    struct tally_slice begin = from ? *from : first;

    if (begin.size > TALLY_ID_MAX)
      begin.size = TALLY_ID_MAX;
    linvo_key_doc (&range.from, range.number, &begin);
    r = walk (s, &view, &range, err);
  }
  linvo_end_read (s, &view);
  return r;
}
