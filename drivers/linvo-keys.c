/* SPDX-License-Identifier: MIT */
/* Numbers in keys are big-endian, so that LevelDB's bytewise order is their
 * order; numbers in values are varints where they are mostly small.  A rev is
 * kept once, split over the stamp record's key and value; its stamp stands in
 * the two other records as well, to find that one by, and its first part in
 * the document's, so that the host can do without that one: test-linvo-size
 * says what a document costs over its id and body. */

#include <assert.h>
#include <string.h>

#include "linvo-keys.h"

static void
put_be (char *out, uint64_t n, size_t size)
{
  while (size > 0) {
    size--;
    out[size] = (char) (n & 0xff);
    n >>= 8;
  }
}

static uint64_t
get_be (const char *in, size_t size)
{
  uint64_t n = 0;
  size_t i;

  for (i = 0; i < size; i++)
    n = n << 8 | (unsigned char) in[i];
  return n;
}

static size_t
put_varint (char *out, uint64_t n)
{
  size_t size = 0;

  while (n > 0x7f) {
    out[size++] = (char) ((n & 0x7f) | 0x80);
    n >>= 7;
  }
  out[size++] = (char) n;
  return size;
}

/* Takes a varint off the front of *in. */
static bool
get_varint (struct tally_slice *in, uint64_t *n)
{
  unsigned shift;

  *n = 0;
  for (shift = 0; shift < 64; shift += 7) {
    unsigned char c;

    if (in->size == 0)
      return false;
    c = (unsigned char) *in->data;
    if (shift == 63 && c > 1)
      return false;
    in->data++;
    in->size--;
    *n |= (uint64_t) (c & 0x7f) << shift;
    if (c < 0x80)
      return true;
  }
  return false;
}

/* ---- keys -------------------------------------------------------------- */

static void
start (struct linvo_key *key, char kind)
{
  key->data[0] = kind;
  key->size = 1;
}

static void
append (struct linvo_key *key, const void *data, size_t size)
{
  assert (size <= sizeof key->data - key->size);
  if (size > 0)
    memcpy (key->data + key->size, data, size);
  key->size += size;
}

static void
append_be (struct linvo_key *key, uint64_t n, size_t size)
{
  assert (size <= sizeof key->data - key->size);
  put_be (key->data + key->size, n, size);
  key->size += size;
}

void
linvo_key_text (struct linvo_key *key, char kind, const char *text,
                size_t size)
{
  assert (size <= LINVO_NAME_MAX);
  start (key, kind);
  append (key, text, size);
}

void
linvo_key_doc (struct linvo_key *key, uint32_t number,
               const struct tally_slice *id)
{
  start (key, LINVO_DOC);
  append_be (key, number, 4);
  append (key, id->data, id->size);
}

void
linvo_key_seq (struct linvo_key *key, uint32_t number, uint64_t seq)
{
  start (key, LINVO_SEQ);
  append_be (key, number, 4);
  append_be (key, seq, 8);
}

void
linvo_key_stamp (struct linvo_key *key, uint32_t number,
                 const unsigned char *rev, const struct tally_slice *id)
{
  start (key, LINVO_STAMP);
  append_be (key, number, 4);
  append (key, rev, TALLY_STAMP_SIZE);
  append (key, id->data, id->size);
}

void
linvo_key_digest (struct linvo_key *key, uint32_t number)
{
  start (key, LINVO_DIGEST);
  append_be (key, number, 4);
}

bool
linvo_key_within (const struct tally_slice *key,
                  const struct linvo_key *prefix, size_t size)
{
  return key->size >= size && memcmp (key->data, prefix->data, size) == 0;
}

bool
linvo_seq_of_key (const struct tally_slice *key, uint64_t *seq)
{
  if (key->size != 1 + 4 + 8 || key->data[0] != LINVO_SEQ)
    return false;
  *seq = get_be (key->data + 5, 8);
  return true;
}

bool
linvo_name_of_key (const struct tally_slice *key, char *name)
{
  size_t size = key->size - 1;

  if (key->size == 0 || size > LINVO_NAME_MAX
      || memchr (key->data + 1, '\0', size))
    return false;
  memcpy (name, key->data + 1, size);
  name[size] = '\0';
  return true;
}

/* ---- values ------------------------------------------------------------ */

size_t
linvo_encode_number (char *out, uint32_t number)
{
  put_be (out, number, LINVO_NUMBER_SIZE);
  return LINVO_NUMBER_SIZE;
}

bool
linvo_decode_number (const struct tally_slice *value, uint32_t *number)
{
  if (value->size != LINVO_NUMBER_SIZE)
    return false;
  *number = (uint32_t) get_be (value->data, LINVO_NUMBER_SIZE);
  return *number > 0;
}

size_t
linvo_encode_head (char *out, const struct linvo_head *head)
{
  put_be (out, head->format, 4);
  put_be (out + 4, head->numbers, 4);
  put_be (out + 8, head->seq, 8);
  put_be (out + 16, head->writes, 8);
  return LINVO_HEAD_SIZE;
}

/* Another format may have other things to say: only the format is read then.
 */
bool
linvo_decode_head (const struct tally_slice *value, struct linvo_head *head)
{
  memset (head, 0, sizeof *head);
  if (value->size < 4)
    return false;
  head->format = (uint32_t) get_be (value->data, 4);
  if (head->format != LINVO_FORMAT)
    return head->format > 0;
  if (value->size != LINVO_HEAD_SIZE)
    return false;
  head->numbers = (uint32_t) get_be (value->data + 4, 4);
  head->seq = get_be (value->data + 8, 8);
  head->writes = get_be (value->data + 16, 8);
  return true;
}

/* Beside the size of meta. */
#define DELETED 1
#define UNIFORM                                                 \
  2 /* rev is one byte over and over: of rows of indexes it is, \
       and more of them in a block make searches cheaper */
#define MARK_BITS 2

static bool
is_uniform (const unsigned char *rev)
{
  return memcmp (rev, rev + 1, TALLY_REV_PART - 1) == 0;
}

size_t
linvo_encode_doc_head (char *out, uint64_t seq, const struct tally_doc *doc)
{
  bool uniform = is_uniform (doc->rev);
  size_t n = put_varint (out, seq), size = uniform ? 1 : TALLY_REV_PART;
  uint64_t marks =
      (doc->flags & TALLY_DOC_DELETED ? DELETED : 0) | (uniform ? UNIFORM : 0);

  n += put_varint (out + n, (uint64_t) doc->meta.size << MARK_BITS | marks);
  memcpy (out + n, doc->rev, size);
  return n + size;
}

bool
linvo_decode_doc (const struct tally_slice *value, struct tally_doc *doc)
{
  struct tally_slice in = *value;
  uint64_t meta;
  size_t size;

  if (!get_varint (&in, &doc->seq) || doc->seq == 0
      || !get_varint (&in, &meta))
    return false;
  size = meta & UNIFORM ? 1 : TALLY_REV_PART;
  if (in.size < size || meta >> MARK_BITS > in.size - size)
    return false;
  doc->flags = meta & DELETED ? TALLY_DOC_DELETED : 0;
  memset (doc->rev, 0, TALLY_REV_SIZE);
  if (meta & UNIFORM)
    memset (doc->rev, (unsigned char) *in.data, TALLY_REV_PART);
  else
    memcpy (doc->rev, in.data, TALLY_REV_PART);
  doc->meta.data = in.data + size;
  doc->meta.size = (size_t) (meta >> MARK_BITS);
  doc->body.data = doc->meta.data + doc->meta.size;
  doc->body.size = in.size - size - doc->meta.size;
  return true;
}

/* How much of the rev stands in a record of the order of arrival. */
static size_t
rev_size (unsigned flags)
{
  return flags & TALLY_DOC_DELETED ? TALLY_REV_SIZE : TALLY_STAMP_SIZE;
}

size_t
linvo_encode_seq (char *out, const struct tally_doc *doc)
{
  size_t size = rev_size (doc->flags);

  assert (doc->id.size <= TALLY_ID_MAX);
  out[0] = (char) (doc->flags & TALLY_DOC_DELETED);
  memcpy (out + 1, doc->rev, size);
  memcpy (out + 1 + size, doc->id.data, doc->id.size);
  return 1 + size + doc->id.size;
}

bool
linvo_decode_seq (const struct tally_slice *value, struct tally_doc *doc)
{
  size_t size;

  if (value->size == 0 || (unsigned char) value->data[0] > TALLY_DOC_DELETED)
    return false;
  doc->flags = (unsigned char) value->data[0];
  size = rev_size (doc->flags);
  if (value->size <= 1 + size || value->size > 1 + size + TALLY_ID_MAX)
    return false;
  memset (doc->rev, 0, TALLY_REV_SIZE);
  memcpy (doc->rev, value->data + 1, size);
  doc->id.data = value->data + 1 + size;
  doc->id.size = value->size - 1 - size;
  return true;
}

size_t
linvo_encode_stamp (char *out, const struct tally_doc *doc)
{
  memcpy (out, doc->rev + TALLY_STAMP_SIZE, LINVO_STAMP_SIZE);
  return LINVO_STAMP_SIZE;
}

bool
linvo_decode_hash (const struct tally_slice *value, struct tally_doc *doc)
{
  if (value->size != LINVO_STAMP_SIZE)
    return false;
  memcpy (doc->rev + TALLY_STAMP_SIZE, value->data, LINVO_STAMP_SIZE);
  return true;
}

bool
linvo_decode_stamp (const struct tally_slice *key,
                    const struct tally_slice *value, struct tally_doc *doc)
{
  const size_t before = 1 + 4 + TALLY_STAMP_SIZE;

  if (key->size <= before || key->size > before + TALLY_ID_MAX
      || !linvo_decode_hash (value, doc))
    return false;
  memcpy (doc->rev, key->data + 1 + 4, TALLY_STAMP_SIZE);
  doc->id.data = key->data + before;
  doc->id.size = key->size - before;
  return true;
}
