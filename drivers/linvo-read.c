/* SPDX-License-Identifier: MIT */
/* Reading single records and ranges.  Whatever comes back is checked for its
 * form before it is believed, also when LevelDB's checksums held. */

#include <string.h>

#include "linvo-db.h"

int
linvo_read (struct linvo *s, const leveldb_readoptions_t *how,
            const struct linvo_key *key, char **value, size_t *size,
            struct tally_error *err)
{
  char *text = NULL;

  *value = leveldb_get (s->db, how, key->data, key->size, size, &text);
  if (text)
    return linvo_fail_leveldb (s, text, err);
  return TALLY_OK;
}

/* ---- numbers ------------------------------------------------------------ */

static struct linvo_named *
named_slot (struct linvo *s, const char *collection, size_t size)
{
  size_t hash = size;

  for (size_t i = 0; i < size; i++)
    hash = 31 * hash + (unsigned char) collection[i];
  return &s->named[hash % LINVO_NAMED];
}

static uint32_t
known_number (struct linvo *s, const char *collection, size_t size)
{
  const struct linvo_named *slot = named_slot (s, collection, size);
  uint32_t number = 0;

  pthread_mutex_lock (&s->naming);
  if (slot->number != 0 && strcmp (slot->name, collection) == 0)
    number = slot->number;
  pthread_mutex_unlock (&s->naming);
  return number;
}

static void
keep_number (struct linvo *s, const char *collection, size_t size,
             uint32_t number)
{
  struct linvo_named *slot = named_slot (s, collection, size);

  pthread_mutex_lock (&s->naming);
  slot->number = number;
  memcpy (slot->name, collection, size + 1);
  pthread_mutex_unlock (&s->naming);
}

int
linvo_read_number (struct linvo *s, const leveldb_readoptions_t *how,
                   const char *collection, uint32_t *number,
                   struct tally_error *err)
{
  size_t size = strlen (collection);
  struct tally_slice value;
  struct linvo_key key;
  char *text;
  int r;

  *number = 0;
  if (size > LINVO_NAME_MAX)
    return TALLY_OK;
  *number = known_number (s, collection, size);
  if (*number != 0)
    return TALLY_OK;
  linvo_key_text (&key, LINVO_NAME, collection, size);
  r = linvo_read (s, how, &key, &text, &value.size, err);
  if (r != TALLY_OK || !text)
    return r;
  value.data = text;
  if (!linvo_decode_number (&value, number))
    r = linvo_fail_corrupt (s, "the record of a collection is damaged", err);
  if (r == TALLY_OK)
    keep_number (s, collection, size, *number);
  leveldb_free (text);
  return r;
}

/* ---- records ------------------------------------------------------------ */

int
linvo_read_head (struct linvo *s, const leveldb_readoptions_t *how,
                 struct linvo_head *head, struct tally_error *err)
{
  struct tally_slice value;
  struct linvo_key key;
  char *text;
  int r;

  memset (head, 0, sizeof *head);
  linvo_key_text (&key, LINVO_HEAD, NULL, 0);
  r = linvo_read (s, how, &key, &text, &value.size, err);
  if (r != TALLY_OK || !text)
    return r;
  value.data = text;
  if (!linvo_decode_head (&value, head))
    r = linvo_fail_corrupt (s, "its head record is damaged", err);
  leveldb_free (text);
  return r;
}

/* The record of the order that holds a document's whole rev. */
static bool
decode_rev (const struct tally_slice *value, struct tally_doc *doc)
{
  struct tally_doc listed;

  if (!(doc->flags & TALLY_DOC_DELETED))
    return linvo_decode_hash (value, doc);
  if (!linvo_decode_seq (value, &listed) || listed.flags != doc->flags
      || listed.id.size != doc->id.size
      || memcmp (listed.id.data, doc->id.data, doc->id.size) != 0)
    return false;
  memcpy (doc->rev, listed.rev, TALLY_REV_SIZE);
  return true;
}

int
linvo_read_rev (struct linvo *s, const leveldb_readoptions_t *how,
                uint32_t number, struct tally_doc *doc,
                struct tally_error *err)
{
  unsigned char part[TALLY_REV_PART];
  struct tally_slice value;
  struct linvo_key key;
  char *text;
  int r;

  memcpy (part, doc->rev, sizeof part);
  if (doc->flags & TALLY_DOC_DELETED)
    linvo_key_seq (&key, number, doc->seq);
  else
    linvo_key_stamp (&key, number, doc->rev, &doc->id);
  r = linvo_read (s, how, &key, &text, &value.size, err);
  if (r != TALLY_OK)
    return r;
  value.data = text;
  if (!text || !decode_rev (&value, doc)
      || memcmp (part, doc->rev, sizeof part) != 0)
    r = linvo_fail_corrupt (s, "a document and its revision disagree", err);
  leveldb_free (text);
  return r;
}

int
linvo_found_take (struct linvo *s, const leveldb_readoptions_t *how,
                  uint32_t number, const struct tally_slice *id, bool part,
                  const struct tally_slice *value, struct linvo_found *found,
                  struct tally_error *err)
{
  int r = TALLY_OK;

  if (!linvo_decode_doc (value, &found->doc))
    return linvo_fail_corrupt (s, "a document's record is damaged", err);
  found->doc.id = *id;
  if (!part)
    r = linvo_read_rev (s, how, number, &found->doc, err);
  found->found = r == TALLY_OK;
  return r;
}

int
linvo_find (struct linvo *s, const leveldb_readoptions_t *how, uint32_t number,
            const struct tally_slice *id, bool part, struct linvo_found *found,
            struct tally_error *err)
{
  struct tally_slice value;
  struct linvo_key key;
  int r;

  memset (found, 0, sizeof *found);
  if (number == 0 || id->size == 0 || id->size > TALLY_ID_MAX
      || linvo_filter_lacks (&s->filled, number, id))
    return TALLY_OK;
  linvo_key_doc (&key, number, id);
  r = linvo_read (s, how, &key, &found->value, &value.size, err);
  if (r != TALLY_OK || !found->value)
    return r;
  value.data = found->value;
  return linvo_found_take (s, how, number, id, part, &value, found, err);
}

void
linvo_found_done (struct linvo_found *found)
{
  leveldb_free (found->value);
}

leveldb_iterator_t *
linvo_scan_kept (struct linvo *s, const leveldb_readoptions_t *how,
                 const struct linvo_key *from)
{
  leveldb_iterator_t *it = leveldb_create_iterator (s->db, how);

  leveldb_iter_seek (it, from->data, from->size);
  return it;
}

leveldb_iterator_t *
linvo_scan (struct linvo *s, const struct linvo_view *view,
            const struct linvo_key *from)
{
  return linvo_scan_kept (s, view->range, from);
}

bool
linvo_scan_within (const leveldb_iterator_t *it,
                   const struct linvo_key *prefix, size_t size,
                   struct tally_slice *key)
{
  if (!leveldb_iter_valid (it))
    return false;
  key->data = leveldb_iter_key (it, &key->size);
  return linvo_key_within (key, prefix, size);
}

int
linvo_scan_end (struct linvo *s, leveldb_iterator_t *it,
                struct tally_error *err)
{
  char *text = NULL;

  leveldb_iter_get_error (it, &text);
  leveldb_iter_destroy (it);
  return text ? linvo_fail_leveldb (s, text, err) : TALLY_OK;
}
