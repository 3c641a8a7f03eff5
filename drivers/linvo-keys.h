/* SPDX-License-Identifier: MIT */
/* How documents, notes and their orders become LevelDB keys and values.
 * Pure: no I/O, no allocation. */

#ifndef TALLY_LINVO_KEYS_H
#define TALLY_LINVO_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

/* 2: tombstones have no place in the order of stamps; digests.  3: revs begin
 * with the documents and end with the stamps.  4: other fingerprints. */
#define LINVO_FORMAT 4
#define LINVO_NAME_MAX 255

/* A key is a kind, then what that kind is ordered by. */
enum linvo_kind {
  LINVO_HEAD = 'h',  /* one record: struct linvo_head */
  LINVO_NAME = 'c',  /* collection's name -> its number */
  LINVO_NOTE = 'n',  /* key -> value */
  LINVO_DOC = 'd',   /* number, id -> seq, deleted, part of rev, meta, body */
  LINVO_SEQ = 's',   /* number, seq -> stamp, id; of a tombstone rev, id */
  LINVO_STAMP = 't', /* number, stamp, id -> hash; of live documents */
  LINVO_DIGEST = 'g' /* number -> a record of tally/digest.h; none: unknown */
};

struct linvo_key {
  size_t size;
  char data[1 + 4 + TALLY_STAMP_SIZE + TALLY_ID_MAX];
};

/* Written again with every batch, so that it is as new as the batch is. */
struct linvo_head {
  uint32_t format;
  uint32_t numbers; /* given to collections so far, from 1 */
  uint64_t seq;     /* the last one given */
  uint64_t writes;  /* batches so far, this one included */
};

#define LINVO_NUMBER_SIZE 4
#define LINVO_HEAD_SIZE 24
#define LINVO_DOC_HEAD_MAX (20 + TALLY_REV_PART)
#define LINVO_SEQ_MAX (1 + TALLY_REV_SIZE + TALLY_ID_MAX)
#define LINVO_STAMP_SIZE (TALLY_REV_SIZE - TALLY_STAMP_SIZE)

/* Keys.  The caller has checked the sizes: text is at most LINVO_NAME_MAX
 * bytes, an id at most TALLY_ID_MAX. */
void linvo_key_text (struct linvo_key *key, char kind, const char *text,
                     size_t size);
void linvo_key_doc (struct linvo_key *key, uint32_t number,
                    const struct tally_slice *id);
void linvo_key_seq (struct linvo_key *key, uint32_t number, uint64_t seq);
void linvo_key_stamp (struct linvo_key *key, uint32_t number,
                      const unsigned char *rev, const struct tally_slice *id);
void linvo_key_digest (struct linvo_key *key, uint32_t number);

/* Whether the key starts with the first `size` bytes of prefix. */
bool linvo_key_within (const struct tally_slice *key,
                       const struct linvo_key *prefix, size_t size);

/* The seq of a LINVO_SEQ key. */
bool linvo_seq_of_key (const struct tally_slice *key, uint64_t *seq);

/* Copies the text of a LINVO_NAME or LINVO_NOTE key, with a NUL after it,
 * to LINVO_NAME_MAX + 1 bytes. */
bool linvo_name_of_key (const struct tally_slice *key, char *name);

/* Values.  Encoders return the size written, decoders whether the value is
 * one that an encoder makes; what they decode points into the value. */
size_t linvo_encode_number (char *out, uint32_t number);
bool linvo_decode_number (const struct tally_slice *value, uint32_t *number);

size_t linvo_encode_head (char *out, const struct linvo_head *head);
bool linvo_decode_head (const struct tally_slice *value,
                        struct linvo_head *head);

/* What comes before meta and body in a document's value; of flags the deleted
 * one.  Decoded, rev has zeros behind its first TALLY_REV_PART bytes. */
size_t linvo_encode_doc_head (char *out, uint64_t seq,
                              const struct tally_doc *doc);
bool linvo_decode_doc (const struct tally_slice *value, struct tally_doc *doc);

/* Decoded, the rev of a live document has zeros behind its stamp. */
size_t linvo_encode_seq (char *out, const struct tally_doc *doc);
bool linvo_decode_seq (const struct tally_slice *value, struct tally_doc *doc);

/* The end of a rev. */
size_t linvo_encode_stamp (char *out, const struct tally_doc *doc);
bool linvo_decode_hash (const struct tally_slice *value,
                        struct tally_doc *doc);

/* Fills id and rev from the key, too. */
bool linvo_decode_stamp (const struct tally_slice *key,
                         const struct tally_slice *value,
                         struct tally_doc *doc);

#endif /* TALLY_LINVO_KEYS_H */
