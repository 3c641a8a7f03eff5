/* SPDX-License-Identifier: MIT */
/* How what hangs on a replica is called: for the files that ask and tell. */

#ifndef TALLY_HOOKS_CALL_H
#define TALLY_HOOKS_CALL_H

#include <pthread.h>
#include <stdatomic.h>

#include "buf.h"
#include "hooks.h"

struct tally_hook {
  struct tally_hook *next;
  struct hooks *hooks;
  char *collection;        /* NULL: all */
  unsigned types;          /* of before */
  tally_before_fn *before; /* or NULL */
  tally_change_fn *after;  /* or NULL */
  void *ctx;
  unsigned calls; /* under way */
  bool removed;
};

struct collection_schema;

struct hooks {
  atomic_uint listeners; /* to what has been written */
  atomic_uint guards;    /* before what is written: hooks and schemas */

  pthread_mutex_t lock; /* guards all below */
  pthread_cond_t done;  /* a call has ended */
  struct tally_hook *first;
  struct collection_schema *schemas;
};

/* The next hook behind `hook` (NULL: the first) that is for the collection and
 * is asked before one of the types (0: is told after); a call of it begins.
 * That of `hook` ends. */
struct tally_hook *hook_next_call (struct hooks *hooks,
                                   struct tally_hook *hook,
                                   const char *collection, unsigned types);

/* For who does not go on to the next. */
void hook_end_call (struct hooks *hooks, struct tally_hook *hook);

/* Appends the document with what it lacks; *has false: there is no schema. */
int hooks_apply_schema (struct hooks *hooks, const char *collection,
                        struct tally_slice body, struct buf *out, bool *has,
                        struct tally_error *err);

#endif /* TALLY_HOOKS_CALL_H */
