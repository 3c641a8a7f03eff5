/* SPDX-License-Identifier: MIT */
/* tally init: the commented sample ini, written where there is none. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "sample-ini.h"

static int
write_all (int fd, const char *data, size_t size)
{
  ssize_t n;

  while (size > 0) {
    n = write (fd, data, size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno;
    data += n;
    size -= (size_t) n;
  }
  return 0;
}

/* The file may come to hold tokens: nobody else reads it. */
static int
write_sample (const char *path)
{
  size_t i;
  int fd, lost = 0;

  fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return errno;
  for (i = 0; sample_ini[i] && !lost; i++)
    lost = write_all (fd, sample_ini[i], strlen (sample_ini[i]));
  if (!lost && fsync (fd))
    lost = errno;
  if (close (fd) && !lost)
    lost = errno;
  /* Half an ini would only be in the way of the next try. */
  if (lost)
    unlink (path);
  return lost;
}

void
command_init (struct cli *cli)
{
  const struct args *args = cli->args;
  const char *path = "tally.ini";
  int lost;

  if (args->value[OPTION_CONFIG])
    path = args->value[OPTION_CONFIG];
  if (args->n)
    path = args->operands[0];
  lost = write_sample (path);
  if (lost == EEXIST)
    cli_failf (cli, TALLY_INVALID, "%s: exists already", path);
  else if (lost)
    cli_fail_errno (cli, path, lost);
  else
    cli_talk (cli, "%s: written; edit it, then run \"tally check\"", path);
}
