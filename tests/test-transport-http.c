/* SPDX-License-Identifier: MIT */
/* The http driver through its table, client and server in one process on a
 * free port of 127.0.0.1; where a peer must misbehave, over a raw socket.
 * Threads only note what they see; the checks are made in the test's own
 * thread. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <tally/driver.h>

#define ROWS 32
#define THREADS 8
#define EACH 8
#define MIB ((size_t) 1 << 20)

/* A handle with all that its threads touch. */
struct fixture
{
  struct tally_host host;
  const struct tally_transport *transport;
  void *handle;
  struct tally_value values[ROWS];
  struct tally_service service;
  pthread_t thread;
  atomic_int cancel;       /* what cancelled answers */
  atomic_int cancel_after; /* calls from now until it answers 1; 0: never */
  atomic_int requests;
  atomic_int busy;         /* so many 503 before /busy answers */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool ready;
  bool done;
  int status;
  char url[64];
  unsigned port;
  struct tally_error err;
  /* What the last request looked like. */
  char peer[64], credential[64], path[64], verb[16], hostname[64];
  /* The call that /hold keeps. */
  void (*reply) (void *call, const struct tally_response *response);
  void *call;
  const struct tally_request *request;
};

struct answer
{
  struct fixture *client;
  const char *path;
  const char *data;
  size_t n;
  int status;
  unsigned code;
  char type[32];
  char *body;
  size_t size;
  struct tally_traffic traffic;
  struct tally_error err;
};

static int64_t
now_ms (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- values ------------------------------------------------------------ */

static int
row_of (const char *name)
{
  const struct tally_option *options = tally_driver_1 ()->options;
  int i;

  for (i = 0; options[i].name; i++)
    if (strcmp (options[i].name, name) == 0)
      return i;
  fail_msg ("no option %s", name);
  return -1;
}

/* 3, 64M, 30s: as the host reads them. */
static int64_t
number_of (const char *text)
{
  char *end;
  int64_t number = strtoll (text, &end, 10);

  if (strcmp (end, "M") == 0)
    return number << 20;
  if (strcmp (end, "s") == 0)
    return number * 1000;
  assert_string_equal (end, "");
  return number;
}

static void
set_text (struct fixture *f, const char *name, const char *text)
{
  f->values[row_of (name)].text = text;
}

static void
set_number (struct fixture *f, const char *name, int64_t number)
{
  f->values[row_of (name)].number = number;
}

/* ---- host and service -------------------------------------------------- */

static int
host_cancelled (void *ctx)
{
  struct fixture *f = ctx;

  if (atomic_load (&f->cancel_after) > 0
      && atomic_fetch_sub (&f->cancel_after, 1) == 1)
    atomic_store (&f->cancel, 1);
  return atomic_load (&f->cancel);
}

static void
host_log (void *ctx, int level, const char *text)
{
  (void) ctx;
  (void) level;
  (void) text;
}

static void
service_ready (void *ctx, const char *url)
{
  struct fixture *f = ctx;

  pthread_mutex_lock (&f->lock);
  f->ready = true;
  snprintf (f->url, sizeof f->url, "%s", url);
  f->port = (unsigned) strtoul (strrchr (url, ':') + 1, NULL, 10);
  pthread_cond_broadcast (&f->changed);
  pthread_mutex_unlock (&f->lock);
}

struct late
{
  const struct tally_request *request;
  void (*reply) (void *call, const struct tally_response *response);
  void *call;
};

static void *
late_main (void *ctx)
{
  struct late late = *(struct late *) ctx;
  struct tally_response response = { .size = sizeof response, .code = 202 };

  free (ctx);
  response.body = late.request->body;
  late.reply (late.call, &response);
  return NULL;
}

static void
note (char *out, size_t size, const char *text)
{
  snprintf (out, size, "%s", text ? text : "-");
}

static void
service_note (struct fixture *f, const struct tally_request *request)
{
  pthread_mutex_lock (&f->lock);
  note (f->peer, sizeof f->peer, request->peer);
  note (f->credential, sizeof f->credential, request->credential);
  note (f->path, sizeof f->path, request->path);
  note (f->verb, sizeof f->verb, request->verb);
  note (f->hostname, sizeof f->hostname, request->host);
  pthread_mutex_unlock (&f->lock);
  atomic_fetch_add (&f->requests, 1);
}

/* /late replies from another thread, /hold when the test says so, /busy with
 * 503 as often as asked, all else at once. */
static void
service_request (void *ctx, const struct tally_request *request,
                 void (*reply) (void *call,
                                const struct tally_response *response),
                 void *call)
{
  struct fixture *f = ctx;
  struct tally_response response = { .size = sizeof response, .code = 200 };
  struct late *late;
  pthread_t thread;

  service_note (f, request);
  if (strcmp (request->path, "/late") == 0)
    {
      late = malloc (sizeof *late);
      late->request = request;
      late->reply = reply;
      late->call = call;
      pthread_create (&thread, NULL, late_main, late);
      pthread_detach (thread);
      return;
    }
  if (strcmp (request->path, "/hold") == 0)
    {
      pthread_mutex_lock (&f->lock);
      f->request = request;
      f->reply = reply;
      f->call = call;
      pthread_cond_broadcast (&f->changed);
      pthread_mutex_unlock (&f->lock);
      return;
    }
  if (strcmp (request->path, "/busy") == 0
      && atomic_fetch_sub (&f->busy, 1) > 0)
    response.code = 503;
  response.content_type = request->content_type;
  response.body = request->body;
  if (strcmp (request->verb, "HEAD") == 0)
    response.body = (struct tally_slice){ "hello", 5 };
  reply (call, &response);
}

static void
hold_wait (struct fixture *f)
{
  pthread_mutex_lock (&f->lock);
  while (!f->call)
    pthread_cond_wait (&f->changed, &f->lock);
  pthread_mutex_unlock (&f->lock);
}

static void
hold_release (struct fixture *f)
{
  struct tally_response response = { .size = sizeof response, .code = 207 };

  response.body = f->request->body;
  f->reply (f->call, &response);
  f->call = NULL;
}

/* ---- fixtures ---------------------------------------------------------- */

static void
prepare (struct fixture *f)
{
  const struct tally_option *options = tally_driver_1 ()->options;
  int i;

  memset (f, 0, sizeof *f);
  f->host.size = sizeof f->host;
  f->host.ctx = f;
  f->host.log = host_log;
  f->host.cancelled = host_cancelled;
  f->service.size = sizeof f->service;
  f->service.ctx = f;
  f->service.ready = service_ready;
  f->service.request = service_request;
  pthread_mutex_init (&f->lock, NULL);
  pthread_cond_init (&f->changed, NULL);
  f->transport = tally_driver_1 ()->transport;
  for (i = 0; options[i].name; i++)
    {
      assert_true (i < ROWS);
      f->values[i].text = options[i].default_value;
      if (options[i].default_value)
        f->values[i].number = number_of (options[i].default_value);
    }
}

static int
try_open (struct fixture *f)
{
  return f->transport->open (&f->handle, &f->host, f->values, 0, &f->err);
}

static void *
serve_main (void *ctx)
{
  struct fixture *f = ctx;
  int status = f->transport->serve (f->handle, &f->service, &f->err);

  pthread_mutex_lock (&f->lock);
  f->status = status;
  f->done = true;
  pthread_cond_broadcast (&f->changed);
  pthread_mutex_unlock (&f->lock);
  return NULL;
}

static void
serve_start (struct fixture *f)
{
  f->ready = false;
  f->done = false;
  assert_int_equal (pthread_create (&f->thread, NULL, serve_main, f), 0);
  pthread_mutex_lock (&f->lock);
  while (!f->ready && !f->done)
    pthread_cond_wait (&f->changed, &f->lock);
  pthread_mutex_unlock (&f->lock);
}

/* Whether serve has returned, or does so in half a second: time enough for
 * one that wrongly does not wait. */
static bool
serve_returns (struct fixture *f)
{
  struct timespec until;
  bool done;

  clock_gettime (CLOCK_REALTIME, &until);
  until.tv_nsec += 500000000;
  if (until.tv_nsec >= 1000000000)
    {
      until.tv_nsec -= 1000000000;
      until.tv_sec++;
    }
  pthread_mutex_lock (&f->lock);
  while (!f->done
         && pthread_cond_timedwait (&f->changed, &f->lock, &until) == 0)
    continue;
  done = f->done;
  pthread_mutex_unlock (&f->lock);
  return done;
}

static void
close_fixture (struct fixture *f)
{
  if (f->handle)
    f->transport->close (f->handle);
  pthread_cond_destroy (&f->changed);
  pthread_mutex_destroy (&f->lock);
}

static void
open_server (struct fixture *server)
{
  if (!server->values[row_of ("listen")].text)
    set_text (server, "listen", "127.0.0.1:0");
  assert_int_equal (try_open (server), TALLY_OK);
  serve_start (server);
  assert_true (server->ready);
}

static void
close_server (struct fixture *server)
{
  server->transport->stop (server->handle);
  pthread_join (server->thread, NULL);
  assert_int_equal (server->status, TALLY_OK);
  close_fixture (server);
}

static void
open_client (struct fixture *client, const char *url)
{
  set_text (client, "url", url);
  assert_int_equal (try_open (client), TALLY_OK);
}

static void
open_pair (struct fixture *server, struct fixture *client)
{
  prepare (server);
  open_server (server);
  prepare (client);
  open_client (client, server->url);
}

static void
close_pair (struct fixture *server, struct fixture *client)
{
  close_fixture (client);
  close_server (server);
}

static int
answer_emit (void *ctx, const struct tally_response *response)
{
  struct answer *a = ctx;

  a->code = response->code;
  note (a->type, sizeof a->type, response->content_type);
  a->size = response->body.size;
  a->body = malloc (a->size + 1);
  if (a->size > 0)
    memcpy (a->body, response->body.data, a->size);
  return 0;
}

static void *
ask_main (void *ctx)
{
  struct answer *a = ctx;
  struct tally_request request = { .size = sizeof request, .verb = "POST",
                                   .path = a->path,
                                   .content_type = "text/x" };

  request.body.data = a->data;
  request.body.size = a->n;
  a->status = a->client->transport->exchange (a->client->handle, &request,
                                              answer_emit, a, &a->traffic,
                                              &a->err);
  return NULL;
}

static void
ask (struct fixture *client, struct answer *a, const char *path,
     const char *data, size_t n)
{
  memset (a, 0, sizeof *a);
  a->client = client;
  a->path = path;
  a->data = data;
  a->n = n;
  ask_main (a);
}

/* The same for one that must be answered, whose reply matters less. */
static unsigned
ask_code (struct fixture *client, const char *path)
{
  struct answer a;

  ask (client, &a, path, "hello", 5);
  free (a.body);
  assert_int_equal (a.status, TALLY_OK);
  return a.code;
}

/* ---- raw sockets ------------------------------------------------------- */

static int
raw_connect (unsigned port)
{
  struct sockaddr_in addr = { .sin_family = AF_INET };
  int fd = socket (AF_INET, SOCK_STREAM, 0);

  addr.sin_port = htons ((uint16_t) port);
  addr.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  assert_true (fd >= 0);
  assert_int_equal (connect (fd, (struct sockaddr *) &addr, sizeof addr), 0);
  return fd;
}

/* Whether all went out; a peer that has closed is no reason to die. */
static bool
raw_send (int fd, const char *data, size_t n)
{
  return send (fd, data, n, MSG_NOSIGNAL) == (ssize_t) n;
}

/* Reads until the peer closes, ten seconds at most. */
static void
raw_read (int fd, char *out, size_t size)
{
  struct timeval limit = { 10, 0 };
  size_t used = 0;
  ssize_t n = 1;

  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  while (n > 0 && used < size - 1)
    {
      n = recv (fd, out + used, size - 1 - used, 0);
      if (n > 0)
        used += (size_t) n;
    }
  out[used] = '\0';
}

/* Sends the text and checks what the answer starts with, and that the server
 * then closes: within a test's limit, without being asked to. */
static void
raw_expect (unsigned port, const char *text, const char *start)
{
  int64_t begin = now_ms ();
  char reply[4096];
  int fd = raw_connect (port);

  raw_send (fd, text, strlen (text));
  raw_read (fd, reply, sizeof reply);
  close (fd);
  if (strncmp (reply, start, strlen (start)) != 0)
    fail_msg ("sent \"%.40s...\", got \"%.60s\"", text, reply);
  assert_true (now_ms () - begin < 8000);
}

/* A listening socket of the test's own. */
static int
raw_listen (unsigned *port)
{
  struct sockaddr_in addr = { .sin_family = AF_INET };
  socklen_t size = sizeof addr;
  int fd = socket (AF_INET, SOCK_STREAM, 0);

  addr.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  assert_true (fd >= 0);
  assert_int_equal (bind (fd, (struct sockaddr *) &addr, sizeof addr), 0);
  assert_int_equal (listen (fd, 16), 0);
  assert_int_equal (getsockname (fd, (struct sockaddr *) &addr, &size), 0);
  *port = ntohs (addr.sin_port);
  return fd;
}

/* A server that answers each connection with the next of its texts, then
 * closes it; the last text stays. */
struct script
{
  int fd;
  unsigned port;
  const char *const *texts;
  atomic_int connections;
  pthread_t thread;
};

static void *
script_main (void *ctx)
{
  struct script *script = ctx;
  char buffer[4096];
  size_t used;
  ssize_t n;
  int fd;

  for (;;)
    {
      fd = accept (script->fd, NULL, NULL);
      if (fd < 0)
        return NULL;
      for (used = 0, n = 1; n > 0 && used < sizeof buffer - 1;)
        {
          n = recv (fd, buffer + used, sizeof buffer - 1 - used, 0);
          used += n > 0 ? (size_t) n : 0;
          buffer[used] = '\0';
          if (strstr (buffer, "\r\n\r\nhello"))
            break;
        }
      atomic_fetch_add (&script->connections, 1);
      raw_send (fd, script->texts[0], strlen (script->texts[0]));
      if (script->texts[1])
        script->texts++;
      close (fd);
    }
}

static void
script_start (struct script *script, const char *const *texts)
{
  memset (script, 0, sizeof *script);
  script->texts = texts;
  script->fd = raw_listen (&script->port);
  pthread_create (&script->thread, NULL, script_main, script);
}

static void
script_end (struct script *script)
{
  shutdown (script->fd, SHUT_RDWR);
  pthread_join (script->thread, NULL);
  close (script->fd);
}

static void
script_client (const struct script *script, struct fixture *client,
               int retries)
{
  char url[64];

  snprintf (url, sizeof url, "http://127.0.0.1:%u", script->port);
  prepare (client);
  set_number (client, "retries", retries);
  open_client (client, url);
}

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
  assert_int_equal (driver->options[row_of ("token")].flags,
                    TALLY_OPTION_SECRET);
  assert_int_equal (driver->transport->threads, TALLY_THREADS_ANY);
  assert_null (driver->transport->list);
}

static void
expect_bad (const char *name, const char *text, int64_t number)
{
  struct fixture f;

  prepare (&f);
  set_text (&f, "url", "http://127.0.0.1:1");
  set_text (&f, "listen", "127.0.0.1:0");
  set_text (&f, name, text);
  set_number (&f, name, number);
  if (try_open (&f) != TALLY_INVALID)
    fail_msg ("%s = %s was taken", name, text);
  assert_int_equal (f.err.status, TALLY_INVALID);
  assert_null (strstr (f.err.text, "sesame"));
  close_fixture (&f);
}

static void
test_bad_options (void **state)
{
  static const char *const urls[] = {
    "", "hub.example", "hub:7770", "ftp://hub", "file:///etc/passwd",
    "http://", "http://me:sesame@hub/", "http://sesame@hub", "http://h/?a=b",
    "http://h/#x", "http://h h/", "http://h:99999", "//hub", "http:/\n/x",
  };
  static const char *const listens[] = {
    "", "127.0.0.1", ":7770", "127.0.0.1:", "127.0.0.1:65536", "::1:80",
    "[::1]", "[]:1", "h:1x", "h:-1", "http://h:80", "a b:1",
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
  prepare (&f);
  assert_int_equal (try_open (&f), TALLY_OK);
  ask (&f, &a, "/echo", "x", 1);
  assert_int_equal (a.status, TALLY_INVALID);
  assert_string_equal (a.err.text, "http: no url is set");
  assert_int_equal (f.transport->serve (f.handle, &f.service, &f.err),
                    TALLY_INVALID);
  assert_string_equal (f.err.text, "http: no listen is set");
  f.transport->stop (f.handle);
  close_fixture (&f);
}

/* ---- exchanges --------------------------------------------------------- */

static void
test_echo (void **state)
{
  struct fixture server, client;
  struct answer a;

  (void) state;
  open_pair (&server, &client);
  assert_int_equal (strncmp (server.url, "http://127.0.0.1:", 17), 0);
  ask (&client, &a, "/echo", "hello", 5);
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
  close_pair (&server, &client);
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
  open_pair (&server, &client);
  ask (&client, &a, "/echo", "hello", 5);
  free (a.body);
  n = snprintf (head, sizeof head, "POST /echo HTTP/1.1\r\nHost: %s\r\n"
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
  close_pair (&server, &client);
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
  open_pair (&server, &client);
  for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    {
      ask (&client, &a, "/echo", data, sizes[i]);
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
  close_pair (&server, &client);
  free (data);
}

static void
test_keep_alive (void **state)
{
  struct fixture server, client;
  char peer[64];
  int i;

  (void) state;
  open_pair (&server, &client);
  assert_int_equal (ask_code (&client, "/echo"), 200);
  strcpy (peer, server.peer);
  for (i = 0; i < 10; i++)
    {
      assert_int_equal (ask_code (&client, i % 2 ? "/echo" : "/late"),
                        i % 2 ? 200 : 202);
      assert_string_equal (server.peer, peer);
    }
  close_pair (&server, &client);
}

static void
test_late_reply (void **state)
{
  struct fixture server, client;
  struct answer a;
  int i;

  (void) state;
  open_pair (&server, &client);
  for (i = 0; i < 200; i++)
    {
      ask (&client, &a, "/late", "hello", 5);
      assert_int_equal (a.status, TALLY_OK);
      assert_int_equal (a.code, 202);
      assert_string_equal (a.type, "-");
      assert_int_equal (a.size, 5);
      free (a.body);
    }
  close_pair (&server, &client);
}

static void
test_token (void **state)
{
  struct fixture server, client;

  (void) state;
  prepare (&server);
  open_server (&server);
  prepare (&client);
  set_text (&client, "token", "open-sesame");
  open_client (&client, server.url);
  assert_int_equal (ask_code (&client, "/echo"), 200);
  assert_string_equal (server.credential, "open-sesame");
  close_pair (&server, &client);
}

static void
test_url_prefix (void **state)
{
  struct fixture server, client;
  char url[96];

  (void) state;
  prepare (&server);
  open_server (&server);
  snprintf (url, sizeof url, "%s/a/b/", server.url);
  prepare (&client);
  open_client (&client, url);
  assert_int_equal (ask_code (&client, "/echo"), 200);
  assert_string_equal (server.path, "/a/b/echo");
  close_pair (&server, &client);
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
  prepare (&client);
  open_client (&client, "http://127.0.0.1:1");
  for (i = 0; i < sizeof paths / sizeof paths[0]; i++)
    {
      ask (&client, &a, paths[i], "", 0);
      assert_int_equal (a.status, TALLY_INVALID);
    }
  close_fixture (&client);
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
  open_pair (&server, &client);
  for (i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
    {
      memset (&a, 0, sizeof a);
      request.verb = verbs[i];
      assert_int_equal (client.transport->exchange (client.handle, &request,
                                                    answer_emit, &a,
                                                    &a.traffic, &a.err),
                        TALLY_OK);
      assert_int_equal (a.code, 200);
      assert_string_equal (server.verb, verbs[i]);
      free (a.body);
    }
  assert_int_equal (ask_code (&client, "/echo"), 200);
  assert_string_equal (server.verb, "POST");
  close_pair (&server, &client);
}

static void *
many_main (void *ctx)
{
  struct answer *a = ctx;
  int i, good = 0;

  for (i = 0; i < EACH; i++)
    {
      a->path = i % 2 ? "/late" : "/echo";
      ask_main (a);
      good += a->status == TALLY_OK && a->size == a->n
              && memcmp (a->body, a->data, a->n) == 0;
      free (a->body);
      a->body = NULL;
    }
  a->status = good;
  return NULL;
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
  open_pair (&server, &client);
  for (i = 0; i < THREADS; i++)
    {
      memset (data[i], 'a' + i, sizeof data[i]);
      memset (&answers[i], 0, sizeof answers[i]);
      answers[i].client = &client;
      answers[i].data = data[i];
      answers[i].n = sizeof data[i];
      pthread_create (&threads[i], NULL, many_main, &answers[i]);
    }
  for (i = 0; i < THREADS; i++)
    pthread_join (threads[i], NULL);
  for (i = 0; i < THREADS; i++)
    assert_int_equal (answers[i].status, EACH);
  assert_int_equal (atomic_load (&server.requests), THREADS * EACH);
  close_pair (&server, &client);
}

/* ---- what goes wrong at the far side ----------------------------------- */

static void
test_refused (void **state)
{
  struct fixture client;
  int64_t begin = now_ms ();
  struct answer a;
  char url[64], text[96];
  unsigned port;
  int fd = raw_listen (&port);

  (void) state;
  close (fd);
  snprintf (url, sizeof url, "http://127.0.0.1:%u", port);
  snprintf (text, sizeof text, "%s: connection refused", url);
  prepare (&client);
  set_number (&client, "retries", 2);
  open_client (&client, url);
  ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_AGAIN);
  assert_string_equal (a.err.text, text);
  assert_true (now_ms () - begin < 3000);
  close_fixture (&client);
}

static void
test_retry_on_busy (void **state)
{
  struct fixture server, client;

  (void) state;
  open_pair (&server, &client);
  atomic_store (&server.busy, 2);
  assert_int_equal (ask_code (&client, "/busy"), 200);
  assert_int_equal (atomic_load (&server.requests), 3);
  close_pair (&server, &client);
}

static void
test_busy_for_good (void **state)
{
  struct fixture server, client;

  (void) state;
  prepare (&server);
  open_server (&server);
  prepare (&client);
  set_number (&client, "retries", 1);
  open_client (&client, server.url);
  atomic_store (&server.busy, 1000);
  assert_int_equal (ask_code (&client, "/busy"), 503);
  assert_int_equal (atomic_load (&server.requests), 2);
  close_pair (&server, &client);
}

static void
test_retry_after (void **state)
{
  static const char *const texts[] = {
    "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", NULL
  };
  int64_t begin = now_ms ();
  struct script script;
  struct fixture client;

  (void) state;
  script_start (&script, texts);
  script_client (&script, &client, 1);
  assert_int_equal (ask_code (&client, "/echo"), 200);
  assert_true (now_ms () - begin >= 1000);
  close_fixture (&client);
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
  ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.size, 2);
  assert_memory_equal (a.body, "ok", 2);
  free (a.body);
  close_fixture (&client);
  script_end (&script);

  script_start (&script, cut);
  script_client (&script, &client, 0);
  ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_AGAIN);
  assert_null (a.body);
  assert_int_equal (atomic_load (&script.connections), 1);
  close_fixture (&client);
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
  ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_FAILED);
  assert_non_null (strstr (a.err.text, "does not speak http"));
  close_fixture (&client);
  script_end (&script);
}

static void
test_no_redirect (void **state)
{
  static const char *const texts[] = {
    "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
    "Content-Length: 0\r\n\r\n", NULL
  };
  struct script script;
  struct fixture client;

  (void) state;
  script_start (&script, texts);
  script_client (&script, &client, 0);
  assert_int_equal (ask_code (&client, "/echo"), 302);
  close_fixture (&client);
  script_end (&script);
}

static void
test_reply_too_large (void **state)
{
  struct fixture server, client;
  char data[1000] = "";
  struct answer a;

  (void) state;
  prepare (&server);
  open_server (&server);
  prepare (&client);
  set_number (&client, "max_reply", 999);
  open_client (&client, server.url);
  ask (&client, &a, "/echo", data, 1000);
  assert_int_equal (a.status, TALLY_FAILED);
  assert_non_null (strstr (a.err.text, "max_reply"));
  assert_null (a.body);
  ask (&client, &a, "/echo", data, 999);
  assert_int_equal (a.status, TALLY_OK);
  free (a.body);
  close_pair (&server, &client);
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
  ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_FAILED);
  assert_non_null (strstr (a.err.text, "too large"));
  close_fixture (&client);
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
  prepare (&client);
  set_number (&client, "retries", 100);
  open_client (&client, url);
  atomic_store (&client.cancel_after, 20);
  ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_CANCELLED);
  close_fixture (&client);
}

static void
test_cancel_in_transfer (void **state)
{
  struct answer a = { .path = "/hold", .data = "held", .n = 4 };
  struct fixture server, client;
  int64_t begin = now_ms ();
  pthread_t thread;

  (void) state;
  open_pair (&server, &client);
  a.client = &client;
  pthread_create (&thread, NULL, ask_main, &a);
  hold_wait (&server);
  atomic_store (&client.cancel, 1);
  pthread_join (thread, NULL);
  assert_true (now_ms () - begin < 10000);
  assert_int_equal (a.status, TALLY_CANCELLED);
  assert_null (a.body);
  hold_release (&server);

  atomic_store (&client.cancel, 0);
  assert_int_equal (ask_code (&client, "/echo"), 200);
  close_pair (&server, &client);
}

static void
test_timeout (void **state)
{
  struct fixture server, client;
  struct answer a;

  (void) state;
  prepare (&server);
  open_server (&server);
  prepare (&client);
  set_number (&client, "timeout", 300);
  set_number (&client, "retries", 0);
  open_client (&client, server.url);
  ask (&client, &a, "/hold", "hello", 5);
  assert_int_equal (a.status, TALLY_AGAIN);
  assert_non_null (strstr (a.err.text, ": timed out"));
  hold_wait (&server);
  hold_release (&server);
  close_pair (&server, &client);
}

/* ---- what goes wrong at the near side of a server ---------------------- */

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
  prepare (&server);
  open_server (&server);
  for (i = 0; i < sizeof heads / sizeof heads[0]; i++)
    raw_expect (server.port, heads[i], "HTTP/1.1 400 ");
  assert_int_equal (atomic_load (&server.requests), 0);
  close_server (&server);
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
  prepare (&server);
  open_server (&server);
  for (i = 0; i < sizeof heads / sizeof heads[0]; i++)
    {
      fd = raw_connect (server.port);
      raw_send (fd, heads[i], strlen (heads[i]));
      shutdown (fd, SHUT_WR);
      raw_read (fd, reply, sizeof reply);
      close (fd);
      if (strstr (reply, " 200 ") || strstr (reply, "hello"))
        fail_msg ("\"%s\" was answered", heads[i]);
    }
  assert_int_equal (atomic_load (&server.requests), 0);
  close_server (&server);
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
  prepare (&server);
  open_server (&server);
  fd = raw_connect (server.port);
  raw_send (fd, text, n);
  raw_read (fd, reply, sizeof reply);
  close (fd);
  assert_null (strstr (reply, " 200 "));
  assert_int_equal (atomic_load (&server.requests), 0);
  close_server (&server);
  free (text);
}

static void
test_request_too_large (void **state)
{
  struct fixture server, client;
  struct answer a;
  char data[1500] = "";

  (void) state;
  prepare (&server);
  set_number (&server, "max_request", 1000);
  open_server (&server);
  raw_expect (server.port, HEAD "Content-Length: 999999999999999\r\n\r\nx",
              "HTTP/1.1 413 ");
  raw_expect (server.port,
              HEAD "Content-Length: 2002\r\nExpect: 100-continue\r\n\r\n",
              "HTTP/1.1 413 ");

  prepare (&client);
  open_client (&client, server.url);
  ask (&client, &a, "/echo", data, 1500);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.code, 413);
  free (a.body);
  assert_int_equal (atomic_load (&server.requests), 0);
  ask (&client, &a, "/echo", data, 1000);
  assert_int_equal (a.code, 200);
  free (a.body);
  close_pair (&server, &client);
}

static void
test_chunked (void **state)
{
  struct fixture server;
  char text[3000], reply[4096];
  int fd, i;

  (void) state;
  prepare (&server);
  set_number (&server, "max_request", 1000);
  open_server (&server);
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
  close_server (&server);
}

/* A byte now and then keeps libmicrohttpd's own time-out from firing. */
static void
expect_cut (unsigned port, const char *start)
{
  struct pollfd poller = { .events = POLLIN };
  int64_t begin = now_ms ();
  char reply[256];

  poller.fd = raw_connect (port);
  raw_send (poller.fd, start, strlen (start));
  while (poll (&poller, 1, 30) == 0 && now_ms () - begin < 8000)
    raw_send (poller.fd, "x", 1);
  raw_read (poller.fd, reply, sizeof reply);
  close (poller.fd);
  assert_true (now_ms () - begin < 8000);
  assert_true (now_ms () - begin >= 290);
  assert_null (strstr (reply, " 200 "));
}

static void
test_slow_sender (void **state)
{
  struct fixture server, client;

  (void) state;
  prepare (&server);
  set_number (&server, "request_timeout", 300);
  open_server (&server);
  expect_cut (server.port, "");
  expect_cut (server.port, HEAD "X-Slow: ");
  expect_cut (server.port, HEAD "Content-Length: 100000\r\n\r\n");
  assert_int_equal (atomic_load (&server.requests), 0);

  prepare (&client);
  open_client (&client, server.url);
  assert_int_equal (ask_code (&client, "/echo"), 200);
  close_pair (&server, &client);
}

/* The deadline is for the sender, not for those who make the reply. */
static void
test_slow_service (void **state)
{
  struct answer a = { .path = "/hold", .data = "held", .n = 4 };
  struct fixture server, client;
  pthread_t thread;

  (void) state;
  prepare (&server);
  set_number (&server, "request_timeout", 300);
  open_server (&server);
  prepare (&client);
  set_number (&client, "retries", 0);
  open_client (&client, server.url);
  a.client = &client;
  pthread_create (&thread, NULL, ask_main, &a);
  hold_wait (&server);
  expect_cut (server.port, "");
  expect_cut (server.port, "");
  hold_release (&server);
  pthread_join (thread, NULL);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.code, 207);
  free (a.body);
  close_pair (&server, &client);
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
  prepare (&server);
  open_server (&server);
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
  close_server (&server);
}

static void
test_query_and_credential (void **state)
{
  struct fixture server;

  (void) state;
  prepare (&server);
  open_server (&server);
  raw_expect (server.port, "GET /a%2fb%00?x=%31&y HTTP/1.1\r\nHost: h\r\n"
              "Connection: close\r\nauthorization: bearer  t0ken\r\n\r\n",
              "HTTP/1.1 200 ");
  assert_string_equal (server.path, "/a%2fb%00");
  assert_string_equal (server.verb, "GET");
  assert_string_equal (server.credential, "t0ken");
  raw_expect (server.port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close"
              "\r\nAuthorization: Basic Zm9vOmJhcg==\r\n\r\n",
              "HTTP/1.1 200 ");
  assert_string_equal (server.credential, "-");
  close_server (&server);
}

/* A client that goes away while its reply is being made. */
static void
test_client_gone (void **state)
{
  struct fixture server, client;
  int fd;

  (void) state;
  open_pair (&server, &client);
  fd = raw_connect (server.port);
  raw_send (fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n", 32);
  hold_wait (&server);
  close (fd);
  hold_release (&server);
  assert_int_equal (ask_code (&client, "/echo"), 200);
  close_pair (&server, &client);
}

/* ---- starting and stopping --------------------------------------------- */

static void
test_stop_waits_for_requests (void **state)
{
  struct answer a = { .path = "/hold", .data = "held", .n = 4 };
  struct fixture server, client;
  pthread_t thread;

  (void) state;
  open_pair (&server, &client);
  a.client = &client;
  pthread_create (&thread, NULL, ask_main, &a);
  hold_wait (&server);
  server.transport->stop (server.handle);
  assert_false (serve_returns (&server));
  hold_release (&server);
  pthread_join (server.thread, NULL);
  pthread_join (thread, NULL);
  assert_int_equal (server.status, TALLY_OK);
  assert_int_equal (a.status, TALLY_OK);
  assert_int_equal (a.code, 207);
  assert_memory_equal (a.body, "held", 4);
  free (a.body);
  close_fixture (&client);
  close_fixture (&server);
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
  for (round = 0; round < 5; round++)
    {
      prepare (&server);
      open_server (&server);
      prepare (&client);
      set_number (&client, "retries", 0);
      open_client (&client, server.url);
      for (i = 0; i < THREADS; i++)
        {
          memset (&answers[i], 0, sizeof answers[i]);
          answers[i].client = &client;
          answers[i].data = data;
          answers[i].n = sizeof data;
          pthread_create (&threads[i], NULL, many_main, &answers[i]);
        }
      close_server (&server);
      for (i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
      close_fixture (&client);
    }
}

static void
test_stop_before_serve (void **state)
{
  struct fixture server, client;

  (void) state;
  prepare (&server);
  set_text (&server, "listen", "127.0.0.1:0");
  assert_int_equal (try_open (&server), TALLY_OK);
  server.transport->stop (server.handle);
  serve_start (&server);
  pthread_join (server.thread, NULL);
  assert_int_equal (server.status, TALLY_OK);
  assert_false (server.ready);

  serve_start (&server);
  assert_true (server.ready);
  prepare (&client);
  open_client (&client, server.url);
  assert_int_equal (ask_code (&client, "/echo"), 200);
  close_pair (&server, &client);
}

static void
test_cancelled_serve (void **state)
{
  struct fixture server;

  (void) state;
  prepare (&server);
  open_server (&server);
  atomic_store (&server.cancel, 1);
  pthread_join (server.thread, NULL);
  assert_int_equal (server.status, TALLY_CANCELLED);
  close_fixture (&server);
}

static void
test_address_in_use (void **state)
{
  struct fixture one, two;
  char listen[32], text[96];

  (void) state;
  prepare (&one);
  open_server (&one);
  snprintf (listen, sizeof listen, "127.0.0.1:%u", one.port);
  snprintf (text, sizeof text, "%s: address already in use", listen);
  prepare (&two);
  set_text (&two, "listen", listen);
  assert_int_equal (try_open (&two), TALLY_OK);
  assert_int_equal (two.transport->serve (two.handle, &two.service,
                                          &two.err),
                    TALLY_AGAIN);
  assert_string_equal (two.err.text, text);
  close_fixture (&two);
  close_server (&one);
}

static void
test_listen_by_name (void **state)
{
  struct fixture server, client;

  (void) state;
  prepare (&server);
  set_text (&server, "listen", "localhost:0");
  open_server (&server);
  assert_int_equal (strncmp (server.url, "http://localhost:", 17), 0);
  prepare (&client);
  open_client (&client, server.url);
  assert_int_equal (ask_code (&client, "/echo"), 200);
  close_pair (&server, &client);
}

/* Beyond per_ip a connection is closed at once; the client tries again. */
static void
test_per_ip (void **state)
{
  struct fixture server;
  int fds[3], i;
  char reply[256];

  (void) state;
  prepare (&server);
  set_number (&server, "per_ip", 2);
  open_server (&server);
  for (i = 0; i < 2; i++)
    {
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
  close_server (&server);
}

/* ---- tls --------------------------------------------------------------- */

static void
expect_tls (struct fixture *server, const char *cert)
{
  struct fixture client;
  struct answer a;

  prepare (&client);
  open_client (&client, server->url);
  ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_DENIED);
  assert_non_null (strstr (a.err.text, ": certificate is not trusted"));
  close_fixture (&client);

  prepare (&client);
  set_text (&client, "ca_file", cert);
  open_client (&client, server->url);
  assert_int_equal (ask_code (&client, "/echo"), 200);
  assert_int_equal (ask_code (&client, "/late"), 202);
  close_fixture (&client);
}

static void
test_tls (void **state)
{
  char folder[] = "/tmp/test-transport-http-XXXXXX";
  char cert[64], key[64], command[512];
  struct fixture server;
  bool made;

  (void) state;
  assert_non_null (mkdtemp (folder));
  snprintf (cert, sizeof cert, "%s/cert.pem", folder);
  snprintf (key, sizeof key, "%s/key.pem", folder);
  snprintf (command, sizeof command,
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
            "-nodes -keyout %s -out %s -days 2 -subj /CN=localhost "
            "-addext subjectAltName=IP:127.0.0.1 2>/dev/null", key, cert);
  made = system (command) == 0;
  if (made)
    {
      prepare (&server);
      set_text (&server, "tls_cert", cert);
      set_text (&server, "tls_key", key);
      open_server (&server);
      assert_int_equal (strncmp (server.url, "https://127.0.0.1:", 18), 0);
      expect_tls (&server, cert);
      close_server (&server);
    }
  unlink (cert);
  unlink (key);
  rmdir (folder);
  if (!made)
    skip ();
}

static void
test_tls_bad_files (void **state)
{
  char folder[] = "/tmp/test-transport-http-XXXXXX";
  struct fixture server;
  char path[64];
  FILE *file;

  (void) state;
  assert_non_null (mkdtemp (folder));
  snprintf (path, sizeof path, "%s/junk.pem", folder);
  file = fopen (path, "w");
  assert_non_null (file);
  fputs ("junk\n", file);
  fclose (file);

  prepare (&server);
  set_text (&server, "listen", "127.0.0.1:0");
  set_text (&server, "tls_cert", path);
  set_text (&server, "tls_key", path);
  assert_int_equal (try_open (&server), TALLY_OK);
  assert_int_equal (server.transport->serve (server.handle, &server.service,
                                             &server.err),
                    TALLY_FAILED);
  assert_non_null (strstr (server.err.text, "does not start"));
  assert_false (server.ready);
  close_fixture (&server);
  unlink (path);
  rmdir (folder);
}

static void
test_tls_without_files (void **state)
{
  struct fixture server;

  (void) state;
  prepare (&server);
  set_text (&server, "listen", "127.0.0.1:0");
  set_text (&server, "tls_cert", "/nowhere/cert.pem");
  set_text (&server, "tls_key", "/nowhere/key.pem");
  assert_int_equal (try_open (&server), TALLY_OK);
  assert_int_equal (server.transport->serve (server.handle, &server.service,
                                             &server.err),
                    TALLY_NOTFOUND);
  assert_string_equal (server.err.text, "/nowhere/cert.pem: not found");
  close_fixture (&server);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_table),
    cmocka_unit_test (test_bad_options),
    cmocka_unit_test (test_nothing_set),
    cmocka_unit_test (test_echo),
    cmocka_unit_test (test_traffic),
    cmocka_unit_test (test_sizes),
    cmocka_unit_test (test_keep_alive),
    cmocka_unit_test (test_late_reply),
    cmocka_unit_test (test_token),
    cmocka_unit_test (test_url_prefix),
    cmocka_unit_test (test_bad_request),
    cmocka_unit_test (test_other_verbs),
    cmocka_unit_test (test_many_threads),
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
    cmocka_unit_test (test_stop_waits_for_requests),
    cmocka_unit_test (test_stop_in_traffic),
    cmocka_unit_test (test_stop_before_serve),
    cmocka_unit_test (test_cancelled_serve),
    cmocka_unit_test (test_address_in_use),
    cmocka_unit_test (test_listen_by_name),
    cmocka_unit_test (test_per_ip),
    cmocka_unit_test (test_tls),
    cmocka_unit_test (test_tls_bad_files),
    cmocka_unit_test (test_tls_without_files),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
