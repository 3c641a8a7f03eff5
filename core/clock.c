/* SPDX-License-Identifier: MIT */
/* What time a store has.  The clock note is a time that no stamp has reached
 * yet, and the client whose clock it is: a process reserves a span of it,
 * durably and before it gives the first stamp of it, so neither a crash nor a
 * second process gives one twice.  It is also never long behind the time at
 * which something from elsewhere was taken, so that one look at it tells
 * whether the store may hold stamps that are beyond the wall: then its clock
 * was wrong, and repair.c puts that right. */

#include <config.h>

#include "clock-note.h"
#include "duration.h"
#include "error.h"

/* The longest span.  The first is a millisecond, and each is twice the one
 * before: what a process does not use is lost, and many short ones would
 * otherwise drive the clock ahead of the wall. */
#define CLOCK_SPAN_MS 250
/* A document that was written faster than time goes waits beyond this. */
#define AHEAD_MS 60000
/* So long after a hello a clock is taken for right. */
#define AGREED_MS (10 * 60 * 1000)
/* The note is at most this far behind what was taken. */
#define MARK_MS 60000
/* Whoever follows a peer that is ahead by all of max_skew gets this far. */
#define MARGIN_MS 1000

/* ---- the client --------------------------------------------------------- */

bool
clock_witness (struct replica *replica, uint64_t until_ms)
{
  struct witness now = { true, until_ms, replica->clock.client };

  if (!replica->witness)
    return witness_write (&now, replica->path);
  *replica->witness = now;
  return true;
}

/* Another process may have drawn a fresh client, and turned the clock back
 * for it: whoever goes on under the former one would give stamps that
 * documents say they have seen. */
static int
follow_client (struct replica *replica, const struct clock_note *note,
               struct tally_error *err)
{
  uint32_t had = replica->clock.client;
  int status;

  if (note->client > HLC_CLIENT_MAX || note->client == had)
    return TALLY_OK;
  status = identity_follow (replica, err);
  if (status == TALLY_OK && replica->clock.client != had) {
    replica->clock.ms = 0;
    replica->clock.counter = -1;
    replica->clock_until_ms = replica->clock_span_ms = 0;
  }
  return status;
}

/* ---- spans -------------------------------------------------------------- */

static int
clock_ends (const struct replica *replica, struct tally_error *err)
{
  return error_set (err, TALLY_FAILED,
                    "%s: its clock is beyond the year "
                    "2109",
                    replica->name);
}

static uint64_t
next_span (const struct replica *replica)
{
  uint64_t span = replica->clock_span_ms * 2;

  if (span == 0)
    return 1;
  return span < CLOCK_SPAN_MS ? span : CLOCK_SPAN_MS;
}

static bool
is_beyond (const struct replica *replica, uint64_t until_ms, uint64_t wall)
{
  return until_ms > wall + replica->max_skew_ms + MARGIN_MS;
}

/* Once: whoever looks at the clock now loses nothing yet. */
static void
warn_behind (struct replica *replica, uint64_t until_ms, uint64_t wall)
{
  const struct tally_host *host = replica->host;
  struct tally_error line;
  char far[DURATION_TEXT];

  if (replica->warned_behind || !is_beyond (replica, until_ms, wall))
    return;
  replica->warned_behind = true;
  if (!host || !host->log)
    return;
  duration_text (far, until_ms - wall);
  error_set (&line, TALLY_FAILED,
             "%s: the clock of this machine is %s behind the time when the "
             "store was last written to; one of the two was wrong",
             replica->name, far);
  host->log (host->ctx, 1, line.text);
}

static uint64_t
later (uint64_t a, uint64_t b)
{
  return a > b ? a : b;
}

/* Moves the clock to a span of time that nobody else gives stamps from. */
static int
reserve_span (struct replica *replica, uint64_t wall, struct tally_error *err)
{
  struct clock_note note = { BUF_INIT, false, 0, 0 };
  uint64_t from, span;
  int status;

  do {
    status = clock_note_load (&note, replica, err);
    if (status == TALLY_OK)
      status = follow_client (replica, &note, err);
    if (status != TALLY_OK)
      break;
    warn_behind (replica, note.until_ms, wall);
    from = later (later (wall, replica->clock.ms), note.until_ms + 1);
    span = next_span (replica);
    /* A wall clock that is wrong for once must not be saved. */
    status = from + span > HLC_MS_MAX
                 ? clock_ends (replica, err)
                 : clock_note_save (&note, replica, from + span, err);
  } while (status == TALLY_CONFLICT);
  if (status == TALLY_OK) {
    if (replica->clock.ms < from) {
      replica->clock.ms = from;
      replica->clock.counter = -1;
    }
    clock_witness (replica, from + span);
    replica->clock_until_ms = replica->clock_noted_ms = from + span;
    replica->clock_span_ms = span;
  }
  buf_free (&note.bytes);
  return status;
}

/* Who runs ahead of the wall has a span for long: it asks each time. */
static int
check_client (struct replica *replica, uint64_t wall, struct tally_error *err)
{
  struct clock_note note = { BUF_INIT, false, 0, 0 };
  int status;

  if (replica->clock.ms <= wall + replica->max_skew_ms)
    return TALLY_OK;
  status = clock_note_load (&note, replica, err);
  if (status == TALLY_OK)
    status = follow_client (replica, &note, err);
  if (status == TALLY_OK)
    warn_behind (replica, note.until_ms, wall);
  buf_free (&note.bytes);
  return status;
}

static int
clock_next (struct replica *replica, uint64_t wall, struct stamp *out,
            struct tally_error *err)
{
  int status = check_client (replica, wall, err);

  /* One more for a counter that is full. */
  if (status == TALLY_OK
      && later (wall, replica->clock.ms) + 1 > replica->clock_until_ms)
    status = reserve_span (replica, wall, err);
  if (status != TALLY_OK)
    return status;
  return hlc_next (&replica->clock, wall, out) ? TALLY_OK
                                               : clock_ends (replica, err);
}

/* ---- stamps ------------------------------------------------------------- */

/* At least one millisecond past the document's newest, so that clients that
 * see milliseconds only see it rise.  The bump is the document's own and does
 * not move the clock. */
static int
bump (struct replica *replica, uint64_t wall, const struct stamp *newest,
      struct stamp *stamp, struct tally_error *err)
{
  uint64_t ms = stamp_ms (newest);
  uint32_t counter = stamp_counter (newest);
  bool made;

  if (stamp_ms (stamp) > ms)
    return TALLY_OK;
  if (ms > wall + replica->max_skew_ms && counter < HLC_COUNTER_MAX)
    made = stamp_make (stamp, ms, counter + 1, replica->clock.client);
  else
    made = stamp_make (stamp, ms + 1, 0, replica->clock.client);
  if (made)
    return TALLY_OK;
  return error_set (err, TALLY_FAILED,
                    "%s: a document's clock is beyond the "
                    "year 2109",
                    replica->name);
}

int
replica_stamp (struct replica *replica, const struct stamp *newest,
               struct stamp *out, struct tally_error *err)
{
  uint64_t wall = replica_wall_ms (replica);
  int status;

  pthread_mutex_lock (&replica->identity_lock);
  status = clock_next (replica, wall, out, err);
  if (status == TALLY_OK && newest)
    status = bump (replica, wall, newest, out, err);
  pthread_mutex_unlock (&replica->identity_lock);
  /* As fast as time goes, it gets no further ahead. */
  if (status == TALLY_OK && newest && stamp_ms (out) > wall + AHEAD_MS
      && stamp_ms (out) <= wall + replica->max_skew_ms)
    replica->time.sleep_ms (replica->time.ctx, 1);
  return status;
}

void
replica_seen (struct replica *replica, const struct stamp *stamp)
{
  uint64_t wall = replica_wall_ms (replica);

  if (stamp_ms (stamp) > wall + replica->max_skew_ms)
    return;
  pthread_mutex_lock (&replica->identity_lock);
  hlc_seen (&replica->clock, wall, stamp);
  pthread_mutex_unlock (&replica->identity_lock);
}

int
replica_pass (struct replica *replica, const struct stamp *stamp,
              struct tally_error *err)
{
  int status = TALLY_OK;

  replica_seen (replica, stamp);
  pthread_mutex_lock (&replica->identity_lock);
  if (replica->clock.ms + 1 > replica->clock_until_ms)
    status = reserve_span (replica, replica_wall_ms (replica), err);
  pthread_mutex_unlock (&replica->identity_lock);
  return status;
}

int
clock_rename (struct replica *replica, struct tally_error *err)
{
  int status = identity_renew (replica, err);

  pthread_mutex_lock (&replica->identity_lock);
  if (status == TALLY_OK)
    status = reserve_span (replica, replica_wall_ms (replica), err);
  pthread_mutex_unlock (&replica->identity_lock);
  return status;
}

/* ---- a store that was rolled back --------------------------------------- */

static bool
is_ours (const struct replica *replica, uint32_t client)
{
  for (size_t i = 0; i < replica->n_clients; i++)
    if (replica->clients[i] == client)
      return true;
  return false;
}

int
clock_was_rolled_back (struct replica *replica, bool *rolled_back,
                       struct tally_error *err)
{
  struct clock_note note = { BUF_INIT, false, 0, 0 };
  struct witness witness = { false, 0, 0 };
  int status = TALLY_OK;

  *rolled_back = false;
  if (replica->witness)
    witness = *replica->witness;
  else
    witness_read (&witness, replica->path);
  if (!witness.set) {
    *rolled_back = replica->remembered;
    return TALLY_OK;
  }
  if (!is_ours (replica, witness.client)) {
    *rolled_back = true;
    return TALLY_OK;
  }
  if (witness.client != replica->clock.client)
    return TALLY_OK;
  status = clock_note_load (&note, replica, err);
  *rolled_back = status == TALLY_OK && witness.until_ms > note.until_ms;
  buf_free (&note.bytes);
  return status;
}

/* ---- other clocks ------------------------------------------------------- */

bool
replica_agrees (const struct replica *replica, uint64_t far_wall_ms)
{
  uint64_t wall = replica_wall_ms (replica);
  uint64_t skew = far_wall_ms > wall ? far_wall_ms - wall : wall - far_wall_ms;

  return skew <= replica->max_skew_ms;
}

void
replica_compare_clock (struct replica *replica, uint64_t far_wall_ms)
{
  bool agrees = replica_agrees (replica, far_wall_ms);

  pthread_mutex_lock (&replica->identity_lock);
  replica->agreed_ms = agrees ? replica_wall_ms (replica) : 0;
  pthread_mutex_unlock (&replica->identity_lock);
}

bool
replica_clock_agrees (struct replica *replica)
{
  uint64_t wall = replica_wall_ms (replica);
  uint64_t agreed;

  pthread_mutex_lock (&replica->identity_lock);
  agreed = replica->agreed_ms;
  pthread_mutex_unlock (&replica->identity_lock);
  return agreed > 0 && agreed <= wall && wall - agreed < AGREED_MS;
}

/* ---- a clock that was wrong --------------------------------------------- */

int
replica_mark (struct replica *replica, uint64_t wall, struct tally_error *err)
{
  struct clock_note note = { BUF_INIT, false, 0, 0 };
  uint64_t noted;
  int status = TALLY_OK;

  pthread_mutex_lock (&replica->identity_lock);
  noted = replica->clock_noted_ms;
  if (wall > noted + MARK_MS || noted > wall + MARK_MS) {
    status = clock_note_load (&note, replica, err);
    if (status == TALLY_OK && wall > note.until_ms + MARK_MS)
      status = reserve_span (replica, wall, err);
    else if (status == TALLY_OK)
      replica->clock_noted_ms = note.until_ms;
    buf_free (&note.bytes);
  }
  pthread_mutex_unlock (&replica->identity_lock);
  return status;
}

int
replica_is_ahead (struct replica *replica, bool *ahead,
                  struct tally_error *err)
{
  struct clock_note note = { BUF_INIT, false, 0, 0 };
  int status =
      replica_note_get (replica, REPAIR_NOTE, &note.bytes, ahead, err);

  if (status == TALLY_OK && !*ahead) {
    status = clock_note_load (&note, replica, err);
    *ahead = status == TALLY_OK
             && is_beyond (replica, note.until_ms, replica_wall_ms (replica));
  }
  buf_free (&note.bytes);
  return status;
}

/* Nothing is given twice: nobody has had a stamp of the fresh client. */
static int
turn_back (struct replica *replica, struct tally_error *err)
{
  struct clock_note note = { BUF_INIT, false, 0, 0 };
  uint64_t wall = replica_wall_ms (replica), until;
  int status;

  pthread_mutex_lock (&replica->identity_lock);
  replica->clock.ms = 0;
  replica->clock.counter = -1;
  replica->clock_until_ms = replica->clock_span_ms = 0;
  replica->clock_noted_ms = wall;
  do {
    status = clock_note_load (&note, replica, err);
    until = is_beyond (replica, note.until_ms, wall) ? wall : note.until_ms;
    if (status == TALLY_OK)
      status = clock_note_save (&note, replica, until, err);
  } while (status == TALLY_CONFLICT);
  if (status == TALLY_OK)
    clock_witness (replica, until);
  pthread_mutex_unlock (&replica->identity_lock);
  buf_free (&note.bytes);
  return status;
}

int
clock_restart (struct replica *replica, struct tally_error *err)
{
  struct tally_slice start = slice_text (" 0");
  struct clock_note note = { BUF_INIT, false, 0, 0 };
  bool found;
  int status = clock_note_load (&note, replica, err);
  bool beyond = is_beyond (replica, note.until_ms, replica_wall_ms (replica));

  if (status == TALLY_OK)
    status = replica_note_get (replica, REPAIR_NOTE, &note.bytes, &found, err);
  buf_free (&note.bytes);
  if (status != TALLY_OK || (found && !beyond))
    return status;
  status = replica_note_put (replica, REPAIR_NOTE, NULL, &start, err);
  if (status == TALLY_OK)
    status = identity_renew (replica, err);
  if (status == TALLY_OK)
    status = turn_back (replica, err);
  return status;
}
