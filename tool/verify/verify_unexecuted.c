/* verify_unexecuted.c - see the header.
 * Takes: a section.  Gives: true, or who may execute there.
 * Must not: pass over a byte position; each that could lead into the section counts as one that does. */
#include "verify/verify_unexecuted.h"
#include "verify/verify_branch_field.h"
#include "verify/verify_decode.h"
#include "verify/verify_writes.h"

enum {
    FIELD_NBYTES = 4,
    REL8_REACH_NBYTES = 0x80,
    ROOM_NBYTES = 16,      /* a jump to any address fits in 14 bytes on x64 */
    LEAST_INSTRUCTIONS = 2 /* of a routine that does not stand at the begin */
};

struct unexecuted {
    struct verify_case *judged;
    const struct verify_image *image;
    const struct verify_section *section;
    uint32_t used_nbytes; /* of the section, which may be stored in more */
};

static bool refute(const struct unexecuted *search, uint32_t rva, const char *what)
{
    return verify_refute(search->judged, verify_spot_rva(search->judged, rva),
                         "Section %s loses MEM_EXECUTE, but %s (RVA 0x%X).", search->section->name, what,
                         (unsigned)rva);
}

static bool holds(const struct unexecuted *search, int64_t rva)
{
    return rva >= (int64_t)search->section->rva && rva < (int64_t)search->section->rva + search->used_nbytes;
}

static bool judge_headers(const struct unexecuted *search)
{
    const struct verify_image *image = search->image;
    const struct verify_section *section = search->section;
    if (section->characteristics & SCN_CNT_CODE)
        return refute(search, section->rva, "it is marked as code");
    if (image->section_alignment < PAGE_NBYTES)
        return refute(search, section->rva, "it shares pages with other sections");
    if (holds(search, image->entry_rva))
        return refute(search, image->entry_rva, "the entry point lies in it");
    for (uint32_t i = 0; i < image->directory_count; i++)
        if (i != DIR_SECURITY && ranges_overlap(image->directories[i].rva, image->directories[i].nbytes,
                                                section->rva, section->memory_nbytes))
            return refute(search, image->directories[i].rva, "a data directory lies in it");
    return true;
}

/* Bytes that the loader, code or the CPU may take for the address or the RVA of a place in the section. */
static bool judge_addresses(const struct unexecuted *search, const struct verify_section *from)
{
    const uint8_t *bytes = from->bytes.bytes;
    unsigned address_nbytes = search->image->is_64 ? 8 : 4;
    for (size_t at = 0; range_fits(from->bytes.nbytes, at, FIELD_NBYTES); at++) {
        uint32_t rva = from->rva + (uint32_t)at;
        if (holds(search, load_u32(bytes + at)))
            return refute(search, rva, "a number may be the RVA of a place in it");
        if (range_fits(from->bytes.nbytes, at, address_nbytes) &&
            holds(search, (int64_t)(load_width(bytes + at, address_nbytes) - search->image->base_va)))
            return refute(search, rva, "what may be an address leads into it");
    }
    return true;
}

/* Bytes that may be the distance of a branch or of a RIP-relative operand. */
static bool may_be_distance(const struct unexecuted *search, const uint8_t *bytes, size_t at)
{
    bool is_begin_transaction = at >= 2 && bytes[at - 2] == 0xC7 && bytes[at - 1] == 0xF8; /* xbegin */
    bool is_rip_modrm = search->image->is_64 && (bytes[at - 1] & 0xC7) == 0x05;
    return is_rip_modrm || is_begin_transaction || verify_ends_rel32_opcode(bytes, at - 1);
}

static bool judge_distances(const struct unexecuted *search, const struct verify_section *from)
{
    static const uint8_t trailing_nbytes[] = {0, 1, 2, 4};
    const uint8_t *bytes = from->bytes.bytes;
    for (size_t at = 1; range_fits(from->bytes.nbytes, at, FIELD_NBYTES); at++) {
        int64_t rva = (int64_t)from->rva + (int64_t)at + FIELD_NBYTES +
                      verify_branch_distance(bytes + at, FIELD_NBYTES);
        for (size_t i = 0; i < sizeof trailing_nbytes; i++)
            if (holds(search, rva + trailing_nbytes[i]) && may_be_distance(search, bytes, at))
                return refute(search, from->rva + (uint32_t)at, "a branch or an operand may lead into it");
    }
    return true;
}

/* From the last bytes in front of the section, or the first behind it. */
static bool judge_near_branches(const struct unexecuted *search, const struct verify_section *from)
{
    const uint8_t *bytes = from->bytes.bytes;
    for (size_t at = 1; at < from->bytes.nbytes; at++) {
        if (at == REL8_REACH_NBYTES && from->bytes.nbytes > (size_t)2 * REL8_REACH_NBYTES)
            at = from->bytes.nbytes - REL8_REACH_NBYTES;
        int64_t rva = (int64_t)from->rva + (int64_t)at + 1 + verify_branch_distance(bytes + at, 1);
        if (verify_is_rel8_opcode(bytes[at - 1]) && holds(search, rva))
            return refute(search, from->rva + (uint32_t)at, "a branch may lead into it");
    }
    return true;
}

/* Nothing but fill, ROOM_NBYTES of one kind in a row. What is not in the file is zero. */
static bool judge_room(const struct unexecuted *search)
{
    const struct verify_section *section = search->section;
    size_t same_count = 0;
    uint8_t last = 0;
    for (size_t at = 0; at < search->used_nbytes; at++) {
        bool is_in_file = at < section->bytes.nbytes;
        uint8_t byte = is_in_file ? section->bytes.bytes[at] : 0;
        bool is_fill = byte == 0 || byte == 0x90 || byte == 0xCC;
        same_count = !is_fill ? 0 : byte == last ? same_count + 1 : 1;
        last = byte;
        if (same_count == ROOM_NBYTES)
            return refute(search, section->rva + (uint32_t)at, "it has room for code that is made later");
        if (!is_in_file && search->used_nbytes - section->bytes.nbytes >= ROOM_NBYTES)
            return refute(search, section->rva + (uint32_t)at, "it has room that is not in the file");
    }
    return true;
}

/* How many instructions lead from each byte to an end, from the last one forwards: what follows is known. */
static bool judge_routines(const struct unexecuted *search)
{
    const struct verify_section *section = search->section;
    struct span bytes = section->bytes;
    struct verify_decoder decoder;
    uint8_t *counts = arena_alloc(search->judged->arena, bytes.nbytes);
    if (!counts || !verify_decoder_init(&decoder, search->judged->arena, search->image->is_64))
        return false;
    for (size_t at = bytes.nbytes; at-- > 0;) {
        struct verify_instruction instruction;
        counts[at] = 0;
        if (bytes.bytes[at] == 0 || !verify_decode(&decoder, bytes, at, &instruction))
            continue; /* add [register], register: what zeros among numbers make */
        size_t next = at + instruction.nbytes;
        if (instruction.flow == FLOW_STOP || instruction.flow == FLOW_JUMP)
            counts[at] = 1;
        else if (next < bytes.nbytes && counts[next] != 0)
            counts[at] = LEAST_INSTRUCTIONS;
        if (counts[at] == LEAST_INSTRUCTIONS || (at == 0 && counts[at] != 0))
            return refute(search, section->rva + (uint32_t)at, "what lies there looks like code");
    }
    search->judged->verdict->step_count += bytes.nbytes;
    return true;
}

bool verify_nothing_executes(struct verify_case *judged, const struct verify_section *section,
                             const char **summary)
{
    struct unexecuted search = {judged, &judged->new_image, section, verify_used_nbytes(section)};
    uint64_t examined_nbytes = 0;
    if (!verify_decodes_machine(search.image))
        return refute(&search, section->rva, "the code of this machine is not decoded");
    if (!verify_is_read_as_loaded(judged) || !judge_headers(&search) || !judge_room(&search) ||
        !judge_routines(&search))
        return false;
    for (uint32_t i = 0; i < search.image->section_count; i++) {
        const struct verify_section *from = &search.image->sections[i];
        bool is_code = from->index != section->index && (from->characteristics & SCN_MEM_EXECUTE);
        examined_nbytes += from->bytes.nbytes;
        if (!judge_addresses(&search, from) ||
            (is_code && !(judge_distances(&search, from) && judge_near_branches(&search, from))))
            return false;
    }
    judged->verdict->step_count += examined_nbytes;
    *summary =
        arena_printf(judged->arena,
                     "nothing executes there: it is not marked as code, none of %llu bytes is part of "
                     "an address, RVA, branch or operand that leads into it, and what it holds decodes "
                     "as no routine; assumed: it is found by its name, and no code is made there at "
                     "run time",
                     (unsigned long long)examined_nbytes);
    return *summary != NULL;
}
