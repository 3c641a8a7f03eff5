/* SPDX-License-Identifier: MIT */
/* What a run tells of itself: events while it goes on, and a report of each
 * collection.  What moved is counted once, however often it was looked at. */

#include <config.h>

#include <string.h>

#include "engine-internal.h"
#include "json.h"
#include "timesource.h"

void
sync_tell (struct sync *sync, int type)
{
  const struct engine_link *link = sync->run->link;
  struct tally_event event = { .size = sizeof event, .type = type };

  if (!link->event)
    return;
  event.link = link->name;
  event.collection = sync->collection;
  event.done = sync->done;
  event.total = sync->total > sync->done ? sync->total : sync->done;
  if (type == TALLY_EVENT_SYNC_END)
    event.report = &sync->report;
  link->event (link->event_ctx, &event);
}

void
sync_progress (struct sync *sync)
{
  sync_tell (sync, TALLY_EVENT_PROGRESS);
}

bool
sync_conflict (struct sync *sync, struct tally_slice id,
               struct tally_slice raw_field)
{
  const struct engine_link *link = sync->run->link;
  struct tally_event event = { .size = sizeof event };
  struct buf quoted = BUF_INIT, text = BUF_INIT;
  bool good;

  if (!link->event)
    return true;
  buf_add_slice (&text, id);
  buf_add_byte (&text, '\0');
  buf_addf (&quoted, "\"%.*s\"", (int) raw_field.size, raw_field.data);
  json_decode_string (&text, buf_slice (&quoted));
  buf_add_byte (&text, '\0');
  good = !quoted.failed && !text.failed;
  if (good) {
    event.type = TALLY_EVENT_CONFLICT;
    event.link = link->name;
    event.collection = sync->collection;
    event.id = text.data;
    event.field = text.data + id.size + 1;
    link->event (link->event_ctx, &event);
  }
  buf_free (&text);
  buf_free (&quoted);
  return good;
}

bool
sync_moves_first (struct sync *sync, struct tally_slice id)
{
  if (!peer_is_passive (&sync->run->peer))
    return true;
  if (idset_find (&sync->moved, &id, 1))
    return false;
  /* Without memory for it the worst is that it counts twice. */
  idset_add (&sync->moved, &id, 1);
  return true;
}

void
sync_count (struct sync *sync, struct tally_slice id, uint64_t *counter,
            bool deleted)
{
  sync->done++;
  if (!sync_moves_first (sync, id))
    return;
  ++*counter;
  sync->report.deleted += deleted;
}

void
sync_count_pushed (struct sync *sync, struct tally_slice id, bool deleted)
{
  if (!peer_is_passive (&sync->run->peer)) {
    sync_count (sync, id, &sync->report.pushed, deleted);
    return;
  }
  sync->done++;
  if (!sync_moves_first (sync, id))
    return;
  sync->waiting++;
  sync->waiting_deleted += deleted;
}

void
sync_fill_report (struct sync *sync, int status, const struct tally_error *why)
{
  struct peer *peer = &sync->run->peer;
  struct tally_report *report = &sync->report;

  report->size = sizeof *report;
  report->link = sync->run->link->name;
  report->collection = sync->collection;
  report->round_trips = peer_is_passive (peer) ? 0 : peer->round_trips;
  report->bytes_sent = peer->traffic.sent;
  report->bytes_received = peer->traffic.received;
  report->seconds = monotonic_seconds () - sync->started;
  report->status = status;
  report->error = status == TALLY_OK ? NULL : why->text;
  report->notice = sync->notice.status ? sync->notice.text : NULL;
  peer->round_trips = 0;
  memset (&peer->traffic, 0, sizeof peer->traffic);
}
