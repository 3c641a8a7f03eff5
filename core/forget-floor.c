/* SPDX-License-Identifier: MIT */
/* The note floor/COLLECTION:
 * {"floor":seq,"graves":n,"marks":[[ms,seq]],"swept":seq}. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "error.h"
#include "forget-internal.h"
#include "json.h"
#include "notejson.h"

#define KEY_SIZE (6 + COLLECTION_TEXT_MAX)

static void
make_key (char key[KEY_SIZE], const char *collection)
{
  snprintf (key, KEY_SIZE, "floor/%s", collection);
}

static bool
read_mark (struct floor *floor, struct tally_slice pair)
{
  struct mark *mark = &floor->marks[floor->n_marks];
  struct tally_slice ms, seq;

  if (floor->n_marks == MARKS_MAX || !json_next_element (&pair, &ms)
      || !json_next_element (&pair, &seq) || !note_number (ms, &mark->ms)
      || !note_number (seq, &mark->seq))
    return false;
  floor->n_marks++;
  return true;
}

static bool
read_note (struct floor *floor, struct tally_slice note)
{
  struct tally_slice number, graves, swept, marks, mark;

  if (!json_is_canonical (note.data, note.size)
      || !json_find_member (note, slice_text ("floor"), &number)
      || !note_number (number, &floor->floor)
      || !json_find_member (note, slice_text ("swept"), &swept)
      || !note_number (swept, &floor->swept)
      || !json_find_member (note, slice_text ("marks"), &marks))
    return false;
  if (json_find_member (note, slice_text ("graves"), &graves)
      && !note_number (graves, &floor->graves))
    return false;
  while (json_next_element (&marks, &mark))
    if (!read_mark (floor, mark))
      return false;
  return true;
}

void
floor_free (struct floor *floor)
{
  buf_free (&floor->saved);
}

int
floor_load (struct floor *floor, struct replica *replica,
            const char *collection, struct tally_error *err)
{
  char key[KEY_SIZE];
  int status;

  memset (floor, 0, sizeof *floor);
  make_key (key, collection);
  status = replica_note_get (replica, key, &floor->saved, &floor->exists, err);
  if (status == TALLY_OK && floor->exists
      && !read_note (floor, buf_slice (&floor->saved)))
    status = error_set (err, TALLY_CORRUPT, "%s: its note %s is damaged",
                        replica->name, key);
  if (status != TALLY_OK)
    floor_free (floor);
  return status;
}

int
floor_save (struct floor *floor, struct replica *replica,
            const char *collection, struct tally_error *err)
{
  char key[KEY_SIZE];
  struct buf note = BUF_INIT;
  struct tally_slice before = slice_make (NULL, 0), after;
  int status;

  make_key (key, collection);
  buf_addf (&note, "{\"floor\":%llu,\"graves\":%llu,\"marks\":[",
            (unsigned long long) floor->floor,
            (unsigned long long) floor->graves);
  for (size_t i = 0; i < floor->n_marks; i++)
    buf_addf (&note, "%s[%llu,%llu]", i ? "," : "",
              (unsigned long long) floor->marks[i].ms,
              (unsigned long long) floor->marks[i].seq);
  buf_addf (&note, "],\"swept\":%llu}", (unsigned long long) floor->swept);
  if (floor->exists)
    before = buf_slice (&floor->saved);
  after = buf_slice (&note);
  status = note.failed ? error_nomem (err)
                       : replica_note_put (replica, key, &before, &after, err);
  if (status != TALLY_OK) {
    buf_free (&note);
    return status;
  }
  buf_free (&floor->saved);
  floor->saved = note;
  floor->exists = true;
  return TALLY_OK;
}

int
forget_floor (struct replica *replica, const char *collection, uint64_t *out,
              struct tally_error *err)
{
  struct floor floor;
  int status = floor_load (&floor, replica, collection, err);

  if (status != TALLY_OK)
    return status;
  *out = floor.floor;
  floor_free (&floor);
  return TALLY_OK;
}

uint64_t
floor_expire (struct floor *floor, const struct replica *replica,
              uint64_t head, bool *marked)
{
  uint64_t now = replica_wall_ms (replica), keep = replica->keep_deleted_ms;
  uint64_t expired = 0;
  size_t old = 0;

  if (keep == 0)
    return 0;
  while (floor->n_marks > 0 && floor->marks[floor->n_marks - 1].ms > now)
    floor->n_marks--;
  while (old < floor->n_marks && floor->marks[old].ms + keep <= now)
    expired = floor->marks[old++].seq;
  memmove (floor->marks, floor->marks + old,
           (floor->n_marks - old) * sizeof *floor->marks);
  floor->n_marks -= old;
  *marked = old > 0;
  if (floor->n_marks < MARKS_MAX
      && (floor->n_marks == 0
          || now - floor->marks[floor->n_marks - 1].ms >= keep / MARKS)) {
    floor->marks[floor->n_marks++] = (struct mark){ now, head };
    *marked = true;
  }
  return expired;
}
