/* SPDX-License-Identifier: MIT */
/* What a query matches, operator by operator as MongoDB's manual has it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query-kit.h"

struct row {
  const char *query;
  const char *document;
  bool matches;
};

static void
check_rows (const struct row *rows, size_t n)
{
  char query[512], document[512];

  for (size_t i = 0; i < n; i++)
    if (query_matches (quoted (rows[i].query, query),
                       quoted (rows[i].document, document))
        != rows[i].matches)
      fail_msg ("%s on %s: not %d", query, document, rows[i].matches);
}

#define CHECK(rows) check_rows (rows, sizeof (rows) / sizeof *(rows))

static void
test_equality (void **state)
{
  static const struct row rows[] = {
    { "{'a':1}", "{'a':1.0}", true },
    { "{'a':1}", "{'a':[0,1]}", true },
    { "{'a':1}", "{'a':[[1]]}", false },
    { "{'a':[1]}", "{'a':[[1]]}", true },
    { "{'a':[1]}", "{'a':[1]}", true },
    { "{'a':[1,2]}", "{'a':[2,1]}", false },
    { "{'a':null}", "{'a':null}", true },
    { "{'a':null}", "{}", true },
    { "{'a':null}", "{'a':[1,null]}", true },
    { "{'a':null}", "{'a':[]}", false },
    { "{'a':null}", "{'a':0}", false },
    { "{'a':{'b':1,'c':2}}", "{'a':{'c':2,'b':1}}", true },
    { "{'a':{'b':1}}", "{'a':{'b':1,'c':2}}", false },
    { "{'a':{}}", "{'a':{}}", true },
    { "{'a':{'$eq':[1,2]}}", "{'a':[1,2]}", true },
    { "{'a':{'$eq':[1,2]}}", "{'a':[[1,2],3]}", true },
    { "{'a':{'$ne':1}}", "{'a':[1,2]}", false },
    { "{'a':{'$ne':3}}", "{'a':[1,2]}", true },
    { "{'a':{'$ne':1}}", "{}", true },
    { "{'a':{'$ne':null}}", "{}", false },
    { "{'a':'1'}", "{'a':1}", false },
    { "{'a':true}", "{'a':1}", false },
    { "{'a':9007199254740993}", "{'a':9007199254740992}", false },
    { "{'a':9007199254740993}", "{'a':9007199254740993.0}", true },
    { "{'a':0}", "{'a':-0}", true },
    { "{'_id':'x'}", "{'_id':'x'}", true },
    { "{'$not':{'a':1}}", "{'a':2}", true },
    { "{'$not':{'a':1}}", "{'a':1}", false },
    { "{'$not':{'a':1,'b':1}}", "{'a':1,'b':2}", true },
  };

  (void) state;
  CHECK (rows);
}

static void
test_comparison (void **state)
{
  static const struct row rows[] = {
    { "{'a':{'$gt':1}}", "{'a':[0,5]}", true },
    { "{'a':{'$gt':1,'$lt':3}}", "{'a':[0,5]}", true },
    { "{'a':{'$elemMatch':{'$gt':1,'$lt':3}}}", "{'a':[0,5]}", false },
    { "{'a':{'$elemMatch':{'$gt':1,'$lt':3}}}", "{'a':[0,2]}", true },
    { "{'a':{'$gt':1}}", "{'a':'2'}", false },
    { "{'a':{'$gt':1}}", "{}", false },
    { "{'a':{'$gte':null}}", "{}", true },
    { "{'a':{'$lte':null}}", "{'a':null}", true },
    { "{'a':{'$gt':null}}", "{'a':1}", false },
    { "{'a':{'$lt':null}}", "{}", false },
    { "{'a':{'$gt':false}}", "{'a':true}", true },
    { "{'a':{'$lt':[2]}}", "{'a':[1,9]}", true },
    { "{'a':{'$lt':[1]}}", "{'a':[1,9]}", false },
    { "{'a':{'$gt':{'b':1}}}", "{'a':{'b':2}}", true },
    { "{'a':{'$gt':'a','$lt':'c'}}", "{'a':'b'}", true },
    { "{'a':{'$gt':'B'}}", "{'a':'a'}", true },
    { "{'a':{'$lt':1e2}}", "{'a':99.999}", true },
    { "{'a':{'$lt':-1}}", "{'a':-1.5}", true },
    { "{'a':{'$gte':5,'$lte':5}}", "{'a':5}", true },
  };

  (void) state;
  CHECK (rows);
}

static void
test_dates (void **state)
{
  static const struct row rows[] = {
    { "{'a':{'$$date':5}}", "{'a':{'$$date':5}}", true },
    { "{'a':{'$$date':5}}", "{'a':{'$$date':5.0}}", true },
    { "{'a':{'$$date':5}}", "{'a':5}", false },
    { "{'a':{'$gt':{'$$date':5}}}", "{'a':{'$$date':10}}", true },
    { "{'a':{'$gt':{'$$date':-5}}}", "{'a':{'$$date':-10}}", false },
    { "{'a':{'$gt':{'$$date':5}}}", "{'a':10}", false },
    { "{'a':{'$gt':5}}", "{'a':{'$$date':10}}", false },
    { "{'a':{'$in':[{'$$date':1},{'$$date':2}]}}", "{'a':{'$$date':2}}",
      true },
    { "{'a.$$date':5}", "{'a':{'$$date':5}}", false },
    { "{'a':{'$type':'date'}}", "{'a':{'$$date':5}}", true },
    { "{'a':{'$type':'object'}}", "{'a':{'$$date':5}}", false },
    { "{'a':{'$type':'object'}}", "{'a':{'$$date':'x'}}", true },
    { "{'a':{'$type':'object'}}", "{'a':{'$$date':1,'b':2}}", true },
    { "{'a':{'$elemMatch':{'$gte':{'$$date':5}}}}", "{'a':[{'$$date':5}]}",
      true },
    { "{'a':{'$ne':{'$$date':5}}}", "{'a':{'$$date':5}}", false },
  };

  (void) state;
  CHECK (rows);
}

static void
test_lists (void **state)
{
  static const struct row rows[] = {
    { "{'a':{'$in':[1,2]}}", "{'a':2}", true },
    { "{'a':{'$in':[1,2]}}", "{'a':3}", false },
    { "{'a':{'$in':[1,2]}}", "{'a':[3,2.0]}", true },
    { "{'a':{'$in':[[3]]}}", "{'a':[3]}", true },
    { "{'a':{'$in':[null]}}", "{}", true },
    { "{'a':{'$in':[]}}", "{'a':1}", false },
    { "{'a':{'$nin':[]}}", "{'a':1}", true },
    { "{'a':{'$nin':[1]}}", "{'a':[1]}", false },
    { "{'a':{'$nin':[1]}}", "{}", true },
    { "{'a':{'$nin':[null]}}", "{}", false },
    { "{'a':{'$in':['x',1,{'b':1}]}}", "{'a':{'b':1.0}}", true },
    { "{'a':{'$all':[1,2]}}", "{'a':[2,3,1]}", true },
    { "{'a':{'$all':[1,2]}}", "{'a':[1]}", false },
    { "{'a':{'$all':[1]}}", "{'a':1}", true },
    { "{'a':{'$all':[[1,2]]}}", "{'a':[1,2]}", true },
    { "{'a':{'$all':[]}}", "{'a':[]}", false },
    { "{'a':{'$all':[null]}}", "{}", true },
    { "{'a':{'$not':{'$all':[]}}}", "{'a':1}", true },
    { "{'a':{'$all':[{'$elemMatch':{'b':1}},{'$elemMatch':{'b':2}}]}}",
      "{'a':[{'b':1},{'b':2}]}", true },
    { "{'a':{'$all':[{'$elemMatch':{'b':1}},{'$elemMatch':{'b':2}}]}}",
      "{'a':[{'b':1},{'b':3}]}", false },
    { "{'a.b':{'$all':[1,2]}}", "{'a':[{'b':1},{'b':2}]}", true },
    { "{'a':{'$size':2}}", "{'a':[1,[2]]}", true },
    { "{'a':{'$size':2.0}}", "{'a':[1,2]}", true },
    { "{'a':{'$size':2e0}}", "{'a':[1,2]}", true },
    { "{'a':{'$size':0}}", "{'a':[]}", true },
    { "{'a':{'$size':10}}", "{'a':[1,1,1,1,1,1,1,1,1,1]}", true },
    { "{'a':{'$size':0}}", "{}", false },
    { "{'a':{'$size':1}}", "{'a':1}", false },
    { "{'a':{'$size':1}}", "{'a':[[1,2]]}", true },
    { "{'a':{'$size':2}}", "{'a':[[1,2]]}", false },
  };

  (void) state;
  CHECK (rows);
}

static void
test_elem_match (void **state)
{
  static const struct row rows[] = {
    { "{'a':{'$elemMatch':{'b':1,'c':2}}}", "{'a':[{'b':1},{'c':2}]}", false },
    { "{'a':{'$elemMatch':{'b':1,'c':2}}}", "{'a':[{'b':1,'c':2}]}", true },
    { "{'a':{'$elemMatch':{'b':1}}}", "{'a':{'b':1}}", false },
    { "{'a':{'$elemMatch':{'b':1}}}", "{'a':[1]}", false },
    { "{'a':{'$elemMatch':{'b':null}}}", "{'a':[{}]}", true },
    { "{'a':{'$elemMatch':{'b':null}}}", "{'a':[[]]}", true },
    { "{'a':{'$elemMatch':{'b':null}}}", "{'a':[1]}", false },
    { "{'a':{'$elemMatch':{'0':1}}}", "{'a':[[1]]}", true },
    { "{'a':{'$elemMatch':{}}}", "{'a':[{}]}", true },
    { "{'a':{'$elemMatch':{}}}", "{'a':[1]}", false },
    { "{'a':{'$elemMatch':{'$in':[1,2]}}}", "{'a':[2]}", true },
    { "{'a':{'$elemMatch':{'$ne':1}}}", "{'a':[1]}", false },
    { "{'a':{'$elemMatch':{'$ne':1}}}", "{'a':[1,2]}", true },
    { "{'a':{'$elemMatch':{'$size':2}}}", "{'a':[[1,2]]}", true },
    { "{'a':{'$elemMatch':{'$elemMatch':{'$gt':1}}}}", "{'a':[[1,2]]}", true },
    { "{'a':{'$elemMatch':{'$gt':1}}}", "{'a':[[1,2]]}", false },
    { "{'a':{'$elemMatch':{'$not':{'$gt':1}}}}", "{'a':[1]}", true },
    { "{'a':{'$elemMatch':{'$or':[{'b':1},{'c':1}]}}}", "{'a':[{'c':1}]}",
      true },
    { "{'a':{'$elemMatch':{'$exists':true}}}", "{'a':[null]}", true },
    { "{'a':{'$not':{'$elemMatch':{'$gt':1}}}}", "{'a':[0]}", true },
    { "{'a':{'$not':{'$elemMatch':{'$gt':1}}}}", "{}", true },
    { "{'a.b':{'$elemMatch':{'$gt':1}}}", "{'a':[{'b':[2]}]}", true },
  };

  (void) state;
  CHECK (rows);
}

static void
test_existence_and_types (void **state)
{
  static const struct row rows[] = {
    { "{'a':{'$exists':true}}", "{'a':null}", true },
    { "{'a':{'$exists':true}}", "{}", false },
    { "{'a':{'$exists':false}}", "{}", true },
    { "{'a':{'$exists':0}}", "{}", true },
    { "{'a':{'$exists':null}}", "{}", true },
    { "{'a':{'$exists':1}}", "{'a':[]}", true },
    { "{'a.b':{'$exists':true}}", "{'a':[{'b':1},{}]}", true },
    { "{'a.b':{'$exists':false}}", "{'a':[{'b':1},{}]}", false },
    { "{'a.b':{'$exists':false}}", "{'a':[]}", true },
    { "{'a.1':{'$exists':true}}", "{'a':[1]}", false },
    { "{'a.1':{'$exists':true}}", "{'a':[1,2]}", true },
    { "{'a':{'$type':'number'}}", "{'a':1}", true },
    { "{'a':{'$type':'number'}}", "{'a':1.5}", true },
    { "{'a':{'$type':'int'}}", "{'a':1}", true },
    { "{'a':{'$type':16}}", "{'a':2147483648}", false },
    { "{'a':{'$type':'long'}}", "{'a':2147483648}", true },
    { "{'a':{'$type':'long'}}", "{'a':1}", false },
    { "{'a':{'$type':1}}", "{'a':1.0}", true },
    { "{'a':{'$type':'double'}}", "{'a':99999999999999999999}", true },
    { "{'a':{'$type':2}}", "{'a':'x'}", true },
    { "{'a':{'$type':2}}", "{'a':[1,'x']}", true },
    { "{'a':{'$type':'array'}}", "{'a':[1]}", true },
    { "{'a':{'$type':4}}", "{'a':1}", false },
    { "{'a':{'$type':'bool'}}", "{'a':false}", true },
    { "{'a':{'$type':10}}", "{'a':null}", true },
    { "{'a':{'$type':10}}", "{}", false },
    { "{'a':{'$type':'object'}}", "{'a':{}}", true },
    { "{'a':{'$type':['string','null']}}", "{'a':null}", true },
    { "{'a':{'$type':'objectId'}}", "{'a':'x'}", false },
  };

  (void) state;
  CHECK (rows);
}

static void
test_logic (void **state)
{
  static const struct row rows[] = {
    { "{'$or':[{'a':1},{'b':1}]}", "{'b':1}", true },
    { "{'$or':[{'a':1},{'b':1}]}", "{'b':2}", false },
    { "{'$and':[{'a':1},{'b':1}]}", "{'a':1,'b':1}", true },
    { "{'$and':[{'a':1},{'b':1}]}", "{'a':1}", false },
    { "{'$nor':[{'a':1},{'b':1}]}", "{'c':1}", true },
    { "{'$nor':[{'a':1},{'b':1}]}", "{'b':1}", false },
    { "{'c':1,'$or':[{'a':1},{'b':1}]}", "{'a':1}", false },
    { "{'c':1,'$or':[{'a':1},{'b':1}]}", "{'a':1,'c':1}", true },
    { "{'$or':[{'$and':[{'a':1},{'b':2}]},{'c':3}]}", "{'a':1,'b':2}", true },
    { "{'$or':[{}]}", "{}", true },
    { "{'$and':[{'a':1},{'a':2}]}", "{'a':[1,2]}", true },
    { "{'a':{'$not':{'$gt':1}}}", "{'a':1}", true },
    { "{'a':{'$not':{'$gt':1}}}", "{}", true },
    { "{'a':{'$not':{'$gt':1}}}", "{'a':'x'}", true },
    { "{'a':{'$not':{'$gt':1}}}", "{'a':[0,2]}", false },
    { "{'a':{'$not':{'$gt':1,'$lt':5}}}", "{'a':7}", true },
    { "{'a':{'$not':{'$gt':1,'$lt':5}}}", "{'a':3}", false },
    { "{'a':{'$not':{'$not':{'$gt':1}}}}", "{'a':3}", true },
    { "{'a':{'$not':{'$regex':'^x'}}}", "{'a':'y'}", true },
    { "{'a':{'$not':{'$eq':null}}}", "{}", false },
  };

  (void) state;
  CHECK (rows);
}

static void
test_paths (void **state)
{
  static const struct row rows[] = {
    { "{'a.b':1}", "{'a':{'b':1}}", true },
    { "{'a.b.c':1}", "{'a':{'b':{'c':1}}}", true },
    { "{'a.b':1}", "{'a':[{'b':2},{'b':1}]}", true },
    { "{'a.b':1}", "{'a':[[{'b':1}]]}", false },
    { "{'a.b.c':1}", "{'a':[{'b':[{'c':1}]}]}", true },
    { "{'a.b':[1,2]}", "{'a':[{'b':1},{'b':2}]}", false },
    { "{'a.0':1}", "{'a':[1,2]}", true },
    { "{'a.1':1}", "{'a':[1,2]}", false },
    { "{'a.0':1}", "{'a':[[1]]}", false },
    { "{'a.0':[1]}", "{'a':[[1]]}", true },
    { "{'a.0.0':1}", "{'a':[[1]]}", true },
    { "{'a.0.b':1}", "{'a':[{'b':1}]}", true },
    { "{'a.1.b':1}", "{'a':[{'b':1},{'b':2}]}", false },
    { "{'a.0':1}", "{'a':{'0':1}}", true },
    { "{'a.0':1}", "{'a':[{'0':1}]}", true },
    { "{'a.00':1}", "{'a':[1]}", false },
    { "{'a.99999999999999999999':1}", "{'a':[1]}", false },
    { "{'a.0.b':1}", "{'a':[[{'b':1}]]}", true },
    /* What null means along a path. */
    { "{'a.b':null}", "{}", true },
    { "{'a.b':null}", "{'a':{}}", true },
    { "{'a.b':null}", "{'a':null}", true },
    { "{'a.b':null}", "{'a':4}", true },
    { "{'a.b':null}", "{'a':{'b':null}}", true },
    { "{'a.b':null}", "{'a':{'b':1}}", false },
    { "{'a.b':null}", "{'a':[]}", false },
    { "{'a.b':null}", "{'a':[[]]}", false },
    { "{'a.b':null}", "{'a':[1,'x']}", false },
    { "{'a.b':null}", "{'a':[null]}", false },
    { "{'a.b':null}", "{'a':[{'b':3},{}]}", true },
    { "{'a.b':null}", "{'a':[{'b':3},{'b':null}]}", true },
    { "{'a.b':null}", "{'a':[{'b':1},{'b':3}]}", false },
    { "{'a.b':{'$ne':null}}", "{'a':[]}", true },
  };

  (void) state;
  CHECK (rows);
}

static void
test_regexes (void **state)
{
  static const struct row rows[] = {
    { "{'a':{'$regex':'b'}}", "{'a':'abc'}", true },
    { "{'a':{'$regex':'^b'}}", "{'a':'abc'}", false },
    { "{'a':{'$regex':'B'}}", "{'a':'abc'}", false },
    { "{'a':{'$regex':'B','$options':'i'}}", "{'a':'abc'}", true },
    { "{'a':{'$regex':'^c','$options':'m'}}", "{'a':'ab\\nc'}", true },
    { "{'a':{'$regex':'^c'}}", "{'a':'ab\\nc'}", false },
    { "{'a':{'$regex':'b.c','$options':'s'}}", "{'a':'ab\\nc'}", true },
    { "{'a':{'$regex':'b.c'}}", "{'a':'ab\\nc'}", false },
    { "{'a':{'$regex':'a b','$options':'x'}}", "{'a':'ab'}", true },
    { "{'a':{'$regex':''}}", "{'a':''}", true },
    { "{'a':{'$regex':'b'}}", "{'a':['x','b']}", true },
    { "{'a':{'$regex':'1'}}", "{'a':1}", false },
    { "{'a':{'$regex':'x'}}", "{}", false },
    { "{'a':{'$regex':'^.$'}}", "{'a':'\xc3\xa4'}", true },
    { "{'a':{'$regex':'\\\\d+'}}", "{'a':'x42'}", true },
    { "{'a':{'$regex':'\\u0022'}}", "{'a':'x\\u0022'}", true },
    { "{'a':{'$regex':'^b','$ne':'bc'}}", "{'a':'bc'}", false },
    { "{'a.b':{'$regex':'^b'}}", "{'a':[{'b':'bc'}]}", true },
    { "{'a':{'$regex':'(?<=b)c'}}", "{'a':'abc'}", true },
  };

  (void) state;
  CHECK (rows);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_equality),
    cmocka_unit_test (test_comparison),
    cmocka_unit_test (test_dates),
    cmocka_unit_test (test_lists),
    cmocka_unit_test (test_elem_match),
    cmocka_unit_test (test_existence_and_types),
    cmocka_unit_test (test_logic),
    cmocka_unit_test (test_paths),
    cmocka_unit_test (test_regexes),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
