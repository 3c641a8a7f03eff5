/* SPDX-License-Identifier: MIT */
/* What an application wants to have a say in, or to hear of, of the writes to
 * a replica; and what documents must look like.  Local writes are asked about
 * before, all writes are told of after.  Nothing of it costs anything while
 * there are none. */

#ifndef TALLY_HOOKS_H
#define TALLY_HOOKS_H

#include <stdbool.h>

#include <tally/tally.h>

#include "doclist.h"

struct replica;

/* Who writes. */
struct origin {
  int type; /* enum tally_origin */
  const char *link;
};

/* What hangs on a replica.  Any thread. */
struct hooks;

struct hooks *hooks_new (struct tally_error *err);
void hooks_free (struct hooks *hooks);

/* Collections are NULL for all.  What is added is removed by its handle; not
 * from within a call of it. */
int hooks_add_before (struct tally_hook **out, struct hooks *hooks,
                      const char *collection, unsigned types,
                      tally_before_fn *fn, void *ctx, struct tally_error *err);
int hooks_add_after (struct tally_hook **out, struct hooks *hooks,
                     const char *collection, tally_change_fn *fn, void *ctx,
                     struct tally_error *err);
void hooks_remove (struct tally_hook *hook);

/* Sets the schema of a collection, given as JSON; NULL: none. */
int hooks_set_schema (struct hooks *hooks, const char *collection,
                      const char *json, size_t size, struct tally_error *err);

/* Holds a document against the schema of its collection; nothing is changed.
 * TALLY_INVALID: "address.zip: is missing". */
int hooks_check (struct hooks *hooks, const char *collection,
                 struct tally_slice body, struct tally_error *err);

/* A local write is about to be made over `stored` (NULL: nothing, or a
 * tombstone).  body, with data NULL for a delete, may be changed: what stands
 * there then is in the arena. */
int hooks_before (struct hooks *hooks, const char *collection,
                  struct tally_slice id, const struct tally_doc *stored,
                  struct tally_slice *body, struct arena *arena,
                  struct tally_error *err);

/* A put and what is told of it: looked at before, told of after. */
struct hooks_put {
  struct hooks *hooks; /* NULL: nobody listens */
  bool *alive;         /* by entry: what is there before the put */
};

int hooks_look (struct hooks_put *put, struct replica *replica,
                const struct tally_entry *entries, size_t n,
                struct tally_error *err);
void hooks_tell (struct hooks_put *put, const struct origin *origin,
                 const struct tally_entry *entries,
                 const struct tally_outcome *outcomes, size_t n);

#endif /* TALLY_HOOKS_H */
