/* SPDX-License-Identifier: MIT */
/* A list without an index: puts come in the order of the reads before them. */

#include <stdlib.h>
#include <string.h>

#include "linvo-absent.h"

/* Some of what was read may not be put. */
#define LOOK_AHEAD 64

bool
linvo_absent_init (struct linvo_absent *absent)
{
  atomic_init (&absent->moves, 0);
  absent->as_of = 1;
  return pthread_mutex_init (&absent->lock, NULL) == 0;
}

void
linvo_absent_free (struct linvo_absent *absent)
{
  free (absent->ids);
  pthread_mutex_destroy (&absent->lock);
}

void
linvo_absent_moves (struct linvo_absent *absent)
{
  atomic_fetch_add (&absent->moves, 1);
}

void
linvo_absence_begin (struct linvo_absence *absence,
                     struct linvo_absent *absent)
{
  memset (absence, 0, sizeof *absence);
  absence->as_of = atomic_load (&absent->moves);
}

/* Without memory there is nothing to know, which is no failure. */
void
linvo_absence_note (struct linvo_absence *absence,
                    const struct tally_slice *id)
{
  size_t wanted = absence->size + 2 + id->size;

  if (absence->as_of % 2 != 0 || id->size > TALLY_ID_MAX
      || wanted > LINVO_ABSENT_BYTES)
    return;
  if (wanted > absence->room) {
    size_t room = 2 * wanted + 256;
    char *ids = realloc (absence->ids, room);

    if (!ids)
      return;
    absence->ids = ids;
    absence->room = room;
  }
  absence->ids[absence->size] = (char) (id->size >> 8);
  absence->ids[absence->size + 1] = (char) (id->size & 0xff);
  memcpy (absence->ids + absence->size + 2, id->data, id->size);
  absence->size = wanted;
}

void
linvo_absence_end (struct linvo_absence *absence, struct linvo_absent *absent,
                   uint32_t number)
{
  char *former;

  if (absence->size == 0)
    return;
  pthread_mutex_lock (&absent->lock);
  former = absent->ids;
  absent->ids = absence->ids;
  absent->size = absence->size;
  absent->as_of = absence->as_of;
  absent->number = number;
  pthread_mutex_unlock (&absent->lock);
  free (former);
}

bool
linvo_absent_take (struct linvo_absent *absent, uint32_t *number,
                   struct linvo_absence *out)
{
  bool holds;

  memset (out, 0, sizeof *out);
  pthread_mutex_lock (&absent->lock);
  holds = absent->as_of == atomic_load (&absent->moves);
  out->ids = absent->ids;
  out->size = absent->size;
  *number = absent->number;
  absent->ids = NULL;
  absent->size = 0;
  absent->as_of = 1;
  pthread_mutex_unlock (&absent->lock);
  return holds;
}

bool
linvo_absence_next_is (const struct linvo_absence *absence, size_t *at,
                       const struct tally_slice *id)
{
  size_t i = *at;

  for (unsigned n = 0; n < LOOK_AHEAD && i < absence->size; n++) {
    const unsigned char *head = (const unsigned char *) absence->ids + i;
    size_t size = (size_t) head[0] << 8 | head[1];

    i += 2 + size;
    if (size == id->size && memcmp (head + 2, id->data, size) == 0) {
      *at = i;
      return true;
    }
  }
  return false;
}
