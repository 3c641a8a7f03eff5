/* SPDX-License-Identifier: MIT */
/* What every call of a driver's slot needs, for stores and transports alike:
 * the lock that its table asks for, and a check of what came back. */

#ifndef TALLY_DRIVERCALL_H
#define TALLY_DRIVERCALL_H

#include <pthread.h>

#include <tally/driver.h>

#include "error.h"
#include "registry.h"

/* The lock to hold in each call on a handle: the driver's, the handle's own,
 * or none. */
static inline pthread_mutex_t *
drivercall_lock (const struct driver *driver, int threads,
                 pthread_mutex_t *own)
{
  if (threads == TALLY_THREADS_ONE)
    return driver->lock;
  return threads == TALLY_THREADS_ANY ? NULL : own;
}

/* Whoever holds it over several calls enters it again in each of them. */
static inline int
drivercall_lock_init (pthread_mutex_t *lock)
{
  pthread_mutexattr_t how;
  int failed = pthread_mutexattr_init (&how);

  if (failed)
    return failed;
  pthread_mutexattr_settype (&how, PTHREAD_MUTEX_RECURSIVE);
  failed = pthread_mutex_init (lock, &how);
  pthread_mutexattr_destroy (&how);
  return failed;
}

static inline void
drivercall_enter (pthread_mutex_t *lock)
{
  if (lock)
    pthread_mutex_lock (lock);
}

static inline void
drivercall_leave (pthread_mutex_t *lock)
{
  if (lock)
    pthread_mutex_unlock (lock);
}

/* A driver's mistakes must not pass for success.  name is the object. */
static inline int
drivercall_status (const char *name, int status, struct tally_error *err)
{
  if (status == TALLY_OK)
    return TALLY_OK;
  if (status > 0 || status < TALLY_CANCELLED)
    return error_set (err, TALLY_FAILED,
                      "%s: its driver gave the unknown status %d", name,
                      status);
  if (err && (err->status != status || !err->text[0]))
    return error_set (err, status, "%s: its driver gave no reason", name);
  return status;
}

#endif /* TALLY_DRIVERCALL_H */
