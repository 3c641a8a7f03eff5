/* SPDX-License-Identifier: MIT */
/* Many documents that came at once: each is judged as it would be alone, in
 * whatever thread. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../core/peer.h"
#include "../core/state.h"

#define MOST 2000

struct made {
  char ids[MOST][8], bodies[MOST][32];
  unsigned char metas[MOST][STATE_PLAIN_META];
  struct tally_doc docs[MOST];
  int statuses[MOST];
};

/* Every seventh breaks a rule. */
static void
make (struct made *made, size_t n)
{
  memset (made, 0, sizeof *made);
  for (size_t i = 0; i < n; i++) {
    struct tally_doc *doc = &made->docs[i];
    unsigned char rev[TALLY_REV_SIZE] = { (unsigned char) (i + 1) };

    snprintf (made->ids[i], sizeof made->ids[i], "d%04zu", i);
    snprintf (made->bodies[i], sizeof made->bodies[i],
              i % 7 == 3 ? "{\"_id\": \"%s\"}" : "{\"_id\":\"%s\"}",
              made->ids[i]);
    state_plain_meta (made->metas[i], rev);
    doc->id = slice_text (made->ids[i]);
    doc->body = slice_text (made->bodies[i]);
    doc->meta = slice_make (made->metas[i], STATE_PLAIN_META);
    made->statuses[i] = 1;
  }
}

static void
test_each_is_judged (void **state)
{
  static const size_t counts[] = { 0, 1, 2, 511, 512, 513, MOST };
  static struct made made, alone;

  (void) state;
  for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
    size_t n = counts[k];

    make (&made, n);
    make (&alone, n);
    peer_check_docs (made.docs, n, made.statuses);
    for (size_t i = 0; i < n; i++) {
      struct tally_error err;

      assert_int_equal (made.statuses[i],
                        peer_check_doc (&alone.docs[i], &err));
      assert_int_equal (made.statuses[i],
                        i % 7 == 3 ? TALLY_INVALID : TALLY_OK);
      assert_memory_equal (made.docs[i].rev, alone.docs[i].rev,
                           TALLY_REV_SIZE);
    }
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test (test_each_is_judged) };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
