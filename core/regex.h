/* SPDX-License-Identifier: MIT */
/* Regular expressions of queries: Perl's, over UTF-8, with limits on all that
 * a hostile one can spend. */

#ifndef TALLY_REGEX_H
#define TALLY_REGEX_H

#include <stdbool.h>

#include "buf.h"

struct regex;

#define REGEX_PATTERN_MAX 4096

/* pattern and options as strings are in JSON, with quotes; options.data NULL:
 * none.  Options are letters of "imsxu".  TALLY_INVALID says what is wrong. */
int regex_new (struct regex **out, struct tally_slice pattern,
               struct tally_slice options, struct tally_error *err);
void regex_free (struct regex *regex);

/* string is one as in canonical JSON.  TALLY_INVALID: it took more than any
 * search may.  One thread at a time. */
int regex_match (struct regex *regex, struct tally_slice string, bool *matches,
                 struct tally_error *err);

/* Appends, as UTF-8, what every string that it matches begins with: nothing
 * when that is not known. */
void regex_prefix (const struct regex *regex, struct buf *out);

#endif /* TALLY_REGEX_H */
