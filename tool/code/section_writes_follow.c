/* section_writes_follow.c - what happens to the address of a function or a text after code has taken it.
 * Takes: the instruction that takes the address.  Gives: a counter-example when the code behind it writes
 * through the address or computes another one from that of a function, when a function of the image that gets
 * it writes through it, or an imported one that is known to.  Must not: call the address harmless because it
 * was lost from sight: what is stored in memory but the stack, or carried over an indirect jump, is taken for
 * a pointer to call (docs/ASSUMPTIONS.md). Both ways of conditional branches are followed, each place once.
 */
#include "code/section_writes_internal.h"
#include "code/section_writes_whereabouts.h"

#include <inttypes.h>

enum { FOLLOWED_INSTRUCTIONS = 64, MOST_WAYS = 8, MOST_STEPS = 192, DEEPEST_CALL = 2 };

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

/* The ways of one function that begin behind the instruction that takes the address, or at its begin. */
struct ways {
    struct judge *judge;
    unsigned depth;        /* calls between here and there */
    bool only_stores_harm; /* it may be compared, measured and stepped */
    unsigned steps_left;
    uint32_t harm_rva; /* the instruction that writes, or NO_RVA */
    struct {
        uint32_t rva;
        struct whereabouts address;
    } pending[MOST_WAYS];
    unsigned pending_count;
    uint32_t branched_to[MOST_WAYS];
    unsigned branched_count;
};

/* Each place that a branch leads to is gone to once. */
static void branch_to(struct ways *ways, uint32_t rva, const struct whereabouts *address)
{
    for (unsigned i = 0; i < ways->branched_count; i++)
        if (ways->branched_to[i] == rva)
            return;
    if (ways->branched_count == MOST_WAYS || ways->pending_count == MOST_WAYS)
        return;
    ways->branched_to[ways->branched_count++] = rva;
    ways->pending[ways->pending_count].rva = rva;
    ways->pending[ways->pending_count++].address = *address;
}

static uint32_t follow(struct judge *judge, uint32_t rva, const struct whereabouts *address, unsigned depth,
                       bool only_stores_harm, unsigned *steps_left);

/* Does what is called here write through the address? The steps that are left are shared. */
static bool callee_writes(struct ways *ways, const struct instruction *call,
                          const struct whereabouts *address)
{
    uint32_t slot_rva;
    struct whereabouts inside = whereabouts_in_callee(address);
    if (whereabouts_is_nowhere(&inside))
        return false;
    if (judge_called_import(ways->judge, call, &slot_rva))
        return judge_import_writes(ways->judge, slot_rva, address);
    return call->flow == FLOW_CALL && call->target_fits && ways->depth < DEEPEST_CALL &&
           follow(ways->judge, call->target_rva, &inside, ways->depth + 1, true, &ways->steps_left) != NO_RVA;
}

/* One way, up to its end; false when it writes at ways->harm_rva. */
static bool follow_way(struct ways *ways, uint32_t rva, struct whereabouts address)
{
    struct judge *judge = ways->judge;
    struct instruction instruction;
    struct instruction_effects effects;
    for (int i = 0; i < FOLLOWED_INSTRUCTIONS && ways->steps_left != 0 && !whereabouts_is_nowhere(&address) &&
                    judge_decode(judge, rva, &instruction);
         i++) {
        ways->steps_left--;
        ways->harm_rva = rva;
        bool is_understood = decode_effects(judge->decoder, &effects);
        uint32_t harmful = effects.stores_through | (ways->only_stores_harm ? 0 : effects.computes_with);
        if ((!is_understood && ways->depth == 0) || (address.held & harmful))
            return false;
        bool is_call = instruction.flow == FLOW_CALL || instruction.flow == FLOW_CALL_INDIRECT;
        if (is_call && callee_writes(ways, &instruction, &address))
            return false;
        struct register_sets use = {0};
        bool is_sum = (instruction.operation == OP_LEA || instruction.operation == OP_ADD) &&
                      (address.held & effects.computes_with) && decode_registers(judge->decoder, &use);
        whereabouts_move(&address, &instruction, &effects, false);
        address.held |= is_sum ? use.writes : 0u; /* another byte of what lies there */
        if (flow_ends(instruction.flow) && (instruction.flow != FLOW_JUMP || !instruction.target_fits))
            return true;
        if (instruction.flow == FLOW_BRANCH && instruction.target_fits)
            branch_to(ways, instruction.target_rva, &address);
        rva = instruction.flow == FLOW_JUMP ? instruction.target_rva : instruction_end_rva(&instruction);
    }
    return true;
}

/* The instruction that writes, or NO_RVA. */
static uint32_t follow(struct judge *judge, uint32_t rva, const struct whereabouts *address, unsigned depth,
                       bool only_stores_harm, unsigned *steps_left)
{
    struct ways ways = {
        .judge = judge, .depth = depth, .only_stores_harm = only_stores_harm, .steps_left = *steps_left};
    bool is_harmless = follow_way(&ways, rva, *address);
    while (is_harmless && ways.pending_count != 0) {
        ways.pending_count--;
        is_harmless =
            follow_way(&ways, ways.pending[ways.pending_count].rva, ways.pending[ways.pending_count].address);
    }
    *steps_left = ways.steps_left;
    return is_harmless ? NO_RVA : ways.harm_rva;
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

void judge_follow(struct judge *judge, uint32_t taken_rva, uint32_t target_rva, bool is_text)
{
    struct instruction instruction;
    struct instruction_effects effects;
    struct whereabouts address = {.word_nbytes = judge->is_64 ? 8 : 4};
    unsigned steps_left = MOST_STEPS;
    if (judge->found || !judge_decode(judge, taken_rva, &instruction) ||
        !decode_effects(judge->decoder, &effects))
        return;
    /* Added to a register, or taken from it. */
    if (effects.overwritten == 0 && effects.computes_with != 0) {
        report_use(judge, taken_rva, target_rva, taken_rva);
        return;
    }
    /* Where it goes to: mov or lea into a register, or the stack, else memory, where it is out of sight. */
    whereabouts_move(&address, &instruction, &effects, true);
    /* The length of a text is measured where strlen() and its like are inlined; no one measures a function.
     */
    uint32_t harm_rva = follow(judge, instruction_end_rva(&instruction), &address, 0, is_text, &steps_left);
    if (harm_rva != NO_RVA)
        report_use(judge, taken_rva, target_rva, harm_rva);
}
