/* base_uses_apply.c - what one instruction does to the image base in registers.
 * Takes: an instruction and what registers hold before it.  Gives: what they hold behind it, and each use.
 * Must not: decide what a use means, or where execution goes on. */
#include "code/base_uses_internal.h"

/* The register goes to memory, to another function, or into arithmetic that is not understood. */
static void lose(struct base_follower *follower, const struct base_held *held, uint32_t rva,
                 const char *what_base)
{
    if (base_is_held(held))
        base_escapes(follower, rva, what_base);
    else if (held->kind == HELD_TARGET)
        base_escapes(follower, rva,
                     "uses the sum of the image base and a table entry otherwise than for a jump");
}

static uint16_t held_bits(const struct base_state *state)
{
    uint16_t bits = 0;
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if (base_is_held(&state->registers[i]) || state->registers[i].kind == HELD_TARGET)
            bits |= (uint16_t)(1U << i);
    return bits;
}

/* [base + index * scale + displacement]: what is added to the base must be an RVA behind the headers. */
static bool use_memory(struct base_follower *follower, const struct instruction *instruction,
                       struct base_state *state)
{
    uint8_t base = instruction->base, index = instruction->index;
    bool by_base = base != NO_REGISTER && base_is_held(&state->registers[base]);
    bool by_index = index != NO_REGISTER && base_is_held(&state->registers[index]);
    if (base != NO_REGISTER && state->registers[base].kind == HELD_TARGET)
        lose(follower, &state->registers[base], instruction->rva, "");
    if (index != NO_REGISTER && state->registers[index].kind == HELD_TARGET)
        lose(follower, &state->registers[index], instruction->rva, "");
    if (!by_base && !by_index)
        return true;
    if ((by_base && by_index) || (by_index && instruction->scale != 1)) {
        base_escapes(follower, instruction->rva, "multiplies the image base");
        return true;
    }
    if (index == NO_REGISTER && instruction->operation != OP_LEA && instruction->disp >= 0 &&
        instruction->disp < (int64_t)follower->image->headers_nbytes) {
        base_reads_headers(follower, instruction->rva, "reads headers through the image base");
        return true;
    }
    if (instruction->disp_nbytes != 4 || instruction->disp < (int64_t)follower->image->headers_nbytes ||
        instruction->disp >= (int64_t)follower->image->image_nbytes) {
        base_escapes(follower, instruction->rva,
                     "reads headers through the image base, or adds something to it that is not known");
        return true;
    }
    struct base_held *held = &state->registers[by_base ? base : index];
    struct base_use use = {instruction->rva, instruction->rva + instruction->disp_offset,
                           (uint32_t)instruction->disp, held->kind != HELD_MIXED};
    if (held->kind == HELD_BASE)
        held->kind = HELD_USED_BASE;
    return follower->take(follower->context, &use);
}

static bool is_register_form(const struct instruction *instruction)
{
    return instruction->has_modrm && instruction->is_legacy && instruction->has_register_operand &&
           instruction->is_one_byte_map;
}

/* mov and add between registers; *destination and *source. False for other instructions. */
static bool register_pair(const struct instruction *instruction, uint8_t *destination, uint8_t *source)
{
    if (!is_register_form(instruction))
        return false;
    switch (instruction->opcode) {
    case 0x89: /* mov rm, reg */
    case 0x01: /* add rm, reg */
        *destination = instruction->rm;
        *source = instruction->reg;
        return true;
    case 0x8B: /* mov reg, rm */
    case 0x03: /* add reg, rm */
    case 0x63: /* movsxd reg, rm */
        *destination = instruction->reg;
        *source = instruction->rm;
        return true;
    default:
        return false;
    }
}

static struct base_held sum_of(struct base_follower *follower, uint32_t rva, const struct base_held *a,
                               const struct base_held *b)
{
    if (base_is_held(a) && b->kind == HELD_ENTRY)
        return (struct base_held){HELD_TARGET, b->table_rva};
    if (base_is_held(b) && a->kind == HELD_ENTRY)
        return (struct base_held){HELD_TARGET, a->table_rva};
    lose(follower, a, rva, "adds something to the image base that is not known");
    lose(follower, b, rva, "adds something to the image base that is not known");
    return (struct base_held){HELD_OTHER, 0};
}

/* An element of a jump table that is loaded: [base + i * 4 + table]. */
static bool loads_entry(const struct base_follower *follower, const struct instruction *instruction,
                        const struct base_state *state, struct base_held *held)
{
    bool is_load = (instruction->operation == OP_MOV && instruction->opcode == 0x8B) ||
                   instruction->operation == OP_MOVSXD;
    bool by_base = (instruction->base != NO_REGISTER && base_is_held(&state->registers[instruction->base])) ||
                   (instruction->index != NO_REGISTER && base_is_held(&state->registers[instruction->index]));
    if (!is_load || !by_base || instruction->has_register_operand)
        return false;
    const struct extent *table = base_jump_table_at(follower, (uint32_t)instruction->disp);
    if (!table)
        return false;
    *held = (struct base_held){HELD_ENTRY, table->rva};
    return true;
}

/* Registers of which the old value does not matter, though the operands look like it: those that are cleared
 * by themselves, and those whose low byte is set, which leaves no address. */
static uint16_t replaced_registers(const struct instruction *instruction)
{
    if (!is_register_form(instruction))
        return 0;
    bool is_same = instruction->reg == instruction->rm;
    switch (instruction->opcode) {
    case 0x29: /* sub */
    case 0x2B:
    case 0x31: /* xor */
    case 0x33:
        return (uint16_t)(is_same ? 1U << instruction->reg : 0);
    case 0x88: /* mov of a byte; 4 to 7 may be AH to BH */
        return (uint16_t)(!is_same && instruction->rm < 4 && instruction->reg < 4 ? 1U << instruction->rm
                                                                                  : 0);
    case 0x8A:
        return (uint16_t)(!is_same && instruction->rm < 4 && instruction->reg < 4 ? 1U << instruction->reg
                                                                                  : 0);
    default:
        return 0;
    }
}

/* Applies the instruction to the state. */
bool base_apply(struct base_follower *follower, const struct instruction *instruction,
                struct base_state *state)
{
    struct register_sets use;
    uint8_t destination, source;
    uint32_t rva = instruction->rva;
    struct base_held entry;
    if (instruction->operation == OP_NOP)
        return true;
    if (!decode_registers(follower->decoder, &use)) {
        base_escapes(follower, rva, "cannot be decoded wholly");
        return true;
    }
    bool is_entry = loads_entry(follower, instruction, state, &entry);
    if (!instruction->is_rip_relative && instruction->has_modrm && !instruction->has_register_operand) {
        if (!instruction->is_legacy && (use.addresses & held_bits(state)) != 0)
            base_escapes(follower, rva, "uses the image base in a way that is not followed");
        if (!use_memory(follower, instruction, state))
            return false;
    } else if ((use.addresses & held_bits(state)) != 0) {
        base_escapes(follower, rva, "uses the image base in a way that is not followed");
    }
    bool is_pair = register_pair(instruction, &destination, &source);
    if (is_pair && instruction->operation == OP_ADD) {
        state->registers[destination] =
            sum_of(follower, rva, &state->registers[destination], &state->registers[source]);
        return true;
    }
    if (is_pair) {
        struct base_held copied = state->registers[source];
        if (base_is_held(&copied))
            copied.kind = HELD_BASE; /* copied for a purpose */
        state->registers[destination] = copied;
        return true;
    }
    /* mov cl, al: what is left of an address is none. */
    bool is_byte_move = is_register_form(instruction) && instruction->opcode == 0x8A &&
                        instruction->operation == OP_MOV && (instruction->reg < 4 || instruction->reg > 7) &&
                        instruction->rm < 4 && !base_is_held(&state->registers[instruction->rm]);
    if (is_byte_move) {
        state->registers[instruction->reg] = (struct base_held){HELD_OTHER, 0};
        return true;
    }
    uint16_t replaced = replaced_registers(instruction);
    bool is_jump = instruction->flow == FLOW_JUMP_INDIRECT || instruction->flow == FLOW_CALL_INDIRECT;
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if ((use.reads & ~replaced) >> i & 1 && !(is_jump && state->registers[i].kind == HELD_TARGET))
            lose(follower, &state->registers[i], rva,
                 "stores, passes, compares or computes with the image base");
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if ((use.writes | replaced) >> i & 1)
            state->registers[i] = (struct base_held){HELD_OTHER, 0};
    if (is_entry)
        state->registers[instruction->reg] = entry;
    return true;
}
