/* SPDX-License-Identifier: MIT */
/* A document a line, or what `tally export STORE` prints:
 * {"collection","document"}. */

#include <config.h>

#include <string.h>

#include "import.h"
#include "json.h"

/* False: it is a document like any other. */
static bool
unwrap (struct tally_slice line, struct buf *collection,
        struct tally_slice *document)
{
  struct tally_slice rest = line;
  struct json_member member;
  size_t members = 0;
  bool named = false, found = false;

  if (json_type (line) != JSON_OBJECT)
    return false;
  while (json_next_member (&rest, &member)) {
    members++;
    if (slice_equal (member.key, slice_text ("collection"))
        && json_type (member.value) == JSON_STRING)
      named = json_decode_string (collection, member.value);
    else if (slice_equal (member.key, slice_text ("document"))
             && json_type (member.value) == JSON_OBJECT) {
      *document = member.value;
      found = true;
    }
  }
  buf_add_byte (collection, '\0');
  return named && found && members == 2 && !collection->failed;
}

static bool
is_blank (struct tally_slice line)
{
  for (size_t i = 0; i < line.size; i++)
    if (!memchr (" \t\r", line.data[i], 3))
      return false;
  return true;
}

/* Lines of other collections than the one that was asked for are passed
 * over. */
static int
take_line (struct importing *importing, struct tally_slice line,
           struct tally_error *err)
{
  struct buf canonical = BUF_INIT, collection = BUF_INIT;
  struct tally_slice document;
  int status = json_canonical (&canonical, line.data, line.size, err);

  if (status == TALLY_OK
      && unwrap (buf_slice (&canonical), &collection, &document)) {
    if (strlen (collection.data) + 1 != collection.size)
      status = error_set (err, TALLY_INVALID,
                          "the collection's name has a NUL in it");
    else if (!importing->collection
             || strcmp (importing->collection, collection.data) == 0)
      status = import_document (importing, collection.data, document, 0, err);
  } else if (status == TALLY_OK)
    status = import_document (importing, NULL, buf_slice (&canonical), 0, err);
  buf_free (&collection);
  buf_free (&canonical);
  return status;
}

int
import_ndjson (struct importing *importing, struct lines *lines,
               struct tally_error *err)
{
  struct tally_slice line;
  int status = TALLY_OK;

  while (status == TALLY_OK && !importing->stop) {
    status = lines_next (lines, &line, err);
    if (status != TALLY_OK || is_blank (line))
      continue;
    status = take_line (importing, line, err);
    if (status == TALLY_INVALID)
      status = import_bad_line (importing, lines, err);
  }
  return status == TALLY_NOTFOUND ? TALLY_OK : status;
}
