# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# What scripts that test the program from outside have in common:
#   . "$(dirname "$0")/program.sh"
# TALLY is the program (absolute, or found from here), srcdir the source; both
# are absolute afterwards.

TALLY=${TALLY:-tally}
srcdir=${srcdir:-$(dirname "$0")/..}
srcdir=$(cd "$srcdir" && pwd) || exit 99
case $TALLY in
*/*) TALLY=$(cd "$(dirname "$TALLY")" && pwd)/$(basename "$TALLY") ;;
esac

# needs COMMAND...: the script is skipped where one is not installed.
needs ()
{
  for needed
  do
    command -v "$needed" >/dev/null \
      || { echo "skip: $needed is not installed"; exit 77; }
  done
}

# needs_drivers NAME...
needs_drivers ()
{
  for needed
  do
    "$TALLY" drivers "$needed" >/dev/null 2>&1 \
      || { echo "skip: no driver $needed"; exit 77; }
  done
}

# From here on TALLY is no script of libtool's: that would take a part of each
# kill, and of a clock that is turned, for itself.
past_libtool ()
{
  bin=$(dirname "$TALLY")
  if [ -x "$bin/.libs/tally" ]; then
    TALLY=$bin/.libs/tally
    LD_LIBRARY_PATH=$(dirname "$bin")/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
  fi
  "$TALLY" --version >/dev/null || exit 99
}

# is_ours PROCESS: one that is over may have left its number to a stranger.
is_ours ()
{
  [ ! -d /proc/self ] \
    || grep -q "^PPid:[[:space:]]*$$\$" "/proc/$1/status" 2>/dev/null
}

# What still runs when the script ends is killed.
children="" server=""
clean_up ()
{
  for child in $children $server; do
    is_ours "$child" && kill -9 "$child" 2>/dev/null
  done
  chmod -R u+w "$tmp"
  rm -rf "$tmp"
}

# enter NAME: a folder of its own, $tmp, that goes with the script.  Nothing
# of the user's is read from there.
enter ()
{
  tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-$1-XXXXXX") || exit 99
  trap clean_up EXIT
  trap 'exit 99' HUP INT TERM PIPE
  cd "$tmp" || exit 99
  exec </dev/null
  HOME=$tmp
  export HOME
  unset TALLY_CONFIG TALLY_TOKEN_FILE XDG_CONFIG_HOME XDG_CONFIG_DIRS
}

failures=0
ok ()
{
  echo "ok $*"
}

not_ok ()
{
  echo "not ok $*"
  failures=$((failures + 1))
}

# run ARGUMENT...: leaves $code, and the files out and err.
run ()
{
  "$TALLY" "$@" >out 2>err
  code=$?
}

# is NAME WANTED [FOUND]: without that, what is in the file out.
is ()
{
  got=${3-$(cat out)}
  if [ "$got" = "$2" ]; then
    ok "$1"
    return
  fi
  not_ok "$1"
  printf '%s\n' "$2" | sed 's/^/#   want: /'
  printf '%s\n' "$got" | sed 's/^/#   got:  /'
  [ ! -e err ] || sed 's/^/#   err:  /' err | head -n 20
}
