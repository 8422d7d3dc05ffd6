/* gzip.c - gzip.h.
 * Takes: bytes.  Gives: bytes.  Must not: hold more than one buffer of what comes out. */
#include "io/gzip.h"

#include <limits.h>
#include <zlib.h>

enum { GZIP_WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8, FIRST_NBYTES = 64 * 1024, UNKNOWN_SYSTEM = 255 };

/* zlib counts in unsigned int; larger inputs are fed to it in pieces. */
static unsigned piece(size_t nbytes)
{
    return nbytes < UINT_MAX / 2 ? (unsigned)nbytes : UINT_MAX / 2;
}

struct output {
    struct arena *arena;
    uint8_t *bytes;
    size_t nbytes, capacity;
};

/* Room for zlib behind what is there. */
static bool make_room(struct output *output, z_stream *stream)
{
    if (output->nbytes == output->capacity) {
        size_t wanted = output->capacity == 0 ? FIRST_NBYTES : output->capacity * 2;
        uint8_t *bytes = wanted < output->capacity ? NULL
                                                   : arena_grow(output->arena, output->bytes, output->nbytes,
                                                                &output->capacity, wanted, 1);
        if (!bytes)
            return false;
        output->bytes = bytes;
    }
    stream->next_out = output->bytes + output->nbytes;
    stream->avail_out = piece(output->capacity - output->nbytes);
    return true;
}

bool gzip_compress(struct span bytes, struct arena *arena, struct span *compressed)
{
    z_stream stream = {0};
    struct output output = {.arena = arena};
    size_t taken = 0;
    int result = Z_OK;
    gz_header header = {.os = UNKNOWN_SYSTEM}; /* no time, no name, and the same on every system */
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    (void)deflateSetHeader(&stream, &header);
    while (result == Z_OK && make_room(&output, &stream)) {
        unsigned given = piece(bytes.nbytes - taken), room = stream.avail_out;
        stream.next_in = (Bytef *)(uintptr_t)(given != 0 ? bytes.bytes + taken : NULL);
        stream.avail_in = given;
        result = deflate(&stream, given == bytes.nbytes - taken ? Z_FINISH : Z_NO_FLUSH);
        taken += given - stream.avail_in;
        output.nbytes += room - stream.avail_out;
    }
    deflateEnd(&stream);
    *compressed = (struct span){output.bytes, output.nbytes};
    return result == Z_STREAM_END;
}

bool gzip_is(struct span bytes)
{
    return bytes.nbytes >= 2 && bytes.bytes[0] == 0x1F && bytes.bytes[1] == 0x8B;
}

enum gunzip_result gzip_decompress(struct span compressed, size_t most_nbytes, struct arena *arena,
                                   struct span *bytes)
{
    z_stream stream = {0};
    struct output output = {.arena = arena};
    size_t taken = 0;
    enum gunzip_result result = GUNZIP_DAMAGED;
    if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
        return GUNZIP_NO_MEMORY;
    for (;;) {
        if (!make_room(&output, &stream)) {
            result = GUNZIP_NO_MEMORY;
            break;
        }
        unsigned given = piece(compressed.nbytes - taken), room = stream.avail_out;
        stream.next_in = (Bytef *)(uintptr_t)(compressed.bytes + taken);
        stream.avail_in = given;
        int step = inflate(&stream, Z_NO_FLUSH);
        taken += given - stream.avail_in;
        output.nbytes += room - stream.avail_out;
        if (output.nbytes > most_nbytes) {
            result = GUNZIP_TOO_LARGE;
            break;
        }
        if (step == Z_STREAM_END && taken == compressed.nbytes)
            result = GUNZIP_DONE;
        if (step == Z_STREAM_END && taken < compressed.nbytes && inflateReset(&stream) == Z_OK)
            continue; /* another member */
        if (step == Z_MEM_ERROR)
            result = GUNZIP_NO_MEMORY;
        bool goes_on = step == Z_OK && (taken < compressed.nbytes || stream.avail_out == 0);
        if (!goes_on)
            break;
    }
    inflateEnd(&stream);
    *bytes = (struct span){output.bytes, output.nbytes};
    return result;
}
