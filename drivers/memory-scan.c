/* SPDX-License-Identifier: MIT */
/* Live documents by stamp and by id, and their digest. */

#include <string.h>

#include <tally/digest.h>

#include "memory-scan.h"

void
memory_header (const struct memory_node *node, struct tally_doc *doc)
{
  memset (doc, 0, sizeof *doc);
  doc->id.data = node->id;
  doc->id.size = node->id_size;
  memcpy (doc->rev, node->rev, TALLY_REV_SIZE);
  doc->flags = node->flags;
  doc->seq = node->seq;
}

void
memory_document (const struct memory_node *node, unsigned flags,
                 struct tally_doc *doc)
{
  memory_header (node, doc);
  if (!node->payload || !(flags & (TALLY_GET_META | TALLY_GET_BODY)))
    return;
  doc->meta.data = node->payload;
  doc->meta.size = node->meta_size;
  doc->body.data = node->payload + node->meta_size;
  doc->body.size = node->body_size;
}

/* ---- by stamp ---- */

struct scan {
  const struct tally_position *to;
  tally_emit_doc *emit;
  void *ctx;
};

static bool
scan_visit (void *ctx, const struct memory_node *node)
{
  const struct scan *scan = ctx;
  struct tally_doc doc;

  if (scan->to && memory_compare_place (scan->to, node) <= 0)
    return false;
  memory_header (node, &doc);
  return !scan->emit (scan->ctx, &doc);
}

void
memory_collection_scan (const struct memory_collection *c,
                        const struct tally_position *from,
                        const struct tally_position *to, tally_emit_doc *emit,
                        void *ctx)
{
  struct scan scan = { to, emit, ctx };

  if (c)
    memory_tree_scan (&c->stamped, from, scan_visit, &scan);
}

/* ---- by id ---- */

struct finding {
  const struct tally_slice *to;
  unsigned flags;
  tally_emit_doc *emit;
  void *ctx;
};

static bool
find_visit (void *ctx, const struct memory_node *node)
{
  const struct finding *finding = ctx;
  struct tally_doc doc;

  if (finding->to
      && memory_compare (node->id, node->id_size, finding->to->data,
                         finding->to->size)
             >= 0)
    return false;
  if (node->flags & TALLY_DOC_DELETED)
    return true;
  memory_document (node, finding->flags, &doc);
  return !finding->emit (finding->ctx, &doc);
}

static void
find_last (const struct memory_collection *c, const struct tally_slice *from,
           const struct finding *finding)
{
  const struct memory_node *node = memory_tree_before (&c->ids, *finding->to);
  struct tally_doc doc;

  if (!node
      || (from
          && memory_compare (node->id, node->id_size, from->data, from->size)
                 < 0))
    return;
  memory_header (node, &doc);
  (void) finding->emit (finding->ctx, &doc);
}

void
memory_collection_range (const struct memory_collection *c,
                         const struct tally_slice *from,
                         const struct tally_slice *to, unsigned flags,
                         tally_emit_doc *emit, void *ctx)
{
  struct finding finding = { to, flags, emit, ctx };

  if (c && (flags & TALLY_FIND_LAST))
    find_last (c, from, &finding);
  else if (c)
    memory_tree_walk (&c->ids, from, find_visit, &finding);
}

/* ---- digest ---- */

struct sum {
  struct tally_digest *digest;
  tally_fingerprint *fingerprint;
};

static bool
sum_visit (void *ctx, const struct memory_node *node)
{
  const struct sum *sum = ctx;
  const struct tally_slice id = { node->id, node->id_size };
  unsigned char fingerprint[TALLY_FINGERPRINT_SIZE];

  sum->fingerprint (&id, node->rev, fingerprint);
  tally_digest_add (sum->digest, fingerprint);
  return true;
}

void
memory_collection_digest (struct memory_collection *c, unsigned flags,
                          tally_fingerprint *fingerprint,
                          struct tally_digest *out)
{
  memset (out, 0, sizeof *out);
  if (!c)
    return;
  if (!c->digest_known || (flags & TALLY_DIGEST_ANEW)) {
    struct sum sum = { &c->digest, fingerprint };

    memset (&c->digest, 0, sizeof c->digest);
    memory_tree_scan (&c->stamped, NULL, sum_visit, &sum);
    c->digest_known = true;
  }
  *out = c->digest;
}

void
memory_collection_count (struct memory_collection *c,
                         const struct tally_entry *entry,
                         const struct memory_node *found)
{
  bool was_live = found && !(found->flags & TALLY_DOC_DELETED);

  if (c->digest_known)
    c->digest_known = tally_digest_entry (&c->digest, entry, was_live);
}
