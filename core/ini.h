/* SPDX-License-Identifier: MIT */
/* A strict reading of an ini text: sections and entries in order, each with
 * its line, and an error with FILE:LINE for whatever could be misread. */

#ifndef TALLY_CORE_INI_H
#define TALLY_CORE_INI_H

#include <stddef.h>

struct tally_error;

#define INI_SIZE_MAX ((size_t) 1 << 20)

/* "[store notes]" has the name "store notes": the blanks in it are single
 * spaces.  A section stands here also when it has no entries. */
struct ini_section {
  char *name;
  unsigned line;
};

/* `section` is an index into the sections. */
struct ini_entry {
  size_t section;
  char *key;
  char *value; /* may be "" */
  unsigned line;
};

struct ini {
  struct ini_section *sections;
  size_t n_sections;
  struct ini_entry *entries;
  size_t n_entries;
};

/* Reads the whole text (any bytes, no NUL needed after it).  `file` is only
 * for messages.  Bad input is TALLY_CONFIG with the text "FILE:LINE: reason".
 * On an error *out is empty.  Not called ini_parse: that one is inih's. */
int ini_read (struct ini *out, const char *file, const char *text, size_t size,
              struct tally_error *err);

void ini_free (struct ini *ini);

#endif /* TALLY_CORE_INI_H */
