/* SPDX-License-Identifier: MIT */
/* Errors in the form that struct tally_error asks for: "PATH: reason". */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "linvo-error.h"

/* The end of a path too long to leave room for a reason. */
static const char *
shorten (const char *path)
{
  size_t size = strlen (path);

  if (size <= 170)
    return path;
  path += size - 170;
  while (((unsigned char) *path & 0xc0) == 0x80)
    path++;
  return path;
}

int
linvo_fail (struct tally_error *err, int status, const char *path,
            const char *format, ...)
{
  va_list args;
  int n;

  err->status = status;
  n = snprintf (err->text, sizeof err->text, "%s: ", shorten (path));
  if (n < 0 || (size_t) n >= sizeof err->text)
    return status;
  va_start (args, format);
  vsnprintf (err->text + n, sizeof err->text - (size_t) n, format, args);
  va_end (args);
  return status;
}

int
linvo_fail_errno (struct tally_error *err, const char *path, int code)
{
  char text[128];

  switch (code) {
  case ENOENT:
    return linvo_fail (err, TALLY_NOTFOUND, path, "not there");
  case EACCES:
  case EPERM:
  case EROFS:
    return linvo_fail (err, TALLY_DENIED, path, "permission denied");
  case ENOSPC:
  case EDQUOT:
    return linvo_fail (err, TALLY_FAILED, path, "disk is full");
  case ENOMEM:
    return linvo_fail (err, TALLY_FAILED, path, "out of memory");
  default:
    if (strerror_r (code, text, sizeof text) != 0)
      snprintf (text, sizeof text, "error %d", code);
    return linvo_fail (err, TALLY_FAILED, path, "%s", text);
  }
}
