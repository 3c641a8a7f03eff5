/* SPDX-License-Identifier: MIT */
/* Dotted paths into documents, "a.b.0.c", with MongoDB's rules: a part is a
 * member of an object, or of each object in an array, or the place of an
 * element in an array.  Pure. */

#ifndef TALLY_PATH_H
#define TALLY_PATH_H

#include <stdbool.h>

#include "buf.h"

#define PATH_PARTS_MAX 64

struct path {
  struct buf text; /* raw canonical, with its dots */
  struct path_part {
    struct tally_slice key; /* in text */
    size_t index;           /* PATH_NO_INDEX: it is no place in an array */
  } * parts;
  size_t n;
};

#define PATH_NO_INDEX ((size_t) -1)

/* raw is a key as in canonical text; `what` begins the messages.
 * TALLY_INVALID: an empty part, or too many. */
int path_parse (struct path *out, struct tally_slice raw, const char *what,
                struct tally_error *err);
void path_free (struct path *path);

/* True to stop. */
typedef bool path_visit_fn (void *ctx, struct tally_slice value);

/* Hands out all that stands at the path, missing values too; `elements`: of an
 * array at its end, every element and then the array.  Of an empty array on
 * the way nothing at all.  True when it was stopped. */
bool path_visit (const struct path *path, struct tally_slice document,
                 bool elements, path_visit_fn *visit, void *ctx);

/* Appends the key (value.h) of the one value that a document sorts by: what
 * stands there; with arrays on the way, the array of all that does. */
void path_sort_key (const struct path *path, struct tally_slice document,
                    struct buf *out);

#endif /* TALLY_PATH_H */
