/* SPDX-License-Identifier: MIT */
/* Keys of JSON objects as they are written, in the order that canonical text
 * has them. */

#ifndef TALLY_TESTS_ORDERED_KEYS_H
#define TALLY_TESTS_ORDERED_KEYS_H

/* In decoded order; escapes stand for bytes below or above their backslash. */
static const char *const ordered_keys[] = {
  "",
  "\\u0000",
  "\\u0001",
  "\\b",
  "\\t",
  "\\n",
  "\\u000b",
  "\\f",
  "\\r",
  "\\u000e",
  "\\u001f",
  " ",
  "!",
  "\\\"",
  "#",
  "0",
  "A",
  "[",
  "\\\\",
  "\\\\\\\\",
  "\\\\a",
  "]",
  "a",
  "a\\n",
  "a\\u001fx",
  "a ",
  "a\\\"",
  "a#",
  "aZ",
  "a\\\\",
  "a\\\\b",
  "a]",
  "ab",
  "b",
  "\x7f",
  "\xc3\xa9",
  "\xe2\x82\xac",
  "\xee\x80\x80",
  "\xf0\x9f\x8e\x89",
};

#define ORDERED_KEYS (sizeof ordered_keys / sizeof *ordered_keys)

#endif /* TALLY_TESTS_ORDERED_KEYS_H */
