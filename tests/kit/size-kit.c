/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/replica.h"
#include "../../core/state.h"
#include "rng.h"
#include "size-kit.h"

#define BATCH 1000
#define BODY 300

static int
never (void *ctx)
{
  (void) ctx;
  return 0;
}

static void
no_log (void *ctx, int level, const char *text)
{
  (void) ctx;
  (void) level;
  (void) text;
}

struct item {
  char id[SIZE_ID + 1];
  char body[BODY];
  struct buf meta;
};

/* Stamps rise as a busy device's do: some hundred in each millisecond. */
static size_t
make_item (struct item *item, struct tally_entry *entry, unsigned n,
           struct rng *rng, bool deleted)
{
  static const unsigned char absent[TALLY_REV_SIZE];
  struct state state = { .deleted = deleted };

  snprintf (item->id, sizeof item->id, "%016llx",
            (unsigned long long) rng_next (rng));
  for (size_t i = 0; i < BODY; i++)
    item->body[i] = (char) ('a' + rng_below (rng, 26));
  assert_true (stamp_make (&state.whole, UINT64_C (1700000000000) + n / 300,
                           n % 300, 77));
  if (!deleted)
    state.body = slice_make (item->body, BODY);
  buf_clear (&item->meta);
  state_encode (&state, &item->meta);
  memset (entry, 0, sizeof *entry);
  entry->collection = "things";
  entry->expected = absent;
  entry->doc.id = slice_text (item->id);
  entry->doc.flags = deleted ? TALLY_DOC_DELETED : 0;
  entry->doc.meta = buf_slice (&item->meta);
  entry->doc.body = state.body;
  state_rev (&state, entry->doc.id, entry->doc.rev);
  return SIZE_ID + state.body.size;
}

static size_t
put_all (struct replica *replica, bool deleted)
{
  static struct item items[BATCH];
  static struct tally_entry entries[BATCH];
  static struct tally_outcome outcomes[BATCH];
  struct rng rng = rng_start ("sizes");
  struct tally_error err;
  size_t content = 0;

  for (unsigned n = 0; n < SIZE_DOCS; n++) {
    size_t at = n % BATCH;

    content += make_item (&items[at], &entries[at], n, &rng, deleted);
    if (at + 1 == BATCH
        && replica_put (replica, entries, BATCH, 0, outcomes, &err)
               != TALLY_OK)
      fail_msg ("%s", err.text);
  }
  for (size_t i = 0; i < BATCH; i++)
    buf_free (&items[i].meta);
  return content;
}

size_t
size_fill (const char *path, const char *second_option, bool deleted)
{
  struct tally_host host = { .size = sizeof host,
                             .log = no_log,
                             .cancelled = never };
  struct tally_value values[2] = { { path, 0 }, { second_option, 30000 } };
  struct driver driver = { .name = "sized",
                           .store = tally_driver_1 ()->store };
  struct replica_setup setup = { .driver = &driver,
                                 .values = values,
                                 .flags = TALLY_OPEN_CREATE,
                                 .name = path,
                                 .place = "here",
                                 .host = &host };
  struct replica *replica;
  struct tally_error err;
  size_t content;

  if (replica_open (&replica, &setup, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  content = put_all (replica, deleted);
  replica_close (replica);
  return content;
}

double
size_each (size_t file, size_t content)
{
  double each = ((double) file - (double) content) / SIZE_DOCS;

  printf ("a document takes %.1f bytes beside its id and body\n", each);
  return each;
}
