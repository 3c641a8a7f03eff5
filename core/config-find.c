/* SPDX-License-Identifier: MIT */
/* Which ini is meant, and its bytes.  A ./tally.ini that nobody named is read
 * only if nobody else can have put it there. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined __linux__
#include <sys/auxv.h>
#endif

#include <tally/tally.h>

#include "buf.h"
#include "config-internal.h"
#include "ini.h"
#include "reason.h"

#ifndef TALLY_SYSCONFDIR
#define TALLY_SYSCONFDIR "/etc"
#endif

#define LOCAL_FILE "tally.ini"

const char *
config_env (char **env, const char *name)
{
  size_t size = strlen (name);

  for (; env && *env; env++)
    if (strncmp (*env, name, size) == 0 && (*env)[size] == '=')
      return *env + size + 1;
  return NULL;
}

char **
config_trusted_env (char **env)
{
#if defined __linux__
  if (getauxval (AT_SECURE) != 0)
    return NULL;
#endif
  if (getuid () != geteuid () || getgid () != getegid ())
    return NULL;
  return env;
}

/* ---- finding ----------------------------------------------------------- */

/* A file that is there but cannot be read is found, too: reading it then says
 * what is wrong.  A folder that is closed to us holds nothing of ours: $HOME
 * is often another's, after su or in a service. */
static bool
is_there (const char *path)
{
  struct stat st;

  return lstat (path, &st) == 0
         || (errno != ENOENT && errno != ENOTDIR && errno != EACCES);
}

/* $XDG_CONFIG_HOME/tally/tally.ini or ~/.config/tally/tally.ini.  Relative
 * folders are to be ignored, says the specification. */
static void
user_file (struct buf *b, char **env)
{
  const char *xdg = config_env (env, "XDG_CONFIG_HOME");
  const char *home = config_env (env, "HOME");

  if (xdg && xdg[0] == '/')
    buf_addf (b, "%s/tally/tally.ini", xdg);
  else if (home && home[0] == '/')
    buf_addf (b, "%s/.config/tally/tally.ini", home);
  else
    return;
  buf_add_byte (b, 0);
}

int
config_find (char **path, unsigned *flags, const char *flag, char **env,
             struct tally_error *err)
{
  const char *named = flag;
  const char *system = TALLY_SYSCONFDIR "/tally/tally.ini";
  const char *found = NULL;
  struct buf user = BUF_INIT;
  int status = TALLY_OK;

  *path = NULL;
  *flags = 0;
  env = config_trusted_env (env);
  if (!named)
    named = config_env (env, "TALLY_CONFIG");
  user_file (&user, env);
  if (named && *named)
    found = named;
  else if (is_there (LOCAL_FILE)) {
    found = LOCAL_FILE;
    *flags = CONFIG_IMPLICIT;
  } else if (user.data && !user.failed && is_there (user.data))
    found = user.data;
  else if (is_there (system))
    found = system;

  if (found)
    *path = strdup (found);
  if ((found && !*path) || user.failed)
    status = error_nomem (err);
  if (status != TALLY_OK) {
    free (*path);
    *path = NULL;
  }
  buf_free (&user);
  return status;
}

/* ---- reading ----------------------------------------------------------- */

static int
check_owner (const char *path, const struct stat *st, struct tally_error *err)
{
  if (st->st_uid != geteuid () && st->st_uid != 0)
    return error_set (err, TALLY_CONFIG,
                      "%s: belongs to another user; to use it, pass "
                      "--config ./%s",
                      path, path);
  if (!S_ISLNK (st->st_mode) && (st->st_mode & (S_IWGRP | S_IWOTH)))
    return error_set (err, TALLY_CONFIG,
                      "%s: can be written by others; chmod go-w %s, or pass "
                      "--config ./%s",
                      path, path, path);
  return TALLY_OK;
}

/* The link is looked at as well as the file: with a link to a good ini the
 * relative paths in it would lead into a stranger's folder. */
static int
check_implicit (const char *path, const struct stat *file,
                struct tally_error *err)
{
  struct stat link;

  if (lstat (path, &link) < 0)
    return error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
  if (check_owner (path, &link, err) != TALLY_OK)
    return TALLY_CONFIG;
  return check_owner (path, file, err);
}

static int
read_all (struct buf *out, int fd, const char *path, struct tally_error *err)
{
  ssize_t n = 1;

  while (n > 0 && out->size <= INI_SIZE_MAX) {
    if (!buf_reserve (out, 4096))
      return error_nomem (err);
    n = read (fd, out->data + out->size, 4096);
    if (n < 0 && errno == EINTR)
      n = 1;
    else if (n < 0)
      return error_set (err, TALLY_CONFIG, "%s: %s", path,
                        reason_errno (errno));
    else
      out->size += (size_t) n;
  }
  return TALLY_OK;
}

int
config_read_file (struct buf *out, const char *path, unsigned flags,
                  struct tally_error *err)
{
  struct stat st;
  bool implicit = flags & CONFIG_IMPLICIT;
  int status = TALLY_OK, fd;

  /* A pipe that was asked for is waited for, one that lies there is not. */
  fd = open (path,
             O_RDONLY | O_CLOEXEC | O_NOCTTY | (implicit ? O_NONBLOCK : 0));
  if (fd < 0)
    return error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
  if (fstat (fd, &st) < 0)
    status =
        error_set (err, TALLY_CONFIG, "%s: %s", path, reason_errno (errno));
  else if (implicit && !S_ISREG (st.st_mode))
    status = error_set (err, TALLY_CONFIG, "%s: is not a regular file", path);
  else if (implicit)
    status = check_implicit (path, &st, err);
  if (status == TALLY_OK)
    status = read_all (out, fd, path, err);
  close (fd);
  return status;
}
