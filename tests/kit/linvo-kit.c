/* SPDX-License-Identifier: MIT */
/* Batch n holds ten documents new-N-I, and ten same-I at version n; body and
 * rev follow from id and version, so any loss shows. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake-print.h"
#include "linvo-kit.h"
#include "place.h"

#define HALF (LINVO_KIT_BATCH / 2)
#define BODY_SIZE 300

int
linvo_kit_setup (void **state)
{
  struct linvo_kit *k = calloc (1, sizeof *k);

  if (!k)
    return -1;
  k->ops = tally_driver_1 ()->store;
  if (!place_make (k->root, "linvo")) {
    free (k);
    return -1;
  }
  snprintf (k->path, sizeof k->path, "%s/store", k->root);
  *state = k;
  return 0;
}

int
linvo_kit_teardown (void **state)
{
  struct linvo_kit *k = *state;
  int r;

  linvo_kit_close (k);
  r = linvo_kit_remove (k->root);
  free (k);
  return r;
}

int
linvo_kit_open (struct linvo_kit *k, unsigned flags)
{
  static const struct tally_host host = { .size = sizeof host };
  struct tally_value value = { k->path, 0 };

  return k->ops->open (&k->handle, &host, &value, flags, &k->err);
}

void
linvo_kit_close (struct linvo_kit *k)
{
  if (k->handle)
    k->ops->close (k->handle);
  k->handle = NULL;
}

/* ---- documents --------------------------------------------------------- */

struct made {
  char id[32];
  unsigned char rev[TALLY_REV_SIZE];
  char body[BODY_SIZE];
  unsigned char print[TALLY_FINGERPRINT_SIZE];
};

static void
make (struct made *m, unsigned n, unsigned i)
{
  uint32_t x = n * 2654435761u + i * 40503u + 1;
  struct tally_slice id;
  size_t j;

  if (i < HALF)
    snprintf (m->id, sizeof m->id, "new-%u-%u", n, i);
  else
    snprintf (m->id, sizeof m->id, "same-%u", i - HALF);
  memset (m->rev, 0, sizeof m->rev);
  for (j = 0; j < 4; j++)
    m->rev[4 + j] = (unsigned char) (n >> (24 - 8 * j));
  m->rev[TALLY_REV_SIZE - 1] = 1;
  for (j = 0; j < BODY_SIZE; j++) {
    x = x * 1664525u + 1013904223u;
    m->body[j] = (char) ('a' + (x >> 24) % 26);
  }
  id.data = m->id;
  id.size = strlen (m->id);
  fake_print (&id, m->rev, m->print);
}

int
linvo_kit_put (struct linvo_kit *k, unsigned n)
{
  struct tally_outcome outcomes[LINVO_KIT_BATCH];
  struct tally_entry entries[LINVO_KIT_BATCH];
  struct made made[LINVO_KIT_BATCH], before[LINVO_KIT_BATCH];
  unsigned i;

  memset (entries, 0, sizeof entries);
  for (i = 0; i < LINVO_KIT_BATCH; i++) {
    make (&made[i], n, i);
    entries[i].collection = "things";
    entries[i].doc.id.data = made[i].id;
    entries[i].doc.id.size = strlen (made[i].id);
    memcpy (entries[i].doc.rev, made[i].rev, TALLY_REV_SIZE);
    entries[i].doc.body.data = made[i].body;
    entries[i].doc.body.size = BODY_SIZE;
    entries[i].add = made[i].print;
    make (&before[i], n - 1, i);
    entries[i].subtract = before[i].print;
  }
  return k->ops->put (k->handle, entries, LINVO_KIT_BATCH, 0, outcomes,
                      &k->err);
}

struct seen {
  struct made made;
  size_t n;
  uint64_t last;
  int wrong;
};

static int
match (void *ctx, const struct tally_doc *doc)
{
  struct seen *seen = ctx;

  seen->n++;
  if (doc->id.size != strlen (seen->made.id)
      || memcmp (doc->id.data, seen->made.id, doc->id.size) != 0
      || memcmp (doc->rev, seen->made.rev, TALLY_REV_SIZE) != 0
      || doc->body.size != BODY_SIZE
      || memcmp (doc->body.data, seen->made.body, BODY_SIZE) != 0)
    seen->wrong = 1;
  return 0;
}

static int
count (void *ctx, const struct tally_doc *doc)
{
  struct seen *seen = ctx;

  seen->n++;
  if (doc->seq <= seen->last)
    seen->wrong = 1;
  seen->last = doc->seq;
  return 0;
}

/* Whether document i of batch n is there as it was put. */
static int
check_one (struct linvo_kit *k, unsigned n, unsigned i)
{
  struct tally_slice id;
  struct seen seen;
  int r;

  memset (&seen, 0, sizeof seen);
  make (&seen.made, n, i);
  id.data = seen.made.id;
  id.size = strlen (seen.made.id);
  r = k->ops->get (k->handle, "things", &id, 1, TALLY_GET_BODY, match, &seen,
                   &k->err);
  if (r != TALLY_OK)
    return r;
  return seen.n == 1 && !seen.wrong ? TALLY_OK : 1;
}

int
linvo_kit_check (struct linvo_kit *k, unsigned n, unsigned more)
{
  struct seen seen;
  uint64_t head;
  unsigned b, i, last;
  int r;

  memset (&seen, 0, sizeof seen);
  r = k->ops->changes (k->handle, "things", 0, count, &seen, &head, &k->err);
  if (r != TALLY_OK)
    return r;
  last = (unsigned) (seen.n / HALF);
  last -= last > 0;
  if (seen.wrong || seen.n % HALF != 0 || last < n || last > n + more
      || head != (uint64_t) last * LINVO_KIT_BATCH)
    return 1;
  for (b = 1; b <= last; b++) {
    for (i = 0; i < (b == last ? LINVO_KIT_BATCH : HALF); i++) {
      r = check_one (k, b, i);
      if (r != TALLY_OK)
        return r;
    }
  }
  return TALLY_OK;
}

int
linvo_kit_check_digest (struct linvo_kit *k)
{
  return fake_digest_fits (k->ops, k->handle, "things", &k->err);
}

/* Keeps the version in a rev, and checks the body against it. */
static int
keep_version (void *ctx, const struct tally_doc *doc)
{
  struct seen *seen = ctx;
  unsigned n = 0, i;

  for (i = 4; i < 8; i++)
    n = n << 8 | doc->rev[i];
  make (&seen->made, n, HALF);
  seen->last = n;
  return match (ctx, doc);
}

int
linvo_kit_read_one (struct linvo_kit *k, const struct tally_slice *id,
                    unsigned n, uint64_t *head)
{
  struct seen one, all;
  int r;

  memset (&one, 0, sizeof one);
  memset (&all, 0, sizeof all);
  r = k->ops->get (k->handle, "things", id, 1, TALLY_GET_BODY, keep_version,
                   &one, &k->err);
  if (r == TALLY_OK)
    r = k->ops->changes (k->handle, "things", 0, count, &all, head, &k->err);
  if (r != TALLY_OK)
    return r;
  if (n > 0 && one.n != 1)
    return 1;
  return one.wrong || all.wrong || all.n % HALF != 0 || all.last > *head
         || one.last < n;
}

/* ---- files ------------------------------------------------------------- */

int
linvo_kit_write (const char *folder, const char *name, const void *data,
                 size_t size)
{
  char path[512];
  FILE *f;
  int r;

  snprintf (path, sizeof path, "%s/%s", folder, name);
  f = fopen (path, "wb");
  if (!f)
    return -1;
  r = fwrite (data, 1, size, f) == size ? 0 : -1;
  return fclose (f) == 0 ? r : -1;
}

char *
linvo_kit_read (const char *folder, const char *name, size_t *size)
{
  char path[512];
  struct stat st;
  char *data = NULL;
  FILE *f;

  snprintf (path, sizeof path, "%s/%s", folder, name);
  f = fopen (path, "rb");
  if (!f)
    return NULL;
  if (fstat (fileno (f), &st) == 0)
    data = malloc ((size_t) st.st_size + 1);
  if (data)
    *size = fread (data, 1, (size_t) st.st_size, f);
  fclose (f);
  return data;
}

/* Calls `each` for every file until it returns something else than 0. */
static int
walk (const char *folder,
      int (*each) (const char *folder, const char *name, void *ctx), void *ctx)
{
  DIR *dir = opendir (folder);
  const struct dirent *entry;
  int r = 0;

  if (!dir)
    return -1;
  for (entry = readdir (dir); entry && r == 0; entry = readdir (dir)) {
    const char *name = entry->d_name;

    if (strcmp (name, ".") != 0 && strcmp (name, "..") != 0)
      r = each (folder, name, ctx);
  }
  closedir (dir);
  return r;
}

static int
copy_file (const char *folder, const char *name, void *ctx)
{
  size_t size = 0;
  char *data = linvo_kit_read (folder, name, &size);
  int r = data ? linvo_kit_write (ctx, name, data, size) : -1;

  free (data);
  return r;
}

int
linvo_kit_copy (const char *from, const char *to)
{
  char target[512];

  if (mkdir (to, 0777) == -1)
    return -1;
  snprintf (target, sizeof target, "%s", to);
  return walk (from, copy_file, target);
}

static int
remove_file (const char *folder, const char *name, void *ctx)
{
  char path[512];

  (void) ctx;
  snprintf (path, sizeof path, "%s/%s", folder, name);
  return unlink (path) == 0 ? 0 : linvo_kit_remove (path);
}

int
linvo_kit_remove (const char *path)
{
  (void) walk (path, remove_file, NULL);
  return rmdir (path);
}

static int
sum_file (const char *folder, const char *name, void *ctx)
{
  uint64_t *sum = ctx, hash = 1469598103934665603u;
  size_t size = 0, i;
  char *data = linvo_kit_read (folder, name, &size);

  for (i = 0; name[i]; i++)
    hash = (hash ^ (unsigned char) name[i]) * 1099511628211u;
  for (i = 0; data && i < size; i++)
    hash = (hash ^ (unsigned char) data[i]) * 1099511628211u;
  *sum += hash;
  free (data);
  return 0;
}

uint64_t
linvo_kit_sum (const char *folder)
{
  uint64_t sum = 0;

  return walk (folder, sum_file, &sum) == 0 ? sum : 0;
}

struct wanted {
  const char *part;
  char *name;
  size_t size;
};

static int
find_name (const char *folder, const char *name, void *ctx)
{
  struct wanted *wanted = ctx;

  (void) folder;
  if (!strstr (name, wanted->part))
    return 0;
  snprintf (wanted->name, wanted->size, "%s", name);
  return 1;
}

int
linvo_kit_name (const char *folder, const char *part, char *name, size_t size)
{
  struct wanted wanted = { part, name, size };

  return walk (folder, find_name, &wanted) == 1 ? 0 : -1;
}
