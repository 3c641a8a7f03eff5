/* SPDX-License-Identifier: MIT */
/* The side that LinvoDB's clients ask: POST /api/datastoreMeta, Get and Put,
 * with an authKey in the body, and JSON of exactly one of `result` and `error`
 * as the answer, always with the status 200. */

#ifndef TALLY_DIALECT_H
#define TALLY_DIALECT_H

#include "accounts.h"
#include "answer.h"
#include "journal.h"

/* Methods are POST /api/NAME. */
#define DIALECT_PATH "/api/"
#define DIALECT_META "datastoreMeta"
#define DIALECT_GET "datastoreGet"
#define DIALECT_PUT "datastorePut"
#define DIALECT_CONTENT_TYPE "application/json"

/* What an error's `code` is, as far as somebody acts on it. */
enum dialect_code {
  DIALECT_BAD_REQUEST = 400, /* the request, or a document in it */
  DIALECT_DENIED = 401,
  DIALECT_FORBIDDEN = 403, /* a collection that never syncs */
  DIALECT_CLOCK = 409,     /* a document is too far ahead of the clock */
  DIALECT_TOO_LARGE = 413, /* the answer */
  DIALECT_FAILED = 500,
  DIALECT_BUSY = 503 /* the same later */
};

/* Answers that are in memory at once. */
#define DIALECT_REPLIES_MAX ((size_t) 256 << 20)

struct dialect;

struct dialect_setup {
  struct replica *replica;
  const char *device;        /* what this one is called */
  struct accounts *accounts; /* authKeys are tokens */
  struct journal_limits limits;
};

/* What is in the setup must live on. */
int dialect_new (struct dialect **out, const struct dialect_setup *setup,
                 struct tally_error *err);
void dialect_free (struct dialect *dialect);

bool dialect_has_path (const char *path);

typedef void dialect_reply_fn (void *call,
                               const struct tally_response *response);

/* Answers a POST to one of its paths; calls reply once, before it returns. */
void dialect_answer (struct dialect *dialect,
                     const struct tally_request *request,
                     dialect_reply_fn *reply, void *call);

#endif /* TALLY_DIALECT_H */
