/* SPDX-License-Identifier: MIT */
/* Messages as bytes and back.  A frame is a CBOR sequence (RFC 8742): the
 * protocol version, the sender's replica id, then messages, each an array that
 * begins with its type, and at the end a hash of all that; a reply frame
 * answers the messages one by one in order.
 * Encoding is RFC 8949 core deterministic: definite lengths, shortest heads;
 * anything else is refused.  Pure. */

#ifndef TALLY_WIRE_H
#define TALLY_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include <tally/driver.h>

#include "buf.h"
#include "doclist.h"
#include "replica.h"

#define WIRE_VERSION 1
#define WIRE_PATH "/tally/v1"
#define WIRE_CONTENT_TYPE "application/cbor-seq"
#define WIRE_TOKEN_SIZE 16
#define WIRE_SEAL_SIZE 16

/* What one message may carry. */
#ifndef WIRE_HEADERS_MAX
#define WIRE_HEADERS_MAX 16384
#endif
#ifndef WIRE_DOCS_MAX
#define WIRE_DOCS_MAX 16384
#endif
#define WIRE_NAMES_MAX 64
#define WIRE_WAIT_NAMES_MAX 1024
#define WIRE_WAIT_MS_MAX 25000
/* Of documents, but for one.  Either side has such a batch in memory several
 * times over: as it came, decoded, and as its store writes it. */
#define WIRE_BYTES_MAX ((size_t) 2 << 20)

enum wire_type {
  WIRE_FAILURE = 0, /* answers anything */
  WIRE_HELLO = 1,
  WIRE_META = 2,
  WIRE_GET = 3,
  WIRE_PUT = 4,
  WIRE_ROTATE = 5,
  WIRE_NAMES = 6,
  WIRE_WAIT = 7,
  WIRE_COMPARE = 8,
  WIRE_FETCH = 9,
  WIRE_WELCOME = 17, /* answers hello, and so on: 16 above */
  WIRE_HEADERS = 18,
  WIRE_DOCS = 19,
  WIRE_STORED = 20,
  WIRE_ROTATED = 21,
  WIRE_NAMED = 22,
  WIRE_WAITED = 23,
  WIRE_COMPARED = 24,
  WIRE_FETCHED = 25
};

enum {
  WIRE_HELLO_LOOK = 1,    /* register nothing, change nothing */
  WIRE_HELLO_NO_PULL = 2, /* takes nothing: do not keep tombstones for it */
  WIRE_HELLO_AHEAD = 4,   /* may hold stamps that are beyond its clock */
  WIRE_HELLO_MENDS = 8    /* of a broken pair: write under a fresh client */
};

enum {
  WIRE_WELCOME_AHEAD = 1,    /* as WIRE_HELLO_AHEAD */
  WIRE_WELCOME_COMPARES = 2, /* answers compare and fetch */
  WIRE_WELCOME_BY_ID = 4     /* see replica_lies_by_id */
};

enum {
  WIRE_META_SAVED = 1,  /* since is durable: what is up to there is had */
  WIRE_META_COUNT = 2,  /* fill gone */
  WIRE_META_LIVE = 4,   /* fill live: every header is looked at */
  WIRE_META_GRAVES = 8, /* tombstones only */
  /* With bytes, and since 0: live documents alone will do, and in the order of
   * their ids, behind `after`. */
  WIRE_META_BY_ID = 16
};

enum {
  WIRE_GET_META = 1 /* leave bodies out */
};

enum {
  WIRE_COMPARE_SAVED = 1, /* nothing is had: as WIRE_META_SAVED of 0 */
  WIRE_COMPARE_ANEW = 2,  /* read all rows, also for a sum that is kept */
  WIRE_COMPARE_LIST = 4   /* no sketch: they did not do */
};

enum {
  WIRE_FETCH_HEADERS = 1, /* no documents */
  WIRE_FETCH_RANGE = 2    /* all of a range, without places */
};

/* How rows there are told. */
enum wire_comparison {
  WIRE_SAME = 0,  /* there is no difference */
  WIRE_CELLS = 1, /* data: cells of a sketch (core/sketch.h) */
  WIRE_LIST = 2,  /* data: the item of each row (core/sketch.h) */
  WIRE_SPLIT = 3, /* compare the parts that the range is split in */
  WIRE_WHOLE = 4, /* fetch all of it: next to nothing is common */
  WIRE_OTHER = 5, /* it changed meanwhile: begin anew */
  WIRE_NEWEST =
      6 /* of all rows: as WIRE_SPLIT, with the newest on their own */
};

enum {
  WIRE_PUT_STRICT = 1, /* only on the rev that is named, whatever is known */
  WIRE_PUT_CURSOR = 2  /* move the cursor past these puts */
};

enum {
  WIRE_WAIT_ALL = 1 /* for collections that are not named, too */
};

/* What the far side makes of a hello. */
enum wire_verdict {
  WIRE_PAIR_NEW = 0,     /* no checkpoint on either side */
  WIRE_PAIR_CURRENT = 1, /* the far token is the client's current one */
  WIRE_PAIR_PENDING = 2, /* it is the pending one: the client promotes it */
  WIRE_PAIR_BROKEN = 3,  /* one side is not what it was */
  WIRE_PAIR_UNNAMED = 4  /* the client did not say whom it expects: again */
};

/* Tokens and ids may be empty: none.  Slices are into the frame's bytes when
 * decoded, arrays are malloced. */
struct wire_hello {
  uint64_t flags;
  uint64_t wall_ms;
  uint32_t client; /* that the sender writes under */
  struct tally_slice device;
  struct tally_slice expects; /* the far side's replica id, if known */
  struct tally_slice current;
  struct tally_slice pending;
};

struct wire_welcome {
  uint64_t verdict;
  uint64_t flags;
  uint64_t wall_ms;
  uint32_t client;
  struct tally_slice device;
  struct tally_slice *collections;
  size_t n_collections;
  uint32_t *clients; /* with WIRE_PAIR_BROKEN: every id it wrote under */
  size_t n_clients;
};

struct wire_meta {
  struct tally_slice collection;
  uint64_t flags;
  uint64_t since;
  uint64_t until; /* headers up to this cursor only; 0: all */
  uint64_t limit; /* headers at most */
  /* Whole documents in place of headers, of about so many bytes, and where
   * these end the headers do; 0: headers. */
  uint64_t bytes;
  struct tally_slice after; /* an id; empty: none */
};

/* id, rev and flags of each; of one with meta it is the whole document, and
 * its rev is left out. */
struct wire_headers {
  uint64_t next; /* the cursor behind these */
  bool more;
  /* As WIRE_META_BY_ID asks: `next` is behind all that was there when this was
   * answered, and live is filled. */
  bool by_id;
  uint64_t floor; /* tombstones up to here may have been forgotten */
  uint64_t gone;  /* tombstones behind these headers */
  uint64_t live;  /* documents in the collection */
  struct tally_doc *docs;
  size_t n;
};

struct wire_get {
  struct tally_slice collection;
  struct tally_slice *ids;
  size_t n;
  uint64_t flags;
};

/* id, flags, meta, body and seq of each; the first `answered` ids of the get
 * are done, ask again for the others. */
struct wire_docs {
  uint64_t answered;
  struct tally_doc *docs;
  size_t n;
};

/* bases[i]: the rev that docs[i] was built on, or empty. */
struct wire_put {
  struct tally_slice collection;
  uint64_t flags;
  uint64_t cursor; /* the client's; see WIRE_PUT_CURSOR */
  struct tally_doc *docs;
  struct tally_slice *bases;
  size_t n;
};

/* What became of a document that was not stored as it came.  TALLY_OK: it is
 * there already; TALLY_CONFLICT, with the rev that is there; TALLY_AGAIN, its
 * stamps are beyond the clock there; others refuse it for good. */
struct wire_other {
  uint64_t index; /* in the put, rising */
  int status;
  struct tally_slice rev;
};

/* Of n documents all but these were stored. */
struct wire_stored {
  uint64_t cursor;
  uint64_t n;
  struct wire_other *others;
  size_t n_others;
};

struct wire_rotate {
  struct tally_slice expected;
  struct tally_slice next;
};

/* What are the devices behind these clients called? */
struct wire_names {
  uint32_t *clients;
  size_t n;
};

/* One for each client that was asked for; empty: unknown. */
struct wire_named {
  struct tally_slice *names;
  size_t n;
};

/* Is there a change of collections[i] past since[i] and the floor?  The answer
 * may come as late as timeout_ms, once there is one. */
struct wire_wait {
  uint64_t flags;
  uint64_t timeout_ms;
  uint64_t floor;
  struct tally_slice *collections;
  uint64_t *since;
  size_t n;
};

struct wire_waited {
  bool changed;
  uint64_t head; /* nothing that was looked at is behind it */
};

/* The rows of a range (core/rows.h) here, as a sum that is keyed with the
 * nonce.  An end is a stamp with an id behind it; empty: no end. */
struct wire_compare {
  struct tally_slice collection;
  uint64_t flags;
  struct tally_slice nonce;
  struct tally_slice from, to;
  uint64_t count;
  struct tally_slice root;
  struct tally_slice counters;
  /* To go on with a sketch: cells that are there, so many more, and the seq
   * that it is of.  0: begin one. */
  uint64_t first, cells, seq;
  /* The pair's from now on, if it has none and both sides are equal; or empty:
   * none is offered. */
  struct tally_slice token;
};

struct wire_compared {
  uint64_t kind;              /* enum wire_comparison */
  uint64_t seq;               /* the snapshot that this is of */
  uint64_t floor;             /* as in wire_headers */
  uint64_t count;             /* of rows there */
  struct tally_slice data;    /* of WIRE_SAME: the token, if it was taken */
  struct tally_slice *splits; /* ends, rising */
  size_t n_splits;
};

/* What stands at these places (stamp and id hash), which rise, or in a range;
 * hashes are keyed with the nonce. */
struct wire_fetch {
  struct tally_slice collection;
  uint64_t flags;
  struct tally_slice nonce;
  struct tally_slice from, to;
  struct tally_slice places;
};

/* Documents as in wire_docs, with a rev if only headers were asked for. */
struct wire_fetched {
  uint64_t answered;       /* so many places are done, without a range */
  struct tally_slice next; /* with a range: go on here; empty: all is done */
  struct tally_doc *docs;
  size_t n;
};

struct wire_failure {
  int status;
  struct tally_slice text;
};

struct wire_message {
  enum wire_type type;
  union {
    struct wire_hello hello;
    struct wire_welcome welcome;
    struct wire_meta meta;
    struct wire_headers headers;
    struct wire_get get;
    struct wire_docs docs;
    struct wire_put put;
    struct wire_stored stored;
    struct wire_rotate rotate;
    struct wire_names names;
    struct wire_named named;
    struct wire_wait wait;
    struct wire_waited waited;
    struct wire_compare compare;
    struct wire_compared compared;
    struct wire_fetch fetch;
    struct wire_fetched fetched;
    struct wire_failure failure;
  } as;
  struct arena metas; /* of what was told shorter than it is */
};

/* Begins a frame. */
void wire_start (struct buf *out, const unsigned char sender[REPLICA_ID_SIZE]);

/* Appends a message. */
void wire_encode (struct buf *out, const struct wire_message *message);

/* Reads a frame's beginning; *rest is what follows.  TALLY_UNSUPPORTED: a
 * version that this library does not speak; TALLY_INVALID: no frame. */
int wire_open (struct tally_slice *rest, unsigned char sender[REPLICA_ID_SIZE],
               struct tally_slice frame, struct tally_error *err);

/* Ends a frame: what is damaged on its way must not pass for a document that
 * somebody wrote. */
void wire_seal (struct buf *out);

/* Takes the end off *rest, the end of this frame.  TALLY_AGAIN: the frame is
 * not what was sent. */
int wire_unseal (struct tally_slice *rest, struct tally_slice frame,
                 struct tally_error *err);

/* Reads the next message off *rest.  TALLY_NOTFOUND: there is no more (err is
 * left alone); TALLY_INVALID: it breaks a rule.  Free it. */
int wire_decode (struct wire_message *message, struct tally_slice *rest,
                 struct tally_error *err);

/* Frees the arrays that wire_decode made. */
void wire_message_free (struct wire_message *message);

#endif /* TALLY_WIRE_H */
