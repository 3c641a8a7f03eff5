/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "raw-kit.h"

int
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
bool
raw_send (int fd, const char *data, size_t n)
{
  return send (fd, data, n, MSG_NOSIGNAL) == (ssize_t) n;
}

/* Reads until the peer closes, ten seconds at most. */
void
raw_read (int fd, char *out, size_t size)
{
  struct timeval limit = { 10, 0 };
  size_t used = 0;
  ssize_t n = 1;

  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  while (n > 0 && used < size - 1) {
    n = recv (fd, out + used, size - 1 - used, 0);
    if (n > 0)
      used += (size_t) n;
  }
  out[used] = '\0';
}

/* Sends the text and checks what the answer starts with, and that the server
 * then closes: within a test's limit, without being asked to. */
void
raw_expect (unsigned port, const char *text, const char *start)
{
  int64_t begin = kit_now_ms ();
  char reply[4096];
  int fd = raw_connect (port);

  raw_send (fd, text, strlen (text));
  raw_read (fd, reply, sizeof reply);
  close (fd);
  if (strncmp (reply, start, strlen (start)) != 0)
    fail_msg ("sent \"%.40s...\", got \"%.60s\"", text, reply);
  assert_true (kit_now_ms () - begin < 8000);
}

/* A listening socket of the test's own. */
int
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

/* Whether the body is here, of which `used` bytes have come with the head. */
static bool
is_whole (const char *head, size_t used)
{
  const char *body = strstr (head, "\r\n\r\n");
  const char *length = strstr (head, "Content-Length: ");

  return body && length && length < body
         && used - (size_t) (body + 4 - head)
                >= strtoul (length + 16, NULL, 10);
}

static void *
script_main (void *ctx)
{
  struct script *script = ctx;
  char buffer[16384];
  size_t used;
  ssize_t n;
  int fd;

  for (;;) {
    fd = accept (script->fd, NULL, NULL);
    if (fd < 0)
      return NULL;
    for (used = 0, n = 1; n > 0 && used < sizeof buffer - 1;) {
      n = recv (fd, buffer + used, sizeof buffer - 1 - used, 0);
      used += n > 0 ? (size_t) n : 0;
      buffer[used] = '\0';
      if (strstr (buffer, "\r\n\r\nhello") || is_whole (buffer, used))
        break;
    }
    atomic_fetch_add (&script->connections, 1);
    raw_send (fd, script->texts[0], strlen (script->texts[0]));
    if (script->texts[1])
      script->texts++;
    close (fd);
  }
}

void
script_start (struct script *script, const char *const *texts)
{
  memset (script, 0, sizeof *script);
  script->texts = texts;
  script->fd = raw_listen (&script->port);
  pthread_create (&script->thread, NULL, script_main, script);
}

void
script_end (struct script *script)
{
  shutdown (script->fd, SHUT_RDWR);
  pthread_join (script->thread, NULL);
  close (script->fd);
}

void
script_client (const struct script *script, struct fixture *client,
               int retries)
{
  char url[64];

  snprintf (url, sizeof url, "http://127.0.0.1:%u", script->port);
  kit_prepare (client);
  kit_set_number (client, "retries", retries);
  kit_open_client (client, url);
}
