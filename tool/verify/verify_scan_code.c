/* verify_scan_code.c - fields in code, at every byte position, that lead into the sections under judgement.
 * Takes: the search.  Gives: every such field to the judge.  Must not: skip a position because something else
 * seems to be there. */
#include "verify/verify_return_address.h"
#include "verify/verify_scan.h"

enum { DISP32_NBYTES = 4, CALL_NBYTES = 5 };

/* ModRM with mod=00, r/m=101, and what the instruction may have behind its displacement. */
static bool is_rip_modrm(uint8_t byte)
{
    return (byte & 0xC7) == 0x05;
}

/* A field that may lead to the headers. False when memory ran out. */
static bool note_image_base(struct verify_write_search *search, const struct verify_field_in_code *field,
                            int64_t target_rva)
{
    if (!(verify_uses_possible(search->code, field).uses & (USE_ADDRESS | USE_WRITE)))
        return true;
    struct verify_uses uses = verify_uses_resolved(search->code, field);
    if (!uses.is_operand || !(uses.uses & (USE_ADDRESS | USE_WRITE)))
        return true;
    search->forms_image_base = true;
    if (target_rva != 0 || !uses.is_unanimous || uses.uses != USE_ADDRESS) {
        search->loses_image_base = true;
        return true;
    }
    return verify_base_add_site(&search->base_sites, search->judged->arena,
                                field->section->rva + (uint32_t)uses.operand_at);
}

static bool judge_rip_field(struct verify_write_search *search, const struct verify_code_section *section,
                            size_t at)
{
    static const uint8_t trailing_nbytes[] = {0, 1, 2, 4};
    int64_t end_rva = (int64_t)section->rva + (int64_t)at + DISP32_NBYTES;
    int64_t rva = end_rva + (int32_t)load_u32(section->bytes.bytes + at);
    for (size_t i = 0; i < sizeof trailing_nbytes; i++) {
        int64_t target_rva = rva + trailing_nbytes[i];
        struct verify_field_in_code field = {section, at, DISP32_NBYTES, FIELD_RIP_RELATIVE,
                                             trailing_nbytes[i]};
        if (target_rva < 0)
            continue;
        if (target_rva < search->code->image->headers_nbytes && !note_image_base(search, &field, target_rva))
            return false;
        const struct verify_target *target = verify_target_at(search, (uint64_t)target_rva);
        if (target && trailing_nbytes[i] == 0 && verify_is_unknown_store(section->bytes, at - 1))
            return verify_refute(
                search->judged, verify_spot_rva(search->judged, section->rva + (uint32_t)at),
                "Section %s loses MEM_WRITE, but the bytes at RVA 0x%X may be a store into it, "
                "at RVA 0x%X, that is not decoded.",
                target->section->name, (unsigned)(section->rva + at), (unsigned)target_rva);
        if (target && !verify_judge_code_field(search, target, &field, (uint32_t)target_rva, false))
            return false;
        if (!target && !verify_judge_loaded_pointer(search, &field, (uint64_t)target_rva))
            return false;
        enum verify_border border =
            target ? BORDER_NONE : verify_border_at(search, (uint64_t)target_rva, &target);
        if (border != BORDER_NONE &&
            !verify_judge_border_field(search, border, target, &field, (uint32_t)target_rva))
            return false;
    }
    return true;
}

/* The first place from `at` on, below `end`, whose byte may be such a ModRM; `end` without one. */
static size_t next_rip_modrm(const uint8_t *bytes, size_t at, size_t end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    for (; end - at >= 8; at += 8) {
        uint64_t differs = (load_u64(bytes + at) & (ones * 0xC7)) ^ (ones * 0x05); /* a zero byte is one */
        if ((differs - ones) & ~differs & tops)
            break;
    }
    while (at < end && !is_rip_modrm(bytes[at]))
        at++;
    return at;
}

bool verify_scan_rip_relative(struct verify_write_search *search)
{
    for (uint32_t i = 0; i < search->code->section_count; i++) {
        const struct verify_code_section *section = &search->code->sections[i];
        const uint8_t *bytes = section->bytes.bytes;
        size_t nbytes = section->bytes.nbytes;
        search->code->step_count += nbytes;
        size_t end = nbytes < DISP32_NBYTES ? 0 : nbytes - DISP32_NBYTES;
        for (size_t at = next_rip_modrm(bytes, 0, end); at < end; at = next_rip_modrm(bytes, at + 1, end))
            if (!judge_rip_field(search, section, at + 1))
                return false;
    }
    return true;
}

/* Can the byte or two before `at` announce a disp32 with a register? mod=10, or a SIB byte behind r/m=100
 * with mod=10, or mod=00 with no base register. */
static bool may_be_base_displacement(const uint8_t *bytes, size_t at)
{
    uint8_t before = bytes[at - 1];
    if ((before & 0xC0) == 0x80 && (before & 0x07) != 4)
        return true;
    if (at < 2 || (bytes[at - 2] & 0x07) != 4)
        return false;
    uint8_t mod = bytes[at - 2] & 0xC0;
    return mod == 0x80 || (mod == 0x00 && (before & 0x07) == 5);
}

/* A store at the base plus an index plus a displacement that leads to no variable: counts[code - 0x222003] is
 * folded so, and may mean one in any section. */
static bool is_folded_store(const struct verify_image *image, const struct verify_base_step *step,
                            const ZydisDecodedOperand *operand)
{
    if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || !(operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
        operand->mem.index == ZYDIS_REGISTER_NONE || operand->mem.base == ZYDIS_REGISTER_NONE ||
        !(verify_holds(step->may, operand->mem.base) || verify_holds(step->may, operand->mem.index)))
        return false;
    int64_t rva = operand->mem.disp.value;
    const struct verify_section *led_to =
        rva >= 0 && rva <= UINT32_MAX ? verify_section_at(image, (uint32_t)rva) : NULL;
    return !led_to || !(led_to->characteristics & SCN_MEM_WRITE);
}

/* RVAs that a function adds to the base. *is_lost when the base gets out of sight. */
static bool scan_function(struct verify_write_search *search, const struct verify_function *function,
                          bool *is_lost)
{
    struct verify_base_walk walk;
    const char *problem;
    if (!verify_base_walk(search->code, &search->base_sites, search->judged->arena, function, &walk,
                          &problem)) {
        *is_lost = true;
        return problem != NULL;
    }
    for (size_t i = 0; i < walk.count && !*is_lost; i++) {
        const struct verify_base_step *step = &walk.steps[i];
        *is_lost = verify_base_escape(&walk, step) != NULL;
        for (unsigned k = 0; step->may != 0 && k < step->full.decoded.operand_count; k++) {
            uint64_t rva;
            const struct verify_target *target = verify_base_operand(step, &step->full.operands[k], &rva)
                                                     ? verify_target_at(search, rva)
                                                     : NULL;
            size_t at = step->rva - walk.section->rva + step->full.decoded.raw.disp.offset;
            struct verify_field_in_code field = {walk.section, at, DISP32_NBYTES, FIELD_BASE_RELATIVE, 0};
            if (!target && is_folded_store(search->code->image, step, &step->full.operands[k]))
                return verify_refute(
                    search->judged, verify_spot_rva(search->judged, step->rva),
                    "Section %s loses MEM_WRITE, but the instruction at RVA 0x%X stores with an index at an "
                    "address that leads to no variable: it may mean one in the section.",
                    search->targets[0].section->name, (unsigned)step->rva);
            if (target && !verify_judge_code_field(search, target, &field, (uint32_t)rva, false))
                return false;
        }
    }
    return true;
}

/* Displacements that are RVAs of the sections, at every byte position. */
static bool scan_base_relative(struct verify_write_search *search)
{
    for (uint32_t i = 0; i < search->code->section_count; i++) {
        const struct verify_code_section *section = &search->code->sections[i];
        for (size_t at = 1; range_fits(section->bytes.nbytes, at, DISP32_NBYTES); at++) {
            uint32_t rva = load_u32(section->bytes.bytes + at);
            const struct verify_target *target = verify_target_at(search, rva);
            struct verify_field_in_code field = {section, at, DISP32_NBYTES, FIELD_BASE_RELATIVE, 0};
            search->code->step_count++;
            if (target && may_be_base_displacement(section->bytes.bytes, at) &&
                !verify_judge_code_field(search, target, &field, rva, false))
                return false;
        }
    }
    return true;
}

bool verify_scan_base(struct verify_write_search *search)
{
    const struct verify_function *last = NULL;
    bool is_lost = search->loses_image_base;
    for (size_t i = 0; i < search->base_sites.count && !is_lost; i++) {
        struct verify_function *function = verify_function_at(search->code, search->base_sites.rvas[i]);
        is_lost = !function || !verify_function_is_clean(search->code, function);
        if (!is_lost && function != last && !scan_function(search, function, &is_lost))
            return false;
        last = function;
    }
    return !is_lost || (scan_base_relative(search) && verify_scan_numbers(search));
}

/* mov r32, [esp]; ret: what a called function needs to hand its return address to its caller. */
static bool returns_its_caller(struct verify_code *code, int64_t rva)
{
    const struct verify_code_section *section = rva < 0 ? NULL : verify_code_at(code, (uint64_t)rva);
    if (!section || section->bytes.nbytes - ((uint64_t)rva - section->rva) < 4)
        return false;
    const uint8_t *bytes = section->bytes.bytes + ((uint64_t)rva - section->rva);
    return bytes[0] == 0x8B && (bytes[1] & 0xC7) == 0x04 && bytes[2] == 0x24 && bytes[3] == 0xC3;
}

bool verify_scan_own_address(struct verify_write_search *search)
{
    uint32_t rva;
    if (verify_return_address_used(search->code, false, &rva))
        return verify_refute(search->judged, verify_spot_rva(search->judged, rva),
                             "Section %s loses MEM_WRITE, but the instruction at RVA 0x%X stores through a "
                             "return address, or computes with it.",
                             search->targets[0].section->name, (unsigned)rva);
    for (uint32_t i = 0; i < search->code->section_count; i++) {
        const struct verify_code_section *section = &search->code->sections[i];
        const struct verify_target *target = verify_target_at(search, section->rva);
        if (!target)
            continue;
        for (size_t at = 0; range_fits(section->bytes.nbytes, at, CALL_NBYTES); at++) {
            search->code->step_count++;
            if (section->bytes.bytes[at] != 0xE8)
                continue;
            int32_t distance = (int32_t)load_u32(section->bytes.bytes + at + 1);
            int64_t next_rva = (int64_t)section->rva + (int64_t)at + CALL_NBYTES;
            struct verify_field_in_code field = {section, at + 1, DISP32_NBYTES, FIELD_CALL, 0};
            if ((distance == 0 || returns_its_caller(search->code, next_rva + distance)) &&
                !verify_judge_code_field(search, target, &field, (uint32_t)next_rva, false))
                return false;
        }
    }
    return true;
}
