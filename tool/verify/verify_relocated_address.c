/* verify_relocated_address.c - what one relocated address means, and what it has to be in the new image.
 * Takes: a relocation of the old image.  Gives: verify_relocated_address().
 * Must not: take what code does with the address for the reading of bytes that may be data. */
#include "verify/verify_around_head.h"
#include "verify/verify_follow.h"
#include "verify/verify_read_through.h"
#include "verify/verify_relocated.h"

#include <string.h>

/* A relocated address and what it means. */
struct address {
    uint32_t field_rva;
    unsigned nbytes;
    uint64_t rva; /* where it leads */
    enum verify_meaning meaning;
    int64_t delta;
};

/* call, jmp, push or mov through an import slot, or a load behind a prologue, whatever else may be read
 * around it: x86 only. */
static bool is_plain_access(const struct verify_moves *moves, const struct verify_code_section *section,
                            const struct address *address)
{
    const struct verify_range_list *written = &moves->old_tables.written;
    size_t at = address->field_rva - section->rva;
    const uint8_t *bytes = section->bytes.bytes;
    if (address->nbytes != 4 || at < 2)
        return false;
    bool is_mov = bytes[at - 1] == 0xA1 || (bytes[at - 2] == 0x8B && (bytes[at - 1] & 0xC7) == 0x05);
    bool is_call =
        bytes[at - 2] == 0xFF && (bytes[at - 1] == 0x15 || bytes[at - 1] == 0x25 || bytes[at - 1] == 0x35);
    static const uint8_t prologue[] = {0x55, 0x8B, 0xEC}; /* push ebp; mov ebp, esp; mov eax, [t] */
    if (at > sizeof prologue && bytes[at - 1] == 0xA1 &&
        memcmp(bytes + at - 1 - sizeof prologue, prologue, sizeof prologue) == 0)
        return true;
    for (size_t i = 0; (is_mov || is_call) && i < written->count; i++)
        if (strstr(written->items[i].what, "FirstThunk") && address->rva >= written->items[i].rva &&
            address->rva < written->items[i].end_rva && (address->rva - written->items[i].rva) % 4 == 0)
            return true;
    return false;
}

/* Three relocated fields side by side are no operands: an instruction has two at most. */
static bool is_in_table(const struct verify_code_section *section, size_t at)
{
    size_t run_count = 1;
    for (size_t i = at; i >= 4 && run_count < 3 && verify_bit(section->relocated, i - 4); i -= 4)
        run_count++;
    for (size_t i = at + 4; i < section->bytes.nbytes && run_count < 3 && verify_bit(section->relocated, i);
         i += 4)
        run_count++;
    return run_count == 3;
}

/* Data, or the operand of some instruction: all must mean the same. */
static void judge_all_readings(struct verify_moves *moves, const struct verify_field_in_code *field,
                               struct address *address)
{
    address->meaning = verify_handed_meaning(moves, address->rva, address->field_rva, &address->delta);
    for (size_t before = 1; before <= VERIFY_OPERAND_DEEPEST_NBYTES && before <= field->at; before++) {
        struct verify_uses uses = verify_uses_at(&moves->code, field, field->at - before);
        int64_t delta;
        if (!uses.is_operand)
            continue;
        if (verify_operand_meaning(moves, field, &uses, address->rva, &delta) == MEANING_OPEN ||
            delta != address->delta)
            address->meaning = MEANING_OPEN;
    }
}

/* In code it matters what the instruction does with the address. False when a store is refuted. */
static bool judge_in_code(struct verify_moves *moves, const struct verify_code_section *section,
                          struct address *address)
{
    struct verify_field_in_code field = {section, address->field_rva - section->rva, address->nbytes,
                                         FIELD_ABSOLUTE, 0};
    struct verify_uses uses = verify_uses_possible(&moves->code, &field);
    bool is_near = verify_is_near_edge(moves, address->rva) || verify_array_may_be_far(moves, address->rva) ||
                   verify_has_head_behind(moves, address->rva);
    address->meaning = verify_meaning(moves, address->rva, ADDRESS_TAKEN, &address->delta);
    if (verify_reads_what_changed(moves, &field, address->rva)) {
        address->meaning = MEANING_OPEN;
        return true;
    }
    if (!(uses.uses & USE_WRITE) && !is_near)
        return true;
    uses = verify_uses_resolved(&moves->code, &field);
    moves->looked_at_count++;
    if (!uses.is_operand)
        return true;
    if ((uses.uses & USE_WRITE) && !verify_store_is_allowed(moves, section->rva + (uint32_t)uses.write_at,
                                                            address->rva, uses.is_unanimous))
        return false;
    const struct verify_piece *target = verify_piece_at(&moves->map, address->rva);
    if ((uses.uses & USE_ADDRESS) && target && target->is_slots &&
        verify_follow(&moves->code, section, uses.operand_at, 0).writes &&
        !verify_store_is_allowed(moves, section->rva + (uint32_t)uses.operand_at, address->rva, false))
        return false;
    if (!is_near)
        return true;
    if (is_plain_access(moves, section, address)) {
        address->meaning = verify_meaning(moves, address->rva, ADDRESS_DIRECT, &address->delta);
    } else if (uses.is_unanimous) {
        address->meaning = verify_operand_meaning(moves, &field, &uses, address->rva, &address->delta);
    } else {
        judge_all_readings(moves, &field, address);
    }
    return true;
}

/* Code with an address in the headers, which stay: a plain access means them, an index may lead to an array
 * that does not stay. False when a store is refuted. */
static bool judge_in_headers(struct verify_moves *moves, const struct verify_code_section *section,
                             struct address *address)
{
    struct verify_field_in_code field = {section, address->field_rva - section->rva, address->nbytes,
                                         FIELD_ABSOLUTE, 0};
    struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
    struct verify_instruction instruction;
    moves->looked_at_count++;
    address->meaning = MEANING_OPEN;
    if (!uses.is_operand || !uses.is_unanimous ||
        !verify_code_decode(&moves->code, section, uses.operand_at, &instruction))
        return true;
    if ((uses.uses & USE_WRITE) && !verify_store_is_allowed(moves, section->rva + (uint32_t)uses.write_at,
                                                            address->rva, uses.is_unanimous))
        return false;
    bool is_displacement = instruction.disp_nbytes != 0 && uses.operand_at + instruction.disp_at == field.at;
    if (!is_displacement)
        return true;
    address->delta = 0;
    if (instruction.is_plain_memory)
        address->meaning = MEANING_SURE;
    else
        address->meaning = verify_operand_meaning(moves, &field, &uses, address->rva, &address->delta);
    return true;
}

/* Not read or written right there: what becomes of the address is not known. */
static bool is_taken(struct verify_moves *moves, const struct verify_code_section *section,
                     const struct address *address)
{
    if (!section)
        return true;
    struct verify_field_in_code field = {section, address->field_rva - section->rva, address->nbytes,
                                         FIELD_ABSOLUTE, 0};
    struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
    moves->looked_at_count++;
    return !uses.is_operand || !uses.is_unanimous || (uses.uses & USE_ADDRESS);
}

bool verify_relocated_address(struct verify_moves *moves, const struct verify_relocation *relocation,
                              const struct verify_piece *piece)
{
    const struct verify_image *image = &moves->judged->old_image;
    unsigned nbytes = verify_relocation_width(relocation->type);
    uint64_t va;
    if (!verify_read_at(image, relocation->rva, nbytes, &va))
        return verify_moves_unproved(moves, relocation->rva, "The relocated field at RVA 0x%X has no bytes.",
                                     (unsigned)relocation->rva);
    struct address address = {relocation->rva, nbytes, va - image->base_va, MEANING_SURE, 0};
    if (nbytes == 4)
        address.rva &= UINT32_MAX;
    const struct verify_code_section *section = verify_code_at(&moves->code, relocation->rva);
    bool is_in_headers = address.rva < moves->map.pieces[0].rva && !moves->map.moves_code;
    if (is_in_headers && address.rva < image->headers_nbytes && is_taken(moves, section, &address))
        moves->header_pointer_rva = relocation->rva;
    if (is_in_headers && section && verify_array_may_be_far(moves, address.rva)) {
        if (!judge_in_headers(moves, section, &address))
            return false;
    } else if (is_in_headers)
        address.delta = 0;
    else if (!section || piece->is_data_run ||
             (nbytes == 4 && is_in_table(section, relocation->rva - section->rva)))
        address.meaning = verify_handed_meaning(moves, address.rva, relocation->rva, &address.delta);
    else if (!judge_in_code(moves, section, &address))
        return false;
    if (address.meaning == MEANING_OPEN)
        return verify_moves_unproved(moves, relocation->rva,
                                     "The relocated address at RVA 0x%X leads to RVA 0x%llX; it is not shown "
                                     "which of the parts that moved apart it means.",
                                     (unsigned)relocation->rva, (unsigned long long)address.rva);
    moves->relocation_count++;
    if (!verify_moves_field(moves, relocation->rva, nbytes, va + (uint64_t)address.delta,
                            "a relocated address"))
        return false;
    if (address.meaning == MEANING_INFERRED)
        verify_moves_inferred(moves);
    return true;
}
