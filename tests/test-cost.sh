#!/bin/sh
# SPDX-License-Identifier: MIT
# What a sync costs and does not depend on speed: bytes and round trips, as
# `sync --json` counts them, and anonymous memory, as the kernel does. The
# bench does the work and says which of its goals are met.
#   N  documents, 20,000 without it; .ci/run takes 100,000

builddir=${builddir:-.}
bench=$builddir/bench/bench
command -v jq >/dev/null || { echo "skip: jq is not installed"; exit 77; }
[ -x "$bench" ] || { echo "skip: the bench was not built"; exit 77; }
# Libtool's script would be the process that is looked at.
TALLY=$builddir/cli/.libs/tally
[ -x "$TALLY" ] || TALLY=$builddir/cli/tally
LD_LIBRARY_PATH=$builddir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export TALLY LD_LIBRARY_PATH

# A sanitizer keeps what was freed, and shadows all of it.
goals='.goal != "time"'
if ldd "$TALLY" 2>/dev/null | grep -q 'lib[a-z]*san\.'; then
  goals="$goals and (.goal | startswith (\"anonymous memory\") | not)"
  echo "built with a sanitizer: memory is not looked at"
fi

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-cost-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM PIPE
failures=0

# costs N WORKLOADS STORES: every goal that counts here.
costs ()
{
  N=$1 WORKLOADS=$2 STORES=$3 RUNS=1 TRANSPORT=http TMPDIR=$tmp "$bench" \
    >"$tmp/rows" || { echo "not ok the bench: $2 on $3"; exit 1; }
  jq -r --arg stores "$3" '. as $row | .goals[] | select ('"$goals"')
    | (if .met then "ok" else "not ok" end) + " \($row.workload) of "
      + "\($row.documents), \($stores): \(.goal) \(.is), at most \(.most)"' \
    "$tmp/rows" >"$tmp/told"
  [ -s "$tmp/told" ] || { echo "not ok $2 on $3: no goals"; exit 1; }
  cat "$tmp/told"
  failures=$((failures + $(grep -c '^not ok' "$tmp/told")))
}

costs "${N:-20000}" "first-push first-pull" linvo:sqlite
costs 10000 "nothing changed" linvo:sqlite
costs 10000 "first-push first-pull nothing changed" sqlite:linvo
costs "${N:-10000}" "lost lost-same" linvo:sqlite
# With fewer documents tests/test-engine-cost has these.
[ -z "${N:-}" ] || costs "$N" "lost-many lost-half" linvo:sqlite
[ $failures -eq 0 ]
