/* SPDX-License-Identifier: MIT */
/* What a comparison of stores, and a query, asks of a collection in memory. */

#ifndef TALLY_MEMORY_SCAN_H
#define TALLY_MEMORY_SCAN_H

#include "memory-index.h"

/* A node without its payload, as it goes out. */
void memory_header (const struct memory_node *node, struct tally_doc *doc);

/* With it if the flags ask for meta or body. */
void memory_document (const struct memory_node *node, unsigned flags,
                      struct tally_doc *doc);

/* c may be NULL in all three: an empty collection. */
void memory_collection_scan (const struct memory_collection *c,
                             const struct tally_position *from,
                             const struct tally_position *to,
                             tally_emit_doc *emit, void *ctx);
void memory_collection_range (const struct memory_collection *c,
                              const struct tally_slice *from,
                              const struct tally_slice *to, unsigned flags,
                              tally_emit_doc *emit, void *ctx);
void memory_collection_digest (struct memory_collection *c, unsigned flags,
                               tally_fingerprint *fingerprint,
                               struct tally_digest *out);

/* Follows an entry that is about to be written over `found` (NULL: nothing),
 * in its digest. */
void memory_collection_count (struct memory_collection *c,
                              const struct tally_entry *entry,
                              const struct memory_node *found);

#endif /* TALLY_MEMORY_SCAN_H */
