/* unwind.c - from a function's state to that of its caller, by the unwind data of an x64 image.
 * Takes: a context whose instruction pointer is in the loaded image.  Gives: the caller's context, as
 * RtlVirtualUnwind does, epilogues included.  Must not: read outside the image and the stack. */
#include "unwind.h"

#if IS_64
#include "epilogue.h"
#include "load.h"

#define ENTRY_NBYTES 12u
#define CHAINED 4u
#define CHAIN_LIMIT 32

enum operation {
    PUSH,
    ALLOCATE_LARGE,
    ALLOCATE_SMALL,
    SET_FRAME,
    SAVE,
    SAVE_FAR,
    EPILOGUE_2,
    SPARE,
    SAVE_XMM,
    SAVE_XMM_FAR,
    MACHINE_FRAME
};

static bool in_image(uint64_t rva, size_t nbytes)
{
    return rva <= loaded.image->nbytes && nbytes <= loaded.image->nbytes - rva;
}

static bool pop(struct context *context, uint64_t *value)
{
    const uintptr_t at = context->registers[RSP];

    if (at % 8 != 0 || at > stack_end - 8)
        return false;
    *value = get64((const void *)at);
    context->registers[RSP] += 8;
    return true;
}

static bool get_saved(uintptr_t at, void *value, size_t nbytes)
{
    if (at > stack_end - nbytes)
        return false;
    memcpy(value, (const void *)at, nbytes);
    return true;
}

/* The entry of the function that this RVA belongs to. */
static const uint8_t *function_at(uint32_t rva)
{
    const struct directory table = loaded.image->directories[DIRECTORY_FUNCTIONS];
    uint32_t first = 0, end = table.nbytes / ENTRY_NBYTES;

    while (first < end) {
        const uint32_t middle = first + (end - first) / 2;
        const uint8_t *entry = loaded.memory + table.rva + (size_t)middle * ENTRY_NBYTES;

        if (rva < get32(entry))
            end = middle;
        else if (rva >= get32(entry + 4))
            first = middle + 1;
        else
            return entry;
    }
    return NULL;
}

static unsigned slots_of(enum operation operation, unsigned info)
{
    switch (operation) {
    case ALLOCATE_LARGE:
        return info == 0 ? 2 : 3;
    case SAVE:
    case SAVE_XMM:
        return 2;
    case SAVE_FAR:
    case SAVE_XMM_FAR:
        return 3;
    default:
        return 1;
    }
}

/* Takes one operation of the prologue back. */
static bool take_back(struct context *context, const uint8_t *code, uintptr_t frame, const uint8_t *info)
{
    const unsigned operand = code[1] >> 4;

    switch ((enum operation)(code[1] & 15)) {
    case PUSH:
        return pop(context, &context->registers[operand]);
    case ALLOCATE_LARGE:
        context->registers[RSP] += operand == 0 ? 8 * (uint64_t)get16(code + 2) : get32(code + 2);
        return true;
    case ALLOCATE_SMALL:
        context->registers[RSP] += 8u * operand + 8;
        return true;
    case SET_FRAME:
        context->registers[RSP] = context->registers[info[3] & 15] - 16 * (uintptr_t)(info[3] >> 4);
        return true;
    case SAVE:
        return get_saved(frame + 8 * (uintptr_t)get16(code + 2), &context->registers[operand], 8);
    case SAVE_FAR:
        return get_saved(frame + get32(code + 2), &context->registers[operand], 8);
    case SAVE_XMM:
        return get_saved(frame + 16 * (uintptr_t)get16(code + 2), context->xmm[operand], 16);
    case SAVE_XMM_FAR:
        return get_saved(frame + get32(code + 2), context->xmm[operand], 16);
    case EPILOGUE_2: /* where version 2 says epilogues are: their code is read instead */
        return true;
    default:
        return false;
    }
}

/* Was the frame register set at this offset of the function? */
static bool has_frame(const uint8_t *info, uint32_t offset)
{
    if ((info[3] & 15) == 0)
        return false;
    if (offset >= info[1])
        return true;
    for (unsigned i = 0; i < info[2];
         i += slots_of((enum operation)(info[5 + 2 * i] & 15), info[5 + 2 * i] >> 4)) {
        if ((info[5 + 2 * i] & 15) == SET_FRAME)
            return offset >= info[4 + 2 * i];
    }
    return true; /* a chained function: its parent has set it */
}

static bool take_all_back(struct context *context, const uint8_t *info, uint32_t offset, uintptr_t frame)
{
    unsigned i = 0;

    while (i < info[2]) {
        const uint8_t *code = info + 4 + 2 * (size_t)i;

        if (offset >= code[0] && !take_back(context, code, frame, info))
            return false;
        i += slots_of((enum operation)(code[1] & 15), code[1] >> 4);
    }
    return true;
}

static const uint8_t *info_of(const uint8_t *function)
{
    const uint32_t rva = get32(function + 8);

    if (!in_image(rva, 4) || !in_image(rva, 8u + 2u * loaded.memory[rva + 2] + ENTRY_NBYTES))
        return NULL;
    return (loaded.memory[rva] & 7) == 1 || (loaded.memory[rva] & 7) == 2 ? loaded.memory + rva : NULL;
}

static const uint8_t *behind_codes(const uint8_t *info)
{
    return info + 4 + 2 * (size_t)((info[2] + 1u) & ~1u);
}

static bool unwind_function(struct context *context, struct unwind_frame *frame)
{
    const uint8_t *info = info_of(frame->function);
    uint32_t offset = (uint32_t)(context->ip - loaded.base) - get32(frame->function);

    if (!info)
        return false;
    frame->establisher = has_frame(info, offset)
                             ? context->registers[info[3] & 15] - 16 * (uintptr_t)(info[3] >> 4)
                             : context->registers[RSP];
    const bool in_prologue = offset < info[1];
    if (!in_prologue && epilogue_begins(context->ip, frame->function))
        return epilogue_run(context);
    for (int links = 0;; links++) {
        if (!take_all_back(context, info, offset, frame->establisher))
            return false;
        if (!((unsigned)info[0] >> 3 & CHAINED))
            break;
        info = info_of(behind_codes(info));
        if (!info || links == CHAIN_LIMIT)
            return false;
        offset = UINT32_MAX;
    }
    if (!in_prologue && (unsigned)info[0] >> 3 != 0) {
        frame->handles = (unsigned)info[0] >> 3;
        frame->handler = loaded.base + get32(behind_codes(info));
        frame->handler_data = behind_codes(info) + 4;
    }
    return pop(context, &context->ip);
}

bool unwind(struct context *context, struct unwind_frame *frame)
{
    const uint32_t rva = (uint32_t)(context->ip - loaded.base);

    *frame = (struct unwind_frame){.function = function_at(rva), .establisher = context->registers[RSP]};
    return frame->function ? unwind_function(context, frame) : pop(context, &context->ip);
}
#endif
