#!/bin/sh
# SPDX-License-Identifier: MIT
# A driver exports one symbol and wants none of ours; the library exports
# nothing that could clash with an application's own names.

NM=${NM:-nm}
builddir=${builddir:-.}

failures=0
check ()
{
  if [ "$2" = "$3" ]; then
    echo "ok $1"
    return
  fi
  echo "not ok $1"
  failures=$((failures + 1))
  printf '%s\n' "$3" | sed 's/^/#   found: /' | head -n 20
}

# names FILE OPTION: dynamic symbols, without versions (and without the
# names of the versions themselves, which are of type A).
names ()
{
  # shellcheck disable=SC2086
  $NM -D "$2" "$1" | awk '$(NF - 1) != "A" { sub (/@.*/, "", $NF);
                                              print $NF }' | sort -u
}

drivers=0
for file in "$builddir"/.libs/store-*.so "$builddir"/.libs/transport-*.so \
  "$builddir"/drivers/.libs/store-*.so \
  "$builddir"/drivers/.libs/transport-*.so \
  "$builddir"/drivers/.libs/source-*.so; do
  [ -f "$file" ] || continue
  drivers=$((drivers + 1))
  name=$(basename "$file")
  check "$name exports tally_driver_1 alone" tally_driver_1 \
    "$(names "$file" --defined-only)"
  check "$name wants nothing of ours" "" \
    "$(names "$file" --undefined-only | grep '^tally_')"
  check "$name needs no libtally" "" \
    "$(objdump -p "$file" 2>/dev/null | grep 'NEEDED.*libtally')"
done

libraries=0
for file in "$builddir"/.libs/libtally.so "$builddir"/core/.libs/libtally.so
do
  [ -f "$file" ] || continue
  libraries=$((libraries + 1))
  check "libtally exports tally_* alone" "" \
    "$(names "$file" --defined-only | grep -v '^tally_')"
  check "libtally exports tally_new" tally_new \
    "$(names "$file" --defined-only | grep '^tally_new$')"
done

if [ $drivers -eq 0 ] && [ $libraries -eq 0 ]; then
  echo "skip: no shared objects in $builddir (configured --disable-shared?)"
  exit 77
fi
[ $drivers -gt 0 ] || { echo "not ok no driver found"; exit 1; }
[ $libraries -gt 0 ] || { echo "not ok libtally.so not found"; exit 1; }
[ $failures -eq 0 ]
