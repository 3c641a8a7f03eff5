/* SPDX-License-Identifier: MIT */
/* What the rest of the library needs of watches. */

#ifndef TALLY_WATCH_H
#define TALLY_WATCH_H

struct tally;

/* Ends what tally_watch_start began and nobody ended. */
void watch_stop_all (struct tally *tally);

#endif /* TALLY_WATCH_H */
