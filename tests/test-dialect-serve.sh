#!/bin/sh
# SPDX-License-Identifier: MIT
# tally as a client of its own server's dialect, beside one that speaks to it
# natively.  test-linvodb3.sh does the same with LinvoDB.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
needs jq
needs_drivers sqlite linvo http
enter dialect

# tally ARGUMENT...: its exit is in $code
tally ()
{
  "$TALLY" -c tally.ini "$@" >out 2>err
  code=$?
}

# put STORE DOCUMENT
put ()
{
  echo "$2" | "$TALLY" -c tally.ini put "$1" todo 2>/dev/null \
    || failures=$((failures + 1))
}

# runs LINK FIGURES: a run that moves this: pulled pushed merged conflicts deleted
runs ()
{
  tally sync "$1" --json
  is "sync $1 ends well" 0 $code
  is "sync $1 moves" "$2" \
    "$(jq -r '[.pulled,.pushed,.merged,.conflicts,.deleted]|join(" ")' out)"
}

# has STORE DOCUMENT
has ()
{
  tally get "$1" todo x
  is "$1 has $2" "$2" "$(cat out)"
}

printf '%s\n' 'token-of-ann ann' 'token-of-bob bob' >tokens
echo token-of-ann >ann
echo token-of-bob >bob
"$TALLY" serve sqlite:hub.db --listen 127.0.0.1:0 --tokens tokens \
  >url 2>serve.log &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  [ -s url ] && break
  sleep 0.2
done
url=$(sed 's/.* //' url)

{
  for store in a b; do
    printf '[store %s]\ndriver = linvo\npath = %s.store\n' $store $store
  done
  printf '[store native]\ndriver = sqlite\npath = native.db\n'
  for who in ann bob; do
    printf '[transport %s]\ndriver = http\nurl = %s\ntoken_file = %s\n' \
      $who "$url" $who
    printf 'retries = 0\ndialect = linvo\n'
  done
  printf '[transport hub]\ndriver = http\nurl = %s\ntoken_file = ann\n' "$url"
  for store in a b; do
    printf '[sync %s-ann]\nstore = %s\ntransport = ann\n' $store $store
    printf 'collections = todo\n'
  done
  printf '[sync native-hub]\nstore = native\ntransport = hub\n'
  printf '[sync native-bob]\nstore = native\ntransport = bob\n'
} >tally.ini

put a '{"_id":"x","n":0.10,"title":"milk"}'
runs a-ann '0 1 0 0 0'
runs b-ann '1 0 0 0 0'
has b '{"_id":"x","n":0.10,"title":"milk"}'
runs native-hub '1 0 0 0 0'

# Three edits of three fields, one of them over the native protocol.
put a '{"_id":"x","n":1,"title":"milk"}'
put b '{"_id":"x","n":0.10,"title":"tea"}'
put native '{"_id":"x","n":0.10,"title":"milk","more":true}'
runs a-ann '0 1 0 0 0'
runs b-ann '0 0 1 0 0'
tally sync native-hub --json
is 'a native client merges' 0 $code
runs a-ann '1 0 0 0 0'
runs b-ann '1 0 0 0 0'
tally get native todo x
has a "$(cat out)"
has b "$(cat out)"
is 'all that is newer is there' 'true' "$(jq 'has("more") and .title=="tea"' out)"

runs a-ann '0 0 0 0 0'
is 'nothing moves with one question' 1 "$(jq .round_trips out)"
runs native-hub '0 0 0 0 0'

# A delete is one on either side.
tally rm a todo x
runs a-ann '0 1 0 0 1'
runs native-hub '1 0 0 0 1'
runs b-ann '1 0 0 0 1'
tally get b todo x
is 'the document is gone' 4 $code
put native '{"_id":"x","n":2}'
tally sync native-hub --json
is 'a document over its tombstone' '0 0' "$code $(jq .conflicts out)"
runs a-ann '1 0 0 0 0'
has a '{"_id":"x","n":2}'
tally rm native todo x
runs native-hub '0 1 0 0 1'
runs a-ann '1 0 0 0 1'

# Directions.
put a '{"_id":"x","n":3}'
put b '{"_id":"y","n":3}'
tally sync a-ann --direction pull --json
is 'a pull leaves there what is here' 0 "$(jq .pushed out)"
tally sync b-ann --direction push --json
is 'a push gives' 1 "$(jq .pushed out)"
tally sync a-ann --direction push --json
is 'a push takes nothing' '0 1' "$(jq -r '[.pulled,.pushed]|join(" ")' out)"
runs a-ann '1 0 0 0 0'

# Another account.
tally sync native-bob --json
is 'another account is empty' 0 "$(jq -s 'map(.pulled)|add // 0' out)"

for command in 'sync a-ann --dry-run' 'verify a ann'; do
  # shellcheck disable=SC2086
  tally $command
  is "$command is refused" 6 $code
  is "$command says why" 1 "$(grep -c dialect err)"
done
tally check
is 'check' 0 $code
sed 's/linvo$/lindo/' tally.ini >wrong.ini
"$TALLY" -c wrong.ini check >out 2>err
is 'an unknown dialect' 3 $?

kill $server
wait $server
is 'the server ends well' 0 $?
server=

# Who has the store sees whose what is, and who has a token only their own.
tally get sqlite:hub.db ann:todo x
is "an account's document" "$("$TALLY" get a todo x)" "$(cat out)"
tally find sqlite:hub.db ann:todo '{"_id":"x"}' --count
is "an account's documents are found" 1 "$(cat out)"
tally export sqlite:hub.db ann:todo
is 'and exported' 1 "$(grep -c '"_id":"x"' out)"
tally get sqlite:hub.db todo x
is 'they are in no other collection' 4 $code
tally export sqlite:hub.db
mv out hub.ndjson
is 'all of a server is what accounts have, too' 1 \
  "$(jq -r .collection hub.ndjson | sort -u | grep -c '^ann:todo$')"
tally import ndjson hub.ndjson sqlite:again.db
is 'it is taken back' 0 $code
tally export sqlite:again.db
is 'all of it' "$(cat hub.ndjson)" "$(cat out)"
tally export a
is 'the copy of what a server has is no collection of ours' todo \
  "$(jq -r .collection out | sort -u)"
long=$(printf '%065d' 0)
for collection in _mtime:todo ann:a:b :todo ann: "$long:todo"; do
  tally get sqlite:hub.db $collection x
  is "$collection is no name" 6 $code
done
tally rm sqlite:hub.db ann:todo x
is "an account's documents are not written here" 6 $code

tally sync a-ann --json
is 'nobody answers' 5 $code
is 'nobody was reached' null "$(jq .collection out)"
exit $((failures > 0))
