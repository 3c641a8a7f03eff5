/* SPDX-License-Identifier: MIT */
/* The check slot of the linvo store. */

#ifndef TALLY_LINVO_CHECK_H
#define TALLY_LINVO_CHECK_H

#include "linvo-db.h"
#include "linvo-error.h"

int linvo_check (void *handle, struct tally_error *err);

#endif /* TALLY_LINVO_CHECK_H */
