/* SPDX-License-Identifier: MIT */
/* A driver on the command line is a name, or a file. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* The library wants an absolute path; NULL: errno says why there is none. */
static char *
absolute (const char *path)
{
  char *whole, here[PATH_MAX];
  size_t size;

  if (*path == '/')
    return strdup (path);
  while (path[0] == '.' && path[1] == '/')
    path += 2;
  if (!getcwd (here, sizeof here))
    return NULL;
  size = strlen (here) + strlen (path) + 2;
  whole = malloc (size);
  if (whole)
    snprintf (whole, size, "%s/%s", here, path);
  return whole;
}

static bool
is_path (const char *name)
{
  size_t n = strlen (name);

  return strchr (name, '/') || (n > 3 && strcmp (name + n - 3, ".so") == 0);
}

int
cli_driver_path (struct cli *cli, const char *name, char **path)
{
  *path = NULL;
  if (!is_path (name))
    return 0;
  *path = absolute (name);
  if (*path)
    return 0;
  cli_fail_errno (cli, name, errno);
  return 1;
}
