/* SPDX-License-Identifier: MIT */
/* Keys are those of value.h, one for each field of the index, behind one
 * another.  An array is there with each element and as a whole, and of several
 * arrays every combination: so whatever a path hands out to a condition is
 * among the keys. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "indexkey.h"
#include "value.h"

/* In rising order, and above the two bytes that end a key. */
static const char digits[] =
    "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

#define PLAIN '!'
#define HASHED '#'

/* ---- keys --------------------------------------------------------------- */

/* What stands at one field: keys in one buffer, with where they end. */
struct part {
  struct buf text;
  size_t *ends;
  size_t n, room;
  bool any; /* something is there */
  bool failed;
};

static bool
add_part (void *ctx, struct tally_slice value)
{
  struct part *part = ctx;

  part->any = part->any || value.data;
  if (part->n > INDEX_KEYS_MAX)
    return true;
  if (part->n == part->room) {
    size_t room = part->room ? 2 * part->room : 8;
    size_t *ends = realloc (part->ends, room * sizeof *ends);

    part->failed = !ends;
    if (!ends)
      return true;
    part->ends = ends;
    part->room = room;
  }
  valuekey_add (&part->text, value);
  part->ends[part->n++] = part->text.size;
  return part->text.failed;
}

static void
read_part (struct part *part, const struct field_name *field,
           struct tally_slice document)
{
  path_visit (&field->path, document, true, add_part, part);
  if (part->n == 0)
    add_part (part, value_missing ());
  if (field->descending)
    for (size_t i = 0; i < part->text.size && !part->text.failed; i++)
      part->text.data[i] = (char) ~part->text.data[i];
}

/* An array on the way to what has one value makes it sort as an array. */
static bool
strays (const struct part *part, const struct field_name *field,
        struct tally_slice document, struct buf *key)
{
  if (field->path.n == 1 || part->n != 1)
    return false;
  buf_clear (key);
  path_sort_key (&field->path, document, key);
  for (size_t i = 0; i < key->size && field->descending && !key->failed; i++)
    key->data[i] = (char) ~key->data[i];
  return key->failed
         || !slice_equal (buf_slice (key), buf_slice (&part->text));
}

static int
in_order (const void *a, const void *b)
{
  return slice_cmp (*(const struct tally_slice *) a,
                    *(const struct tally_slice *) b);
}

static void
combine (struct index_keys *out, const struct part *parts, size_t n,
         size_t total)
{
  size_t *ends = calloc (total, sizeof *ends), made = 0;

  out->keys = calloc (total + 1, sizeof *out->keys);
  out->text.failed = out->text.failed || !ends || !out->keys;
  for (size_t c = 0; c < total && !out->text.failed; c++) {
    size_t rest = c, from = out->text.size;

    for (size_t i = 0; i < n; i++) {
      size_t at = rest % parts[i].n;
      size_t begin = at > 0 ? parts[i].ends[at - 1] : 0;

      rest /= parts[i].n;
      buf_add (&out->text, parts[i].text.data + begin,
               parts[i].ends[at] - begin);
    }
    out->overflow = out->overflow || out->text.size - from > INDEX_KEY_MAX;
    ends[made++] = out->text.size;
  }
  for (size_t c = 0; c < made && !out->text.failed; c++) {
    size_t from = c > 0 ? ends[c - 1] : 0;

    out->keys[c] = slice_make (out->text.data + from, ends[c] - from);
  }
  out->n = out->text.failed ? 0 : made;
  free (ends);
}

static void
sort_keys (struct index_keys *keys)
{
  size_t kept = 0;

  if (keys->n > 1)
    qsort (keys->keys, keys->n, sizeof *keys->keys, in_order);
  for (size_t i = 0; i < keys->n; i++)
    if (kept == 0 || !slice_equal (keys->keys[kept - 1], keys->keys[i]))
      keys->keys[kept++] = keys->keys[i];
  keys->n = kept;
}

/* The byte stands before all keys, as the first of them. */
static void
add_several (struct index_keys *keys)
{
  static const char several[] = { INDEX_SEVERAL };

  memmove (keys->keys + 1, keys->keys, keys->n * sizeof *keys->keys);
  keys->keys[0] = slice_make (several, 1);
  keys->n++;
}

static void
only_overflow (struct index_keys *keys)
{
  buf_clear (&keys->text);
  buf_add_byte (&keys->text, INDEX_OVERFLOW);
  keys->n = 0;
  if (keys->text.failed)
    return;
  keys->keys[0] = buf_slice (&keys->text);
  keys->n = 1;
}

int
index_keys_make (struct index_keys *out, const struct index_def *def,
                 struct tally_slice document, struct tally_error *err)
{
  struct part parts[INDEX_FIELDS_MAX];
  size_t n = def->fields.count, total = 1;
  struct buf key = BUF_INIT;
  bool any = false;

  memset (out, 0, sizeof *out);
  memset (parts, 0, sizeof parts);
  for (size_t i = 0; i < n; i++) {
    read_part (&parts[i], &def->fields.fields[i], document);
    out->strays =
        out->strays
        || strays (&parts[i], &def->fields.fields[i], document, &key);
    any = any || parts[i].any;
    out->text.failed =
        out->text.failed || parts[i].failed || parts[i].text.failed;
    out->overflow = out->overflow || parts[i].n > INDEX_KEYS_MAX;
    total = out->overflow ? 1 : total * parts[i].n;
    out->overflow = out->overflow || total > INDEX_KEYS_MAX;
  }
  if (out->overflow)
    total = 1;
  if (!out->text.failed && (any || !def->sparse)) {
    combine (out, parts, n, total);
    sort_keys (out);
    if (out->overflow && !out->text.failed)
      only_overflow (out);
    else if (out->n > 1)
      add_several (out);
  }
  buf_free (&key);
  for (size_t i = 0; i < n; i++) {
    buf_free (&parts[i].text);
    free (parts[i].ends);
  }
  return out->text.failed ? error_nomem (err) : TALLY_OK;
}

bool
index_keys_marked (const struct index_keys *keys, struct tally_slice id)
{
  return keys->overflow || keys->n > 1 || keys->strays
         || (keys->n > 0 && id.size > INDEX_ID_MAX);
}

void
index_keys_free (struct index_keys *keys)
{
  free (keys->keys);
  buf_free (&keys->text);
  memset (keys, 0, sizeof *keys);
}

/* ---- rows --------------------------------------------------------------- */

static void
add_number (struct buf *out, uint32_t number)
{
  for (int shift = 18; shift >= 0; shift -= 6)
    buf_add_byte (out, (unsigned char) digits[number >> shift & 63]);
}

/* Six bits a character, from the top. */
static void
add_key (struct buf *out, struct tally_slice key)
{
  uint32_t bits = 0;
  int n = 0;

  for (size_t i = 0; i < key.size; i++) {
    bits = bits << 8 | (unsigned char) key.data[i];
    for (n += 8; n >= 6; n -= 6)
      buf_add_byte (out, (unsigned char) digits[bits >> (n - 6) & 63]);
  }
  if (n > 0)
    buf_add_byte (out, (unsigned char) digits[bits << (6 - n) & 63]);
}

void
index_place (struct buf *out, uint32_t number, struct tally_slice key,
             bool after)
{
  struct buf next = BUF_INIT;
  size_t size = key.size;

  add_number (out, number);
  if (!after) {
    add_key (out, key);
    return;
  }
  /* The least bytes above all that begin with the key. */
  buf_add_slice (&next, key);
  while (size > 0 && !next.failed
         && (unsigned char) next.data[size - 1] == 255)
    size--;
  if (size > 0 && !next.failed) {
    next.data[size - 1]++;
    add_key (out, slice_make (next.data, size));
  } else
    buf_add_byte (out, '~');
  out->failed = out->failed || next.failed;
  buf_free (&next);
}

void
index_row (struct buf *out, uint32_t number, struct tally_slice key,
           struct tally_slice id)
{
  unsigned char hash[32];
  char text[2 * sizeof hash + 1];

  add_number (out, number);
  add_key (out, key);
  if (id.size <= INDEX_ID_MAX) {
    buf_add_byte (out, PLAIN);
    buf_add_slice (out, id);
    return;
  }
  crypto_generichash (hash, sizeof hash, (const unsigned char *) id.data,
                      id.size, NULL, 0);
  sodium_bin2hex (text, sizeof text, hash, sizeof hash);
  buf_add_byte (out, HASHED);
  buf_add (out, text, sizeof text - 1);
}

struct tally_slice
index_row_id (struct tally_slice row, bool *hashed)
{
  for (size_t i = 0; i < row.size; i++)
    if (row.data[i] == PLAIN || row.data[i] == HASHED) {
      *hashed = row.data[i] == HASHED;
      return slice_make (row.data + i + 1, row.size - i - 1);
    }
  return value_missing ();
}

/* Four letters are the number, then there are six bits a letter. */
bool
index_row_key (struct tally_slice row, struct buf *out)
{
  uint32_t bits = 0;
  int n = 0;

  for (size_t i = 4; i < row.size; i++) {
    const char *digit = memchr (digits, row.data[i], sizeof digits - 1);

    if (!digit)
      return row.data[i] == PLAIN || row.data[i] == HASHED;
    bits = bits << 6 | (uint32_t) (digit - digits);
    n += 6;
    if (n < 8)
      continue;
    n -= 8;
    buf_add_byte (out, (unsigned char) (bits >> n & 255));
  }
  return false;
}

bool
index_key_is_value (struct tally_slice key)
{
  return key.size > 1 || key.data[0] >= VALUEKEY_TAG (VALUE_MISSING)
         || (unsigned char) key.data[0] > 0x7f;
}

/* ---- for people --------------------------------------------------------- */

#define SHOWN_MAX 60

struct showing {
  struct tally_slice rest; /* of the key */
  bool descending, found;
  struct buf *out;
};

static bool
show_value (void *ctx, struct tally_slice value)
{
  struct showing *showing = ctx;
  struct buf key = BUF_INIT;

  valuekey_add (&key, value);
  for (size_t i = 0; i < key.size && showing->descending && !key.failed; i++)
    key.data[i] = (char) ~key.data[i];
  showing->found = !key.failed && key.size <= showing->rest.size
                   && memcmp (key.data, showing->rest.data, key.size) == 0;
  if (showing->found) {
    showing->rest = slice_make (showing->rest.data + key.size,
                                showing->rest.size - key.size);
    if (!value.data)
      buf_add_text (showing->out, "nothing");
    else
      buf_add (showing->out, value.data,
               value.size < SHOWN_MAX ? value.size : SHOWN_MAX);
  }
  buf_free (&key);
  return showing->found;
}

void
index_value_text (const struct index_def *def, struct tally_slice key,
                  struct tally_slice document, struct buf *out)
{
  struct showing showing = { .rest = key, .out = out, .found = true };
  size_t before = out->size;

  for (size_t i = 0; i < def->fields.count && showing.found; i++) {
    const struct field_name *field = &def->fields.fields[i];

    showing.descending = field->descending;
    showing.found = false;
    if (i > 0)
      buf_add_text (out, ", ");
    path_visit (&field->path, document, true, show_value, &showing);
    if (!showing.found)
      show_value (&showing, value_missing ());
  }
  if (!showing.found)
    out->size = before;
}
