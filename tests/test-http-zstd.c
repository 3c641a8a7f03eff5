/* SPDX-License-Identifier: MIT */
/* Bodies that are packed: both ways when asked for, and with whom knows
 * nothing of it; what is no zstd, and what would come out too large. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "raw-kit.h"

#define SIZE 100000
#define SOME 2000

static char text[SIZE];

static int
make_text (void **state)
{
  size_t at = 0;

  (void) state;
  for (unsigned i = 0; at + 32 < sizeof text; i++)
    at += (size_t) snprintf (text + at, 32, "{\"_id\":\"%u\"}", i * 7919);
  memset (text + at, ' ', sizeof text - at);
  return 0;
}

static void
ask (struct fixture *client, size_t size, struct answer *a)
{
  kit_ask (client, a, "/echo", text, size);
  assert_int_equal (a->status, TALLY_OK);
  assert_int_equal (a->size, size);
  assert_memory_equal (a->body, text, size);
  free (a->body);
}

#ifdef HAVE_ZSTD

static void
open_pair (struct fixture *server, struct fixture *client, int64_t max_reply)
{
  kit_prepare (server);
  kit_open_server (server);
  kit_prepare (client);
  kit_set_text (client, "compress", "zstd");
  kit_set_number (client, "max_reply", max_reply);
  kit_open_client (client, server->url);
}

/* The first request is not packed: what the server knows is not known yet. */
static void
test_both_ways (void **state)
{
  struct fixture server, client;
  struct answer a;

  (void) state;
  open_pair (&server, &client, SIZE);
  ask (&client, SIZE, &a);
  assert_true (a.traffic.sent > SIZE);
  assert_true (a.traffic.received < SIZE / 2);
  ask (&client, SIZE, &a);
  assert_true (a.traffic.sent < SIZE / 2);
  assert_true (a.traffic.received < SIZE / 2);
  ask (&client, 5, &a);
  ask (&client, 0, &a);
  kit_close_pair (&server, &client);
}

/* Nothing is said of it, so that it costs no byte. */
static void
test_only_when_asked (void **state)
{
  struct fixture server, client;
  uint64_t sent, received;
  struct answer a;

  (void) state;
  kit_open_pair (&server, &client);
  ask (&client, SIZE, &a);
  sent = a.traffic.sent;
  received = a.traffic.received;
  assert_true (sent > SIZE && sent < SIZE + 200);
  assert_true (received > SIZE && received < SIZE + 200);
  ask (&client, SIZE, &a);
  assert_int_equal (a.traffic.sent, sent);
  assert_int_equal (a.traffic.received, received);
  kit_close_pair (&server, &client);
}

static void
open_script (const struct script *script, struct fixture *client)
{
  char url[64];

  snprintf (url, sizeof url, "http://127.0.0.1:%u", script->port);
  kit_prepare (client);
  kit_set_number (client, "retries", 0);
  kit_set_text (client, "compress", "zstd");
  kit_open_client (client, url);
}

/* One that never heard of it, and one that has gone back to a version of
 * before: what it cannot read is sent again as it is. */
static void
test_a_server_without_it (void **state)
{
  static const char *const texts[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nAccept-Encoding: zstd\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nbad",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", NULL
  };
  struct script script;
  struct fixture client;
  struct answer a;

  (void) state;
  script_start (&script, texts);
  open_script (&script, &client);
  for (int i = 0; i < 3; i++) {
    kit_ask (&client, &a, "/echo", text, SOME);
    assert_int_equal (a.status, TALLY_OK);
    assert_int_equal (a.code, 200);
    assert_int_equal (a.size, 2);
    assert_true (a.traffic.sent > SOME);
    free (a.body);
  }
  assert_int_equal (atomic_load (&script.connections), 4);
  kit_close (&client);
  script_end (&script);
}

static void
test_a_reply_that_is_no_zstd (void **state)
{
  static const char *const texts[] = {
    "HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
    NULL
  };
  struct script script;
  struct fixture client;
  struct answer a;

  (void) state;
  script_start (&script, texts);
  open_script (&script, &client);
  for (int i = 0; i < 2; i++) {
    kit_ask (&client, &a, "/echo", "x", 1);
    assert_int_equal (a.status, TALLY_FAILED);
    assert_non_null (strstr (a.err.text, "cannot be unpacked"));
    assert_null (a.body);
  }
  kit_close (&client);
  script_end (&script);
}

static void
test_a_reply_that_is_too_large (void **state)
{
  struct fixture server, client;
  struct answer a;

  (void) state;
  open_pair (&server, &client, SIZE - 1);
  kit_ask (&client, &a, "/echo", text, SIZE);
  assert_int_equal (a.status, TALLY_FAILED);
  assert_non_null (strstr (a.err.text, "max_reply"));
  assert_null (a.body);
  kit_close_pair (&server, &client);
}

/* ---- requests ----------------------------------------------------------- */

static void
expect (unsigned port, const char *encoding, const char *body, size_t size,
        const char *start)
{
  char head[256], got[512];
  int fd = raw_connect (port);

  snprintf (head, sizeof head,
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: %s\r\n"
            "Content-Length: %zu\r\nConnection: close\r\n\r\n",
            encoding, size);
  assert_true (raw_send (fd, head, strlen (head)));
  assert_true (raw_send (fd, body, size));
  raw_read (fd, got, sizeof got);
  close (fd);
  if (strncmp (got, start, strlen (start)) != 0)
    fail_msg ("%s", got);
}

/* 64 MiB of one byte in some kilobytes: it ends at the limit. */
static void
test_a_bomb (void **state)
{
  size_t size = (size_t) 64 << 20, room = ZSTD_compressBound (size), n;
  char *zeros = calloc (1, size), *bomb = malloc (room);
  struct fixture server;

  (void) state;
  assert_non_null (zeros);
  assert_non_null (bomb);
  n = ZSTD_compress (bomb, room, zeros, size, 1);
  assert_false (ZSTD_isError (n));
  free (zeros);
  kit_prepare (&server);
  kit_set_number (&server, "max_request", 1 << 20);
  kit_open_server (&server);
  expect (server.port, "zstd", bomb, n, "HTTP/1.1 413 ");
  assert_int_equal (atomic_load (&server.requests), 0);
  kit_close_server (&server);
  free (bomb);
}

static void
test_requests_that_are_not_zstd (void **state)
{
  char packed[1000];
  struct fixture server;
  size_t n = ZSTD_compress (packed, sizeof packed, text, 1000, 1);

  (void) state;
  assert_false (ZSTD_isError (n));
  kit_prepare (&server);
  kit_open_server (&server);
  expect (server.port, "zstd", "no zstd", 7, "HTTP/1.1 400 ");
  expect (server.port, "zstd", packed, n - 1, "HTTP/1.1 400 ");
  expect (server.port, "zstd", "", 0, "HTTP/1.1 400 ");
  expect (server.port, "gzip", packed, n, "HTTP/1.1 415 ");
  packed[n] = 'x';
  expect (server.port, "zstd", packed, n + 1, "HTTP/1.1 400 ");
  assert_int_equal (atomic_load (&server.requests), 0);
  expect (server.port, "zstd", packed, n, "HTTP/1.1 200 ");
  kit_close_server (&server);
}

#endif

static void
test_another_name (void **state)
{
  struct fixture client;

  (void) state;
  kit_prepare (&client);
  kit_set_text (&client, "url", "http://127.0.0.1:1");
  kit_set_text (&client, "compress", "gzip");
  assert_int_equal (kit_open (&client), TALLY_INVALID);
  assert_non_null (strstr (client.err.text, "compress"));
#ifndef HAVE_ZSTD
  kit_set_text (&client, "compress", "zstd");
  assert_int_equal (kit_open (&client), TALLY_UNSUPPORTED);
#endif
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
#ifdef HAVE_ZSTD
    cmocka_unit_test (test_both_ways),
    cmocka_unit_test (test_only_when_asked),
    cmocka_unit_test (test_a_server_without_it),
    cmocka_unit_test (test_a_reply_that_is_no_zstd),
    cmocka_unit_test (test_a_reply_that_is_too_large),
    cmocka_unit_test (test_a_bomb),
    cmocka_unit_test (test_requests_that_are_not_zstd),
#endif
    cmocka_unit_test (test_another_name),
  };

  (void) ask;
  return cmocka_run_group_tests (tests, make_text, NULL);
}
