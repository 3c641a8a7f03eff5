/* SPDX-License-Identifier: MIT */
/* A channel: an open transport, with the locks that its driver asks for.
 * channel.c is the only file that calls transport ops. */

#ifndef TALLY_CHANNEL_H
#define TALLY_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>

#include <tally/driver.h>

#include "buf.h"
#include "registry.h"

struct channel {
  const struct tally_transport *ops;
  void *handle;
  pthread_mutex_t *lock; /* NULL: not needed */
  pthread_mutex_t own_lock;
  char *name; /* for messages */
};

int channel_open (struct channel **out, const struct driver *driver,
                  const struct tally_value *values, unsigned flags,
                  const char *name, const struct tally_host *host,
                  struct tally_error *err);

/* A channel over a table of core's own and a handle that is open already. */
int channel_adopt (struct channel **out, const struct tally_transport *ops,
                   void *handle, const char *name, struct tally_error *err);
void channel_close (struct channel *channel);

bool channel_is_folder (const struct channel *channel);

/* True when an exchange may take its time and keeps no other handle of the
 * driver from its own. */
bool channel_can_linger (const struct channel *channel);

/* Sends one frame and fills `reply` with the answer; what the far side's
 * refusal means as a status is decided here. */
int channel_exchange (struct channel *channel, struct tally_slice frame,
                      struct buf *reply, struct tally_traffic *traffic,
                      struct tally_error *err);

/* The same for who speaks something else: posts a body to a path.  What the
 * reply is, is not looked at. */
int channel_post (struct channel *channel, const char *path, const char *type,
                  struct tally_slice body, struct buf *reply,
                  struct tally_traffic *traffic, struct tally_error *err);

/* See the slots of the same name in driver.h. */
int channel_serve (struct channel *channel,
                   const struct tally_service *service,
                   struct tally_error *err);
void channel_stop (struct channel *channel);
int channel_list (struct channel *channel, const char *prefix,
                  tally_emit_name *emit, void *ctx, struct tally_error *err);
int channel_read (struct channel *channel, const char *name, struct buf *out,
                  struct tally_error *err);
int channel_create (struct channel *channel, const char *name,
                    struct tally_slice data, struct tally_error *err);
int channel_remove (struct channel *channel, const char *name,
                    struct tally_error *err);

#endif /* TALLY_CHANNEL_H */
