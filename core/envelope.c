/* SPDX-License-Identifier: MIT */
/* A scan that never goes back. */

#include <config.h>

#include "envelope.h"
#include "error.h"
#include "json.h"
#include "slice.h"

struct scan {
  const char *p, *end;
};

static int
not_json (struct tally_error *err)
{
  return error_set (err, TALLY_INVALID, "no JSON object, or not all of it");
}

static bool
at_end (struct scan *scan)
{
  while (scan->p < scan->end
         && (*scan->p == ' ' || *scan->p == '\t' || *scan->p == '\n'
             || *scan->p == '\r'))
    scan->p++;
  return scan->p == scan->end;
}

static bool
take_char (struct scan *scan, char c)
{
  if (at_end (scan) || *scan->p != c)
    return false;
  scan->p++;
  return true;
}

static bool
take_value (struct scan *scan, struct tally_slice *value)
{
  const char *behind =
      at_end (scan) ? NULL : json_value_end (scan->p, scan->end);

  if (!behind)
    return false;
  *value = slice_make (scan->p, (size_t) (behind - scan->p));
  scan->p = behind;
  return true;
}

int
envelope_next (struct envelope_items *items, struct tally_slice *element,
               struct tally_error *err)
{
  struct scan scan = { items->rest.data, slice_end (items->rest) };
  bool more = take_char (&scan, items->begun ? ',' : '[');
  int status = TALLY_OK;

  if (!items->begun && more && take_char (&scan, ']'))
    return TALLY_NOTFOUND;
  if (items->begun && !more && take_char (&scan, ']'))
    return TALLY_NOTFOUND;
  items->begun = true;
  if (!more || !take_value (&scan, element))
    status = not_json (err);
  items->rest = slice_make (scan.p, (size_t) (scan.end - scan.p));
  return status;
}

int
envelope_members (struct tally_slice text, envelope_member_fn *member,
                  void *ctx, struct tally_error *err)
{
  struct scan scan = { text.data, slice_end (text) };
  struct tally_slice key, value;
  int status = TALLY_OK;

  if (!take_char (&scan, '{'))
    return not_json (err);
  if (!take_char (&scan, '}')) {
    do {
      if (at_end (&scan) || *scan.p != '"' || !take_value (&scan, &key)
          || !take_char (&scan, ':') || !take_value (&scan, &value))
        return not_json (err);
      status = member (ctx, key, value, err);
    } while (status == TALLY_OK && take_char (&scan, ','));
    if (status == TALLY_OK && !take_char (&scan, '}'))
      status = not_json (err);
  }
  return status != TALLY_OK || at_end (&scan) ? status : not_json (err);
}
