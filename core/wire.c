/* SPDX-License-Identifier: MIT */
/* One pair of functions for each message: its fields out, its fields in. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cbor.h"
#include "error.h"
#include "wire-compare.h"
#include "wire-doc.h"
#include "wire.h"

static const struct tally_slice nothing = { NULL, 0 };

/* ---- out --------------------------------------------------------------- */

void
wire_start (struct buf *out, const unsigned char sender[REPLICA_ID_SIZE])
{
  cbor_add_uint (out, WIRE_VERSION);
  cbor_add_bytes (out, slice_make (sender, REPLICA_ID_SIZE));
}

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
}

static void
add_headers (struct buf *out, const struct wire_headers *headers)
{
  cbor_add_uint (out, headers->next);
  cbor_add_uint (out, headers->more);
  cbor_add_uint (out, headers->floor);
  cbor_add_uint (out, headers->gone);
  cbor_add_uint (out, headers->live);
  cbor_add_array (out, headers->n);
  for (size_t i = 0; i < headers->n; i++) {
    const struct tally_doc *doc = &headers->docs[i];

    if (doc->meta.size > 0) {
      cbor_add_array (out, 4);
      wire_add_doc (out, doc);
      continue;
    }
    cbor_add_array (out, 3);
    cbor_add_text (out, doc->id);
    cbor_add_bytes (out, slice_make (doc->rev, TALLY_REV_SIZE));
    cbor_add_uint (out, doc->flags);
  }
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
  cbor_add_uint (out, docs->answered);
  cbor_add_array (out, docs->n);
  for (size_t i = 0; i < docs->n; i++) {
    cbor_add_array (out, 5);
    wire_add_doc (out, &docs->docs[i]);
    cbor_add_uint (out, docs->docs[i].seq);
  }
}

static void
add_put (struct buf *out, const struct wire_put *put)
{
  cbor_add_text (out, put->collection);
  cbor_add_uint (out, put->flags);
  cbor_add_uint (out, put->cursor);
  cbor_add_array (out, put->n);
  for (size_t i = 0; i < put->n; i++) {
    cbor_add_array (out, 5);
    wire_add_doc (out, &put->docs[i]);
    cbor_add_bytes (out, put->bases ? put->bases[i] : nothing);
  }
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
    [WIRE_FAILURE] = 3,  [WIRE_HELLO] = 8,    [WIRE_META] = 7,
    [WIRE_GET] = 4,      [WIRE_PUT] = 5,      [WIRE_ROTATE] = 3,
    [WIRE_WELCOME] = 8,  [WIRE_HEADERS] = 7,  [WIRE_DOCS] = 3,
    [WIRE_STORED] = 4,   [WIRE_ROTATED] = 1,  [WIRE_NAMES] = 2,
    [WIRE_NAMED] = 2,    [WIRE_WAIT] = 5,     [WIRE_WAITED] = 3,
    [WIRE_COMPARE] = 12, [WIRE_COMPARED] = 7, [WIRE_FETCH] = 7,
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

/* ---- in ---------------------------------------------------------------- */

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
         && cbor_take_uint (in, &meta->bytes);
}

static bool
take_header (struct tally_slice *in, struct tally_doc *doc)
{
  struct tally_slice rev;
  size_t length;

  if (!cbor_take_array (in, &length))
    return false;
  if (length == 4)
    return wire_take_doc (in, doc) && doc->meta.size > 0;
  if (length != 3 || !wire_take_id (in, &doc->id)
      || !cbor_take_bytes (in, &rev) || rev.size != TALLY_REV_SIZE
      || !wire_take_flags (in, &doc->flags))
    return false;
  memcpy (doc->rev, rev.data, TALLY_REV_SIZE);
  return true;
}

static bool
take_headers (struct tally_slice *in, struct wire_headers *headers)
{
  uint64_t more;
  size_t n;

  if (!cbor_take_uint (in, &headers->next) || !cbor_take_uint (in, &more)
      || more > 1 || !cbor_take_uint (in, &headers->floor)
      || !cbor_take_uint (in, &headers->gone)
      || !cbor_take_uint (in, &headers->live) || !cbor_take_array (in, &n)
      || n > WIRE_HEADERS_MAX
      || !make_array ((void **) &headers->docs, n, sizeof *headers->docs, *in,
                      6))
    return false;
  headers->more = more;
  for (; headers->n < n; headers->n++)
    if (!take_header (in, &headers->docs[headers->n]))
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
take_docs (struct tally_slice *in, struct wire_docs *docs)
{
  size_t n;

  if (!cbor_take_uint (in, &docs->answered) || !cbor_take_array (in, &n)
      || n > WIRE_DOCS_MAX
      || !make_array ((void **) &docs->docs, n, sizeof *docs->docs, *in, 6))
    return false;
  for (; docs->n < n; docs->n++)
    if (!take_length (in, 5) || !wire_take_doc (in, &docs->docs[docs->n])
        || !cbor_take_uint (in, &docs->docs[docs->n].seq))
      return false;
  return true;
}

static bool
take_put (struct tally_slice *in, struct wire_put *put)
{
  size_t n;

  if (!cbor_take_text (in, &put->collection)
      || !cbor_take_uint (in, &put->flags)
      || !cbor_take_uint (in, &put->cursor) || !cbor_take_array (in, &n)
      || n > WIRE_DOCS_MAX
      || !make_array ((void **) &put->docs, n, sizeof *put->docs, *in, 7)
      || !make_array ((void **) &put->bases, n, sizeof *put->bases, *in, 7))
    return false;
  for (; put->n < n; put->n++)
    if (!take_length (in, 5) || !wire_take_doc (in, &put->docs[put->n])
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
  uint64_t changed;

  if (!cbor_take_uint (in, &changed) || changed > 1
      || !cbor_take_uint (in, &waited->head))
    return false;
  waited->changed = changed;
  return true;
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
    return length == 7 && take_meta (in, &message->as.meta);
  case WIRE_GET:
    return length == 4 && take_get (in, &message->as.get);
  case WIRE_PUT:
    return length == 5 && take_put (in, &message->as.put);
  case WIRE_ROTATE:
    return length == 3
           && take_sized (in, &message->as.rotate.expected, WIRE_TOKEN_SIZE)
           && cbor_take_bytes (in, &message->as.rotate.next)
           && message->as.rotate.next.size == WIRE_TOKEN_SIZE;
  case WIRE_WELCOME:
    return length == 8 && take_welcome (in, &message->as.welcome);
  case WIRE_HEADERS:
    return length == 7 && take_headers (in, &message->as.headers);
  case WIRE_DOCS:
    return length == 3 && take_docs (in, &message->as.docs);
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
    return length == 12 && wire_take_compare (in, &message->as.compare);
  case WIRE_COMPARED:
    return length == 7 && wire_take_compared (in, &message->as.compared);
  case WIRE_FETCH:
    return length == 7 && wire_take_fetch (in, &message->as.fetch);
  case WIRE_FETCHED:
    return length == 4 && wire_take_fetched (in, &message->as.fetched);
  default:
    return false;
  }
}

int
wire_open (struct tally_slice *rest, unsigned char sender[REPLICA_ID_SIZE],
           struct tally_slice frame, struct tally_error *err)
{
  struct tally_slice id;
  uint64_t version;

  *rest = frame;
  if (!cbor_take_uint (rest, &version))
    return error_set (err, TALLY_INVALID, "not a tally message");
  if (version != WIRE_VERSION)
    return error_set (err, TALLY_UNSUPPORTED,
                      "speaks version %llu of the "
                      "protocol, this side %d",
                      (unsigned long long) version, WIRE_VERSION);
  if (!cbor_take_bytes (rest, &id) || id.size != REPLICA_ID_SIZE)
    return error_set (err, TALLY_INVALID, "not a tally message");
  memcpy (sender, id.data, REPLICA_ID_SIZE);
  return TALLY_OK;
}

/* ---- the end ----------------------------------------------------------- */

static void
make_seal (unsigned char seal[WIRE_SEAL_SIZE], const char *data, size_t size)
{
  crypto_generichash (seal, WIRE_SEAL_SIZE, (const unsigned char *) data, size,
                      NULL, 0);
}

void
wire_seal (struct buf *out)
{
  unsigned char seal[WIRE_SEAL_SIZE];

  if (out->failed)
    return;
  make_seal (seal, out->data, out->size);
  cbor_add_bytes (out, slice_make (seal, sizeof seal));
}

int
wire_unseal (struct tally_slice *rest, struct tally_slice frame,
             struct tally_error *err)
{
  /* The head of a byte string that is shorter than 24 is one byte. */
  const size_t tail = 1 + WIRE_SEAL_SIZE;
  unsigned char seal[WIRE_SEAL_SIZE];
  struct tally_slice end, given;

  if (rest->size >= tail) {
    end = slice_make (rest->data + rest->size - tail, tail);
    make_seal (seal, frame.data, frame.size - tail);
    if (cbor_take_bytes (&end, &given) && given.size == sizeof seal
        && memcmp (given.data, seal, sizeof seal) == 0) {
      rest->size -= tail;
      return TALLY_OK;
    }
  }
  return error_set (err, TALLY_AGAIN, "a message was damaged on its way");
}

/* ---- messages ---------------------------------------------------------- */

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
  memset (message, 0, sizeof *message);
}
