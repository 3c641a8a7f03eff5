/* SPDX-License-Identifier: MIT */
/* JSON as tally stores it.  There is one canonical text for a value, so that
 * equal bytes mean equal documents: UTF-8, no white space, members sorted
 * bytewise by their decoded keys, strings in their shortest escape, numbers
 * with the digits they came with.  Text is checked once, when it comes in;
 * from then on cursors walk over the canonical bytes and no tree is built. */

#ifndef TALLY_CORE_JSON_H
#define TALLY_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

#include "buf.h"

/* The outermost array or object is at depth 1. */
#define JSON_DEPTH_MAX 64

enum json_type {
  JSON_NULL,
  JSON_BOOL,
  JSON_NUMBER,
  JSON_STRING,
  JSON_ARRAY,
  JSON_OBJECT
};

/* A member as it stands in canonical text: the key is what is between the
 * quotes, still escaped, the value may be anything. */
struct json_member {
  struct tally_slice key;
  struct tally_slice value;
};

/* ---- coming in --------------------------------------------------------- */

/* Appends the canonical text of exactly one value, which may stand in white
 * space.  TALLY_INVALID for anything that is not JSON and for duplicate
 * members, bad UTF-8, lone surrogates, more than JSON_DEPTH_MAX levels and
 * numbers that a double cannot hold; the message begins with the place
 * ("column 17: ", or "line 3, column 17: " from the second line on; columns
 * are bytes).  On any error out has the bytes it had. */
int json_canonical (struct buf *out, const char *text, size_t size,
                    struct tally_error *err);

/* Whether json_canonical would give these very bytes.  Allocates nothing. */
bool json_is_canonical (const char *text, size_t size);

/* The place behind the value at p if it is canonical as it stands, else NULL;
 * of a number what follows it is not looked at. */
const char *json_canonical_end (const char *p, const char *end);

/* Finds the next value in a stream of values, with or without white space
 * between them, from *offset on, and moves *offset behind it.  Only the
 * extent is looked for: json_canonical checks the value.  TALLY_NOTFOUND
 * (err is left alone) at the end, TALLY_INVALID when the last value is not
 * whole. */
int json_split (const char *text, size_t size, size_t *offset,
                struct tally_slice *value, struct tally_error *err);

/* Where the byte at offset stands, counted from 1. */
void json_locate (const char *text, size_t offset, size_t *line,
                  size_t *column);

/* The place behind the value at p, in text that may be anything; NULL when
 * there is none, or it is not whole.  Of what begins like a value only the
 * extent is looked for. */
const char *json_value_end (const char *p, const char *end);

bool utf8_valid (struct tally_slice text);

/* ---- walking over canonical text --------------------------------------- */

/* These trust the text to be canonical, but read nothing outside of it
 * whatever it is: on other text they end early or give nonsense. */

enum json_type json_type (struct tally_slice value);

/* Start with *rest the whole text of an object or array; false at its end.
 * *rest then is for the next call, nothing else. */
bool json_next_member (struct tally_slice *rest, struct json_member *member);
bool json_next_element (struct tally_slice *rest, struct tally_slice *element);

/* raw_key is escaped as in canonical text, without quotes. */
bool json_find_member (struct tally_slice object, struct tally_slice raw_key,
                       struct tally_slice *value);

/* The order of members: that of the decoded keys, bytewise. */
int json_key_cmp (struct tally_slice a, struct tally_slice b);

/* Compares two numbers exactly, however many digits they have. */
int json_number_cmp (struct tally_slice a, struct tally_slice b);

/* A number as 0.DIGITS times ten to the power of *exponent, without zeros at
 * either end of the digits, among which a point may stand; no digits: zero.
 * Exponents beyond any double are cut off. */
void json_number_parts (struct tally_slice number, bool *negative,
                        struct tally_slice *digits, int64_t *exponent);

/* Appends what a string value, with its quotes, stands for; any escape that
 * JSON knows is understood.  False, with nothing added, when it is no string
 * or out has failed. */
bool json_decode_string (struct buf *out, struct tally_slice value);

/* Appends UTF-8 as a canonical string, with quotes.  The caller knows that
 * it is valid. */
void json_encode_string (struct buf *out, struct tally_slice utf8);

#endif /* TALLY_CORE_JSON_H */
