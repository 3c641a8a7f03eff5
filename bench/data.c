/* SPDX-License-Identifier: MIT */
/* Documents that look like those of an application: the same ones in each
 * run, with ids in no order. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const char letters[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz77";

static const char *const words[] = {
  "agenda", "amber",  "ballast", "basket",  "border",  "bridge",  "candle",
  "canvas", "carbon", "cellar",  "cinder",  "cobalt",  "copper",  "cotton",
  "cradle", "dagger", "docket",  "domino",  "ember",   "fabric",  "falcon",
  "flint",  "gadget", "garnet",  "hamlet",  "harbor",  "hazel",   "indigo",
  "ivory",  "jacket", "kettle",  "lantern", "ledger",  "linen",   "magnet",
  "marble", "meadow", "mirror",  "needle",  "nickel",  "orchard", "oxide",
  "paddle", "pebble", "pepper",  "pillar",  "quartz",  "quiver",  "ribbon",
  "saddle", "signal", "silver",  "tallow",  "thistle", "timber",  "turbine",
  "umbra",  "valley", "velvet",  "walnut",  "willow",  "window",  "yonder",
  "zephyr",
};
#define WORDS (sizeof words / sizeof words[0])

/* splitmix64 */
static uint64_t
mix (uint64_t *state)
{
  uint64_t z = *state += 0x9e3779b97f4a7c15u;

  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

uint64_t
data_random (uint64_t *state, uint64_t n)
{
  return mix (state) % n;
}

static void
add (struct text *out, const char *format, ...)
{
  for (;;) {
    size_t left = out->room - out->size;
    va_list args;
    int n;

    va_start (args, format);
    n = vsnprintf (out->data ? out->data + out->size : NULL, left, format,
                   args);
    va_end (args);
    if (n < 0)
      die ("vsnprintf");
    if ((size_t) n < left) {
      out->size += (size_t) n;
      return;
    }
    out->room = 2 * out->room + (size_t) n + 4096;
    out->data = realloc (out->data, out->room);
    if (!out->data)
      die ("out of memory");
  }
}

void
text_free (struct text *text)
{
  free (text->data);
  memset (text, 0, sizeof *text);
}

void
data_id (uint64_t i, char id[ID_SIZE + 1])
{
  uint64_t state = i * 2 + 1, bits = 0;

  for (unsigned k = 0; k < ID_SIZE; k++) {
    if (k % 8 == 0)
      bits = mix (&state);
    id[k] = letters[bits & 63];
    bits >>= 6;
  }
  id[ID_SIZE] = '\0';
}

static void
add_words (struct text *out, uint64_t *state, unsigned n)
{
  for (unsigned k = 0; k < n; k++)
    add (out, "%s%s", k > 0 ? " " : "", words[data_random (state, WORDS)]);
}

void
data_document (struct text *out, uint64_t i, unsigned version)
{
  uint64_t state = i ^ 0xc0ffee, changed = i + 7919 * (uint64_t) version;
  char id[ID_SIZE + 1];

  data_id (i, id);
  add (out, "{\"_id\":\"%s\",\"amount\":%" PRIu64 ".%02" PRIu64, id,
       1 + data_random (&changed, 5000), 1 + data_random (&changed, 98));
  add (out, ",\"author\":{\"mail\":\"%s.%s@example.org\",\"name\":\"",
       words[data_random (&state, WORDS)], words[data_random (&state, WORDS)]);
  add_words (out, &state, 2);
  add (out, "\"},\"created\":\"20%02u-%02u-%02uT%02u:%02u:00Z\"",
       (unsigned) data_random (&state, 25), 1 + (unsigned) (i % 12),
       1 + (unsigned) (i % 28), (unsigned) (i % 24), (unsigned) (i % 60));
  add (out, ",\"done\":%s,\"note\":\"",
       data_random (&state, 2) ? "true" : "false");
  add_words (out, &state, 12);
  add (out, "\",\"priority\":%u,\"tags\":[\"%s\",\"%s\"],\"title\":\"",
       (unsigned) data_random (&state, 10), words[data_random (&state, WORDS)],
       words[data_random (&state, WORDS)]);
  add_words (out, &state, 3);
  add (out, "\"}");
}

void
data_lines (struct text *out, uint64_t first, uint64_t n, unsigned version)
{
  for (uint64_t i = first; i < first + n; i++) {
    data_document (out, i, version);
    add (out, "\n");
  }
}

uint64_t
data_bytes (uint64_t n)
{
  struct text text = { 0 };
  uint64_t bytes = 0;

  for (uint64_t i = 0; i < n; i++) {
    text.size = 0;
    data_document (&text, i, 0);
    bytes += text.size;
  }
  text_free (&text);
  return bytes;
}
