/* SPDX-License-Identifier: MIT */
/* A server of the dialect over a shared store, asked without a transport. */

#ifndef TALLY_TESTS_DIALECT_KIT_H
#define TALLY_TESTS_DIALECT_KIT_H

#include "../../core/dialect.h"
#include "shared-store.h"

struct dialect_kit {
  struct shared_store shared;
  struct replica *replica;
  struct accounts *accounts;
  struct dialect *dialect;
  char *reply; /* the last one, as canonical JSON */
};

/* bare: over a driver that has no more than it must. */
void dialect_kit_start (struct dialect_kit *kit, bool open_accounts,
                        bool bare);
void dialect_kit_end (struct dialect_kit *kit);

/* Asks, and returns the reply, which is good until the next one.  The reply is
 * checked for what holds of each: 200, JSON, one of result and error. */
const char *dialect_ask_bytes (struct dialect_kit *kit, const char *method,
                               const char *body, size_t size);

/* The same; ' stands for ". */
const char *dialect_ask (struct dialect_kit *kit, const char *method,
                         const char *fmt, ...)
    __attribute__ ((format (printf, 3, 4)));

/* The reply is this; ' stands for ", and the elements of the result may come
 * in any order. */
void dialect_expect (struct dialect_kit *kit, const char *reply);

/* The reply is an error of this code, whose message has this in it. */
void dialect_expect_error (struct dialect_kit *kit, unsigned code,
                           const char *part);

/* How many documents a collection of the store has, and an entry of the
 * journal has these parts. */
size_t dialect_count (struct dialect_kit *kit, const char *collection);
void dialect_expect_entry (struct dialect_kit *kit, const char *collection,
                           const char *part, const char *other);

#endif /* TALLY_TESTS_DIALECT_KIT_H */
