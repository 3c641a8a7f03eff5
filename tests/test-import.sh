#!/bin/sh
# SPDX-License-Identifier: MIT
# tally import from outside: ndjson with its way back from export, a data file
# of NeDB and a folder of LinvoDB3 as the real programs wrote them, and input
# that is wrong.  TALLY is the program; srcdir the source.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
needs jq
enter import
data=$srcdir/tests/data
mkdir tmp
TMPDIR=$tmp/tmp
export TMPDIR
: >err

store=sqlite
"$TALLY" drivers sqlite >/dev/null 2>&1 || store=linvo
if ! "$TALLY" drivers $store >/dev/null 2>&1; then
  echo "skip: neither sqlite nor linvo was built"
  exit 77
fi

# ---- ndjson -----------------------------------------------------------------

cat >notes.ndjson <<'END'
{"_id":"a","title":"milk","n":0.10}

{"_id":"b","title":"tea","_mtime":{"$$date":1700000000000}}
{"title":"no id"}
END
run import ndjson notes.ndjson $store:a
is "ndjson: exit" 0 $code
is "ndjson: the totals" "3 inserted, 0 updated, 0 unchanged" "$(cat err)"
is "ndjson: an id that was made is printed" 1 "$(wc -l <out | tr -d ' ')"
run get $store:a notes a b
is "ndjson: the collection is named as the file" \
  '{"_id":"a","n":0.10,"title":"milk"}
{"_id":"b","_mtime":{"$$date":1700000000000},"title":"tea"}' "$(cat out)"
run import ndjson notes.ndjson $store:a --json
is "ndjson: once more changes nothing but what has no id" \
  "unchanged unchanged inserted" \
  "$(jq -r .outcome out | tr '\n' ' ' | sed 's/ $//')"
printf '{"_id":"x","v":1}' | "$TALLY" put $store:a other 2>/dev/null
"$TALLY" export $store:a >all.ndjson
run import ndjson all.ndjson $store:b
is "what export prints is taken back" 0 $code
is "all of it" "$(cat all.ndjson)" "$("$TALLY" export $store:b)"
"$TALLY" export $store:a | "$TALLY" import ndjson - $store:c other 2>err
is "a collection picks its own of it" \
  "$(grep '"collection":"other"' all.ndjson)" "$("$TALLY" export $store:c)"
printf '\357\273\277{"_id":"bom"}\r\n{"_id":"last"}' >crlf.ndjson
run import ndjson crlf.ndjson $store:d
is "a byte order mark, line ends of two, none at the end" \
  '{"_id":"bom"}
{"_id":"last"}' "$("$TALLY" export $store:d crlf)"

# ---- time -------------------------------------------------------------------

cat >t.ndjson <<'END'
{"_id":"date","v":1,"_mtime":{"$$date":1700000000123}}
{"_id":"iso","v":1,"_mtime":"2023-11-14T22:13:20.123Z"}
{"_id":"ms","v":1,"_mtime":1700000000123}
END
"$TALLY" import ndjson t.ndjson $store:t1 --json >one 2>err
"$TALLY" import ndjson t.ndjson $store:t2 --json >two 2>err
is "the same data is the same revision everywhere" "$(cat one)" "$(cat two)"
run verify $store:t1 $store:t2
is "stores that never met are equal" 0 $code
is "three spellings of one time" 1 \
  "$(jq -r '.rev[0:8]' one | sort -u | wc -l | tr -d ' ')"
"$TALLY" explain $store:t1 t iso >out 2>err
is "the time is that of the document" 1 \
  "$(grep -c '^v .*2023-11-14T22:13:20.123Z' out)"
# What was written here since stays, and an older one is told of.
printf '{"_id":"ms","v":2,"_mtime":1700000000123}' \
  | "$TALLY" put $store:t1 t 2>err
run import ndjson t.ndjson $store:t1 t --json
is "what was changed since the import stays" "unchanged" \
  "$(jq -r 'select (._id == "ms") | .outcome' out)"
echo '{"_id":"ms","v":0,"_mtime":1600000000000}' >old.ndjson
run import ndjson old.ndjson $store:t1 t
is "an older one does not win" 2 "$("$TALLY" get $store:t1 t ms | jq .v)"
is "and is kept as lost to a blind writer" 0 \
  "$("$TALLY" conflicts $store:t1 list --all --json \
    | jq -r 'select (._id == "ms" and .field == "v") | .lost.value')"
is "which is no conflict" "" "$("$TALLY" conflicts $store:t1 list --json)"
cat >new.ndjson <<'END'
{"_id":"date","v":3,"_mtime":1700000099000}
{"_id":"iso","v":1,"_mtime":1700000099000}
END
run import ndjson new.ndjson $store:t1 t --json
is "a newer one wins" "updated updated" \
  "$(jq -r .outcome out | tr '\n' ' ' | sed 's/ $//')"
is "what it replaced is kept" 1 \
  "$("$TALLY" conflicts $store:t1 list --all --json \
    | jq -r 'select (._id == "date" and .field == "v") | .lost.value')"
"$TALLY" rm $store:t1 t iso 2>err
run import ndjson new.ndjson $store:t1 t --json
is "what was deleted since stays deleted" "" \
  "$("$TALLY" get $store:t1 t iso 2>/dev/null)"
echo '{"_id":"far","_mtime":4000000000000}' >far.ndjson
run import ndjson far.ndjson $store:t1 t
is "a time that is yet to come is no time" 1 \
  "$(grep -c '1 document says that it will be changed in the future' err)"

# ---- wrong ------------------------------------------------------------------

printf '{"_id":"good"}\n{"_id":"bad",}\n[1]\n{"_id":7}\n' >bad.ndjson
run import ndjson bad.ndjson $store:e
is "bad lines: exit" 6 $code
is "each is named by its number" "bad.ndjson:2: bad.ndjson:3: bad.ndjson:4:" \
  "$(sed -n 's/^tally: \(bad.ndjson:[0-9]*:\).*/\1/p' err | tr '\n' ' ' \
    | sed 's/ $//')"
is "nothing was made" no "$([ -e e ] && echo yes || echo no)"
printf '{"a":1,"a":2}\n' >twice.ndjson
run import ndjson twice.ndjson $store:e
is "one bad line: exit" 6 $code
is "one bad line is one line" 1 "$(wc -l <err | tr -d ' ')"
run import ndjson missing $store:e
is "no file: exit" 4 $code
run import ndjson - $store:e </dev/null
is "nothing at all: exit" 0 $code
echo '{"_id":"a"}' >'no name.ndjson'
run import ndjson 'no name.ndjson' $store:e
is "a name that is none: exit" 6 $code
run import ndjson 'no name.ndjson' $store:e good
is "with a collection it is fine" 0 $code
run import nodjson notes.ndjson $store:e
is "no such format: exit" 2 $code
is "the nearest is named" \
  'tally: nodjson: no such format; did you mean "ndjson"?' "$(cat err)"
run import $store notes.ndjson $store:e
is "a driver that is no source: exit" 3 $code
if "$TALLY" drivers file >/dev/null 2>&1; then
  run import ndjson notes.ndjson file:x
  is "into a transport: exit" 2 $code
fi

# ---- NeDB -------------------------------------------------------------------

run import nedb "$data/nedb/notes.db" $store:n
is "nedb: exit" 0 $code
is "nedb: nothing is told of" 0 "$(grep -c 'its index on' err)"
for q in '{"title":"tea"} 1' '{"a":1} 1' '{"dropped":1} 0'; do
  is "nedb: is ${q% *} found by an index" "${q#* }" \
    "$("$TALLY" find $store:n notes "${q% *}" --explain --json |
      grep -c '"access":"index"')"
done
echo '{"_id":"tea2","title":"tea"}' >tea.json
run put $store:n notes tea.json
is "nedb: one of them is unique: exit" 6 $code
echo '{"_id":"tea2","title":"tea","_mtime":1700000000000}' >tea.json
run import ndjson tea.json $store:n notes
is "unique, of then: exit" 6 $code
is "unique, of then: is said" 1 "$(grep -c \
  '^tally: notes: document "tea2": title is unique, and "[^"]*" has the same$' err)"
is "unique, of then: is not there" 1 \
  "$("$TALLY" find $store:n notes '{"title":"tea"}' --count)"
echo '{"_id":"tea3","title":"green tea","_mtime":1700000000000}' >tea.json
run import ndjson tea.json $store:n notes
is "of then, with a value of its own: exit" 0 $code
"$TALLY" rm $store:n notes tea3 >/dev/null 2>&1
echo '{"$$indexCreated":{"fieldName":"-n"}}' >minus.db
run import nedb minus.db $store:n minus
is "nedb: a name of which we make another: exit" 0 $code
is "nedb: its index is left out" 1 "$(grep -c \
  'its index on -n was left out: a name begins with "-"$' err)"
run import nedb - $store:n <minus.db
is "nedb: an index of nothing: exit" 0 $code
cp "$data/nedb/notes.db" twice.db
echo '{"_id":"n5","title":"tea"}' >>twice.db
run import nedb twice.db $store:n twice
is "nedb: two with the same are taken in: exit" 0 $code
is "nedb: the index that they break is told of" 1 "$(grep -c \
  'twice.db: its index on title was left out: .*"n2" and "n5" both have "tea"' \
  err)"
is "nedb: they are there" 2 \
  "$("$TALLY" find $store:n twice '{"title":"tea"}' --count)"
is "nedb: the last line counts, what is gone is gone" \
  '{"_id":"n1","_mtime":{"$$date":1700000002000},"title":"milk"}
{"_id":"n2","due":{"$$date":1700000005000},"title":"tea"}
{"_id":"n3","n":2.5,"title":"rye"}' "$("$TALLY" export $store:n notes)"
cp "$data/nedb/notes.db" torn.db
printf '{"_id":"n4","title":"to' >>torn.db
run import nedb torn.db $store:n torn
is "nedb: a torn last line: exit" 0 $code
is "nedb: it is told of" 1 "$(grep -c 'torn.db:11: the last line is torn' err)"
is "nedb: the others are there" 3 "$("$TALLY" find $store:n torn --count)"
printf '\n' >>torn.db
run import nedb torn.db $store:n torn
is "nedb: a torn last line that ends: exit" 0 $code
printf '{"_id":"n5"}\n' >>torn.db
run import nedb torn.db $store:n torn
is "nedb: torn within is bad" 6 $code
printf '{"no":"id"}\n' >noid.db
run import nedb noid.db $store:n
is "nedb: a line without an id is bad" 6 $code
printf '{"_id":"u","updatedAt":{"$$date":1700000000123}}\n' >u.db
"$TALLY" import nedb u.db $store:n --json >out 2>err
is "nedb: updatedAt is a time" "$(jq -r '.rev[0:8]' one | head -n 1)" \
  "$(jq -r '.rev[0:8]' out)"

# ---- LinvoDB3 ---------------------------------------------------------------

if ! "$TALLY" drivers linvodb3 >/dev/null 2>&1; then
  echo "# linvodb3 was not built"
else
  mkdir notes.db
  cp "$data"/linvodb3/notes.db/* notes.db/
  chmod -R u+w notes.db
  # state: all that can be seen of the folder, but for when it was read.
  state ()
  {
    (cd notes.db && ls -l --time-style=full-iso . && cat ./*) | cksum
  }
  before=$(state)
  run import linvodb3 notes.db $store:l
  is "linvodb3: exit" 0 $code
  is "linvodb3: all documents, of tables and of the log" \
    '{"_id":"late","_mtime":{"$$date":1700000009000},"title":"in the log"}
{"_ctime":{"$$date":1700000000000},"_id":"t1","_mtime":{"$$date":1700000002000},"done":false,"removed":true,"title":"milk"}
{"_ctime":{"$$date":1700000000000},"_id":"t2","_mtime":{"$$date":1700000000000},"due":{"$$date":1700000005000},"like":{"$$regex":"/^t/i"},"title":"tea"}
{"_ctime":{"$$date":1700000001000},"_id":"t3","_mtime":{"$$date":1700000001000},"n":2.5,"title":"bread"}
{"_id":"ü/3","deep":{"list":[1,null,{"a":true}]},"title":"café"}' \
    "$("$TALLY" export $store:l notes)"
  is "linvodb3: the folder is as it was" "$before" "$(state)"
  # LevelDB's lock is one that sh cannot take.
  if command -v python3 >/dev/null; then
    cat >hold.py <<'END'
import fcntl, sys
f = open ("notes.db/LOCK", "r+")
fcntl.lockf (f, fcntl.LOCK_EX)
print ("held", flush=True)
sys.stdin.read ()
END
    mkfifo go told
    python3 hold.py <go >told &
    exec 3>go
    read -r line <told
    run import linvodb3 notes.db $store:held
    is "linvodb3: its program has it open: exit" "held 5" "$line $code"
    is "linvodb3: which is named" 1 "$(grep -c "in use by process $!" err)"
    exec 3>&-
    wait $!
  fi
  chmod -R a-w notes.db
  run import linvodb3 notes.db/ $store:l2
  is "linvodb3: a folder that nobody may write: exit" 0 $code
  chmod -R u+w notes.db
  is "linvodb3: no copy is left" "" "$(ls tmp)"
  run import linvodb3 tmp $store:l
  is "linvodb3: no folder of LevelDB: exit" 6 $code
  run import linvodb3 missing $store:l
  is "linvodb3: no folder: exit" 4 $code
  run import linvodb3 t.ndjson $store:l
  is "linvodb3: a file: exit" 6 $code
  table=$(ls notes.db/*.ldb | head -n 1)
  printf 'XXXX' | dd of="$table" bs=1 seek=20 conv=notrunc 2>/dev/null
  run import linvodb3 notes.db $store:damaged
  is "linvodb3: a damaged table: exit" 7 $code
  is "linvodb3: nothing was made of it" no \
    "$([ -e damaged ] && echo yes || echo no)"
  is "linvodb3: no copy of it is left" "" "$(ls tmp)"
  run get linvodb3:notes.db a b
  is "a source is no store: exit" 2 $code
fi

[ $failures -eq 0 ]
