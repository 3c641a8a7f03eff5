/* SPDX-License-Identifier: MIT */
/* Hooks are asked before a local write, and may put another document in its
 * place; then the schema of the collection has its say. */

#include <config.h>

#include <string.h>

#include "document.h"
#include "error.h"
#include "hooks-call.h"

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
  if (!err->text[0])
    return error_set (err, status, "%s/%s: refused by the application",
                      collection, id);
  err->status = status;
  return status;
}

static int
ask_hooks (struct hooks *hooks, struct asking *asking, unsigned types,
           struct tally_error *err)
{
  struct tally_hook *hook = NULL;

  while (
      (hook = hook_next_call (hooks, hook, asking->write.collection, types))) {
    int status;

    asking->write.type = (int) types;
    error_clear (err);
    status = hook->before (hook->ctx, &asking->write, err);
    if (status != TALLY_OK) {
      hook_end_call (hooks, hook);
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
  int status = hooks_apply_schema (
      hooks, asking->write.collection,
      slice_make (asking->write.json, asking->write.json_size), &whole, &has,
      err);

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
