/* SPDX-License-Identifier: MIT */
/* What a hello says of the two clocks, and what follows from it for a store
 * whose own was wrong. */

#include <config.h>

#include "answer-internal.h"
#include "duration.h"
#include "error.h"
#include "repair.h"

/* So many documents one hello waits for. */
#define REPAIR_MOST 4096

void
answer_skew (const struct asked *asked, const struct wire_hello *hello)
{
  const struct tally_host *host = asked->replica->host;
  uint64_t wall = replica_wall_ms (asked->replica);
  bool ahead = hello->wall_ms > wall;
  struct tally_error line;
  char far[DURATION_TEXT];

  if (!host || !host->log || replica_agrees (asked->replica, hello->wall_ms))
    return;
  duration_text (far, ahead ? hello->wall_ms - wall : wall - hello->wall_ms);
  error_set (&line, TALLY_OK,
             "%s: the clock of \"%.*s\" is %s %s that of this machine",
             asked->replica->name, (int) hello->device.size,
             hello->device.data, far, ahead ? "ahead of" : "behind");
  host->log (host->ctx, 1, line.text);
}

/* Their clock confirms ours, and they hold nothing beyond it: what we hold is
 * wrong.  A client that does is the first to repair, after it has merged with
 * what is here, and comes again. */
int
answer_repair (struct asked *asked, const struct wire_hello *hello,
               bool *ahead, struct tally_error *err)
{
  struct replica *replica = asked->replica;
  struct repair repair;
  bool done;
  int status = replica_is_ahead (replica, ahead, err);

  if (status != TALLY_OK || !*ahead
      || (hello->flags & (WIRE_HELLO_AHEAD | WIRE_HELLO_LOOK))
      || !replica_agrees (replica, hello->wall_ms))
    return status;
  status = repair_begin (&repair, replica, err);
  if (status == TALLY_OK)
    status = repair_end (&repair, REPAIR_MOST, &done, err);
  repair_tell (&repair);
  *ahead = status != TALLY_OK || !done;
  return status;
}
