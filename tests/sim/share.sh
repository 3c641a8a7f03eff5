#!/bin/sh
# SPDX-License-Identifier: MIT
# A share of the simulator, with everything: the seeds that once failed, then
# SIM_FIXED schedules of the same seeds each time, then fresh ones, whose seed
# it prints, for SIM_SECONDS.

builddir=${builddir:-.}
srcdir=${srcdir:-.}
sim=$builddir/tests/sim/sim
[ -x "$sim" ] || { echo "there is no simulator"; exit 77; }

sed 's/#.*//' "$srcdir/tests/sim/seeds.txt" | while read -r seed _; do
  [ -n "$seed" ] || continue
  "$sim" -1 "$seed" 1 >/dev/null || { echo "seed $seed fails again"; exit 1; }
done || exit 1
"$sim" -1 -j 2 1 "${SIM_FIXED:-500}" || exit 1
exec "$sim" -t "${SIM_SECONDS:-4}" "$(date +%s%N | cut -c 6-18)" 1000000
