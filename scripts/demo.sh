#!/bin/sh
# Judges, repairs and proves one defective driver that was just linked from fixtures/src. Argument: the build folder.
set -eu
build=$1
tool=$build/hvcifix
old=$build/fixtures/all_defects_x64.sys
new=$build/demo/all_defects_x64.sys
mkdir -p "$build/demo"

say() { printf '\n$ %s\n' "$*"; }

say "hvcifix check --quiet $old"
"$tool" check --quiet "$old" && exit 1 # errors are expected
say "hvcifix fix --dry-run --quiet $old"
"$tool" fix --dry-run --quiet "$old"
say "hvcifix fix --quiet $old -o $new"
"$tool" fix --quiet "$old" -o "$new"
say "hvcifix verify $old $new"
"$tool" verify "$old" "$new" | sed -n 1,12p
say "hvcifix check --quiet $new"
"$tool" check --quiet "$new"
say "hvcifix show $old --after $new"
"$tool" show "$old" --after "$new"

old=$build/fixtures/writes_code_low_80_refuse_x64.sys
printf '\nA driver that writes to its own code is judged, and refused with the place:\n'
say "hvcifix fix --quiet $old -o $build/demo/refused.sys"
"$tool" fix --quiet "$old" -o "$build/demo/refused.sys" && exit 1
test ! -e "$build/demo/refused.sys"
