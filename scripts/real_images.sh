#!/bin/sh
# real_images.sh OUT - makes the list of images that nobody here built: OUT/real-images.txt, one path a line.
# Fetches the packages of tests/real_images.tsv with their ordinary clients (npm, dotnet) into
# $HVCIFIX_CACHE (default: hvcifix in the user's cache folder), checks their SHA-256, and keeps only the PE
# images. Wine's own come from the package wine64. What cannot be had is said aloud and listed, with the
# reason, in OUT/real-images-missing.txt; that is no failure here. Quick when all is in the cache.
set -eu

out=$1
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${HVCIFIX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/hvcifix}
python=${PYTHON:-/usr/bin/python3}

say() { echo "real images: $*" >&2; }

fetch_npm() { # package version folder
    (cd "$3" && npm pack "$1@$2" --silent >/dev/null 2>npm.log) || { tail -n 3 "$3/npm.log" >&2; return 1; }
    mv "$3/$1-$2.tgz" "$3/archive"
}

fetch_nuget() { # package version folder
    cat >"$3/get.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <TargetFramework>netstandard2.0</TargetFramework>
    <DisableImplicitFrameworkReferences>true</DisableImplicitFrameworkReferences>
  </PropertyGroup>
  <ItemGroup><PackageDownload Include="$1" Version="[$2]" /></ItemGroup>
</Project>
PROJECT
    DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 \
        dotnet restore "$3/get.csproj" --packages "$3/packages" >"$3/restore.log" 2>&1 ||
        { tail -n 3 "$3/restore.log" >&2; return 1; }
    mv "$(find "$3/packages" -name '*.nupkg' -size +1M)" "$3/archive"
}

client_of() { # the program that fetches for a client
    case $1 in
    npm) echo npm ;;
    nuget) echo dotnet ;;
    esac
}

with_retries() {
    for seconds in 5 20 0; do
        "$@" && return
        [ $seconds -eq 0 ] || { say "failed, trying again in $seconds s" && sleep $seconds; }
    done
    return 1
}

# Puts one package into the cache, complete or not at all. Prints the reason when it cannot.
provide() { # client package version sha256 count
    [ ! -e "$cache/$2-$3/$4" ] || return 0
    program=$(client_of "$1")
    command -v "$program" >/dev/null 2>&1 || { echo "there is no $program" && return 1; }
    say "fetching $2 $3 with $program"
    work=$cache/.work
    rm -rf "$work"
    mkdir -p "$work/images"
    with_retries "fetch_$1" "$2" "$3" "$work" || { echo "$program could not fetch it" && return 1; }
    echo "$4  $work/archive" | sha256sum --check --status || { echo "its SHA-256 is not $4" && return 1; }
    count=$("$python" "$root/tests/support/extract_images.py" "$work/archive" "$work/images")
    [ "$count" -eq "$5" ] || { echo "it holds $count images, not $5" && return 1; }
    touch "$work/images/$4"
    rm -rf "${cache:?}/$2-$3"
    mv "$work/images" "$cache/$2-$3"
    rm -rf "$work"
}

mkdir -p "$cache" "$out"
exec 9>"$cache/.lock"
flock 9
: >"$out/real-images.txt.new"
: >"$out/real-images-missing.txt"
grep -v '^#' "$root/tests/real_images.tsv" | while read -r client package version sha256 count; do
    if reason=$(provide "$client" "$package" "$version" "$sha256" "$count"); then
        find "$cache/$package-$version" -type f ! -name "$sha256" | LC_ALL=C sort >>"$out/real-images.txt.new"
    else
        say "without $package $version: $reason"
        printf '%s %s\t%s\n' "$package" "$version" "$reason" >>"$out/real-images-missing.txt"
    fi
done
wine=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)/wine/x86_64-windows
if [ -d "$wine" ]; then
    find "$wine" -type f | LC_ALL=C sort >>"$out/real-images.txt.new"
else
    say "without Wine's own images: the package wine64 is not installed"
    printf 'wine64\tthe package is not installed\n' >>"$out/real-images-missing.txt"
fi
mv "$out/real-images.txt.new" "$out/real-images.txt"
