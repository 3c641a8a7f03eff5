/* SPDX-License-Identifier: MIT */
/* The memory store with one fault, chosen by FAULT when it is compiled: what
 * driver-test is there to find. */

#define tally_driver_1 inner_driver_1
#include "../../drivers/store-memory.c"
#undef tally_driver_1

#include <signal.h>
#include <unistd.h>

#define IS(fault) (FAULT == fault)

enum {
  GET_IN_ANY_ORDER = 1,
  GET_CRASHES,
  PUT_EXPECTS_NOTHING,
  PUT_SOME_OF_ALL,
  PUT_SEQ_TWICE,
  CHANGES_WITHOUT_TOMBSTONES,
  CHANGES_HEAD_IS_ZERO,
  FORGET_KEEPS,
  NOTE_EXPECTS_NOTHING,
  EXITS,
  FIND_LAST_TOO,
  FIND_FROM_FIRST,
  CLOSE_NOTHING /* no fault: the harness itself */
};

static const struct tally_store *
inner (void)
{
  return inner_driver_1 ()->store;
}

static int
faulty_get (void *handle, const char *collection,
            const struct tally_slice *ids, size_t n, unsigned flags,
            tally_emit_doc *emit, void *ctx, struct tally_error *err)
{
  int status = TALLY_OK;

  if (IS (GET_CRASHES) && n > 1)
    raise (SIGSEGV);
  if (IS (EXITS) && n > 1)
    _exit (0);
  if (!IS (GET_IN_ANY_ORDER))
    return inner ()->get (handle, collection, ids, n, flags, emit, ctx, err);
  while (n-- > 0 && status == TALLY_OK)
    status =
        inner ()->get (handle, collection, &ids[n], 1, flags, emit, ctx, err);
  return status;
}

static int
faulty_put (void *handle, const struct tally_entry *entries, size_t n,
            unsigned flags, struct tally_outcome *outcomes,
            struct tally_error *err)
{
  struct tally_entry copies[64];
  int status;

  if (IS (PUT_SOME_OF_ALL))
    flags &= ~(unsigned) TALLY_PUT_ALL;
  if (IS (PUT_EXPECTS_NOTHING) && n > 0 && n <= 64) {
    memcpy (copies, entries, n * sizeof *entries);
    for (size_t i = 0; i < n; i++)
      if (!(copies[i].flags & TALLY_ENTRY_FORGET))
        copies[i].expected = NULL;
    entries = copies;
  }
  if (IS (FORGET_KEEPS) && n == 1 && entries->flags & TALLY_ENTRY_FORGET) {
    memset (outcomes, 0, sizeof *outcomes);
    return TALLY_OK;
  }
  status = inner ()->put (handle, entries, n, flags, outcomes, err);
  for (size_t i = 0; IS (PUT_SEQ_TWICE) && status == TALLY_OK && i < n; i++)
    if (outcomes[i].seq > 2)
      outcomes[i].seq = 2;
  return status;
}

struct emitting {
  tally_emit_doc *emit;
  void *ctx;
};

static int
without_tombstones (void *ctx, const struct tally_doc *doc)
{
  struct emitting *emitting = ctx;

  if (doc->flags & TALLY_DOC_DELETED)
    return 0;
  return emitting->emit (emitting->ctx, doc);
}

static int
faulty_changes (void *handle, const char *collection, uint64_t since,
                tally_emit_doc *emit, void *ctx, uint64_t *head,
                struct tally_error *err)
{
  struct emitting emitting = { emit, ctx };
  int status;

  if (IS (CHANGES_WITHOUT_TOMBSTONES)) {
    emit = without_tombstones;
    ctx = &emitting;
  }
  status = inner ()->changes (handle, collection, since, emit, ctx, head, err);
  if (IS (CHANGES_HEAD_IS_ZERO))
    *head = 0;
  return status;
}

static int
faulty_note_put (void *handle, const char *key,
                 const struct tally_slice *expected,
                 const struct tally_slice *value, struct tally_error *err)
{
  if (IS (NOTE_EXPECTS_NOTHING))
    expected = NULL;
  return inner ()->note_put (handle, key, expected, value, err);
}

static int
faulty_find (void *handle, const char *collection,
             const struct tally_slice *from, const struct tally_slice *to,
             unsigned flags, tally_emit_doc *emit, void *ctx,
             struct tally_error *err)
{
  struct tally_slice longer;
  char text[64];

  if (IS (FIND_LAST_TOO) && to && to->size < sizeof text) {
    memcpy (text, to->data, to->size);
    text[to->size] = '\1';
    longer.data = text;
    longer.size = to->size + 1;
    to = &longer;
  }
  if (IS (FIND_FROM_FIRST))
    from = NULL;
  return inner ()->find (handle, collection, from, to, flags, emit, ctx, err);
}

const struct tally_driver *
tally_driver_1 (void)
{
  static struct tally_store store;
  static struct tally_driver driver;

  store = *inner ();
  store.get = faulty_get;
  store.put = faulty_put;
  store.changes = faulty_changes;
  store.find = faulty_find;
  store.note_put = faulty_note_put;
  driver = *inner_driver_1 ();
  driver.name = "faulty";
  driver.store = &store;
  return &driver;
}
