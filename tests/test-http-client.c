/* SPDX-License-Identifier: MIT */
/* The http driver's client when the far side is not there, is busy, breaks
 * off, talks nonsense or keeps it waiting. */

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
#include <unistd.h>

#include "raw-kit.h"

/* ---- what goes wrong at the far side ----------------------------------- */

static void
test_refused (void **state)
{
  struct fixture client;
  int64_t begin = kit_now_ms ();
  struct answer a;
  char url[64], text[96];
  unsigned port;
  int fd = raw_listen (&port);

  (void) state;
  close (fd);
  snprintf (url, sizeof url, "http://127.0.0.1:%u", port);
  snprintf (text, sizeof text, "%s: connection refused", url);
  kit_prepare (&client);
  kit_set_number (&client, "retries", 2);
  kit_open_client (&client, url);
  kit_ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_AGAIN);
  assert_string_equal (a.err.text, text);
  assert_true (kit_now_ms () - begin < 3000);
  kit_close (&client);
}

static void
test_retry_on_busy (void **state)
{
  struct fixture server, client;

  (void) state;
  kit_open_pair (&server, &client);
  atomic_store (&server.busy, 2);
  assert_int_equal (kit_ask_code (&client, "/busy"), 200);
  assert_int_equal (atomic_load (&server.requests), 3);
  kit_close_pair (&server, &client);
}

static void
test_busy_for_good (void **state)
{
  struct fixture server, client;

  (void) state;
  kit_prepare (&server);
  kit_open_server (&server);
  kit_prepare (&client);
  kit_set_number (&client, "retries", 1);
  kit_open_client (&client, server.url);
  atomic_store (&server.busy, 1000);
  assert_int_equal (kit_ask_code (&client, "/busy"), 503);
  assert_int_equal (atomic_load (&server.requests), 2);
  kit_close_pair (&server, &client);
}

static void
test_retry_after (void **state)
{
  static const char *const texts[] = {
    "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", NULL
  };
  int64_t begin = kit_now_ms ();
  struct script script;
  struct fixture client;

  (void) state;
  script_start (&script, texts);
  script_client (&script, &client, 1);
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  assert_true (kit_now_ms () - begin >= 1000);
  kit_close (&client);
  script_end (&script);
}

/* A reply that breaks off is not a reply: it is asked for again. */
static void
test_killed_in_reply (void **state)
{
  static const char *const cut[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", "HTTP/1.1 20", "",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", NULL
  };
  struct script script;
  struct fixture client;
  struct answer a;

  (void) state;
  script_start (&script, cut);
  script_client (&script, &client, 3);
  kit_ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.size, 2);
  assert_memory_equal (a.body, "ok", 2);
  free (a.body);
  kit_close (&client);
  script_end (&script);

  script_start (&script, cut);
  script_client (&script, &client, 0);
  kit_ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_AGAIN);
  assert_null (a.body);
  assert_int_equal (atomic_load (&script.connections), 1);
  kit_close (&client);
  script_end (&script);
}

static void
test_not_http (void **state)
{
  static const char *const texts[] = { "SSH-2.0-OpenSSH_9.2\r\n", NULL };
  struct script script;
  struct fixture client;
  struct answer a;

  (void) state;
  script_start (&script, texts);
  script_client (&script, &client, 0);
  kit_ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_FAILED);
  assert_non_null (strstr (a.err.text, "does not speak http"));
  kit_close (&client);
  script_end (&script);
}

static void
test_no_redirect (void **state)
{
  static const char *const texts[] = {
    "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
    "Content-Length: 0\r\n\r\n",
    NULL
  };
  struct script script;
  struct fixture client;

  (void) state;
  script_start (&script, texts);
  script_client (&script, &client, 0);
  assert_int_equal (kit_ask_code (&client, "/echo"), 302);
  kit_close (&client);
  script_end (&script);
}

static void
test_reply_too_large (void **state)
{
  struct fixture server, client;
  char data[1000] = "";
  struct answer a;

  (void) state;
  kit_prepare (&server);
  kit_open_server (&server);
  kit_prepare (&client);
  kit_set_number (&client, "max_reply", 999);
  kit_open_client (&client, server.url);
  kit_ask (&client, &a, "/echo", data, 1000);
  assert_int_equal (a.status, TALLY_FAILED);
  assert_non_null (strstr (a.err.text, "max_reply"));
  assert_null (a.body);
  kit_ask (&client, &a, "/echo", data, 999);
  assert_int_equal (a.status, TALLY_OK);
  free (a.body);
  kit_close_pair (&server, &client);
}

static void
test_endless_reply_head (void **state)
{
  static const char *texts[] = { NULL, NULL };
  struct script script;
  struct fixture client;
  char *text = malloc (100100);
  struct answer a;

  (void) state;
  assert_non_null (text);
  strcpy (text, "HTTP/1.1 200 OK\r\n");
  while (strlen (text) < 100000)
    strcat (text + strlen (text), "X-Filler: abcdefghijklmnopqrstuvwxyz"
                                  "abcdefghijklmnopqrstuvwxyz\r\n");
  texts[0] = text;
  script_start (&script, texts);
  script_client (&script, &client, 0);
  kit_ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_FAILED);
  assert_non_null (strstr (a.err.text, "too large"));
  kit_close (&client);
  script_end (&script);
  free (text);
}

/* ---- cancelling and time-outs ------------------------------------------ */

static void
test_cancel_in_wait (void **state)
{
  struct fixture client;
  struct answer a;
  char url[64];
  unsigned port;
  int fd = raw_listen (&port);

  (void) state;
  close (fd);
  snprintf (url, sizeof url, "http://127.0.0.1:%u", port);
  kit_prepare (&client);
  kit_set_number (&client, "retries", 100);
  kit_open_client (&client, url);
  atomic_store (&client.cancel_after, 20);
  kit_ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_CANCELLED);
  kit_close (&client);
}

static void
test_cancel_in_transfer (void **state)
{
  struct answer a = { .path = "/hold", .data = "held", .n = 4 };
  struct fixture server, client;
  int64_t begin = kit_now_ms ();
  pthread_t thread;

  (void) state;
  kit_open_pair (&server, &client);
  a.client = &client;
  pthread_create (&thread, NULL, kit_ask_main, &a);
  kit_hold_wait (&server);
  atomic_store (&client.cancel, 1);
  pthread_join (thread, NULL);
  assert_true (kit_now_ms () - begin < 10000);
  assert_int_equal (a.status, TALLY_CANCELLED);
  assert_null (a.body);
  kit_hold_release (&server);

  atomic_store (&client.cancel, 0);
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  kit_close_pair (&server, &client);
}

static void
test_timeout (void **state)
{
  struct fixture server, client;
  struct answer a;

  (void) state;
  kit_prepare (&server);
  kit_open_server (&server);
  kit_prepare (&client);
  kit_set_number (&client, "timeout", 300);
  kit_open_client (&client, server.url);
  kit_ask (&client, &a, "/hold", "hello", 5);
  assert_int_equal (a.status, TALLY_AGAIN);
  assert_non_null (strstr (a.err.text, ": timed out"));
  assert_int_equal (atomic_load (&server.requests), 1);
  kit_hold_wait (&server);
  kit_hold_release (&server);
  kit_close_pair (&server, &client);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_refused),
    cmocka_unit_test (test_retry_on_busy),
    cmocka_unit_test (test_busy_for_good),
    cmocka_unit_test (test_retry_after),
    cmocka_unit_test (test_killed_in_reply),
    cmocka_unit_test (test_not_http),
    cmocka_unit_test (test_no_redirect),
    cmocka_unit_test (test_reply_too_large),
    cmocka_unit_test (test_endless_reply_head),
    cmocka_unit_test (test_cancel_in_wait),
    cmocka_unit_test (test_cancel_in_transfer),
    cmocka_unit_test (test_timeout),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
