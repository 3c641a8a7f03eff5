/* SPDX-License-Identifier: MIT */
/* What the formats of an import share.  Each reads what it imports twice:
 * first every document is checked, then every document is written. */

#ifndef TALLY_IMPORT_H
#define TALLY_IMPORT_H

#include "context.h"
#include "doclist.h"
#include "document.h"
#include "idmap.h"
#include "lines.h"
#include "stamped.h"

/* An index that the imported program had. */
struct import_index {
  char *field; /* "a", or "a,b" */
  bool unique;
  bool sparse;
};

struct importing {
  struct tally *tally;
  struct tally_replica *handle;
  struct replica *replica; /* NULL in the first pass */
  struct replica *rules;   /* whose schemas count; NULL: there are none */
  const char *format;
  const char *path;
  const char *shown;                        /* the path, for messages */
  const char *collection;                   /* as given, or NULL */
  char by_default[COLLECTION_NAME_MAX + 1]; /* "": the path gives none */
  uint64_t newest_ms; /* times after this are those of a wrong clock */
  tally_written_fn *emit;
  void *ctx;
  bool stop;

  struct tally_slice key; /* that the document at hand is kept under */

  /* The first pass. */
  size_t bad;
  struct tally_error first_bad;

  /* The second pass: a batch, all of one collection. */
  char current[COLLECTION_TEXT_MAX];
  struct doclist docs; /* flag 1: the id was made */
  uint64_t times[WRITE_BATCH];
  bool timed[WRITE_BATCH];
  struct idmap ids;
  size_t ahead; /* documents that were stamped now, as theirs is to come */

  struct import_index *indexes;
  size_t n_indexes;
};

enum {
  IMPORT_NEEDS_ID = 1,      /* a document without an _id is a bad one */
  IMPORT_HAS_UPDATED_AT = 2 /* where there is no _mtime this is the time */
};

/* Takes a document: checks it in the first pass, writes it in the second.
 * collection NULL: the one that was given, or the default.  TALLY_INVALID:
 * it is bad; the format then says where (import_bad). */
int import_document (struct importing *importing, const char *collection,
                     struct tally_slice text, unsigned flags,
                     struct tally_error *err);

/* Writes what has been gathered: the end of the second pass. */
int import_flush (struct importing *importing, struct tally_error *err);

/* Tells of a bad document and counts it; where is "FILE:12".  The first pass
 * goes on, so that all are told of. */
void import_bad (struct importing *importing, const char *where,
                 const struct tally_error *why);

/* The same of the line that was read last, whose reason is in *err; the
 * status to go on with. */
int import_bad_line (struct importing *importing, const struct lines *lines,
                     struct tally_error *err);

/* Remembers an index to be made once all is written, or forgets it. */
int import_add_index (struct importing *importing, struct tally_slice field,
                      bool unique, bool sparse, struct tally_error *err);
void import_remove_index (struct importing *importing,
                          struct tally_slice field);

/* The formats: one pass each, the first with replica NULL. */
int import_ndjson (struct importing *importing, struct lines *lines,
                   struct tally_error *err);

struct nedb;
int nedb_new (struct nedb **out, struct tally_error *err);
void nedb_free (struct nedb *nedb);
int import_nedb (struct importing *importing, struct nedb *nedb,
                 struct lines *lines, struct tally_error *err);

#endif /* TALLY_IMPORT_H */
