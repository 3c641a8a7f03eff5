/* SPDX-License-Identifier: MIT */
/* What tests of queries and updates share. */

#ifndef TALLY_TESTS_QUERY_KIT_H
#define TALLY_TESTS_QUERY_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/json.h"
#include "../../core/query.h"

/* JSON with ' for ", to be readable. */
static inline const char *
quoted (const char *text, char out[512])
{
  size_t i;

  for (i = 0; text[i] && i < 511; i++)
    out[i] = (char) (text[i] == '\'' ? '"' : text[i]);
  out[i] = '\0';
  return out;
}

/* Whether it does; what is no query, or no document, fails the test. */
static inline bool
query_matches (const char *text, const char *document)
{
  struct tally_error err = { 0, "" };
  struct buf canonical = BUF_INIT;
  struct query *query;
  bool matches;

  if (query_parse (&query, text, &err) != TALLY_OK)
    fail_msg ("%s: %s", text, err.text);
  if (json_canonical (&canonical, document, strlen (document), &err)
      != TALLY_OK)
    fail_msg ("%s: %s", document, err.text);
  if (query_match (query, buf_slice (&canonical), &matches, &err) != TALLY_OK)
    fail_msg ("%s: %s", text, err.text);
  buf_free (&canonical);
  query_free (query);
  return matches;
}

#endif /* TALLY_TESTS_QUERY_KIT_H */
