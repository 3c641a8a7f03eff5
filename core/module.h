/* SPDX-License-Identifier: MIT */
/* Looks at a driver's file before the dynamic linker does. */

#ifndef TALLY_CORE_MODULE_H
#define TALLY_CORE_MODULE_H

#include <stdbool.h>
#include <stddef.h>

struct tally_error;

#define MODULE_NAME_MAX 63
#define MODULE_NAME_SIZE (MODULE_NAME_MAX + 1)

/* TALLY_OK when the path is absolute, ends in .so and is a regular file that
 * is all there; else TALLY_CONFIG. */
int module_vet (const char *path, struct tally_error *err);

/* [a-z][a-z0-9-]*, as drivers are named. */
bool module_name_valid (const char *name);

/* "store-sqlite.so", "transport-http.so", "mine.so" -> the driver's name,
 * at most MODULE_NAME_SIZE bytes.  False when the file cannot be a driver's:
 * libraries, "lib*.so", are not. */
bool module_file_name (char *name, const char *file);

#endif /* TALLY_CORE_MODULE_H */
