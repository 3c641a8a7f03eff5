#!/bin/sh
# SPDX-License-Identifier: MIT
# Watching from the command line: a write appears on the other machine, a
# killed watcher forgets nothing, a hub that went away is found again, and
# what does not heal ends it.  TALLY is the program.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
past_libtool
needs jq
needs_drivers linvo sqlite http file
enter watch
umask 077

not_ok ()
{
  echo "not ok $1"
  shift
  head -n 12 "$@" /dev/null | cut -c 1-300 | sed 's/^/#   /'
  failures=$((failures + 1))
}

# until_true SECONDS COMMAND...: a poll with an end.
until_true ()
{
  end=$(($(date +%s) + $1))
  shift
  until "$@" >poll.out 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.05
  done
}

# soon NAME COMMAND...
soon ()
{
  name=$1
  shift
  if until_true 15 "$@"; then
    ok "$name"
  else
    not_ok "$name" poll.out ./*.err
  fi
}

# check NAME COMMAND...
check ()
{
  name=$1
  shift
  if "$@" >check.out 2>&1; then
    ok "$name"
  else
    not_ok "$name" check.out ./*.err
  fi
}

has ()
{
  "$TALLY" get "$1" c "$2" 2>/dev/null | grep -q -e "$3"
}

put ()
{
  echo "$2" | "$TALLY" put "$1" c -q
}

lines ()
{
  [ "$(wc -l <"$1")" -eq "$2" ]
}

# start NAME ARGUMENT...: leaves $child, and NAME.out and NAME.err.
start ()
{
  as=$1
  shift
  : >"$as.out"
  "$TALLY" "$@" >"$as.out" 2>"$as.err" &
  child=$!
  children="$children $child"
}

# ends NAME SIGNAL PID CODE
ends ()
{
  [ -z "$2" ] || kill "-$2" "$3"
  if ! until_true 15 gone "$3"; then
    not_ok "$1 (still there)" ./*.err
    return
  fi
  wait "$3"
  code=$?
  if [ $code = "$4" ]; then
    ok "$1"
  else
    not_ok "$1 (exit $code, not $4)" ./*.err
  fi
}

# A zombie is gone.
gone ()
{
  ! kill -0 "$1" 2>/dev/null \
    || grep -q '^State:[[:space:]]*Z' "/proc/$1/status"
}

serve ()
{
  start hub serve sqlite:hub.db --listen "127.0.0.1:$1" --tokens tokens.txt
  hub=$child
  until_true 15 grep -q listening hub.out || { cat hub.err; exit 99; }
  port=$(sed 's/.*://' hub.out)
}

# ini NAME STORE-DRIVER [MORE-OF-THE-LINK]
ini ()
{
  cat >"$1.ini" <<END
[store $1]
driver = $2
path = $1.db

[transport hub]
driver = http
url = http://127.0.0.1:$port
token_file = hub.token
retries = 0

[sync $1-hub]
store = $1
transport = hub
$3
END
}

echo 0123456789 >hub.token
echo 0123456789 >tokens.txt
serve 0
ini a sqlite
ini b sqlite

# ---- both ways ------------------------------------------------------------

put sqlite:a.db '{"_id":"early"}'
start a -c a.ini sync --watch --json
a=$child
start b -c b.ini sync --watch
b=$child
soon "what was there is synced at the start" has sqlite:b.db early early
soon "the first run prints its lines" lines a.out 1
check "with --json, an object a line" jq -e '.link == "a-hub"
  and .collection == "c" and .pushed == 1' a.out
put sqlite:a.db '{"_id":"x","n":1}'
soon "a write here appears there" has sqlite:b.db x '"n":1'
put sqlite:b.db '{"_id":"x","n":2}'
soon "and the other way" has sqlite:a.db x '"n":2'
soon "a line for a run in which something moved" lines a.out 3
check "and for no other" jq -e -s 'length == 3
  and all(.[]; .pushed + .pulled + .merged > 0)' a.out
check "without --json, for people" grep -q '^b-hub c: 1 pulled' b.out

# ---- killed ---------------------------------------------------------------

kill -9 "$a"
wait "$a" 2>/dev/null
put sqlite:a.db '{"_id":"y","n":1}'
"$TALLY" -c a.ini status a-hub --json >status.out
check "a write leaves the link dirty" jq -e '.pending == 1' status.out
start a -c a.ini sync a-hub --watch
a=$child
soon "after a kill the next watch begins with it" has sqlite:b.db y '"n":1'
put sqlite:a.db '{"_id":"z"}' && kill -9 "$a"
wait "$a" 2>/dev/null
start a -c a.ini sync --watch
a=$child
soon "a kill right after a put forgets nothing" has sqlite:b.db z z
"$TALLY" -c a.ini status a-hub --json >status.out
check "nothing waits any more" jq -e '.pending == 0' status.out

# ---- a hub that goes away ---------------------------------------------------

ends "a server ends with clients that wait" TERM "$hub" 0
put sqlite:a.db '{"_id":"away","n":1}'
soon "a hub that is gone is told of" \
  grep -q '^tally: .*refused; will try again$' a.err
serve "$port"
soon "it is found again" has sqlite:b.db away '"n":1'
soon "and said to be" grep -q 'a-hub: works again' a.err
put sqlite:b.db '{"_id":"back"}'
soon "far changes are waited for again" has sqlite:a.db back back
check "one line for one trouble" test "$(grep -c refused a.err)" -le 2
ends "SIGTERM ends it with 0" TERM "$a" 0
ends "SIGINT ends it with 0" INT "$b" 0

# ---- what does not heal -----------------------------------------------------

echo 9876543210 >wrong.token
sed 's/hub.token/wrong.token/' a.ini >wrong.ini
start wrong -c wrong.ini sync --watch
ends "a wrong token ends it with 6" "" "$child" 6
check "and says why" grep -q 'wrong or no token' wrong.err
cat a.ini >two.ini
sed -e '/^\[store/,/^$/d' -e 's/hub\.token/wrong.token/' \
  -e 's/\[transport hub\]/[transport not]/' -e 's/= hub$/= not/' \
  -e 's/a-hub/a-not/' a.ini >>two.ini
start two -c two.ini sync --watch
two=$child
soon "of two links one is given up" grep -q 'wrong or no token' two.err
put sqlite:a.db '{"_id":"two"}'
soon "the other goes on" has sqlite:hub.db two two
ends "until a signal" TERM "$two" 0
start not -c a.ini sync a-hbu --watch
ends "an unknown link: exit 3" "" "$child" 3

# ---- pairs, folders, linvo --------------------------------------------------

start pair pair linvo:l sqlite:a.db --watch
pair=$child
soon "a pair of stores" grep -q 'linvo:l sqlite:a.db c: [1-9]' pair.out
"$TALLY" put linvo:l c >/dev/null 2>busy.err <hub.token
check "linvo is held meanwhile" grep -q "process $pair" busy.err
put sqlite:a.db '{"_id":"p"}'
soon "is in sync" grep -q ' 1 pulled' pair.out
ends "and ends with 0" TERM "$pair" 0
check "it got there" has linvo:l p p

mkdir stick
published ()
{
  ls stick/*.c.*
}

cat >folder.ini <<END
[store a]
driver = sqlite
path = a.db

[transport stick]
driver = file
path = stick

[sync a-stick]
store = a
transport = stick
interval = 300ms
END
start folder -c folder.ini sync --watch
folder=$child
soon "a folder is written to" published
put sqlite:o.db '{"_id":"far"}'
"$TALLY" pair sqlite:o.db file:stick -q >/dev/null
soon "and read at the interval" has sqlite:a.db far far
ends "a folder's watch ends with 0" TERM "$folder" 0

# ---- on_write in a server ---------------------------------------------------

cat >up.ini <<END
[store mid]
driver = linvo
path = mid

[transport up]
driver = http
url = http://127.0.0.1:$port
token_file = hub.token

[sync mid-up]
store = mid
transport = up
on_write = yes

[transport here]
driver = http
listen = 127.0.0.1:0

[serve mids]
transport = here
store = mid
END
start mid -c up.ini serve
mid=$child
until_true 15 grep -q listening mid.out
put sqlite:o.db '{"_id":"through"}'
"$TALLY" pair sqlite:o.db "http://$(sed 's,.*//,,' mid.out)" -q >/dev/null
soon "a server passes on what it was given" \
  has sqlite:hub.db through through
ends "and ends with 0" TERM "$mid" 0
ends "the hub, too" TERM "$hub" 0

if [ "$failures" != 0 ]; then
  echo "$failures failed"
  exit 1
fi
