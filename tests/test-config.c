/* SPDX-License-Identifier: MIT */
/* The ini as a whole: values and defaults, every kind of mistake with its
 * place and remedy, and the environment over the file. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <tally/tally.h>

#include "../core/config.h"

static const char sample[] = "[tally]\n"
                             "driver_path = /opt/a:/opt/b\n"
                             "device = bench\n"
                             "[store notes]\n"
                             "driver = linvo\n"
                             "path = notes.linvo\n"
                             "[transport hub]\n"
                             "driver = http\n"
                             "url = https://hub.example:7770\n"
                             "[sync notes-hub]\n"
                             "store = notes\n"
                             "transport = hub\n"
                             "collections = a, b c,d\n"
                             "direction = pull\n"
                             "on_write = yes\n"
                             "interval = 30s\n"
                             "[serve hub]\n"
                             "transport = hub\n"
                             "store = notes\n"
                             "tokens = tokens.txt\n"
                             "accounts = open\n";

static int
load_text (struct config **config, const char *text, char **env,
           struct tally_error *err)
{
  return config_load (config, "x.ini", text, 0, env, err);
}

static void
fails_with (const char *text, char **env, const char *message)
{
  struct tally_error err = { TALLY_OK, "" };
  struct config *config;

  assert_int_equal (load_text (&config, text, env, &err), TALLY_CONFIG);
  assert_string_equal (err.text, message);
  assert_null (config);
}

static void
fails (const char *text, const char *message)
{
  fails_with (text, NULL, message);
}

/* ---- values ------------------------------------------------------------ */

static void
test_everything_is_taken (void **state)
{
  struct config *c;
  struct tally_error err;
  char tokens[600];

  (void) state;
  assert_int_equal (load_text (&c, sample, NULL, &err), TALLY_OK);
  assert_null (c->path);
  assert_string_equal (c->device, "bench");
  assert_string_equal (c->driver_dirs[0], "/opt/a");
  assert_string_equal (c->driver_dirs[1], "/opt/b");
  assert_non_null (c->driver_dirs[2]);
  assert_null (c->driver_dirs[3]);
  assert_int_equal (c->max_skew_ms, 300000);
  assert_int_equal (c->keep_deleted_ms, INT64_C (7776000000));
  assert_int_equal (c->keep_conflicts_ms, INT64_C (7776000000));
  assert_int_equal (c->max_conflicts, 10000);

  assert_int_equal (c->n_endpoints, 2);
  assert_string_equal (c->endpoints[0].driver, "linvo");
  assert_string_equal (c->endpoints[0].driver_where, "x.ini:5");
  assert_string_equal (c->endpoints[0].where, "x.ini:4");
  assert_int_equal (c->endpoints[0].n_pairs, 1);
  assert_string_equal (c->endpoints[0].pairs[0].key, "path");

  assert_int_equal (c->n_links, 1);
  assert_ptr_equal (c->links[0].store, &c->endpoints[0]);
  assert_ptr_equal (c->links[0].transport, &c->endpoints[1]);
  assert_string_equal (c->links[0].collections[1], "b");
  assert_string_equal (c->links[0].collections[3], "d");
  assert_null (c->links[0].collections[4]);
  assert_int_equal (c->links[0].direction, CONFIG_PULL);
  assert_true (c->links[0].on_write);
  assert_int_equal (c->links[0].interval_ms, 30000);

  assert_int_equal (c->n_servers, 1);
  snprintf (tokens, sizeof tokens, "%s/tokens.txt", c->base_dir);
  assert_string_equal (c->servers[0].tokens, tokens);
  assert_true (c->servers[0].open);
  config_free (c);
}

static void
test_defaults (void **state)
{
  struct config *c;
  struct tally_error err;

  (void) state;
  assert_int_equal (
      load_text (&c,
                 "[sync l]\nstore=s\ntransport=t\n"
                 "[store s]\ndriver=memory\n[transport t]\ndriver=loopback\n"
                 "[serve v]\nstore=s\ntransport=t\n",
                 NULL, &err),
      TALLY_OK);
  assert_null (c->links[0].collections);
  assert_int_equal (c->links[0].direction, CONFIG_BOTH);
  assert_false (c->links[0].on_write);
  assert_int_equal (c->links[0].interval_ms, 0);
  assert_null (c->servers[0].tokens);
  assert_false (c->servers[0].open);
  config_free (c);
}

static void
test_nothing_at_all (void **state)
{
  struct config *c;
  struct tally_error err;

  (void) state;
  assert_int_equal (config_load (&c, NULL, NULL, 0, NULL, &err), TALLY_OK);
  assert_int_equal (c->n_endpoints, 0);
  assert_int_equal (c->max_skew_ms, 300000);
  assert_true (strlen (c->device) > 0);
  assert_int_equal (c->base_dir[0], '/');
  assert_null (config_endpoint (c, "x"));
  assert_null (config_nearest (c, "x"));
  config_free (c);
  config_free (NULL);
}

static void
test_look_ups (void **state)
{
  struct config *c;
  struct tally_error err;

  (void) state;
  assert_int_equal (load_text (&c, sample, NULL, &err), TALLY_OK);
  assert_ptr_equal (config_endpoint (c, "hub"), &c->endpoints[1]);
  assert_ptr_equal (config_link (c, "notes-hub"), &c->links[0]);
  assert_ptr_equal (config_server (c, "hub"), &c->servers[0]);
  assert_null (config_link (c, "hub"));
  assert_string_equal (config_nearest (c, "nots"), "notes");
  assert_string_equal (config_nearest (c, "note-hub"), "notes-hub");
  config_free (c);
}

/* ---- mistakes ---------------------------------------------------------- */

static void
test_sections (void **state)
{
  (void) state;
  fails ("[stor notes]\n",
         "x.ini:1: unknown section [stor notes]; did you mean [store notes]?");
  fails ("[Tally]\n", "x.ini:1: unknown section [Tally]; did you mean "
                      "[tally]?");
  fails ("\n[xyzzy]\n",
         "x.ini:2: unknown section [xyzzy]; there are [tally], [store NAME], "
         "[transport NAME], [sync NAME] and [serve NAME]");
  fails ("[tally x]\n", "x.ini:1: [tally] takes no name");
  fails ("[store]\n", "x.ini:1: [store] needs a name: [store NAME]");
  fails ("[store a b]\n",
         "x.ini:1: \"a b\" is not a name; expected at most 64 letters, "
         "digits, '.', '_' and '-', the first a letter or digit");
  fails ("[store .a]\n",
         "x.ini:1: \".a\" is not a name; expected at most 64 letters, "
         "digits, '.', '_' and '-', the first a letter or digit");
  fails ("[store a]\ndriver=x\n[sync a]\n",
         "x.ini:3: [sync a] has the same name as [store a] at x.ini:1");
}

static void
test_names_of_64_bytes (void **state)
{
  char text[200], name[66];
  struct tally_error err;
  struct config *c;

  (void) state;
  memset (name, 'n', 65);
  name[65] = 0;
  snprintf (text, sizeof text, "[transport %s]\ndriver=http\n", name + 1);
  assert_int_equal (load_text (&c, text, NULL, &err), TALLY_OK);
  assert_non_null (config_endpoint (c, name + 1));
  config_free (c);
  snprintf (text, sizeof text, "[transport %s]\ndriver=http\n", name);
  assert_int_equal (load_text (&c, text, NULL, &err), TALLY_CONFIG);
}

static void
test_keys (void **state)
{
  (void) state;
  fails ("[store notes]\ndrivr = sqlite\npath = x\n",
         "x.ini:2: unknown key \"drivr\" in [store notes]; did you mean "
         "\"driver\"?");
  fails ("[store notes]\npath = x\n",
         "x.ini:1: [store notes] needs \"driver\" (the name of a driver, or "
         "the absolute path of its file)");
  fails ("[tally]\nmax_skeww = 5m\n",
         "x.ini:2: unknown key \"max_skeww\" in [tally]; did you mean "
         "\"max_skew\"?");
  fails ("[sync l]\ntransport = t\n",
         "x.ini:1: [sync l] needs \"store\" (the name of a [store])");
  fails ("[store s]\ndriver =\n",
         "x.ini:2: driver: is empty; expected a text");
  fails ("[store s]\ndriver = ./x.so\n",
         "x.ini:2: driver \"./x.so\" must be a name or an absolute path");
}

static void
test_values (void **state)
{
  (void) state;
  fails ("[tally]\nmax_skew = 5\n",
         "x.ini:2: max_skew: \"5\" is not a duration (250ms, 30s, 5m, 2h, "
         "90d)");
  fails ("[tally]\ndriver_path = /a:b\n",
         "x.ini:2: driver_path: \"b\" is not an absolute path");
}

#define ENDS "[store s]\ndriver=m\n[transport t]\ndriver=l\n"

static void
test_references (void **state)
{
  (void) state;
  fails (ENDS "[sync l]\nstore = ss\ntransport = t\n",
         "x.ini:6: there is no [store ss]; did you mean \"s\"?");
  fails (ENDS "[sync l]\nstore = other\ntransport = t\n",
         "x.ini:6: there is no [store other]");
  fails (ENDS "[sync l]\nstore = t\ntransport = t\n",
         "x.ini:6: \"t\" is a [transport], not a [store]");
  fails (ENDS "[serve v]\nstore = s\ntransport = s\n",
         "x.ini:7: \"s\" is a [store], not a [transport]");
}

#define LINK ENDS "[sync l]\nstore = s\ntransport = t\n"

static void
test_wiring_values (void **state)
{
  (void) state;
  fails (LINK "direction = pul\n",
         "x.ini:8: direction: \"pul\" is unknown; did you mean \"pull\"?");
  fails (LINK "direction = sideways\n",
         "x.ini:8: direction: \"sideways\" is unknown; there are both, push, "
         "pull");
  fails (LINK "collections = a, _b\n",
         "x.ini:8: collections: \"_b\" begins with \"_\": it is local and "
         "never synced");
  fails (LINK "collections = a, a\n",
         "x.ini:8: collections: \"a\" is there twice");
  fails (LINK "collections = a, *\n",
         "x.ini:8: collections: \"*\" is not a collection's name");
  fails (LINK "collections = ,\n",
         "x.ini:8: collections: an empty name beside a comma");
  fails (LINK "collections = a,,b\n",
         "x.ini:8: collections: an empty name beside a comma");
  fails (LINK "collections = a, ,b\n",
         "x.ini:8: collections: an empty name beside a comma");
  fails (LINK "collections = a, b ,\n",
         "x.ini:8: collections: an empty name beside a comma");
  fails (LINK "collections =\n",
         "x.ini:8: collections: is empty; expected a text");
  fails (LINK "[serve v]\nstore = s\ntransport = t\naccounts = any\n",
         "x.ini:11: accounts: \"any\" is unknown; there are token, open");
}

static void
test_driver_options (void **state)
{
  static const struct tally_option rows[] = {
    { "path", TALLY_OPTION_PATH, TALLY_OPTION_REQUIRED, NULL, NULL, NULL },
    { NULL, 0, 0, NULL, NULL, NULL },
  };
  struct option_set set;
  struct tally_error err;
  struct config *c;
  char path[600];

  (void) state;
  assert_int_equal (load_text (&c,
                               "[store a]\ndriver=x\npath=p\n"
                               "[store b]\ndriver=x\npaths=p\n",
                               NULL, &err),
                    TALLY_OK);
  assert_int_equal (config_options (c, &c->endpoints[0], rows, &set, &err),
                    TALLY_OK);
  snprintf (path, sizeof path, "%s/p", c->base_dir);
  assert_string_equal (set.values[0].text, path);
  option_set_free (&set);
  assert_int_equal (config_options (c, &c->endpoints[1], rows, &set, &err),
                    TALLY_CONFIG);
  assert_string_equal (err.text, "x.ini:6: unknown key \"paths\" in [store "
                                 "b]; did you mean \"path\"?");
  config_free (c);
}

/* ---- the environment --------------------------------------------------- */

static void
test_environment_wins (void **state)
{
  char *env[] = { "PATH=/bin",
                  "TALLY_TALLY_MAX_SKEW=1m",
                  "TALLY_SYNC_NOTES_HUB_DIRECTION=push",
                  "TALLY_STORE_NOTES_PATH=/other",
                  "TALLY_STORE_NOTES_DRIVER=sqlite",
                  "TALLY_STORE_ELSEWHERE_PATH=/not/ours",
                  "TALLY_CONFIG=/x",
                  "TALLY_TOKEN_FILE=/y",
                  "TALLY_DRIVER_PATH=/opt/c:/opt/d",
                  NULL };
  const struct option_pair *pair;
  struct tally_error err;
  struct config *c;

  (void) state;
  assert_int_equal (load_text (&c, sample, env, &err), TALLY_OK);
  assert_int_equal (c->max_skew_ms, 60000);
  assert_int_equal (c->links[0].direction, CONFIG_PUSH);
  assert_string_equal (c->endpoints[0].driver, "sqlite");
  assert_string_equal (c->endpoints[0].driver_where,
                       "TALLY_STORE_NOTES_DRIVER");
  assert_int_equal (c->endpoints[0].n_pairs, 2);
  pair = &c->endpoints[0].pairs[1];
  assert_string_equal (pair->key, "path");
  assert_string_equal (pair->value, "/other");
  assert_string_equal (pair->where, "TALLY_STORE_NOTES_PATH");
  assert_int_equal (pair->level, OPTION_ENVIRONMENT);
  assert_string_equal (c->driver_dirs[1], "/opt/b");
  assert_string_equal (c->driver_dirs[2], "/opt/c");
  assert_string_equal (c->driver_dirs[3], "/opt/d");
  assert_non_null (c->driver_dirs[4]);
  config_free (c);
}

static void
test_environment_mistakes (void **state)
{
  char *typo[] = { "TALLY_SYNC_NOTES_HUB_INTERVL=1m", NULL };
  char *skew[] = { "TALLY_TALLY_SKEW=1m", NULL };
  char *value[] = { "TALLY_TALLY_MAX_SKEW=x", NULL };
  char *dirs[] = { "TALLY_DRIVER_PATH=/a:lib", NULL };
  char *nothing[] = { "TALLY_STORE_NOTES_DRIVER=", NULL };
  char *most[] = { "TALLY_TALLY_MAX_CONFLICTS=-1", NULL };

  (void) state;
  fails_with (sample, most,
              "TALLY_TALLY_MAX_CONFLICTS: max_conflicts: is negative");
  fails_with (sample, typo,
              "TALLY_SYNC_NOTES_HUB_INTERVL: unknown key \"intervl\" in "
              "[sync notes-hub]; did you mean \"interval\"?");
  fails_with (sample, skew,
              "TALLY_TALLY_SKEW: unknown key \"skew\" in [tally]; there are: "
              "driver_path, max_skew, keep_deleted, device, keep_conflicts, "
              "max_conflicts");
  fails_with (sample, value,
              "TALLY_TALLY_MAX_SKEW: max_skew: \"x\" is not a duration "
              "(250ms, 30s, 5m, 2h, 90d)");
  fails_with (sample, dirs,
              "TALLY_DRIVER_PATH: \"lib\" is not an absolute path");
  fails_with (sample, nothing,
              "TALLY_STORE_NOTES_DRIVER: driver: is empty; expected a text");
}

static void
test_environment_of_like_names (void **state)
{
  static const char like[] = "[store a]\ndriver=m\n[store a-b]\ndriver=m\n";
  static const char same[] = "[store a.b]\ndriver=m\n[store A-b]\ndriver=m\n";
  char *env[] = { "TALLY_STORE_A_B_PATH=x", NULL };
  struct tally_error err;
  struct config *c;

  (void) state;
  assert_int_equal (load_text (&c, like, env, &err), TALLY_OK);
  assert_int_equal (c->endpoints[0].n_pairs, 0);
  assert_string_equal (c->endpoints[1].pairs[0].key, "path");
  config_free (c);
  assert_int_equal (load_text (&c, same, NULL, &err), TALLY_OK);
  config_free (c);
  fails_with (same, env,
              "TALLY_STORE_A_B_PATH: could be for [store a.b] or "
              "for [store A-b]");
}

/* As in a setgid program: then the environment is somebody else's. */
static void
test_privileged_programs (void **state)
{
  char *env[] = { "TALLY_TALLY_MAX_SKEW=1m", "TALLY_CONFIG=/x",
                  "TALLY_DRIVER_PATH=/opt/evil", NULL };
  struct tally_error err;
  struct config *c;
  gid_t group = getegid ();
  unsigned flags;
  char *path;

  (void) state;
  if (geteuid () != 0)
    skip ();
  assert_int_equal (setegid (4711), 0);
  assert_int_equal (load_text (&c, "", env, &err), TALLY_OK);
  assert_int_equal (config_find (&path, &flags, NULL, env, &err), TALLY_OK);
  assert_int_equal (setegid (group), 0);
  assert_int_equal (c->max_skew_ms, 300000);
  assert_null (c->driver_dirs[1]);
  assert_null (path);
  config_free (c);
}

/* ---- the samples, and any bytes ---------------------------------------- */

static char *
read_sample (const char *name)
{
  const char *source = getenv ("srcdir");
  char path[4096];
  char *text = calloc (1, 65536);
  FILE *file;

  assert_non_null (text);
  snprintf (path, sizeof path, "%s/config/%s", source ? source : ".", name);
  file = fopen (path, "rb");
  assert_non_null (file);
  assert_in_range (fread (text, 1, 65535, file), 100, 65534);
  fclose (file);
  return text;
}

/* What is commented out in a sample must be right as well. */
static void
uncomment (char *text)
{
  char *from = text, *to = text;

  while (*from) {
    if (*from == ';' && (from == text || from[-1] == '\n'))
      from++;
    else
      *to++ = *from++;
  }
  *to = 0;
}

static void
test_samples (void **state)
{
  static const char *const names[] = { "tally.ini", "hub.ini" };
  struct tally_error err;
  struct config *c;
  char *text;
  size_t i;

  (void) state;
  for (i = 0; i < 2; i++) {
    text = read_sample (names[i]);
    assert_int_equal (config_load (&c, names[i], text, 0, NULL, &err),
                      TALLY_OK);
    assert_true (c->n_endpoints > 0);
    config_free (c);
    uncomment (text);
    if (config_load (&c, names[i], text, 0, NULL, &err) != TALLY_OK)
      fail_msg ("%s", err.text);
    assert_true (c->n_servers > 0);
    config_free (c);
    free (text);
  }
}

/* The sample that `tally init` writes shows every key that tally has. */
static void
test_sample_shows_every_key (void **state)
{
  char *text = read_sample ("tally.ini");
  const struct tally_option *row;
  char key[64];
  int kind;

  (void) state;
  uncomment (text);
  for (kind = 0; kind < CONFIG_KINDS; kind++)
    for (row = config_rows ((enum config_kind) kind); row->name; row++) {
      if (strcmp (row->name, "accounts") == 0)
        continue; /* in hub.ini: not for everybody */
      snprintf (key, sizeof key, "\n%s = ", row->name);
      if (!strstr (text, key))
        fail_msg ("no %s", row->name);
    }
  free (text);
}

static void
try_text (const char *text)
{
  struct tally_error err = { TALLY_OK, "" };
  struct config *c;
  int status = load_text (&c, text, NULL, &err);

  if (status == TALLY_OK) {
    config_free (c);
    return;
  }
  assert_int_equal (status, TALLY_CONFIG);
  assert_null (c);
  assert_int_equal (strncmp (err.text, "x.ini:", 6), 0);
  assert_true (strlen (err.text) > 10);
  assert_null (strchr (err.text, '\n'));
}

static uint32_t
next_random (uint32_t *seed)
{
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

static void
test_truncated_and_mutated (void **state)
{
  static const char bytes[] = "[]=;#: \t\n\x80\xff\xc3_ab*,/9ms";
  char text[sizeof sample];
  uint32_t seed = 20240301;
  size_t size;
  int round, edits;

  (void) state;
  for (size = 0; size < sizeof sample; size++) {
    memcpy (text, sample, sizeof sample);
    text[size] = 0;
    try_text (text);
  }
  for (round = 0; round < 10000; round++) {
    memcpy (text, sample, sizeof sample);
    for (edits = 1 + (int) (next_random (&seed) % 4); edits > 0; edits--)
      text[next_random (&seed) % (sizeof sample - 1)] =
          bytes[next_random (&seed) % (sizeof bytes - 1)];
    try_text (text);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_everything_is_taken),
    cmocka_unit_test (test_defaults),
    cmocka_unit_test (test_nothing_at_all),
    cmocka_unit_test (test_look_ups),
    cmocka_unit_test (test_sections),
    cmocka_unit_test (test_names_of_64_bytes),
    cmocka_unit_test (test_keys),
    cmocka_unit_test (test_values),
    cmocka_unit_test (test_references),
    cmocka_unit_test (test_wiring_values),
    cmocka_unit_test (test_driver_options),
    cmocka_unit_test (test_environment_wins),
    cmocka_unit_test (test_environment_mistakes),
    cmocka_unit_test (test_environment_of_like_names),
    cmocka_unit_test (test_privileged_programs),
    cmocka_unit_test (test_samples),
    cmocka_unit_test (test_sample_shows_every_key),
    cmocka_unit_test (test_truncated_and_mutated),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
