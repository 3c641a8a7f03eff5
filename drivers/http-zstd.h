/* SPDX-License-Identifier: MIT */
/* Bodies packed with zstd, where the driver was built with it.  A client asks
 * for packed replies by Accept-Encoding; a server that is asked says in its
 * replies, by the same header, that it takes packed requests.  So who knows
 * nothing of it never meets it. */

#ifndef TALLY_HTTP_ZSTD_H
#define TALLY_HTTP_ZSTD_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this build knows it. */
bool http_zstd_here (void);

/* Whether a list of encodings names it. */
bool http_zstd_named (const char *list);

/* Packs a body into memory that is the caller's to free.  NULL: it stays as it
 * is, since it is small, or would not become smaller. */
char *http_zstd_pack (const char *data, size_t size, size_t *packed_size);

enum http_unpacked {
  HTTP_UNPACKED,
  HTTP_UNPACKED_LARGE, /* more than `most` would come out */
  HTTP_UNPACKED_BAD,   /* no zstd, or not whole, or out of memory */
};

/* Memory follows what comes out, however much is announced. */
enum http_unpacked http_zstd_unpack (const char *data, size_t size,
                                     size_t most, char **out,
                                     size_t *out_size);

#endif /* TALLY_HTTP_ZSTD_H */
