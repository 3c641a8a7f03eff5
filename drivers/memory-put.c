/* SPDX-License-Identifier: MIT */
/* A put first allocates all that it needs and then changes the collections in
 * steps that cannot fail. */

#include <stdlib.h>
#include <string.h>

#include "memory-put.h"
#include "memory-scan.h"

/* What one entry of a put will do, once all entries have been looked at. */
struct memory_step {
  const struct tally_entry *entry;
  struct tally_outcome *outcome;
  struct memory_collection *collection;
  struct memory_node *found;
  struct memory_node *made; /* ours until it is in the tree */
  char *payload;            /* ours until it is in a node */
};

static int
refuse (const char **why, const char *reason)
{
  *why = reason;
  return TALLY_INVALID;
}

static int
step_compare (const void *left, const void *right)
{
  const struct tally_entry *a = ((const struct memory_step *) left)->entry;
  const struct tally_entry *b = ((const struct memory_step *) right)->entry;
  int order = a->collection == b->collection
                  ? 0
                  : strcmp (a->collection, b->collection);

  return order ? order
               : memory_compare (a->doc.id.data, a->doc.id.size,
                                 b->doc.id.data, b->doc.id.size);
}

/* In order, and no id is there twice. */
static bool
steps_rise (const struct memory_step *steps, size_t n)
{
  for (size_t i = 1; i < n; i++)
    if (step_compare (&steps[i - 1], &steps[i]) >= 0)
      return false;
  return true;
}

/* Fills the steps in the order given. */
static int
steps_check (struct memory_step *steps, const struct tally_entry *entries,
             size_t n, struct tally_outcome *outcomes, const char **why)
{
  for (size_t i = 0; i < n; i++) {
    steps[i].entry = &entries[i];
    if ((entries[i].flags & TALLY_ENTRY_FORGET) && !entries[i].expected)
      return refuse (why, "an entry to forget names no rev");
  }
  if (!steps_rise (steps, n)) {
    qsort (steps, n, sizeof *steps, step_compare);
    if (!steps_rise (steps, n))
      return refuse (why, "an id stands twice in one batch");
  }
  for (size_t i = 0; i < n; i++) {
    memset (&outcomes[i], 0, sizeof outcomes[i]);
    steps[i].entry = &entries[i];
    steps[i].outcome = &outcomes[i];
  }
  return TALLY_OK;
}

/* Is what is stored what the entry expects?  If not, its outcome says so. */
static bool
step_fits (struct memory_step *step)
{
  static const unsigned char none[TALLY_REV_SIZE];
  const struct memory_node *found = step->found;
  const unsigned char *rev = found ? found->rev : none;

  if (!step->entry->expected
      || memcmp (step->entry->expected, rev, TALLY_REV_SIZE) == 0)
    return true;
  step->outcome->status = TALLY_CONFLICT;
  step->outcome->seq = found ? found->seq : 0;
  memcpy (step->outcome->rev, rev, TALLY_REV_SIZE);
  return false;
}

static int
step_allocate (struct memory_list *list, struct memory_step *step)
{
  const struct tally_doc *doc = &step->entry->doc;
  struct memory_collection *c;
  size_t size = doc->meta.size + doc->body.size;

  if (step->entry->flags & TALLY_ENTRY_FORGET)
    return 0;
  if (!step->collection)
    step->collection = memory_collection_make (list, step->entry->collection);
  c = step->collection;
  if (!c || memory_order_reserve (&c->order, ++c->pending)
      || memory_tree_reserve (&c->ids, c->pending)
      || memory_tree_reserve (&c->stamped, c->pending))
    return -1;
  if (size < doc->body.size || doc->id.size > SIZE_MAX - sizeof *step->made)
    return -1;
  step->payload = size ? malloc (size) : NULL;
  if (size && !step->payload)
    return -1;
  if (step->found)
    return 0;
  step->made = calloc (1, sizeof *step->made + doc->id.size);
  if (!step->made)
    return -1;
  step->made->id_size = doc->id.size;
  memcpy (step->made->id, doc->id.data, doc->id.size);
  return 0;
}

/* Takes what is found out of the orders that it will have another place in. */
static void
step_displace (const struct memory_step *step)
{
  struct memory_collection *c = step->collection;

  memory_collection_count (c, step->entry, step->found);
  if (!step->found)
    return;
  memory_order_drop (&c->order, step->found);
  if (!(step->found->flags & TALLY_DOC_DELETED))
    memory_tree_remove (&c->stamped, step->found);
}

static void
step_forget (struct memory_step *step)
{
  if (!step->found)
    return;
  step_displace (step);
  memory_tree_remove (&step->collection->ids, step->found);
  memory_node_free (step->found);
}

static void
step_write (struct memory_list *list, struct memory_step *step)
{
  const struct tally_doc *doc = &step->entry->doc;
  struct memory_node *node = step->found ? step->found : step->made;

  step_displace (step);
  if (!step->found)
    memory_tree_insert (&step->collection->ids, node);
  step->made = NULL;
  if (doc->meta.size)
    memcpy (step->payload, doc->meta.data, doc->meta.size);
  if (doc->body.size)
    memcpy (step->payload + doc->meta.size, doc->body.data, doc->body.size);
  free (node->payload);
  node->payload = step->payload;
  step->payload = NULL;
  node->meta_size = doc->meta.size;
  node->body_size = doc->body.size;
  node->flags = doc->flags;
  memcpy (node->rev, doc->rev, TALLY_REV_SIZE);
  node->seq = ++list->head;
  memory_order_add (&step->collection->order, node);
  if (!(node->flags & TALLY_DOC_DELETED))
    memory_tree_insert (&step->collection->stamped, node);
  step->outcome->seq = node->seq;
  memcpy (step->outcome->rev, node->rev, TALLY_REV_SIZE);
}

static void
steps_free (struct memory_step *steps, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    if (steps[i].collection)
      steps[i].collection->pending = 0;
    free (steps[i].made);
    free (steps[i].payload);
  }
  free (steps);
}

int
memory_list_put (struct memory_list *list, const struct tally_entry *entries,
                 size_t n, unsigned flags, struct tally_outcome *outcomes,
                 const char **why)
{
  struct memory_step *steps = calloc (n ? n : 1, sizeof *steps);
  bool write = true;
  int status;

  *why = "out of memory";
  if (!steps)
    return TALLY_FAILED;
  status = steps_check (steps, entries, n, outcomes, why);
  for (size_t i = 0; status == TALLY_OK && i < n; i++) {
    struct memory_step *step = &steps[i];

    step->collection = memory_collection_find (list, entries[i].collection);
    if (step->collection)
      step->found =
          memory_tree_find (&step->collection->ids, entries[i].doc.id);
    if (!step_fits (step))
      write = write && !(flags & TALLY_PUT_ALL);
    else if (write && step_allocate (list, step))
      status = TALLY_FAILED;
  }
  for (size_t i = 0; status == TALLY_OK && write && i < n; i++)
    if (outcomes[i].status == TALLY_OK) {
      if (entries[i].flags & TALLY_ENTRY_FORGET)
        step_forget (&steps[i]);
      else
        step_write (list, &steps[i]);
    }
  steps_free (steps, n);
  return status;
}
