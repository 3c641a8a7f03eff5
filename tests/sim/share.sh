#!/bin/sh
# SPDX-License-Identifier: MIT
# A share of the simulator with a fresh seed each time, which it prints, after
# the seeds that once failed.  SIM_SECONDS: how long.

builddir=${builddir:-.}
srcdir=${srcdir:-.}
sim=$builddir/tests/sim/sim
[ -x "$sim" ] || { echo "there is no simulator"; exit 77; }

sed 's/#.*//' "$srcdir/tests/sim/seeds.txt" | while read -r seed _; do
  [ -n "$seed" ] || continue
  "$sim" -1 "$seed" 1 >/dev/null || { echo "seed $seed fails again"; exit 1; }
done || exit 1
# Without copies of stores (8): what is open there is tried by make sim.
exec "$sim" -x 8 -t "${SIM_SECONDS:-8}" "$(date +%s%N | cut -c 6-18)" 1000000
