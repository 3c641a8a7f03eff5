/* SPDX-License-Identifier: MIT */
/* Times as JavaScript writes them (moment.c reads them).  The calendar is the
 * proleptic Gregorian one; days are counted from March on, so that a leap day
 * is the last of its year. */

#include <config.h>

#include <stdio.h>

#include "hlc.h"
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
