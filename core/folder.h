/* SPDX-License-Identifier: MIT */
/* The segment log over a folder that several machines share, where nobody
 * answers.  Each writer publishes immutable, checksummed segments of its own,
 * one log for each collection, named WRITER.COLLECTION.NUMBER.tally; readers
 * remember how far they read.  There are no locks: a name is taken once, and
 * only its writer takes it. */

#ifndef TALLY_FOLDER_H
#define TALLY_FOLDER_H

#include "channel.h"
#include "doclist.h"
#include "replica.h"

/* For one run and one thread. */
struct folder;

/* self is who we are there: whose log is ours.
 * Finds out who the folder is (a random id in a marker blob, made when it is
 * not there and `look` is false) and lists it.  With `look` nothing is
 * written, and a folder with neither a marker nor segments has an id of
 * zeros. */
int folder_open (struct folder **out, struct channel *channel,
                 struct replica *replica,
                 const unsigned char self[REPLICA_ID_SIZE], bool look,
                 unsigned char id[REPLICA_ID_SIZE], struct tally_error *err);
void folder_close (struct folder *folder);

/* The collections that have segments, in name order; names live as long as
 * the folder. */
size_t folder_collections (struct folder *folder, const char *const **names);

/* True when our own log has gone on without us: this store was copied, or
 * rolled back, and must become another. */
bool folder_is_ahead (struct folder *folder);

/* True when segments that we published, and still need, are not in the folder
 * (it was emptied, rolled back, or is another copy), or when putting them
 * back was cut short.  Then everything here must be put again, from a local
 * cursor of 0, before the next commit: what is put in this run begins the log
 * anew, and readers do not look for what was before it.  Ask before the first
 * put; after the commit it is false.  When our own state cannot be read it is
 * false, and every put and commit then says why. */
bool folder_is_behind (struct folder *folder, const char *collection);

/* Loads the next segment of another writer after the cursor (empty: from the
 * start); its headers go to the list, *next is the cursor behind it, with its
 * NUL.  Without anything new there are no headers and *more is false.  A
 * writer whose next segment is missing, half there, damaged or unreadable is
 * left alone for the rest of the run, and a document that breaks a rule is
 * left out: folder_complaint then tells.  TALLY_CORRUPT: the cursor is not
 * one of ours. */
int folder_meta (struct folder *folder, const char *collection,
                 const char *since, struct doclist *headers, struct buf *next,
                 bool *more, struct tally_error *err);

/* Adds the documents of the loaded segment with these ids, in the order
 * asked; an id that is not in it adds nothing. */
int folder_get (struct folder *folder, const struct tally_slice *ids, size_t n,
                struct doclist *docs, struct tally_error *err);

/* Adds documents to the segment that is being made; a full one is published.
 * Of an id that is put twice only the last may be kept.  TALLY_AGAIN: a copy
 * of this store writes under our name. */
int folder_put (struct folder *folder, const char *collection,
                const struct tally_doc *docs, size_t n,
                struct tally_error *err);

/* TALLY_OK: all that was put is durable in the folder.  Then, when most of
 * our log is superseded, it is replaced by a base, and what nobody needs any
 * more is removed; if that does not work the commit does, and there is a
 * complaint. */
int folder_commit (struct folder *folder, const char *collection,
                   struct tally_error *err);

/* What did not work with this collection so far and did not stop the run: the
 * first such thing, as a status with its text; TALLY_OK: nothing (err is left
 * alone).  TALLY_AGAIN: something of another writer is not wholly there yet,
 * and its cursor stays before it; TALLY_INVALID: a document was left out, and
 * the cursor is behind it.  Ask after the commit. */
int folder_complaint (struct folder *folder, const char *collection,
                      struct tally_error *err);

#endif /* TALLY_FOLDER_H */
