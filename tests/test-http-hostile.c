/* SPDX-License-Identifier: MIT */
/* The http driver's server against clients that are malformed, too large, too
 * slow or gone: none of them may reach the service or hold up the others. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw-kit.h"

#define HEAD "POST /echo HTTP/1.1\r\nHost: h\r\n"

static void
test_bad_heads (void **state)
{
  static const char *const heads[] = {
    HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    HEAD "Content-Length : 5\r\n\r\nhello",
    HEAD "Host: other\r\nContent-Length: 0\r\n\r\n",
    HEAD "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
  };
  struct fixture server;
  size_t i;

  (void) state;
  kit_prepare (&server);
  kit_open_server (&server);
  for (i = 0; i < sizeof heads / sizeof heads[0]; i++)
    raw_expect (server.port, heads[i], "HTTP/1.1 400 ");
  assert_int_equal (atomic_load (&server.requests), 0);
  kit_close_server (&server);
}

/* Some of these libmicrohttpd answers and some it only closes; none may
 * reach the service. */
static void
test_garbage (void **state)
{
  static const char *const heads[] = {
    HEAD "Content-Length: -5\r\n\r\nhello",
    HEAD "Content-Length: +5\r\n\r\nhello",
    HEAD "Content-Length: 5x\r\n\r\nhello",
    HEAD "Content-Length: 99999999999999999999999\r\n\r\nhello",
    HEAD "Content-Length: \r\n\r\n",
    HEAD "Transfer-Encoding: gzip\r\n\r\nhello",
    HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\nx",
    HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "POST /echo HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not for us\r\n\r\n",
    "GET\r\n\r\n",
  };
  struct fixture server;
  char reply[4096];
  size_t i;
  int fd;

  (void) state;
  kit_prepare (&server);
  kit_open_server (&server);
  for (i = 0; i < sizeof heads / sizeof heads[0]; i++) {
    fd = raw_connect (server.port);
    raw_send (fd, heads[i], strlen (heads[i]));
    shutdown (fd, SHUT_WR);
    raw_read (fd, reply, sizeof reply);
    close (fd);
    if (strstr (reply, " 200 ") || strstr (reply, "hello"))
      fail_msg ("\"%s\" was answered", heads[i]);
  }
  assert_int_equal (atomic_load (&server.requests), 0);
  kit_close_server (&server);
}

static void
test_huge_head (void **state)
{
  size_t n = 200000;
  char *text = malloc (n + 1);
  struct fixture server;
  char reply[4096];
  int fd;

  (void) state;
  assert_non_null (text);
  memset (text, 'x', n);
  memcpy (text, HEAD "X-Long: ", strlen (HEAD "X-Long: "));
  text[n] = '\0';
  kit_prepare (&server);
  kit_open_server (&server);
  fd = raw_connect (server.port);
  raw_send (fd, text, n);
  raw_read (fd, reply, sizeof reply);
  close (fd);
  assert_null (strstr (reply, " 200 "));
  assert_int_equal (atomic_load (&server.requests), 0);
  kit_close_server (&server);
  free (text);
}

static void
test_request_too_large (void **state)
{
  struct fixture server, client;
  struct answer a;
  char data[1500] = "";

  (void) state;
  kit_prepare (&server);
  kit_set_number (&server, "max_request", 1000);
  kit_open_server (&server);
  raw_expect (server.port, HEAD "Content-Length: 999999999999999\r\n\r\nx",
              "HTTP/1.1 413 ");
  raw_expect (server.port,
              HEAD "Content-Length: 2002\r\nExpect: 100-continue\r\n\r\n",
              "HTTP/1.1 413 ");

  kit_prepare (&client);
  kit_open_client (&client, server.url);
  kit_ask (&client, &a, "/echo", data, 1500);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.code, 413);
  free (a.body);
  assert_int_equal (atomic_load (&server.requests), 0);
  kit_ask (&client, &a, "/echo", data, 1000);
  assert_int_equal (a.code, 200);
  free (a.body);
  kit_close_pair (&server, &client);
}

static void
test_chunked (void **state)
{
  struct fixture server;
  char text[3000], reply[4096];
  int fd, i;

  (void) state;
  kit_prepare (&server);
  kit_set_number (&server, "max_request", 1000);
  kit_open_server (&server);
  strcpy (text, HEAD "Transfer-Encoding: chunked\r\n"
                     "Connection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"
                     "0\r\n\r\n");
  fd = raw_connect (server.port);
  raw_send (fd, text, strlen (text));
  raw_read (fd, reply, sizeof reply);
  close (fd);
  assert_non_null (strstr (reply, "abcde"));

  strcpy (text, HEAD "Transfer-Encoding: chunked\r\n\r\n");
  for (i = 0; i < 101; i++)
    strcat (text, "a\r\n0123456789\r\n");
  strcat (text, "0\r\n\r\n");
  raw_expect (server.port, text, "HTTP/1.1 413 ");
  assert_int_equal (atomic_load (&server.requests), 1);
  kit_close_server (&server);
}

/* A byte now and then keeps libmicrohttpd's own time-out from firing. */
static void
expect_cut (unsigned port, const char *start)
{
  struct pollfd poller = { .events = POLLIN };
  int64_t begin = kit_now_ms ();
  char reply[256];

  poller.fd = raw_connect (port);
  raw_send (poller.fd, start, strlen (start));
  while (poll (&poller, 1, 30) == 0 && kit_now_ms () - begin < 8000)
    raw_send (poller.fd, "x", 1);
  raw_read (poller.fd, reply, sizeof reply);
  close (poller.fd);
  assert_true (kit_now_ms () - begin < 8000);
  assert_true (kit_now_ms () - begin >= 290);
  assert_null (strstr (reply, " 200 "));
}

static void
test_slow_sender (void **state)
{
  struct fixture server, client;

  (void) state;
  kit_prepare (&server);
  kit_set_number (&server, "request_timeout", 300);
  kit_open_server (&server);
  expect_cut (server.port, "");
  expect_cut (server.port, HEAD "X-Slow: ");
  expect_cut (server.port, HEAD "Content-Length: 100000\r\n\r\n");
  assert_int_equal (atomic_load (&server.requests), 0);

  kit_prepare (&client);
  kit_open_client (&client, server.url);
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  kit_close_pair (&server, &client);
}

/* The deadline is for the sender, not for those who make the reply. */
static void
test_slow_service (void **state)
{
  struct answer a = { .path = "/hold", .data = "held", .n = 4 };
  struct fixture server, client;
  pthread_t thread;

  (void) state;
  kit_prepare (&server);
  kit_set_number (&server, "request_timeout", 300);
  kit_open_server (&server);
  kit_prepare (&client);
  kit_set_number (&client, "retries", 0);
  kit_open_client (&client, server.url);
  a.client = &client;
  pthread_create (&thread, NULL, kit_ask_main, &a);
  kit_hold_wait (&server);
  expect_cut (server.port, "");
  expect_cut (server.port, "");
  kit_hold_release (&server);
  pthread_join (thread, NULL);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.code, 207);
  free (a.body);
  kit_close_pair (&server, &client);
}

/* Whoever has said all may close his half and still gets the reply; whoever
 * has not is done with. */
static void
test_half_closed (void **state)
{
  struct fixture server;
  char reply[1024];
  int fd;

  (void) state;
  kit_prepare (&server);
  kit_open_server (&server);
  fd = raw_connect (server.port);
  raw_send (fd, HEAD "Content-Length: 5\r\n\r\nhello",
            strlen (HEAD "Content-Length: 5\r\n\r\nhello"));
  shutdown (fd, SHUT_WR);
  raw_read (fd, reply, sizeof reply);
  close (fd);
  assert_non_null (strstr (reply, "hello"));
  assert_int_equal (atomic_load (&server.requests), 1);

  raw_expect (server.port, HEAD "Connection: close\r\n\r\n", "HTTP/1.1 200 ");
  assert_int_equal (atomic_load (&server.requests), 2);

  fd = raw_connect (server.port);
  raw_send (fd, HEAD "Content-Length: 5\r\n\r\nhel",
            strlen (HEAD "Content-Length: 5\r\n\r\nhel"));
  shutdown (fd, SHUT_WR);
  raw_read (fd, reply, sizeof reply);
  close (fd);
  assert_null (strstr (reply, " 200 "));
  assert_int_equal (atomic_load (&server.requests), 2);
  kit_close_server (&server);
}

static void
test_query_and_credential (void **state)
{
  struct fixture server;

  (void) state;
  kit_prepare (&server);
  kit_open_server (&server);
  raw_expect (server.port,
              "GET /a%2fb%00?x=%31&y HTTP/1.1\r\nHost: h\r\n"
              "Connection: close\r\nauthorization: bearer  t0ken\r\n\r\n",
              "HTTP/1.1 200 ");
  assert_string_equal (server.path, "/a%2fb%00");
  assert_string_equal (server.verb, "GET");
  assert_string_equal (server.credential, "t0ken");
  raw_expect (server.port,
              "GET / HTTP/1.1\r\nHost: h\r\nConnection: close"
              "\r\nAuthorization: Basic Zm9vOmJhcg==\r\n\r\n",
              "HTTP/1.1 200 ");
  assert_string_equal (server.credential, "-");
  kit_close_server (&server);
}

/* A client that goes away while its reply is being made. */
static void
test_client_gone (void **state)
{
  struct fixture server, client;
  int fd;

  (void) state;
  kit_open_pair (&server, &client);
  fd = raw_connect (server.port);
  raw_send (fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n", 32);
  kit_hold_wait (&server);
  close (fd);
  kit_hold_release (&server);
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  kit_close_pair (&server, &client);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_bad_heads),
    cmocka_unit_test (test_garbage),
    cmocka_unit_test (test_huge_head),
    cmocka_unit_test (test_request_too_large),
    cmocka_unit_test (test_chunked),
    cmocka_unit_test (test_slow_sender),
    cmocka_unit_test (test_slow_service),
    cmocka_unit_test (test_half_closed),
    cmocka_unit_test (test_query_and_credential),
    cmocka_unit_test (test_client_gone),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
