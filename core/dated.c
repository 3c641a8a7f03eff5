/* SPDX-License-Identifier: MIT */
/* Documents with and without _mtime. */

#include <config.h>

#include "document.h"
#include "error.h"
#include "json.h"
#include "moment.h"
#include "dated.h"

#define MTIME "_mtime"
#define CTIME "_ctime"

/* ---- in ----------------------------------------------------------------- */

/* The members of a document that is, or may be, a delete. */
struct shape {
  bool removed, from_zero, more;
};

static void
look_at_member (struct shape *shape, const struct json_member *member)
{
  uint64_t ms;

  if (slice_equal (member->key, slice_text ("removed")))
    shape->removed = slice_equal (member->value, slice_text ("true"));
  else if (slice_equal (member->key, slice_text (CTIME)))
    shape->from_zero = moment_read (member->value, &ms) && ms == 0;
  if (!slice_equal (member->key, slice_text ("removed"))
      && !slice_equal (member->key, slice_text ("_id"))
      && !(shape->from_zero && slice_equal (member->key, slice_text (CTIME))))
    shape->more = true;
}

static void
add_member (struct buf *out, bool *first, const struct json_member *member)
{
  buf_addf (out, "%s\"", *first ? "{" : ",");
  buf_add_slice (out, member->key);
  buf_add_text (out, "\":");
  buf_add_slice (out, member->value);
  *first = false;
}

/* Copies all but _mtime, of which *mtime has the value. */
static enum dated_kind
strip (struct buf *out, struct tally_slice *mtime, struct tally_slice body)
{
  struct json_member member;
  struct shape shape = { false, false, false };
  bool first = true;

  *mtime = slice_make (NULL, 0);
  while (json_next_member (&body, &member))
    if (slice_equal (member.key, slice_text (MTIME)))
      *mtime = member.value;
    else {
      add_member (out, &first, &member);
      look_at_member (&shape, &member);
    }
  buf_add_byte (out, '}');
  if (!shape.removed || shape.more)
    return DATED_DOCUMENT;
  return shape.from_zero ? DATED_ECHO : DATED_REMOVED;
}

int
dated_take (struct dated *out, struct tally_slice text,
            struct tally_error *err)
{
  struct buf given = BUF_INIT;
  struct tally_slice mtime = { NULL, 0 };
  bool made;
  int status;

  buf_clear (&out->body);
  status = document_read (&given, &out->id, &made, text, NULL, err);
  if (status == TALLY_OK && made)
    status = error_set (err, TALLY_INVALID, "has no _id");
  if (status == TALLY_OK) {
    out->kind = strip (&out->body, &mtime, buf_slice (&given));
    if (out->body.failed)
      status = error_nomem (err);
    else if (!mtime.data)
      status = error_set (err, TALLY_INVALID, "document \"%.*s\": has no %s",
                          (int) out->id.size, out->id.data, MTIME);
    else if (!moment_read (mtime, &out->mtime))
      status = error_set (err, TALLY_INVALID,
                          "document \"%.*s\": its %s is no time between 1970 "
                          "and 2109",
                          (int) out->id.size, out->id.data, MTIME);
  }
  buf_free (&given);
  return status;
}

void
dated_free (struct dated *taken)
{
  buf_free (&taken->body);
  buf_free (&taken->id);
}

/* The next member that is no _mtime. */
static bool
next_plain (struct tally_slice *rest, struct json_member *member)
{
  while (json_next_member (rest, member))
    if (!slice_equal (member->key, slice_text (MTIME)))
      return true;
  return false;
}

bool
dated_equal (struct tally_slice body, struct tally_slice stored)
{
  struct json_member a, b;
  bool more;

  do {
    more = next_plain (&body, &a);
    if (more != next_plain (&stored, &b))
      return false;
  } while (more && slice_equal (a.key, b.key)
           && slice_equal (a.value, b.value));
  return !more;
}

/* ---- out ---------------------------------------------------------------- */

static void
add_time (struct buf *out, bool *first, const char *key, uint64_t ms)
{
  char text[DATED_TIME_TEXT];

  dated_time_text (text, ms);
  buf_addf (out, "%s\"%s\":\"%s\"", *first ? "{" : ",", key, text);
  *first = false;
}

/* LinvoDB makes a date of whatever _ctime is, which it knows as text or as
 * milliseconds. */
static void
give_member (struct buf *out, bool *first, const struct json_member *member)
{
  uint64_t ms;

  if (slice_equal (member->key, slice_text (CTIME))
      && json_type (member->value) == JSON_OBJECT
      && moment_read (member->value, &ms))
    add_time (out, first, CTIME, ms);
  else
    add_member (out, first, member);
}

static void
give_removed (struct buf *out, struct tally_slice id, uint64_t mtime,
              bool from_zero)
{
  bool first = true;

  if (from_zero)
    add_time (out, &first, CTIME, 0);
  buf_addf (out, "%s\"_id\":", first ? "{" : ",");
  first = false;
  json_encode_string (out, id);
  add_time (out, &first, MTIME, mtime);
  buf_add_text (out, ",\"removed\":true}");
}

void
dated_give_echo (struct buf *out, struct tally_slice id, uint64_t mtime)
{
  give_removed (out, id, mtime, true);
}

void
dated_give (struct buf *out, const struct tally_doc *doc, uint64_t mtime)
{
  struct tally_slice rest = doc->body;
  struct json_member member;
  bool first = true, placed = false;

  if (doc->flags & TALLY_DOC_DELETED) {
    give_removed (out, doc->id, mtime, false);
    return;
  }
  while (json_next_member (&rest, &member)) {
    int order = json_key_cmp (member.key, slice_text (MTIME));

    if (!placed && order >= 0) {
      add_time (out, &first, MTIME, mtime);
      placed = true;
    }
    if (order != 0)
      give_member (out, &first, &member);
  }
  if (!placed)
    add_time (out, &first, MTIME, mtime);
  buf_add_byte (out, '}');
}
