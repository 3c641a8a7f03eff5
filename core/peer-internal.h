/* SPDX-License-Identifier: MIT */
/* What the files of the far side share. */

#ifndef TALLY_PEER_INTERNAL_H
#define TALLY_PEER_INTERNAL_H

#include "errand.h"
#include "peer.h"

/* A page that is asked for before it is needed: it rides with a hello, or is
 * fetched beside what its peer does.  An errand touches nothing but this. */
struct ahead {
  const struct peer *peer; /* what does not change of it */
  char *collection;
  struct buf after;
  struct wire_meta meta;
  bool bad; /* a document in it breaks a rule */
  bool has_page;
  struct doclist headers;
  struct peer_page page;

  struct errand errand;
  struct buf request, reply;
  struct tally_traffic traffic;
  unsigned char far[REPLICA_ID_SIZE];
};

int peer_strange (const struct peer *peer, struct tally_error *err);

/* The reply to a request that was sent, up to its first message. */
int peer_open_reply (const struct peer *peer, struct tally_slice reply,
                     unsigned char far[REPLICA_ID_SIZE],
                     struct tally_slice *rest, struct tally_error *err);

/* The next message, which is of this type; free it. */
int peer_next_reply (const struct peer *peer, struct tally_slice *rest,
                     enum wire_type type, struct wire_message *reply,
                     struct tally_error *err);

/* As peer_call; *rest is what follows the reply, good as long as that. */
int peer_call_rest (struct peer *peer, const struct wire_message *message,
                    struct wire_message *reply, struct tally_slice *rest,
                    struct tally_error *err);

/* The message of an ask. */
int peer_make_meta (const struct peer *peer, const char *collection,
                    const struct peer_ask *ask, struct wire_meta *meta,
                    struct tally_error *err);

/* Copies what was answered; documents among it are checked.  *bad: one breaks
 * a rule, and the list is empty. */
int peer_take_page (const struct peer *peer, const struct wire_meta *asked,
                    const struct wire_headers *in, struct doclist *headers,
                    struct peer_page *page, bool *bad,
                    struct tally_error *err);

/* Into the frame of a hello, and the answers out of its reply, as many as
 * there are. */
void ahead_add (const struct peer *peer, struct buf *request);
void ahead_take_all (struct peer *peer, struct tally_slice rest);

/* What was asked for like this, taken off the list, or NULL. */
struct ahead *ahead_find (struct peer *peer, const struct wire_meta *meta);

/* Its page, if it has one. */
int ahead_collect (struct peer *peer, struct ahead *ahead,
                   struct doclist *headers, struct peer_page *page, bool *bad,
                   struct tally_error *err);
void ahead_free (struct ahead *ahead);
void ahead_free_all (struct peer *peer);

#endif /* TALLY_PEER_INTERNAL_H */
