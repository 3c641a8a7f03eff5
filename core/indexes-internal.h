/* SPDX-License-Identifier: MIT */
/* Rows as the files of core/indexes make them. */

#ifndef TALLY_INDEXES_INTERNAL_H
#define TALLY_INDEXES_INTERNAL_H

#include "doclist.h"
#include "indexes.h"

/* Entries of rows that are to be put, or to go. */
struct rows {
  struct tally_entry *entries;
  size_t n, room;
  struct arena arena;
  /* Indexes by their place in the list that get a row under a mark for the
   * first time, see indexes_note_marks. */
  uint64_t marks;
};

/* Every row's. */
extern const unsigned char index_row_rev[TALLY_REV_SIZE];

/* collection is that of the rows, and must live as long as they do. */
int rows_add (struct rows *rows, const char *collection, uint32_t number,
              struct tally_slice key, struct tally_slice id, bool gone,
              struct tally_error *err);

/* What changes when a document's body was one and is another; data NULL: not
 * there. */
int rows_change (struct rows *rows, const struct index_list *list,
                 const char *collection, struct tally_slice id,
                 struct tally_slice was, struct tally_slice is,
                 struct tally_error *err);

/* Leaves out those that are to go and are not there. */
int rows_settle (struct rows *rows, struct replica *replica,
                 struct tally_error *err);
void rows_free (struct rows *rows);

/* Appends to out what two documents have the same under keys that begin with
 * this one; nothing: there are no two. */
int indexes_find_duplicate (struct replica *replica, const char *collection,
                            const struct index_def *def,
                            struct tally_slice key, struct buf *out,
                            struct tally_error *err);

/* Tells the log of values that these rows, which were put just now, have given
 * to a second document of a unique index; at most so many. */
void indexes_tell_broken (struct replica *replica, const char *collection,
                          const struct index_list *list,
                          const struct rows *rows, const char *rows_name,
                          unsigned *most);

/* The id of a record among the rows, which is there from before the index of
 * this number is built.  A put checks that it is not there for the next number
 * that it knows of: so it either has rows for the index, or was before it. */
#define INDEX_MADE_MAX 24
void indexes_made_id (char out[INDEX_MADE_MAX], uint32_t number);

/* All rows of an index. */
int indexes_forget_rows (struct replica *replica, const char *collection,
                         uint32_t number, struct tally_error *err);

void indexes_note_name (char out[COLLECTION_TEXT_MAX], const char *collection);

/* Tells whoever puts by a list that ends before this number that there is
 * another one by now. */
int indexes_tell_made (struct replica *replica, const char *collection,
                       uint32_t number, struct tally_error *err);

/* Changes the list, or leaves *changes false.  Called again when somebody else
 * changed it meanwhile. */
typedef int indexes_edit_fn (void *ctx, struct index_list *list, bool *changes,
                             struct tally_error *err);

/* Edits the note; *list is then what it says. */
int indexes_edit (struct replica *replica, const char *collection,
                  struct index_list *list, indexes_edit_fn *edit, void *ctx,
                  struct tally_error *err);

/* Notes that these indexes of the list have rows under marks, ahead of the
 * first of those: a search looks there only then.  *which is 0 afterwards. */
int indexes_note_marks (struct replica *replica, const char *collection,
                        struct index_list *list, uint64_t *which,
                        struct tally_error *err);

#endif /* TALLY_INDEXES_INTERNAL_H */
