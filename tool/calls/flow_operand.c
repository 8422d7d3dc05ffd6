/* flow_operand.c - see flow_operand.h. */
#include "calls/flow_operand.h"

/* An index may be negative by as many bytes. */
enum { LONGEST_ARRAY = 4096 };

unsigned flow_pointer_nbytes(const struct flow_step *step)
{
    return image_pointer_nbytes(step->flow->image);
}

value_number flow_register(const struct flow_state *state, uint8_t reg)
{
    return reg < MACHINE_REGISTERS ? state->registers[reg] : 0;
}

/* x86: is the number an address in the image? */
static bool is_image_va(const struct image *image, uint64_t va, uint32_t *rva)
{
    return image_va_to_rva(image, va, rva) && *rva >= image->headers_nbytes && *rva < image->image_nbytes;
}

struct place flow_find_place(const struct flow_step *step, const struct operand *operand,
                             const struct flow_state *state)
{
    const struct value_table *values = step->flow->values;
    struct place place = {.kind = PLACE_UNKNOWN};
    uint32_t rva;
    if (operand->has_segment)
        return place;
    if (operand->has_place) {
        uint64_t at = (uint64_t)operand->number;
        if (operand->is_rip_relative) {
            place = (struct place){.kind = PLACE_IMAGE, .offset = operand->number};
        } else if (is_image_va(step->flow->image, at & UINT32_MAX, &rva)) {
            place = (struct place){.kind = PLACE_IMAGE, .offset = rva};
        }
        return place;
    }
    if (operand->base == NO_MACHINE_REGISTER)
        return place;
    value_number base = flow_register(state, operand->base);
    const struct atom *stack = value_single(values, base, ATOM_STACK_ADDRESS);
    const struct atom *image = value_single(values, base, ATOM_ADDRESS);
    const struct atom *global = value_single(values, base, ATOM_GLOBAL);
    if (stack) {
        int64_t offset = stack->number + operand->number;
        if (offset < INT32_MIN / 2 || offset > INT32_MAX / 2)
            return place;
        place.kind = operand->index == NO_MACHINE_REGISTER ? PLACE_STACK : PLACE_STACK_ABOVE;
        place.base = stack->id;
        place.offset = offset;
    } else if (operand->index != NO_MACHINE_REGISTER) {
        return place;
    } else if (image) {
        place = (struct place){.kind = PLACE_IMAGE, .offset = image->number + operand->number};
    } else if (global && global->id == flow_pointer_nbytes(step)) {
        place =
            (struct place){.kind = PLACE_FIELD, .base = (uint32_t)global->number, .offset = operand->number};
    }
    return place;
}

/* What lies at an RVA: a constant where nobody writes. */
static value_number load_image(const struct flow_step *step, int64_t at, unsigned nbytes)
{
    const struct image *image = step->flow->image;
    struct value_table *values = step->flow->values;
    struct span bytes;
    if (at < 0 || at > UINT32_MAX || nbytes > 8 || nbytes == 0)
        return value_unknown(values, UNKNOWN_MEMORY);
    return nbytes < 8 && nbytes < flow_pointer_nbytes(step) &&
                   image_bytes_at_rva(image, (uint32_t)at, nbytes, &bytes)
               ? value_mask(values, value_of_atom(values, ATOM_GLOBAL, nbytes, at), width_mask(nbytes), 0)
               : value_of_atom(values, ATOM_GLOBAL, nbytes, at);
}

static value_number load_place(const struct flow_step *step, struct place place, unsigned nbytes,
                               const struct flow_state *state)
{
    struct value_table *values = step->flow->values;
    switch (place.kind) {
    case PLACE_STACK:
        return state_load(state, values, place.base, (int32_t)place.offset, nbytes);
    case PLACE_IMAGE:
        return load_image(step, place.offset, nbytes);
    case PLACE_FIELD:
        if (nbytes == flow_pointer_nbytes(step))
            return value_of_atom(values, ATOM_FIELD, place.base, place.offset);
        break;
    default:
        break;
    }
    return value_unknown(values, UNKNOWN_MEMORY);
}

static value_number constant_value(const struct flow_step *step, int64_t number, unsigned nbytes)
{
    uint32_t rva;
    uint64_t masked = (uint64_t)number & width_mask(nbytes);
    if (nbytes == flow_pointer_nbytes(step) && is_image_va(step->flow->image, masked, &rva))
        return value_of_atom(step->flow->values, ATOM_ADDRESS, 0, rva);
    return value_constant(step->flow->values, masked);
}

value_number flow_read(const struct flow_step *step, const struct operand *operand,
                       const struct flow_state *state, unsigned nbytes)
{
    struct value_table *values = step->flow->values;
    value_number value;
    switch (operand->kind) {
    case OPERAND_CONSTANT:
        return constant_value(step, operand->number, nbytes);
    case OPERAND_MEMORY:
        return load_place(step, flow_find_place(step, operand, state), operand->nbytes, state);
    case OPERAND_CONTROL:
        return value_of_atom(values, ATOM_CONTROL, operand->reg, 0);
    case OPERAND_REGISTER:
        value = flow_register(state, operand->reg);
        if (operand->is_high_byte || operand->reg == NO_MACHINE_REGISTER)
            return value_unknown(values, UNKNOWN_COMPUTED);
        return operand->nbytes < flow_pointer_nbytes(step)
                   ? value_mask(values, value, width_mask(operand->nbytes), 0)
                   : value;
    default:
        return value_unknown(values, UNKNOWN_COMPUTED);
    }
}

static void write_register(const struct flow_step *step, const struct operand *operand,
                           struct flow_state *state, value_number value)
{
    struct value_table *values = step->flow->values;
    uint64_t mask = width_mask(operand->nbytes), number;
    if (operand->reg >= MACHINE_REGISTERS)
        return;
    value_number *old = &state->registers[operand->reg];
    if (operand->is_high_byte) {
        *old = value_mask(values, value_unknown(values, UNKNOWN_COMPUTED), UINT64_MAX, 0);
    } else if (operand->nbytes >= flow_pointer_nbytes(step)) {
        *old = value;
    } else if (operand->nbytes == 4) { /* the upper half becomes zero */
        *old = value_mask(values, value, mask, 0);
    } else if (value_is_constant(values, value, &number)) {
        *old = value_mask(values, *old, ~mask, number & mask);
    } else if (value_is_constant(values, *old, &number)) {
        *old = value_mask(values, value, mask, number & ~mask);
    } else {
        *old = value_unknown(values, UNKNOWN_COMPUTED);
    }
}

static bool record_store(struct flow_step *step, const struct operation *operation, int64_t at,
                         unsigned nbytes, value_number value)
{
    struct call_records *records = step->flow->records;
    if (!step->records || at < 0 || at > UINT32_MAX)
        return true;
    struct store_record *stores =
        arena_grow(step->flow->arena, records->stores, records->store_count, &records->store_capacity,
                   records->store_count + 1, sizeof *stores);
    if (!stores)
        return false;
    records->stores = stores;
    stores[records->store_count++] =
        (struct store_record){operation->rva, step->function_rva, (uint32_t)at, nbytes, value};
    return true;
}

/* An address of the stack that goes where others can find it. */
void flow_hand_out(const struct flow_step *step, struct flow_state *state, value_number value)
{
    const struct value_table *values = step->flow->values;
    for (uint32_t i = 0; i < values->values[value].atom_count; i++) {
        const struct atom *atom = value_atom(values, value, i);
        if (atom->kind == ATOM_STACK_ADDRESS) /* one that was aligned lies below by what was cut off */
            state_hand_out(state, atom->id, (int32_t)(atom->number - (int64_t)(~atom->and_mask & 0xFFFF)));
    }
}

void flow_hand_out_pointers(const struct flow_step *step, const struct operand *operand,
                            struct flow_state *state)
{
    uint8_t first = operand->kind == OPERAND_MEMORY ? operand->base : operand->reg;
    flow_hand_out(step, state, flow_register(state, first));
    if (operand->kind == OPERAND_MEMORY)
        flow_hand_out(step, state, flow_register(state, operand->index));
}

bool flow_write_memory(struct flow_step *step, const struct operation *operation,
                       const struct operand *operand, struct flow_state *state, value_number value)
{
    struct value_table *values = step->flow->values;
    struct place place = flow_find_place(step, operand, state);
    flow_hand_out(step, state, value);
    switch (place.kind) {
    case PLACE_STACK:
        state_store(state, place.base, (int32_t)place.offset, operand->nbytes, value);
        return true;
    case PLACE_STACK_ABOVE: /* a loop may count up to zero, from below */
        state_wrote_above(state, values, place.base, (int32_t)place.offset - LONGEST_ARRAY);
        return true;
    case PLACE_IMAGE:
        return record_store(step, operation, place.offset, operand->nbytes, value);
    default: /* perhaps one of several slots */
        flow_hand_out_pointers(step, operand, state);
        state_others_wrote(state, values);
        return true;
    }
}

static bool record_control(struct flow_step *step, const struct operation *operation, uint32_t number,
                           value_number value)
{
    struct call_records *records = step->flow->records;
    if (!step->records)
        return true;
    struct control_record *controls =
        arena_grow(step->flow->arena, records->controls, records->control_count, &records->control_capacity,
                   records->control_count + 1, sizeof *controls);
    if (!controls)
        return false;
    records->controls = controls;
    controls[records->control_count++] =
        (struct control_record){operation->rva, step->function_rva, number, value};
    return true;
}

bool flow_write(struct flow_step *step, const struct operation *operation, const struct operand *operand,
                struct flow_state *state, value_number value)
{
    if (operand->kind == OPERAND_MEMORY)
        return flow_write_memory(step, operation, operand, state, value);
    if (operand->kind == OPERAND_CONTROL)
        return record_control(step, operation, operand->reg, value);
    if (operand->kind == OPERAND_REGISTER)
        write_register(step, operand, state, value);
    return true;
}
