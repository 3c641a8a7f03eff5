/* SPDX-License-Identifier: MIT */
/* Reads the whole file.  A damaged page of an index hides documents from
 * those that look them up by it, and every call goes well. */

#include <string.h>

#include "sqlite-file.h"

/* What SQLite found is lines, an error is one. */
static int
fail_damaged (const struct sqlite_store *s, const char *found,
              struct tally_error *err)
{
  char text[128] = "is damaged: ";
  size_t n = strlen (text);

  for (; *found && n < sizeof text - 1; found++)
    text[n++] = *found == '\n' ? ' ' : *found;
  text[n] = '\0';
  return sqlite_fail (s, err, TALLY_CORRUPT, text);
}

int
sqlite_check (void *handle, struct tally_error *err)
{
  const struct sqlite_store *s = handle;
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v2 (s->db, "PRAGMA integrity_check (1)", -1,
                                 &statement, NULL);
  int status = TALLY_OK;

  if (code == SQLITE_OK)
    code = sqlite3_step (statement);
  if (code == SQLITE_ROW) {
    const char *found = (const char *) sqlite3_column_text (statement, 0);

    if (!found)
      status = sqlite_fail (s, err, TALLY_FAILED, "out of memory");
    else if (sqlite3_stricmp (found, "ok") != 0)
      status = fail_damaged (s, found, err);
  } else
    status = sqlite_fail_code (s, err, code);
  sqlite3_finalize (statement);
  return status;
}
