/* SPDX-License-Identifier: MIT */
/* What a driver must be like: everything is looked at once, here, so that
 * nobody has to ask whether a slot is there, except for the optional ones. */

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <tally/tally.h>

#include "driver-check.h"
#include "error.h"
#include "module.h"
#include "options.h"

#define OPTIONS_MAX 256
#define OPTION_NAME_MAX 63

struct slot {
  const char *name;
  bool there;
};

#define SLOT(table, name)        \
  {                              \
#name, (table)->name != NULL \
  }

static size_t
least (size_t a, size_t b)
{
  return a < b ? a : b;
}

/* The first slot of the list (ends with a NULL name) that is as asked. */
static const char *
first_slot (const struct slot *slots, bool there)
{
  for (; slots->name; slots++)
    if (slots->there == there)
      return slots->name;
  return NULL;
}

static int
fail_slot (const char *object, const char *kind, const char *slot,
           const char *why, struct tally_error *err)
{
  return error_set (err, TALLY_CONFIG, "%s: the %s has no %s%s", object, kind,
                    slot, why);
}

/* ---- the three tables -------------------------------------------------- */

static int
check_head (const struct tally_driver *d, const char *object,
            struct tally_error *err)
{
  if (!d->name || !module_name_valid (d->name))
    return error_set (err, TALLY_CONFIG,
                      "%s: the driver's name \"%s\" is not like "
                      "[a-z][a-z0-9-]*",
                      object, d->name ? d->name : "");
  if (!d->store && !d->transport && !d->source)
    return error_set (err, TALLY_CONFIG,
                      "%s: neither a store nor a transport nor a source",
                      object);
  return TALLY_OK;
}

static int
check_threads (int threads, const char *kind, const char *object,
               struct tally_error *err)
{
  if (threads >= TALLY_THREADS_ONE && threads <= TALLY_THREADS_ANY)
    return TALLY_OK;
  return error_set (err, TALLY_CONFIG,
                    "%s: the %s's threads is %d, not 0 to 2", object, kind,
                    threads);
}

static int
check_store (const struct tally_store *s, const char *object,
             struct tally_error *err)
{
  const struct slot required[] = { SLOT (s, open),    SLOT (s, close),
                                   SLOT (s, get),     SLOT (s, put),
                                   SLOT (s, changes), { NULL, false } };
  const struct slot notes[] = { SLOT (s, note_get),
                                SLOT (s, note_put),
                                SLOT (s, note_list),
                                { NULL, false } };
  const char *missing = first_slot (required, false);

  if (missing)
    return fail_slot (object, "store", missing, "", err);
  missing = first_slot (notes, false);
  if (missing && first_slot (notes, true))
    return fail_slot (object, "store", missing,
                      "; notes need all three slots, or none", err);
  return check_threads (s->threads, "store", object, err);
}

static int
check_transport (const struct tally_transport *t, const char *object,
                 struct tally_error *err)
{
  const struct slot required[] = { SLOT (t, open),
                                   SLOT (t, close),
                                   { NULL, false } };
  const struct slot exchange[] = {
    SLOT (t, exchange), SLOT (t, serve), SLOT (t, stop), { NULL, false }
  };
  const struct slot folder[] = { SLOT (t, list),
                                 SLOT (t, read),
                                 SLOT (t, create),
                                 SLOT (t, remove),
                                 { NULL, false } };
  const char *missing = first_slot (required, false);

  if (missing)
    return fail_slot (object, "transport", missing, "", err);
  if (first_slot (exchange, true) && first_slot (folder, true))
    return error_set (err, TALLY_CONFIG,
                      "%s: the transport has both %s and %s; it is an "
                      "exchange or a folder",
                      object, first_slot (exchange, true),
                      first_slot (folder, true));
  if (t->serve && !t->stop)
    return fail_slot (object, "transport", "stop", ", but serve", err);
  if (t->stop && !t->serve)
    return fail_slot (object, "transport", "serve", ", but stop", err);

  missing = first_slot (folder, false);
  if (missing && first_slot (folder, true))
    return fail_slot (object, "transport", missing,
                      "; a folder needs all four slots", err);
  if (missing && !first_slot (exchange, true))
    return fail_slot (object, "transport", "exchange",
                      ", no serve, and no list, read, create, remove", err);
  return check_threads (t->threads, "transport", object, err);
}

static int
check_source (const struct tally_source *s, const char *object,
              struct tally_error *err)
{
  const struct slot required[] = {
    SLOT (s, open), SLOT (s, close), SLOT (s, documents), { NULL, false }
  };
  const char *missing = first_slot (required, false);

  if (missing)
    return fail_slot (object, "source", missing, "", err);
  return check_threads (s->threads, "source", object, err);
}

/* ---- options ----------------------------------------------------------- */

static bool
option_name_valid (const char *name)
{
  size_t i;

  if (!(name[0] >= 'a' && name[0] <= 'z'))
    return false;
  for (i = 1; name[i]; i++)
    if (!((name[i] >= 'a' && name[i] <= 'z')
          || (name[i] >= '0' && name[i] <= '9') || name[i] == '_'))
      return false;
  return i <= OPTION_NAME_MAX;
}

/* `rows` is the table as far as the row that is looked at. */
static int
check_option (const struct tally_option *rows, size_t i, const char *object,
              struct tally_error *err)
{
  const struct tally_option *row = &rows[i];
  struct option_value value = { NULL, 0 };
  struct tally_error why = { TALLY_OK, "" };
  size_t j;
  int status;

  if (!option_name_valid (row->name))
    return error_set (err, TALLY_CONFIG,
                      "%s: option \"%s\" is not named like [a-z][a-z0-9_]*",
                      object, row->name);
  if (strcmp (row->name, "driver") == 0)
    return error_set (err, TALLY_CONFIG,
                      "%s: option \"driver\" is a key of tally's own", object);
  for (j = 0; j < i; j++)
    if (strcmp (rows[j].name, row->name) == 0)
      return error_set (err, TALLY_CONFIG, "%s: option \"%s\" is there twice",
                        object, row->name);
  if (!option_type_name (row->type))
    return error_set (err, TALLY_CONFIG,
                      "%s: option \"%s\" is of an unknown type, %d", object,
                      row->name, row->type);
  if (!row->default_value)
    return TALLY_OK;

  status = option_parse (&value, row, row->default_value, "/", &why);
  option_value_free (&value);
  if (status == TALLY_CONFIG)
    return error_set (err, status, "%s: default of option \"%s\": %s", object,
                      row->name, why.text);
  return status == TALLY_OK ? status : error_nomem (err);
}

static int
check_options (const struct tally_option *rows, const char *object,
               struct tally_error *err)
{
  size_t i;
  int status;

  for (i = 0; rows && rows[i].name; i++) {
    if (i == OPTIONS_MAX)
      return error_set (err, TALLY_CONFIG,
                        "%s: over %d options; no row with a NULL name ends "
                        "the table",
                        object, OPTIONS_MAX);
    status = check_option (rows, i, object, err);
    if (status != TALLY_OK)
      return status;
  }
  return TALLY_OK;
}

/* ---- entry ------------------------------------------------------------- */

static int
fail_size (const char *object, const char *kind, const char *macro,
           struct tally_error *err)
{
  return error_set (err, TALLY_CONFIG,
                    "%s: the %s's table has no size; begin it with %s", object,
                    kind, macro);
}

/* The table is at least as long as its first members, or not one of ours. */
static int
copy_tables (struct driver_tables *out, const struct tally_driver *table,
             const char *object, struct tally_error *err)
{
  struct tally_driver *d = &out->driver;

  memset (out, 0, sizeof *out);
  if (table->abi != TALLY_DRIVER_ABI)
    return error_set (err, TALLY_CONFIG,
                      "%s: built for driver ABI %u, this tally has %d", object,
                      (unsigned) table->abi, TALLY_DRIVER_ABI);
  if (table->size < offsetof (struct tally_driver, version))
    return fail_size (object, "driver", "TALLY_DRIVER_INIT", err);
  memcpy (d, table, least (table->size, sizeof *d));

  if (d->store && d->store->size < offsetof (struct tally_store, open))
    return fail_size (object, "store", "TALLY_STORE_INIT", err);
  if (d->transport
      && d->transport->size < offsetof (struct tally_transport, open))
    return fail_size (object, "transport", "TALLY_TRANSPORT_INIT", err);
  if (d->source && d->source->size < offsetof (struct tally_source, open))
    return fail_size (object, "source", "TALLY_SOURCE_INIT", err);
  if (d->store)
    memcpy (&out->store, d->store, least (d->store->size, sizeof out->store));
  if (d->transport)
    memcpy (&out->transport, d->transport,
            least (d->transport->size, sizeof out->transport));
  if (d->source)
    memcpy (&out->source, d->source,
            least (d->source->size, sizeof out->source));
  d->size = sizeof *d;
  out->store.size = sizeof out->store;
  out->transport.size = sizeof out->transport;
  out->source.size = sizeof out->source;
  d->store = d->store ? &out->store : NULL;
  d->transport = d->transport ? &out->transport : NULL;
  d->source = d->source ? &out->source : NULL;
  d->version = d->version ? d->version : "";
  d->summary = d->summary ? d->summary : "";
  return TALLY_OK;
}

int
driver_check (struct driver_tables *out, const struct tally_driver *table,
              const char *object, struct tally_error *err)
{
  int status = copy_tables (out, table, object, err);

  if (status == TALLY_OK)
    status = check_head (&out->driver, object, err);
  if (status == TALLY_OK && out->driver.store)
    status = check_store (&out->store, object, err);
  if (status == TALLY_OK && out->driver.transport)
    status = check_transport (&out->transport, object, err);
  if (status == TALLY_OK && out->driver.source)
    status = check_source (&out->source, object, err);
  if (status == TALLY_OK)
    status = check_options (out->driver.options, object, err);
  return status;
}
