#!/bin/sh
# Judges, repairs and proves one defective driver that was just linked from fixtures/src. Argument: the build folder.
set -eu
build=$1
tool=$build/hvcifix
old=$build/fixtures/init_rwx_x64.sys
new=$build/demo/init_rwx_x64.sys
mkdir -p "$build/demo"

say() { printf '\n$ %s\n' "$*"; }

say "hvcifix check $old"
"$tool" check "$old"
say "hvcifix fix $old -o $new"
"$tool" fix "$old" -o "$new"
say "hvcifix verify $old $new"
"$tool" verify "$old" "$new"
say "hvcifix show $old --after $new"
"$tool" show "$old" --after "$new"

old=$build/fixtures/all_defects_x64.sys
printf '\nA driver with every defect is judged, and refused as long as one of them cannot be repaired:\n'
say "hvcifix fix --quiet $old -o $build/demo/refused.sys"
"$tool" fix --quiet "$old" -o "$build/demo/refused.sys" && exit 1
test ! -e "$build/demo/refused.sys"
