/* SPDX-License-Identifier: MIT */
/* A transport with serve and exchange under test: a server in a thread of its
 * own that answers with what it was sent, and a client that asks it.  A driver
 * with an option `listen` gets two handles, one that listens at a free port of
 * this machine, and one whose first option is the URL that the first one told;
 * any other serves what its own handle asks. */

#ifndef TALLY_EXCHANGE_KIT_H
#define TALLY_EXCHANGE_KIT_H

#include <pthread.h>
#include <stdbool.h>

#include "kit.h"

struct exchange {
  const struct kit_subject *subject;
  const struct tally_transport *ops;
  struct tally_host host;
  char value[4096];
  void *server, *client; /* the same when it is alone */
  bool alone;
  struct tally_error err;

  pthread_t thread;
  bool serving;

  pthread_mutex_t lock; /* guards all below */
  pthread_cond_t changed;
  unsigned ready, requests;
  bool done;
  int serve_status;
  struct tally_error serve_err;
  char url[128];
  char verb[64], path[64], type[64]; /* of the last request */
};

int exchange_setup (void **state);
int exchange_teardown (void **state);

/* Serves, and opens the client.  A failure fails the check. */
void exchange_begin (struct exchange *x);
void exchange_stop (struct exchange *x);

/* Begins to serve and waits for nothing. */
void exchange_serve (struct exchange *x);

/* Waits until the server is ready (or done, with `ready` false).  False: it
 * took too long. */
bool exchange_await (struct exchange *x, bool ready);

struct exchange_answer {
  int status;
  unsigned replies;
  unsigned code;
  char type[64];
  char *body;
  size_t size;
  struct tally_traffic traffic;
  struct tally_error err;
};

/* body is to be freed. */
void exchange_ask (struct exchange *x, struct exchange_answer *a,
                   const char *path, const char *data, size_t n);

/* Asks what must be answered with the same bytes. */
void exchange_ask_well (struct exchange *x, struct exchange_answer *a,
                        const char *path, const char *data, size_t n);

void exchange_pause (unsigned ms);

#endif /* TALLY_EXCHANGE_KIT_H */
