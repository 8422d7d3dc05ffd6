/* fuzz.c - claims, budgets of work, and the pipeline on bytes.
 * Takes: what fuzz.h says.  Gives: an abort on a broken claim.  Must not: know the targets. */
#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void broken_claim(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: broken claim: %s\n    ", file, line, condition);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

struct work work_begin(const struct arena *arena)
{
    return (struct work){steps_taken(), arena->total_nbytes};
}

void work_end(const struct work *work, const struct arena *arena, size_t input_nbytes,
              const struct work_limit *limit, const char *what)
{
    uint64_t steps = steps_taken() - work->begun_steps;
    uint64_t memory_nbytes = arena->total_nbytes - work->begun_memory_nbytes;
    if (getenv("HVCIFIX_FUZZ_SHOW_WORK"))
        fprintf(stderr, "work\t%s\t%zu bytes\t%llu steps\t%llu bytes of arena\n", what, input_nbytes,
                (unsigned long long)steps, (unsigned long long)memory_nbytes);
    CLAIM(steps <= limit->steps_per_byte * input_nbytes + limit->steps_constant,
          "%s took %llu steps on %zu bytes", what, (unsigned long long)steps, input_nbytes);
    CLAIM(memory_nbytes <= limit->memory_per_byte * input_nbytes + limit->memory_constant,
          "%s took %llu bytes of arena on %zu bytes", what, (unsigned long long)memory_nbytes, input_nbytes);
}

bool is_sentence(const char *text)
{
    size_t length = text ? strlen(text) : 0;
    return length > 1 && text[length - 1] == '.';
}

bool read_input(struct span file, struct arena *arena, struct image *image)
{
    static const struct work_limit limit = {16, 20000, 64, 65536};
    struct work work = work_begin(arena);
    struct finding error;
    bool is_read = image_read(file, arena, image, &error);
    work_end(&work, arena, file.nbytes, &limit, "image_read");
    if (is_read)
        return true;
    CLAIM(error.code == HVCI9001_NOT_A_PE_IMAGE || error.code == HVCI9002_TRUNCATED ||
              error.code == HVCI9003_MALFORMED_HEADER,
          "refused with code %d", (int)error.code);
    CLAIM(error.level == LEVEL_ERROR && is_sentence(error.message), "refused with \"%s\"",
          error.message ? error.message : "(nothing)");
    CLAIM(is_sentence(error.cure), "no cure for \"%s\"", error.message);
    return false;
}

void pipeline_on_bytes(struct span file, const struct pipeline_options *options, struct outcome *outcome)
{
    static int memory_file = -1;
    static char path[64];
    if (memory_file < 0) {
        memory_file = memfd_create("input", 0);
        CLAIM(memory_file >= 0, "no file in memory");
        snprintf(path, sizeof path, "/proc/self/fd/%d", memory_file);
    }
    CLAIM(ftruncate(memory_file, 0) == 0 &&
              pwrite(memory_file, file.bytes, file.nbytes, 0) == (ssize_t)file.nbytes,
          "cannot write the file in memory");
    pipeline_run(path, options, outcome);
}
