/* SPDX-License-Identifier: MIT */
/* The far side of a link as typed calls, over a channel or a folder.  What
 * comes from it has been checked: documents decode, hold every rule, and
 * carry the revision that was computed here. */

#ifndef TALLY_PEER_H
#define TALLY_PEER_H

#include "channel.h"
#include "doclist.h"
#include "folder.h"
#include "idmap.h"
#include "replica.h"
#include "wire.h"

/* Pages that may be asked for before they are needed. */
#define PEER_AHEAD_MAX 32

struct ahead;

struct peer {
  struct channel *channel;
  struct folder *folder; /* NULL: somebody answers */
  struct replica *replica;
  unsigned char self[REPLICA_ID_SIZE]; /* who we are to it */
  unsigned char far[REPLICA_ID_SIZE];
  bool has_far;

  uint64_t round_trips;
  struct tally_traffic traffic;

  /* Goes ahead of the next message, in the same exchange. */
  bool rotates;
  unsigned char rotate_from[WIRE_TOKEN_SIZE], rotate_to[WIRE_TOKEN_SIZE];
  bool rotate_from_set;

  /* Likewise: names that are asked for, and what was answered. */
  uint32_t asks[WIRE_NAMES_MAX];
  size_t n_asks;
  struct {
    uint32_t clients[WIRE_NAMES_MAX];
    struct buf names[WIRE_NAMES_MAX]; /* empty: unknown */
    size_t n;
  } named;

  /* See peer_foresee.  threads: what is fetched beside has a thread. */
  bool threads;
  struct ahead *ahead[PEER_AHEAD_MAX];
  size_t n_ahead;

  /* A comparison that rides with the next hello, as bytes, and its answer. */
  struct buf compare_ahead, compared_ahead;

  /* Likewise: documents that are fetched, and those that came. */
  const struct wire_fetch *fetch; /* NULL: none waits */
  struct peer_hand {
    struct doclist docs; /* an empty id: it was taken */
    struct idmap ids;
    uint64_t answered; /* as in wire_fetched */
    struct buf next;
  } hand;

  struct buf request, reply;
};

struct peer_welcome {
  enum wire_verdict verdict;
  int64_t skew_ms;    /* the far clock less ours, half the way back off */
  bool ahead;         /* it may hold stamps that are beyond its clock */
  bool compares;      /* it answers compare */
  bool by_id;         /* its documents lie so: see replica_lies_by_id */
  uint32_t client;    /* that it writes under */
  char *device;       /* its name, or NULL: nobody answered */
  char **collections; /* n names that sync */
  size_t n_collections;
  uint32_t *clients;
  size_t n_clients;
};

/* Reaches nobody yet.  Whoever has another name there sets peer->self. */
int peer_open (struct peer *peer, struct channel *channel,
               struct replica *replica, struct tally_error *err);
void peer_close (struct peer *peer);

/* hello names tokens and expectations; its wall_ms and client are filled here.
 * Sets peer->far. */
int peer_hello (struct peer *peer, const struct wire_hello *hello,
                struct peer_welcome *welcome, struct tally_error *err);
void peer_welcome_free (struct peer_welcome *welcome);

/* Queues the change of tokens; `from` may be unset. */
void peer_queue_rotation (struct peer *peer, struct tally_slice from,
                          struct tally_slice to);

/* Queues the question what devices are called, at most WIRE_NAMES_MAX; it goes
 * with the next message, and the answer then stands in peer->named. */
void peer_queue_names (struct peer *peer, const uint32_t *clients, size_t n);
void peer_forget_named (struct peer *peer);

/* Sends what is queued, if it matters. */
int peer_flush (struct peer *peer, struct tally_error *err);

struct peer_ask {
  const char *since; /* a cursor; "": from the start */
  const char *until; /* a cursor; "": to the end */
  unsigned flags;    /* WIRE_META_* */
  /* See wire_meta: of documents that come whole the rev was computed here, and
   * those that were gone by then, or did not fit, are headers. */
  uint64_t bytes;
  uint64_t limit;           /* at most so many; 0: as many as there may be */
  struct tally_slice after; /* see WIRE_META_BY_ID */
};

struct peer_page {
  struct buf next; /* the cursor behind these headers, with its NUL; free it */
  bool more;
  bool by_id;                 /* and the ids rise */
  uint64_t floor, gone, live; /* see wire_headers */
};

/* Headers that changed since a cursor, a window at a time.  A folder knows no
 * `until` and no flags. */
int peer_meta (struct peer *peer, const char *collection,
               const struct peer_ask *ask, struct doclist *headers,
               struct peer_page *page, struct tally_error *err);

/* A page that the next hello may bring with it: peer_meta has it then at no
 * cost.  Best effort, as the next. */
void peer_foresee (struct peer *peer, const char *collection,
                   const struct peer_ask *ask);

/* Fetches a page beside what the peer is asked meanwhile. */
void peer_fetch_ahead (struct peer *peer, const char *collection,
                       const struct peer_ask *ask);

/* True when tombstones behind the cursor may have been forgotten. */
bool peer_is_behind (const char *cursor, uint64_t floor);

/* Told of a document that breaks a rule: its id and flags, and which.  False:
 * out of memory. */
typedef bool peer_bad_fn (void *ctx, const struct tally_doc *doc,
                          const char *why);

/* Documents by id, those that exist, in the order asked; *answered says how
 * many of the ids are done: ask again for the others.  A document that breaks
 * a rule is left out, and `bad` is told of it. */
int peer_get (struct peer *peer, const char *collection,
              const struct tally_slice *ids, size_t n, size_t *answered,
              struct doclist *docs, peer_bad_fn *bad, void *ctx,
              struct tally_error *err);

/* The same without bodies and revs, and unchecked: only to find out what
 * there is.  A folder has nothing to say. */
int peer_get_meta (struct peer *peer, const char *collection,
                   const struct tally_slice *ids, size_t n, size_t *answered,
                   struct doclist *docs, struct tally_error *err);

struct peer_outcome {
  int status;  /* see wire_other */
  bool stored; /* as it came; else with TALLY_OK it was there already */
};

/* Offers documents; bases (may be NULL) are revs or empty.  *cursor (text with
 * its NUL; NULL: no matter) is moved past these puts if nothing else came
 * between. */
int peer_put (struct peer *peer, const char *collection, unsigned flags,
              const struct tally_doc *docs, const struct tally_slice *bases,
              size_t n, struct buf *cursor, struct peer_outcome *outcomes,
              struct tally_error *err);

/* Compares rows (peer-compare.c); reply->as.compared is good until the next
 * call, and to be freed. */
int peer_compare (struct peer *peer, const struct wire_compare *compare,
                  struct wire_message *reply, struct tally_error *err);

/* Lets a question ride with the next hello; peer_compare then finds the answer
 * to the same question.  False: out of memory. */
bool peer_foresee_compare (struct peer *peer,
                           const struct wire_compare *compare);
void peer_take_compared (struct peer *peer, struct tally_slice rest,
                         bool counts);

/* Queues a fetch, which goes with the next message and stays the caller's
 * until then.  What comes is at hand: peer_get takes it from there, each
 * document once.  With WIRE_FETCH_HEADERS it is only told of. */
void peer_queue_fetch (struct peer *peer, const struct wire_fetch *fetch);

/* Checks what is at hand, once it came, and lists it as headers. */
int peer_list_hand (struct peer *peer, struct doclist *headers,
                    peer_bad_fn *bad, void *ctx, struct tally_error *err);

/* Takes those of the first ids that are at hand; 0: the first is not, and *n
 * is how many are not. */
size_t peer_take_hand (struct peer *peer, const struct tally_slice *ids,
                       size_t *n, struct doclist *docs);
void peer_drop_hand (struct peer *peer);
int peer_keep_fetched (struct peer *peer, const struct wire_fetched *fetched,
                       struct tally_error *err);

/* One request out, one reply in. */
int peer_call (struct peer *peer, const struct wire_message *message,
               struct wire_message *reply, struct tally_error *err);

/* Counts the tombstones there. */
int peer_count_gone (struct peer *peer, const char *collection, uint64_t *gone,
                     struct tally_error *err);

/* Asks whether anything changed there, which may take as long as it says.
 * Only over a channel. */
int peer_wait (struct peer *peer, const struct wire_wait *wait,
               struct wire_waited *waited, struct tally_error *err);

/* Makes durable what was put (a folder publishes its segment now). */
int peer_commit (struct peer *peer, const char *collection,
                 struct tally_error *err);

/* True when nobody there merges or refuses. */
static inline bool
peer_is_passive (const struct peer *peer)
{
  return peer->folder != NULL;
}

/* Decodes and checks a document from elsewhere, and fills its rev. */
int peer_check_doc (struct tally_doc *doc, struct tally_error *err);

/* Each of many: it is half of what taking them costs, so two threads do it. */
void peer_check_docs (struct tally_doc *docs, size_t n, int *statuses);

#endif /* TALLY_PEER_H */
