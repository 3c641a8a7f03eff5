/* SPDX-License-Identifier: MIT */
/* Whether a link has something to do.  No mark is kept of that: a link is
 * dirty while a change of a synced collection is past its cursor in the
 * pair's note, so that a crash forgets nothing. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "namelist.h"
#include "notejson.h"
#include "pair.h"
#include "watch-internal.h"

/* An empty pair when the link never ran. */
static int
load_pair (const struct watched *link, struct pair *pair, bool *known,
           struct tally_error *err)
{
  unsigned char far[REPLICA_ID_SIZE];
  int status = engine_route (link->replica, link->route, far, known, err);

  memset (pair, 0, sizeof *pair);
  if (status == TALLY_OK && *known)
    status = pair_load (pair, link->replica, PAIR_CLIENT, far, err);
  return status;
}

static int
synced_here (const struct watched *link, struct namelist *names,
             struct tally_error *err)
{
  int status = TALLY_OK;

  if (!link->collections)
    status =
        replica_collections (link->replica, namelist_emit_syncing, names, err);
  for (size_t i = 0; link->collections && link->collections[i]; i++)
    namelist_add (names, link->collections[i]);
  if (status == TALLY_OK && names->failed)
    status = error_nomem (err);
  return status;
}

static int
found_one (void *ctx, const struct tally_doc *doc)
{
  (void) doc;
  *(bool *) ctx = true;
  return 1;
}

int
watch_look_here (const struct watched *link, uint64_t floor, bool *dirty,
                 struct tally_error *err)
{
  struct namelist names = NAMELIST_INIT;
  struct pair pair;
  bool known;
  int status = load_pair (link, &pair, &known, err);

  *dirty = false;
  if (status == TALLY_OK)
    status = synced_here (link, &names, err);
  for (size_t i = 0; i < names.count && status == TALLY_OK && !*dirty; i++) {
    struct pair_cursor *cursor = pair_cursor (&pair, names.names[i]);
    uint64_t since = cursor ? cursor->local : 0, head;

    status = replica_changes (link->replica, names.names[i],
                              since > floor ? since : floor, found_one, dirty,
                              &head, err);
  }
  namelist_free (&names);
  pair_free (&pair);
  return status;
}

/* ---- there -------------------------------------------------------------- */

static bool
add_name (struct wire_wait *wait, const struct pair_cursor *cursor,
          const char *name)
{
  if (wait->n == WIRE_WAIT_NAMES_MAX)
    return false;
  wait->collections[wait->n] = slice_text (name);
  wait->since[wait->n] = 0;
  if (cursor)
    note_number (slice_text (cursor->far), &wait->since[wait->n]);
  wait->n++;
  return true;
}

/* Those of the link, or all that were ever synced and any other. */
static bool
fill_names (const struct watched *link, struct pair *pair,
            struct wire_wait *wait)
{
  bool good = true;

  if (!link->collections)
    wait->flags |= WIRE_WAIT_ALL;
  for (size_t i = 0; link->collections && link->collections[i] && good; i++)
    good = add_name (wait, pair_cursor (pair, link->collections[i]),
                     link->collections[i]);
  for (size_t i = 0; !link->collections && i < pair->n_cursors && good; i++)
    good = add_name (wait, &pair->cursors[i], pair->cursors[i].collection);
  return good;
}

int
watch_look_there (const struct watched *link, struct peer *peer,
                  uint64_t timeout_ms, uint64_t floor, bool *changed,
                  uint64_t *head, struct tally_error *err)
{
  struct wire_wait wait = { .timeout_ms = timeout_ms, .floor = floor };
  struct wire_waited waited = { 0 };
  struct pair pair;
  bool known;
  int status = load_pair (link, &pair, &known, err);

  *changed = false;
  wait.collections = calloc (WIRE_WAIT_NAMES_MAX, sizeof *wait.collections);
  wait.since = calloc (WIRE_WAIT_NAMES_MAX, sizeof *wait.since);
  if (status == TALLY_OK && (!wait.collections || !wait.since))
    status = error_nomem (err);
  if (status == TALLY_OK && !fill_names (link, &pair, &wait))
    status = error_set (err, TALLY_UNSUPPORTED,
                        "%s: too many collections to wait for", link->name);
  /* Whoever answers there may have changed: a run finds out. */
  peer->has_far = false;
  if (status == TALLY_OK)
    status = peer_wait (peer, &wait, &waited, err);
  if (status == TALLY_OK) {
    *changed = waited.changed || !known
               || memcmp (pair.far, peer->far, sizeof pair.far) != 0;
    *head = waited.head;
  }
  free (wait.since);
  free (wait.collections);
  pair_free (&pair);
  return status;
}
