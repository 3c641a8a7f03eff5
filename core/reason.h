/* SPDX-License-Identifier: MIT */
/* errno in the words of our messages: lower case, and without the locale. */

#ifndef TALLY_CORE_REASON_H
#define TALLY_CORE_REASON_H

/* A static text, or one that lives until the next call in this thread. */
const char *reason_errno (int number);

#endif /* TALLY_CORE_REASON_H */
