#!/bin/sh
# SPDX-License-Identifier: MIT
# Dry runs, plans and the guard from the command line, over stores, HTTP and a
# folder: a dry run changes no byte and says what the run then does; a plan is
# done or refused; a run that would delete too much does nothing.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
needs jq
needs_drivers linvo sqlite http file
enter plans

not_ok ()
{
  echo "not ok $*"
  sed 's/^/#   out: /' out | head -n 12
  sed 's/^/#   err: /' err | head -n 12
  failures=$((failures + 1))
}

# expect NAME CODE ARGUMENT...
expect ()
{
  name=$1 want=$2
  shift 2
  "$TALLY" "$@" >out 2>err
  code=$?
  if [ "$code" = "$want" ]; then ok "$name"; else
    not_ok "$name (exit $code, not $want): $*"
  fi
}

# says NAME PATTERN
says ()
{
  if grep -q -e "$2" err; then ok "$1"; else not_ok "$1 (no $2)"; fi
}

quiet ()
{
  "$TALLY" -q "$@" >/dev/null || not_ok "$*"
}

# fill STORE FIRST LAST: documents of these numbers in notes.
fill ()
{
  seq "$2" "$3" | jq -c '{_id: "n\(.)", v: .}' >docs
  quiet put "$1" notes docs
}

# Every byte that is kept here; -shm is SQLite's memory, and LevelDB keeps a
# log of its openings.
bytes ()
{
  find . -type f \( -name '*.db' -o -name '*.db-wal' -o -path './dir*' \) \
    -size +0c | sort | xargs cksum
  for s in "$@"; do
    "$TALLY" export "$s"
    "$TALLY" conflicts "$s" --json
    "$TALLY" status "$s" --json
  done 2>/dev/null
}

# What is different on both sides: an edit, a new document, a delete, one that
# both changed, one that was edited here and deleted there.
differ ()
{
  echo '{"_id":"n1","v":"a"}' | quiet put "$1" notes -
  echo '{"_id":"n2","x":"a"}' | quiet put "$1" notes -
  echo '{"_id":"n7","x":"a"}' | quiet put "$1" notes -
  echo '{"_id":"new a"}' | quiet put "$1" notes -
  echo '{"_id":"t1"}' | quiet put "$1" tasks -
  quiet rm "$1" notes n5
  sleep 0.01
  echo '{"_id":"n2","v":2,"y":"b"}' | quiet put "$2" notes -
  echo '{"_id":"n3","v":"b"}' | quiet put "$2" notes -
  quiet rm "$2" notes n6 n7
}

# The same counts from a dry run's lines and from a run's.
counts_planned ()
{
  jq -r '.collection + " " + .action' "$1" | sort | uniq -c | sed 's/^ *//'
}

counts_done ()
{
  jq -r '. as $r | [["merge", .merged], ["pull", .pulled], ["push", .pushed]]
         | .[] | select (.[1] > 0) | "\(.[1]) \($r.collection) \(.[0])"' \
    "$1"
}

# serve DATABASE: leaves $url.
serve ()
{
  [ -z "$server" ] || kill "$server"
  rm -f ready
  mkfifo ready
  "$TALLY" serve "sqlite:$1" --listen 127.0.0.1:0 >ready 2>serve.err &
  server=$!
  url=$(timeout 30 head -n 1 ready | sed 's/.* //')
}

# foretell NAME A B STORE...: a dry run of A and B, then the run; STOREs are
# what can be looked into.
foretell ()
{
  name=$1 a=$2 b=$3
  shift 3
  bytes "$@" >before
  expect "$name: dry run" 0 pair "$a" "$b" --dry-run --json
  cp out planned
  bytes "$@" >after
  if cmp -s before after; then ok "$name: changes no byte"; else
    diff before after | head -n 10 | sed 's/^/#   /'
    not_ok "$name: changes no byte"
  fi
  is "$name: members" "link collection _id action deleted" \
    "$(jq -r 'keys_unsorted | join (" ")' planned | sort -u)"
  expect "$name: for people" 0 pair "$a" "$b" --dry-run
  is "$name: as many lines" "$(wc -l <planned)" "$(wc -l <out)"
  expect "$name: the run" 0 pair "$a" "$b" --json
  is "$name: did what was said" "$(counts_planned planned)" \
    "$(counts_done out)"
  expect "$name: afterwards" 0 pair "$a" "$b" --dry-run --json
  is "$name: nothing is left" "" "$(cat out)"
}

# ---- dry runs ---------------------------------------------------------------

fill sqlite:a.db 1 9
expect "a side that is missing" 0 pair sqlite:a.db sqlite:none.db --dry-run
is "everything would go there" 9 "$(grep -c ' push ' out)"
is "and nobody's clock is off" 0 "$(grep -c clock err)"
expect "this side is missing" 0 pair linvo:none sqlite:a.db --dry-run
is "everything would come" 9 "$(grep -c ' pull ' out)"
expect "the folder is missing" 0 pair sqlite:a.db file:none.dir --dry-run
is "it would all be put there" 9 "$(grep -c ' push ' out)"
expect "both are missing" 4 pair sqlite:none.db linvo:none --dry-run
is "nothing was made" "" "$(ls -d none* 2>/dev/null)"

fill linvo:b 5 12
foretell "sqlite and linvo" sqlite:a.db linvo:b sqlite:a.db linvo:b
differ sqlite:a.db linvo:b
foretell "edits" sqlite:a.db linvo:b sqlite:a.db linvo:b
is "they are what was foretold" "merge pull push" \
  "$(jq -r .action planned | sort -u | tr '\n' ' ' | sed 's/ $//')"
differ linvo:b sqlite:a.db
foretell "the other way round" linvo:b sqlite:a.db sqlite:a.db linvo:b

foretell "a folder" sqlite:a.db file:dir sqlite:a.db
fill sqlite:c.db 8 15
foretell "a folder's reader" sqlite:c.db file:dir sqlite:c.db
differ sqlite:a.db sqlite:c.db
quiet pair sqlite:a.db file:dir
quiet rm sqlite:a.db notes n9
quiet pair sqlite:a.db file:dir
foretell "edits in a folder" sqlite:c.db file:dir sqlite:c.db

serve hub.db
foretell "http, first" sqlite:a.db "$url" sqlite:a.db
quiet pair linvo:b "$url"
differ linvo:b sqlite:a.db
quiet pair linvo:b "$url"
foretell "http, edits" sqlite:a.db "$url" sqlite:a.db

differ sqlite:a.db linvo:b
for d in push pull; do
  expect "direction $d" 0 pair sqlite:a.db linvo:b --direction $d --dry-run \
    --json
  cp out planned
  expect "its run" 0 pair sqlite:a.db linvo:b --direction $d --json
  is "did what was said" "$(counts_planned planned)" "$(counts_done out)"
done
echo '{"_id":"t2"}' | quiet put sqlite:a.db tasks -
echo '{"_id":"n1","v":5}' | quiet put sqlite:a.db notes -
expect "one collection" 0 pair sqlite:a.db linvo:b --collections tasks \
  --dry-run --json
is "and no other" '"t2"' "$(jq -c ._id out)"

# A store that became what it was before.
cp a.db old.db
quiet pair sqlite:a.db linvo:b
cp old.db a.db
rm -f a.db-wal a.db-shm
echo '{"_id":"after"}' | quiet put sqlite:a.db notes -
foretell "a store that was rolled back" sqlite:a.db linvo:b sqlite:a.db linvo:b

# ---- plans ------------------------------------------------------------------

cat >tally.ini <<'INI'
[store a]
driver = sqlite
path = a.db
[store b]
driver = linvo
path = b
[transport stick]
driver = file
path = dir2
[sync first]
store = a
transport = stick
[sync second]
store = b
transport = stick
INI
chmod 600 tally.ini
differ sqlite:a.db linvo:b
expect "save a plan" 0 pair sqlite:a.db linvo:b --plan p --json
cp out planned
expect "save it again" 0 pair sqlite:a.db linvo:b --plan p
echo '{"_id":"n3","v":"moved"}' | quiet put linvo:b notes -
bytes sqlite:a.db linvo:b >before
expect "something moved there" 8 pair sqlite:a.db linvo:b --apply p
says "and is named" 'document "n3" in "notes" moved since the plan was made'
bytes sqlite:a.db linvo:b >after
is "nothing was done" "$(cat before)" "$(cat after)"
expect "a new plan" 0 pair sqlite:a.db linvo:b --plan p --json
cp out planned
echo '{"_id":"more"}' | quiet put sqlite:a.db notes -
expect "something came" 8 pair sqlite:a.db linvo:b --apply p
says "and is named, too" 'document "more" in "notes" moved'
quiet rm sqlite:a.db notes more
expect "a tombstone is something, too" 8 pair sqlite:a.db linvo:b --apply p
expect "a plan of that" 0 pair sqlite:a.db linvo:b --plan p --json
cp out planned
expect "apply it" 0 pair sqlite:a.db linvo:b --apply p --json
is "it did what it said" "$(counts_planned planned)" "$(counts_done out)"
expect "once" 8 pair sqlite:a.db linvo:b --apply p
expect "nothing is left" 0 pair sqlite:a.db linvo:b --dry-run
is "to do" "" "$(cat out)"

echo '{"_id":"t3"}' | quiet put sqlite:a.db tasks -
echo '{"_id":"n3","v":6}' | quiet put sqlite:a.db notes -
expect "a plan of one collection" 0 pair sqlite:a.db linvo:b --plan p \
  --collections tasks --direction push
expect "another collection" 2 pair sqlite:a.db linvo:b --apply p \
  --collections notes
expect "another direction" 2 pair sqlite:a.db linvo:b --apply p \
  --direction pull
expect "other stores" 6 pair sqlite:c.db linvo:b --apply p
expect "the plan knows its collections" 0 pair sqlite:a.db linvo:b --apply p \
  --json
is "and no other moves" "tasks 1" \
  "$(jq -r '.collection + " " + (.pushed | tostring)' out)"

expect "a plan of a link" 0 sync first --plan p
expect "is no other link's" 2 sync second --apply p
says "which is said" 'was made for first, not for second'
expect "a plan is of one link" 2 sync --plan p
expect "apply a link's" 0 sync first --apply p
quiet sync second
quiet sync first
echo '{"_id":"n3","v":7}' | quiet put linvo:b notes -
quiet sync second
echo '{"_id":"n3","v":8}' | quiet put linvo:b notes -
quiet rm linvo:b notes n4
quiet sync second
expect "a plan of several segments" 0 sync first --plan p --json
is "names a document once" "$(jq -r ._id out | sort -u)" \
  "$(jq -r ._id out | sort)"
cp out planned
cp p p2
quiet rm linvo:b notes n8
quiet sync second
expect "one more segment" 8 sync first --apply p
says "is noticed" 'document "n8" in "notes" moved'
expect "apply what is planned now" 0 sync first --plan p
expect "all of it" 0 sync first --apply p
expect "no more then" 0 sync first --dry-run
is "in the folder" "" "$(cat out)"

sed 's/n3/n2/' p2 >damaged
expect "a plan that was changed" 6 sync first --apply damaged
head -n 2 p2 >damaged
expect "a plan that was cut short" 6 sync first --apply damaged
: >damaged
expect "an empty one" 6 sync first --apply damaged
says "is said in a line" '^tally: .*damaged: is no plan, or damaged$'
expect "one that is not there" 4 sync first --apply nowhere
echo mine >mine
expect "never over a file" 6 sync first --plan mine
is "which is as it was" mine "$(cat mine)"
expect "not into a folder" 6 sync first --plan dir
expect "made or applied" 2 sync first --plan p --apply p
expect "no number" 2 sync first --max-delete many
is "nothing lies about" "" "$(ls | grep tmp)"

# ---- the guard --------------------------------------------------------------

serve hub2.db
fill sqlite:g.db 1 150
fill linvo:h 1 3
echo '{"_id":"t"}' | quiet put sqlite:g.db tasks -
quiet pair sqlite:g.db linvo:h
quiet pair sqlite:g.db "$url"
"$TALLY" -q rm sqlite:g.db notes --query '{}'
echo '{"_id":"t","v":1}' | quiet put sqlite:g.db tasks -
expect "a dry run of a mass delete" 0 pair sqlite:g.db linvo:h --dry-run
is "lists it" 150 "$(grep -c 'delete of' out)"
says "and says that it stops" \
  'notes: would delete 150 of 150 documents there; pass --max-delete 150 to'
expect "a mass delete" 8 pair sqlite:g.db linvo:h --json
says "says the numbers" \
  'notes: would delete 150 of 150 documents there; pass --max-delete 150 to'
is "another collection goes on" '"tasks" 1' \
  "$(jq -r 'select (.pushed > 0) | "\"\(.collection)\" \(.pushed)"' out)"
is "nothing is deleted there" 150 "$("$TALLY" find linvo:h notes --count)"
expect "from the other side" 8 pair linvo:h sqlite:g.db
says "it is here" 'would delete 150 of 150 documents here; pass'
expect "less than needed" 8 pair sqlite:g.db linvo:h --max-delete 149
expect "only to be given" 8 pair sqlite:g.db linvo:h --direction push
expect "only to be taken" 8 pair linvo:h sqlite:g.db --direction pull
expect "a plan does not change that" 0 pair sqlite:g.db linvo:h --plan p
expect "when it is applied" 8 pair sqlite:g.db linvo:h --apply p
expect "over a folder nothing goes here" 0 pair sqlite:g.db file:dir3
expect "where it comes from a folder" 8 pair linvo:h file:dir3
is "nothing is deleted here" 150 "$("$TALLY" find linvo:h notes --count)"
expect "over http" 8 pair sqlite:g.db "$url"
says "it is there" 'would delete 150 of 150 documents there; pass'
expect "which is allowed" 0 pair sqlite:g.db "$url" --max-delete 150
expect "it is allowed" 0 pair sqlite:g.db linvo:h --apply p --max-delete 150
is "and done" 0 "$("$TALLY" find linvo:h notes --count)"

fill sqlite:o.db 1 2
expect "a plan for a store that is not there" 0 pair sqlite:o.db linvo:o --plan p
expect "makes it" 0 pair sqlite:o.db linvo:o --apply p
expect "but not twice" 8 pair sqlite:o.db linvo:o --apply p
says "and says why" '^tally: p: was made before one of the two was there'

fill sqlite:g.db 1 4
quiet pair sqlite:g.db linvo:h
"$TALLY" -q rm sqlite:g.db notes n1 n2
expect "a few are free" 0 pair sqlite:g.db linvo:h --dry-run
is "and not spoken of" 0 "$(grep -c max-delete err)"
expect "unless fewer are allowed" 8 pair sqlite:g.db linvo:h --max-delete 1
expect "none" 8 pair sqlite:g.db linvo:h --max-delete 0
expect "just enough" 0 pair sqlite:g.db linvo:h --max-delete 2
fill sqlite:g.db 1 300
quiet pair sqlite:g.db linvo:h
quiet pair sqlite:g.db "$url"
seq 1 150 | sed 's/^/n/' | xargs "$TALLY" -q rm sqlite:g.db notes
expect "half of it is free" 0 pair sqlite:g.db linvo:h
"$TALLY" -q rm sqlite:g.db notes --query '{}'
cat >>tally.ini <<INI
[store g]
driver = sqlite
path = g.db
[transport hub]
driver = http
url = $url
[sync emptied]
store = g
transport = hub
INI
expect "a link stops, too" 8 sync emptied
expect "and its status says why" 0 status emptied --json
case $(jq -r .last_error out) in
*"would delete 300 of 300 documents there"*) ok "with the numbers" ;;
*) not_ok "with the numbers" ;;
esac

[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
