#!/bin/sh
# SPDX-License-Identifier: MIT
# Random queries, sorts, projections, updates and upserts by the real
# @seald-io/nedb and by tally, on the same documents: what differs must be a
# difference that tally-query(7) names.  ANSWER is tests/npm/answer; srcdir,
# the source; NPM_PEERS, a folder where `npm install` was done before; SEED
# and ROUNDS, of some 250 queries and updates each, can be set.

srcdir=${srcdir:-$(dirname "$0")/../..}
srcdir=$(cd "$srcdir" && pwd) || exit 99
for c in node npm; do
  command -v $c >/dev/null || { echo "skip: $c is not installed"; exit 77; }
done

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-nedb-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM PIPE
HOME=$tmp
export HOME
unset TALLY_CONFIG XDG_CONFIG_HOME XDG_CONFIG_DIRS

peers=${NPM_PEERS:-$tmp/peers}
mkdir -p "$peers"
cp -R "$srcdir"/tests/npm/. "$peers" || exit 99
cd "$peers" || exit 99
if [ ! -d node_modules/@seald-io/nedb ] \
  && ! npm install --ignore-scripts --no-audit --no-fund >npm.log 2>&1; then
  tail -n 3 npm.log
  echo "skip: npm cannot install the peers"
  exit 77
fi

# Each name stands in the manual, word for word.
tr -s '\n\t ' ' ' <"$srcdir/docs/tally-query.7.scd" | tr -d '*_\\' >"$tmp/page"
node -e 'for (const name of Object.values (
    require ("./nedb-differences.js").names))
  console.log (name.replace (/_/g, ""))' >"$tmp/names"
while read -r name; do
  if ! grep -qiF -- "$name" "$tmp/page"; then
    echo "not ok the manual says: $name"
    exit 1
  fi
done <"$tmp/names"

SEED=${SEED:-$(date +%s)}
echo "# again with SEED=$SEED"
node compare-nedb.js "$ANSWER" "$SEED" "${ROUNDS:-40}"
