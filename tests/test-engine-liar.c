/* SPDX-License-Identifier: MIT */
/* A far side that lies in a comparison: about counts, cells, lists, splits,
 * what it was asked for and what it answered; or to who has nothing, about the
 * order of documents and how many there are.  The run ends, after few
 * exchanges and with one clear error, and has changed nothing; or it finds
 * another way, and then all is as it should be. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "../core/rows.h"
#include "../core/wire.h"
#include "sync-world.h"

#define EXCHANGES_MAX 100
#define ROOM ((size_t) SKETCH_CELL_SIZE * (SKETCH_CELLS_MAX + 1))

struct liar;
typedef void lie_fn (struct liar *liar, struct wire_message *message);

struct liar {
  lie_fn *lie;
  unsigned about;          /* enum wire_type; 0: of all that is answered */
  unsigned told, compared; /* so often */
  enum wire_comparison kind;
  size_t size;
  unsigned char room[ROOM];
  struct tally_slice splits[2];
};

static char *
tell (void *ctx, const char *reply, size_t *size)
{
  struct liar *liar = ctx;
  struct wire_message message;
  struct tally_error err;
  unsigned char sender[REPLICA_ID_SIZE];
  struct tally_slice frame = slice_make (reply, *size), rest;
  struct buf out = BUF_INIT;

  assert_int_equal (wire_open (&rest, sender, frame, &err), TALLY_OK);
  assert_int_equal (wire_unseal (&rest, frame, &err), TALLY_OK);
  wire_start (&out, sender);
  while (wire_decode (&message, &rest, &err) == TALLY_OK) {
    struct wire_message told = message;

    liar->compared += message.type == WIRE_COMPARED;
    if (liar->about == 0 || message.type == liar->about) {
      liar->told++;
      liar->lie (liar, &told);
    }
    wire_encode (&out, &told);
    wire_message_free (&message);
  }
  wire_seal (&out);
  assert_false (out.failed);
  *size = out.size;
  return out.data;
}

static struct tally_slice
noise (struct liar *liar, size_t size)
{
  assert_true (size <= ROOM);
  randombytes_buf (liar->room, size);
  return slice_make (liar->room, size);
}

/* ---- lies --------------------------------------------------------------- */

/* As many as were asked for. */
static void
cells_of_noise (struct liar *liar, struct wire_message *message)
{
  struct tally_slice *cells = &message->as.compared.data;

  if (message->as.compared.kind == WIRE_CELLS)
    *cells = noise (liar, cells->size);
}

/* As if nothing were there. */
static void
empty_cells (struct liar *liar, struct wire_message *message)
{
  memset (liar->room, 0, ROOM);
  if (message->as.compared.kind == WIRE_CELLS)
    message->as.compared.data.data = (const char *) liar->room;
}

/* Each answer is another question, if that is taken. */
static void
one_cell_each (struct liar *liar, struct wire_message *message)
{
  (void) liar;
  if (message->as.compared.kind == WIRE_CELLS)
    message->as.compared.data.size = SKETCH_CELL_SIZE;
}

static void
one_cell_first (struct liar *liar, struct wire_message *message)
{
  if (liar->compared == 1)
    one_cell_each (liar, message);
}

/* One kind of answer, with noise. */
static void
what_the_case_says (struct liar *liar, struct wire_message *message)
{
  message->as.compared.kind = liar->kind;
  message->as.compared.data = noise (liar, liar->size);
  message->as.compared.n_splits = 0;
}

/* One or two; what the first is made of, and 8 for the second. */
static void
tell_splits (struct liar *liar, struct wire_message *message,
             enum wire_comparison kind, size_t n, unsigned char first)
{
  struct wire_compared *compared = &message->as.compared;

  memset (liar->room, first, TALLY_STAMP_SIZE);
  memset (liar->room + TALLY_STAMP_SIZE, 8, TALLY_STAMP_SIZE);
  for (size_t i = 0; i < 2; i++)
    liar->splits[i] =
        slice_make (liar->room + i * TALLY_STAMP_SIZE, TALLY_STAMP_SIZE);
  compared->kind = kind;
  compared->splits = liar->splits;
  compared->n_splits = n;
}

static void
splits_that_fall (struct liar *liar, struct wire_message *message)
{
  tell_splits (liar, message, WIRE_SPLIT, 2, 9);
}

static void
a_split_again (struct liar *liar, struct wire_message *message)
{
  tell_splits (liar, message, WIRE_SPLIT, 1, 9);
}

/* One split before all rows, as if it were before the newest ones; then the
 * part behind it is said to have such, too. */
static void
newest_of_a_part (struct liar *liar, struct wire_message *message)
{
  tell_splits (liar, message, WIRE_NEWEST, 1, (unsigned char) liar->compared);
}

static void
newest_twice (struct liar *liar, struct wire_message *message)
{
  tell_splits (liar, message, WIRE_NEWEST, 2, 1);
}

static void
wild_numbers (struct liar *liar, struct wire_message *message)
{
  (void) liar;
  message->as.compared.count = UINT64_MAX;
}

static void
nothing_is_answered (struct liar *liar, struct wire_message *message)
{
  (void) liar;
  message->as.fetched.answered = 0;
  message->as.fetched.n = 0;
}

static void
more_is_answered (struct liar *liar, struct wire_message *message)
{
  (void) liar;
  message->as.fetched.answered = UINT64_MAX;
}

static void
what_nobody_asked_for (struct liar *liar, struct wire_message *message)
{
  struct tally_doc *doc = message->as.fetched.docs;

  (void) liar;
  assert_true (message->as.fetched.n > 0);
  doc->id = slice_text ("planted");
  doc->body = slice_text ("{\"_id\":\"planted\",\"v\":1}");
}

/* A part is to be taken whole, and never ends. */
static void
on_from_the_start (struct liar *liar, struct wire_message *message)
{
  if (message->type == WIRE_COMPARED && liar->compared == 1)
    newest_of_a_part (liar, message);
  else if (message->type == WIRE_COMPARED)
    message->as.compared.kind = WIRE_WHOLE;
  if (message->type != WIRE_FETCHED)
    return;
  memset (liar->room, 0, TALLY_STAMP_SIZE);
  message->as.fetched.next = slice_make (liar->room, TALLY_STAMP_SIZE);
}

/* To who has nothing. */
static void
nothing_and_more (struct liar *liar, struct wire_message *message)
{
  (void) liar;
  assert_true (message->as.headers.by_id);
  message->as.headers.n = 0;
  message->as.headers.more = true;
}

static void
ids_that_fall (struct liar *liar, struct wire_message *message)
{
  struct tally_doc *docs = message->as.headers.docs, first = docs[0];

  (void) liar;
  docs[0] = docs[1];
  docs[1] = first;
}

/* The first document for ever. */
static void
ids_again (struct liar *liar, struct wire_message *message)
{
  struct tally_doc *doc = message->as.headers.docs;

  (void) liar;
  doc->id = slice_text ("a000");
  doc->body = slice_text ("{\"_id\":\"a000\",\"v\":0}");
  message->as.headers.n = 1;
  message->as.headers.more = true;
}

static void
one_is_hidden (struct liar *liar, struct wire_message *message)
{
  (void) liar;
  message->as.headers.n--;
}

static void
one_is_spoilt (struct liar *liar, struct wire_message *message)
{
  if (liar->told == 1)
    message->as.headers.docs[1].body.size--;
}

/* To who asked for what has changed. */
static void
ids_unasked (struct liar *liar, struct wire_message *message)
{
  (void) liar;
  assert_false (message->as.headers.by_id);
  message->as.headers.by_id = true;
}

/* ---- the tests ---------------------------------------------------------- */

struct case_of {
  const char *name;
  lie_fn *lie;
  unsigned about;
  unsigned documents; /* many: cells; few: a list */
  enum {
    GOES_ON, /* in another way, or with less */
    REFUSED, /* and nothing has changed */
    STOPPED, /* what it was asked for, and gave, is taken */
    MISSED   /* not all is there, and nothing has changed */
  } end;
  enum wire_comparison kind; /* of what the case says */
  size_t size;
  enum { STRANGERS, EMPTY, MET } as; /* d2 to the hub */
};

/* The hub and d2 have the same and never met; then each changes a few. */
static void
make_strangers (struct world *w, unsigned n)
{
  struct kit_run run;

  world_fill (w->d1, 'a', n);
  kit_try_sync (&run, w->tally, "l1", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_OK);
  kit_try_pair (&run, w->tally, "d1", "d2");
  assert_int_equal (run.status, TALLY_OK);
  for (unsigned i = 0; i < 3; i++) {
    kit_put (w->hub, "notes", "{\"_id\":\"a%03u\",\"v\":1}", i);
    kit_put (w->d2, "notes", "{\"_id\":\"a%03u\",\"v\":2}", i + 3);
  }
}

/* d2 has nothing, or what the hub had. */
static void
make_one_sided (struct world *w, unsigned n, bool met)
{
  struct kit_run run;

  world_fill (w->hub, 'a', n);
  if (!met)
    return;
  kit_sync (&run, w->tally, "l2");
  kit_put (w->hub, "notes", "{\"_id\":\"a000\",\"v\":1}");
}

static void
expect_refused (struct world *w, const struct kit_run *run, bool missed,
                const char *before)
{
  char *after = kit_dump (w->d2);

  assert_int_equal (run->status, missed ? TALLY_CORRUPT : TALLY_INVALID);
  assert_non_null (strstr (run->err.text, missed ? "is damaged: of the "
                                                 : "answered something else"));
  if (before)
    assert_string_equal (after, before);
  free (after);
}

static void
try_lie (const struct case_of *tried)
{
  struct liar *liar = calloc (1, sizeof *liar);
  struct world world, *w = &world;
  struct kit_run run;
  char *before;

  print_message ("%s\n", tried->name);
  assert_non_null (liar);
  world_make (w, NULL);
  world_open (w);
  if (tried->as == STRANGERS)
    make_strangers (w, tried->documents);
  else
    make_one_sided (w, tried->documents, tried->as == MET);
  before = kit_dump (w->d2);
  liar->lie = tried->lie;
  liar->about = tried->about;
  liar->kind = tried->kind;
  liar->size = tried->size;
  shim_fault_at (SHIM_NONE, 0, 0);
  shim_rewrite (tell, liar);
  kit_try_sync (&run, w->tally, "l2", TALLY_AS_CONFIGURED);
  shim_rewrite (NULL, NULL);
  assert_true (liar->told > 0);
  assert_true (shim_exchanges () <= EXCHANGES_MAX);
  if (tried->end == GOES_ON)
    assert_int_equal (run.status, TALLY_OK);
  else
    expect_refused (w, &run, tried->end == MISSED,
                    tried->end == STOPPED ? NULL : before);
  kit_try_sync (&run, w->tally, "l2", TALLY_AS_CONFIGURED);
  assert_int_equal (run.status, TALLY_OK);
  kit_same (w->d2, w->hub);
  free (before);
  free (liar);
  world_remove (w);
}

static void
test_lies (void **state)
{
#define SAYS(end, kind, size) \
  what_the_case_says, WIRE_COMPARED, 300, end, kind, size, STRANGERS
#define TELLS(lie, about, documents, end) \
  lie, about, documents, end, 0, 0, STRANGERS
#define PAGES(lie, end, as) lie, WIRE_HEADERS, 9, end, 0, 0, as
  static const struct case_of cases[] = {
    { "other cells than were asked for",
      SAYS (REFUSED, WIRE_CELLS, 100 * SKETCH_CELL_SIZE) },
    { "half a cell", SAYS (REFUSED, WIRE_CELLS, SKETCH_CELL_SIZE / 2) },
    { "no cells", SAYS (REFUSED, WIRE_CELLS, 0) },
    { "too many cells", SAYS (REFUSED, WIRE_CELLS, ROOM) },
    { "a list of noise", SAYS (GOES_ON, WIRE_LIST, 1000 * SKETCH_ITEM_SIZE) },
    { "an empty list", SAYS (GOES_ON, WIRE_LIST, 0) },
    { "no splits", SAYS (GOES_ON, WIRE_SPLIT, 0) },
    { "the newest, nowhere", SAYS (REFUSED, WIRE_NEWEST, 0) },
    { "always another", SAYS (GOES_ON, WIRE_OTHER, 0) },
    { "another's token", SAYS (REFUSED, WIRE_SAME, WIRE_TOKEN_SIZE) },
    { "cells of noise", TELLS (cells_of_noise, WIRE_COMPARED, 300, GOES_ON) },
    { "empty cells", TELLS (empty_cells, WIRE_COMPARED, 300, GOES_ON) },
    { "a cell at a time", TELLS (one_cell_each, WIRE_COMPARED, 300, REFUSED) },
    { "a cell at first", TELLS (one_cell_first, WIRE_COMPARED, 300, GOES_ON) },
    { "falling", TELLS (splits_that_fall, WIRE_COMPARED, 300, REFUSED) },
    { "a split again", TELLS (a_split_again, WIRE_COMPARED, 300, REFUSED) },
    { "newest", TELLS (newest_of_a_part, WIRE_COMPARED, 300, REFUSED) },
    { "newest twice", TELLS (newest_twice, WIRE_COMPARED, 300, REFUSED) },
    { "wild numbers", TELLS (wild_numbers, WIRE_COMPARED, 300, GOES_ON) },
    { "nothing", TELLS (nothing_is_answered, WIRE_FETCHED, 300, REFUSED) },
    { "more", TELLS (more_is_answered, WIRE_FETCHED, 300, STOPPED) },
    { "planted", TELLS (what_nobody_asked_for, WIRE_FETCHED, 300, REFUSED) },
    { "by list", TELLS (what_nobody_asked_for, WIRE_FETCHED, 30, REFUSED) },
    { "on from the start", TELLS (on_from_the_start, 0, 300, STOPPED) },
    { "no ids", PAGES (nothing_and_more, REFUSED, EMPTY) },
    { "ids that fall", PAGES (ids_that_fall, REFUSED, EMPTY) },
    { "ids again", PAGES (ids_again, STOPPED, EMPTY) },
    { "one is hidden", PAGES (one_is_hidden, MISSED, EMPTY) },
    { "one is spoilt", PAGES (one_is_spoilt, GOES_ON, EMPTY) },
    { "ids unasked", PAGES (ids_unasked, REFUSED, MET) },
  };

  (void) state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    try_lie (&cases[i]);
}

int
main (void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test (test_lies) };

  if (sodium_init () < 0)
    return 1;
  return cmocka_run_group_tests (tests, NULL, NULL);
}
