#!/bin/sh
# real_images.sh OUT - makes the list of images that nobody here built: OUT/real-images.txt, one path a line.
# Of the packages of tests/real_images.tsv (fetch.sh) the cache keeps only the PE images. Wine's own come from the package
# wine64. What cannot be had is said aloud and listed, with the reason, in OUT/real-images-missing.txt; that is no failure
# here. Quick when all is in the cache.
set -eu

out=$1
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-/usr/bin/python3}
fetch_for="real images"
# shellcheck source-path=SCRIPTDIR
. "$root/scripts/fetch.sh"

unpack() { # archive folder; $count is what the table says
    found=$("$python" "$root/tests/support/extract_images.py" "$1" "$2") ||
        { echo "its images cannot be taken out" && return 1; }
    [ "$found" -eq "$count" ] || { echo "it holds $found images, not $count" && return 1; }
}

mkdir -p "$out"
: >"$out/real-images.txt.new"
: >"$out/real-images-missing.txt"
grep -v '^#' "$root/tests/real_images.tsv" | while read -r client package version sha256 count; do
    if reason=$(fetch_package "$client" "$package" "$version" "$sha256" unpack); then
        find "$(fetch_kept "$package" "$version")" -type f ! -name "$sha256" | LC_ALL=C sort >>"$out/real-images.txt.new"
    else
        fetch_say "without $package $version: $reason"
        printf '%s %s\t%s\n' "$package" "$version" "$reason" >>"$out/real-images-missing.txt"
    fi
done
wine=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)/wine/x86_64-windows
if [ -d "$wine" ]; then
    find "$wine" -type f | LC_ALL=C sort >>"$out/real-images.txt.new"
else
    fetch_say "without Wine's own images: the package wine64 is not installed"
    printf 'wine64\tthe package is not installed\n' >>"$out/real-images-missing.txt"
fi
mv "$out/real-images.txt.new" "$out/real-images.txt"
