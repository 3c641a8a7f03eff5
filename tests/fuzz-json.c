/* SPDX-License-Identifier: MIT */
/* Any bytes through all of core/json: what must hold, holds, and jansson
 * agrees on what is JSON and what it means.  With -DTALLY_LIBFUZZER and
 * -fsanitize=fuzzer a fuzzer; else a test, which makes its own input:
 *
 *   fuzz-json [COUNT [SEED]]   random JSON, much of it damaged
 *   fuzz-json FILE...          these inputs again */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Both headers have these names. */
#define json_type jansson_type
#define JSON_NULL JANSSON_NULL
#define JSON_STRING JANSSON_STRING
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_OBJECT JANSSON_OBJECT
#include <jansson.h>
#undef json_type
#undef JSON_NULL
#undef JSON_STRING
#undef JSON_ARRAY
#undef JSON_OBJECT

#include "../core/json.h"
#include "kit/rng.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

#define CHECK(condition) \
  ((condition) ? (void) 0 : broken (#condition, __LINE__, text, size))

static void
broken (const char *condition, int line, const char *text, size_t size)
{
  size_t i;

  fprintf (stderr, "fuzz-json.c:%d: not true: %s\ninput: ", line, condition);
  for (i = 0; i < size; i++)
    if (text[i] >= 0x20 && text[i] < 0x7f && text[i] != '\\')
      fputc (text[i], stderr);
    else
      fprintf (stderr, "\\x%02x", (unsigned char) text[i]);
  fputc ('\n', stderr);
  abort ();
}

static bool
contains (const char *text, size_t size, const char *word)
{
  size_t length = strlen (word), i;

  for (i = 0; i + length <= size; i++)
    if (memcmp (text + i, word, length) == 0)
      return true;
  return false;
}

/* ---- what must hold ---------------------------------------------------- */

/* Walks to the bottom; gives how many numbers there are. */
static size_t
walk (struct tally_slice value, unsigned depth)
{
  struct tally_slice rest = value, element;
  struct json_member member;
  size_t numbers = json_type (value) == JSON_NUMBER;

  if (depth > JSON_DEPTH_MAX)
    return numbers;
  while (json_next_element (&rest, &element))
    numbers += walk (element, depth + 1);
  rest = value;
  while (json_next_member (&rest, &member))
    numbers += walk (member.value, depth + 1);
  return numbers;
}

/* What trusts its text must bear any text.  The results mean nothing. */
static void
check_trusting (const char *text, size_t size)
{
  struct tally_slice all = slice_make (text, size), value;
  struct tally_slice half = slice_make (text, size / 2);
  struct tally_slice other = slice_make (text + size / 2, size - size / 2);
  struct buf b = BUF_INIT;
  size_t offset = 0, before;

  walk (all, 0);
  json_find_member (all, half, &value);
  CHECK (json_number_cmp (half, other) == -json_number_cmp (other, half));
  CHECK (json_key_cmp (half, other) == -json_key_cmp (other, half));
  CHECK (json_key_cmp (all, all) == 0);

  if (!json_decode_string (&b, all))
    CHECK (b.size == 0);
  buf_clear (&b);
  json_encode_string (&b, all);
  CHECK (json_is_canonical (b.data, b.size) == utf8_valid (all));
  buf_free (&b);

  do
    before = offset;
  while (json_split (text, size, &offset, &value, NULL) == TALLY_OK
         && offset > before && offset <= size);
  CHECK (offset <= size);
}

/* Members rise, strings survive a round through UTF-8. */
static void
check_canonical (struct tally_slice value, const char *text, size_t size)
{
  struct tally_slice rest = value, element, found;
  struct json_member member, before = { { NULL, 0 }, { NULL, 0 } };
  struct buf raw = BUF_INIT, again = BUF_INIT;

  CHECK (json_is_canonical (value.data, value.size));
  switch (json_type (value)) {
  case JSON_ARRAY:
    while (json_next_element (&rest, &element))
      check_canonical (element, text, size);
    break;
  case JSON_OBJECT:
    for (; json_next_member (&rest, &member); before = member) {
      CHECK (!before.key.data || json_key_cmp (before.key, member.key) < 0);
      CHECK (json_find_member (value, member.key, &found)
             && found.data == member.value.data);
      check_canonical (member.value, text, size);
    }
    break;
  case JSON_STRING:
    CHECK (json_decode_string (&raw, value));
    CHECK (utf8_valid (buf_slice (&raw)));
    json_encode_string (&again, buf_slice (&raw));
    CHECK (slice_equal (buf_slice (&again), value));
    break;
  default:
    break;
  }
  buf_free (&raw);
  buf_free (&again);
}

/* ---- the oracle -------------------------------------------------------- */

/* It takes a NUL byte for the end of the text, does not allow U+0000 in keys,
 * has another limit for depth, and writes numbers and control characters its
 * own way. */
static void
check_oracle (const char *text, size_t size, int status,
              struct tally_slice canonical, const struct tally_error *err)
{
  const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY
                       | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
  json_t *theirs, *ours = NULL;
  char *dump = NULL;

  if (size > 0 && memchr (text, 0, size)) {
    CHECK (status == TALLY_INVALID);
    return;
  }
  if (contains (text, size, "\\u0000") || contains (err->text, 252, "levels"))
    return;
  theirs = json_loadb (text, size, flags, NULL);
  CHECK ((theirs != NULL) == (status == TALLY_OK));
  if (theirs) {
    ours = json_loadb (canonical.data, canonical.size, flags, NULL);
    CHECK (ours && json_equal (ours, theirs));
    dump =
        json_dumps (theirs, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
    CHECK (dump);
  }
  if (dump && walk (canonical, 0) == 0
      && !contains (dump, strlen (dump), "\\u00"))
    CHECK (slice_equal (slice_text (dump), canonical));
  free (dump);
  json_decref (ours);
  json_decref (theirs);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct buf out = BUF_INIT, twice = BUF_INIT;
  struct tally_error err = { 0, "" };
  char *text = malloc (size > 0 ? size : 1);
  int status;

  if (!text)
    return 0;
  if (size > 0)
    memcpy (text, data, size);
  check_trusting (text, size);

  status = json_canonical (&out, text, size, &err);
  CHECK (status == TALLY_OK || status == TALLY_INVALID);
  CHECK (status == err.status);
  CHECK (json_is_canonical (text, size)
         == (status == TALLY_OK && out.size == size
             && memcmp (out.data, text, size) == 0));
  if (status == TALLY_OK) {
    check_canonical (buf_slice (&out), text, size);
    CHECK (json_canonical (&twice, out.data, out.size, &err) == TALLY_OK);
    CHECK (slice_equal (buf_slice (&out), buf_slice (&twice)));
  } else
    CHECK (out.size == 0 && err.text[0]);
  check_oracle (text, size, status, buf_slice (&out), &err);

  buf_free (&out);
  buf_free (&twice);
  free (text);
  return 0;
}

/* ---- input of our own -------------------------------------------------- */

#ifndef TALLY_LIBFUZZER

struct random {
  uint64_t state;
};

static unsigned
below (struct random *r, unsigned n)
{
  r->state ^= r->state << 13;
  r->state ^= r->state >> 7;
  r->state ^= r->state << 17;
  return (unsigned) (r->state >> 20) % n;
}

#define PICK(r, table) table[below (r, sizeof table / sizeof *table)]

static void
make_space (struct random *r, struct buf *out)
{
  if (below (r, 6) == 0)
    buf_add_byte (out, (unsigned char) " \n\t\r"[below (r, 4)]);
}

static void
make_string (struct random *r, struct buf *out)
{
  static const char *const parts[] = {
    "a",
    "b",
    "_id",
    "city",
    "Z",
    " ",
    "\\\"",
    "\\\\",
    "\\/",
    "/",
    "\\n",
    "\\t",
    "\\b",
    "\\f",
    "\\r",
    "\\u0001",
    "\\u001F",
    "\\u001f",
    "\\u0061",
    "\\u0022",
    "\\u005C",
    "\\u00e9",
    "\xc3\xa9",
    "\\u20ac",
    "\xe2\x82\xac",
    "\\ud83c\\udf89",
    "\xf0\x9f\x8e\x89",
    "\x7f",
    "\\u000b",
    "eight or more",
  };
  unsigned n = below (r, 16) ? 1 + below (r, 4) : 0;

  buf_add_byte (out, '"');
  while (n-- > 0)
    buf_add_text (out, PICK (r, parts));
  buf_add_byte (out, '"');
}

static void
make_scalar (struct random *r, struct buf *out)
{
  static const char *const scalars[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "0.1",
    "1e5",
    "1E-7",
    "9007199254740993",
    "129.95",
    "1e308",
    "17976931348623157e292",
    "179769313486231580793728971405303415079934132710037826936173778e246",
    "179769313486231580793728971405303415079934132710037826936173779e246",
    "1e999",
    "0e999",
    "1e-999",
    "1764000000000",
  };

  if (below (r, 2))
    make_string (r, out);
  else
    buf_add_text (out, PICK (r, scalars));
}

static void
make_value (struct random *r, struct buf *out, unsigned depth)
{
  unsigned kind = below (r, 4), n = below (r, depth < 2 ? 8 : 4);
  const char *separator = "";

  if (kind < 2 && (depth > 0 || below (r, 8) == 0)) {
    make_scalar (r, out);
    return;
  }
  if (depth > 5)
    n = 0;
  buf_add_byte (out, kind == 2 ? '[' : '{');
  make_space (r, out);
  for (; n > 0; n--, separator = ",") {
    buf_add_text (out, separator);
    make_space (r, out);
    if (kind != 2) {
      make_string (r, out);
      make_space (r, out);
      buf_add_byte (out, ':');
      make_space (r, out);
    }
    make_value (r, out, depth + 1);
    make_space (r, out);
  }
  buf_add_byte (out, kind == 2 ? ']' : '}');
}

/* Puts some bytes where others stood. */
static void
damage (struct random *r, struct buf *b)
{
  static const char *const tokens[] = {
    "",
    "",
    "",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "\\ud800",
    "\\udc00",
    "0",
    "9",
    ".",
    "e",
    "-",
    "\xc3",
    "\x80",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xc0\x80",
    "\n",
    "\x01",
    "\x1f",
    " ",
    "\"a\":1,",
    ",\"a\":1",
    "null",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
  };
  const char *token = PICK (r, tokens);
  size_t at = below (r, (unsigned) b->size + 1);
  size_t cut = below (r, 3), length = strlen (token);

  if (below (r, 20) == 0)
    cut = b->size;
  if (cut > b->size - at)
    cut = b->size - at;
  if (!buf_reserve (b, length + 1))
    return;
  memmove (b->data + at + length, b->data + at + cut, b->size - at - cut);
  memcpy (b->data + at, token, length);
  b->size += length - cut;
  if (b->size > 0 && below (r, 4) == 0)
    b->data[below (r, (unsigned) b->size)] = (char) below (r, 256);
}

static void
run_random (unsigned long count, uint64_t seed)
{
  struct random r = { seed * UINT64_C (0x9e3779b97f4a7c15) | 1 };
  struct buf b = BUF_INIT, canonical = BUF_INIT;
  unsigned long taken = 0;

  while (count-- > 0) {
    unsigned n = below (&r, 2) ? 1 + below (&r, 3) : 0;

    buf_clear (&b);
    make_value (&r, &b, 0);
    buf_clear (&canonical);
    if (below (&r, 2)
        && json_canonical (&canonical, b.data, b.size, NULL) == TALLY_OK) {
      buf_clear (&b);
      buf_add_slice (&b, buf_slice (&canonical));
    }
    while (n-- > 0)
      damage (&r, &b);
    LLVMFuzzerTestOneInput ((const uint8_t *) b.data, b.size);
    buf_clear (&canonical);
    taken += json_canonical (&canonical, b.data, b.size, NULL) == TALLY_OK;
  }
  printf ("%lu of them were JSON\n", taken);
  buf_free (&canonical);
  buf_free (&b);
}

static int
run_file (const char *path)
{
  struct buf b = BUF_INIT;
  FILE *file = fopen (path, "rb");
  int c;

  if (!file) {
    perror (path);
    return 1;
  }
  for (c = getc (file); c != EOF; c = getc (file))
    buf_add_byte (&b, (unsigned char) c);
  fclose (file);
  LLVMFuzzerTestOneInput ((const uint8_t *) b.data, b.size);
  buf_free (&b);
  return 0;
}

int
main (int argc, char **argv)
{
  unsigned long count = rng_tries (200000), seed = 1;
  int i, failed = 0;
  char *end;

  if (argc > 1) {
    count = strtoul (argv[1], &end, 10);
    if (*end) {
      for (i = 1; i < argc; i++)
        failed |= run_file (argv[i]);
      return failed;
    }
  }
  if (argc > 2)
    seed = strtoul (argv[2], NULL, 10);

  printf ("%lu inputs from seed %lu\n", count, seed);
  fflush (stdout);
  run_random (count, seed);
  return 0;
}

#endif /* !TALLY_LIBFUZZER */
