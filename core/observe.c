/* SPDX-License-Identifier: MIT */
/* Hooks and schemas of tally.h. */

#include <config.h>

#include <string.h>

#include "context.h"
#include "document.h"
#include "hooks.h"
#include "public.h"

static int
find_hooks (struct hooks **out, struct tally_replica *handle,
            const char *collection, struct tally_error *err)
{
  struct replica *replica;
  int status = collection ? collection_check (collection, err) : TALLY_OK;

  if (status == TALLY_OK)
    status = context_replica (&replica, handle, err);
  if (status == TALLY_OK)
    *out = replica->hooks;
  return status;
}

int
tally_hook_before (struct tally_hook **out, struct tally_replica *handle,
                   const char *collection, unsigned types, tally_before_fn *fn,
                   void *ctx, struct tally_error *err)
{
  struct hooks *hooks;
  int status;

  err = PUBLIC_ERROR (err);
  *out = NULL;
  status = find_hooks (&hooks, handle, collection, err);
  if (status == TALLY_OK)
    status = hooks_add_before (out, hooks, collection, types, fn, ctx, err);
  return status;
}

int
tally_hook_after (struct tally_hook **out, struct tally_replica *handle,
                  const char *collection, tally_change_fn *fn, void *ctx,
                  struct tally_error *err)
{
  struct hooks *hooks;
  int status;

  err = PUBLIC_ERROR (err);
  *out = NULL;
  status = find_hooks (&hooks, handle, collection, err);
  if (status == TALLY_OK)
    status = hooks_add_after (out, hooks, collection, fn, ctx, err);
  return status;
}

void
tally_hook_remove (struct tally_hook *hook)
{
  if (hook)
    hooks_remove (hook);
}

int
tally_schema (struct tally_replica *handle, const char *collection,
              const char *json, struct tally_error *err)
{
  struct hooks *hooks;
  int status;

  err = PUBLIC_ERROR (err);
  status = find_hooks (&hooks, handle, collection, err);
  if (status == TALLY_OK)
    status = hooks_set_schema (hooks, collection, json,
                               json ? strlen (json) : 0, err);
  return status;
}
