/* SPDX-License-Identifier: MIT */
/* Filling struct tally_error.  Messages end up in terminals and logs, and
 * carry names that came from files and peers, so that whatever is put into
 * one comes out as a single line of valid UTF-8. */

#ifndef TALLY_CORE_ERROR_H
#define TALLY_CORE_ERROR_H

#include <tally/driver.h>

#if defined __GNUC__
#define ERROR_FORMAT(string, first) \
  __attribute__ ((format (printf, string, first)))
#else
#define ERROR_FORMAT(string, first)
#endif

/* Fills err, which may be NULL, and returns status.  The arguments may point
 * into err->text.  Control characters and bad UTF-8 become '?'; what is too
 * long is cut between two characters. */
int error_set (struct tally_error *err, int status, const char *fmt, ...)
    ERROR_FORMAT (3, 4);

/* TALLY_FAILED, "out of memory". */
int error_nomem (struct tally_error *err);

/* Back to TALLY_OK and no text. */
void error_clear (struct tally_error *err);

#endif /* TALLY_CORE_ERROR_H */
