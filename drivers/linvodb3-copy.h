/* SPDX-License-Identifier: MIT */
/* LevelDB changes a folder as soon as it opens it.  So what is read is a copy
 * in a temporary folder, where the tables, which never change, are links to
 * the real ones. */

#ifndef TALLY_LINVODB3_COPY_H
#define TALLY_LINVODB3_COPY_H

#include <tally/driver.h>

#include "linvo-error.h"

struct linvodb3_copy {
  char *path; /* of the copy */
  int lock;   /* of the real one's LOCK, which keeps others from opening it
                 meanwhile; -1: there is none */
};

/* `path` is absolute.  TALLY_NOTFOUND: nothing is there; TALLY_INVALID: no
 * folder of LevelDB's; TALLY_AGAIN: another process has it open. */
int linvodb3_copy_make (struct linvodb3_copy *copy, const char *path,
                        struct tally_error *err);
void linvodb3_copy_remove (struct linvodb3_copy *copy);

#endif /* TALLY_LINVODB3_COPY_H */
