/* verify_copies_instruction.c - which x86 instruction has a relocated operand?
 * Takes: the operand's place.  Gives: the instruction, when there is no doubt.
 * Must not: guess: data between code may decode as well. */
#include "verify/verify_operand.h"
#include "verify/verify_repairs.h"

enum { ADDRESS_NBYTES = 4, LONGEST_RUN_NBYTES = 4096, START_MAX_COUNT = 4, FUNCTION_ALIGN_NBYTES = 16 };

/* A call leads here, and it looks like the begin of a function. */
static bool is_function_start(const struct verify_code_section *section, size_t at)
{
    if (!verify_bit(section->called, at))
        return false;
    uint8_t before = at == 0 ? 0xCC : section->bytes.bytes[at - 1];
    return (section->rva + at) % FUNCTION_ALIGN_NBYTES == 0 || before == 0xCC || before == 0x90 ||
           before == 0xC3;
}

/* Decodes one instruction after the other from a function's begin; true when one of them has the operand.
 * What is relocated in between must be an operand as well, so that a table of addresses ends the way. */
static bool runs_to(struct verify_moves *moves, const struct verify_code_section *section, size_t at,
                    size_t field_at, size_t *found_at)
{
    struct verify_instruction instruction;
    while (at < field_at) {
        if (!verify_code_decode(&moves->code, section, at, &instruction) || instruction.is_unlikely)
            return false;
        if (at + instruction.nbytes > field_at) {
            *found_at = at;
            return true;
        }
        at += instruction.nbytes;
    }
    return false;
}

static bool is_reached_from_function(struct verify_moves *moves, const struct verify_code_section *section,
                                     size_t field_at, size_t *found_at)
{
    unsigned start_count = 0;
    for (size_t before = 1;
         before <= field_at && before < LONGEST_RUN_NBYTES && start_count < START_MAX_COUNT; before++) {
        moves->judged->verdict->step_count++;
        if (!is_function_start(section, field_at - before))
            continue;
        start_count++;
        if (runs_to(moves, section, field_at - before, field_at, found_at))
            return true;
    }
    return false;
}

bool verify_copy_instruction(struct verify_moves *moves, const struct verify_code_section *section,
                             size_t field_at, size_t *at, struct verify_instruction *instruction)
{
    struct verify_field_in_code field = {section, field_at, ADDRESS_NBYTES, FIELD_ABSOLUTE, 0};
    struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
    moves->looked_at_count++;
    if (!uses.is_operand)
        return false;
    *at = uses.operand_at;
    if (!uses.is_unanimous &&
        (!is_reached_from_function(moves, section, field_at, at) || *at != uses.operand_at))
        return false;
    return verify_code_decode(&moves->code, section, *at, instruction) && !instruction->is_unlikely &&
           instruction->nbytes > field_at - *at;
}
