/* section_writes_follow.c - what happens to the address of a function after code has taken it.
 * Takes: the instruction that takes the address.  Gives: a counter-example when the code behind it writes
 * through the address or computes another one from it.  Must not: call the address harmless because it was
 * lost from sight: what is passed to a call, stored in memory, or carried over an indirect jump is taken for
 * a pointer to call (docs/ASSUMPTIONS.md). Follows one path of at most FOLLOWED_INSTRUCTIONS: straight on at
 * conditional branches, along direct jumps. */
#include "code/section_writes_internal.h"

#include <inttypes.h>

enum { FOLLOWED_INSTRUCTIONS = 64 };

/* RAX, RCX, RDX, R8 to R11: what a callee may change, on x64 and, for the first three, on x86. */
#define VOLATILE_REGISTERS UINT32_C(0x0F07)

static const struct code_section *decoded_at(const struct judge *judge, uint32_t rva)
{
    return code_class_at(judge->code, rva) == BYTE_INSTRUCTION ? code_section_at(judge->code, rva) : NULL;
}

bool judge_decode(const struct judge *judge, uint32_t rva, struct instruction *instruction)
{
    const struct code_section *section = decoded_at(judge, rva);
    struct span bytes;
    return section && image_bytes_at_rva(judge->image, section->rva, section->nbytes, &bytes) &&
           decode(judge->decoder, bytes.bytes + (rva - section->rva), section->nbytes - (rva - section->rva),
                  rva, instruction);
}

/* Where the address is, as far as it is followed. */
struct whereabouts {
    uint32_t held;   /* registers, one bit each */
    bool was_pushed; /* what comes from the stack may be the address */
};

static void move_on(const struct instruction *instruction, const struct instruction_effects *effects,
                    struct whereabouts *address)
{
    uint32_t after = address->held & ~effects->overwritten;
    for (int i = 0; i < 2; i++)
        if (address->held & effects->moved_from[i])
            after |= effects->moved_to[i];
    if (address->was_pushed)
        after |= effects->popped;
    if (address->held & effects->pushed)
        address->was_pushed = true;
    bool is_call = instruction->flow == FLOW_CALL || instruction->flow == FLOW_CALL_INDIRECT;
    address->held = is_call ? after & ~VOLATILE_REGISTERS : after;
}

/* The instruction at rva makes the address more than something to call. */
static void report_use(struct judge *judge, uint32_t taken_rva, uint32_t target_rva, uint32_t rva)
{
    uint32_t foff;
    judge_found(judge, rva, image_rva_to_foff(judge->image, rva, 1, &foff) ? foff : (uint64_t)NO_FILE_OFFSET,
                arena_printf(judge->arena,
                             "Section %s may have to stay writable: the code at RVA 0x%" PRIX32
                             " takes the address of RVA 0x%" PRIX32
                             " in it, and the instruction at RVA 0x%" PRIX32 " writes or computes with it.",
                             judge->section->name, taken_rva, target_rva, rva),
                "Do not change code at run time; keep variables out of this section.");
}

void judge_follow(struct judge *judge, uint32_t taken_rva, uint32_t target_rva)
{
    struct instruction instruction;
    struct instruction_effects effects;
    if (judge->found || !judge_decode(judge, taken_rva, &instruction) ||
        !decode_effects(judge->decoder, &effects))
        return;
    /* Where it goes to: mov or lea into a register, else memory or the stack, where it is out of sight. */
    struct whereabouts address = {.held = effects.overwritten};
    if (address.held == 0 && effects.computes_with != 0) { /* added to a register, or taken from it */
        report_use(judge, taken_rva, target_rva, taken_rva);
        return;
    }
    uint32_t rva = instruction_end_rva(&instruction);
    for (int i = 0; i < FOLLOWED_INSTRUCTIONS && (address.held != 0 || address.was_pushed) &&
                    judge_decode(judge, rva, &instruction);
         i++) {
        if (!decode_effects(judge->decoder, &effects) ||
            (address.held & (effects.stores_through | effects.computes_with))) {
            report_use(judge, taken_rva, target_rva, rva);
            return;
        }
        move_on(&instruction, &effects, &address);
        if (flow_ends(instruction.flow) && (instruction.flow != FLOW_JUMP || !instruction.target_fits))
            return;
        rva = instruction.flow == FLOW_JUMP ? instruction.target_rva : instruction_end_rva(&instruction);
    }
}
