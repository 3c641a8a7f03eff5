/* SPDX-License-Identifier: MIT */
/* tally driver-test: a driver against every rule of driver.h that can be
 * tried from outside, a line a check. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "driver-run.h"
#include "output.h"
#include "signals.h"

/* Where the stores and folders of the checks are; made in the children, too,
 * which count on from here. */
static struct {
  char folder[256];
  unsigned made;
  bool is_path;
} place;

struct testing {
  struct cli *cli;
  struct kit_subject subject;
  unsigned failed, skipped, done;
};

/* The kit's callback has no ctx: a process tests one driver. */
static int
fresh (char *value, size_t size)
{
  int n = place.is_path ? snprintf (value, size, "%s/%ld-%u", place.folder,
                                    (long) getpid (), place.made++)
                        : snprintf (value, size, "driver-test-%ld-%u",
                                    (long) getpid (), place.made++);

  return n > 0 && (size_t) n < size ? 0 : -1;
}

/* Removes what is in the folder; where folder is NULL, the folder, too. */
static void
remove_tree (const char *path)
{
  struct stat st;
  struct dirent *entry;
  char below[4096];
  DIR *dir;

  if (lstat (path, &st) != 0)
    return;
  if (!S_ISDIR (st.st_mode)) {
    unlink (path);
    return;
  }
  dir = opendir (path);
  for (entry = dir ? readdir (dir) : NULL; entry; entry = readdir (dir)) {
    if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
      continue;
    if (snprintf (below, sizeof below, "%s/%s", path, entry->d_name)
        < (int) sizeof below)
      remove_tree (below);
  }
  if (dir)
    closedir (dir);
  rmdir (path);
}

static const char *
kind_of (const struct kit_suite *suite)
{
  return suite == &kit_store ? "store" : "transport";
}

static void
print_json (const struct testing *testing, const struct kit_suite *suite,
            const struct kit_check *check, enum kit_outcome outcome,
            const char *why)
{
  struct object object;

  object_open (&object);
  object_text (&object, "driver", testing->subject.driver->name);
  object_text (&object, "kind", kind_of (suite));
  object_text (&object, "slot", check->slot);
  object_text (&object, "check", check->name);
  object_text (&object, "rule", check->rule);
  object_flag (&object, "ok", outcome != KIT_FAILED);
  object_flag (&object, "skipped", outcome == KIT_SKIPPED);
  object_text (&object, "error", outcome == KIT_FAILED ? why : NULL);
  object_close ();
}

static void
tell (struct testing *testing, const struct kit_suite *suite,
      const struct kit_check *check, enum kit_outcome outcome, const char *why)
{
  static const char *const words[] = { "ok", "not ok", "skipped" };

  testing->done++;
  testing->failed += outcome == KIT_FAILED;
  testing->skipped += outcome == KIT_SKIPPED;
  if (testing->cli->json)
    print_json (testing, suite, check, outcome, why);
  else {
    printf ("%s %s: %s", words[outcome], check->slot, check->rule);
    if (outcome == KIT_FAILED) {
      fputs (": ", stdout);
      out_plain (stdout, why);
    }
    putchar ('\n');
  }
}

static void
test_suite (struct testing *testing, const struct kit_suite *suite)
{
  const struct kit_check *check;
  char why[KIT_WHY];
  size_t t;

  for (t = 0; suite->tables[t]; t++)
    for (check = suite->tables[t]; check->name; check++) {
      enum kit_outcome outcome =
          driver_run (suite, check, &testing->subject, why);

      if (signals_caught () || !out_works ())
        return;
      tell (testing, suite, check, outcome, why);
    }
}

static int
make_place (struct cli *cli, const struct tally_driver *driver)
{
  const char *temporary = getenv ("TMPDIR");
  const struct tally_option *first = driver->options;

  place.is_path = first && first->name && first->type == TALLY_OPTION_PATH;
  if (snprintf (place.folder, sizeof place.folder,
                "%s/tally-driver-test-XXXXXX",
                temporary && *temporary ? temporary : "/tmp")
          >= (int) sizeof place.folder
      || !mkdtemp (place.folder)) {
    cli_fail_errno (cli, place.folder, errno);
    place.folder[0] = '\0';
    return 1;
  }
  return 0;
}

static void
test_driver (struct cli *cli, const struct tally_driver_use *use)
{
  struct testing testing = { .cli = cli };
  const struct kit_suite *suites[3];
  size_t i;

  testing.subject.driver = tally_driver_use_table (use);
  testing.subject.values = tally_driver_use_values (use);
  testing.subject.fresh = fresh;
  kit_suites (testing.subject.driver, suites);
  if (!suites[0]) {
    cli_failf (cli, TALLY_UNSUPPORTED,
               "%s: there are no checks for a driver of this kind",
               testing.subject.driver->name);
    return;
  }
  if (make_place (cli, testing.subject.driver))
    return;
  testing.subject.persistent = place.is_path;
  for (i = 0; suites[i]; i++)
    test_suite (&testing, suites[i]);
  remove_tree (place.folder);
  cli_talk (cli, "%u checks, %u failed, %u do not apply", testing.done,
            testing.failed, testing.skipped);
  if (testing.failed)
    cli_failf (cli, TALLY_CONFIG,
               "%s: breaks %u rules of the driver interface",
               cli->args->operands[0], testing.failed);
}

void
command_driver_test (struct cli *cli)
{
  const struct args *args = cli->args;
  struct tally_driver_use *use = NULL;
  struct tally_error err = { .status = 0 };
  char *path = NULL;
  int status;

  if (cli_driver_path (cli, args->operands[0], &path))
    return;
  status = tally_driver_use (&use, cli->tally, path ? path : args->operands[0],
                             args->options, args->n_options, &err);
  if (status)
    cli_fail_err (cli, status, &err);
  else
    test_driver (cli, use);
  tally_driver_use_free (use);
  free (path);
}
