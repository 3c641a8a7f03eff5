/* SPDX-License-Identifier: MIT */
/* The sections of an ini: their kinds, names and pairs, before anything is
 * made of the values. */

#include <stdlib.h>
#include <string.h>

#include <tally/tally.h>

#include "config-internal.h"
#include "ini.h"
#include "nearest.h"

#define NAME_MAX_BYTES 64

int
config_add_pair (struct config_section *section, const char *key,
                 const char *value, const char *where, enum option_level level,
                 struct tally_error *err)
{
  size_t n = section->n_pairs;
  struct option_pair *pairs =
      realloc (section->pairs, (n + 1) * sizeof *section->pairs);

  if (!pairs)
    return error_nomem (err);
  pairs[n].key = key;
  pairs[n].value = value;
  pairs[n].where = where;
  pairs[n].level = level;
  section->pairs = pairs;
  section->n_pairs = n + 1;
  return TALLY_OK;
}

const struct option_pair *
config_pair (const struct config_section *section, const char *key)
{
  const struct option_pair *found = NULL;
  size_t i;

  for (i = 0; i < section->n_pairs; i++)
    if (strcmp (section->pairs[i].key, key) == 0
        && (!found || found->level < section->pairs[i].level))
      found = &section->pairs[i];
  return found;
}

int
config_section_options (const struct config_builder *b,
                        const struct config_section *section,
                        struct option_set *set, struct tally_error *err)
{
  struct option_owner owner = { section->where, section->title,
                                b->config->base_dir, NULL };

  return option_set_build (set, config_rows (section->kind), section->pairs,
                           section->n_pairs, &owner, err);
}

static bool
is_section_name (const char *name)
{
  size_t i;

  for (i = 0; name[i]; i++) {
    char c = name[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                  || (c >= '0' && c <= '9');

    if (!letter && (i == 0 || (c != '.' && c != '_' && c != '-')))
      return false;
  }
  return i > 0 && i <= NAME_MAX_BYTES;
}

static int
fail_section_kind (const char *where, const char *full, size_t kind_size,
                   struct tally_error *err)
{
  const char *names[CONFIG_KINDS + 1] = { NULL };
  char kind[NAME_MAX_BYTES] = "";
  const char *near;
  int i;

  for (i = 0; i < CONFIG_KINDS; i++)
    names[i] = config_kind_name ((enum config_kind) i);
  if (kind_size < sizeof kind)
    memcpy (kind, full, kind_size);
  near = nearest (kind, names);
  if (!near)
    return error_set (err, TALLY_CONFIG,
                      "%s: unknown section [%s]; there are [tally], "
                      "[store NAME], [transport NAME], [sync NAME] and "
                      "[serve NAME]",
                      where, full);
  if (strcmp (near, names[CONFIG_KIND_TALLY]) == 0)
    full = "";
  else
    full += kind_size;
  return error_set (err, TALLY_CONFIG,
                    "%s: unknown section [%.*s%s]; did you mean [%s%s]?",
                    where, (int) kind_size, kind, full, near, full);
}

/* Splits "store notes".  The name of [tally] is "". */
static int
parse_header (enum config_kind *kind, const char **name, const char *where,
              const char *full, struct tally_error *err)
{
  size_t size = strcspn (full, " ");
  int i;

  for (i = 0; i < CONFIG_KINDS; i++)
    if (strlen (config_kind_name ((enum config_kind) i)) == size
        && memcmp (config_kind_name ((enum config_kind) i), full, size) == 0)
      break;
  if (i == CONFIG_KINDS)
    return fail_section_kind (where, full, size, err);

  *kind = (enum config_kind) i;
  *name = full + size + (full[size] == ' ');
  if (i == CONFIG_KIND_TALLY && **name)
    return error_set (err, TALLY_CONFIG, "%s: [tally] takes no name", where);
  if (i != CONFIG_KIND_TALLY && !**name)
    return error_set (err, TALLY_CONFIG, "%s: [%s] needs a name: [%s NAME]",
                      where, full, full);
  if (i != CONFIG_KIND_TALLY && !is_section_name (*name))
    return error_set (err, TALLY_CONFIG,
                      "%s: \"%s\" is not a name; expected at most %d letters, "
                      "digits, '.', '_' and '-', the first a letter or digit",
                      where, *name, NAME_MAX_BYTES);
  return TALLY_OK;
}

/* [sync], [store] and [transport] share their names, as endpoints and links
 * are named in the same places. */
static int
check_unique (const struct config_builder *b,
              const struct config_section *section, struct tally_error *err)
{
  const struct config_section *other;

  if (section->kind == CONFIG_KIND_SERVE)
    return TALLY_OK;
  for (other = b->sections; other < section; other++)
    if (other->kind != CONFIG_KIND_SERVE
        && strcmp (other->name, section->name) == 0)
      return error_set (err, TALLY_CONFIG,
                        "%s: %s has the same name as %s at %s", section->where,
                        section->title, other->title, other->where);
  return TALLY_OK;
}

static int
add_section (struct config_builder *b, const struct ini_section *from,
             size_t *index, struct tally_error *err)
{
  struct config *config = b->config;
  struct config_section *section;
  enum config_kind kind = CONFIG_KIND_TALLY;
  const char *where, *name = NULL, *full;
  int status;

  where = config_text (config, "%s:%u", b->file, from->line);
  full = config_text (config, "%s", from->name);
  if (!where || !full)
    return error_nomem (err);
  status = parse_header (&kind, &name, where, full, err);
  if (status != TALLY_OK)
    return status;

  *index = kind == CONFIG_KIND_TALLY ? 0 : b->n_sections++;
  section = &b->sections[*index];
  section->kind = kind;
  section->name = name;
  section->where = where;
  section->title = config_text (config, "[%s]", full);
  if (!section->title)
    return error_nomem (err);
  return *index > 0 ? check_unique (b, section, err) : TALLY_OK;
}

int
config_take_ini (struct config_builder *b, const struct ini *ini,
                 struct tally_error *err)
{
  size_t i, e = 0, index = 0;
  int status;

  b->sections = calloc (ini->n_sections + 1, sizeof *b->sections);
  if (!b->sections)
    return error_nomem (err);
  b->sections[0].name = "";
  b->sections[0].title = "[tally]";
  b->n_sections = 1;

  for (i = 0; i < ini->n_sections; i++) {
    status = add_section (b, &ini->sections[i], &index, err);
    for (; status == TALLY_OK && e < ini->n_entries
           && ini->entries[e].section == i;
         e++) {
      const struct ini_entry *entry = &ini->entries[e];
      const char *key = config_text (b->config, "%s", entry->key);
      const char *value = config_text (b->config, "%s", entry->value);
      const char *where =
          config_text (b->config, "%s:%u", b->file, entry->line);

      if (!key || !value || !where)
        return error_nomem (err);
      status = config_add_pair (&b->sections[index], key, value, where,
                                OPTION_FILE, err);
    }
    if (status != TALLY_OK)
      return status;
  }
  return TALLY_OK;
}
