#!/bin/sh
# dist.sh BUILD VERSION MAKE - makes the release archives in BUILD/dist, and SHA256SUMS of them at last.
# Takes: BUILD/dist/hvcifix, BUILD/hvcifix.exe, the manual pages, and the NuGet package where there is one.
# Gives: hvcifix-VERSION-linux-ARCH.tar.gz and hvcifix-VERSION-windows-x64.zip. Names, order, modes, owners and times in
# them come from the sources alone (SOURCE_DATE_EPOCH, else the commit), so that the same sources make the same bytes.
# Must not: fetch or build anything.
set -eu
umask 022
export LC_ALL=C TZ=UTC

build=$1
version=$2
make=$3
folder=$build/dist
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}
linux=hvcifix-$version-linux-$(uname -m)
windows=hvcifix-$version-windows-x64
. scripts/ship_parts.sh

rm -rf "$folder/stage" "$folder"/*.tar.gz "$folder"/*.zip "$folder/SHA256SUMS"

# What both have: the texts and the terms.
begin() { # name
    stage=$folder/stage/$1
    mkdir -p "$stage/licences" "$stage/share/doc/hvcifix"
    sed 's,](docs/,](share/doc/hvcifix/,' README.md >"$stage/README.md"
    cp LICENSE "$stage/LICENSE.txt"
    cp -r docs/. "$stage/share/doc/hvcifix/"
}

# One time for all files, and the modes that they have everywhere.
settle() {
    find "$stage" -type d -exec chmod 755 {} +
    find "$stage" -type f -exec chmod 644 {} +
    find "$stage" -path '*/bin/*' -type f -exec chmod 755 {} +
    find "$stage" -exec touch -h -d "@$epoch" {} +
}

begin "$linux"
"$make" --no-print-directory -s BUILD="$build" DESTDIR="$(realpath "$stage")" PREFIX= install >"$folder/install.log"
cp "$folder/hvcifix" "$stage/bin/hvcifix"
mkdir -p "$stage/lib"
if command -v dpkg-query >/dev/null 2>&1; then
    copy_libraries "$stage/bin/hvcifix" "$stage/lib"
    copy_static_terms
fi
settle
tar -c -C "$folder/stage" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" "$linux" |
    gzip -n -9 >"$folder/$linux.tar.gz"

begin "$windows"
mkdir -p "$stage/bin" "$stage/share/hvcifix"
cp "$build/hvcifix.exe" "$stage/bin/"
cp "$build/share/hvcifix/hvcifix.ps1" "$stage/share/hvcifix/"
cp -r "$folder/stage/$linux/share/cmake" "$folder/stage/$linux/share/hvcifix/msbuild" "$stage/share/"
# The same upstream terms hold for what scripts/windows_libs.sh builds of Debian's sources. Nothing is shipped without them.
for package in libz-mingw-w64-dev mingw-w64-x86-64-dev gcc-mingw-w64-x86-64-win32-runtime libzydis-dev libzycore-dev \
    libinih-dev libcjson-dev libarchive-dev; do
    terms=/usr/share/doc/$package/copyright
    if [ -e "$terms" ]; then
        cp "$terms" "$stage/licences/$package.txt"
    elif command -v dpkg-query >/dev/null 2>&1; then
        echo "dist: there is no $terms, and the Windows program holds code under these terms" >&2
        exit 1
    fi
done
[ ! -e "$build/nuget/HvciFix.$version.nupkg" ] || cp "$build/nuget/HvciFix.$version.nupkg" "$stage/"
settle
(cd "$folder/stage" && find "$windows" -type f | sort | zip -X -q -9 -@ "../$windows.zip")

(cd "$folder" && sha256sum "$linux.tar.gz" "$windows.zip" >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS)
rm -rf "$folder/stage"
