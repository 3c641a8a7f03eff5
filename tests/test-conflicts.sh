#!/bin/sh
# SPDX-License-Identifier: MIT
# What loses unseen, from outside: two devices and a hub over HTTP, each with
# its own ini and name.  The loser is listed on one machine, comes back
# everywhere when it is restored, is explained with names that travelled
# through the hub, and goes when it is old or there are too many.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
needs jq
enter conflicts

show ()
{
  sed 's/^/#   out: /' out | head -n 20
  sed 's/^/#   err: /' err | head -n 20
}

# expect NAME CODE ARGUMENT...: leaves the files out and err.
expect ()
{
  name=$1 want=$2
  shift 2
  "$TALLY" "$@" >out 2>err
  code=$?
  if [ "$code" = "$want" ]; then
    echo "ok $name"
  else
    echo "not ok $name (tally $*: exit $code, not $want)"
    failures=$((failures + 1))
    show
  fi
}

# says NAME PATTERN: on stderr.
says ()
{
  if grep -q -e "$2" err; then
    echo "ok $1"
  else
    echo "not ok $1 (no $2)"
    failures=$((failures + 1))
    show
  fi
}

# quiet NAME: nothing on stderr of conflicts.
quiet ()
{
  is "$1" 0 "$(grep -c conflict err)"
}

# put DEVICE JSON
put ()
{
  printf '%s\n' "$2" | "$TALLY" -c "$1.ini" put store notes 2>err \
    || { echo "not ok put $2"; failures=$((failures + 1)); show; }
}

# quiet_sync DEVICE...: one after the other.
quiet_sync ()
{
  for d in "$@"; do
    expect "$d syncs" 0 -c "$d.ini" sync --fail-on-conflict
    quiet "$d lost nothing"
  done
}

# listed DEVICE: how many conflicts.
listed ()
{
  "$TALLY" -c "$1.ini" conflicts store --json 2>err | wc -l | tr -d ' '
}

# serve NAME: starts the hub of NAME.ini, and leaves its url in $url.
serve ()
{
  rm -f ready
  mkfifo ready
  "$TALLY" -c "$1.ini" serve --json >ready 2>serve.err &
  children="$children $!"
  url=$(timeout 30 head -n 1 ready | jq -r .url)
}

# device NAME DRIVER TOKEN: its ini, with a link to the hub.
device ()
{
  printf '%s\n' "$3" >"$1.token"
  chmod 600 "$1.token"
  cat >"$1.ini" <<EOT
[tally]
device = $1
${4-}
[store store]
driver = $2
path = $1.$2
[transport hub]
driver = http
url = $url
token_file = $1.token
[sync link]
store = store
transport = hub
EOT
}

# ---- a hub ----------------------------------------------------------------

printf 'token-of-default\ntoken-of-other other\n' >tokens
chmod 600 tokens
cat >hub.ini <<'EOT'
[tally]
device = cellar
[store store]
driver = sqlite
path = hub.db
[transport here]
driver = http
listen = 127.0.0.1:0
[serve hub]
transport = here
store = store
tokens = tokens
EOT
serve hub
device laptop linvo token-of-default
device phone sqlite token-of-default

# ---- the same field -------------------------------------------------------

put laptop '[{"_id":"same","v":0,"w":0},{"_id":"gone","v":0},{"_id":"kept","v":0}]'
quiet_sync laptop phone
put laptop '{"_id":"same","v":1,"w":0}'
put phone '{"_id":"same","v":2,"w":0}'
quiet_sync laptop
expect "the second merges" 10 -c phone.ini sync --fail-on-conflict --json
is "one lost" "1 1" "$(jq -r '"\(.conflicts) \(.merged)"' out)"
says "stderr says where to look" 'tally conflicts store'
quiet_sync laptop phone
is "listed on exactly one machine" "0 1 0" \
  "$(listed laptop) $(listed phone) $(listed hub)"
expect "the conflict" 0 -c phone.ini conflicts store list --json
is "has its shape" "id collection _id field lost won link at" \
  "$(jq -r 'keys_unsorted | join (" ")' out)"
is "and its sides" "value stamp client device" \
  "$(jq -r '.lost | keys_unsorted | join (" ")' out)"
is "and names" "1 laptop 2 phone" \
  "$(jq -r '"\(.lost.value) \(.lost.device) \(.won.value) \(.won.device)"' out)"
id=$(jq -r .id out)
expect "for people" 0 -c phone.ini conflicts store
is "with names" 1 "$(grep -c 'laptop (.*phone (' out)"
expect "phone explains" 0 -c phone.ini explain store notes same --json
is "why the value stands" "later stamp: 1 of laptop, $id" \
  "$(jq -r 'select (.field == "v") | "\(.why): \(.lost[0].value) of \(
    .lost[0].device), \(.lost[0].id)"' out)"
is "whose it is" "phone 2 field" \
  "$(jq -r 'select (.field == "v") | "\(.device) \(.value) \(.write)"' out)"
is "who was seen" laptop "$(jq -r 'select (.seen) | .seen[].device' out)"
expect "laptop explains" 0 -c laptop.ini explain store notes same --json
is "a name travelled through the hub" "phone 2 only assignment known" \
  "$(jq -r 'select (.field == "v") | "\(.device) \(.value) \(.why)"' out)"
expect "the hub explains" 0 -c hub.ini explain store notes same --json
is "it knows both" "phone laptop" \
  "$(jq -r 'select (.field != "") | .device' out | tr '\n' ' ' | sed 's/ $//')"

expect "restore" 0 -c phone.ini conflicts store restore "$id" --json
is "as a write" updated "$(jq -r .outcome out)"
is "and the entry is gone" 0 "$(listed phone)"
quiet_sync phone laptop phone
for d in laptop phone hub; do
  expect "$d" 0 -c $d.ini get store notes same
  is "what was restored won at $d" '{"_id":"same","v":1,"w":0}'
done
is "no conflict is left" "0 0 0" \
  "$(listed laptop) $(listed phone) $(listed hub)"

# ---- an edit against a delete ---------------------------------------------

put laptop '{"_id":"gone","v":1}'
expect "a delete that is later" 0 -c phone.ini rm store notes gone
expect "phone explains what it deleted" 0 -c phone.ini explain store notes \
  gone --json
is "who deleted it" "true phone only assignment known" \
  "$(jq -r '"\(.deleted) \(.device) \(.why)"' out)"
expect "for people" 0 -c phone.ini explain store notes gone
is "too" 1 "$(grep -c '^(all)  *(deleted)  *.*phone' out)"
expect "a delete" 0 -c laptop.ini rm store notes kept
put phone '{"_id":"kept","v":1}'
expect "a whole write" 0 -c phone.ini get store notes kept
printf '{"_id":"kept","v":2}\n' >kept
expect "that is later" 0 -c phone.ini put store notes kept --replace
quiet_sync laptop
expect "the second merges" 10 -c phone.ini sync --fail-on-conflict
says "stderr says so" '2 conflicts in notes'
quiet_sync laptop phone
is "on exactly one machine" "0 2 0" \
  "$(listed laptop) $(listed phone) $(listed hub)"
expect "the losers" 0 -c phone.ini conflicts store --json
is "are a body and a delete" 'gone {"_id":"gone","v":1} null
kept null {"_id":"kept","v":2}' \
  "$(jq -rc '"\(._id) \(.lost.value) \(.won.value)"' out | sort)"
# The tombstone may be forgotten by now: the journal knows it.
expect "phone explains what was deleted" 0 -c phone.ini explain store notes \
  gone --json
is "who deleted it, over what" 'true phone later stamp {"_id":"gone","v":1}' \
  "$(jq -rc 'select (.field == "") | "\(.deleted) \(.device) \(.why) \(
    .lost[0].value)"' out)"
expect "for people" 0 -c phone.ini explain store notes gone
is "too" 1 "$(grep -c '^(all)  *(deleted)  *.*phone' out)"
# shellcheck disable=SC2046
expect "restore both" 0 -c phone.ini conflicts store restore \
  $("$TALLY" -c phone.ini conflicts store --json | jq -r .id) --json
is "one comes back, one goes" "gone inserted
kept deleted" "$(jq -r '"\(._id) \(.outcome)"' out | sort)"
quiet_sync phone laptop phone
for d in laptop phone hub; do
  expect "$d" 0 -c $d.ini export store notes
  is "what was restored won at $d" '{"_id":"gone","v":1}
{"_id":"same","v":1,"w":0}'
done
expect "nothing to explain" 4 -c phone.ini explain store notes never
says "says so" 'tally: never: not found'
expect "a store that is not there" 4 explain sqlite:no.db notes never

# ---- deleted before it was restored ---------------------------------------

put laptop '{"_id":"same","v":3,"w":0}'
put phone '{"_id":"same","v":4,"w":0}'
quiet_sync laptop
expect "a conflict" 10 -c phone.ini sync --fail-on-conflict
quiet_sync laptop
expect "phone deletes it" 0 -c phone.ini rm store notes same
quiet_sync phone laptop
id=$("$TALLY" -c phone.ini conflicts store --json | jq -r .id)
expect "restore a field" 0 -c phone.ini conflicts store restore "$id" --json
is "brings it back" inserted "$(jq -r .outcome out)"
quiet_sync phone laptop
for d in laptop phone hub; do
  expect "$d" 0 -c $d.ini get store notes same
  is "at $d" '{"_id":"same","v":3}'
done

# ---- what names cost, and who hears them ----------------------------------

put laptop '{"_id":"same","v":3,"w":1}'
quiet_sync laptop phone
expect "a run that moves nothing" 0 -c laptop.ini sync --json
first=$(jq -c '[.round_trips, .bytes_sent]' out)
expect "and another" 0 -c laptop.ini sync --json
is "cost the same" "$first" "$(jq -c '[.round_trips, .bytes_sent]' out)"
is "and one round trip" 1 "$(jq .round_trips out)"
# The laptop's documents, brought to another account by somebody else.
device stranger sqlite token-of-other
expect "a copy for a stranger" 0 -c laptop.ini pair store \
  sqlite:stranger.sqlite
quiet_sync stranger
device friend sqlite token-of-other
quiet_sync friend
expect "who has not met the laptop" 0 -c friend.ini explain store notes same \
  --json
is "has what the laptop wrote" 1 \
  "$(jq -c 'select (.field == "w") .value' out)"
is "does not hear its name" null \
  "$(jq -c 'select (.field == "w") .device' out)"
is "nor do its files" 0 "$(grep -c laptop friend.sqlite)"

# ---- bounds ---------------------------------------------------------------

# clash DEVICE OTHER FIELD: the field of one document, offline on both.
clash ()
{
  for f in "$@"; do
    put a "{\"_id\":\"d\",\"$f\":1}"
    put b "{\"_id\":\"d\",\"$f\":2}"
    "$TALLY" pair sqlite:a.sqlite sqlite:b.sqlite -q >out 2>err
  done
}
device a sqlite token-of-default 'max_conflicts = 2'
device b sqlite token-of-default
put a '{"_id":"d"}'
expect "a pair" 0 pair sqlite:a.sqlite sqlite:b.sqlite
clash one two three
is "three conflicts" 3 "$(listed a)"
expect "a run drops the oldest" 0 -c a.ini sync
says "and says so" 'a.sqlite: 1 conflict was dropped, 1 of them'
is "two are left" 2 "$(listed a)"
expect "list" 0 -c a.ini conflicts store --json
is "the newer ones" "three two" \
  "$(jq -r .field out | sort | tr '\n' ' ' | sed 's/ $//')"
says "list says what is missing" '1 conflict was dropped so far, 1 of them'
expect "status" 0 -c a.ini status store --json
is "says so" '{"store":"store","conflicts":2,"dropped":1}' \
  "$(grep conflicts out)"
expect "status for people" 0 -c a.ini status store
is "says so" 1 "$(grep -c '^STORE  *CONFLICTS  *DROPPED' out)"
expect "a second run" 0 -c a.ini sync
quiet "drops nothing"
device a sqlite token-of-default 'keep_conflicts = 1ms'
expect "a run that marks them" 0 -c a.ini sync
expect "what is old" 0 -c a.ini sync
says "goes" '2 conflicts were dropped, being old or too many'
is "all of it" 0 "$(listed a)"
expect "list" 0 -c a.ini conflicts store
says "remembers" '3 conflicts were dropped so far'

# ---- large ones ------------------------------------------------------------

# More than is read in one go.
fat ()
{
  for i in 1 2 3 4; do
    printf '{"_id":"fat%s","v":"' $i
    head -c 3000000 /dev/zero | tr '\0' "$1"
    printf '"}\n'
  done
}
for c in 0 1 2; do
  fat $c >fat$c
done
expect "fat documents" 0 put sqlite:fat.db notes fat0
expect "and a copy" 0 pair sqlite:fat.db linvo:fatcopy -q
expect "edits" 0 put sqlite:fat.db notes fat1
expect "and others" 0 put linvo:fatcopy notes fat2
expect "lose" 10 pair sqlite:fat.db linvo:fatcopy -q --fail-on-conflict
is "what makes it fail is said, quiet or not" 1 \
  "$(grep -c '^tally: .* conflict.*; see what lost with ' err)"
expect "all are listed" 0 conflicts sqlite:fat.db --json
is "once each" "fat1 fat2 fat3 fat4" \
  "$(jq -r ._id out | sort | tr '\n' ' ' | sed 's/ $//')"
expect "and explained" 0 explain sqlite:fat.db notes fat3
is "at a bearable length" 0 "$(awk 'length > 300' out | wc -l | tr -d ' ')"

# ---- blind ones -----------------------------------------------------------

cat >blind <<'EOT'
{"_id":"blind","_mtime":2000,"x":2}
{"_id":"blind","_mtime":1000,"x":1}
EOT
expect "a blind writer's" 0 import ndjson blind sqlite:a.sqlite notes
expect "list" 0 conflicts sqlite:a.sqlite --json
is "does not show it" ""
expect "list --all" 0 conflicts sqlite:a.sqlite list --all --json
is "does" "true" "$(jq -r .blind out | sort -u)"
blind=$(jq -r .id out | head -n 1)
expect "so does show" 0 conflicts sqlite:a.sqlite show "$blind"
expect "not for show" 2 conflicts sqlite:a.sqlite show "$blind" --all
expect "status does not count it" 0 status sqlite:a.sqlite --json
is "as a conflict" 0 "$(jq 'select (.conflicts) .conflicts' out)"
expect "it can be dropped" 0 conflicts sqlite:a.sqlite drop "$blind"
expect "and is gone" 4 conflicts sqlite:a.sqlite show "$blind"

# ---------------------------------------------------------------------------

if [ "$failures" != 0 ]; then
  echo "$failures failed"
  exit 1
fi
