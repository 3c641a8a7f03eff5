#!/bin/sh
# SPDX-License-Identifier: MIT
# The program from outside: every command, what it prints with and without
# --json, every exit code, and that bad input changes nothing.  TALLY is the
# program (absolute, or found from here); drivers are found as it finds them.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
needs jq
enter cli

show ()
{
  echo "#   tally $*: exit $code"
  sed 's/^/#   out: /' out | head -n 20
  sed 's/^/#   err: /' err | head -n 20
}

# expect NAME CODE ARGUMENT...
expect ()
{
  name=$1 want=$2
  shift 2
  run "$@" </dev/null
  if [ "$code" = "$want" ]; then
    ok "$name"
  else
    not_ok "$name (exit $code, not $want)"
    show "$@"
  fi
}

# refuses NAME CODE PATTERN ARGUMENT...: nothing on stdout, and one line on
# stderr, that says so.
refuses ()
{
  name=$1 want=$2 pattern=$3
  shift 3
  run "$@" </dev/null
  if [ "$code" = "$want" ] && [ ! -s out ] \
    && [ "$(wc -l <err)" = 1 ] && grep -q "^tally: .*: " err \
    && ! grep -q '\.$' err && grep -q -e "$pattern" err; then
    ok "$name"
  else
    not_ok "$name (exit $code, not $want, or not one line with $pattern)"
    show "$@"
  fi
}

# says NAME PATTERN: on stderr.
says ()
{
  if grep -q -e "$2" err; then
    ok "$1"
  else
    not_ok "$1 (no $2)"
    show
  fi
}

# json NAME FILTER: true of every line of stdout, of which there is one.
json ()
{
  if jq -e -s "length > 0 and all(.[]; $2)" out >/dev/null 2>jq.err; then
    ok "$1"
  else
    not_ok "$1 ($2)"
    sed 's/^/#   /' out jq.err
  fi
}

# members NAME LIST: of every line of stdout, in this order.
members ()
{
  got=$(jq -r 'keys_unsorted | join (" ")' out | sort -u)
  is "$1" "$2" "$got"
}

# serve OUT ARGUMENT...: starts a server, leaves its first line in $line and
# its number in $server.
serve ()
{
  rm -f ready
  mkfifo ready
  "$TALLY" serve "$@" >ready 2>serve.err &
  server=$!
  children="$children $server"
  line=$(timeout 30 head -n 1 ready)
}

# ends NAME CODE SIGNAL
ends ()
{
  kill "-$3" "$server"
  wait "$server"
  code=$?
  if [ "$code" = "$2" ]; then
    ok "$1"
  else
    not_ok "$1 (exit $code)"
    sed 's/^/#   /' serve.err
  fi
}

# ---- usage ----------------------------------------------------------------

expect "help" 0 --help
is "help names every command" \
  "init drivers check put get rm find update index export import sync pair serve status verify explain conflicts token driver-test" \
  "$(sed -n '/^commands:/,/^options/p' out \
    | sed -n 's/^  \([a-z][a-z-]*\).*/\1/p' | tr '\n' ' ' | sed 's/ $//')"
expect "version" 0 --version
is "version is a line" 1 "$(grep -c '^tally [0-9]' out)"
for c in init drivers check put get rm find export import sync pair serve status \
  verify; do
  expect "help of $c" 0 "$c" --help
  is "usage of $c" 1 "$(grep -c "^usage: tally $c" out)"
done
expect "a global option before the name" 0 --help put
is "help of the command then" 1 "$(grep -c "^usage: tally put" out)"

refuses "no command" 2 'tally --help'
refuses "unknown command, nearest" 2 'did you mean "status"' stauts
refuses "unknown command, swapped letters" 2 'did you mean "get"' gte s c a
refuses "unknown command, nothing near" 2 'xylophone' xylophone
refuses "unknown global option" 2 'did you mean "--json"' --jsno drivers
refuses "unknown option, nearest" 2 'did you mean "--replace"' \
  put --replcae memory: c
refuses "an abbreviation is unknown" 2 'did you mean "--replace"' \
  put --repl memory: c
refuses "an abbreviated global option" 2 'did you mean "--config"' \
  --conf x drivers
refuses "unknown letter" 2 '-x' drivers -x
refuses "an option of another command" 2 'limit' put memory: c --limit 3
refuses "an option without its value" 2 'needs a value' put memory: c --rev
refuses "a value too many" 2 'takes no value' drivers --json=yes
refuses "too few arguments" 2 'too few' put memory:
refuses "too many arguments" 2 'too many' verify a b c
refuses "too many for check" 2 'too many' check x
refuses "rm without an id" 2 'query' rm memory: c
refuses "rm with both" 2 'query' rm memory: c a --query '{}'
refuses "a limit that is no number" 2 'limit' find memory: c --limit 3x
refuses "a negative limit" 2 'limit' find memory: c --limit=-3
refuses "a skip beyond numbers" 2 'skip' \
  find memory: c --skip 99999999999999999999
refuses "an unknown direction" 2 'did you mean "push"' \
  pair memory: memory: --direction pusj
refuses "--listen without a store" 2 'listen' serve --listen 127.0.0.1:0
refuses "--tokens without --listen" 2 'tokens' serve memory: --tokens f
refuses "check without an ini" 3 'tally init' check
refuses "sync without an ini" 3 'tally init' sync
refuses "serve without an ini" 3 'tally.ini' serve
refuses "status without an ini" 3 'tally.ini' status
refuses "an ini that is not there" 3 'no.ini' -c no.ini drivers

# ---- init, drivers --------------------------------------------------------

expect "init" 0 init
is "init prints nothing" ""
says "init says what is next" 'tally check'
is "init's file is its owner's alone" "-rw-------" \
  "$(ls -l tally.ini | cut -c 1-10)"
cp tally.ini before
refuses "init never writes over a file" 6 'exists' init
if cmp -s tally.ini before; then
  ok "init left the file alone"
else
  not_ok "init left the file alone"
fi
ln -s nowhere link.ini
refuses "init does not follow a link" 6 'exists' init link.ini
expect "init with a name" 0 init other.ini -q
is "quiet init says nothing" "" "$(cat err)"
refuses "init in no folder" 4 'none/x.ini' init none/x.ini
expect "the sample loads" 0 -c tally.ini drivers
rm -f tally.ini other.ini link.ini

expect "drivers" 0 drivers
is "drivers has a table" 1 "$(grep -c '^NAME  *KIND' out)"
expect "drivers --json" 0 drivers --json
members "members of drivers" \
  "name kind version abi path ok error options"
json "drivers load" '.ok and .error == null and .abi == 1'
is "the built-in drivers" "file http linvo linvodb3 loopback memory sqlite" \
  "$(jq -r .name out | sort | tr '\n' ' ' | sed 's/ $//')"
is "kinds of drivers" "source store transport" \
  "$(jq -r .kind out | sort -u | tr '\n' ' ' | sed 's/ $//')"
so=$(jq -r 'select (.name == "sqlite") .path' out)
mkdir shadow
cp "$so" shadow
folders=${TALLY_DRIVER_PATH-}
TALLY_DRIVER_PATH=$PWD/shadow${folders:+:$folders:$folders}
export TALLY_DRIVER_PATH
expect "two folders with one driver" 0 drivers --json
is "list the one in use" "$PWD/shadow/store-sqlite.so" \
  "$(jq -r 'select (.name == "sqlite") .path' out)"
says "and tell of the other" \
  "store-sqlite.so: is not used, $PWD/shadow/store-sqlite.so comes before"
is "each folder once" 7 "$(wc -l <out | tr -d ' ')"
TALLY_DRIVER_PATH=$folders
[ "$folders" ] || unset TALLY_DRIVER_PATH
rm -r shadow
expect "one driver" 0 drivers sqlite
is "its option is shown" 1 "$(grep -c '^  path (path, required)' out)"
expect "one driver --json" 0 drivers sqlite --json
json "one driver is one line" '.name == "sqlite"'
json "its options" '.options[0] | .name == "path" and .type == "path"
  and .default == null and .required and (.secret | not)
  and (.help | type) == "string"'
members "one driver has the same members" \
  "name kind version abi path ok error options"
refuses "an unknown driver" 3 'sqlight' drivers sqlight
refuses "a driver file that is not there" 3 'none.so' drivers none.so

# ---- put, get, rm, find, export -------------------------------------------

s=sqlite:s.db
cat >three <<'EOT'
[{"_id":"b","n":2,"t":"x"},
 {"_id":"a","n":1.0,"t":"y"},
 {"_id":"c","n":30,"t":"x"}]
EOT
refuses "get from no store" 4 's.db' get $s docs a
refuses "find in no store" 4 's.db' find $s docs
refuses "export of no store" 4 's.db' export $s
refuses "rm in no store" 4 's.db' rm $s docs a
refuses "status of no store" 4 's.db' status $s
refuses "put of no file" 4 'none.json' put $s docs none.json
if [ -e s.db ]; then
  not_ok "and none is made"
else
  ok "and none is made"
fi

expect "put an array" 0 put $s docs three
is "put prints no ids that were given" ""
says "put says how many" '^3 inserted, 0 updated, 0 unchanged$'
expect "put again" 0 put $s docs three
says "nothing changes then" '^0 inserted, 0 updated, 3 unchanged$'
expect "put --json" 0 put $s docs three --json -q
members "members of put" "collection _id rev outcome"
json "outcome unchanged" '.collection == "docs" and .outcome == "unchanged"
  and (.rev | length) > 0'
is "put -q says nothing" "" "$(cat err)"
expect "put --replace" 0 put $s docs three --replace --json
json "replace writes" '.outcome == "updated"'

printf '{"x":1}\n{"x":2}\n' >two
run put $s more <two
is "put from stdin" 0 "$code"
is "ids made by us are printed" 2 "$(grep -c '^[-_0-9A-Za-z]\{22\}$' out)"
run put $s more - --json <two
json "ids in JSON, too" '(._id | length) == 22 and .outcome == "inserted"'
printf '{"list":[{"code":"AT","v":1},{"code":7,"v":2}]}' >nested
expect "put --at --id" 0 put $s nested nested --at list --id code
expect "documents under the new ids" 0 get $s nested AT 7
is "get in the order asked" '{"_id":"AT","code":"AT","v":1}
{"_id":"7","code":7,"v":2}'

printf '{"list":[{"_id":"at1","v":1},{"_id":"at2"}]}{"list":[{"_id":"at3"}]}' \
  >members
for own in _conflicts _graves _notes; do
  refuses "put to $own" 6 "own" put $s $own nested
  refuses "rm from $own" 6 "own" rm $s $own --query '{}'
  refuses "import to $own" 6 "own" import ndjson nested $s $own
done
expect "put to a local collection of the user's" 0 put $s _mine nested -q

printf '\357\273\277{"_id":"bom"}' >bom
expect "put of a file with a byte order mark" 0 put $s nested bom
expect "put --at of documents as they are kept" 0 \
  put $s nested members --at list
expect "which are read again" 0 get $s nested at1 at2 at3
is "and are what they were" '{"_id":"at1","v":1}
{"_id":"at2"}
{"_id":"at3"}'

expect "get" 0 get $s docs c a
is "get prints canonical documents" '{"_id":"c","n":30,"t":"x"}
{"_id":"a","n":1.0,"t":"y"}'
expect "get of some" 4 get $s docs a nope c never
is "get prints those that exist" '{"_id":"a","n":1.0,"t":"y"}
{"_id":"c","n":30,"t":"x"}'
is "and names each that does not" "tally: nope: tally: never:" \
  "$(cut -d ' ' -f 1,2 err | tr '\n' ' ' | sed 's/ $//')"
printf '{"_id":"-dash"}' >dash
expect "put a dash" 0 put $s ids dash
expect "an id that begins with a dash" 0 get $s ids -- -dash
is "is found after --" '{"_id":"-dash"}'
refuses "and is an option before" 2 'put "--"' get $s ids -dash

"$TALLY" put --json -q $s docs three >revs
rev=$(jq -r 'select (._id == "a") .rev' revs)
printf '{"_id":"a","n":5}' >a5
expect "put --rev that holds" 0 put $s docs a5 --rev "$rev"
refuses "put --rev that moved" 8 'a' put $s docs a5 --rev "$rev" -q
refuses "put --rev that is none" 6 'rev' put $s docs a5 --rev=-nonsense -q

expect "find all" 0 find $s docs
is "find in the order of ids" '{"_id":"a","n":5}
{"_id":"b","n":2,"t":"x"}
{"_id":"c","n":30,"t":"x"}'
expect "find by equality" 0 find $s docs '{"t":"x"}' --fields n
is "find --fields" '{"_id":"b","n":2}
{"_id":"c","n":30}'
expect "find --fields, all others" 0 \
  find $s docs '{"t":"x"}' --fields=-_id,-t --limit 1
is "but those" '{"n":2}'
refuses "find --fields, both ways" 6 'fields' find $s docs --fields n,-t
expect "find by comparison" 0 find $s docs '{"n":{"$gt":2,"$lte":30}}'
is "is by number" '{"_id":"a","n":5}
{"_id":"c","n":30,"t":"x"}'
expect "find --sort and --fields by paths" 0 \
  find $s docs '{"o.p":{"$exists":false}}' --sort o.p,-n --fields n.m --count
hostile ()
{
  refuses "a hostile query: $1" 6 "$2" find $s docs "$3"
}
levels=$(awk 'BEGIN { for (i = 0; i < 3000; i++) printf "{\"$and\":[" }')
hostile "levels without end" 'more than 64 levels' "$levels"
awk 'BEGIN { printf "{\"_id\":\"long\",\"s\":\""
  for (i = 0; i < 200; i++) printf "a"; print "\"}" }' >long
expect "a long text" 0 put sqlite:hostile.db c long
refuses "a hostile query: steps without end" 6 'too many steps' \
  find sqlite:hostile.db c '{"s":{"$regex":"^(a+)+[bd]"}}'
refuses "nor are documents removed by it" 6 'too many steps' \
  rm sqlite:hostile.db c --query '{"s":{"$regex":"^(a+)+[bd]"}}'
hostile "an expression that grows" 'regular expression is too large' \
  '{"s":{"$regex":"((a{1,1000}){1,1000}){1,1000}"}}'
hostile "a type that is none" 'takes the name or number of a type' \
  '{"n":{"$type":"zzz"}}'
hostile "a number for an array" '$in: takes an array' '{"n":{"$in":1}}'
hostile "code" 'unknown operator "$where"' '{"$where":"1"}'
hostile "a member twice" 'duplicate member "n"' '{"n":1,"n":2}'
hostile "no query at all" 'expected a value' ''
refuses "find --sort by an empty name" 6 'sort: "n..m": an empty name' \
  find $s docs --sort a,-n..m
expect "find --sort" 0 find $s docs --sort -n --fields n
is "falling" '{"_id":"c","n":30}
{"_id":"a","n":5}
{"_id":"b","n":2}'
expect "find --skip --limit" 0 find $s docs --skip 1 --limit 1 --fields n
is "gives the second" '{"_id":"b","n":2}'
expect "find --limit 0" 0 find $s docs --limit 0
is "gives none" ""
expect "find --count" 0 find $s docs --count
is "counts" 3
expect "find --count --json" 0 find $s docs '{"t":"x"}' --count --json
is "counts in JSON" '{"count":2}'
expect "find in an empty collection" 0 find $s nothing
is "prints nothing" ""
refuses "a query that is none" 6 '' find $s docs 'n = 3'
refuses "an unknown operator" 6 'near' find $s docs '{"n":{"$near":3}}'
refuses "a query that is an array" 6 '' find $s docs '[1]'

printf '{"_id":"u","n":1}{"_id":"v","n":2}' >uv
expect "put what is to be updated" 0 put linvo:up up uv -q
expect "update" 0 update linvo:up up '{"n":{"$gte":1}}' '{"$inc":{"n":0.1}}' --json
members "members of update" "collection _id rev outcome"
expect "find what was updated" 0 find linvo:up up
is "is updated" '{"_id":"u","n":1.1}
{"_id":"v","n":2.1}'
expect "update --one" 0 update linvo:up up '{}' '{"$unset":{"n":""}}' --one
expect "update to what is there" 0 update linvo:up up '{"_id":"u"}' '{"x":1}'
expect "update --upsert" 0 update linvo:up up '{"_id":"w"}' '{"$set":{"n":9}}' --upsert
expect "find what was updated so" 0 find linvo:up up
is "is updated as told" '{"_id":"u","x":1}
{"_id":"v","n":2.1}
{"_id":"w","n":9}'
refuses "an upsert in the way of another" 8 'does not match' \
  update linvo:up up '{"_id":"w","n":1}' '{"$set":{"m":9}}' --upsert
refuses "an update that does not fit" 6 '"x": is not an array; document "u"' \
  update linvo:up up '{"x":1}' '{"$push":{"x":1}}'
refuses "an update that is none" 6 'did you mean "$set"' \
  update linvo:up up '{}' '{"$sett":{"x":1}}'
expect "index" 0 index linvo:up up n --unique
expect "index once more" 0 index linvo:up up n --unique
refuses "an index that is another" 6 'is there' index linvo:up up n
refuses "an index on no name" 6 'empty name' index linvo:up up a..b
refuses "an index on nothing" 6 '^tally: index: an empty' index linvo:up up a,
refuses "an index on no word" 6 '^tally: index: an empty' index linvo:up up ''
refuses "an index on an operator" 6 '^tally: index: "$m": no query' \
  index linvo:up up 'a,-$m'
refuses "an index on one twice" 6 '"a": twice' index linvo:up up a,b,-a
refuses "an index of a local collection" 6 'has no indexes' \
  index linvo:up _up a
expect "two with the same" 0 update linvo:up up '{"_id":{"$in":["u","v"]}}' \
  '{"$set":{"same":["y","x"],"one":{"k":"x"}}}'
for fields in same one,-same; do
  refuses "unique where two have the same: $fields" 6 \
    'cannot be unique: documents "u" and "v" both have ' \
    index linvo:up up "$fields" --unique
  expect "no index is left" 0 \
    find linvo:up up "{\"${fields%%,*}\":\"x\"}" --explain
  is "all are looked at" 0 "$(grep -c '^index' out)"
  expect "but one that is not unique is made" 0 index linvo:up up "$fields"
done
refuses "the value is named" 6 'both have "x"$' \
  index linvo:up up one.k --unique
refuses "that they have nothing, too" 6 'both have nothing$' \
  index linvo:up up none.at.all --unique
expect "which a sparse one leaves out" 0 \
  index linvo:up up none.at.all --unique --sparse
refuses "two documents with one unique value" 6 'has the same' \
  update linvo:up up '{}' '{"$set":{"n":1}}'
# What a sync brought may have the same, and stays writable in all else.
printf '{"_id":"a","mail":"x"}' >mine.json
printf '{"_id":"b","mail":"x"}{"_id":"c","mail":"x"}' >theirs.json
expect "put mine" 0 put linvo:up twice mine.json
expect "index of mine" 0 index linvo:up twice mail --unique
expect "put theirs" 0 put sqlite:theirs twice theirs.json
expect "the same is brought" 0 pair linvo:up sqlite:theirs --collections twice
expect "other fields are written" 0 \
  update linvo:up twice '{}' '{"$set":{"n":1}}'
expect "one has another" 0 \
  update linvo:up twice '{"_id":"b"}' '{"$set":{"mail":"y"}}'
refuses "it is not given back" 6 '"b": mail is unique, and "a" has the same' \
  update linvo:up twice '{"_id":"b"}' '{"$set":{"mail":"x"}}'
refuses "nor given to all" 6 'has the same' \
  update linvo:up twice '{}' '{"$set":{"mail":"x","n":2}}'
expect "index --drop" 0 index linvo:up up none.at.all --drop
refuses "no such index" 4 'there is no index on none.at.all; there is n, same' \
  index linvo:up up none.at.all --drop
refuses "a drop with what does not go with it" 2 'stands alone' \
  index linvo:up up n --drop --unique
expect "then another one can be made" 0 index linvo:up up none.at.all
expect "find --explain" 0 find linvo:up up '{"n":{"$gt":2}}' --explain --json
members "members of explain" \
  "access index ranges rows documents found sorted ordered"
is "an index is used" 1 "$(grep -c '"access":"index","index":"n"' out)"
expect "rm --query" 0 rm linvo:up up --query '{"n":{"$exists":true}}'
expect "count what is left" 0 find linvo:up up --count
is "is one" 1

expect "export a collection" 0 export $s docs
is "is like find" "$("$TALLY" find $s docs)"
expect "export a store" 0 export $s
members "members of export" "collection document"
is "has every collection" "docs ids more nested" \
  "$(jq -r .collection out | uniq | tr '\n' ' ' | sed 's/ $//')"
json "documents have ids" '.document._id | type == "string"'

expect "rm" 0 rm $s docs a nope
says "says how many" '^1 deleted, 1 missing$'
expect "rm --json" 0 rm $s docs b nope --json -q
members "members of rm" "collection _id rev outcome"
is "outcomes of rm" "deleted missing" \
  "$(jq -r .outcome out | tr '\n' ' ' | sed 's/ $//')"
expect "it is gone" 4 get $s docs a
expect "rm --query" 0 rm $s nested --query '{"v":{"$gte":2}}' --json
is "rm deletes what matches" 7 "$(jq -r ._id out)"
refuses "rm by a wrong query" 6 '' rm $s nested --query '{'

# ---- bad input changes nothing --------------------------------------------

"$TALLY" export $s >before
bad ()
{
  refuses "put of $1" 6 "${3:-}" put $s docs "$2" -q
  "$TALLY" export $s >after
  if cmp -s before after; then
    ok "put of $1 changed nothing"
  else
    not_ok "put of $1 changed nothing"
  fi
}
printf '[{"_id":"new"},[{"_id":"newer"}]]' >bad
bad "an array in the array" bad
printf '[{"_id":"new"},3]' >bad
bad "a number in the array" bad
printf '{"_id":"new"}\n{"_id":"newer","a":1,"a":2}' >bad
bad "a duplicate member" bad
printf '{"_id":"new","a":"\377"}' >bad
bad "bad UTF-8" bad
printf '{"_id":"new","a":"\\ud800"}' >bad
bad "a lone surrogate" bad
printf '{"_id":"new"} {"_id":"newer","a":1e999}' >bad
bad "a number beyond a double" bad
nest ()
{
  awk -v n="$1" 'BEGIN {
    printf "{\"_id\":\"deep\",\"a\":"
    for (i = 1; i < n; i++) printf "["
    for (i = 1; i < n; i++) printf "]"
    printf "}"
  }'
}
nest 65 >bad
bad "depth 65" bad
printf '{"_id":"new"' >bad
bad "half an object" bad
printf '{"_id":"new"}\n]' >bad
bad "something after the object" bad
printf '{"_id":7}' >bad
bad "an id that is no string" bad
printf '{"_id":""}' >bad
bad "an empty id" bad
printf '{"_id":"a\\u0001b"}' >bad
bad "an id with a control character" bad
printf '"text"' >bad
bad "a text" bad
printf '{"a":1}' >bad
refuses "put --at of nothing" 6 'list' put $s docs bad --at list -q
refuses "put --id of nothing" 6 'code' put $s docs bad --id code -q
refuses "a collection's name" 6 '' put $s 'no/slash' three -q
nest 64 >deep
expect "depth 64 is fine" 0 put $s deep deep

cat >typo.ini <<'EOT'
[store notes]
drivr = sqlite
path = n.db
EOT
refuses "a typo in a key" 3 'typo.ini:2: .*did you mean "driver"' \
  -c typo.ini status
printf '[stroe notes]\ndriver = sqlite\n' >typo.ini
refuses "a typo in a section" 3 'typo.ini:1' -c typo.ini status
ini_with ()
{
  printf '[store notes]\ndriver = %s\npath = n.db\n' "$1" >driver.ini
}
ini_with sqlight
refuses "an unknown driver in the ini" 3 'sqlite' -c driver.ini \
  get notes c a
if [ -f "$so" ]; then
  head -c 3000 "$so" >"$tmp/store-short.so"
  ini_with "$tmp/store-short.so"
  refuses "a truncated driver" 3 'store-short.so' -c driver.ini get notes c a
  refuses "a truncated driver in drivers" 3 'store-short.so' \
    drivers store-short.so
  TALLY_DRIVER_PATH=$tmp${TALLY_DRIVER_PATH:+:$TALLY_DRIVER_PATH} \
    "$TALLY" drivers --json >out 2>err
  is "drivers with one that does not load" 0 $?
  is "says which and why" "false string" \
    "$(jq -r 'select (.path // "" | endswith ("store-short.so"))
      | "\(.ok) \(.error | type)"' out)"
fi
cc=${CC:-cc}
if command -v "${cc%% *}" >/dev/null && [ -d "$srcdir/include" ]; then
  cat >other.c <<'EOT'
#include <tally/driver.h>
static const struct tally_driver other = {
  .abi = TALLY_DRIVER_ABI + 1, .size = sizeof (struct tally_driver),
  .name = "other", .version = "1", .summary = "of another ABI"
};
TALLY_DRIVER (other)
EOT
  if $cc -shared -fPIC -I"$srcdir/include" -o store-other.so other.c \
    2>cc.err; then
    ini_with "$tmp/store-other.so"
    refuses "a driver of another ABI" 3 'ABI' -c driver.ini get notes c a
    refuses "a driver of another ABI in drivers" 3 'ABI' \
      drivers ./store-other.so
  else
    not_ok "another driver compiles"
    cat cc.err
  fi
fi
if [ -e n.db ]; then
  not_ok "no store was made"
else
  ok "no store was made"
fi

awk 'BEGIN { for (i = 0; i < 999; i++) print "this is no database" }' >bad.db
cp bad.db bad.copy
refuses "a corrupt database" 7 'bad.db' get sqlite:bad.db c a
refuses "a corrupt database in put" 7 'bad.db' put sqlite:bad.db c three -q
if cmp -s bad.db bad.copy; then
  ok "a corrupt database is left alone"
else
  not_ok "a corrupt database is left alone"
fi

refuses "a transport is no store" 2 'store' get http://127.0.0.1:1 c a
printf '[1]' >number.json
refuses "put an array of numbers" 6 'document 1: is not an object$' \
  put $s bad number.json
printf '[{"_id":"a"}, "b"]' >text.json
refuses "put a folder" 6 ' is a directory$' put $s bad .
refuses "put a text among documents" 6 'document 2: is not an object$' \
  put $s bad text.json
refuses "an empty revision" 6 ' "": is not a revision' \
  put $s docs three --rev ''
refuses "an empty member" 6 ' "": no such member' put $s docs three --at ''
refuses "an empty id field" 6 'field "": is not in the document' \
  put $s docs three --id ''
refuses "put to a transport" 2 'store' put file:folder c three
refuses "an unknown endpoint" 3 'nothing' get nothing c a

# A value that changed on the disk is not given out.
echo '{"_id":"flip","v":"hello"}' >one
expect "a document" 0 put sqlite:flip.db docs one
sed 's/hello/hellp/' flip.db >flop.db
refuses "a document that was damaged" 7 'document "flip": is damaged' \
  get sqlite:flop.db docs flip
refuses "nor is it exported" 7 'is damaged' export sqlite:flop.db docs
refuses "nor found" 7 'is damaged' find sqlite:flop.db docs '{"v":"hellp"}'
expect "what does not match is passed over" 0 \
  find sqlite:flop.db docs '{"v":"hello"}'
printf '[store f]\ndriver = sqlite\npath = flop.db\n' >flop.ini
expect "but a check finds it" 7 -c flop.ini check
says "and says which" 'document "flip": is damaged'

# ---- standard output that fails -------------------------------------------

if [ -c /dev/full ]; then
  "$TALLY" find $s docs >/dev/full 2>err
  is "a full disk" 1 $?
  says "is said" '^tally: standard output: '
fi
"$TALLY" find $s docs >&- 2>err
is "a closed stdout" 1 $?

# ---- pair, verify, status -------------------------------------------------

refuses "pair of one store twice" 2 '' pair $s $s
refuses "pair of two transports" 2 '' pair file:x file:y
refuses "put into a folder that is not there, sqlite" 4 'its folder' \
  put sqlite:nofolder/a.db c /dev/null
refuses "put into a folder that is not there, linvo" 4 'folder above' \
  put linvo:nofolder/sub/a c /dev/null
refuses "pair of two that are not there" 4 '' pair sqlite:no1.db sqlite:no2.db
refuses "verify with one that is not there" 4 'no1.db' \
  verify $s sqlite:no1.db
is "none was made" "" "$(ls no1.db no2.db 2>/dev/null)"

line_members="link collection strategy pulled pushed merged conflicts deleted"
line_members="$line_members round_trips bytes_sent bytes_received seconds"
expect "pair" 0 pair $s linvo:t --json
members "members of pair" "$line_members"
json "pair's link" ".link == \"$s linvo:t\""
json "counters are numbers" '[.pulled, .pushed, .merged, .conflicts, .deleted,
  .round_trips, .bytes_sent, .bytes_received, .seconds]
  | all (.[]; type == "number")'
json "strategies" '.strategy | . == "changes" or . == "compare" or . == "full"'
is "collections in name order" "deep docs ids more nested" \
  "$(jq -r .collection out | tr '\n' ' ' | sed 's/ $//')"
is "documents moved once" 4 \
  "$(jq 'select (.collection == "more") .pushed' out)"
expect "pair again" 0 pair $s linvo:t --json
json "moves nothing" '.pulled == 0 and .pushed == 0 and .merged == 0'
json "in one round trip" '.round_trips <= 1'
json "lines also when nothing moves" '.strategy == "changes"'
expect "pair for people" 0 pair $s linvo:t
is "has a line a collection" 5 "$(wc -l <out | tr -d ' ')"
expect "verify equal" 0 verify $s linvo:t
expect "verify --json" 0 verify $s linvo:t --json
members "members of verify" \
  "collection documents equal only_a only_b different"
json "verify's numbers" '.equal and .only_a == 0 and .only_b == 0
  and .different == 0 and .documents[0] == .documents[1]'

printf '{"_id":"c","n":31,"t":"x"}' >c
expect "an edit" 0 put $s docs c
printf '{"_id":"only"}' >only
expect "a document more" 0 put linvo:t docs only
expect "verify finds a difference" 9 verify $s linvo:t --json
want='{"collection":"docs","documents":[1,2],"equal":false,'
want=$want'"only_a":0,"only_b":1,"different":1}'
is "and counts it" "$want" "$(grep '"docs"' out)"
expect "verify for people, too" 9 verify $s linvo:t -q
expect "pair --direction push" 0 pair $s linvo:t --direction push \
  --collections docs --json
json "only pushes, and only docs" \
  '.collection == "docs" and .pulled == 0 and .pushed == 1'
expect "it is not equal yet" 9 verify $s linvo:t
expect "pair --direction pull" 0 pair $s linvo:t --direction pull --json
is "pulls" 1 "$(jq 'select (.collection == "docs") .pulled' out)"
expect "now it is" 0 verify $s linvo:t

expect "status of a store" 0 status $s
is "is a table" 1 "$(grep -c '^STORE  *COLLECTION  *DOCUMENTS' out)"
expect "status --json" 0 status $s --json
is "status of a collection" \
  "{\"store\":\"$s\",\"collection\":\"docs\",\"documents\":2,\"deleted\":0}" \
  "$(grep '"docs"' out)"

if script --version >/dev/null 2>&1; then
  echo '{"_id":"seen"}' | "$TALLY" put sqlite:tty.db things 2>/dev/null
  script -qec "$TALLY pair sqlite:tty.db linvo:tty" /dev/null >out 2>err
  is "on a terminal it is said what will move" 1 \
    "$(grep -c '0 to pull, 1 to push, 0 to merge, 0 of them deletes' out)"
  is "in numbers, not document by document" 0 "$(grep -c ': push seen' out)"
  script -qec "$TALLY pair sqlite:tty.db linvo:tty2 --json >lines" /dev/null \
    >out 2>err
  is "and on the standard output is the report alone" "1 0" \
    "$(grep -c '"strategy"' lines) $(grep -cv '"strategy"' lines)"
  run pair sqlite:tty.db linvo:tty
  is "and not elsewhere" 0 "$(grep -c 'to push' err)"
fi

# ---- conflicts ------------------------------------------------------------

# Two devices of a hub, offline: the same field, and an edit against a delete.
echo '[{"_id":"same","v":0},{"_id":"gone","v":0},{"_id":"both","a":0,"b":0}]' \
  >three
expect "a hub" 0 put sqlite:ch.db n three
expect "one device" 0 pair linvo:c1 sqlite:ch.db
expect "another" 0 pair linvo:c2 sqlite:ch.db
echo '[{"_id":"same","v":1},{"_id":"gone","v":1},{"_id":"both","a":1,"b":0}]' \
  >three
expect "edits here" 0 put linvo:c1 n three
echo '[{"_id":"same","v":2},{"_id":"both","a":0,"b":2}]' >two
expect "edits there" 0 put linvo:c2 n two
expect "a delete there" 0 rm linvo:c2 n gone
expect "the first has no conflict" 0 pair linvo:c1 sqlite:ch.db \
  --fail-on-conflict
expect "the second merges" 10 pair linvo:c2 sqlite:ch.db --json \
  --fail-on-conflict
is "two lose, and three are merged" "2 3" \
  "$(jq -r '"\(.conflicts) \(.merged)"' out)"
is "and stderr says where to look" 1 "$(grep -c 'tally conflicts linvo:c2' err)"
expect "the first takes it" 0 pair linvo:c1 sqlite:ch.db --fail-on-conflict
expect "no losers at the first" 0 conflicts linvo:c1 --json
is "none" ""
expect "nor at the hub" 0 conflicts sqlite:ch.db list --json
is "none" ""
expect "the losers" 0 conflicts linvo:c2 --json
is "are the older value and the edited body" \
  'gone "" {"_id":"gone","v":1} null
same "v" 1 2' "$(jq -rc '"\(._id) \(.field | tojson) \(.lost.value) \(.won.value)"' \
  out | sort)"
is "members of a conflict" "id collection _id field lost won link at" \
  "$(jq -r 'keys_unsorted | join (" ")' out | sort -u)"
ids=$(jq -r .id out)
one=$(jq -r 'select (.field == "v") .id' out)
expect "conflicts for people" 0 conflicts linvo:c2
is "have a table" 1 "$(grep -c '^ID  *COLLECTION  *DOCUMENT  *FIELD' out)"
expect "one of them" 0 conflicts linvo:c2 show "$one" --json
is "is one" 1 "$(wc -l <out | tr -d ' ')"
refuses "no such conflict" 4 'no such conflict' conflicts linvo:c2 show abc
refuses "an unknown word" 2 'did you mean "list"' conflicts linvo:c2 lits
refuses "restore what" 2 'ids' conflicts linvo:c2 restore
# shellcheck disable=SC2086
expect "restore" 0 conflicts linvo:c2 restore $ids --json
is "both are written again" "gone inserted
same updated" "$(jq -r '"\(._id) \(.outcome)"' out | sort)"
expect "the list" 0 conflicts linvo:c2 --json
is "is empty" ""
expect "sync it" 0 pair linvo:c2 sqlite:ch.db --fail-on-conflict
expect "and on" 0 pair linvo:c1 sqlite:ch.db --fail-on-conflict
expect "what was restored" 0 get linvo:c1 n gone same both
is "has won everywhere" '{"_id":"gone","v":1}
{"_id":"same","v":1}
{"_id":"both","a":1,"b":2}'
expect "both devices" 0 verify linvo:c1 linvo:c2
echo '{"_id":"same","v":3}' >three
echo '{"_id":"same","v":4}' >two
expect "edit again" 0 put linvo:c1 n three
expect "and there" 0 put linvo:c2 n two
expect "sync one" 0 pair linvo:c1 sqlite:ch.db -q
expect "sync the other" 0 pair linvo:c2 sqlite:ch.db -q
expect "losers again" 0 conflicts linvo:c2 --json
# shellcheck disable=SC2046
expect "drop" 0 conflicts linvo:c2 drop $(jq -r .id out)
expect "the list" 0 conflicts linvo:c2 --json
is "is empty" ""

# ---- schemas ----------------------------------------------------------------

mkdir schemas
printf '{"title":{"type":"string","required":true},"n":{"default":1}}' \
  >schemas/things.json
printf '[store s]\ndriver = sqlite\npath = s.db\nschema.things = things.json\n' \
  >schemas/s.ini
chmod 600 schemas/s.ini
printf '{"_id":"a","title":"t"}' | "$TALLY" put s things -c schemas/s.ini \
  >out 2>err
is "a default of the schema" '{"_id":"a","n":1,"title":"t"}' \
  "$("$TALLY" get s things a -c schemas/s.ini)"
printf '{"_id":"b","title":"t"}\n{"_id":"c","title":5}\n' >schemas/things.ndjson
refuses "a document that violates it" 6 'document 2: title: is number' \
  put s things schemas/things.ndjson -c schemas/s.ini
refuses "an import that violates it" 6 'things.ndjson:2: title: is number' \
  import ndjson schemas/things.ndjson s -c schemas/s.ini
is "nothing of it is there" 1 \
  "$("$TALLY" find s things --count -c schemas/s.ini)"
printf '{"title":"text"}' >schemas/things.json
refuses "a schema that is none" 3 'things.json: title: no such type' \
  find s things -c schemas/s.ini
rm schemas/things.json
refuses "a schema that is not there" 3 's.ini:4: .*things.json' \
  find s things -c schemas/s.ini

# ---- indexes of the ini -----------------------------------------------------

mkdir indexes
# declare VALUE: the ini of a store with these indexes.
declare_index ()
{
  printf '[store s]\ndriver = sqlite\npath = s.db\nindex.things = %s\n' "$1" \
    >indexes/s.ini
  chmod 600 indexes/s.ini
}
declare_index 'n, -m.x|	 mail   sparse  unique '
printf '{"_id":"a","n":1,"mail":"x"}\n{"_id":"b","n":1}\n{"_id":"c","n":2}\n' |
  "$TALLY" put s things -c indexes/s.ini || echo "not ok put"
for q in '{"n":1,"m.x":null} n,-m.x' '{"mail":"x"} mail'; do
  expect "find by ${q#* }" 0 find s things "${q% *}" --explain --json \
    -c indexes/s.ini
  is "an index of the ini is used" 1 "$(grep -c "\"index\":\"${q#* }\"" out)"
done
printf '{"_id":"d","mail":"x"}' >indexes/taken.json
refuses "one of them is unique" 6 'mail is unique' \
  put s things indexes/taken.json -c indexes/s.ini
expect "check" 0 check -c indexes/s.ini
declare_index 'mail sparse unique | n unique'
expect "one that cannot be is told of" 0 rm s things c -c indexes/s.ini
says "says of which documents" \
  's.ini:4: things: n cannot be unique: documents "a" and "b" both have 1$'
expect "what is in the way can be mended" 0 rm s things b -c indexes/s.ini
expect "then it is made" 0 rm s things b -c indexes/s.ini
expect "find by it" 0 find s things '{"n":1}' --explain --json -c indexes/s.ini
refuses "one that the ini declares stays" 6 's.ini:4: .* is declared there' \
  index s things n --drop -c indexes/s.ini
expect "and is used" 0 find s things '{"n":1}' --explain --json -c indexes/s.ini
is "it is used" 1 "$(grep -c '"index":"n"' out)"
printf '{"_id":"far","n":5,"mail":"x"}\n{"_id":"fine","n":6,"mail":"z"}\n' |
  "$TALLY" put sqlite:indexes/far.db things -q || echo "not ok put"
expect "a sync brings what breaks one" 0 pair s sqlite:indexes/far.db \
  -c indexes/s.ini
says "is told of" \
  ': things: mail is unique, but documents "a" and "far" both have "x"$'
is "once" 1 "$(grep -c 'is unique' err)"
expect "and is stored" 0 get s things far -c indexes/s.ini
expect "another sync" 0 pair s sqlite:indexes/far.db -c indexes/s.ini
is "has nothing to tell" 0 "$(grep -c 'is unique' err)"
expect "verify" 0 verify s sqlite:indexes/far.db -c indexes/s.ini
expect "a write that is fine" 0 update s things '{"_id":"fine"}' \
  '{"$set":{"mail":"y"}}' -c indexes/s.ini
is "has nothing to tell either" 0 "$(grep -c 'is unique' err)"
expect "status of a store with an index that is broken" 0 \
  status s --json -c indexes/s.ini
is "shows it" 1 "$(grep -c '"unique":"mail","reason":"documents \\"a\\" and' out)"
expect "status, for people" 0 status s -c indexes/s.ini
is "shows it, too" 1 "$(grep -c '^s .*things .*mail .*both have "x"' out)"
expect "one of them is changed" 0 update s things '{"_id":"far"}' \
  '{"$set":{"mail":"w"}}' -c indexes/s.ini
expect "status" 0 status s --json -c indexes/s.ini
is "shows it no more" 0 "$(grep -c '"unique"' out)"
declare_index 'mail'
expect "check: one that is another" 6 check -c indexes/s.ini
says "says which" 's.ini:4: an index on mail is there'
declare_index 'mail uniqe'
refuses "a word that is none" 3 's.ini:4: "uniqe": behind the fields' \
  find s things -c indexes/s.ini
declare_index 'n || mail'
refuses "an index on nothing" 3 's.ini:4: "": no fields' \
  find s things -c indexes/s.ini
printf '[store s]\ndriver = sqlite\npath = s.db\nindex.a/b = n\n' >indexes/s.ini
chmod 600 indexes/s.ini
refuses "a collection that is none" 3 's.ini:4: ' find s a -c indexes/s.ini

# ---- a shared folder ------------------------------------------------------

mkdir stick
refuses "an empty name among the collections" 6 'empty name beside a comma' \
  pair $s file:stick --collections notes,,docs
expect "pair with a folder" 0 pair $s file:stick --json
json "a folder has no round trips" '.round_trips == 0'
expect "pair the other with it" 0 pair linvo:u file:stick -q
expect "both are equal" 0 verify $s linvo:u
refuses "verify with a folder" 6 'stick' verify $s file:stick

# ---- a value that no driver takes -----------------------------------------

printf '[transport far]\ndriver = http\nurl = far\n' >url.ini
expect "check of a bad url" 3 -c url.ini check
says "which says where" '^tally: url.ini:1: .transport far.: http: url must be'

# ---- serve, sync ----------------------------------------------------------

printf '# who may come in\nright-token\n' >tokens
printf 'right-token\n' >right
printf 'wrong-token\n' >wrong
chmod 600 tokens right wrong
serve sqlite:hub.db --listen 127.0.0.1:0 --tokens tokens --json
url=$(printf '%s\n' "$line" | jq -r .url)
is "serve says where" '{"serve":"sqlite:hub.db","url":"'"$url"'"}' "$line"
case $url in
http://127.0.0.1:0) not_ok "serve says the real port" ;;
http://127.0.0.1:*) ok "serve says the real port" ;;
*) not_ok "serve says the real port ($url)" ;;
esac

refuses "a wrong token" 6 '' pair $s "$url" --token-file wrong -q
refuses "no token" 6 '' pair $s "$url" -q
expect "a wrong token, in JSON" 6 pair $s "$url" --token-file wrong --json
json "the error has a status" '.error.status == "denied"
  and (.error.text | type) == "string"'
expect "the right token" 0 pair $s "$url" --token-file right --json
json "moves" '.error == null'
TALLY_TOKEN_FILE=right "$TALLY" verify $s "$url" >out 2>err
is "verify over HTTP, token from the environment" 0 $?

cat >sync.ini <<EOT
[store notes]
driver = linvo
path = notes

[transport hub]
driver = http
url = $url
token_file = right

[transport gone]
driver = http
url = http://127.0.0.1:1
token_file = right
retries = 0

[transport stranger]
driver = http
url = $url
token_file = wrong

[sync a-gone]
store = notes
transport = gone

[sync b-hub]
store = notes
transport = hub

[serve c-own]
store = notes
transport = hub
tokens = none
EOT
expect "check" 3 -c sync.ini check --json
members "members of check" "section ok error skew_ms"
is "sections of check" \
  "$(printf '%s,' 'serve c-own false' 'store notes true' \
    'sync a-gone false' 'sync b-hub true' 'transport gone false' \
    'transport hub true' | sed 's/,$//')" \
  "$(jq -r '"\(.section) \(.ok)"' out | grep -v stranger | sort \
    | tr '\n' ',' | sed 's/,$//')"
json "an error is a text or null" \
  'if .ok then .error == null else (.error | type) == "string" end'
says "check says which file was read" 'sync.ini'
is "and each error once" 4 "$(wc -l <err | tr -d ' ')"
says "no tokens" '/none: no such file'
is "a link has its transport's error" "$(jq -r \
  'select (.section == "transport gone") .error' out)" \
  "$(jq -r 'select (.section == "sync a-gone") .error' out)"

# What cannot work though its store is yet to be made.
printf '[store x]\ndriver = sqlite\npath = x.db\nindex.c = m uniqe\n' >d.ini
expect "check of an index that is none" 3 -c d.ini check
says "it is said where" '^tally: d.ini:4: "uniqe": '
refuses "nor is it put into" 3 'd.ini:4' -c d.ini put x c /dev/null
printf '[store x]\ndriver = sqlite\npath = x.db\nschema.c = nofile\n' >d.ini
expect "check of a schema that is not there" 3 -c d.ini check
says "that is said where, too" '^tally: d.ini:4: .*nofile: no such file'
is "no store is made" "" "$(ls x.db 2>/dev/null)"
cat >d.ini <<'EOT'
[store x]
driver = sqlite
path = x.db
[transport f]
driver = file
path = stick
[transport h]
driver = http
url = http://127.0.0.1:1
[sync xf]
store = x
transport = f
[serve s]
store = x
transport = f
[serve t]
store = x
transport = h
EOT
expect "check of what cannot be served" 3 -c d.ini check --json
is "is an error each" "s: its driver cannot serve" \
  "$(jq -r 'select (.section == "serve s") | .error' out | sed 's/^f:/s:/')"
refuses "serve says so, too" 3 '^tally: h: has no listen' -c d.ini serve t
refuses "an unknown link, the nearest link" 3 'did you mean "xf"' -c d.ini sync xg
refuses "serve at no address" 3 'listen must be' \
  serve sqlite:none.db --listen garbage
is "which makes no store" "" "$(ls none.db x.db 2>/dev/null)"

if [ -e notes ]; then
  not_ok "check makes no store"
else
  ok "check makes no store"
fi
expect "sync all links" 5 -c sync.ini sync --json
is "one link fails, the other does not" "a-gone null again" \
  "$(jq -r 'select (.error) | "\(.link) \(.collection) \(.error.status)"' out)"
is "and syncs" "deep docs ids more nested" \
  "$(jq -r 'select (.link == "b-hub") .collection' out | tr '\n' ' ' \
    | sed 's/ $//')"
is "members of a failed line" "$line_members error" \
  "$(jq -r 'select (.error) | keys_unsorted | join (" ")' out)"
is "and its counters" "0 0 0" \
  "$(jq -r 'select (.error) | "\(.pulled) \(.pushed) \(.round_trips)"' out)"
refuses "a refused connection" 5 '' -c sync.ini sync a-gone
expect "sync one link" 0 sync b-hub -c sync.ini --json
json "a second run moves nothing" '.pulled == 0 and .pushed == 0'
refuses "an unknown link" 3 'b-hub' -c sync.ini sync b-hb
expect "the whole way round" 0 -c sync.ini verify notes $s

expect "status of the ini" 0 -c sync.ini status --json
is "members of a link's line" \
  "link collection pending last_sync last_error" \
  "$(jq -r 'select (.link) | keys_unsorted | join (" ")' out | sort -u)"
is "a link that has run" "0 true" \
  "$(jq -r 'select (.link == "b-hub" and .collection == "docs")
    | "\(.pending) \(.last_sync > 1600000000000)"' out)"
is "a store's line" "store collection documents deleted" \
  "$(jq -r 'select (.store and .collection) | keys_unsorted | join (" ")' \
    out | sort -u)"
expect "something to push" 0 -c sync.ini put notes docs only --replace
expect "status of a link" 0 -c sync.ini status b-hub --json
is "says so" 1 \
  "$(jq 'select (.link == "b-hub" and .collection == "docs") .pending' out)"
expect "status for people" 0 -c sync.ini status
is "has a table of links" 1 "$(grep -c '^LINK  *COLLECTION  *PENDING' out)"
ends "SIGTERM ends serve with 0" 0 TERM

serve linvo:t --listen 127.0.0.1:0 --tokens tokens
is "listening on" 1 "$(printf '%s\n' "$line" \
  | grep -c '^listening on http://127.0.0.1:[1-9]')"
refuses "a store that another process holds" 5 'in use' get linvo:t docs c
ends "SIGINT ends serve with 0" 0 INT

# ---- a signal -------------------------------------------------------------

mkfifo pipe
"$TALLY" put $s docs <pipe >out 2>err &
p=$!
exec 3>pipe
# More than a pipe holds: it has begun to read when all of it is written.  A
# signal that comes sooner may meet the shell on its way to the program.
{ printf '{"_id":"half","a":"' && head -c 200000 /dev/zero | tr '\0' x; } >&3
kill -TERM $p
wait $p
is "128+n" 143 $?
exec 3>&-
expect "nothing of it is stored" 4 get $s docs half

# ---------------------------------------------------------------------------

if [ "$failures" != 0 ]; then
  echo "$failures failed"
  exit 1
fi
