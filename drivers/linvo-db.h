/* SPDX-License-Identifier: MIT */
/* An open linvo store: LevelDB with its settings, who may touch it when, and
 * its errors told as ours. */

#ifndef TALLY_LINVO_DB_H
#define TALLY_LINVO_DB_H

#include <pthread.h>
#include <stdbool.h>

#include <leveldb/c.h>

#include <tally/driver.h>

#include "linvo-absent.h"
#include "linvo-filter.h"
#include "linvo-folder.h"
#include "linvo-keys.h"

/* Numbers of collections that were read: a number is given once, for good. */
#define LINVO_NAMED 16
struct linvo_named {
  uint32_t number; /* 0: none */
  char name[LINVO_NAME_MAX + 1];
};

/* The note that was read last. */
#define LINVO_NOTE_KEPT 1024
struct linvo_note {
  uint64_t as_of;       /* absent.moves: it holds as long as these stay */
  struct linvo_key key; /* size 0: there is none */
  bool found;
  size_t size;
  char value[LINVO_NOTE_KEPT];
};

struct linvo {
  const struct tally_host *host;
  struct linvo_folder folder;
  bool readonly;

  leveldb_options_t *options;
  leveldb_cache_t *cache;
  leveldb_filterpolicy_t *filter;
  leveldb_readoptions_t *read;
  leveldb_readoptions_t *pass; /* for long walks: leaves the cache alone */
  leveldb_writeoptions_t *write;

  /* One writer at a time; guards head and broken, and the folder's mark.
   * Taken before the gate. */
  pthread_mutex_t writing;
  struct linvo_head head; /* as of the last write that went well */
  bool broken;            /* a write did not: reopen before the next */

  /* Guards db: shared by all who use it, alone to who replaces it.  NULL
   * after reopening went wrong. */
  pthread_rwlock_t gate;
  leveldb_t *db;

  pthread_mutex_t naming; /* guards named and note */
  struct linvo_named named[LINVO_NAMED];
  struct linvo_note note;

  struct linvo_absent absent;
  struct linvo_filter filled;
};

/* What a reader sees: one moment of the store. */
struct linvo_view {
  const leveldb_snapshot_t *snapshot;
  leveldb_readoptions_t *point; /* for single reads */
  leveldb_readoptions_t *range; /* for scans: leaves the cache alone */
};

/* A document found; doc points into the value, and has the id asked for. */
struct linvo_found {
  bool found;
  char *value;
  struct tally_doc doc;
};

int linvo_db_open (struct linvo *s, const char *path, unsigned flags,
                   struct tally_error *err);
void linvo_db_close (struct linvo *s);

/* Each begin that returns TALLY_OK is followed by its end. */
int linvo_begin_read (struct linvo *s, struct linvo_view *view,
                      struct tally_error *err);
void linvo_end_read (struct linvo *s, struct linvo_view *view);

/* The same without a view: for one record as it is now, read by s->read. */
int linvo_begin_look (struct linvo *s, struct tally_error *err);
void linvo_end_look (struct linvo *s);

int linvo_begin_write (struct linvo *s, struct tally_error *err);
void linvo_end_write (struct linvo *s);

/* A view while somebody writes: between begin_write and end_write. */
void linvo_view_open (struct linvo *s, struct linvo_view *view);
void linvo_view_close (struct linvo *s, struct linvo_view *view);

/* Writes the batch and the head that goes with it, durably; counts it in
 * head->writes.  Between begin_write and end_write. */
int linvo_commit (struct linvo *s, leveldb_writebatch_t *batch,
                  struct linvo_head *head, struct tally_error *err);

/* Reads one value; *value is NULL when it is not there, else freed by the
 * caller with leveldb_free. */
int linvo_read (struct linvo *s, const leveldb_readoptions_t *how,
                const struct linvo_key *key, char **value, size_t *size,
                struct tally_error *err);

/* The number of a collection, 0 when there is none of this name. */
int linvo_read_number (struct linvo *s, const leveldb_readoptions_t *how,
                       const char *collection, uint32_t *number,
                       struct tally_error *err);
int linvo_read_head (struct linvo *s, const leveldb_readoptions_t *how,
                     struct linvo_head *head, struct tally_error *err);

/* Ended by linvo_found_done, also when it did not return TALLY_OK.  With
 * `part` one record is read, and rev ends with zeros. */
int linvo_find (struct linvo *s, const leveldb_readoptions_t *how,
                uint32_t number, const struct tally_slice *id, bool part,
                struct linvo_found *found, struct tally_error *err);

/* Reads the rest of the rev of a document that has its first part, id, flags
 * and seq. */
int linvo_read_rev (struct linvo *s, const leveldb_readoptions_t *how,
                    uint32_t number, struct tally_doc *doc,
                    struct tally_error *err);
void linvo_found_done (struct linvo_found *found);

/* Makes it of the value of its record, which stays the caller's. */
int linvo_found_take (struct linvo *s, const leveldb_readoptions_t *how,
                      uint32_t number, const struct tally_slice *id, bool part,
                      const struct tally_slice *value,
                      struct linvo_found *found, struct tally_error *err);

/* An iterator that stands on the first key at or after `from`. */
leveldb_iterator_t *linvo_scan_kept (struct linvo *s,
                                     const leveldb_readoptions_t *how,
                                     const struct linvo_key *from);
leveldb_iterator_t *linvo_scan (struct linvo *s, const struct linvo_view *view,
                                const struct linvo_key *from);

/* Whether it stands on a key within the first `size` bytes of prefix, which
 * is then in *key. */
bool linvo_scan_within (const leveldb_iterator_t *it,
                        const struct linvo_key *prefix, size_t size,
                        struct tally_slice *key);

/* Destroys it and says whether all that it showed was right: LevelDB skips
 * what it cannot read, and tells only here. */
int linvo_scan_end (struct linvo *s, leveldb_iterator_t *it,
                    struct tally_error *err);

bool linvo_cancelled (const struct linvo *s);

int linvo_fail_corrupt (const struct linvo *s, const char *what,
                        struct tally_error *err);
int linvo_fail_memory (const struct linvo *s, struct tally_error *err);

/* Tells a LevelDB error as ours and frees it. */
int linvo_fail_leveldb (const struct linvo *s, char *text,
                        struct tally_error *err);

#endif /* TALLY_LINVO_DB_H */
