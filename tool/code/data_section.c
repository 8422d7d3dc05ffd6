/* data_section.c - see the header.
 * Takes: a section.  Gives: yes or no.  Must not: follow code, or count on what a reference is for. */
#include "code/data_section.h"
#include "code/code_decode.h"

enum { ROOM_NBYTES = 16, FILL_INT3 = 0xCC, FILL_NOP = 0x90 };

static bool leads_into(const struct ref *ref, const struct section *section)
{
    bool is_address = ref->encoding != REF_FOFF && ref->encoding != REF_SECTION_INDEX &&
                      ref->encoding != REF_SIZE && ref->source != SOURCE_SECTION_HEADERS &&
                      ref->source != SOURCE_BASERELOCS && ref->source != SOURCE_COFF_SYMBOLS;
    bool is_summary = ref->source == SOURCE_HEADERS && ref->detail != DETAIL_ENTRY_POINT; /* BaseOfData */
    return is_address && !is_summary && ref->target - section->rva < section->memory_nbytes;
}

/* A part of the inventory that could not be read may lead anywhere. */
static bool is_read(const struct refset *refs)
{
    for (size_t i = 0; i < refs->problem_count; i++)
        if (refs->problems[i].source != SOURCE_DEBUG && refs->problems[i].source != SOURCE_COFF_SYMBOLS &&
            refs->problems[i].source != SOURCE_CERTIFICATES)
            return false;
    return true;
}

static bool is_named(const struct refset *refs, const struct section *section)
{
    for (size_t i = 0; i < refs->ref_count; i++)
        if (leads_into(&refs->refs[i], section))
            return true;
    for (size_t i = 0; i < refs->extent_count; i++)
        if (ranges_overlap(refs->extents[i].rva, refs->extents[i].nbytes, section->rva,
                           section->memory_nbytes))
            return true;
    return false;
}

static bool has_room(struct span bytes, uint32_t memory_nbytes)
{
    size_t same_count = 0;
    for (size_t at = 0; at < bytes.nbytes && at < memory_nbytes && same_count < ROOM_NBYTES; at++) {
        uint8_t byte = bytes.bytes[at];
        bool is_fill = byte == 0 || byte == FILL_INT3 || byte == FILL_NOP;
        same_count = !is_fill ? 0 : at > 0 && byte == bytes.bytes[at - 1] ? same_count + 1 : 1;
    }
    return same_count >= ROOM_NBYTES || memory_nbytes >= bytes.nbytes + ROOM_NBYTES;
}

/* From the last byte to the first, so that what follows an instruction is known already. */
static bool has_routine(struct decoder *decoder, struct span bytes, const struct section *section,
                        struct site_set *ends)
{
    for (size_t at = bytes.nbytes; at-- > 0;) {
        struct instruction instruction;
        if (bytes.bytes[at] == 0 ||
            !decode(decoder, bytes.bytes + at, bytes.nbytes - at, section->rva + (uint32_t)at, &instruction))
            continue;
        bool is_end = flow_ends(instruction.flow) || instruction.flow == FLOW_BREAK;
        size_t next = at + instruction.nbytes;
        if ((is_end && at == 0) || (!is_end && next < bytes.nbytes && site_set_has(ends, next)))
            return true;
        if (is_end)
            site_set_add(ends, at);
    }
    return false;
}

bool section_is_unnamed_data(const struct image *image, const struct refset *refs,
                             const struct code_map *code, const struct section *section, struct arena *arena,
                             bool *is_unnamed_data)
{
    const struct code_section *known = code_section_at(code, section->rva);
    uint32_t memory_nbytes = section->virtual_size ? section->virtual_size : section->memory_nbytes;
    struct span bytes;
    *is_unnamed_data = false;
    if (!code->decoded || !known || image->section_alignment < PAGE_NBYTES ||
        (section->characteristics & (SCN_CNT_CODE | SCN_MEM_SHARED)) ||
        !span_part(image->file, section->raw_foff, section->file_nbytes, &bytes) || !is_read(refs) ||
        is_named(refs, section) || has_room(bytes, memory_nbytes))
        return true;
    for (uint32_t at = 0; at < known->nbytes; at++)
        if (known->classes[at] == BYTE_INSTRUCTION)
            return true;
    struct decoder *decoder = decoder_new(arena, image->machine == MACHINE_AMD64);
    struct site_set ends;
    if (!decoder || !site_set_init(&ends, arena, bytes.nbytes))
        return false;
    *is_unnamed_data = !has_routine(decoder, bytes, section, &ends);
    return true;
}
