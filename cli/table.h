/* SPDX-License-Identifier: MIT */
/* Rows of text for people, held back until every width is known. */

#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define COLUMNS_MAX 10

struct table {
  size_t columns;
  char **cells; /* owned, row by row */
  size_t n;     /* cells */
  size_t room;
  bool failed; /* out of memory: rows are missing */
};

/* One cell for each column, copied; NULL shows as "-". */
void table_add (struct table *table, const char *const *cells);

/* Prints a heading and the rows on stdout, or nothing when there are none. */
void table_print (const struct table *table, const char *const *heading);

void table_free (struct table *table);

#endif
