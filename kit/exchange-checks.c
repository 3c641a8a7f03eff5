/* SPDX-License-Identifier: MIT */
/* What a transport with serve and exchange must do: what is asked goes up as
 * it is, and the reply comes back as it is. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "asserting.h"
#include "exchange-kit.h"

#define ASKERS 6
#define EACH 5
#define BIG ((size_t) 3 << 20)

static void
request_goes_up (void **state)
{
  struct exchange *x = *state;
  struct exchange_answer a;

  exchange_begin (x);
  exchange_ask_well (x, &a, "/some/path", "body", 4);
  assert_int_equal (x->requests, 1);
  assert_string_equal (x->verb, "POST");
  assert_string_equal (x->path, "/some/path");
  assert_string_equal (x->type, "application/x-ask");
}

static void
reply_comes_back (void **state)
{
  static const unsigned codes[] = { 200, 400, 401, 404, 415, 500 };
  struct exchange *x = *state;
  struct exchange_answer a;
  char path[32];

  exchange_begin (x);
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
    snprintf (path, sizeof path, "/code/%u", codes[i]);
    exchange_ask_well (x, &a, path, "why", 3);
    assert_int_equal (a.code, codes[i]);
    assert_string_equal (a.type, "application/x-reply");
  }
}

static void
any_bytes (void **state)
{
  struct exchange *x = *state;
  char bytes[1024];
  struct exchange_answer a;

  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (char) (255 - i % 256);
  exchange_begin (x);
  exchange_ask_well (x, &a, "/", bytes, sizeof bytes);
  exchange_ask_well (x, &a, "/", bytes + 255, 1);
  exchange_ask_well (x, &a, "/", NULL, 0);
}

static void
big_body (void **state)
{
  struct exchange *x = *state;
  char *bytes = malloc (BIG);
  struct exchange_answer a;

  assert_non_null (bytes);
  for (size_t i = 0; i < BIG; i++)
    bytes[i] = (char) ((i * 2654435761u) >> 13);
  exchange_begin (x);
  exchange_ask_well (x, &a, "/", bytes, BIG);
  free (bytes);
}

static void
late_reply (void **state)
{
  struct exchange *x = *state;
  struct exchange_answer a;

  exchange_begin (x);
  exchange_ask_well (x, &a, "/late", "wait", 4);
  assert_int_equal (a.code, 202);
  assert_string_equal (a.type, "text/late");
}

static void
traffic_counts (void **state)
{
  struct exchange *x = *state;
  char bytes[5000] = { 1 };
  struct exchange_answer a;

  exchange_begin (x);
  exchange_ask_well (x, &a, "/", bytes, sizeof bytes);
  assert_true (a.traffic.sent >= sizeof bytes);
  assert_true (a.traffic.received >= sizeof bytes);
  assert_true (a.traffic.sent < 2 * sizeof bytes);
  assert_true (a.traffic.received < 2 * sizeof bytes);
}

struct asker {
  struct exchange *x;
  unsigned good; /* of EACH */
};

static void *
ask_many (void *ctx)
{
  struct asker *asker = ctx;
  char text[32];

  for (unsigned i = 0; i < EACH; i++) {
    struct exchange_answer one;

    snprintf (text, sizeof text, "%p %u", ctx, i);
    exchange_ask (asker->x, &one, i % 2 ? "/late" : "/", text, strlen (text));
    asker->good += one.status == TALLY_OK && one.size == strlen (text)
                   && one.body && memcmp (one.body, text, one.size) == 0;
    free (one.body);
  }
  return NULL;
}

static void
many_at_once (void **state)
{
  struct exchange *x = *state;
  struct asker askers[ASKERS];
  pthread_t threads[ASKERS];

  if (x->ops->threads != TALLY_THREADS_ANY)
    skip ();
  exchange_begin (x);
  for (size_t i = 0; i < ASKERS; i++) {
    askers[i] = (struct asker){ x, 0 };
    assert_int_equal (pthread_create (&threads[i], NULL, ask_many, &askers[i]),
                      0);
  }
  for (size_t i = 0; i < ASKERS; i++)
    pthread_join (threads[i], NULL);
  for (size_t i = 0; i < ASKERS; i++)
    assert_int_equal (askers[i].good, EACH);
}

static void
ready_once (void **state)
{
  struct exchange *x = *state;
  struct exchange_answer a;

  exchange_begin (x);
  for (unsigned i = 0; i < 200; i++) {
    exchange_ask (x, &a, "/", "x", 1);
    free (a.body);
    if (a.status == TALLY_OK)
      break;
    exchange_pause (10);
  }
  assert_int_equal (x->ready, 1);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_not_equal (x->url[0], '\0');
}

static void
stop_returns (void **state)
{
  struct exchange *x = *state;
  struct exchange_answer a;

  exchange_begin (x);
  exchange_ask_well (x, &a, "/", "x", 1);
  exchange_stop (x);
  assert_int_equal (x->serve_status, TALLY_OK);
}

static void
stop_before (void **state)
{
  struct exchange *x = *state;

  x->ops->stop (x->server);
  exchange_serve (x);
  assert_true (exchange_await (x, false));
  assert_int_equal (x->serve_status, TALLY_OK);
}

static void
nobody_there (void **state)
{
  struct exchange *x = *state;
  struct exchange_answer a;

  exchange_begin (x);
  exchange_stop (x);
  exchange_ask (x, &a, "/", "x", 1);
  assert_int_equal (a.status, TALLY_AGAIN);
  assert_int_equal (a.err.status, TALLY_AGAIN);
  assert_non_null (strchr (a.err.text, ':'));
  assert_int_equal (a.replies, 0);
}

static const struct kit_check exchange_checks[] = {
  KIT_CHECK (ready_once, "serve", "ready is called once, with a URL"),
  KIT_CHECK (request_goes_up, "serve",
             "a request has the verb, path and content type that were asked"),
  KIT_CHECK (late_reply, "serve",
             "a reply may come later, from another thread"),
  KIT_CHECK (reply_comes_back, "exchange",
             "the one reply is emitted, whatever its code"),
  KIT_CHECK (any_bytes, "exchange", "bodies are any bytes, or none"),
  KIT_CHECK (big_body, "exchange", "a body may be large"),
  KIT_CHECK (traffic_counts, "exchange", "traffic counts what went both ways"),
  KIT_CHECK (many_at_once, "exchange",
             "each of many at once gets its own reply"),
  KIT_CHECK (nobody_there, "exchange", "nobody there is TALLY_AGAIN"),
  KIT_CHECK (stop_returns, "stop", "serve returns TALLY_OK"),
  KIT_CHECK (stop_before, "stop", "also when serve is only about to start"),
  { 0 },
};

static const struct kit_check *const exchange_tables[] = { exchange_checks,
                                                           NULL };

const struct kit_suite kit_exchange = { exchange_tables, exchange_setup,
                                        exchange_teardown };
