#!/bin/sh
# SPDX-License-Identifier: MIT
# A million documents between linvo and sqlite over HTTP: the client is killed
# on its way, then the server, and the third run goes on from there. Both stay
# within 64 MB of anonymous memory, all arrives, and the next run is one
# exchange. Takes minutes: make check-million
#   N  documents

N=${N:-1000000}
builddir=${builddir:-.}
bench=$builddir/bench/bench
command -v jq >/dev/null || { echo "skip: jq is not installed"; exit 77; }
[ -x "$bench" ] || { echo "skip: the bench was not built"; exit 77; }
TALLY=$builddir/cli/.libs/tally
[ -x "$TALLY" ] || TALLY=$builddir/cli/tally
LD_LIBRARY_PATH=$builddir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export TALLY LD_LIBRARY_PATH
limit=$((64 * 1024)) # KiB

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-million-XXXXXX") || exit 99
server="" client=""
clean_up ()
{
  [ -z "$server" ] || kill -9 "$server" 2>/dev/null
  [ -z "$client" ] || kill -9 "$client" 2>/dev/null
  rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 99' HUP INT TERM PIPE
cd "$tmp" || exit 99
HOME=$tmp
export HOME
unset TALLY_CONFIG TALLY_TOKEN_FILE XDG_CONFIG_HOME XDG_CONFIG_DIRS
failures=0

# is NAME VALUE OPERATOR VALUE
is ()
{
  if [ "$2" "$3" "$4" ]; then
    echo "ok $1: $2"
  else
    echo "not ok $1: $2, not $3 $4"
    failures=$((failures + 1))
  fi
}

# serve STORE: leaves $url and $server.
port=0
serve ()
{
  : >url
  "$TALLY" serve "$1" --listen "127.0.0.1:$port" >url 2>>server.err &
  server=$!
  until grep -q listening url; do
    kill -0 $server 2>/dev/null || { cat server.err; exit 1; }
    sleep 0.1
  done
  url=$(sed -n 's/^listening on //p' url)
  port=${url##*:}
}

anonymous ()
{
  sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status" 2>/dev/null
}

# watch [PROCESS STORE KIB]: until the client ends, or the store has grown to so
# much, when the process is killed.  Leaves the most memory of both in $near
# and $far.
near=0 far=0
watch ()
{
  while kill -0 $client 2>/dev/null; do
    a=$(anonymous $client) b=$(anonymous $server)
    [ "${a:-0}" -le $near ] || near=$a
    [ "${b:-0}" -le $far ] || far=$b
    if [ -n "$1" ] && [ "$(du -sck "$2"* 2>/dev/null | tail -n 1 \
      | cut -f 1)" -gt "$3" ]; then
      kill -9 "$1"
      return
    fi
    sleep 0.05
  done
}

start ()
{
  "$TALLY" pair "$1" "$url" --json >out 2>>client.err &
  client=$!
}

# sum KEY: over the collections of the last run.
sum ()
{
  jq -s "map (.$1) | add" out
}

# cross NEAR FAR FILE: from one store into the other, which is kept in FILE.
cross ()
{
  echo "# $1 to $2"
  near=0 far=0 port=0
  serve "$2"
  start "$1"
  watch $client "$3" $((N / 10))
  wait $client
  is "the client was killed" $? -gt 128
  start "$1"
  watch $server "$3" $((N / 5))
  kill -9 $server 2>/dev/null # also if it got away
  wait $server 2>/dev/null
  wait $client
  is "the client without its server: exit" $? -eq 5
  serve "$2"
  start "$1"
  watch ""
  wait $client
  is "the third run: exit" $? -eq 0
  is "went on, documents moved" "$(sum 'pushed + .pulled')" -lt $((N * 9 / 10))
  is "anonymous memory of the client, KiB" "$near" -le $limit
  is "anonymous memory of the server, KiB" "$far" -le $limit
  start "$1"
  watch ""
  is "then nothing moves" "$(sum 'pushed + .pulled')" -eq 0
  is "in one exchange" "$(sum round_trips)" -eq 1
  kill $server
  wait $server 2>/dev/null
  server=""
  "$TALLY" verify "$1" "$2" >out 2>&1
  is "verify: exit" $? -eq 0
  is "documents" "$("$TALLY" find "$2" items --count)" -eq "$N"
}

N=$N WORKLOADS=documents "$bench" >documents || exit 1
"$TALLY" put -q linvo:a items documents || exit 1
rm documents
cross linvo:a sqlite:b b
cross sqlite:b linvo:c c
[ $failures -eq 0 ]
