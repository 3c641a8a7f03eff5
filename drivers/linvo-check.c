/* SPDX-License-Identifier: MIT */
/* Reads every record, with its checksum.  Each document has one record under
 * its id and one in the order of arrival, each live one also one in that of
 * stamps: where they are not as many, some are gone or belong to nothing. */

#include "linvo-check.h"

#define CANCEL_EVERY 4096

struct counts {
  uint64_t docs, seqs, live, stamps, all;
};

static bool
is_live (const leveldb_iterator_t *it)
{
  struct tally_slice value;
  struct tally_doc doc;

  value.data = leveldb_iter_value (it, &value.size);
  return linvo_decode_seq (&value, &doc) && !(doc.flags & TALLY_DOC_DELETED);
}

static void
count (struct counts *counts, const struct tally_slice *key,
       const leveldb_iterator_t *it)
{
  counts->docs += key->data[0] == LINVO_DOC;
  counts->seqs += key->data[0] == LINVO_SEQ;
  counts->live += key->data[0] == LINVO_SEQ && is_live (it);
  counts->stamps += key->data[0] == LINVO_STAMP;
  counts->all++;
}

static int
read_all (struct linvo *s, const struct linvo_view *view,
          struct counts *counts, struct tally_error *err)
{
  static const struct linvo_key all = { .size = 0 };
  leveldb_iterator_t *it = linvo_scan (s, view, &all);
  struct tally_slice key;

  while (linvo_scan_within (it, &all, 0, &key)) {
    if (key.size > 0)
      count (counts, &key, it);
    if (counts->all % CANCEL_EVERY == 0 && linvo_cancelled (s)) {
      leveldb_iter_destroy (it);
      return linvo_fail (err, TALLY_CANCELLED, s->folder.path, "cancelled");
    }
    leveldb_iter_next (it);
  }
  return linvo_scan_end (s, it, err);
}

int
linvo_check (void *handle, struct tally_error *err)
{
  struct linvo *s = handle;
  struct counts counts = { 0 };
  struct linvo_view view;
  int r = linvo_begin_read (s, &view, err);

  if (r != TALLY_OK)
    return r;
  r = read_all (s, &view, &counts, err);
  if (r == TALLY_OK
      && (counts.docs != counts.seqs || counts.live != counts.stamps))
    r = linvo_fail_corrupt (s, "records of documents are missing", err);
  linvo_end_read (s, &view);
  return r;
}
