#!/bin/sh
# archive_libs.sh CC [FLAG...] - prints what links libarchive. Static where that works: loading the shared library and
# the many it needs in turn takes longer than judging an image.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo '#include <archive.h>
int main(void)
{
    struct archive *a = archive_read_new();
    archive_read_support_format_zip(a);
    archive_read_support_format_cab(a);
    return archive_read_free(a);
}' >"$work/try.c"
static=$("$1" -print-file-name=libarchive.a)
libs="$static -l:libbz2.a -l:liblzma.a -l:libzstd.a -l:libnettle.a -l:libz.a"
if [ -f "$static" ] && "$@" -o "$work/try" "$work/try.c" $libs 2>/dev/null; then
    echo "$libs"
else
    pkg-config --libs libarchive
fi
