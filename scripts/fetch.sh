# fetch.sh - sourced by what tests need and nobody here builds: packages, fetched with their ordinary clients (npm,
# dotnet), checked by their SHA-256, and kept in $cache, which no "make clean" touches.
# Takes: $fetch_for, what messages begin with.  Gives: $cache, fetch_kept, fetch_package.
# Must not: leave half of a package in the cache, or fetch one twice at the same time.
# shellcheck shell=sh

cache=${HVCIFIX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/hvcifix}
fetch_pauses=${HVCIFIX_FETCH_PAUSES-5 20} # seconds before the second attempt, the third and so on

fetch_say() { echo "$fetch_for: $*" >&2; }

# The folder of a package: @scope/name in version 1.0 is $cache/name-1.0.
fetch_kept() { # package version
    echo "$cache/${1##*/}-$2"
}

# What a client has said, when it failed: its errors, the first of which tell most.
fetch_failed() { # log
    grep -i error "$1" | head -n 4 >&2
    return 1
}

# One attempt: folder/archive.
fetch_npm() { # package version folder
    (cd "$3" && npm pack "$1@$2" --fetch-retries=0 >/dev/null 2>npm.log) || fetch_failed "$3/npm.log" || return
    mv "$3"/*.tgz "$3/archive"
}

fetch_dotnet() { # package version folder
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
        fetch_failed "$3/restore.log" || return
    mv "$(find "$3/packages" -ipath "*/$1/$2/*.nupkg")" "$3/archive"
}

# All attempts. A wrong sum is not tried again: clients check what they download themselves.
fetch_archive() { # program package version sha256 folder
    for seconds in $fetch_pauses last; do
        rm -rf "$5" && mkdir -p "$5" || { echo "$5 cannot be written" && return 1; }
        if "fetch_$1" "$2" "$3" "$5"; then
            echo "$4  $5/archive" | sha256sum --check --status || { echo "its SHA-256 is not $4" && return 1; }
            return 0
        fi
        [ "$seconds" = last ] || { fetch_say "failed, trying again in $seconds s" && sleep "$seconds"; }
    done
    echo "$1 could not fetch it"
    return 1
}

# Puts one package into the cache, unless it is there: `unpack ARCHIVE FOLDER` fills FOLDER, which becomes
# $(fetch_kept package version), with an empty file named by the SHA-256. Prints the reason when it cannot, and fails.
# One at a time, whoever asks.
fetch_package() ( # client (npm, nuget) package version sha256 unpack
    kept=$(fetch_kept "$2" "$3")
    [ ! -e "$kept/$4" ] || exit 0
    program=npm
    [ "$1" = npm ] || program=dotnet
    command -v "$program" >/dev/null 2>&1 || { echo "there is no $program" && exit 1; }
    mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || { echo "$cache cannot be written" && exit 1; }
    exec 9>"$cache/.lock"
    flock 9
    [ ! -e "$kept/$4" ] || exit 0
    work=$cache/.work
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    fetch_say "fetching $2 $3 with $program"
    fetch_archive "$program" "$2" "$3" "$4" "$work" 9>&- || exit 1 # no server that a client starts keeps the lock
    mkdir "$work/kept" && "$5" "$work/archive" "$work/kept" && touch "$work/kept/$4" || exit 1
    rm -rf "$kept"
    mv "$work/kept" "$kept"
)
