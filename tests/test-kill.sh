#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 of a client, of a server or of put at a random moment of a sync of
# 10,000 documents over HTTP.  One clean run later both sides are equal, all
# that put had acknowledged is there, and the next run moves nothing.
#   KILLS  how many rounds, 4 without it; each kind has its turn in ten, and
#          the seed says which is the first
#   SEED   repeats the draws of another time, though not its luck
#   ROUND  runs this round alone
# What a failed round leaves is kept.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
past_libtool
needs_drivers linvo sqlite http
KILLS=${KILLS:-4}
SEED=${SEED:-$(($(date +%s) % 1000000))}

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-kill-XXXXXX") || exit 99
server="" writer="" watchdog="" kept="" failures=0 checks=0 inside=0
clean_up ()
{
  [ -z "$watchdog" ] || kill "$watchdog" 2>/dev/null
  [ -z "$server" ] || kill -9 "$server" 2>/dev/null
  [ -z "$writer" ] || kill -9 "$writer" 2>/dev/null
  if [ -z "$kept" ]; then rm -rf "$tmp"; else echo "# kept:$kept"; fi
}
trap clean_up EXIT
trap 'exit 99' HUP INT PIPE
trap 'kept=" $tmp"; echo "not ok $name: hangs"; exit 1' TERM
# Nothing of the user's own must be read.
HOME=$tmp
export HOME
unset TALLY_CONFIG TALLY_TOKEN_FILE XDG_CONFIG_HOME XDG_CONFIG_DIRS
main=$$
limit=$((120 + 30 * KILLS))
(trap 'kill $!; exit' TERM; sleep $limit & wait $!; kill $main) \
  </dev/null >/dev/null 2>&1 &
watchdog=$!

# ---- telling ---------------------------------------------------------------

# fail WHAT FILE...
fail ()
{
  echo "not ok $name: $1"
  shift
  head -n 8 "$@" | cut -c 1-300 | sed 's/^/#   /'
  failures=$((failures + 1))
  failed=1
}

# check WHAT COMMAND...
check ()
{
  what=$1
  shift
  checks=$((checks + 1))
  "$@" >check.out 2>check.err
  code=$?
  if [ $code -eq 0 ]; then
    echo "ok $name: $what"
    return 0
  fi
  fail "$what (exit $code)" check.out check.err
  return 1
}

now_us ()
{
  echo $(($(date +%s%N) / 1000))
}

# Leaves $draw, from 0 to $1 - 1.
draw ()
{
  seed=$(((seed * 1103515245 + 12345) & 2147483647))
  draw=$(((seed >> 8) % $1))
}

# ---- documents -------------------------------------------------------------

# documents FIRST LAST A B W LETTER: a, b and w rise with each edit, by the
# client's side, the server's and the writer beside a sync.
documents ()
{
  awk -v first="$1" -v last="$2" -v a="$3" -v b="$4" -v w="$5" -v l="$6" '
    BEGIN {
      for (z = "quick brown foxes "; length (z) < 1200;)
        z = z z
      for (i = first; i <= last; i++) {
        printf "{\"_id\":\"%s%05d\",\"a\":%d,\"b\":%d,\"w\":%d,", l, i, a, b, w
        printf "\"z\":\"%s\"}\n", substr (z, 1, 20 + i * 37 % 1000)
      }
    }'
}

# acknowledged A B W: what of put's --json is an acknowledgement, as a line
# of the file want.
acknowledged ()
{
  awk -F '[{}":,]+' -v a="$1" -v b="$2" -v w="$3" \
    '/}$/ { print $5, a, b, w }'
}

# put STORE FIRST LAST A B LETTER: is acknowledged whole, or the round is off.
put ()
{
  documents "$2" "$3" "$4" "$5" 0 "$6" >put.ndjson
  "$TALLY" put "$1" c put.ndjson --json >put.out 2>put.err \
    || { fail "put to $1" put.err; return 1; }
  acknowledged "$4" "$5" 0 <put.out >>want
}

# remove STORE FIRST LAST
remove ()
{
  ids=$(awk -v i="$2" -v last="$3" 'BEGIN {
    for (; i <= last; i++) printf "d%05d ", i }')
  # shellcheck disable=SC2086
  check "rm from $1" "$TALLY" rm "$1" c $ids -q || return 1
  for id in $ids; do echo "$id gone"; done >>want
}

# Whether an export has what want says: nothing older than acknowledged.
has_wanted ()
{
  awk 'NF == 2 { gone[$1]; next }
    FILENAME == "want" {
      all[$1]
      if ($2 > a[$1]) a[$1] = $2
      if ($3 > b[$1]) b[$1] = $3
      if ($4 > w[$1]) w[$1] = $4
      next
    }
    {
      there[$3]
      if ($3 in gone)
        print $3 " is deleted and there"
      else if ($5 < a[$3] || $7 < b[$3] || $9 < w[$3])
        print $3 " has", $5, $7, $9 ", acknowledged", a[$3], b[$3], w[$3]
      else
        next
      bad = 1
    }
    END {
      for (id in all)
        if (!(id in there) && !(id in gone)) {
          print id " is lost"
          bad = 1
        }
      exit bad
    }' want FS='[{}":,]+' "$1"
}

# ---- processes -------------------------------------------------------------

# serve PORT: $h; leaves $server, $url and $port.
serve ()
{
  rm -f ready
  mkfifo ready || exit 99
  "$TALLY" serve "$h" --listen "127.0.0.1:$1" >ready 2>>serve.err &
  server=$!
  line=$(timeout 60 head -n 1 ready)
  url=${line#listening on }
  port=${url##*:}
  case $url in
  http://127.0.0.1:*) return 0 ;;
  esac
  wait "$server"
  server=
  # Somebody else's by now, perhaps.
  [ "$1" != 0 ] || { fail "serve $h" serve.err; return 1; }
  serve 0
}

end_server ()
{
  kill "$server"
  wait "$server"
  code=$?
  server=
  check "the server ends with 0" test $code -eq 0
}

# write_on STORE: puts one document after the other until there is a file
# stop, new ones and the same again; each number is greater than the last.
write_on ()
{
  n=0
  while [ ! -e stop ]; do
    n=$((n + 1))
    { documents "$n" "$n" 0 0 "$n" w
      documents $((n % 7 + 90001)) $((n % 7 + 90001)) 0 0 "$n" w
    } >write.ndjson
    "$TALLY" put "$1" c write.ndjson --json >write.out 2>>write.err \
      || echo "exit $?" >>write.failed
    acknowledged 0 0 "$n" <write.out >>want.writer
  done
}

begin_writer ()
{
  rm -f stop
  case $a-$h in
  sqlite*-sqlite*)
    draw 2
    on=$a
    [ "$draw" = 0 ] || on=$h
    ;;
  sqlite*) on=$a ;;
  *-sqlite*) on=$h ;;
  *) return ;;
  esac
  write_on "$on" &
  writer=$!
}

end_writer ()
{
  [ -n "$writer" ] || return 0
  : >stop
  wait "$writer"
  writer=
  check "the writer beside it never failed" test ! -e write.failed
}

# aim FROM TO TIME: leaves $pause, seconds at a random part of the time
# between FROM and TO thousandths of it.
aim ()
{
  draw 1000
  pause=$((($3 - start) * ($1 * 1000 + draw * ($2 - $1)) / 1000000))
  pause=$((start + pause * scale / 1000))
  pause=$((pause / 1000000)).$(printf '%06d' $((pause % 1000000)))
}

# Counts a victim that was at work when it was hit.  A machine that was
# slower when the times were measured hits too late until scale has shrunk.
scale=1000
count_hit ()
{
  if [ "$1" = 137 ]; then
    inside=$((inside + 1))
    scale=$((scale + (1000 - scale) / 8))
    return
  fi
  scale=$((scale * 4 / 5))
  check "it was done before" test "$1" -eq 0
}

# ---- the checks after a kill -----------------------------------------------

moves_nothing ()
{
  [ -s "$1" ] && ! grep -v \
    '"pulled":0,"pushed":0,"merged":0,"conflicts":0,"deleted":0' "$1"
}

# pair_clean STORE FILE
pair_clean ()
{
  timeout 120 "$TALLY" pair "$1" "$url" --json >"$2"
}

# finish STORE...: one clean run for each, and one more for what others had.
finish ()
{
  for store; do
    check "a clean run of $store" pair_clean "$store" "clean.out"
    # What broke the pair's token would cost a comparison of everything.
    [ -z "$unbroken" ] || check "goes on from its checkpoint" \
      grep -q '"strategy":"changes"' clean.out
    # Nobody changed the same field.
    [ -z "$unbroken" ] || check "makes up no conflict" \
      grep -q '"conflicts":0' clean.out
  done
  [ $# -eq 1 ] || for store; do
    check "another of $store" pair_clean "$store" again.out
  done
  for store; do
    check "verify $store" timeout 120 "$TALLY" verify "$store" "$url" --json
    check "the next run of $store" pair_clean "$store" next.out
    check "moves nothing" moves_nothing next.out
  done
  end_server
  [ ! -e want.writer ] || cat want.writer >>want
  "$TALLY" export "$h" c >h.out 2>export.err
  check "$h has all that was acknowledged" has_wanted h.out
  for store; do
    "$TALLY" export "$store" c >a.out 2>>export.err
    check "$store has the same" cmp a.out h.out
  done
}

# ---- kinds of rounds -------------------------------------------------------

fill ()
{
  draw 3
  case $draw in
  0) put "$a" 1 5100 0 0 d && put "$h" 5001 10000 0 0 d ;;
  1) put "$a" 1 10000 0 0 d ;;
  2) put "$h" 1 10000 0 0 d ;;
  esac
}

# Both are equal, then each changes 6,000, of which 2,000 are the same.
fill_again ()
{
  fill || return 1
  check "a first run" "$TALLY" pair "$a" "$h" || return 1
  unbroken=1
  put "$a" 101 6000 1 0 d && remove "$a" 1 50 \
    && put "$h" 4001 9900 0 1 d && remove "$h" 9951 10000
}

# strike FROM TO VICTIM...: a sync of which the victims, `client` and
# `server`, are killed.
strike ()
{
  aim "$1" "$2" "$whole"
  shift 2
  rm -f pair.out
  "$TALLY" pair "$a" "$url" --json >pair.out 2>pair.err &
  client=$!
  sleep "$pause"
  done_before=
  [ ! -s pair.out ] || done_before=1
  case $* in
  client) kill -9 "$client" ;;
  server) kill -9 "$server" ;;
  *) kill -9 "$server" "$client" ;;
  esac 2>/dev/null
  echo "killed $* after $pause" >>log
  case $* in
  *client*)
    wait "$client" 2>/dev/null
    code=$?
    ;;
  esac
  case $* in
  *server*)
    wait "$server" 2>/dev/null
    server=
    # At once: a client that tries again meets the next one.
    draw 2
    [ "$draw" = 0 ] || serve "$port" || return 1
    ;;
  esac
  if [ "$*" = server ]; then
    wait "$client"
    code=$?
    check "the client may try again" test $code -eq 0 -o $code -eq 5
    code=137
  fi
  [ -z "$done_before" ] || code=0
  count_hit "$code"
  put "$a" 1 20 0 0 a || return 1
  [ -n "$server" ] || { put "$h" 1 20 0 0 h && serve "$port"; }
}

# run_round FROM TO VICTIM...: on what fill made.
run_round ()
{
  serve 0 || return 1
  begin_writer
  strike "$@"
  draw 3
  [ "$draw" != 0 ] || strike 0 1000 client
  end_writer
  [ -z "$server" ] || finish "$a"
}

# several VICTIM: three clients at once.
several ()
{
  unbroken=
  second=sqlite:b.db third=linvo:t
  put "$a" 1 3400 0 0 d && put "$second" 3401 6700 0 0 d \
    && put "$third" 6701 10000 0 0 d && serve 0 || return 1
  aim 0 1500 "$whole"
  begin_writer
  "$TALLY" pair "$a" "$url" --json >pair.out 2>pair.err &
  client=$!
  "$TALLY" pair "$second" "$url" --json >pair2.out 2>pair2.err &
  client2=$!
  "$TALLY" pair "$third" "$url" --json >pair3.out 2>pair3.err &
  client3=$!
  victim=$client
  [ "$1" = client ] || victim=$server
  sleep "$pause"
  done_before=
  [ ! -s pair.out ] || [ ! -s pair2.out ] || [ ! -s pair3.out ] \
    || done_before=1
  kill -9 "$victim" 2>/dev/null
  echo "killed $1 after $pause" >>log
  [ "$1" = client ] || { wait "$server" 2>/dev/null; serve "$port"; }
  wait "$client" 2>/dev/null
  code=$?
  wait "$client2"
  code2=$?
  wait "$client3"
  code3=$?
  if [ "$1" = server ]; then
    check "a client may try again" test $code -eq 0 -o $code -eq 5
    code=137
  fi
  [ -z "$done_before" ] || code=0
  count_hit "$code"
  for c in $code2 $code3; do
    check "another client may try again" test "$c" -eq 0 -o "$c" -eq 5
  done
  end_writer
  [ -z "$server" ] || finish "$a" "$second" "$third"
}

# put_round FIRST LAST A: put itself is killed, beside a sync where two
# processes may write.  Whole documents: what the sync brings into one of them
# before its turn comes, put has read and replaces, so the other side must not
# have edited them.
put_round ()
{
  documents "$1" "$2" "$3" 0 0 d >victim.ndjson
  serve 0 || return 1
  client=
  case $a in
  sqlite*)
    "$TALLY" pair "$a" "$url" --json >pair.out 2>pair.err &
    client=$!
    ;;
  esac
  aim 0 1000 "$whole_put"
  "$TALLY" put "$a" c victim.ndjson --json >victim.out 2>victim.err &
  victim=$!
  sleep "$pause"
  kill -9 "$victim" 2>/dev/null
  wait "$victim" 2>/dev/null
  code=$?
  echo "killed put after $pause" >>log
  acknowledged "$3" 0 0 <victim.out >>want
  count_hit "$code"
  if [ -n "$client" ]; then
    wait "$client"
    check "the sync beside it" test $? -eq 0
  fi
  put "$a" 1 20 0 0 a && finish "$a"
}

# ---- rounds ----------------------------------------------------------------

set_stores ()
{
  case $1 in
  0) a=linvo:a h=sqlite:h.db ;;
  1) a=sqlite:a.db h=linvo:h ;;
  2) a=sqlite:a.db h=sqlite:h.db ;;
  3) a=linvo:a h=linvo:h ;;
  esac
}

round ()
{
  i=$1
  failed="" unbroken=""
  seed=$(((SEED * 7919 + i * 104729) & 2147483647))
  draw 1; draw 1; draw 1
  dir=$tmp/round-$i
  mkdir "$dir" && cd "$dir" || exit 99
  : >want
  stores=$(((i + i / 10 + i / 40) % 4))
  set_stores $stores
  eval "whole=\$whole_$stores"
  whole_put=$whole_linvo
  [ "${a%%:*}" = linvo ] || whole_put=$whole_sqlite
  name="round $i, ${a%%:*}-${h%%:*}"
  case $((i % 10)) in
  0) name="$name, client" && fill && run_round 0 1000 client ;;
  1) name="$name, server" && fill && run_round 0 1000 server ;;
  2) name="$name, put into nothing" && put_round 1 10000 1 ;;
  3) name="$name, client early" && fill && run_round 0 250 client ;;
  4) name="$name, client later" && fill_again && run_round 0 1000 client ;;
  5) name="$name, server of three" && several server ;;
  6) name="$name, server later" && fill_again && run_round 0 1000 server ;;
  7) name="$name, both" && fill_again && run_round 0 1000 server client ;;
  8) name="$name, put" && fill_again && put_round 51 4000 2 ;;
  9) name="$name, one of three" && several client ;;
  esac
  [ -z "$writer" ] || end_writer
  [ -z "$server" ] || { kill -9 "$server"; wait "$server" 2>/dev/null; }
  server=
  cd "$tmp" || exit 99
  if [ -n "$failed" ]; then kept="$kept $dir"; else rm -rf "$dir"; fi
}

# How long each takes when nobody is killed, so that kills fall inside.
measure ()
{
  name=measure failed="" unbroken="" seed=$SEED
  mkdir "$tmp/measure" && cd "$tmp/measure" || exit 99
  : >want
  from=$(now_us)
  "$TALLY" --version >/dev/null
  start=$(($(now_us) - from))
  for stores in 0 1 2 3; do
    set_stores $stores
    rm -rf a h a.db* h.db*
    documents 1 10000 0 0 0 d >all.ndjson
    from=$(now_us)
    "$TALLY" put "$a" c all.ndjson --json >put.out 2>put.err || exit 99
    eval "whole_${a%%:*}=$(($(now_us) - from))"
    serve 0 || exit 1
    from=$(now_us)
    "$TALLY" pair "$a" "$url" --json >pair.out || exit 1
    eval "whole_$stores=$(($(now_us) - from))"
    end_server >/dev/null
    eval "echo \"# ${a%%:*} to ${h%%:*}: 10,000 documents in \
\$((whole_$stores / 1000)) ms\""
  done
  echo "# put: linvo $((whole_linvo / 1000)) ms, sqlite" \
    "$((whole_sqlite / 1000)) ms; the program starts in $((start / 1000)) ms"
  cd "$tmp" && rm -rf measure
}

echo "# SEED=$SEED KILLS=$KILLS"
began=$(date +%s)
measure
r=$((SEED % 40))
last=$((r + KILLS))
[ -z "$ROUND" ] || r=$ROUND last=$((ROUND + 1))
while [ $r -lt $last ]; do
  round $r
  r=$((r + 1))
done
echo "# $KILLS rounds, $inside kills hit something at work, $checks checks," \
  "$failures failed, $(($(date +%s) - began)) s; SEED=$SEED"
if [ -z "$ROUND" ] && [ $((inside * 4)) -lt "$KILLS" ]; then
  echo "not ok enough kills hit something at work"
  failures=$((failures + 1))
fi
[ $failures -eq 0 ]
