/* SPDX-License-Identifier: MIT */
/* What an index of a collection is of, and the keys under which it has a
 * document.  Pure. */

#ifndef TALLY_INDEXKEY_H
#define TALLY_INDEXKEY_H

#include <stdint.h>

#include "fields.h"

#define INDEX_FIELDS_MAX 8
#define INDEXES_MAX 64

struct index_def {
  uint32_t number; /* from 1, never given twice in a collection */
  struct field_list fields;
  struct buf name; /* "a,-b.c" */
  bool unique, sparse;
  bool ready; /* every document is in it */
  bool marks; /* there may be rows under INDEX_OVERFLOW or INDEX_SEVERAL, and
                 documents that sort in another order than their rows */
};

struct index_list {
  struct index_def *defs;
  size_t n;
  uint32_t next; /* number of the next one */
};

/* Reads and writes the note.  TALLY_CORRUPT. */
int index_list_read (struct index_list *out, struct tally_slice note,
                     struct tally_error *err);
void index_list_write (const struct index_list *list, struct buf *out);
int index_list_add (struct index_list *list, const char *fields, bool unique,
                    bool sparse, struct tally_error *err);
struct index_def *index_list_find (const struct index_list *list,
                                   const char *fields);
void index_list_remove (struct index_list *list, size_t at);
void index_list_free (struct index_list *list);

/* Keys of one document in one index, in order and each once.  Longer ones, and
 * more than so many, are not kept: the document is then under INDEX_OVERFLOW
 * only, and is looked at whatever is asked for. */
#define INDEX_KEY_MAX 300
#define INDEX_KEYS_MAX 1000
#define INDEX_OVERFLOW 0x05
/* And one that has several keys is under this as well. */
#define INDEX_SEVERAL 0x06

struct index_keys {
  struct tally_slice *keys;
  size_t n;
  struct buf text;
  bool overflow;
  bool strays; /* the document sorts by something else than its one key */
};

/* One index's keys for a live document. */
int index_keys_make (struct index_keys *out, const struct index_def *def,
                     struct tally_slice document, struct tally_error *err);

/* Whether the index has marks, in the sense of index_def, with such keys of a
 * document of this id. */
bool index_keys_marked (const struct index_keys *keys, struct tally_slice id);
void index_keys_free (struct index_keys *keys);

/* ---- rows --------------------------------------------------------------- */

/* A row is a document of a local collection beside the one that is indexed:
 * its id is the index's number, the key, and the id of the document. */
#define INDEX_PREFIX "_i:"
#define INDEX_ID_MAX 600 /* longer ids stand in a row as their hash */

/* Appends the place of all rows with keys that begin with this; `after`: what
 * comes right behind them. */
void index_place (struct buf *out, uint32_t number, struct tally_slice key,
                  bool after);
void index_row (struct buf *out, uint32_t number, struct tally_slice key,
                struct tally_slice id);

/* The id of the document; *hashed: it is a hash, the row's body has the id.
 * data NULL: it is no row. */
struct tally_slice index_row_id (struct tally_slice row, bool *hashed);

/* Appends the key; false: it is no row. */
bool index_row_key (struct tally_slice row, struct buf *out);

/* Appends what a document has under this key, `1, "x"`; nothing when it has
 * something else by now. */
void index_value_text (const struct index_def *def, struct tally_slice key,
                       struct tally_slice document, struct buf *out);

/* Whether it is the key of values, and not of what has no keys of its own. */
bool index_key_is_value (struct tally_slice key);

#endif /* TALLY_INDEXKEY_H */
