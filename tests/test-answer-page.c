/* SPDX-License-Identifier: MIT */
/* Pages of whole documents from a store where they lie as they arrived: all
 * come, tombstones among them, whole and once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../core/answer.h"
#include "../core/wire.h"
#include "../core/write.h"
#include "sqlite-replica.h"

#define DOCUMENTS 100 /* more than are read to see how large they are */

/* body NULL: deletes. */
static void
put (struct replica *replica, const char *collection, unsigned number,
     const char *body)
{
  char id[16], text[64];
  struct write_item item = { .replace = true };
  struct write_result result;
  struct tally_error err;

  snprintf (id, sizeof id, "d%03u", number * 7 % DOCUMENTS);
  item.id = slice_text (id);
  snprintf (text, sizeof text, "{\"_id\":\"%s\",\"v\":\"%s\"}", id,
            body ? body : "");
  if (body)
    item.body = slice_text (text);
  assert_int_equal (write_batch (replica, collection, &item, 1, &result, &err),
                    TALLY_OK);
}

static void
fill (struct replica *replica)
{
  for (unsigned i = 0; i < DOCUMENTS; i++) {
    put (replica, "c", i, "first");
    if (i % 3 == 0)
      put (replica, "other", i, "beside");
  }
  for (unsigned i = 0; i < DOCUMENTS; i += 5)
    put (replica, "c", i, NULL);
  for (unsigned i = 1; i < DOCUMENTS; i += 4)
    put (replica, "c", i, i % 5 ? "second" : "anew");
}

/* Asks for the page behind *since and moves that on; whether there are more.
 */
static bool
ask_page (struct replica *replica, uint64_t *since, uint64_t bytes,
          uint64_t limit, unsigned seen[DOCUMENTS])
{
  static const unsigned char client[REPLICA_ID_SIZE] = "client";
  struct answer answer = { .replica = replica };
  struct wire_message ask = { .type = WIRE_META }, reply;
  struct buf frame = BUF_INIT, out = BUF_INIT;
  unsigned char sender[REPLICA_ID_SIZE];
  struct tally_slice rest;
  struct tally_error err;
  size_t whole = 0;
  bool more;

  ask.as.meta.collection = slice_text ("c");
  ask.as.meta.since = *since;
  ask.as.meta.bytes = bytes;
  ask.as.meta.limit = limit;
  wire_start (&frame, client);
  wire_encode (&frame, &ask);
  wire_seal (&frame);
  assert_int_equal (
      answer_frame (&answer, ACCOUNT_DEFAULT, buf_slice (&frame), &out, &err),
      TALLY_OK);
  assert_int_equal (wire_open (&rest, sender, buf_slice (&out), &err),
                    TALLY_OK);
  assert_int_equal (wire_unseal (&rest, buf_slice (&out), &err), TALLY_OK);
  assert_int_equal (wire_decode (&reply, &rest, &err), TALLY_OK);
  assert_int_equal (reply.type, WIRE_HEADERS);
  for (size_t i = 0; i < reply.as.headers.n; i++) {
    const struct tally_doc *doc = &reply.as.headers.docs[i];
    unsigned number;
    char id[8];

    assert_true (doc->id.size < sizeof id);
    snprintf (id, sizeof id, "%.*s", (int) doc->id.size,
              (const char *) doc->id.data);
    assert_int_equal (sscanf (id, "d%3u", &number), 1);
    assert_true (number < DOCUMENTS);
    seen[number]++;
    if (doc->meta.size > 0)
      assert_int_equal (doc->body.size > 0, !(doc->flags & TALLY_DOC_DELETED));
    whole += doc->meta.size > 0;
  }
  /* What does not fit is a header. */
  assert_true (whole > 0 || bytes < WIRE_BYTES_MAX);
  assert_true (whole == reply.as.headers.n || bytes < WIRE_BYTES_MAX);
  assert_true (!reply.as.headers.more || reply.as.headers.next > *since);
  *since = reply.as.headers.next;
  more = reply.as.headers.more;
  wire_message_free (&reply);
  buf_free (&out);
  buf_free (&frame);
  return more;
}

static void
test_all_come_whole (void **state)
{
  static const uint64_t bytes[] = { WIRE_BYTES_MAX, 2000, 100 };
  static const uint64_t limits[] = { WIRE_HEADERS_MAX, 30, 1 };
  char folder[] = "/tmp/tally-page-XXXXXX", path[64];
  struct replica *replica;

  (void) state;
  assert_non_null (mkdtemp (folder));
  snprintf (path, sizeof path, "%s/s", folder);
  replica = open_replica (path);
  fill (replica);
  for (size_t b = 0; b < 3; b++)
    for (size_t l = 0; l < 3; l++) {
      unsigned seen[DOCUMENTS] = { 0 };
      uint64_t since = 0;

      while (ask_page (replica, &since, bytes[b], limits[l], seen))
        ;
      for (unsigned i = 0; i < DOCUMENTS; i++)
        assert_int_equal (seen[i], 1);
    }
  replica_close (replica);
  assert_int_equal (unlink (path), 0);
  assert_int_equal (rmdir (folder), 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test (test_all_come_whole) };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
