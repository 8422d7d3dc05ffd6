/* flow_state.c - see flow_state.h. */
#include "calls/flow_state.h"

void state_begin(struct flow_state *state, struct value_table *values, bool is_known, uint32_t base)
{
    *state = (struct flow_state){
        .is_reached = true, .handed_out_from = INT32_MAX, .changed_from = is_known ? INT32_MAX : INT32_MIN};
    for (uint32_t i = 0; i < MACHINE_REGISTERS; i++)
        state->registers[i] =
            is_known ? value_entry_register(values, i) : value_unknown(values, UNKNOWN_UNREACHED);
    state->registers[REGISTER_SP] = value_of_atom(values, ATOM_STACK_ADDRESS, base, 0);
}

void state_stack_pointer(const struct flow_state *state, const struct value_table *values, uint32_t *base,
                         int32_t *offset)
{
    const struct atom *atom = value_single(values, state->registers[REGISTER_SP], ATOM_STACK_ADDRESS);
    *base = atom ? atom->id : UINT32_MAX;
    *offset = atom ? (int32_t)atom->number : 0;
}

static bool is_known_slot(const struct flow_state *state, uint32_t base, int32_t offset, size_t *at)
{
    for (size_t i = 0; i < state->slot_count; i++) {
        if (state->slots[i].base == base && state->slots[i].offset == offset) {
            *at = i;
            return true;
        }
    }
    return false;
}

static bool overlaps(const struct stack_slot *slot, uint32_t base, int64_t offset, unsigned nbytes)
{
    return slot->base == base && slot->offset < offset + (int64_t)nbytes &&
           offset < slot->offset + (int64_t)slot->nbytes;
}

value_number state_load(const struct flow_state *state, struct value_table *values, uint32_t base,
                        int32_t offset, unsigned nbytes)
{
    size_t at;
    if (is_known_slot(state, base, offset, &at) && state->slots[at].nbytes >= nbytes)
        return nbytes < state->slots[at].nbytes
                   ? value_mask(values, state->slots[at].value, width_mask(nbytes), 0)
                   : state->slots[at].value;
    for (size_t i = 0; i < state->slot_count; i++)
        if (overlaps(&state->slots[i], base, offset, nbytes))
            return value_unknown(values, UNKNOWN_COMPUTED);
    if (state->slots_lost)
        return value_unknown(values, UNKNOWN_STACK);
    if (offset >= state->changed_from)
        return value_unknown(values, UNKNOWN_CLOBBERED);
    if (base != 0 || offset < 0)
        return value_unknown(values, UNKNOWN_MEMORY);
    value_number value = value_of_atom(values, ATOM_ENTRY_STACK, 0, offset);
    return nbytes < 8 ? value_mask(values, value, width_mask(nbytes), 0) : value;
}

value_number state_load_argument(const struct flow_state *state, struct value_table *values, uint32_t base,
                                 int32_t offset, unsigned nbytes)
{
    size_t at;
    if (is_known_slot(state, base, offset, &at) && state->slots[at].nbytes < nbytes)
        nbytes = state->slots[at].nbytes;
    return state_load(state, values, base, offset, nbytes);
}

static void remove_slot(struct flow_state *state, size_t at)
{
    memmove(&state->slots[at], &state->slots[at + 1], (state->slot_count - at - 1) * sizeof state->slots[0]);
    state->slot_count--;
}

void state_store(struct flow_state *state, uint32_t base, int32_t offset, unsigned nbytes, value_number value)
{
    for (size_t i = state->slot_count; i-- > 0;)
        if (overlaps(&state->slots[i], base, offset, nbytes))
            remove_slot(state, i);
    if (state->slot_count == STATE_MOST_SLOTS) {
        state->slots_lost = true;
        state->slot_count = 0;
    }
    /* In one order, so that equal states have equal bytes. */
    size_t at = 0;
    while (at < state->slot_count && (state->slots[at].base < base ||
                                      (state->slots[at].base == base && state->slots[at].offset < offset)))
        at++;
    memmove(&state->slots[at + 1], &state->slots[at], (state->slot_count - at) * sizeof state->slots[0]);
    state->slots[at] = (struct stack_slot){base, offset, nbytes, value};
    state->slot_count++;
}

void state_hand_out(struct flow_state *state, uint32_t base, int32_t offset)
{
    if (base != 0)
        state->others_handed_out = true;
    else if (offset < state->handed_out_from)
        state->handed_out_from = offset;
}

static void may_change(struct flow_state *state, struct value_table *values, size_t at)
{
    state->slots[at].value =
        value_join(values, state->slots[at].value, value_unknown(values, UNKNOWN_CLOBBERED));
}

void state_others_wrote(struct flow_state *state, struct value_table *values)
{
    for (size_t i = 0; i < state->slot_count; i++) {
        const struct stack_slot *slot = &state->slots[i];
        bool is_handed_out = slot->base == 0 ? slot->offset + (int64_t)slot->nbytes > state->handed_out_from
                                             : state->others_handed_out;
        if (is_handed_out)
            may_change(state, values, i);
    }
    if (state->handed_out_from < state->changed_from)
        state->changed_from = state->handed_out_from;
}

void state_wrote_range(struct flow_state *state, struct value_table *values, uint32_t base, int32_t offset,
                       int64_t nbytes)
{
    for (size_t i = 0; i < state->slot_count; i++) {
        const struct stack_slot *slot = &state->slots[i];
        if (slot->base == base && slot->offset < offset + nbytes &&
            slot->offset + (int64_t)slot->nbytes > offset)
            may_change(state, values, i);
    }
    /* What is not listed is not known below the arguments. */
    if (base == 0 && offset + nbytes > 0 && offset < state->changed_from)
        state->changed_from = offset;
}

void state_wrote_above(struct flow_state *state, struct value_table *values, uint32_t base, int32_t offset)
{
    for (size_t i = 0; i < state->slot_count; i++)
        if (state->slots[i].base == base && state->slots[i].offset + (int64_t)state->slots[i].nbytes > offset)
            may_change(state, values, i);
    if (base == 0 && offset < state->changed_from)
        state->changed_from = offset;
}

void state_drop_below(struct flow_state *state, uint32_t base, int32_t offset)
{
    for (size_t i = state->slot_count; i-- > 0;)
        if (state->slots[i].base == base && state->slots[i].offset < offset)
            remove_slot(state, i);
}

static bool join_value(value_number *into, value_number more, struct value_table *values, bool widen)
{
    if (*into == more)
        return false;
    value_number joined = value_join(values, *into, more);
    if (joined == *into)
        return false;
    /* What can be anything may have more cases listed than the other way knew; that ends when they are given
     * up. */
    value_number settled = widen ? value_unknown(values, UNKNOWN_MANY) : joined;
    if (widen && value_has_unknown(values, *into) && values->values[*into].atom_count == 1)
        return false;
    *into = settled;
    return true;
}

static int order(const struct stack_slot *a, const struct stack_slot *b)
{
    if (a->base != b->base)
        return a->base < b->base ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static bool overlaps_any(const struct flow_state *state, const struct stack_slot *slot)
{
    for (size_t i = 0; i < state->slot_count; i++)
        if (overlaps(&state->slots[i], slot->base, slot->offset, slot->nbytes))
            return true;
    return false;
}

/* Both lists are in order. Where only one side lists a slot, the other has there what nobody wrote. */
static bool join_slots(struct flow_state *state, const struct flow_state *old, const struct flow_state *more,
                       struct value_table *values, bool widen)
{
    bool changed = false;
    size_t i = 0, k = 0;
    while (i < old->slot_count || k < more->slot_count) {
        int compared = i == old->slot_count    ? 1
                       : k == more->slot_count ? -1
                                               : order(&old->slots[i], &more->slots[k]);
        const struct stack_slot *ours = compared <= 0 ? &old->slots[i++] : NULL;
        const struct stack_slot *theirs = compared >= 0 ? &more->slots[k++] : NULL;
        const struct stack_slot *slot = !ours || (theirs && theirs->nbytes > ours->nbytes) ? theirs : ours;
        if (ours && theirs && ours->nbytes == theirs->nbytes && ours->value == theirs->value)
            continue;
        if (!ours && overlaps_any(old, slot)) /* what we list there is joined with "unknown" */
            continue;
        value_number joined = state_load(old, values, slot->base, slot->offset, slot->nbytes);
        bool differs = join_value(&joined, state_load(more, values, slot->base, slot->offset, slot->nbytes),
                                  values, widen);
        if (!differs && (!ours || slot == ours)) /* listed already, or as good as unlisted */
            continue;
        state_store(state, slot->base, slot->offset, slot->nbytes, joined);
        changed = true;
    }
    return changed;
}

/* Addresses of the stack that a join has given up, as there were too many. */
static void hand_out_lost(struct flow_state *state, const struct value_table *values, value_number old,
                          value_number joined)
{
    bool is_given_up =
        old != joined && values->values[joined].atom_count == 1 && value_has_unknown(values, joined);
    for (uint32_t i = 0; is_given_up && i < values->values[old].atom_count; i++) {
        const struct atom *atom = value_atom(values, old, i);
        if (atom->kind == ATOM_STACK_ADDRESS)
            state_hand_out(state, atom->id, (int32_t)atom->number);
    }
}

bool state_join(struct flow_state *state, const struct flow_state *more, struct value_table *values,
                uint32_t base, bool widen)
{
    if (!state->is_reached) {
        state_copy(state, more);
        return true;
    }
    bool changed = false;
    struct flow_state old;
    state_copy(&old, state);
    for (unsigned i = 0; i < MACHINE_REGISTERS; i++) {
        if (i != REGISTER_SP) {
            changed |= join_value(&state->registers[i], more->registers[i], values, widen);
            hand_out_lost(state, values, old.registers[i], state->registers[i]);
            hand_out_lost(state, values, more->registers[i], state->registers[i]);
        } else if (state->registers[i] != more->registers[i]) {
            value_number own = value_of_atom(values, ATOM_STACK_ADDRESS, base, 0);
            changed |= state->registers[i] != own;
            state->registers[i] = own;
        }
    }
    if (more->slots_lost && !state->slots_lost) {
        state->slots_lost = true;
        changed = true;
    }
    if (more->others_handed_out && !state->others_handed_out) {
        state->others_handed_out = true;
        changed = true;
    }
    if (more->handed_out_from < state->handed_out_from) {
        state->handed_out_from = more->handed_out_from;
        changed = true;
    }
    changed |= join_slots(state, &old, more, values, widen);
    if (more->changed_from < state->changed_from) {
        state->changed_from = more->changed_from;
        changed = true;
    }
    return changed;
}
