/* SPDX-License-Identifier: MIT */
/* Putting the members of one object in order.  A merge sort of our own and
 * not qsort, which has no context argument, need not be n log n, and is not
 * stable: of two duplicates the message is to name the second. */

#include <stdlib.h>

#include "json-scan.h"

/* Merges from[0..middle) and from[middle..n) into to. */
static void
merge (const char *text, struct json_place *to, const struct json_place *from,
       size_t middle, size_t n)
{
  size_t a = 0, b = middle, i;

  if (middle == n
      || json_place_cmp (text, &from[middle - 1], &from[middle]) <= 0) {
    memcpy (to, from, n * sizeof *to);
    return;
  }
  for (i = 0; i < n; i++)
    if (b == n
        || (a < middle && json_place_cmp (text, &from[a], &from[b]) <= 0))
      to[i] = from[a++];
    else
      to[i] = from[b++];
}

/* Bottom up: runs of one, two, four members and so on, to and fro between
 * the two arrays.  No width overflows: n places fit in memory twice. */
static void
merge_sort (const char *text, struct json_place *members,
            struct json_place *spare, size_t n)
{
  struct json_place *from = members, *to = spare, *swap;
  size_t width, i;

  for (width = 1; width < n; width *= 2) {
    for (i = 0; i < n; i += 2 * width) {
      size_t left = n - i;

      merge (text, to + i, from + i, left < width ? left : width,
             left < 2 * width ? left : 2 * width);
    }
    swap = from;
    from = to;
    to = swap;
  }
  if (from != members)
    memcpy (members, from, n * sizeof *members);
}

/* Writes the members behind the output in their new order, then moves them
 * to where they stood. */
static bool
rewrite (struct buf *out, const struct json_place *members, size_t n,
         size_t start)
{
  size_t size = out->size - start, i;
  char *to;

  if (!buf_reserve (out, size + 1))
    return false;
  to = out->data + out->size;
  for (i = 0; i < n; i++) {
    memcpy (to, out->data + members[i].start, members[i].size);
    to += members[i].size;
    *to++ = ',';
  }
  memmove (out->data + start, out->data + out->size, size);
  return true;
}

bool
json_sort (struct buf *out, struct json_place *members, size_t n,
           const struct json_place **duplicate)
{
  size_t start = members[0].start, i;
  struct json_place *spare = malloc (n * sizeof *spare);

  *duplicate = NULL;
  if (!spare)
    return false;
  merge_sort (out->data, members, spare, n);
  free (spare);

  for (i = 1; i < n; i++)
    if (json_place_cmp (out->data, &members[i - 1], &members[i]) == 0) {
      *duplicate = &members[i];
      return true;
    }
  return rewrite (out, members, n, start);
}
