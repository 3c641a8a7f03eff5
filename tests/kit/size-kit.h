/* SPDX-License-Identifier: MIT */
/* What a store takes beside ids and bodies: a replica is filled with documents
 * as they mostly are, without overrides, and the test measures its file. */

#ifndef TALLY_TESTS_SIZE_KIT_H
#define TALLY_TESTS_SIZE_KIT_H

#include <stdbool.h>
#include <stddef.h>

#include <tally/driver.h>

#define SIZE_DOCS 20000
#define SIZE_ID 16

/* Puts SIZE_DOCS documents, or as many tombstones, with ids of SIZE_ID bytes
 * into the store at the path, in random order, and closes it.  Returns the
 * bytes of ids and bodies. */
size_t size_fill (const char *path, const char *second_option, bool deleted);

/* How many bytes a document takes beside them. */
double size_each (size_t file, size_t content);

#endif /* TALLY_TESTS_SIZE_KIT_H */
