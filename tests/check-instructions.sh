#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions for each document on the hot paths, as valgrind counts them: they
# say what times on a busy machine cannot.  More than a tenth above what is
# stored is a failure; as many less is worth storing.  make check-instructions
#   STORE=1  store what is counted instead

top=${srcdir:-.}
builddir=${builddir:-.}
stored=$top/tests/instructions.txt
program=$builddir/tests/instructions
documents=1000

skip ()
{
  echo "skip: $1"
  exit 77
}
command -v valgrind >/dev/null || skip "valgrind is not installed"
[ -x "$program" ] || skip "valgrind's headers were not there"
# Libraries take other ways on a processor without it.
grep -qw avx2 /proc/cpuinfo 2>/dev/null || skip "the numbers are of AVX2"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-instructions-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM PIPE
HOME=$tmp
TALLY_DRIVER_PATH=$(cd "$builddir" && pwd)/drivers/.libs
LD_BIND_NOW=1
export HOME TALLY_DRIVER_PATH LD_BIND_NOW
unset TALLY_CONFIG XDG_CONFIG_HOME

"$builddir/libtool" --mode=execute valgrind --tool=callgrind \
  --instr-atstart=no --callgrind-out-file="$tmp/count" \
  "$program" "$tmp" $documents >"$tmp/log" 2>&1
code=$?
[ $code -ne 77 ] || skip "the numbers are of gcc with optimization, x86-64"
[ $code -eq 0 ] || { cat "$tmp/log"; exit 1; }

# One dump for each part, of which each ends with its name and total.
for dump in "$tmp"/count.*; do
  awk -v n=$documents '
    /^desc: Trigger: Client Request: / { part = substr($0, 32) }
    /^totals: / { print part, int($2 / n) }' "$dump"
done | grep -v '^ ' >"$tmp/counted"

if [ -n "${STORE:-}" ]; then
  cp "$tmp/counted" "$stored"
  exit
fi
awk '
  NR == FNR { most[$1 " " $2] = $3; next }
  {
    part = $1 " " $2
    seen[part] = 1
    if (!(part in most))
      { printf "not ok %s: %d, and nothing is stored\n", part, $3; bad = 1 }
    else if ($3 > most[part] * 1.1)
      { printf "not ok %s: %d, stored %d\n", part, $3, most[part]; bad = 1 }
    else
      printf "ok %s: %d, stored %d%s\n", part, $3, most[part],
        $3 < most[part] * 0.9 ? ": fewer, store them" : ""
  }
  END {
    for (part in most)
      if (!(part in seen))
        { printf "not ok %s: was not counted\n", part; bad = 1 }
    exit bad
  }' "$stored" "$tmp/counted"
