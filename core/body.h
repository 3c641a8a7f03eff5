/* SPDX-License-Identifier: MIT */
/* Writes a document's canonical body from fields that come in key order, and
 * puts _id where it belongs among them. */

#ifndef TALLY_BODY_H
#define TALLY_BODY_H

#include "buf.h"
#include "json.h"

struct body_writer {
  struct buf *out;
  struct tally_slice id; /* its value as JSON; data NULL: none, or written */
  size_t members;
};

static inline void
body_member (struct body_writer *body, struct tally_slice key,
             struct tally_slice value)
{
  buf_add_byte (body->out, body->members++ ? ',' : '{');
  buf_add_byte (body->out, '"');
  buf_add_slice (body->out, key);
  buf_add (body->out, "\":", 2);
  buf_add_slice (body->out, value);
}

static inline void
body_id (struct body_writer *body)
{
  struct tally_slice id = body->id;

  body->id = slice_make (NULL, 0);
  if (id.data)
    body_member (body, slice_text ("_id"), id);
}

static inline void
body_start (struct body_writer *body, struct buf *out, struct tally_slice id)
{
  body->out = out;
  body->id = id;
  body->members = 0;
}

/* key is raw canonical text, value canonical JSON. */
static inline void
body_add (struct body_writer *body, struct tally_slice key,
          struct tally_slice value)
{
  if (body->id.data && json_key_cmp (key, slice_text ("_id")) > 0)
    body_id (body);
  body_member (body, key, value);
}

/* A tombstone that hides nothing has no body at all. */
static inline void
body_end (struct body_writer *body, bool deleted)
{
  body_id (body);
  if (body->members > 0)
    buf_add_byte (body->out, '}');
  else if (!deleted)
    buf_add (body->out, "{}", 2);
}

#endif /* TALLY_BODY_H */
