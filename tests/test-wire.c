/* SPDX-License-Identifier: MIT */
/* Messages: what is written is read again, and of anything else only what
 * would be written just so. */

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
#include "message-kit.h"

#define MUTATIONS 200000u

static const struct tally_slice none = { NULL, 0 };

/* ---- frames ------------------------------------------------------------- */

static const unsigned char sender[REPLICA_ID_SIZE] = "0123456789abcde";

static void
test_round_trip (void **state)
{
  struct rng rng = rng_start ("round trip");

  (void) state;
  any_message_start (&rng);
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
      assert_same_message (&messages[i], &again);
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
  any_message_start (&rng);
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
  any_message_start (&rng);
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
  struct tally_slice *ids = calloc (WIRE_HEADERS_MAX + 1, sizeof *ids);
  struct wire_message message = {
    WIRE_GET, .as.get = { slice_text ("c"), ids, WIRE_HEADERS_MAX, 0 }
  };
  struct buf frame = BUF_INIT;

  (void) state;
  assert_non_null (ids);
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
    assert_true (slice_equal (docs[i].meta, again.as.docs.docs[i].meta));
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
