#!/bin/sh
# SPDX-License-Identifier: MIT
# What no compiler checks: layers, doors that only one file may use, banned
# functions, and the outward look of the code.  Each violation is one line,
# FILE:LINE: reason.  There is no check against clang-format: no setting of it
# gives the layout that the code has.

srcdir=${srcdir:-$(dirname "$0")/..}
cd "$srcdir" || exit 99

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-lint-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM PIPE

core=$(find core -name '*.[ch]' | sort)
drivers=$(find drivers -name '*.[ch]' | sort)
program=$(find cli -name '*.[ch]' | sort)
kit=$(find kit -name '*.[ch]' | sort)
headers=$(find include -name '*.h' | sort)
tests=$(find tests bench -name '*.[ch]' | sort)
code="$core $drivers $program $kit $headers $tests"
others=$(find tests bench -name '*.sh' -o -name '*.am' -o -name '*.mjs' \
  | sort)
others="$others configure.ac Makefile.am bootstrap quickstart"
others="$others $(find cli drivers -name '*.awk' -o -name '*.syms')"
[ -e .ci/run ] && others="$others .ci/run"

if [ -z "$core" ] || [ -z "$drivers" ] || [ -z "$program" ]; then
  echo "lint: no code in $srcdir"
  exit 99
fi

# Comments become blanks, and with strings=1 what is in quotes, too; lines
# stay lines.
cat >"$tmp/strip.awk" <<'END'
FNR == 1 { inside = 0 }
{
  out = ""
  quote = ""
  for (i = 1; i <= length ($0); i++) {
    c = substr ($0, i, 1)
    pair = substr ($0, i, 2)
    if (inside) {
      if (pair == "*/") { inside = 0; i++ }
      continue
    }
    if (quote != "") {
      if (c == "\\") {
        if (!strings)
          out = out pair
        i++
        continue
      }
      if (c == quote)
        quote = ""
      if (!strings || quote == "")
        out = out c
      continue
    }
    if (pair == "/*") { inside = 1; out = out " "; i++; continue }
    if (c == "\"" || c == "'")
      quote = c
    out = out c
  }
  print FILENAME ":" FNR ":" out
}
END

# stripped STRINGS FILE...: "FILE:LINE:code" for each line.
stripped ()
{
  strings=$1
  shift
  awk -v strings="$strings" -f "$tmp/strip.awk" "$@"
}

# bans REASON PATTERN: for lines of stdin; the pattern is of grep -E, and "@"
# in it stands for where a word begins.  The name of the file must not match.
bans ()
{
  pattern=$(printf '%s\n' "$2" | sed 's/@/[^A-Za-z0-9_]/')
  sed 's/^\([^:]*:[0-9]*\):/\1  /' | grep -E "^[^ ]* .*$pattern" \
    | sed "s/^\([^ ]*\) .*/\1: $1/"
}

{
  # ---- layers ---------------------------------------------------------------

  # shellcheck disable=SC2086
  awk '
    function module(path) {
      sub (/.*\//, "", path)
      sub (/\.[ch]$/, "", path)
      return path
    }
    # NAME-MORE belongs where NAME does, unless it is named itself.
    function place(name) {
      while (!(name in layer) && sub (/-[^-]*$/, "", name))
        ;
      return layer[name]
    }
    FILENAME == "tests/layers.txt" {
      if ($0 ~ /^#/ || NF == 0)
        next
      own = substr ($1, 1, length ($1) - 1)
      if (!(own in rank))
        rank[own] = ++ranks
      for (i = 2; i <= NF; i++) {
        if ($i in layer)
          print FILENAME ":" FNR ": " $i " stands here twice"
        layer[$i] = own
        line[$i] = FNR
      }
      next
    }
    FNR == 1 {
      self = module(FILENAME)
      seen[self] = 1
      at = place(self)
      if (at == "")
        print FILENAME ":1: has no layer in tests/layers.txt"
    }
    /^ *# *include *"/ {
      split ($0, part, "\"")
      other = place(module(part[2]))
      if (at != "" && rank[other] > rank[at])
        print FILENAME ":" FNR ": includes " part[2] " of the layer " other \
          " above its own, " at
    }
    END {
      for (name in layer)
        if (!(name in seen))
          print "tests/layers.txt:" line[name] ": there is no " name
    }' tests/layers.txt $core

  # shellcheck disable=SC2086
  stripped 0 $program | grep -E ':[0-9]*: *# *include *<tally/' \
    | grep -v '<tally/tally\.h>' | sed 's/:[^:]*$/: includes more than tally.h/'
  # shellcheck disable=SC2086
  stripped 0 $drivers $kit | grep -E ':[0-9]*: *# *include *<tally/' \
    | grep -v -e '<tally/driver\.h>' -e '<tally/digest\.h>' \
    | sed 's/:[^:]*$/: includes more than driver.h and digest.h/'

  # own FOLDER FILE...: quotes are for headers of the same folder.
  own ()
  {
    folder=$1
    shift
    stripped 0 "$@" \
      | sed -n 's/^\([^:]*:[0-9]*\): *# *include *"\([^"]*\)".*/\1 \2/p' \
      | while read -r where header; do
        case $header in
        ../kit/kit.h) [ "$folder" = cli ] \
          || echo "$where: includes $header of another folder" ;;
        */*) echo "$where: includes $header of another folder" ;;
        sample-ini.h) ;; # is built
        *) [ -f "$folder/$header" ] \
          || echo "$where: includes $header, which is not in $folder" ;;
        esac
      done
  }
  # shellcheck disable=SC2086
  own cli $program
  # shellcheck disable=SC2086
  own kit $kit
  # shellcheck disable=SC2086
  own drivers $(printf '%s\n' $drivers | grep -v /template/)
  # shellcheck disable=SC2086
  own drivers/template $(printf '%s\n' $drivers | grep /template/)

  # ---- doors ----------------------------------------------------------------

  slots='open|close|get|put|changes|note_get|note_put|note_list|collections'
  slots="$slots|wait|exchange|serve|stop|list|read|create|remove"
  # shellcheck disable=SC2086
  stripped 1 $(printf '%s\n' $core \
    | grep -v -x -e core/replica.c -e core/channel.c -e core/source.c) >"$tmp/indoors"
  bans "calls a driver past replica.c, channel.c and source.c" \
    "(->|[.])($slots) *[(]" <"$tmp/indoors"
  bans "takes ops past replica.c, channel.c and source.c" "@ops(->|[.])" \
    <"$tmp/indoors"
  stripped 1 core/replica.c \
    | bans "calls a transport op" '->(exchange|serve|stop|list|create) *[(]'
  stripped 1 core/channel.c \
    | bans "calls a store op" '->(get|put|changes|note_[a-z]*|collections|wait) *[(]'
  # shellcheck disable=SC2086
  stripped 1 $(printf '%s\n' $core | grep -v -e '^core/registry' -e \
    '^core/module\.') $program $drivers \
    | bans "loads code past registry and module" '@(lt_[a-z_]*|dl[a-z]+) *[(]'

  # shellcheck disable=SC2086
  stripped 0 $(printf '%s\n' $core | grep -v '^core/config-dialect\.h') \
    | bans "names a driver or what is behind one" \
      '"[^"]*(sqlite|linvo|leveldb|curl|microhttpd)' | sort -u
  # shellcheck disable=SC2086
  stripped 1 $core \
    | bans "names a driver or what is behind one" \
      '(sqlite|linvo|leveldb|curl|microhttpd)'

  # Both would have one log, and only one of them would run.
  for script in tests/test-*.sh; do
    [ ! -e "${script%.sh}.c" ] \
      || echo "$script:1: has the name of another test, ${script%.sh}.c"
  done

  # ---- banned functions -----------------------------------------------------

  unsafe='v?sprintf|strn?cpy|strn?cat|strtok(_r)?|ato[ifl]|atoll|gets|alloca'
  # shellcheck disable=SC2086
  stripped 1 $core $drivers $program $headers >"$tmp/all"
  bans "uses a function that is banned" "@($unsafe) *[(]" <"$tmp/all"
  # We live inside other programs.
  rude='v?printf|putchar|puts|perror|_?exit|_Exit|abort|signal|sigaction'
  rude="$rude|setlocale|chdir|system|popen|rand|srand"
  # shellcheck disable=SC2086
  stripped 1 $core $drivers $headers \
    | bans "does what is the application's to do" "@($rude) *[(]"

  # ---- the look of it -------------------------------------------------------

  # Characters, not bytes: what continues one in UTF-8 does not count.
  # shellcheck disable=SC2086
  LC_ALL=C awk '
    { text = $0; gsub (/[\200-\277]/, "", text) }
    length (text) > 79 { print FILENAME ":" FNR ": is longer than 79" }
    /\t/ { print FILENAME ":" FNR ": has a tab" }
    /[ \t\r]$/ { print FILENAME ":" FNR ": ends with a blank" }' $code
  # shellcheck disable=SC2086
  awk 'FNR <= 2 && /SPDX-License-Identifier: MIT/ { has[FILENAME] = 1 }
    FNR == 1 { files[++n] = FILENAME }
    END {
      for (i = 1; i <= n; i++)
        if (!(files[i] in has))
          print files[i] ":1: has no SPDX line"
    }' $code $others

  # One formatter, one version: another would have its own opinion.
  case $(clang-format --version 2>/dev/null) in
  *'version 14.'*)
    # shellcheck disable=SC2086
    clang-format --dry-run $code 2>&1 \
      | sed -n 's/^\([^:]*:[0-9]*\):.*Wclang-format.*/\1: make format/p'
    ;;
  esac
} >"$tmp/found" 2>"$tmp/trouble"

sort -u "$tmp/found" | sort -s -t : -k 1,1 -k 2,2n
if [ -s "$tmp/trouble" ]; then
  sed 's/^/lint: /' "$tmp/trouble"
  exit 99
fi
if [ -s "$tmp/found" ]; then
  echo "lint: $(sort -u "$tmp/found" | wc -l | tr -d ' ') violations"
  exit 1
fi
# shellcheck disable=SC2086
echo "lint: $(printf '%s\n' $code $others | wc -l | tr -d ' ') files are fine"
