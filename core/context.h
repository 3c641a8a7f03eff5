/* SPDX-License-Identifier: MIT */
/* What a context holds: the configuration, the drivers, and what is open.
 * Everything above replica, channel and engine goes through here. */

#ifndef TALLY_CONTEXT_H
#define TALLY_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>

#include <tally/tally.h>

#include "channel.h"
#include "config.h"
#include "error.h"
#include "registry.h"
#include "replica.h"

/* An endpoint with its driver and values. */
struct endpoint {
  const char *name;                      /* as given */
  const struct config_endpoint *section; /* NULL: DRIVER:VALUE */
  char *title; /* for messages: the name, or the path of a store */
  struct driver *driver;
  struct option_set options;
  char *key;
  bool dialect; /* the server there speaks LinvoDB's */
};

/* A store that is open, shared by whoever asks for the same one. */
struct tally_replica {
  struct tally *tally;
  struct replica *replica;  /* NULL: made when it is first written to */
  struct endpoint endpoint; /* of one that is yet to be made */
  char *key;  /* driver and first option: the same store, the same key */
  char *name; /* for messages */
  unsigned flags;
  unsigned uses;
  struct tally_replica *next;
};

/* A flag beside TALLY_OPEN_*: make the store, but not before it is used. */
#define CONTEXT_CREATE_LATER 0x10000u

/* A transport that is open, likewise. */
struct open_channel {
  struct channel *channel;
  char *key;
  unsigned flags;
  unsigned uses;
  struct open_channel *next;
};

struct tally {
  struct config *config;
  struct registry *registry;
  struct tally_host host;
  char *token_file;
  tally_log_fn *log;
  tally_event_fn *event;
  void *ctx;

  atomic_int cancelled;
  int cancel_pipe[2]; /* written to by tally_cancel */

  /* Guards the lists.  Recursive: the log is told of things under it. */
  pthread_mutex_t lock;
  struct tally_replica *replicas;
  struct open_channel *channels;
  struct tally_watcher *watchers;
};

/* The endpoint of that name, or DRIVER:VALUE.  TALLY_USAGE: there is no such
 * name. */
int endpoint_resolve (struct endpoint *out, struct tally *tally,
                      const char *text, struct tally_error *err);
void endpoint_free (struct endpoint *endpoint);

/* A transport that listens at an address, by whichever driver has an option
 * for that. */
int endpoint_listen (struct endpoint *out, struct tally *tally,
                     const char *address, struct tally_error *err);

/* Whether a transport can be served at all, as far as its driver and its
 * options tell: TALLY_UNSUPPORTED or TALLY_CONFIG. */
int endpoint_can_serve (const struct endpoint *endpoint,
                        struct tally_error *err);

static inline bool
endpoint_is_store (const struct endpoint *endpoint)
{
  return endpoint->driver->store != NULL;
}

/* What a server knows us by: the secret among the options, or NULL. */
const char *endpoint_secret (const struct endpoint *endpoint);

/* Where the store is kept, by its options: the first path among them; NULL:
 * nowhere. */
const char *endpoint_path (const struct endpoint *endpoint);

int context_open_replica (struct tally_replica **out, struct tally *tally,
                          const struct endpoint *endpoint, unsigned flags,
                          struct tally_error *err);

/* The replica, made now if it was yet to be. */
int context_replica (struct replica **out, struct tally_replica *replica,
                     struct tally_error *err);

/* The same for a call that reads or writes documents, which is TALLY_CANCELLED
 * once the context is. */
int context_use (struct replica **out, struct tally_replica *replica,
                 struct tally_error *err);

/* The replica if it has schemas, or may have: made now if it was yet to be and
 * the ini has some; NULL: there are none. */
int context_rules (struct replica **out, struct tally_replica *replica,
                   struct tally_error *err);

/* NULL when it is yet to be. */
struct replica *context_replica_if_made (struct tally_replica *replica);

/* flags: TALLY_OPEN_CREATE for a folder that is yet to be made. */
int context_open_channel (struct channel **out, struct tally *tally,
                          const struct endpoint *endpoint, unsigned flags,
                          struct tally_error *err);
void context_close_channel (struct tally *tally, struct channel *channel);

/* The current folder, absolute; free it. */
int context_here (char **out, struct tally_error *err);

/* Tells the application's log. */
void context_log (struct tally *tally, int level, const char *fmt, ...)
    ERROR_FORMAT (3, 4);

#endif /* TALLY_CONTEXT_H */
