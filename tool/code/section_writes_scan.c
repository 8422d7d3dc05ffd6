/* section_writes_scan.c - enumeration: every byte position that could hold a direct reference into the
 * section. Takes: the judgement.  Gives: hits handed to the operand judge, or stored addresses. Must not:
 * depend on what was decoded; that only explains the hits.
 *
 * On x64 a direct reference is a displacement right after a ModRM byte with mod = 00 and r/m = 101, followed
 * by 0, 1, 2 or 4 bytes of immediate (all encodings: legacy, VEX, EVEX, with 67h or without); a branch, which
 * does no harm; or an absolute address, which base relocations name. On x86 all are absolute. What an image
 * without base relocations holds, a second scan looks for. */
#include "code/section_writes_internal.h"

enum { MODRM_MOD_RM_MASK = 0xC7, MODRM_DISP32_ONLY = 0x05, MAX_IMMEDIATE_NBYTES = 4 };

static void scan_section(struct judge *judge, const struct code_section *section)
{
    const uint8_t *bytes = judge->image->file.bytes + judge->image->sections[section->section].raw_foff;
    uint32_t near_rva = judge->near_rva, room_nbytes = judge->end_rva - near_rva;
    uint32_t last_at = section->nbytes >= 4 ? section->nbytes - 4 : 0;
    for (uint32_t at = 1; at <= last_at; at++) {
        bool is_modrm = (bytes[at - 1] & MODRM_MOD_RM_MASK) == MODRM_DISP32_ONLY;
        uint32_t stored = load_u32(bytes + at);
        if (!is_modrm && stored - near_rva >= room_nbytes) /* most of them */
            continue;
        if (is_modrm) {
            /* The end of the instruction, and so the target, is one of a few next to each other. */
            int64_t first = (int64_t)section->rva + at + 4 + (int32_t)stored;
            if (first + MAX_IMMEDIATE_NBYTES >= (int64_t)judge->near_rva && first < (int64_t)judge->end_rva)
                judge_displacement(judge, section, at, false);
        }
        if (judge->forms_image_base && judge_holds(judge, stored))
            judge_displacement(judge, section, at, true);
        if (judge->found)
            break;
    }
    judge->scanned_nbytes += section->nbytes;
}

void judge_scan_code(struct judge *judge)
{
    for (size_t i = 0; i < judge->code->section_count && !judge->found; i++)
        scan_section(judge, &judge->code->sections[i]);
}

/* An absolute address of the section in any section's bytes. Instructions are left out: their operands are
 * in the inventory, and a value that lies across them is none. */
static void scan_absolute_section(struct judge *judge, const struct section *section)
{
    unsigned width_nbytes = image_pointer_nbytes(judge->image);
    const uint8_t *bytes = judge->image->file.bytes + section->raw_foff;
    for (uint32_t at = 0;
         section->file_nbytes >= width_nbytes && at <= section->file_nbytes - width_nbytes && !judge->found;
         at++) {
        uint32_t target_rva;
        if (!image_va_to_rva(judge->image, load_width(bytes + at, width_nbytes), &target_rva) ||
            !judge_holds(judge, target_rva))
            continue;
        enum byte_class at_site = code_class_at(judge->code, section->rva + at);
        if (at_site != BYTE_INSTRUCTION && at_site != BYTE_INSTRUCTION_TAIL)
            judge_stored_address(judge, target_rva, section->rva + at, (uint64_t)section->raw_foff + at);
    }
    judge->scanned_nbytes += section->file_nbytes;
}

void judge_scan_absolute(struct judge *judge)
{
    /* Nothing of a kernel is loaded below 4 GiB on x64: an image with a base there, which may be loaded
     * elsewhere, is, and then holds no absolute address. */
    const struct image *image = judge->image;
    if (judge->is_64 && image->role == ROLE_KERNEL && image->image_base_va <= UINT32_MAX &&
        !(image->coff_characteristics & COFF_RELOCS_STRIPPED))
        return;
    for (uint32_t i = 0; i < judge->image->section_count && !judge->found; i++)
        if (range_fits(judge->image->file.nbytes, judge->image->sections[i].raw_foff,
                       judge->image->sections[i].file_nbytes))
            scan_absolute_section(judge, &judge->image->sections[i]);
}
