/* SPDX-License-Identifier: MIT */
/* What `sort` and `fields` name: "F,-G.x" as paths.  Pure. */

#ifndef TALLY_FIELDS_H
#define TALLY_FIELDS_H

#include "path.h"

struct field_list {
  struct field_name {
    struct path path;
    bool descending;
  } * fields;
  size_t count;

  /* Of what is shown: */
  bool leaves_out; /* the fields are those that are not */
  bool without_id;
};

#define FIELDS_MAX 64

/* A sort; NULL text: none. */
int field_list_parse_sort (struct field_list *out, const char *text,
                           struct tally_error *err);

/* What is shown: "F,G" or "-F,-G", and "-_id" beside either. */
int field_list_parse_shown (struct field_list *out, const char *text,
                            struct tally_error *err);

/* The same, where it is neither: `what` it is.  signs: a '-' before a name
 * means descending. */
int field_list_read (struct field_list *out, const char *text, bool signs,
                     const char *what, struct tally_error *err);
void field_list_free (struct field_list *list);

/* Appends a key for the document, by memcmp in the order of the list. */
void field_list_key (const struct field_list *sort,
                     struct tally_slice document, struct buf *out);

/* Appends the document with only these fields, and _id, or with all others.  A
 * path takes the members of objects, also of those in arrays. */
void field_list_project (const struct field_list *fields, struct buf *out,
                         struct tally_slice document);

#endif /* TALLY_FIELDS_H */
