/* SPDX-License-Identifier: MIT */
/* Messages in: one function for the fields of each.  What comes from elsewhere
 * may be anything. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "cbor.h"
#include "error.h"
#include "wire-compare.h"
#include "wire-doc.h"
#include "wire.h"

/* Makes room for an array's items; false, or none for an empty one.  An item
 * has at least `least` bytes, so a wild length is no wild allocation. */
static bool
make_array (void **out, size_t n, size_t size, struct tally_slice in,
            size_t least)
{
  *out = NULL;
  if (n > in.size / least)
    return false;
  *out = calloc (n + 1, size);
  return *out != NULL;
}

static bool
take_length (struct tally_slice *in, size_t expected)
{
  size_t n;

  return cbor_take_array (in, &n) && n == expected;
}

static bool
take_sized (struct tally_slice *in, struct tally_slice *out, size_t size)
{
  return cbor_take_bytes (in, out) && (out->size == 0 || out->size == size);
}

static bool
take_status (struct tally_slice *in, int *status)
{
  uint64_t value;

  if (!cbor_take_uint (in, &value) || value > (uint64_t) -TALLY_CANCELLED)
    return false;
  *status = -(int) value;
  return true;
}

static bool
take_bool (struct tally_slice *in, bool *out)
{
  uint64_t value;

  if (!cbor_take_uint (in, &value) || value > 1)
    return false;
  *out = value;
  return true;
}

static bool
take_client (struct tally_slice *in, uint32_t *client)
{
  uint64_t value;

  if (!cbor_take_uint (in, &value) || value > HLC_CLIENT_MAX)
    return false;
  *client = (uint32_t) value;
  return true;
}

static bool
take_hello (struct tally_slice *in, struct wire_hello *hello)
{
  return cbor_take_uint (in, &hello->flags)
         && cbor_take_uint (in, &hello->wall_ms)
         && take_client (in, &hello->client)
         && cbor_take_text (in, &hello->device)
         && take_sized (in, &hello->expects, REPLICA_ID_SIZE)
         && take_sized (in, &hello->current, WIRE_TOKEN_SIZE)
         && take_sized (in, &hello->pending, WIRE_TOKEN_SIZE);
}

static bool
take_welcome (struct tally_slice *in, struct wire_welcome *welcome)
{
  size_t n;

  if (!cbor_take_uint (in, &welcome->verdict)
      || !cbor_take_uint (in, &welcome->flags)
      || !cbor_take_uint (in, &welcome->wall_ms)
      || !take_client (in, &welcome->client)
      || !cbor_take_text (in, &welcome->device) || !cbor_take_array (in, &n)
      || !make_array ((void **) &welcome->collections, n,
                      sizeof *welcome->collections, *in, 1))
    return false;
  for (; welcome->n_collections < n; welcome->n_collections++)
    if (!cbor_take_text (in, &welcome->collections[welcome->n_collections]))
      return false;
  if (!cbor_take_array (in, &n)
      || !make_array ((void **) &welcome->clients, n, sizeof *welcome->clients,
                      *in, 1))
    return false;
  for (; welcome->n_clients < n; welcome->n_clients++)
    if (!take_client (in, &welcome->clients[welcome->n_clients]))
      return false;
  return true;
}

static bool
take_meta (struct tally_slice *in, struct wire_meta *meta)
{
  return cbor_take_text (in, &meta->collection)
         && cbor_take_uint (in, &meta->flags)
         && cbor_take_uint (in, &meta->since)
         && cbor_take_uint (in, &meta->until)
         && cbor_take_uint (in, &meta->limit)
         && cbor_take_uint (in, &meta->bytes)
         && cbor_take_text (in, &meta->after)
         && meta->after.size <= TALLY_ID_MAX;
}

static bool
take_header (struct tally_slice *in, struct wire_states *states,
             struct arena *metas, struct tally_doc *doc)
{
  struct tally_slice rev;
  size_t length;

  if (!cbor_take_array (in, &length))
    return false;
  if (length == 4)
    return wire_take_doc (in, states, metas, doc) && doc->meta.size > 0;
  if (length != 3 || !wire_take_id (in, &doc->id)
      || !cbor_take_bytes (in, &rev) || rev.size != TALLY_REV_SIZE
      || !wire_take_flags (in, &doc->flags))
    return false;
  memcpy (doc->rev, rev.data, TALLY_REV_SIZE);
  return true;
}

static bool
take_headers (struct tally_slice *in, struct wire_headers *headers,
              struct arena *metas)
{
  struct wire_states states = { .n_clients = 0 };
  size_t n;

  if (!cbor_take_uint (in, &headers->next) || !take_bool (in, &headers->more)
      || !take_bool (in, &headers->by_id)
      || !cbor_take_uint (in, &headers->floor)
      || !cbor_take_uint (in, &headers->gone)
      || !cbor_take_uint (in, &headers->live) || !cbor_take_array (in, &n)
      || n > WIRE_HEADERS_MAX
      || !make_array ((void **) &headers->docs, n, sizeof *headers->docs, *in,
                      6))
    return false;
  for (; headers->n < n; headers->n++)
    if (!take_header (in, &states, metas, &headers->docs[headers->n]))
      return false;
  return true;
}

static bool
take_get (struct tally_slice *in, struct wire_get *get)
{
  size_t n;

  if (!cbor_take_text (in, &get->collection)
      || !cbor_take_uint (in, &get->flags) || !cbor_take_array (in, &n)
      || n > WIRE_HEADERS_MAX
      || !make_array ((void **) &get->ids, n, sizeof *get->ids, *in, 2))
    return false;
  for (; get->n < n; get->n++)
    if (!wire_take_id (in, &get->ids[get->n]))
      return false;
  return true;
}

static bool
take_docs (struct tally_slice *in, struct wire_docs *docs, struct arena *metas)
{
  struct wire_states states = { .n_clients = 0 };
  size_t n;

  if (!cbor_take_uint (in, &docs->answered) || !cbor_take_array (in, &n)
      || n > WIRE_DOCS_MAX
      || !make_array ((void **) &docs->docs, n, sizeof *docs->docs, *in, 6))
    return false;
  for (; docs->n < n; docs->n++)
    if (!take_length (in, 5)
        || !wire_take_doc (in, &states, metas, &docs->docs[docs->n])
        || !cbor_take_uint (in, &docs->docs[docs->n].seq))
      return false;
  return true;
}

static bool
take_put (struct tally_slice *in, struct wire_put *put, struct arena *metas)
{
  struct wire_states states = { .n_clients = 0 };
  size_t n;

  if (!cbor_take_text (in, &put->collection)
      || !cbor_take_uint (in, &put->flags)
      || !cbor_take_uint (in, &put->cursor) || !cbor_take_array (in, &n)
      || n > WIRE_DOCS_MAX
      || !make_array ((void **) &put->docs, n, sizeof *put->docs, *in, 7)
      || !make_array ((void **) &put->bases, n, sizeof *put->bases, *in, 7))
    return false;
  for (; put->n < n; put->n++)
    if (!take_length (in, 5)
        || !wire_take_doc (in, &states, metas, &put->docs[put->n])
        || !take_sized (in, &put->bases[put->n], TALLY_REV_SIZE))
      return false;
  return true;
}

static bool
take_other (struct tally_slice *in, struct wire_other *other)
{
  return take_length (in, 3) && cbor_take_uint (in, &other->index)
         && take_status (in, &other->status)
         && take_sized (in, &other->rev, TALLY_REV_SIZE);
}

static bool
take_stored (struct tally_slice *in, struct wire_stored *stored)
{
  size_t n;

  if (!cbor_take_uint (in, &stored->cursor) || !cbor_take_uint (in, &stored->n)
      || stored->n > WIRE_DOCS_MAX || !cbor_take_array (in, &n)
      || n > stored->n
      || !make_array ((void **) &stored->others, n, sizeof *stored->others,
                      *in, 4))
    return false;
  for (; stored->n_others < n; stored->n_others++) {
    struct wire_other *other = &stored->others[stored->n_others];

    if (!take_other (in, other) || other->index >= stored->n
        || (stored->n_others > 0 && other->index <= other[-1].index))
      return false;
  }
  return true;
}

static bool
take_names (struct tally_slice *in, struct wire_names *names)
{
  size_t n;

  if (!cbor_take_array (in, &n) || n > WIRE_NAMES_MAX
      || !make_array ((void **) &names->clients, n, sizeof *names->clients,
                      *in, 1))
    return false;
  for (; names->n < n; names->n++)
    if (!take_client (in, &names->clients[names->n]))
      return false;
  return true;
}

static bool
take_named (struct tally_slice *in, struct wire_named *named)
{
  size_t n;

  if (!cbor_take_array (in, &n) || n > WIRE_NAMES_MAX
      || !make_array ((void **) &named->names, n, sizeof *named->names, *in,
                      1))
    return false;
  for (; named->n < n; named->n++)
    if (!cbor_take_text (in, &named->names[named->n]))
      return false;
  return true;
}

static bool
take_wait (struct tally_slice *in, struct wire_wait *wait)
{
  size_t n;

  if (!cbor_take_uint (in, &wait->flags)
      || !cbor_take_uint (in, &wait->timeout_ms)
      || !cbor_take_uint (in, &wait->floor) || !cbor_take_array (in, &n)
      || n > WIRE_WAIT_NAMES_MAX
      || !make_array ((void **) &wait->collections, n,
                      sizeof *wait->collections, *in, 3)
      || !make_array ((void **) &wait->since, n, sizeof *wait->since, *in, 3))
    return false;
  for (; wait->n < n; wait->n++)
    if (!take_length (in, 2)
        || !cbor_take_text (in, &wait->collections[wait->n])
        || !cbor_take_uint (in, &wait->since[wait->n]))
      return false;
  return true;
}

static bool
take_waited (struct tally_slice *in, struct wire_waited *waited)
{
  return take_bool (in, &waited->changed)
         && cbor_take_uint (in, &waited->head);
}

static bool
take_message (struct tally_slice *in, struct wire_message *message,
              uint64_t type, size_t length)
{
  switch (type) {
  case WIRE_FAILURE:
    return length == 3 && take_status (in, &message->as.failure.status)
           && message->as.failure.status != TALLY_OK
           && cbor_take_text (in, &message->as.failure.text);
  case WIRE_HELLO:
    return length == 8 && take_hello (in, &message->as.hello);
  case WIRE_META:
    return length == 8 && take_meta (in, &message->as.meta);
  case WIRE_GET:
    return length == 4 && take_get (in, &message->as.get);
  case WIRE_PUT:
    return length == 5 && take_put (in, &message->as.put, &message->metas);
  case WIRE_ROTATE:
    return length == 3
           && take_sized (in, &message->as.rotate.expected, WIRE_TOKEN_SIZE)
           && cbor_take_bytes (in, &message->as.rotate.next)
           && message->as.rotate.next.size == WIRE_TOKEN_SIZE;
  case WIRE_WELCOME:
    return length == 8 && take_welcome (in, &message->as.welcome);
  case WIRE_HEADERS:
    return length == 8
           && take_headers (in, &message->as.headers, &message->metas);
  case WIRE_DOCS:
    return length == 3 && take_docs (in, &message->as.docs, &message->metas);
  case WIRE_STORED:
    return length == 4 && take_stored (in, &message->as.stored);
  case WIRE_ROTATED:
    return length == 1;
  case WIRE_NAMES:
    return length == 2 && take_names (in, &message->as.names);
  case WIRE_NAMED:
    return length == 2 && take_named (in, &message->as.named);
  case WIRE_WAIT:
    return length == 5 && take_wait (in, &message->as.wait);
  case WIRE_WAITED:
    return length == 3 && take_waited (in, &message->as.waited);
  case WIRE_COMPARE:
    return length == 13 && wire_take_compare (in, &message->as.compare);
  case WIRE_COMPARED:
    return length == 7
           && wire_take_compared (in, &message->as.compared, &message->metas);
  case WIRE_FETCH:
    return length == 7
           && wire_take_fetch (in, &message->as.fetch, &message->metas);
  case WIRE_FETCHED:
    return length == 4
           && wire_take_fetched (in, &message->as.fetched, &message->metas);
  default:
    return false;
  }
}

int
wire_decode (struct wire_message *message, struct tally_slice *rest,
             struct tally_error *err)
{
  uint64_t type;
  size_t length;

  memset (message, 0, sizeof *message);
  if (rest->size == 0)
    return TALLY_NOTFOUND;
  if (cbor_take_array (rest, &length) && cbor_take_uint (rest, &type)
      && type <= WIRE_FETCHED) {
    message->type = (enum wire_type) type;
    if (take_message (rest, message, type, length))
      return TALLY_OK;
    wire_message_free (message);
  }
  memset (message, 0, sizeof *message);
  return error_set (err, TALLY_INVALID, "a message is damaged");
}

void
wire_message_free (struct wire_message *message)
{
  switch (message->type) {
  case WIRE_WELCOME:
    free (message->as.welcome.collections);
    free (message->as.welcome.clients);
    break;
  case WIRE_HEADERS:
    free (message->as.headers.docs);
    break;
  case WIRE_GET:
    free (message->as.get.ids);
    break;
  case WIRE_DOCS:
    free (message->as.docs.docs);
    break;
  case WIRE_PUT:
    free (message->as.put.docs);
    free (message->as.put.bases);
    break;
  case WIRE_STORED:
    free (message->as.stored.others);
    break;
  case WIRE_NAMES:
    free (message->as.names.clients);
    break;
  case WIRE_NAMED:
    free (message->as.named.names);
    break;
  case WIRE_WAIT:
    free (message->as.wait.collections);
    free (message->as.wait.since);
    break;
  case WIRE_COMPARED:
    free (message->as.compared.splits);
    break;
  case WIRE_FETCHED:
    free (message->as.fetched.docs);
    break;
  default:
    break;
  }
  arena_free (&message->metas);
  memset (message, 0, sizeof *message);
}
