/* SPDX-License-Identifier: MIT */
/* The time that LinvoDB's clients are shown for a document.  They take a
 * document again only if its time is later than the one they have, so it must
 * rise whenever the revision changes.  Mostly it is that of the newest stamp;
 * where a merge brings something older, that stays, so the document is
 * *raised*: in a local collection beside its own there is a record under its
 * id, whose stamp is the time to show.  Only stores that such clients have met
 * keep these. */

#ifndef TALLY_MTIME_H
#define TALLY_MTIME_H

#include "doclist.h"
#include "idmap.h"
#include "replica.h"

/* Begins the names of those collections.  With the two colons that follow it
 * is the name of no account's collection. */
#define MTIME_PREFIX "_mtime:"

/* Whether documents of a collection are ever shown. */
bool mtime_concerns (const char *collection);

/* From now on every put raises what must rise; durable. */
int mtime_show (struct replica *replica, struct tally_error *err);

/* Whether it does. */
int mtime_is_shown (struct replica *replica, bool *shown,
                    struct tally_error *err);

/* replica_put for a store where it does. */
int mtime_put (struct replica *replica, const struct tally_entry *entries,
               size_t n, unsigned flags, struct tally_outcome *outcomes,
               struct tally_error *err);

/* ---- asking ------------------------------------------------------------- */

/* Records that were read, by the ids of their documents. */
struct mtimes {
  struct doclist records;
  struct idmap ids;
};

/* Records are read before the documents that they belong to: what is shown
 * may then be too early for a moment, never too late. */
int mtime_read (struct mtimes *out, struct replica *replica,
                const char *collection, const struct tally_slice *ids,
                size_t n, struct tally_error *err);
int mtime_read_all (struct mtimes *out, struct replica *replica,
                    const char *collection, struct tally_error *err);
void mtimes_free (struct mtimes *mtimes);

/* NULL: the document is not raised. */
const struct tally_doc *mtime_find (const struct mtimes *mtimes,
                                    struct tally_slice id);

uint64_t mtime_of_rev (const unsigned char rev[TALLY_REV_SIZE]);

/* record may be NULL. */
static inline uint64_t
mtime_shown (const struct tally_doc *doc, const struct tally_doc *record)
{
  uint64_t own = mtime_of_rev (doc->rev);
  uint64_t raised = record ? mtime_of_rev (record->rev) : 0;

  return raised > own ? raised : own;
}

/* ---- raising ------------------------------------------------------------ */

/* What a record's entry lies in. */
struct mtime_record {
  char collection[COLLECTION_TEXT_MAX + sizeof MTIME_PREFIX];
  unsigned char expected[TALLY_REV_SIZE];
  struct buf meta, body;
};

/* Makes the entry that raises a document to `ms`, over `had` or nothing. */
int mtime_raise (struct mtime_record *record, struct tally_entry *entry,
                 const char *collection, struct tally_slice id, uint64_t ms,
                 const struct tally_doc *had, struct tally_error *err);
void mtime_record_free (struct mtime_record *record);

#endif /* TALLY_MTIME_H */
