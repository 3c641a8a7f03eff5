/* SPDX-License-Identifier: MIT */
/* The documents of rows from one place in the rows to another. */

#include <config.h>

#include "error.h"
#include "indexes-internal.h"

struct scanning {
  struct replica *replica;
  const char *rows;
  tally_emit_doc *emit;
  void *ctx;
  struct doclist hashed; /* rows whose document's id is in their body */
};

static int
scan_row (void *ctx, const struct tally_doc *row)
{
  struct scanning *scanning = ctx;
  struct tally_doc doc = { .id = row->id };
  bool hashed;

  doc.id = index_row_id (row->id, &hashed);
  if (!doc.id.data)
    return 0;
  if (!hashed)
    return scanning->emit (scanning->ctx, &doc);
  return !doclist_add (&scanning->hashed, row);
}

static int
emit_hashed (void *ctx, const struct tally_doc *row)
{
  struct scanning *scanning = ctx;
  struct tally_doc doc = { .id = row->body };

  return scanning->emit (scanning->ctx, &doc);
}

int
indexes_scan (struct replica *replica, const char *collection,
              struct tally_slice from, struct tally_slice to,
              tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  char name[COLLECTION_TEXT_MAX];
  struct scanning scanning = { replica, name, emit, ctx, DOCLIST_INIT };
  int status;

  indexes_rows_name (name, collection);
  status = replica_find (replica, name, &from, &to, TALLY_FIND_IDS, scan_row,
                         &scanning, err);
  if (status == TALLY_OK && scanning.hashed.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < scanning.hashed.count && status == TALLY_OK; i++)
    status = replica_get (replica, name, &scanning.hashed.docs[i].id, 1,
                          TALLY_GET_BODY, emit_hashed, &scanning, err);
  doclist_free (&scanning.hashed);
  return status;
}
