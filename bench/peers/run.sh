#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the peers from npm into a folder of its own, measures them and tally
# on the same documents, and prints both side by side.
#   run.sh SRCDIR BUILDDIR
# N and RUNS as for make bench; PEERS names some of them. Rows are kept in
# BUILDDIR/peers/rows.jsonl.

set -u
src=$(cd "$1/bench/peers" && pwd) || exit 1
bench=$(cd "$2" && pwd)/bench/bench
work=$(cd "$2" && pwd)/peers
N=${N:-100000}
RUNS=${RUNS:-1}
DOCUMENTS=$work/documents
export N RUNS DOCUMENTS

command -v npm >/dev/null || { echo "peers: npm is not installed" >&2; exit 77; }
mkdir -p "$work/bagpipe" || exit 1
cp "$src"/*.mjs "$src/package.json" "$work" || exit 1
cp "$src"/bagpipe/* "$work/bagpipe" || exit 1
if ! cmp -s "$work/package.json" "$work/installed"; then
  (cd "$work" && npm install --legacy-peer-deps --no-package-lock --no-audit \
    --no-fund >npm.log 2>&1) \
    || { tail -n 20 "$work/npm.log" >&2; exit 1; }
  cp "$work/package.json" "$work/installed"
fi

WORKLOADS=documents "$bench" >"$DOCUMENTS" || exit 1
: >"$work/rows.jsonl"
for peer in ${PEERS:-pouchdb tinybase linvodb3 nedb}; do
  (cd "$work" && node "$peer.mjs") >>"$work/rows.jsonl" || exit 1
done
"$bench" >>"$work/rows.jsonl" || exit 1
exec node "$work/table.mjs" <"$work/rows.jsonl"
