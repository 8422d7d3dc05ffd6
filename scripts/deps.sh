#!/bin/sh
# deps.sh GROUP... - installs the Debian packages that a part of the project needs and that are missing.
# Groups: build fixtures tests fuzz windows dist lint. Quick and silent when nothing is missing. Says what it will install
# before it does; uses sudo when not root.
set -eu

say() { echo "deps: $*" >&2; }

packages_of() {
    case $1 in
    build)
        echo gcc libc6-dev make pkgconf zlib1g-dev libinih-dev libzydis-dev libzycore-dev libssl-dev libcjson-dev
        echo libarchive-dev libbz2-dev liblzma-dev libzstd-dev nettle-dev # what libarchive needs when it is static
        ;;
    # Compilers and linkers for Windows drivers, the kernel headers of mingw-w64, and what signs a driver.
    fixtures)
        echo clang-19 lld-19 llvm-19 gcc-mingw-w64-x86-64-win32 gcc-mingw-w64-i686-win32 mingw-w64-common
        echo openssl osslsigncode python3
        ;;
    # What builds drivers in tests of the build systems' modules is among those of the fixtures.
    # Independent readers, a kernel that starts drivers (Wine; debootstrap brings the one for x86), strace to stop the
    # tool at any system call, valgrind.
    tests)
        echo libcmocka-dev python3 python3-pefile python3-jsonschema python3-yaml binutils llvm-19 clang-19 osslsigncode
        echo wine wine64 debootstrap debian-archive-keyring strace valgrind mandoc man-db gcab libgcab-1.0-0 cabextract unzip
        echo cmake ninja-build make lld-19 clang-tools-19 gcc-mingw-w64-x86-64-win32 mingw-w64-common openssl
        # The HTML report: a parser, a browser with a font, a reader of what it prints.
        echo python3-html5lib chromium-headless-shell fonts-dejavu-core poppler-utils
        # Any npm will do; Debian's is large, so it is installed only where there is none.
        command -v npm >/dev/null 2>&1 || echo npm
        ;;
    fuzz) echo clang-19 llvm-19 libclang-rt-19-dev ;;
    windows) echo gcc-mingw-w64-x86-64-win32 binutils-mingw-w64-x86-64 libz-mingw-w64-dev cmake make apt ;;
    dist) echo zip tar gzip ;;
    bench) echo hyperfine libarchive-tools llvm-19 pev python3 python3-pefile wine64 ;;
    lint) echo clang-tidy-19 clang-format-19 cppcheck ;;
    *) say "unknown group $1 (build fixtures tests fuzz windows dist lint)" && exit 2 ;;
    esac
}

is_installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

missing_of() {
    for package in $(for group in "$@"; do packages_of "$group"; done | tr ' ' '\n' | sort -u); do
        is_installed "$package" || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt() { # what it prints is shown only when nothing helped
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@" \
        </dev/null >>"$log" 2>&1
}

# The lists may be absent or old: they are fetched when the first attempt to install fails.
install() {
    apt install -y --no-install-recommends "$@" && return
    for seconds in 2 10 30; do
        say "fetching the package lists"
        apt update && apt install -y --no-install-recommends "$@" && return
        say "that failed; trying again in $seconds s"
        sleep $seconds
    done
    return 1
}

main() {
    [ $# -gt 0 ] || { say "usage: deps.sh GROUP... (build fixtures tests fuzz windows dist lint)" && exit 2; }
    for group in "$@"; do packages_of "$group" >/dev/null; done
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "this is no Debian; what Debian calls these packages must be there:" $(packages_of "$@")
        return
    fi
    missing=$(missing_of "$@" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -eq 0 ]; then how=apt-get; else how="sudo apt-get"; fi
    say "for $*, $how will install: ${missing% } (this can take some minutes)"
    if [ "$how" != apt-get ] && ! command -v sudo >/dev/null 2>&1; then
        say "there is no sudo; please install them as root, then run this again"
        exit 1
    fi
    log=$(mktemp)
    if ! install $missing; then
        tail -n 40 "$log" >&2
        say "could not install: $missing"
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}

# Two parts of one parallel build must not meet in apt.
if [ -z "${HVCIFIX_DEPS_LOCKED-}" ] && command -v flock >/dev/null 2>&1; then
    HVCIFIX_DEPS_LOCKED=1 exec flock "${TMPDIR:-/tmp}/hvcifix-deps-$(id -u).lock" "$0" "$@"
fi
main "$@"
