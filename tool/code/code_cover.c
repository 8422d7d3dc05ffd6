/* code_cover.c - the gaps that recursive descent leaves in functions whose bounds are known.
 * Takes: the bounds that unwind data gives.  Gives: code in the gaps, handed to the descent.
 * Must not: look at a byte twice where hostile bounds overlap, or take what does not decode cleanly.
 * Such gaps stand behind calls that never return, in the blocks of exception handlers, and in the cases of a
 * switch whose table was not recognized. What decodes cleanly there is as trusted as the bounds are. */
#include "code/code_internal.h"

/* Steps over fill bytes between the pieces of a function. */
static uint32_t skip_fill(struct code_reader *reader, const struct reader_section *section, uint32_t at,
                          uint32_t end)
{
    while (at < end && byte_is_unknown(section, at)) {
        struct instruction instruction;
        if (section->bytes[at] == 0xCC) {
            at++;
        } else if (decode(reader->decoder, section->bytes + at, end - at, section->rva + at, &instruction) &&
                   instruction.operation == OP_NOP) {
            at += instruction.nbytes;
        } else {
            break;
        }
    }
    return at;
}

/* The gaps of one function, whose bytes are [begin, end) of its section. */
static bool cover_range(struct code_reader *reader, struct reader_section *section, uint32_t begin,
                        uint32_t end)
{
    for (uint32_t at = begin; (at = bytes_find_unknown(section, at, end)) < end;) {
        at = skip_fill(reader, section, at, end);
        if (at >= end || !byte_is_unknown(section, at))
            continue;
        bool is_code = false;
        if (!speculate(reader, section, section->rva + at, TRUST_IF_CLEAN, &is_code))
            return false;
        if (is_code) {
            struct work_item item = {section->rva + at, 0, TRUST_FULL};
            if (!descent_follow(reader, section, item) || !descent_drain_trusted(reader))
                return false;
        }
        if (byte_is_unknown(section, at)) /* not code: leave the gap alone */
            at = bytes_find_known(section, at, end);
    }
    return true;
}

bool cover_functions(struct code_reader *reader)
{
    uint32_t done_rva = 0; /* hostile bounds overlap; each byte is looked at once */
    for (size_t i = 0; i < reader->bound_count; i++) {
        const struct bound *bound = &reader->bounds[i];
        struct reader_section *section = reader_section_at(reader, bound->begin_rva);
        uint32_t begin_rva = bound->begin_rva > done_rva ? bound->begin_rva : done_rva;
        uint32_t begin = begin_rva - section->rva, end = bound->end_rva - section->rva;
        if (end > section->nbytes)
            end = section->nbytes;
        if (begin >= end)
            continue;
        done_rva = section->rva + end;
        if (!cover_range(reader, section, begin, end))
            return false;
    }
    return true;
}
