/* files.c - the two files that the loader looks at.
 * Takes: paths.  Gives: their bytes, until another file is read into the same place.  Must not: write. */
#include "files.h"

#include "system.h"

#define ROOM_NBYTES 0x4000000u

static uint8_t files[FILE_COUNT][ROOM_NBYTES];

const char *file_read(unsigned place, const char *path, struct image *image)
{
    size_t nbytes;

    if (!system_read_file(path, files[place], sizeof(files[place]), &nbytes))
        return "cannot be read";
    return image_read(files[place], nbytes, image);
}
