/* SPDX-License-Identifier: MIT */
/* What the files of the sqlite store share: the database file with its
 * layout, locks and errors; its statements and rows; put. */

#ifndef TALLY_SQLITE_FILE_H
#define TALLY_SQLITE_FILE_H

#include <stdbool.h>

#include <sqlite3.h>

#include <tally/driver.h>

#define HASH_SIZE (TALLY_REV_SIZE - TALLY_STAMP_SIZE)

/* Prepared once per handle. */
enum sqlite_statement {
  SQL_READ,  /* begins a snapshot */
  SQL_WRITE, /* begins a transaction; waits for other writers */
  SQL_COMMIT,
  SQL_ROLLBACK,
  SQL_COLLECTION_FIND, /* name -> key */
  SQL_COLLECTION_ADD,  /* name */
  SQL_COLLECTION_LIST, /* -> name */
  SQL_DIGEST_FIND,     /* key -> digest, or NULL */
  SQL_DIGEST_SET,      /* key, digest or NULL */
  SQL_HEAD,            /* -> greatest seq ever given */
  SQL_HEAD_SET,        /* seq */
  SQL_FIND,            /* key, id, get flags -> a row, meta, body */
  SQL_CHANGES,         /* key, since -> a row, id */
  SQL_STAMPS,          /* key, stamp, id from, stamp, id to -> a row, id */
  SQL_WALK,            /* key, id from, get flags -> a row, meta, body, id */
  SQL_WALK_IDS,        /* key, id from -> id */
  SQL_LAST_ID,         /* key, id from, id to -> id */
  SQL_SEARCH,          /* key, since -> a row, meta, body, id */
  SQL_INSERT,          /* seq, key, flags, stamp, hash, id, meta, body;
                        * nothing where the id is there */
  SQL_INSERT_NEW,      /* what is in `fresh`; likewise */
  SQL_UPDATE,          /* the same, and the seq it has */
  SQL_DELETE,          /* the seq it has */
  SQL_NOTE_FIND,       /* key -> value */
  SQL_NOTE_SET,        /* key, value */
  SQL_NOTE_REMOVE,     /* key */
  SQL_NOTE_LIST,       /* from -> key */
  SQL_STATEMENTS
};

#define SQL_HEAD_TEXT                                      \
  "SELECT max (coalesce ((SELECT seq FROM sqlite_sequence" \
  " WHERE name = 'document'), 0),"                         \
  " coalesce ((SELECT max (seq) FROM document), 0))"

/* Keys of collections that were read outside of a write: a key is given once,
 * for good. */
#define SQLITE_NAMED 16
#define SQLITE_NAME_MAX 255
struct sqlite_named {
  int64_t key; /* 0: none */
  char name[SQLITE_NAME_MAX + 1];
};

/* An entry of a put, and the first bytes of its id as a number of the same
 * order: what begins differently, as nearly all does, is not looked at
 * further. */
struct sqlite_place {
  uint64_t start;
  const struct tally_entry *entry;
  int64_t number; /* its seq is so far behind the head; none to forget */
};

/* Entries of one collection that are to be new. */
struct sqlite_new {
  const struct sqlite_place *places;
  size_t n;
  int64_t key, head; /* of the collection; of the store before the put */
};

struct sqlite_store {
  sqlite3 *db;
  sqlite3_stmt *statements[SQL_STATEMENTS];
  const struct tally_host *host;
  char *path;
  int64_t lock_timeout_ms;
  int64_t locked_since_ms; /* when the wait under way began */
  struct sqlite_named named[SQLITE_NAMED];
  struct sqlite_search *search; /* sqlite-find.c; NULL: none is under way */
  bool held;                    /* a read transaction is there already */
  struct sqlite_new fresh;      /* for SQL_INSERT_NEW */
};

/* ---- sqlite-file.c ---- */

/* Opens the file, makes or checks its layout, prepares the statements.  On
 * failure the store is to be closed all the same. */
int sqlite_file_open (struct sqlite_store *s, unsigned flags,
                      struct tally_error *err);
void sqlite_file_close (struct sqlite_store *s);

/* ---- sqlite-error.c ---- */

/* Fills *err and returns the status. */
int sqlite_fail (const struct sqlite_store *s, struct tally_error *err,
                 int status, const char *reason);

/* The same for what SQLite has just returned. */
int sqlite_fail_code (const struct sqlite_store *s, struct tally_error *err,
                      int code);

/* Whether the host wants what is under way to end. */
int sqlite_is_cancelled (const struct sqlite_store *s);

/* ---- sqlite-reading.c ---- */

/* Opens what is there, to be read alone. */
int sqlite_open_reading (struct sqlite_store *s, struct tally_error *err);

/* ---- sqlite-new.c ---- */

/* Makes s->fresh a table; a code of SQLite's. */
int sqlite_new_register (struct sqlite_store *s);

/* ---- sqlite-rows.c ---- */

/* Returns SQLITE_ROW or SQLITE_DONE, both above zero, or a status. */
int sqlite_step (const struct sqlite_store *s, enum sqlite_statement which,
                 struct tally_error *err);

/* Ends the statement's run and lets go of what was bound. */
void sqlite_reset (const struct sqlite_store *s, enum sqlite_statement which);

/* Steps a statement that gives no row, and resets it. */
int sqlite_run (const struct sqlite_store *s, enum sqlite_statement which,
                struct tally_error *err);

/* Ends a transaction without a trace, if there is one. */
void sqlite_rollback (const struct sqlite_store *s);

/* What is bound must live until the reset. */
void sqlite_bind_bytes (const struct sqlite_store *s,
                        enum sqlite_statement which, int index,
                        const void *data, size_t size);
void sqlite_bind_number (const struct sqlite_store *s,
                         enum sqlite_statement which, int index,
                         int64_t number);
void sqlite_bind_text (const struct sqlite_store *s,
                       enum sqlite_statement which, int index,
                       const char *text);

/* Reads the four columns that every document's row starts with. */
int sqlite_header (const struct sqlite_store *s, enum sqlite_statement which,
                   struct tally_doc *doc, struct tally_error *err);

/* Emits what the statement, whose rows have an id in column 4, gives until
 * emit says stop, and resets it. */
int sqlite_emit_headers (const struct sqlite_store *s,
                         enum sqlite_statement which, tally_emit_doc *emit,
                         void *ctx, struct tally_error *err);

/* Lives until the next step or the reset. */
int sqlite_slice (const struct sqlite_store *s, enum sqlite_statement which,
                  int column, struct tally_slice *slice,
                  struct tally_error *err);

/* *key is 0 when there is no such collection. */
int sqlite_collection (const struct sqlite_store *s, const char *name,
                       int64_t *key, struct tally_error *err);

/* The same, within a read: what was found is known from then on. */
int sqlite_collection_read (struct sqlite_store *s, const char *name,
                            int64_t *key, struct tally_error *err);

/* 0: it must be looked up. */
int64_t sqlite_collection_known (struct sqlite_store *s, const char *name);

/* The greatest seq ever given. */
int sqlite_head (const struct sqlite_store *s, int64_t *head,
                 struct tally_error *err);

/* Begins a read; *key is 0 when there is no such collection.  To be ended also
 * after a failure. */
int sqlite_read_begin (struct sqlite_store *s, const char *collection,
                       int64_t *key, struct tally_error *err);

void sqlite_read_end (const struct sqlite_store *s);
int sqlite_hold (void *handle, int on, struct tally_error *err);

/* ---- sqlite-find.c ---- */

/* Before statements are prepared: one of them calls back. */
int sqlite_add_search (struct sqlite_store *s, struct tally_error *err);

int sqlite_find (void *handle, const char *collection,
                 const struct tally_slice *from, const struct tally_slice *to,
                 unsigned flags, tally_emit_doc *emit, void *ctx,
                 struct tally_error *err);
int sqlite_search (void *handle, const char *collection, uint64_t since,
                   tally_wants *wants, tally_emit_doc *emit, void *ctx,
                   struct tally_error *err);

/* ---- sqlite-digest.c ---- */

/* The digest that is kept of a collection; *known is false when there is
 * none, and it is set to none with NULL. */
int sqlite_digest_load (const struct sqlite_store *s, int64_t key,
                        struct tally_digest *digest, bool *known,
                        struct tally_error *err);
int sqlite_digest_save (const struct sqlite_store *s, int64_t key,
                        const struct tally_digest *digest,
                        struct tally_error *err);

int sqlite_scan (void *handle, const char *collection,
                 const struct tally_position *from,
                 const struct tally_position *to, tally_emit_doc *emit,
                 void *ctx, uint64_t *seq, struct tally_error *err);
int sqlite_digest (void *handle, const char *collection, unsigned flags,
                   tally_fingerprint *fingerprint, struct tally_digest *out,
                   struct tally_error *err);

/* ---- sqlite-wait.c ---- */

int sqlite_wait (void *handle, uint64_t since, unsigned timeout_ms,
                 uint64_t *head, struct tally_error *err);

/* ---- sqlite-check.c ---- */

int sqlite_check (void *handle, struct tally_error *err);

/* ---- sqlite-put.c ---- */

int sqlite_put (void *handle, const struct tally_entry *entries, size_t n,
                unsigned flags, struct tally_outcome *outcomes,
                struct tally_error *err);

#endif /* TALLY_SQLITE_FILE_H */
