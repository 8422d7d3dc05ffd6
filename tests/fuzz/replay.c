/* replay.c - runs one target on files, without libFuzzer.
 * Takes: paths.  Gives: exit code 0 when all claims held on all of them; a broken claim or a sanitizer ends
 * the process, after the name of the file was printed.  Must not: skip a file that cannot be read. */
#define _POSIX_C_SOURCE 200809L /* alarm */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SECONDS_PER_FILE = 180 }; /* a hang is a broken claim too */

/* The bytes in a block of exactly their size, so that a read past the end is seen. */
static uint8_t *read_whole(const char *path, size_t *nbytes)
{
    FILE *file = fopen(path, "rb");
    CLAIM(file && fseek(file, 0, SEEK_END) == 0, "cannot open %s", path);
    long end = ftell(file);
    CLAIM(end >= 0 && fseek(file, 0, SEEK_SET) == 0, "cannot read %s", path);
    *nbytes = (size_t)end;
    uint8_t *bytes = malloc(*nbytes);
    CLAIM(bytes || *nbytes == 0, "no memory for %s", path);
    CLAIM(*nbytes == 0 || fread(bytes, *nbytes, 1, file) == 1, "cannot read %s", path);
    fclose(file);
    return bytes;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        size_t nbytes;
        uint8_t *bytes = read_whole(argv[i], &nbytes);
        fprintf(stderr, "replay %s\n", argv[i]);
        alarm(SECONDS_PER_FILE);
        LLVMFuzzerTestOneInput(bytes, nbytes);
        free(bytes);
    }
    return 0;
}
