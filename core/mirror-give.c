/* SPDX-License-Identifier: MIT */
/* What is newer in the copy is put there.  Nobody says which document of a
 * batch was refused, so a batch that was is halved. */

#include <config.h>

#include <stdlib.h>

#include "dated.h"
#include "dialect.h"
#include "error.h"
#include "mirror.h"
#include "mtime.h"

#define PAGE 1024
#define BYTES ((size_t) 4 << 20)

struct giver {
  struct mirror *mirror;
  struct mtimes mtimes;
  uint64_t since;
  struct doclist newer; /* headers of a page */
  struct doclist docs;  /* as many as go at once, with their bodies */
  bool full;
};

/* ---- putting ------------------------------------------------------------ */

static uint64_t
shown (const struct giver *giver, const struct tally_doc *doc)
{
  return mtime_shown (doc, mtime_find (&giver->mtimes, doc->id));
}

static void
add_document (const struct giver *giver, const struct tally_doc *doc)
{
  struct buf *out = &giver->mirror->request;

  if (doc->flags & TALLY_DOC_DELETED)
    dated_give_echo (out, doc->id, shown (giver, doc));
  else
    dated_give (out, doc, shown (giver, doc));
}

static int
put_docs (struct giver *giver, const struct tally_doc *docs, size_t n,
          struct tally_error *err)
{
  struct mirror *mirror = giver->mirror;
  struct tally_slice result;
  int status;

  mirror_begin (mirror, mirror->collection);
  buf_add_text (&mirror->request, ",\"changes\":[");
  for (size_t i = 0; i < n; i++) {
    if (i > 0)
      buf_add_byte (&mirror->request, ',');
    add_document (giver, &docs[i]);
  }
  buf_add_byte (&mirror->request, ']');
  status = mirror_call (mirror, DIALECT_PUT, &result, err);
  /* A server that is down, or lets us in no more, refuses all of them. */
  if (status == TALLY_OK || !mirror->refused || status == TALLY_DENIED)
    return status;
  if (n == 1) {
    if (mirror->complaint.status == TALLY_OK)
      mirror->complaint = *err;
    return TALLY_OK;
  }
  status = put_docs (giver, docs, n / 2, err);
  return status == TALLY_OK ? put_docs (giver, docs + n / 2, n - n / 2, err)
                            : status;
}

/* ---- finding ------------------------------------------------------------ */

/* A delete of what is not there is nothing. */
static bool
is_newer (const struct giver *giver, const struct tally_doc *doc)
{
  const struct mirror *mirror = giver->mirror;
  size_t at = idmap_find (&mirror->ids, doc->id);

  if (at == IDMAP_NONE)
    return !(doc->flags & TALLY_DOC_DELETED);
  return shown (giver, doc) > mirror->times[at];
}

static int
collect_newer (void *ctx, const struct tally_doc *doc)
{
  struct giver *giver = ctx;
  struct tally_doc header = *doc;

  if (giver->newer.count == PAGE)
    return 1;
  giver->since = doc->seq;
  if (!is_newer (giver, doc))
    return 0;
  header.meta = header.body = (struct tally_slice){ NULL, 0 };
  return !doclist_add (&giver->newer, &header);
}

static int
collect_body (void *ctx, const struct tally_doc *doc)
{
  struct giver *giver = ctx;

  giver->full =
      giver->docs.count > 0 && giver->docs.bytes + doc->body.size > BYTES;
  return giver->full || !doclist_add (&giver->docs, doc);
}

static int
give_page (struct giver *giver, struct tally_error *err)
{
  struct mirror *mirror = giver->mirror;
  size_t n = giver->newer.count, done = 0;
  struct tally_slice *ids = calloc (n + 1, sizeof *ids);
  int status = ids ? TALLY_OK : error_nomem (err);

  for (size_t i = 0; ids && i < n; i++)
    ids[i] = giver->newer.docs[i].id;
  while (status == TALLY_OK && done < n) {
    doclist_clear (&giver->docs);
    giver->full = false;
    status = replica_get (mirror->replica, mirror->stored, ids + done,
                          n - done, TALLY_GET_BODY, collect_body, giver, err);
    if (status == TALLY_OK && giver->docs.failed)
      status = error_nomem (err);
    if (status == TALLY_OK && giver->docs.count > 0)
      status = put_docs (giver, giver->docs.docs, giver->docs.count, err);
    /* The copy is nobody else's: none of them is gone. */
    done = giver->full ? done + giver->docs.count : n;
  }
  free (ids);
  return status;
}

int
mirror_give (struct mirror *mirror, struct tally_error *err)
{
  struct giver giver = { .mirror = mirror };
  bool more = true;
  int status =
      mtime_read_all (&giver.mtimes, mirror->replica, mirror->stored, err);

  while (status == TALLY_OK && more) {
    uint64_t head;

    doclist_clear (&giver.newer);
    status = replica_changes (mirror->replica, mirror->stored, giver.since,
                              collect_newer, &giver, &head, err);
    if (status == TALLY_OK && giver.newer.failed)
      status = error_nomem (err);
    more = giver.newer.count == PAGE;
    if (status == TALLY_OK)
      status = give_page (&giver, err);
  }
  doclist_free (&giver.docs);
  doclist_free (&giver.newer);
  mtimes_free (&giver.mtimes);
  return status;
}
