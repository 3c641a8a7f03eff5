/* SPDX-License-Identifier: MIT */
/* Whatever happens to a document, and by whom: when its revision changes, the
 * time that LinvoDB's clients are shown for it rises, and else it stays. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/context.h"
#include "../core/dialect.h"
#include "../core/doclist.h"
#include "../core/mtime.h"
#include "rng.h"
#include "sync-kit.h"

#define DOCS 4
#define STEPS 400

static const char *const names[] = { "hub", "a", "b" };

struct seen {
  bool there;
  unsigned char rev[TALLY_REV_SIZE];
  uint64_t shown;
};

struct history {
  struct tally *tally;
  struct tally_replica *stores[3]; /* as names */
  struct replica *hub;
  struct accounts *accounts;
  struct dialect *dialect;
  struct rng rng;
  struct seen seen[DOCS];
  unsigned changes;
};

/* ---- steps -------------------------------------------------------------- */

static void
edit (struct history *h, unsigned store, unsigned doc)
{
  static const char *const fields[] = { "x", "y", "z" };
  char id[8], *old;
  unsigned at = rng_below (&h->rng, 3);
  int values[3] = { 0, 0, 0 };

  snprintf (id, sizeof id, "d%u", doc);
  old = kit_get (h->stores[store], "todo", id, NULL);
  for (unsigned i = 0; old && i < 3; i++) {
    char key[8];
    const char *value;

    snprintf (key, sizeof key, "\"%s\":", fields[i]);
    value = strstr (old, key);
    if (value)
      values[i] = (int) strtol (value + strlen (key), NULL, 10);
  }
  free (old);
  values[at] = (int) rng_below (&h->rng, 1000);
  kit_put (h->stores[store], "todo",
           "{\"_id\":\"%s\",\"x\":%d,\"y\":%d,\"z\":%d}", id, values[0],
           values[1], values[2]);
}

static void
ignore_reply (void *call, const struct tally_response *response)
{
  (void) call;
  assert_int_equal (response->code, 200);
}

/* About the time that is shown, or that it is. */
static void
put_foreign (struct history *h, unsigned doc)
{
  struct tally_request request = { .size = sizeof request,
                                   .path = "/api/datastorePut" };
  uint64_t ms = h->seen[doc].shown;
  char body[256];

  if (ms == 0 || rng_one_in (&h->rng, 3))
    ms = replica_wall_ms (h->hub);
  ms += rng_below (&h->rng, 4);
  ms -= rng_below (&h->rng, 2);
  snprintf (body, sizeof body,
            "{\"collection\":\"todo\",\"changes\":[{\"_id\":\"d%u\",\"x\":%u,"
            "\"_mtime\":%llu}]}",
            doc, (unsigned) rng_below (&h->rng, 3), (unsigned long long) ms);
  request.body = slice_text (body);
  dialect_answer (h->dialect, &request, ignore_reply, NULL);
}

static void
sync_with (struct history *h, unsigned store)
{
  struct kit_run run;

  kit_try_pair (&run, h->tally, names[store], "hub");
  if (run.status != TALLY_OK)
    fail_msg ("%s", run.err.text);
}

static void
step (struct history *h)
{
  unsigned doc = (unsigned) rng_below (&h->rng, DOCS);
  unsigned client = 1 + (unsigned) rng_below (&h->rng, 2);
  char id[8];

  snprintf (id, sizeof id, "d%u", doc);
  switch (rng_below (&h->rng, 10)) {
  case 0:
  case 1:
  case 2:
    edit (h, client, doc);
    break;
  case 3:
    edit (h, 0, doc);
    break;
  case 4:
    if (rng_one_in (&h->rng, 3))
      kit_remove (h->stores[client], "todo", id);
    break;
  case 5:
  case 6:
    put_foreign (h, doc);
    break;
  default:
    sync_with (h, client);
  }
}

/* ---- what is shown ------------------------------------------------------ */

static void
look (struct history *h)
{
  struct tally_error err = { 0, "" };
  struct mtimes mtimes = { 0 };

  assert_int_equal (mtime_read_all (&mtimes, h->hub, "todo", &err), TALLY_OK);
  for (unsigned i = 0; i < DOCS; i++) {
    struct seen *seen = &h->seen[i];
    struct doclist docs = DOCLIST_INIT;
    char id[8];
    struct tally_slice slice;
    uint64_t shown;
    bool same;

    snprintf (id, sizeof id, "d%u", i);
    slice = slice_text (id);
    assert_int_equal (
        replica_get (h->hub, "todo", &slice, 1, 0, doclist_emit, &docs, &err),
        TALLY_OK);
    if (docs.count == 0) {
      /* Tombstones stay for those who were shown them. */
      assert_false (seen->there);
      continue;
    }
    shown = mtime_shown (&docs.docs[0], mtime_find (&mtimes, slice));
    same = seen->there
           && memcmp (seen->rev, docs.docs[0].rev, TALLY_REV_SIZE) == 0;
    if (same ? shown < seen->shown : shown <= seen->shown)
      fail_msg ("%s: %llu after %llu", id, (unsigned long long) shown,
                (unsigned long long) seen->shown);
    h->changes += !same;
    seen->there = true;
    seen->shown = shown;
    memcpy (seen->rev, docs.docs[0].rev, TALLY_REV_SIZE);
    doclist_free (&docs);
  }
  mtimes_free (&mtimes);
}

static void
test_rises (void **state)
{
  struct history h = { .rng = rng_start ("mtime") };
  struct dialect_setup setup = { 0 };
  struct tally_error err = { 0, "" };

  (void) state;
  h.tally = kit_context (NULL, "[store hub]\ndriver = memory\nname = hub\n"
                               "[store a]\ndriver = memory\nname = a\n"
                               "[store b]\ndriver = memory\nname = b\n");
  if (!kit_has_driver (h.tally, "memory", "store")) {
    tally_free (h.tally);
    skip ();
  }
  for (unsigned i = 0; i < 3; i++)
    h.stores[i] = kit_store (h.tally, names[i]);
  for (unsigned i = 0; i < 3; i++)
    kit_put (h.stores[i], "other", "{\"_id\":\"%u\"}", i);
  assert_int_equal (context_replica (&h.hub, h.stores[0], &err), TALLY_OK);
  assert_int_equal (accounts_load (&h.accounts, NULL, false, &err), TALLY_OK);
  setup.replica = h.hub;
  setup.accounts = h.accounts;
  assert_int_equal (dialect_new (&h.dialect, &setup, &err), TALLY_OK);
  put_foreign (&h, 0);
  for (unsigned i = 0; i < STEPS; i++) {
    step (&h);
    look (&h);
  }
  assert_true (h.changes > STEPS / 20);
  dialect_free (h.dialect);
  accounts_free (h.accounts);
  for (unsigned i = 0; i < 3; i++)
    tally_replica_close (h.stores[i]);
  tally_free (h.tally);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_rises),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
