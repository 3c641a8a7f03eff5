/* SPDX-License-Identifier: MIT */
/* Modifiers, one by one as MongoDB's manual has them, exact arithmetic, what
 * is refused, and what an upsert begins with. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../core/decimal.h"
#include "../core/update.h"
#include "query-kit.h"
#include "rng.h"

#define NOW UINT64_C (1700000000000)

struct row {
  const char *update;
  const char *before;
  const char *after; /* or, of what is refused, a part of the reason */
};

static int
apply (const char *text, const char *document, bool inserts, struct buf *out,
       struct tally_error *err)
{
  struct buf canonical = BUF_INIT;
  struct update *update;
  int status = update_parse (&update, text, err);

  if (status != TALLY_OK)
    return status;
  if (json_canonical (&canonical, document, strlen (document), err)
      != TALLY_OK)
    fail_msg ("%s: %s", document, err->text);
  status =
      update_apply (update, buf_slice (&canonical), inserts, NOW, out, err);
  buf_free (&canonical);
  update_free (update);
  return status;
}

static void
check_rows (const struct row *rows, size_t n, bool inserts)
{
  char update[512], before[512], after[512];

  for (size_t i = 0; i < n; i++) {
    struct tally_error err = { 0, "" };
    struct buf out = BUF_INIT;

    quoted (rows[i].update, update);
    quoted (rows[i].before, before);
    quoted (rows[i].after, after);
    if (apply (update, before, inserts, &out, &err) != TALLY_OK)
      fail_msg ("%s on %s: %s", update, before, err.text);
    if (!slice_equal (buf_slice (&out), slice_text (after)))
      fail_msg ("%s on %s: %.*s", update, before, (int) out.size, out.data);
    buf_free (&out);
  }
}

#define CHECK(rows) check_rows (rows, sizeof (rows) / sizeof *(rows), false)

static void
test_fields (void **state)
{
  static const struct row rows[] = {
    { "{'$set':{'a':1}}", "{}", "{'a':1}" },
    { "{'$set':{'a':1.50}}", "{'a':2,'b':3}", "{'a':1.50,'b':3}" },
    { "{'$set':{'a.b':1}}", "{}", "{'a':{'b':1}}" },
    { "{'$set':{'a.b':1}}", "{'a':{'c':2}}", "{'a':{'b':1,'c':2}}" },
    { "{'$set':{'a.1':9}}", "{'a':[1,2]}", "{'a':[1,9]}" },
    { "{'$set':{'a.4':9}}", "{'a':[1]}", "{'a':[1,null,null,null,9]}" },
    { "{'$set':{'a.0':9}}", "{}", "{'a':{'0':9}}" },
    { "{'$set':{'a.0.b':9}}", "{'a':[{'c':1}]}", "{'a':[{'b':9,'c':1}]}" },
    { "{'$set':{'a':{'x':1}}}", "{'a':{'y':2}}", "{'a':{'x':1}}" },
    { "{'$set':{'b':1,'a':2,'c.d':3}}", "{'z':0}",
      "{'a':2,'b':1,'c':{'d':3},'z':0}" },
    { "{'$set':{'_id':'x'}}", "{'_id':'x'}", "{'_id':'x'}" },
    { "{'$set':{}}", "{'a':1}", "{'a':1}" },
    { "{'$setOnInsert':{'a':1}}", "{}", "{}" },
    { "{'$unset':{'a':''}}", "{'a':1,'b':2}", "{'b':2}" },
    { "{'$unset':{'a':''}}", "{'b':2}", "{'b':2}" },
    { "{'$unset':{'a.b':''}}", "{'a':{'b':1}}", "{'a':{}}" },
    { "{'$unset':{'a.b':''}}", "{'a':5}", "{'a':5}" },
    { "{'$unset':{'a.0':''}}", "{'a':[1,2]}", "{'a':[null,2]}" },
    { "{'$unset':{'a.5':''}}", "{'a':[1,2]}", "{'a':[1,2]}" },
    { "{'$rename':{'a':'b'}}", "{'a':1}", "{'b':1}" },
    { "{'$rename':{'a':'b'}}", "{'a':1,'b':2}", "{'b':1}" },
    { "{'$rename':{'a':'b'}}", "{'c':1}", "{'c':1}" },
    { "{'$rename':{'a.b':'c.d'}}", "{'a':{'b':1}}", "{'a':{},'c':{'d':1}}" },
    { "{'$currentDate':{'a':true}}", "{}", "{'a':{'$$date':1700000000000}}" },
    { "{'$currentDate':{'a':{'$type':'date'}}}", "{'a':1}",
      "{'a':{'$$date':1700000000000}}" },
    { "{'x':1}", "{'_id':'i','y':2}", "{'_id':'i','x':1}" },
    { "{}", "{'_id':'i','y':2}", "{'_id':'i'}" },
    { "{'_id':'i','x':1}", "{'_id':'i','y':2}", "{'_id':'i','x':1}" },
    { "{'$set':{'a':1},'$inc':{'b':1},'$unset':{'c':1}}", "{'c':1}",
      "{'a':1,'b':1}" },
  };
  static const struct row inserts[] = {
    { "{'$setOnInsert':{'a':1},'$set':{'b':2}}", "{}", "{'a':1,'b':2}" },
  };

  (void) state;
  CHECK (rows);
  check_rows (inserts, 1, true);
}

static void
test_numbers (void **state)
{
  static const struct row rows[] = {
    { "{'$inc':{'a':1}}", "{}", "{'a':1}" },
    { "{'$inc':{'a':1}}", "{'a':9007199254740993}", "{'a':9007199254740994}" },
    { "{'$inc':{'a':0.2}}", "{'a':0.1}", "{'a':0.3}" },
    { "{'$inc':{'a':-1.5}}", "{'a':1}", "{'a':-0.5}" },
    { "{'$inc':{'a':-5}}", "{'a':5}", "{'a':0}" },
    { "{'$inc':{'a':1}}", "{'a':999}", "{'a':1000}" },
    { "{'$inc':{'a':-1}}", "{'a':1000}", "{'a':999}" },
    { "{'$inc':{'a':2.50}}", "{'a':2.5}", "{'a':5}" },
    { "{'$inc':{'a.b':1}}", "{'a':{'b':2}}", "{'a':{'b':3}}" },
    { "{'$inc':{'a':1}}", "{'a':99999999999999999999999999}",
      "{'a':100000000000000000000000000}" },
    { "{'$inc':{'a':1e-3}}", "{'a':1}", "{'a':1.001}" },
    { "{'$inc':{'a':1e40}}", "{'a':0}", "{'a':1e40}" },
    { "{'$inc':{'a':15e40}}", "{'a':0}", "{'a':1.5e41}" },
    { "{'$mul':{'a':2}}", "{}", "{'a':0}" },
    { "{'$mul':{'a':1.1}}", "{'a':1.1}", "{'a':1.21}" },
    { "{'$mul':{'a':-2}}", "{'a':50}", "{'a':-100}" },
    { "{'$mul':{'a':99999999999}}", "{'a':99999999999}",
      "{'a':9999999999800000000001}" },
    { "{'$mul':{'a':1e-9}}", "{'a':3}", "{'a':3e-9}" },
    { "{'$min':{'a':1}}", "{'a':2}", "{'a':1}" },
    { "{'$min':{'a':3}}", "{'a':2}", "{'a':2}" },
    { "{'$min':{'a':2.0}}", "{'a':2}", "{'a':2}" },
    { "{'$min':{'a':3}}", "{}", "{'a':3}" },
    { "{'$max':{'a':3}}", "{'a':2}", "{'a':3}" },
    { "{'$max':{'a':'x'}}", "{'a':2}", "{'a':'x'}" },
    { "{'$max':{'a':{'$$date':5}}}", "{'a':{'$$date':40}}",
      "{'a':{'$$date':40}}" },
  };

  (void) state;
  CHECK (rows);
}

static void
test_arrays (void **state)
{
  static const struct row rows[] = {
    { "{'$push':{'a':1}}", "{}", "{'a':[1]}" },
    { "{'$push':{'a':[1]}}", "{'a':[0]}", "{'a':[0,[1]]}" },
    { "{'$push':{'a':{'$each':[1,2]}}}", "{'a':[0]}", "{'a':[0,1,2]}" },
    { "{'$push':{'a':{'$each':[1],'$position':0}}}", "{'a':[0]}",
      "{'a':[1,0]}" },
    { "{'$push':{'a':{'$each':[1],'$position':-1}}}", "{'a':[0,2]}",
      "{'a':[0,1,2]}" },
    { "{'$push':{'a':{'$each':[1],'$position':9}}}", "{'a':[0,2]}",
      "{'a':[0,2,1]}" },
    { "{'$push':{'a':{'$each':[4,5],'$slice':3}}}", "{'a':[1,2]}",
      "{'a':[1,2,4]}" },
    { "{'$push':{'a':{'$each':[4,5],'$slice':-3}}}", "{'a':[1,2]}",
      "{'a':[2,4,5]}" },
    { "{'$push':{'a':{'$each':[],'$slice':0}}}", "{'a':[1,2]}", "{'a':[]}" },
    { "{'$push':{'a.b':1}}", "{'a':{'b':[]}}", "{'a':{'b':[1]}}" },
    { "{'$push':{'a':{'x':1}}}", "{}", "{'a':[{'x':1}]}" },
    { "{'$pop':{'a':1}}", "{'a':[1,2,3]}", "{'a':[1,2]}" },
    { "{'$pop':{'a':-1}}", "{'a':[1,2,3]}", "{'a':[2,3]}" },
    { "{'$pop':{'a':1}}", "{'a':[]}", "{'a':[]}" },
    { "{'$pop':{'a':1}}", "{}", "{}" },
    { "{'$addToSet':{'a':1}}", "{'a':[1.0]}", "{'a':[1.0]}" },
    { "{'$addToSet':{'a':2}}", "{'a':[1]}", "{'a':[1,2]}" },
    { "{'$addToSet':{'a':2}}", "{}", "{'a':[2]}" },
    { "{'$addToSet':{'a':[1]}}", "{'a':[1]}", "{'a':[1,[1]]}" },
    { "{'$addToSet':{'a':{'$each':[1,2,2]}}}", "{'a':[1]}", "{'a':[1,2]}" },
    { "{'$addToSet':{'a':{'$each':[]}}}", "{}", "{'a':[]}" },
    { "{'$pull':{'a':1}}", "{'a':[1,2,1.0]}", "{'a':[2]}" },
    { "{'$pull':{'a':{'$gt':1}}}", "{'a':[1,2,3]}", "{'a':[1]}" },
    { "{'$pull':{'a':{'$in':[1,3]}}}", "{'a':[1,2,3]}", "{'a':[2]}" },
    { "{'$pull':{'a':[1]}}", "{'a':[1,[1]]}", "{'a':[1]}" },
    { "{'$pull':{'a':{'b':1}}}", "{'a':[{'b':1,'c':2},{'b':2},1]}",
      "{'a':[{'b':2},1]}" },
    { "{'$pull':{'a':{'b':{'$gt':1}}}}", "{'a':[{'b':1},{'b':2}]}",
      "{'a':[{'b':1}]}" },
    { "{'$pull':{'a':{'$$date':5}}}", "{'a':[{'$$date':5},5]}", "{'a':[5]}" },
    { "{'$pull':{'a':{'$regex':'^x'}}}", "{'a':['xy','y']}", "{'a':['y']}" },
    { "{'$pull':{'a':1}}", "{}", "{}" },
  };

  (void) state;
  CHECK (rows);
}

static void
test_refused (void **state)
{
  static const struct row rows[] = {
    { "[]", "{}", "not an object" },
    { "{'$foo':{'a':1}}", "{}", "unknown modifier" },
    { "{'$ste':{'a':1}}", "{}", "did you mean \"$set\"" },
    { "{'$set':1}", "{}", "takes an object" },
    { "{'$set':{'a':1},'b':2}", "{}", "modifiers and fields" },
    { "{'$set':{'a':1,'a.b':2}}", "{}", "changed at once" },
    { "{'$set':{'a':1},'$inc':{'a':2}}", "{}", "changed at once" },
    { "{'$rename':{'a':'b'},'$set':{'b':1}}", "{}", "changed at once" },
    { "{'$rename':{'a':'a'}}", "{}", "itself" },
    { "{'$rename':{'a':'a.b'}}", "{}", "itself" },
    { "{'$rename':{'a':1}}", "{}", "takes a name" },
    { "{'$set':{'a..b':1}}", "{}", "empty name" },
    { "{'$set':{'a.$.b':1}}", "{}", "must not begin with $" },
    { "{'$set':{'a.$[].b':1}}", "{}", "must not begin with $" },
    { "{'$inc':{'a':'x'}}", "{}", "takes a number" },
    { "{'$inc':{'a':1}}", "{'a':'x'}", "is not a number" },
    { "{'$inc':{'a':1}}", "{'a':null}", "is not a number" },
    { "{'$mul':{'a':1e200}}", "{'a':1e200}", "too large" },
    { "{'$inc':{'a':1e-300000}}", "{'a':1}", "too many digits" },
    { "{'$push':{'a':1}}", "{'a':1}", "is not an array" },
    { "{'$push':{'a':{'$each':1}}}", "{}", "takes an array" },
    { "{'$push':{'a':{'$each':[],'$sort':1}}}", "{}", "unknown member" },
    { "{'$push':{'a':{'$each':[],'$slice':'x'}}}", "{}", "whole number" },
    { "{'$addToSet':{'a':1}}", "{'a':{}}", "is not an array" },
    { "{'$pop':{'a':2}}", "{}", "takes 1" },
    { "{'$pull':{'a':{'$foo':1}}}", "{}", "unknown operator" },
    { "{'$pull':{'a':1}}", "{'a':1}", "is not an array" },
    { "{'$currentDate':{'a':1}}", "{}", "takes true" },
    { "{'$set':{'a.b':1}}", "{'a':5}", "no object" },
    { "{'$set':{'a.b':1}}", "{'a':[1]}", "no place" },
    { "{'$set':{'a.20000':1}}", "{'a':[1]}", "too far" },
    { "{'$set':{'_id':'y'}}", "{'_id':'x'}", "_id cannot" },
    { "{'$unset':{'_id':1}}", "{'_id':'x'}", "_id cannot" },
    { "{'_id':'y'}", "{'_id':'x'}", "_id cannot" },
  };
  char update[512], before[512];

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct tally_error err = { 0, "" };
    struct buf out = BUF_INIT;

    if (apply (quoted (rows[i].update, update),
               quoted (rows[i].before, before), false, &out, &err)
        != TALLY_INVALID)
      fail_msg ("%s on %s: is taken", update, before);
    if (!strstr (err.text, rows[i].after))
      fail_msg ("%s on %s: %s", update, before, err.text);
    assert_int_equal (out.size, 0);
    buf_free (&out);
  }
}

/* What is nested too deeply to be read would not be a document any more. */
static void
test_depth (void **state)
{
  char update[512] = "{\"$set\":{\"a", value[256];
  struct tally_error err = { 0, "" };
  struct buf out = BUF_INIT;

  (void) state;
  for (int i = 0; i < 40; i++)
    strcat (update, ".a");
  strcat (update, "\":");
  memset (value, '[', 40);
  memset (value + 40, ']', 40);
  value[80] = '\0';
  strcat (update, value);
  strcat (update, "}}");
  assert_int_equal (apply (update, "{}", false, &out, &err), TALLY_INVALID);
  assert_non_null (strstr (err.text, "too deeply"));
  buf_free (&out);
}

static void
test_upsert_base (void **state)
{
  static const struct row rows[] = {
    { "{'a':1}", "", "{'a':1}" },
    { "{'a.b':1,'c':{'$eq':2},'d':{'$gt':3}}", "", "{'a':{'b':1},'c':2}" },
    { "{'$and':[{'a':1},{'b':2}],'$or':[{'c':3}]}", "", "{'a':1,'b':2}" },
    { "{'_id':'x','a':{'$ne':1},'b':{'$in':[1]}}", "", "{'_id':'x'}" },
    { "{'a':1,'$and':[{'a':1.0},{'b':null}]}", "", "{'a':1,'b':null}" },
    { "{}", "", "{}" },
  };
  char text[512], after[512];

  (void) state;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct tally_error err = { 0, "" };
    struct buf out = BUF_INIT;
    struct query *query;

    assert_int_equal (
        query_parse (&query, quoted (rows[i].update, text), &err), TALLY_OK);
    assert_int_equal (update_base (query, &out, &err), TALLY_OK);
    if (!slice_equal (buf_slice (&out),
                      slice_text (quoted (rows[i].after, after))))
      fail_msg ("%s: %.*s", text, (int) out.size, out.data);
    buf_free (&out);
    query_free (query);
  }
}

static void
test_upsert_base_that_cannot_be (void **state)
{
  static const char *const queries[] = {
    "{'$and':[{'a':1},{'a':2}]}",
    "{'a':1,'$and':[{'a':{'$eq':2}}]}",
    "{'a.b':1,'$and':[{'a':{'c':2}}]}",
    "{'a':1,'$and':[{'a.b':2}]}",
  };
  char text[512];

  (void) state;
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
    struct tally_error err = { 0, "" };
    struct buf out = BUF_INIT;
    struct query *query;

    assert_int_equal (query_parse (&query, quoted (queries[i], text), &err),
                      TALLY_OK);
    assert_int_equal (update_base (query, &out, &err), TALLY_INVALID);
    buf_free (&out);
    query_free (query);
  }
}

/* Sums and products of numbers of up to nine places against integers. */
static void
test_arithmetic (void **state)
{
  struct rng rng = rng_start ("arithmetic");

  (void) state;
  for (unsigned i = 0; i < 200000; i++) {
    int64_t x = (int64_t) rng_below (&rng, 2000001) - 1000000;
    int64_t y = (int64_t) rng_below (&rng, 2000001) - 1000000;
    char a[40], b[40], sum[40], product[40];
    struct buf out = BUF_INIT;

    /* In thousandths. */
    snprintf (a, sizeof a, "%llde-3", (long long) x);
    snprintf (b, sizeof b, "%s%lld.%03lld", y < 0 ? "-" : "",
              (long long) llabs (y) / 1000, (long long) llabs (y) % 1000);
    snprintf (sum, sizeof sum, "%llde-3", (long long) (x + y));
    snprintf (product, sizeof product, "%llde-6", (long long) (x * y));
    assert_true (decimal_add (&out, slice_text (a), slice_text (b)));
    assert_true (json_is_canonical (out.data, out.size));
    if (json_number_cmp (buf_slice (&out), slice_text (sum)) != 0)
      fail_msg ("%s + %s: %.*s", a, b, (int) out.size, out.data);
    buf_clear (&out);
    assert_true (decimal_multiply (&out, slice_text (a), slice_text (b)));
    if (json_number_cmp (buf_slice (&out), slice_text (product)) != 0)
      fail_msg ("%s * %s: %.*s", a, b, (int) out.size, out.data);
    buf_free (&out);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_fields),
    cmocka_unit_test (test_numbers),
    cmocka_unit_test (test_arrays),
    cmocka_unit_test (test_refused),
    cmocka_unit_test (test_depth),
    cmocka_unit_test (test_upsert_base),
    cmocka_unit_test (test_upsert_base_that_cannot_be),
    cmocka_unit_test (test_arithmetic),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
