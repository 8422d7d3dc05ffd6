#!/bin/sh
# nuget.sh BUILD VERSION - packs BUILD/nuget/HvciFix.VERSION.nupkg with the .NET SDK.
# Takes: BUILD/hvcifix.exe, BUILD/nuget/hvcifix, msbuild/.  Gives: the package, put in place only when complete.
# Must not: fetch anything, or leave what the SDK writes anywhere but below BUILD/nuget.
set -eu

build=$1
version=$2
folder=$build/nuget
stage=$folder/package

if ! command -v dotnet >/dev/null 2>&1; then
    echo "make nuget needs the .NET SDK (dotnet), which is not in Debian: https://dot.net/download" >&2
    exit 1
fi

. scripts/ship_parts.sh

rm -rf "$stage" "$folder/out"
mkdir -p "$stage/build/native" "$stage/tools/x64" "$stage/tools/linux-x64/lib" "$stage/licences"
cp msbuild/build/native/HvciFix.* "$stage/build/native/"
cp msbuild/README.md msbuild/HvciFix.nuspec msbuild/pack.csproj "$stage/"
cp LICENSE "$stage/LICENSE.txt"
cp "$build/hvcifix.exe" "$stage/tools/x64/"
cp "$folder/hvcifix" "$stage/tools/linux-x64/"
if command -v dpkg-query >/dev/null 2>&1; then
    copy_libraries "$folder/hvcifix" "$stage/tools/linux-x64/lib"
    copy_static_terms
fi

# The SDK gives all that it packs this time, so that the same files make the same package byte for byte.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}
export SOURCE_DATE_EPOCH DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1
if ! dotnet pack "$stage/pack.csproj" -nologo -v:quiet -nodeReuse:false -p:HvciFixVersion="$version" -o "$folder/out" \
    >"$folder/log.txt" 2>&1; then
    cat "$folder/log.txt" >&2
    exit 1
fi
mv "$folder/out/HvciFix.$version.nupkg" "$folder/"
rmdir "$folder/out"
