/* SPDX-License-Identifier: MIT */
/* CBOR items and messages: what is written is read again, and of anything
 * else only what would be written just so. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/cbor.h"
#include "../core/error.h"
#include "../core/rows.h"
#include "../core/state.h"
#include "../core/wire.h"
#include "rng.h"

#define MUTATIONS 200000u

static const struct tally_slice none = { NULL, 0 };

/* ---- items -------------------------------------------------------------- */

enum kind { UINT, BYTES, TEXT, ARRAY };

static bool
take (enum kind kind, struct tally_slice *in, uint64_t *number,
      struct tally_slice *string)
{
  size_t n = 0;
  bool taken;

  switch (kind) {
  case UINT:
    return cbor_take_uint (in, number);
  case BYTES:
    return cbor_take_bytes (in, string);
  case TEXT:
    return cbor_take_text (in, string);
  default:
    taken = cbor_take_array (in, &n);
    *number = n;
    return taken;
  }
}

/* In an allocation of its own, so that a byte too far is seen. */
static bool
takes (enum kind kind, const void *bytes, size_t size)
{
  char *copy = malloc (size > 0 ? size : 1);
  struct tally_slice in = { copy, size }, string;
  uint64_t number;
  bool taken;

  assert_non_null (copy);
  if (size > 0)
    memcpy (copy, bytes, size);
  taken = take (kind, &in, &number, &string);
  if (taken)
    assert_true (in.data >= copy && in.data + in.size == copy + size);
  free (copy);
  return taken;
}

static void
test_numbers (void **state)
{
  static const struct {
    uint64_t value;
    size_t size;
  } rows[] = {
    { 0, 1 },          { 23, 1 },         { 24, 2 },
    { 255, 2 },        { 256, 3 },        { 65535, 3 },
    { 65536, 5 },      { UINT32_MAX, 5 }, { UINT64_C (1) << 32, 9 },
    { UINT64_MAX, 9 },
  };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf out = BUF_INIT;
    struct tally_slice in;
    uint64_t value;

    cbor_add_uint (&out, rows[i].value);
    assert_int_equal (out.size, rows[i].size);
    in = buf_slice (&out);
    assert_true (cbor_take_uint (&in, &value));
    assert_true (value == rows[i].value);
    assert_int_equal (in.size, 0);
    for (size_t cut = 0; cut < out.size; cut++)
      assert_false (takes (UINT, out.data, cut));
    buf_free (&out);
  }
}

static void
test_strings (void **state)
{
  static const size_t sizes[] = { 0, 1, 23, 24, 255, 256, 65535, 65536 };
  static char text[65536];

  (void) state;
  memset (text, 't', sizeof text);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int is_text = 0; is_text < 2; is_text++) {
      struct tally_slice string = slice_make (text, sizes[i]), in, got;
      struct buf out = BUF_INIT;

      if (is_text)
        cbor_add_text (&out, string);
      else
        cbor_add_bytes (&out, string);
      in = buf_slice (&out);
      assert_true (take (is_text ? TEXT : BYTES, &in, NULL, &got));
      assert_true (slice_equal (string, got));
      assert_int_equal (in.size, 0);
      assert_false (takes (is_text ? BYTES : TEXT, out.data, out.size));
      assert_false (takes (UINT, out.data, out.size));
      assert_false (takes (ARRAY, out.data, out.size));
      if (out.size > 1)
        assert_false (takes (is_text ? TEXT : BYTES, out.data, out.size - 1));
      buf_free (&out);
    }
}

static void
test_text_is_utf8 (void **state)
{
  (void) state;
  assert_true (takes (TEXT, "\x63\xe8\xae\xbe", 4));
  assert_false (takes (TEXT, "\x62\xe8\xae", 3));
  assert_false (takes (TEXT, "\x61\xff", 2));
  assert_false (takes (TEXT, "\x63\xed\xa0\x80", 4));
  assert_true (takes (BYTES, "\x41\xff", 2));
}

/* For every kind: heads longer than need be, without a length, reserved, or
 * with lengths up to 2^64 - 1. */
static void
test_bad_heads (void **state)
{
  static const struct {
    const char *head;
    size_t size;
  } rows[] = {
    { "\x18\x17", 2 },
    { "\x18\x00", 2 },
    { "\x19\x00\xff", 3 },
    { "\x19\x00\x00", 3 },
    { "\x1a\x00\x00\xff\xff", 5 },
    { "\x1b\x00\x00\x00\x00\xff\xff\xff\xff", 9 },
    { "\x1c", 1 },
    { "\x1d", 1 },
    { "\x1e", 1 },
    { "\x1f", 1 },
  };
  static const unsigned majors[] = { 0, 2, 3, 4 };
  char bytes[300] = { 0 };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (int kind = UINT; kind <= ARRAY; kind++) {
      /* As much as any of these lengths could want; and a break. */
      memset (bytes, 0, sizeof bytes);
      memcpy (bytes, rows[i].head, rows[i].size);
      bytes[0] = (char) ((unsigned char) bytes[0] | majors[kind] << 5);
      assert_false (takes ((enum kind) kind, bytes, sizeof bytes));
      bytes[rows[i].size] = (char) 0xff;
      assert_false (takes ((enum kind) kind, bytes, sizeof bytes));
    }
}

static void
test_huge_lengths (void **state)
{
  static const uint64_t lengths[] = {
    24,           256,          65536,        UINT32_MAX, UINT64_C (1) << 32,
    SIZE_MAX - 9, SIZE_MAX - 8, SIZE_MAX - 1, UINT64_MAX, UINT64_MAX / 2
  };
  static const unsigned majors[] = { 2, 3, 4 };

  (void) state;
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
    for (int kind = BYTES; kind <= ARRAY; kind++) {
      struct buf out = BUF_INIT;

      cbor_add_uint (&out, lengths[i]);
      out.data[0] =
          (char) ((unsigned char) out.data[0] | majors[kind - BYTES] << 5);
      assert_false (takes ((enum kind) kind, out.data, out.size));
      buf_add (&out, "0123456789abcdef", 16);
      assert_false (takes ((enum kind) kind, out.data, out.size));
      buf_free (&out);
    }
}

/* An array's items have a byte at least. */
static void
test_arrays (void **state)
{
  (void) state;
  assert_true (takes (ARRAY, "\x80", 1));
  assert_true (takes (ARRAY, "\x82\0\0", 3));
  assert_false (takes (ARRAY, "\x83\0\0", 3));
}

/* Whatever the first byte, only the four kinds are read. */
static void
test_other_kinds (void **state)
{
  (void) state;
  for (unsigned first = 0; first < 256; first++)
    for (int kind = UINT; kind <= ARRAY; kind++) {
      static const unsigned majors[] = { 0, 2, 3, 4 };
      char bytes[40] = { 0 };

      bytes[0] = (char) first;
      assert_int_equal (takes ((enum kind) kind, bytes, sizeof bytes),
                        first >> 5 == majors[kind] && (first & 0x1f) < 24);
    }
}

/* ---- random messages ---------------------------------------------------- */

static const enum wire_type types[] = {
  WIRE_FAILURE, WIRE_HELLO,    WIRE_META,    WIRE_GET,    WIRE_PUT,
  WIRE_ROTATE,  WIRE_WELCOME,  WIRE_HEADERS, WIRE_DOCS,   WIRE_STORED,
  WIRE_ROTATED, WIRE_NAMES,    WIRE_NAMED,   WIRE_WAIT,   WIRE_WAITED,
  WIRE_COMPARE, WIRE_COMPARED, WIRE_FETCH,   WIRE_FETCHED
};
#define N_TYPES (sizeof types / sizeof *types)

static char bytes_pool[70000];
static char text_pool[70000];

static void
fill_pools (struct rng *rng)
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

static void
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

/* ---- comparing ---------------------------------------------------------- */

static void
assert_slice (struct tally_slice a, struct tally_slice b)
{
  assert_true (slice_equal (a, b));
}

static void
assert_docs (const struct tally_doc *a, size_t n, const struct tally_doc *b,
             size_t n_b)
{
  assert_int_equal (n, n_b);
  for (size_t i = 0; i < n; i++) {
    assert_slice (a[i].id, b[i].id);
    assert_slice (a[i].meta, b[i].meta);
    assert_slice (a[i].body, b[i].body);
    assert_int_equal (a[i].flags, b[i].flags);
    assert_memory_equal (a[i].rev, b[i].rev, TALLY_REV_SIZE);
  }
}

static void
assert_slices (const struct tally_slice *a, size_t n,
               const struct tally_slice *b, size_t n_b)
{
  assert_int_equal (n, n_b);
  for (size_t i = 0; i < n; i++)
    assert_slice (a[i], b[i]);
}

static void
assert_requests (const struct wire_message *a, const struct wire_message *b)
{
  if (a->type == WIRE_HELLO) {
    assert_true (a->as.hello.flags == b->as.hello.flags);
    assert_true (a->as.hello.wall_ms == b->as.hello.wall_ms);
    assert_int_equal (a->as.hello.client, b->as.hello.client);
    assert_slice (a->as.hello.device, b->as.hello.device);
    assert_slice (a->as.hello.expects, b->as.hello.expects);
    assert_slice (a->as.hello.current, b->as.hello.current);
    assert_slice (a->as.hello.pending, b->as.hello.pending);
  } else if (a->type == WIRE_META) {
    assert_slice (a->as.meta.collection, b->as.meta.collection);
    assert_true (a->as.meta.flags == b->as.meta.flags);
    assert_true (a->as.meta.since == b->as.meta.since);
    assert_true (a->as.meta.until == b->as.meta.until);
    assert_true (a->as.meta.limit == b->as.meta.limit);
    assert_true (a->as.meta.bytes == b->as.meta.bytes);
    assert_slice (a->as.meta.after, b->as.meta.after);
  } else if (a->type == WIRE_GET) {
    assert_slice (a->as.get.collection, b->as.get.collection);
    assert_int_equal (a->as.get.flags, b->as.get.flags);
    assert_slices (a->as.get.ids, a->as.get.n, b->as.get.ids, b->as.get.n);
  } else if (a->type == WIRE_PUT) {
    assert_slice (a->as.put.collection, b->as.put.collection);
    assert_true (a->as.put.flags == b->as.put.flags);
    assert_true (a->as.put.cursor == b->as.put.cursor);
    assert_docs (a->as.put.docs, a->as.put.n, b->as.put.docs, b->as.put.n);
    assert_slices (a->as.put.bases, a->as.put.n, b->as.put.bases, b->as.put.n);
  } else if (a->type == WIRE_ROTATE) {
    assert_slice (a->as.rotate.expected, b->as.rotate.expected);
    assert_slice (a->as.rotate.next, b->as.rotate.next);
  } else if (a->type == WIRE_NAMES) {
    assert_int_equal (a->as.names.n, b->as.names.n);
    assert_memory_equal (a->as.names.clients, b->as.names.clients,
                         a->as.names.n * sizeof *a->as.names.clients);
  } else if (a->type == WIRE_WAIT) {
    const struct wire_wait *x = &a->as.wait, *y = &b->as.wait;

    assert_true (x->flags == y->flags && x->floor == y->floor);
    assert_true (x->timeout_ms == y->timeout_ms);
    assert_slices (x->collections, x->n, y->collections, y->n);
    assert_memory_equal (x->since, y->since, x->n * sizeof *x->since);
  }
}

static void
assert_replies (const struct wire_message *a, const struct wire_message *b)
{
  if (a->type == WIRE_WAITED) {
    assert_int_equal (a->as.waited.changed, b->as.waited.changed);
    assert_true (a->as.waited.head == b->as.waited.head);
  } else if (a->type == WIRE_FAILURE) {
    assert_int_equal (a->as.failure.status, b->as.failure.status);
    assert_slice (a->as.failure.text, b->as.failure.text);
  } else if (a->type == WIRE_WELCOME) {
    const struct wire_welcome *x = &a->as.welcome, *y = &b->as.welcome;

    assert_true (x->verdict == y->verdict && x->wall_ms == y->wall_ms);
    assert_true (x->flags == y->flags && x->client == y->client);
    assert_slice (x->device, y->device);
    assert_slices (x->collections, x->n_collections, y->collections,
                   y->n_collections);
    assert_int_equal (x->n_clients, y->n_clients);
    assert_memory_equal (x->clients, y->clients,
                         x->n_clients * sizeof *x->clients);
  } else if (a->type == WIRE_HEADERS) {
    assert_true (a->as.headers.next == b->as.headers.next);
    assert_int_equal (a->as.headers.more, b->as.headers.more);
    assert_int_equal (a->as.headers.by_id, b->as.headers.by_id);
    assert_true (a->as.headers.floor == b->as.headers.floor);
    assert_true (a->as.headers.gone == b->as.headers.gone);
    assert_true (a->as.headers.live == b->as.headers.live);
    assert_docs (a->as.headers.docs, a->as.headers.n, b->as.headers.docs,
                 b->as.headers.n);
  } else if (a->type == WIRE_DOCS) {
    assert_true (a->as.docs.answered == b->as.docs.answered);
    assert_docs (a->as.docs.docs, a->as.docs.n, b->as.docs.docs, b->as.docs.n);
  } else if (a->type == WIRE_STORED) {
    const struct wire_stored *x = &a->as.stored, *y = &b->as.stored;

    assert_true (x->cursor == y->cursor && x->n == y->n);
    assert_int_equal (x->n_others, y->n_others);
    for (size_t i = 0; i < x->n_others; i++) {
      assert_true (x->others[i].index == y->others[i].index);
      assert_int_equal (x->others[i].status, y->others[i].status);
      assert_slice (x->others[i].rev, y->others[i].rev);
    }
  } else if (a->type == WIRE_NAMED)
    assert_slices (a->as.named.names, a->as.named.n, b->as.named.names,
                   b->as.named.n);
}

/* Those of a comparison are what they are as bytes. */
static void
assert_same_bytes (const struct wire_message *a, const struct wire_message *b)
{
  struct buf one = BUF_INIT, other = BUF_INIT;

  wire_encode (&one, a);
  wire_encode (&other, b);
  assert_slice (buf_slice (&one), buf_slice (&other));
  buf_free (&one);
  buf_free (&other);
}

/* ---- frames ------------------------------------------------------------- */

static const unsigned char sender[REPLICA_ID_SIZE] = "0123456789abcde";

static void
test_round_trip (void **state)
{
  struct rng rng = rng_start ("round trip");

  (void) state;
  fill_pools (&rng);
  for (unsigned run = 0; run < 2000; run++) {
    struct wire_message messages[5], again;
    size_t n = rng_below (&rng, 6);
    unsigned char from[REPLICA_ID_SIZE];
    struct buf frame = BUF_INIT;
    struct tally_slice rest;
    struct tally_error err;

    wire_start (&frame, sender);
    for (size_t i = 0; i < n; i++) {
      any_message (&rng, &messages[i], 40);
      wire_encode (&frame, &messages[i]);
    }
    assert_false (frame.failed);
    assert_int_equal (wire_open (&rest, from, buf_slice (&frame), &err),
                      TALLY_OK);
    assert_memory_equal (from, sender, sizeof from);
    for (size_t i = 0; i < n; i++) {
      assert_int_equal (wire_decode (&again, &rest, &err), TALLY_OK);
      assert_int_equal (again.type, messages[i].type);
      assert_requests (&messages[i], &again);
      assert_replies (&messages[i], &again);
      if (again.type == WIRE_COMPARE || again.type == WIRE_COMPARED
          || again.type == WIRE_FETCH || again.type == WIRE_FETCHED)
        assert_same_bytes (&messages[i], &again);
      wire_message_free (&again);
      wire_message_free (&messages[i]);
    }
    assert_int_equal (wire_decode (&again, &rest, &err), TALLY_NOTFOUND);
    buf_free (&frame);
  }
}

/* Reads a frame; what is taken is written again and must be the same bytes.
 * Returns whether all of it was taken. */
static bool
accept (struct tally_slice frame)
{
  unsigned char from[REPLICA_ID_SIZE];
  struct tally_error err = { 0, "" };
  struct wire_message message;
  struct tally_slice rest;
  struct buf again = BUF_INIT;
  int status = wire_open (&rest, from, frame, &err);

  if (status != TALLY_OK) {
    assert_true (status == TALLY_INVALID || status == TALLY_UNSUPPORTED);
    assert_int_equal (err.status, status);
    return false;
  }
  wire_start (&again, from);
  for (;;) {
    status = wire_decode (&message, &rest, &err);
    if (status != TALLY_OK)
      break;
    wire_encode (&again, &message);
    wire_message_free (&message);
  }
  assert_true (status == TALLY_NOTFOUND || status == TALLY_INVALID);
  assert_true (again.size <= frame.size
               && memcmp (again.data, frame.data, again.size) == 0);
  if (status == TALLY_NOTFOUND)
    assert_int_equal (again.size, frame.size);
  buf_free (&again);
  return status == TALLY_NOTFOUND;
}

static void
small_frame (struct rng *rng, struct buf *frame, size_t *last)
{
  struct wire_message message;
  unsigned n = 1 + rng_below (rng, 2);

  buf_clear (frame);
  wire_start (frame, sender);
  while (n-- > 0) {
    *last = frame->size;
    do {
      frame->size = *last;
      any_message (rng, &message, 3);
      wire_encode (frame, &message);
      wire_message_free (&message);
    } while (frame->size > 2000);
  }
  assert_false (frame->failed);
}

/* A cut is seen, unless it is just between two messages. */
static void
test_truncated (void **state)
{
  struct rng rng = rng_start ("truncated");
  struct buf frame = BUF_INIT;

  (void) state;
  fill_pools (&rng);
  for (unsigned run = 0; run < 300; run++) {
    size_t last = 0;

    small_frame (&rng, &frame, &last);
    for (size_t size = 0; size <= frame.size; size++) {
      char *copy = malloc (size > 0 ? size : 1);

      assert_non_null (copy);
      memcpy (copy, frame.data, size);
      if (accept (slice_make (copy, size)))
        assert_true (size <= last || size == frame.size);
      else
        assert_int_not_equal (size, frame.size);
      free (copy);
    }
  }
  buf_free (&frame);
}

static void
damage (struct rng *rng, struct buf *frame)
{
  size_t at = rng_below (rng, (uint32_t) frame->size);

  switch (rng_below (rng, 5)) {
  case 0:
    frame->data[at] = (char) rng_next (rng);
    break;
  case 1:
    frame->data[at] ^= (char) (1u << rng_below (rng, 8));
    break;
  case 2: /* a head that is longer than need be, or a length of 2^64 - 1 */
    frame->data[at] = (char) ((unsigned char) frame->data[at] | 0x1b);
    break;
  case 3:
    memmove (frame->data + at, frame->data + at + 1, frame->size - at - 1);
    frame->size--;
    break;
  default:
    buf_add_byte (frame, frame->data[at]);
    memmove (frame->data + at + 1, frame->data + at, frame->size - at - 1);
    break;
  }
}

static void
test_mutated (void **state)
{
  struct rng rng = rng_start ("mutated");
  struct buf frame = BUF_INIT, copy = BUF_INIT;
  unsigned taken = 0;

  (void) state;
  fill_pools (&rng);
  for (unsigned i = 0; i < MUTATIONS; i++) {
    unsigned n = 1 + rng_below (&rng, 3);
    size_t last;

    if (i % 16 == 0)
      small_frame (&rng, &frame, &last);
    buf_clear (&copy);
    buf_add_slice (&copy, buf_slice (&frame));
    while (n-- > 0)
      damage (&rng, &copy);
    assert_false (copy.failed);
    taken += accept (buf_slice (&copy));
  }
  assert_int_not_equal (taken, 0);
  assert_int_not_equal (taken, MUTATIONS);
  buf_free (&frame);
  buf_free (&copy);
}

/* ---- rules of messages -------------------------------------------------- */

static void
assert_refused (const struct wire_message *message)
{
  struct buf frame = BUF_INIT;

  wire_start (&frame, sender);
  wire_encode (&frame, message);
  assert_false (frame.failed);
  assert_false (accept (buf_slice (&frame)));
  buf_free (&frame);
}

static void
test_versions (void **state)
{
  unsigned char from[REPLICA_ID_SIZE];
  struct buf frame = BUF_INIT;
  struct tally_slice rest;
  struct tally_error err;

  (void) state;
  cbor_add_uint (&frame, WIRE_VERSION + 1);
  assert_int_equal (wire_open (&rest, from, buf_slice (&frame), &err),
                    TALLY_UNSUPPORTED);
  assert_non_null (strstr (err.text, "version 2"));
  buf_clear (&frame);
  cbor_add_uint (&frame, WIRE_VERSION);
  cbor_add_bytes (&frame, slice_make (sender, REPLICA_ID_SIZE - 1));
  assert_int_equal (wire_open (&rest, from, buf_slice (&frame), &err),
                    TALLY_INVALID);
  assert_int_equal (wire_open (&rest, from, none, &err), TALLY_INVALID);
  assert_int_equal (wire_open (&rest, from, slice_text ("<html>"), &err),
                    TALLY_INVALID);
  buf_free (&frame);
}

static void
test_unknown_types (void **state)
{
  (void) state;
  for (unsigned type = 0; type < 300; type++) {
    struct buf frame = BUF_INIT;
    bool rotated = type == WIRE_ROTATED;

    wire_start (&frame, sender);
    cbor_add_array (&frame, 1);
    cbor_add_uint (&frame, type);
    assert_int_equal (accept (buf_slice (&frame)), rotated);
    buf_free (&frame);
  }
}

static void
test_bad_ids (void **state)
{
  static char longer[TALLY_ID_MAX + 1];
  struct tally_slice ids[] = { { "", 0 },          { "a\nb", 3 },
                               { "\x7f", 1 },      { "a\0b", 3 },
                               { "\xff", 1 },      { longer, sizeof longer },
                               { "a\xc2\x80", 3 }, { "\xc2\x9f", 2 } };

  (void) state;
  memset (longer, 'i', sizeof longer);
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    struct tally_doc doc = { .id = ids[i] };
    struct wire_message get = { WIRE_GET, .as.get = { slice_text ("c"),
                                                      &ids[i], 1, 0 } };
    struct wire_message headers = { WIRE_HEADERS,
                                    .as.headers = { .docs = &doc, .n = 1 } };
    struct wire_message docs = { WIRE_DOCS, .as.docs = { 1, &doc, 1 } };
    struct wire_message put = { WIRE_PUT, .as.put = { slice_text ("c"), 0, 0,
                                                      &doc, NULL, 1 } };

    assert_refused (&get);
    assert_refused (&headers);
    assert_refused (&docs);
    assert_refused (&put);
  }
}

static void
test_bad_members (void **state)
{
  struct tally_doc doc = { .id = { "x", 1 }, .flags = 2 };
  struct wire_other short_rev = { 0, TALLY_OK, { "0123456789", 10 } };
  struct wire_other bad_status = { 0, -10, { NULL, 0 } };
  struct wire_other beyond = { 1, TALLY_OK, { NULL, 0 } };
  struct wire_other falling[] = { { 1, TALLY_OK, { NULL, 0 } },
                                  { 0, TALLY_OK, { NULL, 0 } } };
  struct tally_slice token = { "0123456789abcde", 15 };
  uint32_t client = HLC_CLIENT_MAX + 1;
  struct tally_slice bad_text = { "\xff", 1 };
  uint64_t since = 1;
  struct wire_message messages[] = {
    { WIRE_DOCS, .as.docs = { 1, &doc, 1 } },
    { WIRE_HEADERS, .as.headers = { .docs = &doc, .n = 1 } },
    { WIRE_STORED, .as.stored = { 0, 1, &bad_status, 1 } },
    { WIRE_STORED, .as.stored = { 0, 1, &short_rev, 1 } },
    { WIRE_STORED, .as.stored = { 0, 1, &beyond, 1 } },
    { WIRE_STORED, .as.stored = { 0, 2, falling, 2 } },
    { WIRE_STORED, .as.stored = { 0, 1, falling, 2 } },
    { WIRE_STORED, .as.stored = { 0, WIRE_DOCS_MAX + 1, NULL, 0 } },
    { WIRE_FAILURE, .as.failure = { TALLY_OK, { "", 0 } } },
    { WIRE_FAILURE, .as.failure = { -10, { "", 0 } } },
    { WIRE_FAILURE, .as.failure = { -1, { "\xff", 1 } } },
    { WIRE_ROTATE, .as.rotate = { { NULL, 0 }, { NULL, 0 } } },
    { WIRE_ROTATE, .as.rotate = { token, token } },
    { WIRE_HELLO, .as.hello = { .expects = token } },
    { WIRE_HELLO, .as.hello = { .current = token } },
    { WIRE_HELLO, .as.hello = { .pending = token } },
    { WIRE_HELLO, .as.hello = { .client = client } },
    { WIRE_WELCOME, .as.welcome = { .client = client } },
    { WIRE_WELCOME, .as.welcome = { .clients = &client, .n_clients = 1 } },
    { WIRE_META, .as.meta = { .collection = { "\xff", 1 } } },
    { WIRE_WAIT, .as.wait = { 0, 0, 0, &bad_text, &since, 1 } },
  };

  (void) state;
  for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
    assert_refused (&messages[i]);
}

static size_t
size_of (const struct tally_doc *doc)
{
  struct wire_message docs = { WIRE_DOCS,
                               .as.docs = { 1, (struct tally_doc *) doc, 1 } };
  struct buf frame = BUF_INIT;
  size_t size;

  wire_start (&frame, sender);
  wire_encode (&frame, &docs);
  size = frame.size;
  assert_true (accept (buf_slice (&frame)));
  buf_free (&frame);
  return size;
}

/* An id that is the first member of its document is sent once; one that is
 * not, or is escaped there, is sent beside it. */
static void
test_id_in_body (void **state)
{
  static const struct {
    const char *id, *body;
    bool inside;
  } cases[] = {
    { "abcd", "{\"_id\":\"abcd\",\"x\":1}", true },
    { "abcd", "{\"_id\":\"abcd\"}", true },
    { "abcd", "{\"A\":1,\"_id\":\"abcd\"}", false },
    { "abcd", "{\"_id\":\"abc\",\"x\":1}", false },
    { "ab\"d", "{\"_id\":\"ab\\\"d\"}", false },
    { "abcd", "{\"_id\":\"abcd", false },
    { "abcd", "", false },
  };

  (void) state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct tally_doc doc = { .id = slice_text (cases[i].id),
                             .body = slice_text (cases[i].body) };
    struct tally_doc bare = { .id = slice_text ("x") };

    assert_int_equal (size_of (&doc) - doc.body.size
                          - (cases[i].inside ? 0 : doc.id.size),
                      size_of (&bare) - 1);
  }
}

/* What was left out must be there: the body is anybody's. */
static void
test_id_left_out (void **state)
{
  static const char *const bodies[] = { "",
                                        "{\"_id\":\"",
                                        "{\"_id\":\"\"}",
                                        "{\"_id\":\"a\\nb\"}",
                                        "{\"_id\":\"a\nb\"}",
                                        "{\"_id\":\"\xff\"}" };

  (void) state;
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    struct tally_doc doc = { .body = slice_text (bodies[i]) };
    struct wire_message docs = { WIRE_DOCS, .as.docs = { 1, &doc, 1 } };

    assert_refused (&docs);
  }
}

/* A message may claim many items only if it has them, and never more than
 * the limit. */
static void
test_too_many_items (void **state)
{
  struct tally_slice *ids = make_array (WIRE_HEADERS_MAX + 1, sizeof *ids);
  struct wire_message message = {
    WIRE_GET, .as.get = { slice_text ("c"), ids, WIRE_HEADERS_MAX, 0 }
  };
  struct buf frame = BUF_INIT;

  (void) state;
  for (size_t i = 0; i <= WIRE_HEADERS_MAX; i++)
    ids[i] = slice_text ("x");
  wire_start (&frame, sender);
  wire_encode (&frame, &message);
  assert_true (accept (buf_slice (&frame)));
  message.as.get.n++;
  assert_refused (&message);
  buf_free (&frame);
  free (ids);
}

/* Stamps that are near each other take a fraction of their twelve bytes. */
static void
test_metas_are_small (void **state)
{
  struct wire_message message = { .type = WIRE_PUT };
  struct rng rng = rng_start ("metas");
  struct tally_doc docs[100] = { 0 };
  struct buf frame = BUF_INIT, metas[100] = { BUF_INIT };

  (void) state;
  for (unsigned i = 0; i < 100; i++) {
    struct override override = { .field = slice_text ("field") };
    struct state one = { .overrides = &override, .n_overrides = 1 };

    stamp_make (&one.whole, 1700000000000 + rng_below (&rng, 5000),
                rng_below (&rng, 300), 0x2bcdef01);
    stamp_make (&override.stamp, 1800000000000, i, 0x3abcdef0);
    state_encode (&one, &metas[i]);
    docs[i].id = slice_text ("an id");
    docs[i].meta = buf_slice (&metas[i]);
    docs[i].body = slice_text ("{\"_id\":\"an id\"}");
  }
  message.as.put.docs = docs;
  message.as.put.n = 100;
  wire_start (&frame, sender);
  wire_encode (&frame, &message);
  assert_true (accept (buf_slice (&frame)));
  /* Beside a body and its head, and the number of the field. */
  assert_true (frame.size < 100 * (17 + 2 + 1 + 17));
  for (unsigned i = 0; i < 100; i++)
    buf_free (&metas[i]);
  buf_free (&frame);
}

/* What has another format, or goes on behind its end, crosses as it is. */
static void
test_other_metas (void **state)
{
  static const char *const texts[] = { "\1", "\2and more", "\1too short",
                                       "\1twelve bytes\0\0!" };
  static const size_t sizes[] = { 1, 9, 10, 16 };
  struct wire_message message = { .type = WIRE_DOCS }, again;
  struct tally_doc docs[4] = { 0 };
  struct buf frame = BUF_INIT;
  unsigned char from[REPLICA_ID_SIZE];
  struct tally_slice rest;
  struct tally_error err;

  (void) state;
  for (size_t i = 0; i < 4; i++) {
    docs[i].id = slice_text ("an id");
    docs[i].meta = slice_make (texts[i], sizes[i]);
  }
  message.as.docs.docs = docs;
  message.as.docs.n = 4;
  wire_start (&frame, sender);
  wire_encode (&frame, &message);
  assert_int_equal (wire_open (&rest, from, buf_slice (&frame), &err),
                    TALLY_OK);
  assert_int_equal (wire_decode (&again, &rest, &err), TALLY_OK);
  for (size_t i = 0; i < 4; i++)
    assert_slice (docs[i].meta, again.as.docs.docs[i].meta);
  wire_message_free (&again);
  buf_free (&frame);
}

static int
unseal (const struct buf *frame, struct tally_slice *rest)
{
  unsigned char from[REPLICA_ID_SIZE];
  struct tally_error err;

  assert_int_equal (wire_open (rest, from, buf_slice (frame), &err), TALLY_OK);
  return wire_unseal (rest, buf_slice (frame), &err);
}

static void
swap (char *a, char *b, size_t size)
{
  for (size_t i = 0; i < size; i++) {
    char byte = a[i];

    a[i] = b[i];
    b[i] = byte;
  }
}

/* Whatever is between the sender's id and the end. */
static void
test_seal (void **state)
{
  struct buf frame = BUF_INIT;
  struct tally_slice rest;
  size_t start, end;

  (void) state;
  wire_start (&frame, sender);
  start = frame.size;
  for (unsigned i = 0; i < 200; i++)
    buf_add_byte (&frame, (unsigned char) (i * i));
  end = frame.size;
  wire_seal (&frame);
  assert_int_equal (unseal (&frame, &rest), TALLY_OK);
  assert_int_equal (rest.size, end - start);
  for (size_t i = start; i < frame.size; i++)
    for (unsigned bit = 0; bit < 8; bit++) {
      frame.data[i] ^= (char) (1u << bit);
      assert_int_equal (unseal (&frame, &rest), TALLY_AGAIN);
      frame.data[i] ^= (char) (1u << bit);
    }
  for (size_t size = 1; size <= 64; size *= 2) {
    swap (frame.data + start, frame.data + start + size, size);
    assert_int_equal (unseal (&frame, &rest), TALLY_AGAIN);
    swap (frame.data + start, frame.data + start + size, size);
  }
  for (size_t size = start; size < end + 17; size++) {
    struct buf cut = BUF_INIT;

    buf_add (&cut, frame.data, size);
    assert_int_equal (unseal (&cut, &rest), TALLY_AGAIN);
    buf_free (&cut);
  }
  assert_int_equal (unseal (&frame, &rest), TALLY_OK);
  buf_free (&frame);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_numbers),
    cmocka_unit_test (test_strings),
    cmocka_unit_test (test_text_is_utf8),
    cmocka_unit_test (test_bad_heads),
    cmocka_unit_test (test_huge_lengths),
    cmocka_unit_test (test_arrays),
    cmocka_unit_test (test_other_kinds),
    cmocka_unit_test (test_round_trip),
    cmocka_unit_test (test_truncated),
    cmocka_unit_test (test_mutated),
    cmocka_unit_test (test_versions),
    cmocka_unit_test (test_unknown_types),
    cmocka_unit_test (test_bad_ids),
    cmocka_unit_test (test_bad_members),
    cmocka_unit_test (test_id_in_body),
    cmocka_unit_test (test_id_left_out),
    cmocka_unit_test (test_too_many_items),
    cmocka_unit_test (test_metas_are_small),
    cmocka_unit_test (test_other_metas),
    cmocka_unit_test (test_seal),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
