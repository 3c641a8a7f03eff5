/* SPDX-License-Identifier: MIT */
/* Age is time that passed while the clock could be believed: a jump counts
 * for a week at most, unless another clock agreed with ours before and after
 * it.  So a device that is a year ahead for a day loses no entry by it, and
 * one that was a year behind when it made them does not, either. */

#include <config.h>

#include <string.h>

#include "journal-ledger.h"
#include "json.h"
#include "notejson.h"
#include "slice.h"

#define JUMP_MS (UINT64_C (7) * 24 * 60 * 60 * 1000)

/* ---- the note ----------------------------------------------------------- */

static bool
read_number (uint64_t *out, struct tally_slice note, const char *name)
{
  struct tally_slice value;

  return json_find_member (note, slice_text (name), &value)
         && note_number (value, out);
}

static bool
read_marks (struct ledger *ledger, struct tally_slice note)
{
  struct tally_slice list, mark, age, seq;

  if (!json_find_member (note, slice_text ("marks"), &list))
    return false;
  while (json_next_element (&list, &mark)) {
    struct ledger_mark *out = &ledger->marks[ledger->n_marks];

    if (ledger->n_marks == LEDGER_MARKS_MAX || !json_next_element (&mark, &age)
        || !json_next_element (&mark, &seq) || !note_number (age, &out->age_ms)
        || !note_number (seq, &out->seq))
      return false;
    ledger->n_marks++;
  }
  return true;
}

void
ledger_read (struct ledger *ledger, struct tally_slice note)
{
  uint64_t sure = 0;

  memset (ledger, 0, sizeof *ledger);
  if (json_is_canonical (note.data, note.size)
      && read_number (&ledger->age_ms, note, "age")
      && read_number (&ledger->wall_ms, note, "wall")
      && read_number (&ledger->count, note, "count")
      && read_number (&ledger->seq, note, "seq")
      && read_number (&ledger->dropped, note, "dropped")
      && read_number (&ledger->recent, note, "recent")
      && read_number (&sure, note, "sure") && read_marks (ledger, note))
    ledger->sure = sure;
  else
    memset (ledger, 0, sizeof *ledger);
}

void
ledger_write (const struct ledger *ledger, struct buf *out)
{
  buf_addf (out, "{\"age\":%llu,\"count\":%llu,\"dropped\":%llu,\"marks\":[",
            (unsigned long long) ledger->age_ms,
            (unsigned long long) ledger->count,
            (unsigned long long) ledger->dropped);
  for (size_t i = 0; i < ledger->n_marks; i++)
    buf_addf (out, "%s[%llu,%llu]", i > 0 ? "," : "",
              (unsigned long long) ledger->marks[i].age_ms,
              (unsigned long long) ledger->marks[i].seq);
  buf_addf (out, "],\"recent\":%llu,\"seq\":%llu,\"sure\":%d,\"wall\":%llu}",
            (unsigned long long) ledger->recent,
            (unsigned long long) ledger->seq, ledger->sure,
            (unsigned long long) ledger->wall_ms);
}

/* ---- age ---------------------------------------------------------------- */

/* The first time there is nothing to grow from. */
void
ledger_grow (struct ledger *ledger, uint64_t wall_ms, bool sure)
{
  uint64_t passed = 0;

  if (ledger->wall_ms > 0 && wall_ms > ledger->wall_ms)
    passed = wall_ms - ledger->wall_ms;
  if (passed > JUMP_MS && !(sure && ledger->sure))
    passed = JUMP_MS;
  ledger->age_ms += passed;
  ledger->wall_ms = wall_ms;
  ledger->sure = sure;
}

bool
ledger_mark (struct ledger *ledger, uint64_t life_ms)
{
  const struct ledger_mark *last =
      ledger->n_marks > 0 ? &ledger->marks[ledger->n_marks - 1] : NULL;

  if (ledger->seq == 0 || (last && last->seq == ledger->seq)
      || (last && ledger->age_ms < last->age_ms + life_ms / LEDGER_MARKS))
    return false;
  if (ledger->n_marks == LEDGER_MARKS_MAX)
    memmove (ledger->marks, ledger->marks + 1,
             --ledger->n_marks * sizeof *ledger->marks);
  ledger->marks[ledger->n_marks].age_ms = ledger->age_ms;
  ledger->marks[ledger->n_marks++].seq = ledger->seq;
  return true;
}

uint64_t
ledger_older (const struct ledger *ledger, uint64_t ms)
{
  uint64_t seq = 0;

  for (size_t i = 0; i < ledger->n_marks; i++)
    if (ledger->marks[i].age_ms + ms <= ledger->age_ms)
      seq = ledger->marks[i].seq;
  return seq;
}

void
ledger_forget (struct ledger *ledger, uint64_t seq)
{
  size_t n = 0;

  while (n < ledger->n_marks && ledger->marks[n].seq <= seq)
    n++;
  ledger->n_marks -= n;
  memmove (ledger->marks, ledger->marks + n,
           ledger->n_marks * sizeof *ledger->marks);
}
