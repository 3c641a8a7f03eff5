/* SPDX-License-Identifier: MIT */
/* An update as its files share it: modifiers, read by update.c, worked out by
 * update-value.c, and put in place by update-apply.c. */

#ifndef TALLY_UPDATE_TREE_H
#define TALLY_UPDATE_TREE_H

#include <stdint.h>

#include "path.h"
#include "update.h"

enum update_op {
  UPDATE_SET,
  UPDATE_SET_ON_INSERT,
  UPDATE_UNSET,
  UPDATE_INC,
  UPDATE_MUL,
  UPDATE_MIN,
  UPDATE_MAX,
  UPDATE_RENAME,
  UPDATE_PUSH,
  UPDATE_POP,
  UPDATE_ADD_TO_SET,
  UPDATE_PULL,
  UPDATE_CURRENT_DATE
};

/* Values of one $addToSet. */
#define UPDATE_SET_MAX 1000

struct modifier {
  enum update_op op;
  struct path path;
  struct tally_slice value;
  struct path to;     /* UPDATE_RENAME */
  struct query *pull; /* UPDATE_PULL */
  bool each;          /* value is an array of values to push or add */
  bool has_position, has_slice;
  int64_t position, slice;
};

struct update {
  struct buf text; /* what the slices point into */
  bool replaces;   /* text is the new document */
  struct modifier *modifiers;
  size_t n;
};

enum update_result {
  UPDATE_KEEP,  /* nothing changes */
  UPDATE_WRITE, /* what is in out */
  UPDATE_REMOVE
};

/* Works out the new value of what a modifier changes; `current` may be
 * missing. */
int update_value (const struct modifier *modifier, struct tally_slice current,
                  uint64_t now_ms, struct buf *out, enum update_result *result,
                  struct tally_error *err);

/* The name of a path in a message. */
#define UPDATE_NAME(path) \
  (int) ((path)->text.size < 80 ? (path)->text.size : 80), (path)->text.data

#endif /* TALLY_UPDATE_TREE_H */
