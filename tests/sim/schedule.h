/* SPDX-License-Identifier: MIT */
/* Schedules: what is done in a world, and what may go wrong meanwhile.  Each
 * operation says by itself all that is to happen in it, so that any of them
 * can be left out and the others mean the same. */

#ifndef TALLY_SIM_SCHEDULE_H
#define TALLY_SIM_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SIM_SITES 6 /* five, and a copy of one of them */
#define SIM_LINKS 24
#define SIM_OPS 400

enum op_kind {
  OP_NONE,
  OP_PUT,     /* assigns `fields`, of these `removed` are taken away */
  OP_REPLACE, /* a whole write */
  OP_DELETE,
  OP_RESTORE,  /* writes what an entry of the journal lost once more */
  OP_DROP,     /* drops an entry: somebody has looked at it */
  OP_SYNC,     /* one run of a link */
  OP_LATE,     /* a request that was sent long ago arrives */
  OP_CLOCK,    /* the site's wall clock is set `ms` off, or stops */
  OP_RESTART,  /* the process ends and comes again */
  OP_MOVE,     /* it comes again elsewhere */
  OP_BACKUP,   /* the disk as it is now is put away */
  OP_ROLLBACK, /* what was put away takes its place, in the same place */
  OP_REVIVE,   /* or in another */
  OP_CLONE,    /* the disk is copied to the spare site, and both go on */
  OP_NATIVE,   /* a whole state comes in past core, as from the dialect */
  OP_KINDS
};

enum net_fault {
  NET_FINE,
  NET_DROP,  /* the request does not get there */
  NET_LOSE,  /* it does, and the reply does not come back */
  NET_TWICE, /* it gets there twice */
  NET_LATE,  /* it gets there, and once more with a later OP_LATE */
  NET_HOLD,  /* it gets there only then */
  NET_SHORT, /* the reply is cut */
  NET_FLIP,  /* a bit of the reply is another */
  NET_SPOIL, /* a bit of the request is another */
  NET_DOWN,  /* from here on nothing gets there */
  NET_FAULTS
};

enum crash {
  CRASH_NONE,
  CRASH_BEFORE, /* the call did nothing */
  CRASH_AFTER,  /* it did all, and nobody heard of it */
  CRASH_LOST,   /* what was not synced to the disk is lost, */
  CRASH_TORN,   /* half there, */
  CRASH_KEPT,   /* or there */
  CRASHES
};

struct op {
  enum op_kind kind;
  unsigned char site; /* of OP_SYNC the link */
  unsigned char doc;
  unsigned char fields, removed; /* bit sets */
  unsigned char direction;       /* 0: both; TALLY_PUSH, TALLY_PULL */
  unsigned char stops;           /* OP_CLOCK */
  int64_t ms;                    /* OP_CLOCK, OP_NATIVE: off the time */
  uint64_t wait_ms;              /* passes before it */

  /* OP_SYNC: what goes wrong, at which exchange (or call of a folder). */
  enum net_fault fault;
  unsigned fault_at;
  /* At which call of a store, the client's or the server's. */
  enum crash crash;
  unsigned crash_at;
  bool crash_server;
  /* What happens meanwhile, before which exchange: a write of OP_PUT,
   * OP_REPLACE, OP_DELETE at a site, or an OP_SYNC of a link. */
  enum op_kind meddle;
  unsigned meddle_at;
  unsigned char meddle_site, meddle_doc, meddle_fields;

  uint64_t seed; /* of choices that depend on what is there */
};

/* What a schedule may have in it: it is fault free when it has none. */
enum feature {
  FEATURE_NETWORK = 1,
  FEATURE_CRASHES = 2,
  FEATURE_MEDDLING = 4,    /* writes and runs in the middle of runs */
  FEATURE_COPIES = 8,      /* clones, roll-backs, restored backups */
  FEATURE_CLOCKS = 16,     /* off by up to max_skew, stopped, stepping */
  FEATURE_FOLDERS = 32,    /* links over shared folders */
  FEATURE_DIRECTIONS = 64, /* runs of one direction */
  FEATURE_MOVES = 128,     /* fresh client ids */
  FEATURE_DELETES = 256,
  FEATURE_MESH = 512,   /* more than one way from site to site */
  FEATURE_YEARS = 1024, /* clocks off by up to a year */
  FEATURE_NATIVE = 2048,
  FEATURE_AWAY = 4096, /* longer than tombstones are kept */
  FEATURE_ALL = 8191
};

/* What is tried unless it is asked for otherwise. */
#define SIM_FEATURES FEATURE_ALL

struct link_setup {
  unsigned char client;
  unsigned char server; /* or the folder */
  bool folder;
};

/* Slots that a site's driver does not have; and a file system that remembers
 * nothing of a file beside its content. */
enum {
  LACKS_NOTES = 1,
  LACKS_COLLECTIONS = 2,
  LACKS_BATCHES = 4,
  LACKS_SCANS = 8,
  LACKS_WITNESS = 16
};

struct setup {
  unsigned features;
  unsigned sites; /* without the spare one */
  struct {
    bool memory; /* the memory driver: nothing to lose, copy or roll back */
    unsigned lacks;
  } site[SIM_SITES];
  struct link_setup links[SIM_LINKS];
  unsigned n_links;
  unsigned docs;
  bool two; /* collections */
};

struct schedule {
  uint64_t seed;
  struct setup setup;
  struct op ops[SIM_OPS];
  size_t n;
};

/* Draws it; `features` is what it may have, `always` what it has. */
void schedule_make (struct schedule *schedule, uint64_t seed,
                    unsigned features, unsigned always);

/* As a line that a person reads, and as C to paste into a history. */
void op_print (FILE *out, const struct op *op);
void op_print_c (FILE *out, const struct op *op);
void setup_print (FILE *out, const struct setup *setup);
const char *op_name (enum op_kind kind);

#endif /* TALLY_SIM_SCHEDULE_H */
