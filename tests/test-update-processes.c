/* SPDX-License-Identifier: MIT */
/* Two processes that update the same documents at once: no addition is lost,
 * whichever was faster, one upsert makes one document, and indexes agree. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <tally/tally.h>

#include "../core/context.h"
#include "../core/indexes.h"

#define PROCESSES 2
#define ROUNDS 60
#define DOCUMENTS 20

struct world {
  struct tally *tally;
  struct tally_replica *replica;
  char folder[64], endpoint[96];
};

static bool
open_world (struct world *world, struct tally_error *err)
{
  return tally_new (&world->tally, NULL, err) == TALLY_OK
         && tally_replica_open (&world->replica, world->tally, world->endpoint,
                                TALLY_OPEN_CREATE, err)
                == TALLY_OK;
}

static void
close_world (struct world *world)
{
  tally_replica_close (world->replica);
  tally_free (world->tally);
}

static int
update (struct world *world, const char *query, const char *change, int upsert,
        struct tally_error *err)
{
  struct tally_update_options options = { .size = sizeof options };

  options.upsert = upsert;
  return tally_update (world->replica, "c", query, change, &options, NULL,
                       NULL, err);
}

/* Its exit code says whether all went well. */
static void
write_away (struct world world, unsigned who)
{
  struct tally_error err = { 0, "" };
  char push[64];
  int status = open_world (&world, &err) ? TALLY_OK : TALLY_FAILED;

  for (unsigned i = 0; i < ROUNDS && status == TALLY_OK; i++) {
    snprintf (push, sizeof push, "{\"$push\":{\"who\":%u}}", who);
    status = update (&world, "{\"n\":{\"$gte\":0}}",
                     "{\"$inc\":{\"n\":1,\"m.x\":0.1}}", 0, &err);
    if (status == TALLY_OK)
      status = update (&world, "{\"_id\":\"u\"}", push, 1, &err);
  }
  if (status != TALLY_OK)
    printf ("process %u: %s\n", who, err.text);
  fflush (stdout);
  _exit (status != TALLY_OK);
}

static int
start (void **state)
{
  static struct world world;
  struct tally_error err = { 0, "" };

  *state = &world;
  strcpy (world.folder, "/tmp/tally-update-XXXXXX");
  if (!mkdtemp (world.folder))
    return -1;
  snprintf (world.endpoint, sizeof world.endpoint, "sqlite:%s/s",
            world.folder);
  return !open_world (&world, &err);
}

static int
end (void **state)
{
  struct world *world = *state;
  char command[96];

  close_world (world);
  snprintf (command, sizeof command, "rm -rf %s", world->folder);
  return system (command);
}

static uint64_t
count (struct world *world, const char *query)
{
  struct tally_error err;
  uint64_t n = 0;

  if (tally_count (world->replica, "c", query, NULL, &n, &err) != TALLY_OK)
    fail_msg ("%s", err.text);
  return n;
}

static void
test_nothing_is_lost (void **state)
{
  struct world *world = *state;
  struct tally_index_options options = { .size = sizeof options };
  struct tally_error err = { 0, "" };
  struct replica *replica;
  static char text[DOCUMENTS * 32];
  pid_t pids[PROCESSES];

  for (unsigned i = 0; i < DOCUMENTS; i++)
    snprintf (text + strlen (text), sizeof text - strlen (text),
              "{\"_id\":\"d%03u\",\"n\":0}\n", i);
  assert_int_equal (tally_put (world->replica, "c", text, strlen (text), NULL,
                               NULL, NULL, &err),
                    TALLY_OK);
  assert_int_equal (tally_index (world->replica, "c", "n", &options, &err),
                    TALLY_OK);
  fflush (stdout);
  for (unsigned i = 0; i < PROCESSES; i++) {
    pids[i] = fork ();
    assert_true (pids[i] >= 0);
    if (pids[i] == 0)
      write_away (*world, i);
  }
  for (unsigned i = 0; i < PROCESSES; i++) {
    int how;

    assert_int_equal (waitpid (pids[i], &how, 0), pids[i]);
    assert_int_equal (how, 0);
  }
  snprintf (text, sizeof text, "{\"n\":%d,\"m.x\":%d}", PROCESSES * ROUNDS,
            PROCESSES * ROUNDS / 10);
  assert_int_equal (count (world, text), DOCUMENTS);
  snprintf (text, sizeof text, "{\"_id\":\"u\",\"who\":{\"$size\":%d}}",
            PROCESSES * ROUNDS);
  assert_int_equal (count (world, text), 1);
  assert_int_equal (context_replica (&replica, world->replica, &err),
                    TALLY_OK);
  if (indexes_check (replica, "c", &err) != TALLY_OK)
    fail_msg ("%s", err.text);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (test_nothing_is_lost, start, end),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
