/* SPDX-License-Identifier: MIT */
/* Names in the folder: of blobs, and of the files that become blobs once they
 * are whole.  The latter start with a dot, so that no list shows them. */

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "file.h"

#define NAME_SIZE_MAX 250
#define TEMP_HEAD ".tally-"
#define TEMP_TAIL ".tmp"
#define TEMP_HEX 16

_Static_assert(sizeof TEMP_HEAD + TEMP_HEX + sizeof TEMP_TAIL - 1
                   == FILE_TEMP_SIZE,
               "the size in file.h");

bool
file_is_blob (const char *name)
{
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789._-";
  size_t size = strnlen (name, NAME_SIZE_MAX + 1);

  return size > 0 && size <= NAME_SIZE_MAX && name[0] != '.'
         && strspn (name, letters) == size;
}

/* The name itself is left out of the message: it may hold anything. */
int
file_check_name (const struct file *file, const char *name,
                 struct tally_error *err)
{
  if (!file_is_blob (name))
    return file_fail (err, TALLY_INVALID, file->path, NULL, "bad blob name");
  return TALLY_OK;
}

bool
file_is_temp (const char *name)
{
  size_t head = sizeof TEMP_HEAD - 1;

  return strlen (name) == FILE_TEMP_SIZE - 1
         && strncmp (name, TEMP_HEAD, head) == 0
         && strspn (name + head, "0123456789abcdef") == TEMP_HEX
         && strcmp (name + head + TEMP_HEX, TEMP_TAIL) == 0;
}

/* A name that nobody else has.  0, or -1 with errno. */
int
file_temp_name (char temp[FILE_TEMP_SIZE])
{
  unsigned char random[TEMP_HEX / 2];
  size_t i;

  if (getrandom (random, sizeof random, 0) != (ssize_t) sizeof random)
    return -1;
  memcpy (temp, TEMP_HEAD, sizeof TEMP_HEAD);
  for (i = 0; i < sizeof random; i++)
    snprintf (temp + sizeof TEMP_HEAD - 1 + 2 * i, 3, "%02x", random[i]);
  memcpy (temp + FILE_TEMP_SIZE - sizeof TEMP_TAIL, TEMP_TAIL,
          sizeof TEMP_TAIL);
  return 0;
}
