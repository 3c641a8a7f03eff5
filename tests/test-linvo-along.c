/* SPDX-License-Identifier: MIT */
/* Many documents at once, by ids that rise, fall, lie far apart or are not
 * there: each comes as if it were looked up alone, and damage is noticed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "linvo-kit.h"

#define TEST(f) \
  cmocka_unit_test_setup_teardown (f, linvo_kit_setup, linvo_kit_teardown)

#define DOCUMENTS 3000
#define ROOM 320

/* Even numbers are there. */
struct asked {
  char ids[2 * DOCUMENTS][8];
  struct tally_slice slices[2 * DOCUMENTS];
  size_t n;
  size_t next;   /* the id that comes next, or is not there */
  unsigned stop; /* after so many; 0: never */
  unsigned got;
};

static unsigned
number_at (const struct asked *asked, size_t i)
{
  return (unsigned) atoi (asked->ids[i]);
}

static void
ask (struct asked *asked, unsigned number)
{
  char *id = asked->ids[asked->n];

  snprintf (id, sizeof asked->ids[0], "%05u", number % 100000u);
  asked->slices[asked->n].data = id;
  asked->slices[asked->n++].size = 5;
}

static void
make_body (char body[ROOM], unsigned number)
{
  uint64_t x = number * 0x9e3779b97f4a7c15u + 1;

  for (size_t i = 0; i < ROOM; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    body[i] = (char) x;
  }
}

/* In tables, since it is opened again. */
static void
fill (struct linvo_kit *k)
{
  struct tally_entry *entries = calloc (DOCUMENTS, sizeof *entries);
  struct tally_outcome *outcomes = calloc (DOCUMENTS, sizeof *outcomes);
  static char bodies[DOCUMENTS][ROOM];
  static struct asked asked;

  assert_non_null (entries);
  assert_non_null (outcomes);
  memset (&asked, 0, sizeof asked);
  for (unsigned i = 0; i < DOCUMENTS; i++) {
    ask (&asked, 2 * i);
    make_body (bodies[i], 2 * i);
    entries[i].collection = "c";
    entries[i].doc.id = asked.slices[i];
    entries[i].doc.body = (struct tally_slice){ bodies[i], ROOM };
    entries[i].doc.rev[0] = 1;
    entries[i].doc.rev[TALLY_REV_SIZE - 1] = (unsigned char) i;
  }
  assert_int_equal (linvo_kit_open (k, TALLY_OPEN_CREATE), TALLY_OK);
  assert_int_equal (
      k->ops->put (k->handle, entries, DOCUMENTS, 0, outcomes, &k->err),
      TALLY_OK);
  linvo_kit_close (k);
  assert_int_equal (linvo_kit_open (k, 0), TALLY_OK);
  free (outcomes);
  free (entries);
}

static int
take (void *ctx, const struct tally_doc *doc)
{
  struct asked *asked = ctx;
  char body[ROOM];

  while (number_at (asked, asked->next) % 2)
    asked->next++;
  assert_true (asked->next < asked->n);
  assert_int_equal (doc->id.size, 5);
  assert_memory_equal (doc->id.data, asked->ids[asked->next], 5);
  make_body (body, number_at (asked, asked->next));
  assert_int_equal (doc->body.size, ROOM);
  assert_memory_equal (doc->body.data, body, ROOM);
  asked->next++;
  return ++asked->got == asked->stop;
}

static void
expect (struct linvo_kit *k, struct asked *asked, unsigned flags)
{
  unsigned there = 0;

  for (size_t i = 0; i < asked->n; i++)
    there += number_at (asked, i) % 2 == 0;
  if (asked->stop > 0 && there > asked->stop)
    there = asked->stop;
  asked->next = asked->got = 0;
  assert_int_equal (k->ops->get (k->handle, "c", asked->slices, asked->n,
                                 TALLY_GET_BODY | flags, take, asked, &k->err),
                    TALLY_OK);
  assert_int_equal (asked->got, there);
}

static void
expect_both (struct linvo_kit *k, struct asked *asked)
{
  expect (k, asked, 0);
  expect (k, asked, TALLY_GET_PART);
}

static void
each_is_found (void **state)
{
  static struct asked asked;
  struct linvo_kit *k = *state;

  fill (k);
  for (unsigned step = 1; step < 100; step = 2 * step + 1) {
    memset (&asked, 0, sizeof asked);
    for (unsigned i = 0; i < 2 * DOCUMENTS; i += step)
      ask (&asked, i);
    expect_both (k, &asked);
    asked.stop = 20;
    expect_both (k, &asked);
  }
  memset (&asked, 0, sizeof asked);
  for (unsigned i = 2 * DOCUMENTS; i-- > 0;)
    ask (&asked, i);
  expect_both (k, &asked);
  /* Close together, then far apart, then in no order. */
  memset (&asked, 0, sizeof asked);
  for (unsigned i = 0; i < 200; i++)
    ask (&asked, i);
  for (unsigned i = 300; i < 2 * DOCUMENTS; i += 97)
    ask (&asked, i);
  for (unsigned i = 0; i < 500; i++)
    ask (&asked, i * 733 % (2 * DOCUMENTS));
  /* Behind the last. */
  for (unsigned i = 0; i < 100; i++)
    ask (&asked, 90001 + 2 * i);
  expect_both (k, &asked);
}

static int
ignore (void *ctx, const struct tally_doc *doc)
{
  (void) ctx;
  (void) doc;
  return 0;
}

/* A block that cannot be read is not one without documents. */
static void
damage_is_noticed (void **state)
{
  static struct asked asked;
  struct linvo_kit *k = *state;
  char name[256], *data;
  size_t size = 0;

  fill (k);
  linvo_kit_close (k);
  memset (&asked, 0, sizeof asked);
  for (unsigned i = 0; i < DOCUMENTS; i++)
    ask (&asked, 2 * i);
  assert_int_equal (linvo_kit_name (k->path, ".ldb", name, sizeof name), 0);
  data = linvo_kit_read (k->path, name, &size);
  assert_non_null (data);
  for (size_t at = size / 10; at < size / 2; at += size / 10) {
    data[at] = (char) (data[at] ^ 0x10);
    assert_int_equal (linvo_kit_write (k->path, name, data, size), 0);
    assert_int_equal (linvo_kit_open (k, TALLY_OPEN_READONLY), TALLY_OK);
    assert_int_equal (k->ops->get (k->handle, "c", asked.slices, asked.n,
                                   TALLY_GET_BODY | TALLY_GET_PART, ignore,
                                   NULL, &k->err),
                      TALLY_CORRUPT);
    linvo_kit_close (k);
    data[at] = (char) (data[at] ^ 0x10);
  }
  assert_int_equal (linvo_kit_write (k->path, name, data, size), 0);
  free (data);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (each_is_found),
    TEST (damage_is_noticed),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
