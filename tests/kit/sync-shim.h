/* SPDX-License-Identifier: MIT */
/* Static drivers for tests of the engine.
 *
 * held: the memory store, but it lives on, by its name, when it is closed.
 * bare: the same without notes and collections, one entry a call.
 * wire: loopback, with a fault at the exchange that was asked for.
 *
 * What they are told is for the whole program, one test at a time. */

#ifndef TALLY_TEST_SYNC_SHIM_H
#define TALLY_TEST_SYNC_SHIM_H

#include "sync-kit.h"

/* Ends every held store and forgets faults, hooks and counts. */
void shim_reset (void);

enum shim_fault {
  SHIM_NONE,
  SHIM_CUT,   /* the request does not get there */
  SHIM_LOSE,  /* it does, and the reply does not come back */
  SHIM_TWICE, /* it gets there twice */
  SHIM_SHORT, /* only the first `where` bytes of the reply come back */
  SHIM_FLIP   /* bit `where` of the reply is another */
};

/* From now on exchanges are counted from 1; at the one numbered `at` this
 * happens. */
void shim_fault_at (enum shim_fault fault, unsigned at, size_t where);

/* Exchanges since then. */
unsigned shim_exchanges (void);

/* The size of the last reply, before anything was done to it. */
size_t shim_reply_size (void);

/* Whether a reply was cut short or flipped since then: one that is shorter
 * than `where` is left as it is. */
bool shim_damaged (void);

/* Has every reply replaced by what fn makes of it, malloced and *size bytes,
 * or leaves one as it is for NULL.  fn NULL: no more. */
typedef char *shim_rewrite_fn (void *ctx, const char *reply, size_t *size);
void shim_rewrite (shim_rewrite_fn *fn, void *ctx);

/* Calls fn before exchange `at`, counted as above, once. */
void shim_before_exchange (unsigned at, void (*fn) (void *ctx), void *ctx);

/* Calls fn before call `at` of get, put, changes or find of this held store
 * ("held/d1"), counted from now, once.  shim_calls: how many there were. */
void shim_before_call (const char *store, unsigned at, void (*fn) (void *ctx),
                       void *ctx);
unsigned shim_calls (void);

/* From call `at` on, counted as above, this held store fails, as it would for
 * a process that was killed; at 0: it is alive again. */
void shim_die_at (const char *store, unsigned at);

/* The same from the call on that follows a put into this collection. */
void shim_die_after (const char *store, const char *collection);

/* From now on this held store gives a document that breaks a rule for this
 * id; NULL: no more. */
void shim_spoil (const char *store, const char *id);

/* Or does not show it to who walks through all of them, as where a file is
 * damaged. */
void shim_hide (const char *store, const char *id);

/* Makes the drivers known to a context. */
void shim_register (struct tally *tally);

#endif /* TALLY_TEST_SYNC_SHIM_H */
