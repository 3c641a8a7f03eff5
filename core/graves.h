/* SPDX-License-Identifier: MIT */
/* What is remembered of tombstones that were forgotten.  No run lists them and
 * nobody is told of them; but an old copy of a document that comes back, over
 * a way between stores that is new, from a copy of a store, or in a request
 * that was long on its way, meets its tombstone here as if that had never been
 * forgotten. */

#ifndef TALLY_GRAVES_H
#define TALLY_GRAVES_H

#include "doclist.h"
#include "replica.h"

/* Local: never syncs. */
#define GRAVES_COLLECTION "_graves"

/* The newest so many are kept, and those of SWEEP more before they are next
 * counted in a collection. */
#ifndef GRAVES_MAX
#define GRAVES_MAX 4096
#endif
#ifndef GRAVES_SWEEP
#define GRAVES_SWEEP 1024
#endif

/* One that hides fields with more bytes than that is not remembered. */
#define GRAVE_BODY_MAX 4096

/* Appends a grave for each of these tombstones, as documents to be put into
 * GRAVES_COLLECTION on whatever is there.  When one of them knows more of our
 * client than we are going to write under it, which a repair can leave behind,
 * the store draws another: who makes the document anew has nothing that tells
 * him, and would pass for known wherever the tombstone still is. */
int graves_make (struct doclist *graves, struct replica *replica,
                 const char *collection, const struct doclist *tombstones,
                 struct tally_error *err);

/* docs is what replica_get emitted for the ids with these flags: of those that
 * it did not find, the tombstones that were forgotten take their places, with
 * seq 0.  One beyond our clock, which must have been wrong, says nothing. */
int graves_fill (struct doclist *docs, struct replica *replica,
                 const char *collection, const struct tally_slice *ids,
                 size_t n, unsigned flags, struct tally_error *err);

/* The same with those beyond our clock. */
int graves_fill_all (struct doclist *docs, struct replica *replica,
                     const char *collection, const struct tally_slice *ids,
                     size_t n, unsigned flags, struct tally_error *err);

/* Whether there is any.  Cheaper than a look for one. */
int graves_are_there (struct replica *replica, bool *any,
                      struct tally_error *err);

/* What a grave says of a document.  What it knows altogether is what was
 * deleted.  One that was changed by somebody who did not know of the delete is
 * kept, and told of, since what was deleted of it is back; one that was made
 * anew has nothing of that.  But where the grave knows something later, that
 * would beat what was made anew, if it came back.  There is no grave for what
 * is there, so that is the time for the delete to win. */
enum grave_meets {
  GRAVE_KNOWS_NOTHING,
  GRAVE_KNOWS_LATER, /* and nothing of it */
  GRAVE_KNOWS_SOME,
  GRAVE_KNOWS_ALL
};

int graves_meet (const struct tally_doc *grave, const struct tally_doc *doc,
                 enum grave_meets *meets, struct tally_error *err);

/* Whether it counts as its tombstone would. */
static inline bool
grave_wins (enum grave_meets meets)
{
  return meets == GRAVE_KNOWS_ALL || meets == GRAVE_KNOWS_LATER;
}

/* Whether it was filled in: it is not in the collection. */
static inline bool
is_grave (const struct tally_doc *doc)
{
  return doc->seq == 0;
}

/* Drops the oldest beyond so many. */
int graves_prune (struct replica *replica, size_t most,
                  struct tally_error *err);

#endif /* TALLY_GRAVES_H */
