#!/bin/sh
# windows_libs.sh - builds the libraries of the Windows program from Debian's source packages with mingw-w64.
# Prints the folder that then holds include/ and lib/ (static). It lies in $HVCIFIX_CACHE (default: hvcifix in the
# user's cache folder), so that it is built once; the folder's name follows this script's content.
# The machine's own apt configuration stays untouched: sources, lists and cache are private; apt checks the hashes.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${HVCIFIX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/hvcifix}
stamp=$(sha256sum "$0" | cut -c 1-12)
target=$cache/windows-libs-$stamp
host=x86_64-w64-mingw32
sources="zydis/trixie zycore-c/trixie libinih/trixie libarchive/trixie cjson/bookworm"

say() { echo "windows libraries: $*" >&2; }

# deb-src entries for the mirrors that the machine already uses.
write_sources() {
    mirrors=$(sed -n 's/^URIs:[[:space:]]*//p; s/^deb\(-src\)\{0,1\} \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\3/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep '/debian/\{0,1\}$' | sort -u)
    for mirror in $mirrors; do
        for suite in trixie bookworm; do
            printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\n' "$mirror" "$suite"
            printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n'
        done
    done
}

fetch() { # into the current folder
    mkdir -p apt/lists apt/cache/archives/partial apt/sources
    write_sources >apt/sources/sources.sources
    set -- -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$PWD/apt/sources" \
        -o Dir::State::lists="$PWD/apt/lists" -o Dir::Cache="$PWD/apt/cache" -o APT::Sandbox::User=root \
        -o Acquire::Retries=3 -q
    for seconds in 5 20 0; do
        apt-get "$@" update && apt-get "$@" source --download-only --tar-only $sources && return
        [ $seconds -eq 0 ] || sleep $seconds
    done
    return 1
}

unpack() { # archive pattern, folder
    mkdir -p "$2"
    tar -x -f $1 -C "$2" --strip-components=1
}

build() { # in the current folder, installing to $1
    unpack 'zycore-c_*.orig.tar.*' zycore
    unpack 'zydis_*.orig.tar.*' zydis
    unpack 'libinih_*.orig.tar.*' inih
    unpack 'libarchive_*.orig.tar.*' libarchive
    cat >toolchain.cmake <<TOOLCHAIN
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER $host-gcc-win32)
set(CMAKE_CXX_COMPILER false)
set(CMAKE_RC_COMPILER $host-windres)
set(CMAKE_FIND_ROOT_PATH $1 /usr/$host)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_C_COMPILER_WORKS TRUE)
TOOLCHAIN
    cmake_build() { # source, options
        folder=$1
        shift
        cmake -S "$folder" -B "$folder-build" -DCMAKE_TOOLCHAIN_FILE="$PWD/toolchain.cmake" -DCMAKE_BUILD_TYPE=Release \
            -DCMAKE_INSTALL_PREFIX="$target.new" -DCMAKE_INSTALL_LIBDIR=lib "$@" &&
            cmake --build "$folder-build" -j "$(nproc)" && cmake --install "$folder-build"
    }
    cmake_build zydis -DZYDIS_BUILD_EXAMPLES=OFF -DZYDIS_BUILD_TOOLS=OFF -DZYDIS_BUILD_DOXYGEN=OFF -DZYDIS_BUILD_TESTS=OFF \
        -DZYAN_ZYCORE_PATH="$PWD/zycore" -DZYAN_SYSTEM_ZYCORE=OFF || return
    mkdir -p "$1/include" "$1/lib"
    cp -r zycore/include/Zycore "$1/include/"
    find zydis-build -name 'libZycore.a' -exec cp {} "$1/lib/" \;
    # Of libarchive only what reads cab and zip, with deflate alone; nothing of it is run but the library.
    without="-DPOSIX_REGEX_LIB=NONE -DZLIB_LIBRARY=$($host-gcc-win32 -print-file-name=libz.a)"
    for part in NETTLE OPENSSL MBEDTLS CNG LZMA LZO LZ4 ZSTD BZip2 LIBB2 LIBXML2 EXPAT PCREPOSIX PCRE2POSIX LIBGCC ICONV ACL \
        XATTR TAR CPIO CAT UNZIP TEST WERROR; do
        without="$without -DENABLE_$part=OFF"
    done
    cmake_build libarchive $without -DBUILD_SHARED_LIBS=OFF || return
    $host-gcc-win32 -O2 -c inih/ini.c -o ini.o
    ar rcs "$1/lib/libinih.a" ini.o
    cp inih/ini.h "$1/include/"
    unpack 'cjson_*.orig.tar.*' cjson
    $host-gcc-win32 -O2 -DCJSON_HIDE_SYMBOLS -c cjson/cJSON.c -o cJSON.o
    ar rcs "$1/lib/libcjson.a" cJSON.o
    mkdir -p "$1/include/cjson"
    cp cjson/cJSON.h "$1/include/cjson/"
}

if [ ! -e "$target/complete" ]; then
    "$root/scripts/deps.sh" windows
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/.windows-libs.XXXXXX")
    trap 'rm -rf "$work" "$target.new"' EXIT
    rm -rf "$target.new"
    say "building $sources for Windows"
    (cd "$work" && fetch && build "$target.new") >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; say "failed"; exit 1; }
    touch "$target.new/complete"
    rm -rf "$target"
    mv "$target.new" "$target"
fi
echo "$target"
