#!/bin/sh
# SPDX-License-Identifier: MIT
# Real LinvoDB3 applications and a tally client sync through tally serve, over
# each kind of store, and through a server of LinvoDB's kind.  What comes from
# npm lies in the folder of the build, and stays there for the next time.
#   NPM  yes: fetch it. Without that the test is skipped unless it is there

TALLY=${TALLY:-tally}
srcdir=${srcdir:-$(dirname "$0")/..}
srcdir=$(cd "$srcdir" && pwd) || exit 99
builddir=${builddir:-$PWD}
case $TALLY in
*/*) TALLY=$(cd "$(dirname "$TALLY")" && pwd)/$(basename "$TALLY") ;;
esac
export TALLY
RECORDED=$srcdir/tests/data/dialect-wire.jsonl
export RECORDED

modules=$builddir/tests/npm-linvodb3
cmp -s "$srcdir/tests/linvodb3/package.json" "$modules/installed" \
  || [ "$NPM" = yes ] \
  || { echo "skip: linvodb3 is not there; NPM=yes fetches it"; exit 77; }

for program in node npm; do
  command -v $program >/dev/null || { echo "skip: no $program"; exit 77; }
done
[ "$(node -p 'typeof fetch')" = function ] \
  || { echo "skip: node $(node --version) is too old"; exit 77; }
for driver in sqlite linvo http; do
  "$TALLY" drivers $driver >/dev/null 2>&1 \
    || { echo "skip: no driver $driver"; exit 77; }
done

if ! cmp -s "$srcdir/tests/linvodb3/package.json" "$modules/installed"; then
  rm -rf "$modules"
  mkdir -p "$modules/bagpipe" || exit 99
  cp "$srcdir/tests/linvodb3/package.json" "$modules" || exit 99
  cp "$srcdir/tests/linvodb3/bagpipe/"* "$modules/bagpipe" || exit 99
  (cd "$modules" && npm install --no-package-lock --no-audit --no-fund) \
    >"$modules/log" 2>&1 \
    || {
      echo "skip: npm could not install linvodb3"
      tail -3 "$modules/log"
      exit 77
    }
  cp "$modules/package.json" "$modules/installed" || exit 99
fi

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-linvodb3-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM PIPE
HOME=$tmp
NODE_PATH=$modules/node_modules
export HOME NODE_PATH
unset TALLY_CONFIG TALLY_TOKEN_FILE XDG_CONFIG_HOME XDG_CONFIG_DIRS
cd "$tmp" || exit 99

failures=0
for store in linvo sqlite; do
  mkdir $store
  node "$srcdir/tests/linvodb3/sync.js" $store "$tmp/$store" </dev/null \
    || failures=$((failures + 1))
done
mkdir client
node "$srcdir/tests/linvodb3/client.js" "$tmp/client" </dev/null \
  || failures=$((failures + 1))
[ $failures = 0 ]
