#!/bin/sh
# SPDX-License-Identifier: MIT
# tally token from outside: tokens are made, listed and revoked, the file keeps
# what people wrote in it, and a server that runs takes notice.  TALLY is the
# program.

# shellcheck source=tests/program.sh
. "$(dirname "$0")/program.sh"
needs jq
enter token
: >err

# ---- the file ---------------------------------------------------------------

umask 022
run token add --tokens t
is "add: exit" 0 $code
first=$(cat out)
is "add: 32 bytes in base64" 43 "$(printf %s "$first" | wc -c | tr -d ' ')"
is "add: the file is its owner's" "-rw-------" "$(ls -l t | cut -c 1-10)"
is "add: it stands in the file, for default" 1 \
  "$(grep -c "^$first default\$" t)"
printf '# mine\n\nhand-made-token alice # her phone' >>t
run token add --tokens nofolder/t
is "add, in a folder that is not there: exit" 4 $code
run token add bob --tokens t --json
second=$(jq -r .token out)
is "add: the account" bob "$(jq -r .account out)"
is "add: not the same twice" no \
  "$([ "$first" = "$second" ] && echo yes || echo no)"
is "add: what people wrote stays" 1 \
  "$(grep -c '^hand-made-token alice # her phone$' t)"
is "add: behind it" "$second bob" "$(tail -n 1 t)"
run token list --tokens t --json
is "list: the accounts" "default alice bob" \
  "$(jq -r .account out | tr '\n' ' ' | sed 's/ $//')"
is "list: a comment" "her phone" \
  "$(jq -r 'select (.account == "alice") | .comment' out)"
is "list: no token" 0 "$(grep -c -e "$first" -e "$second" -e hand-made out)"
print=$(jq -r 'select (.account == "default") | .fingerprint' out)
run token list --tokens t
is "list: a table" 4 "$(wc -l <out | tr -d ' ')"
is "list: no token in it" 0 "$(grep -c -e "$first" -e hand-made out)"
cp t before
run token revoke "$print" 0123456789abcdef --tokens t
is "revoke: one that is not there: exit" 4 $code
is "revoke: then none goes" "$(cat before)" "$(cat t)"
run token revoke "$print" --tokens t
is "revoke: exit" 0 $code
is "revoke: it is gone, and nothing else" "$(grep -v "^$first" before)" \
  "$(cat t)"
is "revoke: nothing is left beside it" "before err out t" \
  "$(ls | tr '\n' ' ' | sed 's/ $//')"
ln -s t link
run token add --tokens link
is "a link stays one" link "$([ -h link ] && echo link)"
chmod 640 t
run token add --tokens t
is "its group goes on reading" "-rw-r-----" "$(ls -l t | cut -c 1-10)"

# ---- wrong ------------------------------------------------------------------

printf 'two many words\n' >bad
run token add --tokens bad
is "a wrong file: exit" 3 $code
is "it says where" 'tally: bad:1: a line is TOKEN [ACCOUNT]' \
  "$(cat err)"
is "and is left alone" "two many words" "$(cat bad)"
run token list --tokens missing
is "no file: exit" 4 $code
run token add 'a b' --tokens t
is "no account: exit" 6 $code
run token ad --tokens t
is "a word that is nearly one" 'tally: token: unknown "ad"; did you mean "add"?' \
  "$(cat err)"
for words in "" "add a b" "list x" "revoke" "remove x"; do
  # shellcheck disable=SC2086
  run token $words --tokens t
  is "token $words: exit" 2 $code
done
run token list
is "no section and no file: exit" 2 $code
run token list --tokens t --serve x
is "a section and a file: exit" 2 $code

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
is "the file of the only section: exit" 0 $code
cp out one.token
"$TALLY" token add alice --serve hub --config hub.ini >two.token 2>err
chmod 600 ./*.token
is "and of one that is named" 2 "$(grep -c '^[^#]' hub.tokens)"
run token list --serve hup --config hub.ini
is "no such section: exit" 3 $code
is "and which was meant" 'tally: hup: no such [serve] section; did you mean "hub"?' \
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
  is "token $t is let in" 0 $code
done
print=$("$TALLY" token list --config hub.ini --json \
  | jq -r 'select (.account == "default") | .fingerprint')
run token revoke "$print" --config hub.ini
is "revoke beside the server: exit" 0 $code
run pair memory: "$url" --token-file one.token
is "it is let in no more" 6 $code
run pair memory: "$url" --token-file two.token
is "the other one is" 0 $code
"$TALLY" token add carol --config hub.ini >three.token 2>err
chmod 600 three.token
run pair memory: "$url" --token-file three.token
is "one that was added is let in" 0 $code
echo two many words >>hub.tokens
run pair memory: "$url" --token-file two.token
is "a file that is spoilt changes nothing" 0 $code
is "and is told of, once" 1 \
  "$(grep -c 'hub.tokens:[0-9]*: a line is TOKEN' serve.err)"
: >hub.tokens
run pair memory: "$url" --token-file two.token
is "an empty one lets nobody in" 6 $code
kill $server
wait $server
is "the server ends well" 0 $?
server=

[ $failures -eq 0 ]
