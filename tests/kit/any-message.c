/* SPDX-License-Identifier: MIT */
/* Random messages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/rows.h"
#include "../../core/state.h"
#include "message-kit.h"

static const struct tally_slice none = { NULL, 0 };

static const enum wire_type types[] = {
  WIRE_FAILURE, WIRE_HELLO,    WIRE_META,    WIRE_GET,    WIRE_PUT,
  WIRE_ROTATE,  WIRE_WELCOME,  WIRE_HEADERS, WIRE_DOCS,   WIRE_STORED,
  WIRE_ROTATED, WIRE_NAMES,    WIRE_NAMED,   WIRE_WAIT,   WIRE_WAITED,
  WIRE_COMPARE, WIRE_COMPARED, WIRE_FETCH,   WIRE_FETCHED
};
#define N_TYPES (sizeof types / sizeof *types)

static char bytes_pool[70000];
static char text_pool[70000];

void
any_message_start (struct rng *rng)
{
  for (size_t i = 0; i < sizeof bytes_pool; i++) {
    bytes_pool[i] = (char) rng_next (rng);
    text_pool[i] = (char) (' ' + rng_below (rng, 95));
  }
}

static uint64_t
any_number (struct rng *rng)
{
  return rng_next (rng) >> rng_below (rng, 64);
}

static size_t
any_size (struct rng *rng, size_t most)
{
  size_t size =
      rng_one_in (rng, 40) ? rng_below (rng, 70000) : rng_below (rng, 30);

  return size < most ? size : most;
}

static struct tally_slice
any_bytes (struct rng *rng)
{
  size_t size = any_size (rng, 70000);

  return slice_make (
      bytes_pool + rng_below (rng, (uint32_t) (70000 - size) + 1), size);
}

static struct tally_slice
any_text (struct rng *rng, size_t least, size_t most)
{
  size_t size = least + any_size (rng, most - least);

  return slice_make (
      text_pool + rng_below (rng, (uint32_t) (70000 - size) + 1), size);
}

/* Of this size, or none. */
static struct tally_slice
any_token (struct rng *rng, size_t size)
{
  return rng_one_in (rng, 3)
             ? none
             : slice_make (bytes_pool + rng_below (rng, 60000), size);
}

static void *
make_array (size_t n, size_t size)
{
  void *array = calloc (n + 1, size);

  assert_non_null (array);
  return array;
}

/* As most bodies have it. */
static void
put_id_first (struct tally_doc *doc)
{
  static char bodies[1024][64];
  static unsigned next;
  char *body = bodies[next++ % 1024];

  doc->id = slice_text ("an id");
  snprintf (body, 64, "{\"_id\":\"an id\",\"n\":%u}", next);
  doc->body = slice_text (body);
}

/* As most are: of few clients, and at nearly the same time. */
static struct tally_slice
any_meta (struct rng *rng)
{
  static struct buf metas[1024];
  static unsigned next;
  struct buf *meta = &metas[next++ % 1024];
  struct state state = { .deleted = false };
  struct override overrides[3] = { 0 };
  struct stamp seen[2];
  uint64_t ms = 1700000000000 + rng_below (rng, 4);

  stamp_make (&state.whole, ms, rng_below (rng, 300), rng_below (rng, 3));
  state.overrides = overrides;
  for (size_t i = rng_below (rng, 4); i > 0; i--) {
    struct override *override = &overrides[state.n_overrides++];

    override->field =
        rng_below (rng, 2) ? any_text (rng, 0, 200) : slice_text ("often");
    stamp_make (&override->stamp, ms + rng_below (rng, 9), rng_below (rng, 3),
                rng_below (rng, 300));
  }
  state.seen = seen;
  for (; state.n_seen < rng_below (rng, 3); state.n_seen++)
    stamp_make (&seen[state.n_seen], any_number (rng) & HLC_MS_MAX, 0,
                rng_below (rng, 3));
  buf_clear (meta);
  state_encode (&state, meta);
  return buf_slice (meta);
}

static struct tally_doc *
any_docs (struct rng *rng, size_t n, bool headers)
{
  struct tally_doc *docs = make_array (n, sizeof *docs);

  for (size_t i = 0; i < n; i++) {
    docs[i].id = any_text (rng, 1, TALLY_ID_MAX);
    docs[i].flags = rng_below (rng, 2);
    if (headers && rng_below (rng, 2)) {
      memcpy (docs[i].rev, bytes_pool + rng_below (rng, 60000),
              TALLY_REV_SIZE);
      continue;
    }
    docs[i].meta = rng_below (rng, 4) ? any_meta (rng) : any_bytes (rng);
    docs[i].body = any_bytes (rng);
    if (headers && docs[i].meta.size == 0)
      docs[i].meta = slice_text ("m");
    if (rng_below (rng, 2))
      put_id_first (&docs[i]);
  }
  return docs;
}

static void
fill_welcome (struct rng *rng, struct wire_welcome *welcome, size_t n)
{
  welcome->verdict = any_number (rng);
  welcome->flags = any_number (rng);
  welcome->client = (uint32_t) rng_next (rng) & HLC_CLIENT_MAX;
  welcome->wall_ms = any_number (rng);
  welcome->device = any_text (rng, 0, 100);
  welcome->n_collections = n;
  welcome->collections = make_array (n, sizeof *welcome->collections);
  welcome->n_clients = n / 2;
  welcome->clients = make_array (n / 2, sizeof *welcome->clients);
  for (size_t i = 0; i < n; i++)
    welcome->collections[i] = any_text (rng, 0, 100);
  for (size_t i = 0; i < n / 2; i++)
    welcome->clients[i] = (uint32_t) rng_next (rng) & HLC_CLIENT_MAX;
}

static void
fill_put (struct rng *rng, struct wire_put *put, size_t n)
{
  put->collection = any_text (rng, 0, 100);
  put->flags = any_number (rng);
  put->cursor = any_number (rng);
  put->n = n;
  put->docs = any_docs (rng, n, false);
  put->bases = make_array (n, sizeof *put->bases);
  for (size_t i = 0; i < n; i++)
    put->bases[i] = any_token (rng, TALLY_REV_SIZE);
}

static void
fill_stored (struct rng *rng, struct wire_stored *stored, size_t n)
{
  stored->cursor = any_number (rng);
  stored->n = 3 * n;
  stored->n_others = n;
  stored->others = make_array (n, sizeof *stored->others);
  for (size_t i = 0; i < n; i++) {
    stored->others[i].index = 3 * i + rng_below (rng, 3);
    stored->others[i].status = -(int) rng_below (rng, 10);
    stored->others[i].rev = any_token (rng, TALLY_REV_SIZE);
  }
}

static void
fill_hello (struct rng *rng, struct wire_hello *hello)
{
  hello->flags = any_number (rng);
  hello->client = (uint32_t) rng_next (rng) & HLC_CLIENT_MAX;
  hello->wall_ms = any_number (rng);
  hello->device = any_text (rng, 0, 100);
  hello->expects = any_token (rng, REPLICA_ID_SIZE);
  hello->current = any_token (rng, WIRE_TOKEN_SIZE);
  hello->pending = any_token (rng, WIRE_TOKEN_SIZE);
}

static void
fill_get (struct rng *rng, struct wire_get *get, size_t n)
{
  get->collection = any_text (rng, 0, 100);
  get->flags = any_number (rng);
  get->n = n;
  get->ids = make_array (n, sizeof *get->ids);
  for (size_t i = 0; i < n; i++)
    get->ids[i] = any_text (rng, 1, TALLY_ID_MAX);
}

static void
fill_names (struct rng *rng, struct wire_message *out, size_t n)
{
  n = n < WIRE_NAMES_MAX ? n : WIRE_NAMES_MAX;
  if (out->type == WIRE_NAMES) {
    out->as.names.n = n;
    out->as.names.clients = make_array (n, sizeof *out->as.names.clients);
    for (size_t i = 0; i < n; i++)
      out->as.names.clients[i] = (uint32_t) rng_next (rng) & HLC_CLIENT_MAX;
    return;
  }
  out->as.named.n = n;
  out->as.named.names = make_array (n, sizeof *out->as.named.names);
  for (size_t i = 0; i < n; i++)
    out->as.named.names[i] = any_text (rng, 0, 100);
}

static void
fill_wait (struct rng *rng, struct wire_wait *wait, size_t n)
{
  wait->flags = any_number (rng);
  wait->timeout_ms = any_number (rng);
  wait->floor = any_number (rng);
  wait->n = n;
  wait->collections = make_array (n, sizeof *wait->collections);
  wait->since = make_array (n, sizeof *wait->since);
  for (size_t i = 0; i < n; i++) {
    wait->collections[i] = any_text (rng, 0, 100);
    wait->since[i] = any_number (rng);
  }
}

/* A stamp with an id, or none. */
static struct tally_slice
any_end (struct rng *rng)
{
  return any_token (rng, TALLY_STAMP_SIZE + rng_below (rng, 30));
}

static void
fill_compare (struct rng *rng, struct wire_compare *compare)
{
  compare->collection = any_text (rng, 0, 100);
  compare->flags = any_number (rng);
  compare->nonce = slice_make (bytes_pool, SKETCH_NONCE_SIZE);
  compare->from = any_end (rng);
  compare->to = any_end (rng);
  compare->count = any_number (rng);
  compare->root = slice_make (bytes_pool, ROWS_ROOT_SIZE);
  compare->counters = slice_make (bytes_pool, SKETCH_PACKED_SIZE);
  compare->first = rng_below (rng, SKETCH_CELLS_MAX);
  compare->cells =
      rng_below (rng, (uint32_t) (SKETCH_CELLS_MAX - compare->first) + 1);
  compare->seq = any_number (rng);
  compare->token = any_token (rng, WIRE_TOKEN_SIZE);
}

static void
fill_compared (struct rng *rng, struct wire_compared *compared, size_t n)
{
  compared->kind = rng_below (rng, WIRE_NEWEST + 1);
  compared->seq = any_number (rng);
  compared->floor = any_number (rng);
  compared->count = any_number (rng);
  compared->data = compared->kind == WIRE_LIST
                       ? any_token (rng, n * SKETCH_ITEM_SIZE)
                       : any_bytes (rng);
  compared->splits = make_array (n, sizeof *compared->splits);
  compared->n_splits = n;
  for (size_t i = 0; i < n; i++)
    compared->splits[i] =
        slice_make (bytes_pool + i, TALLY_STAMP_SIZE + rng_below (rng, 30));
}

static void
fill_fetch (struct rng *rng, struct wire_fetch *fetch, size_t n)
{
  fetch->collection = any_text (rng, 0, 100);
  fetch->flags = rng_below (rng, 4);
  fetch->nonce = slice_make (bytes_pool, SKETCH_NONCE_SIZE);
  fetch->from = any_end (rng);
  fetch->to = any_end (rng);
  fetch->places = slice_make (
      bytes_pool, fetch->flags & WIRE_FETCH_RANGE ? 0 : n * ROWS_PLACE_SIZE);
}

static void
fill_fetched (struct rng *rng, struct wire_fetched *fetched, size_t n)
{
  fetched->answered = any_number (rng);
  fetched->next = any_end (rng);
  fetched->n = n;
  fetched->docs = any_docs (rng, n, rng_one_in (rng, 2));
}

void
any_message (struct rng *rng, struct wire_message *out, size_t most)
{
  size_t n = rng_below (rng, (uint32_t) most + 1);

  memset (out, 0, sizeof *out);
  out->type = types[rng_below (rng, N_TYPES)];
  if (out->type == WIRE_FAILURE) {
    out->as.failure.status = -1 - (int) rng_below (rng, 9);
    out->as.failure.text = any_text (rng, 0, 300);
  } else if (out->type == WIRE_HELLO)
    fill_hello (rng, &out->as.hello);
  else if (out->type == WIRE_META) {
    out->as.meta.collection = any_text (rng, 0, 100);
    out->as.meta.flags = any_number (rng);
    out->as.meta.since = any_number (rng);
    out->as.meta.until = any_number (rng);
    out->as.meta.limit = any_number (rng);
    out->as.meta.bytes = any_number (rng);
    out->as.meta.after = any_text (rng, 0, 100);
  } else if (out->type == WIRE_GET)
    fill_get (rng, &out->as.get, n);
  else if (out->type == WIRE_PUT)
    fill_put (rng, &out->as.put, n);
  else if (out->type == WIRE_ROTATE) {
    out->as.rotate.expected = any_token (rng, WIRE_TOKEN_SIZE);
    out->as.rotate.next = slice_make (bytes_pool, WIRE_TOKEN_SIZE);
  } else if (out->type == WIRE_WELCOME)
    fill_welcome (rng, &out->as.welcome, n);
  else if (out->type == WIRE_HEADERS) {
    out->as.headers.next = any_number (rng);
    out->as.headers.more = rng_below (rng, 2);
    out->as.headers.by_id = rng_below (rng, 2);
    out->as.headers.n = n;
    out->as.headers.docs = any_docs (rng, n, true);
  } else if (out->type == WIRE_DOCS) {
    out->as.docs.answered = any_number (rng);
    out->as.docs.n = n;
    out->as.docs.docs = any_docs (rng, n, false);
  } else if (out->type == WIRE_STORED)
    fill_stored (rng, &out->as.stored, n);
  else if (out->type == WIRE_NAMES || out->type == WIRE_NAMED)
    fill_names (rng, out, n);
  else if (out->type == WIRE_WAIT)
    fill_wait (rng, &out->as.wait, n);
  else if (out->type == WIRE_WAITED) {
    out->as.waited.changed = rng_below (rng, 2);
    out->as.waited.head = any_number (rng);
  } else if (out->type == WIRE_COMPARE)
    fill_compare (rng, &out->as.compare);
  else if (out->type == WIRE_COMPARED)
    fill_compared (rng, &out->as.compared, n);
  else if (out->type == WIRE_FETCH)
    fill_fetch (rng, &out->as.fetch, n);
  else if (out->type == WIRE_FETCHED)
    fill_fetched (rng, &out->as.fetched, n);
}
