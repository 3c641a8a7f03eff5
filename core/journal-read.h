/* SPDX-License-Identifier: MIT */
/* The journal's entries as tally.h shows them. */

#ifndef TALLY_JOURNAL_READ_H
#define TALLY_JOURNAL_READ_H

#include <tally/tally.h>

#include "devices.h"
#include "doclist.h"
#include "journal.h"

/* An entry taken apart; the texts end in NULs and live in `texts`. */
struct journal_item {
  struct tally_conflict conflict;
  struct arena texts;
  struct tally_slice lost_value; /* data NULL: absent */
  struct stamp lost_stamp, won_stamp;
  bool there;             /* see struct journal */
  const char *collection; /* that the entry is in; static */
  unsigned char rev[TALLY_REV_SIZE];
};

/* May keep the item: by a copy of it, and no texts left in the original. */
typedef int journal_item_fn (void *ctx, struct journal_item *item,
                             struct tally_error *err);

/* Calls fn for all entries, or for these, and TALLY_NOTFOUND when one is not
 * there; what fn returns but TALLY_OK ends it.  An entry whose merge never
 * happened is not there. */
int journal_each (struct replica *replica, struct device_book *book,
                  const char *const *ids, size_t n, journal_item_fn *fn,
                  void *ctx, struct tally_error *err);

#endif /* TALLY_JOURNAL_READ_H */
