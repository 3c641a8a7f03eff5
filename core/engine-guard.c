/* SPDX-License-Identifier: MIT */
/* The guard against mass deletion.  Tombstones in sight are counted first,
 * which costs next to nothing; only when they could be too many are the
 * deletes that would come of them counted, by a survey, before anything
 * moves. */

#include <config.h>

#include <string.h>

#include "engine-compare.h"
#include "error.h"

/* So many may always go. */
#define FREE_DELETES 100

static uint64_t
free_deletes (const struct sync *sync)
{
  const struct engine_link *link = sync->run->link;

  return link->limits_deletes ? link->most_deletes : FREE_DELETES;
}

/* ---- counting ----------------------------------------------------------- */

struct count {
  bool alive; /* live documents are counted, or tombstones */
  uint64_t n, up_to;
};

static int
count_header (void *ctx, const struct tally_doc *doc)
{
  struct count *count = ctx;

  count->n +=
      (doc->flags & TALLY_DOC_DELETED) == 0 ? count->alive : !count->alive;
  return count->n > count->up_to;
}

/* Of ours past a seq, up to one more than was asked for. */
static int
count_ours (const struct sync *sync, uint64_t since, struct count *count,
            struct tally_error *err)
{
  uint64_t head;

  return replica_changes (sync->run->replica, sync->collection, since,
                          count_header, count, &head, err);
}

static uint64_t
count_window (const struct sync *sync, bool alive)
{
  struct count count = { alive, 0, UINT64_MAX };

  for (size_t i = 0; i < sync->remote.count; i++)
    count_header (&count, &sync->remote.docs[i]);
  return count.n;
}

/* ---- what is in sight --------------------------------------------------- */

/* Theirs may delete no more than there is here. */
static int
sight_here (const struct sync *sync, bool *many, struct tally_error *err)
{
  uint64_t most = free_deletes (sync);
  struct count alive = { true, 0, most };
  bool unknown = peer_is_passive (&sync->run->peer) && !sync->remote_done;
  int status;

  if (!sync->pulls
      || (!unknown && count_window (sync, false) + sync->gone <= most))
    return TALLY_OK;
  status = count_ours (sync, 0, &alive, err);
  *many |= alive.n > most;
  return status;
}

/* Where everything there is listed, ours may delete no more than that. */
static int
sight_there (const struct sync *sync, bool *many, struct tally_error *err)
{
  uint64_t most = free_deletes (sync);
  struct count gone = { false, 0, most };
  int status;

  if (!sync->pushes || peer_is_passive (&sync->run->peer)
      || (sync->pulls && sync->full && sync->remote_done
          && count_window (sync, true) <= most))
    return TALLY_OK;
  status = count_ours (sync, sync->local_position, &gone, err);
  *many |= gone.n > most;
  return status;
}

/* ---- judging ------------------------------------------------------------ */

static bool
is_too_many (const struct sync *sync, uint64_t deletes, uint64_t live)
{
  if (deletes <= free_deletes (sync))
    return false;
  return sync->run->link->limits_deletes || deletes > live / 2;
}

static int
live_there (struct sync *sync, uint64_t *live, struct tally_error *err)
{
  /* A window of next to nothing. */
  struct peer_ask ask = { .since = "", .until = "1", .flags = WIRE_META_LIVE };
  struct doclist headers = DOCLIST_INIT;
  struct peer_page page;
  int status = peer_meta (&sync->run->peer, sync->collection, &ask, &headers,
                          &page, err);

  doclist_free (&headers);
  if (status != TALLY_OK)
    return status;
  *live = page.live;
  buf_free (&page.next);
  return TALLY_OK;
}

static int
refuse (const struct sync *sync, uint64_t here, uint64_t of_here,
        uint64_t there, uint64_t of_there, struct tally_error *err)
{
  struct buf text = BUF_INIT;
  int status;

  if (here > 0)
    buf_addf (&text, "%llu of %llu documents here", (unsigned long long) here,
              (unsigned long long) of_here);
  if (there > 0)
    buf_addf (&text, "%s%llu of %llu documents there", here ? " and " : "",
              (unsigned long long) there, (unsigned long long) of_there);
  buf_add_byte (&text, '\0');
  status =
      text.failed
          ? error_nomem (err)
          : error_set (err, TALLY_CONFLICT,
                       "%s: %s: would delete %s; pass --max-delete %llu "
                       "to allow it",
                       sync->run->link->name, sync->collection, text.data,
                       (unsigned long long) (here > there ? here : there));
  buf_free (&text);
  return status;
}

int
guard_judge (struct sync *sync, struct tally_error *err)
{
  uint64_t here = sync->deletes_here, there = sync->deletes_there;
  struct count live = { true, 0, UINT64_MAX };
  uint64_t of_there = 0;
  int status = TALLY_OK;

  if (here > free_deletes (sync))
    status = count_ours (sync, 0, &live, err);
  if (status == TALLY_OK && there > free_deletes (sync))
    status = live_there (sync, &of_there, err);
  if (status != TALLY_OK)
    return status;
  if (!is_too_many (sync, here, live.n))
    here = 0;
  if (!is_too_many (sync, there, of_there))
    there = 0;
  if (here == 0 && there == 0)
    return TALLY_OK;
  return refuse (sync, here, live.n, there, of_there, err);
}

/* What the look finds out about documents that are held is forgotten. */
static int
survey_apart (struct sync *look, struct tally_error *err)
{
  struct held_list *list = &look->run->pair.held, had = *list;
  struct buf copy = BUF_INIT;
  int status = TALLY_OK;

  memset (list, 0, sizeof *list);
  if (had.n > 0) {
    held_write (&had, &copy);
    if (copy.failed || !held_read (list, buf_slice (&copy)))
      status = error_nomem (err);
  }
  if (status == TALLY_OK)
    status = survey_windows (look, err);
  held_clear (list);
  *list = had;
  buf_free (&copy);
  return status;
}

static int
survey_first (struct sync *sync, struct tally_error *err)
{
  struct sync look = { .run = sync->run,
                       .collection = sync->collection,
                       .looks = true };
  int status = survey_apart (&look, err);

  if (status == TALLY_OK)
    status = guard_judge (&look, err);
  sync_free (&look);
  return status;
}

int
guard_deletes (struct sync *sync, struct tally_error *err)
{
  bool many = sync->rejoins;
  int status = sight_here (sync, &many, err);

  if (status == TALLY_OK && !many)
    status = sight_there (sync, &many, err);
  if (status != TALLY_OK || !many)
    return status;
  status = survey_first (sync, err);
  /* A folder has only the last segment at hand. */
  if (status == TALLY_OK && peer_is_passive (&sync->run->peer))
    status = restart_remote (sync, err);
  return status;
}

/* Of what only we have they may have deleted as much as they have tombstones,
 * and the same the other way round. */
int
guard_compared (struct sync *sync, uint64_t ours, uint64_t theirs,
                struct tally_error *err)
{
  uint64_t most = free_deletes (sync), gone = 0;
  struct count alive = { true, 0, most }, dead = { false, 0, most };
  int status = TALLY_OK;

  if (ours > most)
    status = peer_count_gone (&sync->run->peer, sync->collection, &gone, err);
  if (status == TALLY_OK && gone > most)
    status = count_ours (sync, 0, &alive, err);
  if (status == TALLY_OK && theirs > most)
    status = count_ours (sync, 0, &dead, err);
  if (status != TALLY_OK || (alive.n <= most && dead.n <= most))
    return status;
  return survey_first (sync, err);
}
