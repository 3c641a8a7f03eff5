/* SPDX-License-Identifier: MIT */
/* Opening a store to read it alone.  SQLite reads a file in WAL mode by means
 * of a file beside it, which may be impossible to make; and it leaves what a
 * writer left half done to those that may write. */

#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "sqlite-file.h"

static bool
has_beside (const struct sqlite_store *s, const char *suffix)
{
  char *name = sqlite3_mprintf ("%s%s", s->path, suffix);
  struct stat st;
  bool has = name && stat (name, &st) == 0 && st.st_size > 0;

  sqlite3_free (name);
  return has;
}

/* Whoever was killed while the store was made left a journal.  Where it cannot
 * be played back, reading says so. */
static void
play_back (const struct sqlite_store *s)
{
  sqlite3 *db = NULL;

  if (sqlite3_open_v2 (s->path, &db,
                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL)
      == SQLITE_OK)
    sqlite3_exec (db, "PRAGMA application_id", NULL, NULL, NULL);
  sqlite3_close (db);
}

/* The file as one that nobody changes, which needs none beside it. */
static int
open_unchanging (struct sqlite_store *s)
{
  sqlite3_str *uri = sqlite3_str_new (NULL);
  char *text;
  int code;

  sqlite3_str_appendall (uri, "file:");
  for (const char *c = s->path; *c; c++)
    if (strchr ("?#%", *c))
      sqlite3_str_appendf (uri, "%%%02x", (unsigned char) *c);
    else
      sqlite3_str_appendchar (uri, 1, *c);
  sqlite3_str_appendall (uri, "?immutable=1");
  text = sqlite3_str_finish (uri);
  if (!text)
    return SQLITE_NOMEM;
  code = sqlite3_open_v2 (
      text, &s->db,
      SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
  sqlite3_free (text);
  return code;
}

int
sqlite_open_reading (struct sqlite_store *s, struct tally_error *err)
{
  struct statvfs fs;
  int code;

  if (statvfs (s->path, &fs) == 0 && (fs.f_flag & ST_RDONLY)) {
    if (has_beside (s, "-wal") || has_beside (s, "-journal"))
      return sqlite_fail (s, err, TALLY_DENIED,
                          "what was written last lies beside it, and nothing "
                          "can be written there; copy all of it elsewhere");
    code = open_unchanging (s);
  } else {
    if (has_beside (s, "-journal"))
      play_back (s);
    code = sqlite3_open_v2 (s->path, &s->db,
                            SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
  }
  return code ? sqlite_fail_code (s, err, code) : TALLY_OK;
}
