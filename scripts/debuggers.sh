#!/bin/sh
# debuggers.sh OUT - puts Microsoft's dbghelp.dll and msdia140.dll (x64) into the folder OUT, for the tests that ask them
# about PDBs under Wine. They come from the NuGet package of the debugging engine (fetch.sh), and are never part of what
# is built. Prints the reason when they cannot be had, and fails.
set -eu

out=$1
package=Microsoft.Debugging.Platform.DbgEng
version=20260109.1235.0
sha256=6dbbe0e8bc2560cc515e6e5568e8552da8ee9f8b40fd813d5876719e89512ab0
fetch_for=debuggers
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/fetch.sh"

unpack() { # archive folder
    unzip -q -j "$1" '*/amd64/dbghelp.dll' '*/amd64/msdia140.dll' -d "$2" || { echo "it has no such files" && return 1; }
}

fetch_package nuget "$package" "$version" "$sha256" unpack
kept=$(fetch_kept "$package" "$version")
mkdir -p "$out"
cp "$kept/dbghelp.dll" "$kept/msdia140.dll" "$out"
