#!/bin/sh
# check_layout.sh [OBJECTS] - the rule that keeps the verifier apart from what it judges, and three that keep all
# but tool/cli a library.
#   1. tool/verify includes only base/, itself, the C library and the decoder, and its objects need no symbol of
#      any other part of the tool.
#   2. Outside tool/cli nothing prints or ends the process.
#   3. Outside tool/cli no variable with static storage can be written (looked up in the objects).
#   4. Outside tool/cli no function of the C library is called that shares hidden state between threads: the command
#      line works on several images at a time.
# OBJECTS is the folder of the compiled objects (build/obj). Without it only the sources are looked at.
# Prints what is wrong, one line each, and fails.
set -u
cd "$(dirname "$0")/.." || exit 2
objects=${1:-}
failures=$(mktemp) || exit 2
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$failures" "$scratch"' EXIT

# Sources without their comments, as FILE:LINE:TEXT.
without_comments() {
    awk '
        FNR == 1 { inside = 0 }
        {
            text = $0; kept = ""
            while (text != "") {
                if (inside) {
                    at = index(text, "*/")
                    if (at == 0) { text = ""; break }
                    text = substr(text, at + 2); inside = 0
                } else {
                    at = index(text, "/*")
                    if (at == 0) { kept = kept text; text = ""; break }
                    kept = kept substr(text, 1, at - 1); text = substr(text, at + 2); inside = 1
                }
            }
            sub(/\/\/.*/, "", kept)
            print FILENAME ":" FNR ":" kept
        }' "$@"
}

# 1. What the verifier includes.
standard='assert|ctype|errno|inttypes|limits|stdarg|stdbool|stddef|stdint|stdio|stdlib|string'
allowed="#[ \t]*include[ \t]+(\"(base|verify)/[A-Za-z0-9_]+\.h\"|<($standard)\.h>|<(Zydis|Zycore)/[A-Za-z0-9_/]+\.h>)"
without_comments tool/verify/*.c tool/verify/*.h | grep -E ':[ \t]*#[ \t]*include' | grep -Ev ":[ \t]*$allowed" |
    sed 's/$/  <- the verifier must not include this/' >>"$failures"

# 2. Nothing prints or exits, as the sources say it.
output='printf|fprintf|vprintf|vfprintf|dprintf|puts|fputs|putchar|putc|fputc|perror'
ending='exit|_exit|_Exit|quick_exit|abort|assert'
find tool -name '*.[ch]' ! -path 'tool/cli/*' | sort >"$scratch/library"
# shellcheck disable=SC2046
without_comments $(cat "$scratch/library") | sed 's/"[^"]*"/""/g' |
    grep -E "[^A-Za-z0-9_.>]($output|$ending)[ \t]*\(" |
    sed 's/$/  <- the library must not print or exit/' >>"$failures"

# 4. Functions that return their own storage, walk by a hidden position, or change what the whole process sees.
sharing='strtok|strerror|localtime|gmtime|ctime|asctime|setlocale|localeconv|rand|srand|random|srandom|drand48'
sharing="$sharing|tmpnam|tempnam|mktemp|getpwuid|getpwnam|getgrgid|getgrnam|ttyname|nl_langinfo|hsearch|ecvt|fcvt"
sharing="$sharing|basename|dirname|getopt|putenv|setenv|unsetenv|chdir|umask|signal|system|wctomb|mbtowc|mblen"
# shellcheck disable=SC2046
without_comments $(cat "$scratch/library") | sed 's/"[^"]*"/""/g' |
    grep -E "[^A-Za-z0-9_.>]($sharing)[ \t]*\(" |
    sed 's/$/  <- not safe with several threads/' >>"$failures"

if [ -n "$objects" ]; then
    if [ ! -d "$objects/tool/verify" ]; then
        echo "check_layout.sh: no objects in $objects/tool/verify" >&2
        exit 2
    fi
    find "$objects/tool" -name '*.o' ! -path "$objects/tool/cli/*" | sort >"$scratch/objects"

    # 2. The same, as the objects say it: what macros and the compiler make of the calls.
    # nm -A begins each line with the object's path and a colon.
    xargs nm -uA <"$scratch/objects" | sed 's/:.* / /; s/@.*//' |
        grep -E " ($output|$ending|__(printf|fprintf|vprintf|vfprintf|dprintf)_chk|__assert_fail)\$" |
        sed 's/ /: calls /' >>"$failures"

    # 4. The same in the objects.
    xargs nm -uA <"$scratch/objects" | sed 's/:.* / /; s/@.*//' | grep -E " ($sharing)\$" |
        sed 's/ /: not safe with several threads: calls /' >>"$failures"

    # 3. Objects in writable sections. .data.rel.ro holds constants that need relocating. Names that begin with
    # two underscores or .L are the compiler's own (coverage counters, sanitizer data).
    xargs objdump -t <"$scratch/objects" | awk -F '\t' '
        / file format / { object = $1; sub(/: +file format .*/, "", object) }
        NF == 2 {
            count = split($1, left, " "); section = left[count]
            split($2, right, " "); name = right[2] ~ /^\.(hidden|internal|protected)$/ ? right[3] : right[2]
            if (section !~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ || section ~ /^\.data\.rel\.ro/) next
            if (name ~ /^(\.|__|\*?\.L|Lubsan|\.?LASAN)/ || right[1] ~ /^0+$/) next
            print object ": variable " name " in " section " can be written"
        }' >>"$failures"

    # 1. Symbols that the verifier needs and another part of the tool defines.
    nm -u "$objects"/tool/verify/*.o | awk 'NF == 2 { print $2 }' | sort -u >"$scratch/needed"
    grep -v -e "^$objects/tool/verify/" -e "^$objects/tool/base/" "$scratch/objects" >"$scratch/others"
    [ ! -s "$scratch/others" ] || xargs nm --defined-only -gA <"$scratch/others" |
        awk -v needed="$scratch/needed" '
            BEGIN { while ((getline name < needed) > 0) is_needed[name] = 1 }
            $NF in is_needed && $NF !~ /^__/ {
                object = $1; sub(/:[^:]*$/, "", object)
                print "tool/verify needs a symbol of " object ": " $NF
            }' >>"$failures"
fi

if [ -s "$failures" ]; then
    cat "$failures"
    exit 1
fi
