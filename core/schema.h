/* SPDX-License-Identifier: MIT */
/* What the documents of a collection must look like: types of fields, which
 * of them must be there, and what stands there when nothing was given.
 *
 * {"title": "string", "age": {"type": ["number", "null"], "default": 0},
 *  "tags": {"type": "array", "items": "string"}, "due": "date",
 *  "address": {"required": true, "fields": {"zip": "string"}}}
 *
 * Fields that are not named may hold anything.  Pure. */

#ifndef TALLY_SCHEMA_H
#define TALLY_SCHEMA_H

#include "buf.h"

struct schema;

/* TALLY_INVALID: it is none; the message begins with the path in it. */
int schema_parse (struct schema **out, const char *text, size_t size,
                  struct tally_error *err);
void schema_free (struct schema *schema);

/* Appends the canonical document with what it lacks.  TALLY_INVALID: it
 * violates the schema; the message is "address.zip: is a number, not a
 * string". */
int schema_apply (const struct schema *schema, struct tally_slice document,
                  struct buf *out, struct tally_error *err);

#endif /* TALLY_SCHEMA_H */
