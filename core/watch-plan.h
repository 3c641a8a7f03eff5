/* SPDX-License-Identifier: MIT */
/* When a link that is being watched runs next.  Pure: told of events with
 * their times, and of chance; it sleeps for nobody.  Times are milliseconds
 * of a clock that never jumps. */

#ifndef TALLY_WATCH_PLAN_H
#define TALLY_WATCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#define WATCH_NEVER UINT64_MAX

/* Where a far side cannot say that it changed, and no interval is set. */
#define WATCH_POLL_MS 30000

/* After a local write others often follow: a run begins once it is quiet, but
 * not later than this after the first one. */
#define WATCH_QUIET_MS 200
#define WATCH_GATHER_MS 2000

/* A far change was a run of somebody else: what follows is already there. */
#define WATCH_FAR_MS 20

#define WATCH_BACKOFF_MS 500 /* ceiling after the first failure */
#define WATCH_BACKOFF_MAX_MS 60000

/* A change makes a link that fails try sooner, but not sooner than this. */
#define WATCH_EAGER_MS 5000

enum watch_event { WATCH_WRITE, WATCH_FAR };

/* One link's.  Begins as zeros with interval_ms set (0: none): the first run
 * is due at once. */
struct watch_plan {
  uint64_t interval_ms;
  bool deaf; /* far changes are not told of: poll */

  uint64_t timer_ms;      /* the interval, or the next try */
  uint64_t event_ms;      /* when an event wants a run, or WATCH_NEVER */
  uint64_t first_ms;      /* of the events that wait: when the first came */
  uint64_t not_before_ms; /* for events */
  uint64_t ended_ms;
  unsigned failures; /* in a row */
  unsigned vain;     /* runs in a row that an event asked for in vain */
  bool waits;        /* an event waits */
  bool asked;        /* an event asked for the run under way */
  bool running;
  bool again; /* an event came while it ran */
  enum watch_event last;
};

/* Will not heal by itself: the link is given up.  reached: the far side was
 * there at least once, so that what is missing may come back, and what is
 * invalid is a document and not the link. */
bool watch_is_hopeless (int status, bool reached);

/* When the next run is due; WATCH_NEVER while one is under way. */
uint64_t watch_plan_due (const struct watch_plan *plan);

void watch_plan_event (struct watch_plan *plan, enum watch_event event,
                       uint64_t now_ms);

/* Far changes can, or cannot, be waited for from now on. */
void watch_plan_deaf (struct watch_plan *plan, bool deaf);

void watch_plan_begin (struct watch_plan *plan);

/* moved: documents.  random: any number. */
void watch_plan_end (struct watch_plan *plan, int status, uint64_t moved,
                     uint64_t now_ms, uint64_t random);

/* How long to wait after so many failures in a row (at least one): half of a
 * ceiling that doubles, and up to as much again. */
uint64_t watch_backoff_ms (unsigned failures, uint64_t random);

#endif /* TALLY_WATCH_PLAN_H */
