/* SPDX-License-Identifier: MIT */
/* The http driver's server: starting, stopping while requests are under way,
 * where it listens and how many it lets in. */

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

static void
test_stop_waits_for_requests (void **state)
{
  struct answer a = { .path = "/hold", .data = "held", .n = 4 };
  struct fixture server, client;
  pthread_t thread;

  (void) state;
  kit_open_pair (&server, &client);
  a.client = &client;
  pthread_create (&thread, NULL, kit_ask_main, &a);
  kit_hold_wait (&server);
  server.transport->stop (server.handle);
  assert_false (kit_serve_returns (&server));
  kit_hold_release (&server);
  pthread_join (server.thread, NULL);
  pthread_join (thread, NULL);
  assert_int_equal (server.status, TALLY_OK);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.code, 207);
  assert_memory_equal (a.body, "held", 4);
  free (a.body);
  kit_close (&client);
  kit_close (&server);
}

/* Whatever happens to be under way when it stops is answered or refused. */
static void
test_stop_in_traffic (void **state)
{
  struct answer answers[THREADS];
  struct fixture server, client;
  pthread_t threads[THREADS];
  char data[5000] = "";
  int round, i;

  (void) state;
  for (round = 0; round < 5; round++) {
    kit_prepare (&server);
    kit_open_server (&server);
    kit_prepare (&client);
    kit_set_number (&client, "retries", 0);
    kit_open_client (&client, server.url);
    for (i = 0; i < THREADS; i++) {
      memset (&answers[i], 0, sizeof answers[i]);
      answers[i].client = &client;
      answers[i].data = data;
      answers[i].n = sizeof data;
      pthread_create (&threads[i], NULL, kit_ask_many, &answers[i]);
    }
    kit_close_server (&server);
    for (i = 0; i < THREADS; i++)
      pthread_join (threads[i], NULL);
    kit_close (&client);
  }
}

static void
test_stop_before_serve (void **state)
{
  struct fixture server, client;

  (void) state;
  kit_prepare (&server);
  kit_set_text (&server, "listen", "127.0.0.1:0");
  assert_int_equal (kit_open (&server), TALLY_OK);
  server.transport->stop (server.handle);
  kit_serve (&server);
  pthread_join (server.thread, NULL);
  assert_int_equal (server.status, TALLY_OK);
  assert_false (server.ready);

  kit_serve (&server);
  assert_true (server.ready);
  kit_prepare (&client);
  kit_open_client (&client, server.url);
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  kit_close_pair (&server, &client);
}

static void
test_cancelled_serve (void **state)
{
  struct fixture server;

  (void) state;
  kit_prepare (&server);
  kit_open_server (&server);
  atomic_store (&server.cancel, 1);
  pthread_join (server.thread, NULL);
  assert_int_equal (server.status, TALLY_CANCELLED);
  kit_close (&server);
}

static void
test_address_in_use (void **state)
{
  struct fixture one, two;
  char listen[32], text[96];

  (void) state;
  kit_prepare (&one);
  kit_open_server (&one);
  snprintf (listen, sizeof listen, "127.0.0.1:%u", one.port);
  snprintf (text, sizeof text, "%s: address already in use", listen);
  kit_prepare (&two);
  kit_set_text (&two, "listen", listen);
  assert_int_equal (kit_open (&two), TALLY_OK);
  assert_int_equal (two.transport->serve (two.handle, &two.service, &two.err),
                    TALLY_AGAIN);
  assert_string_equal (two.err.text, text);
  kit_close (&two);
  kit_close_server (&one);
}

static void
test_listen_by_name (void **state)
{
  struct fixture server, client;

  (void) state;
  kit_prepare (&server);
  kit_set_text (&server, "listen", "localhost:0");
  kit_open_server (&server);
  assert_int_equal (strncmp (server.url, "http://localhost:", 17), 0);
  kit_prepare (&client);
  kit_open_client (&client, server.url);
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  kit_close_pair (&server, &client);
}

/* Beyond per_ip a connection is closed at once; the client tries again. */
static void
test_per_ip (void **state)
{
  struct fixture server;
  int fds[3], i;
  char reply[256];

  (void) state;
  kit_prepare (&server);
  kit_set_number (&server, "per_ip", 2);
  kit_open_server (&server);
  for (i = 0; i < 2; i++) {
    fds[i] = raw_connect (server.port);
    raw_send (fds[i], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 29);
    assert_int_equal (recv (fds[i], reply, 12, MSG_WAITALL), 12);
  }
  fds[2] = raw_connect (server.port);
  raw_send (fds[2], "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 29);
  raw_read (fds[2], reply, sizeof reply);
  assert_string_equal (reply, "");
  for (i = 0; i < 3; i++)
    close (fds[i]);
  kit_close_server (&server);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_stop_waits_for_requests),
    cmocka_unit_test (test_stop_in_traffic),
    cmocka_unit_test (test_stop_before_serve),
    cmocka_unit_test (test_cancelled_serve),
    cmocka_unit_test (test_address_in_use),
    cmocka_unit_test (test_listen_by_name),
    cmocka_unit_test (test_per_ip),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
