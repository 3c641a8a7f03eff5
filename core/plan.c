/* SPDX-License-Identifier: MIT */
/* Each header becomes one item of the plan. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "idmap.h"
#include "plan.h"

static struct plan_item *
add_item (struct plan *plan, enum plan_action action,
          const struct tally_doc *header, const struct tally_doc *local)
{
  struct plan_item *item;

  if (plan->count == plan->capacity) {
    size_t capacity = plan->capacity ? plan->capacity * 2 : 64;
    struct plan_item *items = realloc (plan->items, capacity * sizeof *items);

    if (!items)
      return NULL;
    plan->items = items;
    plan->capacity = capacity;
  }
  item = &plan->items[plan->count++];
  memset (item, 0, sizeof *item);
  item->action = action;
  item->id = header->id;
  item->deleted = header->flags & TALLY_DOC_DELETED;
  if (header != local)
    memcpy (item->remote_rev, header->rev, TALLY_REV_SIZE);
  if (local) {
    item->local_seq = local->seq;
    item->local_alive = !(local->flags & TALLY_DOC_DELETED);
    memcpy (item->local_rev, local->rev, TALLY_REV_SIZE);
  }
  return item;
}

/* Ours has not changed since they had it, so theirs came of it.  But they had
 * what stands in it, and need not have seen all that it has: where a repair
 * was at work that decides, too, and without a merge two places of one write
 * would follow each other round a ring. */
static bool
is_followed (const struct tally_doc *local, const struct plan_rules *rules)
{
  return !rules->passive && local->seq <= rules->local_cursor
         && !(local->flags & TALLY_DOC_DELETED) && local->meta.size == 0;
}

/* A tombstone is not for who has no such document: where the ways between
 * stores form a ring it would go round for ever, forgotten by one and taken in
 * by the next.  So one that is here may be unknown there, however old. */
static enum plan_action
judge (const struct tally_doc *remote, const struct tally_doc *local,
       const struct plan_rules *rules)
{
  if (!local && rules->forgetful && (remote->flags & TALLY_DOC_DELETED))
    return PLAN_EQUAL;
  if (!local)
    return rules->gone_here ? PLAN_DELETE_THERE : PLAN_PULL;
  if (memcmp (local->rev, remote->rev, TALLY_REV_SIZE) == 0)
    return PLAN_EQUAL;
  return is_followed (local, rules) ? PLAN_PULL : PLAN_MERGE;
}

/* What is here and not there. */
static enum plan_action
judge_ours (const struct tally_doc *ours, const struct plan_rules *rules)
{
  if (rules->forgetful && (ours->flags & TALLY_DOC_DELETED)
      && ours->seq <= rules->listed)
    return PLAN_EQUAL;
  if (rules->gone_there && ours->seq <= rules->local_cursor)
    return ours->flags & TALLY_DOC_DELETED ? PLAN_EQUAL : PLAN_DELETE_HERE;
  return PLAN_PUSH;
}

/* A document that changed here after its header was read for the item: what
 * was judged by that holds no more. */
static void
judge_again (struct plan_item *item, const struct tally_doc *ours)
{
  if (item->local_seq == ours->seq)
    return;
  item->action = PLAN_MERGE;
  item->local_seq = ours->seq;
  memcpy (item->local_rev, ours->rev, TALLY_REV_SIZE);
}

bool
plan_compile (struct plan *plan, const struct doclist *remote,
              const struct doclist *local, const struct doclist *changed,
              const struct plan_rules *rules)
{
  struct idmap ids = IDMAP_INIT;
  size_t at = 0;
  bool good = true;

  plan->count = 0;
  for (size_t i = 0; i < remote->count && good; i++) {
    const struct tally_doc *theirs = &remote->docs[i];
    const struct tally_doc *ours = doclist_next_if (local, &at, theirs->id);

    /* A tombstone that was forgotten here is there for what is alive. */
    if (ours && ours->seq == 0 && (theirs->flags & TALLY_DOC_DELETED))
      ours = NULL;
    good = idmap_add (&ids, theirs->id, i, NULL)
           && add_item (plan, judge (theirs, ours, rules), theirs, ours);
  }
  for (size_t i = 0; i < changed->count && good; i++) {
    const struct tally_doc *ours = &changed->docs[i];
    size_t item = idmap_find (&ids, ours->id);

    if (item != IDMAP_NONE)
      judge_again (&plan->items[item], ours);
    else
      good = add_item (plan, judge_ours (ours, rules), ours, ours);
  }
  idmap_free (&ids);
  return good;
}

size_t
plan_count (const struct plan *plan, enum plan_action action)
{
  size_t n = 0;

  for (size_t i = 0; i < plan->count; i++)
    n += plan->items[i].action == action;
  return n;
}

void
plan_free (struct plan *plan)
{
  free (plan->items);
  memset (plan, 0, sizeof *plan);
}
