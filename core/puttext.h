/* SPDX-License-Identifier: MIT */
/* The documents in the text that a put is given: values one after the other,
 * an array of them, or an array that is a member of an object. */

#ifndef TALLY_PUTTEXT_H
#define TALLY_PUTTEXT_H

#include "doclist.h"

struct puttext {
  struct doclist docs;  /* ids and bodies; flag 1: the id was made */
  const char *id_field; /* NULL: _id, or it is made */
};

/* Adds them, checked and canonical; they may lie in the text, which has to
 * stay for as long.  at: the member that holds them, or NULL.  TALLY_INVALID:
 * one is no document, and the message begins with its number. */
int puttext_read (struct puttext *input, const char *json, size_t size,
                  const char *at, struct tally_error *err);

#endif /* TALLY_PUTTEXT_H */
