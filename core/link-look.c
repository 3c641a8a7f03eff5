/* SPDX-License-Identifier: MIT */
/* Dry runs: both sides are looked at, and what a run would do is told. */

#include <config.h>

#include "link.h"

struct looking {
  const struct run_as *as;
  const struct engine_look *look;
  struct planfile_writer *writer; /* NULL: it is not saved */
  bool has_head;
  struct buf id;
  bool stopped;
};

static int
tell_item (struct looking *looking, const struct plan_move *move,
           struct tally_error *err)
{
  const struct tally_sync_options *options = looking->as->options;
  struct tally_plan_item item = { .size = sizeof item };

  buf_clear (&looking->id);
  buf_add_slice (&looking->id, move->id);
  buf_add_byte (&looking->id, '\0');
  if (looking->id.failed)
    return error_nomem (err);
  item.link = looking->as->name;
  item.collection = move->collection;
  item.id = looking->id.data;
  item.action = move->step == STEP_PULL   ? TALLY_ACTION_PULL
                : move->step == STEP_PUSH ? TALLY_ACTION_PUSH
                                          : TALLY_ACTION_MERGE;
  item.deleted = move->deleted;
  looking->stopped = options->plan (options->plan_ctx, &item) != 0;
  return looking->stopped ? error_set (err, TALLY_CANCELLED, "cancelled")
                          : TALLY_OK;
}

/* Who is joined is known by now. */
static int
save_head (struct looking *looking, struct tally_error *err)
{
  if (!looking->writer || looking->has_head)
    return TALLY_OK;
  looking->has_head = true;
  return plan_save_head (looking->writer, looking->as, looking->look, err);
}

static int
on_move (void *ctx, const struct plan_move *move, struct tally_error *err)
{
  struct looking *looking = ctx;
  int status = save_head (looking, err);

  if (status == TALLY_OK && looking->writer)
    status = planfile_put (looking->writer, move, err);
  if (status != TALLY_OK)
    return status;
  if (!looking->as->options->plan || move->again || move->step == STEP_NONE)
    return TALLY_OK;
  return tell_item (looking, move, err);
}

static int
look (struct looking *looking, struct tally *tally, const char *a,
      const char *b, tally_report_fn *emit, void *ctx, struct tally_error *err)
{
  struct engine_look look = { .move = on_move, .ctx = looking };
  struct engine_link link;
  struct joint joint;
  int status = joint_open (&joint, tally, a, b, JOINT_LOOK, err);

  if (status != TALLY_OK)
    return no_joint (looking->as->name, emit, ctx, err);
  link = joint_link (&joint, looking->as);
  link.look = &look;
  looking->look = &look;
  error_clear (err);
  status = engine_sync (&link, emit, ctx, err);
  joint_close (&joint);
  if (status == TALLY_OK)
    status = save_head (looking, err);
  if (status == TALLY_OK && looking->writer)
    status = planfile_finish (looking->writer, err);
  return status;
}

int
look_joint (struct tally *tally, const char *a, const char *b,
            const struct run_as *as, tally_report_fn *emit, void *ctx,
            struct tally_error *err)
{
  struct looking looking = { .as = as };
  int status = TALLY_OK;

  if (as->options->save_plan)
    status = planfile_begin (&looking.writer, as->options->save_plan, err);
  if (status == TALLY_OK)
    status = look (&looking, tally, a, b, emit, ctx, err);
  planfile_free_writer (looking.writer);
  buf_free (&looking.id);
  if (looking.stopped) {
    error_clear (err);
    status = TALLY_OK;
  }
  return status;
}
