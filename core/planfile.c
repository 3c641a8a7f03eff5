/* SPDX-License-Identifier: MIT */
/* Reading plans:
 * {"collections":"A,B"|null,"direction":"both","far":"hex","link":"NAME",
 *  "local":"hex","tally_plan":1}
 * {"_id":"ID","action":"pull","again":true?,"collection":"A",
 *  "deleted":false,"local":"REV"|null,"remote":"REV"|null}
 * {"checksum":"hex","items":N}: of all bytes before. */

#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "notejson.h"
#include "planfile-internal.h"
#include "rev.h"

/* Flags of an item: its steps, 1 << enum plan_step, and these.  A folder may
 * have a document twice in the same revision, and of two steps each. */
#define DELETED 16
#define ALIVE 32
#define MET 64

static const char *const directions[] = { "both", "push", "pull" };
static const char *const steps[] = { "none", "pull", "push", "merge" };

const char *
planfile_direction (int direction)
{
  return directions[direction];
}

const char *
planfile_step (enum plan_step step)
{
  return steps[step];
}

void
planfile_head_free (struct planfile_head *head)
{
  free (head->link);
  free (head->collections);
  memset (head, 0, sizeof *head);
}

void
planfile_free (struct planfile *plan)
{
  free (plan->path);
  planfile_head_free (&plan->head);
  idset_free (&plan->set);
  memset (plan, 0, sizeof *plan);
}

/* ---- members ------------------------------------------------------------ */

static bool
is_null (struct tally_slice value)
{
  return slice_equal (value, slice_text ("null"));
}

/* A copy with its NUL, from a string. */
static bool
take_text (struct tally_slice line, const char *name, struct buf *out)
{
  struct tally_slice value;

  buf_clear (out);
  return json_find_member (line, slice_text (name), &value)
         && json_type (value) == JSON_STRING && json_decode_string (out, value)
         && (buf_add_byte (out, '\0'), !out->failed);
}

/* Which of the words it is, or -1. */
static int
take_word (struct tally_slice line, const char *name, const char *const *words,
           int n)
{
  struct tally_slice value;

  if (!json_find_member (line, slice_text (name), &value) || value.size < 2)
    return -1;
  value = slice_make (value.data + 1, value.size - 2);
  for (int i = 0; i < n; i++)
    if (slice_equal (value, slice_text (words[i])))
      return i;
  return -1;
}

static bool
take_hex (struct tally_slice line, const char *name, unsigned char *out)
{
  struct tally_slice value;
  size_t size;

  return json_find_member (line, slice_text (name), &value)
         && value.size == 2 * PLANFILE_ID_SIZE + 2
         && sodium_hex2bin (out, PLANFILE_ID_SIZE, value.data + 1,
                            value.size - 2, NULL, &size, NULL)
                == 0
         && size == PLANFILE_ID_SIZE;
}

static bool
take_rev (struct tally_slice line, const char *name, unsigned char *out)
{
  struct tally_slice value;
  char text[TALLY_REV_TEXT];

  memset (out, 0, TALLY_REV_SIZE);
  if (!json_find_member (line, slice_text (name), &value))
    return false;
  if (is_null (value))
    return true;
  if (value.size != sizeof text + 1)
    return false;
  memcpy (text, value.data + 1, sizeof text - 1);
  text[sizeof text - 1] = '\0';
  return rev_from_text (out, text);
}

/* ---- lines -------------------------------------------------------------- */

static char *
keep (const struct buf *text)
{
  return strdup (text->data);
}

bool
planfile_is_head (struct tally_slice line)
{
  struct tally_slice version;

  return json_is_canonical (line.data, line.size)
         && json_type (line) == JSON_OBJECT
         && json_find_member (line, slice_text ("tally_plan"), &version);
}

static bool
read_head (struct planfile_head *head, struct tally_slice line)
{
  struct tally_slice version, collections;
  struct buf text = BUF_INIT;
  uint64_t number;
  bool good = planfile_is_head (line)
              && json_find_member (line, slice_text ("tally_plan"), &version)
              && note_number (version, &number) && number == 1
              && take_hex (line, "local", head->local)
              && take_hex (line, "far", head->far)
              && take_text (line, "link", &text);

  head->direction = take_word (line, "direction", directions, 3);
  if (good)
    head->link = keep (&text);
  good = good && head->direction >= 0 && head->link
         && json_find_member (line, slice_text ("collections"), &collections);
  if (good && !is_null (collections)) {
    good = take_text (line, "collections", &text);
    head->collections = good ? keep (&text) : NULL;
    good = head->collections != NULL;
  }
  buf_free (&text);
  return good;
}

struct item {
  struct plan_move move;
  struct buf id, collection;
};

static void
item_free (struct item *item)
{
  buf_free (&item->id);
  buf_free (&item->collection);
}

static bool
read_item (struct item *item, struct tally_slice line)
{
  struct plan_move *move = &item->move;
  struct tally_slice deleted, again;
  int step;

  memset (move, 0, sizeof *move);
  if (!json_is_canonical (line.data, line.size)
      || json_type (line) != JSON_OBJECT)
    return false;
  step = take_word (line, "action", steps, 4);
  if (step < 0 || !take_text (line, "_id", &item->id)
      || !take_text (line, "collection", &item->collection)
      || !take_rev (line, "local", move->local_rev)
      || !take_rev (line, "remote", move->remote_rev)
      || !json_find_member (line, slice_text ("deleted"), &deleted))
    return false;
  move->step = (enum plan_step) step;
  move->deleted = slice_equal (deleted, slice_text ("true"));
  move->again = json_find_member (line, slice_text ("again"), &again);
  move->collection = item->collection.data;
  move->id = slice_make (item->id.data, item->id.size - 1);
  return true;
}

/* ---- files -------------------------------------------------------------- */

typedef int line_fn (void *ctx, struct tally_slice line, uint64_t number,
                     struct tally_error *err);

static int
damaged (const char *path, struct tally_error *err)
{
  return error_set (err, TALLY_INVALID, "%s: is no plan, or damaged", path);
}

/* The last line is of all that came before it. */
static bool
is_end (struct tally_slice line, crypto_generichash_state *hash,
        uint64_t lines)
{
  unsigned char sum[PLANFILE_ID_SIZE], is[PLANFILE_ID_SIZE];
  struct tally_slice items;
  uint64_t n;

  crypto_generichash_final (hash, is, sizeof is);
  return json_is_canonical (line.data, line.size)
         && json_type (line) == JSON_OBJECT
         && json_find_member (line, slice_text ("items"), &items)
         && note_number (items, &n) && n + 1 == lines
         && take_hex (line, "checksum", sum)
         && memcmp (sum, is, sizeof is) == 0;
}

/* Calls fn for all lines but the last; each is known to be followed by one.
 * What fn did counts only when this returns TALLY_OK. */
static int
each_line (const char *path, FILE *file, line_fn *fn, void *ctx,
           struct tally_error *err)
{
  crypto_generichash_state hash;
  char *line[2] = { NULL, NULL };
  size_t room[2] = { 0, 0 };
  ssize_t size, next;
  uint64_t n = 0;
  int status = TALLY_OK, at = 0;

  crypto_generichash_init (&hash, NULL, 0, PLANFILE_ID_SIZE);
  size = getline (&line[0], &room[0], file);
  while (size > 0 && status == TALLY_OK) {
    struct tally_slice text = slice_make (line[at], (size_t) size - 1);

    next = getline (&line[!at], &room[!at], file);
    if (line[at][size - 1] != '\n' || (next <= 0 && !is_end (text, &hash, n)))
      status = damaged (path, err);
    else if (next > 0) {
      crypto_generichash_update (&hash, (const unsigned char *) line[at],
                                 (unsigned long long) size);
      status = fn (ctx, text, n++, err);
    }
    size = next;
    at = !at;
  }
  if (status == TALLY_OK && ferror (file))
    status = error_set (err, TALLY_FAILED, "%s: cannot be read", path);
  else if (status == TALLY_OK && n == 0)
    status = damaged (path, err);
  free (line[0]);
  free (line[1]);
  return status;
}

static int
walk (const char *path, line_fn *fn, void *ctx, struct tally_error *err)
{
  FILE *file = fopen (path, "rb");
  int status;

  if (!file)
    return error_set (err, errno == ENOENT ? TALLY_NOTFOUND : TALLY_DENIED,
                      "%s: %s", path,
                      errno == ENOENT ? "no such plan" : "cannot be opened");
  status = each_line (path, file, fn, ctx, err);
  fclose (file);
  return status;
}

/* ---- the set ------------------------------------------------------------ */

#define PARTS 5

/* A document that comes again is known by what is there only: what is here
 * was made by this run. */
static void
make_parts (const struct plan_move *move, struct tally_slice parts[PARTS])
{
  parts[0] = slice_text (move->again ? "again" : "item");
  parts[1] = slice_text (move->collection);
  parts[2] = move->id;
  parts[3] = slice_make (move->remote_rev, TALLY_REV_SIZE);
  parts[4] = slice_make (move->local_rev, move->again ? 0 : TALLY_REV_SIZE);
}

static void
make_name (const struct plan_move *move, struct tally_slice parts[3])
{
  parts[0] = slice_text ("document");
  parts[1] = slice_text (move->collection);
  parts[2] = move->id;
}

static unsigned char
make_flags (const struct plan_move *move)
{
  return (unsigned char) ((1u << move->step)
                          | (move->deleted ? DELETED : ALIVE));
}

static int
add_line (void *ctx, struct tally_slice line, uint64_t number,
          struct tally_error *err)
{
  struct planfile *plan = ctx;
  struct tally_slice parts[PARTS], name[3];
  struct item item = { .id = BUF_INIT, .collection = BUF_INIT };
  unsigned char *flags = NULL;
  int status = TALLY_OK;

  if (number == 0)
    return read_head (&plan->head, line) ? TALLY_OK
                                         : damaged (plan->path, err);
  if (!read_item (&item, line))
    status = damaged (plan->path, err);
  else {
    make_parts (&item.move, parts);
    make_name (&item.move, name);
    if (idset_add (&plan->set, name, 3))
      flags = idset_add (&plan->set, parts, PARTS);
    if (flags)
      *flags |= make_flags (&item.move);
    else
      status = error_nomem (err);
  }
  item_free (&item);
  return status;
}

int
planfile_read (struct planfile *plan, const char *path,
               struct tally_error *err)
{
  int status;

  memset (plan, 0, sizeof *plan);
  plan->path = strdup (path);
  status = plan->path ? walk (path, add_line, plan, err) : error_nomem (err);
  if (status != TALLY_OK)
    planfile_free (plan);
  return status;
}

enum planned
planfile_find (const struct planfile *plan, const struct plan_move *move)
{
  struct tally_slice parts[PARTS], name[3];

  make_parts (move, parts);
  make_name (move, name);
  if (idset_find (&plan->set, parts, PARTS))
    return PLANNED_SO;
  return idset_find (&plan->set, name, 3) ? PLANNED_ELSE : PLANNED_NOT;
}

bool
planfile_meet (struct planfile *plan, const struct plan_move *move)
{
  struct tally_slice parts[PARTS];
  unsigned char *flags;

  make_parts (move, parts);
  flags = idset_find (&plan->set, parts, PARTS);
  if (!flags || (*flags & make_flags (move)) != make_flags (move))
    return false;
  *flags |= MET;
  return true;
}

struct unmet {
  const struct planfile *plan;
  int (*tell) (void *ctx, const struct plan_move *move,
               struct tally_error *err);
  void *ctx;
};

static int
find_unmet (void *ctx, struct tally_slice line, uint64_t number,
            struct tally_error *err)
{
  const struct unmet *unmet = ctx;
  struct item item = { .id = BUF_INIT, .collection = BUF_INIT };
  struct tally_slice parts[PARTS];
  const unsigned char *flags;
  int status = TALLY_OK;

  if (number == 0)
    return TALLY_OK;
  if (!read_item (&item, line))
    status = damaged (unmet->plan->path, err);
  else {
    make_parts (&item.move, parts);
    flags = idset_find (&unmet->plan->set, parts, PARTS);
    if (!flags || !(*flags & MET))
      status = unmet->tell (unmet->ctx, &item.move, err);
  }
  item_free (&item);
  return status;
}

int
planfile_unmet (const struct planfile *plan,
                int (*tell) (void *ctx, const struct plan_move *move,
                             struct tally_error *err),
                void *ctx, struct tally_error *err)
{
  struct unmet unmet = { plan, tell, ctx };

  return walk (plan->path, find_unmet, &unmet, err);
}
