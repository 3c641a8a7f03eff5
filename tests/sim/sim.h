/* SPDX-License-Identifier: MIT */
/* The simulator: the real engine, answering side, replica and drivers in one
 * thread, with time, network, shared folders and disks that are simulated.
 * A schedule is a list of operations drawn from one seed.  An oracle is told
 * of each write and of what its author had before him, and says what must
 * become of it; it knows nothing of cursors, tokens and plans.  See schedule.c
 * for what is tried, and oracle.h for what is promised. */

#ifndef TALLY_SIM_H
#define TALLY_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../../core/answer.h"
#include "../../core/buf.h"
#include "../../core/channel.h"
#include "../../core/graves.h"
#include "../../core/replica.h"
#include "../kit/chance.h"
#include "../kit/rng.h"
#include "schedule.h"

#if defined __GNUC__
#define SIM_FORMAT(at, args) __attribute__ ((format (printf, at, args)))
#else
#define SIM_FORMAT(at, args)
#endif

#define SIM_DOCS 12
#define SIM_FIELDS 4
#define SIM_EVENTS 64 /* of one document: a bit set of them is a word */
#define SIM_PLACES 8
#define SIM_FOLDERS 2
#define SIM_LATE 4
#define SIM_START_MS UINT64_C (1700000000000)
#define SIM_SKEW_MS UINT64_C (300000)
#define SIM_DAY_MS (INT64_C (24) * 60 * 60 * 1000)
#define SIM_KEEP_MS (UINT64_C (90) * SIM_DAY_MS)

/* ---- disks (disk.c) ----------------------------------------------------- */

/* A log of records; what is before `synced` survives whatever happens. */
struct disk {
  struct buf log;
  size_t synced;
  bool fails_to_sync; /* the power goes in the middle of the next sync */
};

/* A store driver over a disk: open takes it from host->ctx, which must be a
 * struct site. */
extern const struct tally_store disk_store;

/* What becomes of bytes that were not synced. */
void disk_cut_power (struct disk *disk, enum crash crash, struct rng *rng);
void disk_copy (struct disk *to, const struct disk *from);

/* ---- sites (site.c) ----------------------------------------------------- */

struct world;

/* A machine with a store: every call of its driver goes through a gate that
 * counts, crashes and tells the oracle. */
struct site {
  struct world *world;
  unsigned index;
  bool active;
  char name[8], place[32];
  unsigned places;        /* how often it moved */
  struct witness witness; /* of the file: a copy put back leaves it */

  struct tally_store ops;
  struct driver driver;
  struct tally_host host;
  struct time_source time;
  bool memory;
  struct disk disk;
  const struct tally_store *inner_ops;
  void *inner;

  struct replica *replica; /* NULL: not running */
  struct answer answer;

  /* The crash that is to come at this call, counted from 1. */
  enum crash crash;
  unsigned crash_at, calls;
  bool crashed;
  uint64_t writes; /* that took effect */

  /* What the clock was, in the process and in its note. */
  struct hlc clock;
  uint64_t clock_note_ms, clock_note_client;

  int64_t off_ms;
  bool stopped;
  uint64_t stopped_ms;

  /* What was put away. */
  struct disk backup;
  bool has_backup;
  uint64_t backup_knows[SIM_DOCS];
};

/* Fills site->ops, in front of site->inner_ops and without what it lacks
 * (gate.c). */
void site_gate (struct site *site, unsigned lacks);

void site_start (struct site *site, struct world *world, unsigned index);
void site_free (struct site *site);
/* Opens the replica; a failure is a violation. */
void site_open (struct site *site);
void site_close (struct site *site);
/* The process is gone, and the power with it: what was not synced suffers. */
void site_recover (struct site *site, struct rng *rng);
uint64_t site_wall_ms (const struct site *site);

/* ---- the network (network.c) -------------------------------------------- */

struct blob {
  char *name;
  char *data;
  size_t size;
};

struct shared_folder {
  struct blob *blobs;
  size_t n, capacity;
  uint64_t knows[SIM_DOCS]; /* of what was ever put there */
};

/* A request that is still on its way. */
struct late {
  char *frame;
  size_t size;
  unsigned from, to;
  uint64_t knows[SIM_DOCS];
};

extern const struct tally_transport exchange_transport, folder_transport;

void late_deliver (struct world *world, size_t which);
void network_free (struct world *world);

/* ---- the oracle (oracle.h, fate.h) -------------------------------------- */

/* The pseudo-field that a whole write assigns beside all others: whether the
 * document is alive. */
#define SIM_WHOLE SIM_FIELDS

/* A write.  Values are numbers, each given to one write only; 0: absent. */
struct event {
  struct stamp stamp;
  struct stamp also[SIM_PLACES]; /* the places that repairs gave it */
  unsigned n_also;
  unsigned char site;
  bool whole, deleted;
  unsigned char assigned;              /* bit set of fields */
  unsigned value[SIM_FIELDS];          /* of those assigned */
  unsigned char prior[SIM_FIELDS + 1]; /* event + 1 that its author replaced */
  uint64_t past;                       /* bit set of events before it */
  bool by_core;   /* a tombstone anew, where the first one was forgotten */
  unsigned run;   /* in which that was made */
  bool forgotten; /* a tombstone that it went into was forgotten somewhere */
  unsigned char gone; /* fields whose value went with a disk or a copy of it */
  /* Of these, the ones that somebody has taken in all the same: they lost, and
   * only the journal went.  What they had replaced is replaced. */
  unsigned char untold;
  bool rewound;        /* its author's disk was put back to before it */
  unsigned char twice; /* fields of another write with its name */
  unsigned char read;  /* fields that somebody saw in a journal and settled */
};

struct doc_history {
  struct event events[SIM_EVENTS];
  unsigned n;
};

/* A stored document as the oracle reads it. */
struct view {
  bool there, deleted;
  unsigned char rev[TALLY_REV_SIZE];
  uint64_t seq;
  unsigned char standing[SIM_FIELDS + 1]; /* event + 1; 0: none */
  unsigned value[SIM_FIELDS];
  uint64_t events; /* those that stand */
};

/* A write whose acknowledgement never came. */
struct unsure {
  bool set;
  unsigned site, doc;
  struct view before;
  struct event event; /* but for the stamp */
};

/* ---- the world (world.c) ------------------------------------------------ */

enum violation {
  VIOLATION_NONE,
  VIOLATION_LOST,       /* an acknowledged write is nowhere */
  VIOLATION_CONFLICT,   /* a conflict that is none */
  VIOLATION_JOURNALS,   /* more than one journal has a loser */
  VIOLATION_RETURNED,   /* what somebody replaced is there again */
  VIOLATION_STAMP,      /* a stamp was given twice */
  VIOLATION_CLOCK,      /* the clock went back */
  VIOLATION_CHECKPOINT, /* it claims what is not durable */
  VIOLATION_DIVERGED,   /* replicas do not become equal */
  VIOLATION_AGAIN,      /* a second run moved something */
  VIOLATION_FAILED,     /* a run fails though nothing is wrong */
  VIOLATION_WRONG,      /* a write did not do what was asked */
  VIOLATION_REPORT,     /* a report tells something else than happened */
  VIOLATION_BROKEN,     /* a pair broke, and nobody was copied */
  VIOLATION_LOOK,       /* a dry run wrote, or foresaw something else */
  VIOLATION_ENDLESS     /* it goes on and on */
};

/* What a run reported, all collections together. */
struct totals {
  uint64_t pulled, pushed, merged, conflicts, deleted, round_trips;
  int status;
  char error[256];
};

/* A run that is going on, or a late request. */
struct run_context {
  struct run_context *outer;
  unsigned number;
  const struct op *op;
  struct site *client;
  struct site *server;          /* NULL: a folder */
  struct shared_folder *folder; /* or NULL */
  unsigned exchanges;
  unsigned points; /* where somebody could have meddled */
  bool down;
  /* What each side knew when the run read the document there. */
  uint64_t client_read[SIM_DOCS], server_read[SIM_DOCS];
  /* Documents that changed there by this run. */
  uint64_t client_changed, server_changed, journaled;
};

struct world {
  const struct setup *setup;
  uint64_t now_ms;
  struct site sites[SIM_SITES];
  struct shared_folder folders[SIM_FOLDERS];
  struct late late[SIM_LATE];
  size_t n_late;

  struct run_context *run; /* the innermost */
  unsigned runs;           /* so far */
  bool writing;            /* a local write is under way: no run's doing */
  bool looking;            /* a dry run is: nobody writes */
  uint64_t calls;

  struct doc_history docs[SIM_DOCS];
  uint64_t knows[SIM_SITES][SIM_DOCS];
  unsigned last_value;
  /* What the journal of a disk had that is put back now. */
  unsigned char was_journaled[SIM_DOCS][SIM_EVENTS];
  struct unsure unsure;
  unsigned happened; /* features that did occur */
  unsigned put_back; /* bit set of sites whose disk was */
  /* So many documents somebody was told of that may be back, though they were
   * deleted: of each collection. */
  uint64_t returned[2];
  bool broke;            /* a pair, and what it knew is not trusted any more */
  unsigned copies_found; /* runs in which a store learned of a copy */
  uint64_t operations, repairs;
  uint64_t forgotten;  /* documents and tombstones removed for good */
  bool graves_dropped; /* there were too many of them somewhere */

  enum violation violation;
  char why[400];
  FILE *trace; /* or NULL */
};

void world_start (struct world *world, const struct setup *setup);
void world_free (struct world *world);

/* Runs the operations, then lets the world settle, and checks it. */
void world_run (struct world *world, const struct op *ops, size_t n);

/* One operation. */
void world_do (struct world *world, const struct op *op);

/* Faults are over: every link syncs in rounds until all are equal. */
void world_settle (struct world *world);

/* Those that crashed are there again. */
void world_recover (struct world *world, const struct op *op);

/* Only the first counts. */
void violate (struct world *world, enum violation what, const char *fmt, ...)
    SIM_FORMAT (3, 4);
void trace (const struct world *world, const char *fmt, ...) SIM_FORMAT (2, 3);

const char *doc_collection (const struct world *world, unsigned doc);
/* "d0" and so on; good until the next call but three. */
const char *doc_id (unsigned doc);
/* -1: none of ours. */
int doc_of (struct tally_slice id);

/* ---- runs (run.c) ------------------------------------------------------- */

void world_sync (struct world *world, const struct op *op,
                 struct totals *totals);
uint64_t totals_moved (const struct totals *totals);

/* As an operation: nothing may fail where nothing is wrong, and at times it is
 * done again. */
void world_sync_op (struct world *world, const struct op *op);

/* Called at each point of a run where somebody could come between. */
void world_meddle (struct world *world);

/* ---- looking ahead (look.c) --------------------------------------------- */

/* What a dry run says that a run would do. */
struct foreseen {
  unsigned pulled, pushed, merged;
  bool failed;
  uint64_t forgotten; /* what world->forgotten was */
};

struct engine_link;

/* A dry run of what is about to run; it must touch nothing. */
void look_ahead (struct world *world, const struct engine_link *link,
                 struct foreseen *foreseen);
/* Whether it was so. */
void look_back (struct world *world, const struct foreseen *foreseen,
                const struct totals *totals);

/* ---- writing (writer.c) ------------------------------------------------- */

void writer_do (struct world *world, const struct op *op);
/* After a crash: whether the write that was under way took place. */
void writer_recover (struct world *world, struct site *site);

/* ---- running schedules (shrink.c) --------------------------------------- */

struct verdict {
  enum violation violation;
  char why[400];
  uint64_t operations;
};

void schedule_run (const struct schedule *schedule, FILE *trace,
                   struct verdict *verdict);

/* Leaves out whatever is not needed for the same violation. */
void schedule_shrink (struct schedule *schedule, enum violation violation);

#endif /* TALLY_SIM_H */
