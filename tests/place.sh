#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the folder in which tests make theirs: TMPDIR where it is set, else a
# file system in memory that has 2 GiB to spare, else /tmp.  Tests write
# durably some ten thousand times, and would mostly wait for a disk that none
# of them can see anything of: who is killed leaves what was written, anyway.
# Stores keep an attribute of their files, which such a file system has had
# since Linux 6.6.

if [ -n "$TMPDIR" ]; then
  echo "$TMPDIR"
elif [ -w /dev/shm ] \
  && uname -r | awk -F. '{ exit !($1 > 6 || ($1 == 6 && $2 + 0 >= 6)) }' \
  && [ "$(df -Pk /dev/shm 2>/dev/null \
  | awk 'NR == 2 { print ($4 > 2097152) }')" = 1 ]; then
  echo /dev/shm
else
  echo /tmp
fi
