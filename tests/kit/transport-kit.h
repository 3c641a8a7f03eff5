/* SPDX-License-Identifier: MIT */
/* What the tests of a transport driver share: a handle with its host and its
 * service, a server in a thread of its own (for http on a free port of
 * 127.0.0.1), and requests.  Threads only note what they see; the checks are
 * made in the test's own thread. */

#ifndef TALLY_TESTS_TRANSPORT_KIT_H
#define TALLY_TESTS_TRANSPORT_KIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

#define KIT_ROWS 32
#define KIT_EACH 8

/* A handle with all that its threads touch. */
struct fixture {
  struct tally_host host;
  const struct tally_transport *transport;
  void *handle;
  struct tally_value values[KIT_ROWS];
  struct tally_service service;
  pthread_t thread;
  atomic_int cancel;       /* what cancelled answers */
  atomic_int cancel_after; /* calls from now until it answers 1; 0: never */
  atomic_int requests;
  atomic_int busy; /* so many 503 before /busy answers */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool ready;
  bool done;
  int status;
  char url[64];
  unsigned port;
  struct tally_error err;
  /* What the last request looked like. */
  char peer[64], credential[64], path[64], verb[16], hostname[64];
  /* The call that /hold keeps. */
  void (*reply) (void *call, const struct tally_response *response);
  void *call;
  const struct tally_request *request;
};

struct answer {
  struct fixture *client;
  const char *path;
  const char *data;
  size_t n;
  int status;
  unsigned code;
  char type[32];
  char *body;
  size_t size;
  struct tally_traffic traffic;
  struct tally_error err;
};

int64_t kit_now_ms (void);

/* ---- options, by name ---- */

int kit_row (const char *name);
void kit_set_text (struct fixture *f, const char *name, const char *text);
void kit_set_number (struct fixture *f, const char *name, int64_t number);

/* ---- handles ---- */

/* Sets the defaults; what else is set comes between this and opening. */
void kit_prepare (struct fixture *f);
int kit_open (struct fixture *f);
void kit_close (struct fixture *f);

/* Starts serving, and waits until it is ready or has given up. */
void kit_serve (struct fixture *f);

/* Whether serve has returned, or does so in half a second. */
bool kit_serve_returns (struct fixture *f);

/* These must work. */
void kit_open_server (struct fixture *server);
void kit_close_server (struct fixture *server);
void kit_open_client (struct fixture *client, const char *url);
void kit_open_pair (struct fixture *server, struct fixture *client);
void kit_close_pair (struct fixture *server, struct fixture *client);

/* Waits until /hold was asked for, and replies to it. */
void kit_hold_wait (struct fixture *f);
void kit_hold_release (struct fixture *f);

/* ---- requests ---- */

int kit_emit (void *ctx, const struct tally_response *response);

/* The body of the answer is the caller's to free. */
void kit_ask (struct fixture *client, struct answer *a, const char *path,
              const char *data, size_t n);

/* The same for one that must be answered, whose reply matters less. */
unsigned kit_ask_code (struct fixture *client, const char *path);

/* For threads, with an answer as their ctx: one request; KIT_EACH of them,
 * where status becomes the number of good answers. */
void *kit_ask_main (void *ctx);
void *kit_ask_many (void *ctx);

#endif /* TALLY_TESTS_TRANSPORT_KIT_H */
