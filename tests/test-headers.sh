#!/bin/sh
# SPDX-License-Identifier: MIT
# The public headers compile alone, twice, and without a warning, as every C
# and C++ that an application or a driver may be written in.

CC=${CC:-cc}
CXX=${CXX:-c++}
srcdir=${srcdir:-$(dirname "$0")/..}
warnings="-pedantic -Wall -Wextra -Werror"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tally-headers-XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM PIPE

failures=0
# compiles NAME COMPILER FLAG... FILE: COMPILER may be several words.
compiles ()
{
  name=$1
  compiler=$2
  shift 2
  if $compiler "$@" -I"$srcdir/include" -c -o "$tmp/out.o" 2>"$tmp/err"; then
    echo "ok $name"
    return
  fi
  echo "not ok $name"
  failures=$((failures + 1))
  sed 's/^/#   /' "$tmp/err" | head -n 20
}

found=0
for header in "$srcdir"/include/tally/*.h; do
  [ -f "$header" ] || continue
  found=$((found + 1))
  base=$(basename "$header" .h)
  # A file of its own: a lone typedef, since ISO C forbids an empty one.
  printf '#include <tally/%s.h>\n#include <tally/%s.h>\ntypedef int t;\n' \
    "$base" "$base" >"$tmp/$base.c"
  cp "$tmp/$base.c" "$tmp/$base.cc"
  for std in c99 c11; do
    # shellcheck disable=SC2086
    compiles "$base.h as $std" "$CC" -std=$std $warnings "$tmp/$base.c"
  done
done
if [ $found -lt 2 ]; then
  echo "not ok headers found in $srcdir/include/tally: $found"
  exit 1
fi

# A driver's tables, by the macros that are there for them.
cat >"$tmp/driver.c" <<'END'
#include <tally/driver.h>
static const struct tally_store store = { TALLY_STORE_INIT };
static const struct tally_transport transport = { TALLY_TRANSPORT_INIT };
static const struct tally_driver driver
  = { TALLY_DRIVER_INIT, .name = "x", .store = &store,
      .transport = &transport };
TALLY_DRIVER (driver)
END
for std in c99 c11; do
  # Members that a table leaves out are what "zero means absent" is for.
  # shellcheck disable=SC2086
  compiles "a driver's tables as $std" "$CC" -std=$std $warnings \
    "$tmp/driver.c"
done

printf 'int main () { return 0; }\n' >"$tmp/try.cc"
# shellcheck disable=SC2086
if ! $CXX -c -o "$tmp/try.o" "$tmp/try.cc" 2>/dev/null; then
  [ $failures -eq 0 ] || exit 1
  echo "skip: no C++ compiler ($CXX); as C all is well"
  exit 77
fi
for file in "$tmp"/*.cc; do
  [ "$file" = "$tmp/try.cc" ] && continue
  base=$(basename "$file" .cc)
  for std in c++11 c++20; do
    # shellcheck disable=SC2086
    compiles "$base.h as $std" "$CXX" -std=$std $warnings "$file"
  done
done
[ $failures -eq 0 ]
