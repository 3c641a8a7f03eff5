/* SPDX-License-Identifier: MIT */
/* Hello.  A pair is broken when the far side's token is neither our current
 * nor our pending one: one of the two was restored, rolled back or copied.
 * Both then forget the checkpoint and write under fresh client ids, we take
 * another name for this pair, and everything is compared.  Pairs with others
 * are what they were. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "engine-compare.h"
#include "engine-connect.h"
#include "engine-names.h"
#include "error.h"

/* ---- lists -------------------------------------------------------------- */

bool
idlist_add (struct idlist *list, struct tally_slice id)
{
  char *copy;

  if (list->count == list->capacity) {
    size_t capacity = list->capacity ? list->capacity * 2 : 64;
    struct tally_slice *ids = realloc (list->ids, capacity * sizeof *ids);

    if (!ids)
      return false;
    list->ids = ids;
    list->capacity = capacity;
  }
  copy = arena_add (&list->arena, id.data, id.size);
  if (!copy)
    return false;
  list->ids[list->count++] = slice_make (copy, id.size);
  return true;
}

void
idlist_free (struct idlist *list)
{
  free (list->ids);
  arena_free (&list->arena);
  memset (list, 0, sizeof *list);
}

/* ---- hello -------------------------------------------------------------- */

/* What the run will ask first comes along, if the pair is not broken. */
static void
foresee (struct run *run)
{
  const char *const *names = run->link->collections;

  for (size_t i = 0; names && names[i]; i++)
    foresee_remote_meta (run, names[i]);
  for (size_t i = 0; !names && i < run->pair.n_cursors; i++)
    foresee_remote_meta (run, run->pair.cursors[i].collection);
}

/* One hello; with `named` it tells whom it expects and with which token. */
static int
hello (struct run *run, bool named, unsigned flags, struct tally_error *err)
{
  struct wire_hello message = { .flags = flags };
  int status;

  message.device = slice_text (run->link->device ? run->link->device : "");
  if (run->link->direction == TALLY_PUSH)
    message.flags |= WIRE_HELLO_NO_PULL;
  if (run->link->look)
    message.flags |= WIRE_HELLO_LOOK;
  if (run->ahead)
    message.flags |= WIRE_HELLO_AHEAD;
  if (named) {
    message.expects = slice_make (run->pair.far, REPLICA_ID_SIZE);
    message.current = pair_token_slice (&run->pair.current);
  }
  run->peer.threads = run->link->threads;
  if (named && !(flags & WIRE_HELLO_MENDS))
    foresee (run);
  peer_welcome_free (&run->welcome);
  status = run->peer.n_ahead == 0 ? compare_ride (run, named, err) : TALLY_OK;
  /* That may be a new one. */
  if (named)
    message.pending = pair_token_slice (&run->pair.pending);
  if (status == TALLY_OK)
    status = peer_hello (&run->peer, &message, &run->welcome, err);
  if (status == TALLY_OK && !peer_is_passive (&run->peer))
    replica_compare_clock (run->replica,
                           replica_wall_ms (run->replica)
                               + (uint64_t) run->welcome.skew_ms);
  return status;
}

static void
take_name (struct run *run)
{
  if (run->pair.renamed)
    memcpy (run->peer.self, run->pair.alias, sizeof run->peer.self);
  else if (run->borrows)
    memcpy (run->peer.self, run->borrowed, sizeof run->peer.self);
  else
    replica_id (run->replica, run->peer.self);
}

static int
load_pair (struct run *run, const unsigned char far[REPLICA_ID_SIZE],
           struct tally_error *err)
{
  int status;

  pair_free (&run->pair);
  status = pair_load (&run->pair, run->replica, PAIR_CLIENT, far, err);
  run->last_contact_ms = run->pair.contact_ms;
  run->was_unsure = run->pair.unsure;
  if (status == TALLY_OK)
    status = route_recall (run, err);
  if (status == TALLY_OK)
    take_name (run);
  return status;
}

/* The first hello names the far side of the last run over this channel; when
 * somebody else answers, a second one names who did. */
static int
introduce (struct run *run, bool *routed, struct tally_error *err)
{
  unsigned char far[REPLICA_ID_SIZE], named[REPLICA_ID_SIZE];
  int status =
      engine_route (run->replica, run->link->channel->name, far, routed, err);

  if (status == TALLY_OK && *routed)
    status = load_pair (run, far, err);
  if (status == TALLY_OK)
    status = hello (run, *routed, 0, err);
  if (status != TALLY_OK)
    return status;
  *routed = *routed && memcmp (far, run->peer.far, sizeof far) == 0;
  if (*routed)
    return TALLY_OK;
  memcpy (named, run->peer.self, sizeof named);
  status = load_pair (run, run->peer.far, err);
  /* Who expected us by another name has met somebody else. */
  if (status == TALLY_OK
      && (run->pair.exists || run->welcome.verdict == WIRE_PAIR_UNNAMED
          || memcmp (named, run->peer.self, sizeof named) != 0))
    status = hello (run, true, 0, err);
  return status;
}

/* A copy of this store goes by our name.  One of us must not, or whoever meets
 * both takes them for one. */
static int
leave_name (struct run *run, struct tally_error *err)
{
  const struct tally_host *host = run->replica->host;
  int status = TALLY_OK;

  if (run->link->look) {
    run->borrows = true;
    randombytes_buf (run->borrowed, sizeof run->borrowed);
  } else
    status = identity_rename (run->replica, err);
  if (host && host->log)
    host->log (host->ctx, 2,
               "a copy of this store answers: from now on they are two");
  peer_close (&run->peer);
  if (status == TALLY_OK)
    status = peer_open (&run->peer, run->link->channel, run->replica, err);
  if (status == TALLY_OK)
    take_name (run);
  return status;
}

/* Whether the far side is this store itself, found by another name. */
static int
meet (struct run *run, bool *routed, struct tally_error *err)
{
  unsigned char self[REPLICA_ID_SIZE];
  int status = introduce (run, routed, err);

  replica_id (run->replica, self);
  if (status != TALLY_OK || peer_is_passive (&run->peer)
      || memcmp (run->peer.far, self, sizeof self) != 0)
    return status;
  if (run->welcome.client == replica_client (run->replica))
    return error_set (err, TALLY_USAGE, "%s: is the same store as %s",
                      run->link->channel->name, run->replica->name);
  status = leave_name (run, err);
  return status == TALLY_OK ? introduce (run, routed, err) : status;
}

/* Every id that either side wrote under may have been used twice.  The list
 * is kept with the pair until all is compared, however often that is cut. */
static int
restart_pair (struct run *run, struct tally_error *err)
{
  const struct peer_welcome *welcome = &run->welcome;
  uint32_t *ours = NULL, *all;
  size_t n;
  int status = replica_clients (run->replica, &ours, &n, err);

  if (status != TALLY_OK)
    return status;
  all = realloc (ours, (n + welcome->n_clients + 1) * sizeof *all);
  if (all) {
    if (welcome->n_clients > 0)
      memcpy (all + n, welcome->clients, welcome->n_clients * sizeof *all);
    /* Until the note is written the pair stays broken; a look leaves it so,
     * and sees what there is to do once it is mended. */
    if (run->link->look) {
      if (!pair_forget (&run->pair, all, n + welcome->n_clients))
        status = error_nomem (err);
    } else
      status = identity_renew (run->replica, err);
    if (status == TALLY_OK && !run->link->look)
      status = pair_restart (&run->pair, run->replica, all,
                             n + welcome->n_clients, err);
    take_name (run);
  } else
    status = error_nomem (err);
  free (all ? all : ours);
  return status;
}

/* Another run of this pair may have changed the token on both sides since the
 * note was read: that breaks nothing. */
static int
check_overtaken (struct run *run, struct tally_error *err)
{
  struct pair now;
  bool same;
  int status = pair_load (&now, run->replica, PAIR_CLIENT, run->pair.far, err);

  if (status != TALLY_OK)
    return status;
  same = now.exists == run->pair.exists
         && slice_equal (buf_slice (&now.saved), buf_slice (&run->pair.saved));
  pair_free (&now);
  return same ? TALLY_OK
              : error_set (err, TALLY_AGAIN,
                           "%s: another sync with the same peer is running",
                           run->replica->name);
}

static int
mend (struct run *run, struct tally_error *err)
{
  const struct tally_host *host = run->replica->host;
  int status = check_overtaken (run, err);

  if (status != TALLY_OK)
    return status;
  if (host && host->log)
    host->log (host->ctx, 2,
               "a store was copied, restored or rolled back "
               "since the last sync: everything is compared");
  status = restart_pair (run, err);
  if (status == TALLY_OK)
    status = hello (run, true, WIRE_HELLO_MENDS, err);
  if (status == TALLY_OK && run->welcome.verdict == WIRE_PAIR_BROKEN)
    status = error_set (err, TALLY_AGAIN,
                        "%s: another copy of this store "
                        "is syncing",
                        run->link->channel->name);
  return status;
}

int
run_connect (struct run *run, struct tally_error *err)
{
  bool routed;
  int status = peer_open (&run->peer, run->link->channel, run->replica, err);

  if (status == TALLY_OK)
    status = run_look_ahead (run, err);
  if (status == TALLY_OK)
    status = meet (run, &routed, err);
  if (status == TALLY_OK && run->welcome.verdict == WIRE_PAIR_BROKEN)
    status = mend (run, err);
  if (status != TALLY_OK)
    return status;
  if (run->welcome.verdict == WIRE_PAIR_PENDING) {
    run->pair.current = run->pair.pending;
    run->pair.pending.set = false;
  }
  status = run_compare_clocks (run, err);
  if (run->link->look) {
    replica_id (run->replica, run->link->look->local);
    memcpy (run->link->look->far, run->peer.far, REPLICA_ID_SIZE);
    return status;
  }
  if (status == TALLY_OK)
    status = names_introduce (run, err);
  return routed || status != TALLY_OK ? status : route_save (run, err);
}

void
run_disconnect (struct run *run)
{
  peer_welcome_free (&run->welcome);
  peer_close (&run->peer);
  pair_free (&run->pair);
}

int
run_complaint (struct sync *sync, struct tally_error *err)
{
  if (!sync->run->peer.folder)
    return TALLY_OK;
  return folder_complaint (sync->run->peer.folder, sync->collection, err);
}

/* ---- collections -------------------------------------------------------- */

int
run_collections (struct run *run, struct namelist *list,
                 struct tally_error *err)
{
  int status;

  if (run->link->collections) {
    for (size_t i = 0; run->link->collections[i]; i++)
      if (!namelist_add (list, run->link->collections[i]))
        return error_nomem (err);
    return TALLY_OK;
  }
  status =
      replica_collections (run->replica, namelist_emit_syncing, list, err);
  for (size_t i = 0; i < run->welcome.n_collections && status == TALLY_OK; i++)
    if (!namelist_add (list, run->welcome.collections[i]))
      status = error_nomem (err);
  if (status == TALLY_OK && list->failed)
    status = error_nomem (err);
  return status;
}
