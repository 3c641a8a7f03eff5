/* SPDX-License-Identifier: MIT */
/* Who may come in: tokens and the accounts that they belong to. */

#ifndef TALLY_ACCOUNTS_H
#define TALLY_ACCOUNTS_H

#include <stdbool.h>

#include <tally/driver.h>

#define ACCOUNT_NAME_MAX 64

struct accounts;

/* Reads a tokens file: a line TOKEN [ACCOUNT] each, # comments.  path NULL:
 * everybody is `default`; open: any token is an account of its own.
 * TALLY_CONFIG: the file is missing or wrong. */
int accounts_load (struct accounts **out, const char *path, bool open,
                   struct tally_error *err);
void accounts_free (struct accounts *accounts);

/* Writes the account of a token (NULL: none came); false: denied. */
bool accounts_find (const struct accounts *accounts, const char *token,
                    char account[ACCOUNT_NAME_MAX + 1]);

#endif /* TALLY_ACCOUNTS_H */
