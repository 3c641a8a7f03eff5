/* SPDX-License-Identifier: MIT */
/* A store for documents in a LevelDB folder, as LinvoDB keeps them: by id,
 * with the order of arrival and the order of stamps as key ranges of the
 * same database, so that one synced batch moves all three.  How keys look is
 * in linvo-keys, what makes a folder ours in linvo-folder, how LevelDB is
 * kept honest in linvo-db. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tally/driver.h>

#include "linvo-check.h"
#include "linvo-along.h"
#include "linvo-db.h"
#include "linvo-digest.h"
#include "linvo-find.h"
#include "linvo-notes.h"
#include "linvo-put.h"

/* How often what may take long asks whether to stop: a power of 2. */
#define ASK_EVERY 1024

static int
linvo_open (void **handle, const struct tally_host *host,
            const struct tally_value *values, unsigned flags,
            struct tally_error *err)
{
  const char *path = values[0].text;
  struct linvo *s;
  int r;

  if (!path || !*path)
    return linvo_fail (err, TALLY_INVALID, "path", "is empty");
  s = calloc (1, sizeof *s);
  if (!s)
    return linvo_fail_errno (err, path, ENOMEM);
  s->host = host;
  r = linvo_db_open (s, path, flags, err);
  if (r != TALLY_OK) {
    free (s);
    return r;
  }
  *handle = s;
  return TALLY_OK;
}

static void
linvo_close (void *handle)
{
  struct linvo *s = handle;

  linvo_db_close (s);
  free (s);
}

/* ---- documents --------------------------------------------------------- */

/* Whether the host wants to stop, asked now and then. */
static int
ask (const struct linvo *s, size_t i, struct tally_error *err)
{
  if ((i & (ASK_EVERY - 1)) != ASK_EVERY - 1 || !linvo_cancelled (s))
    return TALLY_OK;
  return linvo_fail (err, TALLY_CANCELLED, s->folder.path, "cancelled");
}

/* A get under way, of whole documents or parts of them. */
struct getting {
  struct linvo *s;
  const leveldb_readoptions_t *how;
  uint32_t number; /* of the collection */
  unsigned flags;
  tally_emit_doc *emit;
  void *ctx;
  bool stop;
  struct linvo_absence absence;
  struct linvo_along along;
};

static int
get_one (struct getting *g, const struct tally_slice *id,
         struct tally_error *err)
{
  static const struct tally_slice none;
  struct linvo_found found;
  unsigned flags = g->flags;
  int r;

  r = linvo_along_find (&g->along, id, flags & TALLY_GET_PART, &found, err);
  if (r == TALLY_OK && found.found) {
    if (!(flags & (TALLY_GET_META | TALLY_GET_BODY)))
      found.doc.meta = none;
    if (!(flags & TALLY_GET_BODY))
      found.doc.body = none;
    g->stop = g->emit (g->ctx, &found.doc) != 0;
  } else if (r == TALLY_OK)
    linvo_absence_note (&g->absence, id);
  linvo_found_done (&found);
  return r;
}

static int
get_all (struct getting *g, const char *collection,
         const struct tally_slice *ids, size_t n, struct tally_error *err)
{
  struct linvo *s = g->s;
  int r = linvo_read_number (s, g->how, collection, &g->number, err), ended;

  linvo_along_begin (&g->along, s, g->how, g->number, n);
  for (size_t i = 0; r == TALLY_OK && g->number != 0 && !g->stop && i < n;
       i++) {
    r = ask (s, i, err);
    if (r == TALLY_OK)
      r = get_one (g, &ids[i], err);
  }
  ended = linvo_along_end (&g->along, err);
  return r == TALLY_OK ? ended : r;
}

/* Without a snapshot, which costs as much as a small read.  TALLY_CORRUPT,
 * where two records are read: it was written meanwhile, or is damaged. */
static int
get_now (struct getting *g, const char *collection,
         const struct tally_slice *ids, size_t n, struct tally_error *err)
{
  struct linvo *s = g->s;
  int r = linvo_begin_look (s, err);

  if (r != TALLY_OK)
    return r;
  g->how = s->read;
  r = get_all (g, collection, ids, n, err);
  linvo_end_look (s);
  return r;
}

static int
get_viewed (struct getting *g, const char *collection,
            const struct tally_slice *ids, size_t n, struct tally_error *err)
{
  struct linvo_view view;
  int r = linvo_begin_read (g->s, &view, err);

  if (r != TALLY_OK)
    return r;
  g->how = view.point;
  r = get_all (g, collection, ids, n, err);
  linvo_end_read (g->s, &view);
  return r;
}

static int
linvo_get (void *handle, const char *collection, const struct tally_slice *ids,
           size_t n, unsigned flags, tally_emit_doc *emit, void *ctx,
           struct tally_error *err)
{
  struct linvo *s = handle;
  struct getting g = { .s = s, .flags = flags, .emit = emit, .ctx = ctx };
  bool part = (flags & TALLY_GET_PART) != 0;
  int r = TALLY_CORRUPT;

  linvo_absence_begin (&g.absence, &s->absent);
  if (n == 1 || part)
    r = get_now (&g, collection, ids, n, err);
  if (r == TALLY_CORRUPT && !part)
    r = get_viewed (&g, collection, ids, n, err);
  linvo_absence_end (&g.absence, &s->absent, g.number);
  return r;
}

/* Documents that arrived in the order of their stamps are in that order in
 * both: then the iterator is on the next one already. */
static int
find_hash (struct linvo *s, leveldb_iterator_t *stamps, uint32_t number,
           struct tally_doc *doc, struct tally_error *err)
{
  struct tally_slice at, value;
  struct linvo_key key;

  linvo_key_stamp (&key, number, doc->rev, &doc->id);
  if (!linvo_scan_within (stamps, &key, key.size, &at) || at.size != key.size)
    leveldb_iter_seek (stamps, key.data, key.size);
  if (!linvo_scan_within (stamps, &key, key.size, &at) || at.size != key.size)
    return linvo_fail_corrupt (s, "a document and its revision disagree", err);
  value.data = leveldb_iter_value (stamps, &value.size);
  if (!linvo_decode_hash (&value, doc))
    return linvo_fail_corrupt (s, "the stamp of a document is damaged", err);
  leveldb_iter_next (stamps);
  return TALLY_OK;
}

struct changes {
  const struct linvo_view *view;
  uint32_t number;
  uint64_t since; /* not the greatest seq there is */
  leveldb_iterator_t *seqs, *stamps;
  tally_emit_doc *emit;
  void *ctx;
  bool stop;
};

static int
emit_header (struct linvo *s, struct changes *changes,
             const struct tally_slice *key, struct tally_error *err)
{
  struct tally_doc doc = { .seq = 0 };
  struct tally_slice value;
  int r = TALLY_OK;

  value.data = leveldb_iter_value (changes->seqs, &value.size);
  if (!linvo_seq_of_key (key, &doc.seq) || !linvo_decode_seq (&value, &doc))
    return linvo_fail_corrupt (s, "the header of a document is damaged", err);
  if (!(doc.flags & TALLY_DOC_DELETED))
    r = find_hash (s, changes->stamps, changes->number, &doc, err);
  if (r == TALLY_OK)
    changes->stop = changes->emit (changes->ctx, &doc) != 0;
  return r;
}

static int
emit_changes (struct linvo *s, struct changes *changes,
              struct tally_error *err)
{
  struct tally_slice key;
  struct linvo_key from;
  size_t i = 0;
  int r = TALLY_OK, ended;

  linvo_key_seq (&from, changes->number, changes->since + 1);
  changes->seqs = linvo_scan (s, changes->view, &from);
  changes->stamps = leveldb_create_iterator (s->db, changes->view->point);
  while (r == TALLY_OK && !changes->stop
         && linvo_scan_within (changes->seqs, &from, 1 + 4, &key)) {
    r = emit_header (s, changes, &key, err);
    if (r == TALLY_OK)
      r = ask (s, i++, err);
    leveldb_iter_next (changes->seqs);
  }
  ended = linvo_scan_end (s, changes->stamps, err);
  if (r == TALLY_OK)
    r = ended;
  ended = linvo_scan_end (s, changes->seqs, err);
  return r == TALLY_OK ? ended : r;
}

static int
linvo_changes (void *handle, const char *collection, uint64_t since,
               tally_emit_doc *emit, void *ctx, uint64_t *head,
               struct tally_error *err)
{
  struct linvo *s = handle;
  struct linvo_head stored;
  struct linvo_view view;
  uint32_t number = 0;
  int r;

  r = linvo_begin_read (s, &view, err);
  if (r != TALLY_OK)
    return r;
  r = linvo_read_head (s, view.point, &stored, err);
  if (r == TALLY_OK)
    r = linvo_read_number (s, view.point, collection, &number, err);
  if (r == TALLY_OK && number != 0 && since < stored.seq) {
    struct changes changes = {
      .view = &view, .number = number, .since = since, .emit = emit, .ctx = ctx
    };

    r = emit_changes (s, &changes, err);
  }
  if (r == TALLY_OK)
    *head = stored.seq;
  linvo_end_read (s, &view);
  return r;
}

/* ---- collections -------------------------------------------------------- */

/* Whether a collection holds anything: its name stays when it does not. */
static int
holds_any (struct linvo *s, const struct linvo_view *view, uint32_t number,
           bool *any, struct tally_error *err)
{
  struct tally_slice key;
  struct linvo_key from;
  leveldb_iterator_t *it;

  linvo_key_seq (&from, number, 0);
  it = linvo_scan (s, view, &from);
  *any = linvo_scan_within (it, &from, 1 + 4, &key);
  return linvo_scan_end (s, it, err);
}

static int
emit_collection (struct linvo *s, const struct linvo_view *view,
                 const leveldb_iterator_t *it, const struct tally_slice *key,
                 tally_emit_name *emit, void *ctx, bool *stop,
                 struct tally_error *err)
{
  char name[LINVO_NAME_MAX + 1];
  struct tally_slice value;
  uint32_t number;
  bool any;
  int r;

  value.data = leveldb_iter_value (it, &value.size);
  if (!linvo_name_of_key (key, name) || !linvo_decode_number (&value, &number))
    return linvo_fail_corrupt (s, "the record of a collection is damaged",
                               err);
  r = holds_any (s, view, number, &any, err);
  if (r == TALLY_OK && any)
    *stop = emit (ctx, name) != 0;
  return r;
}

static int
linvo_collections (void *handle, tally_emit_name *emit, void *ctx,
                   struct tally_error *err)
{
  struct linvo *s = handle;
  struct linvo_view view;
  struct tally_slice key;
  struct linvo_key from;
  leveldb_iterator_t *it;
  bool stop = false;
  int r, ended;

  linvo_key_text (&from, LINVO_NAME, NULL, 0);
  r = linvo_begin_read (s, &view, err);
  if (r != TALLY_OK)
    return r;
  it = linvo_scan (s, &view, &from);
  while (r == TALLY_OK && !stop
         && linvo_scan_within (it, &from, from.size, &key)) {
    r = emit_collection (s, &view, it, &key, emit, ctx, &stop, err);
    leveldb_iter_next (it);
  }
  ended = linvo_scan_end (s, it, err);
  linvo_end_read (s, &view);
  return r != TALLY_OK ? r : ended;
}

/* ---- tables ------------------------------------------------------------ */

static const struct tally_option linvo_options[] = {
  { .name = "path",
    .type = TALLY_OPTION_PATH,
    .flags = TALLY_OPTION_REQUIRED,
    .help = "the folder that holds the store" },
  { .name = NULL }
};

static const struct tally_store linvo_store = { TALLY_STORE_INIT,
                                                .threads = TALLY_THREADS_ANY,
                                                .open = linvo_open,
                                                .close = linvo_close,
                                                .get = linvo_get,
                                                .put = linvo_put,
                                                .changes = linvo_changes,
                                                .note_get = linvo_note_get,
                                                .note_put = linvo_note_put,
                                                .note_list = linvo_note_list,
                                                .collections =
                                                    linvo_collections,
                                                .check = linvo_check,
                                                .scan = linvo_stamps,
                                                .digest = linvo_digest,
                                                .find = linvo_find_slot };

static const struct tally_driver linvo_driver = {
  TALLY_DRIVER_INIT,
  .name = "linvo",
  .version = "1.0",
  .summary = "documents in a LevelDB folder, as LinvoDB keeps them",
  .options = linvo_options,
  .store = &linvo_store
};

TALLY_DRIVER (linvo_driver)
