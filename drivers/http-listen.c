/* SPDX-License-Identifier: MIT */
/* Where to serve: the address in the ini, the socket that listens there, and
 * the url that comes of it. */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http-server.h"

#define BACKLOG 128

/* Takes ADDR:PORT or [ADDR]:PORT apart. */
int
http_listen_parse (struct http_server *server, const char *text,
                   struct tally_error *err)
{
  const char *colon = strrchr (text, ':');
  size_t n = colon ? (size_t) (colon - text) : 0;
  bool bracket = n > 2 && text[0] == '[' && text[n - 1] == ']';
  uint64_t port;

  if (n == 0 || n > 255 || !http_number (colon + 1, &port) || port > 65535
      || strpbrk (text, " \t/@") || (!bracket && strcspn (text, ":[]") < n))
    return http_fail (err, TALLY_INVALID,
                      "http: listen must be "
                      "address:port, like 127.0.0.1:7770 or [::1]:7770");

  server->listen = strdup (text);
  server->name = strndup (text, n);
  server->node = bracket ? strndup (text + 1, n - 2) : strndup (text, n);
  if (!server->listen || !server->name || !server->node)
    return http_fail (err, TALLY_FAILED, "http: out of memory");
  server->port = server->listen + n + 1;
  return TALLY_OK;
}

static int
listen_error (const struct http_server *server, int number,
              struct tally_error *err)
{
  int status = TALLY_FAILED;
  const char *text = "cannot be listened on";

  if (number == EADDRINUSE) {
    status = TALLY_AGAIN;
    text = "address already in use";
  } else if (number == EACCES) {
    status = TALLY_DENIED;
    text = "permission denied";
  } else if (number == EADDRNOTAVAIL)
    text = "not an address of this machine";
  return http_fail (err, status, "%s: %s", server->listen, text);
}

/* A listening socket at one address, or -1 with errno. */
static int
listen_bind (const struct addrinfo *info)
{
  int on = 1, number;
  int fd = socket (info->ai_family, info->ai_socktype, info->ai_protocol);

  if (fd < 0)
    return -1;
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fcntl (fd, F_SETFD, FD_CLOEXEC) == 0
      && fcntl (fd, F_SETFL, O_NONBLOCK) == 0
      && bind (fd, info->ai_addr, info->ai_addrlen) == 0
      && listen (fd, BACKLOG) == 0)
    return fd;
  number = errno;
  close (fd);
  errno = number;
  return -1;
}

int
http_listen_open (const struct http_server *server, int *out,
                  struct tally_error *err)
{
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                            .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
  struct addrinfo *list = NULL, *info;
  int fd = -1, number = EADDRNOTAVAIL;

  if (getaddrinfo (server->node, server->port, &hints, &list) != 0)
    return http_fail (err, TALLY_FAILED, "%s: host is not known",
                      server->listen);
  for (info = list; info && fd < 0; info = info->ai_next) {
    fd = listen_bind (info);
    if (fd < 0)
      number = errno;
  }
  freeaddrinfo (list);
  if (fd < 0)
    return listen_error (server, number, err);
  *out = fd;
  return TALLY_OK;
}

/* With the port that was really taken. */
void
http_listen_ready (struct http_server *server, int fd)
{
  struct sockaddr_storage addr;
  socklen_t size = sizeof addr;
  unsigned port = 0;
  char url[320];

  memset (&addr, 0, sizeof addr);
  if (getsockname (fd, (struct sockaddr *) &addr, &size) == 0)
    port = addr.ss_family == AF_INET6
               ? ntohs (((struct sockaddr_in6 *) &addr)->sin6_port)
               : ntohs (((struct sockaddr_in *) &addr)->sin_port);
  snprintf (url, sizeof url, "%s://%s:%u", server->cert ? "https" : "http",
            server->name, port);
  server->service->ready (server->service->ctx, url);
}
