/* SPDX-License-Identifier: MIT */
/* libcbor writes shortest heads but reads any, and its 0.8 adds a string's
 * length to a pointer before it looks: so each head is checked here first. */

#include <config.h>

#include <string.h>

#include <cbor.h>

#include "cbor.h"
#include "json.h"

#define HEAD_MAX 9

/* ---- writing ----------------------------------------------------------- */

static void
add_head (struct buf *out, size_t (*encode) (size_t, unsigned char *, size_t),
          size_t n)
{
  if (buf_reserve (out, HEAD_MAX))
    out->size += encode (n, (unsigned char *) out->data + out->size, HEAD_MAX);
}

void
cbor_add_uint (struct buf *out, uint64_t value)
{
  if (buf_reserve (out, HEAD_MAX))
    out->size += cbor_encode_uint (
        value, (unsigned char *) out->data + out->size, HEAD_MAX);
}

void
cbor_add_bytes (struct buf *out, struct tally_slice bytes)
{
  add_head (out, cbor_encode_bytestring_start, bytes.size);
  buf_add_slice (out, bytes);
}

void
cbor_add_text (struct buf *out, struct tally_slice text)
{
  add_head (out, cbor_encode_string_start, text.size);
  buf_add_slice (out, text);
}

void
cbor_add_array (struct buf *out, size_t n)
{
  add_head (out, cbor_encode_array_start, n);
}

/* ---- reading ----------------------------------------------------------- */

enum major {
  MAJOR_UINT = 0,
  MAJOR_BYTES = 2,
  MAJOR_TEXT = 3,
  MAJOR_ARRAY = 4
};

/* The head's argument, if it is in its shortest form. */
static bool
check_head (struct tally_slice in, enum major major, uint64_t *argument)
{
  const unsigned char *p = (const unsigned char *) in.data;
  unsigned info;
  size_t bytes;
  uint64_t value = 0;

  if (in.size == 0 || p[0] >> 5 != (unsigned) major)
    return false;
  info = p[0] & 0x1f;
  if (info > 27)
    return false;
  if (info < 24) {
    *argument = info;
    return true;
  }
  bytes = (size_t) 1 << (info - 24);
  if (in.size < 1 + bytes)
    return false;
  for (size_t i = 1; i <= bytes; i++)
    value = value << 8 | p[i];
  *argument = value;
  return bytes == 1 ? value >= 24 : value >> (4 * bytes) != 0;
}

struct item {
  uint64_t number;
  struct tally_slice string;
  bool found;
};

static void
on_number (void *ctx, uint64_t value)
{
  struct item *item = ctx;

  item->number = value;
  item->found = true;
}

static void
on_uint8 (void *ctx, uint8_t value)
{
  on_number (ctx, value);
}

static void
on_uint16 (void *ctx, uint16_t value)
{
  on_number (ctx, value);
}

static void
on_uint32 (void *ctx, uint32_t value)
{
  on_number (ctx, value);
}

static void
on_size (void *ctx, size_t value)
{
  on_number (ctx, value);
}

static void
on_string (void *ctx, cbor_data data, size_t size)
{
  struct item *item = ctx;

  item->string = slice_make (data, size);
  item->found = true;
}

/* Nothing else is called: the head was looked at. */
static const struct cbor_callbacks callbacks = { .uint8 = on_uint8,
                                                 .uint16 = on_uint16,
                                                 .uint32 = on_uint32,
                                                 .uint64 = on_number,
                                                 .byte_string = on_string,
                                                 .string = on_string,
                                                 .array_start = on_size };

static bool
take_item (struct tally_slice *in, enum major major, struct item *item)
{
  struct cbor_decoder_result result;
  uint64_t argument;

  memset (item, 0, sizeof *item);
  if (!check_head (*in, major, &argument))
    return false;
  if (major != MAJOR_UINT && argument > in->size)
    return false;
  result =
      cbor_stream_decode ((cbor_data) in->data, in->size, &callbacks, item);
  if (result.status != CBOR_DECODER_FINISHED || !item->found)
    return false;
  in->data += result.read;
  in->size -= result.read;
  return true;
}

bool
cbor_take_uint (struct tally_slice *in, uint64_t *value)
{
  struct item item;
  bool taken = take_item (in, MAJOR_UINT, &item);

  *value = item.number;
  return taken;
}

bool
cbor_take_bytes (struct tally_slice *in, struct tally_slice *bytes)
{
  struct item item;
  bool taken = take_item (in, MAJOR_BYTES, &item);

  *bytes = item.string;
  return taken;
}

bool
cbor_take_text (struct tally_slice *in, struct tally_slice *text)
{
  struct item item;
  bool taken = take_item (in, MAJOR_TEXT, &item);

  *text = item.string;
  return taken && utf8_valid (*text);
}

bool
cbor_take_array (struct tally_slice *in, size_t *n)
{
  struct item item;
  bool taken = take_item (in, MAJOR_ARRAY, &item);

  *n = (size_t) item.number;
  return taken && item.number <= in->size;
}
