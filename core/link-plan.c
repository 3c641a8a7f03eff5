/* SPDX-License-Identifier: MIT */
/* Plans of links: a dry run that is saved, and a run that does what was
 * saved.  Both sides are first looked at, and held against all of the plan;
 * only then something moves. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "link.h"

/* ---- saving ------------------------------------------------------------- */

int
join_names (const char *const *names, char **out, struct tally_error *err)
{
  struct buf text = BUF_INIT;

  *out = NULL;
  if (!names)
    return TALLY_OK;
  for (size_t i = 0; names[i]; i++)
    buf_addf (&text, "%s%s", i ? "," : "", names[i]);
  buf_add_byte (&text, '\0');
  if (text.failed) {
    buf_free (&text);
    return error_nomem (err);
  }
  *out = text.data;
  return TALLY_OK;
}

int
plan_save_head (struct planfile_writer *writer, const struct run_as *as,
                const struct engine_look *look, struct tally_error *err)
{
  struct planfile_head head = { .link = (char *) as->name,
                                .direction = as->direction };
  int status = join_names (as->collections, &head.collections, err);

  memcpy (head.local, look->local, sizeof head.local);
  memcpy (head.far, look->far, sizeof head.far);
  if (status == TALLY_OK)
    status = planfile_put_head (writer, &head, err);
  free (head.collections);
  return status;
}

/* ---- applying ----------------------------------------------------------- */

struct applying {
  const struct run_as *as;
  struct planfile plan;
  struct engine_look look;
};

static int
moved (void *ctx, const struct plan_move *move, struct tally_error *err)
{
  const struct applying *applying = ctx;

  return engine_moved (applying->as->name, move->collection, move->id, err);
}

/* What a side was when the plan was made, beside what it is now; *made: it
 * was not there yet. */
static bool
is_same_side (const unsigned char *then, const unsigned char *now, bool *made)
{
  static const unsigned char nobody[REPLICA_ID_SIZE];
  bool same = memcmp (then, now, REPLICA_ID_SIZE) == 0;

  *made |= !same && memcmp (then, nobody, REPLICA_ID_SIZE) == 0;
  return same;
}

static int
check_sides (const struct applying *applying, struct tally_error *err)
{
  const struct planfile_head *head = &applying->plan.head;
  const struct engine_look *look = &applying->look;
  bool made = false;
  bool local = is_same_side (head->local, look->local, &made);
  bool far = is_same_side (head->far, look->far, &made);

  if (local && far)
    return TALLY_OK;
  if (made)
    return error_set (err, TALLY_CONFLICT,
                      "%s: was made before one of the two was there; make "
                      "another",
                      applying->plan.path);
  return error_set (err, TALLY_INVALID,
                    "%s: was made for other stores than these",
                    applying->plan.path);
}

static int
on_move (void *ctx, const struct plan_move *move, struct tally_error *err)
{
  struct applying *applying = ctx;
  int status = check_sides (applying, err);

  if (status == TALLY_OK && !planfile_meet (&applying->plan, move))
    status = moved (ctx, move, err);
  return status;
}

/* What the command line says besides must be what the plan was made with. */
static int
check_options (const struct applying *applying, const struct run_as *as,
               struct tally_error *err)
{
  const struct planfile *plan = &applying->plan;
  const struct tally_sync_options *options = as->options;
  char *names;
  bool same;
  int status;

  if (as->keeps && strcmp (plan->head.link, as->name) != 0)
    return error_set (err, TALLY_USAGE, "%s: was made for %s, not for %s",
                      plan->path, plan->head.link, as->name);
  if (options->direction != TALLY_AS_CONFIGURED
      && as->direction != plan->head.direction)
    return error_set (err, TALLY_USAGE, "%s: was made in another direction",
                      plan->path);
  if (!options->collections)
    return TALLY_OK;
  status = join_names (as->collections, &names, err);
  same = names && plan->head.collections
             ? strcmp (names, plan->head.collections) == 0
             : !names == !plan->head.collections;
  free (names);
  if (status == TALLY_OK && !same)
    status = error_set (err, TALLY_USAGE, "%s: was made of other collections",
                        plan->path);
  return status;
}

static int
compare (struct applying *applying, struct tally *tally, const char *a,
         const char *b, struct tally_error *err)
{
  struct engine_link link;
  struct joint joint;
  int status = joint_open (&joint, tally, a, b, JOINT_LOOK, err);

  if (status != TALLY_OK)
    return status;
  link = joint_link (&joint, applying->as);
  link.look = &applying->look;
  error_clear (err);
  status = engine_sync (&link, NULL, NULL, err);
  joint_close (&joint);
  if (status == TALLY_OK)
    status = check_sides (applying, err);
  if (status == TALLY_OK)
    status = planfile_unmet (&applying->plan, moved, applying, err);
  return status;
}

static int
apply (struct applying *applying, struct tally *tally, const char *a,
       const char *b, tally_report_fn *emit, void *ctx,
       struct tally_error *err)
{
  struct run_as as = *applying->as;
  char **collections = NULL;
  int status = check_options (applying, &as, err);

  if (status == TALLY_OK)
    status =
        collections_parse (&collections, applying->plan.head.collections, err);
  if (status != TALLY_OK)
    return status;
  as.direction = applying->plan.head.direction;
  as.collections = (const char *const *) collections;
  as.plan = &applying->plan;
  applying->as = &as;
  status = compare (applying, tally, a, b, err);
  if (status == TALLY_OK)
    status = run_joint (tally, a, b, &as, emit, ctx, err);
  else
    no_joint (as.name, emit, ctx, err);
  collections_free (collections);
  return status;
}

int
apply_joint (struct tally *tally, const char *a, const char *b,
             const struct run_as *as, tally_report_fn *emit, void *ctx,
             struct tally_error *err)
{
  struct applying applying = { .as = as };
  int status = planfile_read (&applying.plan, as->options->apply_plan, err);

  if (status != TALLY_OK)
    return status;
  applying.look.move = on_move;
  applying.look.ctx = &applying;
  status = apply (&applying, tally, a, b, emit, ctx, err);
  planfile_free (&applying.plan);
  return status;
}
