#!/bin/sh
# bench.sh BUILD - how long judging takes, beside other programs, in one run; figures as ratios.
# One image of about 1 MB, and a folder of 300 images, against cat, a program that only reads the file, llvm-readobj
# printing the same facts, pefile and pesec; reading code is a row of its own. Then how time and memory grow with the
# size, on images of up to 100 MiB (tests/bench/big_image.py). Repairing, proof and writing included, is measured
# beside the linker that made the driver. Nothing is asserted: machines differ.
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

program() { # builds tests/bench/NAME.c
    "${CC:-cc}" -std=c17 -O2 -o "$work/$1" "$root/tests/bench/$1.c"
}
program read_file
program peak

facts="llvm-readobj-19 --file-headers --sections --coff-imports --coff-basereloc --coff-load-config"
milliseconds() { # of the fastest run of a command, the least disturbed
    hyperfine -N --warmup 3 --min-runs 10 --ignore-failure --export-csv "$work/row.csv" "$1" >/dev/null 2>&1
    # columns: command,mean,stddev,median,user,system,min,max
    tail -n 1 "$work/row.csv" | awk -F, '{ print $(NF - 1) * 1000 }'
}
bench() { # title, then "name=command"...
    title=$1
    shift
    printf '\n%s\n' "$title"
    : >"$work/results"
    for row in "$@"; do
        echo "${row%%=*},$(milliseconds "${row#*=}")" >>"$work/results"
    done
    awk -F, 'NR == 1 { base = $2 } { printf "  %-34s %9.2f ms   %7.2f x\n", $1, $2, $2 / base }' "$work/results"
}

bench "one image of $(wc -c <"$image") bytes (fastest of the runs; ratio to the first row)" \
    "a program that only reads it=$work/read_file $image" \
    "the same by a mapping=$work/read_file --map $image" \
    "cat=cat $image" \
    "hvcifix check --no-code=$tool check --no-code $image" \
    "hvcifix show (reads code)=$tool show $image" \
    "llvm-readobj (same facts)=$facts $image" \
    "pesec=pesec $image" \
    "pefile=/usr/bin/python3 $work/with_pefile.py $image"
bench "a folder of $(find "$work/folder" -name '*.dll' | wc -l) images, $(du -sk "$work/folder" | cut -f 1) KiB" \
    "cat=sh -c 'cat $work/folder/*.dll'" \
    "hvcifix check --no-code (1 job)=$tool check --no-code --jobs 1 $work/folder" \
    "hvcifix check --no-code ($(nproc) cores)=$tool check --no-code $work/folder" \
    "hvcifix show (1 job)=$tool show --jobs 1 $work/folder" \
    "hvcifix show ($(nproc) cores)=$tool show $work/folder" \
    "llvm-readobj (same facts)=sh -c '$facts $work/folder/*.dll'" \
    "pefile=sh -c '/usr/bin/python3 $work/with_pefile.py $work/folder/*.dll'"

# Packages: 2,000 images (Wine's smaller ones, again and again) in a folder and in a zip archive.
if [ ! -e "$work/many.zip" ]; then
    rm -rf "$work/many" && mkdir "$work/many"
    find "$wine_folder" -type f -size -200k | sort | awk '{ name[NR] = $0 }
        END { for (i = 0; i < 2000; i++) print name[i % NR + 1] "\t" i }' |
        while IFS="$(printf '\t')" read -r file number; do cp "$file" "$work/many/$number.sys"; done
    (cd "$work/many" && bsdtar -a -cf ../many.new.zip -- *.sys && mv ../many.new.zip ../many.zip)
fi
bench "a folder of 2,000 images, $(du -sk "$work/many" | cut -f 1) KiB" \
    "cat=sh -c 'cat $work/many/*'" \
    "hvcifix check (1 job)=$tool check --jobs 1 $work/many" \
    "hvcifix check ($(nproc) cores)=$tool check $work/many"
bench "the same in a zip archive of $(du -k "$work/many.zip" | cut -f 1) KiB" \
    "bsdtar -xO=sh -c 'bsdtar -xOf $work/many.zip'" \
    "hvcifix check (1 job)=$tool check --jobs 1 $work/many.zip" \
    "hvcifix check ($(nproc) cores)=$tool check $work/many.zip"

# growth VERB... - one row for each kind of image and size
growth() { # kinds, verb and options
    kinds=$1
    shift
    printf '\nhvcifix %s: how time and memory grow\n' "$*"
    for kind in $kinds; do
        for mebibytes in 1 10 100; do
            big=$work/$kind-$mebibytes.sys
            [ -e "$big" ] || /usr/bin/python3 "$root/tests/bench/big_image.py" "$kind" "$mebibytes" "$big"
            echo "$kind,$(wc -c <"$big"),$(milliseconds "$tool $* $big"),$("$work/peak" "$tool" "$@" "$big")"
        done
    done | awk -F, '{ mib = $2 / 1048576
        printf "  %-12s %6.1f MiB %9.2f ms %7.2f ms/MiB %8.1f MiB memory %6.2f x the file\n",
            $1, mib, $3, $3 / mib, $4 / 1024, $4 * 1024 / $2 }'
}
growth "data relocations imports code" check --no-code
growth "code pool_calls" check

# The driver with all defects at once is laid out anew; the others lose a right in a header. They are built with debug
# information, as drivers are; --no-pdb leaves the PDB of the first out of the repair, and there is a row with it.
with_debug() { FIXTURE_DEBUG=1 "$root/fixtures/build.sh" "$1" "$2"; }
with_debug rich_low_80_all_defects_x64 "$work/moved.sys"
with_debug rich_init_rwx_x64 "$work/header.sys"
with_debug init_rwx_x64 "$work/small.sys"
link="lld-link-19 /nologo /debug /machine:x64 /driver /subsystem:native /entry:DriverEntry /nodefaultlib /guard:cf"
link_of() { # fixture, options: the command that links its objects, and their debug information into a PDB
    objects=$work/obj/$1
    shift
    echo "$link $* /out:$work/linked.sys /pdb:$work/linked.pdb" "$objects"/*.obj "$objects"/*.lib \
        "$(find "$objects" -name '*.res')"
}
"$tool" fix --quiet --no-pdb "$work/moved.sys" -o "$work/moved.fixed.sys"
# What a repair in place leaves, as a part of the image: both drivers, the largest image of the growth table, and a driver
# of a megabyte of real functions.
printf '\nundo files of repairs in place\n'
undo_size() { # name, image
    cp "$2" "$work/undone.sys" && "$tool" fix --quiet --in-place "$work/undone.sys" >/dev/null || return 0
    side=$(wc -c <"$work/undone.sys.hvcifix-undo") && whole=$(wc -c <"$2")
    "$tool" restore --quiet "$work/undone.sys" && cmp "$work/undone.sys" "$2" || exit 1
    awk -v name="$1" -v side="$side" -v whole="$whole" 'BEGIN {
        printf "  %-34s %9d of %10d bytes %6.2f %%\n", name, side, whole, 100 * side / whole }'
}
undo_size "a new layout" "$work/moved.sys"
undo_size "only its header" "$work/header.sys"
for mebibytes in 1 10; do
    [ -e "$work/iat_in_text-$mebibytes.sys" ] ||
        /usr/bin/python3 "$root/tests/bench/big_image.py" iat_in_text "$mebibytes" "$work/iat_in_text-$mebibytes.sys"
    undo_size "iat_in_text, $mebibytes MiB" "$work/iat_in_text-$mebibytes.sys"
done
bench "repairing a driver of $(wc -c <"$work/moved.sys") bytes, proof and writing included" \
    "lld-link /debug of the same objects=$(link_of rich_low_80_all_defects_x64 /align:0x80 /filealign:0x80 /ignore:4108 \
        "/def:$root/fixtures/src/exports.def")" \
    "hvcifix fix: a new layout=$tool fix --no-pdb $work/moved.sys -o $work/fixed.sys" \
    "hvcifix fix: the same with its PDB=$tool fix $work/moved.sys -o $work/fixed.sys" \
    "hvcifix fix: only its header=$tool fix $work/header.sys -o $work/fixed.sys" \
    "hvcifix verify of the new layout=$tool verify $work/moved.sys $work/moved.fixed.sys"
bench "repairing a driver of $(wc -c <"$work/small.sys") bytes" \
    "lld-link /debug of the same objects=$(link_of init_rwx_x64)" \
    "hvcifix fix: only its header=$tool fix $work/small.sys -o $work/fixed.sys"
bench "judging that driver, and what its code asks for" \
    "hvcifix check --no-code=$tool check --no-code $work/header.sys" \
    "hvcifix show (reads code)=$tool show $work/header.sys" \
    "hvcifix check (judges its calls too)=$tool check $work/header.sys"
growth "iat_in_text init_rwx" fix --quiet -o "$work/fixed.sys"

# Reading code beside the bare decoder, each in a process of its own that takes the fastest of many tries.
# code_cost IMAGE - one line for each way, as time and as ratio to the cheapest pass over the same bytes
"${CC:-cc}" -std=c17 -O2 -I"$root/tool" -o "$work/code_reading" "$root/tests/bench/code_reading.c" \
    "$build/libhvcifix.a" $(pkg-config --libs zydis 2>/dev/null || echo -lZydis -lZycore)
code_cost() {
    printf '\nreading the code of %s, beside one bare Zydis pass over its executable sections\n' "$1"
    for way in lengths operands without with; do
        echo "$way $("$work/code_reading" $way "$1")"
    done | awk '
        { ms[$1] = $2; memory[$1] = $4; code = $8 }
        function row(name, value) { printf "  %-34s %9.2f ms   %7.2f x\n", name, value, value / ms["lengths"] }
        END {
            printf "  (%.2f MiB of code; ratio to the first row)\n", code / 1048576
            row("bare pass: lengths only", ms["lengths"])
            row("bare pass: operands as well", ms["operands"])
            row("reading code (with less without)", ms["with"] - ms["without"])
            row("  without: headers, references", ms["without"])
            row("  with: the same and code", ms["with"])
        }'
}
# Package images of the tests; the first is there wherever Wine is.
cache=${HVCIFIX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/hvcifix}
code_cost "$wine_folder/msxml3.dll"
for file in x64/midlrt.exe x86/midlrt.exe x64/d3dcompiler_47.dll x86/d3dcompiler_47.dll; do
    found=$(find "$cache" -path "*/bin/*/$file" 2>/dev/null | sort | head -n 1)
    if [ -n "$found" ]; then code_cost "$found"; else echo "bench: without $file (make test fetches it)" >&2; fi
done

printf '\nreading code: how time and memory grow (real functions, repeated)\n'
for mebibytes in 1 10 100; do
    big=$work/repeated-$mebibytes.sys
    [ -e "$big" ] || /usr/bin/python3 "$root/tests/bench/repeat_image.py" "$tool" "$wine_folder/comctl32.dll" $mebibytes "$big"
    nbytes=$(wc -c <"$big")
    for way in lengths without with; do
        echo "$way $nbytes $("$work/code_reading" $way "$big")"
    done
done | awk '
    { ms[$1] = $3; memory = $5; mib = $2 / 1048576 }
    $1 == "with" {
        code = ms["with"] - ms["without"]
        printf "  %6.1f MiB %9.2f ms %7.2f ms/MiB %7.2f x lengths only %8.1f MiB memory %6.2f x the file\n",
            mib, code, code / mib, code / ms["lengths"], memory / 1024, memory / 1024 / mib
    }'
