/* SPDX-License-Identifier: MIT */
/* Functions are called without the lock, from a copy of the list: they may use
 * the store.  Who removes one waits until no call of it is under way. */

#include <config.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "error.h"
#include "hooks.h"
#include "replica.h"
#include "rev.h"
#include "schema.h"

struct tally_hook {
  struct tally_hook *next;
  struct hooks *hooks;
  char *collection;        /* NULL: all */
  unsigned types;          /* of before */
  tally_before_fn *before; /* or NULL */
  tally_change_fn *after;  /* or NULL */
  void *ctx;
  unsigned calls; /* under way */
  bool removed;
};

struct collection_schema {
  struct collection_schema *next;
  char *collection;
  struct schema *schema;
};

struct hooks {
  atomic_uint listeners; /* to what has been written */
  atomic_uint guards;    /* before what is written: hooks and schemas */

  pthread_mutex_t lock; /* guards all below */
  pthread_cond_t done;  /* a call has ended */
  struct tally_hook *first;
  struct collection_schema *schemas;
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

/* The next hook behind `hook` (NULL: the first) that is of the kind and for
 * the collection; a call of it begins.  That of `hook` ends. */
static struct tally_hook *
next_call (struct hooks *hooks, struct tally_hook *hook,
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

static void
end_call (struct hooks *hooks, struct tally_hook *hook)
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

/* Appends the document with what it lacks; *has false: there is no schema. */
static int
apply_schema (struct hooks *hooks, const char *collection,
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
  status = apply_schema (hooks, collection, body, &ignored, &has, err);
  buf_free (&ignored);
  return status;
}

/* ---- before ------------------------------------------------------------- */

/* A write that hooks are asked about. */
struct asking {
  struct tally_write write;
  struct tally_slice id;
  struct buf body; /* that a hook has put in place of the first */
};

int
tally_write_replace (struct tally_write *write, const char *json, size_t size,
                     struct tally_error *err)
{
  struct asking *asking = (struct asking *) write->reserved;
  struct buf body = BUF_INIT, id = BUF_INIT;
  struct tally_error ignored;
  bool made;
  int status;

  err = err ? err : &ignored;
  if (!write->json)
    return error_set (err, TALLY_USAGE, "a delete has no document");
  status =
      document_read (&body, &id, &made, slice_make (json, size), NULL, err);
  if (status == TALLY_OK
      && (made || !slice_equal (buf_slice (&id), asking->id)))
    status = error_set (err, TALLY_INVALID, "_id: must stay what it is");
  buf_free (&id);
  if (status != TALLY_OK) {
    buf_free (&body);
    return status;
  }
  buf_free (&asking->body);
  asking->body = body;
  write->json = body.data;
  write->json_size = body.size;
  return TALLY_OK;
}

static int
veto (const char *collection, const char *id, int status,
      struct tally_error *err)
{
  if (status > 0 || status < TALLY_USAGE)
    status = TALLY_DENIED;
  if (err->status == status && err->text[0])
    return status;
  return error_set (err, status, "%s/%s: refused by the application",
                    collection, id);
}

static int
ask_hooks (struct hooks *hooks, struct asking *asking, unsigned types,
           struct tally_error *err)
{
  struct tally_hook *hook = NULL;

  while ((hook = next_call (hooks, hook, asking->write.collection, types))) {
    int status;

    asking->write.type = (int) types;
    error_clear (err);
    status = hook->before (hook->ctx, &asking->write, err);
    if (status != TALLY_OK) {
      end_call (hooks, hook);
      return veto (asking->write.collection, asking->write.id, status, err);
    }
  }
  return TALLY_OK;
}

static int
take_schema (struct hooks *hooks, struct asking *asking,
             struct tally_error *err)
{
  struct buf whole = BUF_INIT;
  bool has;
  int status =
      apply_schema (hooks, asking->write.collection,
                    slice_make (asking->write.json, asking->write.json_size),
                    &whole, &has, err);

  if (status == TALLY_INVALID)
    error_set (err, status, "%s/%s: %s", asking->write.collection,
               asking->write.id, err->text);
  if (status != TALLY_OK || !has) {
    buf_free (&whole);
    return status;
  }
  if (whole.size > TALLY_DOCUMENT_MAX) {
    buf_free (&whole);
    return error_set (err, TALLY_INVALID, "%s/%s: is larger than 16 MiB",
                      asking->write.collection, asking->write.id);
  }
  buf_free (&asking->body);
  asking->body = whole;
  asking->write.json = whole.data;
  asking->write.json_size = whole.size;
  return TALLY_OK;
}

int
hooks_before (struct hooks *hooks, const char *collection,
              struct tally_slice id, const struct tally_doc *stored,
              struct tally_slice *body, struct arena *arena,
              struct tally_error *err)
{
  struct asking asking = { .write = { .size = sizeof asking.write } };
  char text[TALLY_ID_MAX + 1];
  int status = TALLY_OK;

  if (atomic_load (&hooks->guards) == 0)
    return TALLY_OK;
  memcpy (text, id.data, id.size);
  text[id.size] = '\0';
  asking.id = id;
  asking.write.collection = collection;
  asking.write.id = text;
  asking.write.json = body->data;
  asking.write.json_size = body->size;
  asking.write.stored = stored ? stored->body.data : NULL;
  asking.write.stored_size = stored ? stored->body.size : 0;
  asking.write.reserved = &asking;
  if (!body->data)
    status = ask_hooks (hooks, &asking, TALLY_BEFORE_REMOVE, err);
  else {
    if (!stored)
      status = ask_hooks (hooks, &asking, TALLY_BEFORE_INSERT, err);
    if (status == TALLY_OK)
      status = ask_hooks (hooks, &asking, TALLY_BEFORE_SAVE, err);
    if (status == TALLY_OK)
      status = take_schema (hooks, &asking, err);
  }
  if (status == TALLY_OK && asking.body.data) {
    body->data = arena_add (arena, asking.body.data, asking.body.size);
    body->size = asking.body.size;
    if (!body->data)
      status = error_nomem (err);
  }
  buf_free (&asking.body);
  return status;
}

/* ---- after -------------------------------------------------------------- */

/* What core keeps for itself is nobody's business. */
static bool
is_told (const struct tally_entry *entry)
{
  return !(entry->flags & TALLY_ENTRY_FORGET)
         && strcmp (entry->collection, NOTES_COLLECTION) != 0
         && strncmp (entry->collection, "_conflicts", 10) != 0;
}

struct looking {
  bool found, alive;
};

static int
note_alive (void *ctx, const struct tally_doc *doc)
{
  struct looking *looking = ctx;

  looking->found = true;
  looking->alive = !(doc->flags & TALLY_DOC_DELETED);
  return 1;
}

int
hooks_look (struct hooks_put *put, struct replica *replica,
            const struct tally_entry *entries, size_t n,
            struct tally_error *err)
{
  static const unsigned char absent_rev[TALLY_REV_SIZE];
  int status = TALLY_OK;

  put->alive = NULL;
  if (!put->hooks || n == 0 || atomic_load (&put->hooks->listeners) == 0) {
    put->hooks = NULL;
    return TALLY_OK;
  }
  put->alive = calloc (n, sizeof *put->alive);
  if (!put->alive)
    return error_nomem (err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++) {
    struct looking looking = { false, false };

    if (!is_told (&entries[i])
        || (entries[i].expected
            && memcmp (entries[i].expected, absent_rev, TALLY_REV_SIZE) == 0))
      continue;
    status = replica_get (replica, entries[i].collection, &entries[i].doc.id,
                          1, 0, note_alive, &looking, err);
    put->alive[i] = looking.alive;
  }
  if (status != TALLY_OK) {
    free (put->alive);
    put->alive = NULL;
  }
  return status;
}

static void
tell_one (struct hooks *hooks, const struct origin *origin,
          const struct tally_entry *entry, bool was_alive)
{
  struct tally_change change = { .size = sizeof change };
  char id[TALLY_ID_MAX + 1], rev[TALLY_REV_TEXT];
  bool deleted = entry->doc.flags & TALLY_DOC_DELETED;
  struct tally_hook *hook = NULL;

  if (deleted && !was_alive)
    return;
  memcpy (id, entry->doc.id.data, entry->doc.id.size);
  id[entry->doc.id.size] = '\0';
  rev_to_text (rev, entry->doc.rev);
  change.type = deleted     ? TALLY_CHANGE_REMOVED
                : was_alive ? TALLY_CHANGE_UPDATED
                            : TALLY_CHANGE_INSERTED;
  change.collection = entry->collection;
  change.id = id;
  change.rev = rev;
  change.json = deleted ? NULL : entry->doc.body.data;
  change.json_size = deleted ? 0 : entry->doc.body.size;
  change.origin = origin->type;
  change.link = origin->link;
  while ((hook = next_call (hooks, hook, entry->collection, 0)))
    hook->after (hook->ctx, &change);
}

void
hooks_tell (struct hooks_put *put, const struct origin *origin,
            const struct tally_entry *entries,
            const struct tally_outcome *outcomes, size_t n)
{
  if (!put->hooks)
    return;
  /* After a put of all or nothing that was nothing, who did not fail has no
   * seq. */
  for (size_t i = 0; i < n; i++)
    if (outcomes[i].status == TALLY_OK && outcomes[i].seq > 0
        && is_told (&entries[i]))
      tell_one (put->hooks, origin, &entries[i], put->alive[i]);
  free (put->alive);
  put->alive = NULL;
}
