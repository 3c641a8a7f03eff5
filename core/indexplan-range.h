/* SPDX-License-Identifier: MIT */
/* What a query says of one field, as intervals of the keys that its values
 * have in an index.  Pure. */

#ifndef TALLY_INDEXPLAN_RANGE_H
#define TALLY_INDEXPLAN_RANGE_H

#include "fields.h"
#include "query-tree.h"

/* Between two places: before or after all keys that begin with these bytes. */
struct bound {
  struct buf key;
  bool after;
};

struct interval {
  struct bound from, to;
};

struct intervals {
  struct interval *items;
  size_t n, room;
};

/* NULL: there is no memory.  A key of one may have failed. */
struct interval *intervals_add (struct intervals *list);
void intervals_free (struct intervals *list);

/* Puts every interval of `tail` behind every value of `heads`; false: there is
 * no memory. */
bool intervals_extend (struct intervals *heads, const struct intervals *tail);

/* Those that the query lets through in a field, which may be none, if it is
 * *usable for a search; *equal: each is one value.  several and sparse are
 * what the index is.  False: there is no memory. */
bool intervals_of_field (struct intervals *out, const struct query_node *root,
                         const struct field_name *field, bool several,
                         bool sparse, bool *usable, bool *equal);

/* Whether the query sets the field equal to one value, and not to null, which
 * is also what is missing. */
bool field_is_one_value (const struct query_node *root,
                         const struct field_name *field);

#endif /* TALLY_INDEXPLAN_RANGE_H */
