/* SPDX-License-Identifier: MIT */
/* LevelDB distrusts its files only when told to, and after one failed write
 * takes later ones and loses them.  So checks are on everywhere, and a handle
 * whose write failed is reopened before the next one.  Reads go on beside
 * writes, each from a snapshot. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "linvo-bloom.h"
#include "linvo-db.h"

/* The memory of a store: two write buffers, the cache, and up to 0.3 MB for
 * each of 64 open tables.  Large tables make a million random puts a third
 * faster than small ones. */
#define WRITE_BUFFER (8u << 20)
#define CACHE (8u << 20)
#define TABLE_SIZE (16u << 20)
#define OPEN_FILES 74

/* Of a block all is unpacked and checked to read a record in it, so larger
 * ones make single reads and syncs slower: 8 KB by a tenth.  LevelDB's own
 * interval, after which a key is spelt out, is 16 records; this saves 3 bytes
 * for each document. */
#define BLOCK_SIZE 4096
#define RESTART_INTERVAL 64

/* ---- errors ------------------------------------------------------------ */

int
linvo_fail_corrupt (const struct linvo *s, const char *what,
                    struct tally_error *err)
{
  return linvo_fail (err, TALLY_CORRUPT, s->folder.path, "%s", what);
}

int
linvo_fail_memory (const struct linvo *s, struct tally_error *err)
{
  return linvo_fail_errno (err, s->folder.path, ENOMEM);
}

/* LevelDB gives the system's reason in the words of strerror. */
static bool
tells (const char *text, int code)
{
  char reason[128];

  return strerror_r (code, reason, sizeof reason) == 0
         && strstr (text, reason) != NULL;
}

/* "Corruption: /path/000005.ldb: bad block" -> "000005.ldb: bad block" */
static const char *
reason_of (const struct linvo *s, const char *text)
{
  size_t size = strlen (s->folder.path);
  const char *reason = strstr (text, ": ");

  if (!reason)
    return text;
  reason += 2;
  if (strncmp (reason, s->folder.path, size) != 0)
    return reason;
  reason += size;
  return reason + strspn (reason, "/: ");
}

static int
fail_leveldb (const struct linvo *s, const char *text, struct tally_error *err)
{
  const char *path = s->folder.path;
  const char *reason = reason_of (s, text);

  if (strncmp (text, "IO error: lock ", 15) == 0) {
    if (strstr (text, "already held by process"))
      return linvo_fail (err, TALLY_AGAIN, path,
                         "in use by this process already");
    return linvo_folder_held (path, 0, err);
  }
  if (strncmp (text, "Corruption: ", 12) == 0)
    return linvo_fail (err, TALLY_CORRUPT, path, "damaged: %s", reason);
  /* A file that LevelDB counts on. */
  if (strncmp (text, "NotFound: ", 10) == 0)
    return linvo_fail (err, TALLY_CORRUPT, path, "incomplete: %s", reason);
  /* LevelDB's word for reading beyond the end of a file. */
  if (tells (text, EINVAL))
    return linvo_fail (err, TALLY_CORRUPT, path, "damaged: %s", reason);
  if (tells (text, ENOSPC) || tells (text, EDQUOT))
    return linvo_fail_errno (err, path, ENOSPC);
  if (tells (text, EACCES) || tells (text, EROFS))
    return linvo_fail_errno (err, path, EACCES);
  return linvo_fail (err, TALLY_FAILED, path, "%s", reason);
}

int
linvo_fail_leveldb (const struct linvo *s, char *text, struct tally_error *err)
{
  int r = fail_leveldb (s, text, err);

  leveldb_free (text);
  return r;
}

bool
linvo_cancelled (const struct linvo *s)
{
  return s->host && s->host->cancelled
         && s->host->cancelled (s->host->ctx) != 0;
}

/* ---- opening ----------------------------------------------------------- */

/* A head is missing only while nothing was ever written. */
static int
check_headless (struct linvo *s, struct tally_error *err)
{
  leveldb_iterator_t *it = leveldb_create_iterator (s->db, s->read);
  bool any;
  int r;

  leveldb_iter_seek_to_first (it);
  any = leveldb_iter_valid (it) != 0;
  r = linvo_scan_end (s, it, err);
  if (r == TALLY_OK && any)
    r = linvo_fail_corrupt (s, "its head record is missing", err);
  return r;
}

static int
check_head (struct linvo *s, struct tally_error *err)
{
  struct linvo_head *head = &s->head;
  int r = linvo_read_head (s, s->read, head, err);

  if (r == TALLY_OK && head->format == 0)
    r = check_headless (s, err);
  if (r != TALLY_OK)
    return r;
  /* The folder's mark was of this format. */
  if (head->format != 0 && head->format != LINVO_FORMAT)
    return linvo_fail (err, TALLY_UNSUPPORTED, s->folder.path,
                       "has format %" PRIu32 ", made by another tally",
                       head->format);
  if (head->writes < s->folder.writes)
    return linvo_fail (err, TALLY_CORRUPT, s->folder.path,
                       "damaged: its newest %" PRIu64 " writes are missing",
                       s->folder.writes - head->writes);
  if (head->writes > s->folder.writes)
    (void) linvo_folder_mark (&s->folder, head->writes);
  head->format = LINVO_FORMAT;
  return TALLY_OK;
}

/* With `writing` and the gate held alone, or before anyone knows of s. */
static int
start (struct linvo *s, bool fresh, struct tally_error *err)
{
  char *text = NULL;
  int r;

  leveldb_options_set_create_if_missing (s->options, fresh);
  s->db = leveldb_open (s->options, s->folder.path, &text);
  if (!s->db)
    return linvo_fail_leveldb (s, text, err);
  r = check_head (s, err);
  if (r != TALLY_OK) {
    leveldb_close (s->db);
    s->db = NULL;
  }
  return r;
}

/* With `writing` held.  Reopening writes the log out anew: where there is no
 * room for that, the old one stays, and can be read. */
static int
restart (struct linvo *s, struct tally_error *err)
{
  int r;

  r = linvo_folder_room (&s->folder, 2 * WRITE_BUFFER, err);
  if (r != TALLY_OK)
    return r;
  pthread_rwlock_wrlock (&s->gate);
  if (s->db)
    leveldb_close (s->db);
  s->db = NULL;
  memset (s->named, 0, sizeof s->named);
  /* What failed may be there now. */
  linvo_absent_moves (&s->absent);
  linvo_absent_moves (&s->absent);
  r = start (s, false, err);
  if (r == TALLY_OK)
    s->broken = false;
  pthread_rwlock_unlock (&s->gate);
  return r;
}

static void
make_options (struct linvo *s)
{
  s->options = leveldb_options_create ();
  s->cache = leveldb_cache_create_lru (CACHE);
  s->filter = linvo_bloom_create ();
  leveldb_options_set_cache (s->options, s->cache);
  leveldb_options_set_filter_policy (s->options, s->filter);
  leveldb_options_set_paranoid_checks (s->options, 1);
  leveldb_options_set_write_buffer_size (s->options, WRITE_BUFFER);
  leveldb_options_set_max_file_size (s->options, TABLE_SIZE);
  leveldb_options_set_block_size (s->options, BLOCK_SIZE);
  leveldb_options_set_block_restart_interval (s->options, RESTART_INTERVAL);
  leveldb_options_set_max_open_files (s->options, OPEN_FILES);
  leveldb_options_set_compression (s->options, leveldb_snappy_compression);

  s->read = leveldb_readoptions_create ();
  leveldb_readoptions_set_verify_checksums (s->read, 1);
  s->pass = leveldb_readoptions_create ();
  leveldb_readoptions_set_verify_checksums (s->pass, 1);
  leveldb_readoptions_set_fill_cache (s->pass, 0);
  s->write = leveldb_writeoptions_create ();
  leveldb_writeoptions_set_sync (s->write, 1);
}

static void
free_options (struct linvo *s)
{
  leveldb_writeoptions_destroy (s->write);
  leveldb_readoptions_destroy (s->pass);
  leveldb_readoptions_destroy (s->read);
  leveldb_options_destroy (s->options);
  leveldb_filterpolicy_destroy (s->filter);
  leveldb_cache_destroy (s->cache);
}

int
linvo_db_open (struct linvo *s, const char *path, unsigned flags,
               struct tally_error *err)
{
  int r;

  s->readonly = (flags & TALLY_OPEN_READONLY) != 0;
  r = linvo_folder_open (&s->folder, path, flags, err);
  if (r != TALLY_OK)
    return r;
  make_options (s);
  r = start (s, s->folder.fresh, err);
  if (r != TALLY_OK)
    goto out_options;

  if (pthread_mutex_init (&s->writing, NULL) != 0) {
    r = linvo_fail_memory (s, err);
    goto out_db;
  }
  if (pthread_mutex_init (&s->naming, NULL) != 0) {
    r = linvo_fail_memory (s, err);
    goto out_writing;
  }
  linvo_filter_start (&s->filled, s->head.seq == 0);
  if (!linvo_absent_init (&s->absent)) {
    r = linvo_fail_memory (s, err);
    goto out_naming;
  }
  if (pthread_rwlock_init (&s->gate, NULL) != 0) {
    r = linvo_fail_memory (s, err);
    goto out_absent;
  }
  return TALLY_OK;

out_absent:
  linvo_absent_free (&s->absent);
out_naming:
  pthread_mutex_destroy (&s->naming);
out_writing:
  pthread_mutex_destroy (&s->writing);
out_db:
  leveldb_close (s->db);
out_options:
  free_options (s);
  linvo_folder_close (&s->folder);
  return r;
}

void
linvo_db_close (struct linvo *s)
{
  pthread_rwlock_destroy (&s->gate);
  linvo_filter_free (&s->filled);
  linvo_absent_free (&s->absent);
  pthread_mutex_destroy (&s->naming);
  pthread_mutex_destroy (&s->writing);
  if (s->db)
    leveldb_close (s->db);
  free_options (s);
  linvo_folder_close (&s->folder);
}

/* ---- who may touch it when --------------------------------------------- */

/* Leaves the gate held, shared, with db there. */
static int
enter (struct linvo *s, struct tally_error *err)
{
  pthread_rwlock_rdlock (&s->gate);
  while (!s->db) {
    int r = TALLY_OK;

    pthread_rwlock_unlock (&s->gate);
    pthread_mutex_lock (&s->writing);
    /* Only who holds `writing` changes db. */
    if (!s->db)
      r = restart (s, err);
    pthread_mutex_unlock (&s->writing);
    if (r != TALLY_OK)
      return r;
    pthread_rwlock_rdlock (&s->gate);
  }
  return TALLY_OK;
}

void
linvo_view_open (struct linvo *s, struct linvo_view *view)
{
  view->snapshot = leveldb_create_snapshot (s->db);
  view->point = leveldb_readoptions_create ();
  leveldb_readoptions_set_verify_checksums (view->point, 1);
  leveldb_readoptions_set_snapshot (view->point, view->snapshot);
  view->range = leveldb_readoptions_create ();
  leveldb_readoptions_set_verify_checksums (view->range, 1);
  leveldb_readoptions_set_snapshot (view->range, view->snapshot);
  leveldb_readoptions_set_fill_cache (view->range, 0);
}

void
linvo_view_close (struct linvo *s, struct linvo_view *view)
{
  leveldb_readoptions_destroy (view->range);
  leveldb_readoptions_destroy (view->point);
  leveldb_release_snapshot (s->db, view->snapshot);
}

int
linvo_begin_look (struct linvo *s, struct tally_error *err)
{
  return enter (s, err);
}

void
linvo_end_look (struct linvo *s)
{
  pthread_rwlock_unlock (&s->gate);
}

int
linvo_begin_read (struct linvo *s, struct linvo_view *view,
                  struct tally_error *err)
{
  int r = enter (s, err);

  if (r == TALLY_OK)
    linvo_view_open (s, view);
  return r;
}

void
linvo_end_read (struct linvo *s, struct linvo_view *view)
{
  linvo_view_close (s, view);
  pthread_rwlock_unlock (&s->gate);
}

int
linvo_begin_write (struct linvo *s, struct tally_error *err)
{
  int r = TALLY_OK;

  pthread_mutex_lock (&s->writing);
  if (s->broken || !s->db)
    r = restart (s, err);
  if (r != TALLY_OK) {
    pthread_mutex_unlock (&s->writing);
    return r;
  }
  pthread_rwlock_rdlock (&s->gate);
  return TALLY_OK;
}

void
linvo_end_write (struct linvo *s)
{
  pthread_rwlock_unlock (&s->gate);
  pthread_mutex_unlock (&s->writing);
}

int
linvo_commit (struct linvo *s, leveldb_writebatch_t *batch,
              struct linvo_head *head, struct tally_error *err)
{
  char value[LINVO_HEAD_SIZE];
  struct linvo_key key;
  char *text = NULL;

  head->writes++;
  linvo_key_text (&key, LINVO_HEAD, NULL, 0);
  leveldb_writebatch_put (batch, key.data, key.size, value,
                          linvo_encode_head (value, head));
  linvo_absent_moves (&s->absent);
  leveldb_write (s->db, s->write, batch, &text);
  linvo_absent_moves (&s->absent);
  if (text) {
    s->broken = true;
    return linvo_fail_leveldb (s, text, err);
  }
  s->head = *head;
  (void) linvo_folder_mark (&s->folder, head->writes);
  return TALLY_OK;
}
