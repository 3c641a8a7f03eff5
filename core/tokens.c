/* SPDX-License-Identifier: MIT */
/* tokens of tally.h: who may come in, as lines of a file that people write in
 * as well.  It is replaced as a whole, by one at a time, and what is not meant
 * stays as it is. */

#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* realpath */
#endif

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "accounts.h"
#include "answer.h"
#include "context.h"
#include "public.h"
#include "reason.h"

#define FILE_MAX ((off_t) 16 << 20)
#define TOKEN_BYTES 32
#define TOKEN_TEXT 44 /* in base64, with its NUL */
#define NEW_FILE                                                        \
  "# Who may come in: TOKEN [ACCOUNT] a line.  \"tally token\" changes" \
  " this file.\n"

struct token_file {
  const char *shown; /* as it was named, for messages */
  char *path;        /* of the file itself, behind links */
  char *folder;      /* that it is in */
  int lock;          /* of the folder; -1: none */
  struct buf text;   /* as it is */
  struct stat stat;  /* st_mode 0: there is no file */
};

static int
fail_errno (const char *path, int number, struct tally_error *err)
{
  return error_set (err,
                    number == EACCES || number == EPERM     ? TALLY_DENIED
                    : number == ENOENT || number == ENOTDIR ? TALLY_NOTFOUND
                                                            : TALLY_FAILED,
                    "%s: %s", path, reason_errno (number));
}

/* ---- which -------------------------------------------------------------- */

/* The server that is meant: the one named, or the only one. */
static int
find_server (const struct config_server **out, struct tally *tally,
             const char *name, struct tally_error *err)
{
  const struct config *config = tally->config;

  *out = name                     ? config_server (config, name)
         : config->n_servers == 1 ? &config->servers[0]
                                  : NULL;
  if (*out)
    return TALLY_OK;
  if (name)
    return config_no_server (config, name, err);
  return error_set (err, TALLY_USAGE,
                    config->n_servers > 0
                        ? "token: there are several [serve] sections; name "
                          "one, or a file"
                        : "token: there is no [serve] section; name a file");
}

/* Where the tokens are, or are to be. */
static int
find_path (struct token_file *out, struct tally *tally, const char *server,
           const char *file, struct tally_error *err)
{
  const struct config_server *section = NULL;
  int status = file ? TALLY_OK : find_server (&section, tally, server, err);

  if (status != TALLY_OK)
    return status;
  if (section && !section->tokens)
    return error_set (err, TALLY_CONFIG,
                      "%s: %s: has no tokens; add one line, "
                      "tokens = FILE",
                      section->where, section->title);
  file = file ? file : section->tokens;
  out->shown = file;
  out->path = realpath (file, NULL);
  if (!out->path && errno == ENOENT)
    out->path = strdup (file);
  return out->path ? TALLY_OK : fail_errno (file, errno, err);
}

/* ---- reading ------------------------------------------------------------ */

static int
read_text (struct token_file *file, int fd, struct tally_error *err)
{
  size_t size = (size_t) file->stat.st_size;
  ssize_t n = 1;

  if (!S_ISREG (file->stat.st_mode))
    return error_set (err, TALLY_CONFIG, "%s: is not a file", file->shown);
  if (file->stat.st_size > FILE_MAX)
    return error_set (err, TALLY_CONFIG, "%s: is larger than 16 MiB",
                      file->shown);
  if (!buf_reserve (&file->text, size + 1))
    return error_nomem (err);
  while (n != 0 && file->text.size <= size) {
    n = read (fd, file->text.data + file->text.size,
              size + 1 - file->text.size);
    if (n < 0 && errno != EINTR)
      return fail_errno (file->shown, errno, err);
    if (n > 0)
      file->text.size += (size_t) n;
  }
  return TALLY_OK;
}

static void
close_file (struct token_file *file)
{
  if (file->lock >= 0)
    close (file->lock);
  if (file->text.data)
    sodium_memzero (file->text.data, file->text.size);
  buf_free (&file->text);
  free (file->folder);
  free (file->path);
}

/* Others wait until close_file when it is to be changed. */
static int
open_file (struct token_file *file, struct tally *tally, const char *server,
           const char *path, bool changes, struct tally_error *err)
{
  char *slash;
  int fd, status;

  memset (file, 0, sizeof *file);
  file->lock = -1;
  status = find_path (file, tally, server, path, err);
  if (status != TALLY_OK)
    return status;
  slash = strrchr (file->path, '/');
  file->folder = slash ? strndup (file->path, (size_t) (slash - file->path)
                                                  + (slash == file->path))
                       : strdup (".");
  if (!file->folder)
    return error_nomem (err);
  if (changes) {
    file->lock = open (file->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->lock < 0 || flock (file->lock, LOCK_EX) != 0)
      return fail_errno (file->folder, errno, err);
  }
  fd = open (file->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && changes)
    return TALLY_OK;
  if (fd < 0 && errno == ENOENT)
    return error_set (err, TALLY_NOTFOUND, "%s: not found", file->shown);
  if (fd < 0 || fstat (fd, &file->stat) != 0)
    status = fail_errno (file->shown, errno, err);
  else
    status = read_text (file, fd, err);
  if (fd >= 0)
    close (fd);
  return status;
}

/* ---- lines -------------------------------------------------------------- */

typedef int line_fn (void *ctx, struct tally_slice line,
                     const struct tally_token *token);

/* Calls fn for every line, end included; token NULL: there is none on it. */
static int
each_line (const struct token_file *file, line_fn *fn, void *ctx,
           struct tally_error *err)
{
  struct tally_slice rest = buf_slice (&file->text);
  char copy[ACCOUNTS_LINE_MAX];
  int status = TALLY_OK;

  for (unsigned number = 1; rest.size > 0 && status == TALLY_OK; number++) {
    struct tally_token token = { .size = sizeof token };
    const char *end = memchr (rest.data, '\n', rest.size);
    struct tally_slice line = rest;
    struct accounts_line parsed;

    if (end)
      line.size = (size_t) (end - rest.data) + 1;
    rest.data += line.size;
    rest.size -= line.size;
    status = accounts_read_line (&parsed, copy, line, err);
    if (status == TALLY_CONFIG)
      error_set (err, status, "%s:%u: %s", file->shown, number, err->text);
    if (status != TALLY_OK)
      break;
    token.account = parsed.account;
    token.fingerprint = parsed.fingerprint;
    token.comment = parsed.comment;
    token.line = number;
    if (fn (ctx, line, parsed.token ? &token : NULL))
      break;
  }
  sodium_memzero (copy, sizeof copy);
  return status;
}

/* ---- writing ------------------------------------------------------------ */

static int
write_all (int fd, const struct buf *text)
{
  size_t at = 0;

  while (at < text->size) {
    ssize_t n = write (fd, text->data + at, text->size - at);

    if (n < 0 && errno != EINTR)
      return -1;
    if (n > 0)
      at += (size_t) n;
  }
  return fsync (fd);
}

/* Nobody but its owner reads it, and who serves as the file's group where
 * that could read it before. */
static int
replace_file (const struct token_file *file, const struct buf *text,
              struct tally_error *err)
{
  struct buf name = BUF_INIT;
  int fd, number = 0;

  buf_addf (&name, "%s.XXXXXX", file->path);
  buf_add_byte (&name, '\0');
  if (name.failed || text->failed) {
    buf_free (&name);
    return error_nomem (err);
  }
  fd = mkstemp (name.data);
  if (fd < 0) {
    number = errno;
    buf_free (&name);
    return fail_errno (file->shown, number, err);
  }
  if (file->stat.st_mode
      && fchown (fd, file->stat.st_uid, file->stat.st_gid) == 0)
    (void) fchmod (fd, 0600 | (file->stat.st_mode & 0040));
  if (write_all (fd, text) != 0)
    number = errno;
  if (close (fd) != 0 && number == 0)
    number = errno;
  if (number == 0 && rename (name.data, file->path) != 0)
    number = errno;
  if (number != 0)
    unlink (name.data);
  buf_free (&name);
  if (number == 0 && fsync (file->lock) != 0 && errno != EINVAL)
    number = errno;
  return number == 0 ? TALLY_OK : fail_errno (file->shown, number, err);
}

/* ---- tally.h ------------------------------------------------------------ */

struct listing {
  tally_token_fn *emit;
  void *ctx;
};

static int
list_line (void *ctx, struct tally_slice line, const struct tally_token *token)
{
  struct listing *listing = ctx;

  (void) line;
  return token && listing->emit ? listing->emit (listing->ctx, token) : 0;
}

int
tally_tokens (struct tally *tally, const char *server, const char *path,
              tally_token_fn *emit, void *ctx, struct tally_error *err)
{
  struct listing listing = { emit, ctx };
  struct token_file file;
  int status;

  err = PUBLIC_ERROR (err);
  status = open_file (&file, tally, server, path, false, err);
  if (status == TALLY_OK)
    status = each_line (&file, list_line, &listing, err);
  close_file (&file);
  return status;
}

static void
make_token (char token[TOKEN_TEXT])
{
  unsigned char bits[TOKEN_BYTES];

  do {
    randombytes_buf (bits, sizeof bits);
    sodium_bin2base64 (token, TOKEN_TEXT, bits, sizeof bits,
                       sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  } while (token[0] == '-');
  sodium_memzero (bits, sizeof bits);
}

int
tally_token_add (struct tally *tally, const char *server, const char *path,
                 const char *account, tally_token_fn *emit, void *ctx,
                 struct tally_error *err)
{
  char secret[TOKEN_TEXT], fingerprint[ACCOUNTS_FINGERPRINT];
  struct tally_token token = { .size = sizeof token };
  struct listing nobody = { NULL, NULL };
  struct token_file file;
  struct buf text = BUF_INIT;
  int status;

  err = PUBLIC_ERROR (err);
  account = account ? account : ACCOUNT_DEFAULT;
  status = accounts_check_name (account, err);
  if (status != TALLY_OK)
    return error_set (err, TALLY_INVALID, "%s", err->text);
  status = open_file (&file, tally, server, path, true, err);
  if (status == TALLY_OK)
    status = each_line (&file, list_line, &nobody, err);
  if (status == TALLY_OK) {
    make_token (secret);
    accounts_fingerprint (fingerprint, secret);
    buf_add_text (&text, file.stat.st_mode ? "" : NEW_FILE);
    buf_add_slice (&text, buf_slice (&file.text));
    if (text.size > 0 && text.data[text.size - 1] != '\n')
      buf_add_byte (&text, '\n');
    buf_addf (&text, "%s %s\n", secret, account);
    status = replace_file (&file, &text, err);
  }
  if (status == TALLY_OK && emit) {
    token.account = account;
    token.fingerprint = fingerprint;
    token.secret = secret;
    emit (ctx, &token);
  }
  sodium_memzero (secret, sizeof secret);
  if (text.data)
    sodium_memzero (text.data, text.size);
  buf_free (&text);
  close_file (&file);
  return status;
}

struct revoking {
  const char *const *fingerprints;
  bool *found;
  size_t n;
  struct buf text; /* what stays */
  bool emits;      /* the second time round */
  tally_token_fn *emit;
  void *ctx;
};

static int
revoke_line (void *ctx, struct tally_slice line,
             const struct tally_token *token)
{
  struct revoking *revoking = ctx;
  bool stays = true;

  for (size_t i = 0; token && i < revoking->n; i++)
    if (strcmp (revoking->fingerprints[i], token->fingerprint) == 0) {
      revoking->found[i] = true;
      stays = false;
    }
  if (revoking->emits)
    return !stays && revoking->emit ? revoking->emit (revoking->ctx, token)
                                    : 0;
  if (stays)
    buf_add_slice (&revoking->text, line);
  return 0;
}

int
tally_token_revoke (struct tally *tally, const char *server, const char *path,
                    const char *const *fingerprints, size_t n,
                    tally_token_fn *emit, void *ctx, struct tally_error *err)
{
  struct revoking revoking = {
    .fingerprints = fingerprints, .n = n, .emit = emit, .ctx = ctx
  };
  struct token_file file;
  int status;

  err = PUBLIC_ERROR (err);
  status = open_file (&file, tally, server, path, true, err);
  revoking.found = calloc (n + 1, sizeof *revoking.found);
  if (status == TALLY_OK && !revoking.found)
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = each_line (&file, revoke_line, &revoking, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    if (!revoking.found[i])
      status = error_set (err, TALLY_NOTFOUND,
                          "%.80s: no token of %s has this fingerprint",
                          fingerprints[i], file.shown);
  if (status == TALLY_OK && n > 0)
    status = replace_file (&file, &revoking.text, err);
  revoking.emits = true;
  if (status == TALLY_OK)
    status = each_line (&file, revoke_line, &revoking, err);
  if (revoking.text.data)
    sodium_memzero (revoking.text.data, revoking.text.size);
  buf_free (&revoking.text);
  free (revoking.found);
  close_file (&file);
  return status;
}
