/* SPDX-License-Identifier: MIT */
/* Answers wait: is there something in these collections that the client does
 * not have?  Whoever serves may keep a "no" back until there is (waiters.c).
 * Only an account's own collections count, so that it learns of nobody
 * else's writes. */

#include <config.h>

#include "answer-internal.h"
#include "error.h"
#include "namelist.h"

struct awaited {
  struct asked *asked;
  const struct wire_wait *wait;
  struct namelist unnamed;
  struct wire_waited found;
  struct tally_error *err;
  int status;
};

static int
stop_at_first (void *ctx, const struct tally_doc *doc)
{
  (void) doc;
  *(bool *) ctx = true;
  return 1;
}

static void
look (struct awaited *awaited, struct tally_slice name, uint64_t since)
{
  char collection[COLLECTION_TEXT_MAX];
  struct wire_waited *found = &awaited->found;
  uint64_t head = 0;

  if (since < awaited->wait->floor)
    since = awaited->wait->floor;
  awaited->status =
      asked_collection (awaited->asked, name, collection, awaited->err);
  if (awaited->status == TALLY_OK)
    awaited->status =
        replica_changes (awaited->asked->replica, collection, since,
                         stop_at_first, &found->changed, &head, awaited->err);
  if (head > found->head)
    found->head = head;
}

/* A collection that the client did not name is new to it. */
static int
keep_unnamed (void *ctx, const char *name)
{
  struct awaited *awaited = ctx;
  struct namelist *unnamed = &awaited->unnamed;

  for (size_t i = 0; i < awaited->wait->n; i++)
    if (slice_equal (awaited->wait->collections[i], slice_text (name)))
      return 0;
  return !namelist_add (unnamed, name);
}

int
answer_wait (struct asked *asked, const struct wire_wait *wait,
             struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_WAITED };
  struct awaited awaited = { .asked = asked, .wait = wait, .err = err };

  for (size_t i = 0; i < wait->n && awaited.status == TALLY_OK; i++)
    look (&awaited, wait->collections[i], wait->since[i]);
  /* Not while names are emitted: an emit function calls no slot. */
  if (awaited.status == TALLY_OK && (wait->flags & WIRE_WAIT_ALL))
    awaited.status = asked_collections (asked, keep_unnamed, &awaited, err);
  if (awaited.status == TALLY_OK && awaited.unnamed.failed)
    awaited.status = error_nomem (err);
  for (size_t i = 0; i < awaited.unnamed.count && awaited.status == TALLY_OK;
       i++)
    look (&awaited, slice_text (awaited.unnamed.names[i]), 0);
  namelist_free (&awaited.unnamed);
  if (awaited.status != TALLY_OK)
    return awaited.status;
  if (!awaited.found.changed)
    asked->wait_ms = wait->timeout_ms < WIRE_WAIT_MS_MAX ? wait->timeout_ms
                                                         : WIRE_WAIT_MS_MAX;
  reply.as.waited = awaited.found;
  wire_encode (asked->reply, &reply);
  return TALLY_OK;
}
