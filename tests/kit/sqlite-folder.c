/* SPDX-License-Identifier: MIT */
/* See the header.  Nothing here asserts: it also runs in child processes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake-print.h"
#include "quiet-host.h"
#include "sqlite-folder.h"

static char folder[2048];
static unsigned last; /* the last store named */

int
folder_make (void)
{
  const char *parent = getenv ("TMPDIR");

  snprintf (folder, sizeof folder, "%s/tally-sqlite-XXXXXX",
            parent && parent[0] == '/' ? parent : "/tmp");
  return mkdtemp (folder) ? 0 : -1;
}

void
folder_remove (void)
{
  static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
  char path[4096];

  for (unsigned i = 1; i <= last; i++)
    for (size_t k = 0; k < sizeof ends / sizeof ends[0]; k++) {
      snprintf (path, sizeof path, "%s/%u.db%s", folder, i, ends[k]);
      unlink (path);
    }
  rmdir (folder);
}

int
folder_fresh (char *path, size_t size)
{
  int used = snprintf (path, size, "%s/%u.db", folder, ++last);

  return used < 0 || (size_t) used >= size ? -1 : 0;
}

static int
host_cancelled (void *ctx)
{
  return ((struct opened *) ctx)->cancel;
}

int
folder_open (struct opened *o, const char *path, unsigned flags)
{
  const struct tally_driver *driver = tally_driver_1 ();
  struct tally_value values[2] = { { path, 0 } };

  values[1].number = o->lock_timeout_ms ? o->lock_timeout_ms : 30000;
  if (path != o->path)
    snprintf (o->path, sizeof o->path, "%s", path);
  o->store = driver->store;
  o->host = (struct tally_host) QUIET_HOST;
  o->host.ctx = o;
  o->host.cancelled = host_cancelled;
  o->handle = NULL;
  memset (&o->err, 0, sizeof o->err);
  return o->store->open (&o->handle, &o->host, values, flags, &o->err);
}

int
folder_create (struct opened *o)
{
  memset (o, 0, sizeof *o);
  if (folder_fresh (o->path, sizeof o->path))
    return -1;
  return folder_open (o, o->path, TALLY_OPEN_CREATE) ? -1 : 0;
}

void
folder_close (struct opened *o)
{
  o->store->close (o->handle);
  o->handle = NULL;
}

void
folder_rev (unsigned char rev[TALLY_REV_SIZE], uint32_t number)
{
  memset (rev, 0, TALLY_REV_SIZE);
  for (int i = 0; i < 4; i++)
    rev[8 + i] = (unsigned char) (number >> (24 - 8 * i));
}

int
folder_put (struct opened *o, const char *id, const unsigned char *expected,
            uint32_t number, struct tally_outcome *outcome)
{
  struct tally_entry entry = { .collection = "things" };
  unsigned char add[TALLY_FINGERPRINT_SIZE], subtract[TALLY_FINGERPRINT_SIZE];
  unsigned char before[TALLY_REV_SIZE];
  struct tally_outcome own;
  char body[16];
  int status;

  entry.expected = expected;
  entry.doc.id.data = id;
  entry.doc.id.size = strlen (id);
  entry.doc.body.data = body;
  entry.doc.body.size =
      (size_t) snprintf (body, sizeof body, "%u", (unsigned) number);
  folder_rev (entry.doc.rev, number);
  folder_rev (before, number - 1);
  fake_print (&entry.doc.id, entry.doc.rev, add);
  fake_print (&entry.doc.id, expected ? expected : before, subtract);
  entry.add = add;
  entry.subtract = subtract;
  if (!outcome)
    outcome = &own;
  status = o->store->put (o->handle, &entry, 1, 0, outcome, &o->err);
  return status ? status : outcome->status;
}

/* Takes it only when body and stamp agree. */
static int
keep_number (void *ctx, const struct tally_doc *doc)
{
  unsigned char rev[TALLY_REV_SIZE];
  char body[16];
  unsigned long number;

  if (doc->body.size >= sizeof body)
    return 1;
  memcpy (body, doc->body.data, doc->body.size);
  body[doc->body.size] = 0;
  number = strtoul (body, NULL, 10);
  folder_rev (rev, (uint32_t) number);
  *(int64_t *) ctx = memcmp (rev, doc->rev, sizeof rev) ? -1 : (long) number;
  return 0;
}

int64_t
folder_number (struct opened *o, const char *id)
{
  struct tally_slice slice = { id, strlen (id) };
  int64_t number = 0;

  if (o->store->get (o->handle, "things", &slice, 1, TALLY_GET_BODY,
                     keep_number, &number, &o->err))
    return -1;
  return number;
}
