/* SPDX-License-Identifier: MIT */
/* What SQLite says, as a status and a line for people. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sqlite-file.h"

#define PATH_SHOWN 160 /* bytes of the path in a message */

/* Of a long path the end is shown: the reason must fit in, too. */
int
sqlite_fail (const struct sqlite_store *s, struct tally_error *err, int status,
             const char *reason)
{
  const char *path = s->path ? s->path : "sqlite";
  size_t size = strlen (path);

  if (size > PATH_SHOWN)
    path += size - PATH_SHOWN;
  while (((unsigned char) *path & 0xc0) == 0x80)
    path++;
  err->status = status;
  snprintf (err->text, sizeof err->text, "%s: %s", path, reason);
  return status;
}

int
sqlite_is_cancelled (const struct sqlite_store *s)
{
  return s->host->cancelled && s->host->cancelled (s->host->ctx);
}

static bool
has_folder (const struct sqlite_store *s)
{
  char *folder = sqlite3_mprintf ("%s", s->path);
  char *slash = folder ? strrchr (folder, '/') : NULL;
  struct stat st;
  bool has = true;

  if (slash) {
    slash[1] = '\0';
    has = stat (folder, &st) == 0;
  }
  sqlite3_free (folder);
  return has;
}

/* Where SQLite may not write it goes on to read, and says then that nothing is
 * there to be read. */
static int
fail_cantopen (const struct sqlite_store *s, struct tally_error *err)
{
  switch (sqlite3_system_errno (s->db)) {
  case ENOENT:
  case ENOTDIR:
    if (!has_folder (s))
      return sqlite_fail (s, err, TALLY_NOTFOUND, "its folder is not there");
    /* fall through */
  case EACCES:
  case EPERM:
  case EROFS:
    return sqlite_fail (s, err, TALLY_DENIED,
                        "no permission to open it or to write beside it");
  default:
    return sqlite_fail (s, err, TALLY_FAILED, sqlite3_errmsg (s->db));
  }
}

int
sqlite_fail_code (const struct sqlite_store *s, struct tally_error *err,
                  int code)
{
  const char *text = s->db ? sqlite3_errmsg (s->db) : "out of memory";

  switch (code & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    if (sqlite_is_cancelled (s))
      return sqlite_fail (s, err, TALLY_CANCELLED, "cancelled");
    return sqlite_fail (s, err, TALLY_AGAIN, "locked by another process");
  case SQLITE_INTERRUPT:
    return sqlite_fail (s, err, TALLY_CANCELLED, "cancelled");
  case SQLITE_FULL:
    return sqlite_fail (s, err, TALLY_FAILED, "disk is full");
  case SQLITE_NOMEM:
    return sqlite_fail (s, err, TALLY_FAILED, "out of memory");
  case SQLITE_NOTADB:
    return sqlite_fail (s, err, TALLY_CORRUPT,
                        "not a tally store (file is not a database)");
  case SQLITE_CORRUPT:
  case SQLITE_CONSTRAINT: /* what is stored contradicts itself */
  case SQLITE_MISMATCH:
    return sqlite_fail (s, err, TALLY_CORRUPT, text);
  case SQLITE_TOOBIG:
    return sqlite_fail (s, err, TALLY_INVALID, text);
  case SQLITE_READONLY:
    if (code == SQLITE_READONLY_DBMOVED)
      return sqlite_fail (s, err, TALLY_FAILED,
                          "was moved or removed while it was open");
    return sqlite_fail (s, err, TALLY_DENIED,
                        "no permission to write to it or beside it, which "
                        "reading needs, too");
  case SQLITE_PERM:
  case SQLITE_AUTH:
    return sqlite_fail (s, err, TALLY_DENIED, text);
  case SQLITE_CANTOPEN:
    return fail_cantopen (s, err);
  default:
    return sqlite_fail (s, err, TALLY_FAILED, text);
  }
}
