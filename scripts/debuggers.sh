#!/bin/sh
# debuggers.sh OUT - puts Microsoft's dbghelp.dll and msdia140.dll (x64) into the folder OUT, for the tests that ask them
# about PDBs under Wine. They come from the NuGet package of the debugging engine, fetched with its ordinary client into
# $HVCIFIX_CACHE (default: hvcifix in the user's cache folder), and are never part of what is built. Prints the reason
# when they cannot be had, and fails.
set -eu

out=$1
package=Microsoft.Debugging.Platform.DbgEng
version=20260109.1235.0
dbghelp_sha256=ae2c38db0a2dc609403c15c5d9afc16402e6c8888ada29d866ca8646d4725786
msdia_sha256=455b38fc14e2b1a14cbaa8dffbcc354edbd0b642e83aae458bd2d2dddd5217c6
cache=${HVCIFIX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/hvcifix}
kept=$cache/$package-$version

is_right() {
    printf '%s  %s\n' "$dbghelp_sha256" "$kept/dbghelp.dll" "$msdia_sha256" "$kept/msdia140.dll" |
        sha256sum --check --status 2>/dev/null
}

fetch() {
    command -v dotnet >/dev/null 2>&1 || { echo "there is no dotnet"; return 1; }
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cat >"$work/get.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>netstandard2.0</TargetFramework>
    <DisableImplicitFrameworkReferences>true</DisableImplicitFrameworkReferences>
  </PropertyGroup>
  <ItemGroup><PackageDownload Include="$package" Version="[$version]" /></ItemGroup>
</Project>
PROJECT
    DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 \
        dotnet restore "$work/get.csproj" --packages "$work/packages" >"$work/restore.log" 2>&1 ||
        { tail -n 3 "$work/restore.log"; return 1; }
    mkdir -p "$kept"
    for name in dbghelp.dll msdia140.dll; do
        cp "$(find "$work/packages" -path "*/amd64/$name")" "$kept/$name.new"
        mv "$kept/$name.new" "$kept/$name"
    done
}

is_right || fetch
is_right || { echo "$package $version holds other files than expected"; exit 1; }
mkdir -p "$out"
cp "$kept/dbghelp.dll" "$kept/msdia140.dll" "$out"
