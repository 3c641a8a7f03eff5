/* SPDX-License-Identifier: MIT */
/* Replies are compared as canonical JSON. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/doclist.h"
#include "../../core/json.h"
#include "dialect-kit.h"

void
dialect_kit_start (struct dialect_kit *kit, bool open_accounts, bool bare)
{
  struct dialect_setup setup = { .device = "hub" };
  struct tally_error err = { 0, "" };

  memset (kit, 0, sizeof *kit);
  shared_start (&kit->shared);
  if (bare) {
    struct tally_store *ops = &kit->shared.ops;

    ops->max_entries = 1;
    ops->note_get = NULL;
    ops->note_put = NULL;
    ops->note_list = NULL;
    ops->collections = NULL;
    ops->wait = NULL;
    ops->check = NULL;
    ops->scan = NULL;
    ops->digest = NULL;
  }
  kit->replica = shared_replica (&kit->shared);
  assert_int_equal (accounts_load (&kit->accounts, NULL, open_accounts, &err),
                    TALLY_OK);
  setup.replica = kit->replica;
  setup.accounts = kit->accounts;
  setup.limits.most = 10000;
  assert_int_equal (dialect_new (&kit->dialect, &setup, &err), TALLY_OK);
}

void
dialect_kit_end (struct dialect_kit *kit)
{
  free (kit->reply);
  dialect_free (kit->dialect);
  accounts_free (kit->accounts);
  replica_close (kit->replica);
  shared_free (&kit->shared);
}

static char *
canonical (const char *text, size_t size)
{
  struct buf out = BUF_INIT;
  struct tally_error err = { 0, "" };

  if (json_canonical (&out, text, size, &err) != TALLY_OK)
    fail_msg ("%s: %.*s", err.text, (int) size, text);
  buf_add_byte (&out, '\0');
  assert_false (out.failed);
  return out.data;
}

static void
on_reply (void *call, const struct tally_response *response)
{
  struct dialect_kit *kit = call;

  assert_null (kit->reply);
  assert_int_equal (response->code, 200);
  assert_string_equal (response->content_type, DIALECT_CONTENT_TYPE);
  kit->reply = canonical (response->body.data, response->body.size);
}

const char *
dialect_ask_bytes (struct dialect_kit *kit, const char *method,
                   const char *body, size_t size)
{
  struct tally_request request = { .size = sizeof request, .verb = "POST" };
  struct tally_slice reply, result, error;
  char path[64];

  snprintf (path, sizeof path, "/api/%s", method);
  assert_true (dialect_has_path (path));
  request.path = path;
  request.body.data = body;
  request.body.size = size;
  free (kit->reply);
  kit->reply = NULL;
  dialect_answer (kit->dialect, &request, on_reply, kit);
  assert_non_null (kit->reply);
  reply = slice_text (kit->reply);
  assert_int_equal (json_type (reply), JSON_OBJECT);
  assert_int_not_equal (
      json_find_member (reply, slice_text ("result"), &result),
      json_find_member (reply, slice_text ("error"), &error));
  return kit->reply;
}

static void
double_quotes (char *text)
{
  for (; *text; text++)
    if (*text == '\'')
      *text = '"';
}

const char *
dialect_ask (struct dialect_kit *kit, const char *method, const char *fmt, ...)
{
  char body[4096];
  va_list args;
  int size;

  va_start (args, fmt);
  size = vsnprintf (body, sizeof body, fmt, args);
  va_end (args);
  assert_in_range (size, 0, sizeof body - 1);
  double_quotes (body);
  return dialect_ask_bytes (kit, method, body, (size_t) size);
}

/* ---- what it said ------------------------------------------------------- */

static int
by_text (const void *a, const void *b)
{
  return slice_cmp (*(const struct tally_slice *) a,
                    *(const struct tally_slice *) b);
}

/* The elements of the result in order, if it is an array. */
static void
sort_result (char *reply)
{
  struct tally_slice result, rest, elements[256];
  size_t n = 0, at = 0;
  char *sorted;

  if (!json_find_member (slice_text (reply), slice_text ("result"), &result)
      || json_type (result) != JSON_ARRAY)
    return;
  rest = result;
  while (n < 256 && json_next_element (&rest, &elements[n]))
    n++;
  qsort (elements, n, sizeof *elements, by_text);
  sorted = malloc (result.size + 1);
  assert_non_null (sorted);
  for (size_t i = 0; i < n; i++) {
    sorted[at++] = i ? ',' : '[';
    memcpy (sorted + at, elements[i].data, elements[i].size);
    at += elements[i].size;
  }
  if (n > 0)
    memcpy (reply + (result.data - reply), sorted, at);
  free (sorted);
}

void
dialect_expect (struct dialect_kit *kit, const char *reply)
{
  char *text = strdup (reply), *expected;

  assert_non_null (text);
  double_quotes (text);
  expected = canonical (text, strlen (text));
  sort_result (expected);
  sort_result (kit->reply);
  assert_string_equal (kit->reply, expected);
  free (expected);
  free (text);
}

void
dialect_expect_error (struct dialect_kit *kit, unsigned code, const char *part)
{
  char start[64];

  snprintf (start, sizeof start, "{\"error\":{\"code\":%u,\"message\":\"",
            code);
  if (strncmp (kit->reply, start, strlen (start)) != 0
      || !strstr (kit->reply, part))
    fail_msg ("%s, not %u with \"%s\"", kit->reply, code, part);
}

static int
collect (void *ctx, const struct tally_doc *doc)
{
  return !doclist_add (ctx, doc);
}

size_t
dialect_count (struct dialect_kit *kit, const char *collection)
{
  struct doclist docs = DOCLIST_INIT;
  struct tally_error err = { 0, "" };
  uint64_t head;
  size_t n;

  assert_int_equal (replica_changes (kit->replica, collection, 0, collect,
                                     &docs, &head, &err),
                    TALLY_OK);
  n = docs.count;
  doclist_free (&docs);
  return n;
}

void
dialect_expect_entry (struct dialect_kit *kit, const char *collection,
                      const char *part, const char *other)
{
  struct doclist ids = DOCLIST_INIT, docs = DOCLIST_INIT;
  struct tally_error err = { 0, "" };
  char *a = strdup (part), *b = strdup (other);
  uint64_t head;
  bool found = false;

  assert_non_null (a);
  assert_non_null (b);
  double_quotes (a);
  double_quotes (b);
  assert_int_equal (replica_changes (kit->replica, collection, 0, collect,
                                     &ids, &head, &err),
                    TALLY_OK);
  for (size_t i = 0; i < ids.count; i++)
    assert_int_equal (replica_get (kit->replica, collection, &ids.docs[i].id,
                                   1, TALLY_GET_BODY, collect, &docs, &err),
                      TALLY_OK);
  for (size_t i = 0; i < docs.count; i++) {
    char *body = canonical (docs.docs[i].body.data, docs.docs[i].body.size);

    found |= strstr (body, a) && strstr (body, b);
    free (body);
  }
  if (!found)
    fail_msg ("none of %zu entries of %s has %s and %s", docs.count,
              collection, a, b);
  free (a);
  free (b);
  doclist_free (&docs);
  doclist_free (&ids);
}
