/* SPDX-License-Identifier: MIT */
/* Our own log made short: a base takes its number last, when all its parts
 * are durable, so it is whole or not there; only then goes what it
 * replaces. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "folder-internal.h"

/* A log this long is worth looking at. */
#define LOG_SEGMENTS_MAX 16
/* Ids of our own log that are held in memory at once. */
#define LOG_IDS_MAX ((size_t) 1 << 18)

/* ---- clearing up -------------------------------------------------------- */

struct sweep {
  const struct lane *lane;
  const unsigned char *self;
  struct entry *entries;
  size_t count, capacity;
  bool failed;
};

static int
collect_litter (void *ctx, const char *blob)
{
  struct sweep *sweep = ctx;
  struct segment_name name;

  if (!segment_name_parse (&name, blob)
      || strcmp (name.collection, sweep->lane->collection) != 0
      || memcmp (name.writer, sweep->self, sizeof name.writer) != 0
      || folder_is_needed (&sweep->lane->own, name.number, name.part))
    return 0;
  if (sweep->count == sweep->capacity) {
    size_t capacity = sweep->capacity ? sweep->capacity * 2 : 32;
    struct entry *entries =
        realloc (sweep->entries, capacity * sizeof *entries);

    sweep->failed = !entries;
    if (!entries)
      return 1;
    sweep->entries = entries;
    sweep->capacity = capacity;
  }
  sweep->entries[sweep->count].number = name.number;
  sweep->entries[sweep->count++].part = name.part;
  return sweep->count == LISTED_MAX;
}

/* Removes what nobody needs: what a base or a new beginning has replaced, and
 * parts of a base that never came to be. */
static int
sweep_log (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct sweep sweep = { .lane = lane, .self = folder->self };
  char text[SEGMENT_NAME_SIZE];
  struct segment_name name;
  int status;

  /* Up to the collection and its dot; the number is not part of it. */
  folder_blob_name (lane->collection, folder->self, 1, 0, &name, text);
  text[REPLICA_ID_TEXT + strlen (lane->collection) + 1] = '\0';
  status = channel_list (folder->channel, text, collect_litter, &sweep, err);
  if (status == TALLY_OK && sweep.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < sweep.count && status == TALLY_OK; i++) {
    folder_blob_name (lane->collection, folder->self, sweep.entries[i].number,
                      sweep.entries[i].part, &name, text);
    status = channel_remove (folder->channel, text, err);
  }
  free (sweep.entries);
  if (status == TALLY_OK)
    lane->own.litter = false;
  return status;
}

/* ---- compaction --------------------------------------------------------- */

/* Makes a base of our log.  Ids are told apart by keyed hashes, and when
 * there are too many for the memory, in as many passes as it takes. */
struct maker {
  struct folder *folder;
  struct lane *lane;
  unsigned char key[crypto_generichash_KEYBYTES];
  uint64_t pass, passes;
  struct idmap seen;
  struct arena hashes;
  uint64_t total, live; /* of what this pass looks at */

  bool writes;
  struct doclist docs;
  struct buf checksums;
  uint32_t parts;
  uint64_t documents;
};

static int
write_part (struct maker *maker, struct tally_error *err)
{
  struct segment segment = folder_start_segment (maker->folder, maker->lane);
  struct buf bytes = BUF_INIT;
  unsigned char checksum[SEGMENT_CHECKSUM_SIZE];
  int status;

  if (maker->docs.count == 0)
    return TALLY_OK;
  if (maker->parts == SEGMENT_PARTS_MAX)
    return error_set (err, TALLY_UNSUPPORTED,
                      "%s: %s is too large for a "
                      "base",
                      maker->folder->channel->name, maker->lane->collection);
  segment.begin = segment.number;
  segment.part = ++maker->parts;
  segment.docs = maker->docs.docs;
  segment.n_docs = maker->docs.count;
  segment_encode (&bytes, &segment);
  segment_checksum (checksum, buf_slice (&bytes));
  buf_add (&maker->checksums, checksum, sizeof checksum);
  status = bytes.failed || maker->checksums.failed
               ? error_nomem (err)
               : folder_create_blob (maker->folder, maker->lane, &segment,
                                     buf_slice (&bytes), err);
  buf_free (&bytes);
  if (status == TALLY_CONFLICT)
    status = folder_another_copy (maker->folder, err);
  maker->documents += maker->docs.count;
  doclist_clear (&maker->docs);
  return status;
}

/* Called with later documents first. */
static int
visit (struct maker *maker, const struct tally_doc *doc,
       struct tally_error *err)
{
  unsigned char hash[crypto_generichash_BYTES_MIN];
  struct tally_slice id;
  uint64_t start;
  int status = TALLY_OK;

  crypto_generichash (hash, sizeof hash, (const unsigned char *) doc->id.data,
                      doc->id.size, maker->key, sizeof maker->key);
  memcpy (&start, hash, sizeof start);
  if (start % maker->passes != maker->pass)
    return TALLY_OK;
  maker->total++;
  id = slice_make (hash, sizeof hash);
  if (idmap_find (&maker->seen, id) != IDMAP_NONE)
    return TALLY_OK;
  maker->live++;
  id.data = arena_add (&maker->hashes, hash, sizeof hash);
  if (!id.data || !idmap_add (&maker->seen, id, 0, NULL))
    return error_nomem (err);
  if (!maker->writes)
    return TALLY_OK;
  if (folder_is_full (&maker->docs, doc))
    status = write_part (maker, err);
  if (status == TALLY_OK && !doclist_add (&maker->docs, doc))
    status = error_nomem (err);
  return status;
}

/* Damage to our own log heals by putting everything again. */
static int
visit_segment (struct maker *maker, uint64_t number, uint32_t part,
               struct tally_error *err)
{
  struct folder *folder = maker->folder;
  struct lane *lane = maker->lane;
  struct segment segment;
  int status = folder_fetch (folder, lane->collection, folder->self, number,
                             part, &folder->scratch, &segment, err);

  if (status == TALLY_NOTFOUND || status == TALLY_CORRUPT) {
    lane->own.damaged = true;
    status = folder_save_note (folder, lane, err);
    if (status == TALLY_OK)
      status = error_set (err, TALLY_AGAIN,
                          "%s: segment %llu of %s that "
                          "this store wrote is missing or damaged; all is "
                          "written again on the next sync",
                          folder->channel->name, (unsigned long long) number,
                          lane->collection);
    return status;
  }
  for (size_t i = segment.n_docs; i > 0 && status == TALLY_OK; i--)
    status = visit (maker, &segment.docs[i - 1], err);
  segment_free (&segment);
  return status;
}

static int
visit_log (struct maker *maker, uint64_t pass, struct tally_error *err)
{
  const struct own *own = &maker->lane->own;
  int status = TALLY_OK;

  idmap_free (&maker->seen);
  arena_free (&maker->hashes);
  maker->pass = pass;
  maker->total = maker->live = 0;
  for (uint64_t n = own->published;
       n >= own->begin + (own->parts > 0) && status == TALLY_OK; n--)
    status = visit_segment (maker, n, 0, err);
  for (uint32_t part = (uint32_t) own->parts; part > 0 && status == TALLY_OK;
       part--)
    status = visit_segment (maker, own->begin, part, err);
  return status;
}

static int
write_base (struct maker *maker, struct tally_error *err)
{
  struct segment segment = folder_start_segment (maker->folder, maker->lane);
  int status = TALLY_OK;

  maker->writes = true;
  for (uint64_t pass = 0; pass < maker->passes && status == TALLY_OK; pass++)
    status = visit_log (maker, pass, err);
  if (status == TALLY_OK)
    status = write_part (maker, err);
  if (status != TALLY_OK)
    return status;
  segment.begin = segment.number;
  segment.parts = buf_slice (&maker->checksums);
  segment.documents = maker->documents;
  status = folder_publish (maker->folder, maker->lane, &segment, err);
  if (status == TALLY_OK)
    status = folder_save_note (maker->folder, maker->lane, err);
  return status;
}

/* The first pass is a fair sample of them all. */
static int
count_live (struct maker *maker, bool *worth, struct tally_error *err)
{
  struct own *own = &maker->lane->own;
  int status = visit_log (maker, 0, err);

  *worth =
      status == TALLY_OK && (maker->total - maker->live) * 2 > maker->total;
  if (status != TALLY_OK || *worth)
    return status;
  own->live = maker->live * maker->passes;
  if (own->live > own->documents)
    own->live = own->documents;
  return folder_save_note (maker->folder, maker->lane, err);
}

/* Documents since the last count supersede one other each at most, so that
 * the log is not read in vain again and again. */
static bool
may_be_worth_it (const struct own *own)
{
  return own->published - own->begin + 1 + own->parts > LOG_SEGMENTS_MAX
         && (own->documents - own->live) * 2 > own->documents && !own->tried;
}

static int
compact (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct own *own = &lane->own;
  struct maker maker = { .folder = folder, .lane = lane };
  bool worth;
  int status;

  own->tried = true;
  maker.passes = own->documents / LOG_IDS_MAX + 1;
  randombytes_buf (maker.key, sizeof maker.key);
  status = count_live (&maker, &worth, err);
  if (status == TALLY_OK && worth) {
    /* Of whatever came of it, something must go. */
    own->litter = true;
    status = write_base (&maker, err);
    own->tried = status != TALLY_OK;
  }
  idmap_free (&maker.seen);
  arena_free (&maker.hashes);
  doclist_free (&maker.docs);
  buf_free (&maker.checksums);
  return status;
}

int
folder_tidy (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct own *own = &lane->own;
  int status = TALLY_OK;

  if (own->missing || own->restarting)
    return TALLY_OK;
  if (own->litter)
    status = sweep_log (folder, lane, err);
  if (status == TALLY_OK && may_be_worth_it (own)) {
    status = compact (folder, lane, err);
    if (status == TALLY_OK && own->litter)
      status = sweep_log (folder, lane, err);
  }
  return status;
}
