/* SPDX-License-Identifier: MIT */
/* A whole file, or all of the standard input, in memory. */

#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <stddef.h>

struct cli;

/* path NULL or "-": the standard input.  Returns malloced bytes, or NULL when
 * it has said why there are none. */
char *input_read (struct cli *cli, const char *path, size_t *size);

#endif
