/* SPDX-License-Identifier: MIT */
/* A file remembers, beside its content, how far the clock of the store in it
 * had come.  Content that was put back in place, so that it is the same file
 * still, is behind that: the store was rolled back. */

#ifndef TALLY_WITNESS_H
#define TALLY_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

/* What was saved last: no stamp of `client` had reached until_ms. */
struct witness {
  bool set;
  uint64_t until_ms;
  uint32_t client;
};

/* From, and to, an extended attribute of the file or folder.  False: there are
 * none, as on some file systems and machines. */
void witness_read (struct witness *out, const char *path);
bool witness_write (const struct witness *witness, const char *path);

#endif /* TALLY_WITNESS_H */
