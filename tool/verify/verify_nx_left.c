/* verify_nx_left.c - uses of an import slot that go past its stub.
 * Takes: the code before the step, and the stubs.  Gives: true, or the operand that still reaches a slot.
 * Must not: think that an operand reads only the slot that it leads to. */
#include "verify/verify_nx.h"
#include "verify/verify_operand.h"
#include "verify/verify_references.h"
#include "verify/verify_registers.h"

enum { OPERAND_NBYTES = 4, WIDEST_NBYTES = 64 /* of a register */ };

void verify_nx_about(struct verify_case *judged, const struct verify_nx_stub *stub)
{
    if (judged->verdict->result != VERIFY_REFUTED)
        judged->verdict->slot_rva = stub->slot_rva;
}

const struct verify_nx_stub *verify_nx_stub_of_slot(const struct verify_nx *nx, uint64_t rva)
{
    unsigned width_nbytes = nx->image.is_64 ? 8 : 4;
    for (uint32_t i = 0; i < nx->stub_count; i++)
        if (rva >= nx->stubs[i].slot_rva && rva - nx->stubs[i].slot_rva < width_nbytes)
            return &nx->stubs[i];
    return NULL;
}

bool verify_nx_refuse_left(struct verify_case *judged, uint32_t rva, const struct verify_nx_stub *stub)
{
    verify_nx_about(judged, stub);
    return verify_nx_unproved(
        judged, rva,
        "The bytes at RVA 0x%X of the new image still refer to the import slot of %s, past its "
        "stub.",
        (unsigned)rva, stub->name);
}

/* The first slot with a stub that a wide access from so close before it may hold, too; or NULL. */
static const struct verify_nx_stub *stub_behind(const struct verify_nx *nx, uint64_t rva)
{
    const struct verify_nx_stub *first = NULL;
    for (uint32_t i = 0; i < nx->stub_count; i++) {
        uint32_t slot_rva = nx->stubs[i].slot_rva;
        if (slot_rva > rva && slot_rva - rva < WIDEST_NBYTES && (!first || slot_rva < first->slot_rva))
            first = &nx->stubs[i];
    }
    return first;
}

/* Does the instruction access more bytes of memory than that? */
static bool accesses_more(const struct verify_code *code, const struct verify_code_section *section,
                          size_t at, uint64_t nbytes)
{
    struct verify_full full;
    if (!verify_decode_full(code, section, at, &full))
        return false;
    for (unsigned i = 0; i < full.decoded.operand_count; i++)
        if (full.operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            full.operands[i].mem.type == ZYDIS_MEMOP_TYPE_MEM && full.operands[i].size / 8u > nbytes)
            return true;
    return false;
}

/* An operand may lead to what lies before a slot with a stub, and read the slot with it (two slots at once
 * into a vector register). */
static bool judge_wide(struct verify_moves *moves, const struct verify_nx *nx,
                       const struct verify_field_in_code *field, uint64_t target_rva)
{
    const struct verify_nx_stub *stub = stub_behind(nx, target_rva);
    for (size_t back = 1; stub && back <= VERIFY_OPERAND_DEEPEST_NBYTES && back <= field->at; back++) {
        size_t at = field->at - back;
        if (!verify_uses_at(&moves->code, field, at).is_operand ||
            !accesses_more(&moves->code, field->section, at, stub->slot_rva - target_rva))
            continue;
        struct verify_uses uses = verify_uses_resolved(&moves->code, field);
        if (uses.is_operand && (!uses.is_unanimous || at == uses.operand_at))
            return verify_nx_refuse_left(moves->judged, field->section->rva + (uint32_t)at, stub);
    }
    return true;
}

/* Four bytes of code that lead to a slot with a stub, or close before it, and are no site: are they an
 * operand? Behind them are 0, 1, 2 or 4 bytes of the instruction. */
static bool judge_field(struct verify_moves *moves, const struct verify_nx *nx,
                        const struct verify_code_section *section, size_t at, uint64_t target_rva)
{
    uint32_t rva = section->rva + (uint32_t)at;
    for (unsigned behind = 0; behind <= 4; behind++) {
        const struct verify_nx_stub *stub =
            behind == 3 ? NULL : verify_nx_stub_of_slot(nx, target_rva + behind);
        struct verify_field_in_code field = {section, at, OPERAND_NBYTES, FIELD_RIP_RELATIVE, behind};
        if (behind != 3 && !stub && !judge_wide(moves, nx, &field, target_rva + behind))
            return false;
        if (!stub || verify_nx_site_at(nx, rva) || !verify_uses_possible(&moves->code, &field).is_operand)
            continue;
        if (verify_uses_resolved(&moves->code, &field).is_operand)
            return verify_nx_refuse_left(moves->judged, rva, stub);
    }
    return true;
}

/* On x86 an operand that is an address is relocated; what leads to a slot itself was looked at. */
static bool judge_relocated(struct verify_moves *moves, const struct verify_nx *nx,
                            const struct verify_code_section *section, size_t at)
{
    struct verify_field_in_code field = {section, at, OPERAND_NBYTES, FIELD_ABSOLUTE, 0};
    uint32_t rva = load_u32(section->bytes.bytes + at) - (uint32_t)nx->image.base_va;
    return !verify_bit(section->relocated, at) || verify_nx_stub_of_slot(nx, rva) ||
           judge_wide(moves, nx, &field, rva);
}

bool verify_nx_judge_left(struct verify_moves *moves, const struct verify_nx *nx)
{
    uint32_t first_rva = UINT32_MAX, last_rva = 0;
    for (uint32_t i = 0; i < nx->stub_count; i++) {
        first_rva = nx->stubs[i].slot_rva < first_rva ? nx->stubs[i].slot_rva : first_rva;
        last_rva = nx->stubs[i].slot_rva > last_rva ? nx->stubs[i].slot_rva : last_rva;
    }
    for (uint32_t i = 0; i < moves->code.section_count; i++) {
        const struct verify_code_section *section = &moves->code.sections[i];
        for (size_t at = 0; range_fits(section->bytes.nbytes, at, OPERAND_NBYTES); at++) {
            uint32_t rva = section->rva + (uint32_t)at + OPERAND_NBYTES + load_u32(section->bytes.bytes + at);
            moves->judged->verdict->step_count++;
            if (!nx->image.is_64 && !judge_relocated(moves, nx, section, at))
                return false;
            if (nx->image.is_64 && rva + WIDEST_NBYTES >= first_rva && rva <= last_rva + 7 &&
                !judge_field(moves, nx, section, at, rva))
                return false;
        }
    }
    return true;
}
