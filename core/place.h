/* SPDX-License-Identifier: MIT */
/* Where a store is: a hash of machine, boot, device, and of the file's number,
 * its time of birth where the file system tells that, and its path. */

#ifndef TALLY_PLACE_H
#define TALLY_PLACE_H

/* Of the file or folder at path; NULL, and what is not there: a place of its
 * own, which is new each time.  The caller frees it; NULL: no memory. */
char *place_find (const char *path);

#endif /* TALLY_PLACE_H */
