/* verify_nx_stub.c - reads one stub, instruction by instruction.
 * Takes: the new image.  Gives: which argument the stub changes, how, and through which slot it goes on.
 * Must not: accept an instruction, a prefix or a byte that is not in the form.
 *
 * The form: a test of one argument and a conditional jump to the last instruction, or neither; one `or` of a
 * 32-bit argument with a constant; a jump through a slot; int3 up to the stub's end. Arguments are where the
 * calling convention puts them at a function's first instruction (x64: rcx, rdx, r8, r9, then [rsp + 0x28];
 * x86 stdcall: [esp + 4]). The flags that `test` and `or` change are handed over by no call. */
#include "verify/verify_full.h"
#include "verify/verify_import_name.h"
#include "verify/verify_nx.h"

enum { NO_ARGUMENT = 0xFF, FIRST_STACK_ARGUMENT_64 = 4 };

enum condition { CONDITION_NONE, CONDITION_NOT_PAGED, CONDITION_KERNEL_MODE };

/* The functions that have a form with a flag. Source: their pages in the Windows driver documentation. */
static const struct {
    const char *name, *module;
    enum verify_nx_kind kind;
    uint8_t argument;
} functions[] = {
    {"ExAllocatePool", "ntoskrnl.exe", VERIFY_NX_POOL_TYPE, 0},
    {"ExAllocatePoolWithTag", "ntoskrnl.exe", VERIFY_NX_POOL_TYPE, 0},
    {"ExAllocatePoolWithTagPriority", "ntoskrnl.exe", VERIFY_NX_POOL_TYPE, 0},
    {"ExAllocatePoolWithQuota", "ntoskrnl.exe", VERIFY_NX_POOL_TYPE, 0},
    {"ExAllocatePoolWithQuotaTag", "ntoskrnl.exe", VERIFY_NX_POOL_TYPE, 0},
    {"FltAllocatePoolAlignedWithTag", "fltmgr.sys", VERIFY_NX_POOL_TYPE, 1},
    {"ExInitializeLookasideListEx", "ntoskrnl.exe", VERIFY_NX_POOL_TYPE, 3},
    {"ExInitializeNPagedLookasideList", "ntoskrnl.exe", VERIFY_NX_POOL_FLAGS, 3},
    {"MmMapLockedPagesSpecifyCache", "ntoskrnl.exe", VERIFY_NX_MDL_PRIORITY, 5},
};

/* What the instructions before the last one do. */
struct effect {
    enum condition condition;
    unsigned condition_argument, argument;
    uint32_t bits;
};

struct stub_reader {
    struct verify_case *judged;
    const struct verify_nx *nx;
    const struct verify_nx_stub *stub;
    struct verify_decoder decoder;
    struct span code; /* the stub's bytes */
};

static bool refuse(const struct stub_reader *reader, size_t at, const char *what)
{
    return verify_refute(
        reader->judged, verify_spot_rva(reader->judged, reader->stub->rva + (uint32_t)at),
        "The stub at RVA 0x%X of the new image is none that adds a no-execute flag: %s at RVA 0x%X.",
        (unsigned)reader->stub->rva, what, (unsigned)reader->stub->rva + (unsigned)at);
}

/* How the instructions of stubs begin. What the processor takes for the same, but nobody writes so, is
 * refused: each bit of a stub counts. */
static bool is_usual(const struct stub_reader *reader, size_t at)
{
    static const struct {
        uint8_t bytes[3], nbytes;
    } begins[] = {
        {{0xF6, 0xC1}, 2},
        {{0xF6, 0xC2}, 2},
        {{0x41, 0xF6, 0xC1}, 3}, /* test reg8, 1 */
        {{0x84, 0xD2}, 2},       /* test dl, dl */
        {{0xF6, 0x44, 0x24}, 3},
        {{0x80, 0x7C, 0x24}, 3}, /* test and cmp [esp + n] */
        {{0x75}, 1},
        {{0x81, 0xC9}, 2},
        {{0x81, 0xCA}, 2}, /* jnz; or reg32 */
        {{0x41, 0x81, 0xC9}, 3},
        {{0x81, 0x4C, 0x24}, 3},
        {{0xFF, 0x25}, 2}, /* or; jmp near */
    };
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        if (range_fits(reader->code.nbytes, at, begins[i].nbytes) &&
            memcmp(reader->code.bytes + at, begins[i].bytes, begins[i].nbytes) == 0)
            return true;
    return false;
}

static bool has_prefix(const struct verify_full *full)
{
    return full->decoded.attributes &
           (ZYDIS_ATTRIB_HAS_LOCK | ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE |
            ZYDIS_ATTRIB_HAS_SEGMENT | ZYDIS_ATTRIB_HAS_OPERANDSIZE | ZYDIS_ATTRIB_HAS_ADDRESSSIZE);
}

static bool read_instruction(const struct stub_reader *reader, size_t at, struct verify_full *full)
{
    return verify_full_decode(&reader->decoder, reader->code, at, full) && !has_prefix(full) &&
           is_usual(reader, at);
}

/* The argument whose low `nbits` bits the operand is, or NO_ARGUMENT. */
static unsigned argument_of(const struct stub_reader *reader, const ZydisDecodedOperand *operand,
                            unsigned nbits)
{
    static const ZydisRegister registers[][2] = {{ZYDIS_REGISTER_CL, ZYDIS_REGISTER_ECX},
                                                 {ZYDIS_REGISTER_DL, ZYDIS_REGISTER_EDX},
                                                 {ZYDIS_REGISTER_R8B, ZYDIS_REGISTER_R8D},
                                                 {ZYDIS_REGISTER_R9B, ZYDIS_REGISTER_R9D}};
    bool is_64 = reader->nx->image.is_64;
    int64_t width_nbytes = is_64 ? 8 : 4;
    if (operand->size != nbits)
        return NO_ARGUMENT;
    if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER) {
        for (unsigned i = 0; is_64 && i < 4; i++)
            if (operand->reg.value == registers[i][nbits == 32])
                return i;
        return NO_ARGUMENT;
    }
    if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->mem.type != ZYDIS_MEMOP_TYPE_MEM ||
        operand->mem.base != (is_64 ? ZYDIS_REGISTER_RSP : ZYDIS_REGISTER_ESP) ||
        operand->mem.index != ZYDIS_REGISTER_NONE || !operand->mem.disp.has_displacement)
        return NO_ARGUMENT;
    int64_t offset = operand->mem.disp.value - width_nbytes; /* behind the return address */
    if (offset < 0 || offset % width_nbytes != 0 || offset / width_nbytes >= 16)
        return NO_ARGUMENT;
    unsigned argument = (unsigned)(offset / width_nbytes);
    return is_64 && argument < FIRST_STACK_ARGUMENT_64 ? NO_ARGUMENT : argument;
}

static bool is_constant(const ZydisDecodedOperand *operand, uint32_t value)
{
    return operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && (uint32_t)operand->imm.value.u == value;
}

/* `test x, 1`, `test x, x` or `cmp x, 0`, of one byte, and then `jnz`. */
static bool read_condition(const struct stub_reader *reader, const struct verify_full *full,
                           struct effect *effect)
{
    const ZydisDecodedOperand *left = &full->operands[0], *right = &full->operands[1];
    effect->condition_argument = argument_of(reader, left, 8);
    if (effect->condition_argument == NO_ARGUMENT)
        return false;
    bool is_same_register = left->type == ZYDIS_OPERAND_TYPE_REGISTER &&
                            right->type == ZYDIS_OPERAND_TYPE_REGISTER && left->reg.value == right->reg.value;
    if (full->decoded.mnemonic == ZYDIS_MNEMONIC_TEST && is_constant(right, 1))
        effect->condition = CONDITION_NOT_PAGED;
    else if ((full->decoded.mnemonic == ZYDIS_MNEMONIC_TEST && is_same_register) ||
             (full->decoded.mnemonic == ZYDIS_MNEMONIC_CMP && is_constant(right, 0)))
        effect->condition = CONDITION_KERNEL_MODE;
    return effect->condition != CONDITION_NONE;
}

/* The slot that the jump goes through. */
static bool read_jump(const struct stub_reader *reader, size_t at, const struct verify_full *full,
                      struct verify_nx_stub *stub)
{
    const ZydisDecodedOperand *operand = &full->operands[0];
    bool is_64 = reader->nx->image.is_64;
    if (full->decoded.mnemonic != ZYDIS_MNEMONIC_JMP ||
        full->decoded.meta.branch_type != ZYDIS_BRANCH_TYPE_NEAR ||
        operand->type != ZYDIS_OPERAND_TYPE_MEMORY || operand->mem.type != ZYDIS_MEMOP_TYPE_MEM ||
        operand->mem.index != ZYDIS_REGISTER_NONE ||
        operand->mem.base != (is_64 ? ZYDIS_REGISTER_RIP : ZYDIS_REGISTER_NONE) ||
        full->decoded.length != 6 || full->decoded.raw.disp.size != 32)
        return false;
    stub->slot_field_rva = stub->rva + (uint32_t)at + full->decoded.raw.disp.offset;
    uint32_t field = load_u32(reader->code.bytes + at + full->decoded.raw.disp.offset);
    stub->slot_rva = is_64 ? stub->rva + (uint32_t)at + full->decoded.length + field
                           : field - (uint32_t)reader->nx->image.base_va;
    return true;
}

static bool read_instructions(const struct stub_reader *reader, struct verify_nx_stub *stub,
                              struct effect *effect)
{
    struct verify_full full;
    struct verify_instruction jump;
    size_t at = 0, target_at = 0;
    if (!read_instruction(reader, at, &full))
        return refuse(reader, at, "no plain instruction is");
    if (full.decoded.mnemonic != ZYDIS_MNEMONIC_OR) {
        if (!read_condition(reader, &full, effect))
            return refuse(reader, at, "a test of another kind is");
        at += full.decoded.length;
        if (!read_instruction(reader, at, &full) || full.decoded.mnemonic != ZYDIS_MNEMONIC_JNZ ||
            !verify_decode(&reader->decoder, reader->code, at, &jump) || !jump.has_target)
            return refuse(reader, at, "no jump for what stays as it is");
        target_at = at + (size_t)jump.target;
        at += full.decoded.length;
        if (!read_instruction(reader, at, &full))
            return refuse(reader, at, "no plain instruction is");
    }
    effect->argument = argument_of(reader, &full.operands[0], 32);
    if (full.decoded.mnemonic != ZYDIS_MNEMONIC_OR || effect->argument == NO_ARGUMENT ||
        full.operands[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
        return refuse(reader, at, "another instruction than `or` of a 32-bit argument with a constant is");
    effect->bits = (uint32_t)full.operands[1].imm.value.u;
    at += full.decoded.length;
    if (effect->condition != CONDITION_NONE && target_at != at)
        return refuse(reader, at, "the conditional jump does not lead to the instruction");
    if (!read_instruction(reader, at, &full) || !read_jump(reader, at, &full, stub))
        return refuse(reader, at, "no jump through a slot is");
    for (at += full.decoded.length; at < reader->code.nbytes; at++)
        if (reader->code.bytes[at] != 0xCC)
            return refuse(reader, at, "a byte that is no int3 is");
    return true;
}

/* The function's own flag, in its own argument, under its own condition. */
static bool is_effect(const struct effect *effect, enum verify_nx_kind kind, unsigned argument)
{
    if (effect->argument != argument)
        return false;
    switch (kind) {
    case VERIFY_NX_POOL_TYPE:
        return effect->bits == 0x200 && effect->condition == CONDITION_NOT_PAGED &&
               effect->condition_argument == argument;
    case VERIFY_NX_POOL_FLAGS:
        return effect->bits == 0x200 && effect->condition == CONDITION_NONE;
    case VERIFY_NX_MDL_PRIORITY:
        return effect->bits == 0x40000000 && effect->condition == CONDITION_KERNEL_MODE &&
               effect->condition_argument == 1;
    }
    return false;
}

static const char *flag_words(enum verify_nx_kind kind)
{
    switch (kind) {
    case VERIFY_NX_POOL_TYPE:
        return "0x200 (no-execute) to PoolType where it is not paged";
    case VERIFY_NX_POOL_FLAGS:
        return "POOL_NX_ALLOCATION to Flags";
    case VERIFY_NX_MDL_PRIORITY:
        break;
    }
    return "MdlMappingNoExecute to Priority of mappings for kernel mode";
}

static bool find_function(const struct stub_reader *reader, struct verify_nx_stub *stub,
                          const struct effect *effect)
{
    struct verify_case *judged = reader->judged;
    char name[VERIFY_IMPORT_NAME_NBYTES];
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (!verify_import_name(&reader->nx->image, stub->slot_rva, functions[i].module, name,
                                &judged->verdict->step_count) ||
            strcmp(name, functions[i].name) != 0)
            continue;
        stub->kind = functions[i].kind;
        stub->argument = functions[i].argument;
        stub->name = functions[i].name;
        stub->flag = flag_words(stub->kind);
        return is_effect(effect, stub->kind, stub->argument) ||
               verify_refute(
                   judged, verify_spot_rva(judged, stub->rva),
                   "The stub at RVA 0x%X of the new image changes an argument of %s otherwise than by its "
                   "no-execute flag.",
                   (unsigned)stub->rva, stub->name);
    }
    return verify_refute(
        judged, verify_spot_rva(judged, stub->slot_field_rva),
        "The stub at RVA 0x%X of the new image goes on through RVA 0x%X, which is no import slot of "
        "a function with a no-execute flag.",
        (unsigned)stub->rva, (unsigned)stub->slot_rva);
}

bool verify_nx_stub_read(struct verify_case *judged, const struct verify_nx *nx, struct verify_nx_stub *stub)
{
    struct stub_reader reader = {.judged = judged, .nx = nx, .stub = stub};
    struct effect effect = {.condition = CONDITION_NONE};
    struct span section = nx->code->bytes;
    judged->verdict->step_count += VERIFY_NX_STUB_NBYTES;
    return span_part(section, stub->rva - nx->code->rva, VERIFY_NX_STUB_NBYTES, &reader.code) &&
           verify_decoder_init(&reader.decoder, judged->arena, nx->image.is_64) &&
           read_instructions(&reader, stub, &effect) && find_function(&reader, stub, &effect);
}
