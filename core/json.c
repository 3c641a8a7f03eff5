/* SPDX-License-Identifier: MIT */
/* Making JSON canonical: a parser that writes as it reads.  Members go out
 * in the order they come in; an object whose members turn out not to be
 * sorted is put in order at its closing brace, from an index of where its
 * members stand in the output. */

#include <stdarg.h>
#include <stdio.h>

#include "error.h"
#include "json-scan.h"
#include "json.h"
#include "utf8.h"

/* The index holds the members so far of every object that is open. */
struct parser {
  const char *text, *p, *end;
  struct buf *out;
  struct buf index;
  struct tally_error *err;
};

static int parse_value (struct parser *j, unsigned depth);

/* ---- messages ---------------------------------------------------------- */

static int fail (struct parser *j, const char *at, const char *fmt, ...)
    ERROR_FORMAT (3, 4);

static int
fail (struct parser *j, const char *at, const char *fmt, ...)
{
  char what[200];
  size_t line, column;
  va_list args;

  if (!j->err)
    return TALLY_INVALID;
  va_start (args, fmt);
  if (vsnprintf (what, sizeof what, fmt, args) < 0)
    what[0] = 0;
  va_end (args);

  json_locate (j->text, (size_t) (at - j->text), &line, &column);
  if (line == 1)
    return error_set (j->err, TALLY_INVALID, "column %zu: %s", column, what);
  return error_set (j->err, TALLY_INVALID, "line %zu, column %zu: %s", line,
                    column, what);
}

/* What stands at j->p is not what should. */
static int
unexpected (struct parser *j, const char *wanted)
{
  unsigned char c;

  if (j->p == j->end)
    return fail (j, j->p, "expected %s, found the end", wanted);
  c = (unsigned char) *j->p;
  if (c > 0x20 && c < 0x7f)
    return fail (j, j->p, "expected %s, found '%c'", wanted, c);
  return fail (j, j->p, "expected %s, found byte 0x%02x", wanted, c);
}

/* Long keys are cut between two characters, with an ellipsis. */
static int
fail_duplicate (struct parser *j, const struct json_place *m)
{
  const char *key = j->out->data + m->start + 1;
  size_t shown = 0;

  while (shown < m->key_size && shown < 60) {
    size_t length = utf8_length (key + shown, m->key_size - shown);

    shown += length > 0 ? length : 1;
  }
  return fail (j, m->at, "duplicate member \"%.*s%s\"", (int) shown, key,
               shown < m->key_size ? "..." : "");
}

/* Sorts the members from `base` of the index on. */
static int
sort_members (struct parser *j, size_t base)
{
  struct json_place *members = (void *) (j->index.data + base);
  size_t n = (j->index.size - base) / sizeof *members;
  const struct json_place *duplicate;

  if (!json_sort (j->out, members, n, &duplicate))
    return error_nomem (j->err);
  return duplicate ? fail_duplicate (j, duplicate) : TALLY_OK;
}

/* ---- the parser -------------------------------------------------------- */

static void
skip_space (struct parser *j)
{
  while (j->p < j->end
         && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t'))
    j->p++;
}

static int
parse_escape (struct parser *j)
{
  uint32_t code;
  size_t length = json_unescape (j->p, j->end, &code);

  if (length == 0)
    return fail (j, j->p, "bad escape in a string");
  if (code >= 0xd800 && code <= 0xdfff)
    return fail (j, j->p, "lone surrogate in a string");
  json_add_char (j->out, code);
  j->p += length;
  return TALLY_OK;
}

static int
parse_string (struct parser *j)
{
  const char *quote = j->p, *run = quote;
  size_t length;
  int status;

  for (j->p++;;) {
    j->p = json_plain_end (j->p, j->end);
    if (j->p == j->end)
      return fail (j, quote, "the string has no end");

    if (*j->p == '"') {
      j->p++;
      buf_add (j->out, run, (size_t) (j->p - run));
      return TALLY_OK;
    }
    if (*j->p == '\\') {
      buf_add (j->out, run, (size_t) (j->p - run));
      status = parse_escape (j);
      if (status != TALLY_OK)
        return status;
      run = j->p;
      continue;
    }

    length = utf8_length (j->p, (size_t) (j->end - j->p));
    if (length == 0)
      return fail (j, j->p, "bad UTF-8 in a string");
    if (length == 1)
      return fail (j, j->p, "control character 0x%02x in a string",
                   (unsigned char) *j->p);
    j->p += length;
  }
}

static int
parse_number (struct parser *j)
{
  const char *start = j->p, *end = json_number_end (start, j->end);

  if (!end || (end < j->end && *end >= '0' && *end <= '9'))
    return fail (j, start, "bad number");
  if (!json_number_in_range (start, end))
    return fail (j, start, "number beyond the range of a double");
  buf_add (j->out, start, (size_t) (end - start));
  j->p = end;
  return TALLY_OK;
}

static int
parse_word (struct parser *j, const char *word)
{
  size_t size = strlen (word);

  if ((size_t) (j->end - j->p) < size || memcmp (j->p, word, size) != 0)
    return unexpected (j, "a value");
  buf_add (j->out, word, size);
  j->p += size;
  return TALLY_OK;
}

/* Steps over the opening bracket, and the closing one of an empty array or
 * object, which *empty tells. */
static int
parse_opening (struct parser *j, unsigned depth, char closing, bool *empty)
{
  if (depth >= JSON_DEPTH_MAX)
    return fail (j, j->p, "more than %d levels", JSON_DEPTH_MAX);
  buf_add (j->out, j->p++, 1);
  skip_space (j);
  *empty = j->p < j->end && *j->p == closing;
  if (*empty)
    buf_add (j->out, j->p++, 1);
  return TALLY_OK;
}

/* Steps over the comma or closing bracket, which *closed tells. */
static int
parse_separator (struct parser *j, char closing, bool *closed)
{
  skip_space (j);
  *closed = j->p < j->end && *j->p == closing;
  if (!*closed && (j->p == j->end || *j->p != ','))
    return unexpected (j, closing == ']' ? "',' or ']'" : "',' or '}'");
  if (!*closed)
    buf_add_byte (j->out, ',');
  j->p++;
  skip_space (j);
  return TALLY_OK;
}

static int
parse_array (struct parser *j, unsigned depth)
{
  bool closed;
  int status = parse_opening (j, depth, ']', &closed);

  while (status == TALLY_OK && !closed) {
    status = parse_value (j, depth + 1);
    if (status == TALLY_OK)
      status = parse_separator (j, ']', &closed);
    if (status == TALLY_OK && closed)
      buf_add_byte (j->out, ']');
  }
  return status;
}

/* Parses a member, whose object's index begins at base. */
static int
parse_member (struct parser *j, unsigned depth, size_t base, bool *sorted)
{
  struct json_place m = { j->out->size, 0, 0, j->p };
  const struct json_place *before;
  int status, order;

  if (j->p == j->end || *j->p != '"')
    return unexpected (j, "a member name");
  status = parse_string (j);
  if (status != TALLY_OK)
    return status;
  if (j->out->failed || j->index.failed)
    return error_nomem (j->err);

  m.key_size = j->out->size - m.start - 2;
  if (*sorted && j->index.size > base) {
    before = (void *) (j->index.data + j->index.size - sizeof *before);
    order = json_place_cmp (j->out->data, before, &m);
    if (order == 0)
      return fail_duplicate (j, &m);
    *sorted = order < 0;
  }

  skip_space (j);
  if (j->p == j->end || *j->p != ':')
    return unexpected (j, "':'");
  j->p++;
  buf_add_byte (j->out, ':');
  skip_space (j);
  status = parse_value (j, depth);
  m.size = j->out->size - m.start;
  buf_add (&j->index, &m, sizeof m);
  return status;
}

static int
parse_object (struct parser *j, unsigned depth)
{
  size_t base = j->index.size;
  bool closed, sorted = true;
  int status = parse_opening (j, depth, '}', &closed);

  if (status != TALLY_OK || closed)
    return status;
  while (status == TALLY_OK && !closed) {
    status = parse_member (j, depth + 1, base, &sorted);
    if (status == TALLY_OK)
      status = parse_separator (j, '}', &closed);
  }
  if (status == TALLY_OK && (j->out->failed || j->index.failed))
    status = error_nomem (j->err);
  if (status == TALLY_OK && !sorted)
    status = sort_members (j, base);
  j->index.size = base;
  buf_add_byte (j->out, '}');
  return status;
}

/* depth: how many arrays and objects stand around the value. */
static int
parse_value (struct parser *j, unsigned depth)
{
  if (j->p == j->end)
    return unexpected (j, "a value");
  switch (*j->p) {
  case '"':
    return parse_string (j);
  case '{':
    return parse_object (j, depth);
  case '[':
    return parse_array (j, depth);
  case 't':
    return parse_word (j, "true");
  case 'f':
    return parse_word (j, "false");
  case 'n':
    return parse_word (j, "null");
  default:
    break;
  }
  if (*j->p == '-' || (*j->p >= '0' && *j->p <= '9'))
    return parse_number (j);
  return unexpected (j, "a value");
}

static int
parse_text (struct parser *j)
{
  int status;

  skip_space (j);
  status = parse_value (j, 0);
  if (status != TALLY_OK)
    return status;
  skip_space (j);
  return j->p == j->end ? TALLY_OK : unexpected (j, "the end");
}

int
json_canonical (struct buf *out, const char *text, size_t size,
                struct tally_error *err)
{
  struct parser j = { 0 };
  size_t before = out->size;
  int status = TALLY_OK;

  if (size == 0)
    text = "";
  if (json_is_canonical (text, size))
    buf_add (out, text, size);
  else {
    j.text = j.p = text;
    j.end = text + size;
    j.out = out;
    j.err = err;
    buf_reserve (out, size);
    status = parse_text (&j);
    buf_free (&j.index);
  }

  if (status == TALLY_OK && out->failed)
    status = error_nomem (err);
  if (status != TALLY_OK)
    out->size = before;
  return status;
}
