#!/bin/sh
# SPDX-License-Identifier: MIT
# A share of the simulator, with everything: the seeds that once failed, then
# SIM_FIXED schedules of the same seeds each time, then fresh ones for
# SIM_SECONDS.  These are fresh each day: what fails in the morning fails in the
# afternoon, too, wherever it is run.

builddir=${builddir:-.}
srcdir=${srcdir:-.}
sim=$builddir/tests/sim/sim
[ -x "$sim" ] || { echo "there is no simulator"; exit 77; }

sed 's/#.*//' "$srcdir/tests/sim/seeds.txt" | while read -r seed _; do
  [ -n "$seed" ] || continue
  "$sim" -1 "$seed" 1 >/dev/null || { echo "seed $seed fails again"; exit 1; }
done || exit 1
"$sim" -1 -j 2 1 "${SIM_FIXED:-500}" || exit 1
day=$(($(date +%s) / 86400))
exec "$sim" -t "${SIM_SECONDS:-4}" $((day * 100000)) 100000
