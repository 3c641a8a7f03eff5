/* SPDX-License-Identifier: MIT */
/* The dialect's server: what recorded clients were answered, whose write wins,
 * and that times rise whenever a document changes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../core/dated.h"
#include "../core/forget.h"
#include "../core/journal.h"
#include "../core/json.h"
#include "../core/moment.h"
#include "../core/mtime.h"
#include "../core/state.h"
#include "../core/write.h"
#include "dialect-kit.h"

#define T0 "2023-11-14T22:13:20.000Z" /* SHARED_WALL_MS */

static struct dialect_kit kit;
static bool bare;

static int
set_up (void **state)
{
  (void) state;
  dialect_kit_start (&kit, false, bare);
  return 0;
}

static int
tear_down (void **state)
{
  (void) state;
  dialect_kit_end (&kit);
  return 0;
}

static void
put (const char *changes)
{
  dialect_ask (&kit, "datastorePut", "{'collection':'todo','changes':[%s]}",
               changes);
}

static void
put_well (const char *changes)
{
  put (changes);
  dialect_expect (&kit, "{'result':{'success':true}}");
}

static void
expect_meta (const char *rows)
{
  char reply[512];

  dialect_ask (&kit, "datastoreMeta", "{'collection':'todo'}");
  snprintf (reply, sizeof reply, "{'result':[%s]}", rows);
  dialect_expect (&kit, reply);
}

static void
expect_doc (const char *id, const char *doc)
{
  char reply[1024];

  dialect_ask (&kit, "datastoreGet", "{'collection':'todo','ids':['%s']}", id);
  snprintf (reply, sizeof reply, "{'result':[%s]}", doc);
  dialect_expect (&kit, reply);
}

/* A write of this store's own, or with body NULL a delete. */
static void
write_here (const char *id, const char *body)
{
  struct write_item item = { .id = slice_text (id),
                             .body = slice_text (body) };
  struct write_result result;
  struct tally_error err = { 0, "" };

  assert_int_equal (write_batch (kit.replica, "todo", &item, 1, &result, &err),
                    TALLY_OK);
  assert_int_equal (result.status, TALLY_OK);
}

static void
get_rev (unsigned char rev[TALLY_REV_SIZE])
{
  struct tally_slice id = slice_text ("a");
  struct doclist docs = DOCLIST_INIT;
  struct tally_error err;

  assert_int_equal (
      replica_get (kit.replica, "todo", &id, 1, 0, doclist_emit, &docs, &err),
      TALLY_OK);
  assert_int_equal (docs.count, 1);
  memcpy (rev, docs.docs[0].rev, TALLY_REV_SIZE);
  doclist_free (&docs);
}

/* ---- recorded traffic --------------------------------------------------- */

static struct tally_slice
member (struct tally_slice object, const char *key)
{
  struct tally_slice value;

  if (!json_find_member (object, slice_text (key), &value))
    fail_msg ("no %s", key);
  return value;
}

static void
replay (const char *line)
{
  struct buf text = BUF_INIT;
  struct tally_error err = { 0, "" };
  struct tally_slice url, request, response;
  char method[64], reply[4096];

  assert_int_equal (json_canonical (&text, line, strlen (line), &err),
                    TALLY_OK);
  url = member (buf_slice (&text), "url");
  request = member (buf_slice (&text), "request");
  response = member (buf_slice (&text), "response");
  snprintf (method, sizeof method, "%.*s", (int) url.size - 7, url.data + 6);
  snprintf (reply, sizeof reply, "%.*s", (int) response.size, response.data);
  dialect_ask_bytes (&kit, method, request.data, request.size);
  dialect_expect (&kit, reply);
  buf_free (&text);
}

static void
test_recorded (void **state)
{
  FILE *file = fopen (TEST_DATA "/dialect-wire.jsonl", "r");
  char line[8192];
  unsigned lines = 0;

  (void) state;
  assert_non_null (file);
  for (; fgets (line, sizeof line, file); lines++)
    replay (line);
  fclose (file);
  assert_int_equal (lines, 11);
}

/* ---- times -------------------------------------------------------------- */

/* As the C library has them. */
static void
test_times_out (void **state)
{
  (void) state;
  for (uint64_t ms = 0; ms < UINT64_C (1) << 42; ms += 40123456789 / 97) {
    time_t seconds = (time_t) (ms / 1000);
    char text[DATED_TIME_TEXT], quoted[40], day[32];
    struct tm tm;
    uint64_t back;

    dated_time_text (text, ms);
    assert_non_null (gmtime_r (&seconds, &tm));
    strftime (day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    assert_memory_equal (text, day, strlen (day));
    snprintf (quoted, sizeof quoted, "\"%s\"", text);
    assert_true (moment_read (slice_text (quoted), &back));
    assert_int_equal (back, ms);
  }
}

/* ---- documents ---------------------------------------------------------- */

static void
test_digits (void **state)
{
  (void) state;
  put_well ("{'_id':'a','n':[0.10,9007199254740993,1e2],'_mtime':17}");
  dialect_ask (&kit, "datastoreGet", "{'collection':'todo','ids':['a']}");
  dialect_expect (&kit, "{'result':[{'_id':'a','n':[0.10,9007199254740993,"
                        "1e2],'_mtime':'1970-01-01T00:00:00.017Z'}]}");
}

/* By id, whatever was written last: as LinvoDB's own server lists them. */
static void
test_meta_is_in_the_order_of_ids (void **state)
{
  (void) state;
  put_well ("{'_id':'b','_mtime':2},{'_id':'c','_mtime':1}");
  put_well ("{'_id':'a','_mtime':3}");
  put_well ("{'_id':'b','x':1,'_mtime':9}");
  dialect_ask (&kit, "datastoreMeta", "{'collection':'todo'}");
  assert_string_equal (kit.reply,
                       "{\"result\":[[\"a\",3],[\"b\",9],[\"c\",1]]}");
}

static void
test_get (void **state)
{
  (void) state;
  put_well ("{'_id':'a','_mtime':1},{'_id':'b','_mtime':2}");
  dialect_ask (&kit, "datastoreGet",
               "{'collection':'todo','ids':['b','no','a','b','\\u0001']}");
  /* In the order asked, each once. */
  assert_string_equal (
      kit.reply,
      "{\"result\":[{\"_id\":\"b\",\"_mtime\":\"1970-01-01T00:00:00.002Z\"},"
      "{\"_id\":\"a\",\"_mtime\":\"1970-01-01T00:00:00.001Z\"}]}");
  dialect_ask (&kit, "datastoreGet",
               "{'collection':'todo','ids':['a'],'all':true}");
  dialect_expect (&kit,
                  "{'result':[{'_id':'a','_mtime':'1970-01-01T00:00:00.001Z'},"
                  "{'_id':'b','_mtime':'1970-01-01T00:00:00.002Z'}]}");
  dialect_ask (&kit, "datastoreGet", "{'collection':'todo','ids':[]}");
  dialect_expect (&kit, "{'result':[]}");
  dialect_ask (&kit, "datastoreGet",
               "{'collection':'todo','ids':['a'],'all':false}");
  dialect_expect (
      &kit, "{'result':[{'_id':'a','_mtime':'1970-01-01T00:00:00.001Z'}]}");
}

/* More than a page. */
static void
test_all (void **state)
{
  size_t removed = 0, docs = 0;

  (void) state;
  for (int i = 0; i < 50; i++) {
    char changes[4000];
    size_t at = 0;

    for (int k = 0; k < 100; k++)
      at += (size_t) snprintf (changes + at, sizeof changes - at,
                               "%s{'_id':'%d','_mtime':5}", k ? "," : "",
                               i * 100 + k);
    put_well (changes);
  }
  write_here ("7", NULL);
  dialect_ask (&kit, "datastoreGet", "{'collection':'todo','all':true}");
  for (const char *at = kit.reply; (at = strstr (at, "\"_id\"")); at++)
    docs++;
  for (const char *at = kit.reply; (at = strstr (at, "removed")); at++)
    removed++;
  assert_int_equal (docs, 5000);
  assert_int_equal (removed, 1);
}

static void
test_tombstone (void **state)
{
  (void) state;
  put_well ("{'_id':'a','title':'milk','_mtime':'" T0 "'}");
  write_here ("a", NULL);
  expect_meta ("['a',1700000000001]");
  expect_doc (
      "a", "{'_id':'a','_mtime':'2023-11-14T22:13:20.001Z','removed':true}");
  /* What LinvoDB makes of it, and gives back once the tombstone is gone. */
  put_well ("{'_id':'gone','_mtime':7,'removed':true,"
            "'_ctime':'1970-01-01T00:00:00.000Z'}");
  expect_doc (
      "gone",
      "{'_id':'gone','_mtime':'1970-01-01T00:00:00.007Z','removed':true}");
}

static void
test_soft_delete (void **state)
{
  (void) state;
  put_well ("{'_id':'a','_mtime':1,'removed':true}");
  expect_doc ("a", "{'_id':'a','_mtime':'1970-01-01T00:00:00.001Z',"
                   "'removed':true}");
  put_well ("{'_id':'a','title':'x','_mtime':2,'removed':true}");
  expect_doc ("a", "{'_id':'a','title':'x','_mtime':"
                   "'1970-01-01T00:00:00.002Z','removed':true}");
  put_well ("{'_id':'a','title':'x','_mtime':3}");
  expect_doc ("a", "{'_id':'a','title':'x','_mtime':"
                   "'1970-01-01T00:00:00.003Z'}");
}

/* A date of LinvoDB's own store. */
static void
test_ctime (void **state)
{
  (void) state;
  write_here ("a", "{\"_ctime\":{\"$$date\":5},\"_id\":\"a\","
                   "\"_mtime\":{\"$$date\":6},\"due\":{\"$$date\":7}}");
  dialect_ask (&kit, "datastoreGet", "{'collection':'todo','ids':['a']}");
  dialect_expect (&kit, "{'result':[{'_ctime':'1970-01-01T00:00:00.005Z',"
                        "'_id':'a','_mtime':'" T0 "','due':{'$$date':7}}]}");
}

/* An _mtime that was stored, by an import say, is no difference. */
static void
test_stored_mtime (void **state)
{
  unsigned char before[TALLY_REV_SIZE], after[TALLY_REV_SIZE];

  (void) state;
  write_here ("a", "{\"_id\":\"a\",\"_mtime\":{\"$$date\":6},\"n\":1}");
  get_rev (before);
  put_well ("{'_id':'a','n':1,'_mtime':1700000000000}");
  get_rev (after);
  assert_memory_equal (before, after, sizeof before);
  expect_meta ("['a',1700000000000]");
  put_well ("{'_id':'a','_mtime':1700000000000}");
  expect_meta ("['a',1700000000001]");
  put_well ("{'_id':'a','n':1,'o':1,'_mtime':1700000000002}");
  expect_doc ("a", "{'_id':'a','n':1,'o':1,'_mtime':"
                   "'2023-11-14T22:13:20.002Z'}");
}

/* ---- who wins ----------------------------------------------------------- */

static void
test_older (void **state)
{
  (void) state;
  put_well ("{'_id':'a','title':'new','_mtime':2000}");
  put_well ("{'_id':'a','title':'old','_mtime':1000}");
  expect_meta ("['a',2000]");
  expect_doc ("a", "{'_id':'a','title':'new','_mtime':"
                   "'1970-01-01T00:00:02.000Z'}");
  dialect_expect_entry (&kit, JOURNAL_BLIND_COLLECTION, "'title':'old'",
                        "'blind':true");
  assert_int_equal (dialect_count (&kit, JOURNAL_COLLECTION), 0);
  /* The same again is the same entry, and what is the same is none. */
  put_well ("{'_id':'a','title':'old','_mtime':1000}");
  put_well ("{'_id':'a','title':'new','_mtime':500}");
  assert_int_equal (dialect_count (&kit, JOURNAL_BLIND_COLLECTION), 1);
}

static void
test_newer (void **state)
{
  (void) state;
  put_well ("{'_id':'a','title':'old','n':1,'_mtime':1000}");
  put_well ("{'_id':'a','title':'new','n':1,'_mtime':2000}");
  expect_meta ("['a',2000]");
  dialect_expect_entry (&kit, JOURNAL_BLIND_COLLECTION, "'field':'title'",
                        "'value':'old'");
  assert_int_equal (dialect_count (&kit, JOURNAL_BLIND_COLLECTION), 1);
}

static void
test_tie (void **state)
{
  (void) state;
  put_well ("{'_id':'a','title':'first','_mtime':1000}");
  put_well ("{'_id':'a','title':'second','_mtime':1000}");
  expect_meta ("['a',1001]");
  expect_doc ("a", "{'_id':'a','title':'first','_mtime':"
                   "'1970-01-01T00:00:01.001Z'}");
  dialect_expect_entry (&kit, JOURNAL_BLIND_COLLECTION, "'title':'second'",
                        "'blind':true");
  /* The same bytes are no tie. */
  put_well ("{'_id':'a','title':'first','_mtime':1001}");
  expect_meta ("['a',1001]");
  /* Later than what is shown. */
  put_well ("{'_id':'a','title':'third','_mtime':1002}");
  expect_meta ("['a',1002]");
  expect_doc ("a", "{'_id':'a','title':'third','_mtime':"
                   "'1970-01-01T00:00:01.002Z'}");
}

/* A later time alone is no change for others. */
static void
test_touch (void **state)
{
  unsigned char before[TALLY_REV_SIZE], after[TALLY_REV_SIZE];

  (void) state;
  put_well ("{'_id':'a','title':'x','_mtime':1000}");
  get_rev (before);
  put_well ("{'_id':'a','title':'x','_mtime':5000}");
  get_rev (after);
  assert_memory_equal (before, after, sizeof before);
  expect_meta ("['a',5000]");
  put_well ("{'_id':'a','title':'y','_mtime':4000}");
  expect_doc ("a", "{'_id':'a','title':'x','_mtime':"
                   "'1970-01-01T00:00:05.000Z'}");
  write_here ("a", "{\"_id\":\"a\",\"title\":\"z\"}");
  expect_meta ("['a',1700000000000]");
}

static void
test_twice_in_one (void **state)
{
  (void) state;
  put_well ("{'_id':'a','n':1,'_mtime':1},{'_id':'b','_mtime':1},"
            "{'_id':'a','n':2,'_mtime':2}");
  expect_doc ("a", "{'_id':'a','n':2,'_mtime':'1970-01-01T00:00:00.002Z'}");
}

/* ---- times rise --------------------------------------------------------- */

/* A state that was merged elsewhere: an older field write comes to what is
 * here, and the newest stamp stays. */
static void
merge_in (const char *body, const char *field, uint64_t ms)
{
  struct tally_slice id = slice_text ("a");
  struct doclist docs = DOCLIST_INIT;
  struct tally_entry entry = { .collection = "todo" };
  struct tally_outcome outcome = { 0 };
  struct state state;
  struct override overrides[2] = { 0 };
  struct buf meta = BUF_INIT;
  struct tally_error err = { 0, "" };

  assert_int_equal (replica_get (kit.replica, "todo", &id, 1, TALLY_GET_BODY,
                                 doclist_emit, &docs, &err),
                    TALLY_OK);
  assert_int_equal (
      state_decode (&state, false, docs.docs[0].meta, docs.docs[0].body, &err),
      TALLY_OK);
  assert_int_equal (state.n_overrides, 1);
  overrides[0] = state.overrides[0];
  overrides[1].field = slice_text (field);
  assert_true (stamp_make (&overrides[1].stamp, ms, 0, 77));
  free (state.overrides);
  state.overrides = overrides;
  state.n_overrides = 2;
  state.body = slice_text (body);
  state_encode (&state, &meta);
  entry.doc = docs.docs[0];
  entry.expected = docs.docs[0].rev;
  entry.doc.meta = buf_slice (&meta);
  entry.doc.body = state.body;
  state_rev (&state, id, entry.doc.rev);
  assert_int_equal (replica_put (kit.replica, &entry, 1, 0, &outcome, &err),
                    TALLY_OK);
  assert_int_equal (outcome.status, TALLY_OK);
  assert_memory_equal (docs.docs[0].rev, entry.doc.rev, STAMP_SIZE);
  state.overrides = NULL;
  state_free (&state);
  buf_free (&meta);
  doclist_free (&docs);
}

static void
test_merge_raises (void **state)
{
  (void) state;
  put_well ("{'_id':'a','x':1,'_mtime':1000}");
  write_here ("a", "{\"_id\":\"a\",\"b\":2,\"x\":1}");
  expect_meta ("['a',1700000000000]");
  merge_in ("{\"_id\":\"a\",\"b\":2,\"x\":3}", "x", 2000);
  expect_meta ("['a',1700000000001]");
  expect_doc ("a", "{'_id':'a','b':2,'x':3,'_mtime':"
                   "'2023-11-14T22:13:20.001Z'}");
  /* A client that has it writes later than what it was shown. */
  put_well ("{'_id':'a','x':4,'_mtime':1700000000001}");
  expect_doc ("a", "{'_id':'a','b':2,'x':3,'_mtime':"
                   "'2023-11-14T22:13:20.002Z'}");
  put_well ("{'_id':'a','x':4,'_mtime':1700000000003}");
  expect_meta ("['a',1700000000003]");
}

/* What was shown beyond our clock would beat every write for as long. */
static void
test_repair_lets_go (void **state)
{
  struct tally_error err = { 0, "" };
  struct mtimes mtimes = { 0 };

  (void) state;
  kit.shared.wall_ms += 86400000;
  put_well ("{'_id':'a','x':1,'_mtime':1700086400000}");
  put_well ("{'_id':'a','x':1,'_mtime':1700086400005}");
  expect_meta ("['a',1700086400005]");
  kit.shared.wall_ms -= 86400000;
  put_well ("{'_id':'a','x':2,'_mtime':1700000000000}");
  expect_meta ("['a',1700086400005]");
  write_here ("a", "{\"_id\":\"a\",\"x\":3}");
  assert_int_equal (mtime_read_all (&mtimes, kit.replica, "todo", &err),
                    TALLY_OK);
  assert_int_equal (mtimes.records.count, 0);
  mtimes_free (&mtimes);
}

/* ---- clocks, bad documents ---------------------------------------------- */

static void
test_beyond_the_clock (void **state)
{
  (void) state;
  put ("{'_id':'a','_mtime':1700000000000},{'_id':'b','_mtime':1700000300001},"
       "{'_id':'c','_mtime':1700000300000}");
  dialect_expect_error (&kit, 409, "b\\\"");
  dialect_expect_error (&kit, 409, "clock");
  expect_meta ("['a',1700000000000],['c',1700000300000]");
}

static void
test_bad_documents (void **state)
{
  static const char *const bad[] = {
    "{'_id':'b'}",
    "{'_id':'b','_mtime':null}",
    "{'_id':'b','_mtime':'yesterday'}",
    "{'_id':'b','_mtime':-1}",
    "{'_id':'b','_mtime':4398046511104}",
    "{'_id':'b','_mtime':99999999999999999999999}",
    "{'_id':'b','_mtime':'9999-12-31T23:59:59.999Z'}",
    "{'_id':'b','_mtime':'2023-02-29T00:00:00Z'}",
    "{'_id':'b','_mtime':[]}",
    "{'_id':7,'_mtime':1}",
    "{'_id':'','_mtime':1}",
    "{'_mtime':1}",
    "{'_id':'b','_mtime':1,'n':1e999}",
    "{'_id':'b','_mtime':1,'x':1,'x':2}",
    "{'_id':'b','_mtime':1,'x':'\\ud800'}",
    "{'_id':'b','_mtime':1,'x':tru}",
    "[]",
    "7",
    "null",
    "'x'",
  };

  (void) state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char changes[256];

    snprintf (changes, sizeof changes,
              "{'_id':'a%zu','_mtime':1},%s,{'_id':'c%zu','_mtime':1}", i,
              bad[i], i);
    put (changes);
    dialect_expect_error (&kit, 400, "");
    assert_int_equal (dialect_count (&kit, "todo"), 2 * (i + 1));
  }
}

static void
put_depth (unsigned depth)
{
  char opening[100], closing[100], doc[512];

  memset (opening, '[', depth - 1);
  opening[depth - 1] = '\0';
  memset (closing, ']', depth - 1);
  closing[depth - 1] = '\0';
  snprintf (doc, sizeof doc, "{'_id':'deep','_mtime':1,'x':%s%s}", opening,
            closing);
  put (doc);
}

/* As deep as anywhere else, though the envelope is around it. */
static void
test_depth (void **state)
{
  (void) state;
  put_depth (65);
  dialect_expect_error (&kit, 400, "64");
  put_depth (64);
  dialect_expect (&kit, "{'result':{'success':true}}");
}

/* ---- requests ----------------------------------------------------------- */

static void
test_bad_requests (void **state)
{
  static const char *const bad[] = {
    "",
    " ",
    "{",
    "[]",
    "null",
    "{}",
    "{'collection':'todo'",
    "{'collection':'todo',}",
    "{'collection':'todo' 'ids':[]}",
    "{'collection' 'todo'}",
    "{collection:'todo'}",
    "{'collection':'todo'}}",
    "{'collection':'todo','collection':'x'}",
    "{'collection':7}",
    "{'collection':''}",
    "{'collection':'a b'}",
    "{'collection':'a:b'}",
    "{'collection':'todo\\u0000x'}",
    "{'collection':'todo','authKey':7}",
    "{'collection':'todo','authKey':['k']}",
    "{'collection':'todo','ids':{}}",
    "{'collection':'todo','ids':['a' 'b']}",
    "{'collection':'todo','ids':['a',]}",
    "{'collection':'todo','ids':[,'a']}",
    "{'collection':'todo','ids':['a'}",
    "{'collection':'todo','ids':[7]}",
    "{'collection':'todo','ids':[['a']]}",
    "{'collection':'todo','ids':['a'],'ids':['b']}",
    "{'collection':'todo','ids':['a'],'all':1}",
  };

  (void) state;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    dialect_ask (&kit, "datastoreGet", "%s", bad[i]);
    if (strstr (kit.reply, "{\"error\":{\"code\":400,") != kit.reply)
      fail_msg ("%s: %s", bad[i], kit.reply);
  }
  dialect_ask (&kit, "datastoreGet", "{'collection':'_conflicts','ids':[]}");
  dialect_expect_error (&kit, 403, "local");
  dialect_ask (&kit, "datastorePut", "{'collection':'todo'}");
  dialect_expect_error (&kit, 400, "changes");
  dialect_ask (&kit, "datastorePut", "{'collection':'todo','changes':7}");
  dialect_expect_error (&kit, 400, "changes");
}

/* Every beginning of a request, and each with a byte that is another. */
static void
test_cut_and_spoilt (void **state)
{
  static const char whole[] =
      "{\"authKey\":null,\"collection\":\"todo\",\"more\":[{}],\"changes\":"
      "[{\"_id\":\"a\",\"_mtime\":1,\"x\":{\"y\":[1,\"\\u00e4\"]}}]}";
  static const unsigned char others[] = { 0,   '"', '{', '}',  '[',
                                          ']', ',', ':', '\\', 0xff };

  (void) state;
  for (size_t size = 0; size < sizeof whole - 1; size++) {
    dialect_ask_bytes (&kit, "datastorePut", whole, size);
    dialect_expect_error (&kit, 400, "");
  }
  for (size_t at = 0; at < sizeof whole - 1; at++)
    for (size_t i = 0; i < sizeof others; i++) {
      char *spoilt = malloc (sizeof whole - 1);

      assert_non_null (spoilt);
      memcpy (spoilt, whole, sizeof whole - 1);
      spoilt[at] = (char) others[i];
      dialect_ask_bytes (&kit, "datastorePut", spoilt, sizeof whole - 1);
      free (spoilt);
    }
}

static void
test_accounts (void **state)
{
  (void) state;
  dialect_kit_end (&kit);
  dialect_kit_start (&kit, true, bare);
  dialect_ask (&kit, "datastoreMeta", "{'collection':'todo'}");
  dialect_expect_error (&kit, 401, "authKey");
  dialect_ask (&kit, "datastorePut",
               "{'authKey':'ann','collection':'todo','changes':[{'_id':'a',"
               "'_mtime':1}]}");
  dialect_expect (&kit, "{'result':{'success':true}}");
  dialect_ask (&kit, "datastoreMeta", "{'authKey':'bob','collection':'todo'}");
  dialect_expect (&kit, "{'result':[]}");
  dialect_ask (&kit, "datastoreGet",
               "{'authKey':'bob','collection':'todo','ids':['a'],'all':true}");
  dialect_expect (&kit, "{'result':[]}");
  dialect_ask (&kit, "datastoreMeta", "{'authKey':'ann','collection':'todo'}");
  dialect_expect (&kit, "{'result':[['a',1]]}");
  /* A raise is told of to nobody else either. */
  dialect_ask (&kit, "datastorePut",
               "{'authKey':'ann','collection':'todo','changes':[{'_id':'a',"
               "'_mtime':9}]}");
  dialect_ask (&kit, "datastorePut",
               "{'authKey':'bob','collection':'todo','changes':[{'_id':'a',"
               "'_mtime':2}]}");
  dialect_ask (&kit, "datastoreMeta", "{'authKey':'bob','collection':'todo'}");
  dialect_expect (&kit, "{'result':[['a',2]]}");
}

/* Nobody of them says what it has, so the tombstone stays. */
static void
test_tombstones_stay (void **state)
{
  struct tally_error err = { 0, "" };

  (void) state;
  put_well ("{'_id':'a','_mtime':1},{'_id':'b','_mtime':1}");
  write_here ("a", NULL);
  assert_int_equal (forget_tombstones (kit.replica, "todo", true, &err),
                    TALLY_OK);
  assert_int_equal (dialect_count (&kit, "todo"), 2);
}

/* What was forgotten before they came still tells which write is older. */
static void
test_older_than_a_forgotten_delete (void **state)
{
  struct tally_error err = { 0, "" };

  (void) state;
  write_here ("a", "{\"_id\":\"a\",\"title\":\"x\"}");
  write_here ("a", NULL);
  assert_int_equal (forget_tombstones (kit.replica, "todo", true, &err),
                    TALLY_OK);
  assert_int_equal (dialect_count (&kit, "todo"), 0);
  put_well ("{'_id':'a','title':'old','_mtime':1000}");
  assert_int_equal (dialect_count (&kit, "todo"), 0);
  dialect_expect_entry (&kit, JOURNAL_BLIND_COLLECTION, "'title':'old'",
                        "'blind':true");
}

/* Also where it is beyond a clock that was set back since: others still have
 * that delete, and what they know of our clients is what came last. */
static void
test_older_than_what_a_later_delete_hides (void **state)
{
  const uint64_t day = 86400000;
  struct tally_error err = { 0, "" };

  (void) state;
  kit.replica->keep_deleted_ms = day;
  put_well ("{'_id':'a','title':'x','_mtime':2000},"
            "{'_id':'b','title':'x','_mtime':2000}");
  write_here ("a", NULL);
  write_here ("b", NULL);
  kit.shared.wall_ms += 2 * day;
  write_here ("c", "{\"_id\":\"c\"}");
  kit.shared.wall_ms += 2 * day;
  assert_int_equal (forget_tombstones (kit.replica, "todo", true, &err),
                    TALLY_OK);
  kit.shared.wall_ms -= 5 * day;
  put_well ("{'_id':'a','title':'old','_mtime':1000},"
            "{'_id':'b','title':'new','_mtime':3000}");
  dialect_expect_entry (&kit, JOURNAL_BLIND_COLLECTION, "'title':'old'",
                        "'blind':true");
  dialect_ask (&kit, "datastoreMeta", "{'collection':'todo'}");
  dialect_expect (&kit, "{'result':[['b',3000],['c',1700172800000]]}");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    TEST (test_times_out),
    TEST (test_recorded),
    TEST (test_digits),
    TEST (test_meta_is_in_the_order_of_ids),
    TEST (test_get),
    TEST (test_all),
    TEST (test_tombstone),
    TEST (test_soft_delete),
    TEST (test_ctime),
    TEST (test_stored_mtime),
    TEST (test_older),
    TEST (test_newer),
    TEST (test_tie),
    TEST (test_touch),
    TEST (test_twice_in_one),
    TEST (test_merge_raises),
    TEST (test_repair_lets_go),
    TEST (test_beyond_the_clock),
    TEST (test_bad_documents),
    TEST (test_depth),
    TEST (test_bad_requests),
    TEST (test_cut_and_spoilt),
    TEST (test_accounts),
    TEST (test_tombstones_stay),
    TEST (test_older_than_a_forgotten_delete),
    TEST (test_older_than_what_a_later_delete_hides),
  };

  int failed = cmocka_run_group_tests_name ("all slots", tests, NULL, NULL);

  bare = true;
  return failed
         + cmocka_run_group_tests_name ("required slots only", tests, NULL,
                                        NULL);
}
