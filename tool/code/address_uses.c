/* address_uses.c - following an address through registers, along all paths.
 * Takes: the field that holds it.  Gives: what is done with it.  Must not: look at more instructions than the
 * caller's steps allow, or call uses decided when one of them was out of sight.
 *
 * Each instruction is looked at with the registers that may hold the address before it, and again when there
 * are more of them. */
#include "code/address_uses_internal.h"

enum { STEPS_TO_BEGIN = 256, RAX = 0 };

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
        held = follower->spreads ? follower_spread(follower, &instruction, visit->held)
                                 : follower_step(follower, &instruction, visit->held);
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
