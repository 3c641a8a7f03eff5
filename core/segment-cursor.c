/* SPDX-License-Identifier: MIT */
/* How far somebody read of each writer, as text.  It is read leniently,
 * written again, and must come out as it was: so there is one spelling. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "digits.h"
#include "segment.h"

static size_t
lower_bound (const struct segment_cursor *cursor, const unsigned char *writer)
{
  size_t low = 0, high = cursor->count;

  while (low < high) {
    size_t middle = low + (high - low) / 2;

    if (memcmp (cursor->items[middle].writer, writer, REPLICA_ID_SIZE) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

const struct segment_position *
segment_cursor_find (const struct segment_cursor *cursor,
                     const unsigned char writer[REPLICA_ID_SIZE])
{
  size_t at = lower_bound (cursor, writer);

  if (at < cursor->count
      && memcmp (cursor->items[at].writer, writer, REPLICA_ID_SIZE) == 0)
    return &cursor->items[at];
  return NULL;
}

static bool
make_room (struct segment_cursor *cursor)
{
  size_t capacity = cursor->capacity ? cursor->capacity * 2 : 16;
  struct segment_position *items;

  if (cursor->count < cursor->capacity)
    return true;
  items = realloc (cursor->items, capacity * sizeof *items);
  if (!items)
    return false;
  cursor->items = items;
  cursor->capacity = capacity;
  return true;
}

bool
segment_cursor_set (struct segment_cursor *cursor,
                    const struct segment_position *position)
{
  size_t at = lower_bound (cursor, position->writer);

  if (at == cursor->count
      || memcmp (cursor->items[at].writer, position->writer, REPLICA_ID_SIZE)
             != 0) {
    if (!make_room (cursor))
      return false;
    memmove (cursor->items + at + 1, cursor->items + at,
             (cursor->count - at) * sizeof *cursor->items);
    cursor->count++;
  }
  cursor->items[at] = *position;
  return true;
}

static bool
take_position (const char **at, const char *end, struct segment_position *out)
{
  uint64_t part = 0;

  memset (out, 0, sizeof *out);
  if (end - *at < REPLICA_ID_TEXT
      || !replica_id_from_text (out->writer,
                                slice_make (*at, REPLICA_ID_TEXT - 1)))
    return false;
  *at += REPLICA_ID_TEXT; /* with the colon */
  if (!take_digits (at, end, &out->number))
    return false;
  if (*at < end && **at == '.') {
    ++*at;
    if (!take_digits (at, end, &part) || part > SEGMENT_PARTS_MAX)
      return false;
  }
  out->part = (uint32_t) part;
  return out->number > 0;
}

static int
take_positions (struct segment_cursor *out, struct tally_slice text)
{
  const char *at = text.data, *end = slice_end (text);
  struct segment_position position;

  while (at < end) {
    if (!take_position (&at, end, &position)
        || out->count == SEGMENT_WRITERS_MAX)
      return TALLY_CORRUPT;
    if (!segment_cursor_set (out, &position))
      return TALLY_FAILED;
    if (at < end && *at++ != ',')
      return TALLY_CORRUPT;
  }
  return TALLY_OK;
}

int
segment_cursor_parse (struct segment_cursor *out, struct tally_slice text)
{
  struct buf again = BUF_INIT;
  int status;

  memset (out, 0, sizeof *out);
  status = take_positions (out, text);
  if (status == TALLY_OK) {
    segment_cursor_write (&again, out);
    if (again.failed)
      status = TALLY_FAILED;
    else if (!slice_equal (buf_slice (&again), text))
      status = TALLY_CORRUPT;
    buf_free (&again);
  }
  if (status != TALLY_OK)
    segment_cursor_free (out);
  return status;
}

void
segment_cursor_write (struct buf *out, const struct segment_cursor *cursor)
{
  for (size_t i = 0; i < cursor->count; i++) {
    const struct segment_position *position = &cursor->items[i];
    char writer[REPLICA_ID_TEXT];

    replica_id_text (position->writer, writer);
    buf_addf (out, "%s%s:%llu", i ? "," : "", writer,
              (unsigned long long) position->number);
    if (position->part > 0)
      buf_addf (out, ".%lu", (unsigned long) position->part);
  }
}

void
segment_cursor_free (struct segment_cursor *cursor)
{
  free (cursor->items);
  memset (cursor, 0, sizeof *cursor);
}
