/* base_uses.c - following the image base through registers.
 * Each instruction keeps one state, what every register may hold before it; states only grow, and an
 * instruction is looked at again when its state has grown. All of it is capped by a number of steps. */
#include "code/base_uses_internal.h"

#include <stdlib.h>

enum { MOST_STEPS_PER_BYTE = 16, RAX = 0, RCX = 1, RDX = 2, R8 = 8, R9 = 9 };

#define ARGUMENT_REGISTERS (1U << RCX | 1U << RDX | 1U << R8 | 1U << R9)
#define VOLATILE_REGISTERS UINT32_C(0x0F07)

void base_escapes(struct base_follower *follower, uint32_t rva, const char *what)
{
    if (follower->escape->rva == NO_RVA || follower->escape->reads_headers)
        *follower->escape = (struct base_escape){rva, what, false};
}

void base_reads_headers(struct base_follower *follower, uint32_t rva, const char *what)
{
    if (follower->escape->rva == NO_RVA)
        *follower->escape = (struct base_escape){rva, what, true};
}

static bool is_done(const struct base_follower *follower)
{
    return follower->stopped;
}

static bool push(struct base_follower *follower, uint32_t rva)
{
    uint32_t *work = arena_grow(follower->arena, follower->work, follower->work_count,
                                &follower->work_capacity, follower->work_count + 1, sizeof *work);
    if (!work)
        return false;
    follower->work = work;
    follower->work[follower->work_count++] = rva;
    return true;
}

/* What a register may hold when it holds `a` on one path and `b` on another. False: the two cannot be one. */
static bool join(const struct base_held *a, const struct base_held *b, struct base_held *both)
{
    if (a->kind == HELD_UNSEEN || b->kind == HELD_UNSEEN) {
        *both = a->kind == HELD_UNSEEN ? *b : *a;
        return true;
    }
    if (a->kind == b->kind && (a->kind < HELD_ENTRY || a->table_rva == b->table_rva)) {
        *both = *a;
        return true;
    }
    if (base_is_held(a) && base_is_held(b)) {
        bool is_mixed = a->kind == HELD_MIXED || b->kind == HELD_MIXED;
        *both = (struct base_held){is_mixed ? HELD_MIXED : HELD_BASE, 0};
        return true;
    }
    const struct base_held *other = a->kind == HELD_OTHER ? b : a;
    bool one_is_other = a->kind == HELD_OTHER || b->kind == HELD_OTHER;
    if (one_is_other) {
        *both = base_is_held(other) ? (struct base_held){HELD_MIXED, 0} : *other;
        if (other->kind == HELD_ENTRY)
            *both = (struct base_held){HELD_OTHER, 0};
        return true;
    }
    *both = (struct base_held){HELD_OTHER, 0};
    return a->kind == HELD_ENTRY && b->kind == HELD_ENTRY;
}

static bool holds_anything(const struct base_state *state)
{
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if (state->registers[i].kind > HELD_UNSEEN)
            return true;
    return false;
}

/* Execution may reach rva with that state. */
static void arrive(struct base_follower *follower, uint32_t rva, const struct base_state *state)
{
    const struct code_section *section = code_section_at(follower->code, rva);
    if (!section || section->classes[rva - section->rva] != BYTE_INSTRUCTION) {
        if (holds_anything(state))
            base_escapes(follower, rva, "is reached with the image base in a register, but is not decoded");
        return;
    }
    uint32_t *number = &follower->state_numbers[section - follower->code->sections][rva - section->rva];
    if (*number == 0) {
        struct base_state *states =
            arena_grow(follower->arena, follower->states, follower->state_count, &follower->state_capacity,
                       follower->state_count + 1, sizeof *states);
        if (!states || !push(follower, rva)) {
            follower->stopped = true;
            return;
        }
        follower->states = states;
        follower->states[follower->state_count++] = *state;
        *number = (uint32_t)follower->state_count;
        return;
    }
    struct base_state *known = &follower->states[*number - 1];
    bool has_grown = false;
    for (unsigned i = 0; i < REGISTER_COUNT; i++) {
        struct base_held both;
        if (!join(&known->registers[i], &state->registers[i], &both)) {
            base_escapes(follower, rva, "is reached with the image base or something else in one register");
            return;
        }
        has_grown |= both.kind != known->registers[i].kind || both.table_rva != known->registers[i].table_rva;
        known->registers[i] = both;
    }
    if (has_grown && !push(follower, rva))
        follower->stopped = true;
}

/* A base that nobody has used and that lies where arguments or results lie is meant for the other side. */
static void leave_function(struct base_follower *follower, const struct base_state *state, uint32_t rva,
                           uint32_t registers, const char *what)
{
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if ((registers >> i & 1) &&
            (state->registers[i].kind == HELD_BASE || state->registers[i].kind == HELD_MIXED))
            base_escapes(follower, rva, what);
}

static void forget_volatile(struct base_state *state)
{
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if (VOLATILE_REGISTERS >> i & 1)
            state->registers[i] = (struct base_held){HELD_OTHER, 0};
}

/* A jump through base + entry: to every label of the table. Registers that are not kept over calls are dead
 * behind it as far as the base is concerned. */
static void follow_table(struct base_follower *follower, uint32_t table_rva, struct base_state *state)
{
    const struct extent *table = base_jump_table_at(follower, table_rva);
    struct span bytes;
    forget_volatile(state);
    if (!holds_anything(state))
        return;
    if (!table || !image_bytes_at_rva(follower->image, table->rva, table->nbytes, &bytes)) {
        base_escapes(follower, table_rva, "is a jump table that is not known");
        return;
    }
    for (uint32_t at = 0; at + 4 <= table->nbytes && !is_done(follower); at += 4)
        arrive(follower, load_u32(bytes.bytes + at), state);
}

static void follow_flow(struct base_follower *follower, const struct instruction *instruction,
                        struct base_state *state)
{
    uint32_t next = instruction_end_rva(instruction), rva = instruction->rva;
    switch ((enum flow)instruction->flow) {
    case FLOW_CALL:
    case FLOW_CALL_INDIRECT:
        leave_function(follower, state, rva, ARGUMENT_REGISTERS, "passes the image base to a function");
        forget_volatile(state);
        break;
    case FLOW_BRANCH:
        if (instruction->target_fits)
            arrive(follower, instruction->target_rva, state);
        break;
    case FLOW_JUMP:
        if (code_function_at(follower->code, instruction->target_rva))
            leave_function(follower, state, rva, ARGUMENT_REGISTERS, "passes the image base to a function");
        if (instruction->target_fits)
            arrive(follower, instruction->target_rva, state);
        return;
    case FLOW_JUMP_INDIRECT:
        if (instruction->has_register_operand && state->registers[instruction->rm].kind == HELD_TARGET)
            follow_table(follower, state->registers[instruction->rm].table_rva, state);
        else
            leave_function(follower, state, rva, ARGUMENT_REGISTERS, "passes the image base to a function");
        return;
    case FLOW_RETURN:
        leave_function(follower, state, rva, 1U << RAX, "returns the image base");
        return;
    case FLOW_STOP:
        return;
    case FLOW_BREAK:
    case FLOW_NEXT:
        break;
    }
    if (holds_anything(state))
        arrive(follower, next, state);
}

static bool step(struct base_follower *follower, uint32_t rva)
{
    const struct code_section *section = code_section_at(follower->code, rva);
    uint32_t at = rva - section->rva;
    struct base_state state =
        follower->states[follower->state_numbers[section - follower->code->sections][at] - 1];
    const uint8_t *bytes = follower->image->file.bytes + follower->image->sections[section->section].raw_foff;
    struct instruction instruction;
    if (follower->steps_left-- == 0) {
        base_escapes(follower, rva, "is reached in too many ways");
        return true;
    }
    if (!decode(follower->decoder, bytes + at, section->nbytes - at, rva, &instruction))
        return true;
    bool is_origin = instruction.operation == OP_LEA && instruction.is_rip_relative &&
                     (int64_t)instruction_end_rva(&instruction) + instruction.disp == 0;
    if (is_origin) {
        state.registers[instruction.reg] = (struct base_held){HELD_BASE, 0};
    } else if (!base_apply(follower, &instruction, &state)) {
        return false;
    }
    follow_flow(follower, &instruction, &state);
    return !follower->stopped;
}

/* Every instruction that forms the base, or touches headers in another way. What the other registers hold
 * there is what the ways from another one say. */
static bool begin_at_origins(struct base_follower *follower)
{
    for (size_t i = 0; i < follower->refs->ref_count && !is_done(follower); i++) {
        const struct ref *ref = &follower->refs->refs[i];
        if (ref->source != SOURCE_CODE || ref->encoding != REF_PCREL || ref->state != REF_HEADERS)
            continue;
        uint32_t begin = code_instruction_begin(follower->code, ref->site_rva);
        if (ref->access != ACCESS_ADDRESS || ref->target != 0) {
            base_reads_headers(follower, begin, "reads the headers, or takes the address of one");
            continue;
        }
        struct base_state unseen;
        for (unsigned r = 0; r < REGISTER_COUNT; r++)
            unseen.registers[r] = (struct base_held){HELD_UNSEEN, 0};
        arrive(follower, begin, &unseen);
    }
    return !follower->stopped;
}

bool base_uses_follow(const struct image *image, const struct refset *refs, const struct code_map *code,
                      struct arena *arena, base_use_fn *take, void *context, struct base_escape *escape)
{
    struct base_follower follower = {.image = image,
                                     .refs = refs,
                                     .code = code,
                                     .arena = arena,
                                     .decoder = decoder_new(arena, image->is_64),
                                     .take = take,
                                     .context = context,
                                     .escape = escape,
                                     .steps_left = MOST_STEPS_PER_BYTE * (uint64_t)image->file.nbytes};
    *escape = (struct base_escape){NO_RVA, NULL, false};
    follower.state_numbers = arena_array(arena, code->section_count, sizeof *follower.state_numbers);
    if (!follower.decoder || !follower.state_numbers ||
        !extent_index_init(&follower.jump_tables, refs, UINT64_C(1) << EXTENT_JUMP_TABLE, arena))
        return false;
    for (size_t s = 0; s < code->section_count; s++) {
        follower.state_numbers[s] = arena_array(arena, code->sections[s].nbytes, sizeof(uint32_t));
        if (!follower.state_numbers[s])
            return false;
    }
    if (!begin_at_origins(&follower))
        return false;
    while (follower.work_count != 0 && !is_done(&follower))
        if (!step(&follower, follower.work[--follower.work_count]))
            return false;
    return true;
}
