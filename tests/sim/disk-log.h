/* SPDX-License-Identifier: MIT */
/* What is on a simulated disk: a log of records, each of which is a
 * transaction, and the documents and notes that they leave behind. */

#ifndef TALLY_SIM_DISK_LOG_H
#define TALLY_SIM_DISK_LOG_H

#include "sim.h"

/* A document or a note; slices are offsets into the log, which moves. */
struct span {
  uint32_t at, size;
};

struct row {
  uint32_t hash;
  struct span collection, id, meta, body;
  unsigned char rev[TALLY_REV_SIZE];
  uint32_t flags;
  uint64_t seq;
};

struct note {
  struct span key, value;
};

struct disk_handle {
  struct disk *disk;
  struct row *rows; /* in rising seq */
  size_t n_rows, rows_capacity;
  struct note *notes; /* in bytewise order */
  size_t n_notes, notes_capacity;
  uint64_t head;
};

struct tally_slice at_span (const struct disk_handle *h, struct span span);
bool is_span (const struct disk_handle *h, struct span span, const char *text);

/* h->n_rows: it is not there. */
size_t find_row (const struct disk_handle *h, const char *collection,
                 struct tally_slice id);

/* The first note at or after the key. */
size_t note_place (const struct disk_handle *h, struct tally_slice key);
bool has_note (const struct disk_handle *h, size_t at, struct tally_slice key);

int disk_error (struct tally_error *err, int status, const char *text);

/* Takes in all that is whole, and cuts off the rest.  False: out of memory. */
bool log_replay (struct disk_handle *h);

/* A record: its start, what is in it, and its end, which makes it count. */
size_t log_start (struct disk_handle *h);
void log_entry (struct disk_handle *h, const struct tally_entry *entry,
                uint64_t seq);
/* value NULL: the note goes. */
void log_note (struct disk_handle *h, struct tally_slice key,
               const struct tally_slice *value);
int log_end (struct disk_handle *h, size_t at, struct tally_error *err);

#endif /* TALLY_SIM_DISK_LOG_H */
