/* SPDX-License-Identifier: MIT */
/* Who has what: up to which seq all who may hold an older copy have the
 * tombstones. */

#include <config.h>

#include <string.h>

#include "error.h"
#include "forget-internal.h"
#include "namelist.h"
#include "pair.h"

struct counting {
  struct replica *replica;
  const char *collection;
  bool clock_confirmed;
  struct holders *holders;
};

/* Or a pair that never met. */
static bool
is_folder (const struct pair *pair)
{
  return pair->role == PAIR_CLIENT && !pair->current.set;
}

static bool
is_expired (const struct counting *counting, const struct pair *pair)
{
  uint64_t now = replica_wall_ms (counting->replica);

  return counting->clock_confirmed && !pair->unsure && !is_folder (pair)
         && counting->replica->keep_deleted_ms > 0
         && pair->contact_ms + counting->replica->keep_deleted_ms < now;
}

/* The time counts from here on, where nobody knows what it was. */
static int
settle_contact (const struct counting *counting, struct pair *pair,
                struct tally_error *err)
{
  int status;

  if (!pair->unsure || !counting->clock_confirmed)
    return TALLY_OK;
  pair_meet (pair, counting->replica);
  status = pair->unsure ? TALLY_OK : pair_save (pair, counting->replica, err);
  /* A run of this pair does the same. */
  return status == TALLY_AGAIN ? TALLY_OK : status;
}

/* A pair whose deletes never travel, and a collection that it does not sync,
 * hold nothing back.  Neither does one that was away for too long: it stays
 * registered and compares when it is back. */
static void
count_holder (const struct counting *counting, struct pair *pair)
{
  struct holders *holders = counting->holders;
  const struct pair_cursor *cursor = pair_cursor (pair, counting->collection);
  uint64_t has, least_held;

  if (!pair->counts || !cursor || is_expired (counting, pair))
    return;
  has = cursor->local;
  /* The cursor went past what they refuse. */
  least_held = held_least_seq (&pair->held, counting->collection);
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
  if (has < holders->least)
    holders->least = has;
}

static int
count_holders (const struct counting *counting, enum pair_role role,
               struct tally_error *err)
{
  struct namelist keys = NAMELIST_INIT;
  int status = replica_note_list (counting->replica, pair_prefix (role),
                                  namelist_emit, &keys, err);

  if (status == TALLY_OK && keys.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < keys.count && status == TALLY_OK; i++) {
    unsigned char id[REPLICA_ID_SIZE];
    struct pair pair;

    if (!replica_id_from_text (
            id, slice_text (keys.names[i] + strlen (pair_prefix (role)))))
      continue;
    status = pair_load (&pair, counting->replica, role, id, err);
    if (status != TALLY_OK)
      break;
    status = settle_contact (counting, &pair, err);
    count_holder (counting, &pair);
    pair_free (&pair);
  }
  namelist_free (&keys);
  return status;
}

int
holders_find (struct holders *holders, struct replica *replica,
              const char *collection, bool clock_confirmed,
              struct tally_error *err)
{
  const struct counting counting = { replica, collection, clock_confirmed,
                                     holders };
  int status;

  holders->least = holders->given = UINT64_MAX;
  status = count_holders (&counting, PAIR_CLIENT, err);
  if (status == TALLY_OK)
    status = count_holders (&counting, PAIR_SERVER, err);
  return status;
}
