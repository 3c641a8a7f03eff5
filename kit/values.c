/* SPDX-License-Identifier: MIT */
/* Defaults as the host would parse them, as far as the drivers of this tree
 * have any: a program that hands in values has had them parsed. */

#include <stdlib.h>

#include "asserting.h"
#include "values.h"

#define COUNT(a) (sizeof (a) / sizeof (a)[0])

static void
kit_log (void *ctx, int level, const char *text)
{
  (void) ctx;
  (void) level;
  (void) text;
}

static int
kit_cancelled (void *ctx)
{
  (void) ctx;
  return 0;
}

static int64_t
default_number (const struct tally_option *option)
{
  static const struct {
    const char *suffix;
    int64_t factor;
  } units[] = { { "ms", 1 },   { "s", 1000 },    { "m", 60000 },
                { "k", 1024 }, { "M", 1048576 }, { "yes", 1 } };
  const char *text = option->default_value;
  char *end;
  int64_t number;

  if (!text || option->type == TALLY_OPTION_STRING
      || option->type == TALLY_OPTION_PATH)
    return 0;
  if (option->type == TALLY_OPTION_BOOLEAN)
    return strcmp (text, "yes") == 0 || strcmp (text, "1") == 0;
  number = strtoll (text, &end, 10);
  for (size_t i = 0; i < COUNT (units); i++)
    if (strcmp (end, units[i].suffix) == 0)
      return number * units[i].factor;
  return number;
}

void
kit_values (struct tally_value values[KIT_VALUES],
            const struct kit_subject *subject, const char *first)
{
  const struct tally_option *options = subject->driver->options;

  memset (values, 0, KIT_VALUES * sizeof *values);
  for (size_t i = 0; options && options[i].name; i++) {
    assert_true (i < KIT_VALUES);
    if (subject->values) {
      values[i] = subject->values[i];
    } else {
      values[i].text = options[i].default_value;
      values[i].number = default_number (&options[i]);
    }
  }
  values[0].text = first;
}

void
kit_host (struct tally_host *host)
{
  host->size = sizeof *host;
  host->ctx = NULL;
  host->log = kit_log;
  host->cancelled = kit_cancelled;
}
