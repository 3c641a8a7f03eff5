#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the peers from npm into a folder of its own, measures them and tally
# on the same documents, and prints both side by side.
#   run.sh SRCDIR BUILDDIR
# N and RUNS as for make bench; PEERS names some of them. Rows are kept in
# BUILDDIR/peers/rows.jsonl. Each peer, and tally, ends after PEER_DEADLINE
# seconds at the latest; what it had not done by then has a row that says so,
# and the others go on.

set -u
src=$(cd "$1/bench/peers" && pwd) || exit 1
bench=$(cd "$2" && pwd)/bench/bench
work=$(cd "$2" && pwd)/peers
N=${N:-100000}
RUNS=${RUNS:-1}
limit=${PEER_DEADLINE:-1200}
DOCUMENTS=$work/documents
TMPDIR=$work/scratch
export N RUNS DOCUMENTS TMPDIR

command -v npm >/dev/null || { echo "peers: npm is not installed" >&2; exit 77; }
mkdir -p "$work/bagpipe" "$TMPDIR" || exit 1
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 1' HUP INT TERM PIPE
cp "$src"/*.mjs "$src/package.json" "$work" || exit 1
cp "$src"/bagpipe/* "$work/bagpipe" || exit 1
if ! cmp -s "$work/package.json" "$work/installed"; then
  (cd "$work" && npm install --legacy-peer-deps --no-package-lock --no-audit \
    --no-fund >npm.log 2>&1) \
    || { tail -n 20 "$work/npm.log" >&2; exit 1; }
  cp "$work/package.json" "$work/installed"
fi

# ended PEER STATUS: 124 and 137 are those of timeout.
ended ()
{
  case $2 in
  0) ;;
  124 | 137)
    echo "{\"who\":\"$1\",\"not_done_after\":$limit}" >>"$work/rows.jsonl"
    ;;
  *) echo "{\"who\":\"$1\",\"failed\":$2}" >>"$work/rows.jsonl" ;;
  esac
}

WORKLOADS=documents "$bench" >"$DOCUMENTS" || exit 1
: >"$work/rows.jsonl"
for peer in ${PEERS:-pouchdb tinybase linvodb3 nedb}; do
  (cd "$work" && exec timeout -k 10 "$limit" node "$peer.mjs") >>"$work/rows.jsonl"
  ended "$peer" $?
done
timeout -k 10 "$limit" "$bench" >>"$work/rows.jsonl"
ended tally $?
node "$work/table.mjs" <"$work/rows.jsonl"
