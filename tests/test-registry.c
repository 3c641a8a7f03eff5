/* SPDX-License-Identifier: MIT */
/* Drivers, good and broken, made with the compiler as the test runs: what is
 * found under which name, and that each defect is told in one line before
 * anything of the driver is called. */

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <tally/tally.h>

#include "../core/registry.h"

/* One driver for all tests; -D changes what is wrong with it. */
static const char driver_source[] =
    "#include <tally/driver.h>\n"
    "#ifndef NAME\n"
    "#define NAME \"good\"\n"
    "#endif\n"
    "#ifndef ABI\n"
    "#define ABI TALLY_DRIVER_ABI\n"
    "#endif\n"
    "#ifndef SIZE\n"
    "#define SIZE sizeof (struct tally_store)\n"
    "#endif\n"
    "#ifndef ENTRY\n"
    "#define ENTRY tally_driver_1\n"
    "#endif\n"
    "#ifndef ROW\n"
    "#define ROW { \"path\", TALLY_OPTION_PATH, 1, 0, \"the file\", 0 }\n"
    "#endif\n"
    "#ifndef SLOTS\n"
    "#define SLOTS .open = o, .close = c, .get = g, .put = p, .changes = s\n"
    "#endif\n"
    "#ifndef TABLES\n"
    "#define TABLES .store = &store\n"
    "#endif\n"
    "#ifdef MISSING\n"
    "int missing (void);\n"
    "#define USE missing ()\n"
    "#else\n"
    "#define USE 0\n"
    "#endif\n"
    "static int o (void **h, const struct tally_host *t,\n"
    "  const struct tally_value *v, unsigned f, struct tally_error *e)\n"
    "{ (void) h; (void) t; (void) v; (void) f; (void) e; return USE; }\n"
    "static void c (void *h) { (void) h; }\n"
    "#ifndef TRANSPORT\n"
    "static int g (void *h, const char *n, const struct tally_slice *i,\n"
    "  size_t m, unsigned f, tally_emit_doc *d, void *x,\n"
    "  struct tally_error *e)\n"
    "{ (void) h; (void) n; (void) i; (void) m; (void) f; (void) d;\n"
    "  (void) x; (void) e; return 0; }\n"
    "static int p (void *h, const struct tally_entry *n, size_t m,\n"
    "  unsigned f, struct tally_outcome *t, struct tally_error *e)\n"
    "{ (void) h; (void) n; (void) m; (void) f; (void) t; (void) e;\n"
    "  return 0; }\n"
    "static int s (void *h, const char *n, uint64_t i, tally_emit_doc *d,\n"
    "  void *x, uint64_t *u, struct tally_error *e)\n"
    "{ (void) h; (void) n; (void) i; (void) d; (void) x; (void) u;\n"
    "  (void) e; return 0; }\n"
    "static const struct tally_store store = { .size = SIZE, SLOTS };\n"
    "#else\n"
    "static const struct tally_transport transport\n"
    "  = { TALLY_TRANSPORT_INIT, SLOTS };\n"
    "#endif\n"
    "static const struct tally_option options[]\n"
    "  = { ROW, { 0, 0, 0, 0, 0, 0 } };\n"
    "static const struct tally_driver driver = {\n"
    "  .abi = ABI, .size = sizeof (struct tally_driver), .name = NAME,\n"
    "  .version = \"1.2\", .summary = \"for tests\", .options = options,\n"
    "  TABLES };\n"
    "TALLY_EXPORT const struct tally_driver *ENTRY (void);\n"
    "const struct tally_driver *ENTRY (void) { return &driver; }\n";

static char folder[] = "/tmp/tally-registry-XXXXXX";
static char source[2 * PATH_MAX];

/* ---- making drivers ---------------------------------------------------- */

static const char *
compiler (void)
{
  const char *cc = getenv ("CC");

  return cc && *cc ? cc : "cc";
}

static int
has_compiler (void)
{
  char command[1024];

  snprintf (command, sizeof command,
            "echo 'int x;' | %s -fPIC -shared -x c - -o %s/probe.so "
            ">/dev/null 2>&1 && rm %s/probe.so",
            compiler (), folder, folder);
  return system (command) == 0;
}

static void
write_source (const char *name, const char *text)
{
  char path[128];
  FILE *file;

  snprintf (path, sizeof path, "%s/%s", folder, name);
  file = fopen (path, "wb");
  assert_non_null (file);
  assert_true (fputs (text, file) >= 0);
  assert_int_equal (fclose (file), 0);
}

/* Makes folder/file of driver.c, or of `from`. */
static void
compile (const char *file, const char *from, const char *flags)
{
  char command[2 * PATH_MAX + 2048];

  snprintf (command, sizeof command,
            "cd %s && %s -std=c11 -fPIC -shared -w -I%s/include %s -o %s %s",
            folder, compiler (), source, from ? from : "driver.c", file,
            flags);
  assert_int_equal (system (command), 0);
}

static const char *
path_of (const char *file)
{
  static char path[128];

  snprintf (path, sizeof path, "%s/%s", folder, file);
  return path;
}

/* ---- helpers ----------------------------------------------------------- */

static struct registry *
new_registry (const char *sub)
{
  const char *dirs[] = { "/nowhere/at/all", path_of (sub), NULL };
  struct tally_error err;
  struct registry *registry = registry_new (dirs, &err);

  assert_non_null (registry);
  return registry;
}

/* Loading folder/file fails with the path, a colon, and this. */
static void
file_fails (const char *file, const char *why)
{
  struct registry *registry = new_registry ("drivers");
  struct tally_error err = { TALLY_OK, "" };
  struct driver *driver = NULL;
  char message[sizeof err.text];

  assert_int_equal (registry_find (registry, DRIVER_ANY, path_of (file), NULL,
                                   &driver, &err),
                    TALLY_CONFIG);
  snprintf (message, sizeof message, "%s: %s", path_of (file), why);
  assert_string_equal (err.text, message);
  assert_null (driver);
  registry_free (registry);
}

/* A driver made with these flags is refused with these words. */
static void
defect (const char *flags, const char *why)
{
  static int count;
  char file[32];

  snprintf (file, sizeof file, "defect-%d.so", ++count);
  compile (file, NULL, flags);
  file_fails (file, why);
}

static void
find_fails (struct registry *registry, enum driver_kind kind, const char *name,
            const char *where, const char *message)
{
  struct tally_error err = { TALLY_OK, "" };
  struct driver *driver;

  assert_int_equal (registry_find (registry, kind, name, where, &driver, &err),
                    TALLY_CONFIG);
  assert_string_equal (err.text, message);
}

/* ---- good drivers ------------------------------------------------------ */

static void
test_found_by_path (void **state)
{
  struct registry *registry = new_registry ("drivers");
  struct driver *driver = NULL, *again = NULL;
  struct tally_error err;

  (void) state;
  compile ("any.so", NULL, "");
  assert_int_equal (registry_find (registry, DRIVER_STORE, path_of ("any.so"),
                                   "x.ini:1", &driver, &err),
                    TALLY_OK);
  assert_string_equal (driver->name, "good");
  assert_string_equal (driver->version, "1.2");
  assert_string_equal (driver->summary, "for tests");
  assert_string_equal (driver->path, path_of ("any.so"));
  assert_int_equal (driver->abi, 1);
  assert_string_equal (driver->options[0].name, "path");
  assert_non_null (driver->store->changes);
  assert_null (driver->store->note_get);
  assert_null (driver->transport);
  assert_int_equal (registry_find (registry, DRIVER_ANY, path_of ("any.so"),
                                   NULL, &again, &err),
                    TALLY_OK);
  assert_ptr_equal (driver, again);
  registry_free (registry);
}

static void
test_found_by_name (void **state)
{
  struct registry *registry = new_registry ("drivers");
  struct driver *driver;
  struct tally_error err;

  (void) state;
  assert_int_equal (
      registry_find (registry, DRIVER_STORE, "good", NULL, &driver, &err),
      TALLY_OK);
  assert_string_equal (driver->path, path_of ("drivers/store-good.so"));
  assert_int_equal (
      registry_find (registry, DRIVER_TRANSPORT, "good", NULL, &driver, &err),
      TALLY_OK);
  assert_string_equal (driver->path, path_of ("drivers/transport-good.so"));
  assert_int_equal (
      registry_find (registry, DRIVER_ANY, "plain", NULL, &driver, &err),
      TALLY_OK);
  assert_string_equal (driver->path, path_of ("drivers/plain.so"));
  registry_free (registry);
}

static void
test_unknown_names (void **state)
{
  struct registry *registry = new_registry ("drivers");

  (void) state;
  find_fails (registry, DRIVER_STORE, "plian", "x.ini:5",
              "x.ini:5: unknown driver \"plian\"; did you mean \"plain\"?");
  find_fails (registry, DRIVER_STORE, "PLAIN", NULL,
              "unknown driver \"PLAIN\"; did you mean \"plain\"?");
  find_fails (registry, DRIVER_ANY, "xyzzy", "x.ini:5",
              "x.ini:5: unknown driver \"xyzzy\"; there are: broken, good, "
              "plain, wrong");
  find_fails (registry, DRIVER_ANY, "", NULL,
              "unknown driver \"\"; there are: broken, good, plain, wrong");
  find_fails (registry, DRIVER_TRANSPORT, "plain", "x.ini:5",
              "x.ini:5: driver \"plain\" is a store, not a transport");
  registry_free (registry);
}

static void
test_names_must_agree (void **state)
{
  struct registry *registry = new_registry ("drivers");
  char message[256];

  (void) state;
  snprintf (message, sizeof message,
            "%s: the driver in it is named \"good\", not \"wrong\"",
            path_of ("drivers/store-wrong.so"));
  find_fails (registry, DRIVER_STORE, "wrong", "x.ini:5", message);
  registry_free (registry);
}

/* Tables of other sizes: of an older header, and of a newer one. */
static void
test_tables_of_other_sizes (void **state)
{
  struct registry *registry = new_registry ("drivers");
  struct driver *driver;
  struct tally_error err;

  (void) state;
  compile ("older.so", NULL,
           "'-DSIZE=offsetof (struct tally_store, note_get)' "
           "'-DSLOTS=.open=o,.close=c,.get=g,.put=p,.changes=s,"
           ".note_get=(void *)1'");
  assert_int_equal (registry_find (registry, DRIVER_STORE,
                                   path_of ("older.so"), NULL, &driver, &err),
                    TALLY_OK);
  assert_null (driver->store->note_get);
  assert_null (driver->store->wait);
  assert_int_equal (driver->store->size, sizeof (struct tally_store));

  compile ("waitless.so", NULL,
           "'-DSIZE=offsetof (struct tally_store, wait)' "
           "'-DSLOTS=.open=o,.close=c,.get=g,.put=p,.changes=s,"
           ".collections=(void *)1,.wait=(void *)1'");
  assert_int_equal (registry_find (registry, DRIVER_STORE,
                                   path_of ("waitless.so"), NULL, &driver,
                                   &err),
                    TALLY_OK);
  assert_non_null (driver->store->collections);
  assert_null (driver->store->wait);
  assert_null (driver->store->check);

  compile ("newer.so", NULL, "'-DSIZE=sizeof (struct tally_store) + 64'");
  assert_int_equal (registry_find (registry, DRIVER_STORE,
                                   path_of ("newer.so"), NULL, &driver, &err),
                    TALLY_OK);
  assert_non_null (driver->store->changes);
  registry_free (registry);
}

static void
test_one_lock_in_the_process (void **state)
{
  struct registry *a = new_registry ("drivers"), *b = new_registry ("drivers");
  struct driver *x, *y;
  struct tally_error err;

  (void) state;
  assert_int_equal (registry_find (a, DRIVER_STORE, "good", NULL, &x, &err),
                    TALLY_OK);
  assert_int_equal (registry_find (b, DRIVER_STORE, "good", NULL, &y, &err),
                    TALLY_OK);
  assert_ptr_not_equal (x, y);
  assert_ptr_equal (x->lock, y->lock);
  registry_free (a);
  registry_free (b);
}

/* ---- broken ones ------------------------------------------------------- */

static void
test_files_that_are_none (void **state)
{
  struct registry *registry = new_registry ("drivers");
  (void) state;
  find_fails (registry, DRIVER_ANY, "./x.so", "x.ini:5",
              "./x.so: a driver's path must be absolute");
  registry_free (registry);
  file_fails ("none.so", "no such file or folder");
  write_source ("x.la", "dlname='any.so'\n");
  file_fails ("x.la", "not a driver, its name does not end in .so");
  assert_int_equal (mkdir (path_of ("folder.so"), 0700), 0);
  file_fails ("folder.so", "is not a regular file");
  write_source ("text.so", "not an object file, but longer than the header "
                           "of one is, so that its beginning is looked at\n");
  file_fails ("text.so", "invalid ELF header");
  write_source ("empty.so", "");
  file_fails ("empty.so", "file too short");
}

/* At every length the answer is a line, never a signal. */
static void
test_truncated_files (void **state)
{
  struct registry *registry = new_registry ("drivers");
  struct tally_error err;
  struct driver *driver;
  struct stat st;
  off_t size;

  (void) state;
  compile ("whole.so", NULL, "");
  assert_int_equal (stat (path_of ("whole.so"), &st), 0);
  for (size = st.st_size - 1; size > 0; size -= 97) {
    assert_int_equal (truncate (path_of ("whole.so"), size), 0);
    assert_int_equal (registry_find (registry, DRIVER_ANY,
                                     path_of ("whole.so"), NULL, &driver,
                                     &err),
                      TALLY_CONFIG);
    if (size > 4096)
      assert_non_null (strstr (err.text, ": a part of the file is missing"));
  }
  registry_free (registry);
}

static void
test_linker_errors (void **state)
{
  struct registry *registry = new_registry ("drivers");
  struct tally_error err;
  struct driver *driver;

  (void) state;
  compile ("undefined.so", NULL, "-DMISSING -Wl,-z,lazy");
  file_fails ("undefined.so", "undefined symbol: missing");

  write_source ("dep.c", "int missing (void) { return 0; }\n");
  compile ("libtallytestdep.so", "dep.c", "");
  compile ("needs.so", NULL, "-DMISSING -L. -ltallytestdep");
  assert_int_equal (registry_find (registry, DRIVER_ANY, path_of ("needs.so"),
                                   NULL, &driver, &err),
                    TALLY_CONFIG);
  assert_non_null (strstr (err.text, "needs.so: libtallytestdep.so: "));
  registry_free (registry);
}

static void
test_no_entry (void **state)
{
  (void) state;
  defect ("-DENTRY=something_else",
          "no tally_driver_1 in it: not a tally driver");
  defect ("-DENTRY=tally_driver_2",
          "built for driver ABI 2, this tally has 1");
  defect ("-DABI=7", "built for driver ABI 7, this tally has 1");
  write_source ("null.c", "void *tally_driver_1 (void) { return 0; }\n");
  compile ("null.so", "null.c", "");
  file_fails ("null.so", "tally_driver_1 returned nothing");
}

static void
test_heads (void **state)
{
  (void) state;
  defect ("'-DNAME=\"Bad Name\"'",
          "the driver's name \"Bad Name\" is not like [a-z][a-z0-9-]*");
  defect ("-DNAME=0", "the driver's name \"\" is not like [a-z][a-z0-9-]*");
  defect ("-DTABLES=.store=0", "neither a store nor a transport nor a source");
  defect ("-DSIZE=0",
          "the store's table has no size; begin it with TALLY_STORE_INIT");
}

static void
test_store_slots (void **state)
{
  (void) state;
  defect ("-DSLOTS=.open=o,.close=c,.get=g,.put=p",
          "the store has no changes");
  defect ("-DSLOTS=.close=c,.get=g,.put=p,.changes=s",
          "the store has no open");
  defect ("'-DSIZE=offsetof (struct tally_store, put)'",
          "the store has no put");
  defect ("'-DSLOTS=.open=o,.close=c,.get=g,.put=p,.changes=s,"
          ".note_get=(void *)o'",
          "the store has no note_put; notes need all three slots, or none");
  defect ("-DSLOTS=.threads=9,.open=o,.close=c,.get=g,.put=p,.changes=s",
          "the store's threads is 9, not 0 to 2");
}

#define TRANSPORT "-DTRANSPORT -DTABLES=.transport=\\&transport "
#define TRANSPORT_SLOTS TRANSPORT "'-DSLOTS=.open=o,.close=c"

static void
test_transport_slots (void **state)
{
  (void) state;
  defect (TRANSPORT "'-DSLOTS=.open=o'", "the transport has no close");
  defect (TRANSPORT_SLOTS "'", "the transport has no exchange, no serve, and "
                               "no list, read, create, remove");
  defect (TRANSPORT_SLOTS ",.serve=(void *)o'",
          "the transport has no stop, but serve");
  defect (TRANSPORT_SLOTS ",.stop=(void *)o'",
          "the transport has no serve, but stop");
  defect (TRANSPORT_SLOTS ",.list=(void *)o,.read=(void *)o'",
          "the transport has no create; a folder needs all four slots");
  defect (TRANSPORT_SLOTS ",.exchange=(void *)o,.list=(void *)o'",
          "the transport has both exchange and list; it is an exchange or a "
          "folder");
}

static void
test_options (void **state)
{
  (void) state;
  defect ("'-DROW={\"Path\",0,0,0,0,0}'",
          "option \"Path\" is not named like [a-z][a-z0-9_]*");
  defect ("'-DROW={\"path\",77,0,0,0,0}'",
          "option \"path\" is of an unknown type, 77");
  defect ("'-DROW={\"path\",0,0,0,0,0},{\"path\",0,0,0,0,0}'",
          "option \"path\" is there twice");
  defect ("'-DROW={\"n\",TALLY_OPTION_INTEGER,0,\"many\",0,0}'",
          "default of option \"n\": \"many\" is not a whole number");
  defect ("'-DROW={\"driver\",0,0,0,0,0}'",
          "option \"driver\" is a key of tally's own");
}

/* ---- static drivers, and the list -------------------------------------- */

static int
fake_open (void **handle, const struct tally_host *host,
           const struct tally_value *values, unsigned flags,
           struct tally_error *err)
{
  (void) handle;
  (void) host;
  (void) values;
  (void) flags;
  (void) err;
  return TALLY_FAILED;
}

static void
fake_close (void *handle)
{
  (void) handle;
}

static int
fake_exchange (void *handle, const struct tally_request *request,
               tally_emit_response *emit, void *ctx,
               struct tally_traffic *traffic, struct tally_error *err)
{
  (void) handle;
  (void) request;
  (void) emit;
  (void) ctx;
  (void) traffic;
  (void) err;
  return TALLY_FAILED;
}

static const struct tally_transport fake_transport = {
  TALLY_TRANSPORT_INIT, .open = fake_open, .close = fake_close,
  .exchange = fake_exchange
};
static const struct tally_driver fake = { TALLY_DRIVER_INIT, .name = "good",
                                          .transport = &fake_transport };
static const struct tally_driver fake_again = { TALLY_DRIVER_INIT,
                                                .name = "good",
                                                .transport = &fake_transport };

static void
test_static_drivers (void **state)
{
  struct registry *registry = new_registry ("drivers");
  struct driver *driver;
  struct tally_error err;

  (void) state;
  assert_int_equal (registry_add (registry, &fake, &err), TALLY_OK);
  assert_int_equal (registry_add (registry, &fake, &err), TALLY_OK);
  assert_int_equal (registry_add (registry, &fake_again, &err), TALLY_CONFIG);
  assert_string_equal (err.text, "driver \"good\": another of that name is "
                                 "registered already");

  /* Before the folders, but only as what it is. */
  assert_int_equal (
      registry_find (registry, DRIVER_TRANSPORT, "good", NULL, &driver, &err),
      TALLY_OK);
  assert_null (driver->path);
  assert_string_equal (driver->version, "");
  assert_int_equal (
      registry_find (registry, DRIVER_STORE, "good", NULL, &driver, &err),
      TALLY_OK);
  assert_non_null (driver->path);
  registry_free (registry);
}

static void
test_without_folders (void **state)
{
  struct tally_error err;
  struct registry *registry = registry_new (NULL, &err);
  const char *relative[] = { "lib", NULL };

  (void) state;
  assert_non_null (registry);
  find_fails (registry, DRIVER_ANY, "good", NULL,
              "unknown driver \"good\"; there is none in this program");
  assert_int_equal (registry_add (registry, &fake, &err), TALLY_OK);
  find_fails (registry, DRIVER_STORE, "good", NULL,
              "driver \"good\" is a transport, not a store");
  find_fails (registry, DRIVER_STORE, "goood", NULL,
              "unknown driver \"goood\"; did you mean \"good\"?");
  registry_free (registry);
  assert_null (registry_new (relative, &err));
  assert_string_equal (err.text,
                       "lib: a folder of drivers must be an absolute path");
}

struct listing {
  char text[1024];
  int stop_after;
};

static int
list_one (void *ctx, const struct registry_item *item)
{
  struct listing *listing = ctx;
  size_t size = strlen (listing->text);
  const char *file = item->path ? strrchr (item->path, '/') + 1 : "-";

  assert_true (!item->driver != !item->error);
  if (item->error)
    assert_int_equal (strncmp (item->error, item->path, strlen (item->path)),
                      0);
  snprintf (listing->text + size, sizeof listing->text - size, "%s %s %s\n",
            item->name, file,
            item->instead  ? "shadowed"
            : item->driver ? "ok"
                           : "error");
  return --listing->stop_after == 0;
}

static void
test_listing (void **state)
{
  struct registry *registry = new_registry ("drivers");
  struct listing listing = { "", -1 };
  struct tally_error err;

  (void) state;
  assert_int_equal (registry_add (registry, &fake, &err), TALLY_OK);
  assert_int_equal (registry_each (registry, list_one, &listing, &err),
                    TALLY_OK);
  assert_string_equal (listing.text, "good - ok\n"
                                     "plain plain.so ok\n"
                                     "broken store-broken.so error\n"
                                     "good store-good.so ok\n"
                                     "wrong store-wrong.so error\n"
                                     "good transport-good.so shadowed\n");
  listing.text[0] = 0;
  listing.stop_after = 2;
  assert_int_equal (registry_each (registry, list_one, &listing, &err),
                    TALLY_OK);
  assert_string_equal (listing.text, "good - ok\nplain plain.so ok\n");
  registry_free (registry);
}

/* ---- threads ----------------------------------------------------------- */

static void *
find_many (void *registry)
{
  struct tally_error err;
  struct driver *driver;
  intptr_t failed = 0;
  int i;

  for (i = 0; i < 200; i++)
    failed += registry_find (registry, DRIVER_ANY, i % 2 ? "good" : "plain",
                             NULL, &driver, &err)
              != TALLY_OK;
  return (void *) failed;
}

static void
test_any_thread (void **state)
{
  struct registry *registry = new_registry ("drivers");
  pthread_t threads[4];
  void *failed;
  int i;

  (void) state;
  for (i = 0; i < 4; i++)
    assert_int_equal (pthread_create (&threads[i], NULL, find_many, registry),
                      0);
  for (i = 0; i < 4; i++) {
    assert_int_equal (pthread_join (threads[i], &failed), 0);
    assert_null (failed);
  }
  registry_free (registry);
}

/* ---- entry ------------------------------------------------------------- */

static int
make_folder (void **state)
{
  (void) state;
  write_source ("driver.c", driver_source);
  if (mkdir (path_of ("drivers"), 0700) != 0)
    return -1;
  compile ("drivers/store-good.so", NULL, "");
  compile ("drivers/transport-good.so", NULL,
           TRANSPORT_SLOTS ",.exchange=(void *)o'");
  compile ("drivers/plain.so", NULL, "'-DNAME=\"plain\"'");
  compile ("drivers/store-wrong.so", NULL, "");
  /* Not looked at: no driver's name. */
  write_source ("drivers/libtally.so", "");
  write_source ("drivers/Other.so", "");
  write_source ("drivers/store-.so", "");
  write_source ("drivers/store-broken.so", "");
  return 0;
}

static int
remove_folder (void **state)
{
  char command[64];

  (void) state;
  snprintf (command, sizeof command, "rm -rf %s", folder);
  return system (command);
}

/* The source tree, found before any test changes the folder. */
static int
find_source (void)
{
  const char *given = getenv ("srcdir");
  char cwd[PATH_MAX];

  given = given ? given : ".";
  if (given[0] == '/')
    return snprintf (source, sizeof source, "%s", given) > 0;
  if (!getcwd (cwd, sizeof cwd))
    return 0;
  return snprintf (source, sizeof source, "%s/%s", cwd, given) > 0;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_found_by_path),
    cmocka_unit_test (test_found_by_name),
    cmocka_unit_test (test_unknown_names),
    cmocka_unit_test (test_names_must_agree),
    cmocka_unit_test (test_tables_of_other_sizes),
    cmocka_unit_test (test_one_lock_in_the_process),
    cmocka_unit_test (test_files_that_are_none),
    cmocka_unit_test (test_truncated_files),
    cmocka_unit_test (test_linker_errors),
    cmocka_unit_test (test_no_entry),
    cmocka_unit_test (test_heads),
    cmocka_unit_test (test_store_slots),
    cmocka_unit_test (test_transport_slots),
    cmocka_unit_test (test_options),
    cmocka_unit_test (test_static_drivers),
    cmocka_unit_test (test_without_folders),
    cmocka_unit_test (test_listing),
    cmocka_unit_test (test_any_thread),
  };

  if (!find_source () || !mkdtemp (folder))
    return 1;
  if (!has_compiler ()) {
    rmdir (folder);
    printf ("no C compiler (%s): skipped\n", compiler ());
    return 77;
  }
  return cmocka_run_group_tests_name ("registry", tests, make_folder,
                                      remove_folder);
}
