/* SPDX-License-Identifier: MIT */
/* A whole file, or all of the standard input, in memory: all of it is checked
 * before the first document is written, so all of it must be there. */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "input.h"
#include "signals.h"

#define INPUT_MAX ((uint64_t) 4 << 30)
#define FIRST_ROOM ((size_t) 64 << 10)
#define READ_MAX ((size_t) 1 << 30) /* read(2) takes no more than 2 GiB */

struct input {
  struct cli *cli;
  const char *name;
  int fd;
  char *data;
  size_t size;
  size_t room;
};

static int
too_large (struct input *in)
{
  cli_failf (in->cli, TALLY_INVALID, "%s: is over 4 GiB", in->name);
  return 1;
}

/* Makes room for one read.  A regular file gets a byte more than it has, so
 * that its end is found without growing. */
static int
make_room (struct input *in)
{
  struct stat st;
  size_t room = in->room ? 2 * in->room : FIRST_ROOM;
  char *grown;

  if (in->size < in->room)
    return 0;
  if (in->size >= INPUT_MAX || room < in->room)
    return too_large (in);
  if (!in->room && fstat (in->fd, &st) == 0 && S_ISREG (st.st_mode)) {
    if ((uint64_t) st.st_size > INPUT_MAX || (uint64_t) st.st_size >= SIZE_MAX)
      return too_large (in);
    room = (size_t) st.st_size + 1;
  }
  grown = realloc (in->data, room);
  if (!grown) {
    cli_failf (in->cli, TALLY_FAILED, "%s: out of memory", in->name);
    return 1;
  }
  in->data = grown;
  in->room = room;
  return 0;
}

static int
read_all (struct input *in)
{
  size_t want;
  ssize_t n;

  for (;;) {
    if (make_room (in) || signals_await (in->fd))
      return 1;
    want = in->room - in->size;
    n = read (in->fd, in->data + in->size, want < READ_MAX ? want : READ_MAX);
    if (n == 0)
      return 0;
    if (n > 0) {
      in->size += (size_t) n;
    } else if (errno != EINTR) {
      cli_fail_errno (in->cli, in->name, errno);
      return 1;
    }
  }
}

char *
input_read (struct cli *cli, const char *path, size_t *size)
{
  struct input in = { .cli = cli, .name = path, .fd = STDIN_FILENO };

  if (!path || strcmp (path, "-") == 0) {
    in.name = "standard input";
    if (isatty (STDIN_FILENO))
      cli_talk (cli, "reading documents from the terminal, up to ctrl-d");
  } else {
    in.fd = open (path, O_RDONLY | O_CLOEXEC);
    if (in.fd < 0) {
      cli_fail_errno (cli, path, errno);
      return NULL;
    }
  }
  if (read_all (&in)) {
    free (in.data);
    in.data = NULL;
  }
  if (in.fd != STDIN_FILENO)
    close (in.fd);
  *size = in.size;
  return in.data;
}
