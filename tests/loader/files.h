/* files.h - the two files that the loader looks at. */
#ifndef LOADER_FILES_H
#define LOADER_FILES_H

#include "image.h"

#define FILE_COUNT 2

/* Reads a file into one of the places, and its headers. NULL, or why it is no image that can be loaded here.
 */
const char *file_read(unsigned place, const char *path, struct image *image);

#endif
