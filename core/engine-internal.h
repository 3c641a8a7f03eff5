/* SPDX-License-Identifier: MIT */
/* A run and its collections, shared by the engine's files. */

#ifndef TALLY_ENGINE_INTERNAL_H
#define TALLY_ENGINE_INTERNAL_H

#include "compare.h"
#include "engine.h"
#include "graves.h"
#include "idset.h"
#include "pair.h"
#include "peer.h"
#include "plan.h"
#include "repair.h"
#include "seqset.h"
#include "state.h"

/* Local changes looked at in one go. */
#ifndef ENGINE_WINDOW
#define ENGINE_WINDOW 32768
#endif

/* Of documents that come with what changed since a checkpoint, before it is
 * known how many of them are wanted. */
#define ENGINE_FIRST_BYTES ((uint64_t) 128 << 10)

/* Clients whose names are looked up in one run. */
#define RUN_NAMES_MAX 256

struct run_names {
  uint32_t looked[RUN_NAMES_MAX];
  size_t n_looked;
  size_t asked; /* the far side, WIRE_NAMES_MAX at most */
};

/* One run of a link. */
struct run {
  const struct engine_link *link;
  struct replica *replica;
  struct peer peer;
  struct pair pair;
  struct peer_welcome welcome;
  bool rotated; /* the pair has this run's token */
  /* The far side may take this one, if both are equal; and there is a note of
   * it that is the channel's yet, not the pair's. */
  struct pair_token offered;
  bool has_offer;
  /* When the pair last met, and whether that is no measure, as in the pair. */
  uint64_t last_contact_ms;
  bool was_unsure;
  /* A look that met a copy of its store goes by this name, which is kept
   * nowhere. */
  bool borrows;
  unsigned char borrowed[REPLICA_ID_SIZE];
  bool moved; /* something is not as the plan has it: nothing goes on */
  struct run_names names;
  struct compare_ahead compare_ahead;
  /* Our own clock was wrong, and this run puts right what it stamped. */
  bool ahead, repairs;
  struct repair repair;
};

/* One collection of a run. */
struct sync {
  struct run *run;
  const char *collection;
  struct tally_report report;
  double started;

  /* Where the last run left off; 0 and "": nowhere. */
  uint64_t local_cursor;
  uint64_t met; /* the same, or where the last run of both directions did */
  bool full;    /* everything is listed: there is no checkpoint, or */
  bool rejoins; /* a cursor is below the floor of tombstones forgotten */
  /* The pair was broken and this has not been compared since. */
  struct strict strict;
  struct strict own; /* the same, for what was held in such a run */
  bool pushes, pulls;

  /* Where this run is. */
  struct buf far_cursor; /* text with its NUL */
  /* Of pages in the order of ids: the last id, the cursor that all of them
   * together come to, and how many documents they had. */
  struct buf after, head;
  uint64_t had;
  bool asked; /* for its headers, once */
  bool remote_done;
  /* In a rejoin: what is listed up to the checkpoint was here once. */
  struct buf checkpoint; /* the far cursor that was kept, with its NUL */
  bool known,
      past_known; /* this window lies before it; all that does is read */
  bool gone_here, gone_there; /* see plan_rules */
  /* Tombstones were forgotten here, and there, up to this seq. */
  uint64_t own_floor, far_floor;
  uint64_t returned; /* documents that may have been deleted */
  uint64_t local_position, compared_position;
  bool local_done;
  bool looked;   /* there were headers past a cursor */
  bool compares; /* the window is what a comparison found */
  bool graves;   /* only tombstones are listed, after a comparison */
  bool takes;    /* most of what the last window listed was to be pulled */

  /* The window. */
  struct doclist remote, local, changed;
  struct plan plan;

  /* Nothing moves and nothing is acknowledged. */
  bool looks;
  bool left;    /* something that is not in the plan */
  bool at_hand; /* the first window, for the guard */
  /* Tombstones there behind the first window; and of a look, the deletes of
   * live documents that would come of it. */
  uint64_t gone, deletes_here, deletes_there;
  struct tally_error notice; /* why the run would stop here */
  /* With a folder, which may hold a document in several segments: what moved
   * already. */
  struct idset moved;

  /* Where everything is listed: the local head ahead of that.  What is deleted
   * here meanwhile may have been met by an earlier window. */
  uint64_t listed_from;
  bool listing, was_empty; /* nothing was here then */

  /* Local seqs that the far side is known to have. */
  struct seqset settled;
  /* In a rejoin: local seqs of documents that the far side listed. */
  struct seqset listed;
  /* The first local seq that it could not be given; 0: none. */
  uint64_t stuck;
  /* The first document that was set aside, and why. */
  struct tally_error bad;
  /* The list of held documents was full: the cursors stop. */
  bool far_stuck;
  struct tally_error no_room;
  uint64_t wall_ms; /* of this window, for what is too new */
  bool repaired;    /* nothing here is beyond our clock any more */

  uint64_t done, total; /* documents, for progress */
  /* Given to a folder that has not published them yet, and how many of them
   * are tombstones. */
  uint64_t waiting, waiting_deleted;
};

/* ids of documents that both sides may have changed. */
struct idlist {
  struct tally_slice *ids;
  size_t count, capacity;
  struct arena arena;
};

bool idlist_add (struct idlist *list, struct tally_slice id);
void idlist_free (struct idlist *list);

static inline bool
run_cancelled (const struct run *run)
{
  const struct tally_host *host = run->replica->host;

  return host && host->cancelled && host->cancelled (host->ctx);
}

static inline bool
sync_cancelled (const struct sync *sync)
{
  return run_cancelled (sync->run);
}

/* NULL: what is known counts. */
static inline const struct strict *
sync_strict (const struct sync *sync)
{
  return sync->strict.n > 0 ? &sync->strict : NULL;
}

/* The same for one document, and what is there of it (or NULL). */
static inline const struct strict *
sync_strict_of (const struct sync *sync, struct tally_slice id,
                const struct tally_doc *theirs)
{
  if (sync->strict.n > 0)
    return &sync->strict;
  return held_is_strict (&sync->run->pair.held, sync->collection, id,
                         theirs ? theirs->rev : NULL)
             ? &sync->own
             : NULL;
}

/* ---- engine-tell.c: what the application hears of ----------------------- */

/* An event: its start, progress, or end. */
void sync_tell (struct sync *sync, int type);
void sync_progress (struct sync *sync);

/* The report of a collection that is over; a run's hello falls to its first
 * one. */
void sync_fill_report (struct sync *sync, int status,
                       const struct tally_error *why);

/* False: out of memory. */
bool sync_conflict (struct sync *sync, struct tally_slice id,
                    struct tally_slice raw_field);

/* Notes that a document moved; each is counted once. */
void sync_count (struct sync *sync, struct tally_slice id, uint64_t *counter,
                 bool deleted);

/* False when the document has moved in this run before. */
bool sync_moves_first (struct sync *sync, struct tally_slice id);

/* Notes that the far side took a document; what is put into a folder counts
 * once that is published. */
void sync_count_pushed (struct sync *sync, struct tally_slice id,
                        bool deleted);

/* ---- the window --------------------------------------------------------- */

/* As graves_fill, where anything was forgotten at all.  After a broken pair
 * nobody knows whose stamps a grave knew. */
int sync_fill_graves (struct sync *sync, struct doclist *docs,
                      const struct tally_slice *ids, size_t n, unsigned flags,
                      struct tally_error *err);

/* ---- engine-checkpoint.c: where a run begins and ends ------------------- */

/* Before the first thing of a run moves: gives the pair a fresh token, and
 * makes tombstones of the collection wait for it. */
int sync_begin (struct sync *sync, struct tally_error *err);

/* A cursor is below a floor: all is listed.  Cursors are kept, for what they
 * say of either side. */
int sync_rejoin (struct sync *sync, struct tally_error *err);

/* Stops the local cursor before this seq. */
void sync_stop_before (struct sync *sync, uint64_t seq);

int ensure_indexes (struct sync *sync, struct tally_error *err);

/* Both cursors become one note, once all that they claim is durable on both
 * sides.  Where nothing moved, nothing is written. */
int finalize (struct sync *sync, struct tally_error *err);

/* ---- engine-held.c: what one side refuses ------------------------------- */

/* Keeps a document for later: status TALLY_AGAIN, its stamps are beyond the
 * clock of the side that refuses it (why NULL), else it breaks a rule.  Ours
 * have their seq. */
int sync_hold (struct sync *sync, enum held_side side,
               const struct tally_doc *doc, int status, const char *why,
               struct tally_error *err);

/* Keeps ours, since theirs is too new to merge with it. */
int sync_hold_with (struct sync *sync, const struct tally_doc *ours,
                    const struct tally_doc *theirs, struct tally_error *err);

/* Both sides have the document now. */
void sync_stop_holding (struct sync *sync, struct tally_slice id);

/* A peer_bad_fn, with the sync as ctx. */
bool sync_hold_bad (void *ctx, const struct tally_doc *doc, const char *why);

/* Lists what was held and may be taken now. */
int sync_retry (struct sync *sync, struct idlist *both,
                struct tally_error *err);

/* Takes out of the window what is too new for us, and lists what must be
 * merged with something that was held or taken back. */
int sync_hold_back (struct sync *sync, struct idlist *both,
                    struct tally_error *err);

/* True when its newest stamp is beyond our clock. */
bool sync_is_too_new (const struct sync *sync,
                      const unsigned char rev[TALLY_REV_SIZE]);

/* A document of either side, with its meta and body; free it. */
int sync_decode (const struct sync *sync, struct state *out,
                 const struct tally_doc *doc, struct tally_error *err);

/* Whether ours, which may be NULL, knows the newest stamp of this revision. */
int sync_knows_newest (const struct sync *sync, const struct tally_doc *ours,
                       const unsigned char rev[TALLY_REV_SIZE], bool *knows,
                       struct tally_error *err);

/* True when theirs brings stamps beyond our clock that ours does not know;
 * ours may be NULL. */
int sync_refuses (const struct sync *sync, const struct tally_doc *ours,
                  const struct tally_doc *theirs, bool *refuses,
                  struct tally_error *err);

/* A document of ours that is not to be pushed as it is: it will be repaired
 * in this run, or it is beyond their clock. */
enum keep { KEEP_NOT, KEEP_FOR_REPAIR, KEEP_HELD };
enum keep sync_keeps (const struct sync *sync,
                      const unsigned char rev[TALLY_REV_SIZE]);

/* Why a collection with documents that are held is not done. */
int sync_complaint (const struct sync *sync, struct tally_error *err);

/* The document of ours with this seq is not there, or was changed since. */
static inline bool
sync_is_changed (const struct sync *sync, uint64_t seq)
{
  return seq > sync->local_cursor
         || held_has_seq (&sync->run->pair.held, sync->collection, seq);
}

/* ---- engine-clock.c: two clocks ----------------------------------------- */

/* Before and after hello. */
int run_look_ahead (struct run *run, struct tally_error *err);
int run_compare_clocks (struct run *run, struct tally_error *err);

#define CLOCK_REASON 256

/* Why a stamp is beyond the clock of the side that refuses it. */
void run_clock_reason (const struct run *run, enum held_side side, uint64_t ms,
                       char out[CLOCK_REASON]);

/* What time it is there, as far as we know. */
uint64_t run_far_wall_ms (const struct run *run, uint64_t wall_ms);

/* New stamps for what is beyond our clock, in the collection once all of
 * theirs is known, and in all others at the end of the run. */
int sync_repair (struct sync *sync, struct tally_error *err);
int run_repair (struct run *run, struct tally_error *err);

/* ---- the steps ---------------------------------------------------------- */

/* engine-remote.c: the next page of what changed there. */
int retrieve_remote_meta (struct sync *sync, struct tally_error *err);

/* The one after it comes while this one is stored. */
void fetch_remote_ahead (struct sync *sync);

/* What a run asks first of a collection, for its next hello to bring along. */
void foresee_remote_meta (struct run *run, const char *collection);

/* The remote side once more from where this run began. */
int restart_remote (struct sync *sync, struct tally_error *err);

/* engine-compile.c: the plan of a window. */
int compile_changes (struct sync *sync, struct tally_error *err);

void sync_free (struct sync *sync);

/* engine-guard.c: after the first window.  TALLY_CONFLICT: too many deletes
 * would come of this run. */
int guard_deletes (struct sync *sync, struct tally_error *err);

/* The same of a look that is over. */
int guard_judge (struct sync *sync, struct tally_error *err);

/* engine-bound.c: takes from the window what is not in the link's plan, and
 * stops at what moved since. */
int bound_window (struct sync *sync, struct tally_error *err);

/* The same of a document that is about to be moved or merged; a revision may
 * be NULL. */
int bound_check (struct sync *sync, struct tally_slice id,
                 const unsigned char *local, const unsigned char *remote,
                 struct tally_error *err);

/* engine-survey.c: the same windows as a run's, told to the link's look. */
int survey_windows (struct sync *sync, struct tally_error *err);

/* engine-push.c, engine-pull.c: a window's items; what turns out to have
 * changed on both sides goes to the list. */
int push_remote (struct sync *sync, struct idlist *both,
                 struct tally_error *err);
int pull_local (struct sync *sync, struct idlist *both,
                struct tally_error *err);

/* engine-give.c: push_remote ahead of the first window, if the far side has
 * nothing and all of ours may go there as it lies here.  Windows then begin
 * behind that. */
bool push_may_give (const struct sync *sync);
int push_given (struct sync *sync, struct idlist *both,
                struct tally_error *err);

/* engine-returned.c: whether a document that is kept, and that the far side
 * (there) or we do not have, may have been deleted there, or here; and what
 * the log says of them. */
int sync_may_return (const struct sync *sync, const struct tally_doc *doc,
                     bool there, bool *may, struct tally_error *err);
void sync_tell_returned (const struct sync *sync);

/* engine-delete.c: what is gone on one side, which has forgotten when. */
int delete_gone (struct sync *sync, struct tally_error *err);

/* engine-merge.c: fetches, merges, stores and pushes until both sides have
 * the same. */
int merge_both (struct sync *sync, struct idlist *both,
                struct tally_error *err);

#endif /* TALLY_ENGINE_INTERNAL_H */
