/* SPDX-License-Identifier: MIT */
/* verify of tally.h: all rows of both sides are read and compared; where too
 * much differs for that, every header of the far side is held against ours, a
 * window at a time.  A tombstone counts as absent: one side may have forgotten
 * it. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "doclist.h"
#include "link.h"
#include "namelist.h"
#include "peer.h"
#include "public.h"

struct verify {
  struct joint joint;
  struct peer peer;
  bool compares; /* the far side can */
  struct tally_difference difference;
};

static int
count_alive (void *ctx, const struct tally_doc *doc)
{
  uint64_t *alive = ctx;

  *alive += !(doc->flags & TALLY_DOC_DELETED);
  return 0;
}

static int
read_ours (struct verify *verify, const struct doclist *theirs,
           struct doclist *ours, struct tally_error *err)
{
  struct tally_slice *ids = calloc (theirs->count + 1, sizeof *ids);
  int status;

  doclist_clear (ours);
  if (!ids)
    return error_nomem (err);
  for (size_t i = 0; i < theirs->count; i++)
    ids[i] = theirs->docs[i].id;
  status = replica_get (verify->joint.replica, verify->difference.collection,
                        ids, theirs->count, 0, doclist_emit, ours, err);
  if (status == TALLY_OK && ours->failed)
    status = error_nomem (err);
  free (ids);
  return status;
}

/* *met counts our live documents that theirs were held against. */
static void
compare_window (struct tally_difference *difference,
                const struct doclist *theirs, const struct doclist *ours,
                uint64_t *met)
{
  size_t at = 0;

  for (size_t i = 0; i < theirs->count; i++) {
    const struct tally_doc *b = &theirs->docs[i];
    const struct tally_doc *a = doclist_next_if (ours, &at, b->id);
    bool alive_a = a && !(a->flags & TALLY_DOC_DELETED);
    bool alive_b = !(b->flags & TALLY_DOC_DELETED);

    difference->documents_b += alive_b;
    if (alive_b && !alive_a)
      difference->only_b++;
    if (alive_a && alive_b) {
      ++*met;
      difference->different += memcmp (a->rev, b->rev, TALLY_REV_SIZE) != 0;
    }
  }
}

static int
verify_listed (struct verify *verify, const char *collection,
               struct tally_error *err)
{
  struct tally_difference *difference = &verify->difference;
  struct doclist theirs = DOCLIST_INIT, ours = DOCLIST_INIT;
  struct buf cursor = BUF_INIT;
  uint64_t met = 0, head;
  bool more = true;
  int status;

  buf_add_byte (&cursor, '\0');
  status = cursor.failed ? error_nomem (err) : TALLY_OK;
  while (status == TALLY_OK && more) {
    struct peer_ask ask = { .since = cursor.data, .until = "" };
    struct peer_page page;

    status = peer_meta (&verify->peer, collection, &ask, &theirs, &page, err);
    if (status == TALLY_OK)
      status = read_ours (verify, &theirs, &ours, err);
    if (status == TALLY_OK)
      compare_window (difference, &theirs, &ours, &met);
    buf_free (&cursor);
    cursor = page.next;
    more = page.more;
  }
  if (status == TALLY_OK)
    status =
        replica_changes (verify->joint.replica, collection, 0, count_alive,
                         &difference->documents_a, &head, err);
  difference->only_a = difference->documents_a - met;
  buf_free (&cursor);
  doclist_free (&ours);
  doclist_free (&theirs);
  return status;
}

/* Sums that stores keep are not believed.  *told false: too much differs. */
static int
verify_compared (struct verify *verify, const char *collection, bool *told,
                 struct tally_error *err)
{
  struct tally_difference *difference = &verify->difference;
  struct rows_range all = { { NULL, 0 }, { NULL, 0 } };
  struct compare compare = { .peer = &verify->peer,
                             .replica = verify->joint.replica,
                             .collection = collection,
                             .flags = WIRE_COMPARE_ANEW };
  uint64_t pairs = 0;
  int status = compare_range (&compare, &all, err);

  *told = compare.kind == COMPARE_SAME || compare.kind == COMPARE_DIFFER;
  if (status == TALLY_OK && compare.kind == COMPARE_DIFFER)
    status = compare_pairs (&compare, &pairs, err);
  if (status == TALLY_OK && *told) {
    difference->documents_a = compare.here;
    difference->documents_b = compare.there;
    difference->only_a = compare.ours.n - pairs;
    difference->only_b = compare.theirs.n - pairs;
    difference->different = pairs;
  }
  compare_free (&compare);
  return status;
}

static int
verify_collection (struct verify *verify, const char *collection,
                   struct tally_error *err)
{
  struct tally_difference *difference = &verify->difference;
  bool told = false;
  int status = TALLY_OK;

  memset (difference, 0, sizeof *difference);
  difference->size = sizeof *difference;
  difference->collection = collection;
  if (verify->compares)
    status = verify_compared (verify, collection, &told, err);
  if (status == TALLY_OK && !told)
    status = verify_listed (verify, collection, err);
  difference->equal =
      difference->only_a + difference->only_b + difference->different == 0;
  return status;
}

/* ---- collections -------------------------------------------------------- */

static int
collect_names (struct verify *verify, const struct peer_welcome *welcome,
               struct namelist *names, struct tally_error *err)
{
  int status = replica_collections (verify->joint.replica,
                                    namelist_emit_syncing, names, err);

  for (size_t i = 0; i < welcome->n_collections && status == TALLY_OK; i++)
    namelist_add (names, welcome->collections[i]);
  if (status == TALLY_OK && names->failed)
    status = error_nomem (err);
  return status;
}

static int
verify_all (struct verify *verify,
            int (*emit) (void *ctx, const struct tally_difference *),
            void *ctx, struct tally_error *err)
{
  struct wire_hello hello = { .flags = WIRE_HELLO_LOOK };
  struct peer_welcome welcome = { 0 };
  struct namelist names = NAMELIST_INIT;
  int status = peer_open (&verify->peer, verify->joint.channel,
                          verify->joint.replica, err);

  hello.device = slice_text (verify->joint.tally->config->device);
  if (status == TALLY_OK)
    status = peer_hello (&verify->peer, &hello, &welcome, err);
  verify->compares = welcome.compares;
  if (status == TALLY_OK)
    status = collect_names (verify, &welcome, &names, err);
  for (size_t i = 0; i < names.count && status == TALLY_OK; i++) {
    status = verify_collection (verify, names.names[i], err);
    if (status == TALLY_OK && emit (ctx, &verify->difference))
      break;
  }
  namelist_free (&names);
  peer_welcome_free (&welcome);
  peer_close (&verify->peer);
  return status;
}

int
tally_verify (struct tally *tally, const char *a, const char *b,
              int (*emit) (void *ctx, const struct tally_difference *),
              void *ctx, struct tally_error *err)
{
  struct verify verify = { 0 };
  int status;

  err = PUBLIC_ERROR (err);
  status = joint_open (&verify.joint, tally, a, b, JOINT_KEEP, err);
  if (status != TALLY_OK)
    return status;
  if (channel_is_folder (verify.joint.channel))
    status = error_set (err, TALLY_UNSUPPORTED,
                        "%s: a folder cannot be "
                        "verified, nobody answers there",
                        b);
  else
    status = verify_all (&verify, emit, ctx, err);
  joint_close (&verify.joint);
  return status;
}
