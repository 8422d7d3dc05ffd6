/* code_reading.c - what reading the code of one image costs, beside one bare pass of the decoder.
 * Takes: a way of reading and a path.  Gives: one line with the time and the largest memory of the process.
 * Must not: judge, print reports, or time the reading of the file.
 *
 *     code_reading lengths IMAGE   the bare pass: one ZydisDecoderDecodeInstruction after the other
 *     code_reading operands IMAGE  the same with operands, ZydisDecoderDecodeFull
 *     code_reading without IMAGE   headers and references, as every reading of code needs them first
 *     code_reading with IMAGE      the same, and the code
 *
 * The bare passes go over the executable sections from the first byte to the last, and on by one byte where
 * nothing decodes. Each way is tried until it took long enough to measure, and the fastest try counts. */
#define _POSIX_C_SOURCE 200809L
#include "code/code_map.h"
#include "io/file.h"

#include <Zydis/Zydis.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

enum { FEWEST_TRIES = 3, MOST_TRIES = 200, ENOUGH_MILLISECONDS = 700 };

struct subject {
    struct span file;
    uint64_t executable_nbytes, instruction_count;
};

typedef bool way_fn(struct subject *subject);

static bool pass(struct subject *subject, bool with_operands)
{
    struct arena arena;
    struct image image;
    struct finding error;
    arena_init(&arena, NULL);
    if (!image_read(subject->file, &arena, &image, &error))
        return false;
    ZydisDecoder decoder;
    bool is_64 = image.machine == MACHINE_AMD64;
    ZydisDecoderInit(&decoder, is_64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32,
                     is_64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
    subject->executable_nbytes = subject->instruction_count = 0;
    for (uint32_t i = 0; i < image.section_count; i++) {
        const struct section *section = &image.sections[i];
        if (!(section->characteristics & SCN_MEM_EXECUTE))
            continue;
        const uint8_t *bytes = subject->file.bytes + section->raw_foff;
        for (uint32_t at = 0; at < section->file_nbytes;) {
            ZydisDecodedInstruction instruction;
            ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
            uint32_t left_nbytes = section->file_nbytes - at;
            ZyanStatus status =
                with_operands
                    ? ZydisDecoderDecodeFull(&decoder, bytes + at, left_nbytes, &instruction, operands)
                    : ZydisDecoderDecodeInstruction(&decoder, NULL, bytes + at, left_nbytes, &instruction);
            subject->instruction_count += ZYAN_SUCCESS(status);
            at += ZYAN_SUCCESS(status) ? instruction.length : 1;
        }
        subject->executable_nbytes += section->file_nbytes;
    }
    arena_free(&arena);
    return true;
}

static bool pass_lengths(struct subject *subject)
{
    return pass(subject, false);
}

static bool pass_operands(struct subject *subject)
{
    return pass(subject, true);
}

static bool read_references(struct subject *subject, bool with_code)
{
    struct arena arena;
    struct image image;
    struct finding error;
    struct refset refs;
    struct code_map map = {0};
    arena_init(&arena, NULL);
    bool done = image_read(subject->file, &arena, &image, &error) &&
                refs_collect(&image, &arena, SOURCE_ALL, &refs) &&
                (!with_code || (code_read(&image, &refs, &arena, &map) && map.decoded));
    subject->instruction_count = map.instruction_count;
    subject->executable_nbytes = 0;
    for (size_t i = 0; i < map.section_count; i++)
        subject->executable_nbytes += map.sections[i].nbytes;
    arena_free(&arena);
    return done;
}

static bool read_without(struct subject *subject)
{
    return read_references(subject, false);
}

static bool read_with(struct subject *subject)
{
    return read_references(subject, true);
}

static const struct {
    const char *name;
    way_fn *run;
} ways[] = {
    {"lengths", pass_lengths}, {"operands", pass_operands}, {"without", read_without}, {"with", read_with}};

/* Processor time of this process, so that others on the machine disturb less. */
static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Memory is that of the first try: later ones find what it has given back. */
static int measure(way_fn *run, struct subject *subject)
{
    struct rusage usage = {0};
    double fastest = 0, begun = milliseconds();
    for (int i = 0; i < MOST_TRIES && (i < FEWEST_TRIES || milliseconds() - begun < ENOUGH_MILLISECONDS);
         i++) {
        double before = milliseconds();
        if (!run(subject))
            return 3;
        double taken = milliseconds() - before;
        if (i == 0)
            getrusage(RUSAGE_SELF, &usage);
        if (i == 0 || taken < fastest)
            fastest = taken;
    }
    printf("%.3f ms %ld KiB %" PRIu64 " instructions %" PRIu64 " bytes of code\n", fastest, usage.ru_maxrss,
           subject->instruction_count, subject->executable_nbytes);
    return 0;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 3 && i < sizeof ways / sizeof *ways; i++) {
        if (strcmp(argv[1], ways[i].name) != 0)
            continue;
        struct arena arena;
        struct file_content content;
        struct finding error;
        arena_init(&arena, NULL);
        int code = 3;
        if (file_read(argv[2], &arena, &content, &error)) {
            struct subject subject = {.file = content.bytes};
            code = measure(ways[i].run, &subject);
        } else {
            fprintf(stderr, "code_reading: %s: %s\n", argv[2], error.message);
        }
        arena_free(&arena);
        return code;
    }
    fprintf(stderr, "usage: code_reading lengths|operands|without|with IMAGE\n");
    return 2;
}
