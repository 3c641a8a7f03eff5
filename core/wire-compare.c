/* SPDX-License-Identifier: MIT */
/* Whatever a range, a nonce or a list of items says is checked here for its
 * size; what it means is for those who use it. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "cbor.h"
#include "rows.h"
#include "wire-compare.h"
#include "wire-doc.h"

#define ITEM_REST (SKETCH_ITEM_SIZE - SKETCH_WHEN_SIZE)
#define PLACE_REST (ROWS_PLACE_SIZE - SKETCH_WHEN_SIZE)

/* ---- out --------------------------------------------------------------- */

void
wire_add_compare (struct buf *out, const struct wire_compare *compare)
{
  cbor_add_text (out, compare->collection);
  cbor_add_uint (out, compare->flags);
  cbor_add_bytes (out, compare->nonce);
  cbor_add_bytes (out, compare->from);
  cbor_add_bytes (out, compare->to);
  cbor_add_uint (out, compare->count);
  cbor_add_bytes (out, compare->root);
  cbor_add_bytes (out, compare->counters);
  cbor_add_uint (out, compare->first);
  cbor_add_uint (out, compare->cells);
  cbor_add_uint (out, compare->seq);
  cbor_add_bytes (out, compare->token);
}

/* Items and places begin with a stamp, each of which is near the one before;
 * rest: the bytes behind it. */
static void
add_stamped (struct buf *out, struct tally_slice all, size_t rest)
{
  struct wire_states states = { .n_clients = 0 };
  size_t size = SKETCH_WHEN_SIZE + rest;
  struct buf told = BUF_INIT;

  for (size_t at = 0; at + size <= all.size; at += size) {
    const unsigned char *one = (const unsigned char *) all.data + at;
    struct stamp stamp;

    sketch_stamp (stamp.bytes, one);
    wire_add_when (&told, &states, &stamp);
    buf_add (&told, one + SKETCH_WHEN_SIZE, rest);
  }
  cbor_add_bytes (out, buf_slice (&told));
  out->failed |= told.failed;
  buf_free (&told);
}

void
wire_add_compared (struct buf *out, const struct wire_compared *compared)
{
  cbor_add_uint (out, compared->kind);
  cbor_add_uint (out, compared->seq);
  cbor_add_uint (out, compared->floor);
  cbor_add_uint (out, compared->count);
  if (compared->kind == WIRE_LIST)
    add_stamped (out, compared->data, ITEM_REST);
  else
    cbor_add_bytes (out, compared->data);
  cbor_add_array (out, compared->n_splits);
  for (size_t i = 0; i < compared->n_splits; i++)
    cbor_add_bytes (out, compared->splits[i]);
}

void
wire_add_fetch (struct buf *out, const struct wire_fetch *fetch)
{
  cbor_add_text (out, fetch->collection);
  cbor_add_uint (out, fetch->flags);
  cbor_add_bytes (out, fetch->nonce);
  cbor_add_bytes (out, fetch->from);
  cbor_add_bytes (out, fetch->to);
  add_stamped (out, fetch->places, PLACE_REST);
}

/* A document, or with a rev its header. */
void
wire_add_fetched (struct buf *out, const struct wire_fetched *fetched)
{
  static const unsigned char none[TALLY_REV_SIZE];
  struct wire_states states = { .n_clients = 0 };

  cbor_add_uint (out, fetched->answered);
  cbor_add_bytes (out, fetched->next);
  cbor_add_array (out, fetched->n);
  for (size_t i = 0; i < fetched->n; i++) {
    const struct tally_doc *doc = &fetched->docs[i];
    bool whole = memcmp (doc->rev, none, sizeof none) == 0;

    cbor_add_array (out, 6);
    wire_add_doc (out, &states, doc);
    cbor_add_uint (out, doc->seq);
    cbor_add_bytes (out, slice_make (doc->rev, whole ? 0 : TALLY_REV_SIZE));
  }
  wire_states_free (&states);
}

/* ---- in ---------------------------------------------------------------- */

static bool
take_sized (struct tally_slice *in, struct tally_slice *out, size_t size)
{
  return cbor_take_bytes (in, out) && out->size == size;
}

static bool
take_end (struct tally_slice *in, struct tally_slice *end)
{
  return cbor_take_bytes (in, end) && rows_end_is_good (*end);
}

bool
wire_take_compare (struct tally_slice *in, struct wire_compare *compare)
{
  return cbor_take_text (in, &compare->collection)
         && cbor_take_uint (in, &compare->flags)
         && take_sized (in, &compare->nonce, SKETCH_NONCE_SIZE)
         && take_end (in, &compare->from) && take_end (in, &compare->to)
         && cbor_take_uint (in, &compare->count)
         && take_sized (in, &compare->root, ROWS_ROOT_SIZE)
         && take_sized (in, &compare->counters, SKETCH_PACKED_SIZE)
         && cbor_take_uint (in, &compare->first)
         && cbor_take_uint (in, &compare->cells)
         && cbor_take_uint (in, &compare->seq)
         && cbor_take_bytes (in, &compare->token)
         && (compare->token.size == 0
             || compare->token.size == WIRE_TOKEN_SIZE)
         && compare->first <= SKETCH_CELLS_MAX
         && compare->cells <= SKETCH_CELLS_MAX - compare->first;
}

static bool
take_stamped (struct tally_slice *in, struct arena *arena, size_t rest,
              size_t most, struct tally_slice *all)
{
  struct wire_states states = { .n_clients = 0 };
  size_t size = SKETCH_WHEN_SIZE + rest;
  struct buf out = BUF_INIT;
  struct tally_slice told;
  struct stamp stamp;
  bool good = cbor_take_bytes (in, &told);

  while (good && told.size > 0) {
    unsigned char when[SKETCH_WHEN_SIZE];

    good = wire_take_when (&told, &states, &stamp) && told.size >= rest
           && out.size < most * size;
    if (!good)
      break;
    sketch_when (when, stamp.bytes);
    buf_add (&out, when, sizeof when);
    buf_add (&out, told.data, rest);
    told.data += rest;
    told.size -= rest;
  }
  good = good && !out.failed;
  *all = slice_make (good ? arena_add (arena, out.data, out.size) : NULL,
                     out.size);
  buf_free (&out);
  return good && all->data;
}

static bool
take_data (struct tally_slice *in, struct wire_compared *compared,
           struct arena *arena)
{
  return compared->kind == WIRE_LIST ? take_stamped (
             in, arena, ITEM_REST, ROWS_LIST_MAX, &compared->data)
                                     : cbor_take_bytes (in, &compared->data);
}

bool
wire_take_compared (struct tally_slice *in, struct wire_compared *compared,
                    struct arena *arena)
{
  size_t n;

  if (!cbor_take_uint (in, &compared->kind) || compared->kind > WIRE_NEWEST
      || !cbor_take_uint (in, &compared->seq)
      || !cbor_take_uint (in, &compared->floor)
      || !cbor_take_uint (in, &compared->count)
      || !take_data (in, compared, arena) || !cbor_take_array (in, &n)
      || n > ROWS_SPLITS_MAX || n > in->size / TALLY_STAMP_SIZE)
    return false;
  compared->splits = calloc (n + 1, sizeof *compared->splits);
  if (!compared->splits)
    return false;
  for (; compared->n_splits < n; compared->n_splits++)
    if (!take_end (in, &compared->splits[compared->n_splits])
        || compared->splits[compared->n_splits].size == 0)
      return false;
  return true;
}

bool
wire_take_fetch (struct tally_slice *in, struct wire_fetch *fetch,
                 struct arena *arena)
{
  return cbor_take_text (in, &fetch->collection)
         && cbor_take_uint (in, &fetch->flags)
         && take_sized (in, &fetch->nonce, SKETCH_NONCE_SIZE)
         && take_end (in, &fetch->from) && take_end (in, &fetch->to)
         && take_stamped (in, arena, PLACE_REST, WIRE_HEADERS_MAX,
                          &fetch->places)
         && (!(fetch->flags & WIRE_FETCH_RANGE) || fetch->places.size == 0);
}

static bool
take_fetched (struct tally_slice *in, struct wire_states *states,
              struct arena *metas, struct tally_doc *doc)
{
  static const unsigned char none[TALLY_REV_SIZE];
  struct tally_slice rev;
  size_t length;

  if (!cbor_take_array (in, &length) || length != 6
      || !wire_take_doc (in, states, metas, doc)
      || !cbor_take_uint (in, &doc->seq) || !cbor_take_bytes (in, &rev)
      || (rev.size != 0 && rev.size != TALLY_REV_SIZE))
    return false;
  if (rev.size > 0)
    memcpy (doc->rev, rev.data, TALLY_REV_SIZE);
  /* There is one way to write each. */
  return rev.size == 0 || memcmp (doc->rev, none, sizeof none) != 0;
}

bool
wire_take_fetched (struct tally_slice *in, struct wire_fetched *fetched,
                   struct arena *metas)
{
  struct wire_states states = { .n_clients = 0 };
  size_t n;

  if (!cbor_take_uint (in, &fetched->answered)
      || !take_end (in, &fetched->next) || !cbor_take_array (in, &n)
      || n > WIRE_DOCS_MAX || n > in->size / 7)
    return false;
  fetched->docs = calloc (n + 1, sizeof *fetched->docs);
  if (!fetched->docs)
    return false;
  for (; fetched->n < n; fetched->n++)
    if (!take_fetched (in, &states, metas, &fetched->docs[fetched->n]))
      return false;
  return true;
}
