/* SPDX-License-Identifier: MIT */
/* status of tally.h: links with what they still have to push, stores with
 * what they hold and who has it.  Nothing is written, nobody is asked. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "engine.h"
#include "indexes.h"
#include "journal.h"
#include "namelist.h"
#include "notejson.h"
#include "pair.h"
#include "public.h"

typedef int status_fn (void *ctx, const struct tally_status_row *row);

struct looker {
  struct tally *tally;
  struct replica *replica;
  status_fn *emit;
  void *ctx;
  bool stop;
};

static void
tell (struct looker *looker, struct tally_status_row *row)
{
  row->size = sizeof *row;
  if (!looker->stop)
    looker->stop = looker->emit (looker->ctx, row);
}

/* ---- stores ------------------------------------------------------------- */

static int
count_document (void *ctx, const struct tally_doc *doc)
{
  struct tally_status_row *row = ctx;

  if (doc->flags & TALLY_DOC_DELETED)
    row->deleted++;
  else
    row->documents++;
  return 0;
}

struct breaking {
  struct looker *looker;
  const char *store, *collection;
};

static void
tell_broken (void *ctx, const char *fields, const char *why)
{
  const struct breaking *breaking = ctx;
  struct tally_status_row row = { .store = breaking->store };

  row.collection = breaking->collection;
  row.index = fields;
  row.reason = why;
  tell (breaking->looker, &row);
}

static int
tell_collections (struct looker *looker, const char *store,
                  struct tally_error *err)
{
  struct namelist names = NAMELIST_INIT;
  int status =
      replica_collections (looker->replica, namelist_emit_shared, &names, err);

  if (status == TALLY_OK && names.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < names.count && status == TALLY_OK && !looker->stop;
       i++) {
    struct tally_status_row row = { .store = store };
    uint64_t head;

    row.collection = names.names[i];
    status = replica_changes (looker->replica, row.collection, 0,
                              count_document, &row, &head, err);
    if (status == TALLY_OK)
      tell (looker, &row);
  }
  for (size_t i = 0; i < names.count && status == TALLY_OK; i++) {
    struct breaking breaking = { looker, store, names.names[i] };

    status = indexes_each_broken (looker->replica, names.names[i], tell_broken,
                                  &breaking, err);
  }
  namelist_free (&names);
  return status;
}

/* Up to where a peer has everything: the least of its cursors. */
static uint64_t
least_cursor (const struct pair *pair)
{
  uint64_t least = UINT64_MAX;

  for (size_t i = 0; i < pair->n_cursors; i++)
    if (pair->cursors[i].local < least)
      least = pair->cursors[i].local;
  return pair->n_cursors > 0 ? least : 0;
}

static void
tell_held (struct looker *looker, const char *store,
           const struct held_list *list)
{
  for (size_t i = 0; i < list->n; i++) {
    struct tally_status_row row = { .store = store };

    row.collection = list->items[i].collection;
    row.id = list->items[i].id;
    row.held = list->items[i].side == HELD_OURS ? "push" : "pull";
    row.reason = list->items[i].reason;
    tell (looker, &row);
  }
}

static int
tell_peers (struct looker *looker, const char *store, enum pair_role role,
            struct tally_error *err)
{
  struct namelist keys = NAMELIST_INIT;
  int status = replica_note_list (looker->replica,
                                  role == PAIR_CLIENT ? "pair/" : "peer/",
                                  namelist_emit, &keys, err);

  if (status == TALLY_OK && keys.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < keys.count && status == TALLY_OK && !looker->stop;
       i++) {
    struct tally_status_row row = { .store = store };
    unsigned char id[REPLICA_ID_SIZE];
    struct pair pair;

    row.peer = keys.names[i] + 5;
    if (!replica_id_from_text (id, slice_text (row.peer)))
      continue;
    status = pair_load (&pair, looker->replica, role, id, err);
    if (status != TALLY_OK)
      break;
    row.last_contact_ms = pair.contact_ms;
    row.acknowledged = least_cursor (&pair);
    tell (looker, &row);
    tell_held (looker, store, &pair.held);
    pair_free (&pair);
  }
  namelist_free (&keys);
  return status;
}

/* Blind ones are no conflicts. */
static int
count_conflict (void *ctx, const struct tally_doc *doc)
{
  struct tally_status_row *row = ctx;

  (void) doc;
  row->conflicts++;
  return 0;
}

static int
tell_journal (struct looker *looker, const char *store,
              struct tally_error *err)
{
  struct tally_status_row row = { .store = store, .is_journal = 1 };
  uint64_t head, recent;
  int status = replica_changes (looker->replica, JOURNAL_COLLECTION, 0,
                                count_conflict, &row, &head, err);

  if (status == TALLY_OK)
    status = journal_dropped (looker->replica, &row.dropped, &recent, err);
  if (status == TALLY_OK && (row.conflicts > 0 || row.dropped > 0))
    tell (looker, &row);
  return status;
}

static int
look_at_store (struct looker *looker, const char *name,
               struct tally_error *err)
{
  struct tally_replica *handle;
  int status = tally_replica_open (&handle, looker->tally, name,
                                   TALLY_OPEN_READONLY, err);

  if (status == TALLY_OK)
    status = context_replica (&looker->replica, handle, err);
  if (status == TALLY_OK)
    status = tell_collections (looker, name, err);
  if (status == TALLY_OK)
    status = tell_peers (looker, name, PAIR_CLIENT, err);
  if (status == TALLY_OK)
    status = tell_peers (looker, name, PAIR_SERVER, err);
  if (status == TALLY_OK)
    status = tell_journal (looker, name, err);
  tally_replica_close (handle);
  return status;
}

/* ---- links -------------------------------------------------------------- */

static int
count_pending (void *ctx, const struct tally_doc *doc)
{
  struct tally_status_row *row = ctx;

  (void) doc;
  row->pending++;
  return 0;
}

/* "MS TEXT": when the link last ran, and what went wrong, if anything. */
static int
read_result (struct looker *looker, struct tally_status_row *row,
             struct buf *note, struct tally_error *err)
{
  char key[256];
  size_t digits;
  bool found;
  int status;

  snprintf (key, sizeof key, "link/%s", row->link);
  status = replica_note_get (looker->replica, key, note, &found, err);
  if (status != TALLY_OK || !found)
    return status;
  buf_add_byte (note, '\0');
  if (note->failed)
    return error_nomem (err);
  digits = strcspn (note->data, " ");
  note_number (slice_make (note->data, digits), &row->last_sync_ms);
  if (note->data[digits] && note->data[digits + 1])
    row->last_error = note->data + digits + 1;
  return TALLY_OK;
}

static bool
syncs (const struct config_link *link, const char *collection)
{
  if (!link->collections)
    return !strchr (collection, ':');
  for (size_t i = 0; link->collections[i]; i++)
    if (strcmp (link->collections[i], collection) == 0)
      return true;
  return false;
}

static int
tell_link (struct looker *looker, const struct config_link *link,
           struct pair *pair, struct tally_error *err)
{
  struct namelist names = NAMELIST_INIT;
  struct buf note = BUF_INIT;
  struct tally_status_row base = { .link = link->name };
  bool any = false;
  int status = read_result (looker, &base, &note, err);

  if (status == TALLY_OK)
    status = replica_collections (looker->replica, namelist_emit_shared,
                                  &names, err);
  if (status == TALLY_OK && names.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < names.count && status == TALLY_OK && !looker->stop;
       i++) {
    struct tally_status_row row = base;
    struct pair_cursor *cursor = pair_cursor (pair, names.names[i]);
    uint64_t head;

    if (!syncs (link, names.names[i]))
      continue;
    any = true;
    row.collection = names.names[i];
    if (link->direction != CONFIG_PULL)
      status = replica_changes (looker->replica, row.collection,
                                cursor ? cursor->local : 0, count_pending,
                                &row, &head, err);
    if (status == TALLY_OK)
      tell (looker, &row);
  }
  if (status == TALLY_OK && !any)
    tell (looker, &base);
  buf_free (&note);
  namelist_free (&names);
  return status;
}

static int
look_at_link (struct looker *looker, const struct config_link *link,
              struct tally_error *err)
{
  struct endpoint transport = { 0 };
  struct tally_replica *handle = NULL;
  unsigned char far[REPLICA_ID_SIZE];
  struct pair pair = { 0 };
  bool found = false;
  int status = tally_replica_open (&handle, looker->tally, link->store->name,
                                   TALLY_OPEN_READONLY, err);

  /* A store that is yet to be made has nothing to push. */
  if (status == TALLY_NOTFOUND) {
    struct tally_status_row row = { .link = link->name };

    tell (looker, &row);
    return TALLY_OK;
  }
  if (status == TALLY_OK)
    status = context_replica (&looker->replica, handle, err);
  if (status == TALLY_OK)
    status = endpoint_resolve (&transport, looker->tally,
                               link->transport->name, err);
  if (status == TALLY_OK)
    status = engine_route (looker->replica, transport.title, far, &found, err);
  if (status == TALLY_OK && found)
    status = pair_load (&pair, looker->replica, PAIR_CLIENT, far, err);
  if (status == TALLY_OK)
    status = tell_link (looker, link, &pair, err);
  pair_free (&pair);
  endpoint_free (&transport);
  tally_replica_close (handle);
  return status;
}

/* ---- all ---------------------------------------------------------------- */

static int
look_at_everything (struct looker *looker, struct tally_error *err)
{
  const struct config *config = looker->tally->config;
  struct tally_error why = { 0 };
  int status = TALLY_OK;

  for (size_t i = 0; i < config->n_links + config->n_endpoints; i++) {
    int failed = TALLY_OK;

    if (i < config->n_links)
      failed = look_at_link (looker, &config->links[i], &why);
    else if (config->endpoints[i - config->n_links].kind == CONFIG_KIND_STORE)
      failed = look_at_store (
          looker, config->endpoints[i - config->n_links].name, &why);
    /* A store of the ini that is yet to be made is no error. */
    if (failed == TALLY_OK || failed == TALLY_NOTFOUND || status != TALLY_OK)
      continue;
    status = failed;
    *err = why;
  }
  return status;
}

int
tally_status (struct tally *tally, const char *name, status_fn *emit,
              void *ctx, struct tally_error *err)
{
  struct looker looker = { .tally = tally, .emit = emit, .ctx = ctx };
  const struct config_link *link;

  err = PUBLIC_ERROR (err);
  if (!name)
    return look_at_everything (&looker, err);
  link = config_link (tally->config, name);
  return link ? look_at_link (&looker, link, err)
              : look_at_store (&looker, name, err);
}
