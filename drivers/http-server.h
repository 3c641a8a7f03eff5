/* SPDX-License-Identifier: MIT */
/* What the files of the http driver's server share. */

#ifndef TALLY_HTTP_SERVER_H
#define TALLY_HTTP_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <microhttpd.h>

#include "http.h"

/* One connection, for its deadline. */
struct conn {
  struct conn *next;
  struct conn **link; /* what points here */
  int fd;
  uint64_t deadline_ms; /* 0: none, the reply is still being made */
};

struct http_server {
  const struct tally_host *host;
  char *listen;     /* as it stands in the ini */
  char *name;       /* its address, in brackets if it is IPv6 */
  char *node;       /* the same without */
  const char *port; /* points into listen */
  char *cert;       /* path, or NULL */
  char *key;
  size_t max_request;
  unsigned max_connections;
  unsigned per_ip;
  unsigned workers;
  unsigned idle_s;
  uint64_t request_ms;
  const struct tally_service *service; /* set while serving */
  pthread_mutex_t lock; /* guards all below; may be held over calls to
                         * libmicrohttpd's suspend and resume */
  pthread_cond_t changed;
  bool stop; /* asked for; taken back when serve returns */
  bool serving;
  bool draining;    /* no request is handed up any more */
  size_t under_way; /* handed up, not replied to */
  size_t leaving;   /* replied to, not all sent */
  size_t held;      /* bytes of bodies */
  struct conn *conns;
};

/* A reply of our own, to what is not handed up; it ends the connection. */
struct refusal {
  unsigned code;
  const char *text;
};

extern const struct refusal http_bad_head, http_bad_body, http_bad_encoding,
    http_too_large, http_busy;

/* One request, from its head to the end of its reply. */
struct call {
  struct http_server *server;
  struct MHD_Connection *connection;
  struct conn *conn;
  const struct refusal *refusal; /* NULL: none so far */
  uint64_t length;               /* as announced; 0 if not */
  char *body;
  size_t size;
  size_t allocated;
  char peer[80];
  struct tally_request request;
  bool packed;       /* the body is, with zstd */
  bool takes_packed; /* the reply may be */
  bool handed;
  /* Under server->lock. */
  bool replied;
  bool suspended;
  unsigned code;
  struct MHD_Response *response; /* NULL with replied: out of memory */
};

/* ---- http-head.c ---- */

/* Digits and nothing else. */
bool http_number (const char *text, uint64_t *number);

/* The refusal that the head deserves, or NULL; fills the call's request. */
const struct refusal *http_head_check (struct call *call);

/* ---- http-conn.c ---- */

/* MHD_NotifyConnectionCallback. */
void http_conn_notify (void *ctx, struct MHD_Connection *connection,
                       void **socket_ctx,
                       enum MHD_ConnectionNotificationCode what);

/* Under the lock, which it gives away while it waits: for a change, no longer
 * than until the next look at deadlines. */
void http_conn_tick (struct http_server *server);

/* ---- http-body.c ---- */

/* Takes in what has come, or refuses the call. */
void http_body_append (struct call *call, const char *data, size_t n);
void http_body_drop (struct call *call);

/* Puts what is packed in a body that is whole into its place, or refuses the
 * call. */
void http_body_unpack (struct call *call);

/* ---- http-call.c ---- */

/* MHD_AccessHandlerCallback, MHD_RequestCompletedCallback. */
enum MHD_Result http_call_access (void *ctx, struct MHD_Connection *connection,
                                  const char *path, const char *verb,
                                  const char *version, const char *data,
                                  size_t *size, void **call_ctx);
void http_call_completed (void *ctx, struct MHD_Connection *connection,
                          void **call_ctx,
                          enum MHD_RequestTerminationCode why);

/* ---- http-daemon.c ---- */

/* The listener is closed and becomes -1 when the daemon has taken it and does
 * not start. */
int http_daemon_start (struct http_server *server, int *listener,
                       struct MHD_Daemon **out, struct tally_error *err);

/* ---- http-listen.c ---- */

int http_listen_parse (struct http_server *server, const char *text,
                       struct tally_error *err);
int http_listen_open (const struct http_server *server, int *out,
                      struct tally_error *err);
void http_listen_ready (struct http_server *server, int fd);

#endif /* TALLY_HTTP_SERVER_H */
