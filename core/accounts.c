/* SPDX-License-Identifier: MIT */
/* Tokens are kept as hashes, and every one of them is compared, so that the
 * time a refusal takes says nothing. */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <tally/tally.h>

#include "accounts.h"
#include "answer.h"
#include "document.h"
#include "error.h"
#include "reason.h"

#define HASH_SIZE 32
#define LINE_MAX_BYTES 1024
#define TOKEN_MIN 8

struct accounts {
  bool anybody, open;
  struct account {
    unsigned char hash[HASH_SIZE];
    char name[ACCOUNT_NAME_MAX + 1];
  } * rows;
  size_t count;
};

static void
hash_token (unsigned char hash[HASH_SIZE], const char *token)
{
  crypto_generichash (hash, HASH_SIZE, (const unsigned char *) token,
                      strlen (token), NULL, 0);
}

/* ---- reading ------------------------------------------------------------ */

static int
add_row (struct accounts *accounts, const char *token, const char *name,
         struct tally_error *err)
{
  struct tally_error why;
  struct account *rows;

  if (strlen (token) < TOKEN_MIN)
    return error_set (err, TALLY_CONFIG, "a token has at least %d characters",
                      TOKEN_MIN);
  if (strlen (name) > ACCOUNT_NAME_MAX
      || collection_check (name, &why) != TALLY_OK)
    return error_set (err, TALLY_CONFIG,
                      "\"%.70s\" is no account: 1 to %d "
                      "letters, digits, \"_\", \".\" or \"-\"",
                      name, ACCOUNT_NAME_MAX);
  rows = realloc (accounts->rows, (accounts->count + 1) * sizeof *rows);
  if (!rows)
    return error_nomem (err);
  accounts->rows = rows;
  hash_token (rows[accounts->count].hash, token);
  snprintf (rows[accounts->count].name, sizeof rows->name, "%s", name);
  accounts->count++;
  return TALLY_OK;
}

/* Cuts the next word off the line; NULL when there is none. */
static char *
next_word (char **line)
{
  char *word = *line + strspn (*line, " \t");
  size_t size = strcspn (word, " \t");

  if (size == 0)
    return NULL;
  *line = word + size;
  if (**line)
    *(*line)++ = '\0';
  return word;
}

static int
read_line (struct accounts *accounts, char *line, struct tally_error *err)
{
  const char *token, *name;

  line[strcspn (line, "#\r\n")] = '\0';
  token = next_word (&line);
  if (!token)
    return TALLY_OK;
  name = next_word (&line);
  if (name && next_word (&line))
    return error_set (err, TALLY_CONFIG, "a line is TOKEN [ACCOUNT]");
  return add_row (accounts, token, name ? name : ACCOUNT_DEFAULT, err);
}

/* Reads a line; *size is that of all of it, a NUL within it included, which
 * fgets does not tell. */
static bool
next_line (char line[LINE_MAX_BYTES], size_t *size, FILE *file)
{
  memset (line, 'x', LINE_MAX_BYTES);
  if (!fgets (line, LINE_MAX_BYTES, file))
    return false;
  *size = LINE_MAX_BYTES - 1;
  while (line[*size] != '\0')
    --*size;
  return true;
}

static int
read_lines (struct accounts *accounts, const char *path, FILE *file,
            struct tally_error *err)
{
  char line[LINE_MAX_BYTES];
  unsigned number = 0;
  size_t size;
  int status = TALLY_OK;

  while (status == TALLY_OK && next_line (line, &size, file)) {
    number++;
    if (size == sizeof line - 1)
      status = error_set (err, TALLY_CONFIG, "the line is too long");
    else if (strlen (line) != size)
      status = error_set (err, TALLY_CONFIG, "the line has a NUL byte");
    else
      status = read_line (accounts, line, err);
  }
  sodium_memzero (line, sizeof line);
  if (status == TALLY_CONFIG)
    return error_set (err, status, "%s:%u: %s", path, number, err->text);
  if (status == TALLY_OK && ferror (file))
    return error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
  if (status == TALLY_OK && accounts->count == 0)
    return error_set (err, TALLY_CONFIG, "%s: there is no token in it", path);
  return status;
}

int
accounts_load (struct accounts **out, const char *path, bool open,
               struct tally_error *err)
{
  struct accounts *accounts = calloc (1, sizeof *accounts);
  FILE *file;
  int status = TALLY_OK;

  *out = NULL;
  if (!accounts)
    return error_nomem (err);
  accounts->open = open;
  accounts->anybody = !path && !open;
  if (path) {
    file = fopen (path, "re");
    if (file) {
      status = read_lines (accounts, path, file, err);
      fclose (file);
    } else
      status =
          error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
  }
  if (status == TALLY_OK)
    *out = accounts;
  else
    accounts_free (accounts);
  return status;
}

void
accounts_free (struct accounts *accounts)
{
  if (!accounts)
    return;
  free (accounts->rows);
  free (accounts);
}

/* ---- asking ------------------------------------------------------------- */

bool
accounts_find (const struct accounts *accounts, const char *token,
               char account[ACCOUNT_NAME_MAX + 1])
{
  unsigned char hash[HASH_SIZE];
  bool found = false;

  snprintf (account, ACCOUNT_NAME_MAX + 1, "%s", ACCOUNT_DEFAULT);
  if (accounts->anybody)
    return true;
  if (!token)
    return false;
  hash_token (hash, token);
  for (size_t i = 0; i < accounts->count; i++)
    if (sodium_memcmp (hash, accounts->rows[i].hash, HASH_SIZE) == 0) {
      memcpy (account, accounts->rows[i].name, sizeof accounts->rows->name);
      found = true;
    }
  if (!found && accounts->open) {
    sodium_bin2hex (account, ACCOUNT_NAME_MAX + 1, hash, 16);
    found = true;
  }
  return found;
}
