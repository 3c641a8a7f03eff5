#!/bin/sh
# SPDX-License-Identifier: MIT
# Import and export against the real @seald-io/nedb and linvodb3: what they
# write is taken in, and what is exported NeDB loads.  Skipped where they
# cannot be had.  TALLY is the program; srcdir the source; NPM_PEERS a folder
# where `npm install` was done before.

TALLY=${TALLY:-tally}
srcdir=${srcdir:-$(dirname "$0")/../..}
srcdir=$(cd "$srcdir" && pwd) || exit 99
for c in node npm jq; do
  command -v $c >/dev/null || { echo "skip: $c is not installed"; exit 77; }
done

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-peers-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM PIPE
HOME=$tmp
export HOME
unset TALLY_CONFIG TALLY_TOKEN_FILE XDG_CONFIG_HOME XDG_CONFIG_DIRS
cd "$tmp" || exit 99

peers=${NPM_PEERS:-$tmp/peers}
mkdir -p "$peers"
cp -R "$srcdir"/tests/npm/. "$peers" || exit 99
if [ ! -d "$peers/node_modules/linvodb3" ] \
  && ! (cd "$peers" && npm install --ignore-scripts --no-audit --no-fund \
    >npm.log 2>&1); then
  tail -n 3 "$peers/npm.log"
  echo "skip: npm cannot install the peers"
  exit 77
fi

failures=0
check ()
{
  if [ "$2" = "$3" ]; then
    echo "ok $1"
    return
  fi
  echo "not ok $1"
  failures=$((failures + 1))
  printf 'wanted: %s\nfound: %s\n' "$2" "$3" | sed 's/^/#   /'
}

# sorted FILE: each line with its members in order, as documents compare.
sorted ()
{
  jq -cS . "$1"
}

node "$peers/write-nedb.js" "$tmp/notes.db" || exit 99
"$TALLY" import nedb notes.db sqlite:n >/dev/null 2>&1
check "import takes what NeDB wrote" 0 $?
"$TALLY" export sqlite:n notes >exported
node "$peers/read-nedb.js" "$tmp/notes.db" >theirs
cp exported again.db
node "$peers/read-nedb.js" "$tmp/again.db" >again
check "NeDB loads what export printed" "$(sorted theirs)" "$(sorted again)"
check "the same documents" "$(jq -r ._id exported)" "$(jq -r ._id theirs)"

mkdir linvo
node "$peers/write-linvodb3.js" "$tmp/linvo" || exit 99
"$TALLY" import linvodb3 linvo/notes.db sqlite:l >/dev/null 2>&1
check "import takes what LinvoDB3 wrote" 0 $?
"$TALLY" import linvodb3 "$srcdir/tests/data/linvodb3/notes.db" sqlite:r \
  >/dev/null 2>&1
"$TALLY" export sqlite:r notes >recorded
"$TALLY" export sqlite:l notes >fresh
check "as it was recorded" "$(cat recorded)" "$(cat fresh)"

[ $failures -eq 0 ]
