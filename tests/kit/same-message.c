/* SPDX-License-Identifier: MIT */
/* Whether two messages are the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "message-kit.h"

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

void
assert_same_message (const struct wire_message *a,
                     const struct wire_message *b)
{
  assert_int_equal (a->type, b->type);
  assert_requests (a, b);
  assert_replies (a, b);
  if (a->type == WIRE_COMPARE || a->type == WIRE_COMPARED
      || a->type == WIRE_FETCH || a->type == WIRE_FETCHED)
    assert_same_bytes (a, b);
}
