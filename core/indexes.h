/* SPDX-License-Identifier: MIT */
/* The indexes of a store's collections.  A row of one is a document of a local
 * collection, put in the transaction of the document that it is of: so every
 * store that has transactions and finds ids in order has indexes, that no
 * crash can part from the documents. */

#ifndef TALLY_INDEXES_H
#define TALLY_INDEXES_H

#include "indexkey.h"
#include "replica.h"

/* False: queries look at every document. */
bool indexes_possible (const struct replica *replica);

/* Whether documents of such a collection can be in one. */
bool indexes_concern (const char *collection);

/* Those of a collection, as the store says now; none is an empty list. */
int indexes_load (struct replica *replica, const char *collection,
                  struct index_list *out, struct tally_error *err);

/* The same, shared by all who search while the note says the same. */
struct indexes_taken {
  unsigned users; /* guarded by the replica's known_lock */
  struct buf note;
  struct index_list list;
};
int indexes_take (struct replica *replica, const char *collection,
                  struct indexes_taken **out, struct tally_error *err);
void indexes_release (struct replica *replica, struct indexes_taken *taken);

/* The same, as it was when it was last read through this handle: a put then
 * finds out by itself whether that still holds, and forgets it if not. */
int indexes_recall (struct replica *replica, const char *collection,
                    struct index_list *out, struct tally_error *err);
void indexes_unlearn (struct replica *replica, const char *collection);
void indexes_known_free (struct replica *replica);

/* Flag of a put: whoever puts has looked at the list, too.  If that was not
 * true any more, all documents of the collection are TALLY_CONFLICT, and
 * nothing is written of them. */
#define INDEXES_LOOKED 0x80000000u

/* A put of which some documents may be indexed. */
int indexes_put (struct replica *replica, const struct tally_entry *entries,
                 size_t n, unsigned flags, struct tally_outcome *outcomes,
                 struct tally_error *err);

/* Told of documents that were looked at, of how many; 0: nobody knows. */
typedef void indexes_progress_fn (void *ctx, uint64_t done, uint64_t total);

/* Makes the index unless it is there, and puts into it all that is not.  Cut
 * short, it is not used, and the next call goes on.  TALLY_INVALID: one of
 * these fields is there and is another one, or documents have the same in one
 * that is to be unique, and then none is made. */
int indexes_ensure (struct replica *replica, const char *collection,
                    const char *fields, bool unique, bool sparse,
                    indexes_progress_fn *progress, void *ctx,
                    struct tally_error *err);

/* Takes it away again, with its rows.  TALLY_NOTFOUND: there is none.
 * TALLY_INVALID: the ini declares it. */
int indexes_drop (struct replica *replica, const char *collection,
                  const char *fields, struct tally_error *err);

/* Those that the ini declares for the store: makes what is missing, and tells
 * the log of one that cannot be made; what is stored must stay in reach, or
 * nobody could mend it.  A store that is open READONLY is left as it is.
 * TALLY_CONFIG: the ini is wrong. */
struct config_endpoint;
int indexes_declare (struct replica *replica,
                     const struct config_endpoint *section,
                     struct tally_error *err);

/* Whether what the ini declares can be read, of a store that need not be
 * there. */
int indexes_try (const struct config_endpoint *section,
                 struct tally_error *err);

/* TALLY_INVALID: the store has another one than the ini declares. */
int indexes_check_declared (struct replica *replica,
                            const struct config_endpoint *section,
                            struct tally_error *err);

/* TALLY_CORRUPT: an index does not agree with the documents. */
int indexes_check (struct replica *replica, const char *collection,
                   struct tally_error *err);

/* The same for all collections, while others may write. */
int indexes_check_all (struct replica *replica, struct tally_error *err);

/* Told of each unique index that what a sync brought has broken, with two of
 * the documents. */
typedef void indexes_broken_fn (void *ctx, const char *fields,
                                const char *why);
int indexes_each_broken (struct replica *replica, const char *collection,
                         indexes_broken_fn *fn, void *ctx,
                         struct tally_error *err);

/* The local collection of rows. */
void indexes_rows_name (char out[COLLECTION_TEXT_MAX], const char *collection);

/* Hands out the ids of documents under keys from one place to another, in the
 * order of the rows; the same id may come more than once. */
int indexes_scan (struct replica *replica, const char *collection,
                  struct tally_slice from, struct tally_slice to,
                  tally_emit_doc *emit, void *ctx, struct tally_error *err);

#endif /* TALLY_INDEXES_H */
