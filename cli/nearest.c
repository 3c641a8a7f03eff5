/* SPDX-License-Identifier: MIT */
/* The valid word nearest to one that is none, counted in edits: letters
 * added, dropped, changed, or two neighbours swapped. */

#include <string.h>

#include "args.h"

#define WORD_MAX 64 /* longer words have no near ones */

static size_t
least (size_t a, size_t b)
{
  return a < b ? a : b;
}

static size_t
distance (const char *a, const char *b)
{
  size_t rows[3][WORD_MAX + 1];
  size_t *before = rows[0], *last = rows[1], *now = rows[2], *spare;
  size_t i, j, m = strlen (a), n = strlen (b);

  if (m > WORD_MAX || n > WORD_MAX)
    return WORD_MAX;
  for (j = 0; j <= n; j++)
    last[j] = j;
  for (i = 1; i <= m; i++) {
    now[0] = i;
    for (j = 1; j <= n; j++) {
      now[j] = last[j - 1] + (a[i - 1] != b[j - 1]);
      now[j] = least (now[j], least (last[j], now[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = least (now[j], before[j - 2] + 1);
    }
    spare = before;
    before = last;
    last = now;
    now = spare;
  }
  return last[n];
}

void
nearest_offer (struct nearest *nearest, const char *candidate)
{
  size_t length = strlen (nearest->word), d;

  if (length > 0 && strncmp (candidate, nearest->word, length) == 0)
    d = 1;
  else
    d = distance (nearest->word, candidate);
  if (d > (length + 1) / 2 || (nearest->best && d >= nearest->distance))
    return;
  nearest->best = candidate;
  nearest->distance = d;
}
