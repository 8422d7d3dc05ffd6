/* read_file.c - the trivial program that `make bench` compares with: it reads one file and looks at every
 * page. Takes: a path, or --map and a path.  Gives: an exit code that depends on the bytes.  Must not: do
 * anything else.
 *
 *     read_file FILE         open, fstat, read into memory from malloc, one byte of each page
 *     read_file --map FILE   open, fstat, mmap, one byte of each page */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, EXIT_TROUBLE = 2 };

static unsigned char *read_whole(int descriptor, size_t nbytes)
{
    unsigned char *buffer = malloc(nbytes + 1);
    size_t done = 0;
    while (buffer && done < nbytes) {
        ssize_t got = read(descriptor, buffer + done, nbytes - done);
        if (got <= 0)
            return NULL;
        done += (size_t)got;
    }
    return buffer;
}

static unsigned char *map_whole(int descriptor, size_t nbytes)
{
    void *map = mmap(NULL, nbytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    return map == MAP_FAILED ? NULL : map;
}

int main(int argc, char **argv)
{
    int maps = argc == 3 && strcmp(argv[1], "--map") == 0;
    struct stat status;
    int descriptor = argc == 2 + maps ? open(argv[1 + maps], O_RDONLY) : -1;
    if (descriptor < 0 || fstat(descriptor, &status) != 0)
        return EXIT_TROUBLE;
    size_t nbytes = (size_t)status.st_size;
    unsigned char *bytes = maps ? map_whole(descriptor, nbytes) : read_whole(descriptor, nbytes);
    if (!bytes)
        return EXIT_TROUBLE;
    unsigned sum = 0;
    for (size_t at = 0; at < nbytes; at += PAGE)
        sum += bytes[at];
    if (!maps)
        free(bytes);
    return (int)(sum & 1);
}
