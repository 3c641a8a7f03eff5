/* SPDX-License-Identifier: MIT */
/* All that an application includes to keep sets of JSON documents the same
 * on many machines: open a configuration, open stores, put and get
 * documents, sync links, serve.
 *
 * Threads: every function may be called from any thread at any time, on the
 * same context and the same stores, except that what is freed or closed must
 * no longer be in use.  Callbacks run in the thread of the call that they
 * belong to (those of tally_serve in the transport's threads, those of a
 * watch in its own), and may use the API, but not the store that is emitting
 * to them.
 *
 * Errors: a function that returns int returns TALLY_OK or a negative status
 * (enum tally_status and the two below) and then has filled *err, which may
 * be NULL: one line, "OBJECT: reason", no full stop.
 *
 * Ownership: no pointer changes owner, but for what a function makes and its
 * _free or _close takes back.  What a callback is given lives until it
 * returns.  A callback returns 0 to go on and 1 to stop; the function that
 * called it then returns TALLY_OK.
 *
 * Structs that carry a size are filled like this, and grow at the end:
 *   struct tally_sync_options o = { .size = sizeof o };
 * What is zero is not set.  Text is UTF-8; times are milliseconds since 1970.
 *
 * The library does not print, exit, or change signals, locale or directory.
 */

#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined TALLY_BUILDING && defined __GNUC__
#define TALLY_API __attribute__ ((visibility ("default")))
#else
#define TALLY_API
#endif

/* Statuses besides those of driver.h. */
enum {
  TALLY_CONFIG = -20, /* the ini, its environment, or a driver is wrong */
  TALLY_USAGE = -21   /* the call makes no sense: two transports, say */
};

TALLY_API const char *tally_version (void);

/* ---- a context ---------------------------------------------------------- */

/* A configuration, its drivers, and what is open. */
struct tally;

/* An open store. */
struct tally_replica;

/* What sync did to one collection of one link, see tally_sync. */
struct tally_report {
  size_t size;
  const char *link;
  const char *collection; /* NULL: the link never connected */
  const char *strategy;   /* "changes", "compare" or "full" */
  uint64_t pulled;        /* stored here as they came */
  uint64_t pushed;        /* stored there as they came */
  uint64_t merged;        /* changed on both sides */
  uint64_t conflicts;     /* assignments that lost unseen */
  uint64_t deleted;       /* tombstones among pulled and pushed */
  uint64_t round_trips;
  uint64_t bytes_sent;
  uint64_t bytes_received;
  double seconds;
  int status;        /* TALLY_OK, or why this collection failed */
  const char *error; /* NULL, or the text that goes with it */
  /* Of a dry run: NULL, or why the run itself would stop here. */
  const char *notice;
};

enum tally_event_type {
  TALLY_EVENT_SYNC_START = 1, /* link, collection */
  TALLY_EVENT_PROGRESS = 2,   /* link, collection, done, total */
  TALLY_EVENT_CONFLICT = 3,   /* link, collection, id, field */
  TALLY_EVENT_SYNC_END = 4    /* link, collection, report */
};

struct tally_event {
  size_t size;
  int type;
  const char *link;
  const char *collection;
  const char *id;
  const char *field; /* "" for a delete that met an edit */
  uint64_t done;     /* documents moved so far */
  uint64_t total;    /* documents to move, as far as is known */
  const struct tally_report *report;
};

typedef void tally_event_fn (void *ctx, const struct tally_event *event);

/* level: 0 error, 1 warning, 2 notice, 3 debug. */
typedef void tally_log_fn (void *ctx, int level, const char *line);

enum {
  TALLY_FIND_CONFIG = 1 /* no path and no text: look where `tally` looks */
};

struct tally_setup {
  size_t size;
  unsigned flags;
  const char *config_path; /* an ini to read */
  const char *config_text; /* or its text; relative paths: from here */
  const char *token_file;  /* for endpoints given as DRIVER:VALUE */
  tally_log_fn *log;       /* any thread */
  tally_event_fn *event;   /* the thread that syncs */
  void *ctx;               /* for both */
};

/* Makes a context.  setup may be NULL: no ini, built-in drivers.
 * TALLY_CONFIG: the ini is wrong, "tally.ini:12: unknown key ...". */
TALLY_API int tally_new (struct tally **out, const struct tally_setup *setup,
                         struct tally_error *err);

/* Ends it; every store opened from it has been closed before.  Watches that
 * still run are stopped. */
TALLY_API void tally_free (struct tally *tally);

/* Makes every call under way, and every later one, that reads or writes
 * documents or syncs return TALLY_CANCELLED, and tally_serve and tally_watch
 * return TALLY_OK; live queries fall silent.  Any thread; also a signal
 * handler. */
TALLY_API void tally_cancel (struct tally *tally);

/* The ini that was read, or NULL. */
TALLY_API const char *tally_config_path (const struct tally *tally);

/* Adds a driver that is linked in, as if it had been found in a folder;
 * the table is not copied and lives as long as the context. */
TALLY_API int tally_registry_add (struct tally *tally,
                                  const struct tally_driver *driver,
                                  struct tally_error *err);

struct tally_driver_info {
  size_t size;
  const char *name;
  const char *kind; /* "store", "transport", "source", several of these with
                       "+" between, or NULL */
  const char *version;
  const char *summary;
  unsigned abi;
  const char *path; /* NULL: linked in */
  int ok;
  const char *error;                  /* why it did not load */
  const struct tally_option *options; /* rows up to a NULL name, or NULL */
  /* It is not the one that its name stands for: this is, its path or "" when
   * that is linked in.  NULL: it is the one. */
  const char *instead;
};

/* Tells of each driver found, also of those that do not load.  name: only
 * this one, by name or absolute path; NULL: all. */
TALLY_API int tally_drivers (struct tally *tally, const char *name,
                             int (*emit) (void *ctx,
                                          const struct tally_driver_info *),
                             void *ctx, struct tally_error *err);

/* A driver with values for its options, for who wants to call its slots, such
 * as a test of the driver.  options are "key=value"; where the first one is a
 * string or a path and not among them it is given as "-".  TALLY_CONFIG: there
 * is no such driver, or an option is wrong. */
struct tally_driver_use;

TALLY_API int tally_driver_use (struct tally_driver_use **out,
                                struct tally *tally, const char *name,
                                const char *const *options, size_t n,
                                struct tally_error *err);
TALLY_API void tally_driver_use_free (struct tally_driver_use *use);

/* The table as the host uses it, of the size that this header knows, and one
 * value for each row of its options. */
TALLY_API const struct tally_driver *
tally_driver_use_table (const struct tally_driver_use *use);
TALLY_API const struct tally_value *
tally_driver_use_values (const struct tally_driver_use *use);

enum tally_endpoint_kind {
  TALLY_ENDPOINT_STORE = 1,
  TALLY_ENDPOINT_TRANSPORT = 2
};

/* Says what an endpoint is: the name of a [store] or [transport], or
 * DRIVER:VALUE.  Opens nothing but the driver. */
TALLY_API int tally_endpoint (struct tally *tally, const char *endpoint,
                              enum tally_endpoint_kind *kind,
                              struct tally_error *err);

/* ---- documents ---------------------------------------------------------- */

/* Opens a store.  flags: TALLY_OPEN_CREATE, TALLY_OPEN_READONLY.  A store
 * that is open in this context already is shared, with READONLY also one that
 * is open for writing; else what writes through READONLY is TALLY_DENIED.
 * TALLY_NOTFOUND when it is not there and CREATE is not set. */
TALLY_API int tally_replica_open (struct tally_replica **out,
                                  struct tally *tally, const char *endpoint,
                                  unsigned flags, struct tally_error *err);
TALLY_API void tally_replica_close (struct tally_replica *replica);

enum tally_outcome_type {
  TALLY_INSERTED = 1,
  TALLY_UPDATED = 2,
  TALLY_UNCHANGED = 3,
  TALLY_DELETED = 4,
  TALLY_MISSING = 5
};

/* Enough for a revision as text, see struct tally_document. */
#define TALLY_REV_TEXT 50

struct tally_written {
  size_t size;
  const char *collection;
  const char *id;
  const char *rev;  /* "" when missing */
  int outcome;      /* enum tally_outcome_type */
  int generated_id; /* the document had no _id and was given this one */
};

typedef int tally_written_fn (void *ctx, const struct tally_written *written);

struct tally_put_options {
  size_t size;
  int replace;          /* assign every field, not only those that differ */
  const char *rev;      /* TALLY_CONFLICT if the document moved since */
  const char *at;       /* take the array under this member of the input */
  const char *id_field; /* copy this field to _id (a string or a number) */
};

/* Puts documents: json is one object, an array of objects, or objects one
 * after the other (NDJSON).  All of it is checked before the first write.
 * Of several with one _id each goes by the one before it, and what the last
 * one makes may be all that is stored, and that tally_hook_after tells of.
 * emit (may be NULL) is told of each document once it is durable. */
TALLY_API int tally_put (struct tally_replica *replica, const char *collection,
                         const char *json, size_t json_size,
                         const struct tally_put_options *options,
                         tally_written_fn *emit, void *ctx,
                         struct tally_error *err);

struct tally_document {
  size_t size;
  const char *collection;
  const char *id;
  const char *rev;  /* opaque text; equal on two replicas if and only if the
                       documents are */
  const char *json; /* canonical: no white space, members sorted */
  size_t json_size;
};

typedef int tally_document_fn (void *ctx,
                               const struct tally_document *document);

/* Emits those of the documents that exist, in the order asked. */
TALLY_API int tally_get (struct tally_replica *replica, const char *collection,
                         const char *const *ids, size_t n,
                         tally_document_fn *emit, void *ctx,
                         struct tally_error *err);

/* Deletes documents; one that is not there is TALLY_MISSING. */
TALLY_API int tally_remove (struct tally_replica *replica,
                            const char *collection, const char *const *ids,
                            size_t n, tally_written_fn *emit, void *ctx,
                            struct tally_error *err);

/* How a query was answered. */
struct tally_find_plan {
  size_t size;
  const char *access; /* "ids": _id says which; "index"; "scan": all */
  const char *index;  /* the index's fields, or NULL */
  uint64_t ranges;    /* of the index, looked into */
  uint64_t rows;      /* of the index, read */
  uint64_t documents; /* looked at, those that are sorted twice */
  uint64_t found;     /* given out */
  int sorted;         /* in memory */
  int ordered;        /* the index has the order of the sort */
};

struct tally_find_options {
  size_t size;
  const char *sort;   /* "F,-G.x": by F rising, then G.x falling */
  const char *fields; /* "F,G.x": only these, and _id; "-F,-G.x": all but
                       * these; "-_id" may stand beside either */
  uint64_t skip;
  uint64_t limit; /* 0: all */

  /* Told once, at the end, of how it was found. */
  void (*explain) (void *ctx, const struct tally_find_plan *plan);
  void *explain_ctx;
};

/* Emits the documents that match the query (NULL or "{}": all) in bytewise
 * _id order unless sorted.  tally-query(7) says what a query may hold.  It is
 * no snapshot: a document that is written meanwhile may show as it was or as
 * it is; where an index serves the sort, and it moves in that, twice or not at
 * all.  TALLY_INVALID: the query is wrong, or a regular expression in it
 * takes too many steps.  TALLY_UNSUPPORTED: more is to be sorted than fits in
 * 128 MiB, and there is no limit. */
TALLY_API int tally_find (struct tally_replica *replica,
                          const char *collection, const char *query,
                          const struct tally_find_options *options,
                          tally_document_fn *emit, void *ctx,
                          struct tally_error *err);

/* The first of them, if there is one. */
TALLY_API int tally_find_one (struct tally_replica *replica,
                              const char *collection, const char *query,
                              const struct tally_find_options *options,
                              tally_document_fn *emit, void *ctx,
                              struct tally_error *err);

/* How many tally_find would emit. */
TALLY_API int tally_count (struct tally_replica *replica,
                           const char *collection, const char *query,
                           const struct tally_find_options *options,
                           uint64_t *count, struct tally_error *err);

struct tally_index_options {
  size_t size;
  int unique; /* no write through here may give two documents the same */
  int sparse; /* leaves out documents that have none of the fields */
  /* Told of how many documents were looked at so far, of how many (0: nobody
   * knows); may be NULL. */
  void (*progress) (void *ctx, uint64_t documents, uint64_t total);
  void *ctx;
};

/* Makes an index on fields, "F" or "F,-G.x", and puts all documents into it;
 * one that is there is left as it is.  It is kept from then on by every write,
 * also by a sync.  Cut short at any moment, it is not used, and the next call
 * goes on.  A document that a sync brings is stored also where an index is
 * unique, and the log is told; but none is made over documents that have the
 * same already, and TALLY_INVALID names two of them.  TALLY_INVALID also:
 * there is one on these fields that is another, or the fields are wrong.
 * TALLY_UNSUPPORTED: the driver cannot. */
TALLY_API int tally_index (struct tally_replica *replica,
                           const char *collection, const char *fields,
                           const struct tally_index_options *options,
                           struct tally_error *err);

/* Takes such an index away again, in any process.  TALLY_NOTFOUND: there is
 * none on these fields.  TALLY_INVALID: the ini declares it. */
TALLY_API int tally_index_drop (struct tally_replica *replica,
                                const char *collection, const char *fields,
                                struct tally_error *err);

struct tally_update_options {
  size_t size;
  int upsert; /* when none matches, insert what the query and update say */
  int one;    /* only the first that matches, by _id */
};

/* Changes the documents that match.  update is an object of modifiers,
 * {"$set": {"f": value}}, or a document, which takes the place of the first
 * that matches; tally-query(7) has them all.  Only the fields that differ are
 * written.  Up to 512 documents at a time are one transaction, where the store
 * has such: all of them are changed, as they are at that moment, or none.
 * emit (may be NULL) is told of each once it is durable.  TALLY_INVALID: the
 * query or update is wrong, or cannot be done to a document, which is named;
 * batches before it stay done. */
TALLY_API int tally_update (struct tally_replica *replica,
                            const char *collection, const char *query,
                            const char *update,
                            const struct tally_update_options *options,
                            tally_written_fn *emit, void *ctx,
                            struct tally_error *err);

/* Deletes the documents that match, in such batches as well. */
TALLY_API int tally_remove_found (struct tally_replica *replica,
                                  const char *collection, const char *query,
                                  tally_written_fn *emit, void *ctx,
                                  struct tally_error *err);

/* Emits the names of the collections that sync, in bytewise order; where a
 * server keeps those of accounts, they are named ACCOUNT:NAME. */
TALLY_API int tally_collections (struct tally_replica *replica,
                                 tally_emit_name *emit, void *ctx,
                                 struct tally_error *err);

/* Imports documents that another program keeps.  format: "ndjson", a document
 * a line, or {"collection","document"} lines as `tally export STORE` prints;
 * "nedb", a data file of NeDB; else the name of a driver that has a source,
 * such as "linvodb3".  path "-" is the standard input, for the first two.
 * collection NULL: what the lines say, else the name of the file or folder
 * without its ending; with one, {"collection","document"} lines of others
 * are passed over.
 *
 * All is checked before the first write, as tally_put checks it; bad lines are
 * told to the log, and the import is TALLY_INVALID.  A document with an
 * `_mtime`, {"$$date": ms}, ms, or ISO text, is written as of then, by nobody
 * in particular: stores that import the same agree.  What lost to it, or it to
 * what is there, is kept for a week as a blind conflict.  Without one, and
 * when it is further ahead than max_skew, it is put as tally_put does. */
TALLY_API int tally_import (struct tally_replica *replica, const char *format,
                            const char *path, const char *collection,
                            tally_written_fn *emit, void *ctx,
                            struct tally_error *err);

/* ---- hooks -------------------------------------------------------------- */

/* A document that is about to be written here, by tally_put, tally_update,
 * tally_import, tally_remove and the like; what comes by a sync is not asked
 * about. */
enum {
  TALLY_BEFORE_INSERT = 1, /* it is not there yet; then also SAVE */
  TALLY_BEFORE_SAVE = 2,
  TALLY_BEFORE_REMOVE = 4
};

struct tally_write {
  size_t size;
  int type; /* the one that it is called for */
  const char *collection;
  const char *id;
  const char *json; /* canonical; NULL: a delete */
  size_t json_size;
  const char *stored; /* what is there now; NULL: nothing */
  size_t stored_size;
  void *reserved;
};

/* Anything but TALLY_OK keeps the document from being written, and the call
 * that wanted to returns it, with *err if that was filled; documents that it
 * has written before stay.  May be called again for the same write when
 * another one came between.  Runs in the thread that writes. */
typedef int tally_before_fn (void *ctx, struct tally_write *write,
                             struct tally_error *err);

/* Puts another document in the place of the one that is to be written; only
 * within the hook.  Its _id is the same. */
TALLY_API int tally_write_replace (struct tally_write *write, const char *json,
                                   size_t size, struct tally_error *err);

enum tally_change_type {
  TALLY_CHANGE_INSERTED = 1,
  TALLY_CHANGE_UPDATED = 2,
  TALLY_CHANGE_REMOVED = 3
};

enum tally_origin {
  TALLY_ORIGIN_LOCAL = 1, /* this application */
  TALLY_ORIGIN_SYNC = 2   /* another store: pulled, merged, or pushed to us */
};

/* A document that has been written, durably. */
struct tally_change {
  size_t size;
  int type;
  const char *collection; /* of an account of a server: ACCOUNT:NAME */
  const char *id;
  const char *rev;
  const char *json; /* canonical; NULL: removed */
  size_t json_size;
  int origin;
  const char *link; /* that brought it; NULL: local, or it was pushed to us */
};

/* Runs in the thread that wrote; the store may be used. */
typedef void tally_change_fn (void *ctx, const struct tally_change *change);

struct tally_hook;

/* Asks fn before writes, those of types that are set (TALLY_BEFORE_SAVE |
 * ...), or tells it of changes; collection NULL: all.  In the order in which
 * they were added.  Writes of other processes are no concern of hooks; see
 * tally_live_start. */
TALLY_API int tally_hook_before (struct tally_hook **out,
                                 struct tally_replica *replica,
                                 const char *collection, unsigned types,
                                 tally_before_fn *fn, void *ctx,
                                 struct tally_error *err);
TALLY_API int tally_hook_after (struct tally_hook **out,
                                struct tally_replica *replica,
                                const char *collection, tally_change_fn *fn,
                                void *ctx, struct tally_error *err);

/* Ends it, and waits until no call of it is under way: not from within one.
 * Before the replica is closed. */
TALLY_API void tally_hook_remove (struct tally_hook *hook);

/* Sets what documents of a collection must look like, in this process, over
 * what the ini says; NULL: anything.  A schema is an object of fields:
 *
 * {"title": "string", "age": {"type": ["number", "null"], "default": 0},
 *  "tags": {"type": "array", "items": "string"}, "due": "date",
 *  "address": {"required": true, "fields": {"zip": "string"}}}
 *
 * Types are any, null, boolean, number, integer, string, array, object and
 * date ({"$$date": ms}).  It binds local writes: what violates it is
 * TALLY_INVALID, and the message names the path.  What is pulled is stored as
 * it came, or replicas would differ. */
TALLY_API int tally_schema (struct tally_replica *replica,
                            const char *collection, const char *json,
                            struct tally_error *err);

/* ---- live queries ------------------------------------------------------- */

enum tally_live_type {
  TALLY_LIVE_ADDED = 1,
  TALLY_LIVE_CHANGED = 2, /* where it is now */
  TALLY_LIVE_MOVED = 3,   /* from old_index, and may have changed, too */
  TALLY_LIVE_REMOVED = 4, /* from old_index */
  TALLY_LIVE_READY = 5,   /* all of the changes so far have been told */
  TALLY_LIVE_FAILED = 6   /* the query failed; it is tried again */
};

struct tally_live_event {
  size_t size;
  int type;
  const char *id;
  const char *rev;
  const char *json; /* NULL: removed */
  size_t json_size;
  uint64_t index;     /* among the results as they are now */
  uint64_t old_index; /* as they were */
  int status;         /* failed: why */
  const char *error;
};

/* Returns 1 for "stop". */
typedef int tally_live_fn (void *ctx, const struct tally_live_event *event);

struct tally_live_options {
  size_t size;
  const char *sort; /* as in struct tally_find_options */
  uint64_t skip;
  uint64_t limit;
  unsigned debounce_ms; /* 0: 100; writes are gathered so long, 10 times that
                           at most */
};

struct tally_live;

/* Keeps a query's results up to date: first all of them are added, then what
 * changes is told of: what was removed first, then the others in order. Writes
 * of this process and those of others count, wherever the store can tell.
 * Ids and revisions of all results are kept in memory.  fn runs in a thread of
 * its own and may use the store. */
TALLY_API int tally_live_start (struct tally_live **out,
                                struct tally_replica *replica,
                                const char *collection, const char *query,
                                const struct tally_live_options *options,
                                tally_live_fn *fn, void *ctx,
                                struct tally_error *err);

/* Ends it and waits for its thread: not from within fn.  Before the replica is
 * closed. */
TALLY_API void tally_live_stop (struct tally_live *live);

/* ---- conflicts ---------------------------------------------------------- */

/* One side of a conflict. */
struct tally_assignment {
  const char *value; /* JSON; NULL: the field was removed, or for the document
                        as a whole, it was deleted */
  const char *stamp; /* 16 characters */
  const char *client;
  const char *device; /* what the client's device is called; NULL: unknown */
};

/* An assignment that lost a merge and that the winner had not seen. */
struct tally_conflict {
  size_t size;
  const char *id; /* of the entry */
  const char *collection;
  const char *document; /* the document's _id */
  const char *field;    /* "": the document as a whole */
  struct tally_assignment lost;
  struct tally_assignment won;
  const char *link; /* over which it came */
  uint64_t at_ms;
  int blind; /* the winner is a writer that never knows what it replaces: this
                is no conflict, and is kept for a week only */
};

typedef int tally_conflict_fn (void *ctx,
                               const struct tally_conflict *conflict);

/* Emits the conflicts that this store keeps, the oldest first; with ids only
 * these, and TALLY_NOTFOUND when one of them is not there. */
TALLY_API int tally_conflicts (struct tally_replica *replica,
                               const char *const *ids, size_t n,
                               tally_conflict_fn *emit, void *ctx,
                               struct tally_error *err);

/* How many conflicts this store has dropped because they were old or too many,
 * and how many of them were less than a week old. */
TALLY_API int tally_conflicts_dropped (struct tally_replica *replica,
                                       uint64_t *dropped, uint64_t *recent,
                                       struct tally_error *err);

/* Writes what lost once more, as a new write, and drops the entry.  A field of
 * a document that was deleted since brings the document back, with this field
 * and those that were written by who did not know that it was deleted. */
TALLY_API int tally_conflict_restore (struct tally_replica *replica,
                                      const char *const *ids, size_t n,
                                      tally_written_fn *emit, void *ctx,
                                      struct tally_error *err);

/* Drops entries for good. */
TALLY_API int tally_conflict_drop (struct tally_replica *replica,
                                   const char *const *ids, size_t n,
                                   struct tally_error *err);

/* A client and the last that is known of it. */
struct tally_seen {
  const char *client;
  const char *device; /* NULL: unknown */
  const char *stamp;
  uint64_t stamp_ms; /* the wall time in it */
};

/* A value that lost to the one that is explained. */
struct tally_lost {
  const char *id;    /* of the conflict */
  const char *value; /* JSON; NULL: removed, or deleted */
  const char *stamp;
  uint64_t stamp_ms;
  const char *client;
  const char *device; /* NULL: unknown */
  const char *why;    /* the other won, for people */
};

/* What stands in a field, or in the document as a whole. */
struct tally_explanation {
  size_t size;
  const char *collection;
  const char *document; /* the document's _id */
  const char *field;    /* "": the document as a whole */
  const char *value;    /* JSON; NULL: there is none, or the field is "" */
  const char *stamp;
  uint64_t stamp_ms; /* the wall time in it, or that of a clock put right */
  const char *client;
  const char *device; /* NULL: unknown */
  int whole;          /* it came with the last write of all fields */
  int hidden;         /* the document was deleted; comes back with it */
  const char *why;    /* it stands, for people */
  const struct tally_lost *lost;
  size_t n_lost;

  /* Of the document as a whole. */
  int deleted;
  const char *rev; /* "": the deletion is forgotten, but for what lost to it */
  uint64_t seq;
  const struct tally_seen *seen; /* what went into it and no longer stands */
  size_t n_seen;
};

typedef int tally_explain_fn (void *ctx,
                              const struct tally_explanation *explanation);

/* Explains a document, alive or deleted: first as a whole, then each field, in
 * bytewise order, and those of which only what lost is known.  TALLY_NOTFOUND
 * when there is none. */
TALLY_API int tally_explain (struct tally_replica *replica,
                             const char *collection, const char *id,
                             tally_explain_fn *emit, void *ctx,
                             struct tally_error *err);

/* ---- sync --------------------------------------------------------------- */

enum tally_direction {
  TALLY_AS_CONFIGURED = 0, /* both ways where nothing is configured */
  TALLY_PUSH = 1,
  TALLY_PULL = 2,
  TALLY_BOTH = 3
};

enum tally_action {
  TALLY_ACTION_PULL = 1, /* theirs is taken as it is */
  TALLY_ACTION_PUSH = 2, /* ours is given as it is */
  TALLY_ACTION_MERGE = 3 /* both changed */
};

/* What a sync would do to a document. */
struct tally_plan_item {
  size_t size;
  const char *link;
  const char *collection;
  const char *id;
  int action;  /* enum tally_action */
  int deleted; /* what comes of it is a deleted document */
};

typedef int tally_plan_fn (void *ctx, const struct tally_plan_item *item);

struct tally_sync_options {
  size_t size;
  const char *collections; /* "A,B"; NULL: as configured, or all */
  int direction;           /* enum tally_direction */

  /* Only find out what a sync would do, and write nothing on either side;
   * what is missing is not made.  Reports then count what would move.  plan
   * (may be NULL) is told of each document. */
  int dry_run;
  tally_plan_fn *plan;
  void *plan_ctx;

  /* With dry_run, a file to keep that in; never over another file than a
   * plan. */
  const char *save_plan;
  /* Do what a saved plan says and nothing else.  TALLY_CONFLICT: a document
   * moved since, and nothing was done, or no more than had been. */
  const char *apply_plan;

  /* A sync that would delete over half of either side's documents, and over
   * 100, is TALLY_CONFLICT and does nothing in that collection; with
   * limits_deletes one that would delete over most_deletes is. */
  int limits_deletes;
  uint64_t most_deletes;
};

typedef int tally_report_fn (void *ctx, const struct tally_report *report);

/* Syncs a link of the ini, one collection after the other, in name order.
 * A collection's failure does not stop the others: it stands in its report,
 * and the first is returned. */
TALLY_API int tally_sync (struct tally *tally, const char *link,
                          const struct tally_sync_options *options,
                          tally_report_fn *emit, void *ctx,
                          struct tally_error *err);

/* Emits the names of the links, in the ini's order. */
TALLY_API int tally_links (struct tally *tally, tally_emit_name *emit,
                           void *ctx, struct tally_error *err);

/* The store that a link keeps in sync, or NULL when there is no such link. */
TALLY_API const char *tally_link_store (const struct tally *tally,
                                        const char *link);

/* Syncs two endpoints: a is a store, b a store or a transport.  Stores are
 * made when missing, but not both.  TALLY_USAGE: two transports, or one
 * store twice. */
TALLY_API int tally_pair (struct tally *tally, const char *a, const char *b,
                          const struct tally_sync_options *options,
                          tally_report_fn *emit, void *ctx,
                          struct tally_error *err);

/* ---- watching ----------------------------------------------------------- */

/* A run of a link that is watched, told of when it has ended, after the
 * reports of its collections. */
struct tally_watch_run {
  size_t size;
  const char *link;
  int status;        /* as tally_sync returns it */
  const char *error; /* NULL, or the text that goes with it */
  uint64_t moved;    /* documents */
  uint64_t again_ms; /* after a failure: the next try is in so many ms */
  int ended;         /* the link is given up: this will not heal */
};

typedef int tally_watch_fn (void *ctx, const struct tally_watch_run *run);

enum {
  /* Only links with on_write = yes, and only after local writes and at their
   * interval: far changes are not waited for. */
  TALLY_WATCH_ON_WRITE = 1
};

struct tally_watch_options {
  size_t size;
  unsigned flags;
  const char *a, *b; /* watch this pair, as tally_pair, in place of links */
  const struct tally_sync_options *sync; /* of each run, or NULL */
  tally_report_fn *report;               /* each collection of each run */
  tally_watch_fn *run;                   /* each run */
  void *ctx;                             /* for both */
};

/* Keeps links (n 0: all of the ini) in sync: each is synced at once, then
 * after a change here or there and at every `interval` of its section.  A far
 * side that cannot be waited for, a folder say, is looked at every 30 s if
 * there is no interval.  What fails is tried again, with growing pauses; a
 * link that fails in a way that does not heal is given up, the others go on.
 * A document that is set aside stops nothing.
 *
 * What waits to be synced is kept nowhere but in the stores, where
 * tally_status counts it as pending: after a crash the next watch, or sync,
 * begins with that.  The stores stay open meanwhile: one that a single process
 * holds is then out of reach for others.
 *
 * Returns TALLY_OK after tally_cancel or when a callback said stop, and when
 * every link has been given up, why the first one was.  Callbacks run in
 * threads of the watch, never two of them at once; events of several links
 * may be told of at once. */
TALLY_API int tally_watch (struct tally *tally, const char *const *links,
                           size_t n, const struct tally_watch_options *options,
                           struct tally_error *err);

/* The same in the background. */
struct tally_watcher;

/* Starts the threads and returns.  Options and links are copied; the ctx must
 * live until the stop. */
TALLY_API int tally_watch_start (struct tally_watcher **out,
                                 struct tally *tally, const char *const *links,
                                 size_t n,
                                 const struct tally_watch_options *options,
                                 struct tally_error *err);

/* Ends it, waits for a run that is under way, frees the watcher, and returns
 * what tally_watch would have.  Not from a callback of the watch: there,
 * return 1.  A watcher that is still there is ended by tally_free. */
TALLY_API int tally_watch_stop (struct tally_watcher *watcher,
                                struct tally_error *err);

/* ---- comparing ---------------------------------------------------------- */

struct tally_difference {
  size_t size;
  const char *collection;
  uint64_t documents_a; /* live ones */
  uint64_t documents_b;
  uint64_t only_a;
  uint64_t only_b;
  uint64_t different;
  int equal;
};

/* Compares every document's revision on both sides; writes nothing.  A
 * deleted document counts as absent. */
TALLY_API int tally_verify (struct tally *tally, const char *a, const char *b,
                            int (*emit) (void *ctx,
                                         const struct tally_difference *),
                            void *ctx, struct tally_error *err);

/* ---- serving ------------------------------------------------------------ */

struct tally_serve_options {
  size_t size;
  const char *store;  /* serve this endpoint, without an ini */
  const char *listen; /* ADDR:PORT, with store */
  const char *tokens; /* a tokens file, with store */
  int on_write;       /* watch the links with on_write = yes of what is served,
                         see TALLY_WATCH_ON_WRITE; trouble goes to the log */
  /* Told once requests can come in; name is the section, or the store. */
  void (*ready) (void *ctx, const char *name, const char *url);
  void *ctx;
};

/* Serves the [serve] sections with these names (n 0: all of them), or the
 * store in options, until tally_cancel. */
TALLY_API int tally_serve (struct tally *tally, const char *const *names,
                           size_t n, const struct tally_serve_options *options,
                           struct tally_error *err);

/* A line of a tokens file. */
struct tally_token {
  size_t size;
  const char *account;
  const char *fingerprint; /* what it is called where it must not be shown */
  const char *comment;     /* that stands behind it, or NULL */
  unsigned line;
  const char *secret; /* the token itself, only when it is made */
};

typedef int tally_token_fn (void *ctx, const struct tally_token *token);

/* Tells of each token of a file: `file`, or NULL, that of the [serve] section
 * `server`, or NULL, of the only one.  TALLY_CONFIG: a line is wrong. */
TALLY_API int tally_tokens (struct tally *tally, const char *server,
                            const char *file, tally_token_fn *emit, void *ctx,
                            struct tally_error *err);

/* Adds a fresh token for an account (NULL: `default`) and tells of it.  The
 * file is made when it is not there, and replaced as a whole; it is for its
 * owner alone.  A server that runs takes notice with its next request. */
TALLY_API int tally_token_add (struct tally *tally, const char *server,
                               const char *file, const char *account,
                               tally_token_fn *emit, void *ctx,
                               struct tally_error *err);

/* Removes tokens by their fingerprints, all or, with TALLY_NOTFOUND, none. */
TALLY_API int tally_token_revoke (struct tally *tally, const char *server,
                                  const char *file,
                                  const char *const *fingerprints, size_t n,
                                  tally_token_fn *emit, void *ctx,
                                  struct tally_error *err);

/* ---- looking ------------------------------------------------------------ */

/* One row of what `tally status` shows; what does not apply is NULL or 0. */
struct tally_status_row {
  size_t size;
  const char *link;  /* a link's row */
  const char *store; /* a store's row */
  const char *collection;
  const char *peer;         /* a peer's row: its replica id */
  uint64_t pending;         /* link: local changes not yet pushed */
  uint64_t last_sync_ms;    /* link: 0 never */
  const char *last_error;   /* link: of the last run, or NULL */
  uint64_t documents;       /* store: live documents */
  uint64_t deleted;         /* store: tombstones */
  uint64_t last_contact_ms; /* peer */
  uint64_t acknowledged;    /* peer: our changes up to here are there */
  int is_journal;           /* a store's row of what lost */
  uint64_t conflicts;       /* kept */
  uint64_t dropped;         /* since they were old, or too many */
  const char *id;           /* a held document's row: its _id */
  const char *held;         /* "push": refused there; "pull": refused here */
  const char *reason;       /* why it is held back, or the index is broken */
  const char *index;        /* a unique index's row: its fields; what a sync
                               brought has broken it */
};

/* name: a link, a store or another store endpoint; NULL: every link and
 * [store] of the ini.  Writes nothing. */
TALLY_API int tally_status (struct tally *tally, const char *name,
                            int (*emit) (void *ctx,
                                         const struct tally_status_row *),
                            void *ctx, struct tally_error *err);

struct tally_check_row {
  size_t size;
  const char *section; /* "store notes" */
  int ok;
  int status; /* why it is not */
  const char *error;
  int has_skew;    /* transport: the far clock was read */
  int64_t skew_ms; /* the far clock less ours */
  int repeated;    /* its error was that of a section before it */
};

/* Reads through every store, where its driver can, and asks every transport of
 * the ini, reads the tokens of every server, and tells of each section; a link
 * or a server is ok when its store and its transport are, and a server's
 * transport can be served.  Writes nothing, a store that is yet to be made is
 * ok.  A clock that is off by more than max_skew is TALLY_AGAIN. */
TALLY_API int tally_check (struct tally *tally,
                           int (*emit) (void *ctx,
                                        const struct tally_check_row *),
                           void *ctx, struct tally_error *err);

#ifdef __cplusplus
}
#endif

#endif /* TALLY_H */
