/* SPDX-License-Identifier: MIT */
/* Documents lie in the order of their ids.  As long as those that are wanted
 * lie close together an iterator goes from one to the next; to look each up
 * takes four times as long, as its block is looked for and unpacked for it
 * alone. */

#include <string.h>

#include "linvo-along.h"

#define LEAST 64 /* documents for which an iterator is made */
#define CLOSE 8  /* records; to go over so many is worth a look-up */
#define TRIAL 32 /* documents after which it is to pay */

void
linvo_along_begin (struct linvo_along *along, struct linvo *s,
                   const leveldb_readoptions_t *how, uint32_t number, size_t n)
{
  along->s = s;
  along->how = how;
  along->number = number;
  along->it = NULL;
  along->last.size = 0;
  along->asked = along->far = 0;
  if (number != 0 && n >= LEAST)
    along->it = leveldb_create_iterator (s->db, how);
}

/* Below, equal to or above 0, as the iterator's key is to this one. */
static int
compare (const leveldb_iterator_t *it, const struct linvo_key *key)
{
  size_t size;
  const char *at = leveldb_iter_key (it, &size);
  int order = memcmp (at, key->data, size < key->size ? size : key->size);

  return order ? order : (size > key->size) - (size < key->size);
}

static bool
rises (const struct linvo_along *along, const struct linvo_key *key)
{
  const struct linvo_key *last = &along->last;
  size_t size = last->size < key->size ? last->size : key->size;
  int order = memcmp (last->data, key->data, size);

  return last->size > 0
         && (order < 0 || (order == 0 && last->size < key->size));
}

/* Goes to the key, or else to the next one there is.  False: there is none. */
static bool
go_to (struct linvo_along *along, const struct linvo_key *key)
{
  leveldb_iterator_t *it = along->it;
  bool near = rises (along, key) && leveldb_iter_valid (it);

  for (unsigned i = 0; near && compare (it, key) < 0; i++) {
    leveldb_iter_next (it);
    near = i < CLOSE && leveldb_iter_valid (it);
  }
  if (!near) {
    along->far++;
    leveldb_iter_seek (it, key->data, key->size);
  }
  along->asked++;
  along->last.size = key->size;
  memcpy (along->last.data, key->data, key->size);
  return leveldb_iter_valid (it);
}

/* *value is NULL when it is not there: a damaged block looks as if it had
 * nothing in it. */
static int
read_next (struct linvo_along *along, const struct linvo_key *key,
           struct tally_slice *value, struct tally_error *err)
{
  char *text = NULL;

  value->data = NULL;
  if (go_to (along, key) && compare (along->it, key) == 0)
    value->data = leveldb_iter_value (along->it, &value->size);
  else
    leveldb_iter_get_error (along->it, &text);
  return text ? linvo_fail_leveldb (along->s, text, err) : TALLY_OK;
}

int
linvo_along_find (struct linvo_along *along, const struct tally_slice *id,
                  bool part, struct linvo_found *found,
                  struct tally_error *err)
{
  struct tally_slice value;
  struct linvo_key key;
  int r;

  if (along->it && along->asked == TRIAL && along->far > TRIAL / 2) {
    r = linvo_along_end (along, err);
    if (r != TALLY_OK)
      return r;
  }
  if (!along->it)
    return linvo_find (along->s, along->how, along->number, id, part, found,
                       err);
  memset (found, 0, sizeof *found);
  if (id->size == 0 || id->size > TALLY_ID_MAX
      || linvo_filter_lacks (&along->s->filled, along->number, id))
    return TALLY_OK;
  linvo_key_doc (&key, along->number, id);
  r = read_next (along, &key, &value, err);
  return r == TALLY_OK && value.data ? linvo_found_take (
             along->s, along->how, along->number, id, part, &value, found, err)
                                     : r;
}

int
linvo_along_end (struct linvo_along *along, struct tally_error *err)
{
  leveldb_iterator_t *it = along->it;

  along->it = NULL;
  return it ? linvo_scan_end (along->s, it, err) : TALLY_OK;
}
