/* SPDX-License-Identifier: MIT */
/* The http driver through its table, client and server in one process: what
 * is set, and exchanges that go well. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw-kit.h"

#define THREADS 8
#define MIB ((size_t) 1 << 20)

/* ---- opening ----------------------------------------------------------- */

static void
test_table (void **state)
{
  const struct tally_driver *driver = tally_driver_1 ();

  (void) state;
  assert_int_equal (driver->abi, TALLY_DRIVER_ABI);
  assert_int_equal (driver->size, sizeof *driver);
  assert_string_equal (driver->name, "http");
  assert_null (driver->store);
  assert_string_equal (driver->options[0].name, "url");
  assert_int_equal (driver->options[kit_row ("token")].flags,
                    TALLY_OPTION_SECRET);
  assert_int_equal (driver->transport->threads, TALLY_THREADS_ANY);
  assert_null (driver->transport->list);
}

static void
expect_bad (const char *name, const char *text, int64_t number)
{
  struct fixture f;

  kit_prepare (&f);
  kit_set_text (&f, "url", "http://127.0.0.1:1");
  kit_set_text (&f, "listen", "127.0.0.1:0");
  kit_set_text (&f, name, text);
  kit_set_number (&f, name, number);
  if (kit_open (&f) != TALLY_INVALID)
    fail_msg ("%s = %s was taken", name, text);
  assert_int_equal (f.err.status, TALLY_INVALID);
  assert_null (strstr (f.err.text, "sesame"));
  kit_close (&f);
}

static void
test_bad_options (void **state)
{
  static const char *const urls[] = {
    "",
    "hub.example",
    "hub:7770",
    "ftp://hub",
    "file:///etc/passwd",
    "http://",
    "http://me:sesame@hub/",
    "http://sesame@hub",
    "http://h/?a=b",
    "http://h/#x",
    "http://h h/",
    "http://h:99999",
    "//hub",
    "http:/\n/x",
  };
  static const char *const listens[] = {
    "",      "127.0.0.1", ":7770", "127.0.0.1:", "127.0.0.1:65536", "::1:80",
    "[::1]", "[]:1",      "h:1x",  "h:-1",       "http://h:80",     "a b:1",
  };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof urls / sizeof urls[0]; i++)
    expect_bad ("url", urls[i], 0);
  for (i = 0; i < sizeof listens / sizeof listens[0]; i++)
    expect_bad ("listen", listens[i], 0);
  expect_bad ("token", "open sesame", 0);
  expect_bad ("token", "sesame\r\nX: y", 0);
  expect_bad ("token", "", 0);
  expect_bad ("tls_cert", "/cert.pem", 0);
  expect_bad ("tls_key", "/key.pem", 0);
  expect_bad ("retries", "-1", -1);
  expect_bad ("workers", "0", 0);
  expect_bad ("max_request", "0", 0);
  expect_bad ("timeout", "0", 0);
}

static void
test_nothing_set (void **state)
{
  struct fixture f;
  struct answer a;

  (void) state;
  kit_prepare (&f);
  assert_int_equal (kit_open (&f), TALLY_OK);
  kit_ask (&f, &a, "/echo", "x", 1);
  assert_int_equal (a.status, TALLY_INVALID);
  assert_string_equal (a.err.text, "http: no url is set");
  assert_int_equal (f.transport->serve (f.handle, &f.service, &f.err),
                    TALLY_INVALID);
  assert_string_equal (f.err.text, "http: no listen is set");
  f.transport->stop (f.handle);
  kit_close (&f);
}

/* ---- exchanges --------------------------------------------------------- */

static void
test_echo (void **state)
{
  struct fixture server, client;
  struct answer a;

  (void) state;
  kit_open_pair (&server, &client);
  assert_int_equal (strncmp (server.url, "http://127.0.0.1:", 17), 0);
  kit_ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.code, 200);
  assert_string_equal (a.type, "text/x");
  assert_int_equal (a.size, 5);
  assert_memory_equal (a.body, "hello", 5);
  free (a.body);
  assert_string_equal (server.verb, "POST");
  assert_string_equal (server.path, "/echo");
  assert_string_equal (server.credential, "-");
  assert_string_equal (server.hostname, server.url + 7);
  assert_int_equal (strncmp (server.peer, "127.0.0.1:", 10), 0);
  kit_close_pair (&server, &client);
}

/* Heads are counted, to the byte, and are small: an idle sync shall fit into
 * 600 bytes. */
static void
test_traffic (void **state)
{
  struct fixture server, client;
  char head[256], reply[1024];
  struct answer a;
  int fd, n;

  (void) state;
  kit_open_pair (&server, &client);
  kit_ask (&client, &a, "/echo", "hello", 5);
  free (a.body);
  n = snprintf (head, sizeof head,
                "POST /echo HTTP/1.1\r\nHost: %s\r\n"
                "Content-Type: text/x\r\nContent-Length: 5\r\n\r\nhello",
                server.url + 7);
  assert_int_equal (a.traffic.sent, n);

  fd = raw_connect (server.port);
  assert_true (raw_send (fd, head, (size_t) n));
  shutdown (fd, SHUT_WR);
  raw_read (fd, reply, sizeof reply);
  close (fd);
  assert_non_null (strstr (reply, "hello"));
  assert_null (strstr (reply, "Date:"));
  assert_true (a.traffic.received > 5);
  assert_true (a.traffic.sent + a.traffic.received < 300);
  kit_close_pair (&server, &client);
}

static void
test_sizes (void **state)
{
  static const size_t sizes[] = { 0, 1, 65535, 1 << 20, 20 << 20 };
  struct fixture server, client;
  struct answer a;
  char *data = malloc (20 * MIB);
  size_t i;

  (void) state;
  assert_non_null (data);
  for (i = 0; i < 20 * MIB; i++)
    data[i] = (char) (i * 2654435761u >> 13);
  kit_open_pair (&server, &client);
  for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    kit_ask (&client, &a, "/echo", data, sizes[i]);
    assert_int_equal (a.status, TALLY_OK);
    assert_int_equal (a.code, 200);
    assert_int_equal (a.size, sizes[i]);
    assert_int_equal (memcmp (a.body, data, sizes[i]), 0);
    assert_true (a.traffic.sent > sizes[i]);
    assert_true (a.traffic.sent < sizes[i] + 200);
    assert_true (a.traffic.received > sizes[i]);
    assert_true (a.traffic.received < sizes[i] + 200);
    free (a.body);
  }
  kit_close_pair (&server, &client);
  free (data);
}

static void
test_keep_alive (void **state)
{
  struct fixture server, client;
  char peer[64];
  int i;

  (void) state;
  kit_open_pair (&server, &client);
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  strcpy (peer, server.peer);
  for (i = 0; i < 10; i++) {
    assert_int_equal (kit_ask_code (&client, i % 2 ? "/echo" : "/late"),
                      i % 2 ? 200 : 202);
    assert_string_equal (server.peer, peer);
  }
  kit_close_pair (&server, &client);
}

static void
test_late_reply (void **state)
{
  struct fixture server, client;
  struct answer a;
  int i;

  (void) state;
  kit_open_pair (&server, &client);
  for (i = 0; i < 200; i++) {
    kit_ask (&client, &a, "/late", "hello", 5);
    assert_int_equal (a.status, TALLY_OK);
    assert_int_equal (a.code, 202);
    assert_string_equal (a.type, "-");
    assert_int_equal (a.size, 5);
    free (a.body);
  }
  kit_close_pair (&server, &client);
}

static void
test_token (void **state)
{
  struct fixture server, client;

  (void) state;
  kit_prepare (&server);
  kit_open_server (&server);
  kit_prepare (&client);
  kit_set_text (&client, "token", "open-sesame");
  kit_open_client (&client, server.url);
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  assert_string_equal (server.credential, "open-sesame");
  kit_close_pair (&server, &client);
}

static void
test_url_prefix (void **state)
{
  struct fixture server, client;
  char url[96];

  (void) state;
  kit_prepare (&server);
  kit_open_server (&server);
  snprintf (url, sizeof url, "%s/a/b/", server.url);
  kit_prepare (&client);
  kit_open_client (&client, url);
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  assert_string_equal (server.path, "/a/b/echo");
  kit_close_pair (&server, &client);
}

static void
test_bad_request (void **state)
{
  static const char *const paths[] = { NULL, "", "echo", "/a b",
                                       "/a\r\nX: y" };
  struct fixture client;
  struct answer a;
  size_t i;

  (void) state;
  kit_prepare (&client);
  kit_open_client (&client, "http://127.0.0.1:1");
  for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    kit_ask (&client, &a, paths[i], "", 0);
    assert_int_equal (a.status, TALLY_INVALID);
  }
  kit_close (&client);
}

static void
test_other_verbs (void **state)
{
  static const char *const verbs[] = { "GET", "PUT", "DELETE", "HEAD" };
  struct tally_request request = { .size = sizeof request, .path = "/x" };
  struct fixture server, client;
  struct answer a;
  size_t i;

  (void) state;
  kit_open_pair (&server, &client);
  for (i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
    memset (&a, 0, sizeof a);
    request.verb = verbs[i];
    assert_int_equal (client.transport->exchange (client.handle, &request,
                                                  kit_emit, &a, &a.traffic,
                                                  &a.err),
                      TALLY_OK);
    assert_int_equal (a.code, 200);
    assert_string_equal (server.verb, verbs[i]);
    free (a.body);
  }
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  assert_string_equal (server.verb, "POST");
  kit_close_pair (&server, &client);
}

static void
test_many_threads (void **state)
{
  struct answer answers[THREADS];
  struct fixture server, client;
  pthread_t threads[THREADS];
  char data[THREADS][5000];
  int i;

  (void) state;
  kit_open_pair (&server, &client);
  for (i = 0; i < THREADS; i++) {
    memset (data[i], 'a' + i, sizeof data[i]);
    memset (&answers[i], 0, sizeof answers[i]);
    answers[i].client = &client;
    answers[i].data = data[i];
    answers[i].n = sizeof data[i];
    pthread_create (&threads[i], NULL, kit_ask_many, &answers[i]);
  }
  for (i = 0; i < THREADS; i++)
    pthread_join (threads[i], NULL);
  for (i = 0; i < THREADS; i++)
    assert_int_equal (answers[i].status, KIT_EACH);
  assert_int_equal (atomic_load (&server.requests), THREADS * KIT_EACH);
  kit_close_pair (&server, &client);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_table),        cmocka_unit_test (test_bad_options),
    cmocka_unit_test (test_nothing_set),  cmocka_unit_test (test_echo),
    cmocka_unit_test (test_traffic),      cmocka_unit_test (test_sizes),
    cmocka_unit_test (test_keep_alive),   cmocka_unit_test (test_late_reply),
    cmocka_unit_test (test_token),        cmocka_unit_test (test_url_prefix),
    cmocka_unit_test (test_bad_request),  cmocka_unit_test (test_other_verbs),
    cmocka_unit_test (test_many_threads),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
