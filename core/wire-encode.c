/* SPDX-License-Identifier: MIT */
/* Messages out: one function for the fields of each. */

#include <config.h>

#include "cbor.h"
#include "wire-compare.h"
#include "wire-doc.h"
#include "wire.h"

static const struct tally_slice nothing = { NULL, 0 };

static void
add_hello (struct buf *out, const struct wire_hello *hello)
{
  cbor_add_uint (out, hello->flags);
  cbor_add_uint (out, hello->wall_ms);
  cbor_add_uint (out, hello->client);
  cbor_add_text (out, hello->device);
  cbor_add_bytes (out, hello->expects);
  cbor_add_bytes (out, hello->current);
  cbor_add_bytes (out, hello->pending);
}

static void
add_welcome (struct buf *out, const struct wire_welcome *welcome)
{
  cbor_add_uint (out, welcome->verdict);
  cbor_add_uint (out, welcome->flags);
  cbor_add_uint (out, welcome->wall_ms);
  cbor_add_uint (out, welcome->client);
  cbor_add_text (out, welcome->device);
  cbor_add_array (out, welcome->n_collections);
  for (size_t i = 0; i < welcome->n_collections; i++)
    cbor_add_text (out, welcome->collections[i]);
  cbor_add_array (out, welcome->n_clients);
  for (size_t i = 0; i < welcome->n_clients; i++)
    cbor_add_uint (out, welcome->clients[i]);
}

static void
add_meta (struct buf *out, const struct wire_meta *meta)
{
  cbor_add_text (out, meta->collection);
  cbor_add_uint (out, meta->flags);
  cbor_add_uint (out, meta->since);
  cbor_add_uint (out, meta->until);
  cbor_add_uint (out, meta->limit);
  cbor_add_uint (out, meta->bytes);
  cbor_add_text (out, meta->after);
}

static void
add_headers (struct buf *out, const struct wire_headers *headers)
{
  struct wire_states states = { .n_clients = 0 };

  cbor_add_uint (out, headers->next);
  cbor_add_uint (out, headers->more);
  cbor_add_uint (out, headers->by_id);
  cbor_add_uint (out, headers->floor);
  cbor_add_uint (out, headers->gone);
  cbor_add_uint (out, headers->live);
  cbor_add_array (out, headers->n);
  for (size_t i = 0; i < headers->n; i++) {
    const struct tally_doc *doc = &headers->docs[i];

    if (doc->meta.size > 0) {
      cbor_add_array (out, 4);
      wire_add_doc (out, &states, doc);
      continue;
    }
    cbor_add_array (out, 3);
    cbor_add_text (out, doc->id);
    cbor_add_bytes (out, slice_make (doc->rev, TALLY_REV_SIZE));
    cbor_add_uint (out, doc->flags);
  }
  wire_states_free (&states);
}

static void
add_get (struct buf *out, const struct wire_get *get)
{
  cbor_add_text (out, get->collection);
  cbor_add_uint (out, get->flags);
  cbor_add_array (out, get->n);
  for (size_t i = 0; i < get->n; i++)
    cbor_add_text (out, get->ids[i]);
}

static void
add_docs (struct buf *out, const struct wire_docs *docs)
{
  struct wire_states states = { .n_clients = 0 };

  cbor_add_uint (out, docs->answered);
  cbor_add_array (out, docs->n);
  for (size_t i = 0; i < docs->n; i++) {
    cbor_add_array (out, 5);
    wire_add_doc (out, &states, &docs->docs[i]);
    cbor_add_uint (out, docs->docs[i].seq);
  }
  wire_states_free (&states);
}

static void
add_put (struct buf *out, const struct wire_put *put)
{
  struct wire_states states = { .n_clients = 0 };

  cbor_add_text (out, put->collection);
  cbor_add_uint (out, put->flags);
  cbor_add_uint (out, put->cursor);
  cbor_add_array (out, put->n);
  for (size_t i = 0; i < put->n; i++) {
    cbor_add_array (out, 5);
    wire_add_doc (out, &states, &put->docs[i]);
    cbor_add_bytes (out, put->bases ? put->bases[i] : nothing);
  }
  wire_states_free (&states);
}

static void
add_stored (struct buf *out, const struct wire_stored *stored)
{
  cbor_add_uint (out, stored->cursor);
  cbor_add_uint (out, stored->n);
  cbor_add_array (out, stored->n_others);
  for (size_t i = 0; i < stored->n_others; i++) {
    cbor_add_array (out, 3);
    cbor_add_uint (out, stored->others[i].index);
    cbor_add_uint (out, (uint64_t) -stored->others[i].status);
    cbor_add_bytes (out, stored->others[i].rev);
  }
}

static void
add_names (struct buf *out, const struct wire_names *names)
{
  cbor_add_array (out, names->n);
  for (size_t i = 0; i < names->n; i++)
    cbor_add_uint (out, names->clients[i]);
}

static void
add_named (struct buf *out, const struct wire_named *named)
{
  cbor_add_array (out, named->n);
  for (size_t i = 0; i < named->n; i++)
    cbor_add_text (out, named->names[i]);
}

static void
add_wait (struct buf *out, const struct wire_wait *wait)
{
  cbor_add_uint (out, wait->flags);
  cbor_add_uint (out, wait->timeout_ms);
  cbor_add_uint (out, wait->floor);
  cbor_add_array (out, wait->n);
  for (size_t i = 0; i < wait->n; i++) {
    cbor_add_array (out, 2);
    cbor_add_text (out, wait->collections[i]);
    cbor_add_uint (out, wait->since[i]);
  }
}

void
wire_encode (struct buf *out, const struct wire_message *message)
{
  /* The length of each message's array, its type included. */
  static const unsigned char lengths[] = {
    [WIRE_FAILURE] = 3,  [WIRE_HELLO] = 8,    [WIRE_META] = 8,
    [WIRE_GET] = 4,      [WIRE_PUT] = 5,      [WIRE_ROTATE] = 3,
    [WIRE_WELCOME] = 8,  [WIRE_HEADERS] = 8,  [WIRE_DOCS] = 3,
    [WIRE_STORED] = 4,   [WIRE_ROTATED] = 1,  [WIRE_NAMES] = 2,
    [WIRE_NAMED] = 2,    [WIRE_WAIT] = 5,     [WIRE_WAITED] = 3,
    [WIRE_COMPARE] = 13, [WIRE_COMPARED] = 7, [WIRE_FETCH] = 7,
    [WIRE_FETCHED] = 4,
  };

  cbor_add_array (out, lengths[message->type]);
  cbor_add_uint (out, message->type);
  switch (message->type) {
  case WIRE_FAILURE:
    cbor_add_uint (out, (uint64_t) -message->as.failure.status);
    cbor_add_text (out, message->as.failure.text);
    break;
  case WIRE_HELLO:
    add_hello (out, &message->as.hello);
    break;
  case WIRE_META:
    add_meta (out, &message->as.meta);
    break;
  case WIRE_GET:
    add_get (out, &message->as.get);
    break;
  case WIRE_PUT:
    add_put (out, &message->as.put);
    break;
  case WIRE_ROTATE:
    cbor_add_bytes (out, message->as.rotate.expected);
    cbor_add_bytes (out, message->as.rotate.next);
    break;
  case WIRE_WELCOME:
    add_welcome (out, &message->as.welcome);
    break;
  case WIRE_HEADERS:
    add_headers (out, &message->as.headers);
    break;
  case WIRE_DOCS:
    add_docs (out, &message->as.docs);
    break;
  case WIRE_STORED:
    add_stored (out, &message->as.stored);
    break;
  case WIRE_ROTATED:
    break;
  case WIRE_NAMES:
    add_names (out, &message->as.names);
    break;
  case WIRE_NAMED:
    add_named (out, &message->as.named);
    break;
  case WIRE_WAIT:
    add_wait (out, &message->as.wait);
    break;
  case WIRE_WAITED:
    cbor_add_uint (out, message->as.waited.changed);
    cbor_add_uint (out, message->as.waited.head);
    break;
  case WIRE_COMPARE:
    wire_add_compare (out, &message->as.compare);
    break;
  case WIRE_COMPARED:
    wire_add_compared (out, &message->as.compared);
    break;
  case WIRE_FETCH:
    wire_add_fetch (out, &message->as.fetch);
    break;
  case WIRE_FETCHED:
    wire_add_fetched (out, &message->as.fetched);
    break;
  }
}
