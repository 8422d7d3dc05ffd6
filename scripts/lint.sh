#!/bin/sh
# lint.sh BUILD - judges the sources: formatting, clang-tidy, cppcheck, and the project's own layout rules.
# Runs all of them and ends with failure when one complained.
set -u

build=$1
cd "$(dirname "$0")/.." || exit 2
scripts/deps.sh build lint tests || exit 1
mkdir -p "$build"

failed=
run() { # words that say what, then the command
    what=$1
    shift
    echo "  LINT    $what"
    "$@" || { echo "lint: $what has complaints" >&2; failed="$failed $what"; }
}

# $(find) is split into words on purpose: no file of the project has a space in its name.
sources=$(find tool tests -name "*.c" ! -name "*_windows.c" | sort)
# What fixtures are made of is not formatted: assembly in macros is no C, and lines are as their debug data name
# them.
all_c=$(find tool tests -name '*.[ch]' | sort)

tidy() {
    flags="-std=c17 -Itool -Itests/unit $(pkg-config --cflags libcjson inih zlib libcrypto)"
    printf '%s\n' $sources | xargs -P "$(nproc)" -n 4 sh -c '
        flags=$1; shift; clang-tidy-19 --quiet "$@" -- $flags 2>/dev/null' tidy "$flags"
}

check_with_cppcheck() {
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        --suppressions-list=scripts/cppcheck.txt --cppcheck-build-dir="$cppcheck_folder" -j "$(nproc)" \
        -Itool tool
}

cppcheck_folder=$build/cppcheck
mkdir -p "$cppcheck_folder"
run clang-format clang-format-19 --dry-run -Werror $all_c
run clang-tidy tidy
run cppcheck check_with_cppcheck
run layout scripts/check_layout.sh "$build/obj"

[ -z "$failed" ] || { echo "lint: complaints from$failed" >&2; exit 1; }
echo "lint: no complaints"
