/* SPDX-License-Identifier: MIT */
/* A source driver, opened and read: the one door to source ops. */

#ifndef TALLY_SOURCE_H
#define TALLY_SOURCE_H

#include <tally/driver.h>

#include "registry.h"

struct source;

/* name is for messages. */
int source_open (struct source **out, const struct driver *driver,
                 const struct tally_value *values, const char *name,
                 const struct tally_host *host, struct tally_error *err);
void source_close (struct source *source);

/* As the slot in driver.h. */
int source_documents (struct source *source, tally_emit_record *emit,
                      void *ctx, struct tally_error *err);

#endif /* TALLY_SOURCE_H */
