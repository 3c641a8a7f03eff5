#!/bin/sh
# SPDX-License-Identifier: MIT
# tally token from outside: tokens are made, listed and revoked, the file keeps
# what people wrote in it, and a server that runs takes notice.  TALLY is the
# program.

TALLY=${TALLY:-tally}
command -v jq >/dev/null || { echo "skip: jq is not installed"; exit 77; }
case $TALLY in
*/*) TALLY=$(cd "$(dirname "$TALLY")" && pwd)/$(basename "$TALLY") ;;
esac

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-token-XXXXXX") || exit 99
server=
clean_up ()
{
  [ "$server" ] && kill "$server" 2>/dev/null
  rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 99' HUP INT TERM PIPE
cd "$tmp" || exit 99
exec </dev/null
HOME=$tmp
export HOME
unset TALLY_CONFIG TALLY_TOKEN_FILE XDG_CONFIG_HOME XDG_CONFIG_DIRS
: >err

failures=0
# check NAME WANTED FOUND
check ()
{
  if [ "$2" = "$3" ]; then
    echo "ok $1"
    return
  fi
  echo "not ok $1"
  failures=$((failures + 1))
  printf 'wanted: %s\nfound: %s\n' "$2" "$3" | sed 's/^/#   /'
  sed 's/^/#   err: /' err | head -n 20
}

run ()
{
  "$TALLY" "$@" >out 2>err
  code=$?
}

# ---- the file ---------------------------------------------------------------

umask 022
run token add --tokens t
check "add: exit" 0 $code
first=$(cat out)
check "add: 32 bytes in base64" 43 "$(printf %s "$first" | wc -c | tr -d ' ')"
check "add: the file is its owner's" "-rw-------" "$(ls -l t | cut -c 1-10)"
check "add: it stands in the file, for default" 1 \
  "$(grep -c "^$first default\$" t)"
printf '# mine\n\nhand-made-token alice # her phone' >>t
run token add --tokens nofolder/t
check "add, in a folder that is not there: exit" 4 $code
run token add bob --tokens t --json
second=$(jq -r .token out)
check "add: the account" bob "$(jq -r .account out)"
check "add: not the same twice" no \
  "$([ "$first" = "$second" ] && echo yes || echo no)"
check "add: what people wrote stays" 1 \
  "$(grep -c '^hand-made-token alice # her phone$' t)"
check "add: behind it" "$second bob" "$(tail -n 1 t)"
run token list --tokens t --json
check "list: the accounts" "default alice bob" \
  "$(jq -r .account out | tr '\n' ' ' | sed 's/ $//')"
check "list: a comment" "her phone" \
  "$(jq -r 'select (.account == "alice") | .comment' out)"
check "list: no token" 0 "$(grep -c -e "$first" -e "$second" -e hand-made out)"
print=$(jq -r 'select (.account == "default") | .fingerprint' out)
run token list --tokens t
check "list: a table" 4 "$(wc -l <out | tr -d ' ')"
check "list: no token in it" 0 "$(grep -c -e "$first" -e hand-made out)"
cp t before
run token revoke "$print" 0123456789abcdef --tokens t
check "revoke: one that is not there: exit" 4 $code
check "revoke: then none goes" "$(cat before)" "$(cat t)"
run token revoke "$print" --tokens t
check "revoke: exit" 0 $code
check "revoke: it is gone, and nothing else" "$(grep -v "^$first" before)" \
  "$(cat t)"
check "revoke: nothing is left beside it" "before err out t" \
  "$(ls | tr '\n' ' ' | sed 's/ $//')"
ln -s t link
run token add --tokens link
check "a link stays one" link "$([ -h link ] && echo link)"
chmod 640 t
run token add --tokens t
check "its group goes on reading" "-rw-r-----" "$(ls -l t | cut -c 1-10)"

# ---- wrong ------------------------------------------------------------------

printf 'two many words\n' >bad
run token add --tokens bad
check "a wrong file: exit" 3 $code
check "it says where" 'tally: bad:1: a line is TOKEN [ACCOUNT]' \
  "$(cat err)"
check "and is left alone" "two many words" "$(cat bad)"
run token list --tokens missing
check "no file: exit" 4 $code
run token add 'a b' --tokens t
check "no account: exit" 6 $code
run token ad --tokens t
check "a word that is nearly one" 'tally: token: unknown "ad"; did you mean "add"?' \
  "$(cat err)"
for words in "" "add a b" "list x" "revoke" "remove x"; do
  # shellcheck disable=SC2086
  run token $words --tokens t
  check "token $words: exit" 2 $code
done
run token list
check "no section and no file: exit" 2 $code
run token list --tokens t --serve x
check "a section and a file: exit" 2 $code

# ---- a server that runs -----------------------------------------------------

if ! "$TALLY" drivers http >/dev/null 2>&1 \
  || ! "$TALLY" drivers memory >/dev/null 2>&1; then
  echo "# http or memory was not built: no server"
  [ $failures -eq 0 ]
  exit
fi
cat >hub.ini <<'END'
[store s]
driver = memory

[transport t]
driver = http
listen = 127.0.0.1:0

[serve hub]
store = s
transport = t
tokens = hub.tokens
END
chmod 600 hub.ini
run token add --config hub.ini
check "the file of the only section: exit" 0 $code
cp out one.token
"$TALLY" token add alice --serve hub --config hub.ini >two.token 2>err
chmod 600 ./*.token
check "and of one that is named" 2 "$(grep -c '^[^#]' hub.tokens)"
run token list --serve hup --config hub.ini
check "no such section: exit" 3 $code
check "and which was meant" 'tally: hup: no such [serve] section; did you mean "hub"?' \
  "$(cat err)"
"$TALLY" serve hub --config hub.ini >served 2>serve.err &
server=$!
i=0
while [ ! -s served ] && [ $i -lt 100 ] && kill -0 $server 2>/dev/null; do
  i=$((i + 1))
  sleep 0.1
done
url=$(sed 's/^listening on //' served)
for t in one two; do
  run pair memory: "$url" --token-file $t.token
  check "token $t is let in" 0 $code
done
print=$("$TALLY" token list --config hub.ini --json \
  | jq -r 'select (.account == "default") | .fingerprint')
run token revoke "$print" --config hub.ini
check "revoke beside the server: exit" 0 $code
run pair memory: "$url" --token-file one.token
check "it is let in no more" 6 $code
run pair memory: "$url" --token-file two.token
check "the other one is" 0 $code
"$TALLY" token add carol --config hub.ini >three.token 2>err
chmod 600 three.token
run pair memory: "$url" --token-file three.token
check "one that was added is let in" 0 $code
echo two many words >>hub.tokens
run pair memory: "$url" --token-file two.token
check "a file that is spoilt changes nothing" 0 $code
check "and is told of, once" 1 \
  "$(grep -c 'hub.tokens:[0-9]*: a line is TOKEN' serve.err)"
: >hub.tokens
run pair memory: "$url" --token-file two.token
check "an empty one lets nobody in" 6 $code
kill $server
wait $server
check "the server ends well" 0 $?
server=

[ $failures -eq 0 ]
