/* address_uses.c - following an address through registers, along all paths.
 * Each instruction is looked at with the registers that may hold the address before it, and again when there
 * are more of them. Must not: follow what was computed from the address. */
#include "code/address_uses_internal.h"
#include "code/index_range.h"

enum { STEPS_TO_BEGIN = 256 };

enum { RAX = 0, RSI = 6, RDI = 7 };

/* RCX, RDX, R8, R9; ECX and EDX of fast calls are among them. */
#define ARGUMENT_REGISTERS UINT32_C(0x0306)
/* RAX, RCX, RDX, R8 to R11. */
#define VOLATILE_REGISTERS UINT32_C(0x0F07)

void follower_give_up(struct follower *follower)
{
    follower->is_given_up = true;
}

static void arrive(struct follower *follower, uint32_t rva, uint32_t held)
{
    uint32_t slot = rva * UINT32_C(2654435761) >> 20;
    if (held == 0)
        return;
    while (follower->hash[slot] != 0 && follower->visits[follower->hash[slot] - 1].rva != rva)
        slot = (slot + 1) % HASH_COUNT;
    if (follower->hash[slot] == 0) {
        if (follower->visit_count == MOST_INSTRUCTIONS) {
            follower_give_up(follower);
            return;
        }
        follower->visits[follower->visit_count] = (struct visit){.rva = rva};
        follower->hash[slot] = (uint16_t)++follower->visit_count;
    }
    uint32_t index = follower->hash[slot] - 1U;
    struct visit *visit = &follower->visits[index];
    if ((held & ~visit->held) == 0)
        return;
    visit->held |= held;
    if (!visit->is_waiting)
        follower->waiting[follower->waiting_count++] = index;
    visit->is_waiting = true;
}

bool follower_decode(const struct follower *follower, uint32_t rva, struct instruction *instruction)
{
    const struct code_section *section = code_section_at(follower->code, rva);
    if (!section || section->classes[rva - section->rva] != BYTE_INSTRUCTION)
        return false;
    const uint8_t *bytes = follower->image->file.bytes + follower->image->sections[section->section].raw_foff;
    return decode(follower->decoder, bytes + (rva - section->rva), section->nbytes - (rva - section->rva),
                  rva, instruction);
}

void follower_access(struct follower *follower, int64_t first, unsigned nbytes)
{
    int64_t end = first + (nbytes == 0 ? 1 : (int64_t)nbytes) + follower->origin_high;
    first += follower->origin_low;
    if (!follower->has_access || first < follower->uses.first)
        follower->uses.first = first;
    if (!follower->has_access || end > follower->uses.end)
        follower->uses.end = end;
    follower->has_access = true;
}

/* movs, cmps, stos, lods, scas: they begin at the address and go on upward. */
static uint32_t string_registers(const struct instruction *instruction)
{
    if (!instruction->is_one_byte_map)
        return 0;
    switch (instruction->opcode) {
    case 0xA4:
    case 0xA5:
    case 0xA6:
    case 0xA7:
        return 1U << RSI | 1U << RDI;
    case 0xAC:
    case 0xAD:
        return 1U << RSI;
    case 0xAA:
    case 0xAB:
    case 0xAE:
    case 0xAF:
        return 1U << RDI;
    default:
        return 0;
    }
}

/* On the way from the origin to the instruction, and not only on another. */
static bool holds_from_origin(const struct follower *follower, const struct instruction *instruction,
                              const struct register_bounds *bounds)
{
    bool passes_origin = bounds->begin_rva <= follower->origin_rva && follower->origin_rva < instruction->rva;
    return !bounds->is_joined || passes_origin;
}

/* A memory operand of two registers, one of which holds the address. */
static bool take_indexed(struct follower *follower, const struct instruction *instruction,
                         const struct memory_operand *memory, uint32_t held)
{
    struct register_bounds bounds;
    bool is_base = memory->base != NO_REGISTER && (held >> memory->base & 1);
    bool is_index = memory->index != NO_REGISTER && (held >> memory->index & 1);
    uint8_t other = is_base ? memory->index : memory->base;
    int64_t scale = is_base ? instruction->scale : 1;
    if (!follower->joins || memory->access == ACCESS_ADDRESS || is_base == is_index ||
        (is_index && instruction->scale != 1) || other == NO_REGISTER ||
        !register_bounds_find(follower->image, follower->code, follower->decoder, follower->joins,
                              instruction->rva, other, &bounds) ||
        !holds_from_origin(follower, instruction, &bounds))
        return false;
    follower->uses.is_written |= memory->access == ACCESS_WRITE || memory->access == ACCESS_READ_WRITE;
    follower_access(follower, instruction->disp + bounds.low * scale,
                    (unsigned)((bounds.high - bounds.low) * scale) + (memory->nbytes ? memory->nbytes : 1U));
    return true;
}

/* The memory operand of the instruction, with the address in its base register. False: it is no plain access.
 */
static bool take_memory(struct follower *follower, const struct instruction *instruction, uint32_t held)
{
    struct memory_operand memory;
    if (!instruction->is_legacy || !decode_memory(follower->decoder, &memory))
        return false;
    if (memory.index != NO_REGISTER)
        return take_indexed(follower, instruction, &memory, held);
    if (memory.access == ACCESS_ADDRESS || memory.base == NO_REGISTER || !(held >> memory.base & 1))
        return false;
    follower->uses.is_written |= memory.access == ACCESS_WRITE || memory.access == ACCESS_READ_WRITE;
    follower_access(follower, instruction->disp, memory.nbytes);
    return true;
}

static bool is_test(const struct instruction *instruction)
{
    return instruction->is_one_byte_map && (instruction->opcode == 0x84 || instruction->opcode == 0x85);
}

/* The same for what is computed from the address as well. */
static uint32_t spread(struct follower *follower, const struct instruction *instruction, uint32_t held)
{
    struct register_sets use;
    struct instruction_effects effects;
    struct memory_operand memory;
    uint32_t strings = string_registers(instruction) & held &
                       ~(instruction->opcode >= 0xAA && instruction->opcode <= 0xAB ? 1U << RDI : 0U);
    if (instruction->operation == OP_NOP)
        return held;
    if (!decode_registers(follower->decoder, &use) || !decode_effects(follower->decoder, &effects))
        return follower_give_up(follower), 0;
    bool reads = (use.addresses & held) != 0 && decode_memory(follower->decoder, &memory) &&
                 (memory.access == ACCESS_READ || memory.access == ACCESS_READ_WRITE ||
                  (follower->is_loaded && memory.access == ACCESS_WRITE));
    if (reads || strings != 0) {
        follower->is_read = true;
        return follower_give_up(follower), 0;
    }
    uint32_t after = held & ~effects.overwritten;
    for (int i = 0; i < 2; i++)
        if (held & effects.moved_from[i])
            after |= effects.moved_to[i];
    if (effects.computes_with & held)
        after |= use.changes & ~(1U << STACK_REGISTER);
    return after;
}

/* What the instruction does with the registers that hold the address; those that do behind it. */
static uint32_t step(struct follower *follower, const struct instruction *instruction, uint32_t held)
{
    struct register_sets use;
    struct instruction_effects effects;
    uint32_t strings = string_registers(instruction) & held;
    if (instruction->operation == OP_NOP)
        return held;
    if (!decode_registers(follower->decoder, &use) || !decode_effects(follower->decoder, &effects)) {
        follower_give_up(follower);
        return 0;
    }
    if (strings != 0) {
        bool is_read =
            instruction->opcode >= 0xA6 && (instruction->opcode < 0xAA || instruction->opcode > 0xAB);
        follower->uses.is_written |= !is_read && (strings >> RDI & 1);
        follower_access(follower, 0, 1);
        return follower->joins ? 0 : held & ~strings & ~effects.overwritten;
    }
    if ((use.addresses & held) != 0) {
        if (!take_memory(follower, instruction, held))
            follower_give_up(follower);
        if (follower->is_given_up || follower->joins)
            return 0;
    }
    uint32_t read = use.reads & held;
    if ((effects.computes_with & held) != 0) {
        follower_give_up(follower);
        return 0;
    }
    if (read != 0 && instruction->operation == OP_CMP) {
        follower->uses.is_compared = true;
        return held;
    }
    uint32_t after = held & ~effects.overwritten, moved = 0;
    for (int i = 0; i < 2; i++)
        if (held & effects.moved_from[i]) {
            after |= effects.moved_to[i];
            moved |= effects.moved_from[i];
        }
    if ((read & ~moved) != 0 && !is_test(instruction))
        follower->is_lost = true; /* pushed, stored, called */
    return after;
}

static void go_on(struct follower *follower, const struct instruction *instruction, uint32_t held)
{
    uint32_t next = instruction_end_rva(instruction);
    switch ((enum flow)instruction->flow) {
    case FLOW_CALL:
    case FLOW_CALL_INDIRECT:
        follower->is_lost |= (held & ARGUMENT_REGISTERS) != 0;
        held &= ~VOLATILE_REGISTERS;
        break;
    case FLOW_BRANCH:
        if (instruction->target_fits)
            arrive(follower, instruction->target_rva, held);
        break;
    case FLOW_JUMP:
        if (instruction->target_fits)
            arrive(follower, instruction->target_rva, held);
        return;
    case FLOW_JUMP_INDIRECT:
        follower->is_lost = true;
        if (instruction->index != NO_REGISTER || instruction->has_register_operand)
            follower_give_up(follower); /* a switch: where it leads is not followed */
        return;
    case FLOW_RETURN:
        follower->is_lost |= (held >> RAX & 1) != 0;
        follower->is_kept = true;
        return;
    case FLOW_STOP:
        return;
    case FLOW_BREAK:
    case FLOW_NEXT:
        break;
    }
    arrive(follower, next, held);
}

/* From the instruction around site_rva on. False when there is none, or too much was looked at before. */
static bool follow(struct follower *follower, uint32_t site_rva)
{
    struct instruction instruction;
    follower->origin_rva = code_instruction_begin(follower->code, site_rva);
    if (*follower->steps_left < STEPS_TO_BEGIN ||
        !follower_decode(follower, follower->origin_rva, &instruction))
        return false;
    *follower->steps_left -= STEPS_TO_BEGIN;
    uint32_t next_rva = instruction_end_rva(&instruction);
    uint32_t held = follower_take_origin(follower, &instruction, site_rva);
    arrive(follower, follower_add_constants(follower, next_rva, held), held);
    while (follower->waiting_count != 0 && !follower->is_given_up) {
        struct visit *visit = &follower->visits[follower->waiting[--follower->waiting_count]];
        visit->is_waiting = false;
        if (*follower->steps_left == 0 || !follower_decode(follower, visit->rva, &instruction)) {
            follower_give_up(follower);
            break;
        }
        --*follower->steps_left;
        held = follower->spreads ? spread(follower, &instruction, visit->held)
                                 : step(follower, &instruction, visit->held);
        go_on(follower, &instruction, held);
    }
    return !follower->is_given_up;
}

struct address_uses address_uses_follow(const struct image *image, const struct code_map *code,
                                        struct decoder *decoder, uint32_t site_rva, uint64_t *steps_left)
{
    struct follower follower = {
        .image = image, .code = code, .decoder = decoder, .steps_left = steps_left, .uses = {0}};
    if (!follow(&follower, site_rva))
        return (struct address_uses){0};
    follower.uses.is_as_is = !follower.uses.is_compared;
    follower.uses.is_never_accessed = !follower.is_lost && !follower.is_kept && !follower.has_access;
    follower.uses.is_decided = follower.uses.is_as_is && !follower.is_lost && follower.has_access;
    return follower.uses;
}

bool address_is_read_through(const struct image *image, const struct code_map *code, struct decoder *decoder,
                             uint32_t site_rva, uint64_t *steps_left)
{
    struct follower follower = {.image = image,
                                .code = code,
                                .decoder = decoder,
                                .steps_left = steps_left,
                                .spreads = true,
                                .uses = {0}};
    (void)follow(&follower, site_rva);
    return follower.is_read;
}

bool address_loaded_is_accessed(const struct image *image, const struct code_map *code,
                                struct decoder *decoder, uint32_t site_rva, uint64_t *steps_left)
{
    struct follower follower = {.image = image,
                                .code = code,
                                .decoder = decoder,
                                .steps_left = steps_left,
                                .spreads = true,
                                .is_loaded = true,
                                .uses = {0}};
    (void)follow(&follower, site_rva);
    return follower.is_read;
}

bool address_first_accesses(const struct image *image, const struct code_map *code, struct decoder *decoder,
                            const struct site_set *joins, uint32_t site_rva, uint64_t *steps_left,
                            int64_t *first, int64_t *end)
{
    struct follower follower = {.image = image,
                                .code = code,
                                .decoder = decoder,
                                .steps_left = steps_left,
                                .joins = joins,
                                .uses = {0}};
    bool is_followed = follow(&follower, site_rva);
    *first = follower.uses.first;
    *end = follower.uses.end;
    return is_followed && follower.has_access;
}
