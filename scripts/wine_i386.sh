#!/bin/sh
# wine_i386.sh - a small Debian for i386 with Wine, in which x86 drivers can be started: packages for i386 cannot be
# installed beside those of another machine. Prints its folder, for chroot; prints the reason and fails when it cannot
# be had. It lies in $HVCIFIX_CACHE (default: hvcifix in the user's cache folder), so that it is made once; the
# folder's name follows this script's content. It takes 750 MB, and 160 MB are fetched.
# Needs root, debootstrap, and a mirror that the machine already uses. Must not: leave anything mounted.
set -eu

cache=${HVCIFIX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/hvcifix}
stamp=$(sha256sum "$0" | cut -c 1-12)
target=$cache/i386-wine-$stamp
suite=bookworm
packages=wine32,wine

say() { echo "i386 Wine: $*" >&2; }
give_up() { echo "$*"; exit 1; }

mirrors() { # of Debian itself, as the machine's apt has them
    sed -n 's/^URIs:[[:space:]]*//p; s/^deb\(-src\)\{0,1\} \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\3/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        tr ' ' '\n' | grep '/debian/\{0,1\}$' | sort -u
}

# In a mount namespace of its own: what debootstrap mounts goes away with it, whatever happens.
bootstrap() { # mirror, folder
    unshare --mount --pid --fork --kill-child \
        debootstrap --arch=i386 --variant=minbase --include=$packages $suite "$2" "$1"
}

make() { # folder; tries every mirror, then waits and tries again
    [ -n "$(mirrors)" ] || give_up "apt knows no mirror of Debian"
    for seconds in 10 60 0; do
        for mirror in $(mirrors); do
            rm -rf "$1"
            say "making a Debian for i386 with Wine from $mirror (once, some minutes)"
            bootstrap "$mirror" "$1" >"$1.log" 2>&1 && return
            tail -n 3 "$1.log" >&2
        done
        [ $seconds -eq 0 ] || { say "that failed; trying again in $seconds s" && sleep $seconds; }
    done
    give_up "debootstrap failed: $(tail -n 1 "$1.log")"
}

if [ ! -e "$target/complete" ]; then
    [ "$(id -u)" -eq 0 ] || give_up "this needs root"
    command -v debootstrap >/dev/null 2>&1 || give_up "there is no debootstrap"
    unshare --mount --pid --fork true 2>/dev/null || give_up "namespaces cannot be made"
    mkdir -p "$cache"
    exec 9>"$cache/.i386-wine.lock"
    flock 9 # two at once: the second waits, and finds it made
fi
if [ ! -e "$target/complete" ]; then
    rm -rf "$cache"/.i386-wine.?????? # what a killed run left behind
    work=$(mktemp -d "$cache/.i386-wine.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    make "$work/root"
    rm -rf "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/* "$work"/root/usr/share/doc/* \
        "$work"/root/usr/share/man/* "$work"/root/usr/share/locale/*
    chroot "$work/root" /bin/true || give_up "this machine runs no i386 programs"
    touch "$work/root/complete"
    rm -rf "$target"
    mv "$work/root" "$target"
fi
echo "$target"
