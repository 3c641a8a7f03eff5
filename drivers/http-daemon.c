/* SPDX-License-Identifier: MIT */
/* Starting libmicrohttpd: a pool of threads, each polling its share of the
 * connections, with or without TLS. */

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "http-server.h"

#define PEM_MAX (1 << 20)

/* Paths go up as they came: whoever routes them compares bytes. */
static size_t
daemon_unescape (void *ctx, struct MHD_Connection *connection, char *text)
{
  (void) ctx;
  (void) connection;
  return strlen (text);
}

#ifdef __GNUC__
__attribute__ ((format (printf, 2, 0)))
#endif
static void
daemon_log (void *ctx, const char *format, va_list args)
{
  struct http_server *server = ctx;
  char line[256];
  size_t n;

  vsnprintf (line, sizeof line, format, args);
  n = strlen (line);
  while (n > 0 && line[n - 1] == '\n')
    line[--n] = '\0';
  server->host->log (server->host->ctx, 3, line);
}

/* Reads a PEM file whole; the caller frees it. */
static int
daemon_read_pem (const char *path, char **out, struct tally_error *err)
{
  FILE *file = fopen (path, "rbe");
  char *text = NULL;
  size_t n = 0;
  int status = TALLY_OK;

  if (!file)
    return http_fail (err, errno == EACCES ? TALLY_DENIED : TALLY_NOTFOUND,
                      "%s: %s", path,
                      errno == EACCES ? "permission denied" : "not found");
  text = malloc (PEM_MAX);
  if (text)
    n = fread (text, 1, PEM_MAX, file);
  if (!text || n == 0 || n == PEM_MAX || ferror (file)) {
    status = http_fail (err, TALLY_FAILED, "%s: cannot be read", path);
    free (text);
  } else {
    text[n] = '\0';
    *out = text;
  }
  fclose (file);
  return status;
}

/* The options are copied by libmicrohttpd or only used while it starts; the
 * socket is its own from then on, and when it does not start it closes it.
 * Polling, since its epoll misses an end of stream that comes together with
 * the last bytes, and then holds on to the connection until it times out. */
int
http_daemon_start (struct http_server *server, int *listener,
                   struct MHD_Daemon **out, struct tally_error *err)
{
  unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME
                   | MHD_USE_ERROR_LOG | MHD_USE_SUPPRESS_DATE_NO_CLOCK;
  struct MHD_OptionItem tls[4] = { { MHD_OPTION_END, 0, NULL } };
  char *cert = NULL, *key = NULL;
  int fd = *listener, status = TALLY_OK;

  if (server->cert) {
    status = daemon_read_pem (server->cert, &cert, err);
    if (status == TALLY_OK)
      status = daemon_read_pem (server->key, &key, err);
    if (status != TALLY_OK)
      goto out;
    flags |= MHD_USE_TLS;
    tls[0] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, cert };
    tls[1] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, key };
    tls[2] = (struct MHD_OptionItem){
      MHD_OPTION_HTTPS_PRIORITIES, 0,
      (void *) (uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
    };
    tls[3] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
  }

  *out = MHD_start_daemon (
      flags, 0, NULL, NULL, http_call_access, server,
      MHD_OPTION_EXTERNAL_LOGGER, daemon_log, server, MHD_OPTION_LISTEN_SOCKET,
      fd, MHD_OPTION_THREAD_POOL_SIZE, server->workers,
      MHD_OPTION_CONNECTION_LIMIT, server->max_connections,
      MHD_OPTION_PER_IP_CONNECTION_LIMIT, server->per_ip,
      MHD_OPTION_CONNECTION_TIMEOUT, server->idle_s,
      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
      http_call_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
      http_conn_notify, server, MHD_OPTION_UNESCAPE_CALLBACK, daemon_unescape,
      NULL, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
  if (!*out) {
    *listener = -1;
    status = http_fail (
        err, TALLY_FAILED, "%s: server does not start%s", server->listen,
        server->cert ? "; are tls_cert and tls_key a pair?" : "");
  }

out:
  free (key);
  free (cert);
  return status;
}
