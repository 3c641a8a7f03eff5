/* SPDX-License-Identifier: MIT */
/* 16 KB of zstd can hold 512 MiB: what comes out is bounded, and so is the
 * window that the other side may ask us to keep. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "http-zstd.h"

#define LEAST 512     /* what is worth packing */
#define LEVEL 3       /* zstd's own, as fast as a disk */
#define WINDOW_LOG 23 /* 8 MiB, what RFC 8878 asks everybody to allow */

bool
http_zstd_named (const char *list)
{
  static const char name[] = "zstd";

  while (*list) {
    size_t size;

    list += strspn (list, " \t,");
    size = strcspn (list, " \t,;");
    if (size == sizeof name - 1 && strncasecmp (list, name, size) == 0)
      return true;
    list += strcspn (list, ",");
  }
  return false;
}

#ifdef HAVE_ZSTD

bool
http_zstd_here (void)
{
  return true;
}

char *
http_zstd_pack (const char *data, size_t size, size_t *packed_size)
{
  char *packed;
  size_t n;

  if (size < LEAST)
    return NULL;
  packed = malloc (size);
  if (!packed)
    return NULL;
  n = ZSTD_compress (packed, size, data, size, LEVEL);
  if (!ZSTD_isError (n) && n < size - size / 16) {
    *packed_size = n;
    return packed;
  }
  free (packed);
  return NULL;
}

/* Room for more, but no more than one byte above the most, which tells. */
static bool
grow (ZSTD_outBuffer *to, size_t most)
{
  size_t room = to->size ? 2 * to->size : 65536;
  char *grown;

  if (room > most + 1)
    room = most + 1;
  grown = realloc (to->dst, room);
  if (!grown)
    return false;
  to->dst = grown;
  to->size = room;
  return true;
}

static enum http_unpacked
unpack (ZSTD_DStream *stream, ZSTD_inBuffer *from, ZSTD_outBuffer *to,
        size_t most)
{
  size_t left;

  do {
    size_t before = from->pos;

    if (to->pos == to->size && !grow (to, most))
      return HTTP_UNPACKED_BAD;
    left = ZSTD_decompressStream (stream, to, from);
    if (to->pos > most)
      return HTTP_UNPACKED_LARGE;
    if (ZSTD_isError (left))
      return HTTP_UNPACKED_BAD;
    /* It waits for what does not come. */
    if (left > 0 && from->pos == from->size && before == from->pos
        && to->pos < to->size)
      return HTTP_UNPACKED_BAD;
  } while (left > 0);
  return from->pos == from->size ? HTTP_UNPACKED : HTTP_UNPACKED_BAD;
}

enum http_unpacked
http_zstd_unpack (const char *data, size_t size, size_t most, char **out,
                  size_t *out_size)
{
  ZSTD_inBuffer from = { data, size, 0 };
  ZSTD_outBuffer to = { NULL, 0, 0 };
  ZSTD_DStream *stream = ZSTD_createDStream ();
  enum http_unpacked result = HTTP_UNPACKED_BAD;

  if (stream
      && !ZSTD_isError (
          ZSTD_DCtx_setParameter (stream, ZSTD_d_windowLogMax, WINDOW_LOG)))
    result = unpack (stream, &from, &to, most);
  ZSTD_freeDStream (stream);
  if (result != HTTP_UNPACKED) {
    free (to.dst);
    return result;
  }
  *out = to.dst;
  *out_size = to.pos;
  return result;
}

#else

bool
http_zstd_here (void)
{
  return false;
}

char *
http_zstd_pack (const char *data, size_t size, size_t *packed_size)
{
  (void) data;
  (void) size;
  (void) packed_size;
  return NULL;
}

enum http_unpacked
http_zstd_unpack (const char *data, size_t size, size_t most, char **out,
                  size_t *out_size)
{
  (void) data;
  (void) size;
  (void) most;
  (void) out;
  (void) out_size;
  return HTTP_UNPACKED_BAD;
}

#endif
