/* SPDX-License-Identifier: MIT */
/* datastoreMeta and datastoreGet. */

#include <config.h>

#include <stdlib.h>

#include "dialect-internal.h"
#include "document.h"
#include "error.h"
#include "idset.h"
#include "json.h"
#include "mtime.h"
#include "slice.h"

/* ---- meta --------------------------------------------------------------- */

struct row {
  struct tally_slice id;
  uint64_t shown;
};

struct listing {
  struct mtimes mtimes;
  struct arena ids;
  struct row *rows;
  size_t n, capacity;
  bool failed; /* out of memory */
};

static bool
grow (struct listing *listing)
{
  size_t capacity = listing->capacity ? 2 * listing->capacity : 64;
  struct row *rows = realloc (listing->rows, capacity * sizeof *rows);

  if (!rows)
    return false;
  listing->rows = rows;
  listing->capacity = capacity;
  return true;
}

static int
list_header (void *ctx, const struct tally_doc *doc)
{
  struct listing *listing = ctx;
  char *id = arena_add (&listing->ids, doc->id.data, doc->id.size);

  listing->failed =
      !id || (listing->n == listing->capacity && !grow (listing));
  if (!listing->failed)
    listing->rows[listing->n++] = (struct row){
      slice_make (id, doc->id.size),
      mtime_shown (doc, mtime_find (&listing->mtimes, doc->id)),
    };
  return listing->failed;
}

static int
row_order (const void *a, const void *b)
{
  const struct row *left = a, *right = b;

  return slice_cmp (left->id, right->id);
}

static int
give_rows (struct dialect_call *call, const struct listing *listing,
           struct tally_error *err)
{
  struct buf *reply = &call->reply;
  int status = TALLY_OK;

  buf_add_byte (reply, '[');
  for (size_t i = 0; i < listing->n && status == TALLY_OK; i++) {
    const struct row *row = &listing->rows[i];

    buf_add_text (reply, i > 0 ? ",[" : "[");
    json_encode_string (reply, row->id);
    buf_addf (reply, ",%llu]", (unsigned long long) row->shown);
    status = dialect_room (call, err);
  }
  buf_add_byte (reply, ']');
  return status;
}

/* By id, as LinvoDB's own servers do. */
int
dialect_meta (struct dialect_call *call, struct tally_error *err)
{
  struct replica *replica = call->dialect->setup.replica;
  struct listing listing = { .n = 0 };
  uint64_t head;
  int status =
      mtime_read_all (&listing.mtimes, replica, call->collection, err);

  if (status == TALLY_OK)
    status = replica_changes (replica, call->collection, 0, list_header,
                              &listing, &head, err);
  if (status == TALLY_OK && listing.failed)
    status = error_nomem (err);
  if (status == TALLY_OK && listing.n > 0)
    qsort (listing.rows, listing.n, sizeof *listing.rows, row_order);
  if (status == TALLY_OK)
    status = give_rows (call, &listing, err);
  if (status == TALLY_OK && listing.n > 0)
    status = dialect_register (call, err);
  free (listing.rows);
  arena_free (&listing.ids);
  mtimes_free (&listing.mtimes);
  return status;
}

/* ---- get ---------------------------------------------------------------- */

/* A page of ids, none of which was given before. */
struct page {
  struct dialect_call *call;
  struct idset given;
  struct tally_slice *ids;
  size_t n;
  struct arena texts;
  struct mtimes mtimes;
  uint64_t since; /* of the feed */
  bool any;
  int status;
  struct tally_error *err;
};

static int
add_id (struct page *page, struct tally_slice id, struct tally_error *err)
{
  char *copy;

  if (idset_find (&page->given, &id, 1))
    return TALLY_OK;
  copy = arena_add (&page->texts, id.data, id.size);
  if (!copy || !idset_add (&page->given, &id, 1))
    return error_nomem (err);
  page->ids[page->n++] = slice_make (copy, id.size);
  return TALLY_OK;
}

static int
give_document (void *ctx, const struct tally_doc *doc)
{
  struct page *page = ctx;
  struct buf *reply = &page->call->reply;

  if (page->any)
    buf_add_byte (reply, ',');
  page->any = true;
  dated_give (reply, doc,
              mtime_shown (doc, mtime_find (&page->mtimes, doc->id)));
  page->status = dialect_room (page->call, page->err);
  return page->status != TALLY_OK;
}

static int
give_page (struct page *page, struct tally_error *err)
{
  struct dialect_call *call = page->call;
  struct replica *replica = call->dialect->setup.replica;
  int status = TALLY_OK;

  if (page->n > 0)
    status = mtime_read (&page->mtimes, replica, call->collection, page->ids,
                         page->n, err);
  if (page->n > 0 && status == TALLY_OK)
    status = replica_get (replica, call->collection, page->ids, page->n,
                          TALLY_GET_BODY, give_document, page, err);
  arena_free (&page->texts);
  page->n = 0;
  return status == TALLY_OK ? page->status : status;
}

/* An id that nobody could have written is not there either. */
static int
read_id (struct page *page, struct tally_slice element,
         struct tally_error *err)
{
  struct buf canonical = BUF_INIT, id = BUF_INIT;
  int status = json_canonical (&canonical, element.data, element.size, err);

  if (status != TALLY_OK)
    error_set (err, status, "ids: %s", err->text);
  else if (json_type (buf_slice (&canonical)) != JSON_STRING)
    status =
        error_set (err, TALLY_INVALID, "ids: not all of them are strings");
  else {
    struct tally_error ignored;

    json_decode_string (&id, buf_slice (&canonical));
    if (id.failed)
      status = error_nomem (err);
    else if (document_check_id (buf_slice (&id), &ignored) == TALLY_OK)
      status = add_id (page, buf_slice (&id), err);
  }
  buf_free (&id);
  buf_free (&canonical);
  return status;
}

static int
give_ids (struct page *page, struct tally_error *err)
{
  struct envelope_items items = { page->call->asked.ids, false };
  struct tally_slice element;
  size_t n = 0;
  int status = envelope_next (&items, &element, err);

  while (status == TALLY_OK) {
    if (n++ == DIALECT_IDS_MAX)
      return error_set (err, TALLY_INVALID, "ids: more than %d at once",
                        DIALECT_IDS_MAX);
    status = read_id (page, element, err);
    if (status == TALLY_OK && page->n == DIALECT_PAGE)
      status = give_page (page, err);
    if (status == TALLY_OK)
      status = envelope_next (&items, &element, err);
  }
  return status == TALLY_NOTFOUND ? give_page (page, err) : status;
}

static int
collect_id (void *ctx, const struct tally_doc *doc)
{
  struct page *page = ctx;

  page->status = add_id (page, doc->id, page->err);
  page->since = doc->seq;
  return page->status != TALLY_OK || page->n == DIALECT_PAGE;
}

/* A page after the other by arrival; one that arrives again meanwhile was
 * given, and meta will tell of it. */
static int
give_all (struct page *page, struct tally_error *err)
{
  struct dialect_call *call = page->call;
  bool full;
  int status;

  do {
    uint64_t head;

    status = replica_changes (call->dialect->setup.replica, call->collection,
                              page->since, collect_id, page, &head, err);
    if (status == TALLY_OK)
      status = page->status;
    full = page->n == DIALECT_PAGE;
    if (status == TALLY_OK)
      status = give_page (page, err);
  } while (status == TALLY_OK && full);
  return status;
}

int
dialect_get (struct dialect_call *call, struct tally_error *err)
{
  struct page page = { .call = call, .err = err };
  int status = TALLY_OK;

  if (!call->asked.all && !call->asked.ids.data)
    return error_set (err, TALLY_INVALID, "ids: are missing");
  page.ids = calloc (DIALECT_PAGE, sizeof *page.ids);
  if (!page.ids)
    return error_nomem (err);
  buf_add_byte (&call->reply, '[');
  status = call->asked.all ? give_all (&page, err) : give_ids (&page, err);
  buf_add_byte (&call->reply, ']');
  free (page.ids);
  arena_free (&page.texts);
  idset_free (&page.given);
  mtimes_free (&page.mtimes);
  return status;
}
