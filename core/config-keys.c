/* SPDX-License-Identifier: MIT */
/* Every key of the ini that is not a driver's, with its type, default and
 * meaning: what is checked, printed and documented comes from here. */

#include "config-dialect.h"
#include "config.h"

static const struct tally_option tally_keys[] = {
  { "driver_path", TALLY_OPTION_STRING, 0, NULL,
    "folders with more drivers, absolute, separated by :", NULL },
  { "max_skew", TALLY_OPTION_DURATION, 0, "5m",
    "a document stamped further ahead than this is held back", NULL },
  { "keep_deleted", TALLY_OPTION_DURATION, 0, "90d",
    "how long a device may stay away before deletions are forgotten", NULL },
  { "device", TALLY_OPTION_STRING, 0, NULL,
    "what this device is called elsewhere; by default its host name", NULL },
  { "keep_conflicts", TALLY_OPTION_DURATION, 0, "90d",
    "how long what lost a merge is kept; 0 is for ever", NULL },
  { "max_conflicts", TALLY_OPTION_INTEGER, 0, "10000",
    "how much of it; the oldest goes first; 0 is no limit", NULL },
  { NULL, 0, 0, NULL, NULL, NULL },
};

static const struct tally_option endpoint_keys[] = {
  { "driver", TALLY_OPTION_STRING, TALLY_OPTION_REQUIRED, NULL,
    "the name of a driver, or the absolute path of its file", NULL },
  { NULL, 0, 0, NULL, NULL, NULL },
};

static const struct tally_option transport_keys[] = {
  { "driver", TALLY_OPTION_STRING, TALLY_OPTION_REQUIRED, NULL,
    "the name of a driver, or the absolute path of its file", NULL },
  { "dialect", TALLY_OPTION_STRING, 0, "native",
    "what the server there speaks: " CONFIG_DIALECT_NATIVE
    ", or " CONFIG_DIALECT_LINVO " for LinvoDB's",
    NULL },
  { NULL, 0, 0, NULL, NULL, NULL },
};

static const struct tally_option sync_keys[] = {
  { "store", TALLY_OPTION_STRING, TALLY_OPTION_REQUIRED, NULL,
    "the name of a [store]", NULL },
  { "transport", TALLY_OPTION_STRING, TALLY_OPTION_REQUIRED, NULL,
    "the name of a [transport]", NULL },
  { "collections", TALLY_OPTION_STRING, TALLY_OPTION_REQUIRED, "*",
    "* for all, or names separated by commas", NULL },
  { "direction", TALLY_OPTION_STRING, TALLY_OPTION_REQUIRED, "both",
    "both, push or pull", NULL },
  { "on_write", TALLY_OPTION_BOOLEAN, 0, "no",
    "sync soon after a write, while the store is held open", NULL },
  { "interval", TALLY_OPTION_DURATION, 0, "0",
    "while watched, sync this often; 0 is never", NULL },
  { NULL, 0, 0, NULL, NULL, NULL },
};

static const struct tally_option serve_keys[] = {
  { "transport", TALLY_OPTION_STRING, TALLY_OPTION_REQUIRED, NULL,
    "the name of a [transport] that listens", NULL },
  { "store", TALLY_OPTION_STRING, TALLY_OPTION_REQUIRED, NULL,
    "the name of a [store]", NULL },
  { "tokens", TALLY_OPTION_PATH, 0, NULL,
    "a file with a line TOKEN [ACCOUNT] each", NULL },
  { "accounts", TALLY_OPTION_STRING, TALLY_OPTION_REQUIRED, "token",
    "token, or open: any key is an account of its own, for trials", NULL },
  { NULL, 0, 0, NULL, NULL, NULL },
};

static const struct {
  const char *name;
  const struct tally_option *rows;
} kinds[CONFIG_KINDS] = {
  [CONFIG_KIND_TALLY] = { "tally", tally_keys },
  [CONFIG_KIND_STORE] = { "store", endpoint_keys },
  [CONFIG_KIND_TRANSPORT] = { "transport", transport_keys },
  [CONFIG_KIND_SYNC] = { "sync", sync_keys },
  [CONFIG_KIND_SERVE] = { "serve", serve_keys },
};

const struct tally_option *
config_rows (enum config_kind kind)
{
  return kinds[kind].rows;
}

const char *
config_kind_name (enum config_kind kind)
{
  return kinds[kind].name;
}
