#!/bin/sh
# sarif_multitool.sh - fetches Microsoft's Sarif.Multitool, which judges SARIF in tests, as an npm package.
# Prints the path of the program. It lies in $HVCIFIX_CACHE (default: hvcifix in the user's cache folder), so that it is
# fetched once; its SHA-256 is checked.
set -eu

name=@microsoft/sarif-multitool-linux
version=5.7.0
sha256=27d8e3e96dde578a23b7c45035b8d741fece5731e2700aa068015b8c44d1514e
cache=${HVCIFIX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/hvcifix}
target=$cache/sarif-multitool-$version

say() { echo "sarif multitool: $*" >&2; }

fetch() { # into the folder
    (cd "$1" && npm pack "$name@$version" --silent >/dev/null 2>npm.log && mv ./*.tgz archive) ||
        { tail -n 3 "$1/npm.log" >&2; return 1; }
    echo "$sha256  $1/archive" | sha256sum -c --quiet - >&2
}

if [ ! -e "$target/complete" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/.sarif-multitool.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    for seconds in 5 20 0; do
        if fetch "$work"; then break; fi
        [ $seconds -ne 0 ] || { say "could not be fetched"; exit 1; }
        say "failed, trying again in $seconds s"
        sleep $seconds
        rm -rf "$work" && mkdir "$work"
    done
    tar -x -f "$work/archive" -C "$work" --strip-components=1
    rm "$work/archive"
    chmod +x "$work/Sarif.Multitool"
    touch "$work/complete"
    rm -rf "$target"
    mv "$work" "$target" 2>/dev/null || [ -e "$target/complete" ] # another may have been faster
fi
echo "$target/Sarif.Multitool"
