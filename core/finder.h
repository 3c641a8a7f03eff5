/* SPDX-License-Identifier: MIT */
/* The documents of a collection that match a query, a batch at a time: what a
 * find, a count, an update and a removal by query are made of. */

#ifndef TALLY_FINDER_H
#define TALLY_FINDER_H

#include "fields.h"
#include "indexplan.h"
#include "query.h"
#include "sorter.h"
#include "walk.h"

/* A batch ends with either. */
#define FINDER_BATCH 512
#define FINDER_BATCH_BYTES ((size_t) 1 << 20)
#define FINDER_LOOKS 4096 /* documents looked at in one go */
#define FINDER_SAMPLE                                   \
  256 /* before it is decided how to look at the others \
       */

struct finder {
  struct replica *replica;
  const char *collection;
  struct query *query;
  const struct field_list *sort; /* NULL or none: by id */
  uint64_t most;                 /* so many will do; 0: all */
  bool headers;                  /* found documents need no body */
  size_t sort_bytes;             /* in memory; 0: what a sorter takes */

  /* Where they come from: ids, in the order in which they are given out, or a
   * walk over all. */
  bool by_ids;
  struct sorter ids;
  size_t next;
  struct walk walk;

  /* Or a pass over all in the order of arrival, see finder-pass.c. */
  bool passing, passed;
  uint64_t since;     /* where it goes on */
  uint64_t live;      /* documents that it met */
  struct doclist met; /* those that matched */
  size_t next_met;    /* to be given out */

  /* Or an index that has them in the order of the sort, see finder-order.c. */
  bool in_order;
  struct indexes_taken *indexes; /* the plan's; NULL: none */
  struct index_plan plan;
  size_t span;    /* of the plan, where to go on */
  struct buf row; /* the last one read there; empty: none */
  struct buf group,
      group_end;           /* backwards: the rows of one key, from and to */
  bool in_group;           /* they are being read */
  struct doclist rows_got; /* of which no document was read yet */
  size_t next_row, most_rows;

  /* How: for --explain. */
  const char *access; /* "ids", "index" or "scan" */
  struct buf index;   /* its fields */
  uint64_t rows;      /* of the index */
  bool sorts;         /* what was found is sorted */
  size_t spans;

  bool ahead,
      ends; /* the batch was read already, and whether it is the last */

  struct doclist found; /* the batch */
  bool done;            /* it is the last one */
  uint64_t looked;      /* documents so far */
  uint64_t matched;     /* of these */

  /* Of the call under way. */
  struct sorter *sorted; /* keys for the sort are gathered; NULL: documents */
  struct buf key;
  size_t looks;
  bool full;
  int status;
  struct tally_error *err;
};

/* Looks at a document as finder.c does. */
typedef int finder_look_fn (void *finder, const struct tally_doc *doc);

/* The caller has filled replica to sort_bytes; query and sort stay its own. */
int finder_start (struct finder *finder, struct tally_error *err);

/* The same for these documents only, so far as they match. */
int finder_start_ids (struct finder *finder, const struct tally_slice *ids,
                      size_t n, struct tally_error *err);

/* The next batch, in finder->found; it may be empty before the end. */
int finder_next (struct finder *finder, struct tally_error *err);
void finder_end (struct finder *finder);

#endif /* TALLY_FINDER_H */
