/* code_classify.c - what descent has left: relocated fields, data that code refers to, padding.
 * Takes: the finished descent.  Gives: the last classes.  Must not: call anything an instruction. */
#include "code/code_internal.h"

static void classify_marked(struct code_reader *reader, struct reader_section *section)
{
    uint8_t marks = MARK_FIELD | MARK_DATA_OPERAND;
    for (uint32_t at = 0; (at = bytes_find(section->marks, at, section->nbytes, marks)) < section->nbytes;
         at++)
        if (byte_is_unknown(section, at)) {
            byte_set_class(section, at, BYTE_DATA);
            reader->map->class_counts[BYTE_DATA]++;
        }
}

/* Length of the fill that begins at `at`, at most up to `end`. */
static uint32_t fill_nbytes(struct code_reader *reader, const struct reader_section *section, uint32_t at,
                            uint32_t end)
{
    uint32_t begin = at;
    while (at < end) {
        struct instruction instruction;
        if (section->bytes[at] == 0xCC || section->bytes[at] == 0x90)
            at++;
        else if (decode(reader->decoder, section->bytes + at, end - at, section->rva + at, &instruction) &&
                 instruction_is_fill(&instruction))
            at += instruction.nbytes;
        else
            break;
    }
    return at - begin;
}

static void set_padding(struct code_reader *reader, struct reader_section *section, uint32_t at,
                        uint32_t nbytes)
{
    memset(section->classes + at, BYTE_PADDING, nbytes);
    reader->map->class_counts[BYTE_PADDING] += nbytes;
}

/* One unexplained run: fill at its begin, and equal fill bytes up to its end, are padding; what lies
 * between stays unknown. */
static void classify_run(struct code_reader *reader, struct reader_section *section, uint32_t begin,
                         uint32_t end)
{
    uint32_t front_nbytes = fill_nbytes(reader, section, begin, end);
    set_padding(reader, section, begin, front_nbytes);
    begin += front_nbytes;
    uint32_t tail = end;
    while (tail > begin && section->bytes[tail - 1] == section->bytes[end - 1])
        tail--;
    uint8_t value = section->bytes[end - 1];
    /* A few zero bytes behind something unknown may be its last ones. */
    bool is_long = end - tail >= 16 || tail == begin;
    if (tail < end && (value == 0xCC || value == 0x90 || (value == 0 && is_long)))
        set_padding(reader, section, tail, end - tail);
}

void classify_leftovers(struct code_reader *reader)
{
    uint64_t *counts = reader->map->class_counts;
    uint64_t total_nbytes = 0;
    counts[BYTE_INSTRUCTION] = reader->map->instruction_count;
    counts[BYTE_INSTRUCTION_TAIL] = reader->instructions_nbytes - reader->map->instruction_count;
    for (size_t s = 0; s < reader->section_count; s++) {
        struct reader_section *section = &reader->sections[s];
        classify_marked(reader, section);
        for (uint32_t begin = 0;
             (begin = bytes_find_unknown(section, begin, section->nbytes)) < section->nbytes;) {
            uint32_t end = bytes_find_known(section, begin, section->nbytes);
            classify_run(reader, section, begin, end);
            begin = end;
        }
        total_nbytes += section->nbytes;
    }
    counts[BYTE_UNKNOWN] = total_nbytes - counts[BYTE_INSTRUCTION] - counts[BYTE_INSTRUCTION_TAIL] -
                           counts[BYTE_DATA] - counts[BYTE_PADDING];
}
