/* SPDX-License-Identifier: MIT */
/* Who may come in: tokens and the accounts that they belong to. */

#ifndef TALLY_ACCOUNTS_H
#define TALLY_ACCOUNTS_H

#include <stdbool.h>

#include <tally/driver.h>

#include "document.h"

#define ACCOUNTS_LINE_MAX 1024
#define ACCOUNTS_FINGERPRINT 17 /* 16 hex digits and a NUL */

struct accounts;

/* Reads a tokens file: a line TOKEN [ACCOUNT] each, # comments.  path NULL:
 * everybody is `default`; open: any token is an account of its own.
 * TALLY_CONFIG: the file is missing or wrong. */
int accounts_load (struct accounts **out, const char *path, bool open,
                   struct tally_error *err);
void accounts_free (struct accounts *accounts);

/* Reads the file again if it has changed.  One that is missing or wrong is
 * TALLY_CONFIG, once, and what was read before goes on to count; one without a
 * token lets nobody in.  Any thread. */
int accounts_refresh (struct accounts *accounts, struct tally_error *err);

/* Writes the account of a token (NULL: none came); false: denied.  Any
 * thread. */
bool accounts_find (struct accounts *accounts, const char *token,
                    char account[ACCOUNT_NAME_MAX + 1]);

/* ---- lines -------------------------------------------------------------- */

/* What a line says; texts lie in the copy that it was parsed in. */
struct accounts_line {
  const char *token;   /* NULL: there is none on it */
  const char *account; /* of the token */
  const char *comment; /* behind the #, or NULL */
  char fingerprint[ACCOUNTS_FINGERPRINT];
};

/* Parses a line, with or without its end, in a copy of it.  TALLY_CONFIG: it
 * is wrong. */
int accounts_read_line (struct accounts_line *out,
                        char copy[ACCOUNTS_LINE_MAX], struct tally_slice line,
                        struct tally_error *err);

/* What a token is called where it must not be shown. */
void accounts_fingerprint (char out[ACCOUNTS_FINGERPRINT], const char *token);

int accounts_check_name (const char *name, struct tally_error *err);

#endif /* TALLY_ACCOUNTS_H */
