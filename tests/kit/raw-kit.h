/* SPDX-License-Identifier: MIT */
/* For the tests of the http driver: bytes over a socket, where a peer must
 * misbehave. */

#ifndef TALLY_TESTS_RAW_KIT_H
#define TALLY_TESTS_RAW_KIT_H

#include "transport-kit.h"

int raw_connect (unsigned port);

/* Whether all went out; a peer that has closed is no reason to die. */
bool raw_send (int fd, const char *data, size_t n);

/* Reads until the peer closes, ten seconds at most. */
void raw_read (int fd, char *out, size_t size);

/* Sends the text and checks what the answer starts with, and that the server
 * then closes: within a test's limit, without being asked to. */
void raw_expect (unsigned port, const char *text, const char *start);

/* A listening socket of the test's own. */
int raw_listen (unsigned *port);

/* A server that answers each connection with the next of its texts, then
 * closes it; the last text stays. */
struct script {
  int fd;
  unsigned port;
  const char *const *texts;
  atomic_int connections;
  pthread_t thread;
};

void script_start (struct script *script, const char *const *texts);
void script_end (struct script *script);

/* A client of it. */
void script_client (const struct script *script, struct fixture *client,
                    int retries);

#endif /* TALLY_TESTS_RAW_KIT_H */
