/* SPDX-License-Identifier: MIT */
/* All that a tally driver includes.
 *
 * A driver is a shared object that exports one function, tally_driver_1,
 * which returns a static table.  The table offers a store (where documents
 * are kept), a transport (how another machine is reached), a source (what
 * another program keeps, to be imported), or several of these.  A driver
 * links with nothing of tally: what it needs from the host comes in through
 * struct tally_host and through the emit functions that it is handed.
 *
 * Rules for every slot, unless the slot says otherwise:
 *
 * - It returns TALLY_OK or one of the other statuses, and on anything but
 *   TALLY_OK has filled *err (never NULL): one line, lower case, no full
 *   stop, "OBJECT: reason" ("/var/x.db: disk is full").
 * - No pointer changes owner.  Arguments live until the slot returns; what a
 *   driver emits lives until the emit function returns, and the host copies
 *   what it keeps.  An emit function returns 0 for "go on" and 1 for "stop";
 *   stopping is not an error, the slot then returns TALLY_OK.  An emit
 *   function never calls back into the handle that it was called from.
 * - It does not print, exit, abort, or change signals, locale or directory.
 * - It keeps no state outside its handle: two handles must never meet.
 * - Whatever blocks for long asks host->cancelled now and then, and returns
 *   TALLY_CANCELLED when told to.
 *
 * Compatibility: tables and structs only ever grow at the end.  Those that
 * carry a size are copied up to the smaller of the two sizes and the rest
 * reads as zero; zero means absent.  Structs without a size end in reserved
 * members, which must be zero.  A driver is never unloaded. */

#ifndef TALLY_DRIVER_H
#define TALLY_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TALLY_DRIVER_ABI 1

/* What a slot returns.  There is a status for each thing that the engine
 * does differently, and no other. */
enum tally_status {
  TALLY_OK = 0,
  TALLY_FAILED = -1,      /* anything that has no status of its own */
  TALLY_NOTFOUND = -2,    /* the store or file is not there */
  TALLY_CONFLICT = -3,    /* the document or note is not as expected */
  TALLY_AGAIN = -4,       /* busy, timed out, unreachable: may work later */
  TALLY_INVALID = -5,     /* the arguments break a rule of this header */
  TALLY_DENIED = -6,      /* no permission; a token was refused */
  TALLY_CORRUPT = -7,     /* what is stored cannot be trusted */
  TALLY_UNSUPPORTED = -8, /* cannot be done here, now or later */
  TALLY_CANCELLED = -9    /* host->cancelled said so */
};

/* Owned by the caller.  text is always terminated. */
struct tally_error {
  int status;
  char text[252];
};

/* Bytes that belong to somebody else; data may be NULL when size is 0. */
struct tally_slice {
  const char *data;
  size_t size;
};

/* What the host offers a driver; lives as long as the handle. */
struct tally_host {
  size_t size; /* sizeof (struct tally_host), filled by the host */
  void *ctx;   /* first argument of the functions below */

  /* Passes one line to the host's log.  Any thread.  level: 0 error,
   * 1 warning, 2 notice, 3 debug. */
  void (*log) (void *ctx, int level, const char *text);

  /* Nonzero when the work in hand should stop.  Any thread, cheap. */
  int (*cancelled) (void *ctx);
};

/* ---- options ----------------------------------------------------------- */

enum tally_option_type {
  TALLY_OPTION_STRING = 0,
  TALLY_OPTION_PATH = 1,    /* text is an absolute path */
  TALLY_OPTION_INTEGER = 2, /* number */
  TALLY_OPTION_BOOLEAN = 3, /* number is 0 or 1 */
  TALLY_OPTION_SIZE = 4,    /* 64k, 4M, 1G; number is bytes */
  TALLY_OPTION_DURATION = 5 /* 250ms, 30s, 5m, 2h, 90d; number is ms */
};

enum {
  TALLY_OPTION_REQUIRED = 1, /* a section without it is refused */
  TALLY_OPTION_SECRET = 2    /* never shown; NAME_file is offered as well */
};

/* One row of a driver's option table; a row with a NULL name ends it.  The
 * host parses, checks, documents and redacts by it.  In DRIVER:VALUE the
 * value goes to the first row.  A name matches [a-z][a-z0-9_]{0,62} and is
 * not `driver`, which is the host's. */
struct tally_option {
  const char *name;
  int type;
  unsigned flags;
  const char *default_value; /* as it would stand in the ini, or NULL */
  const char *help;          /* one line, lower case, no full stop */
  const void *reserved;
};

/* The value of the option in the same row of the table.  An option that was
 * not given and has no default has text NULL and number 0. */
struct tally_value {
  const char *text;
  int64_t number;
};

/* ---- how many calls at once -------------------------------------------- */

/* Declared in each table.  The host holds the locks, so that zero, the
 * safest, is also the easiest. */
enum tally_threads {
  TALLY_THREADS_ONE = 0,    /* one call at a time in the whole driver */
  TALLY_THREADS_HANDLE = 1, /* one call at a time on each handle */
  TALLY_THREADS_ANY = 2     /* any calls at any time */
};

/* ---- store ------------------------------------------------------------- */

#define TALLY_REV_SIZE 28
#define TALLY_STAMP_SIZE 12
#define TALLY_REV_PART 16
#define TALLY_FINGERPRINT_SIZE 80

/* Limits that the host keeps: a collection's name has at most 255 bytes and
 * a NUL after it, an id 1 to 1,024 bytes without control characters and
 * without a NUL after it, a note's key at most 255 bytes of printable ASCII
 * and a NUL after it. */
#define TALLY_ID_MAX 1024
#define TALLY_BATCH_ENTRIES 16384
#define TALLY_BATCH_BYTES (4u << 20)
#define TALLY_DOCUMENT_MAX (16u << 20)

enum {
  TALLY_DOC_DELETED = 1 /* a tombstone */
};

/* A document, or with empty meta and body its header.  Meta and body are
 * bytes to a driver.  The first 12 bytes of rev are the document's newest
 * stamp, big-endian: memcmp order is time order. */
struct tally_doc {
  struct tally_slice id;
  unsigned char rev[TALLY_REV_SIZE];
  uint32_t flags;
  uint64_t seq; /* from 1; a store's own arrival number, see put */
  struct tally_slice meta;
  struct tally_slice body;
  const void *reserved[2];
};

/* A place in the order that scan has: by stamp, then by id, bytewise, a
 * shorter id before what it begins.  An empty id stands before all others. */
struct tally_position {
  unsigned char stamp[TALLY_STAMP_SIZE];
  struct tally_slice id;
};

#define TALLY_DIGEST_SUM_SIZE 64
#define TALLY_DIGEST_COUNTERS 128

/* The live documents of a collection as one sum: equal sets have equal digests
 * but for seq, and what differs does not cancel.  A fingerprint has 64 bytes
 * for the sum, then 128 bits for the counters.  To add one
 *
 *   count    rises by one, modulo 2^64;
 *   sum      and the first 64 bytes are little-endian numbers that are added
 *            modulo 2^512;
 *   counters each rise by one where their bit is 1 and fall by one where it is
 *            0, modulo 2^32: the bit of counter i is bit i % 8, the lowest
 *            being 0, of byte 64 + i / 8.
 *
 * To subtract one is to undo this. */
struct tally_digest {
  uint64_t seq; /* what it is of: as the head of changes would be */
  uint64_t count;
  unsigned char sum[TALLY_DIGEST_SUM_SIZE];
  int32_t counters[TALLY_DIGEST_COUNTERS];
  const void *reserved[2];
};

/* Writes the fingerprint of a live document to TALLY_FINGERPRINT_SIZE bytes:
 * the host's, pure, and may be called in any slot that it was handed to. */
typedef void tally_fingerprint (const struct tally_slice *id,
                                const unsigned char *rev, unsigned char *out);

enum {
  TALLY_DIGEST_ANEW = 1 /* flag of digest: do not believe the one kept */
};

typedef int tally_emit_doc (void *ctx, const struct tally_doc *doc);

/* Whether a search wants the document with this body. */
enum {
  TALLY_WANTED_NO = 0,
  TALLY_WANTED_YES = 1,
  TALLY_WANTED_END = 2 /* it is not looked at: the search is to end before */
};
typedef int tally_wants (void *ctx, uint64_t seq,
                         const struct tally_slice *body);

typedef int tally_emit_bytes (void *ctx, const void *data, size_t size);
typedef int tally_emit_name (void *ctx, const char *name);

enum {
  TALLY_OPEN_CREATE = 1,  /* make it when it is not there */
  TALLY_OPEN_READONLY = 2 /* no slot that writes will be called, and nothing
                           * is made, also with CREATE */
};

enum {
  TALLY_GET_META = 1, /* emit meta, too; giving more than asked is fine */
  TALLY_GET_BODY = 2, /* emit meta and body */
  TALLY_GET_PART = 8  /* with GET_BODY: rev need not have more than its first
                       * TALLY_REV_PART bytes, and zeros then; the host makes
                       * the others of the document.  For stores that keep
                       * whole revs elsewhere. */
};

enum {
  TALLY_FIND_IDS = 4, /* flag of find, alone: only the ids are wanted */
  TALLY_FIND_LAST =
      16 /* with FIND_IDS, and a `to`: of these only the last one
          * is; to emit those before it first is fine, and slow */
};

enum {
  TALLY_PUT_ALL = 1 /* flag of put: every entry, or none */
};

enum {
  TALLY_ENTRY_FORGET = 1 /* flag of an entry: remove the document for good */
};

struct tally_entry {
  const char *collection;
  uint32_t flags;
  /* The rev that must be stored now; all zero: the document must not be
   * there; NULL: whatever is there.  Never NULL with FORGET, which with all
   * zero is TALLY_OK for a document that is not there. */
  const unsigned char *expected;
  struct tally_doc doc; /* seq is ignored; FORGET reads only the id */
  /* For a store with a digest (see that slot): the fingerprint, of
   * TALLY_FINGERPRINT_SIZE bytes, of the document that is written, and that of
   * the one that was expected; NULL: there is none. */
  const unsigned char *add;
  const unsigned char *subtract;
  const void *reserved[2];
};

/* What became of an entry.  TALLY_OK: seq and rev are those now stored
 * (zero after FORGET).  TALLY_CONFLICT: nothing was done for it, seq and rev
 * are those found (zero: nothing there). */
struct tally_outcome {
  int status;
  uint64_t seq;
  unsigned char rev[TALLY_REV_SIZE];
  uint64_t reserved;
};

/* A store keeps documents in named collections, any number of them, made by
 * the first put.  Collections share one arrival number, the seq. */
struct tally_store {
  size_t size;          /* sizeof (struct tally_store) */
  int threads;          /* enum tally_threads */
  uint32_t max_entries; /* per put; 0: as the host likes; 1: no transactions */

  /* Makes *handle from the values, one for each row of the option table.
   * TALLY_NOTFOUND when nothing is there and CREATE is not set, or READONLY
   * is as well (and then nothing is made); TALLY_AGAIN when another process
   * holds it; TALLY_CORRUPT when it is there and is not a store. */
  int (*open) (void **handle, const struct tally_host *host,
               const struct tally_value *values, unsigned flags,
               struct tally_error *err);

  /* Ends the handle; every put that returned is durable already. */
  void (*close) (void *handle);

  /* Emits the documents with these ids, in the order asked; an id that is
   * not there emits nothing, an id asked for twice is emitted twice.  seq
   * and rev are read together. */
  int (*get) (void *handle, const char *collection,
              const struct tally_slice *ids, size_t n, unsigned flags,
              tally_emit_doc *emit, void *ctx, struct tally_error *err);

  /* Writes a batch: one transaction, durable when it returns TALLY_OK.  Each
   * entry's check against `expected` and its write are one step; an entry
   * that fails the check is left alone and says so in its outcome, the
   * others are written (with TALLY_PUT_ALL: then nothing is, and every
   * other entry's outcome is TALLY_OK with seq 0).  Each write gets a seq
   * above every seq ever given in this store, also over reopening and over
   * documents that were since forgotten.  Entries take their seqs in the
   * order given.  An id twice in one batch and collection is TALLY_INVALID
   * and writes nothing.  On any status but TALLY_OK nothing was written.
   * At most TALLY_BATCH_ENTRIES entries and TALLY_BATCH_BYTES of bodies, or
   * one larger document; with TALLY_PUT_ALL there may be more.  With n 0 it
   * does nothing and returns TALLY_OK. */
  int (*put) (void *handle, const struct tally_entry *entries, size_t n,
              unsigned flags, struct tally_outcome *outcomes,
              struct tally_error *err);

  /* Emits headers with a seq above `since` in rising seq, each document once
   * (at its newest seq), tombstones included, all from one snapshot; then
   * sets *head to a seq at or above all that was visible in the snapshot,
   * also when emit said stop, and documents at or below it were not emitted.
   * Once a seq has been emitted or returned as head, nothing may ever become
   * visible at or below it: take seqs inside the transaction that commits
   * them. */
  int (*changes) (void *handle, const char *collection, uint64_t since,
                  tally_emit_doc *emit, void *ctx, uint64_t *head,
                  struct tally_error *err);

  /* -- optional from here on -- */

  /* Notes: small values (up to 1 MiB) that core keeps beside the documents.
   * All three or none; without them core keeps notes in the reserved
   * collection "_notes". */

  /* Emits the value of the key, if there is one. */
  int (*note_get) (void *handle, const char *key, tally_emit_bytes *emit,
                   void *ctx, struct tally_error *err);

  /* Sets (value) or removes (value NULL) a note, durably, if the note is
   * still as expected: NULL, whatever it is; data NULL, not there; else
   * these bytes.  TALLY_CONFLICT when it is not.  Check and write are one
   * step, also between processes. */
  int (*note_put) (void *handle, const char *key,
                   const struct tally_slice *expected,
                   const struct tally_slice *value, struct tally_error *err);

  /* Emits the keys that start with the prefix, in bytewise order. */
  int (*note_list) (void *handle, const char *prefix, tally_emit_name *emit,
                    void *ctx, struct tally_error *err);

  /* Emits the names of the collections that hold a document or tombstone,
   * in bytewise order.  Without it core keeps a list in a note. */
  int (*collections) (void *handle, tally_emit_name *emit, void *ctx,
                      struct tally_error *err);

  /* Waits until the store has given a seq above `since`, or timeout_ms are
   * over, or host->cancelled says so (TALLY_CANCELLED); returning early is
   * fine.  Then sets *head to a seq that is above `since` if, and only if,
   * there is such a one in any collection.  Writes of other handles and
   * processes count where they can be.  With timeout_ms 0 it only looks.
   * Stands outside `threads`: it is called beside any call on the handle but
   * close, also beside itself.  Without it core asks `changes` now and
   * then. */
  int (*wait) (void *handle, uint64_t since, unsigned timeout_ms,
               uint64_t *head, struct tally_error *err);

  /* Reads all that is stored, also what a read would not come by, such as the
   * rest of an index, and writes nothing.  TALLY_CORRUPT with the first thing
   * that cannot be right.  It may take as long as reading the store takes.
   * Without it a store that opens counts as whole. */
  int (*check) (void *handle, struct tally_error *err);

  /* Emits headers of the live documents (TALLY_DOC_DELETED is not set) that
   * stand at or after `from` and before `to`, in that order, all from one
   * snapshot; then sets *seq to a head of that snapshot as changes would, also
   * when emit said stop.  NULL: from the first, to the last.  seq of a header
   * may be 0: an index need not hold it.  Tombstones are left out, since
   * stores are compared by what they hold: so an index of the live ones will
   * do, and should hold all that is emitted.  Without it core walks the whole
   * of changes for each few thousand documents, and writes made meanwhile may
   * show or not. */
  int (*scan) (void *handle, const char *collection,
               const struct tally_position *from,
               const struct tally_position *to, tally_emit_doc *emit,
               void *ctx, uint64_t *seq, struct tally_error *err);

  /* Gives the digest of the collection's live documents; that of none is all
   * zero but for seq.  A store with this slot keeps it with the documents, in
   * the transaction of each put: for an entry that is written it takes off
   * `subtract` if a live document was stored under the id until now, and adds
   * `add` if the entry's document is live (with FORGET: does not).  Where such
   * a one is NULL, which happens to collections that core does not compare and
   * with older hosts, the digest is not known from then on, and nothing need
   * be kept; likewise that of a collection which this driver did not keep one
   * of before.  A digest that is not known is made here, from all live
   * documents, by `fingerprint`: in one step with storing it, so that nothing
   * is written between; where it cannot be stored (READONLY) it is only
   * given.  With TALLY_DIGEST_ANEW so is one that is known.  A driver never
   * hashes.  Without it core reads through changes each time. */
  int (*digest) (void *handle, const char *collection, unsigned flags,
                 tally_fingerprint *fingerprint, struct tally_digest *out,
                 struct tally_error *err);

  /* Emits the live documents whose ids are at or after `from` and before `to`
   * (NULL: from the first, to the last) in bytewise order, with flags as in
   * get, all from one snapshot.  With TALLY_FIND_IDS nothing but the id needs
   * to be filled, and tombstones may be among them.  A store with this slot
   * and with transactions has indexes: they are documents of collections that
   * begin with "_i:", whose ids are values in their order, put in one
   * transaction with what they are of.  Without it core looks through changes
   * and get, and at every document. */
  int (*find) (void *handle, const char *collection,
               const struct tally_slice *from, const struct tally_slice *to,
               unsigned flags, tally_emit_doc *emit, void *ctx,
               struct tally_error *err);

  /* Asks `wants`, with the same ctx, of each live document with a seq above
   * `since`, in rising seq and all from one snapshot, and emits those that it
   * wants, with meta and body, each before it asks of the next one.  For
   * stores where documents lie in the order of their arrival, so that looking
   * at all of them is cheaper in that order than by id, and cheaper still
   * where no more than the body is read.  Without it core looks at all by
   * id. */
  int (*search) (void *handle, const char *collection, uint64_t since,
                 tally_wants *wants, tally_emit_doc *emit, void *ctx,
                 struct tally_error *err);

  /* With `on` nonzero: until it is called with zero, what get, find and
   * note_get read is one snapshot; nothing else is called meanwhile, nor this
   * twice, and it does not take long.  For stores where a transaction costs as
   * much as a small read.  Without it, and with TALLY_THREADS_ANY, each read
   * is by itself. */
  int (*hold) (void *handle, int on, struct tally_error *err);
};

/* ---- transport --------------------------------------------------------- */

/* A request as it goes up to a server or out to one.  Strings may be NULL
 * where unknown.  A client is given verb, path, content_type and body; the
 * credential (a bearer token) comes from the driver's own options. */
struct tally_request {
  size_t size;
  const char *verb;       /* "POST" */
  const char *path;       /* "/tally/v1", without a query */
  const char *host;       /* the Host header */
  const char *origin;     /* the Origin header */
  const char *credential; /* the bearer token */
  const char *peer;       /* the peer's address, for the log */
  const char *content_type;
  struct tally_slice body;
};

struct tally_response {
  size_t size;
  unsigned code; /* an HTTP status code, on every transport */
  const char *content_type;
  struct tally_slice body;
};

typedef int tally_emit_response (void *ctx,
                                 const struct tally_response *response);

/* Bytes moved, heads included, as exactly as the transport can tell. */
struct tally_traffic {
  uint64_t sent;
  uint64_t received;
};

/* What a server calls.  A transport hands each request to `request` from any
 * thread; the reply comes through `reply`, exactly once, before `request`
 * returns or later, from any thread.  The request lives until the reply.  The
 * response lives until `reply` returns. */
struct tally_service {
  size_t size;
  void *ctx;

  /* Called once, when requests can come in. url is what a client would use,
   * with the real port. */
  void (*ready) (void *ctx, const char *url);

  void (*request) (void *ctx, const struct tally_request *request,
                   void (*reply) (void *call,
                                  const struct tally_response *response),
                   void *call);
};

/* A transport is one of two kinds.  An exchange has `exchange`, `serve` with
 * `stop`, or all three: one request out, one reply back.  A folder has list,
 * read, create and remove: named blobs, and nobody who answers. */
struct tally_transport {
  size_t size; /* sizeof (struct tally_transport) */
  int threads; /* enum tally_threads; serve and stop stand outside it */

  int (*open) (void **handle, const struct tally_host *host,
               const struct tally_value *values, unsigned flags,
               struct tally_error *err);
  void (*close) (void *handle);

  /* Sends the request and emits the one reply, whatever its code.  May
   * deliver the request twice.  Adds to *traffic also when it fails.
   * TALLY_AGAIN: nobody there or timed out. */
  int (*exchange) (void *handle, const struct tally_request *request,
                   tally_emit_response *emit, void *ctx,
                   struct tally_traffic *traffic, struct tally_error *err);

  /* Serves until `stop`, then returns TALLY_OK with no request under way. */
  int (*serve) (void *handle, const struct tally_service *service,
                struct tally_error *err);

  /* Makes serve return, also one that is only about to start.  Any thread,
   * beside any call. */
  void (*stop) (void *handle);

  /* Emits the names of the blobs that start with the prefix, in any order.
   * Names are 1 to 250 bytes of [A-Za-z0-9._-] and do not start with a
   * dot; what has another name is not a blob. */
  int (*list) (void *handle, const char *prefix, tally_emit_name *emit,
               void *ctx, struct tally_error *err);

  /* Emits the whole blob in one piece.  TALLY_NOTFOUND when it is not
   * there, TALLY_FAILED when what has the name is not a regular blob. */
  int (*read) (void *handle, const char *name, tally_emit_bytes *emit,
               void *ctx, struct tally_error *err);

  /* Makes the blob whole, durable and visible in one step.  Never over
   * another: TALLY_CONFLICT when the name is taken.  After any other
   * failure the blob may be there, whole, or not. */
  int (*create) (void *handle, const char *name, const void *data, size_t size,
                 struct tally_error *err);

  /* Removes the blob; TALLY_OK when it is not there. */
  int (*remove) (void *handle, const char *name, struct tally_error *err);
};

/* ---- source ------------------------------------------------------------- */

/* A document as another program keeps it: its JSON, with an _id, which need
 * not be canonical, and the key that it is kept under, which must be that
 * _id; no bytes: it has none. */
struct tally_record {
  struct tally_slice id;
  struct tally_slice json;
  const void *reserved[2];
};

typedef int tally_emit_record (void *ctx, const struct tally_record *record);

/* What another program keeps, to be imported: `tally import NAME PATH ...`
 * opens the driver NAME with PATH for its first option. */
struct tally_source {
  size_t size; /* sizeof (struct tally_source) */
  int threads; /* enum tally_threads */

  /* Makes *handle from the values; flags are 0.  TALLY_NOTFOUND when nothing
   * is there, TALLY_AGAIN when the program has it open, TALLY_CORRUPT when it
   * cannot be read.  What is there is not changed, by no slot. */
  int (*open) (void **handle, const struct tally_host *host,
               const struct tally_value *values, unsigned flags,
               struct tally_error *err);
  void (*close) (void *handle);

  /* Emits every document once.  Called a second time on the same handle it
   * emits the same: first all are checked, then all are written. */
  int (*documents) (void *handle, tally_emit_record *emit, void *ctx,
                    struct tally_error *err);
};

/* ---- driver ------------------------------------------------------------ */

struct tally_driver {
  uint32_t abi;        /* TALLY_DRIVER_ABI */
  uint32_t size;       /* sizeof (struct tally_driver) */
  const char *name;    /* [a-z][a-z0-9-]*, what `driver =` names */
  const char *version; /* the driver's own */
  const char *summary; /* one line, lower case, no full stop */
  const struct tally_option *options; /* NULL: none */
  const struct tally_store *store;
  const struct tally_transport *transport;
  const struct tally_source *source;
};

/* First members of the four tables. */
#define TALLY_STORE_INIT .size = sizeof (struct tally_store)
#define TALLY_TRANSPORT_INIT .size = sizeof (struct tally_transport)
#define TALLY_SOURCE_INIT .size = sizeof (struct tally_source)
#define TALLY_DRIVER_INIT \
  .abi = TALLY_DRIVER_ABI, .size = (uint32_t) sizeof (struct tally_driver)

#if defined _WIN32
#define TALLY_EXPORT __declspec(dllexport)
#elif defined __GNUC__
#define TALLY_EXPORT __attribute__ ((visibility ("default")))
#else
#define TALLY_EXPORT
#endif

/* The one symbol that a driver exports. */
TALLY_EXPORT const struct tally_driver *tally_driver_1 (void);

/* Defines it: TALLY_DRIVER (my_driver) after the table, without a
 * semicolon. */
#define TALLY_DRIVER(table)                        \
  const struct tally_driver *tally_driver_1 (void) \
  {                                                \
    return &(table);                               \
  }

#ifdef __cplusplus
}
#endif

#endif /* TALLY_DRIVER_H */
