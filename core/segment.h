/* SPDX-License-Identifier: MIT */
/* The segments of a folder as bytes: blob names, one segment, the marker that
 * says who the folder is, and the cursors of readers.  Anybody may write into
 * such a folder, and programs that copy it show files half there, so all of
 * it is strict: a name, a marker or a cursor is exactly what is written here,
 * and a segment ends with a checksum over all that is before it.  Pure. */

#ifndef TALLY_SEGMENT_H
#define TALLY_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <tally/driver.h>

#include "buf.h"
#include "document.h"
#include "replica.h"

/* What a writer puts into one; a single document may be larger. */
#define SEGMENT_BYTES_MAX ((size_t) 4 << 20)
#define SEGMENT_DOCS_MAX 16384
/* What a reader takes. */
#define SEGMENT_SIZE_MAX ((size_t) 64 << 20)
#define SEGMENT_PARTS_MAX 99999
#define SEGMENT_READS_MAX ((size_t) 64 << 10)
#define SEGMENT_CHECKSUM_SIZE 32

/* ---- names -------------------------------------------------------------- */

#define SEGMENT_NUMBER_MAX UINT64_C (999999999999999999)
#define SEGMENT_NAME_SIZE 251 /* with the NUL */

/* WRITER.COLLECTION.NUMBER.tally, or for a part of a base
 * WRITER.COLLECTION.NUMBER.bPART.tally. */
struct segment_name {
  unsigned char writer[REPLICA_ID_SIZE];
  char collection[COLLECTION_NAME_MAX + 1]; /* never a local one */
  uint64_t number;                          /* from 1 */
  uint32_t part;                            /* from 1; 0: it is no part */
};

void segment_name_make (char out[SEGMENT_NAME_SIZE],
                        const struct segment_name *name);

/* False for every other name. */
bool segment_name_parse (struct segment_name *out, const char *name);

/* ---- a segment ---------------------------------------------------------- */

/* One of three: documents; a base, which has none itself but names its parts,
 * and these hold all that is live of the log before it; a part. */
struct segment {
  unsigned char folder[REPLICA_ID_SIZE];
  unsigned char writer[REPLICA_ID_SIZE];
  struct tally_slice collection;
  uint64_t number;
  uint32_t part;
  /* Where the writer's log begins: what is before it is no longer needed, and
   * a reader that lacks it goes on from here.  Of a base and its parts it is
   * their own number. */
  uint64_t begin;
  struct tally_slice reads; /* the writer's own saved cursor, or empty */
  struct tally_slice parts; /* a base: the checksums of its parts, in order */
  uint64_t documents;       /* a base: how many are in all its parts */
  struct tally_doc *docs;   /* id, flags, meta and body */
  size_t n_docs;
};

/* Appends the segment; its checksum is its last bytes. */
void segment_encode (struct buf *out, const struct segment *segment);

/* The checksum that the bytes end with; all zero when there is none. */
void segment_checksum (unsigned char out[SEGMENT_CHECKSUM_SIZE],
                       struct tally_slice bytes);

/* Slices are into the bytes, docs is malloced.  TALLY_CORRUPT: not a whole
 * segment; TALLY_UNSUPPORTED: of a later version; TALLY_FAILED: out of
 * memory.  Ids, metas and bodies are not checked. */
int segment_decode (struct segment *out, struct tally_slice bytes);
void segment_free (struct segment *segment);

static inline bool
segment_is_base (const struct segment *segment)
{
  return segment->parts.size > 0;
}

/* ---- the marker --------------------------------------------------------- */

#define SEGMENT_MARKER "folder.tally-id"

/* The same id makes the same bytes, whoever writes them. */
void segment_marker_make (struct buf *out,
                          const unsigned char id[REPLICA_ID_SIZE]);
bool segment_marker_parse (unsigned char id[REPLICA_ID_SIZE],
                           struct tally_slice text);

/* ---- cursors ------------------------------------------------------------ */

#define SEGMENT_WRITERS_MAX 4096

/* All up to `number` was read; with a part, of the base with this number only
 * the parts up to it. */
struct segment_position {
  unsigned char writer[REPLICA_ID_SIZE];
  uint64_t number;
  uint32_t part;
};

/* One position for each writer, by writer. */
struct segment_cursor {
  struct segment_position *items;
  size_t count, capacity;
};

/* Reads WRITER:NUMBER[.PART],…  TALLY_CORRUPT: it is something else;
 * TALLY_FAILED: out of memory. */
int segment_cursor_parse (struct segment_cursor *out, struct tally_slice text);
void segment_cursor_write (struct buf *out,
                           const struct segment_cursor *cursor);
void segment_cursor_free (struct segment_cursor *cursor);

/* NULL when the writer is not in it. */
const struct segment_position *
segment_cursor_find (const struct segment_cursor *cursor,
                     const unsigned char writer[REPLICA_ID_SIZE]);

/* False: out of memory. */
bool segment_cursor_set (struct segment_cursor *cursor,
                         const struct segment_position *position);

#endif /* TALLY_SEGMENT_H */
