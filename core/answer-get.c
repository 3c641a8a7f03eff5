/* SPDX-License-Identifier: MIT */
/* Answers get: documents by their ids, as many as fit. */

#include <config.h>

#include "answer-internal.h"
#include "doclist.h"
#include "error.h"

struct taken {
  struct doclist docs;
  bool bare; /* without bodies */
  bool full;
};

static int
collect_doc (void *ctx, const struct tally_doc *doc)
{
  struct taken *taken = ctx;
  struct tally_doc given = *doc;

  if (taken->bare)
    given.body = slice_make (NULL, 0);
  if (taken->docs.count > 0
      && taken->docs.bytes + given.body.size + given.meta.size
             > WIRE_BYTES_MAX) {
    taken->full = true;
    return 1;
  }
  return !doclist_add (&taken->docs, &given);
}

/* Every id up to the last document that fitted is answered, and the ids
 * behind it that are not there are asked again at no great cost. */
static size_t
count_answered (const struct wire_get *get, const struct taken *taken)
{
  size_t at = 0, answered = 0;

  if (!taken->full)
    return get->n;
  for (size_t i = 0; i < get->n; i++)
    if (doclist_next_if (&taken->docs, &at, get->ids[i]))
      answered = i + 1;
  return answered;
}

/* Who asks for what was deleted here, and that is forgotten, hears of it. */
static int
fill_graves (struct asked *asked, const char *collection,
             const struct wire_get *get, size_t n, struct taken *taken,
             struct tally_error *err)
{
  uint64_t floor = 0;
  int status = TALLY_OK;

  if (taken->docs.count < n)
    status = forget_floor (asked->replica, collection, &floor, err);
  if (status != TALLY_OK || floor == 0)
    return status;
  return graves_fill (&taken->docs, asked->replica, collection, get->ids, n,
                      taken->bare ? TALLY_GET_META : TALLY_GET_BODY, err);
}

int
answer_get (struct asked *asked, const struct wire_get *get,
            struct tally_error *err)
{
  struct wire_message reply = { .type = WIRE_DOCS };
  struct taken taken = { .bare = get->flags & WIRE_GET_META };
  char collection[COLLECTION_TEXT_MAX];
  size_t answered;
  int status = asked_collection (asked, get->collection, collection, err);

  if (status == TALLY_OK)
    status = replica_get (asked->replica, collection, get->ids, get->n,
                          taken.bare ? TALLY_GET_META
                                     : TALLY_GET_BODY | TALLY_GET_PART,
                          collect_doc, &taken, err);
  if (status == TALLY_OK && taken.docs.failed)
    status = error_nomem (err);
  answered = count_answered (get, &taken);
  if (status == TALLY_OK)
    status = fill_graves (asked, collection, get, answered, &taken, err);
  if (status == TALLY_OK) {
    reply.as.docs.docs = taken.docs.docs;
    reply.as.docs.n = taken.docs.count;
    reply.as.docs.answered = answered;
    wire_encode (asked->reply, &reply);
  }
  doclist_free (&taken.docs);
  return status;
}
