/* SPDX-License-Identifier: MIT */
/* Hooks are told after a write, of those documents that became other ones. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hooks-call.h"
#include "replica.h"
#include "rev.h"
#include "write.h"

static bool
is_told (const struct tally_entry *entry)
{
  return !(entry->flags & TALLY_ENTRY_FORGET)
         && !write_is_own (entry->collection);
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
  while ((hook = hook_next_call (hooks, hook, entry->collection, 0)))
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
