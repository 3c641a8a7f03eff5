/* SPDX-License-Identifier: MIT */
/* The rules for documents and names, and documents as they come in: checked,
 * canonical, with an _id. */

#ifndef TALLY_DOCUMENT_H
#define TALLY_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/* Characters of an id that we make: 128 random bits. */
#define DOCUMENT_ID_MADE 22

#define COLLECTION_NAME_MAX 128
#define ACCOUNT_NAME_MAX 64

/* [A-Za-z0-9_][A-Za-z0-9._-]{0,127}; TALLY_INVALID names the reason. */
int collection_check (const char *name, struct tally_error *err);

/* The same, or one of an account, ACCOUNT:NAME: for who has the store itself,
 * and reads, or takes back what was read.  A peer never says whose a
 * collection is. */
int collection_check_any (const char *name, struct tally_error *err);

/* A name that starts with '_' never leaves its store. */
bool collection_is_local (const char *name);

/* 1 to 1,024 bytes of UTF-8 without control characters. */
int document_check_id (struct tally_slice id, struct tally_error *err);

/* Writes a fresh id and a NUL. */
void document_make_id (char out[DOCUMENT_ID_MADE + 1]);

/* Makes the canonical body and the plain id of a document given as JSON text.
 * The id is that of the field id_field (a string or a number) when one is
 * named, else _id, else a fresh one, and *made says so.  body and id
 * are cleared first.  TALLY_INVALID: it is not a document. */
int document_read (struct buf *body, struct buf *id, bool *made,
                   struct tally_slice text, const char *id_field,
                   struct tally_error *err);

#endif /* TALLY_DOCUMENT_H */
