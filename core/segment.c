/* SPDX-License-Identifier: MIT */
/* Segments, names and marker: each thing out, each thing in.  What
 * comes in as text is read leniently, written again, and must come out as it
 * was: so there is one spelling of everything. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cbor.h"
#include "digits.h"
#include "segment.h"

#define MAGIC "tally-segment"
#define FORMAT_VERSION 1
#define SUFFIX ".tally"
#define NUMBER_DIGITS 10 /* at least */
#define PART_DIGITS 4    /* at least */
#define MARKER_CHECK 8

#if SEGMENT_CHECKSUM_SIZE != crypto_generichash_BYTES
#error "segments end with a hash of another size"
#endif

/* ---- names -------------------------------------------------------------- */

void
segment_name_make (char out[SEGMENT_NAME_SIZE],
                   const struct segment_name *name)
{
  char writer[REPLICA_ID_TEXT], part[16] = "";

  replica_id_text (name->writer, writer);
  if (name->part > 0)
    snprintf (part, sizeof part, ".b%0*lu", PART_DIGITS,
              (unsigned long) name->part);
  snprintf (out, SEGMENT_NAME_SIZE, "%s.%s.%0*llu%s" SUFFIX, writer,
            name->collection, NUMBER_DIGITS, (unsigned long long) name->number,
            part);
}

/* From the end on, since a collection has dots and digits, too. */
static const char *
last_dot (const char *start, const char *end)
{
  while (end > start && *--end != '.')
    continue;
  return end;
}

static bool
parse_tail (struct segment_name *out, const char *start, const char **end)
{
  const char *dot = last_dot (start, *end), *at = dot + 1;
  uint64_t part = 0;

  if (at < *end && *at == 'b') {
    at++;
    if (!take_digits (&at, *end, &part) || at != *end || part == 0
        || part > SEGMENT_PARTS_MAX)
      return false;
    *end = dot;
    dot = last_dot (start, *end);
    at = dot + 1;
  }
  out->part = (uint32_t) part;
  if (dot == start || !take_digits (&at, *end, &out->number) || at != *end)
    return false;
  *end = dot;
  return out->number > 0;
}

bool
segment_name_parse (struct segment_name *out, const char *name)
{
  size_t size = strnlen (name, SEGMENT_NAME_SIZE), head = REPLICA_ID_TEXT;
  char again[SEGMENT_NAME_SIZE];
  struct tally_error ignored;
  const char *end;

  memset (out, 0, sizeof *out);
  if (size >= SEGMENT_NAME_SIZE || size < head + sizeof SUFFIX - 1)
    return false;
  end = name + size - (sizeof SUFFIX - 1);
  if (!parse_tail (out, name + head, &end)
      || (size_t) (end - name) - head > COLLECTION_NAME_MAX
      || !replica_id_from_text (out->writer, slice_make (name, head - 1)))
    return false;
  memcpy (out->collection, name + head, (size_t) (end - name) - head);
  if (collection_check (out->collection, &ignored) != TALLY_OK
      || collection_is_local (out->collection))
    return false;
  segment_name_make (again, out);
  return strcmp (again, name) == 0;
}

/* ---- a segment out ------------------------------------------------------ */

static void
add_doc (struct buf *out, const struct tally_doc *doc)
{
  cbor_add_array (out, 4);
  cbor_add_text (out, doc->id);
  cbor_add_uint (out, doc->flags & TALLY_DOC_DELETED);
  cbor_add_bytes (out, doc->meta);
  cbor_add_bytes (out, doc->body);
}

void
segment_encode (struct buf *out, const struct segment *segment)
{
  size_t start = out->size;
  unsigned char checksum[SEGMENT_CHECKSUM_SIZE] = { 0 };

  cbor_add_text (out, slice_text (MAGIC));
  cbor_add_uint (out, FORMAT_VERSION);
  cbor_add_bytes (out, slice_make (segment->folder, REPLICA_ID_SIZE));
  cbor_add_bytes (out, slice_make (segment->writer, REPLICA_ID_SIZE));
  cbor_add_text (out, segment->collection);
  cbor_add_uint (out, segment->number);
  cbor_add_uint (out, segment->part);
  cbor_add_uint (out, segment->begin);
  cbor_add_text (out, segment->reads);
  cbor_add_bytes (out, segment->parts);
  cbor_add_uint (out, segment->documents);
  cbor_add_array (out, segment->n_docs);
  for (size_t i = 0; i < segment->n_docs; i++)
    add_doc (out, &segment->docs[i]);
  if (!out->failed)
    crypto_generichash (checksum, sizeof checksum,
                        (const unsigned char *) out->data + start,
                        out->size - start, NULL, 0);
  buf_add (out, checksum, sizeof checksum);
}

void
segment_checksum (unsigned char out[SEGMENT_CHECKSUM_SIZE],
                  struct tally_slice bytes)
{
  memset (out, 0, SEGMENT_CHECKSUM_SIZE);
  if (bytes.size >= SEGMENT_CHECKSUM_SIZE)
    memcpy (out, bytes.data + bytes.size - SEGMENT_CHECKSUM_SIZE,
            SEGMENT_CHECKSUM_SIZE);
}

/* ---- a segment in ------------------------------------------------------- */

static bool
take_replica (struct tally_slice *in, unsigned char id[REPLICA_ID_SIZE])
{
  struct tally_slice bytes;

  if (!cbor_take_bytes (in, &bytes) || bytes.size != REPLICA_ID_SIZE)
    return false;
  memcpy (id, bytes.data, REPLICA_ID_SIZE);
  return true;
}

static bool
take_head (struct tally_slice *in, struct segment *out)
{
  uint64_t part;

  if (!take_replica (in, out->folder) || !take_replica (in, out->writer)
      || !cbor_take_text (in, &out->collection)
      || out->collection.size > COLLECTION_NAME_MAX
      || !cbor_take_uint (in, &out->number) || !cbor_take_uint (in, &part)
      || !cbor_take_uint (in, &out->begin) || !cbor_take_text (in, &out->reads)
      || !cbor_take_bytes (in, &out->parts)
      || !cbor_take_uint (in, &out->documents))
    return false;
  out->part = (uint32_t) part;
  return out->number > 0 && out->number <= SEGMENT_NUMBER_MAX
         && part <= SEGMENT_PARTS_MAX && out->begin > 0
         && out->begin <= out->number && out->reads.size <= SEGMENT_READS_MAX
         && out->parts.size % SEGMENT_CHECKSUM_SIZE == 0
         && out->parts.size / SEGMENT_CHECKSUM_SIZE <= SEGMENT_PARTS_MAX;
}

static bool
take_doc (struct tally_slice *in, struct tally_doc *doc)
{
  uint64_t flags;
  size_t n;

  if (!cbor_take_array (in, &n) || n != 4 || !cbor_take_text (in, &doc->id)
      || !cbor_take_uint (in, &flags) || flags > TALLY_DOC_DELETED
      || !cbor_take_bytes (in, &doc->meta)
      || !cbor_take_bytes (in, &doc->body))
    return false;
  doc->flags = (uint32_t) flags;
  return true;
}

/* A base is not a part, has no documents of its own, and begins the log. */
static bool
holds_together (const struct segment *segment, size_t n_docs)
{
  if (segment_is_base (segment))
    return segment->part == 0 && n_docs == 0 && segment->documents > 0
           && segment->begin == segment->number;
  return segment->documents == 0 && n_docs > 0
         && (segment->part == 0 || segment->begin == segment->number);
}

static int
take_segment (struct tally_slice in, struct segment *out)
{
  struct tally_slice magic;
  uint64_t version;
  size_t n;

  if (!cbor_take_text (&in, &magic) || !slice_equal (magic, slice_text (MAGIC))
      || !cbor_take_uint (&in, &version))
    return TALLY_CORRUPT;
  if (version != FORMAT_VERSION)
    return TALLY_UNSUPPORTED;
  if (!take_head (&in, out) || !cbor_take_array (&in, &n)
      || n > SEGMENT_DOCS_MAX || !holds_together (out, n))
    return TALLY_CORRUPT;
  out->docs = calloc (n + 1, sizeof *out->docs);
  if (!out->docs)
    return TALLY_FAILED;
  for (; out->n_docs < n; out->n_docs++)
    if (!take_doc (&in, &out->docs[out->n_docs]))
      return TALLY_CORRUPT;
  return in.size == 0 ? TALLY_OK : TALLY_CORRUPT;
}

int
segment_decode (struct segment *out, struct tally_slice bytes)
{
  unsigned char stored[SEGMENT_CHECKSUM_SIZE], found[SEGMENT_CHECKSUM_SIZE];
  int status;

  memset (out, 0, sizeof *out);
  if (bytes.size < SEGMENT_CHECKSUM_SIZE || bytes.size > SEGMENT_SIZE_MAX)
    return TALLY_CORRUPT;
  segment_checksum (stored, bytes);
  bytes.size -= SEGMENT_CHECKSUM_SIZE;
  crypto_generichash (found, sizeof found, (const unsigned char *) bytes.data,
                      bytes.size, NULL, 0);
  if (memcmp (stored, found, sizeof stored) != 0)
    return TALLY_CORRUPT;
  status = take_segment (bytes, out);
  if (status != TALLY_OK)
    segment_free (out);
  return status;
}

void
segment_free (struct segment *segment)
{
  free (segment->docs);
  memset (segment, 0, sizeof *segment);
}

/* ---- the marker --------------------------------------------------------- */

void
segment_marker_make (struct buf *out, const unsigned char id[REPLICA_ID_SIZE])
{
  unsigned char hash[crypto_generichash_BYTES];
  char text[REPLICA_ID_TEXT], check[2 * MARKER_CHECK + 1];

  crypto_generichash (hash, sizeof hash, id, REPLICA_ID_SIZE, NULL, 0);
  replica_id_text (id, text);
  sodium_bin2hex (check, sizeof check, hash, MARKER_CHECK);
  buf_addf (out, "%s %s\n", text, check);
}

bool
segment_marker_parse (unsigned char id[REPLICA_ID_SIZE],
                      struct tally_slice text)
{
  struct buf again = BUF_INIT;
  bool same;

  if (text.size < REPLICA_ID_TEXT
      || !replica_id_from_text (id,
                                slice_make (text.data, REPLICA_ID_TEXT - 1)))
    return false;
  segment_marker_make (&again, id);
  same = !again.failed && slice_equal (buf_slice (&again), text);
  buf_free (&again);
  return same;
}
