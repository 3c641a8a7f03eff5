/* SPDX-License-Identifier: MIT */
/* Numbers are read by hand: strtod goes by the locale. */

#include <config.h>

#include <string.h>

#include "hlc.h"
#include "json.h"
#include "moment.h"
#include "slice.h"

/* ---- numbers ------------------------------------------------------------ */

/* Digits, a fraction that is cut off, and an exponent that moves the point. */
static bool
read_number (struct tally_slice text, uint64_t *ms)
{
  uint64_t value = 0;
  long exponent = 0, point = 0;
  bool fraction = false, minus = false;
  size_t i = 0;

  for (; i < text.size && text.data[i] != 'e' && text.data[i] != 'E'; i++) {
    char c = text.data[i];

    if (c == '.') {
      fraction = true;
      continue;
    }
    if (fraction && value > UINT64_MAX / 100)
      continue;
    if (c < '0' || c > '9' || value > UINT64_MAX / 100)
      return false;
    value = value * 10 + (uint64_t) (c - '0');
    point += fraction;
  }
  if (i < text.size) {
    i++;
    minus = i < text.size && text.data[i] == '-';
    i += i < text.size && (minus || text.data[i] == '+');
    for (; i < text.size; i++)
      if (exponent < 100)
        exponent = exponent * 10 + (text.data[i] - '0');
  }
  exponent = (minus ? -exponent : exponent) - point;
  for (; exponent > 0 && value <= HLC_MS_MAX; exponent--)
    value *= 10;
  for (; exponent < 0 && value > 0; exponent++)
    value /= 10;
  *ms = value;
  return value <= HLC_MS_MAX;
}

/* ---- ISO 8601 ----------------------------------------------------------- */

/* Takes so many digits off the front. */
static bool
take_digits (struct tally_slice *text, size_t n, unsigned *value)
{
  *value = 0;
  if (text->size < n)
    return false;
  for (size_t i = 0; i < n; i++) {
    if (text->data[i] < '0' || text->data[i] > '9')
      return false;
    *value = *value * 10 + (unsigned) (text->data[i] - '0');
  }
  text->data += n;
  text->size -= n;
  return true;
}

static bool
take_char (struct tally_slice *text, char c)
{
  if (text->size == 0 || text->data[0] != c)
    return false;
  text->data++;
  text->size--;
  return true;
}

/* Days before a month in a year; month 12 is the year's end. */
static unsigned
days_before (unsigned year, unsigned month)
{
  static const unsigned before[] = { 0,   31,  59,  90,  120, 151, 181,
                                     212, 243, 273, 304, 334, 365 };
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

  return before[month] + (leap && month > 1);
}

/* Days from 1970-01-01 to the first of a year from 1970 on. */
static uint64_t
days_to_year (unsigned year)
{
  unsigned past = year - 1;

  return (uint64_t) (year - 1970) * 365 + past / 4 - past / 100 + past / 400
         - 477;
}

static bool
read_iso (struct tally_slice text, uint64_t *ms)
{
  unsigned year, month, day, hour, minute, second, fraction = 0;

  if (!take_digits (&text, 4, &year) || !take_char (&text, '-')
      || !take_digits (&text, 2, &month) || !take_char (&text, '-')
      || !take_digits (&text, 2, &day) || !take_char (&text, 'T')
      || !take_digits (&text, 2, &hour) || !take_char (&text, ':')
      || !take_digits (&text, 2, &minute) || !take_char (&text, ':')
      || !take_digits (&text, 2, &second))
    return false;
  if (take_char (&text, '.') && !take_digits (&text, 3, &fraction))
    return false;
  if (!take_char (&text, 'Z') || text.size > 0)
    return false;
  if (year < 1970 || month < 1 || month > 12 || day < 1 || hour > 23
      || minute > 59 || second > 59)
    return false;
  day += days_before (year, month - 1);
  if (day > days_before (year, month))
    return false;
  *ms = (((days_to_year (year) + day - 1) * 24 + hour) * 60 + minute) * 60;
  *ms = (*ms + second) * 1000 + fraction;
  return *ms <= HLC_MS_MAX;
}

bool
moment_read (struct tally_slice value, uint64_t *ms)
{
  struct tally_slice inner;

  switch (json_type (value)) {
  case JSON_NUMBER:
    return read_number (value, ms);
  case JSON_STRING:
    return value.size >= 2
           && read_iso (slice_make (value.data + 1, value.size - 2), ms);
  case JSON_OBJECT:
    return json_find_member (value, slice_text ("$$date"), &inner)
           && json_type (inner) == JSON_NUMBER && read_number (inner, ms);
  default:
    return false;
  }
}
