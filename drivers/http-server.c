/* SPDX-License-Identifier: MIT */
/* The http driver's server, over libmicrohttpd: a pool of threads, each
 * polling its share of the connections.  A request is handed up once its
 * body is here; its connection sleeps until the reply.  libmicrohttpd only
 * ends connections that are silent and trusts heads more than we do, so the
 * thread in `serve` cuts whoever is too slow, and heads are checked here. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include "http.h"

#define TICK_MS 250        /* how late a deadline or a cancel may be seen */
#define LINGER_MS 5000     /* for replies to go out after a stop */
#define BACKLOG 128
#define PEM_MAX (1 << 20)
#define BUDGET 4           /* times max_request: bodies held at once */

/* One connection, for its deadline. */
struct conn
{
  struct conn *next;
  struct conn **link; /* what points here */
  int fd;
  uint64_t deadline_ms; /* 0: none, the reply is still being made */
};

struct http_server
{
  const struct tally_host *host;
  char *listen;  /* as it stands in the ini */
  char *name;    /* its address, in brackets if it is IPv6 */
  char *node;    /* the same without */
  const char *port; /* points into listen */
  char *cert;    /* path, or NULL */
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
  bool stop;         /* asked for; taken back when serve returns */
  bool serving;
  bool draining;     /* no request is handed up any more */
  size_t under_way;  /* handed up, not replied to */
  size_t leaving;    /* replied to, not all sent */
  size_t held;       /* bytes of bodies */
  struct conn *conns;
};

/* A reply of our own, to what is not handed up; it ends the connection. */
struct refusal
{
  unsigned code;
  const char *text;
};

static const struct refusal bad_head = { 400, "request head is malformed\n" };
static const struct refusal too_large = { 413, "request is too large\n" };
static const struct refusal busy = { 503, "server is busy\n" };

/* One request, from its head to the end of its reply. */
struct call
{
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
  bool handed;
  /* Under server->lock. */
  bool replied;
  bool suspended;
  unsigned code;
  struct MHD_Response *response; /* NULL with replied: out of memory */
};

/* ---- the head ---------------------------------------------------------- */

struct head
{
  struct tally_request *request;
  uint64_t length;
  unsigned lengths;
  unsigned encodings;
  unsigned hosts;
  unsigned credentials;
  bool bad;
};

static bool
head_length (const char *text, uint64_t *length)
{
  uint64_t value = 0;

  if (!*text || strlen (text) > 18)
    return false;
  for (; *text; text++)
    {
      if (*text < '0' || *text > '9')
        return false;
      value = value * 10 + (uint64_t) (*text - '0');
    }
  *length = value;
  return true;
}

static const char *
head_bearer (const char *text)
{
  if (strncasecmp (text, "bearer ", 7) != 0)
    return NULL;
  text += 7;
  while (*text == ' ')
    text++;
  return *text ? text : NULL;
}

/* A white space before the colon, or a NUL in a value, would be read
 * differently by a proxy in front of us. */
static enum MHD_Result
head_line (void *ctx, enum MHD_ValueKind kind, const char *name,
           size_t name_size, const char *value, size_t value_size)
{
  struct head *head = ctx;
  size_t i;

  (void) kind;
  if (!value)
    value = "";
  if (strlen (name) != name_size || strlen (value) != value_size)
    head->bad = true;
  for (i = 0; i < name_size; i++)
    if ((unsigned char) name[i] <= ' ')
      head->bad = true;

  if (strcasecmp (name, "Content-Length") == 0)
    {
      head->lengths++;
      if (!head_length (value, &head->length))
        head->bad = true;
    }
  else if (strcasecmp (name, "Transfer-Encoding") == 0)
    {
      head->encodings++;
      if (strcasecmp (value, "chunked") != 0)
        head->bad = true;
    }
  else if (strcasecmp (name, "Authorization") == 0)
    {
      head->credentials++;
      head->request->credential = head_bearer (value);
    }
  else if (strcasecmp (name, "Host") == 0)
    {
      head->hosts++;
      head->request->host = value;
    }
  else if (strcasecmp (name, "Origin") == 0)
    head->request->origin = value;
  else if (strcasecmp (name, "Content-Type") == 0)
    head->request->content_type = value;
  return MHD_YES;
}

/* The refusal that the head deserves, before a byte of the body is read.  A
 * body not far above the limit is let in and thrown away (call_append):
 * closing while a client still sends can destroy the reply on its way. */
static const struct refusal *
call_check_head (struct call *call)
{
  struct head head = { .request = &call->request };

  MHD_get_connection_values_n (call->connection, MHD_HEADER_KIND, head_line,
                               &head);
  if (head.bad || head.lengths + head.encodings > 1 || head.hosts > 1
      || head.credentials > 1)
    return &bad_head;
  if (head.length / 2 > call->server->max_request)
    return &too_large;
  call->length = head.length;
  return NULL;
}

/* ---- connections and their deadlines ----------------------------------- */

static void
server_notify_connection (void *ctx, struct MHD_Connection *connection,
                          void **socket_ctx,
                          enum MHD_ConnectionNotificationCode what)
{
  struct http_server *server = ctx;
  struct conn *conn = *socket_ctx;
  int fd = MHD_get_connection_info (connection,
                                    MHD_CONNECTION_INFO_CONNECTION_FD)
             ->connect_fd;

  pthread_mutex_lock (&server->lock);
  if (what == MHD_CONNECTION_NOTIFY_STARTED)
    {
      conn = calloc (1, sizeof *conn);
      *socket_ctx = conn;
      if (conn)
        {
          conn->fd = fd;
          conn->deadline_ms = http_now_ms () + server->request_ms;
          conn->next = server->conns;
          conn->link = &server->conns;
          if (conn->next)
            conn->next->link = &conn->next;
          server->conns = conn;
        }
      else
        shutdown (fd, SHUT_RDWR);
    }
  else if (conn)
    {
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
server_cut_late (struct http_server *server)
{
  uint64_t now = http_now_ms ();
  struct conn *conn;

  for (conn = server->conns; conn; conn = conn->next)
    if (conn->deadline_ms && conn->deadline_ms <= now)
      {
        shutdown (conn->fd, SHUT_RDWR);
        conn->deadline_ms = 0;
      }
}

/* Waits for a change, no longer than until the next look at deadlines. */
static void
server_tick (struct http_server *server)
{
  struct timespec until;

  clock_gettime (CLOCK_MONOTONIC, &until);
  until.tv_nsec += TICK_MS * 1000000;
  if (until.tv_nsec >= 1000000000)
    {
      until.tv_nsec -= 1000000000;
      until.tv_sec++;
    }
  pthread_cond_timedwait (&server->changed, &server->lock, &until);
  server_cut_late (server);
}

/* ---- calls ------------------------------------------------------------- */

static void
call_set_peer (struct call *call)
{
  const union MHD_ConnectionInfo *info;
  char host[64], port[8];
  const struct sockaddr *addr;
  socklen_t size = sizeof (struct sockaddr_in);

  info = MHD_get_connection_info (call->connection,
                                  MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  addr = info ? info->client_addr : NULL;
  if (!addr)
    return;
  if (addr->sa_family == AF_INET6)
    size = sizeof (struct sockaddr_in6);
  if (getnameinfo (addr, size, host, sizeof host, port, sizeof port,
                   NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return;
  snprintf (call->peer, sizeof call->peer,
            addr->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
  call->request.peer = call->peer;
}

static struct call *
call_new (struct http_server *server, struct MHD_Connection *connection)
{
  const union MHD_ConnectionInfo *info;
  struct call *call = calloc (1, sizeof *call);

  if (!call)
    return NULL;
  info = MHD_get_connection_info (connection,
                                  MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  call->server = server;
  call->connection = connection;
  call->conn = info ? info->socket_context : NULL;
  call->request.size = sizeof call->request;
  return call;
}

/* Gives the body's memory back to the budget. */
static void
call_drop_body (struct call *call)
{
  pthread_mutex_lock (&call->server->lock);
  call->server->held -= call->allocated;
  pthread_mutex_unlock (&call->server->lock);
  free (call->body);
  call->body = NULL;
  call->size = 0;
  call->allocated = 0;
}

/* Memory follows what has come, not what was announced.  The refusal, or
 * NULL when there is room for n more. */
static const struct refusal *
call_reserve (struct call *call, size_t n)
{
  struct http_server *server = call->server;
  size_t want = call->allocated ? call->allocated : 4096;
  bool fits;
  char *grown;

  if (n > server->max_request - call->size)
    return &too_large;
  while (want < call->size + n)
    want *= 2;
  if (want > server->max_request)
    want = server->max_request;
  if (call->length >= call->size + n && want > call->length)
    want = (size_t) call->length;
  if (want <= call->allocated)
    return NULL;

  pthread_mutex_lock (&server->lock);
  fits = want - call->allocated <= BUDGET * server->max_request
                                     - server->held;
  if (fits)
    server->held += want - call->allocated;
  pthread_mutex_unlock (&server->lock);
  if (!fits)
    return &busy;

  grown = realloc (call->body, want);
  if (!grown)
    {
      pthread_mutex_lock (&server->lock);
      server->held -= want - call->allocated;
      pthread_mutex_unlock (&server->lock);
      return &busy;
    }
  call->body = grown;
  call->allocated = want;
  return NULL;
}

/* Once refused, the rest is read and thrown away, within the deadline. */
static void
call_append (struct call *call, const char *data, size_t n)
{
  if (call->refusal)
    return;
  call->refusal = call_reserve (call, n);
  if (call->refusal)
    {
      call_drop_body (call);
      return;
    }
  memcpy (call->body + call->size, data, n);
  call->size += n;
}

static enum MHD_Result
call_refuse (struct call *call)
{
  const struct refusal *refusal = call->refusal;
  enum MHD_Result result = MHD_NO;
  struct MHD_Response *response;

  response = MHD_create_response_from_buffer (
    strlen (refusal->text), (void *) (uintptr_t) refusal->text,
    MHD_RESPMEM_PERSISTENT);
  if (!response)
    return MHD_NO;
  if (MHD_add_response_header (response, "Content-Type", "text/plain")
      && MHD_add_response_header (response, "Connection", "close")
      && (refusal != &busy
          || MHD_add_response_header (response, "Retry-After", "1")))
    result = MHD_queue_response (call->connection, refusal->code, response);
  MHD_destroy_response (response);
  return result;
}

static struct MHD_Response *
call_response (const struct tally_response *reply)
{
  struct MHD_Response *response;

  response = MHD_create_response_from_buffer (
    reply->body.size, (void *) (uintptr_t) reply->body.data,
    MHD_RESPMEM_MUST_COPY);
  if (response && reply->content_type
      && !MHD_add_response_header (response, "Content-Type",
                                   reply->content_type))
    {
      MHD_destroy_response (response);
      response = NULL;
    }
  return response;
}

/* What the service calls, from any thread, also while call_hand_up is still
 * inside `request`: whoever comes second to the lock sees the first.  After
 * the unlock the call may be gone. */
static void
server_reply (void *ctx, const struct tally_response *reply)
{
  struct call *call = ctx;
  struct http_server *server = call->server;
  struct MHD_Response *response = call_response (reply);

  pthread_mutex_lock (&server->lock);
  call->response = response;
  call->code = reply->code;
  call->replied = true;
  if (call->conn)
    call->conn->deadline_ms = http_now_ms () + server->request_ms;
  server->under_way--;
  server->leaving++;
  if (call->suspended)
    MHD_resume_connection (call->connection);
  if (server->draining)
    pthread_cond_broadcast (&server->changed);
  pthread_mutex_unlock (&server->lock);
}

/* On the connection's own thread, after the reply. */
static enum MHD_Result
call_finish (struct call *call)
{
  struct MHD_Response *response;
  enum MHD_Result result;

  pthread_mutex_lock (&call->server->lock);
  response = call->response;
  call->response = NULL;
  pthread_mutex_unlock (&call->server->lock);

  call_drop_body (call);
  if (!response)
    return MHD_NO;
  result = MHD_queue_response (call->connection, call->code, response);
  MHD_destroy_response (response);
  return result;
}

static enum MHD_Result
call_hand_up (struct call *call, const char *verb, const char *path)
{
  struct http_server *server = call->server;
  bool suspended;

  pthread_mutex_lock (&server->lock);
  if (server->draining)
    call->refusal = &busy;
  else
    {
      server->under_way++;
      if (call->conn)
        call->conn->deadline_ms = 0;
    }
  pthread_mutex_unlock (&server->lock);
  if (call->refusal)
    return call_refuse (call);

  call_set_peer (call);
  call->request.verb = verb;
  call->request.path = path;
  call->request.body.data = call->body;
  call->request.body.size = call->size;
  call->handed = true;
  server->service->request (server->service->ctx, &call->request,
                            server_reply, call);

  pthread_mutex_lock (&server->lock);
  suspended = !call->replied;
  if (suspended)
    {
      MHD_suspend_connection (call->connection);
      call->suspended = true;
    }
  pthread_mutex_unlock (&server->lock);
  return suspended ? MHD_YES : call_finish (call);
}

/* ---- what libmicrohttpd calls ------------------------------------------ */

/* Called with the head, with each piece of the body, at the end of the body,
 * and again when a connection that slept goes on. */
static enum MHD_Result
server_access (void *ctx, struct MHD_Connection *connection,
               const char *path, const char *verb, const char *version,
               const char *data, size_t *size, void **call_ctx)
{
  struct http_server *server = ctx;
  struct call *call = *call_ctx;

  (void) version;
  if (!call)
    {
      call = call_new (server, connection);
      if (!call)
        return MHD_NO;
      *call_ctx = call;
      call->refusal = call_check_head (call);
      return call->refusal ? call_refuse (call) : MHD_YES;
    }

  if (*size > 0)
    {
      call_append (call, data, *size);
      *size = 0;
      return MHD_YES;
    }
  if (call->handed)
    return call_finish (call);
  if (call->refusal)
    return call_refuse (call);
  return call_hand_up (call, verb, path);
}

/* A call that was handed up only ends after its reply: until then its
 * connection is suspended, and libmicrohttpd lets it be. */
static void
server_completed (void *ctx, struct MHD_Connection *connection,
                  void **call_ctx, enum MHD_RequestTerminationCode why)
{
  struct http_server *server = ctx;
  struct call *call = *call_ctx;

  (void) connection;
  (void) why;
  if (!call)
    return;
  *call_ctx = NULL;
  call_drop_body (call);
  pthread_mutex_lock (&server->lock);
  if (call->handed)
    server->leaving--;
  if (call->conn)
    call->conn->deadline_ms = http_now_ms () + server->request_ms
                              + (uint64_t) server->idle_s * 1000;
  if (server->draining)
    pthread_cond_broadcast (&server->changed);
  pthread_mutex_unlock (&server->lock);
  if (call->response)
    MHD_destroy_response (call->response);
  free (call);
}

/* Paths go up as they came: whoever routes them compares bytes. */
static size_t
server_unescape (void *ctx, struct MHD_Connection *connection, char *text)
{
  (void) ctx;
  (void) connection;
  return strlen (text);
}

#ifdef __GNUC__
__attribute__ ((format (printf, 2, 0)))
#endif
static void
server_log (void *ctx, const char *format, va_list args)
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

/* ---- serving ----------------------------------------------------------- */

static int
server_listen_error (const struct http_server *server, int number,
                     struct tally_error *err)
{
  int status = TALLY_FAILED;
  const char *text = "cannot be listened on";

  if (number == EADDRINUSE)
    {
      status = TALLY_AGAIN;
      text = "address already in use";
    }
  else if (number == EACCES)
    {
      status = TALLY_DENIED;
      text = "permission denied";
    }
  else if (number == EADDRNOTAVAIL)
    text = "not an address of this machine";
  return http_fail (err, status, "%s: %s", server->listen, text);
}

/* A listening socket at one address, or -1 with errno. */
static int
server_bind (const struct addrinfo *info)
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

static int
server_listen (const struct http_server *server, int *out,
               struct tally_error *err)
{
  struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                            .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
  struct addrinfo *list = NULL, *info;
  int fd = -1, number = EADDRNOTAVAIL;

  if (getaddrinfo (server->node, server->port, &hints, &list) != 0)
    return http_fail (err, TALLY_FAILED, "%s: host is not known",
                      server->listen);
  for (info = list; info && fd < 0; info = info->ai_next)
    {
      fd = server_bind (info);
      if (fd < 0)
        number = errno;
    }
  freeaddrinfo (list);
  if (fd < 0)
    return server_listen_error (server, number, err);
  *out = fd;
  return TALLY_OK;
}

/* Reads a PEM file whole; the caller frees it. */
static int
server_read_pem (const char *path, char **out, struct tally_error *err)
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
  if (!text || n == 0 || n == PEM_MAX || ferror (file))
    {
      status = http_fail (err, TALLY_FAILED, "%s: cannot be read", path);
      free (text);
    }
  else
    {
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
static int
server_start (struct http_server *server, int *listener,
              struct MHD_Daemon **out, struct tally_error *err)
{
  unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME
                   | MHD_USE_ERROR_LOG | MHD_USE_SUPPRESS_DATE_NO_CLOCK;
  struct MHD_OptionItem tls[4] = { { MHD_OPTION_END, 0, NULL } };
  char *cert = NULL, *key = NULL;
  int fd = *listener, status = TALLY_OK;

  if (server->cert)
    {
      status = server_read_pem (server->cert, &cert, err);
      if (status == TALLY_OK)
        status = server_read_pem (server->key, &key, err);
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
    flags, 0, NULL, NULL, server_access, server, MHD_OPTION_EXTERNAL_LOGGER,
    server_log, server, MHD_OPTION_LISTEN_SOCKET, fd,
    MHD_OPTION_THREAD_POOL_SIZE, server->workers,
    MHD_OPTION_CONNECTION_LIMIT, server->max_connections,
    MHD_OPTION_PER_IP_CONNECTION_LIMIT, server->per_ip,
    MHD_OPTION_CONNECTION_TIMEOUT, server->idle_s,
    MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
    server_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
    server_notify_connection, server, MHD_OPTION_UNESCAPE_CALLBACK,
    server_unescape, NULL, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
  if (!*out)
    {
      *listener = -1;
      status = http_fail (err, TALLY_FAILED, "%s: server does not start%s",
                          server->listen,
                          server->cert ? "; are tls_cert and tls_key a pair?"
                                       : "");
    }

out:
  free (key);
  free (cert);
  return status;
}

/* With the port that was really taken. */
static void
server_tell_ready (struct http_server *server, int fd)
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

/* Until every request has its reply; and then a while for the replies to
 * leave, since a client may take its time to read. */
static void
server_drain (struct http_server *server)
{
  uint64_t end;

  while (server->under_way > 0)
    server_tick (server);
  end = http_now_ms () + LINGER_MS;
  while (server->leaving > 0 && http_now_ms () < end)
    server_tick (server);
}

static int
server_run (struct http_server *server, struct tally_error *err)
{
  const struct tally_host *host = server->host;
  struct MHD_Daemon *daemon = NULL;
  bool cancelled = false;
  int fd = -1;
  int status = server_listen (server, &fd, err);

  if (status == TALLY_OK)
    status = server_start (server, &fd, &daemon, err);
  if (status != TALLY_OK)
    goto out;
  server_tell_ready (server, fd);

  pthread_mutex_lock (&server->lock);
  while (!server->stop && !cancelled)
    {
      server_tick (server);
      cancelled = host->cancelled (host->ctx) != 0;
    }
  server->draining = true;
  pthread_mutex_unlock (&server->lock);

  fd = MHD_quiesce_daemon (daemon);
  pthread_mutex_lock (&server->lock);
  server_drain (server);
  pthread_mutex_unlock (&server->lock);
  MHD_stop_daemon (daemon);
  if (cancelled)
    status = http_fail (err, TALLY_CANCELLED, "%s: cancelled",
                        server->listen);

out:
  if (fd >= 0)
    close (fd);
  return status;
}

int
http_server_serve (struct http_server *server,
                   const struct tally_service *service,
                   struct tally_error *err)
{
  int status = TALLY_OK;
  bool stop, serving;

  pthread_mutex_lock (&server->lock);
  serving = server->serving;
  stop = server->stop;
  server->serving = true;
  pthread_mutex_unlock (&server->lock);
  if (serving)
    return http_fail (err, TALLY_INVALID, "%s: is being served already",
                      server->listen);

  if (!stop)
    {
      server->service = service;
      status = server_run (server, err);
      server->service = NULL;
    }

  pthread_mutex_lock (&server->lock);
  server->serving = false;
  server->draining = false;
  server->stop = false;
  pthread_mutex_unlock (&server->lock);
  return status;
}

void
http_server_stop (struct http_server *server)
{
  pthread_mutex_lock (&server->lock);
  server->stop = true;
  pthread_cond_broadcast (&server->changed);
  pthread_mutex_unlock (&server->lock);
}

/* ---- making one -------------------------------------------------------- */

/* Takes ADDR:PORT or [ADDR]:PORT apart. */
static int
server_parse (struct http_server *server, const char *text,
              struct tally_error *err)
{
  const char *colon = strrchr (text, ':');
  size_t n = colon ? (size_t) (colon - text) : 0;
  bool bracket = n > 2 && text[0] == '[' && text[n - 1] == ']';
  uint64_t port;

  if (n == 0 || n > 255 || !head_length (colon + 1, &port) || port > 65535
      || strpbrk (text, " \t/@")
      || (!bracket && strcspn (text, ":[]") < n))
    return http_fail (err, TALLY_INVALID, "http: listen must be "
                      "address:port, like 127.0.0.1:7770 or [::1]:7770");

  server->listen = strdup (text);
  server->name = strndup (text, n);
  server->node = bracket ? strndup (text + 1, n - 2) : strndup (text, n);
  if (!server->listen || !server->name || !server->node)
    return http_fail (err, TALLY_FAILED, "http: out of memory");
  server->port = server->listen + n + 1;
  return TALLY_OK;
}

static bool
server_init_locks (struct http_server *server)
{
  pthread_condattr_t attr;
  bool good;

  if (pthread_condattr_init (&attr) != 0)
    return false;
  good = pthread_condattr_setclock (&attr, CLOCK_MONOTONIC) == 0
         && pthread_cond_init (&server->changed, &attr) == 0;
  pthread_condattr_destroy (&attr);
  if (good && pthread_mutex_init (&server->lock, NULL) != 0)
    {
      pthread_cond_destroy (&server->changed);
      good = false;
    }
  return good;
}

int
http_server_new (struct http_server **out, const struct tally_host *host,
                 const struct tally_value *values, struct tally_error *err)
{
  const char *cert = values[HTTP_TLS_CERT].text;
  const char *key = values[HTTP_TLS_KEY].text;
  struct http_server *server = calloc (1, sizeof *server);
  int status;

  if (!server || !server_init_locks (server))
    {
      free (server);
      return http_fail (err, TALLY_FAILED, "http: out of memory");
    }

  server->host = host;
  server->max_request = (size_t) values[HTTP_MAX_REQUEST].number;
  server->max_connections = (unsigned) values[HTTP_MAX_CONNECTIONS].number;
  server->per_ip = (unsigned) values[HTTP_PER_IP].number;
  server->workers = (unsigned) values[HTTP_WORKERS].number;
  server->request_ms = (uint64_t) values[HTTP_REQUEST_TIMEOUT].number;
  server->idle_s = (unsigned) ((values[HTTP_IDLE_TIMEOUT].number + 999)
                               / 1000);
  if (server->workers > server->max_connections)
    server->workers = server->max_connections;

  status = server_parse (server, values[HTTP_LISTEN].text, err);
  if (status == TALLY_OK && cert)
    {
      server->cert = strdup (cert);
      server->key = strdup (key);
      if (!server->cert || !server->key)
        status = http_fail (err, TALLY_FAILED, "http: out of memory");
    }
  if (status == TALLY_OK)
    *out = server;
  else
    http_server_free (server);
  return status;
}

void
http_server_free (struct http_server *server)
{
  if (!server)
    return;
  pthread_mutex_destroy (&server->lock);
  pthread_cond_destroy (&server->changed);
  free (server->key);
  free (server->cert);
  free (server->node);
  free (server->name);
  free (server->listen);
  free (server);
}
