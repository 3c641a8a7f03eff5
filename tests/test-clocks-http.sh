#!/bin/sh
# SPDX-License-Identifier: MIT
# A laptop whose clock is a year ahead, over HTTP: it is told so, by name, on
# its own terminal and in the hub's log, its other documents sync, and once
# the clock is right one run brings everything over.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
past_libtool
needs jq
needs_drivers sqlite http
enter clocks
${CC:-cc} -shared -fPIC -o shift.so "$srcdir/tests/kit/clock-shift.c" \
  2>shift.log || { echo "skip: no clock to turn"; cat shift.log; exit 77; }

# has WHAT FILE TEXT
has ()
{
  if grep -qF -e "$3" "$2"; then
    echo "ok $1"
  else
    echo "not ok $1: no \"$3\" in"
    sed 's/^/#   /' "$2"
    failures=$((failures + 1))
  fi
}

laptop ()
{
  "$TALLY" -c laptop.ini "$@" >out 2>err
  code=$?
}

# The same with a clock that is a year ahead.
wrong ()
{
  ASAN_OPTIONS=verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS} \
    CLOCK_SHIFT=31536000 LD_PRELOAD=$tmp/shift.so \
    "$TALLY" -c laptop.ini "$@" >out 2>err
  code=$?
}

cat >hub.ini <<'END'
[tally]
device = hub
[store hub]
driver = sqlite
path = hub.db
[transport public]
driver = http
listen = 127.0.0.1:0
[serve hub]
store = hub
transport = public
END
"$TALLY" -c hub.ini serve >url 2>log &
server=$!
for _ in $(seq 200); do
  grep -q '^listening on ' url && break
  kill -0 "$server" 2>/dev/null || { cat log; exit 1; }
  sleep 0.05
done
url=$(sed -n 's/^listening on //p' url)
cat >laptop.ini <<END
[tally]
device = laptop
[store notes]
driver = sqlite
path = notes.db
[transport hub]
driver = http
url = $url
[sync work]
store = notes
transport = hub
END

# ---- right -----------------------------------------------------------------

echo '{"_id":"old","v":1}' >old.json
laptop put notes things old.json
is "put" 0 "$code"
laptop sync
is "sync" 0 "$code"
echo '{"_id":"before","v":1}' >before.json
laptop put notes things before.json
echo '{"_id":"theirs","v":1}' >theirs.json
"$TALLY" put sqlite:hub.db things theirs.json
is "put at the hub" 0 $?

# ---- a year ahead ----------------------------------------------------------

echo '{"_id":"new","v":2}' >new.json
wrong put notes things new.json
is "put under the wrong clock" 0 "$code"
echo '{"_id":"old","v":2}' >old.json
wrong put notes things old.json
wrong sync --json
is "its exit" 5 "$code"
has "it is told, by name" err \
  'the clock of "laptop" (this machine) is 365 days ahead of "hub"'
has "and what is held back" err '2 documents are held back'
has "the hub's log says so" log \
  'the clock of "laptop" is 365 days ahead of that of this machine'
is "the error is for later" again "$(jq -r .error.status out)"
is "what else there is was pushed" 1 "$(jq .pushed out)"
is "and pulled" 1 "$(jq .pulled out)"
laptop get notes things theirs
is "theirs is here" '{"_id":"theirs","v":1}' "$(cat out)"
"$TALLY" get sqlite:hub.db things before >out
is "ours from before is there" '{"_id":"before","v":1}' "$(cat out)"
"$TALLY" get sqlite:hub.db things new >out 2>/dev/null
is "what is held back is not" 4 $?
laptop --json status notes
is "status lists it" '["new","old"]' \
  "$(jq -sc '[.[] | select(.held == "push") | ._id] | sort' out)"
is "with the reason" 2 "$(grep -c '365 days ahead' out)"
laptop status notes
has "also for people" out 'HELD BACK'
wrong sync
is "the same again" 5 "$code"

# ---- right again -----------------------------------------------------------

echo '{"_id":"old","v":3}' >old.json
laptop put notes things old.json
is "put under the right clock" 0 "$code"
has "which is warned of" err 'behind the time when the store was last'
laptop sync --json
is "one run" 0 "$code"
has "says what it did" err \
  'its clock was wrong: 2 documents got new stamps'
is "brings everything over" 2 "$(jq .pushed out)"
for id in old new before theirs; do
  laptop get notes things $id
  mv out mine
  "$TALLY" get sqlite:hub.db things $id >there
  is "$id is the same" "$(cat mine)" "$(cat there)"
done
laptop explain notes things new --json
is "it was written when it was" true \
  "$(jq -s 'all(.time[:19] + "Z" | fromdate < now + 3600)' out)"
is "the last word" '{"_id":"old","v":3}' \
  "$("$TALLY" get sqlite:hub.db things old)"
laptop --json status notes
is "nothing is held back" 0 "$(grep -c '"held"' out)"
laptop sync --json
is "a second run" 0 "$code"
is "moves nothing" 0 "$(jq '.pulled + .pushed + .merged' out)"
laptop verify notes hub
is "both are equal" 0 "$code"
laptop conflicts notes --json
is "no conflict was made" 0 "$(wc -l <out | tr -d ' ')"

[ $failures = 0 ] || exit 1
