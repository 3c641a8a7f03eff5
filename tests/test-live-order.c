/* SPDX-License-Identifier: MIT */
/* Of results that changed places as few as possible are said to have moved. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../core/live-order.h"

/* The most that can stay, by trying every set. */
static size_t
most_that_stay (const size_t *old, size_t n)
{
  size_t best = 0;

  for (unsigned set = 0; set < 1u << n; set++) {
    size_t last = 0, count = 0;
    bool rises = true;

    for (size_t i = 0; i < n && rises; i++)
      if (set & 1u << i) {
        rises = old[i] != SIZE_MAX && (count == 0 || old[i] > last);
        last = old[i];
        count++;
      }
    if (rises && count > best)
      best = count;
  }
  return best;
}

static void
as_few_as_can_be_moved (void **state)
{
  uint32_t random = 1;

  (void) state;
  for (unsigned round = 0; round < 3000; round++) {
    size_t old[9], n = round % 10, last = 0, stay = 0, there = 0;
    bool moved[9], first = true;

    for (size_t i = 0; i < n; i++)
      old[i] = i;
    for (size_t i = n; i > 1; i--) {
      size_t j, swap = old[i - 1];

      random = random * 1664525u + 1013904223u;
      j = (random >> 8) % i;
      old[i - 1] = old[j];
      old[j] = swap;
    }
    for (size_t i = 0; i < n; i++) {
      random = random * 1664525u + 1013904223u;
      if ((random >> 8) % 5 == 0)
        old[i] = SIZE_MAX;
    }
    assert_true (live_order (moved, old, n));
    for (size_t i = 0; i < n; i++) {
      there += old[i] != SIZE_MAX;
      if (old[i] == SIZE_MAX) {
        assert_false (moved[i]);
        continue;
      }
      if (moved[i])
        continue;
      assert_true (first || old[i] > last);
      first = false;
      last = old[i];
      stay++;
    }
    assert_int_equal (stay, most_that_stay (old, n));
    assert_true (stay <= there);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (as_few_as_can_be_moved),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
