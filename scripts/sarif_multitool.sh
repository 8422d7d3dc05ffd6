#!/bin/sh
# sarif_multitool.sh - fetches Microsoft's Sarif.Multitool, which judges SARIF in tests, as an npm package (fetch.sh).
# Prints the path of the program, or says on standard error why it cannot be had, and fails.
set -eu

package=@microsoft/sarif-multitool-linux
version=5.7.0
sha256=27d8e3e96dde578a23b7c45035b8d741fece5731e2700aa068015b8c44d1514e
fetch_for="sarif multitool"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/fetch.sh"

unpack() { # archive folder
    tar -x -f "$1" -C "$2" --strip-components=1 && chmod +x "$2/Sarif.Multitool"
}

reason=$(fetch_package npm "$package" "$version" "$sha256" unpack) || { fetch_say "$reason" && exit 1; }
echo "$(fetch_kept "$package" "$version")/Sarif.Multitool"
