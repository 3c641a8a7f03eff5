/* SPDX-License-Identifier: MIT */
/* What a reply is taken for that did not come from one of us: a web server
 * answers at any path, with any code. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../core/channel.h"
#include "../core/slice.h"
#include "../core/wire.h"

struct answer {
  unsigned code;
  const char *type, *body;
};

static int
answer_exchange (void *handle, const struct tally_request *request,
                 tally_emit_response *emit, void *ctx,
                 struct tally_traffic *traffic, struct tally_error *err)
{
  const struct answer *answer = handle;
  struct tally_response response = { .size = sizeof response };

  (void) request;
  (void) traffic;
  (void) err;
  response.code = answer->code;
  response.content_type = answer->type;
  response.body = slice_text (answer->body);
  emit (ctx, &response);
  return TALLY_OK;
}

static void
answer_close (void *handle)
{
  (void) handle;
}

static int
ask (struct answer *answer, struct tally_error *err)
{
  static const struct tally_transport ops = { TALLY_TRANSPORT_INIT,
                                              .exchange = answer_exchange,
                                              .close = answer_close };
  struct tally_traffic traffic = { 0 };
  struct buf body = BUF_INIT;
  struct channel *channel;
  int status;

  assert_int_equal (channel_adopt (&channel, &ops, answer, "hub", err),
                    TALLY_OK);
  status =
      channel_exchange (channel, slice_text ("frame"), &body, &traffic, err);
  channel_close (channel);
  buf_free (&body);
  return status;
}

static void
test_codes (void **state)
{
  static const struct {
    unsigned code;
    int status;
  } rows[] = {
    { 301, TALLY_UNSUPPORTED }, { 400, TALLY_UNSUPPORTED },
    { 401, TALLY_DENIED },      { 403, TALLY_DENIED },
    { 404, TALLY_UNSUPPORTED }, { 405, TALLY_UNSUPPORTED },
    { 408, TALLY_AGAIN },       { 413, TALLY_INVALID },
    { 415, TALLY_UNSUPPORTED }, { 429, TALLY_AGAIN },
    { 500, TALLY_FAILED },      { 501, TALLY_UNSUPPORTED },
    { 502, TALLY_AGAIN },       { 503, TALLY_AGAIN },
    { 504, TALLY_AGAIN },       { 520, TALLY_FAILED },
  };

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct answer answer = { rows[i].code, "text/html", "<html>\n" };
    struct tally_error err = { 0 };

    assert_int_equal (ask (&answer, &err), rows[i].status);
    if (rows[i].status == TALLY_UNSUPPORTED)
      assert_non_null (
          strstr (err.text, "hub: no tally server answers there (status "));
    else
      assert_non_null (strstr (err.text, ", <html>"));
  }
}

static void
test_a_page_is_no_frame (void **state)
{
  struct answer page = { 200, "text/html", "<html>\n" };
  struct answer frame = { 200, WIRE_CONTENT_TYPE, "frame" };
  struct tally_error err = { 0 };

  (void) state;
  assert_int_equal (ask (&page, &err), TALLY_UNSUPPORTED);
  assert_string_equal (err.text, "hub: no tally server answers there");
  assert_int_equal (ask (&frame, &err), TALLY_OK);
}

static void
test_what_is_too_large_has_a_way_out (void **state)
{
  struct answer proxy = { 413, "text/html", "<html>\n" };
  struct tally_error err = { 0 };

  (void) state;
  assert_int_equal (ask (&proxy, &err), TALLY_INVALID);
  assert_string_equal (err.text, "hub: the server answered 413, <html>; raise "
                                 "the limit there, max_request or a proxy's");
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_codes),
    cmocka_unit_test (test_a_page_is_no_frame),
    cmocka_unit_test (test_what_is_too_large_has_a_way_out),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
