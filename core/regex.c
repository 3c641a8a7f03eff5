/* SPDX-License-Identifier: MIT */
/* PCRE2, interpreted, with limits on its steps, their depth and memory.  A
 * step may run over the whole of a string, so in a long one the number of
 * steps says little: there the expression is compiled with callouts, which
 * look at the clock. */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "error.h"
#include "json.h"
#include "regex.h"

#define STEPS_MAX 100000 /* in a short string */
#define DEPTH_MAX 200000
#define HEAP_MAX_KIB 32768
#define COMPILED_MAX ((size_t) 1 << 20)
#define NESTING_MAX 50
#define SHORT_MAX 256
#define LONG_STEPS_MAX 100000000
#define TIME_MAX_MS 2000
#define LOOK_AFTER (1 << 20) /* so many bytes run over, at the worst */

struct regex {
  pcre2_code *code;
  pcre2_code *watched; /* for long strings */
  pcre2_match_data *data;
  pcre2_match_context *limits;
  int64_t until_ms;
  size_t cost;
  struct buf pattern;
  struct buf subject; /* of a string with escapes */
  uint32_t flags;
};

/* ---- making ------------------------------------------------------------- */

static int
read_options (struct regex *regex, struct tally_slice options,
              struct tally_error *err)
{
  regex->flags = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
  if (!options.data)
    return TALLY_OK;
  for (size_t i = 1; i + 1 < options.size; i++)
    switch (options.data[i]) {
    case 'i':
      regex->flags |= PCRE2_CASELESS;
      break;
    case 'm':
      regex->flags |= PCRE2_MULTILINE;
      break;
    case 's':
      regex->flags |= PCRE2_DOTALL;
      break;
    case 'x':
      regex->flags |= PCRE2_EXTENDED;
      break;
    case 'u': /* it is UTF-8 in any case */
      break;
    default:
      return error_set (err, TALLY_INVALID,
                        "query: $options: takes the letters i, m, s, x and "
                        "u only");
    }
  return TALLY_OK;
}

static int
compile (struct regex *regex, pcre2_code **code, uint32_t flags,
         struct tally_error *err)
{
  pcre2_compile_context *context = pcre2_compile_context_create (NULL);
  PCRE2_SIZE at = 0;
  size_t size = 0;
  int why = 0;

  if (!context)
    return error_nomem (err);
  pcre2_set_max_pattern_length (context, REGEX_PATTERN_MAX);
  pcre2_set_parens_nest_limit (context, NESTING_MAX);
  *code = pcre2_compile (
      (PCRE2_SPTR) (regex->pattern.data ? regex->pattern.data : ""),
      regex->pattern.size, regex->flags | flags, &why, &at, context);
  pcre2_compile_context_free (context);
  if (!*code) {
    PCRE2_UCHAR text[160] = "";

    pcre2_get_error_message (why, text, sizeof text);
    return error_set (err, TALLY_INVALID,
                      "query: $regex: at character %zu: %s", (size_t) at + 1,
                      (const char *) text);
  }
  pcre2_pattern_info (*code, PCRE2_INFO_SIZE, &size);
  if (size > COMPILED_MAX)
    return error_set (err, TALLY_INVALID,
                      "query: $regex: grows too large when it is unfolded");
  return TALLY_OK;
}

static int
make (struct regex *regex, struct tally_slice pattern,
      struct tally_slice options, struct tally_error *err)
{
  int status = read_options (regex, options, err);

  if (status != TALLY_OK)
    return status;
  if (pattern.size - 2 > REGEX_PATTERN_MAX)
    return error_set (err, TALLY_INVALID,
                      "query: $regex: is longer than %d bytes",
                      REGEX_PATTERN_MAX);
  if (!json_decode_string (&regex->pattern, pattern))
    return error_nomem (err);
  status = compile (regex, &regex->code, 0, err);
  if (status == TALLY_OK)
    status = compile (regex, &regex->watched, PCRE2_AUTO_CALLOUT, err);
  if (status != TALLY_OK)
    return status;
  regex->data = pcre2_match_data_create (1, NULL);
  regex->limits = pcre2_match_context_create (NULL);
  if (!regex->data || !regex->limits)
    return error_nomem (err);
  pcre2_set_depth_limit (regex->limits, DEPTH_MAX);
  pcre2_set_heap_limit (regex->limits, HEAP_MAX_KIB);
  return TALLY_OK;
}

int
regex_new (struct regex **out, struct tally_slice pattern,
           struct tally_slice options, struct tally_error *err)
{
  struct regex *regex = calloc (1, sizeof *regex);
  int status = regex ? make (regex, pattern, options, err) : error_nomem (err);

  *out = NULL;
  if (status == TALLY_OK)
    *out = regex;
  else
    regex_free (regex);
  return status;
}

void
regex_free (struct regex *regex)
{
  if (!regex)
    return;
  pcre2_match_context_free (regex->limits);
  pcre2_match_data_free (regex->data);
  pcre2_code_free (regex->watched);
  pcre2_code_free (regex->code);
  buf_free (&regex->pattern);
  buf_free (&regex->subject);
  free (regex);
}

/* ---- searching ---------------------------------------------------------- */

static int64_t
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
too_much (struct tally_error *err)
{
  return error_set (err, TALLY_INVALID,
                    "query: $regex: takes too many steps on a document; make "
                    "it simpler");
}

/* Called ahead of each item of the pattern. */
static int
look_at_clock (pcre2_callout_block *block, void *ctx)
{
  struct regex *regex = ctx;

  regex->cost += 1 + (block->subject_length - block->current_position) / 16;
  if (regex->cost < LOOK_AFTER)
    return 0;
  regex->cost = 0;
  return now_ms () > regex->until_ms ? PCRE2_ERROR_MATCHLIMIT : 0;
}

static int
search (struct regex *regex, struct tally_slice text, bool *matches,
        struct tally_error *err)
{
  bool is_long = text.size > SHORT_MAX;
  int code;

  pcre2_set_match_limit (regex->limits, is_long ? LONG_STEPS_MAX : STEPS_MAX);
  pcre2_set_callout (regex->limits, is_long ? look_at_clock : NULL, regex);
  regex->cost = 0;
  regex->until_ms = is_long ? now_ms () + TIME_MAX_MS : 0;
  code = pcre2_match (is_long ? regex->watched : regex->code,
                      (PCRE2_SPTR) text.data, text.size, 0, PCRE2_NO_UTF_CHECK,
                      regex->data, regex->limits);
  *matches = code >= 0;
  if (code >= 0 || code == PCRE2_ERROR_NOMATCH)
    return TALLY_OK;
  return code == PCRE2_ERROR_NOMEMORY ? error_nomem (err) : too_much (err);
}

/* What is stored may be damaged, and PCRE2 would believe it to be UTF-8. */
int
regex_match (struct regex *regex, struct tally_slice string, bool *matches,
             struct tally_error *err)
{
  struct tally_slice text = slice_make (string.data + 1, string.size - 2);

  *matches = false;
  if (text.size > 0 && memchr (text.data, '\\', text.size)) {
    buf_clear (&regex->subject);
    if (!json_decode_string (&regex->subject, string))
      return regex->subject.failed ? error_nomem (err) : TALLY_OK;
    text = buf_slice (&regex->subject);
  }
  if (text.size == 0)
    text.data = "";
  if (!utf8_valid (text))
    return TALLY_OK;
  return search (regex, text, matches, err);
}

/* ---- what it begins with ------------------------------------------------ */

/* "^plain", where nothing behind a letter can take it back, and no "|" can
 * offer another beginning. */
void
regex_prefix (const struct regex *regex, struct buf *out)
{
  const struct buf *p = &regex->pattern;
  size_t i;

  if ((regex->flags & (PCRE2_CASELESS | PCRE2_MULTILINE | PCRE2_EXTENDED))
      || p->size == 0 || p->data[0] != '^' || memchr (p->data, '|', p->size))
    return;
  for (i = 1; i < p->size; i++) {
    unsigned char c = (unsigned char) p->data[i];

    if (c < 0x20 || c >= 0x80 || strchr ("\\.[](){}*+?$^#", c))
      break;
  }
  if (i < p->size
      && (strchr ("*?{", p->data[i]) || (unsigned char) p->data[i] >= 0x80))
    i--;
  if (i > 1)
    buf_add (out, p->data + 1, i - 1);
}
