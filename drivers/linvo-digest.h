/* SPDX-License-Identifier: MIT */
/* What the linvo store offers for comparing it with another: live documents
 * by stamp, and digests. */

#ifndef TALLY_LINVO_DIGEST_H
#define TALLY_LINVO_DIGEST_H

#include "linvo-db.h"

/* The digest that is kept of a collection; *known is false when there is
 * none. */
int linvo_digest_load (struct linvo *s, const leveldb_readoptions_t *how,
                       uint32_t number, struct tally_digest *digest,
                       bool *known, struct tally_error *err);

/* Has the batch keep it, or forget that there was one. */
void linvo_digest_save (leveldb_writebatch_t *batch, uint32_t number,
                        const struct tally_digest *digest, bool known);

/* The slots, as struct tally_store says. */
int linvo_stamps (void *handle, const char *collection,
                  const struct tally_position *from,
                  const struct tally_position *to, tally_emit_doc *emit,
                  void *ctx, uint64_t *seq, struct tally_error *err);
int linvo_digest (void *handle, const char *collection, unsigned flags,
                  tally_fingerprint *fingerprint, struct tally_digest *out,
                  struct tally_error *err);

#endif /* TALLY_LINVO_DIGEST_H */
