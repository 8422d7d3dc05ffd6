/* verify_around_head.c - the criteria of verify_around_head.h.
 * Takes: the map, an operand.  Gives: whether a list's head may be meant.  Must not: follow branches, or more
 * than a fixed number of instructions. */
#include "verify/verify_around_head.h"
#include "verify/verify_holders.h"
#include "verify/verify_registers.h"
#include "verify/verify_relocations.h"
#include "verify/verify_text_literal.h"

enum {
    STRUCTURE_MAX_NBYTES = 0x1000,
    JUMP_REACH_NBYTES = 0x400,
    LABEL_REACH_NBYTES = 0x80,
    AHEAD_COUNT = 24,
    IMPORT_JUMP_NBYTES = 2
};

bool verify_has_head_behind(const struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *own = verify_piece_at(&moves->map, rva);
    if (!own) /* behind the end of a part */
        own = verify_piece_before(&moves->map, rva);
    if (!moves->map.moves_apart || !own || own->is_slots || own->is_table ||
        rva % (moves->judged->old_image.is_64 ? 8 : 4) != 0)
        return false;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        bool is_variable = (piece->is_data_run || !piece->is_code) && !piece->is_slots && !piece->is_table &&
                           (piece->section->characteristics & SCN_MEM_WRITE);
        if (is_variable && piece->delta != own->delta && piece->end_rva > rva &&
            piece->rva < rva + STRUCTURE_MAX_NBYTES)
            return true;
    }
    return false;
}

/* call rel32 to jmp [slot] */
static bool calls_import(const struct verify_moves *moves, const struct verify_code_section *section,
                         size_t at, const struct verify_full *full)
{
    const uint8_t jump[IMPORT_JUMP_NBYTES] = {0xFF, 0x25};
    int64_t target = (int64_t)(section->rva + at) + full->decoded.length + full->operands[0].imm.value.s;
    struct span bytes = target < 0 || target > UINT32_MAX
                            ? (struct span){NULL, 0}
                            : verify_bytes_at(&moves->judged->old_image, (uint32_t)target);
    return bytes.nbytes >= sizeof jump && memcmp(bytes.bytes, jump, sizeof jump) == 0;
}

/* mov [base + disp], an address of code */
static bool stores_function(struct verify_moves *moves, const struct verify_full *full)
{
    const struct verify_image *image = &moves->judged->old_image;
    return full->decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
           full->operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY &&
           full->operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
           verify_begins_instruction(&moves->code,
                                     (full->operands[1].imm.value.u & UINT32_MAX) - image->base_va);
}

/* Structures of callbacks on the stack are filled in one go. */
static bool has_function_beside(struct verify_moves *moves, const struct verify_code_section *section,
                                size_t at, size_t nbytes)
{
    struct verify_full full;
    struct verify_function *function = verify_function_at(&moves->code, (uint32_t)(section->rva + at));
    if (function)
        verify_function_is_clean(&moves->code, function); /* it marks where instructions begin */
    if (verify_decode_full(&moves->code, section, at + nbytes, &full) && stores_function(moves, &full))
        return true;
    for (size_t back = 1; back <= INSTRUCTION_MAX_NBYTES && back <= at; back++)
        if (verify_bit(section->starts, at - back))
            return verify_decode_full(&moves->code, section, at - back, &full) &&
                   full.decoded.length == back && stores_function(moves, &full);
    return false;
}

static bool is_in_object(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.base != ZYDIS_REGISTER_NONE &&
           operand->mem.base != ZYDIS_REGISTER_RIP && !verify_is_frame_slot(operand);
}

/* What follows stores it into an object, or calls what is out of sight. */
static bool is_used_as_function(const struct verify_moves *moves, const struct verify_code_section *section,
                                size_t at)
{
    struct verify_full full;
    for (unsigned i = 0; i < AHEAD_COUNT; i++, at += full.decoded.length) {
        if (!verify_decode_full(&moves->code, section, at, &full))
            return false;
        moves->judged->verdict->step_count++;
        if (full.decoded.meta.category == ZYDIS_CATEGORY_CALL)
            return full.operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
                   calls_import(moves, section, at, &full);
        if (full.decoded.mnemonic == ZYDIS_MNEMONIC_MOV && is_in_object(&full.operands[0]) &&
            full.operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER)
            return true;
        if (!verify_falls_through(&full))
            return false;
    }
    return false;
}

/* A jump leads across the place: a function goes on there. */
static bool is_inside(struct verify_moves *moves, const struct verify_code_section *section, size_t at)
{
    struct verify_instruction instruction;
    struct verify_function *function = verify_function_at(&moves->code, (uint32_t)(section->rva + at));
    if (!function ||
        !verify_function_is_clean(&moves->code, function)) /* it marks where instructions begin */
        return false;
    size_t begin = function->rva - section->rva, end = function->end_rva - section->rva;
    size_t first = at - begin > JUMP_REACH_NBYTES ? at - JUMP_REACH_NBYTES : begin;
    size_t last = end - at > JUMP_REACH_NBYTES ? at + JUMP_REACH_NBYTES : end;
    if (moves->budget_count < last - first)
        return true;
    moves->budget_count -= (uint32_t)(last - first);
    for (size_t from = first; from < last; from++) {
        if (!verify_bit(section->starts, from) ||
            !verify_code_decode(&moves->code, section, from, &instruction) || !instruction.has_target ||
            instruction.flow == FLOW_CALL)
            continue;
        int64_t to = (int64_t)from + instruction.target;
        if (from < at ? to > (int64_t)at && to < (int64_t)last : to < (int64_t)at && to >= (int64_t)first)
            return true;
    }
    return false;
}

bool verify_is_ahead(struct verify_moves *moves, uint64_t field_rva, uint64_t rva)
{
    return rva > field_rva && rva - field_rva <= LABEL_REACH_NBYTES &&
           verify_function_at(&moves->code, (uint32_t)field_rva) ==
               verify_function_at(&moves->code, (uint32_t)rva);
}

/* Data hold the address: a table of functions, or of cases. On x86 the field that is judged is a relocated
 * one itself. */
static bool is_in_data(struct verify_moves *moves, uint64_t rva)
{
    const struct verify_image *image = &moves->judged->old_image;
    const struct verify_code_section *section = verify_code_at(&moves->code, rva);
    if (image->is_64)
        return verify_bit(section->pointed, (size_t)(rva - section->rva));
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        uint64_t va;
        if (moves->budget_count == 0)
            return true;
        moves->budget_count--;
        if (!verify_read_at(image, relocation.rva, 4, &va) || (uint32_t)(va - image->base_va) != rva)
            continue;
        const struct verify_piece *site = verify_piece_at(&moves->map, relocation.rva);
        if (site && !site->is_code)
            return true;
    }
    return false;
}

/* The begin of a function that has another reason to be there, or of a case of a switch; or among constants,
 * where no text begins. */
static bool may_be_met_by_chance(struct verify_moves *moves, uint64_t rva)
{
    const struct verify_piece *own = verify_piece_at(&moves->map, rva);
    const struct verify_code_section *section = verify_code_at(&moves->code, rva);
    size_t at = section ? (size_t)(rva - section->rva) : 0;
    /* Fill, or nothing at all. */
    if (!own || (own->is_code && section && at < section->bytes.nbytes && section->bytes.bytes[at] == 0xCC))
        return true;
    uint8_t before = 0xCC;
    verify_memory_byte(&moves->judged->old_image, rva - 1, &before);
    if ((before == 0 || before == 0xCC) &&
        verify_text_nbytes(&moves->judged->old_image, rva, &moves->judged->verdict->step_count) != 0)
        return false;
    if (own->is_code)
        return section &&
               (verify_bit(section->called, at) || is_inside(moves, section, at) || is_in_data(moves, rva));
    return !(own->section->characteristics & SCN_MEM_WRITE);
}

bool verify_may_be_around_head(struct verify_moves *moves, const struct verify_field_in_code *field,
                               size_t operand_at, uint64_t rva)
{
    const struct verify_code_section *section = field->section;
    struct verify_full full;
    if (!verify_has_head_behind(moves, rva) || verify_is_ahead(moves, section->rva + field->at, rva) ||
        !may_be_met_by_chance(moves, rva) || !verify_decode_full(&moves->code, section, operand_at, &full))
        return false;
    if (full.decoded.mnemonic == ZYDIS_MNEMONIC_CMP)
        return true;
    if (full.operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY)
        return !is_in_object(&full.operands[0]) &&
               !has_function_beside(moves, section, operand_at, full.decoded.length);
    return !is_used_as_function(moves, section, operand_at + full.decoded.length);
}
