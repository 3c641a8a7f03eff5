#!/bin/sh
# SPDX-License-Identifier: MIT
# What the program, the ini and the driver ABI offer stands in the manual, and
# what stands there is offered.  TALLY is the program; srcdir the source.

TALLY=${TALLY:-tally}
srcdir=${srcdir:-$(dirname "$0")/..}
page=$srcdir/docs/tally.1.scd
ini=$srcdir/docs/tally.ini.5.scd
abi=$srcdir/docs/tally-driver.3.scd

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-docs-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM PIPE
# No ini of the user's is wanted.
HOME=$tmp
export HOME
unset TALLY_CONFIG XDG_CONFIG_HOME

failures=0
# same NAME LIST LIST: as sets, of lines.
same ()
{
  printf '%s\n' "$2" | sort -u >"$tmp/a"
  printf '%s\n' "$3" | sort -u >"$tmp/b"
  if [ -s "$tmp/a" ] && cmp -s "$tmp/a" "$tmp/b"; then
    echo "ok $1"
    return
  fi
  echo "not ok $1"
  failures=$((failures + 1))
  diff "$tmp/a" "$tmp/b" | sed 's/^/#   /'
}

# has NAME FILE PATTERN
has ()
{
  if grep -q -e "$3" "$2"; then
    echo "ok $1"
  else
    echo "not ok $1 (no $3 in $2)"
    failures=$((failures + 1))
  fi
}

# The part of a page under a heading; headings of a level end those below it.
under ()
{
  awk -v want="$1" '
    /^#/ { inside = index ($0, want) == 1 \
             && (length ($0) == length (want) \
                 || substr ($0, length (want) + 1, 1) == " "); next }
    inside { print }' "$2"
}

# "--name VALUE" for each option of a help text on stdin, without letters.
help_options ()
{
  sed -n 's/^  \(-[a-z], \)\{0,1\}\(--[a-z-]*\( [^ ][^ ]*\)\{0,1\}\)  .*/\2/p'
}

# The same from a page.
page_options ()
{
  sed -n 's/^\(\*-[a-z]\*, \)\{0,1\}\*\(--[a-z-]*\)\*\(.*\)$/\2\3/p' \
    | sed 's/ _\(.*\)_$/ \1/'
}

# ---- tally(1) -------------------------------------------------------------

"$TALLY" --help >"$tmp/help" || exit 99
commands=$(sed -n '/^commands:/,/^options/p' "$tmp/help" \
  | sed -n 's/^  \([a-z].*\)$/\1/p')
same "commands and their arguments" "$commands" \
  "$(sed -n 's/^## tally //p' "$page")"

global=$(sed -n '/^options of every/,$p' "$tmp/help" | help_options)
same "options of every command" "$global" \
  "$(under '# OPTIONS' "$page" | page_options)"

for c in $(printf '%s\n' "$commands" | cut -d ' ' -f 1); do
  "$TALLY" "$c" --help >"$tmp/help" || exit 99
  same "usage of $c" "$(sed -n 's/^usage: tally \(.*\) \[OPTION...\]$/\1/p' \
    "$tmp/help")" "$(printf '%s\n' "$commands" | grep "^$c\( \|\$\)")"
  same "options of $c" \
    "none $(sed -n '/^options:/,/^options of/p' "$tmp/help" | help_options)" \
    "none $(under "## tally $c" "$page" | page_options)"
  same "$c shows the options of every command" "$global" \
    "$(sed -n '/^options of every/,$p' "$tmp/help" | help_options)"
done

# ---- tally.ini(5) ---------------------------------------------------------

# Rows are { "key", TYPE, FLAGS, DEFAULT, on one line.
rows=$srcdir/core/config-keys.c
# table NAME: its keys, with " = DEFAULT" where there is one.
table ()
{
  awk -v want="static const struct tally_option $1_keys[]" '
    index ($0, want) == 1 { inside = 1; next }
    /^};/ { inside = 0 }
    inside' "$rows" \
    | tr '\n' ' ' | sed 's/ { /\
{ /g' \
    | sed -n 's/^{ "\([a-z_]*\)", [A-Z_]*, [A-Z_0]*, \(NULL\|"[^"]*"\),.*/\1 = \2/p' \
    | sed -e 's/ = NULL$//' -e 's/ = "\(.*\)"$/ = \1/'
}

# section HEADING: the same from the page.
section ()
{
  under "# [$1" "$ini" | tr -d '\\' \
    | sed -n 's/^\*\([a-z_]*\)\*\( = .*\)\{0,1\}$/\1\2/p'
}

same "keys of [tally]" "$(table tally)" "$(section 'tally]')"
same "keys of [sync]" "$(table sync)" "$(section 'sync NAME]')"
same "keys of [serve]" "$(table serve)" "$(section 'serve NAME]')"
same "keys of [store]" "$(table endpoint)" \
  "$(section 'store NAME]' | grep -x driver)"
same "keys of [transport]" "$(table transport)" \
  "$(section 'transport NAME]' | grep -x -e driver -e 'dialect = .*')"

# What the built-in drivers add stands indented under the driver's name.
driver_keys ()
{
  awk -v want="*$1*" '
    /^[*#]/ { inside = $0 == want; next }
    inside' "$ini" | sed -n 's/^	\(\*[a-z_]*\*\)/\1/p' \
    | sed -e 's/:.*//' | tr ',' '\n' | tr -d '* \\'
}

if command -v jq >/dev/null; then
  "$TALLY" drivers --json >"$tmp/drivers" || exit 99
  same "the built-in drivers" \
    "$(jq -r 'select (.kind != "source") | .name' "$tmp/drivers")" \
    "$(printf '%s\n' "$(section 'store NAME]')" \
      "$(section 'transport NAME]')" | grep -v -e '^driver$' -e '^dialect ')"
  for d in $(jq -r 'select (.kind != "source") | .name' "$tmp/drivers"); do
    same "options of $d" \
      "none $(jq -r "select (.name == \"$d\") | .options[]
        | if .default then .name + \"=\" + .default else .name end" \
        "$tmp/drivers")" "none $(driver_keys "$d")"
  done
else
  echo "# jq is not installed: options of drivers not compared"
fi

# ---- tally-driver(3) ------------------------------------------------------

header=$srcdir/include/tally/driver.h
slots=$(awk '/^struct tally_(store|transport|source) [{]$/ { inside = 1 }
    /^};/ { inside = 0 }
    inside' "$header" | sed -n 's/^  [a-z]* (\*\([a-z_]*\)) (.*/.\1/p')
same "slots of the driver ABI" "$slots" \
  "$(sed -n 's/^## //p' "$abi" | tr ',' '\n' | tr -d ' ')"
for word in $(sed -n 's/^  \(TALLY_[A-Z_]*\) = .*/\1/p' "$header"); do
  has "$word is explained" "$abi" "$word"
done
for word in TALLY_DRIVER_INIT TALLY_STORE_INIT TALLY_TRANSPORT_INIT \
  TALLY_SOURCE_INIT; do
  has "$word is explained" "$abi" "$word"
done

# ---- all ------------------------------------------------------------------

if command -v scdoc >/dev/null; then
  for p in "$page" "$ini" "$abi"; do
    if scdoc <"$p" >/dev/null 2>"$tmp/err"; then
      echo "ok $(basename "$p") is well formed"
    else
      echo "not ok $(basename "$p") is well formed"
      failures=$((failures + 1))
      sed 's/^/#   /' "$tmp/err"
    fi
  done
fi

if [ "$failures" != 0 ]; then
  echo "$failures failed"
  exit 1
fi
