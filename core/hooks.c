/* SPDX-License-Identifier: MIT */
/* The list of hooks, and the schemas.  Functions are called without the lock,
 * so they may use the store; a hook stays in the list while a call of it is
 * under way, and who removes it waits. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hooks-call.h"
#include "schema.h"

struct collection_schema {
  struct collection_schema *next;
  char *collection;
  struct schema *schema;
};

struct hooks *
hooks_new (struct tally_error *err)
{
  struct hooks *hooks = calloc (1, sizeof *hooks);

  if (!hooks) {
    error_nomem (err);
    return NULL;
  }
  pthread_mutex_init (&hooks->lock, NULL);
  pthread_cond_init (&hooks->done, NULL);
  return hooks;
}

static void
free_hook (struct tally_hook *hook)
{
  free (hook->collection);
  free (hook);
}

void
hooks_free (struct hooks *hooks)
{
  if (!hooks)
    return;
  while (hooks->first) {
    struct tally_hook *hook = hooks->first;

    hooks->first = hook->next;
    free_hook (hook);
  }
  while (hooks->schemas) {
    struct collection_schema *row = hooks->schemas;

    hooks->schemas = row->next;
    schema_free (row->schema);
    free (row->collection);
    free (row);
  }
  pthread_cond_destroy (&hooks->done);
  pthread_mutex_destroy (&hooks->lock);
  free (hooks);
}

/* ---- adding and removing ------------------------------------------------ */

static int
add (struct tally_hook **out, struct hooks *hooks, const char *collection,
     const struct tally_hook *like, struct tally_error *err)
{
  struct tally_hook *hook = malloc (sizeof *hook), **end;

  *out = NULL;
  if (!hook)
    return error_nomem (err);
  *hook = *like;
  hook->hooks = hooks;
  hook->collection = collection ? strdup (collection) : NULL;
  if (collection && !hook->collection) {
    free (hook);
    return error_nomem (err);
  }
  pthread_mutex_lock (&hooks->lock);
  for (end = &hooks->first; *end; end = &(*end)->next)
    ;
  *end = hook;
  pthread_mutex_unlock (&hooks->lock);
  atomic_fetch_add (hook->after ? &hooks->listeners : &hooks->guards, 1);
  *out = hook;
  return TALLY_OK;
}

int
hooks_add_before (struct tally_hook **out, struct hooks *hooks,
                  const char *collection, unsigned types, tally_before_fn *fn,
                  void *ctx, struct tally_error *err)
{
  struct tally_hook hook = { .types = types, .before = fn, .ctx = ctx };

  return add (out, hooks, collection, &hook, err);
}

int
hooks_add_after (struct tally_hook **out, struct hooks *hooks,
                 const char *collection, tally_change_fn *fn, void *ctx,
                 struct tally_error *err)
{
  struct tally_hook hook = { .after = fn, .ctx = ctx };

  return add (out, hooks, collection, &hook, err);
}

void
hooks_remove (struct tally_hook *hook)
{
  struct hooks *hooks = hook->hooks;
  struct tally_hook **at;

  pthread_mutex_lock (&hooks->lock);
  hook->removed = true;
  while (hook->calls > 0)
    pthread_cond_wait (&hooks->done, &hooks->lock);
  for (at = &hooks->first; *at != hook; at = &(*at)->next)
    ;
  *at = hook->next;
  pthread_mutex_unlock (&hooks->lock);
  atomic_fetch_sub (hook->after ? &hooks->listeners : &hooks->guards, 1);
  free_hook (hook);
}

struct tally_hook *
hook_next_call (struct hooks *hooks, struct tally_hook *hook,
                const char *collection, unsigned types)
{
  struct tally_hook *at;

  pthread_mutex_lock (&hooks->lock);
  at = hook ? hook->next : hooks->first;
  while (at
         && (at->removed || (types ? !(at->types & types) : !at->after)
             || (at->collection && strcmp (at->collection, collection) != 0)))
    at = at->next;
  if (at)
    at->calls++;
  if (hook && --hook->calls == 0)
    pthread_cond_broadcast (&hooks->done);
  pthread_mutex_unlock (&hooks->lock);
  return at;
}

void
hook_end_call (struct hooks *hooks, struct tally_hook *hook)
{
  pthread_mutex_lock (&hooks->lock);
  if (--hook->calls == 0)
    pthread_cond_broadcast (&hooks->done);
  pthread_mutex_unlock (&hooks->lock);
}

/* ---- schemas ------------------------------------------------------------ */

/* Under the lock. */
static struct collection_schema *
find_schema (struct hooks *hooks, const char *collection)
{
  struct collection_schema *row = hooks->schemas;

  while (row && strcmp (row->collection, collection) != 0)
    row = row->next;
  return row;
}

int
hooks_set_schema (struct hooks *hooks, const char *collection,
                  const char *json, size_t size, struct tally_error *err)
{
  struct collection_schema *row, *made = NULL;
  struct schema *schema = NULL, *old;
  int status = json ? schema_parse (&schema, json, size, err) : TALLY_OK;

  if (status != TALLY_OK)
    return status;
  made = calloc (1, sizeof *made);
  if (made)
    made->collection = strdup (collection);
  if (!made || !made->collection) {
    free (made);
    schema_free (schema);
    return error_nomem (err);
  }
  pthread_mutex_lock (&hooks->lock);
  row = find_schema (hooks, collection);
  if (!row) {
    row = made;
    made = NULL;
    row->next = hooks->schemas;
    hooks->schemas = row;
  }
  old = row->schema;
  row->schema = schema;
  if (schema && !old)
    atomic_fetch_add (&hooks->guards, 1);
  if (!schema && old)
    atomic_fetch_sub (&hooks->guards, 1);
  pthread_mutex_unlock (&hooks->lock);
  schema_free (old);
  if (made)
    free (made->collection);
  free (made);
  return TALLY_OK;
}

int
hooks_apply_schema (struct hooks *hooks, const char *collection,
                    struct tally_slice body, struct buf *out, bool *has,
                    struct tally_error *err)
{
  struct collection_schema *row;
  int status = TALLY_OK;

  pthread_mutex_lock (&hooks->lock);
  row = find_schema (hooks, collection);
  *has = row && row->schema;
  if (*has)
    status = schema_apply (row->schema, body, out, err);
  pthread_mutex_unlock (&hooks->lock);
  return status;
}

int
hooks_check (struct hooks *hooks, const char *collection,
             struct tally_slice body, struct tally_error *err)
{
  struct buf ignored = BUF_INIT;
  bool has;
  int status;

  if (atomic_load (&hooks->guards) == 0)
    return TALLY_OK;
  status = hooks_apply_schema (hooks, collection, body, &ignored, &has, err);
  buf_free (&ignored);
  return status;
}
