/* SPDX-License-Identifier: MIT */
/* Documents as LinvoDB's clients send and see them: with the time of their
 * last change in _mtime, which is not stored here since it follows from the
 * stamps; and a delete is a document that says "removed".  Pure. */

#ifndef TALLY_DATED_H
#define TALLY_DATED_H

#include <stdbool.h>
#include <stdint.h>

#include <tally/driver.h>

#include "buf.h"

/* "2023-11-14T22:13:20.000Z" and a NUL. */
#define DATED_TIME_TEXT 25
void dated_time_text (char out[DATED_TIME_TEXT], uint64_t ms);

/* What a document says. */
enum dated_kind {
  DATED_DOCUMENT,
  /* Nothing but that it is removed: how a delete goes out. */
  DATED_REMOVED,
  /* The same with a _ctime of 0, which is what LinvoDB makes of it, and how a
   * client gives it back. */
  DATED_ECHO
};

struct dated {
  struct buf body; /* canonical, without _mtime */
  struct buf id;
  uint64_t mtime;
  enum dated_kind kind;
};

/* Takes a document as it came in; everything in *out (zeros at first) is
 * cleared before.
 * TALLY_INVALID: it is none, or has no _id or no _mtime. */
int dated_take (struct dated *out, struct tally_slice text,
                struct tally_error *err);
void dated_free (struct dated *taken);

/* Whether a body says what a stored one does, in which an _mtime may stand
 * that came from elsewhere. */
bool dated_equal (struct tally_slice body, struct tally_slice stored);

/* Appends a stored document, with its body, as it goes out. */
void dated_give (struct buf *out, const struct tally_doc *doc, uint64_t mtime);

/* Appends a delete as DATED_ECHO. */
void dated_give_echo (struct buf *out, struct tally_slice id, uint64_t mtime);

#endif /* TALLY_DATED_H */
