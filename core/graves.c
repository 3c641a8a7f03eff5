/* SPDX-License-Identifier: MIT */
/* A grave is the tombstone itself, as a document of a local collection whose
 * id is a hash of the collection and the id. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "graves.h"
#include "hashpart.h"
#include "state.h"

#define GRAVE_ID 32

struct grave_id {
  char text[GRAVE_ID + 1];
};

static void
make_id (struct grave_id *out, const char *collection, struct tally_slice id)
{
  crypto_generichash_state hash;
  unsigned char digest[GRAVE_ID / 2];

  crypto_generichash_init (&hash, NULL, 0, sizeof digest);
  hash_part (&hash, collection, strlen (collection));
  hash_part (&hash, id.data, id.size);
  crypto_generichash_final (&hash, digest, sizeof digest);
  sodium_bin2hex (out->text, sizeof out->text, digest, sizeof digest);
}

/* ---- making them -------------------------------------------------------- */

struct digging {
  struct doclist *graves;
  const char *collection;
  struct stamp next; /* of our clock */
  bool known;
  struct tally_error *err;
};

/* A repair leaves names of ours in it that are beyond our clock now. */
static int
note_known (struct digging *digging, const struct tally_doc *doc)
{
  struct state state = { 0 };
  int status = state_decode (&state, true, doc->meta, doc->body, digging->err);

  digging->known |=
      status == TALLY_OK && state_knows (&state, &digging->next, NULL);
  state_free (&state);
  return status;
}

static int
dig (void *ctx, const struct tally_doc *doc)
{
  struct digging *digging = ctx;
  struct tally_doc grave = *doc;
  struct grave_id id;

  if (!(doc->flags & TALLY_DOC_DELETED))
    return 0;
  digging->err->status = note_known (digging, doc);
  if (digging->err->status != TALLY_OK)
    return 1;
  if (doc->body.size > GRAVE_BODY_MAX)
    return 0;
  make_id (&id, digging->collection, doc->id);
  grave.id = slice_make (id.text, GRAVE_ID);
  return !doclist_add (digging->graves, &grave);
}

int
graves_make (struct doclist *graves, struct replica *replica,
             const char *collection, const struct doclist *tombstones,
             struct tally_error *err)
{
  struct tally_error why = { 0 };
  struct digging digging = { graves, collection, .err = &why };
  struct tally_slice *ids = calloc (tombstones->count + 1, sizeof *ids);
  int status;

  if (!ids)
    return error_nomem (err);
  for (size_t i = 0; i < tombstones->count; i++)
    ids[i] = tombstones->docs[i].id;
  status = replica_stamp (replica, NULL, &digging.next, err);
  if (status == TALLY_OK)
    status = replica_get (replica, collection, ids, tombstones->count,
                          TALLY_GET_BODY, dig, &digging, err);
  if (status == TALLY_OK && why.status != TALLY_OK)
    status = error_set (err, why.status, "%s: a tombstone: %s", replica->name,
                        why.text);
  if (status == TALLY_OK && graves->failed)
    status = error_nomem (err);
  if (status == TALLY_OK && digging.known)
    status = clock_rename (replica, err);
  free (ids);
  return status;
}

/* ---- finding them ------------------------------------------------------- */

/* The ids that were not found, and where their graves would be. */
struct missing {
  struct tally_slice *ids, *graves;
  struct grave_id *texts;
  size_t n;
};

static bool
missing_init (struct missing *missing, const char *collection,
              const struct tally_slice *ids, size_t n,
              const struct doclist *docs)
{
  size_t at = 0;

  memset (missing, 0, sizeof *missing);
  missing->ids = calloc (n + 1, sizeof *missing->ids);
  missing->graves = calloc (n + 1, sizeof *missing->graves);
  missing->texts = calloc (n + 1, sizeof *missing->texts);
  if (!missing->ids || !missing->graves || !missing->texts)
    return false;
  for (size_t i = 0; i < n; i++) {
    struct grave_id *text = &missing->texts[missing->n];

    if (doclist_next_if (docs, &at, ids[i]))
      continue;
    make_id (text, collection, ids[i]);
    missing->graves[missing->n] = slice_make (text->text, GRAVE_ID);
    missing->ids[missing->n++] = ids[i];
  }
  return true;
}

static void
missing_free (struct missing *missing)
{
  free (missing->texts);
  free (missing->graves);
  free (missing->ids);
}

/* Appends what was found to the documents, under their own ids. */
static void
name_found (struct doclist *docs, const struct doclist *found,
            const struct missing *missing, uint64_t limit_ms)
{
  struct stamp newest;
  size_t at = 0;

  for (size_t i = 0; i < missing->n; i++) {
    const struct tally_doc *grave =
        doclist_next_if (found, &at, missing->graves[i]);
    struct tally_doc named;

    if (!grave)
      continue;
    memcpy (newest.bytes, grave->rev, STAMP_SIZE);
    if (stamp_ms (&newest) > limit_ms)
      continue;
    named = *grave;
    named.id = missing->ids[i];
    named.seq = 0;
    doclist_add (docs, &named);
  }
}

/* The first `n_docs` are in the order of the ids, and so are those behind
 * them. */
static bool
put_in_order (struct doclist *docs, size_t n_docs,
              const struct tally_slice *ids, size_t n)
{
  struct doclist first = *docs, rest = *docs;
  struct tally_doc *ordered = malloc (docs->capacity * sizeof *ordered);
  size_t at_first = 0, at_rest = n_docs, count = 0;

  if (!ordered)
    return false;
  first.count = n_docs;
  for (size_t i = 0; i < n; i++) {
    const struct tally_doc *doc = doclist_next_if (&first, &at_first, ids[i]);

    if (!doc)
      doc = doclist_next_if (&rest, &at_rest, ids[i]);
    if (doc)
      ordered[count++] = *doc;
  }
  free (docs->docs);
  docs->docs = ordered;
  docs->count = count;
  return true;
}

static int
fill (struct doclist *docs, struct replica *replica, const char *collection,
      const struct tally_slice *ids, size_t n, unsigned flags,
      uint64_t limit_ms, struct tally_error *err)
{
  struct doclist found = DOCLIST_INIT;
  size_t n_docs = docs->count;
  struct missing missing;
  int status = TALLY_OK;

  if (n_docs == n)
    return TALLY_OK;
  if (!missing_init (&missing, collection, ids, n, docs))
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = replica_get (replica, GRAVES_COLLECTION, missing.graves,
                          missing.n, flags, doclist_emit, &found, err);
  if (status == TALLY_OK && found.count > 0) {
    name_found (docs, &found, &missing, limit_ms);
    if (found.failed || docs->failed || !put_in_order (docs, n_docs, ids, n))
      status = error_nomem (err);
  }
  doclist_free (&found);
  missing_free (&missing);
  return status;
}

int
graves_fill (struct doclist *docs, struct replica *replica,
             const char *collection, const struct tally_slice *ids, size_t n,
             unsigned flags, struct tally_error *err)
{
  return fill (docs, replica, collection, ids, n, flags,
               replica_wall_ms (replica) + replica->max_skew_ms, err);
}

int
graves_fill_all (struct doclist *docs, struct replica *replica,
                 const char *collection, const struct tally_slice *ids,
                 size_t n, unsigned flags, struct tally_error *err)
{
  return fill (docs, replica, collection, ids, n, flags, UINT64_MAX, err);
}

static int
stop_at_once (void *ctx, const struct tally_doc *doc)
{
  (void) doc;
  *(bool *) ctx = true;
  return 1;
}

int
graves_are_there (struct replica *replica, bool *any, struct tally_error *err)
{
  uint64_t head;

  *any = false;
  return replica_changes (replica, GRAVES_COLLECTION, 0, stop_at_once, any,
                          &head, err);
}

/* Something that went into the tombstone and is unknown to this state would
 * win over it. */
static bool
knows_later (const struct state *dead, const struct state *alive)
{
  for (size_t i = 0; i < dead->n_seen; i++)
    if (stamp_cmp (&dead->seen[i], &alive->whole) > 0
        && !state_knows (alive, &dead->seen[i], NULL))
      return true;
  return false;
}

int
graves_meet (const struct tally_doc *grave, const struct tally_doc *doc,
             enum grave_meets *meets, struct tally_error *err)
{
  struct state dead = { 0 }, alive = { 0 };
  int status;

  *meets = GRAVE_KNOWS_NOTHING;
  if (doc->flags & TALLY_DOC_DELETED)
    return TALLY_OK;
  status = state_decode (&alive, false, doc->meta, doc->body, err);
  if (status == TALLY_OK)
    status = state_decode (&dead, true, grave->meta, grave->body, err);
  if (status == TALLY_OK && state_knows_all (&dead, &alive, NULL))
    *meets = GRAVE_KNOWS_ALL;
  else if (status == TALLY_OK && state_knows_any (&dead, &alive))
    *meets = GRAVE_KNOWS_SOME;
  else if (status == TALLY_OK && knows_later (&dead, &alive))
    *meets = GRAVE_KNOWS_LATER;
  state_free (&dead);
  state_free (&alive);
  return status;
}

/* ---- keeping them few --------------------------------------------------- */

static int
count_grave (void *ctx, const struct tally_doc *doc)
{
  (void) doc;
  ++*(size_t *) ctx;
  return 0;
}

struct oldest {
  struct doclist headers;
  size_t n;
};

static int
collect_oldest (void *ctx, const struct tally_doc *doc)
{
  struct oldest *oldest = ctx;
  struct tally_doc header = *doc;

  if (oldest->headers.count == oldest->n)
    return 1;
  header.meta = header.body = slice_make (NULL, 0);
  return !doclist_add (&oldest->headers, &header);
}

static int
drop (struct replica *replica, const struct doclist *headers,
      struct tally_error *err)
{
  struct tally_entry *entries = calloc (headers->count + 1, sizeof *entries);
  struct tally_outcome *outcomes =
      calloc (headers->count + 1, sizeof *outcomes);
  int status = entries && outcomes ? TALLY_OK : error_nomem (err);

  for (size_t i = 0; i < headers->count && status == TALLY_OK; i++) {
    entries[i].collection = GRAVES_COLLECTION;
    entries[i].flags = TALLY_ENTRY_FORGET;
    entries[i].expected = headers->docs[i].rev;
    entries[i].doc.id = headers->docs[i].id;
  }
  if (status == TALLY_OK)
    status = replica_put (replica, entries, headers->count, 0, outcomes, err);
  free (outcomes);
  free (entries);
  return status;
}

int
graves_prune (struct replica *replica, size_t most, struct tally_error *err)
{
  struct oldest oldest = { 0 };
  size_t count = 0;
  uint64_t head;
  int status = replica_changes (replica, GRAVES_COLLECTION, 0, count_grave,
                                &count, &head, err);

  if (status != TALLY_OK || count <= most)
    return status;
  oldest.n = count - most;
  status = replica_changes (replica, GRAVES_COLLECTION, 0, collect_oldest,
                            &oldest, &head, err);
  if (status == TALLY_OK && oldest.headers.failed)
    status = error_nomem (err);
  if (status == TALLY_OK)
    status = drop (replica, &oldest.headers, err);
  doclist_free (&oldest.headers);
  return status;
}
