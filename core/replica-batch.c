/* SPDX-License-Identifier: MIT */
/* Entries on their way to a driver, and documents on their way back.  A driver
 * that keeps digests is handed fingerprints, and meta that can be made from
 * the revision is left out: it is a twelfth of what a small document takes. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "error.h"
#include "fingerprint.h"
#include "replica.h"
#include "state.h"

/* What is added is of a live document.  Of what is taken off only the driver
 * will know whether it was one. */
static void
print_entry (struct tally_entry *entry,
             unsigned char bytes[2][TALLY_FINGERPRINT_SIZE])
{
  static const unsigned char absent[TALLY_REV_SIZE];
  const struct tally_doc *doc = &entry->doc;

  if (collection_is_local (entry->collection))
    return;
  if (!(entry->flags & TALLY_ENTRY_FORGET)
      && !(doc->flags & TALLY_DOC_DELETED)) {
    fingerprint_make (&doc->id, doc->rev, bytes[0]);
    entry->add = bytes[0];
  }
  if (entry->expected
      && memcmp (entry->expected, absent, sizeof absent) != 0) {
    fingerprint_make (&doc->id, entry->expected, bytes[1]);
    entry->subtract = bytes[1];
  }
}

int
replica_make_batch (struct replica_batch *batch,
                    const struct tally_entry *entries, size_t n, bool prints,
                    struct tally_error *err)
{
  batch->entries = calloc (n, sizeof *batch->entries);
  if (batch->entries && prints)
    batch->prints = calloc (n, sizeof *batch->prints);
  if (!batch->entries || (prints && !batch->prints))
    return error_nomem (err);
  memcpy (batch->entries, entries, n * sizeof *entries);
  for (size_t i = 0; i < n; i++) {
    struct tally_doc *doc = &batch->entries[i].doc;

    if (prints)
      print_entry (&batch->entries[i], batch->prints[i]);
    if (state_is_plain (doc->meta, doc->rev))
      doc->meta = slice_make (NULL, 0);
  }
  return TALLY_OK;
}

void
replica_free_batch (struct replica_batch *batch)
{
  free (batch->prints);
  free (batch->entries);
}

int
replica_emit_whole (void *ctx, const struct tally_doc *doc)
{
  const struct replica_emit *to = ctx;
  unsigned char meta[STATE_PLAIN_META];
  struct tally_doc whole;

  if (doc->meta.size > 0)
    return to->emit (to->ctx, doc);
  state_plain_meta (meta, doc->rev);
  whole = *doc;
  whole.meta = slice_make (meta, sizeof meta);
  return to->emit (to->ctx, &whole);
}

struct completing {
  const struct replica *replica;
  tally_emit_doc *emit;
  void *ctx;
  struct tally_error *err;
  int status;
};

static int
complete (void *ctx, const struct tally_doc *doc)
{
  struct completing *to = ctx;
  struct tally_doc whole = *doc;

  to->status = state_complete (&whole, to->replica->name, to->err);
  return to->status != TALLY_OK || to->emit (to->ctx, &whole);
}

int
replica_read (struct replica *replica, const char *collection,
              const struct tally_slice *ids, size_t n, tally_emit_doc *emit,
              void *ctx, struct tally_error *err)
{
  struct completing to = { replica, emit, ctx, err, TALLY_OK };
  int status =
      replica_get (replica, collection, ids, n,
                   TALLY_GET_BODY | TALLY_GET_PART, complete, &to, err);

  return status == TALLY_OK ? to.status : status;
}
