#!/bin/sh
# SPDX-License-Identifier: MIT
# kill -9 while documents of an indexed collection are written, and while an
# index is made or dropped: afterwards what an index finds is what a look at
# every document finds, tally check finds nothing wrong, and an index that was
# cut short is completed.

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-index-kill-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM PIPE
cd "$tmp" || exit 99
failed=0

# killed MILLISECONDS COMMAND...: as far as it gets in that time.
killed ()
{
  after=$1
  shift
  "$TALLY" "$@" >/dev/null 2>&1 &
  pid=$!
  sleep "$(printf '0.%03d' "$after")"
  kill -9 $pid 2>/dev/null
  wait $pid 2>/dev/null
}

# agree STORE QUERY: with an index or without.
agree ()
{
  "$TALLY" find "$1" c "$2" >by-index || failed=1
  "$TALLY" find "$1" c "{\"\$or\":[$2]}" >by-looking || failed=1
  if ! cmp -s by-index by-looking; then
    echo "not ok $1: $2 ($round)"
    failed=1
  fi
}

for store in sqlite:s.db linvo:l; do
  if ! printf '{"_id":"z","n":0}' | "$TALLY" put $store c -q; then
    echo "$store: not built, or cannot be written"
    continue
  fi
  "$TALLY" index $store c n || exit 1
  driver=${store%%:*}
  printf '[store s]\ndriver = %s\npath = %s\n' "$driver" "${store#*:}" \
    >$driver.ini
  for round in 1 2 3 4 5; do
    awk -v r=$round 'BEGIN {
      for (i = 0; i < 8000; i++)
        printf "{\"_id\":\"d%d\",\"n\":%d,\"m\":[%d,%d]}\n", i % 2500,
          i * r % 97, i % 50, r
    }' >in
    killed $((round * 45)) put $store c in -q
    killed $((round * 9)) index $store c m
    killed $((round * 5)) index $store c m,n
    killed $((round * 4)) index $store c m,n --drop
    if ! "$TALLY" check -c $driver.ini >checked 2>&1; then
      echo "not ok $store: check ($round)"
      sed 's/^/#   /' checked
      failed=1
    fi
    agree $store '{"n":{"$gte":40}}'
    agree $store '{"n":7}'
    agree $store '{"m":5}'
  done
  "$TALLY" put $store c in -q && "$TALLY" index $store c m || failed=1
  agree $store '{"n":{"$lt":40}}'
  agree $store '{"m":5}'
  if ! "$TALLY" find $store c '{"m":5}' --explain | grep -q '^index m'; then
    echo "not ok $store: the index is not used in the end"
    failed=1
  fi
done
[ $failed = 0 ] && echo "ok"
exit $failed
