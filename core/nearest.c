/* SPDX-License-Identifier: MIT */
/* "Did you mean": the distance of Damerau and Levenshtein in its simple form
 * (no letter is edited twice), which knows the typos that hands make. */

#include <string.h>

#include "nearest.h"

/* Longer words get no suggestion: nothing valid is that long. */
#define WORD_MAX 64

/* Three rows of the table are enough: a swap looks two rows back. */
struct rows {
  size_t before[WORD_MAX + 1];
  size_t last[WORD_MAX + 1];
  size_t now[WORD_MAX + 1];
};

/* Not tolower, which depends on the locale. */
static char
fold (char c)
{
  return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static size_t
least (size_t a, size_t b)
{
  return a < b ? a : b;
}

/* Fills rows->now for the first i letters of a. */
static void
fill_row (struct rows *rows, const char *a, size_t i, const char *b, size_t n)
{
  size_t j;

  rows->now[0] = i;
  for (j = 1; j <= n; j++) {
    char x = fold (a[i - 1]), y = fold (b[j - 1]);
    size_t best = rows->last[j - 1] + (x != y);

    best = least (best, rows->last[j] + 1);
    best = least (best, rows->now[j - 1] + 1);
    if (i > 1 && j > 1 && x == fold (b[j - 2]) && y == fold (a[i - 2]))
      best = least (best, rows->before[j - 2] + 1);
    rows->now[j] = best;
  }
}

size_t
nearest_distance (const char *a, const char *b, size_t limit)
{
  size_t m = strlen (a), n = strlen (b), i, j;
  struct rows rows;

  if (m > WORD_MAX || n > WORD_MAX)
    return limit + 1;
  if ((m > n ? m - n : n - m) > limit)
    return limit + 1;

  memset (&rows, 0, sizeof rows);
  for (j = 0; j <= n; j++)
    rows.last[j] = j;
  for (i = 1; i <= m; i++) {
    fill_row (&rows, a, i, b, n);
    memcpy (rows.before, rows.last, sizeof rows.last);
    memcpy (rows.last, rows.now, sizeof rows.now);
  }
  return least (rows.last[n], limit + 1);
}

const char *
nearest (const char *word, const char *const *candidates)
{
  size_t size = strlen (word);
  size_t limit = size < 6 ? 1 : size < 9 ? 2 : 3;
  const char *found = NULL;

  /* A third of the letters may be wrong; of one letter, none. */
  if (!candidates || size < 2)
    return NULL;
  for (; *candidates; candidates++) {
    size_t distance = nearest_distance (word, *candidates, limit);

    if (distance > limit || (found && distance == limit))
      continue;
    found = *candidates;
    limit = distance;
  }
  return found;
}
