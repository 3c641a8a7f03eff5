#!/bin/sh
# SPDX-License-Identifier: MIT
# A share of the simulator with a fresh seed each time, which it prints, after
# the seeds that once failed.  SIM_SECONDS: how long; SIM_FIXED: how many
# schedules of the same seeds each time, with everything.

builddir=${builddir:-.}
srcdir=${srcdir:-.}
sim=$builddir/tests/sim/sim
[ -x "$sim" ] || { echo "there is no simulator"; exit 77; }

sed 's/#.*//' "$srcdir/tests/sim/seeds.txt" | while read -r seed _; do
  [ -n "$seed" ] || continue
  "$sim" -1 "$seed" 1 >/dev/null || { echo "seed $seed fails again"; exit 1; }
done || exit 1
# Everything, where nothing is known to be open.
"$sim" -1 -j 2 1 "${SIM_FIXED:-500}" || exit 1
# Fresh seeds, without what has something open: copies of stores (8), clocks
# that are off by years (1024) and long waits (4096).  make sim has all.
exec "$sim" -x 5128 -t "${SIM_SECONDS:-4}" "$(date +%s%N | cut -c 6-18)" 1000000
