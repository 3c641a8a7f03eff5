/* SPDX-License-Identifier: MIT */
/* sync, pair and links of tally.h: runs the engine over two endpoints. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "engine.h"
#include "link.h"
#include "namelist.h"
#include "public.h"

/* ---- collections -------------------------------------------------------- */

void
collections_free (char **names)
{
  for (size_t i = 0; names && names[i]; i++)
    free (names[i]);
  free (names);
}

static int
check_syncing (const char *name, struct tally_error *err)
{
  int status = collection_check (name, err);

  if (status == TALLY_OK && collection_is_local (name))
    status = error_set (err, TALLY_INVALID,
                        "collection \"%s\": is local and "
                        "never syncs",
                        name);
  return status;
}

int
collections_parse (char ***out, const char *text, struct tally_error *err)
{
  size_t n = 0, room;
  char **names;
  int status = TALLY_OK;

  *out = NULL;
  if (!text || strcmp (text, "*") == 0)
    return TALLY_OK;
  if (namelist_has_gap (text))
    return error_set (err, TALLY_INVALID,
                      "collections: an empty name beside a comma");
  room = strlen (text) / 2 + 3;
  names = calloc (room, sizeof *names);
  if (!names)
    return error_nomem (err);
  while (status == TALLY_OK) {
    size_t size = strcspn (text, ", ");

    if (size > 0) {
      names[n] = strndup (text, size);
      status = names[n] ? check_syncing (names[n], err) : error_nomem (err);
      n++;
    }
    text += size;
    if (!*text)
      break;
    text++;
  }
  if (status == TALLY_OK && n == 0)
    status = error_set (err, TALLY_INVALID, "collections: none is named");
  if (status == TALLY_OK)
    *out = names;
  else
    collections_free (names);
  return status;
}

/* ---- running ------------------------------------------------------------ */

int
no_joint (const char *name, tally_report_fn *emit, void *ctx,
          const struct tally_error *err)
{
  struct tally_report report = { .size = sizeof report };

  report.link = name;
  report.strategy = "changes";
  report.status = err->status;
  report.error = err->text;
  if (emit && err->status != TALLY_USAGE && err->status != TALLY_CONFIG)
    emit (ctx, &report);
  return err->status;
}

static void
keep_result (struct joint *joint, const char *name,
             const struct tally_error *err)
{
  char key[256];
  struct buf note = BUF_INIT;
  struct tally_slice value;
  struct tally_error ignored;

  if (snprintf (key, sizeof key, "link/%s", name) >= (int) sizeof key)
    return;
  buf_addf (&note, "%llu %s",
            (unsigned long long) replica_wall_ms (joint->replica), err->text);
  value = buf_slice (&note);
  if (!note.failed)
    replica_note_put (joint->replica, key, NULL, &value, &ignored);
  buf_free (&note);
}

struct engine_link
joint_link (const struct joint *joint, const struct run_as *as)
{
  struct engine_link link = { 0 };

  link.name = as->name;
  link.replica = joint->replica;
  link.channel = joint->channel;
  link.collections = as->collections;
  link.direction = as->direction;
  link.device = joint->tally->config->device;
  link.event = joint->tally->event;
  link.event_ctx = joint->tally->ctx;
  link.same_clock = joint->theirs != NULL;
  link.threads = true;
  link.limits_deletes = as->options->limits_deletes;
  link.most_deletes = as->options->most_deletes;
  return link;
}

int
run_joint (struct tally *tally, const char *a, const char *b,
           const struct run_as *as, tally_report_fn *emit, void *ctx,
           struct tally_error *err)
{
  struct engine_link link;
  struct journal_limits limits = { (uint64_t) tally->config->keep_conflicts_ms,
                                   (uint64_t) tally->config->max_conflicts };
  struct joint joint;
  int status;

  status = joint_open (&joint, tally, a, b, JOINT_MAKE, err);
  if (status != TALLY_OK)
    return no_joint (as->name, emit, ctx, err);
  link = joint_link (&joint, as);
  link.limits = &limits;
  link.plan = as->plan;
  error_clear (err);
  status = joint.mirror.far ? run_mirror (&joint, &link, emit, ctx, err)
                            : engine_sync (&link, emit, ctx, err);
  if (as->keeps)
    keep_result (&joint, as->name, err);
  joint_close (&joint);
  return status;
}

/* A run, or what is asked for in its place. */
static int
do_joint (struct tally *tally, const char *a, const char *b,
          const struct run_as *as, tally_report_fn *emit, void *ctx,
          struct tally_error *err)
{
  const struct tally_sync_options *options = as->options;

  if (options->apply_plan && (options->dry_run || options->save_plan))
    return error_set (err, TALLY_USAGE, "%s: a plan is either made or applied",
                      as->name);
  if (options->save_plan && !options->dry_run)
    return error_set (err, TALLY_USAGE, "%s: a plan is made by a dry run",
                      as->name);
  if (options->dry_run)
    return look_joint (tally, a, b, as, emit, ctx, err);
  if (options->apply_plan)
    return apply_joint (tally, a, b, as, emit, ctx, err);
  return run_joint (tally, a, b, as, emit, ctx, err);
}

int
link_unknown (struct tally *tally, const char *name, struct tally_error *err)
{
  const char *near = config_nearest_link (tally->config, name);

  return error_set (err, TALLY_CONFIG, "%s: no such link%s%s%s", name,
                    near ? "; did you mean \"" : "", near ? near : "",
                    near ? "\"?" : "");
}

int
link_direction (int *out, int asked, enum config_direction configured,
                struct tally_error *err)
{
  if (asked < TALLY_AS_CONFIGURED || asked > TALLY_BOTH)
    return error_set (err, TALLY_USAGE, "direction: there is no %d", asked);
  *out = asked == TALLY_AS_CONFIGURED ? (int) configured
         : asked == TALLY_BOTH        ? CONFIG_BOTH
                                      : asked;
  return TALLY_OK;
}

int
tally_sync (struct tally *tally, const char *name,
            const struct tally_sync_options *given, tally_report_fn *emit,
            void *ctx, struct tally_error *err)
{
  const struct config_link *link = config_link (tally->config, name);
  struct tally_sync_options options = { 0 };
  struct run_as as = { .name = name, .keeps = true, .options = &options };
  char **collections = NULL;
  int status;

  err = PUBLIC_ERROR (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  if (!link)
    return link_unknown (tally, name, err);
  status =
      link_direction (&as.direction, options.direction, link->direction, err);
  if (status == TALLY_OK)
    status = collections_parse (&collections, options.collections, err);
  if (status != TALLY_OK)
    return status;
  as.collections = options.collections ? (const char *const *) collections
                                       : link->collections;
  status = do_joint (tally, link->store->name, link->transport->name, &as,
                     emit, ctx, err);
  collections_free (collections);
  return status;
}

int
tally_pair (struct tally *tally, const char *a, const char *b,
            const struct tally_sync_options *given, tally_report_fn *emit,
            void *ctx, struct tally_error *err)
{
  struct tally_sync_options options = { 0 };
  struct run_as as = { .options = &options };
  char **collections = NULL;
  struct buf name = BUF_INIT;
  int status;

  err = PUBLIC_ERROR (err);
  public_copy (&options, sizeof options, given, given ? given->size : 0);
  status = link_direction (&as.direction, options.direction, CONFIG_BOTH, err);
  if (status == TALLY_OK)
    status = collections_parse (&collections, options.collections, err);
  if (status != TALLY_OK)
    return status;
  buf_addf (&name, "%s %s", a, b);
  buf_add_byte (&name, '\0');
  as.name = name.data;
  as.collections = (const char *const *) collections;
  status = name.failed ? error_nomem (err)
                       : do_joint (tally, a, b, &as, emit, ctx, err);
  buf_free (&name);
  collections_free (collections);
  return status;
}

int
tally_links (struct tally *tally, tally_emit_name *emit, void *ctx,
             struct tally_error *err)
{
  (void) err;
  for (size_t i = 0; i < tally->config->n_links; i++)
    if (emit (ctx, tally->config->links[i].name))
      break;
  return TALLY_OK;
}

const char *
tally_link_store (const struct tally *tally, const char *name)
{
  const struct config_link *link = config_link (tally->config, name);

  return link ? link->store->name : NULL;
}
