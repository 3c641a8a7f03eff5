/* SPDX-License-Identifier: MIT */
/* Random histories of three devices, a hub and a shared folder: whatever
 * came before, a dry run says what the run after it does, and changes no
 * byte.  Among what came before are links that were turned round, stores that
 * were rolled back, and runs over several ways in turn. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "rng.h"
#include "sync-shim.h"

#define DEVICES 3
#define IDS 12

struct realm {
  const char *driver;
  unsigned worlds, steps;
  bool on_disk; /* its stores are files in the folder */

  struct rng rng;
  unsigned applied, refused; /* plans */
  char folder[KIT_PATH];
  struct tally *tally;
  struct tally_replica *devices[DEVICES], *hub, *away;
  struct kit_server server;
};

static const char *const stores[] = { "d0", "d1", "d2", "hub" };
static const char *const names[] = { "d0", "d1", "d2" };

/* ---- the world ---------------------------------------------------------- */

static struct tally *
context (const struct realm *r)
{
  const char *d = r->driver, *key = r->on_disk ? "path" : "name";
  const char *f = r->on_disk ? r->folder : "held";
  struct tally *tally = kit_context (
      NULL,
      "[store d0]\ndriver = %s\n%s = %s/d0\n"
      "[store d1]\ndriver = %s\n%s = %s/d1\n"
      "[store d2]\ndriver = %s\n%s = %s/d2\n"
      "[store hub]\ndriver = %s\n%s = %s/hub\n"
      "[store away]\ndriver = %s\n%s = %s/away\n"
      "[transport wire]\ndriver = wire\n"
      "[transport stick]\ndriver = file\npath = %s/stick\n"
      "[serve it]\ntransport = wire\nstore = hub\n"
      "[sync h0]\nstore = d0\ntransport = wire\n"
      "[sync h1]\nstore = d1\ntransport = wire\n"
      "[sync h2]\nstore = d2\ntransport = wire\n"
      "[sync s0]\nstore = d0\ntransport = stick\n"
      "[sync s1]\nstore = d1\ntransport = stick\n"
      "[sync s2]\nstore = d2\ntransport = stick\n",
      d, key, f, d, key, f, d, key, f, d, key, f, d, key, f, r->folder);

  shim_register (tally);
  return tally;
}

static void
open_realm (struct realm *r)
{
  r->tally = context (r);
  for (unsigned i = 0; i < DEVICES; i++)
    r->devices[i] = kit_store (r->tally, names[i]);
  r->hub = kit_store (r->tally, "hub");
  r->away = kit_store (r->tally, "away");
  kit_serve (&r->server, r->tally, "it");
}

static void
close_realm (struct realm *r)
{
  kit_serve_end (&r->server);
  for (unsigned i = 0; i < DEVICES; i++)
    tally_replica_close (r->devices[i]);
  tally_replica_close (r->hub);
  tally_replica_close (r->away);
  tally_free (r->tally);
  r->tally = NULL;
}

/* ---- what must not change ----------------------------------------------- */

static void
hash_file (crypto_generichash_state *hash, const char *path)
{
  unsigned char bytes[65536];
  size_t size;
  FILE *file = fopen (path, "rb");

  if (!file)
    return;
  crypto_generichash_update (hash, (const unsigned char *) path,
                             strlen (path));
  for (;;) {
    size = fread (bytes, 1, sizeof bytes, file);
    if (size == 0)
      break;
    crypto_generichash_update (hash, bytes, size);
  }
  fclose (file);
}

static int
by_name (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static void
hash_folder (crypto_generichash_state *hash, const char *folder)
{
  char path[2 * KIT_PATH + 256], *found[512];
  const struct dirent *row;
  DIR *dir = opendir (folder);
  size_t n = 0;

  if (!dir)
    return;
  for (row = readdir (dir); row; row = readdir (dir))
    if (row->d_name[0] != '.' && n < 512)
      found[n++] = strdup (row->d_name);
  closedir (dir);
  qsort (found, n, sizeof *found, by_name);
  for (size_t i = 0; i < n; i++) {
    snprintf (path, sizeof path, "%s/%s", folder, found[i]);
    hash_file (hash, path);
    free (found[i]);
  }
}

/* Of every byte that is kept on disk; -shm is SQLite's memory. */
static void
fingerprint (const struct realm *r, unsigned char out[32])
{
  crypto_generichash_state hash;
  char path[2 * KIT_PATH];

  crypto_generichash_init (&hash, NULL, 0, 32);
  for (size_t i = 0; i < 4 && r->on_disk; i++) {
    snprintf (path, sizeof path, "%s/%s", r->folder, stores[i]);
    hash_file (&hash, path);
    snprintf (path, sizeof path, "%s/%s-wal", r->folder, stores[i]);
    hash_file (&hash, path);
  }
  snprintf (path, sizeof path, "%s/stick", r->folder);
  hash_folder (&hash, path);
  crypto_generichash_final (&hash, out, 32);
}

/* ---- what happens ------------------------------------------------------- */

static int
random_direction (struct realm *r)
{
  switch (rng_below (&r->rng, 8)) {
  case 0:
    return TALLY_PUSH;
  case 1:
    return TALLY_PULL;
  default:
    return TALLY_BOTH;
  }
}

static void
write_something (struct realm *r)
{
  struct tally_replica *device = r->devices[rng_below (&r->rng, DEVICES)];
  const char *collection = rng_one_in (&r->rng, 4) ? "tasks" : "notes";
  unsigned id = rng_below (&r->rng, IDS), value = rng_below (&r->rng, 3);
  char text[16];

  snprintf (text, sizeof text, "x%u", id);
  switch (rng_below (&r->rng, 5)) {
  case 0:
    kit_remove (device, collection, text);
    break;
  case 1:
    kit_replace (device, collection, "{\"_id\":\"%s\",\"w\":%u}", text, value);
    break;
  default:
    kit_put (device, collection, "{\"_id\":\"%s\",\"f%u\":%u}", text,
             rng_below (&r->rng, 3), value);
  }
}

static void
plan_path (const struct realm *r, const char *name, char path[2 * KIT_PATH])
{
  snprintf (path, 2 * KIT_PATH, "%s/%s", r->folder, name);
}

static bool
same_file (const char *a, const char *b)
{
  char *one = kit_read (a), *other = kit_read (b);
  bool same = strcmp (one, other) == 0;

  free (one);
  free (other);
  return same;
}

static void
save_plan (struct realm *r, const char *link, const char *b, int direction,
           const char *path)
{
  struct tally_sync_options options = { .size = sizeof options };
  struct kit_run run;

  options.direction = direction;
  options.dry_run = 1;
  options.save_plan = path;
  kit_run_with (&run, r->tally, link, b, &options);
  if (run.status != TALLY_OK)
    fail_msg ("%s", run.err.text);
}

/* Done as it was saved, or, if anything is another by now, not at all. */
static void
plan_and_apply (struct realm *r, const char *link, const char *b,
                int direction)
{
  struct tally_sync_options options = { .size = sizeof options };
  char plan[2 * KIT_PATH], later[2 * KIT_PATH];
  unsigned char before[32], after[32];
  struct kit_run foreseen, run;

  plan_path (r, "plan", plan);
  plan_path (r, "later", later);
  save_plan (r, link, b, direction, plan);
  for (unsigned i = rng_below (&r->rng, 3); i > 0; i--)
    write_something (r);
  save_plan (r, link, b, direction, later);
  if (b)
    kit_foresee_pair (&foreseen, r->tally, link, b, direction);
  else
    kit_foresee (&foreseen, r->tally, link, direction);
  fingerprint (r, before);
  options.direction = TALLY_AS_CONFIGURED;
  options.apply_plan = plan;
  kit_run_with (&run, r->tally, link, b, &options);
  if (same_file (plan, later)) {
    kit_expect_foreseen (&foreseen, &run);
    r->applied++;
    return;
  }
  fingerprint (r, after);
  assert_int_equal (run.status, TALLY_CONFLICT);
  assert_memory_equal (before, after, sizeof after);
  r->refused++;
}

static void
look_and_run (struct realm *r, const char *link, const char *b, int direction)
{
  unsigned char before[32], after[32];
  struct kit_run foreseen, run;
  /* A context of its own has to open the stores; the hub answers in ours. */
  bool alone = r->on_disk && link[0] != 'h' && rng_one_in (&r->rng, 2)
               && strcmp (link, "away") != 0;
  struct tally *tally = alone ? context (r) : r->tally;

  fingerprint (r, before);
  if (b)
    kit_foresee_pair (&foreseen, tally, link, b, direction);
  else
    kit_foresee (&foreseen, tally, link, direction);
  fingerprint (r, after);
  assert_memory_equal (before, after, sizeof after);
  if (alone)
    tally_free (tally);
  if (b)
    kit_try_pair_in (&run, r->tally, link, b, direction);
  else
    kit_try_sync (&run, r->tally, link, direction);
  kit_expect_foreseen (&foreseen, &run);
}

static void
sync_something (struct realm *r)
{
  unsigned i = rng_below (&r->rng, DEVICES);
  unsigned other = (i + 1 + rng_below (&r->rng, DEVICES - 1)) % DEVICES;
  unsigned way = rng_below (&r->rng, 5);
  char link[4];

  snprintf (link, sizeof link, "%c%u", way < 2 ? 'h' : 's', i);
  if (rng_one_in (&r->rng, 3))
    plan_and_apply (r, way == 4 ? names[i] : link,
                    way == 4 ? names[other] : NULL, random_direction (r));
  else
    look_and_run (r, way == 4 ? names[i] : link,
                  way == 4 ? names[other] : NULL, random_direction (r));
}

/* One store becomes what it was a while ago. */
static void
roll_back (struct realm *r)
{
  static const char *const ends[] = { "", "-wal" };
  const char *store = stores[rng_below (&r->rng, 4)];
  bool saves = rng_one_in (&r->rng, 2);

  close_realm (r);
  for (size_t i = 0; i < 2; i++) {
    char live[2 * KIT_PATH], saved[2 * KIT_PATH];

    snprintf (live, sizeof live, "%s/%s%s", r->folder, store, ends[i]);
    snprintf (saved, sizeof saved, "%s/saved-%s%s", r->folder, store, ends[i]);
    if (saves && access (live, F_OK) == 0)
      kit_copy (live, saved);
    else if (!saves && access (saved, F_OK) == 0)
      kit_copy (saved, live);
  }
  open_realm (r);
}

/* A store that was there once keeps every tombstone waiting for it: a run may
 * otherwise begin with making the far side forget what it then pushes there
 * again, and a look forgets nothing. */
static void
meet_away (struct realm *r)
{
  struct kit_run run;

  kit_put (r->away, "notes", "{\"_id\":\"away\"}");
  kit_put (r->away, "tasks", "{\"_id\":\"away\"}");
  for (size_t i = 0; i < 4; i++)
    look_and_run (r, "away", stores[i], TALLY_BOTH);
  kit_foresee_pair (&run, r->tally, "away", "hub", TALLY_BOTH);
  kit_expect_nothing (&run, 2);
}

static void
one_world (struct realm *r)
{
  kit_folder_make (r->folder);
  open_realm (r);
  meet_away (r);
  for (unsigned step = 0; step < r->steps; step++) {
    if (r->on_disk && rng_one_in (&r->rng, 25))
      roll_back (r);
    else if (rng_one_in (&r->rng, 3))
      sync_something (r);
    else
      write_something (r);
  }
  close_realm (r);
  kit_folder_remove (r->folder);
  shim_reset ();
}

static void
foresee (void **state)
{
  struct realm *r = *state;
  struct tally *tally = kit_context (NULL, "[tally]\n");
  bool there = (!r->on_disk || kit_has_driver (tally, r->driver, "store"))
               && kit_has_driver (tally, "file", "transport");

  tally_free (tally);
  if (!there)
    skip ();
  r->rng = rng_start (r->driver);
  for (unsigned i = 0; i < rng_tries (r->worlds); i++)
    one_world (r);
  assert_true (r->applied > 0 && r->refused > 0);
}

int
main (void)
{
  static struct realm held = { .driver = "held", .worlds = 12, .steps = 240 };
  static struct realm bare = { .driver = "bare", .worlds = 4, .steps = 240 };
  static struct realm disk = {
    .driver = "sqlite", .worlds = 2, .steps = 200, .on_disk = true
  };
  const struct CMUnitTest tests[] = {
    { "held", foresee, NULL, NULL, &held },
    { "bare", foresee, NULL, NULL, &bare },
    { "sqlite", foresee, NULL, NULL, &disk },
  };

  return cmocka_run_group_tests_name ("foresee", tests, NULL, NULL);
}
