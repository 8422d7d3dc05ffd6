/* code_classify.c - what descent has left: relocated fields, data that code refers to, padding.
 * Takes: the finished descent.  Gives: the last classes.  Must not: call anything an instruction. */
#include "code/code_internal.h"

static void set_data(struct reader_section *section, uint32_t at, uint32_t nbytes, enum byte_reason reason)
{
    for (uint32_t i = at; i < section->nbytes && i - at < nbytes; i++)
        if (section->classes[i] == BYTE_UNKNOWN) {
            section->classes[i] = BYTE_DATA;
            section->reasons[i] = (uint8_t)reason;
        }
}

static void classify_marked(struct reader_section *section)
{
    for (uint32_t at = 0; at < section->nbytes; at++)
        if (section->marks[at] & MARK_RELOC_FIELD)
            set_data(section, at, 1, REASON_RELOCATED_FIELD);
        else if (section->marks[at] & MARK_DATA_OPERAND)
            set_data(section, at, 1, REASON_REFERENCED_AS_DATA);
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

static void set_padding(struct reader_section *section, uint32_t at, uint32_t nbytes)
{
    memset(section->classes + at, BYTE_PADDING, nbytes);
}

/* One unexplained run: fill at its begin, and equal fill bytes up to its end, are padding; what lies
 * between stays unknown. */
static void classify_run(struct code_reader *reader, struct reader_section *section, uint32_t begin,
                         uint32_t end)
{
    uint32_t front_nbytes = fill_nbytes(reader, section, begin, end);
    set_padding(section, begin, front_nbytes);
    begin += front_nbytes;
    uint32_t tail = end;
    while (tail > begin && section->bytes[tail - 1] == section->bytes[end - 1])
        tail--;
    uint8_t value = section->bytes[end - 1];
    /* A few zero bytes behind something unknown may be its last ones. */
    bool is_long = end - tail >= 16 || tail == begin;
    if (tail < end && (value == 0xCC || value == 0x90 || (value == 0 && is_long)))
        set_padding(section, tail, end - tail);
}

void classify_leftovers(struct code_reader *reader)
{
    for (size_t s = 0; s < reader->section_count; s++) {
        struct reader_section *section = &reader->sections[s];
        classify_marked(section);
        for (uint32_t at = 0; at < section->nbytes;) {
            uint32_t begin = at;
            while (at < section->nbytes && section->classes[at] == BYTE_UNKNOWN)
                at++;
            if (at > begin)
                classify_run(reader, section, begin, at);
            else
                at++;
        }
    }
}
