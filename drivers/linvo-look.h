/* SPDX-License-Identifier: MIT */
/* What stands where a linvo store is to be opened. */

#ifndef TALLY_LINVO_LOOK_H
#define TALLY_LINVO_LOOK_H

#include <tally/driver.h>

enum linvo_standing {
  LINVO_ABSENT,     /* nothing at all */
  LINVO_EMPTY,      /* an empty folder */
  LINVO_UNFINISHED, /* a store whose making was cut short */
  LINVO_STORE,
  LINVO_HEADLESS, /* a store that lost CURRENT */
  LINVO_LEVELDB,  /* somebody else's LevelDB */
  LINVO_OTHER     /* somebody else's folder */
};

/* TALLY_CORRUPT when it is not a folder. */
int linvo_look (const char *path, enum linvo_standing *standing,
                struct tally_error *err);

/* Whether to go on with that, by the flags of open. */
int linvo_accept (const char *path, enum linvo_standing standing,
                  unsigned flags, struct tally_error *err);

#endif /* TALLY_LINVO_LOOK_H */
