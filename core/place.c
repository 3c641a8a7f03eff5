/* SPDX-License-Identifier: MIT */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* statx, realpath */
#endif

#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "place.h"

static void
hash_file (crypto_generichash_state *hash, const char *path)
{
  unsigned char text[256];
  ssize_t size = 0;
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  if (fd >= 0) {
    size = read (fd, text, sizeof text);
    close (fd);
  }
  if (size > 0)
    crypto_generichash_update (hash, text, (unsigned long long) size);
  crypto_generichash_update (hash, (const unsigned char *) "", 1);
}

#ifdef STATX_BTIME
/* A file that was removed and made again may get the same number. */
static void
hash_birth (crypto_generichash_state *hash, const char *path)
{
  struct statx st;
  char text[64];

  if (statx (AT_FDCWD, path, 0, STATX_BTIME, &st) != 0
      || !(st.stx_mask & STATX_BTIME))
    return;
  snprintf (text, sizeof text, "%lld.%lu/", (long long) st.stx_btime.tv_sec,
            (unsigned long) st.stx_btime.tv_nsec);
  crypto_generichash_update (hash, (const unsigned char *) text,
                             strlen (text));
}
#else
#define hash_birth(hash, path) ((void) 0)
#endif

char *
place_find (const char *path)
{
  crypto_generichash_state hash;
  unsigned char digest[16];
  struct stat st;
  char file[64];
  char *place = malloc (2 * sizeof digest + 1);
  char *whole = NULL;

  if (!place)
    return NULL;
  /* Found by a symbolic link it is at the same place. */
  if (path)
    whole = realpath (path, NULL);
  if (whole)
    path = whole;
  crypto_generichash_init (&hash, NULL, 0, sizeof digest);
  hash_file (&hash, "/etc/machine-id");
  hash_file (&hash, "/proc/sys/kernel/random/boot_id");
  if (path && stat (path, &st) == 0) {
    snprintf (file, sizeof file, "%llu/%llu/", (unsigned long long) st.st_dev,
              (unsigned long long) st.st_ino);
    crypto_generichash_update (&hash, (const unsigned char *) file,
                               strlen (file));
    hash_birth (&hash, path);
    crypto_generichash_update (&hash, (const unsigned char *) path,
                               strlen (path));
  } else {
    unsigned char once[16];

    randombytes_buf (once, sizeof once);
    crypto_generichash_update (&hash, once, sizeof once);
  }
  crypto_generichash_final (&hash, digest, sizeof digest);
  sodium_bin2hex (place, 2 * sizeof digest + 1, digest, sizeof digest);
  free (whole);
  return place;
}
