/* SPDX-License-Identifier: MIT */
/* The attribute user.tally is text, "UNTIL_MS CLIENT".  It is not synced: one
 * that is older than the store says nothing, and no time in it is ever newer,
 * since it is written after the store's own note is durable.  A program that
 * copies a file may copy it along, but then the copy is another file, and the
 * store in it wakes up in another place. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#ifdef HAVE_SYS_XATTR_H
#include <sys/xattr.h>
#endif

#include "hlc.h"
#include "notejson.h"
#include "slice.h"
#include "witness.h"

#define ATTRIBUTE "user.tally"
#define TEXT_MAX 48

static bool
parse (struct witness *out, struct tally_slice text)
{
  const char *space = memchr (text.data, ' ', text.size);
  size_t at = space ? (size_t) (space - text.data) : 0;
  uint64_t client;

  if (!space || !note_number (slice_make (text.data, at), &out->until_ms)
      || !note_number (slice_make (space + 1, text.size - at - 1), &client)
      || client > HLC_CLIENT_MAX)
    return false;
  out->client = (uint32_t) client;
  return true;
}

void
witness_read (struct witness *out, const char *path)
{
  out->set = false;
#ifdef HAVE_SYS_XATTR_H
  char text[TEXT_MAX];
  ssize_t size = path ? getxattr (path, ATTRIBUTE, text, sizeof text) : -1;

  out->set = size > 0 && parse (out, slice_make (text, (size_t) size));
#else
  (void) path;
  (void) parse;
#endif
}

bool
witness_write (const struct witness *witness, const char *path)
{
#ifdef HAVE_SYS_XATTR_H
  char text[TEXT_MAX];
  int size = snprintf (text, sizeof text, "%llu %lu",
                       (unsigned long long) witness->until_ms,
                       (unsigned long) witness->client);

  return path && setxattr (path, ATTRIBUTE, text, (size_t) size, 0) == 0;
#else
  (void) witness;
  (void) path;
  return false;
#endif
}
