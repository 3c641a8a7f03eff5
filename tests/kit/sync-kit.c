/* SPDX-License-Identifier: MIT */
/* Contexts, documents and servers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync-kit.h"

/* A failure shows what the library said. */
static void
must (int status, const struct tally_error *err)
{
  if (status != TALLY_OK)
    fail_msg ("status %d: %s", status, err->text);
}

static char *
format (const char *fmt, va_list args)
{
  va_list again;
  char *text;
  int size;

  va_copy (again, args);
  size = vsnprintf (NULL, 0, fmt, again);
  va_end (again);
  assert_true (size >= 0);
  text = malloc ((size_t) size + 1);
  assert_non_null (text);
  vsnprintf (text, (size_t) size + 1, fmt, args);
  return text;
}

/* ---- contexts ----------------------------------------------------------- */

struct tally *
kit_context (const struct tally_setup *setup, const char *fmt, ...)
{
  struct tally_setup filled = { .size = sizeof filled };
  struct tally_error err = { 0 };
  struct tally *tally;
  va_list args;
  char *text;
  int status;

  if (setup)
    filled = *setup;
  va_start (args, fmt);
  text = format (fmt, args);
  va_end (args);
  filled.config_text = text;
  status = tally_new (&tally, &filled, &err);
  must (status, &err);
  free (text);
  return tally;
}

struct wanted {
  const char *name, *kind;
  bool found;
};

static int
find_driver (void *ctx, const struct tally_driver_info *info)
{
  struct wanted *wanted = ctx;

  wanted->found = info->ok && info->kind
                  && strcmp (info->name, wanted->name) == 0
                  && strstr (info->kind, wanted->kind);
  return wanted->found;
}

bool
kit_has_driver (struct tally *tally, const char *name, const char *kind)
{
  struct wanted wanted = { name, kind, false };
  struct tally_error err = { 0 };
  int status = tally_drivers (tally, NULL, find_driver, &wanted, &err);

  must (status, &err);
  return wanted.found;
}

struct tally_replica *
kit_store (struct tally *tally, const char *name)
{
  struct tally_replica *replica;
  struct tally_error err = { 0 };
  int status =
      tally_replica_open (&replica, tally, name, TALLY_OPEN_CREATE, &err);

  must (status, &err);
  return replica;
}

/* ---- documents ---------------------------------------------------------- */

static void
put (struct tally_replica *replica, const char *collection, int replace,
     const char *fmt, va_list args)
{
  struct tally_put_options options = { .size = sizeof options };
  struct tally_error err = { 0 };
  char *json = format (fmt, args);
  int status;

  options.replace = replace;
  status = tally_put (replica, collection, json, strlen (json), &options, NULL,
                      NULL, &err);
  must (status, &err);
  free (json);
}

void
kit_put (struct tally_replica *replica, const char *collection,
         const char *fmt, ...)
{
  va_list args;

  va_start (args, fmt);
  put (replica, collection, 0, fmt, args);
  va_end (args);
}

void
kit_replace (struct tally_replica *replica, const char *collection,
             const char *fmt, ...)
{
  va_list args;

  va_start (args, fmt);
  put (replica, collection, 1, fmt, args);
  va_end (args);
}

void
kit_remove (struct tally_replica *replica, const char *collection,
            const char *id)
{
  struct tally_error err = { 0 };
  int status = tally_remove (replica, collection, &id, 1, NULL, NULL, &err);

  must (status, &err);
}

struct got {
  char *json;
  char *rev; /* or NULL */
};

static int
keep_document (void *ctx, const struct tally_document *document)
{
  struct got *got = ctx;

  got->json = strndup (document->json, document->json_size);
  assert_non_null (got->json);
  if (got->rev)
    snprintf (got->rev, TALLY_REV_TEXT, "%s", document->rev);
  return 1;
}

char *
kit_get (struct tally_replica *replica, const char *collection, const char *id,
         char rev[TALLY_REV_TEXT])
{
  struct got got = { NULL, rev };
  struct tally_error err = { 0 };
  int status =
      tally_get (replica, collection, &id, 1, keep_document, &got, &err);

  must (status, &err);
  return got.json;
}

void
kit_expect (struct tally_replica *replica, const char *collection,
            const char *id, const char *part)
{
  char *json = kit_get (replica, collection, id, NULL);

  if (part && (!json || !strstr (json, part)))
    fail_msg ("%s \"%s\" is %s, which has no %s", collection, id,
              json ? json : "missing", part);
  if (!part && json)
    fail_msg ("%s \"%s\" is %s", collection, id, json);
  free (json);
}

static int
count_document (void *ctx, const struct tally_document *document)
{
  (void) document;
  ++*(size_t *) ctx;
  return 0;
}

size_t
kit_count (struct tally_replica *replica, const char *collection)
{
  struct tally_error err = { 0 };
  size_t n = 0;
  int status =
      tally_find (replica, collection, NULL, NULL, count_document, &n, &err);

  must (status, &err);
  return n;
}

struct dump {
  FILE *out;
  char names[KIT_ROWS][64];
  size_t n;
};

static int
keep_name (void *ctx, const char *name)
{
  struct dump *dump = ctx;

  assert_true (dump->n < KIT_ROWS);
  snprintf (dump->names[dump->n++], sizeof dump->names[0], "%s", name);
  return 0;
}

static int
write_document (void *ctx, const struct tally_document *document)
{
  struct dump *dump = ctx;

  fprintf (dump->out, "%s %s %.*s\n", document->collection, document->rev,
           (int) document->json_size, document->json);
  return 0;
}

char *
kit_dump (struct tally_replica *replica)
{
  struct dump dump = { NULL, { "" }, 0 };
  struct tally_error err = { 0 };
  char *text;
  size_t size;
  int status = tally_collections (replica, keep_name, &dump, &err);

  must (status, &err);
  dump.out = open_memstream (&text, &size);
  assert_non_null (dump.out);
  for (size_t i = 0; i < dump.n; i++) {
    status = tally_find (replica, dump.names[i], NULL, NULL, write_document,
                         &dump, &err);
    must (status, &err);
  }
  assert_int_equal (fclose (dump.out), 0);
  return text;
}

/* The line at the first byte that differs. */
static const char *
line_at (const char *text, size_t at, char line[200])
{
  size_t from = at;

  while (from > 0 && text[from - 1] != '\n')
    from--;
  snprintf (line, 200, "%.*s", (int) strcspn (text + from, "\n"), text + from);
  return line;
}

void
kit_same (struct tally_replica *a, struct tally_replica *b)
{
  char *x = kit_dump (a), *y = kit_dump (b), one[200], other[200];
  size_t at = 0;

  while (x[at] && x[at] == y[at])
    at++;
  if (x[at] != y[at])
    fail_msg ("one has    %s\nthe other  %s", line_at (x, at, one),
              line_at (y, at, other));
  free (y);
  free (x);
}

struct verified {
  uint64_t documents_a, documents_b;
};

static int
check_difference (void *ctx, const struct tally_difference *difference)
{
  struct verified *verified = ctx;

  if (!difference->equal)
    fail_msg ("%s: only_a %llu, only_b %llu, different %llu",
              difference->collection, (unsigned long long) difference->only_a,
              (unsigned long long) difference->only_b,
              (unsigned long long) difference->different);
  verified->documents_a += difference->documents_a;
  verified->documents_b += difference->documents_b;
  return 0;
}

void
kit_verify (struct tally *tally, const char *a, const char *b,
            uint64_t documents)
{
  struct verified verified = { 0, 0 };
  struct tally_error err = { 0 };
  int status = tally_verify (tally, a, b, check_difference, &verified, &err);

  must (status, &err);
  assert_int_equal (verified.documents_a, documents);
  assert_int_equal (verified.documents_b, documents);
}

/* ---- servers ------------------------------------------------------------ */

static void
on_ready (void *ctx, const char *name, const char *url)
{
  struct kit_server *server = ctx;

  (void) name;
  pthread_mutex_lock (&server->lock);
  snprintf (server->url, sizeof server->url, "%s", url);
  server->ready = true;
  pthread_cond_broadcast (&server->changed);
  pthread_mutex_unlock (&server->lock);
}

/* Only the test's own thread may assert. */
static void *
serve (void *ctx)
{
  struct kit_server *server = ctx;
  struct tally_serve_options options = { .size = sizeof options };

  options.ready = on_ready;
  options.ctx = server;
  server->status =
      tally_serve (server->tally, &server->name, 1, &options, &server->err);
  pthread_mutex_lock (&server->lock);
  server->done = true;
  pthread_cond_broadcast (&server->changed);
  pthread_mutex_unlock (&server->lock);
  return NULL;
}

void
kit_serve (struct kit_server *server, struct tally *tally, const char *name)
{
  memset (server, 0, sizeof *server);
  server->tally = tally;
  server->name = name;
  assert_int_equal (pthread_mutex_init (&server->lock, NULL), 0);
  assert_int_equal (pthread_cond_init (&server->changed, NULL), 0);
  assert_int_equal (pthread_create (&server->thread, NULL, serve, server), 0);
  pthread_mutex_lock (&server->lock);
  while (!server->ready && !server->done)
    pthread_cond_wait (&server->changed, &server->lock);
  pthread_mutex_unlock (&server->lock);
  if (!server->ready)
    fail_msg ("serve: %s", server->err.text);
}

void
kit_serve_end (struct kit_server *server)
{
  tally_cancel (server->tally);
  assert_int_equal (pthread_join (server->thread, NULL), 0);
  pthread_cond_destroy (&server->changed);
  pthread_mutex_destroy (&server->lock);
  must (server->status, &server->err);
}
