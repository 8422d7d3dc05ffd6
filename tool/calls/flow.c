/* flow.c - following a function until nothing new is learned, then writing down what it calls.
 * Takes: the function's blocks.  Gives: records.  Must not: visit a block more often than MOST_VISITS. */
#include "calls/flow_step.h"

#include <string.h>

enum { VISITS_BEFORE_WIDENING = 12, MOST_VISITS = 24 };

struct block_state {
    struct flow_state *before; /* NULL: not reached */
    unsigned visits;
    bool is_waiting, is_given_up;
};

struct follower {
    struct flow *flow;
    const struct function_code *code;
    struct arena scratch;
    struct block_state *blocks;
    struct flow_state *at_switch; /* what is known where a switch may begin; NULL: there is none */
    bool switch_changed;          /* since orphans were entered */
    bool has_orphans;
};

static uint32_t base_of(const struct follower *follower, size_t block)
{
    return follower->code->operations[follower->code->blocks[block].first].rva;
}

static bool arrive(struct follower *follower, size_t block, const struct flow_state *state)
{
    struct block_state *to = &follower->blocks[block];
    if (!to->before && !(to->before = arena_alloc(&follower->scratch, sizeof *to->before)))
        return false;
    if (to->visits >= MOST_VISITS) { /* it does not settle: nothing is claimed about it */
        to->is_waiting |= !to->is_given_up;
        if (!to->is_given_up)
            state_begin(to->before, follower->flow->values, false, base_of(follower, block));
        to->is_given_up = true;
        return true;
    }
    to->is_waiting |= state_join(to->before, state, follower->flow->values, base_of(follower, block),
                                 to->visits >= VISITS_BEFORE_WIDENING);
    return true;
}

static void add_result(struct flow *flow, value_number value)
{
    flow->result = flow->returns ? value_join(flow->values, flow->result, value) : value;
    flow->returns = true;
}

/* What the function returns where the block ends it. */
static void note_result(const struct follower *follower, const struct block *block,
                        const struct flow_state *state, bool leads_out)
{
    struct flow *flow = follower->flow;
    const struct operation *last = &follower->code->operations[block->first + block->count - 1];
    if (last->kind == DOES_RETURN)
        add_result(flow, state->registers[REGISTER_AX]);
    bool jumps = last->kind == DOES_JUMP || last->kind == DOES_BRANCH;
    if (jumps && (block->ends_in_tail || leads_out))
        add_result(flow, value_of_atom(flow->values, ATOM_RESULT, 0, last->rva));
    else if (block->ends_in_tail || (block->ends_in_switch && !follower->has_orphans))
        add_result(flow, value_unknown(flow->values, UNKNOWN_RESULT));
}

static bool run_block(struct follower *follower, size_t number, struct flow_step *step,
                      struct flow_state *state)
{
    const struct block *block = &follower->code->blocks[number];
    state_copy(state, follower->blocks[number].before);
    for (uint32_t i = 0; i < block->count; i++)
        if (!flow_step(step, &follower->code->operations[block->first + i], state))
            return false;
    if (!step->records)
        return true;
    /* A jump through a register or a structure: a switch, or a call that does not come back. */
    const struct operation *last = &follower->code->operations[block->first + block->count - 1];
    bool leads_out = block->ends_in_switch && flow_leads_out(step, last, state);
    note_result(follower, block, state, leads_out);
    if (!block->ends_in_tail && !leads_out)
        return true;
    step->is_thunk = block->count == 1 && (block->is_entry || block->is_orphan);
    return flow_tail_call(step, last, block->tail_rva, state);
}

/* Successor 0 is the next instruction, 1 the branch's target. */
static bool leave_block(struct follower *follower, size_t number, const struct flow_step *step,
                        const struct flow_state *state)
{
    const struct block *block = &follower->code->blocks[number];
    const struct operation *first = &follower->code->operations[block->first];
    uint8_t condition = first[block->count - 1].condition;
    for (size_t i = 0; i < 2; i++) {
        struct flow_state equal;
        const struct flow_state *on_this_way = state;
        if (block->successors[i] == NO_BLOCK)
            continue;
        if (condition == (i == 0 ? BRANCH_IF_NOT_EQUAL : BRANCH_IF_EQUAL)) {
            state_copy(&equal, state);
            flow_note_equal(step, first, block->count - 1, &equal);
            on_this_way = &equal;
        }
        if (!arrive(follower, block->successors[i], on_this_way))
            return false;
    }
    if (block->ends_in_switch) {
        if (!follower->at_switch &&
            !(follower->at_switch = arena_alloc(&follower->scratch, sizeof *follower->at_switch)))
            return false;
        follower->switch_changed |=
            state_join(follower->at_switch, state, follower->flow->values, follower->code->begin_rva, false);
    }
    return true;
}

/* In order of address, again and again: most edges lead forward. */
static bool settle(struct follower *follower, struct flow_step *step)
{
    struct flow_state state;
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < follower->code->block_count; i++) {
            struct block_state *block = &follower->blocks[i];
            if (!block->is_waiting)
                continue;
            block->is_waiting = false;
            block->visits++;
            again = true;
            if (!run_block(follower, i, step, &state) || !leave_block(follower, i, step, &state))
                return false;
        }
    }
    return true;
}

/* Blocks that only a switch or something unseen leads to. */
static bool enter_orphans(struct follower *follower)
{
    struct flow_state unknown;
    follower->switch_changed = false;
    for (size_t i = 0; i < follower->code->block_count; i++) {
        if (!follower->code->blocks[i].is_orphan)
            continue;
        follower->has_orphans = true;
        state_begin(&unknown, follower->flow->values, false, base_of(follower, i));
        if (!arrive(follower, i, follower->at_switch ? follower->at_switch : &unknown))
            return false;
    }
    return true;
}

/* Cases of a switch that nobody has found may go on anywhere in the function, with anything in registers and
 * slots; the stack is as deep as at the switch. */
static bool enter_from_unknown(struct follower *follower)
{
    const struct function_code *code = follower->code;
    struct flow_state anything;
    if (!follower->at_switch || !code->has_unknown_bytes)
        return true;
    state_begin(&anything, follower->flow->values, false, code->begin_rva);
    anything.registers[REGISTER_SP] = follower->at_switch->registers[REGISTER_SP];
    for (size_t i = 0; i < code->block_count; i++)
        if (!code->blocks[i].is_entry && !arrive(follower, i, &anything))
            return false;
    return true;
}

static bool follow(struct follower *follower)
{
    const struct function_code *code = follower->code;
    struct flow_step step = {.flow = follower->flow, .function_rva = code->begin_rva};
    const struct operation *last = &code->operations[code->operation_count - 1];
    step.end_rva = last->rva + last->nbytes;
    struct flow_state state;
    follower->blocks = arena_array(&follower->scratch, code->block_count, sizeof *follower->blocks);
    if (!follower->blocks)
        return false;
    state_begin(&state, follower->flow->values, true, 0);
    for (size_t i = 0; i < code->block_count; i++)
        if (code->blocks[i].is_entry && !arrive(follower, i, &state))
            return false;
    do {
        if (!settle(follower, &step) || !enter_orphans(follower) || !settle(follower, &step))
            return false;
    } while (follower->switch_changed);
    if (!enter_from_unknown(follower) || !settle(follower, &step))
        return false;
    step.records = true;
    for (size_t i = 0; i < code->block_count; i++)
        if (follower->blocks[i].before && !run_block(follower, i, &step, &state))
            return false;
    return true;
}

bool flow_run(struct flow *flow, const struct function_code *code)
{
    struct follower follower = {.flow = flow, .code = code};
    flow->returns = false;
    flow->result = value_unknown(flow->values, UNKNOWN_RESULT);
    arena_init(&follower.scratch, NULL);
    bool is_done = code->block_count == 0 || follow(&follower);
    if (follower.scratch.exhausted)
        flow->arena->exhausted = true;
    arena_free(&follower.scratch);
    return is_done && !flow->arena->exhausted;
}
