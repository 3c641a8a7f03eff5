/* SPDX-License-Identifier: MIT */
/* Connections and their deadlines.  libmicrohttpd only ends connections that
 * are silent, so the thread in `serve` cuts whoever is too slow. */

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include <microhttpd.h>

#include "http-server.h"

#define TICK_MS 250 /* how late a deadline or a cancel may be seen */

void
http_conn_notify (void *ctx, struct MHD_Connection *connection,
                  void **socket_ctx, enum MHD_ConnectionNotificationCode what)
{
  struct http_server *server = ctx;
  struct conn *conn = *socket_ctx;
  int fd =
      MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD)
          ->connect_fd;

  pthread_mutex_lock (&server->lock);
  if (what == MHD_CONNECTION_NOTIFY_STARTED) {
    conn = calloc (1, sizeof *conn);
    *socket_ctx = conn;
    if (conn) {
      conn->fd = fd;
      conn->deadline_ms = http_now_ms () + server->request_ms;
      conn->next = server->conns;
      conn->link = &server->conns;
      if (conn->next)
        conn->next->link = &conn->next;
      server->conns = conn;
    } else
      shutdown (fd, SHUT_RDWR);
  } else if (conn) {
    *conn->link = conn->next;
    if (conn->next)
      conn->next->link = conn->link;
    free (conn);
    *socket_ctx = NULL;
  }
  pthread_mutex_unlock (&server->lock);
}

/* Under the lock.  A descriptor in the list is still open: its connection
 * leaves the list before it is closed. */
static void
conn_cut_late (struct http_server *server)
{
  uint64_t now = http_now_ms ();
  struct conn *conn;

  for (conn = server->conns; conn; conn = conn->next)
    if (conn->deadline_ms && conn->deadline_ms <= now) {
      shutdown (conn->fd, SHUT_RDWR);
      conn->deadline_ms = 0;
    }
}

/* Waits for a change, no longer than until the next look at deadlines. */
void
http_conn_tick (struct http_server *server)
{
  struct timespec until;

  clock_gettime (CLOCK_MONOTONIC, &until);
  until.tv_nsec += TICK_MS * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    until.tv_sec++;
  }
  pthread_cond_timedwait (&server->changed, &server->lock, &until);
  conn_cut_late (server);
}
