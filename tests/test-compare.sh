#!/bin/sh
# SPDX-License-Identifier: MIT
# What comparing costs, by the counters of pair --json: two stores that have
# the same documents and never met.  DOCUMENTS=100000 and 1000000 in targets
# of their own (make check-compare, make check-compare-large).

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
needs jq
needs_drivers linvo sqlite
documents=${DOCUMENTS:-3000}
many=10000
[ "$documents" -ge 50000 ] || many=$((documents / 10))

enter compare

check ()
{
  if [ "$2" "$3" "$4" ]; then
    echo "ok $1 ($2)"
  else
    echo "not ok $1: $2, not $3 $4"
    failures=$((failures + 1))
  fi
}

# write FROM TO VALUE: documents FROM to TO - 1, each of about 120 bytes.
write ()
{
  awk -v from="$1" -v to="$2" -v value="$3" 'BEGIN {
    for (i = from; i < to; i++)
      printf "{\"_id\":\"d%07d\",\"name\":\"somebody %d\",\"value\":%d," \
        "\"note\":\"what is written here is the same for all\"}\n",
        i, i * 7919 % 1000003, value }'
}

put ()
{
  "$TALLY" put "$1" notes >/dev/null 2>put.log || { cat put.log; exit 1; }
}

# pair A B: its row in row.json.
pair ()
{
  "$TALLY" pair "$1" "$2" --json >row.json 2>pair.log \
    || { cat pair.log; exit 1; }
}

row ()
{
  jq -r "select(.collection == \"notes\") | $1" row.json
}

# fresh: the two stores as they were.
fresh ()
{
  rm -rf a.db* b
  cp a0.db a.db
  cp -r b0 b
}

write 0 "$documents" 0 | put sqlite:a0.db
pair sqlite:a0.db linvo:hub
pair linvo:b0 linvo:hub

fresh
pair sqlite:a.db linvo:b
check "the same: nothing moves" "$(row '.pulled + .pushed + .merged')" -eq 0
check "the same: is compared" "$(row .strategy)" = compare
check "the same: bytes" "$(row '.bytes_sent + .bytes_received')" -lt 450
check "the same: round trips" "$(row .round_trips)" -eq 1

fresh
write 0 50 1 | put sqlite:a.db
write 50 100 1 | put linvo:b
pair sqlite:a.db linvo:b
bytes=$(row '.bytes_sent + .bytes_received')
moved=$(write 0 100 1 | wc -c)
check "a hundred: all moved" "$(row '.pulled + .pushed')" -eq 100
check "a hundred: is compared" "$(row .strategy)" = compare
check "a hundred: round trips" "$(row .round_trips)" -le 3
check "a hundred: bytes besides the documents" $((bytes - moved)) -le 16000

fresh
write 0 $((many / 4)) 1 | put sqlite:a.db
write $((many / 4)) $((many / 2)) 1 | put linvo:b
pair sqlite:a.db linvo:b
bytes=$(row '.bytes_sent + .bytes_received')
moved=$(write 0 $((many / 2)) 1 | wc -c)
check "$many rows: all moved" "$(row '.pulled + .pushed')" -eq $((many / 2))
check "$many rows: is compared" "$(row .strategy)" = compare
# A document has about 25 bytes beside its text on the wire.
check "$many rows: bytes besides the documents" \
  $((bytes - moved - many / 2 * 25)) -le 500000

fresh
write 0 $((documents / 4)) 1 | put sqlite:a.db
write $((documents / 4)) $((documents / 2)) 1 | put linvo:b
pair sqlite:a.db linvo:b
bytes=$(row '.bytes_sent + .bytes_received')
moved=$(write 0 $((documents / 2)) 1 | wc -c)
check "half: all moved" "$(row '.pulled + .pushed')" -eq $((documents / 2))
check "half: is compared" "$(row .strategy)" = compare
check "half: bytes besides the documents" \
  $((bytes - moved - documents / 2 * 25)) -le 16000000
"$TALLY" verify sqlite:a.db linvo:b >/dev/null 2>&1
check "half: then they are equal" $? -eq 0

write 0 1 2 | put sqlite:a.db
"$TALLY" verify sqlite:a.db linvo:b --json >row.json 2>/dev/null
check "verify finds the difference" $? -eq 9
check "verify says what" "$(row .different)" -eq 1

[ $failures -eq 0 ]
