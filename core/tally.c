/* SPDX-License-Identifier: MIT */
/* The context: made, cancelled, ended. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "context.h"
#include "public.h"
#include "watch.h"

extern char **environ;

const char *
tally_version (void)
{
  return PACKAGE_VERSION;
}

/* ---- what drivers are offered ------------------------------------------ */

static void
host_log (void *ctx, int level, const char *text)
{
  struct tally *tally = ctx;

  if (tally->log)
    tally->log (tally->ctx, level, text);
}

static int
host_cancelled (void *ctx)
{
  struct tally *tally = ctx;

  return atomic_load (&tally->cancelled);
}

void
context_log (struct tally *tally, int level, const char *fmt, ...)
{
  char line[512];
  va_list args;

  va_start (args, fmt);
  vsnprintf (line, sizeof line, fmt, args);
  va_end (args);
  host_log (tally, level, line);
}

/* ---- new ---------------------------------------------------------------- */

static int
read_config (struct tally *tally, const struct tally_setup *setup,
             struct tally_error *err)
{
  char *path = NULL;
  unsigned flags = 0;
  int status = TALLY_OK;

  if (setup->config_text)
    return config_load (&tally->config, NULL, setup->config_text, 0, environ,
                        err);
  if (setup->config_path || (setup->flags & TALLY_FIND_CONFIG))
    status = config_find (&path, &flags, setup->config_path, environ, err);
  if (status == TALLY_OK)
    status = config_load (&tally->config, path, NULL, flags, environ, err);
  free (path);
  return status;
}

static int
open_pipe (struct tally *tally, struct tally_error *err)
{
  if (pipe (tally->cancel_pipe) != 0)
    return error_set (err, TALLY_FAILED, "pipe: %s", strerror (errno));
  for (int i = 0; i < 2; i++)
    fcntl (tally->cancel_pipe[i], F_SETFD, FD_CLOEXEC);
  /* A signal handler must not wait on a full pipe. */
  fcntl (tally->cancel_pipe[1], F_SETFL, O_NONBLOCK);
  return TALLY_OK;
}

static int
start (struct tally *tally, const struct tally_setup *setup,
       struct tally_error *err)
{
  int status = open_pipe (tally, err);

  if (status != TALLY_OK)
    return status;
  if (sodium_init () < 0)
    return error_set (err, TALLY_FAILED, "libsodium: no random numbers");
  if (setup->token_file) {
    tally->token_file = strdup (setup->token_file);
    if (!tally->token_file)
      return error_nomem (err);
  }
  status = read_config (tally, setup, err);
  if (status != TALLY_OK)
    return status;
  tally->registry = registry_new (tally->config->driver_dirs, err);
  return tally->registry ? TALLY_OK : err->status;
}

/* What is told to the log while a store is opened may be kept in another. */
static void
init_lock (pthread_mutex_t *lock)
{
  pthread_mutexattr_t attr;

  pthread_mutexattr_init (&attr);
  pthread_mutexattr_settype (&attr, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init (lock, &attr);
  pthread_mutexattr_destroy (&attr);
}

int
tally_new (struct tally **out, const struct tally_setup *setup,
           struct tally_error *err)
{
  struct tally_setup given = { 0 };
  struct tally *tally = calloc (1, sizeof *tally);
  int status;

  err = PUBLIC_ERROR (err);
  *out = NULL;
  if (!tally)
    return error_nomem (err);
  public_copy (&given, sizeof given, setup, setup ? setup->size : 0);
  init_lock (&tally->lock);
  tally->cancel_pipe[0] = tally->cancel_pipe[1] = -1;
  tally->log = given.log;
  tally->event = given.event;
  tally->ctx = given.ctx;
  tally->host.size = sizeof tally->host;
  tally->host.ctx = tally;
  tally->host.log = host_log;
  tally->host.cancelled = host_cancelled;
  status = start (tally, &given, err);
  if (status == TALLY_OK)
    *out = tally;
  else
    tally_free (tally);
  return status;
}

void
tally_free (struct tally *tally)
{
  if (!tally)
    return;
  watch_stop_all (tally);
  registry_free (tally->registry);
  config_free (tally->config);
  for (int i = 0; i < 2; i++)
    if (tally->cancel_pipe[i] >= 0)
      close (tally->cancel_pipe[i]);
  free (tally->token_file);
  pthread_mutex_destroy (&tally->lock);
  free (tally);
}

void
tally_cancel (struct tally *tally)
{
  int saved = errno;
  ssize_t written;

  atomic_store (&tally->cancelled, 1);
  written = write (tally->cancel_pipe[1], "", 1);
  (void) written;
  errno = saved;
}

const char *
tally_config_path (const struct tally *tally)
{
  return tally->config->path;
}

int
tally_registry_add (struct tally *tally, const struct tally_driver *driver,
                    struct tally_error *err)
{
  return registry_add (tally->registry, driver, PUBLIC_ERROR (err));
}
