/* SPDX-License-Identifier: MIT */
/* The records of a put: each kind in the order of its keys, so that LevelDB
 * finds the place of one beside that of the one before. */

#include <stdlib.h>
#include <string.h>

#include <tally/digest.h>

#include "linvo-batch.h"
#include "linvo-digest.h"

static void
add (struct linvo_batch *b, const struct linvo_key *key, const char *value,
     size_t size)
{
  leveldb_writebatch_put (b->records, key->data, key->size, value, size);
}

static void
drop (struct linvo_batch *b, const struct linvo_key *key)
{
  leveldb_writebatch_delete (b->records, key->data, key->size);
}

/* Numbers a collection that this batch is the first to write to. */
static int
number_collection (struct linvo_batch *b, const char *name,
                   struct tally_error *err)
{
  char value[LINVO_NUMBER_SIZE];
  struct linvo_key key;

  if (b->head.numbers == UINT32_MAX)
    return linvo_fail (err, TALLY_UNSUPPORTED, b->s->folder.path,
                       "too many collections");
  b->head.numbers++;
  linvo_key_text (&key, LINVO_NAME, name, strlen (name));
  add (b, &key, value, linvo_encode_number (value, b->head.numbers));
  return TALLY_OK;
}

/* From the first item that changes something on, all of a collection's items
 * have its number. */
static int
number_collections (struct linvo_batch *b, struct tally_error *err)
{
  const char *numbered = NULL;
  size_t i;
  int r = TALLY_OK;

  for (i = 0; r == TALLY_OK && i < b->n; i++) {
    struct linvo_item *item = b->sorted[i];
    const char *name = item->entry->collection;

    if (item->number != 0)
      continue;
    if (!numbered || strcmp (numbered, name) != 0) {
      if (!linvo_item_changes (item))
        continue;
      r = number_collection (b, name, err);
      numbered = name;
    }
    item->number = b->head.numbers;
  }
  return r;
}

static int
make_room (struct linvo_batch *b, const struct tally_doc *doc,
           struct tally_error *err)
{
  size_t room;
  char *value;

  if (doc->meta.size > SIZE_MAX / 4 || doc->body.size > SIZE_MAX / 4)
    return linvo_fail (err, TALLY_INVALID, b->s->folder.path,
                       "a document is too large");
  room = LINVO_DOC_HEAD_MAX + doc->meta.size + doc->body.size;
  if (room <= b->room)
    return TALLY_OK;
  value = realloc (b->value, room);
  if (!value)
    return linvo_fail_memory (b->s, err);
  b->value = value;
  b->room = room;
  return TALLY_OK;
}

static int
write_doc (struct linvo_batch *b, const struct linvo_item *item,
           struct tally_error *err)
{
  const struct tally_doc *doc = &item->entry->doc;
  struct linvo_key key;
  size_t n;
  int r;

  r = make_room (b, doc, err);
  if (r != TALLY_OK)
    return r;
  n = linvo_encode_doc_head (b->value, item->next, doc);
  if (doc->meta.size > 0)
    memcpy (b->value + n, doc->meta.data, doc->meta.size);
  n += doc->meta.size;
  if (doc->body.size > 0)
    memcpy (b->value + n, doc->body.data, doc->body.size);
  n += doc->body.size;
  linvo_key_doc (&key, item->number, &doc->id);
  add (b, &key, b->value, n);
  return TALLY_OK;
}

static void
write_orders (struct linvo_batch *b, const struct linvo_item *item)
{
  const struct tally_doc *doc = &item->entry->doc;
  char value[LINVO_SEQ_MAX];
  struct linvo_key key;

  linvo_key_seq (&key, item->number, item->next);
  add (b, &key, value, linvo_encode_seq (value, doc));
  if (doc->flags & TALLY_DOC_DELETED)
    return;
  linvo_key_stamp (&key, item->number, doc->rev, &doc->id);
  add (b, &key, value, linvo_encode_stamp (value, doc));
}

/* Takes the old document out of both orders. */
static void
drop_orders (struct linvo_batch *b, const struct linvo_item *item)
{
  struct linvo_key key;

  linvo_key_seq (&key, item->number, item->seq);
  drop (b, &key);
  if (!item->live)
    return;
  linvo_key_stamp (&key, item->number, item->rev, &item->entry->doc.id);
  drop (b, &key);
}

static int
write_item (struct linvo_batch *b, const struct linvo_item *item,
            struct tally_error *err)
{
  const struct tally_slice *id = &item->entry->doc.id;
  struct linvo_key key;

  if (!item->forget) {
    linvo_filter_add (&b->s->filled, item->number, id);
    return write_doc (b, item, err);
  }
  linvo_key_doc (&key, item->number, id);
  drop (b, &key);
  return TALLY_OK;
}

static void
move_item (struct linvo_batch *b, struct linvo_item *item)
{
  if (item->found)
    drop_orders (b, item);
  if (item->forget)
    return;
  write_orders (b, item);
  item->seq = item->next;
  memcpy (item->rev, item->entry->doc.rev, sizeof item->rev);
}

static int
write_items (struct linvo_batch *b, struct tally_error *err)
{
  int r = TALLY_OK;
  size_t i;

  for (i = 0; i < b->n; i++)
    if (linvo_item_changes (&b->items[i]) && !b->items[i].forget)
      b->items[i].next = ++b->head.seq;
  for (i = 0; r == TALLY_OK && i < b->n; i++)
    if (linvo_item_changes (b->sorted[i]))
      r = write_item (b, b->sorted[i], err);
  for (i = 0; r == TALLY_OK && i < b->n; i++)
    if (linvo_item_changes (&b->items[i]))
      move_item (b, &b->items[i]);
  return r;
}

/* Follows the items of one collection, which begin at `from`, in its digest;
 * *to is behind them.  A collection that is new has the digest of nothing. */
static int
count_collection (struct linvo_batch *b, size_t from, size_t *to,
                  struct tally_error *err)
{
  uint32_t number = b->sorted[from]->number;
  bool is_new = number > b->s->head.numbers, known = true, kept;
  struct tally_digest digest = { 0 };
  int r = TALLY_OK;
  size_t i;

  if (!is_new && number != 0)
    r = linvo_digest_load (b->s, b->s->read, number, &digest, &known, err);
  kept = known && !is_new;
  for (i = from; i < b->n && b->sorted[i]->number == number; i++) {
    const struct linvo_item *item = b->sorted[i];

    if (known && linvo_item_changes (item))
      known = tally_digest_entry (&digest, item->entry, item->live);
  }
  *to = i;
  if (r == TALLY_OK && number != 0 && (kept || known))
    linvo_digest_save (b->records, number, &digest, known);
  return r;
}

static int
count_all (struct linvo_batch *b, struct tally_error *err)
{
  size_t at = 0;
  int r = TALLY_OK;

  while (r == TALLY_OK && at < b->n)
    r = count_collection (b, at, &at, err);
  return r;
}

int
linvo_batch_write (struct linvo_batch *b, struct tally_error *err)
{
  int r;

  b->records = leveldb_writebatch_create ();
  r = number_collections (b, err);
  if (r == TALLY_OK)
    r = count_all (b, err);
  if (r == TALLY_OK)
    r = write_items (b, err);
  if (r == TALLY_OK)
    r = linvo_commit (b->s, b->records, &b->head, err);
  leveldb_writebatch_destroy (b->records);
  return r;
}
