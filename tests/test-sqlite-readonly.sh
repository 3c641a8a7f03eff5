#!/bin/sh
# SPDX-License-Identifier: MIT
# A sqlite store where nothing can be written: a snapshot, an image, a medium
# that is read-only.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
needs_drivers sqlite
if [ "$1" != mounted ]; then
  unshare -m true 2>/dev/null \
    || { echo "skip: cannot mount, which takes root"; exit 77; }
  exec unshare -m sh "$0" mounted
fi

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-readonly-XXXXXX") || exit 99
trap 'cd /; umount "$tmp"; rmdir "$tmp"' EXIT
trap 'exit 99' HUP INT TERM PIPE
mount -t tmpfs -o size=16m tally "$tmp" \
  || { echo "skip: cannot mount"; exit 77; }
cd "$tmp" || exit 99
HOME=$tmp
export HOME
unset TALLY_CONFIG TALLY_TOKEN_FILE XDG_CONFIG_HOME XDG_CONFIG_DIRS

mkdir 'a ?#%b'
for store in plain.db 'a ?#%b/odd.db' behind.db; do
  echo '{"_id":"a","n":1}' | "$TALLY" put "sqlite:$store" c -q
done
# As if it had been copied while somebody wrote.
echo left >behind.db-wal
mount -o remount,ro "$tmp" || { echo "skip: cannot remount"; exit 77; }

for store in plain.db 'a ?#%b/odd.db'; do
  is "$store is read" '{"_id":"a","n":1}' "$("$TALLY" get "sqlite:$store" c a)"
  is "$store is searched" 1 "$("$TALLY" find "sqlite:$store" c --count)"
done
"$TALLY" verify sqlite:plain.db 'sqlite:a ?#%b/odd.db'
is "stores are compared" 9 $?
echo '{"_id":"b"}' | "$TALLY" put sqlite:plain.db c 2>/dev/null
is "a put is refused" 6 $?
"$TALLY" get sqlite:behind.db c a
is "what lies beside it is not left out" 6 $?
"$TALLY" get sqlite:none.db c a
is "none is none" 4 $?
exit $((failures > 0))
