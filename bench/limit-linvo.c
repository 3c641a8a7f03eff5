/* SPDX-License-Identifier: MIT */
/* A linvo store's records through LevelDB alone, opened as the driver does.
 * The kinds of record are told apart by the first byte of their key, and
 * nothing else is known of them here.  The largest kind, the documents, is
 * written in random order, as ids come in random order; the others in the
 * order of their keys, which is that of arrival. */

#include <stdlib.h>
#include <string.h>

#include <leveldb/c.h>

#include "../drivers/linvo-bloom.h"
#include "bench.h"
#include "limit.h"

struct record {
  char *key, *value;
  size_t key_size, value_size;
};

struct kind {
  struct record *records;
  size_t n, room;
  uint64_t bytes;
};

struct db {
  leveldb_t *db;
  leveldb_options_t *options;
  leveldb_cache_t *cache;
  leveldb_filterpolicy_t *filter;
};

static void
check (const char *path, char *error)
{
  if (error)
    die ("%s: %s", path, error);
}

static void
db_open (struct db *db, const char *path, int compression)
{
  char *error = NULL;

  db->options = leveldb_options_create ();
  db->cache = leveldb_cache_create_lru (8u << 20);
  db->filter = linvo_bloom_create ();
  leveldb_options_set_create_if_missing (db->options, 1);
  leveldb_options_set_cache (db->options, db->cache);
  leveldb_options_set_filter_policy (db->options, db->filter);
  leveldb_options_set_paranoid_checks (db->options, 1);
  leveldb_options_set_write_buffer_size (db->options, 8u << 20);
  leveldb_options_set_max_file_size (db->options, 16u << 20);
  leveldb_options_set_max_open_files (db->options, 74);
  leveldb_options_set_block_size (db->options, 4096);
  leveldb_options_set_block_restart_interval (db->options, 64);
  leveldb_options_set_compression (db->options, compression);
  db->db = leveldb_open (db->options, path, &error);
  check (path, error);
}

static void
db_close (struct db *db)
{
  leveldb_close (db->db);
  leveldb_options_destroy (db->options);
  leveldb_filterpolicy_destroy (db->filter);
  leveldb_cache_destroy (db->cache);
}

static char *
copy (const char *data, size_t size)
{
  char *made = malloc (size + 1);

  if (!made)
    die ("out of memory");
  memcpy (made, data, size);
  return made;
}

static void
add_record (struct kind *kind, const leveldb_iterator_t *it)
{
  struct record *record;
  const char *data;

  if (kind->n == kind->room) {
    kind->room = 2 * kind->room + 1024;
    kind->records = realloc (kind->records, kind->room * sizeof *record);
    if (!kind->records)
      die ("out of memory");
  }
  record = &kind->records[kind->n++];
  data = leveldb_iter_key (it, &record->key_size);
  record->key = copy (data, record->key_size);
  data = leveldb_iter_value (it, &record->value_size);
  record->value = copy (data, record->value_size);
  kind->bytes += record->key_size + record->value_size;
}

static void
shuffle (struct kind *kind)
{
  uint64_t state = 1;

  for (size_t i = kind->n; i > 1; i--) {
    size_t j = data_random (&state, i);
    struct record swap = kind->records[i - 1];

    kind->records[i - 1] = kind->records[j];
    kind->records[j] = swap;
  }
}

/* Returns the kind of the documents. */
static struct kind *
load (const char *path, struct kind kinds[256])
{
  struct kind *documents = &kinds[0];
  leveldb_readoptions_t *read = leveldb_readoptions_create ();
  leveldb_iterator_t *it;
  struct db db;

  memset (kinds, 0, 256 * sizeof *kinds);
  db_open (&db, path, leveldb_snappy_compression);
  it = leveldb_create_iterator (db.db, read);
  for (leveldb_iter_seek_to_first (it); leveldb_iter_valid (it);
       leveldb_iter_next (it)) {
    size_t size;
    const char *key = leveldb_iter_key (it, &size);

    add_record (&kinds[size > 0 ? (unsigned char) key[0] : 0], it);
  }
  leveldb_iter_destroy (it);
  leveldb_readoptions_destroy (read);
  db_close (&db);
  for (size_t i = 1; i < 256; i++)
    if (kinds[i].bytes > documents->bytes)
      documents = &kinds[i];
  shuffle (documents);
  return documents;
}

static void
unload (struct kind kinds[256])
{
  for (size_t i = 0; i < 256; i++) {
    for (size_t k = 0; k < kinds[i].n; k++) {
      free (kinds[i].records[k].key);
      free (kinds[i].records[k].value);
    }
    free (kinds[i].records);
  }
}

/* A share of each kind, from and to of n; of a kind with few records all of
 * them, since these are written with each batch. */
static void
write_share (struct db *db, const struct kind kinds[256], uint64_t from,
             uint64_t to, uint64_t n, const leveldb_writeoptions_t *options,
             const char *path)
{
  leveldb_writebatch_t *batch = leveldb_writebatch_create ();
  char *error = NULL;

  for (size_t i = 0; i < 256; i++) {
    bool few = kinds[i].n < 64;
    size_t first = few ? 0 : (size_t) (kinds[i].n * from / n);
    size_t end = few ? kinds[i].n : (size_t) (kinds[i].n * to / n);

    for (size_t k = first; k < end; k++) {
      const struct record *record = &kinds[i].records[k];

      leveldb_writebatch_put (batch, record->key, record->key_size,
                              record->value, record->value_size);
    }
  }
  leveldb_write (db->db, options, batch, &error);
  check (path, error);
  leveldb_writebatch_destroy (batch);
}

static double
write_all (const char *path, const char *scratch, uint64_t n, uint64_t size,
           int compression, bool compact)
{
  static struct kind kinds[256];
  leveldb_writeoptions_t *options = leveldb_writeoptions_create ();
  struct db db;
  double began;

  load (path, kinds);
  leveldb_writeoptions_set_sync (options, !compact);
  db_open (&db, scratch, compression);
  began = now_seconds ();
  for (uint64_t from = 0; from < n; from += size)
    write_share (&db, kinds, from, from + size < n ? from + size : n, n,
                 options, scratch);
  began = now_seconds () - began;
  if (compact)
    leveldb_compact_range (db.db, NULL, 0, NULL, 0);
  db_close (&db);
  leveldb_writeoptions_destroy (options);
  unload (kinds);
  return began;
}

static double
linvo_write (const char *path, const char *scratch, uint64_t n, uint64_t batch)
{
  return write_all (path, scratch, n, batch, leveldb_snappy_compression,
                    false);
}

static void
linvo_pack (const char *path, const char *scratch)
{
  write_all (path, scratch, 1, 1, leveldb_no_compression, true);
}

/* A row of an index is less: none of those that are read. */
#define LEAST_DOCUMENT 150

static double
linvo_read (const char *path, uint64_t n)
{
  static struct kind kinds[256];
  const struct kind *documents = load (path, kinds);
  leveldb_readoptions_t *read = leveldb_readoptions_create ();
  struct db db;
  double began;

  leveldb_readoptions_set_verify_checksums (read, 1);
  db_open (&db, path, leveldb_snappy_compression);
  began = now_seconds ();
  for (uint64_t i = 0; n > 0; i++) {
    const struct record *record = &documents->records[i % documents->n];
    char *error = NULL, *value;
    size_t size;

    if (record->value_size < LEAST_DOCUMENT)
      continue;
    n--;
    value = leveldb_get (db.db, read, record->key, record->key_size, &size,
                         &error);

    check (path, error);
    if (!value || size != record->value_size)
      die ("%s: a record is gone", path);
    leveldb_free (value);
  }
  began = now_seconds () - began;
  db_close (&db);
  leveldb_readoptions_destroy (read);
  unload (kinds);
  return began;
}

const struct engine engine_linvo = {
  .driver = "linvo",
  .write = linvo_write,
  .read = linvo_read,
  .pack = linvo_pack,
};
