/* SPDX-License-Identifier: MIT */
/* One put is one LevelDB batch.  The entries are looked up and written in the
 * order of their keys, which finds an id that comes twice and reads and writes
 * neighbours together; their seqs have the order given. */

#include <stdlib.h>
#include <string.h>

#include <tally/digest.h>

#include "linvo-db.h"
#include "linvo-digest.h"
#include "linvo-put.h"

/* An entry and what is stored under its id now. */
struct item {
  const struct tally_entry *entry;
  uint64_t start;  /* of its id, see compare_items */
  uint32_t number; /* of its collection; 0: none yet */
  bool forget;
  bool absent; /* known without a look */
  bool found;
  bool live; /* what was found */
  bool conflict;
  uint64_t seq;
  uint64_t next; /* the seq that it gets */
  unsigned char rev[TALLY_REV_SIZE];
};

struct batch {
  struct linvo *s;
  struct item *items;   /* as given */
  struct item **sorted; /* by collection and id */
  size_t n;
  size_t conflicts; /* items that expect something else */
  size_t writes;    /* items that change something */
  struct linvo_head head;
  leveldb_writebatch_t *records;
  char *value; /* room to put a document's value together */
  size_t room;
};

static const unsigned char nothing[TALLY_REV_SIZE];

/* ---- checking ---------------------------------------------------------- */

/* The first bytes of an id as a number of the same order, short ones with
 * zeros. */
static uint64_t
start_of (const struct tally_slice *id)
{
  uint64_t start = 0;

  for (size_t i = 0; i < sizeof start; i++)
    start = start << 8
            | (i < id->size ? (unsigned char) id->data[i] : (unsigned char) 0);
  return start;
}

/* What begins differently, as nearly all does, is not looked at further. */
static int
compare_items (const void *a, const void *b)
{
  const struct item *p = *(struct item *const *) a;
  const struct item *q = *(struct item *const *) b;
  const struct tally_entry *x = p->entry, *y = q->entry;
  size_t size;
  int r = x->collection == y->collection
              ? 0
              : strcmp (x->collection, y->collection);

  if (r != 0)
    return r;
  if (p->start != q->start)
    return p->start < q->start ? -1 : 1;
  size = x->doc.id.size < y->doc.id.size ? x->doc.id.size : y->doc.id.size;
  r = memcmp (x->doc.id.data, y->doc.id.data, size);
  if (r != 0)
    return r;
  return x->doc.id.size < y->doc.id.size ? -1 : x->doc.id.size > size;
}

static int
check_entry (const struct batch *b, const struct tally_entry *entry,
             struct tally_error *err)
{
  const char *path = b->s->folder.path;

  if (!entry->collection || strlen (entry->collection) > LINVO_NAME_MAX)
    return linvo_fail (err, TALLY_INVALID, path, "bad collection name");
  if (entry->doc.id.size == 0 || entry->doc.id.size > TALLY_ID_MAX)
    return linvo_fail (err, TALLY_INVALID, path, "an id has 1 to %d bytes",
                       TALLY_ID_MAX);
  if ((entry->flags & TALLY_ENTRY_FORGET) && !entry->expected)
    return linvo_fail (err, TALLY_INVALID, path,
                       "forgetting takes an expected rev");
  if (entry->doc.flags & ~(uint32_t) TALLY_DOC_DELETED)
    return linvo_fail (err, TALLY_INVALID, path,
                       "a document has a flag that is not known");
  return TALLY_OK;
}

/* In order, and none is there twice. */
static bool
items_rise (const struct batch *b)
{
  for (size_t i = 1; i < b->n; i++)
    if (compare_items (&b->sorted[i - 1], &b->sorted[i]) >= 0)
      return false;
  return true;
}

/* Sorts the items and refuses an id that is there twice. */
static int
sort_items (struct batch *b, const struct tally_entry *entries,
            struct tally_error *err)
{
  size_t i;
  int r;

  for (i = 0; i < b->n; i++) {
    r = check_entry (b, &entries[i], err);
    if (r != TALLY_OK)
      return r;
    b->items[i].entry = &entries[i];
    b->items[i].start = start_of (&entries[i].doc.id);
    b->items[i].forget = (entries[i].flags & TALLY_ENTRY_FORGET) != 0;
    b->sorted[i] = &b->items[i];
  }
  if (items_rise (b))
    return TALLY_OK;
  qsort (b->sorted, b->n, sizeof *b->sorted, compare_items);
  return items_rise (b) ? TALLY_OK
                        : linvo_fail (err, TALLY_INVALID, b->s->folder.path,
                                      "an id is in the batch twice");
}

/* Whether what is stored is what the entry expects. */
static bool
as_expected (const struct item *item)
{
  const unsigned char *expected = item->entry->expected;

  if (!expected)
    return true;
  return memcmp (expected, item->found ? item->rev : nothing, TALLY_REV_SIZE)
         == 0;
}

static bool
changes_something (const struct item *item)
{
  return !item->conflict && (item->found || !item->forget);
}

/* Marks what a read has just found not to be there. */
static int
mark_absent (struct batch *b, struct tally_error *err)
{
  struct linvo_absence absence;
  const char *collection = NULL;
  uint32_t read, number = 0;
  size_t at = 0;
  bool holds = linvo_absent_take (&b->s->absent, &read, &absence);
  int r = TALLY_OK;

  for (size_t i = 0; r == TALLY_OK && holds && i < b->n; i++) {
    struct item *item = &b->items[i];

    if (collection != item->entry->collection) {
      collection = item->entry->collection;
      r = linvo_read_number (b->s, b->s->read, collection, &number, err);
    }
    item->absent =
        r == TALLY_OK && number == read
        && linvo_absence_next_is (&absence, &at, &item->entry->doc.id);
  }
  free (absence.ids);
  return r;
}

static int
look_up (struct batch *b, struct item *item, struct tally_error *err)
{
  struct linvo_found found = { .found = false };
  int r = item->absent ? TALLY_OK
                       : linvo_find (b->s, b->s->read, item->number,
                                     &item->entry->doc.id, false, &found, err);

  if (r == TALLY_OK) {
    item->found = found.found;
    item->live = found.found && !(found.doc.flags & TALLY_DOC_DELETED);
    item->seq = found.doc.seq;
    memcpy (item->rev, found.doc.rev, TALLY_REV_SIZE);
    item->conflict = !as_expected (item);
    b->conflicts += item->conflict;
    b->writes += changes_something (item);
  }
  linvo_found_done (&found);
  return r;
}

static int
look_up_all (struct batch *b, struct tally_error *err)
{
  const char *collection = NULL;
  uint32_t number = 0;
  size_t i;
  int r;

  for (i = 0; i < b->n; i++) {
    struct item *item = b->sorted[i];

    if (!collection || strcmp (collection, item->entry->collection) != 0) {
      collection = item->entry->collection;
      r = linvo_read_number (b->s, b->s->read, collection, &number, err);
      if (r != TALLY_OK)
        return r;
    }
    item->number = number;
    r = look_up (b, item, err);
    if (r != TALLY_OK)
      return r;
  }
  return TALLY_OK;
}

/* ---- writing ----------------------------------------------------------- */

static void
add (struct batch *b, const struct linvo_key *key, const char *value,
     size_t size)
{
  leveldb_writebatch_put (b->records, key->data, key->size, value, size);
}

static void
drop (struct batch *b, const struct linvo_key *key)
{
  leveldb_writebatch_delete (b->records, key->data, key->size);
}

/* Numbers a collection that this batch is the first to write to. */
static int
number_collection (struct batch *b, const char *name, struct tally_error *err)
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
number_collections (struct batch *b, struct tally_error *err)
{
  const char *numbered = NULL;
  size_t i;
  int r = TALLY_OK;

  for (i = 0; r == TALLY_OK && i < b->n; i++) {
    struct item *item = b->sorted[i];
    const char *name = item->entry->collection;

    if (item->number != 0)
      continue;
    if (!numbered || strcmp (numbered, name) != 0) {
      if (!changes_something (item))
        continue;
      r = number_collection (b, name, err);
      numbered = name;
    }
    item->number = b->head.numbers;
  }
  return r;
}

static int
make_room (struct batch *b, const struct tally_doc *doc,
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
write_doc (struct batch *b, const struct item *item, struct tally_error *err)
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
write_orders (struct batch *b, const struct item *item)
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
drop_orders (struct batch *b, const struct item *item)
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
write_item (struct batch *b, const struct item *item, struct tally_error *err)
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

/* Afterwards seq and rev of a document that stays are those now stored. */
static void
move_item (struct batch *b, struct item *item)
{
  if (item->found)
    drop_orders (b, item);
  if (item->forget)
    return;
  write_orders (b, item);
  item->seq = item->next;
  memcpy (item->rev, item->entry->doc.rev, sizeof item->rev);
}

/* Each kind of record in the order of its keys, so that LevelDB finds the
 * place of one beside that of the one before. */
static int
write_items (struct batch *b, struct tally_error *err)
{
  int r = TALLY_OK;
  size_t i;

  for (i = 0; i < b->n; i++)
    if (changes_something (&b->items[i]) && !b->items[i].forget)
      b->items[i].next = ++b->head.seq;
  for (i = 0; r == TALLY_OK && i < b->n; i++)
    if (changes_something (b->sorted[i]))
      r = write_item (b, b->sorted[i], err);
  for (i = 0; r == TALLY_OK && i < b->n; i++)
    if (changes_something (&b->items[i]))
      move_item (b, &b->items[i]);
  return r;
}

/* Follows the items of one collection, which begin at `from`, in its digest;
 * *to is behind them.  A collection that is new has the digest of nothing. */
static int
count_collection (struct batch *b, size_t from, size_t *to,
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
    const struct item *item = b->sorted[i];

    if (known && changes_something (item))
      known = tally_digest_entry (&digest, item->entry, item->live);
  }
  *to = i;
  if (r == TALLY_OK && number != 0 && (kept || known))
    linvo_digest_save (b->records, number, &digest, known);
  return r;
}

static int
count_all (struct batch *b, struct tally_error *err)
{
  size_t at = 0;
  int r = TALLY_OK;

  while (r == TALLY_OK && at < b->n)
    r = count_collection (b, at, &at, err);
  return r;
}

static int
write_all (struct batch *b, struct tally_error *err)
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

/* ---- the slot ---------------------------------------------------------- */

static void
report (const struct batch *b, bool written, struct tally_outcome *outcomes)
{
  size_t i;

  memset (outcomes, 0, b->n * sizeof *outcomes);
  for (i = 0; i < b->n; i++) {
    const struct item *item = &b->items[i];

    outcomes[i].status = item->conflict ? TALLY_CONFLICT : TALLY_OK;
    if (!item->conflict && (!written || item->forget))
      continue;
    outcomes[i].seq = item->seq;
    memcpy (outcomes[i].rev, item->rev, TALLY_REV_SIZE);
  }
}

/* With the store entered for writing. */
static int
put_batch (struct batch *b, unsigned flags, struct tally_outcome *outcomes,
           struct tally_error *err)
{
  bool write;
  int r;

  b->head = b->s->head;
  r = mark_absent (b, err);
  if (r == TALLY_OK)
    r = look_up_all (b, err);
  if (r != TALLY_OK)
    return r;
  write = !((flags & TALLY_PUT_ALL) && b->conflicts > 0);
  if (write && b->writes > 0)
    r = write_all (b, err);
  if (r == TALLY_OK)
    report (b, write, outcomes);
  return r;
}

int
linvo_put (void *handle, const struct tally_entry *entries, size_t n,
           unsigned flags, struct tally_outcome *outcomes,
           struct tally_error *err)
{
  struct linvo *s = handle;
  struct batch b = { .s = s, .n = n };
  int r;

  if (n == 0)
    return TALLY_OK;
  b.items = calloc (n, sizeof *b.items);
  b.sorted = calloc (n, sizeof *b.sorted);
  if (!b.items || !b.sorted) {
    r = linvo_fail_memory (s, err);
    goto out;
  }

  r = sort_items (&b, entries, err);
  if (r != TALLY_OK)
    goto out;
  r = linvo_begin_write (s, err);
  if (r != TALLY_OK)
    goto out;
  r = put_batch (&b, flags, outcomes, err);
  linvo_end_write (s);

out:
  free (b.value);
  free (b.sorted);
  free (b.items);
  return r;
}
