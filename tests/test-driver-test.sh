#!/bin/sh
# SPDX-License-Identifier: MIT
# tally driver-test: the drivers that were built pass, and each faulty one, made
# of a good one with a single fault, is caught at the slot and by the rule that
# it breaks.  TALLY is the program; srcdir the source; CC a compiler.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
needs jq
enter driver-test
mkdir tmp
TMPDIR=$tmp/tmp
export TMPDIR

# ---- those that were built --------------------------------------------------

for d in memory sqlite linvo loopback file http; do
  "$TALLY" drivers $d >/dev/null 2>&1 || continue
  run driver-test $d
  is "$d passes" 0 $code
  is "$d: nothing is not ok" 0 "$(grep -c '^not ok' out)"
  is "$d: most of it applies" yes \
    "$([ "$(grep -c '^ok' out)" -gt 8 ] && echo yes || echo no)"
  run driver-test $d --json
  is "$d: with --json" 0 \
    "$(jq -s 'map (select (.ok and .error == null
       and (.slot | type) == "string" and (.rule | length) > 10 | not))
       | length' out)"
done
is "nothing is left behind" "" "$(ls tmp)"
run driver-test nothing
is "no such driver: exit" 3 $code
run driver-test sqlite --option nothing=1
is "no such option: exit" 3 $code
run driver-test sqlite --option nothing
is "an option without a value: exit" 2 $code

# ---- those with a fault -----------------------------------------------------

# faulty KIND NUMBER CHECK SLOT PATTERN SOURCE...: the check fails, at the slot,
# and says so.
faulty ()
{
  kind=$1 number=$2 which=$3 slot=$4 pattern=$5
  shift 5
  # shellcheck disable=SC2086
  if ! $CC -shared -fPIC -std=c11 -D_POSIX_C_SOURCE=200809L -O1 \
    -DFAULT="$number" -I"$srcdir/include" -o faulty.so \
    "$srcdir/tests/faulty/$kind.c" "$@" -lpthread 2>cc.err; then
    sed 's/^/# /' cc.err
    is "$kind $number builds" yes no
    return
  fi
  run driver-test ./faulty.so --json
  is "$kind $number is caught: exit" 3 $code
  is "$kind $number is caught by $which" "$slot" \
    "$(jq -r "select (.check == \"$which\" and (.ok | not)) | .slot" out)"
  is "$kind $number: it is said how" 1 \
    "$(jq -r "select (.check == \"$which\") | .error" out | grep -c "$pattern")"
  run driver-test ./faulty.so
  is "$kind $number: for people" 1 \
    "$(grep "^not ok $slot: " out | grep -c "$pattern" | sed 's/^[1-9].*/1/')"
}

store ()
{
  faulty store "$@" "$srcdir"/drivers/memory-*.c
}

case $("$CC" --version 2>/dev/null) in
'') echo "# no compiler: no faulty drivers"; [ $failures -eq 0 ]; exit ;;
esac
store 1 get_order get 'byte\|is [0-9]*, not'
store 2 get_order get 'crashes: Segmentation'
store 3 put_expected put '.'
store 4 put_all_or_none put '.'
store 5 seq_after_update put '.'
store 6 changes_order changes 'is 2, not 3'
store 7 changes_head changes '.'
store 8 forget put '.'
store 9 note_compare_and_set note_put '.'
store 10 get_order get 'ends the process'
store 11 find_between find 'is 4, not 3'
store 12 find_between find 'is [0-9], not 3'

folder ()
{
  faulty folder "$@" "$srcdir"/drivers/file-*.c
}

folder 1 create_never_over create '.'
folder 2 list_prefix list 'is 4, not 2'
folder 3 remove_twice remove '.'
folder 4 read_missing read '.'
folder 5 open_missing open '.'

faulty exchange 1 reply_comes_back exchange 'is 200, not 400'
faulty exchange 2 any_bytes exchange '.'
faulty exchange 3 traffic_counts exchange 'traffic.sent'
faulty exchange 4 nobody_there exchange 'is -1, not -4'
faulty exchange 5 ready_once serve 'is 2, not 1'

is "nothing of them is left behind" "" "$(ls tmp)"
[ $failures -eq 0 ]
