/* SPDX-License-Identifier: MIT */
/* Updates with MongoDB's modifiers: a document's canonical text becomes
 * another one.  Pure. */

#ifndef TALLY_UPDATE_H
#define TALLY_UPDATE_H

#include <stdbool.h>

#include "buf.h"
#include "query.h"

struct update;

#define UPDATE_MODIFIERS_MAX 1000

/* TALLY_INVALID names what is wrong with it. */
int update_parse (struct update **out, const char *text,
                  struct tally_error *err);
void update_free (struct update *update);

/* Whether it is a document that takes the place of another one. */
bool update_replaces (const struct update *update);

/* Appends what becomes of the document at that time.  inserts: it is new, and
 * $setOnInsert counts.  TALLY_INVALID: that cannot be done to this document.
 */
int update_apply (struct update *update, struct tally_slice document,
                  bool inserts, uint64_t now_ms, struct buf *out,
                  struct tally_error *err);

/* Appends the document that an upsert begins with: what the query says that
 * fields are equal to. */
int update_base (const struct query *query, struct buf *out,
                 struct tally_error *err);

#endif /* TALLY_UPDATE_H */
