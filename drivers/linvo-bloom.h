/* SPDX-License-Identifier: MIT */
/* The filters of LevelDB's tables.  Its own have ten bits for every key; but
 * only of single records it can be asked whether they are there, and those
 * that keep an order, two for each document, are walked over.  So these have
 * bits for the other keys only, which saves 2.5 bytes for each document. */

#ifndef TALLY_LINVO_BLOOM_H
#define TALLY_LINVO_BLOOM_H

#include <leveldb/c.h>

/* Freed by leveldb_filterpolicy_destroy, after the database. */
leveldb_filterpolicy_t *linvo_bloom_create (void);

#endif /* TALLY_LINVO_BLOOM_H */
