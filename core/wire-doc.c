/* SPDX-License-Identifier: MIT */
/* Members are sorted and "_" comes before small letters: so a body begins with
 * its _id, and the id need not be sent twice. */

#include <config.h>

#include <string.h>

#include "cbor.h"
#include "json.h"
#include "slice.h"
#include "utf8.h"
#include "wire-doc.h"

static const char before_id[] = "{\"_id\":\"";
#define BEFORE_ID (sizeof before_id - 1)

/* The id at the beginning of a body; empty when there is none, or not as it
 * is.  The body may be anything. */
static struct tally_slice
id_in_body (struct tally_slice body)
{
  struct tally_slice none = { NULL, 0 };
  const char *id, *end;

  if (body.size <= BEFORE_ID || memcmp (body.data, before_id, BEFORE_ID) != 0)
    return none;
  id = body.data + BEFORE_ID;
  end = memchr (id, '"', body.size - BEFORE_ID);
  if (!end || memchr (id, '\\', (size_t) (end - id)))
    return none;
  return slice_make (id, (size_t) (end - id));
}

static bool
is_id (struct tally_slice id)
{
  return id.size > 0 && id.size <= TALLY_ID_MAX
         && !utf8_has_control (id.data, id.size);
}

void
wire_add_doc (struct buf *out, struct wire_states *states,
              const struct tally_doc *doc)
{
  struct tally_slice none = { NULL, 0 };
  bool inside = slice_equal (id_in_body (doc->body), doc->id);

  cbor_add_text (out, inside ? none : doc->id);
  cbor_add_uint (out, doc->flags);
  wire_add_state (out, states, doc->meta);
  cbor_add_bytes (out, doc->body);
}

bool
wire_take_doc (struct tally_slice *in, struct wire_states *states,
               struct arena *arena, struct tally_doc *doc)
{
  bool inside;

  if (!cbor_take_text (in, &doc->id) || !wire_take_flags (in, &doc->flags)
      || !wire_take_state (in, states, arena, &doc->meta)
      || !cbor_take_bytes (in, &doc->body))
    return false;
  inside = doc->id.size == 0;
  if (inside)
    doc->id = id_in_body (doc->body);
  else if (slice_equal (id_in_body (doc->body), doc->id))
    return false; /* there is one way to write each */
  return (!inside || utf8_valid (doc->id)) && is_id (doc->id);
}

bool
wire_take_id (struct tally_slice *in, struct tally_slice *id)
{
  return cbor_take_text (in, id) && is_id (*id);
}

bool
wire_take_flags (struct tally_slice *in, uint32_t *flags)
{
  uint64_t value;

  if (!cbor_take_uint (in, &value) || value > TALLY_DOC_DELETED)
    return false;
  *flags = (uint32_t) value;
  return true;
}
