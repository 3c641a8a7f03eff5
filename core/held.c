/* SPDX-License-Identifier: MIT */
/* As JSON each is [side,"COLLECTION","ID","REV",seq,since,flags,status,
 * "REASON"], in the order in which they came. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "held.h"
#include "json.h"
#include "notejson.h"

/* In flags. */
#define IS_DELETED 1
#define IS_STRICT 2

#define REV_HEX (2 * TALLY_REV_SIZE + 1)

static void
held_free (struct held *held)
{
  free (held->collection);
  free (held->id);
  free (held->reason);
}

void
held_clear (struct held_list *list)
{
  for (size_t i = 0; i < list->n; i++)
    held_free (&list->items[i]);
  free (list->items);
  list->items = NULL;
  list->n = 0;
}

/* ---- looking ------------------------------------------------------------ */

static bool
is_in (const struct held *held, enum held_side side, const char *collection)
{
  return held->side == side && strcmp (held->collection, collection) == 0;
}

struct held *
held_find (const struct held_list *list, enum held_side side,
           const char *collection, struct tally_slice id)
{
  for (size_t i = 0; i < list->n; i++)
    if (list->items[i].id_size == id.size
        && is_in (&list->items[i], side, collection)
        && memcmp (list->items[i].id, id.data, id.size) == 0)
      return &list->items[i];
  return NULL;
}

bool
held_has_seq (const struct held_list *list, const char *collection,
              uint64_t seq)
{
  for (size_t i = 0; i < list->n; i++)
    if (list->items[i].seq == seq
        && is_in (&list->items[i], HELD_OURS, collection))
      return true;
  return false;
}

uint64_t
held_least_seq (const struct held_list *list, const char *collection)
{
  uint64_t least = UINT64_MAX;

  for (size_t i = 0; i < list->n; i++)
    if (list->items[i].seq > 0 && list->items[i].seq < least
        && is_in (&list->items[i], HELD_OURS, collection))
      least = list->items[i].seq;
  return least;
}

bool
held_has_tombstone (const struct held_list *list, const char *collection)
{
  for (size_t i = 0; i < list->n; i++)
    if (list->items[i].deleted
        && is_in (&list->items[i], HELD_THEIRS, collection))
      return true;
  return false;
}

static bool
is_strict (const struct held *held, const unsigned char *rev)
{
  return held && held->strict
         && !(rev && memcmp (held->merged, rev, TALLY_REV_SIZE) == 0);
}

bool
held_is_strict (const struct held_list *list, const char *collection,
                struct tally_slice id, const unsigned char *rev)
{
  return is_strict (held_find (list, HELD_OURS, collection, id), rev)
         || is_strict (held_find (list, HELD_THEIRS, collection, id), rev);
}

/* ---- changing ----------------------------------------------------------- */

static bool
same (const struct held *held, const struct tally_doc *doc, int status,
      const char *reason)
{
  return memcmp (held->rev, doc->rev, TALLY_REV_SIZE) == 0
         && held->seq == doc->seq && held->status == status
         && strcmp (held->reason, reason) == 0;
}

static struct held *
add_held (struct held_list *list, enum held_side side, const char *collection,
          const struct tally_doc *doc, uint64_t now_ms)
{
  struct held *items = realloc (list->items, (list->n + 1) * sizeof *items);
  struct held *held;

  if (!items)
    return NULL;
  list->items = items;
  held = &items[list->n];
  memset (held, 0, sizeof *held);
  held->side = side;
  held->since_ms = now_ms;
  held->collection = strdup (collection);
  held->id = malloc (doc->id.size + 1);
  held->reason = strdup ("");
  if (!held->collection || !held->id || !held->reason) {
    held_free (held);
    return NULL;
  }
  memcpy (held->id, doc->id.data, doc->id.size);
  held->id[doc->id.size] = '\0';
  held->id_size = doc->id.size;
  list->n++;
  return held;
}

int
held_put (struct held_list *list, enum held_side side, const char *collection,
          const struct tally_doc *doc, int status, const char *reason,
          uint64_t now_ms)
{
  struct held *held = held_find (list, side, collection, doc->id);
  char *copy;

  if (held && same (held, doc, status, reason)) {
    held->tried = false;
    return TALLY_OK;
  }
  if (!held && list->n >= HELD_MAX)
    return TALLY_AGAIN;
  copy = strdup (reason);
  if (copy && !held)
    held = add_held (list, side, collection, doc, now_ms);
  if (!copy || !held) {
    free (copy);
    return TALLY_FAILED;
  }
  free (held->reason);
  held->reason = copy;
  memcpy (held->rev, doc->rev, TALLY_REV_SIZE);
  held->seq = side == HELD_OURS ? doc->seq : 0;
  held->deleted = doc->flags & TALLY_DOC_DELETED;
  held->status = status;
  held->tried = false;
  list->changed = true;
  return TALLY_OK;
}

void
held_set_strict (struct held_list *list, enum held_side side,
                 const char *collection, struct tally_slice id)
{
  struct held *held = held_find (list, side, collection, id);

  if (!held || held->strict)
    return;
  held->strict = true;
  list->changed = true;
}

void
held_set_merged (struct held_list *list, const char *collection,
                 struct tally_slice id, const unsigned char *rev)
{
  struct held *ours = held_find (list, HELD_OURS, collection, id);
  struct held *theirs = held_find (list, HELD_THEIRS, collection, id);

  if (ours)
    memcpy (ours->merged, rev, TALLY_REV_SIZE);
  if (theirs)
    memcpy (theirs->merged, rev, TALLY_REV_SIZE);
}

void
held_settle (struct held_list *list, const char *collection)
{
  size_t kept = 0;

  for (size_t i = 0; i < list->n; i++) {
    struct held *held = &list->items[i];

    if (held->tried && strcmp (held->collection, collection) == 0) {
      held_free (held);
      list->changed = true;
    } else
      list->items[kept++] = *held;
  }
  list->n = kept;
}

/* ---- bytes -------------------------------------------------------------- */

void
held_write (const struct held_list *list, struct buf *out)
{
  char rev[REV_HEX];

  buf_add_byte (out, '[');
  for (size_t i = 0; i < list->n; i++) {
    const struct held *held = &list->items[i];

    sodium_bin2hex (rev, sizeof rev, held->rev, TALLY_REV_SIZE);
    buf_addf (out, "%s[%d,\"%s\",", i ? "," : "", held->side,
              held->collection);
    json_encode_string (out, slice_make (held->id, held->id_size));
    buf_addf (
        out, ",\"%s\",%llu,%llu,%d,%d,", rev, (unsigned long long) held->seq,
        (unsigned long long) held->since_ms,
        (held->deleted ? IS_DELETED : 0) | (held->strict ? IS_STRICT : 0),
        -held->status);
    json_encode_string (out, slice_text (held->reason));
    buf_add_byte (out, ']');
  }
  buf_add_byte (out, ']');
}

/* What stands in one entry, as it stands there. */
enum { SIDE, COLLECTION, ID, REV, SEQ, SINCE, FLAGS, STATUS, REASON, N };

static bool
split (struct tally_slice json, struct tally_slice out[N])
{
  struct tally_slice more;

  if (json_type (json) != JSON_ARRAY)
    return false;
  for (size_t i = 0; i < N; i++)
    if (!json_next_element (&json, &out[i]))
      return false;
  return !json_next_element (&json, &more);
}

static bool
read_rev (unsigned char rev[TALLY_REV_SIZE], struct tally_slice text)
{
  size_t size;

  return text.size == REV_HEX + 1
         && sodium_hex2bin (rev, TALLY_REV_SIZE, text.data + 1, REV_HEX - 1,
                            NULL, &size, NULL)
                == 0
         && size == TALLY_REV_SIZE;
}

static bool
add_text (struct buf *out, struct tally_slice json)
{
  if (json_type (json) != JSON_STRING || !json_decode_string (out, json))
    return false;
  buf_add_byte (out, '\0');
  return !out->failed;
}

static bool
read_one (struct held_list *list, const struct tally_slice part[N])
{
  struct tally_doc doc = { 0 };
  struct buf collection = BUF_INIT, id = BUF_INIT, reason = BUF_INIT;
  uint64_t side, since, flags, status;
  bool good =
      note_number (part[SIDE], &side) && side <= HELD_THEIRS
      && add_text (&collection, part[COLLECTION]) && add_text (&id, part[ID])
      && read_rev (doc.rev, part[REV]) && note_number (part[SEQ], &doc.seq)
      && note_number (part[SINCE], &since) && note_number (part[FLAGS], &flags)
      && note_number (part[STATUS], &status) && status <= 1000
      && add_text (&reason, part[REASON]);

  if (good) {
    doc.id = slice_make (id.data, id.size - 1);
    doc.flags = flags & IS_DELETED ? TALLY_DOC_DELETED : 0;
    good = held_put (list, (enum held_side) side, collection.data, &doc,
                     -(int) status, reason.data, since)
           == TALLY_OK;
    if (good && (flags & IS_STRICT))
      held_set_strict (list, (enum held_side) side, collection.data, doc.id);
  }
  buf_free (&reason);
  buf_free (&id);
  buf_free (&collection);
  return good;
}

bool
held_read (struct held_list *list, struct tally_slice json)
{
  struct tally_slice element, part[N];

  if (json_type (json) != JSON_ARRAY)
    return false;
  while (json_next_element (&json, &element))
    if (!split (element, part) || !read_one (list, part))
      return false;
  list->changed = false;
  return true;
}
