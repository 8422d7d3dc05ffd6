/* base_uses.c - following the image base through registers.
 * Each instruction keeps one state, what every register may hold before it; states only grow, and an
 * instruction is looked at again when its state has grown. All of it is capped by a number of steps. */
#include "code/base_uses.h"

#include "code/code_decode.h"
#include "refs/extent_index.h"

#include <stdlib.h>

enum { MOST_STEPS_PER_BYTE = 16, RAX = 0, RCX = 1, RDX = 2, R8 = 8, R9 = 9 };

#define ARGUMENT_REGISTERS (1U << RCX | 1U << RDX | 1U << R8 | 1U << R9)
#define VOLATILE_REGISTERS UINT32_C(0x0F07)

enum held_kind {
    HELD_OTHER,
    HELD_UNSEEN,    /* no way to here has been followed yet: the walk began at an instruction */
    HELD_BASE,      /* the image base, not used since it came into the register */
    HELD_USED_BASE, /* the image base, used: what is left of it may be stale */
    HELD_MIXED,     /* the image base on some paths, something else on others */
    HELD_ENTRY,     /* an entry of the jump table at `table_rva` */
    HELD_TARGET     /* base + entry: where a jump goes */
};

struct held {
    uint8_t kind;
    uint32_t table_rva;
};

struct state {
    struct held registers[REGISTER_COUNT];
};

struct follower {
    const struct image *image;
    const struct refset *refs;
    const struct code_map *code;
    struct arena *arena;
    struct decoder *decoder;
    base_use_fn *take;
    void *context;
    struct base_escape *escape;

    struct extent_index jump_tables;
    uint32_t **state_numbers; /* for each code section: 1 + index of the state before the byte, or 0 */
    struct state *states;
    size_t state_count, state_capacity;
    uint32_t *work; /* RVAs to look at: a stack */
    size_t work_count, work_capacity;
    uint64_t steps_left;
    bool stopped; /* `take` said so, or memory ran out */
};

static bool is_base(const struct held *held)
{
    return held->kind == HELD_BASE || held->kind == HELD_USED_BASE || held->kind == HELD_MIXED;
}

static void escapes(struct follower *follower, uint32_t rva, const char *what)
{
    if (follower->escape->rva == NO_RVA || follower->escape->reads_headers)
        *follower->escape = (struct base_escape){rva, what, false};
}

static void reads_headers(struct follower *follower, uint32_t rva, const char *what)
{
    if (follower->escape->rva == NO_RVA)
        *follower->escape = (struct base_escape){rva, what, true};
}

static bool is_done(const struct follower *follower)
{
    return follower->stopped;
}

static bool push(struct follower *follower, uint32_t rva)
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
static bool join(const struct held *a, const struct held *b, struct held *both)
{
    if (a->kind == HELD_UNSEEN || b->kind == HELD_UNSEEN) {
        *both = a->kind == HELD_UNSEEN ? *b : *a;
        return true;
    }
    if (a->kind == b->kind && (a->kind < HELD_ENTRY || a->table_rva == b->table_rva)) {
        *both = *a;
        return true;
    }
    if (is_base(a) && is_base(b)) {
        bool is_mixed = a->kind == HELD_MIXED || b->kind == HELD_MIXED;
        *both = (struct held){is_mixed ? HELD_MIXED : HELD_BASE, 0};
        return true;
    }
    const struct held *other = a->kind == HELD_OTHER ? b : a;
    bool one_is_other = a->kind == HELD_OTHER || b->kind == HELD_OTHER;
    if (one_is_other) {
        *both = is_base(other) ? (struct held){HELD_MIXED, 0} : *other;
        if (other->kind == HELD_ENTRY)
            *both = (struct held){HELD_OTHER, 0};
        return true;
    }
    *both = (struct held){HELD_OTHER, 0};
    return a->kind == HELD_ENTRY && b->kind == HELD_ENTRY;
}

static bool holds_anything(const struct state *state)
{
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if (state->registers[i].kind > HELD_UNSEEN)
            return true;
    return false;
}

/* Execution may reach rva with that state. */
static void arrive(struct follower *follower, uint32_t rva, const struct state *state)
{
    const struct code_section *section = code_section_at(follower->code, rva);
    if (!section || section->classes[rva - section->rva] != BYTE_INSTRUCTION) {
        if (holds_anything(state))
            escapes(follower, rva, "is reached with the image base in a register, but is not decoded");
        return;
    }
    uint32_t *number = &follower->state_numbers[section - follower->code->sections][rva - section->rva];
    if (*number == 0) {
        struct state *states =
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
    struct state *known = &follower->states[*number - 1];
    bool has_grown = false;
    for (unsigned i = 0; i < REGISTER_COUNT; i++) {
        struct held both;
        if (!join(&known->registers[i], &state->registers[i], &both)) {
            escapes(follower, rva, "is reached with the image base or something else in one register");
            return;
        }
        has_grown |= both.kind != known->registers[i].kind || both.table_rva != known->registers[i].table_rva;
        known->registers[i] = both;
    }
    if (has_grown && !push(follower, rva))
        follower->stopped = true;
}

static const struct extent *jump_table_at(const struct follower *follower, uint32_t rva)
{
    return extent_index_at(&follower->jump_tables, rva);
}

/* The register goes to memory, to another function, or into arithmetic that is not understood. */
static void lose(struct follower *follower, const struct held *held, uint32_t rva, const char *what_base)
{
    if (is_base(held))
        escapes(follower, rva, what_base);
    else if (held->kind == HELD_TARGET)
        escapes(follower, rva, "uses the sum of the image base and a table entry otherwise than for a jump");
}

static uint16_t held_bits(const struct state *state)
{
    uint16_t bits = 0;
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if (is_base(&state->registers[i]) || state->registers[i].kind == HELD_TARGET)
            bits |= (uint16_t)(1U << i);
    return bits;
}

/* [base + index * scale + displacement]: what is added to the base must be an RVA behind the headers. */
static bool use_memory(struct follower *follower, const struct instruction *instruction, struct state *state)
{
    uint8_t base = instruction->base, index = instruction->index;
    bool by_base = base != NO_REGISTER && is_base(&state->registers[base]);
    bool by_index = index != NO_REGISTER && is_base(&state->registers[index]);
    if (base != NO_REGISTER && state->registers[base].kind == HELD_TARGET)
        lose(follower, &state->registers[base], instruction->rva, "");
    if (index != NO_REGISTER && state->registers[index].kind == HELD_TARGET)
        lose(follower, &state->registers[index], instruction->rva, "");
    if (!by_base && !by_index)
        return true;
    if ((by_base && by_index) || (by_index && instruction->scale != 1)) {
        escapes(follower, instruction->rva, "multiplies the image base");
        return true;
    }
    if (index == NO_REGISTER && instruction->operation != OP_LEA && instruction->disp >= 0 &&
        instruction->disp < (int64_t)follower->image->headers_nbytes) {
        reads_headers(follower, instruction->rva, "reads headers through the image base");
        return true;
    }
    if (instruction->disp_nbytes != 4 || instruction->disp < (int64_t)follower->image->headers_nbytes ||
        instruction->disp >= (int64_t)follower->image->image_nbytes) {
        escapes(follower, instruction->rva,
                "reads headers through the image base, or adds something to it that is not known");
        return true;
    }
    struct held *held = &state->registers[by_base ? base : index];
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

static struct held sum_of(struct follower *follower, uint32_t rva, const struct held *a, const struct held *b)
{
    if (is_base(a) && b->kind == HELD_ENTRY)
        return (struct held){HELD_TARGET, b->table_rva};
    if (is_base(b) && a->kind == HELD_ENTRY)
        return (struct held){HELD_TARGET, a->table_rva};
    lose(follower, a, rva, "adds something to the image base that is not known");
    lose(follower, b, rva, "adds something to the image base that is not known");
    return (struct held){HELD_OTHER, 0};
}

/* An element of a jump table that is loaded: [base + i * 4 + table]. */
static bool loads_entry(const struct follower *follower, const struct instruction *instruction,
                        const struct state *state, struct held *held)
{
    bool is_load = (instruction->operation == OP_MOV && instruction->opcode == 0x8B) ||
                   instruction->operation == OP_MOVSXD;
    bool by_base = (instruction->base != NO_REGISTER && is_base(&state->registers[instruction->base])) ||
                   (instruction->index != NO_REGISTER && is_base(&state->registers[instruction->index]));
    if (!is_load || !by_base || instruction->has_register_operand)
        return false;
    const struct extent *table = jump_table_at(follower, (uint32_t)instruction->disp);
    if (!table)
        return false;
    *held = (struct held){HELD_ENTRY, table->rva};
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
static bool apply(struct follower *follower, const struct instruction *instruction, struct state *state)
{
    struct register_sets use;
    uint8_t destination, source;
    uint32_t rva = instruction->rva;
    struct held entry;
    if (instruction->operation == OP_NOP)
        return true;
    if (!decode_registers(follower->decoder, &use)) {
        escapes(follower, rva, "cannot be decoded wholly");
        return true;
    }
    bool is_entry = loads_entry(follower, instruction, state, &entry);
    if (!instruction->is_rip_relative && instruction->has_modrm && !instruction->has_register_operand) {
        if (!instruction->is_legacy && (use.addresses & held_bits(state)) != 0)
            escapes(follower, rva, "uses the image base in a way that is not followed");
        if (!use_memory(follower, instruction, state))
            return false;
    } else if ((use.addresses & held_bits(state)) != 0) {
        escapes(follower, rva, "uses the image base in a way that is not followed");
    }
    bool is_pair = register_pair(instruction, &destination, &source);
    if (is_pair && instruction->operation == OP_ADD) {
        state->registers[destination] =
            sum_of(follower, rva, &state->registers[destination], &state->registers[source]);
        return true;
    }
    if (is_pair) {
        struct held copied = state->registers[source];
        if (is_base(&copied))
            copied.kind = HELD_BASE; /* copied for a purpose */
        state->registers[destination] = copied;
        return true;
    }
    /* mov cl, al: what is left of an address is none. */
    bool is_byte_move = is_register_form(instruction) && instruction->opcode == 0x8A &&
                        instruction->operation == OP_MOV && (instruction->reg < 4 || instruction->reg > 7) &&
                        instruction->rm < 4 && !is_base(&state->registers[instruction->rm]);
    if (is_byte_move) {
        state->registers[instruction->reg] = (struct held){HELD_OTHER, 0};
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
            state->registers[i] = (struct held){HELD_OTHER, 0};
    if (is_entry)
        state->registers[instruction->reg] = entry;
    return true;
}

/* A base that nobody has used and that lies where arguments or results lie is meant for the other side. */
static void leave_function(struct follower *follower, const struct state *state, uint32_t rva,
                           uint32_t registers, const char *what)
{
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if ((registers >> i & 1) &&
            (state->registers[i].kind == HELD_BASE || state->registers[i].kind == HELD_MIXED))
            escapes(follower, rva, what);
}

static void forget_volatile(struct state *state)
{
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if (VOLATILE_REGISTERS >> i & 1)
            state->registers[i] = (struct held){HELD_OTHER, 0};
}

/* A jump through base + entry: to every label of the table. Registers that are not kept over calls are dead
 * behind it as far as the base is concerned. */
static void follow_table(struct follower *follower, uint32_t table_rva, struct state *state)
{
    const struct extent *table = jump_table_at(follower, table_rva);
    struct span bytes;
    forget_volatile(state);
    if (!holds_anything(state))
        return;
    if (!table || !image_bytes_at_rva(follower->image, table->rva, table->nbytes, &bytes)) {
        escapes(follower, table_rva, "is a jump table that is not known");
        return;
    }
    for (uint32_t at = 0; at + 4 <= table->nbytes && !is_done(follower); at += 4)
        arrive(follower, load_u32(bytes.bytes + at), state);
}

static void follow_flow(struct follower *follower, const struct instruction *instruction, struct state *state)
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

static bool step(struct follower *follower, uint32_t rva)
{
    const struct code_section *section = code_section_at(follower->code, rva);
    uint32_t at = rva - section->rva;
    struct state state =
        follower->states[follower->state_numbers[section - follower->code->sections][at] - 1];
    const uint8_t *bytes = follower->image->file.bytes + follower->image->sections[section->section].raw_foff;
    struct instruction instruction;
    if (follower->steps_left-- == 0) {
        escapes(follower, rva, "is reached in too many ways");
        return true;
    }
    if (!decode(follower->decoder, bytes + at, section->nbytes - at, rva, &instruction))
        return true;
    bool is_origin = instruction.operation == OP_LEA && instruction.is_rip_relative &&
                     (int64_t)instruction_end_rva(&instruction) + instruction.disp == 0;
    if (is_origin) {
        state.registers[instruction.reg] = (struct held){HELD_BASE, 0};
    } else if (!apply(follower, &instruction, &state)) {
        return false;
    }
    follow_flow(follower, &instruction, &state);
    return !follower->stopped;
}

/* Every instruction that forms the base, or touches headers in another way. What the other registers hold
 * there is what the ways from another one say. */
static bool begin_at_origins(struct follower *follower)
{
    for (size_t i = 0; i < follower->refs->ref_count && !is_done(follower); i++) {
        const struct ref *ref = &follower->refs->refs[i];
        if (ref->source != SOURCE_CODE || ref->encoding != REF_PCREL || ref->state != REF_HEADERS)
            continue;
        uint32_t begin = code_instruction_begin(follower->code, ref->site_rva);
        if (ref->access != ACCESS_ADDRESS || ref->target != 0) {
            reads_headers(follower, begin, "reads the headers, or takes the address of one");
            continue;
        }
        struct state unseen;
        for (unsigned r = 0; r < REGISTER_COUNT; r++)
            unseen.registers[r] = (struct held){HELD_UNSEEN, 0};
        arrive(follower, begin, &unseen);
    }
    return !follower->stopped;
}

bool base_uses_follow(const struct image *image, const struct refset *refs, const struct code_map *code,
                      struct arena *arena, base_use_fn *take, void *context, struct base_escape *escape)
{
    struct follower follower = {.image = image,
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
