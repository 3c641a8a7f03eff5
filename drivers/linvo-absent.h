/* SPDX-License-Identifier: MIT */
/* Ids that a read has just found nothing under.  Whoever writes documents
 * reads them first, so most puts of new ones follow such a read, and need not
 * look for each a second time: not there is what costs most to find out.  It
 * holds until the next write, of whatever. */

#ifndef TALLY_LINVO_ABSENT_H
#define TALLY_LINVO_ABSENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

#define LINVO_ABSENT_BYTES ((size_t) 512 << 10)

struct linvo_absent {
  /* Odd while something is written, and another number after it.  Loaded
   * before a read begins: what it finds is true as long as this stays. */
  atomic_uint_fast64_t moves;

  pthread_mutex_t lock; /* guards what follows: that of one read */
  uint64_t as_of;       /* moves; odd: it holds nothing */
  uint32_t number;      /* of the collection */
  char *ids;            /* each with its size before it, in two bytes */
  size_t size;
};

bool linvo_absent_init (struct linvo_absent *absent);
void linvo_absent_free (struct linvo_absent *absent);

/* A read of a collection begins and notes what it does not find, in a list of
 * its own, which becomes the one that is held. */
struct linvo_absence {
  uint64_t as_of;
  char *ids;
  size_t size, room;
};

void linvo_absence_begin (struct linvo_absence *absence,
                          struct linvo_absent *absent);
void linvo_absence_note (struct linvo_absence *absence,
                         const struct tally_slice *id);
void linvo_absence_end (struct linvo_absence *absence,
                        struct linvo_absent *absent, uint32_t number);

/* Takes the list, for a put: the caller frees ids.  False: nothing that still
 * holds.  Only with no write under way. */
bool linvo_absent_take (struct linvo_absent *absent, uint32_t *number,
                        struct linvo_absence *out);

/* Whether the list goes on with this id at *at, or a little behind it; then
 * *at is behind that.  Ids are put in the order in which they were read. */
bool linvo_absence_next_is (const struct linvo_absence *absence, size_t *at,
                            const struct tally_slice *id);

/* Round every write. */
void linvo_absent_moves (struct linvo_absent *absent);

#endif /* TALLY_LINVO_ABSENT_H */
