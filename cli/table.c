/* SPDX-License-Identifier: MIT */
/* Rows of text for people, held back until every width is known. */

#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "table.h"

#define GAP 2
#define WIDTH_MAX 60 /* a longer cell pushes its own row only */

/* Characters, not bytes; wide ones count as one. */
static size_t
width_of (const char *text)
{
  size_t n = 0;

  for (; *text; text++)
    n += ((unsigned char) *text & 0xc0) != 0x80;
  return n;
}

void
table_add (struct table *table, const char *const *cells)
{
  size_t i, room;
  char **grown, *copy;

  if (table->failed)
    return;
  if (table->n + table->columns > table->room) {
    room = 2 * table->room + 8 * table->columns;
    grown = realloc (table->cells, room * sizeof *grown);
    if (!grown) {
      table->failed = true;
      return;
    }
    table->cells = grown;
    table->room = room;
  }
  for (i = 0; i < table->columns; i++) {
    copy = strdup (cells[i] ? cells[i] : "-");
    if (!copy) {
      while (i-- > 0)
        free (table->cells[table->n + i]);
      table->failed = true;
      return;
    }
    table->cells[table->n + i] = copy;
  }
  table->n += table->columns;
}

static size_t
column_width (const struct table *table, const char *const *heading, size_t c)
{
  size_t i, w, width = width_of (heading[c]);

  for (i = c; i < table->n; i += table->columns) {
    w = width_of (table->cells[i]);
    if (w > width && w <= WIDTH_MAX)
      width = w;
  }
  return width;
}

static void
print_row (const char *const *cells, const size_t *widths, size_t columns)
{
  size_t i, w;

  for (i = 0; i < columns; i++) {
    out_plain (stdout, cells[i]);
    if (i + 1 == columns)
      break;
    for (w = width_of (cells[i]); w < widths[i] + GAP; w++)
      putchar (' ');
    if (w > widths[i] + GAP)
      fputs ("  ", stdout);
  }
  putchar ('\n');
}

void
table_print (const struct table *table, const char *const *heading)
{
  size_t widths[COLUMNS_MAX] = { 0 }, i;

  if (table->n == 0 || table->columns > COLUMNS_MAX)
    return;
  for (i = 0; i < table->columns; i++)
    widths[i] = column_width (table, heading, i);
  print_row (heading, widths, table->columns);
  for (i = 0; i < table->n; i += table->columns)
    print_row ((const char *const *) table->cells + i, widths, table->columns);
}

void
table_free (struct table *table)
{
  size_t i;

  for (i = 0; i < table->n; i++)
    free (table->cells[i]);
  free (table->cells);
  memset (table, 0, sizeof *table);
}
