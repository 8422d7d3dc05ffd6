#!/bin/sh
# bench.sh BUILD - how long judging takes, beside other programs, in one run; figures as ratios.
# One image of about 1 MB, and a folder of 300 images, against cat, llvm-readobj printing the same facts, pefile and
# pesec; reading code is a row of its own. Nothing is asserted: machines differ.
set -eu

build=$1
root=$(cd "$(dirname "$0")/.." && pwd)
"$root/scripts/deps.sh" bench
tool=$build/hvcifix
work=$build/bench
mkdir -p "$work/folder"

# Wine's own images: they come by package, so every run has the same.
wine_folder=/usr/lib/x86_64-linux-gnu/wine/x86_64-windows
image=$(find "$wine_folder" -name '*.dll' -size +950k -size -1100k | sort | head -n 1)
[ -n "$image" ] || { echo "bench: no image of about 1 MB below $wine_folder (package wine64)" >&2; exit 1; }
if [ ! -e "$work/folder/complete" ]; then
    find "$wine_folder" -name '*.dll' -size -400k | sort | head -n 300 | while read -r file; do cp "$file" "$work/folder/"; done
    touch "$work/folder/complete"
fi
cat >"$work/with_pefile.py" <<'PYTHON'
import sys
import pefile
for path in sys.argv[1:]:
    pe = pefile.PE(path, fast_load=True)
    pe.parse_data_directories([pefile.DIRECTORY_ENTRY[name] for name in (
        "IMAGE_DIRECTORY_ENTRY_IMPORT", "IMAGE_DIRECTORY_ENTRY_BASERELOC", "IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG")])
PYTHON

facts="llvm-readobj-19 --file-headers --sections --coff-imports --coff-basereloc --coff-load-config"
bench() { # title, then "name=command"...
    title=$1
    shift
    printf '\n%s\n' "$title"
    : >"$work/results"
    for row in "$@"; do
        name=${row%%=*}
        hyperfine -N --warmup 3 --min-runs 10 --ignore-failure --export-csv "$work/row.csv" "${row#*=}" >/dev/null 2>&1
        # columns: command,mean,stddev,median,user,system,min,max; the minimum is the least disturbed
        tail -n 1 "$work/row.csv" | awk -F, -v name="$name" '{ print name "," $(NF - 1) * 1000 }' >>"$work/results"
    done
    awk -F, 'NR == 1 { base = $2 } { printf "  %-34s %9.2f ms   %7.2f x\n", $1, $2, $2 / base }' "$work/results"
}

bench "one image of $(wc -c <"$image") bytes (fastest of the runs; ratio to cat)" \
    "cat=cat $image" \
    "hvcifix check --no-code=$tool check --no-code $image" \
    "hvcifix show (reads code)=$tool show $image" \
    "llvm-readobj (same facts)=$facts $image" \
    "pesec=pesec $image" \
    "pefile=/usr/bin/python3 $work/with_pefile.py $image"
bench "a folder of $(find "$work/folder" -name '*.dll' | wc -l) images, $(du -sk "$work/folder" | cut -f 1) KiB" \
    "cat=sh -c 'cat $work/folder/*.dll'" \
    "hvcifix check --no-code=$tool check --no-code $work/folder" \
    "llvm-readobj (same facts)=sh -c '$facts $work/folder/*.dll'" \
    "pefile=sh -c '/usr/bin/python3 $work/with_pefile.py $work/folder/*.dll'"
