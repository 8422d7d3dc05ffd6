# ship_parts.sh - what every package of programs needs beside them; sourced, not run.
# Takes: a stage folder in $stage.  Gives: shell functions.  Must not: do anything by being read.

# Whose library this is, and under which terms: Debian keeps that for each package.
copy_terms() { # a library; older packages name what is below /usr/lib by /lib
    file=$(realpath "$1" 2>/dev/null) || return 0
    owner=$({ dpkg-query -S "$file" || dpkg-query -S "${file#/usr}"; } 2>/dev/null | head -n 1 | cut -d : -f 1)
    [ -z "$owner" ] || cp "/usr/share/doc/$owner/copyright" "$stage/licences/$owner.txt"
}

# The terms of what the Linux program may hold itself.
copy_static_terms() {
    for name in z crypto inih cjson Zydis Zycore archive bz2 lzma zstd nettle; do
        copy_terms "$(${CC:-gcc} -print-file-name=lib$name.a)"
    done
    copy_terms "$(${CC:-gcc} -print-file-name=libZycore.so)" # Zydis holds parts of it
}

# The libraries of the Linux program $1 but those of the C library, which every distribution has, to folder $2.
copy_libraries() {
    ldd "$1" | awk '$2 == "=>" { print $1, $3 }' | while read -r name path; do
        case $name in
        libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so* | libresolv.so*) continue ;;
        esac
        cp -L "$path" "$2/$name"
        copy_terms "$(readlink -f "$path")"
    done
}
