#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the simulator with one breakage of list.txt at a time and lets it
# look for it: first the named histories, then schedules from a few seeds.
#   run.sh SRCDIR BUILDDIR [NAME...]
# BUILDDIR/mutants is made and kept, so that the next run has less to build.
# First all entries of list.txt and open.txt are looked at: what is broken
# must stand in its file exactly once.  MUTANTS=none does no more than that.
# A mutant of open.txt can be named, too.
# One that says `small` is built with windows of a few documents, so that the
# simulator, which has no more than twelve, fills several of them.
# MUTANTS=N takes N of them, others each day; N=all is all.
# Ends with the line "K of K killed"; exit 1 if one lived.

set -u
src=$(cd "$1" && pwd)
work=$(cd "$2" && pwd)/mutants
shift 2
list=$src/tests/mutants/list.txt
open=$src/tests/mutants/open.txt
schedules=${MUTANT_SCHEDULES:-2000}
# One line: make would take a second one for something else.
small=$(paste -sd' ' "$src/tests/sim/small-windows")

say () { printf '%s\n' "$*"; }
die () { say "mutants: $*" >&2; exit 1; }

# Prints the part of the lists that is about one mutant.
part () {
  awk -v name="$1" '
    FNR == 1 { on = 0 }
    /^mutant / { on = $2 == name }
    on && /^#/ { on = 0 }
    on { print }' "$list" "$open"
}

# mutate NAME FILE: the file with the change made, on stdout.
mutate () {
  part "$1" >"$work/part"
  awk -v part="$work/part" '
    BEGIN {
      old = new = ""
      while ((getline line < part) > 0) {
        if (line ~ /^(mutant|file) / || line ~ /^(small)?$/) continue
        c = substr (line, 1, 1); text = substr (line, 2) "\n"
        if (c == "-") old = old text
        else if (c == "+") new = new text
        else { old = old text; new = new text }
      }
    }
    { all = all $0 "\n" }
    END {
      at = index (all, old)
      if (old == "" || at == 0) exit 3
      rest = substr (all, at + length (old))
      if (index (rest, old)) exit 4
      printf "%s%s%s", substr (all, 1, at - 1), new, rest
    }' "$2"
}

file_of () {
  part "$1" | awk '/^file / { print $2 }'
}

# True when each of both lists applies; tells of all that do not.
check_lists () {
  good=true
  for name in $(awk '/^mutant / { print $2 }' "$list" "$open"); do
    file=$(file_of "$name")
    mutate "$name" "$src/$file" >"$work/mutated" 2>/dev/null && continue
    say "$name: its lines do not stand in $file exactly once"
    good=false
  done
  $good
}

# A copy of the source to break, configured for nothing but the simulator.
prepare () {
  mkdir -p "$work/src" "$work/build" "$work/small" || die "$work: cannot be made"
  (cd "$src" && tar -cf - --exclude=./build --exclude=./build-ci --exclude=./.git \
    --exclude=autom4te.cache .) | (cd "$work/src" && tar -xf -) \
    || die "$work: cannot be filled"
  # What was built of these was broken, and may be newer.
  [ ! -s "$work/broken" ] || sort -u "$work/broken" | while read -r file; do
    touch "$work/src/$file"
  done
}

# start KIND: goes to its build, which is made when it is first wanted, and
# to two stretches of seeds in which nothing is wrong without a mutant.
start () {
  cd "$work/$1" || exit 1
  if [ -s "seeds.$$" ]; then
    seeds=$(cat "seeds.$$")
    return 0
  fi
  flags=
  [ "$1" = build ] || flags=$small
  if [ ! -f config.status ]; then
    ../src/configure -q --disable-shared CFLAGS='-O1' CPPFLAGS="$flags" \
      >configure.log 2>&1 \
      || die "$PWD/configure.log: tells why it cannot be configured"
  fi
  build || die "$PWD/make.log: tells why it does not build"
  rm -f seeds.*
  tests/sim/histories >histories.log 2>&1 && choose_seeds \
    || die "the simulator finds something wrong without any mutant"
  say "$seeds" >"seeds.$$"
}

build () {
  make tests/sim/sim tests/sim/histories >make.log 2>&1
}

choose_seeds () {
  seeds=
  for seed in 1 100001 200001 300001 400001 500001 600001 700001; do
    tests/sim/sim -1 -j 2 "$seed" "$schedules" >sim.log 2>&1 \
      && seeds="$seeds $seed"
    [ "$(printf '%s' "$seeds" | wc -w)" -lt 2 ] || return 0
  done
  return 1
}

# True when the simulator finds something wrong.
killed () {
  tests/sim/histories >histories.log 2>&1 || return 0
  for seed in $seeds; do
    tests/sim/sim -1 -j 2 "$seed" "$schedules" >sim.log 2>&1 || return 0
  done
  return 1
}

names=$(awk '/^mutant / { print $2 }' "$list")
total=$(printf '%s\n' "$names" | wc -l)
if [ $# -gt 0 ]; then
  names=$*
elif [ "${MUTANTS:-all}" != all ]; then
  day=$(( $(date +%s) / 86400 ))
  names=$(printf '%s\n' "$names" | awk -v n="$MUTANTS" -v day="$day" \
    -v total="$total" '{ at = (NR - 1 - day * n) % total
      if (at < 0) at += total
      if (at < n) print }')
fi

mkdir -p "$work" || die "$work: cannot be made"
check_lists || die "the lists do not apply"
[ "${MUTANTS:-all}" != none ] || exit 0

prepare
alive=0
count=0
for name in $names; do
  file=$(file_of "$name")
  [ -n "$file" ] || die "$name: there is no such mutant"
  count=$((count + 1))
  kind=build
  [ -z "$(part "$name" | grep '^small$')" ] || kind=small
  start "$kind"
  mutate "$name" "$src/$file" >"$work/mutated"
  say "$file" >>"$work/broken"
  cp "$work/mutated" "$work/src/$file"
  if ! build; then
    cp make.log "make.$name.log"
    say "NEVER  $name: does not build, see $PWD/make.$name.log"
    alive=$((alive + 1))
  elif killed; then
    say "killed $name"
  else
    say "ALIVE  $name"
    alive=$((alive + 1))
  fi
  cp "$src/$file" "$work/src/$file"
done
say "$((count - alive)) of $count killed"
[ "$alive" -eq 0 ]
