/* verify_base_walk.c - follows the image base through the registers of one function.
 * Takes: the instructions that take it.  Gives: struct verify_base_walk.
 * Must not: judge what is done with it. */
#include "verify/verify_base_walk.h"

enum { PASS_MAX_COUNT = 8, FUNCTION_MAX_COUNT = 20000 };

static bool takes_base(const struct verify_moves *moves, uint32_t rva)
{
    size_t low = 0, high = moves->base_site_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (moves->base_sites[middle] < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < moves->base_site_count && moves->base_sites[low] == rva;
}

bool verify_base_is_copy(const struct verify_base_step *step)
{
    const struct verify_full *full = &step->full;
    return full->decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
           full->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           full->operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER && full->operands[0].size == 64;
}

bool verify_base_is_table_load(const struct verify_base_step *step)
{
    const struct verify_full *full = &step->full;
    bool is_load = full->decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
                   full->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER && full->operands[0].size == 32;
    return is_load && full->operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY &&
           (verify_holds(step->must, full->operands[1].mem.base) ||
            verify_holds(step->must, full->operands[1].mem.index));
}

struct state {
    uint16_t may, must, rva_values;
};

static struct state after(const struct verify_base_walk *walk, const struct verify_base_step *step)
{
    struct state out = {step->may, step->must, step->rva_values};
    const struct verify_full *full = &step->full;
    uint16_t written = verify_written_registers(full);
    out.may &= (uint16_t)~written;
    out.must &= (uint16_t)~written;
    out.rva_values &= (uint16_t)~written;
    int to = full->operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER
                 ? verify_register_number(full->operands[0].reg.value)
                 : -1;
    uint16_t bit = to >= 0 ? (uint16_t)(1u << to) : 0;
    if (takes_base(walk->moves, step->rva)) {
        out.may |= bit;
        out.must |= bit;
    } else if (verify_base_is_copy(step)) {
        if (verify_holds(step->may, full->operands[1].reg.value))
            out.may |= bit;
        if (verify_holds(step->must, full->operands[1].reg.value))
            out.must |= bit;
    } else if (verify_base_is_table_load(step)) {
        out.rva_values |= bit;
    }
    return out;
}

static bool join(struct verify_base_step *step, struct state in)
{
    struct state before = {step->may, step->must, step->rva_values};
    step->may |= in.may;
    step->must = step->is_reached ? step->must & in.must : in.must;
    step->rva_values = step->is_reached ? step->rva_values & in.rva_values : in.rva_values;
    bool changed = !step->is_reached || before.may != step->may || before.must != step->must ||
                   before.rva_values != step->rva_values;
    step->is_reached = true;
    return changed;
}

struct verify_base_step *verify_base_step_at(const struct verify_base_walk *walk, int64_t rva)
{
    size_t low = 0, high = walk->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (walk->steps[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < walk->count && walk->steps[low].rva == rva ? &walk->steps[low] : NULL;
}

/* What only an indirect jump or a handler reaches may see every state there is. */
static bool spread(struct verify_base_walk *walk)
{
    bool changed = false, has_indirect = false;
    uint16_t any = 0;
    for (size_t i = 0; i < walk->count; i++) {
        struct verify_base_step *step = &walk->steps[i];
        int64_t target;
        walk->moves->judged->verdict->step_count++;
        /* Between functions of unwind data stand leaf functions, one after the other. */
        bool is_aligned =
            walk->is_gap && i > 0 && step->rva % 16 == 0 && !verify_falls_through(&step[-1].full);
        bool is_entry = i == 0 || (is_aligned &&
                                   (!has_indirect || step[-1].full.decoded.mnemonic == ZYDIS_MNEMONIC_INT3));
        if (is_entry) {
            any = 0;
            has_indirect = false;
        }
        has_indirect = has_indirect || (step->full.decoded.mnemonic == ZYDIS_MNEMONIC_JMP &&
                                        !step->full.decoded.raw.imm[0].is_relative);
        if (!step->is_reached)
            changed |= join(step, is_entry ? (struct state){0, 0, 0} : (struct state){any, 0, 0});
        struct state out = after(walk, step);
        any |= out.may;
        if (verify_falls_through(&step->full) && i + 1 < walk->count)
            changed |= join(&walk->steps[i + 1], out);
        struct verify_base_step *to = verify_direct_jump(&step->full, &target)
                                          ? verify_base_step_at(walk, (int64_t)step->rva + target)
                                          : NULL;
        if (to)
            changed |= join(to, out);
    }
    return changed;
}

bool verify_base_walk(struct verify_moves *moves, const struct verify_function *function,
                      struct verify_base_walk *walk)
{
    *walk = (struct verify_base_walk){.moves = moves,
                                      .section = verify_code_at(&moves->code, function->rva),
                                      .site = verify_piece_at(&moves->map, function->rva),
                                      .is_gap = function->is_gap};
    size_t nbytes = function->end_rva - function->rva, at = function->rva - walk->section->rva,
           end = at + nbytes, count = 0;
    if (!walk->site || nbytes > FUNCTION_MAX_COUNT)
        return verify_moves_unproved(moves, function->rva, "The function at RVA 0x%X is too large to follow.",
                                     (unsigned)function->rva);
    for (size_t i = at; i < end; i++)
        count += verify_bit(walk->section->starts, i);
    walk->steps = arena_array(moves->judged->arena, count, sizeof *walk->steps);
    if (!walk->steps)
        return false;
    for (size_t i = at; i < end; i++) {
        if (!verify_bit(walk->section->starts, i))
            continue;
        struct verify_base_step *step = &walk->steps[walk->count++];
        step->rva = walk->section->rva + (uint32_t)i;
        if (!verify_decode_full(&moves->code, walk->section, i, &step->full))
            return verify_moves_unproved(moves, step->rva, "The instruction at RVA 0x%X is not decoded.",
                                         (unsigned)step->rva);
    }
    unsigned pass = 0;
    while (spread(walk))
        if (++pass == PASS_MAX_COUNT)
            return verify_moves_unproved(
                moves, function->rva,
                "The uses of the image base in the function at RVA 0x%X are not followed.",
                (unsigned)function->rva);
    return true;
}
