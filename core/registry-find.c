/* SPDX-License-Identifier: MIT */
/* From the name of a driver to its file, and from a folder to the names in
 * it. */

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tally/tally.h>

#include "buf.h"
#include "error.h"
#include "module.h"
#include "nearest.h"
#include "registry-internal.h"

/* A driver of another kind is looked for, too, so as to say so. */
static const struct {
  const char *prefix;
  enum driver_kind kind;
} file_names[] = {
  { "store-", DRIVER_STORE },
  { "transport-", DRIVER_TRANSPORT },
  { "source-", DRIVER_SOURCE },
  { "", DRIVER_ANY },
};

#define FILE_NAMES (sizeof file_names / sizeof file_names[0])

static const char *
kind_name (enum driver_kind kind)
{
  static const char *const names[] = { "driver", "store", "transport",
                                       "source" };

  return names[kind];
}

static bool
is_kind (const struct driver *driver, enum driver_kind kind)
{
  return kind == DRIVER_ANY || (kind == DRIVER_STORE && driver->store)
         || (kind == DRIVER_TRANSPORT && driver->transport)
         || (kind == DRIVER_SOURCE && driver->source);
}

static char *
join (const char *dir, const char *prefix, const char *name,
      const char *suffix)
{
  struct buf b = BUF_INIT;

  buf_addf (&b, "%s/%s%s%s", dir, prefix, name, suffix);
  buf_add_byte (&b, 0);
  if (b.failed)
    buf_free (&b);
  return b.data;
}

/* ---- lists of names ---------------------------------------------------- */

/* Owned texts, ends with NULL. */
struct names {
  char **texts;
  size_t count;
};

static void
free_names (struct names *names)
{
  while (names->count > 0)
    free (names->texts[--names->count]);
  free (names->texts);
  names->texts = NULL;
}

static bool
add_name (struct names *names, const char *name)
{
  char **texts =
      realloc (names->texts, (names->count + 2) * sizeof *names->texts);

  if (!texts)
    return false;
  names->texts = texts;
  texts[names->count] = strdup (name);
  if (!texts[names->count])
    return false;
  texts[++names->count] = NULL;
  return true;
}

static int
compare_names (const void *a, const void *b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static void
sort_names (struct names *names)
{
  size_t i, kept = 0;

  if (names->count < 2)
    return;
  qsort (names->texts, names->count, sizeof *names->texts, compare_names);
  for (i = 1; i < names->count; i++)
    if (strcmp (names->texts[kept], names->texts[i]) == 0)
      free (names->texts[i]);
    else
      names->texts[++kept] = names->texts[i];
  names->count = kept + 1;
  names->texts[names->count] = NULL;
}

/* The files of a folder that could be drivers, sorted.  A folder that is not
 * there, or cannot be read, has none. */
static bool
list_files (struct names *files, const char *path)
{
  char name[MODULE_NAME_SIZE];
  struct dirent *entry;
  DIR *dir = opendir (path);
  bool ok = true;

  if (!dir)
    return errno != ENOMEM;
  for (entry = readdir (dir); ok && entry; entry = readdir (dir))
    if (module_file_name (name, entry->d_name))
      ok = add_name (files, entry->d_name);
  closedir (dir);
  sort_names (files);
  return ok;
}

/* Every driver name that could be meant. */
static bool
list_names (struct names *names, const struct registry *registry)
{
  const struct registry_entry *entry;
  struct names files = { NULL, 0 };
  char name[MODULE_NAME_SIZE];
  bool ok = true;
  size_t i, j;

  for (entry = registry->entries; ok && entry; entry = entry->next)
    if (!entry->path)
      ok = add_name (names, entry->driver.name);
  for (i = 0; ok && registry->dirs[i]; i++) {
    ok = list_files (&files, registry->dirs[i]);
    for (j = 0; ok && j < files.count; j++)
      if (module_file_name (name, files.texts[j]))
        ok = add_name (names, name);
    free_names (&files);
  }
  sort_names (names);
  return ok;
}

/* ---- finding ----------------------------------------------------------- */

/* "tally.ini:5: unknown driver "sqllite"; did you mean "sqlite"?" */
static int
fail_unknown (const struct registry *registry, const char *name,
              const char *where, struct tally_error *err)
{
  struct names names = { NULL, 0 };
  struct buf text = BUF_INIT;
  const char *near;
  size_t i;
  int status = TALLY_CONFIG;

  if (!list_names (&names, registry)) {
    status = error_nomem (err);
    goto out;
  }
  near = nearest (name, (const char *const *) names.texts);
  if (near)
    buf_addf (&text, "did you mean \"%s\"?", near);
  else if (names.count == 0)
    buf_addf (&text, "there is none in %s",
              registry->dirs[0] ? registry->dirs[0] : "this program");
  for (i = 0; !near && i < names.count; i++)
    buf_addf (&text, "%s%s", i > 0 ? ", " : "there are: ", names.texts[i]);
  buf_add_byte (&text, 0);

  if (text.failed)
    status = error_nomem (err);
  else
    error_set (err, status, "%s%sunknown driver \"%s\"; %s",
               where ? where : "", where ? ": " : "", name, text.data);

out:
  buf_free (&text);
  free_names (&names);
  return status;
}

static int
fail_kind (const struct driver *driver, const char *name,
           enum driver_kind kind, const char *where, struct tally_error *err)
{
  enum driver_kind other = driver->store       ? DRIVER_STORE
                           : driver->transport ? DRIVER_TRANSPORT
                                               : DRIVER_SOURCE;

  return error_set (err, TALLY_CONFIG, "%s%sdriver \"%s\" is a %s, not a %s",
                    where ? where : "", where ? ": " : "", name,
                    kind_name (other), kind_name (kind));
}

/* A file NAME.so must hold the driver NAME, or two names would lead to one
 * driver and one name to two. */
static int
load_named (struct registry *registry, const char *path, const char *name,
            struct registry_entry **out, struct tally_error *err)
{
  int status = registry_load (registry, path, out, err);

  if (status == TALLY_OK && strcmp ((*out)->driver.name, name) != 0)
    status = error_set (err, TALLY_CONFIG,
                        "%s: the driver in it is named \"%s\", not \"%s\"",
                        path, (*out)->driver.name, name);
  return status;
}

/* Looks in one folder for files of the given kind.  TALLY_NOTFOUND: there is
 * none. */
static int
find_in_dir (struct registry *registry, const char *dir, enum driver_kind kind,
             const char *name, struct registry_entry **out,
             struct tally_error *err)
{
  int status = TALLY_NOTFOUND;
  size_t i;

  for (i = 0; i < FILE_NAMES && status == TALLY_NOTFOUND; i++) {
    char *path;

    if (kind != DRIVER_ANY && file_names[i].kind != DRIVER_ANY
        && kind != file_names[i].kind)
      continue;
    path = join (dir, file_names[i].prefix, name, ".so");
    if (!path)
      return error_nomem (err);
    if (access (path, F_OK) == 0)
      status = load_named (registry, path, name, out, err);
    free (path);
  }
  return status;
}

static int
find_in_dirs (struct registry *registry, enum driver_kind kind,
              const char *name, struct registry_entry **out,
              struct tally_error *err)
{
  int status = TALLY_NOTFOUND;
  size_t i;

  for (i = 0; registry->dirs[i] && status == TALLY_NOTFOUND; i++)
    status = find_in_dir (registry, registry->dirs[i], kind, name, out, err);
  return status;
}

static int
find_by_name (struct registry *registry, enum driver_kind kind,
              const char *name, const char *where, struct registry_entry **out,
              struct tally_error *err)
{
  struct registry_entry *entry, *other = NULL;
  int status;

  for (entry = registry->entries; entry; entry = entry->next)
    if (!entry->path && strcmp (entry->driver.name, name) == 0) {
      *out = other = entry;
      if (is_kind (&entry->driver, kind))
        return TALLY_OK;
    }
  if (!module_name_valid (name))
    return fail_unknown (registry, name, where, err);

  status = find_in_dirs (registry, kind, name, out, err);
  if (status == TALLY_NOTFOUND && !other)
    status = find_in_dirs (registry, DRIVER_ANY, name, out, err);
  if (status == TALLY_NOTFOUND && !other)
    return fail_unknown (registry, name, where, err);
  if (status == TALLY_OK || status == TALLY_NOTFOUND)
    return is_kind (&(*out)->driver, kind)
               ? TALLY_OK
               : fail_kind (&(*out)->driver, name, kind, where, err);
  return status;
}

int
registry_find (struct registry *registry, enum driver_kind kind,
               const char *name, const char *where, struct driver **driver,
               struct tally_error *err)
{
  struct registry_entry *entry = NULL;
  int status;

  pthread_mutex_lock (&registry->mutex);
  if (!strchr (name, '/'))
    status = find_by_name (registry, kind, name, where, &entry, err);
  else {
    status = registry_load (registry, name, &entry, err);
    if (status == TALLY_OK && !is_kind (&entry->driver, kind))
      status = fail_kind (&entry->driver, name, kind, where, err);
  }
  pthread_mutex_unlock (&registry->mutex);
  if (status == TALLY_OK)
    *driver = &entry->driver;
  return status;
}

/* ---- listing ----------------------------------------------------------- */

/* The driver that is found in place of this one, by each kind that it has;
 * NULL: it is found itself. */
static const struct driver *
find_instead (struct registry *registry, const struct registry_entry *entry)
{
  static const enum driver_kind kinds[] = { DRIVER_STORE, DRIVER_TRANSPORT,
                                            DRIVER_SOURCE };
  const struct driver *instead = NULL;
  struct registry_entry *found;
  struct tally_error ignored;

  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (!is_kind (&entry->driver, kinds[i])
        || find_by_name (registry, kinds[i], entry->driver.name, NULL, &found,
                         &ignored)
               != TALLY_OK)
      continue;
    if (found == entry)
      return NULL;
    instead = &found->driver;
  }
  return instead;
}

/* Without the mutex, since fn may look for a driver; entries stay where they
 * are. */
static int
tell (struct registry *registry, const struct registry_item *item,
      registry_each_fn *fn, void *ctx)
{
  int result;

  pthread_mutex_unlock (&registry->mutex);
  result = fn (ctx, item) != 0;
  pthread_mutex_lock (&registry->mutex);
  return result;
}

/* Tells of one file; fn's result, or a negative status. */
static int
tell_file (struct registry *registry, const char *dir, const char *file,
           registry_each_fn *fn, void *ctx, struct tally_error *err)
{
  struct registry_item item = { 0 };
  struct registry_entry *entry = NULL;
  struct tally_error why = { TALLY_OK, "" };
  char name[MODULE_NAME_SIZE];
  char *path = join (dir, "", file, "");
  int result;

  if (!path)
    return error_nomem (err);
  module_file_name (name, file);
  if (load_named (registry, path, name, &entry, &why) == TALLY_OK) {
    item.driver = &entry->driver;
    item.instead = find_instead (registry, entry);
  } else
    item.error = why.text;
  item.name = name;
  item.path = path;
  result = tell (registry, &item, fn, ctx);
  free (path);
  return result;
}

/* True when a folder before this one is the same. */
static bool
is_repeated (const struct registry *registry, size_t at)
{
  struct stat here, before;

  if (stat (registry->dirs[at], &here) != 0)
    return false;
  for (size_t i = 0; i < at; i++)
    if (stat (registry->dirs[i], &before) == 0 && before.st_dev == here.st_dev
        && before.st_ino == here.st_ino)
      return true;
  return false;
}

static int
tell_dir (struct registry *registry, const char *dir, registry_each_fn *fn,
          void *ctx, struct tally_error *err)
{
  struct names files = { NULL, 0 };
  int result = 0;
  size_t i;

  if (!list_files (&files, dir))
    result = error_nomem (err);
  for (i = 0; result == 0 && i < files.count; i++)
    result = tell_file (registry, dir, files.texts[i], fn, ctx, err);
  free_names (&files);
  return result;
}

int
registry_each (struct registry *registry, registry_each_fn *fn, void *ctx,
               struct tally_error *err)
{
  const struct registry_entry *entry;
  struct registry_item item = { 0 };
  int result = 0;
  size_t i;

  pthread_mutex_lock (&registry->mutex);
  for (entry = registry->entries; result == 0 && entry; entry = entry->next)
    if (!entry->path) {
      item.name = entry->driver.name;
      item.driver = &entry->driver;
      result = tell (registry, &item, fn, ctx);
    }
  for (i = 0; result == 0 && registry->dirs[i]; i++)
    if (!is_repeated (registry, i))
      result = tell_dir (registry, registry->dirs[i], fn, ctx, err);
  pthread_mutex_unlock (&registry->mutex);
  return result < 0 ? result : TALLY_OK;
}
