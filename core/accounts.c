/* SPDX-License-Identifier: MIT */
/* Tokens are kept as hashes, and every one of them is compared, so that the
 * time a refusal takes says nothing. */

#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include <tally/tally.h>

#include "accounts.h"
#include "answer.h"
#include "document.h"
#include "error.h"
#include "reason.h"
#include "slice.h"

#define HASH_SIZE 32

/* What is read of a file. */
struct rows {
  struct account {
    unsigned char hash[HASH_SIZE];
    char name[ACCOUNT_NAME_MAX + 1];
  } * rows;
  size_t count;
};

struct accounts {
  bool anybody, open;
  char *path; /* NULL: there is no file */

  pthread_mutex_t lock; /* guards all below */
  struct rows list;
  struct stat stat; /* of the file as it was last looked at */
};

static void
hash_token (unsigned char hash[HASH_SIZE], const char *token)
{
  crypto_generichash (hash, HASH_SIZE, (const unsigned char *) token,
                      strlen (token), NULL, 0);
}

void
accounts_fingerprint (char out[ACCOUNTS_FINGERPRINT], const char *token)
{
  unsigned char hash[HASH_SIZE];

  hash_token (hash, token);
  sodium_bin2hex (out, ACCOUNTS_FINGERPRINT, hash,
                  (ACCOUNTS_FINGERPRINT - 1) / 2);
}

/* ---- lines -------------------------------------------------------------- */

int
accounts_check_name (const char *name, struct tally_error *err)
{
  struct tally_error why;

  if (strlen (name) <= ACCOUNT_NAME_MAX
      && collection_check (name, &why) == TALLY_OK)
    return TALLY_OK;
  return error_set (err, TALLY_CONFIG,
                    "\"%.70s\" is no account: 1 to %d letters, digits, "
                    "\"_\", \".\" or \"-\"",
                    name, ACCOUNT_NAME_MAX);
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

/* A hash within a word is part of it. */
static char *
find_comment (char *line)
{
  char *hash = strchr (line, '#');

  while (hash && hash > line && hash[-1] != ' ' && hash[-1] != '\t')
    hash = strchr (hash + 1, '#');
  return hash;
}

int
accounts_read_line (struct accounts_line *out, char copy[ACCOUNTS_LINE_MAX],
                    struct tally_slice line, struct tally_error *err)
{
  char *hash, *rest = copy;

  memset (out, 0, sizeof *out);
  if (line.size >= ACCOUNTS_LINE_MAX)
    return error_set (err, TALLY_CONFIG, "the line is too long");
  if (line.size > 0 && memchr (line.data, '\0', line.size))
    return error_set (err, TALLY_CONFIG, "the line has a NUL byte");
  if (line.size > 0)
    memcpy (copy, line.data, line.size);
  copy[line.size] = '\0';
  copy[strcspn (copy, "\r\n")] = '\0';
  hash = find_comment (copy);
  if (hash) {
    *hash++ = '\0';
    out->comment = hash + strspn (hash, " \t");
  }
  out->token = next_word (&rest);
  if (!out->token)
    return TALLY_OK;
  out->account = next_word (&rest);
  if (out->account && next_word (&rest))
    return error_set (err, TALLY_CONFIG, "a line is TOKEN [ACCOUNT]");
  if (!out->account)
    out->account = ACCOUNT_DEFAULT;
  accounts_fingerprint (out->fingerprint, out->token);
  return accounts_check_name (out->account, err);
}

/* ---- reading ------------------------------------------------------------ */

static int
add_row (struct rows *list, const struct accounts_line *line,
         struct tally_error *err)
{
  struct account *rows =
      realloc (list->rows, (list->count + 1) * sizeof *rows);

  if (!rows)
    return error_nomem (err);
  list->rows = rows;
  hash_token (rows[list->count].hash, line->token);
  snprintf (rows[list->count].name, sizeof rows->name, "%s", line->account);
  list->count++;
  return TALLY_OK;
}

/* Reads a line; *size is that of all of it, a NUL within it included, which
 * fgets does not tell. */
static bool
next_line (char line[ACCOUNTS_LINE_MAX], size_t *size, FILE *file)
{
  memset (line, 'x', ACCOUNTS_LINE_MAX);
  if (!fgets (line, ACCOUNTS_LINE_MAX, file))
    return false;
  *size = ACCOUNTS_LINE_MAX - 1;
  while (line[*size] != '\0')
    --*size;
  return true;
}

static int
read_lines (struct rows *list, const char *path, FILE *file,
            struct tally_error *err)
{
  char line[ACCOUNTS_LINE_MAX], copy[ACCOUNTS_LINE_MAX];
  struct accounts_line parsed;
  unsigned number = 0;
  size_t size;
  int status = TALLY_OK;

  while (status == TALLY_OK && next_line (line, &size, file)) {
    number++;
    if (size == sizeof line - 1)
      status = error_set (err, TALLY_CONFIG, "the line is too long");
    else
      status =
          accounts_read_line (&parsed, copy, slice_make (line, size), err);
    if (status == TALLY_OK && parsed.token)
      status = add_row (list, &parsed, err);
  }
  sodium_memzero (line, sizeof line);
  sodium_memzero (copy, sizeof copy);
  if (status == TALLY_CONFIG)
    return error_set (err, status, "%s:%u: %s", path, number, err->text);
  if (status == TALLY_OK && ferror (file))
    return error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
  return status;
}

/* Leaves the list as it is when the file is wrong. */
static int
read_file (struct accounts *accounts, struct tally_error *err)
{
  struct rows list = { 0 }, old;
  FILE *file = fopen (accounts->path, "re");
  int status;

  if (!file) {
    memset (&accounts->stat, 0, sizeof accounts->stat);
    return error_set (err, TALLY_CONFIG, "%s: %s", accounts->path,
                      reason_errno (errno));
  }
  if (fstat (fileno (file), &accounts->stat) != 0)
    memset (&accounts->stat, 0, sizeof accounts->stat);
  status = read_lines (&list, accounts->path, file, err);
  fclose (file);
  if (status == TALLY_OK) {
    old = accounts->list;
    accounts->list = list;
    list = old;
  }
  free (list.rows);
  return status;
}

int
accounts_load (struct accounts **out, const char *path, bool open,
               struct tally_error *err)
{
  struct accounts *accounts = calloc (1, sizeof *accounts);
  int status = TALLY_OK;

  *out = NULL;
  if (!accounts)
    return error_nomem (err);
  pthread_mutex_init (&accounts->lock, NULL);
  accounts->open = open;
  accounts->anybody = !path && !open;
  if (path) {
    accounts->path = strdup (path);
    status = accounts->path ? read_file (accounts, err) : error_nomem (err);
    if (status == TALLY_OK && accounts->list.count == 0)
      status =
          error_set (err, TALLY_CONFIG, "%s: there is no token in it", path);
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
  pthread_mutex_destroy (&accounts->lock);
  free (accounts->list.rows);
  free (accounts->path);
  free (accounts);
}

static bool
is_same_file (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino
         && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec
         && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
         && a->st_ctim.tv_sec == b->st_ctim.tv_sec
         && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int
accounts_refresh (struct accounts *accounts, struct tally_error *err)
{
  struct stat now;
  int status = TALLY_OK;

  if (!accounts->path)
    return TALLY_OK;
  if (stat (accounts->path, &now) != 0)
    memset (&now, 0, sizeof now);
  pthread_mutex_lock (&accounts->lock);
  if (!is_same_file (&now, &accounts->stat))
    status = read_file (accounts, err);
  pthread_mutex_unlock (&accounts->lock);
  return status;
}

/* ---- asking ------------------------------------------------------------- */

bool
accounts_find (struct accounts *accounts, const char *token,
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
  pthread_mutex_lock (&accounts->lock);
  for (size_t i = 0; i < accounts->list.count; i++) {
    const struct account *row = &accounts->list.rows[i];

    if (sodium_memcmp (hash, row->hash, HASH_SIZE) == 0) {
      memcpy (account, row->name, sizeof row->name);
      found = true;
    }
  }
  pthread_mutex_unlock (&accounts->lock);
  if (!found && accounts->open) {
    sodium_bin2hex (account, ACCOUNT_NAME_MAX + 1, hash, 16);
    found = true;
  }
  return found;
}
