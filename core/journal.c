/* SPDX-License-Identifier: MIT */
/* Entries as documents:
 * {"_id","at","blind"?,"collection","document","field","link",
 *  "lost":{"absent"?,"client","stamp","value"},"there"?,"won":{...}}.
 * value is null where absent is true: a field that was removed, or for the
 * document as a whole (field "") a delete. */

#include <config.h>

#include <string.h>

#include <sodium.h>

#include "error.h"
#include "hashpart.h"
#include "journal.h"
#include "json.h"

void
journal_id (char out[JOURNAL_ID_TEXT], const char *collection,
            struct tally_slice id, const struct loser *loser)
{
  crypto_generichash_state hash;
  unsigned char digest[16];

  crypto_generichash_init (&hash, NULL, 0, sizeof digest);
  hash_part (&hash, collection, strlen (collection));
  hash_part (&hash, id.data, id.size);
  hash_part (&hash, loser->field.data, loser->field.size);
  hash_part (&hash, loser->lost_stamp.bytes, STAMP_SIZE);
  /* Documents that differ may have the same newest stamp. */
  if (loser->field.size == 0)
    hash_part (&hash, loser->lost.data, loser->lost.size);
  crypto_generichash_final (&hash, digest, sizeof digest);
  sodium_bin2hex (out, JOURNAL_ID_TEXT, digest, sizeof digest);
}

static void
add_side (struct buf *out, struct tally_slice value, const struct stamp *stamp)
{
  char text[STAMP_TEXT + 1];

  stamp_to_text (text, stamp);
  buf_addf (out, "{%s\"client\":\"%s\",\"stamp\":\"%s\",\"value\":",
            value.data ? "" : "\"absent\":true,", text + STAMP_TEXT - 5, text);
  if (value.data)
    buf_add_slice (out, value);
  else
    buf_add_text (out, "null");
  buf_add_byte (out, '}');
}

static void
write_body (struct buf *out, const struct journal *journal,
            const char *entry_id, struct tally_slice id,
            const struct loser *loser)
{
  buf_addf (out, "{\"_id\":\"%s\",\"at\":%llu,%s\"collection\":\"%s\",",
            entry_id, (unsigned long long) replica_wall_ms (journal->replica),
            journal->blind ? "\"blind\":true," : "", journal->collection);
  buf_add_text (out, "\"document\":");
  json_encode_string (out, id);
  buf_addf (out, ",\"field\":\"%.*s\",\"link\":", (int) loser->field.size,
            loser->field.data);
  json_encode_string (out, slice_text (journal->link ? journal->link : ""));
  buf_add_text (out, ",\"lost\":");
  add_side (out, loser->lost, &loser->lost_stamp);
  buf_addf (out, ",%s\"won\":", journal->there ? "\"there\":true," : "");
  add_side (out, loser->won, &loser->won_stamp);
  buf_add_byte (out, '}');
}

int
journal_add (struct journal *journal, struct tally_slice id,
             const struct loser *loser, struct tally_error *err)
{
  char entry_id[JOURNAL_ID_TEXT];
  struct buf body = BUF_INIT, meta = BUF_INIT;
  struct tally_doc doc = { 0 };
  struct state state = { 0 };
  int status = replica_stamp (journal->replica, NULL, &state.whole, err);

  journal_id (entry_id, journal->collection, id, loser);
  write_body (&body, journal, entry_id, id, loser);
  state.body = buf_slice (&body);
  state_encode (&state, &meta);
  doc.id = slice_text (entry_id);
  doc.meta = buf_slice (&meta);
  doc.body = state.body;
  state_rev (&state, doc.id, doc.rev);
  if (status == TALLY_OK
      && (body.failed || meta.failed
          || !doclist_add (&journal->entries, &doc)))
    status = error_nomem (err);
  buf_free (&meta);
  buf_free (&body);
  return status;
}

void
journal_entries (const struct journal *journal, size_t first, size_t n,
                 struct tally_entry *out)
{
  memset (out, 0, n * sizeof *out);
  for (size_t i = 0; i < n; i++) {
    out[i].collection =
        journal->blind ? JOURNAL_BLIND_COLLECTION : JOURNAL_COLLECTION;
    out[i].doc = journal->entries.docs[first + i];
  }
}

void
journal_clear (struct journal *journal)
{
  doclist_clear (&journal->entries);
}

void
journal_free (struct journal *journal)
{
  doclist_free (&journal->entries);
}
