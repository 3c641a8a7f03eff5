/* SPDX-License-Identifier: MIT */
/* Source ops with the locks that the driver asks for. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "drivercall.h"
#include "source.h"

struct source {
  const struct tally_source *ops;
  void *handle;
  pthread_mutex_t *lock; /* held in every call of an op; NULL: not needed */
  pthread_mutex_t own_lock;
  char *name;
};

int
source_open (struct source **out, const struct driver *driver,
             const struct tally_value *values, const char *name,
             const struct tally_host *host, struct tally_error *err)
{
  struct source *source = calloc (1, sizeof *source);
  int status;

  *out = NULL;
  if (!source)
    return error_nomem (err);
  source->ops = driver->source;
  source->name = strdup (name);
  pthread_mutex_init (&source->own_lock, NULL);
  source->lock =
      drivercall_lock (driver, source->ops->threads, &source->own_lock);
  if (!source->name)
    status = error_nomem (err);
  else {
    drivercall_enter (source->lock);
    status = source->ops->open (&source->handle, host, values, 0, err);
    drivercall_leave (source->lock);
    status = drivercall_status (name, status, err);
  }
  if (status == TALLY_OK)
    *out = source;
  else {
    source->ops = NULL;
    source_close (source);
  }
  return status;
}

void
source_close (struct source *source)
{
  if (!source)
    return;
  if (source->ops) {
    drivercall_enter (source->lock);
    source->ops->close (source->handle);
    drivercall_leave (source->lock);
  }
  pthread_mutex_destroy (&source->own_lock);
  free (source->name);
  free (source);
}

int
source_documents (struct source *source, tally_emit_record *emit, void *ctx,
                  struct tally_error *err)
{
  int status;

  drivercall_enter (source->lock);
  status = source->ops->documents (source->handle, emit, ctx, err);
  drivercall_leave (source->lock);
  return drivercall_status (source->name, status, err);
}
