/* SPDX-License-Identifier: MIT */
/* From (key, value, where) pairs and a table to checked, owned values.  The
 * parsing of single values is in options-parse.c. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tally/tally.h>

#include "buf.h"
#include "error.h"
#include "nearest.h"
#include "options.h"
#include "reason.h"

#define FILE_SUFFIX "_file"

size_t
option_count (const struct tally_option *rows)
{
  size_t n = 0;

  while (rows && rows[n].name)
    n++;
  return n;
}

const struct tally_option *
option_find (const struct tally_option *rows, const char *name)
{
  for (; rows && rows->name; rows++)
    if (strcmp (rows->name, name) == 0)
      return rows;
  return NULL;
}

/* ---- messages ---------------------------------------------------------- */

/* What a message about this pair begins with. */
static const char *
pair_where (const struct option_pair *pair, const struct option_owner *owner)
{
  return pair->where ? pair->where : owner->title;
}

/* All names that would do, and what else the caller suggests; ends with NULL.
 * Only the array is to be freed. */
static const char **
valid_names (const struct tally_option *rows, const char *const *also)
{
  size_t n = option_count (rows), extra = 0, i;
  const char **names;

  while (also && also[extra])
    extra++;
  names = calloc (n + extra + 1, sizeof *names);
  if (!names)
    return NULL;
  for (i = 0; i < n; i++)
    names[i] = rows[i].name;
  for (i = 0; i < extra; i++)
    names[n + i] = also[i];
  return names;
}

static int
fail_unknown (const struct tally_option *rows, const struct option_pair *pair,
              const struct option_owner *owner, struct tally_error *err)
{
  const char *where = pair_where (pair, owner);
  const char **names = valid_names (rows, owner->also);
  const char *near;
  struct buf list = BUF_INIT;
  size_t i;

  if (!names)
    return error_nomem (err);
  near = nearest (pair->key, names);
  for (i = 0; !near && names[i]; i++)
    buf_addf (&list, "%s%s", i > 0 ? ", " : "", names[i]);

  if (near)
    error_set (err, TALLY_CONFIG,
               "%s: unknown key \"%s\" in %s; did you mean \"%s\"?", where,
               pair->key, owner->title, near);
  else if (list.size > 0 && !list.failed)
    error_set (err, TALLY_CONFIG,
               "%s: unknown key \"%s\" in %s; there are: %.*s", where,
               pair->key, owner->title, (int) list.size, list.data);
  else
    error_set (err, TALLY_CONFIG,
               "%s: unknown key \"%s\" in %s, which has none", where,
               pair->key, owner->title);
  buf_free (&list);
  free (names);
  return TALLY_CONFIG;
}

/* ---- secrets in files -------------------------------------------------- */

/* Reads at most OPTION_SECRET_FILE_MAX bytes and one more. */
static int
read_secret (struct buf *out, const char *path, struct tally_error *err)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  int status = TALLY_OK;
  ssize_t n = 1;

  if (fd < 0)
    return error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
  if (!buf_reserve (out, OPTION_SECRET_FILE_MAX + 1))
    status = error_nomem (err);
  while (status == TALLY_OK && n > 0 && out->size <= OPTION_SECRET_FILE_MAX) {
    n = read (fd, out->data + out->size,
              OPTION_SECRET_FILE_MAX + 1 - out->size);
    if (n < 0 && errno == EINTR)
      n = 1;
    else if (n < 0)
      status =
          error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
    else
      out->size += (size_t) n;
  }
  close (fd);
  return status;
}

/* Leaves the first line, without the blanks at its end. */
static int
check_secret (struct buf *b, const char *path, struct tally_error *err)
{
  const char *end = b->size > 0 ? memchr (b->data, '\n', b->size) : NULL;

  if (b->size > OPTION_SECRET_FILE_MAX)
    return error_set (err, TALLY_CONFIG, "%s: larger than %zu bytes", path,
                      OPTION_SECRET_FILE_MAX);
  if (end)
    b->size = (size_t) (end - b->data);
  while (b->size > 0 && memchr (" \t\r", b->data[b->size - 1], 3))
    b->size--;
  if (b->size == 0)
    return error_set (err, TALLY_CONFIG, "%s: is empty", path);
  if (memchr (b->data, 0, b->size))
    return error_set (err, TALLY_CONFIG, "%s: is not a line of text", path);
  return TALLY_OK;
}

/* The compiler must not drop this as a write that nobody reads. */
static void
wipe (char *data, size_t size)
{
  volatile char *p = data;

  while (size > 0)
    p[--size] = 0;
}

/* The value of NAME from the file that NAME_file names. */
static int
load_secret (struct option_value *out, const struct tally_option *row,
             const char *name, const char *base_dir, struct tally_error *err)
{
  static const struct tally_option file_row = { FILE_SUFFIX, TALLY_OPTION_PATH,
                                                0,           NULL,
                                                NULL,        NULL };
  struct option_value path = { NULL, 0 };
  struct buf b = BUF_INIT;
  int status;

  status = option_parse (&path, &file_row, name, base_dir, err);
  if (status == TALLY_OK)
    status = read_secret (&b, path.text, err);
  if (status == TALLY_OK)
    status = check_secret (&b, path.text, err);
  if (status == TALLY_OK) {
    buf_add (&b, "", 1);
    status = b.failed ? error_nomem (err)
                      : option_parse (out, row, b.data, base_dir, err);
  }
  if (b.data)
    wipe (b.data, b.size);
  buf_free (&b);
  option_value_free (&path);
  return status;
}

/* ---- the set ----------------------------------------------------------- */

/* The row that a key gives a value to, directly or as NAME_file. */
static const struct tally_option *
row_of_key (const struct tally_option *rows, const char *key, bool *file)
{
  const struct tally_option *row = option_find (rows, key);
  size_t size = strlen (key), suffix = strlen (FILE_SUFFIX);

  *file = false;
  if (row || size <= suffix || strcmp (key + size - suffix, FILE_SUFFIX) != 0)
    return row;
  *file = true;
  for (row = rows; row && row->name; row++)
    if (row->flags & TALLY_OPTION_SECRET && strlen (row->name) == size - suffix
        && memcmp (row->name, key, size - suffix) == 0)
      return row;
  return NULL;
}

/* Picks for each row the pair of the highest level. */
static int
choose (const struct option_pair **chosen, const struct tally_option *rows,
        const struct option_pair *pairs, size_t n,
        const struct option_owner *owner, struct tally_error *err)
{
  size_t i;

  for (i = 0; i < n; i++) {
    bool file;
    const struct tally_option *row = row_of_key (rows, pairs[i].key, &file);
    const struct option_pair **slot;

    if (!row)
      return fail_unknown (rows, &pairs[i], owner, err);
    slot = &chosen[row - rows];
    if (*slot && (*slot)->level == pairs[i].level)
      return error_set (
          err, TALLY_CONFIG, "%s: \"%s\" is given already, as \"%s\"",
          pair_where (&pairs[i], owner), pairs[i].key, (*slot)->key);
    if (!*slot || (*slot)->level < pairs[i].level)
      *slot = &pairs[i];
  }
  return TALLY_OK;
}

static int
value_from_pair (struct option_value *out, const struct tally_option *rows,
                 const struct option_pair *pair,
                 const struct option_owner *owner, struct tally_error *err)
{
  struct tally_error why = { TALLY_OK, "" };
  bool file;
  const struct tally_option *row = row_of_key (rows, pair->key, &file);
  int status;

  if (file)
    status = load_secret (out, row, pair->value, owner->base_dir, &why);
  else
    status = option_parse (out, row, pair->value, owner->base_dir, &why);
  if (status == TALLY_CONFIG)
    error_set (err, status, "%s: %s: %s", pair_where (pair, owner), pair->key,
               why.text);
  else if (status != TALLY_OK)
    *err = why;
  return status;
}

static int
value_by_default (struct option_value *out, const struct tally_option *row,
                  const struct option_owner *owner, struct tally_error *err)
{
  struct tally_error why = { TALLY_OK, "" };
  int status;

  if (row->default_value) {
    status =
        option_parse (out, row, row->default_value, owner->base_dir, &why);
    if (status == TALLY_CONFIG)
      return error_set (err, status, "%s: default of %s: %s", owner->title,
                        row->name, why.text);
    if (status != TALLY_OK)
      *err = why;
    return status;
  }
  if (!(row->flags & TALLY_OPTION_REQUIRED))
    return TALLY_OK;
  return error_set (err, TALLY_CONFIG, "%s%s%s needs \"%s\"%s%s%s",
                    owner->where ? owner->where : "", owner->where ? ": " : "",
                    owner->title, row->name, row->help ? " (" : "",
                    row->help ? row->help : "", row->help ? ")" : "");
}

static int
fill (struct option_set *set, const struct tally_option *rows,
      const struct option_pair *const *chosen,
      const struct option_owner *owner, struct tally_error *err)
{
  size_t i;
  int status;

  for (i = 0; i < set->count; i++) {
    struct option_value *value = &set->owned[i];

    set->given[i] = chosen[i] != NULL;
    if (chosen[i])
      status = value_from_pair (value, rows, chosen[i], owner, err);
    else
      status = value_by_default (value, &rows[i], owner, err);
    if (status != TALLY_OK)
      return status;
    set->values[i].text = value->text;
    set->values[i].number = value->number;
  }
  return TALLY_OK;
}

int
option_set_build (struct option_set *out, const struct tally_option *rows,
                  const struct option_pair *pairs, size_t n,
                  const struct option_owner *owner, struct tally_error *err)
{
  const struct option_pair **chosen;
  size_t count = option_count (rows);
  int status;

  memset (out, 0, sizeof *out);
  /* One more, so that an empty table is not a failed allocation. */
  chosen = calloc (count + 1, sizeof *chosen);
  out->values = calloc (count + 1, sizeof *out->values);
  out->owned = calloc (count + 1, sizeof *out->owned);
  out->given = calloc (count + 1, sizeof *out->given);
  if (!chosen || !out->values || !out->owned || !out->given) {
    status = error_nomem (err);
    goto out;
  }
  out->count = count;

  status = choose (chosen, rows, pairs, n, owner, err);
  if (status == TALLY_OK)
    status = fill (out, rows, chosen, owner, err);

out:
  free (chosen);
  if (status != TALLY_OK)
    option_set_free (out);
  return status;
}

void
option_set_free (struct option_set *set)
{
  size_t i;

  for (i = 0; i < set->count; i++)
    option_value_free (&set->owned[i]);
  free (set->values);
  free (set->owned);
  free (set->given);
  memset (set, 0, sizeof *set);
}

void
option_value_free (struct option_value *value)
{
  if (value->text)
    wipe (value->text, strlen (value->text));
  free (value->text);
  value->text = NULL;
  value->number = 0;
}
