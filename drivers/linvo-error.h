/* SPDX-License-Identifier: MIT */
/* How the files of the linvo store report what went wrong. */

#ifndef TALLY_LINVO_ERROR_H
#define TALLY_LINVO_ERROR_H

#include <tally/driver.h>

/* Fill *err and return the status. */
int linvo_fail (struct tally_error *err, int status, const char *path,
                const char *format, ...)
#if defined __GNUC__
    __attribute__ ((format (printf, 4, 5)))
#endif
    ;
int linvo_fail_errno (struct tally_error *err, const char *path, int code);

#endif /* TALLY_LINVO_ERROR_H */
