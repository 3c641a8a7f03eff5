/* SPDX-License-Identifier: MIT */
/* The digest of a store whose driver keeps none, and whether those that are
 * kept are right. */

#include <config.h>

#include <string.h>

#include "error.h"
#include "fingerprint.h"
#include "namelist.h"
#include "replica.h"

static int
add (void *ctx, const struct tally_doc *doc)
{
  digest_add_doc (ctx, doc);
  return 0;
}

int
replica_digest_changes (struct replica *replica, const char *collection,
                        struct tally_digest *out, struct tally_error *err)
{
  memset (out, 0, sizeof *out);
  return replica_changes (replica, collection, 0, add, out, &out->seq, err);
}

/* ---- checking ----------------------------------------------------------- */

#define CHECK_TRIES 16 /* against those who write meanwhile */

/* Sums up what the digest is of.  *again: somebody wrote in between. */
static int
check_once (struct replica *replica, const char *collection, bool *again,
            struct tally_error *err)
{
  struct tally_digest kept, made = { 0 };
  int status = replica_digest (replica, collection, 0, &kept, err);

  if (status == TALLY_OK)
    status = replica_scan (replica, collection, NULL, NULL, add, &made,
                           &made.seq, err);
  if (status != TALLY_OK)
    return status;
  *again = kept.seq != made.seq;
  if (!*again && !digest_equal (&kept, &made))
    return error_set (err, TALLY_CORRUPT,
                      "%s: the digest of \"%s\" is not that of its documents",
                      replica->name, collection);
  return TALLY_OK;
}

int
replica_check_digests (struct replica *replica, struct tally_error *err)
{
  struct namelist names = NAMELIST_INIT;
  int status =
      replica_collections (replica, namelist_emit_shared, &names, err);

  if (status == TALLY_OK && names.failed)
    status = error_nomem (err);
  for (size_t i = 0; status == TALLY_OK && i < names.count; i++) {
    bool again = true;

    for (unsigned n = 0; status == TALLY_OK && again && n < CHECK_TRIES; n++)
      status = check_once (replica, names.names[i], &again, err);
  }
  namelist_free (&names);
  return status;
}
