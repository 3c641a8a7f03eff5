/* SPDX-License-Identifier: MIT */
/* Two endpoints joined for a run: a store here, and a channel to a store or
 * over a transport there. */

#ifndef TALLY_LINK_H
#define TALLY_LINK_H

#include "answer.h"
#include "context.h"
#include "engine.h"
#include "mirror.h"

/* What becomes of a side that is missing (both of them: TALLY_NOTFOUND). */
enum joint_how {
  JOINT_MAKE, /* it is made */
  JOINT_KEEP, /* TALLY_NOTFOUND; nothing is written to what is there */
  JOINT_LOOK  /* it is empty; likewise */
};

struct joint {
  struct tally *tally;
  enum joint_how how;
  struct tally_replica *ours;
  struct replica *replica;
  struct tally_replica *theirs; /* NULL: over a transport */
  struct answer answer;
  struct channel *channel;
  /* With JOINT_LOOK, in place of what is missing. */
  struct replica *vacant_ours, *vacant_theirs;
  struct channel *vacant_channel;
  /* Of a far side that speaks LinvoDB's dialect; else its `far` is NULL. */
  struct mirror mirror;
  char *mirror_key;
};

/* TALLY_USAGE: two transports, or one store twice. */
int joint_open (struct joint *joint, struct tally *tally, const char *a,
                const char *b, enum joint_how how, struct tally_error *err);
void joint_close (struct joint *joint);

/* How a link is run, from its section or its endpoints, and from options. */
struct run_as {
  const char *name;
  const char *const *collections;
  int direction; /* 0: both; TALLY_PUSH, TALLY_PULL */
  bool keeps;    /* the result, for status */
  const struct tally_sync_options *options;
  const struct planfile *plan; /* NULL, or what it is bound to */
};

/* Of a run, by what was asked and what is configured.  TALLY_USAGE: what was
 * asked is none. */
int link_direction (int *out, int asked, enum config_direction configured,
                    struct tally_error *err);

/* What the engine is to be given. */
struct engine_link joint_link (const struct joint *joint,
                               const struct run_as *as);

/* link-look.c: what a run would do. */
int look_joint (struct tally *tally, const char *a, const char *b,
                const struct run_as *as, tally_report_fn *emit, void *ctx,
                struct tally_error *err);

int run_joint (struct tally *tally, const char *a, const char *b,
               const struct run_as *as, tally_report_fn *emit, void *ctx,
               struct tally_error *err);

/* link-plan.c: what a plan says. */
int apply_joint (struct tally *tally, const char *a, const char *b,
                 const struct run_as *as, tally_report_fn *emit, void *ctx,
                 struct tally_error *err);

/* link-mirror.c: a far side that speaks the dialect.  Once the joint has its
 * channel and replica; what takes the place of engine_sync; and why there is
 * nothing in place of a look. */
int joint_mirror (struct joint *joint, const struct endpoint *far,
                  struct tally_error *err);
int run_mirror (struct joint *joint, const struct engine_link *link,
                tally_report_fn *emit, void *ctx, struct tally_error *err);
int no_mirror_look (const struct endpoint *far, struct tally_error *err);

/* The head of the plan that a look makes. */
int plan_save_head (struct planfile_writer *writer, const struct run_as *as,
                    const struct engine_look *look, struct tally_error *err);

/* "A,B" from a list; NULL from NULL. */
int join_names (const char *const *names, char **out, struct tally_error *err);

/* Reports a link whose ends could not be joined. */
int no_joint (const char *name, tally_report_fn *emit, void *ctx,
              const struct tally_error *err);
/* Says that there is no such link. */
int link_unknown (struct tally *tally, const char *name,
                  struct tally_error *err);

/* "A,B" as a list that ends with NULL, each name checked; NULL gives NULL. */
int collections_parse (char ***out, const char *text, struct tally_error *err);
void collections_free (char **names);

#endif /* TALLY_LINK_H */
