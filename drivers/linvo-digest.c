/* SPDX-License-Identifier: MIT */
/* Both are ranges and records beside the documents: a scan walks one range
 * and touches nothing else, a digest is one record that each batch writes
 * anew. */

#include <string.h>

#include <tally/digest.h>

#include "linvo-digest.h"

#define ASK_EVERY 4096 /* records, a power of 2 */

/* ---- scan --------------------------------------------------------------- */

struct range {
  struct linvo_key from;
  struct linvo_key to;
  bool ends; /* at `to`, else with the collection */
};

static void
make_range (struct range *range, uint32_t number,
            const struct tally_position *from, const struct tally_position *to)
{
  static const struct tally_position first;

  if (!from)
    from = &first;
  linvo_key_stamp (&range->from, number, from->stamp, &from->id);
  range->ends = to != NULL;
  if (to)
    linvo_key_stamp (&range->to, number, to->stamp, &to->id);
}

static bool
is_before (const struct tally_slice *key, const struct linvo_key *end)
{
  size_t size = key->size < end->size ? key->size : end->size;
  int r = memcmp (key->data, end->data, size);

  return r < 0 || (r == 0 && key->size < end->size);
}

static int
walk (struct linvo *s, const struct linvo_view *view,
      const struct range *range, tally_emit_doc *emit, void *ctx,
      struct tally_error *err)
{
  leveldb_iterator_t *it = linvo_scan (s, view, &range->from);
  struct tally_slice key, value;
  struct tally_doc doc;
  size_t i = 0;
  int r = TALLY_OK;

  memset (&doc, 0, sizeof doc);
  while (linvo_scan_within (it, &range->from, 1 + 4, &key)
         && (!range->ends || is_before (&key, &range->to))) {
    value.data = leveldb_iter_value (it, &value.size);
    if (!linvo_decode_stamp (&key, &value, &doc))
      r = linvo_fail_corrupt (s, "the stamp of a document is damaged", err);
    else if (++i % ASK_EVERY == 0 && linvo_cancelled (s))
      r = linvo_fail (err, TALLY_CANCELLED, s->folder.path, "cancelled");
    if (r != TALLY_OK || emit (ctx, &doc))
      break;
    leveldb_iter_next (it);
  }
  if (r != TALLY_OK) {
    leveldb_iter_destroy (it);
    return r;
  }
  return linvo_scan_end (s, it, err);
}

int
linvo_stamps (void *handle, const char *collection,
              const struct tally_position *from,
              const struct tally_position *to, tally_emit_doc *emit, void *ctx,
              uint64_t *seq, struct tally_error *err)
{
  struct linvo *s = handle;
  struct linvo_view view;
  struct linvo_head head;
  struct range range;
  uint32_t number;
  int r = linvo_begin_read (s, &view, err);

  if (r != TALLY_OK)
    return r;
  r = linvo_read_head (s, view.point, &head, err);
  if (r == TALLY_OK)
    r = linvo_read_number (s, view.point, collection, &number, err);
  if (r == TALLY_OK && number != 0) {
    make_range (&range, number, from, to);
    r = walk (s, &view, &range, emit, ctx, err);
  }
  if (r == TALLY_OK)
    *seq = head.seq;
  linvo_end_read (s, &view);
  return r;
}

/* ---- digest ------------------------------------------------------------- */

int
linvo_digest_load (struct linvo *s, const leveldb_readoptions_t *how,
                   uint32_t number, struct tally_digest *digest, bool *known,
                   struct tally_error *err)
{
  struct linvo_key key;
  char *value;
  size_t size;
  int r;

  memset (digest, 0, sizeof *digest);
  linvo_key_digest (&key, number);
  r = linvo_read (s, how, &key, &value, &size, err);
  *known = r == TALLY_OK && value;
  if (!*known)
    return r;
  if (size == TALLY_DIGEST_RECORD_SIZE)
    tally_digest_decode (digest, (const unsigned char *) value);
  else
    r = linvo_fail_corrupt (s, "the digest of a collection is damaged", err);
  leveldb_free (value);
  return r;
}

void
linvo_digest_save (leveldb_writebatch_t *batch, uint32_t number,
                   const struct tally_digest *digest, bool known)
{
  unsigned char record[TALLY_DIGEST_RECORD_SIZE];
  struct linvo_key key;

  linvo_key_digest (&key, number);
  if (!known) {
    leveldb_writebatch_delete (batch, key.data, key.size);
    return;
  }
  tally_digest_encode (record, digest);
  leveldb_writebatch_put (batch, key.data, key.size, (const char *) record,
                          sizeof record);
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

/* Reads what is kept, or with `anew` or when there is none makes it;
 * *made tells which. */
static int
find (struct linvo *s, const struct linvo_view *view, uint32_t number,
      bool anew, tally_fingerprint *fingerprint, struct tally_digest *out,
      bool *made, struct tally_error *err)
{
  struct sum sum = { out, fingerprint };
  struct range range;
  int r = TALLY_OK;

  *made = anew;
  if (!anew) {
    bool known;

    r = linvo_digest_load (s, view->point, number, out, &known, err);
    *made = !known;
  }
  if (r != TALLY_OK || !*made)
    return r;
  memset (out, 0, sizeof *out);
  make_range (&range, number, NULL, NULL);
  return walk (s, view, &range, add, &sum, err);
}

static int
store (struct linvo *s, uint32_t number, const struct tally_digest *digest,
       struct tally_error *err)
{
  leveldb_writebatch_t *batch = leveldb_writebatch_create ();
  struct linvo_head head = s->head;
  int r;

  linvo_digest_save (batch, number, digest, true);
  r = linvo_commit (s, batch, &head, err);
  leveldb_writebatch_destroy (batch);
  return r;
}

/* With the store entered for reading or, to keep what is made, writing. */
static int
digest_of (struct linvo *s, const char *collection, bool anew, bool keep,
           tally_fingerprint *fingerprint, struct tally_digest *out,
           bool *made, struct tally_error *err)
{
  struct linvo_view view;
  struct linvo_head head;
  uint32_t number;
  int r;

  *made = false;
  memset (out, 0, sizeof *out);
  linvo_view_open (s, &view);
  r = linvo_read_head (s, view.point, &head, err);
  if (r == TALLY_OK)
    r = linvo_read_number (s, view.point, collection, &number, err);
  if (r == TALLY_OK && number != 0)
    r = find (s, &view, number, anew, fingerprint, out, made, err);
  linvo_view_close (s, &view);
  out->seq = head.seq;
  if (r == TALLY_OK && *made && keep)
    r = store (s, number, out, err);
  return r;
}

/* Only who finds none keeps writers out. */
int
linvo_digest (void *handle, const char *collection, unsigned flags,
              tally_fingerprint *fingerprint, struct tally_digest *out,
              struct tally_error *err)
{
  bool anew = (flags & TALLY_DIGEST_ANEW) != 0, made;
  struct linvo *s = handle;
  struct linvo_view view;
  int r;

  if (!anew || s->readonly) {
    r = linvo_begin_read (s, &view, err);
    if (r != TALLY_OK)
      return r;
    r = digest_of (s, collection, anew, false, fingerprint, out, &made, err);
    linvo_end_read (s, &view);
    if (r != TALLY_OK || !made || s->readonly)
      return r;
  }
  r = linvo_begin_write (s, err);
  if (r != TALLY_OK)
    return r;
  r = digest_of (s, collection, anew, true, fingerprint, out, &made, err);
  linvo_end_write (s);
  return r;
}
