/* SPDX-License-Identifier: MIT */
/* One text by one row: numbers with units, booleans, paths.  Nothing is
 * guessed: a number without its unit, or with an unknown one, is refused. */

#include <stdlib.h>
#include <string.h>

#include <tally/tally.h>

#include "error.h"
#include "options.h"

struct unit {
  const char *name;
  int64_t factor;
};

static const struct unit size_units[] = {
  { "", 1 },
  { "k", (int64_t) 1 << 10 },
  { "K", (int64_t) 1 << 10 },
  { "M", (int64_t) 1 << 20 },
  { "G", (int64_t) 1 << 30 },
  { NULL, 0 },
};

static const struct unit duration_units[] = {
  { "ms", 1 },
  { "s", 1000 },
  { "m", 60 * 1000 },
  { "h", 60 * 60 * 1000 },
  { "d", 24 * 60 * 60 * 1000 },
  { NULL, 0 },
};

static const struct {
  const char *text;
  int number;
} booleans[] = {
  { "yes", 1 }, { "no", 0 },  { "true", 1 }, { "false", 0 },
  { "on", 1 },  { "off", 0 }, { "1", 1 },    { "0", 0 },
};

static const struct {
  const char *name;
  const char *wanted;
} types[] = {
  [TALLY_OPTION_STRING] = { "string", "a text" },
  [TALLY_OPTION_PATH] = { "path", "a path" },
  [TALLY_OPTION_INTEGER] = { "integer", "a whole number" },
  [TALLY_OPTION_BOOLEAN] = { "boolean", "yes or no" },
  [TALLY_OPTION_SIZE] = { "size", "a size (4096, 64k, 4M, 1G)" },
  [TALLY_OPTION_DURATION] = { "duration",
                              "a duration (250ms, 30s, 5m, 2h, 90d)" },
};

const char *
option_type_name (int type)
{
  if (type < 0 || (size_t) type >= sizeof types / sizeof types[0])
    return NULL;
  return types[type].name;
}

/* Digits only; *end is what follows them.  False when there are none, or too
 * many. */
static bool
parse_digits (const char *text, int64_t *number, const char **end)
{
  const char *p = text;
  int64_t value = 0;

  for (; *p >= '0' && *p <= '9'; p++) {
    int digit = *p - '0';

    if (value > (INT64_MAX - digit) / 10)
      return false;
    value = value * 10 + digit;
  }
  *number = value;
  *end = p;
  return p > text;
}

static bool
parse_integer (const char *text, int64_t *number)
{
  bool negative = *text == '-';
  const char *end;

  if (!parse_digits (text + negative, number, &end) || *end)
    return false;
  if (negative)
    *number = -*number;
  return true;
}

static bool
parse_units (const char *text, const struct unit *unit, int64_t *number)
{
  const char *end;

  if (!parse_digits (text, number, &end))
    return false;
  if (*number == 0 && !*end)
    return true;
  for (; unit->name; unit++)
    if (strcmp (unit->name, end) == 0) {
      if (*number > INT64_MAX / unit->factor)
        return false;
      *number *= unit->factor;
      return true;
    }
  return false;
}

static bool
parse_boolean (const char *text, int64_t *number)
{
  char folded[8];
  size_t i, n = sizeof booleans / sizeof booleans[0];

  for (i = 0; text[i] && i < sizeof folded - 1; i++) {
    char c = text[i];

    folded[i] = c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
  }
  folded[i] = 0;
  for (i = 0; i < n; i++)
    if (strcmp (booleans[i].text, folded) == 0) {
      *number = booleans[i].number;
      return true;
    }
  return false;
}

static bool
parse_number (const struct tally_option *row, const char *text,
              int64_t *number)
{
  switch (row->type) {
  case TALLY_OPTION_INTEGER:
    return parse_integer (text, number);
  case TALLY_OPTION_BOOLEAN:
    return parse_boolean (text, number);
  case TALLY_OPTION_SIZE:
    return parse_units (text, size_units, number);
  case TALLY_OPTION_DURATION:
    return parse_units (text, duration_units, number);
  default:
    return true;
  }
}

/* Appends the parts of a path, each after one slash; "." is no part. */
static char *
add_parts (char *out, const char *path)
{
  while (*path) {
    size_t size = strcspn (path, "/");

    if (size > 0 && !(size == 1 && path[0] == '.')) {
      *out++ = '/';
      memcpy (out, path, size);
      out += size;
    }
    path += size;
    path += *path == '/';
  }
  return out;
}

char *
option_join_path (const char *base_dir, const char *text)
{
  size_t size = strlen (text) + (*text == '/' ? 0 : strlen (base_dir));
  char *path = malloc (size + 4), *end = path;

  if (!path)
    return NULL;
  if (*text != '/')
    end = add_parts (end, base_dir);
  end = add_parts (end, text);
  if (end == path)
    *end++ = '/';
  *end = 0;
  return path;
}

static int
check_text (const struct tally_option *row, const char *text,
            struct tally_error *err)
{
  const char *p;

  for (p = text; *p; p++)
    if ((unsigned char) *p < 0x20 || *p == 0x7f)
      return error_set (err, TALLY_CONFIG, "holds a control character");
  if (*text)
    return TALLY_OK;
  if (row->type == TALLY_OPTION_PATH || row->flags & TALLY_OPTION_REQUIRED)
    return error_set (err, TALLY_CONFIG, "is empty; expected %s",
                      types[row->type].wanted);
  return TALLY_OK;
}

static int
check_path (const char *text, struct tally_error *err)
{
  /* A shell would have put the home folder there; we would make a folder
   * named "~". */
  if (text[0] == '~' && (text[1] == '/' || !text[1]))
    return error_set (err, TALLY_CONFIG,
                      "\"%s\": ~ is not expanded here; write the whole path",
                      text);
  return TALLY_OK;
}

int
option_parse (struct option_value *out, const struct tally_option *row,
              const char *text, const char *base_dir, struct tally_error *err)
{
  bool secret = row->flags & TALLY_OPTION_SECRET;
  int64_t number = 0;
  int status;

  out->text = NULL;
  out->number = 0;
  if (!option_type_name (row->type))
    return error_set (err, TALLY_CONFIG, "is of an unknown type");
  status = check_text (row, text, err);
  if (status == TALLY_OK && row->type == TALLY_OPTION_PATH)
    status = check_path (text, err);
  if (status != TALLY_OK)
    return status;
  if (!parse_number (row, text, &number))
    return error_set (err, TALLY_CONFIG, "%s%s%s is not %s",
                      secret ? "" : "\"", secret ? "the value" : text,
                      secret ? "" : "\"", types[row->type].wanted);

  if (row->type == TALLY_OPTION_PATH)
    out->text = option_join_path (base_dir ? base_dir : "/", text);
  else
    out->text = strdup (text);
  if (!out->text)
    return error_nomem (err);
  out->number = number;
  return TALLY_OK;
}
