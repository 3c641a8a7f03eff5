/* SPDX-License-Identifier: MIT */
/* inih is fed line by line, and only lines that it cannot misread: it cuts
 * long lines and long section names, joins repeated sections, hides empty
 * ones, folds indented lines into the value above and counts no lines.  So
 * the reader here checks each line, records the sections itself and hands on
 * their numbers for names, and what inih makes of a key and value is compared
 * with what the line says. */

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>
#include <tally/tally.h>

#include "error.h"
#include "ini.h"
#include "slice.h"
#include "utf8.h"

/* Bounds the search for repeated names, which is quadratic. */
#define SECTIONS_MAX 1024
#define ENTRIES_MAX 4096
#define SECTION_NAME_MAX 128

struct reader {
  struct ini *out;
  const char *file;
  struct tally_slice rest; /* of the text */
  unsigned line;           /* the one that inih is busy with */
  /* The entry that inih has been given and has not reported yet. */
  bool pending;
  struct tally_slice key, value;
  int status;
  struct tally_error *err;
};

static int fail (struct reader *r, const char *fmt, ...) ERROR_FORMAT (2, 3);

static int
fail (struct reader *r, const char *fmt, ...)
{
  char reason[sizeof r->err->text];
  va_list args;

  va_start (args, fmt);
  if (vsnprintf (reason, sizeof reason, fmt, args) < 0)
    reason[0] = 0;
  va_end (args);
  r->status =
      error_set (r->err, TALLY_CONFIG, "%s:%u: %s", r->file, r->line, reason);
  return r->status;
}

static bool
is_blank (char c)
{
  return c == ' ' || c == '\t';
}

static struct tally_slice
trim (struct tally_slice s)
{
  while (s.size > 0 && is_blank (s.data[0]))
    s = slice_make (s.data + 1, s.size - 1);
  while (s.size > 0 && is_blank (s.data[s.size - 1]))
    s.size--;
  return s;
}

static char *
copy (struct tally_slice s)
{
  char *text = malloc (s.size + 1);

  if (!text)
    return NULL;
  if (s.size > 0)
    memcpy (text, s.data, s.size);
  text[s.size] = 0;
  return text;
}

/* Makes room for one more element; the array doubles at powers of two. */
static bool
grow (void **array, size_t count, size_t element)
{
  void *p;

  if (count & (count - 1))
    return true;
  p = realloc (*array, (count > 0 ? 2 * count : 1) * element);
  if (!p)
    return false;
  *array = p;
  return true;
}

/* ---- one line ---------------------------------------------------------- */

/* Takes the next line off the text, without what ends it. */
static bool
next_line (struct reader *r, struct tally_slice *line)
{
  const char *end;

  if (r->rest.size == 0)
    return false;
  end = memchr (r->rest.data, '\n', r->rest.size);
  *line = r->rest;
  if (end)
    line->size = (size_t) (end - r->rest.data);
  r->rest.data += line->size + (end ? 1 : 0);
  r->rest.size -= line->size + (end ? 1 : 0);
  if (line->size > 0 && line->data[line->size - 1] == '\r')
    line->size--;
  r->line++;
  return true;
}

static int
check_bytes (struct reader *r, struct tally_slice line)
{
  size_t i = 0;

  while (i < line.size) {
    unsigned char c = (unsigned char) line.data[i];
    size_t length = utf8_length (line.data + i, line.size - i);

    if (length == 0)
      return fail (r, "byte %zu is not valid UTF-8", i + 1);
    if ((c < 0x20 && c != '\t') || c == 0x7f)
      return fail (r, "byte %zu is a control character", i + 1);
    i += length;
  }
  return TALLY_OK;
}

/* The part of a line before a comment: a ';' after a blank. */
static struct tally_slice
before_comment (struct tally_slice s)
{
  size_t i;

  for (i = 1; i < s.size; i++)
    if (s.data[i] == ';' && is_blank (s.data[i - 1]))
      s.size = i;
  return s;
}

/* "store   notes" -> "store notes" */
static char *
squeeze (struct tally_slice name)
{
  char *text = copy (trim (name));
  char *from, *to;

  if (!text)
    return NULL;
  for (from = to = text; *from; from++) {
    char c = is_blank (*from) ? ' ' : *from;

    if (c != ' ' || to[-1] != ' ')
      *to++ = c;
  }
  *to = 0;
  return text;
}

static int
add_section (struct reader *r, char *name)
{
  struct ini *ini = r->out;
  void *array = ini->sections;
  size_t i;

  for (i = 0; i < ini->n_sections; i++)
    if (strcmp (ini->sections[i].name, name) == 0)
      return fail (r, "[%s] is there already, on line %u", name,
                   ini->sections[i].line);
  if (ini->n_sections == SECTIONS_MAX)
    return fail (r, "more than %d sections", SECTIONS_MAX);
  if (!grow (&array, ini->n_sections, sizeof *ini->sections))
    return r->status = error_nomem (r->err);
  ini->sections = array;
  ini->sections[ini->n_sections].name = name;
  ini->sections[ini->n_sections].line = r->line;
  ini->n_sections++;
  return TALLY_OK;
}

/* Records a header and writes a short one for inih. */
static int
read_header (struct reader *r, struct tally_slice line, char *out, int num)
{
  const char *end = memchr (line.data, ']', line.size);
  struct tally_slice name, after;
  char *text;

  if (!end)
    return fail (r, "no ] after the section's name");
  name = slice_make (line.data + 1, (size_t) (end - line.data) - 1);
  after = slice_make (end, line.size - name.size - 1);
  after = before_comment (after);
  if (trim (slice_make (after.data + 1, after.size - 1)).size > 0)
    return fail (r, "more after the section's ]; a comment begins with "
                    "\" ;\"");
  if (trim (name).size == 0)
    return fail (r, "a section without a name");
  if (name.size > SECTION_NAME_MAX)
    return fail (r, "the section's name is longer than %d bytes",
                 SECTION_NAME_MAX);

  text = squeeze (name);
  if (!text)
    return r->status = error_nomem (r->err);
  if (add_section (r, text) != TALLY_OK) {
    free (text);
    return r->status;
  }
  snprintf (out, (size_t) num, "[%zu]\n", r->out->n_sections - 1);
  return TALLY_OK;
}

static int
check_key (struct reader *r, struct tally_slice key)
{
  size_t i;

  if (key.size == 0)
    return fail (r, "no key before the =");
  for (i = 0; i < key.size; i++) {
    char c = key.data[i];

    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
          || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'))
      return fail (r, "\"%.*s\" is not a key; expected \"key = value\"",
                   (int) (key.size < 64 ? key.size : 64), key.data);
  }
  return TALLY_OK;
}

/* People write # here, other readers allow it: neither reading is safe. */
static int
check_value (struct reader *r, struct tally_slice value)
{
  size_t i;

  for (i = 1; i < value.size; i++)
    if (value.data[i] == '#' && is_blank (value.data[i - 1]))
      return fail (r, "\" #\" in a value; a comment after a value begins "
                      "with \" ;\"");
  return TALLY_OK;
}

static int
read_entry (struct reader *r, struct tally_slice line, char *out, int num)
{
  const char *equals = memchr (line.data, '=', line.size);
  struct tally_slice value;
  size_t before;

  if (!equals)
    return fail (r, "expected \"key = value\" or \"[section]\"");
  before = (size_t) (equals - line.data);
  r->key = trim (slice_make (line.data, before));
  if (check_key (r, r->key) != TALLY_OK)
    return r->status;
  if (r->out->n_sections == 0)
    return fail (r, "\"%.*s\" stands before the first [section]",
                 (int) (r->key.size < 64 ? r->key.size : 64), r->key.data);

  value = slice_make (equals + 1, line.size - before - 1);
  if (check_value (r, before_comment (value)) != TALLY_OK)
    return r->status;
  r->value = trim (before_comment (value));
  /* '=' is three here, with the line's end and the NUL. */
  if (num < 4 || r->key.size + r->value.size > (size_t) num - 3)
    return fail (r, "too long: a key and its value have at most %d bytes",
                 num > 3 ? num - 3 : 0);

  snprintf (out, (size_t) num, "%.*s=%.*s\n", (int) r->key.size, r->key.data,
            (int) r->value.size, r->value.size > 0 ? r->value.data : "");
  r->pending = true;
  return TALLY_OK;
}

/* ---- inih's two callbacks ---------------------------------------------- */

/* Like fgets; NULL at the end, and after an error. */
static char *
read_line (char *out, int num, void *stream)
{
  struct reader *r = stream;
  struct tally_slice line;
  int status;

  if (r->status != TALLY_OK)
    return NULL;
  if (r->pending) {
    fail (r, "cannot be read for certain");
    return NULL;
  }
  for (;;) {
    if (!next_line (r, &line) || check_bytes (r, line) != TALLY_OK)
      return NULL;
    if (trim (line).size == 0)
      continue;
    if (trim (line).data[0] == ';' || trim (line).data[0] == '#')
      continue;
    break;
  }

  if (is_blank (line.data[0]))
    status = fail (r, "begins with a blank; lines are not continued");
  else if (line.data[0] == '[')
    status = read_header (r, line, out, num);
  else
    status = read_entry (r, line, out, num);
  return status == TALLY_OK ? out : NULL;
}

static int
add_entry (struct reader *r)
{
  struct ini *ini = r->out;
  void *array = ini->entries;
  struct ini_entry entry = { ini->n_sections - 1, NULL, NULL, r->line };
  size_t i;

  for (i = ini->n_entries; i > 0; i--) {
    const struct ini_entry *old = &ini->entries[i - 1];

    if (old->section != entry.section)
      break;
    if (slice_equal (slice_text (old->key), r->key))
      return fail (r, "\"%s\" is there already, on line %u", old->key,
                   old->line);
  }
  if (ini->n_entries == ENTRIES_MAX)
    return fail (r, "more than %d entries", ENTRIES_MAX);

  if (!grow (&array, ini->n_entries, sizeof *ini->entries))
    return r->status = error_nomem (r->err);
  ini->entries = array;
  entry.key = copy (r->key);
  entry.value = copy (r->value);
  ini->entries[ini->n_entries++] = entry;
  if (!entry.key || !entry.value)
    return r->status = error_nomem (r->err);
  return TALLY_OK;
}

/* Returns what inih wants: 1 for "go on". */
static int
take_entry (void *user, const char *section, const char *key,
            const char *value)
{
  struct reader *r = user;
  char number[32];

  if (r->status != TALLY_OK)
    return 0;
  if (!key) /* a build of inih that reports headers, too */
    return 1;
  snprintf (number, sizeof number, "%zu", r->out->n_sections - 1);
  if (!r->pending || strcmp (section, number) != 0
      || !slice_equal (slice_text (key), r->key)
      || !slice_equal (slice_text (value), r->value)) {
    fail (r, "cannot be read for certain");
    return 0;
  }
  r->pending = false;
  return add_entry (r) == TALLY_OK;
}

/* ---- entry ------------------------------------------------------------- */

int
ini_read (struct ini *out, const char *file, const char *text, size_t size,
          struct tally_error *err)
{
  struct reader r = { .out = out, .file = file, .err = err };
  size_t mark;
  int result;

  memset (out, 0, sizeof *out);
  if (size > INI_SIZE_MAX)
    return error_set (err, TALLY_CONFIG, "%s: larger than %zu bytes", file,
                      INI_SIZE_MAX);
  mark = utf8_mark (text, size);
  r.rest = slice_make (text + mark, size - mark);

  result = ini_parse_stream (read_line, &r, take_entry, &r);
  if (r.status == TALLY_OK && result < 0)
    r.status = error_nomem (err);
  else if (r.status == TALLY_OK && (result > 0 || r.pending))
    fail (&r, "cannot be read for certain");
  if (r.status != TALLY_OK)
    ini_free (out);
  return r.status;
}

void
ini_free (struct ini *ini)
{
  size_t i;

  for (i = 0; i < ini->n_sections; i++)
    free (ini->sections[i].name);
  for (i = 0; i < ini->n_entries; i++) {
    free (ini->entries[i].key);
    free (ini->entries[i].value);
  }
  free (ini->sections);
  free (ini->entries);
  memset (ini, 0, sizeof *ini);
}
