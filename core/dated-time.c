/* SPDX-License-Identifier: MIT */
/* Times as JavaScript writes them.  The calendar is the proleptic Gregorian
 * one; days are counted from March on, so that a leap day is the last of its
 * year. */

#include <config.h>

#include <stdio.h>

#include "hlc.h"
#include "json.h"
#include "dated.h"

#define DAY_MS INT64_C (86400000)

static int64_t
days_of (int year, int month, int day)
{
  int64_t from_march = month > 2 ? month - 3 : month + 9;
  int64_t y = month > 2 ? year : year - 1;

  return 365 * y + y / 4 - y / 100 + y / 400 + (153 * from_march + 2) / 5 + day
         - 719469;
}

static int
days_in (int year, int month)
{
  static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
  bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

  return days[month - 1] + (month == 2 && leap);
}

void
dated_time_text (char out[DATED_TIME_TEXT], uint64_t ms)
{
  int64_t days, rest;
  int year, month;

  if (ms > HLC_MS_MAX)
    ms = HLC_MS_MAX;
  days = (int64_t) (ms / (uint64_t) DAY_MS);
  rest = (int64_t) (ms % (uint64_t) DAY_MS);
  year = 1970 + (int) (days / 366);
  while (days_of (year + 1, 1, 1) <= days)
    year++;
  month = 1;
  while (month < 12 && days_of (year, month + 1, 1) <= days)
    month++;
  snprintf (out, DATED_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
            (unsigned) year % 10000, (unsigned) month % 100,
            (unsigned) (days - days_of (year, month, 1) + 1) % 100,
            (unsigned) (rest / 3600000) % 100, (unsigned) (rest / 60000 % 60),
            (unsigned) (rest / 1000 % 60), (unsigned) (rest % 1000));
}

/* ---- reading ------------------------------------------------------------ */

struct scan {
  const char *at, *end;
};

/* Exactly so many digits. */
static bool
digits (struct scan *scan, int n, int *out)
{
  *out = 0;
  for (; n > 0; n--, scan->at++) {
    if (scan->at == scan->end || *scan->at < '0' || *scan->at > '9')
      return false;
    *out = *out * 10 + (*scan->at - '0');
  }
  return true;
}

static bool
sign (struct scan *scan, char c)
{
  if (scan->at == scan->end || *scan->at != c)
    return false;
  scan->at++;
  return true;
}

/* Behind a point; what is finer than milliseconds is cut. */
static bool
fraction (struct scan *scan, int *ms)
{
  int place = 100, digit;

  *ms = 0;
  if (!digits (scan, 1, &digit))
    return false;
  do {
    *ms += digit * place;
    place /= 10;
  } while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'
           && digits (scan, 1, &digit));
  return true;
}

/* In minutes. */
static bool
zone (struct scan *scan, int *offset)
{
  int hours, minutes, way;

  *offset = 0;
  if (sign (scan, 'Z'))
    return true;
  way = sign (scan, '+') ? 1 : sign (scan, '-') ? -1 : 0;
  if (way == 0 || !digits (scan, 2, &hours) || !sign (scan, ':')
      || !digits (scan, 2, &minutes) || hours > 23 || minutes > 59)
    return false;
  *offset = way * (hours * 60 + minutes);
  return true;
}

/* A date alone is its first moment in UTC. */
static bool
read_iso (struct tally_slice text, int64_t *ms)
{
  struct scan scan = { text.data, slice_end (text) };
  int year, month, day, hour = 0, minute = 0, second = 0, part = 0, offset = 0;

  if (!digits (&scan, 4, &year) || !sign (&scan, '-')
      || !digits (&scan, 2, &month) || !sign (&scan, '-')
      || !digits (&scan, 2, &day) || month < 1 || month > 12 || day < 1
      || day > days_in (year, month))
    return false;
  if (scan.at < scan.end
      && (!sign (&scan, 'T') || !digits (&scan, 2, &hour) || !sign (&scan, ':')
          || !digits (&scan, 2, &minute)
          || (sign (&scan, ':')
              && (!digits (&scan, 2, &second)
                  || (sign (&scan, '.') && !fraction (&scan, &part))))
          || !zone (&scan, &offset)))
    return false;
  if (scan.at < scan.end || hour > 23 || minute > 59 || second > 59)
    return false;
  *ms = days_of (year, month, day) * DAY_MS
        + ((hour * 60 + minute - offset) * INT64_C (60) + second) * 1000
        + part;
  return true;
}

static bool
read_string (struct tally_slice value, int64_t *ms)
{
  /* Dates need no escapes. */
  return value.size >= 2
         && read_iso (slice_make (value.data + 1, value.size - 2), ms);
}

/* Plain digits, as JavaScript writes every time that is one. */
static bool
read_number (struct tally_slice value, int64_t *ms)
{
  size_t i = 0;

  *ms = 0;
  for (; i < value.size && value.data[i] >= '0' && value.data[i] <= '9'; i++) {
    if (i == 15)
      return false;
    *ms = *ms * 10 + (value.data[i] - '0');
  }
  if (i == 0)
    return false;
  if (i < value.size && value.data[i] == '.')
    for (i++; i < value.size && value.data[i] >= '0' && value.data[i] <= '9';)
      i++;
  return i == value.size;
}

bool
dated_time_read (struct tally_slice value, uint64_t *out)
{
  struct tally_slice date;
  int64_t ms;
  bool good = false;

  switch (json_type (value)) {
  case JSON_STRING:
    good = read_string (value, &ms);
    break;
  case JSON_NUMBER:
    good = read_number (value, &ms);
    break;
  case JSON_OBJECT:
    good = json_find_member (value, slice_text ("$$date"), &date)
           && json_type (date) == JSON_NUMBER && read_number (date, &ms);
    break;
  default:
    break;
  }
  if (!good || ms < 0 || (uint64_t) ms > HLC_MS_MAX)
    return false;
  *out = (uint64_t) ms;
  return true;
}
