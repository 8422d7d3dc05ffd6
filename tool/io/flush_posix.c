/* flush_posix.c - flush_posix.h.
 * Takes: a descriptor.  Gives: the system's answer.  Must not: count a flush that was only begun. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sync_file_range() */
#endif
#include "io/flush_posix.h"

#include <fcntl.h>
#include <unistd.h>

void flush_begin(int descriptor)
{
#ifdef SYNC_FILE_RANGE_WRITE
    (void)sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE); /* a wish; flush_end() does it all */
#else
    (void)descriptor;
#endif
}

bool flush_end(int descriptor)
{
    return fsync(descriptor) == 0;
}
