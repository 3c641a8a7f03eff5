/* SPDX-License-Identifier: MIT */
/* Reads in blocks, and moves what is left of one to the front before the
 * next. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "lines.h"
#include "reason.h"
#include "slice.h"
#include "utf8.h"

#define BLOCK ((size_t) 256 << 10)

static int
fail_errno (const struct lines *lines, int number, struct tally_error *err)
{
  int status = number == ENOENT                      ? TALLY_NOTFOUND
               : number == EACCES || number == EPERM ? TALLY_DENIED
               : number == EISDIR                    ? TALLY_INVALID
                                                     : TALLY_FAILED;

  return error_set (err, status, "%s: %s", lines->path, reason_errno (number));
}

/* ---- what cannot be read twice ------------------------------------------ */

static int
open_spool (struct lines *lines, struct tally_error *err)
{
  const char *dir = getenv ("TMPDIR");
  struct buf name = BUF_INIT;
  int status = TALLY_OK;

  buf_addf (&name, "%s/tally-XXXXXX", dir && *dir ? dir : "/tmp");
  buf_add_byte (&name, '\0');
  if (name.failed)
    status = error_nomem (err);
  else {
    lines->spool = mkstemp (name.data);
    if (lines->spool < 0)
      status = error_set (err, TALLY_FAILED, "%s: %s", name.data,
                          reason_errno (errno));
    else {
      unlink (name.data);
      fcntl (lines->spool, F_SETFD, FD_CLOEXEC);
    }
  }
  buf_free (&name);
  return status;
}

static int
keep (struct lines *lines, const char *data, size_t size,
      struct tally_error *err)
{
  while (size > 0) {
    ssize_t n = write (lines->spool, data, size);

    if (n < 0 && errno != EINTR)
      return error_set (err, TALLY_FAILED, "%s: temporary file: %s",
                        lines->path, reason_errno (errno));
    if (n > 0) {
      data += n;
      size -= (size_t) n;
    }
  }
  return TALLY_OK;
}

/* ---- reading ------------------------------------------------------------ */

int
lines_open (struct lines *lines, const char *path, int cancel_fd,
            struct tally_error *err)
{
  bool standard = strcmp (path, "-") == 0;
  struct stat st;

  memset (lines, 0, sizeof *lines);
  lines->path = standard ? "standard input" : path;
  lines->spool = -1;
  lines->cancel_fd = cancel_fd;
  lines->fd =
      standard ? dup (STDIN_FILENO) : open (path, O_RDONLY | O_CLOEXEC);
  if (lines->fd < 0)
    return fail_errno (lines, errno, err);
  if (fstat (lines->fd, &st) == 0 && S_ISDIR (st.st_mode)) {
    lines_close (lines);
    return fail_errno (lines, EISDIR, err);
  }
  if (fstat (lines->fd, &st) == 0 && S_ISREG (st.st_mode)
      && lseek (lines->fd, 0, SEEK_SET) == 0)
    return TALLY_OK;
  return open_spool (lines, err);
}

void
lines_close (struct lines *lines)
{
  if (lines->fd >= 0)
    close (lines->fd);
  if (lines->spool >= 0)
    close (lines->spool);
  lines->fd = lines->spool = -1;
  buf_free (&lines->buf);
}

/* A pipe may give nothing for a long time. */
static int
await (struct lines *lines, struct tally_error *err)
{
  struct pollfd fds[2] = { { lines->fd, POLLIN, 0 },
                           { lines->cancel_fd, POLLIN, 0 } };

  while (poll (fds, lines->cancel_fd >= 0 ? 2 : 1, -1) < 0)
    if (errno != EINTR)
      return fail_errno (lines, errno, err);
  if (lines->cancel_fd >= 0 && fds[1].revents)
    return error_set (err, TALLY_CANCELLED, "%s: cancelled", lines->path);
  return TALLY_OK;
}

static int
read_block (struct lines *lines, struct tally_error *err)
{
  struct buf *buf = &lines->buf;
  ssize_t n;
  int status = await (lines, err);

  if (status != TALLY_OK)
    return status;
  if (lines->at > 0) {
    memmove (buf->data, buf->data + lines->at, buf->size - lines->at);
    buf->size -= lines->at;
    lines->at = 0;
  }
  if (buf->size > LINES_MAX)
    return error_set (err, TALLY_INVALID, "%s:%zu: the line is too long",
                      lines->path, lines->number + 1);
  if (!buf_reserve (buf, BLOCK))
    return error_nomem (err);
  n = read (lines->fd, buf->data + buf->size, BLOCK);
  if (n < 0)
    return errno == EINTR ? TALLY_OK : fail_errno (lines, errno, err);
  lines->ended = n == 0;
  if (n > 0 && lines->spool >= 0)
    status = keep (lines, buf->data + buf->size, (size_t) n, err);
  buf->size += (size_t) n;
  return status;
}

int
lines_next (struct lines *lines, struct tally_slice *line,
            struct tally_error *err)
{
  struct buf *buf = &lines->buf;
  size_t looked = 0, size;
  const char *end = NULL;
  int status;

  for (;;) {
    size = buf->size - lines->at;
    if (size > looked)
      end = memchr (buf->data + lines->at + looked, '\n', size - looked);
    if (end || lines->ended)
      break;
    looked = size;
    status = read_block (lines, err);
    if (status != TALLY_OK)
      return status;
  }
  if (!end && size == 0)
    return TALLY_NOTFOUND;
  *line = slice_make (buf->data + lines->at, size);
  if (end)
    line->size = (size_t) (end - line->data);
  lines->at += line->size + (end != NULL);
  if (lines->number++ == 0) {
    size_t mark = utf8_mark (line->data, line->size);

    *line = slice_make (line->data + mark, line->size - mark);
  }
  return TALLY_OK;
}

int
lines_is_last (struct lines *lines, bool *last, struct tally_error *err)
{
  int status = TALLY_OK;

  while (status == TALLY_OK && !lines->ended && lines->at == lines->buf.size)
    status = read_block (lines, err);
  *last = status == TALLY_OK && lines->at == lines->buf.size;
  return status;
}

int
lines_rewind (struct lines *lines, struct tally_error *err)
{
  if (lines->spool >= 0) {
    close (lines->fd);
    lines->fd = lines->spool;
    lines->spool = -1;
  }
  if (lseek (lines->fd, 0, SEEK_SET) != 0)
    return fail_errno (lines, errno, err);
  buf_clear (&lines->buf);
  lines->at = lines->number = 0;
  lines->ended = false;
  return TALLY_OK;
}
