/* SPDX-License-Identifier: MIT */
/* The documents of an import, checked one by one and written in batches:
 * those that say when they were changed at that time, the others now. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "import.h"
#include "json.h"
#include "moment.h"
#include "rev.h"
#include "write.h"

/* ---- writing ------------------------------------------------------------ */

/* The documents of a batch of one kind, and where they stand in it. */
struct part {
  struct write_item items[WRITE_BATCH];
  struct stamped_item stamped[WRITE_BATCH];
  struct write_result results[WRITE_BATCH];
  struct write_result all[WRITE_BATCH];
  size_t at[WRITE_BATCH];
  size_t n;
};

static int
write_part (struct importing *importing, struct part *part, bool timed,
            struct tally_error *err)
{
  int status;

  part->n = 0;
  for (size_t i = 0; i < importing->docs.count; i++)
    if (importing->timed[i] == timed) {
      const struct tally_doc *doc = &importing->docs.docs[i];

      part->items[part->n] =
          (struct write_item){ doc->id, doc->body, false, NULL };
      part->stamped[part->n] =
          (struct stamped_item){ doc->id, doc->body, importing->times[i] };
      part->at[part->n++] = i;
    }
  if (part->n == 0)
    return TALLY_OK;
  status = timed ? stamped_write (importing->replica, importing->current,
                                  part->stamped, part->n, importing->format,
                                  part->results, err)
                 : write_batch (importing->replica, importing->current,
                                part->items, part->n, part->results, err);
  for (size_t i = 0; i < part->n && status == TALLY_OK; i++)
    part->all[part->at[i]] = part->results[i];
  return status;
}

static void
tell_written (struct importing *importing, const struct tally_doc *doc,
              const struct write_result *result)
{
  struct tally_written written = { .size = sizeof written };
  char rev[TALLY_REV_TEXT], id[TALLY_ID_MAX + 1];

  memcpy (id, doc->id.data, doc->id.size);
  id[doc->id.size] = '\0';
  rev_to_text (rev, result->rev);
  written.collection = importing->current;
  written.id = id;
  written.rev = rev;
  written.outcome = result->outcome;
  written.generated_id = doc->flags != 0;
  if (importing->emit && !importing->stop)
    importing->stop = importing->emit (importing->ctx, &written);
}

int
import_flush (struct importing *importing, struct tally_error *err)
{
  struct part *part;
  int status;

  if (importing->docs.count == 0)
    return TALLY_OK;
  part = malloc (sizeof *part);
  if (!part)
    return error_nomem (err);
  status = write_part (importing, part, true, err);
  if (status == TALLY_OK)
    status = write_part (importing, part, false, err);
  for (size_t i = 0; i < importing->docs.count && status == TALLY_OK; i++)
    tell_written (importing, &importing->docs.docs[i], &part->all[i]);
  free (part);
  doclist_clear (&importing->docs);
  idmap_clear (&importing->ids);
  return status;
}

/* An id that comes again is written after the one before. */
static bool
must_flush (const struct importing *importing, const char *collection,
            const struct tally_doc *doc, bool timed)
{
  size_t before = idmap_find (&importing->ids, doc->id);

  return importing->docs.count == WRITE_BATCH
         || importing->docs.bytes + doc->body.size > WRITE_BATCH_BYTES
         || strcmp (importing->current, collection) != 0
         || (before != IDMAP_NONE && (timed || importing->timed[before]));
}

static int
add (struct importing *importing, const char *collection,
     const struct tally_doc *doc, const uint64_t *ms, struct tally_error *err)
{
  size_t at;
  const struct tally_doc *copy;

  if (must_flush (importing, collection, doc, ms != NULL)) {
    int status = import_flush (importing, err);

    if (status != TALLY_OK || importing->stop)
      return status;
    snprintf (importing->current, sizeof importing->current, "%s", collection);
  }
  at = importing->docs.count;
  importing->timed[at] = ms != NULL;
  importing->times[at] = ms ? *ms : 0;
  copy = doclist_add (&importing->docs, doc);
  if (!copy || !idmap_add (&importing->ids, copy->id, at, NULL))
    return error_nomem (err);
  return TALLY_OK;
}

/* ---- a document --------------------------------------------------------- */

/* NeDB's own name for it counts where LinvoDB's is not there. */
static bool
changed_at (struct tally_slice body, unsigned flags, uint64_t *ms)
{
  struct tally_slice value;

  if (json_find_member (body, slice_text ("_mtime"), &value))
    return moment_read (value, ms);
  return (flags & IMPORT_HAS_UPDATED_AT)
         && json_find_member (body, slice_text ("updatedAt"), &value)
         && json_type (value) == JSON_OBJECT && moment_read (value, ms);
}

static int
find_collection (const struct importing *importing, const char **collection,
                 struct tally_error *err)
{
  if (!*collection)
    *collection =
        importing->collection ? importing->collection : importing->by_default;
  if (**collection)
    return write_check_any (*collection, err);
  return error_set (err, TALLY_INVALID,
                    "is for no collection; name one behind the store");
}

int
import_document (struct importing *importing, const char *collection,
                 struct tally_slice text, unsigned flags,
                 struct tally_error *err)
{
  struct buf body = BUF_INIT, id = BUF_INIT;
  struct tally_doc doc = { 0 };
  uint64_t ms = 0;
  bool made = false, timed;
  int status = find_collection (importing, &collection, err);

  if (status == TALLY_OK)
    status = document_read (&body, &id, &made, text, NULL, err);
  if (status == TALLY_OK && made && (flags & IMPORT_NEEDS_ID))
    status = error_set (err, TALLY_INVALID, "has no _id");
  if (status == TALLY_OK && importing->rules)
    status = hooks_check (importing->rules->hooks, collection,
                          buf_slice (&body), err);
  if (status == TALLY_OK && importing->key.size > 0
      && !slice_equal (importing->key, buf_slice (&id)))
    status = error_set (err, TALLY_INVALID, "has another _id than its key");
  if (status == TALLY_OK && importing->replica) {
    doc.id = buf_slice (&id);
    doc.body = buf_slice (&body);
    doc.flags = made;
    timed = changed_at (doc.body, flags, &ms);
    if (timed && ms > importing->newest_ms) {
      importing->ahead++;
      timed = false;
    }
    status = add (importing, collection, &doc, timed ? &ms : NULL, err);
  }
  buf_free (&id);
  buf_free (&body);
  return status;
}
