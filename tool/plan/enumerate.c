/* enumerate.c - x64: every byte position that could refer to what leaves is explained.
 * Takes: the layout.  Gives: true, or the refusal that names the position.  Must not: take "not decoded" for
 * "not there".
 *
 * A hit is an operand of decoded code (it is in the inventory and has a new value), lies across or beside the
 * fields of decoded code, or is typed data. Bytes that nothing explains are asked as every instruction that
 * they could be. On x86, base relocations name every such field. */
#include "code/code_decode.h"
#include "code/range_hits.h"
#include "plan/debug_data.h"
#include "plan/rewrite.h"

#include <inttypes.h>
#include <stdlib.h>

enum { MAX_DISP_OFFSET = INSTRUCTION_MAX_NBYTES - 4, NEAR_NBYTES = 0x100 };

struct enumeration {
    struct rewrite *rewrite;
    struct decoder *decoder;
    struct rva_range *ranges; /* what leaves */
    size_t range_count;
    struct rva_range *near; /* the same with what lies near: a folded address may mean it */
    size_t near_count;
    struct site_set operands; /* file offsets of the fields of SOURCE_CODE that are certain */
    struct site_set may_base; /* of displacements whose register may hold the image base */
    bool forms_image_base;
    bool base_is_in_sight; /* code has the base from instructions only, and what it does with it is known */
};

static int by_begin(const void *a, const void *b)
{
    const struct rva_range *x = a, *y = b;
    return x->begin_rva < y->begin_rva ? -1 : x->begin_rva > y->begin_rva;
}

static bool collect_near(struct enumeration *all)
{
    all->near = arena_array(all->rewrite->arena, all->range_count, sizeof *all->near);
    if (!all->near)
        return false;
    for (size_t i = 0; i < all->range_count; i++) {
        struct rva_range near = all->ranges[i];
        near.begin_rva -= near.begin_rva < NEAR_NBYTES ? near.begin_rva : NEAR_NBYTES;
        near.end_rva += NEAR_NBYTES;
        if (all->near_count != 0 && all->near[all->near_count - 1].end_rva >= near.begin_rva)
            all->near[all->near_count - 1].end_rva = near.end_rva;
        else
            all->near[all->near_count++] = near;
    }
    return true;
}

/* What moves otherwise than code does. The relocation table is nobody's operand. */
static bool collect_ranges(struct enumeration *all)
{
    const struct layout *layout = all->rewrite->layout;
    all->ranges = arena_array(all->rewrite->arena, layout->piece_count, sizeof *all->ranges);
    if (!all->ranges)
        return false;
    for (size_t i = 1; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        if (piece->kind != PIECE_RELOCATIONS && piece_delta(piece) != layout->uniform_delta)
            all->ranges[all->range_count++] = (struct rva_range){piece->old_rva, piece_end_rva(piece)};
    }
    if (all->range_count > 1)
        qsort(all->ranges, all->range_count, sizeof *all->ranges, by_begin);
    return collect_near(all);
}

static bool collect_operands(struct enumeration *all)
{
    const struct refset *refs = all->rewrite->refs;
    uint64_t file_nbytes = all->rewrite->image->file.nbytes;
    if (!site_set_init(&all->operands, all->rewrite->arena, file_nbytes) ||
        !site_set_init(&all->may_base, all->rewrite->arena, file_nbytes))
        return false;
    all->base_is_in_sight = all->rewrite->base_is_followed;
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->encoding == REF_VA && ref->state == REF_HEADERS && ref->source != SOURCE_HEADERS)
            all->base_is_in_sight = false;
        if (ref->source != SOURCE_CODE)
            continue;
        if (ref->encoding == REF_IMAGE_REL)
            site_set_add(&all->may_base, ref->site_foff);
        else
            site_set_add(&all->operands, ref->site_foff);
        all->forms_image_base |=
            ref->encoding == REF_PCREL && ref->access == ACCESS_ADDRESS && ref->state == REF_HEADERS;
    }
    return true;
}

static bool refuse_hit(const struct enumeration *all, const struct range_hit *hit, uint32_t begin,
                       uint32_t target_rva, const char *what)
{
    uint64_t raw_foff = all->rewrite->image->sections[hit->section->section].raw_foff;
    return rewrite_refuse(
        all->rewrite, hit->section->rva + begin, raw_foff + begin,
        "Give assembler functions unwind data (PROC FRAME), keep constants out of code sections, or "
        "link without the options that cause the finding.",
        "The bytes at RVA 0x%" PRIX32 " %s RVA 0x%" PRIX32 ", which has to move.", hit->section->rva + begin,
        what, target_rva);
}

/* Decodes at offset `begin`; true when the field is a displacement of the asked form into the ranges. */
static bool reads_hit(const struct enumeration *all, const struct range_hit *hit, uint32_t begin,
                      uint32_t *target_rva)
{
    const uint8_t *bytes =
        all->rewrite->image->file.bytes + all->rewrite->image->sections[hit->section->section].raw_foff;
    struct instruction instruction;
    bool is_rip = hit->form == HIT_RIP_RELATIVE;
    if (!decode(all->decoder, bytes + begin, hit->section->nbytes - begin, hit->section->rva + begin,
                &instruction) ||
        instruction.disp_nbytes != 4 || begin + instruction.disp_offset != hit->at ||
        instruction.is_rip_relative != is_rip || instruction.operation == OP_NOP)
        return false;
    int64_t target =
        is_rip ? (int64_t)instruction_end_rva(&instruction) + instruction.disp : instruction.disp;
    if (target < 0)
        return false;
    *target_rva = (uint32_t)target;
    if (rva_in_ranges(all->ranges, all->range_count, (uint64_t)target))
        return true;
    /* Only an address that is taken can be a folded one. */
    struct memory_operand memory;
    return rva_in_ranges(all->near, all->near_count, (uint64_t)target) &&
           decode_memory(all->decoder, &memory) && memory.access == ACCESS_ADDRESS;
}

/* An immediate of decoded code that equals an RVA of what leaves: harmless where all that is added to the
 * image base is known. */
static bool is_immediate(const struct enumeration *all, const struct range_hit *hit, uint32_t begin)
{
    const uint8_t *bytes =
        all->rewrite->image->file.bytes + all->rewrite->image->sections[hit->section->section].raw_foff;
    struct instruction instruction;
    if (!decode(all->decoder, bytes + begin, hit->section->nbytes - begin, hit->section->rva + begin,
                &instruction))
        return false;
    for (unsigned i = 0; i < 2; i++)
        if (instruction.imm_nbytes[i] == 4 && begin + instruction.imm_offset[i] == hit->at)
            return instruction.operation == OP_ADD || instruction.operation == OP_SUB;
    return false;
}

static bool judge_decoded(const struct enumeration *all, const struct range_hit *hit)
{
    uint32_t begin =
        code_instruction_begin(all->rewrite->code, hit->section->rva + hit->at - 1) - hit->section->rva;
    uint64_t foff = (uint64_t)all->rewrite->image->sections[hit->section->section].raw_foff + hit->at;
    uint32_t target_rva;
    if (hit->form == HIT_IMAGE_RELATIVE) {
        if (!rva_in_ranges(all->ranges, all->range_count, load_u32(all->rewrite->image->file.bytes + foff)))
            return true;
        if (site_set_has(&all->rewrite->base_displacements, foff))
            return true; /* in the inventory, with a new value */
        if (site_set_has(&all->may_base, foff) && !all->rewrite->base_is_followed)
            return refuse_hit(all, hit, begin, load_u32(all->rewrite->image->file.bytes + foff),
                              "may reach, from the image base,");
        if (!all->base_is_in_sight && is_immediate(all, hit, begin))
            return refuse_hit(all, hit, begin, load_u32(all->rewrite->image->file.bytes + foff),
                              "add a number that is an address in the image,");
        return true;
    }
    if (!reads_hit(all, hit, begin, &target_rva) || site_set_has(&all->operands, foff))
        return true;
    return refuse_hit(all, hit, begin, target_rva, "refer in a way that is not understood to");
}

static bool may_be_code(uint8_t byte_class)
{
    return byte_class == BYTE_UNKNOWN || byte_class == BYTE_PADDING;
}

/* Nothing explains these bytes. */
static bool judge_undecoded(const struct enumeration *all, const struct range_hit *hit)
{
    const uint8_t *classes = hit->section->classes;
    uint32_t target_rva, hit_rva = hit->section->rva + hit->at;
    if (rva_in_ranges(all->ranges, all->range_count, hit_rva))
        return true; /* it leaves, and is not executed any more */
    for (uint32_t i = 0; i < 4; i++)
        if (!may_be_code(classes[hit->at + i]))
            return true;
    for (uint32_t offset = 1; offset <= MAX_DISP_OFFSET && offset <= hit->at; offset++) {
        uint32_t begin = hit->at - offset;
        if (!may_be_code(classes[begin]))
            return true;
        if (reads_hit(all, hit, begin, &target_rva))
            return refuse_hit(all, hit, begin, target_rva,
                              "are not known to be code or data, but could refer to");
    }
    return true;
}

static bool take_hit(void *context, const struct range_hit *hit)
{
    const struct enumeration *all = context;
    switch (hit->section->classes[hit->at - 1]) {
    case BYTE_INSTRUCTION:
    case BYTE_INSTRUCTION_TAIL:
        return judge_decoded(all, hit);
    case BYTE_DATA:
        return true;
    default:
        return judge_undecoded(all, hit);
    }
}

/* Without base relocations nothing may hold an absolute address of the image; one that does would not follow.
 * A kernel image that may be loaded anywhere, with a base below 4 GiB, always is: what looks like an address
 * is none. */
static bool check_absolute(struct rewrite *rewrite)
{
    const struct image *image = rewrite->image;
    bool is_elsewhere = image->role == ROLE_KERNEL && image->image_base_va <= UINT32_MAX &&
                        !(image->coff_characteristics & COFF_RELOCS_STRIPPED);
    if (image_directory(image, DIR_BASERELOC) || is_elsewhere || plan_is_inert(image, rewrite->refs))
        return true;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        const uint8_t *bytes = image->file.bytes + section->raw_foff;
        bool is_debug = section_is_debug(section);
        for (uint32_t at = 0; !is_debug && section->file_nbytes >= 8 && at <= section->file_nbytes - 8;
             at++) {
            uint32_t rva;
            if (!image_va_to_rva(image, load_u64(bytes + at), &rva) || rva >= image->image_nbytes)
                continue;
            return rewrite_refuse(rewrite, section->rva + at, (uint64_t)section->raw_foff + at,
                                  "Link the image with base relocations (no /FIXED).",
                                  "RVA 0x%" PRIX32 " holds what may be the address of RVA 0x%" PRIX32
                                  ", and the image has no base relocations to tell.",
                                  section->rva + at, rva);
        }
    }
    return true;
}

bool enumerate_direct(struct rewrite *rewrite)
{
    struct enumeration all = {.rewrite = rewrite};
    if (!rewrite->image->is_64)
        return true;
    if (!check_absolute(rewrite))
        return false;
    all.decoder = decoder_new(rewrite->arena, true);
    if (!all.decoder || !collect_ranges(&all) || !collect_operands(&all))
        return false;
    return range_hits(rewrite->image, rewrite->code, all.near, all.near_count, all.forms_image_base, take_hit,
                      &all);
}
