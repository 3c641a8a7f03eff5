/* SPDX-License-Identifier: MIT */
/* What the store offers for comparing it with another: live documents by
 * stamp, from an index that holds all of a header, and digests, each in the
 * row of its collection. */

#include <string.h>

#include <tally/digest.h>

#include "sqlite-file.h"

/* ---- scan ---- */

static void
bind_position (const struct sqlite_store *s, int index,
               const struct tally_position *at)
{
  sqlite_bind_bytes (s, SQL_STAMPS, index, at->stamp, TALLY_STAMP_SIZE);
  sqlite_bind_bytes (s, SQL_STAMPS, index + 1, at->id.data, at->id.size);
}

/* Within a transaction. */
static int
emit_stamps (const struct sqlite_store *s, int64_t key,
             const struct tally_position *from,
             const struct tally_position *to, tally_emit_doc *emit, void *ctx,
             struct tally_error *err)
{
  static const struct tally_position first;
  unsigned char behind_all[TALLY_STAMP_SIZE + 1];

  memset (behind_all, 0xff, sizeof behind_all);
  sqlite_bind_number (s, SQL_STAMPS, 1, key);
  bind_position (s, 2, from ? from : &first);
  bind_position (s, 4, to ? to : &first);
  if (!to)
    sqlite_bind_bytes (s, SQL_STAMPS, 4, behind_all, sizeof behind_all);
  return sqlite_emit_headers (s, SQL_STAMPS, emit, ctx, err);
}

/* Finds the collection, 0 when there is none, and the head. */
static int
look (const struct sqlite_store *s, const char *collection, int64_t *key,
      uint64_t *seq, struct tally_error *err)
{
  int64_t head = 0;
  int status = sqlite_collection (s, collection, key, err);

  if (!status)
    status = sqlite_head (s, &head, err);
  *seq = (uint64_t) head;
  return status;
}

int
sqlite_scan (void *handle, const char *collection,
             const struct tally_position *from,
             const struct tally_position *to, tally_emit_doc *emit, void *ctx,
             uint64_t *seq, struct tally_error *err)
{
  const struct sqlite_store *s = handle;
  int64_t key = 0;
  int status = sqlite_run (s, SQL_READ, err);

  if (!status)
    status = look (s, collection, &key, seq, err);
  if (!status && key)
    status = emit_stamps (s, key, from, to, emit, ctx, err);
  sqlite_rollback (s);
  return status;
}

/* ---- digest ---- */

int
sqlite_digest_load (const struct sqlite_store *s, int64_t key,
                    struct tally_digest *digest, bool *known,
                    struct tally_error *err)
{
  struct tally_slice record = { NULL, 0 };
  int status;

  *known = false;
  memset (digest, 0, sizeof *digest);
  sqlite_bind_number (s, SQL_DIGEST_FIND, 1, key);
  status = sqlite_step (s, SQL_DIGEST_FIND, err);
  if (status == SQLITE_ROW) {
    status = sqlite_slice (s, SQL_DIGEST_FIND, 0, &record, err);
    *known = record.size == TALLY_DIGEST_RECORD_SIZE;
    if (*known)
      tally_digest_decode (digest, (const unsigned char *) record.data);
    else if (record.size)
      status = sqlite_fail (s, err, TALLY_CORRUPT,
                            "the digest of a collection is damaged");
  }
  sqlite_reset (s, SQL_DIGEST_FIND);
  return status < 0 ? status : TALLY_OK;
}

int
sqlite_digest_save (const struct sqlite_store *s, int64_t key,
                    const struct tally_digest *digest, struct tally_error *err)
{
  unsigned char record[TALLY_DIGEST_RECORD_SIZE];

  sqlite_bind_number (s, SQL_DIGEST_SET, 1, key);
  if (digest) {
    tally_digest_encode (record, digest);
    sqlite_bind_bytes (s, SQL_DIGEST_SET, 2, record, sizeof record);
  }
  return sqlite_run (s, SQL_DIGEST_SET, err);
}

struct sum {
  struct tally_digest *digest;
  tally_fingerprint *fingerprint;
};

static int
add (void *ctx, const struct tally_doc *doc)
{
  const struct sum *sum = ctx;
  unsigned char fingerprint[TALLY_FINGERPRINT_SIZE];

  sum->fingerprint (&doc->id, doc->rev, fingerprint);
  tally_digest_add (sum->digest, fingerprint);
  return 0;
}

/* Reads what is kept, or with `anew` or when there is none makes it; *key is 0
 * when nothing was made.  Within a transaction. */
static int
find (const struct sqlite_store *s, const char *collection, bool anew,
      tally_fingerprint *fingerprint, struct tally_digest *out, int64_t *key,
      struct tally_error *err)
{
  struct sum sum = { out, fingerprint };
  bool known = false;
  uint64_t seq = 0;
  int status = look (s, collection, key, &seq, err);

  memset (out, 0, sizeof *out);
  if (!status && *key && !anew)
    status = sqlite_digest_load (s, *key, out, &known, err);
  if (known)
    *key = 0;
  if (!status && *key)
    status = emit_stamps (s, *key, NULL, NULL, add, &sum, err);
  out->seq = seq;
  return status;
}

/* Only who finds none keeps writers out. */
int
sqlite_digest (void *handle, const char *collection, unsigned flags,
               tally_fingerprint *fingerprint, struct tally_digest *out,
               struct tally_error *err)
{
  const struct sqlite_store *s = handle;
  bool anew = flags & TALLY_DIGEST_ANEW;
  bool readonly = sqlite3_db_readonly (s->db, "main") != 0;
  int64_t key = 0;
  int status;

  if (!anew || readonly) {
    status = sqlite_run (s, SQL_READ, err);
    if (!status)
      status = find (s, collection, anew, fingerprint, out, &key, err);
    sqlite_rollback (s);
    if (status || !key || readonly)
      return status;
  }
  status = sqlite_run (s, SQL_WRITE, err);
  if (!status)
    status = find (s, collection, anew, fingerprint, out, &key, err);
  if (!status && key)
    status = sqlite_digest_save (s, key, out, err);
  if (!status)
    status = sqlite_run (s, SQL_COMMIT, err);
  sqlite_rollback (s);
  return status;
}
