/* SPDX-License-Identifier: MIT */
/* The note floor/COLLECTION:
 * {"floor":seq,"graves":n,"marks":[[ms,seq]],"swept":seq}.
 * Up to `swept` there is nothing left to forget; so many graves were made
 * since they were last counted.  The marks say which seqs
 * were there at which time: stamps are no measure of age, since whoever wrote
 * them may have had another time. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doclist.h"
#include "error.h"
#include "forget.h"
#include "graves.h"
#include "json.h"
#include "namelist.h"
#include "notejson.h"
#include "pair.h"

#define KEY_SIZE (6 + COLLECTION_TEXT_MAX)
#define FORGET_BATCH 1024
/* So many marks lie in one keep_deleted. */
#define MARKS 8
#define MARKS_MAX (2 * MARKS)
/* Having looked at so many changes in vain is worth a note. */
#define SWEPT_STEP 1024

struct mark {
  uint64_t ms, seq;
};

struct floor {
  uint64_t floor, swept, graves;
  struct mark marks[MARKS_MAX]; /* oldest first */
  size_t n_marks;
  bool exists;
  struct buf saved;
};

/* ---- the note ----------------------------------------------------------- */

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

static void
floor_free (struct floor *floor)
{
  buf_free (&floor->saved);
}

static int
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

/* TALLY_CONFLICT: somebody else is at it, who does the same. */
static int
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

/* ---- who has what ------------------------------------------------------- */

struct holders {
  struct replica *replica;
  const char *collection;
  bool clock_confirmed;
  uint64_t least;
  uint64_t given; /* up to which seq the folders have been given all */
  size_t count;
};

/* Or a pair that never met. */
static bool
is_folder (const struct pair *pair)
{
  return pair->role == PAIR_CLIENT && !pair->current.set;
}

static bool
is_expired (const struct holders *holders, const struct pair *pair)
{
  uint64_t now = replica_wall_ms (holders->replica);

  return holders->clock_confirmed && !pair->unsure && !is_folder (pair)
         && holders->replica->keep_deleted_ms > 0
         && pair->contact_ms + holders->replica->keep_deleted_ms < now;
}

/* The time counts from here on, where nobody knows what it was. */
static int
settle_contact (struct holders *holders, struct pair *pair,
                struct tally_error *err)
{
  int status;

  if (!pair->unsure || !holders->clock_confirmed)
    return TALLY_OK;
  pair_meet (pair, holders->replica);
  status = pair->unsure ? TALLY_OK : pair_save (pair, holders->replica, err);
  /* A run of this pair does the same. */
  return status == TALLY_AGAIN ? TALLY_OK : status;
}

/* A pair whose deletes never travel, and a collection that it does not sync,
 * hold nothing back.  Neither does one that was away for too long: it stays
 * registered and compares when it is back. */
static void
count_holder (struct holders *holders, struct pair *pair)
{
  const struct pair_cursor *cursor = pair_cursor (pair, holders->collection);
  uint64_t has, least_held;

  if (!pair->counts || !cursor || is_expired (holders, pair))
    return;
  has = cursor->local;
  /* The cursor went past what they refuse. */
  least_held = held_least_seq (&pair->held, holders->collection);
  if (least_held <= has)
    has = least_held - 1;
  /* What lies in a folder was not read by everybody yet.  And nobody compares
   * with it: what was deleted would come out of it again, so a tombstone waits
   * until it is there, however old; but not for a link that never gives. */
  if (is_folder (pair)) {
    if (has > 0 && has < holders->given)
      holders->given = has;
    has = 0;
  }
  holders->count++;
  if (has < holders->least)
    holders->least = has;
}

static int
count_holders (struct holders *holders, enum pair_role role,
               struct tally_error *err)
{
  struct namelist keys = NAMELIST_INIT;
  int status = replica_note_list (holders->replica, pair_prefix (role),
                                  namelist_emit, &keys, err);

  if (status == TALLY_OK && keys.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < keys.count && status == TALLY_OK; i++) {
    unsigned char id[REPLICA_ID_SIZE];
    struct pair pair;

    if (!replica_id_from_text (
            id, slice_text (keys.names[i] + strlen (pair_prefix (role)))))
      continue;
    status = pair_load (&pair, holders->replica, role, id, err);
    if (status != TALLY_OK)
      break;
    status = settle_contact (holders, &pair, err);
    count_holder (holders, &pair);
    pair_free (&pair);
  }
  namelist_free (&keys);
  return status;
}

/* ---- age ---------------------------------------------------------------- */

/* Up to which seq everything is older than keep_deleted; *marked says that
 * the marks changed. */
static uint64_t
expire (struct floor *floor, const struct replica *replica, uint64_t head,
        bool *marked)
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

/* ---- sweeping ----------------------------------------------------------- */

struct sweep {
  struct doclist tombstones;
  uint64_t limit;
  uint64_t last; /* looked at */
  bool more;
};

static int
collect_tombstone (void *ctx, const struct tally_doc *doc)
{
  struct sweep *sweep = ctx;
  struct tally_doc header = *doc;

  if (doc->seq > sweep->limit)
    return 1;
  if (sweep->tombstones.count == FORGET_BATCH) {
    sweep->more = true;
    return 1;
  }
  sweep->last = doc->seq;
  header.meta = header.body = slice_make (NULL, 0);
  if (doc->flags & TALLY_DOC_DELETED)
    return !doclist_add (&sweep->tombstones, &header);
  return 0;
}

/* Each leaves a grave, in the same put or before it.  A tombstone that was
 * written over meanwhile stays. */
static int
forget_batch (struct floor *floor, struct replica *replica,
              const char *collection, const struct doclist *tombstones,
              struct tally_error *err)
{
  struct doclist graves = DOCLIST_INIT;
  int status = graves_make (&graves, replica, collection, tombstones, err);
  size_t n = graves.count + tombstones->count;
  struct tally_entry *entries = calloc (n + 1, sizeof *entries);
  struct tally_outcome *outcomes = calloc (n + 1, sizeof *outcomes);

  if (status == TALLY_OK && (!entries || !outcomes))
    status = error_nomem (err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    if (i < graves.count) {
      entries[i].collection = GRAVES_COLLECTION;
      entries[i].doc = graves.docs[i];
    } else {
      const struct tally_doc *doc = &tombstones->docs[i - graves.count];

      entries[i].collection = collection;
      entries[i].flags = TALLY_ENTRY_FORGET;
      entries[i].expected = doc->rev;
      entries[i].doc.id = doc->id;
    }
  if (status == TALLY_OK)
    status = replica_put (replica, entries, n, 0, outcomes, err);
  floor->graves += graves.count;
  free (outcomes);
  free (entries);
  doclist_free (&graves);
  return status;
}

static int
prune_graves (struct floor *floor, struct replica *replica,
              struct tally_error *err)
{
  if (floor->graves < GRAVES_SWEEP)
    return TALLY_OK;
  floor->graves = 0;
  return graves_prune (replica, GRAVES_MAX, err);
}

/* A document that is made anew once its tombstone is forgotten must be stamped
 * above it, or it loses to the tombstone where that is still kept.  One that
 * is too far ahead of our clock stays, and so does all behind it. */
static int
pass_stamps (struct replica *replica, struct sweep *sweep,
             struct tally_error *err)
{
  struct doclist *found = &sweep->tombstones;
  uint64_t ahead = replica_wall_ms (replica) + replica->max_skew_ms;
  struct stamp greatest = { { 0 } };

  for (size_t i = 0; i < found->count; i++) {
    struct stamp newest;

    memcpy (newest.bytes, found->docs[i].rev, STAMP_SIZE);
    if (stamp_ms (&newest) > ahead) {
      sweep->limit = found->docs[i].seq - 1;
      sweep->more = false;
      found->count = i;
    } else if (stamp_cmp (&newest, &greatest) > 0)
      greatest = newest;
  }
  return found->count > 0 ? replica_pass (replica, &greatest, err) : TALLY_OK;
}

/* The floor is durable before what it tells of is gone. */
static int
sweep_batch (struct floor *floor, struct replica *replica,
             const char *collection, struct sweep *sweep,
             struct tally_error *err)
{
  const struct doclist *found = &sweep->tombstones;
  int status = pass_stamps (replica, sweep, err);

  if (status != TALLY_OK || found->count == 0)
    return status;
  if (floor->floor < found->docs[found->count - 1].seq) {
    floor->floor = found->docs[found->count - 1].seq;
    status = floor_save (floor, replica, collection, err);
  }
  if (status == TALLY_OK)
    status = forget_batch (floor, replica, collection, found, err);
  if (status == TALLY_OK)
    status = prune_graves (floor, replica, err);
  return status;
}

static int
sweep_up_to (struct floor *floor, struct replica *replica,
             const char *collection, uint64_t limit, bool marked,
             struct tally_error *err)
{
  struct sweep sweep = { .limit = limit, .more = true };
  uint64_t from = replica_live_up_to (replica, floor->swept), head;
  bool forgot = false;
  int status = TALLY_OK;

  if (from > limit)
    from = limit;
  while (status == TALLY_OK && sweep.more && from < sweep.limit) {
    sweep.more = false;
    sweep.last = from;
    doclist_clear (&sweep.tombstones);
    status = replica_changes (replica, collection, from, collect_tombstone,
                              &sweep, &head, err);
    if (status == TALLY_OK && sweep.tombstones.failed)
      status = error_nomem (err);
    if (status == TALLY_OK)
      status = sweep_batch (floor, replica, collection, &sweep, err);
    forgot |= sweep.tombstones.count > 0;
    from = sweep.more ? sweep.last : sweep.limit;
  }
  doclist_free (&sweep.tombstones);
  if (status != TALLY_OK
      || !(forgot || marked || from >= floor->swept + SWEPT_STEP))
    return status;
  if (from > floor->swept)
    floor->swept = from;
  return floor_save (floor, replica, collection, err);
}

/* ---- all of it ---------------------------------------------------------- */

static int
stop_at_once (void *ctx, const struct tally_doc *doc)
{
  (void) ctx;
  (void) doc;
  return 1;
}

int
forget_tombstones (struct replica *replica, const char *collection,
                   bool clock_confirmed, struct tally_error *err)
{
  struct holders holders = { replica,    collection, clock_confirmed,
                             UINT64_MAX, UINT64_MAX, 0 };
  struct floor floor;
  uint64_t head, limit, expired = 0;
  bool marked = false;
  int status = floor_load (&floor, replica, collection, err);

  if (status != TALLY_OK)
    return status;
  /* First the head: what is deleted behind it may be news to somebody who
   * registers only now. */
  status =
      replica_changes (replica, collection, 0, stop_at_once, NULL, &head, err);
  if (status == TALLY_OK)
    status = count_holders (&holders, PAIR_CLIENT, err);
  if (status == TALLY_OK)
    status = count_holders (&holders, PAIR_SERVER, err);
  if (status == TALLY_OK && clock_confirmed)
    expired = expire (&floor, replica, head, &marked);
  if (expired > holders.given)
    expired = holders.given;
  limit = holders.least < head ? holders.least : head;
  if (limit < expired)
    limit = expired;
  if (status == TALLY_OK && (marked || limit > floor.swept))
    status = sweep_up_to (&floor, replica, collection, limit, marked, err);
  floor_free (&floor);
  return status == TALLY_CONFLICT ? TALLY_OK : status;
}
