/* SPDX-License-Identifier: MIT */
/* Waiting for a write of anybody, this process or another.  SQLite tells
 * nobody, but it has a number that is cheap to read and moves with every
 * commit of another connection: so each wait has a connection of its own. */

#include <time.h>

#include "sqlite-file.h"

#define TICK_MS 50

static sqlite3_stmt *
prepare (sqlite3 *db, const char *text)
{
  sqlite3_stmt *statement = NULL;

  sqlite3_prepare_v2 (db, text, -1, &statement, NULL);
  return statement;
}

/* False: busy, or worse; what is worse a read will say. */
static bool
number (sqlite3_stmt *statement, int64_t *out)
{
  bool found = statement && sqlite3_step (statement) == SQLITE_ROW;

  if (found)
    *out = sqlite3_column_int64 (statement, 0);
  sqlite3_reset (statement);
  return found;
}

static void
pause_ms (unsigned ms)
{
  struct timespec nap = { 0, (long) ms * 1000000 };

  nanosleep (&nap, NULL);
}

static int
wait_on (const struct sqlite_store *s, int64_t since, unsigned timeout_ms,
         int64_t *head, struct tally_error *err)
{
  sqlite3_stmt *version = prepare (s->db, "PRAGMA data_version");
  sqlite3_stmt *last = prepare (s->db, SQL_HEAD_TEXT);
  int64_t seen = -1, now = 0;
  int status = TALLY_OK;

  if (!version || !last)
    status = sqlite_fail_code (s, err, sqlite3_errcode (s->db));
  while (status == TALLY_OK) {
    unsigned tick = timeout_ms < TICK_MS ? timeout_ms : TICK_MS;

    /* The version first: a commit between the two is looked at again. */
    if (number (version, &now) && now != seen && number (last, head))
      seen = now;
    if (*head > since || timeout_ms == 0)
      break;
    if (s->host && s->host->cancelled (s->host->ctx))
      status = sqlite_fail (s, err, TALLY_CANCELLED, "cancelled");
    pause_ms (tick);
    timeout_ms -= tick;
  }
  sqlite3_finalize (last);
  sqlite3_finalize (version);
  return status;
}

int
sqlite_wait (void *handle, uint64_t since, unsigned timeout_ms, uint64_t *head,
             struct tally_error *err)
{
  const struct sqlite_store *s = handle;
  /* For messages: the handle's own connection is somebody else's now. */
  struct sqlite_store here = { .host = s->host, .path = s->path };
  int64_t least = since < INT64_MAX ? (int64_t) since : INT64_MAX, found = 0;
  int status = TALLY_OK;
  int code = sqlite3_open_v2 (
      s->path, &here.db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

  if (code)
    status = sqlite_fail_code (&here, err, code);
  if (!status)
    status = wait_on (&here, least, timeout_ms, &found, err);
  sqlite3_close (here.db);
  *head = (uint64_t) found;
  return status;
}
