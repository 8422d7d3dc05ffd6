/* section_writes_whereabouts.c - where the address is behind one instruction: in registers, on the stack.
 * Takes: an instruction that was decoded last.  Gives: the places behind it.
 * Must not: follow control flow, or decode anew. */
#include "code/section_writes_whereabouts.h"

enum { FRAME_REGISTER = 5 };

/* RAX, RCX, RDX, R8 to R11: what a callee may change, on x64 and, for the first three, on x86. */
#define VOLATILE_REGISTERS UINT32_C(0x0F07)
/* RCX, RDX, R8, R9; on x86 the first two, by __fastcall. */
#define ARGUMENT_REGISTERS UINT32_C(0x0306)

static void add_slot(struct whereabouts *address, uint8_t base, int64_t disp)
{
    if (address->slot_count < STACK_SLOT_MAX_COUNT && disp == (int32_t)disp)
        address->slots[address->slot_count++] = (struct stack_slot){base, (int32_t)disp};
}

static void drop_slots(struct whereabouts *address, uint8_t base)
{
    for (unsigned i = address->slot_count; i-- > 0;)
        if (address->slots[i].base == base)
            address->slots[i] = address->slots[--address->slot_count];
}

static void shift_slots(struct whereabouts *address, int64_t by)
{
    for (unsigned i = 0; i < address->slot_count; i++)
        if (address->slots[i].base == STACK_REGISTER)
            address->slots[i].disp = (int32_t)(address->slots[i].disp + by);
}

/* The slot that is wholly the operand of the instruction, or slot_count. */
static unsigned slot_at(const struct whereabouts *address, uint8_t base, int64_t disp)
{
    unsigned i = 0;
    while (i < address->slot_count && (address->slots[i].base != base || address->slots[i].disp != disp))
        i++;
    return i;
}

static bool is_variable(const struct instruction *instruction)
{
    return instruction->is_one_byte_map && instruction->is_legacy && instruction->has_modrm &&
           !instruction->has_register_operand && instruction->index == NO_REGISTER &&
           (instruction->base == STACK_REGISTER || instruction->base == FRAME_REGISTER);
}

/* mov between a register, or a constant, and a variable on the stack. */
static void move_variable(const struct instruction *instruction, bool is_taken, struct whereabouts *address)
{
    if (instruction->operation != OP_MOV || !is_variable(instruction))
        return;
    unsigned slot = slot_at(address, instruction->base, instruction->disp);
    bool is_known = slot < address->slot_count;
    if (instruction->opcode == 0x8B && is_known) /* from it */
        address->held |= UINT32_C(1) << instruction->reg;
    if (instruction->opcode != 0x89 && instruction->opcode != 0xC7)
        return;
    bool is_held = is_taken || (instruction->opcode == 0x89 && (address->held >> instruction->reg & 1));
    if (is_held && !is_known)
        add_slot(address, instruction->base, instruction->disp);
    else if (!is_held && is_known)
        address->slots[slot] = address->slots[--address->slot_count];
}

/* mov ebp, esp, or the other way. */
static void move_frame(const struct instruction *instruction, struct whereabouts *address)
{
    bool is_copy =
        instruction->operation == OP_MOV && instruction->has_register_operand && instruction->is_legacy;
    uint8_t to = instruction->opcode == 0x8B ? instruction->reg : instruction->rm;
    uint8_t from = instruction->opcode == 0x8B ? instruction->rm : instruction->reg;
    if (!is_copy || (to != FRAME_REGISTER && to != STACK_REGISTER) ||
        (from != FRAME_REGISTER && from != STACK_REGISTER) || to == from)
        return;
    drop_slots(address, to);
    for (unsigned i = address->slot_count; i-- > 0;)
        if (address->slots[i].base == from)
            add_slot(address, to, address->slots[i].disp);
}

/* The stack pointer moves. */
static void move_stack(const struct instruction *instruction, const struct instruction_effects *effects,
                       bool is_taken, struct whereabouts *address)
{
    bool is_sum = instruction->operation == OP_SUB || instruction->operation == OP_ADD;
    if (instruction->operation == OP_PUSH) {
        bool is_again = is_variable(instruction) &&
                        slot_at(address, instruction->base, instruction->disp) < address->slot_count;
        shift_slots(address, address->word_nbytes);
        if (is_taken || is_again || (address->held & effects->pushed))
            add_slot(address, STACK_REGISTER, 0);
    } else if (instruction->operation == OP_POP) {
        unsigned slot = slot_at(address, STACK_REGISTER, 0);
        if (slot < address->slot_count)
            address->slots[slot] = address->slots[--address->slot_count];
        shift_slots(address, -(int64_t)address->word_nbytes);
    } else if (is_sum && instruction->has_register_operand && instruction->rm == STACK_REGISTER) {
        int64_t by = (int64_t)instruction->imm;
        if (instruction->imm_nbytes[0] == 0)
            drop_slots(address, STACK_REGISTER);
        else
            shift_slots(address, instruction->operation == OP_SUB ? by : -by);
    }
}

void whereabouts_move(struct whereabouts *address, const struct instruction *instruction,
                      const struct instruction_effects *effects, bool is_taken)
{
    uint32_t after = address->held & ~effects->overwritten;
    for (int i = 0; i < 2; i++)
        if (address->held & effects->moved_from[i])
            after |= effects->moved_to[i];
    if (address->was_pushed)
        after |= effects->popped;
    move_stack(instruction, effects, is_taken, address);
    if (address->held & effects->pushed)
        address->was_pushed = true;
    address->held = after;
    if (is_taken && effects->overwritten != 0)
        address->held = effects->overwritten;
    move_variable(instruction, is_taken && effects->overwritten == 0, address);
    move_frame(instruction, address);
    if (instruction->flow != FLOW_CALL && instruction->flow != FLOW_CALL_INDIRECT)
        return;
    address->held &= ~VOLATILE_REGISTERS;
    if (address->word_nbytes == 4) /* the function that is called may remove its arguments */
        drop_slots(address, STACK_REGISTER);
}

struct whereabouts whereabouts_in_callee(const struct whereabouts *address)
{
    struct whereabouts inside = {.word_nbytes = address->word_nbytes,
                                 .held = address->held & ARGUMENT_REGISTERS};
    for (unsigned i = 0; i < address->slot_count; i++)
        if (address->slots[i].base == STACK_REGISTER)
            add_slot(&inside, STACK_REGISTER, (int64_t)address->slots[i].disp + address->word_nbytes);
    return inside;
}

bool whereabouts_is_argument(const struct whereabouts *address, unsigned number, bool is_fast)
{
    static const uint8_t registers[] = {1, 2, 8, 9}; /* RCX, RDX, R8, R9 */
    unsigned register_count = address->word_nbytes == 8 ? 4 : is_fast ? 2 : 0;
    if (number < register_count)
        return address->held >> registers[number] & 1;
    /* On x64 the first four have room on the stack too. */
    unsigned place = address->word_nbytes == 8 ? number : number - register_count;
    return slot_at(address, STACK_REGISTER, (int64_t)place * address->word_nbytes) < address->slot_count;
}

bool whereabouts_is_nowhere(const struct whereabouts *address)
{
    return address->held == 0 && !address->was_pushed && address->slot_count == 0;
}
