/* SPDX-License-Identifier: MIT */
/* A longest rising subsequence of the old places stays; the rest moved. */

#include <config.h>

#include <stdint.h>
#include <stdlib.h>

#include "live-order.h"

bool
live_order (bool *moved, const size_t *old, size_t n)
{
  /* ends[k]: the last member, the least there is, of a rising subsequence of
   * k + 1 members; before[i]: the member before i in the best one to end
   * there. */
  size_t *ends = malloc ((n + 1) * sizeof *ends);
  size_t *before = malloc ((n + 1) * sizeof *before);
  size_t length = 0;

  if (!ends || !before) {
    free (before);
    free (ends);
    return false;
  }
  for (size_t i = 0; i < n; i++) {
    size_t low = 0, high = length;

    moved[i] = old[i] != SIZE_MAX;
    if (!moved[i])
      continue;
    while (low < high) {
      size_t middle = low + (high - low) / 2;

      if (old[ends[middle]] < old[i])
        low = middle + 1;
      else
        high = middle;
    }
    before[i] = low > 0 ? ends[low - 1] : SIZE_MAX;
    ends[low] = i;
    if (low == length)
      length++;
  }
  for (size_t i = length > 0 ? ends[length - 1] : SIZE_MAX; i != SIZE_MAX;
       i = before[i])
    moved[i] = false;
  free (before);
  free (ends);
  return true;
}
