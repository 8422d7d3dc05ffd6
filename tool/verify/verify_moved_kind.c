/* verify_moved_kind.c - what kinds of images a proof of moved parts covers.
 * Takes: both images.  Gives: yes, or why nothing is proved of such a pair.
 * Must not: need the map: all of it is asked of the old image, or of the new one, by itself. */
#include "verify/verify_moved_kind.h"
#include "verify/verify_relocations.h"
#include "verify/verify_structure.h"
#include "verify/verify_table_sections.h"
#include "verify/verify_writes.h"

bool verify_moved_structure(struct verify_case *judged)
{
    uint64_t foff[STRUCTURE_RULE_COUNT], old_foff[STRUCTURE_RULE_COUNT];
    uint32_t broken = verify_structure_broken(&judged->new_image, foff);
    uint32_t old_broken = verify_structure_broken(&judged->old_image, old_foff);
    /* In a new layout also what the old image broke has to hold. */
    bool is_new_layout = judged->old_image.section_alignment < PAGE_NBYTES;
    if (!is_new_layout)
        broken &= ~old_broken;
    for (unsigned rule = 0; rule < STRUCTURE_RULE_COUNT; rule++)
        if (broken & (1u << rule))
            return verify_refute(judged, verify_spot_foff(judged, foff[rule]),
                                 "The new image breaks the rule that %s.",
                                 verify_structure_text((enum verify_structure_rule)rule));
    for (uint32_t i = 0; i < judged->new_image.section_count; i++) {
        const struct verify_section *section = &judged->new_image.sections[i];
        if (section->raw_nbytes != 0 &&
            (section->raw_foff % 0x200 != 0 || section->raw_foff < judged->new_image.headers_nbytes))
            return verify_refute(judged, verify_spot_foff(judged, section->header_foff),
                                 "The raw data of section %s begins where the loader does not take it.",
                                 section->name);
    }
    return true;
}

/* Nothing in the image runs, and nobody else is led into it: no entry point, imports, or thread-local
 * storage, and exports that are all forwarded, and so lead into their own directory. */
static bool is_inert_image(const struct verify_image *image)
{
    static const unsigned used[] = {DIR_IMPORT,      DIR_EXCEPTION,    DIR_BASERELOC, DIR_TLS,
                                    DIR_LOAD_CONFIG, DIR_DELAY_IMPORT, DIR_CLR};
    struct verify_directory none = {0, 0};
    struct verify_directory exports =
        image->directory_count > DIR_EXPORT ? image->directories[DIR_EXPORT] : none;
    uint64_t table_rva = 0, count = 0, rva;
    if (image->entry_rva != 0 || (image->coff_characteristics & COFF_RELOCS_STRIPPED))
        return false;
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
        if (used[i] < image->directory_count && image->directories[used[i]].rva != 0)
            return false;
    if (exports.rva == 0)
        return true;
    if (!verify_read_at(image, exports.rva + EXPORT_NUMBER_OF_FUNCTIONS, 4, &count) ||
        !verify_read_at(image, exports.rva + EXPORT_ADDRESS_OF_FUNCTIONS, 4, &table_rva) ||
        count > exports.nbytes)
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (!verify_read_at(image, table_rva + i * 4, 4, &rva) ||
            (rva != 0 && (rva < exports.rva || rva - exports.rva >= exports.nbytes)))
            return false;
    return true;
}

bool verify_moved_kind(struct verify_moves *moves)
{
    struct verify_case *judged = moves->judged;
    const struct verify_image *a = &judged->old_image;
    if (!verify_decodes_machine(a))
        return verify_moves_unproved(moves, UINT32_MAX,
                                     "Code of machine 0x%X is not decoded here: a moved image is not proved.",
                                     (unsigned)a->machine);
    if (!a->is_ordered || !judged->new_image.is_ordered || a->section_count == 0 || a->section_count > 96 ||
        judged->new_image.section_count > 96)
        return verify_moves_unproved(moves, UINT32_MAX, "The sections of an image do not ascend.");
    if (a->machine == MACHINE_I386 && !verify_has_relocations(a) && !is_inert_image(a))
        return verify_moves_unproved(moves, UINT32_MAX,
                                     "The old image has no base relocations: its addresses are not known.");
    bool is_flat = a->section_alignment < PAGE_NBYTES;
    for (uint32_t i = 0; i < a->section_count; i++)
        if (a->sections[i].raw_nbytes != 0 &&
            (is_flat ? a->sections[i].raw_foff != a->sections[i].rva
                     : a->sections[i].raw_foff == 0 || a->sections[i].raw_foff % 0x200 != 0))
            return verify_moves_unproved(
                moves, a->sections[i].rva,
                "Section %s lies at a file offset that the loader does not take as it is.",
                a->sections[i].name);
    return true;
}

bool verify_moved_unrelocated(struct verify_moves *moves)
{
    const struct verify_image *a = &moves->judged->old_image;
    if (verify_has_relocations(a) || !a->is_64 || verify_is_always_elsewhere(a) || is_inert_image(a))
        return true;
    for (uint32_t i = 0; i < a->section_count; i++) {
        struct span bytes = a->sections[i].bytes;
        for (size_t at = 0; !verify_is_debug_section(&a->sections[i]) && range_fits(bytes.nbytes, at, 8);
             at++) {
            uint64_t va = load_u64(bytes.bytes + at);
            moves->judged->verdict->step_count++;
            if (va >= a->base_va && va - a->base_va < a->image_nbytes)
                return verify_moves_unproved(
                    moves, a->sections[i].rva + (uint32_t)at,
                    "The bytes at RVA 0x%llX may be an address, and the image has no "
                    "base relocations.",
                    (unsigned long long)a->sections[i].rva + at);
        }
    }
    return true;
}
