/* SPDX-License-Identifier: MIT */
/* What the files of a watch share.  Each link has a thread that runs it, and
 * two ears, threads that listen for changes here and there; they meet in the
 * link's plan.  What each ear looks at is in watch-look.c. */

#ifndef TALLY_WATCH_INTERNAL_H
#define TALLY_WATCH_INTERNAL_H

#include "context.h"
#include "peer.h"
#include "watch-plan.h"

/* What an ear knows of the runs when its turn comes. */
struct ear_turn {
  uint64_t runs;
  bool clean;
};

struct watched {
  struct tally_watcher *watcher;
  char *name;
  char *a, *b;                    /* endpoints */
  bool paired;                    /* by tally_pair */
  const char *const *collections; /* ends with NULL; NULL: all */
  char **own_collections;
  int direction;  /* as in struct run_as */
  bool hears_far; /* far changes are to be listened for */

  /* Set before the ears start, which is after the first run. */
  struct tally_replica *ours, *theirs; /* theirs NULL: over a transport */
  struct replica *replica, *far_replica;
  char *route; /* as engine_route knows the channel */

  pthread_t runner, near_ear, far_ear;
  bool has_runner, has_near_ear, has_far_ear;
  /* The runner's own: documents in the run under way, and whether the far
   * side was ever there. */
  uint64_t moved;
  bool reached;

  /* Guarded by the watcher's lock. */
  struct watch_plan plan;
  uint64_t runs; /* that have ended */
  bool clean;    /* the last one had nothing to complain of */
  bool over;     /* given up */
};

struct tally_watcher {
  struct tally *tally;
  struct tally_host host; /* cancelled also by stop */
  unsigned flags;
  struct tally_sync_options sync;
  char *sync_collections;
  tally_report_fn *report;
  tally_watch_fn *ran;
  void *ctx;
  struct watched *links;
  size_t n;
  struct tally_watcher *next; /* of the context's; under its lock */

  pthread_mutex_t callback_lock; /* one callback at a time */

  pthread_mutex_t lock; /* guards all below, and parts of the links */
  pthread_cond_t changed;
  size_t running; /* links that are not over */
  bool stop;
  struct tally_error why; /* of the first link that was given up */
};

uint64_t watch_now_ms (void);
uint64_t watch_random (void);

/* Under the lock: true when all is to end. */
bool watch_stopping (const struct tally_watcher *watcher);

/* Under the lock, for at most this long. */
void watch_sleep (struct tally_watcher *watcher, uint64_t ms);

/* Ends all of it soon. */
void watch_stop (struct tally_watcher *watcher);

/* The thread of a link. */
void *watch_run (void *link);

/* ---- watch-ear.c ---- */

/* Starts the ears of a link; false: there is no store to listen to yet. */
bool watch_listen (struct watched *link, struct tally_error *err);
void watch_unlisten (struct watched *link);

/* ---- watch-look.c ---- */

/* Is a change of a synced collection past its local cursor, and past the
 * floor? */
int watch_look_here (const struct watched *link, uint64_t floor, bool *dirty,
                     struct tally_error *err);

/* Asks the far side, for timeout_ms, whether there is a change past our far
 * cursors, and past the floor; *head: as far as it looked. */
int watch_look_there (const struct watched *link, struct peer *peer,
                      uint64_t timeout_ms, uint64_t floor, bool *changed,
                      uint64_t *head, struct tally_error *err);

#endif /* TALLY_WATCH_INTERNAL_H */
