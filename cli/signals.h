/* SPDX-License-Identifier: MIT */
/* SIGINT, SIGTERM and SIGHUP cancel the call under way; a second one kills,
 * as it would have without us. */

#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

struct tally;

void signals_begin (struct tally *tally);
void signals_end (void);

/* The signal that came, or 0. */
int signals_caught (void);

/* Waits until there is something to read; nonzero when a signal came instead,
 * or before. */
int signals_await (int fd);

#endif
