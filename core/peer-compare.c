/* SPDX-License-Identifier: MIT */
/* Comparing with the far side, and documents that came before anybody asked
 * for them by their ids: at hand, each for one get. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "peer.h"
#include "slice.h"

bool
peer_foresee_compare (struct peer *peer, const struct wire_compare *compare)
{
  struct wire_message message = { .type = WIRE_COMPARE };

  message.as.compare = *compare;
  buf_clear (&peer->compare_ahead);
  buf_clear (&peer->compared_ahead);
  wire_encode (&peer->compare_ahead, &message);
  return !peer->compare_ahead.failed;
}

/* What follows the welcome; without memory for it, it is asked again. */
void
peer_take_compared (struct peer *peer, struct tally_slice rest, bool counts)
{
  if (peer->compare_ahead.size == 0)
    return;
  if (counts)
    buf_add_slice (&peer->compared_ahead, rest);
  else
    buf_clear (&peer->compare_ahead);
}

/* An answer counts once; a failure among them is met again by asking. */
static bool
peer_find_compared (struct peer *peer, const struct wire_message *question,
                    struct wire_message *reply)
{
  struct tally_slice rest = buf_slice (&peer->compared_ahead);
  struct tally_error ignored;
  struct buf bytes = BUF_INIT;
  bool found;

  if (peer->compared_ahead.failed || rest.size == 0)
    return false;
  wire_encode (&bytes, question);
  found = !bytes.failed
          && slice_equal (buf_slice (&bytes), buf_slice (&peer->compare_ahead))
          && wire_decode (reply, &rest, &ignored) == TALLY_OK;
  buf_free (&bytes);
  if (found && reply->type != WIRE_COMPARED) {
    wire_message_free (reply);
    found = false;
  }
  if (found)
    buf_clear (&peer->compare_ahead);
  return found;
}

int
peer_compare (struct peer *peer, const struct wire_compare *compare,
              struct wire_message *reply, struct tally_error *err)
{
  struct wire_message message = { .type = WIRE_COMPARE };

  message.as.compare = *compare;
  if (peer_find_compared (peer, &message, reply))
    return TALLY_OK;
  return peer_call (peer, &message, reply, err);
}

/* One header, and how many tombstones are behind it. */
int
peer_count_gone (struct peer *peer, const char *collection, uint64_t *gone,
                 struct tally_error *err)
{
  struct wire_message message = { .type = WIRE_META }, reply = { 0 };
  const struct wire_headers *headers = &reply.as.headers;
  int status;

  message.as.meta.collection = slice_text (collection);
  message.as.meta.flags = WIRE_META_COUNT;
  message.as.meta.limit = 1;
  status = peer_call (peer, &message, &reply, err);
  if (status != TALLY_OK)
    return status;
  *gone = headers->gone
          + (headers->n > 0 && (headers->docs[0].flags & TALLY_DOC_DELETED));
  wire_message_free (&reply);
  return TALLY_OK;
}

/* ---- at hand ------------------------------------------------------------ */

void
peer_queue_fetch (struct peer *peer, const struct wire_fetch *fetch)
{
  peer_drop_hand (peer);
  peer->fetch = fetch;
}

void
peer_drop_hand (struct peer *peer)
{
  doclist_free (&peer->hand.docs);
  idmap_free (&peer->hand.ids);
  buf_free (&peer->hand.next);
  memset (&peer->hand, 0, sizeof peer->hand);
  peer->fetch = NULL;
}

int
peer_keep_fetched (struct peer *peer, const struct wire_fetched *fetched,
                   struct tally_error *err)
{
  struct peer_hand *hand = &peer->hand;

  hand->answered = fetched->answered;
  buf_add_slice (&hand->next, fetched->next);
  for (size_t i = 0; i < fetched->n; i++)
    doclist_add (&hand->docs, &fetched->docs[i]);
  return hand->next.failed || hand->docs.failed ? error_nomem (err) : TALLY_OK;
}

/* A header came without meta, and stays no longer at hand. */
static int
list_one (struct peer_hand *hand, size_t i, struct doclist *headers,
          peer_bad_fn *bad, void *ctx, struct tally_error *err)
{
  struct tally_doc *doc = &hand->docs.docs[i], header;
  bool only_header = doc->meta.size == 0;
  struct tally_error why;
  size_t first = i;

  if (!only_header && peer_check_doc (doc, &why) != TALLY_OK) {
    bool good = bad (ctx, doc, why.text);

    doc->id.size = 0;
    return good ? TALLY_OK : error_nomem (err);
  }
  header = *doc;
  header.meta = header.body = slice_make (NULL, 0);
  if (!idmap_add (&hand->ids, doc->id, i, &first))
    return error_nomem (err);
  if (only_header || first != i)
    doc->id.size = 0;
  return first != i || doclist_add (headers, &header) ? TALLY_OK
                                                      : error_nomem (err);
}

int
peer_list_hand (struct peer *peer, struct doclist *headers, peer_bad_fn *bad,
                void *ctx, struct tally_error *err)
{
  int status = TALLY_OK;

  doclist_clear (headers);
  for (size_t i = 0; i < peer->hand.docs.count && status == TALLY_OK; i++)
    status = list_one (&peer->hand, i, headers, bad, ctx, err);
  return status;
}

static struct tally_doc *
at_hand (struct peer *peer, struct tally_slice id)
{
  size_t i = idmap_find (&peer->hand.ids, id);

  if (i == IDMAP_NONE || peer->hand.docs.docs[i].id.size == 0)
    return NULL;
  return &peer->hand.docs.docs[i];
}

size_t
peer_take_hand (struct peer *peer, const struct tally_slice *ids, size_t *n,
                struct doclist *docs)
{
  size_t taken = 0, others = 0;
  struct tally_doc *doc;

  for (; taken < *n; taken++) {
    doc = at_hand (peer, ids[taken]);
    if (!doc)
      break;
    doclist_add (docs, doc);
    doc->id.size = 0;
  }
  while (taken == 0 && others < *n && !at_hand (peer, ids[others]))
    others++;
  if (taken == 0)
    *n = others;
  return taken;
}
