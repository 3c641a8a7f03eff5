/* SPDX-License-Identifier: MIT */
/* A server that speaks LinvoDB's dialect, as a far side.  It cannot merge, and
 * only knows whole documents with a time each.  So our store keeps a copy of
 * what is there, as the collections of an account of its own, and syncs with
 * it as with any store; the copy takes what is newer there, and gives what is
 * newer here, just as a LinvoDB client would. */

#ifndef TALLY_MIRROR_H
#define TALLY_MIRROR_H

#include "answer.h"
#include "channel.h"
#include "idmap.h"
#include "doclist.h"

#define MIRROR_ACCOUNT_MAX 32

/* Whether a collection is such a copy. */
bool mirror_has (const char *collection);

struct mirror {
  struct channel *far;
  struct replica *replica;
  const char *key;                  /* authKey; NULL: none */
  char account[MIRROR_ACCOUNT_MAX]; /* that the copy is of */
  struct answer answer;
  struct channel *copy; /* the copy, as the far side of a run */

  uint64_t round_trips;
  struct tally_traffic traffic;
  struct buf request, reply;
  bool refused; /* the last call: it was answered, with an error */

  /* Of the collection at hand: what is there, and when it was changed. */
  const char *collection;
  char stored[COLLECTION_TEXT_MAX]; /* the copy's name for it */
  struct idmap ids;
  struct arena texts;
  uint64_t *times;
  size_t n, room;
  /* The first document that one side did not take from the other. */
  struct tally_error complaint;
};

/* The channel and the key must live on. */
int mirror_open (struct mirror *mirror, struct channel *far,
                 struct replica *replica, const char *key, const char *device,
                 struct tally_error *err);
void mirror_close (struct mirror *mirror);

/* Asks what there is in a collection, and with `takes` brings the copy up to
 * it. */
int mirror_fetch (struct mirror *mirror, const char *collection, bool takes,
                  struct tally_error *err);

/* Puts there what is newer in the copy than what mirror_fetch was told. */
int mirror_give (struct mirror *mirror, struct tally_error *err);

/* Whether somebody answers there who knows us. */
int mirror_ping (struct channel *far, const char *key,
                 struct tally_error *err);

/* ---- mirror-call.c --------------------------------------------------------
 */

/* Begins a request in mirror->request, as an object that is to be ended. */
void mirror_begin (struct mirror *mirror, const char *collection);

/* Sends it; *result lies in mirror->reply. */
int mirror_call (struct mirror *mirror, const char *method,
                 struct tally_slice *result, struct tally_error *err);

/* TALLY_INVALID: it answered something else than was asked. */
int mirror_strange (const struct mirror *mirror, struct tally_error *err);

#endif /* TALLY_MIRROR_H */
