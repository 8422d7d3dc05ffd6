/* verify_scan_absolute.c - absolute addresses and exports that lead into the sections under judgement.
 * Takes: the search.  Gives: every such field to the judge.  Must not: trust that a field in code is an
 * operand. */
#include "verify/verify_bounded.h"
#include "verify/verify_relocations.h"
#include "verify/verify_scan.h"

#include <string.h>

static bool holds_code_address(const struct verify_code *code, uint64_t rva, unsigned nbytes)
{
    uint64_t va;
    return verify_read_at(code->image, rva, nbytes, &va) && va >= code->image->base_va &&
           verify_code_at(code, va - code->image->base_va);
}

/* A pointer in data beside another one to code: an entry of a jump table or of a table of handlers. */
static bool stands_beside_code_pointer(const struct verify_code *code, uint32_t rva, unsigned nbytes)
{
    return holds_code_address(code, (uint64_t)rva + nbytes, nbytes) ||
           (rva >= nbytes && holds_code_address(code, rva - nbytes, nbytes));
}

enum { FAR_FOLD_NBYTES = 0x10000 }; /* docs/ASSUMPTIONS.md, M2 */

/* A section that is not INIT lies so near that the index may lead into it from another array. INIT holds none
 * that is written: its drivers work where Windows strips W from it. */
static bool is_near_target(struct verify_write_search *search, uint64_t rva)
{
    for (size_t i = 0; i < search->target_count && !search->has_parts; i++) {
        struct verify_target *target = &search->targets[i];
        const struct verify_section *section = target->section;
        if (!verify_is_discardable_init(section) && rva + FAR_FOLD_NBYTES > section->rva &&
            rva < (uint64_t)section->rva + section->memory_nbytes + FAR_FOLD_NBYTES) {
            uint32_t used_nbytes = verify_used_nbytes(section);
            if (!target->is_looked_through)
                target->has_room = verify_has_room(search->code, search->judged->arena, section->rva,
                                                   (uint64_t)section->rva + used_nbytes);
            target->is_looked_through = true;
            if (target->has_room)
                return true;
        }
    }
    return false;
}

/* The operand's index is bounded, and keeps out of all targets. */
static bool keeps_out(struct verify_write_search *search, const struct verify_code_section *section,
                      size_t at, uint64_t rva)
{
    uint32_t most, nbytes;
    int64_t low = 0, high;
    if (verify_added_bound(search->code, section, at, &most, &nbytes) && nbytes != 0)
        high = (int64_t)most + nbytes;
    else if (!verify_bounded_index(search->code, section, at, &low, &high))
        return false;
    for (size_t i = 0; i < search->target_count; i++)
        if ((int64_t)rva + low < (int64_t)search->targets[i].end_rva &&
            (int64_t)rva + high > (int64_t)search->targets[i].rva)
            return false;
    return true;
}

/* The only meaning of an address out of the image, and of a store with a register into what cannot be
 * written, is together with an index: table[i - 0x222003] is folded that far before the table, which may be
 * anywhere. */
static bool needs_an_index(struct verify_write_search *search, const struct verify_field_in_code *field,
                           uint64_t rva)
{
    const struct verify_image *image = search->code->image;
    uint32_t field_rva = field->section->rva + (uint32_t)field->at;
    struct verify_instruction instruction;
    if (rva >= image->image_nbytes) {
        struct verify_uses uses = verify_uses_resolved(search->code, field);
        return !uses.is_operand || !uses.is_unanimous || (uses.uses & (USE_WRITE | USE_ADDRESS));
    }
    const struct verify_section *led_to = verify_section_at(image, (uint32_t)rva);
    if ((led_to && (led_to->characteristics & SCN_MEM_WRITE) && !is_near_target(search, rva)) ||
        stands_beside_code_pointer(search->code, field_rva, field->nbytes) ||
        !(verify_uses_possible(search->code, field).uses & USE_WRITE))
        return false;
    struct verify_uses uses = verify_uses_resolved(search->code, field);
    return (uses.uses & USE_WRITE) &&
           verify_code_decode(search->code, field->section, uses.write_at, &instruction) &&
           !instruction.is_plain_memory && !keeps_out(search, field->section, uses.write_at, rva);
}

static bool judge_elsewhere(struct verify_write_search *search, uint32_t field_rva, unsigned nbytes,
                            uint64_t rva)
{
    const struct verify_code_section *section = verify_code_at(search->code, field_rva);
    const struct verify_target *target;
    enum verify_border border = verify_border_at(search, rva, &target);
    if (!section)
        return border != BORDER_PAST_END ||
               verify_judge_pointer(search, target, field_rva, (uint32_t)rva, "the pointer",
                                    stands_beside_code_pointer(search->code, field_rva, nbytes));
    struct verify_field_in_code field = {section, field_rva - section->rva, nbytes, FIELD_ABSOLUTE, 0};
    if (border != BORDER_NONE && !verify_judge_border_field(search, border, target, &field, (uint32_t)rva))
        return false;
    if (!verify_judge_loaded_pointer(search, &field, rva))
        return false;
    if (!needs_an_index(search, &field, rva))
        return true;
    return verify_refute(
        search->judged, verify_spot_rva(search->judged, field_rva),
        "Section %s loses MEM_WRITE, but the address at RVA 0x%X (RVA 0x%X) leads to no variable: "
        "with an index it may mean one in the section.",
        search->targets[0].section->name, (unsigned)field_rva, (unsigned)rva);
}

/* Judges the address stored at field_rva when it leads, or may lead, into a target. */
static bool judge_address(struct verify_write_search *search, uint32_t field_rva, unsigned nbytes,
                          uint64_t va, bool is_listed)
{
    const struct verify_image *image = search->code->image;
    uint64_t rva = va - image->base_va;
    if (va < image->base_va || rva > UINT32_MAX)
        return !is_listed || judge_elsewhere(search, field_rva, nbytes, rva);
    if (rva < image->headers_nbytes)
        search->forms_image_base = search->loses_image_base = true;
    const struct verify_target *target = verify_target_at(search, rva);
    if (!target)
        return !is_listed || judge_elsewhere(search, field_rva, nbytes, rva);
    const struct verify_code_section *section = verify_code_at(search->code, field_rva);
    if (!section)
        return verify_judge_pointer(search, target, field_rva, (uint32_t)rva, "the pointer",
                                    stands_beside_code_pointer(search->code, field_rva, nbytes));
    struct verify_field_in_code field = {section, field_rva - section->rva, nbytes, FIELD_ABSOLUTE, 0};
    return verify_judge_code_field(search, target, &field, (uint32_t)rva, true);
}

static bool scan_relocations(struct verify_write_search *search)
{
    struct verify_relocation_reader reader = verify_relocations_begin(search->code->image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        unsigned nbytes = verify_relocation_width(relocation.type);
        uint64_t va;
        search->code->step_count++;
        if (verify_read_at(search->code->image, relocation.rva, nbytes, &va) &&
            !judge_address(search, relocation.rva, nbytes, va, true))
            return false;
    }
    return true;
}

/* An image without relocations is loaded where it wants to be; its addresses are not listed anywhere. */
static bool scan_all_bytes(struct verify_write_search *search)
{
    const struct verify_image *image = search->code->image;
    unsigned nbytes = image->is_64 ? 8 : 4;
    for (uint32_t i = 0; i < image->section_count; i++) {
        struct span bytes = image->by_rva[i]->bytes;
        for (size_t at = 0; range_fits(bytes.nbytes, at, nbytes); at++) {
            search->code->step_count++;
            uint64_t va = load_width(bytes.bytes + at, nbytes);
            if (!judge_address(search, image->by_rva[i]->rva + (uint32_t)at, nbytes, va, false))
                return false;
        }
    }
    return true;
}

bool verify_scan_absolute(struct verify_write_search *search)
{
    if (verify_has_relocations(search->code->image))
        return scan_relocations(search);
    return verify_is_always_elsewhere(search->code->image) || scan_all_bytes(search);
}

bool verify_scan_exports(struct verify_write_search *search)
{
    const struct verify_image *image = search->code->image;
    if (image->directory_count <= DIR_EXPORT || image->directories[DIR_EXPORT].rva == 0)
        return true;
    struct verify_directory directory = image->directories[DIR_EXPORT];
    struct span header = verify_bytes_at(image, directory.rva);
    if (header.nbytes < EXPORT_DIRECTORY_NBYTES)
        return verify_refute(
            search->judged, verify_spot_rva(search->judged, directory.rva),
            "The export directory at RVA 0x%X cannot be read, so it is not known what is exported.",
            (unsigned)directory.rva);
    uint32_t functions_rva = load_u32(header.bytes + EXPORT_ADDRESS_OF_FUNCTIONS);
    uint32_t count = load_u32(header.bytes + EXPORT_NUMBER_OF_FUNCTIONS);
    struct span functions = verify_bytes_at(image, functions_rva);
    if (!range_fits(functions.nbytes, 0, (uint64_t)count * 4))
        return verify_refute(search->judged, verify_spot_rva(search->judged, directory.rva),
                             "The table of exported addresses at RVA 0x%X runs past its section.",
                             (unsigned)functions_rva);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t rva = load_u32(functions.bytes + (size_t)i * 4);
        const struct verify_target *target = verify_target_at(search, rva);
        bool is_forwarder = rva >= directory.rva && rva - directory.rva < directory.nbytes;
        search->code->step_count++;
        if (target && !is_forwarder &&
            !verify_judge_pointer(search, target, functions_rva + i * 4, rva, "the export", true))
            return false;
    }
    return true;
}
