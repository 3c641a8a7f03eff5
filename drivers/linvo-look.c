/* SPDX-License-Identifier: MIT */
/* LevelDB makes its folder and files even when it then refuses to open, so
 * what stands at a path is judged from the names there, before it comes
 * near.  Nothing is changed here. */

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "linvo-error.h"
#include "linvo-look.h"

static bool
ends_with (const char *name, const char *end)
{
  size_t a = strlen (name), b = strlen (end);

  return a > b && strcmp (name + a - b, end) == 0;
}

/* What LevelDB makes before CURRENT, and may leave without it. */
static bool
is_beginning (const char *name)
{
  return strcmp (name, "LOCK") == 0 || strncmp (name, "LOG", 3) == 0
         || strncmp (name, "MANIFEST-", 9) == 0 || ends_with (name, ".dbtmp");
}

static bool
is_data (const char *name)
{
  return ends_with (name, ".ldb") || ends_with (name, ".sst")
         || ends_with (name, ".log");
}

static enum linvo_standing
judge_names (DIR *dir)
{
  bool marker = false, current = false, data = false, other = false;
  bool any = false;
  const struct dirent *entry;

  for (entry = readdir (dir); entry; entry = readdir (dir)) {
    const char *name = entry->d_name;

    if (strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
      continue;
    any = true;
    if (strcmp (name, "TALLY") == 0)
      marker = true;
    else if (strcmp (name, "CURRENT") == 0)
      current = true;
    else if (is_data (name))
      data = true;
    else if (!is_beginning (name))
      other = true;
  }

  if (!any)
    return LINVO_EMPTY;
  if (current)
    return marker ? LINVO_STORE : LINVO_LEVELDB;
  if (!marker || (other && !data))
    return LINVO_OTHER;
  return data ? LINVO_HEADLESS : LINVO_UNFINISHED;
}

int
linvo_look (const char *path, enum linvo_standing *standing,
            struct tally_error *err)
{
  struct stat st;
  DIR *dir;

  *standing = LINVO_ABSENT;
  if (stat (path, &st) == -1)
    return errno == ENOENT ? TALLY_OK : linvo_fail_errno (err, path, errno);
  if (!S_ISDIR (st.st_mode))
    return linvo_fail (err, TALLY_CORRUPT, path,
                       "is a file, but a linvo store is a folder");

  dir = opendir (path);
  if (!dir)
    return linvo_fail_errno (err, path, errno);
  *standing = judge_names (dir);
  closedir (dir);
  return TALLY_OK;
}

int
linvo_accept (const char *path, enum linvo_standing standing, unsigned flags,
              struct tally_error *err)
{
  switch (standing) {
  case LINVO_STORE:
    return TALLY_OK;
  case LINVO_HEADLESS:
    return linvo_fail (err, TALLY_CORRUPT, path, "CURRENT is missing");
  case LINVO_LEVELDB:
    return linvo_fail (err, TALLY_CORRUPT, path,
                       "is a LevelDB folder, but not a tally store; "
                       "try tally import linvodb3");
  case LINVO_OTHER:
    if (flags & TALLY_OPEN_CREATE)
      return linvo_fail (err, TALLY_INVALID, path,
                         "is not empty, and not a tally store");
    return linvo_fail (err, TALLY_CORRUPT, path,
                       "is a folder, but not a tally store");
  default:
    if (flags & TALLY_OPEN_CREATE)
      return TALLY_OK;
    return linvo_fail (err, TALLY_NOTFOUND, path, "not there");
  }
}
