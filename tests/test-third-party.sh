#!/bin/sh
# SPDX-License-Identifier: MIT
# A stranger's driver: the template, built outside of the tree from nothing
# but what `make install` puts in place and pkg-config tells, is named by its
# path in an ini and syncs with a linvo store over HTTP, both ways round.
# TALLY is the program; without it, the one just installed.

CC=${CC:-cc}
MAKE=${MAKE:-make}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}
srcdir=${srcdir:-$(dirname "$0")/..}
builddir=${builddir:-.}
srcdir=$(cd "$srcdir" && pwd) || exit 99
builddir=$(cd "$builddir" && pwd) || exit 99
case $TALLY in
*/*) TALLY=$(cd "$(dirname "$TALLY")" && pwd)/$(basename "$TALLY") ;;
esac

skip ()
{
  echo "skip: $*"
  exit 77
}
command -v "$PKG_CONFIG" >/dev/null || skip "no pkg-config"
[ -f "$builddir/Makefile" ] || skip "nothing to install from in $builddir"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-third-party-XXXXXX") || exit 99
server=
clean_up ()
{
  [ -z "$server" ] || kill "$server" 2>/dev/null
  rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 99' HUP INT TERM PIPE
# Nothing of the user's own must be read.
HOME=$tmp
export HOME
unset TALLY_CONFIG TALLY_TOKEN_FILE XDG_CONFIG_HOME XDG_CONFIG_DIRS

failures=0
# check NAME COMMAND...
check ()
{
  name=$1
  shift
  "$@" >"$tmp/out" 2>"$tmp/err"
  code=$?
  if [ $code -eq 0 ]; then
    echo "ok $name"
    return 0
  fi
  echo "not ok $name (exit $code)"
  failures=$((failures + 1))
  tail -n 20 "$tmp/out" | sed 's/^/#   out: /'
  tail -n 20 "$tmp/err" | sed 's/^/#   err: /'
  return 1
}

# says NAME PATTERN: of the output of the last check.
says ()
{
  check_name=$1
  if grep -q -e "$2" "$tmp/out"; then
    echo "ok $check_name"
    return
  fi
  echo "not ok $check_name: no $2"
  failures=$((failures + 1))
  sed 's/^/#   out: /' "$tmp/out" | head -n 20
}

# ---- installed, and built from that ----------------------------------------

# A make of its own: it must not read the flags of the one that runs us.
root=$tmp/root
check "make install" env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
  "$MAKE" -C "$builddir" install DESTDIR="$root" || exit 1
pc=$(find "$root" -name tally.pc)
[ -f "$pc" ] || { echo "not ok one tally.pc: $pc"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$root
PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_ALLOW_SYSTEM_CFLAGS

check "pkg-config knows driverdir" \
  "$PKG_CONFIG" --variable=driverdir tally
driverdir=$(cat "$tmp/out")
# Some pkg-configs put the sysroot before a variable, some do not.
[ -d "$root$driverdir" ] && driverdir=$root$driverdir
check "drivers are in it" test -f "$driverdir/store-linvo.so"

mkdir "$tmp/elsewhere" && cd "$tmp/elsewhere" || exit 99
cp "$srcdir/drivers/template/store-template.c" . || exit 99
flags=$($PKG_CONFIG --cflags tally)
so=$tmp/elsewhere/store-files.so
# shellcheck disable=SC2086
check "the template builds" $CC -shared -fPIC -std=c99 -pedantic -Wall \
  -Wextra -Werror $flags -o "$so" store-template.c || exit 1
# shellcheck disable=SC2086
$CC -std=c99 $flags -M store-template.c >deps 2>&1
check "with the installed header" grep -q "$root.*/tally/driver\.h" deps
check "and no other" sh -c '! grep -q "$1" deps' sh "$srcdir/include"
# shellcheck disable=SC2086
check "its symbols can be read" ${NM:-nm} -u "$so"
check "it wants nothing of ours" \
  sh -c '! grep -q " tally_" "$1"' sh "$tmp/out"

if [ -z "$TALLY" ]; then
  TALLY=$(find "$root" -type f -path '*/bin/tally')
  libdir=$(dirname "$(find "$root" -name libtally.so)")
  LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  TALLY_DRIVER_PATH=$driverdir
  export LD_LIBRARY_PATH TALLY_DRIVER_PATH
fi

# ---- named by its path -----------------------------------------------------

ini=$tmp/elsewhere/third.ini
cat >"$ini" <<END
[store theirs]
driver = $so
path = theirs

[store notes]
driver = linvo
path = notes.linvo
END
echo "a-token-of-some-length" >tokens
cp tokens token
chmod 600 tokens token

# tally ARGUMENT...
tally ()
{
  "$TALLY" -c "$ini" "$@"
}

check "tally drivers PATH" tally drivers "$so" --json
says "it loads" '"ok":true'
says "as files" '"name":"files","kind":"store"'
says "with its option" '"name":"path","type":"path"'
says "its path" "\"path\":\"$so\""
check "tally drivers" tally drivers --json
says "it is among all" "\"path\":\"$so\""
check "tally check" tally check

# ---- documents on both sides -----------------------------------------------

# documents FIRST LAST WHO
documents ()
{
  awk -v first="$1" -v last="$2" -v who="$3" 'BEGIN {
    for (i = first; i <= last; i++)
      printf "{\"_id\":\"d%d\",\"n\":%d,\"who\":\"%s\"}\n", i, i, who }'
}
documents 1 300 theirs >theirs.ndjson
documents 301 500 notes >notes.ndjson
# Ids that no file name could be.
long=$(awk 'BEGIN { while (n++ < 1024) printf "x" }')
printf '{"_id":"%s"}\n{"_id":"../../%s"}\n{"_id":"/:*? \303\244"}\n' \
  "$long" "escape" >>theirs.ndjson
check "put to theirs" tally put theirs things theirs.ndjson -q
check "put to notes" tally put notes things notes.ndjson -q
check "get a long id" tally get theirs things "$long"
says "as it was" "^{\"_id\":\"$long\"}\$"
check "nothing outside of the folder" test ! -e "$tmp/escape"

# ---- over HTTP -------------------------------------------------------------

# serve STORE: leaves $server and $url.
serve ()
{
  rm -f ready
  mkfifo ready || exit 99
  "$TALLY" -c "$ini" serve "$1" --listen 127.0.0.1:0 --tokens tokens \
    >ready 2>serve.err &
  server=$!
  line=$(timeout 30 head -n 1 ready)
  url=${line#listening on }
  case $url in
  http://127.0.0.1:*) echo "ok serve $1" ;;
  *)
    echo "not ok serve $1: $line"
    sed 's/^/#   err: /' serve.err
    exit 1
    ;;
  esac
}

end_server ()
{
  kill "$server"
  check "the server ends with 0" wait "$server"
  server=
}

# syncs STORE: with $url, until nothing moves, and both are equal.
syncs ()
{
  check "pair $1" tally pair "$1" "$url" --token-file token --json
  cp "$tmp/out" first
  check "pair $1 again" tally pair "$1" "$url" --token-file token --json
  says "pulls nothing" '"collection":"things".*"pulled":0,'
  says "pushes nothing" '"collection":"things".*"pushed":0,'
  check "verify $1" tally verify "$1" "$url" --token-file token --json
  says "all equal" '"collection":"things","documents":\[\([0-9]*\),\1\],"equal":true'
}

serve theirs
syncs notes
check "each document moved once" \
  grep -q '"pulled":303,"pushed":200,"merged":0' first
end_server

documents 1 20 edited >edits.ndjson
check "edit notes" tally put notes things edits.ndjson -q
check "remove from theirs" tally rm theirs things d100 d400
serve notes
syncs theirs
check "edits and deletes moved once" \
  grep -q '"pulled":20,"pushed":2,"merged":0,.*"deleted":2,' first
end_server

check "an edit came through" tally get theirs things d7
says "as edited" '"who":"edited"'
tally export theirs things >theirs.out 2>/dev/null
tally export notes things >notes.out 2>/dev/null
check "501 documents" sh -c 'test "$(wc -l <theirs.out)" -eq 501'
check "the same in both" cmp theirs.out notes.out
check "verify without a server" tally verify notes theirs
[ $failures -eq 0 ]
