/* SPDX-License-Identifier: MIT */
/* The note "UNTIL_MS CLIENT"; UNTIL_MS alone does not say whose it is. */

#include <config.h>

#include <string.h>

#include "clock-note.h"
#include "error.h"
#include "notejson.h"

#define CLOCK_NOTE "clock"

static bool
parse_note (struct clock_note *note)
{
  struct tally_slice text = buf_slice (&note->bytes), ms = text;
  const char *space = memchr (text.data, ' ', text.size);

  note->client = UINT64_MAX;
  if (!space)
    return note_number (text, &note->until_ms);
  ms.size = (size_t) (space - text.data);
  text.data += ms.size + 1;
  text.size -= ms.size + 1;
  return note_number (ms, &note->until_ms)
         && note_number (text, &note->client);
}

int
clock_note_load (struct clock_note *note, struct replica *replica,
                 struct tally_error *err)
{
  int status;

  note->until_ms = 0;
  note->client = UINT64_MAX;
  status =
      replica_note_get (replica, CLOCK_NOTE, &note->bytes, &note->found, err);
  if (status == TALLY_OK && note->found && !parse_note (note))
    return error_set (err, TALLY_CORRUPT, "%s: its clock note is damaged",
                      replica->name);
  return status;
}

int
clock_note_save (const struct clock_note *note, struct replica *replica,
                 uint64_t until_ms, struct tally_error *err)
{
  struct tally_slice before = slice_make (NULL, 0), after;
  struct buf next = BUF_INIT;
  int status;

  buf_addf (&next, "%llu %lu", (unsigned long long) until_ms,
            (unsigned long) replica->clock.client);
  if (note->found)
    before = buf_slice (&note->bytes);
  after = buf_slice (&next);
  status = next.failed
               ? error_nomem (err)
               : replica_note_put (replica, CLOCK_NOTE, &before, &after, err);
  buf_free (&next);
  return status;
}
