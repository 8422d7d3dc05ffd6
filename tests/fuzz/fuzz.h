/* fuzz.h - what every fuzz target shares: claims that must hold, a measure of work, and runs of the pipeline
 * on bytes in memory.
 * Takes: one input of the fuzzer.  Gives: an abort with a message when a claim is broken.
 * Must not: pass over a broken claim, or know which target uses it.
 *
 * A target is one file, fuzz_NAME.c, with LLVMFuzzerTestOneInput(); it is linked with libFuzzer (make fuzz
 * T=NAME) and with replay.c (make test, which runs it on the seeds and on corpus/NAME). */
#ifndef HVCIFIX_TESTS_FUZZ_H
#define HVCIFIX_TESTS_FUZZ_H

#include "pipeline.h"

/* Ends the process with file, line and a printf message unless the condition holds. */
#define CLAIM(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            broken_claim(__FILE__, __LINE__, #condition, __VA_ARGS__);                                       \
    } while (0)

_Noreturn void broken_claim(const char *file, int line, const char *condition, const char *format, ...)
    HVCIFIX_PRINTF(4, 5);

/* Work is counted in edges of the control-flow graph that the tool's code passes (the compiler puts a call on
 * each; see steps.c), and memory in bytes that the arena asks for. Both must stay below a line in the size of
 * the input: a loop that runs over the same bytes once for each record of a table crosses it at a few
 * kilobytes. */
struct work_limit {
    uint64_t steps_per_byte, steps_constant;
    uint64_t memory_per_byte, memory_constant; /* bytes of arena */
};

struct work {
    uint64_t begun_steps;
    size_t begun_memory_nbytes;
};

struct work work_begin(const struct arena *arena);

/* `what` names the stage in the message. */
void work_end(const struct work *work, const struct arena *arena, size_t input_nbytes,
              const struct work_limit *limit, const char *what);

/* Edges passed since the process began. */
uint64_t steps_taken(void);

/* image_read() with the claims about its answer that all targets make. False when the image is refused. */
bool read_input(struct span file, struct arena *arena, struct image *image);

/* The whole pipeline on bytes, through a file in memory. The outcome's path is that of the file; give it back
 * with pipeline_release(). */
void pipeline_on_bytes(struct span file, const struct pipeline_options *options, struct outcome *outcome);

/* True when the text is not NULL, not empty, and ends with a period. */
bool is_sentence(const char *text);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

#endif
