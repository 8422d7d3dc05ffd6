/* epilogue.c - the end of an x64 function.
 * Takes: an address in the loaded image.  Gives: whether what stands there is an epilogue as Microsoft's
 * description of x64 exception handling has it: give back the frame, pop, then return or jump to another
 * function. Must not: take a jump inside the function for one. */
#include "epilogue.h"

#if IS_64
#include "load.h"
#include "unwind.h"

struct reader {
    const uint8_t *at;
    struct context *context; /* NULL: only look */
    const uint8_t *function;
    bool is_epilogue;
};

/* add rsp, immediate, or lea rsp, [register + displacement]; only as the first instruction. */
static void give_frame_back(struct reader *reader)
{
    const uint8_t *at = reader->at;
    const unsigned rex = at[0];
    uint64_t sp = 0;
    size_t length = 0;

    if (rex == 0x48 && at[1] == 0x83 && at[2] == 0xc4) {
        sp = reader->context ? reader->context->registers[RSP] + (uint64_t)(int8_t)at[3] : 0;
        length = 4;
    } else if (rex == 0x48 && at[1] == 0x81 && at[2] == 0xc4) {
        sp = reader->context ? reader->context->registers[RSP] + (uint64_t)(int32_t)get32(at + 3) : 0;
        length = 7;
    } else if ((rex & 0xfe) == 0x48 && at[1] == 0x8d && (at[2] & 0x38) == 0x20 && (at[2] & 7) != 4) {
        const unsigned base = (at[2] & 7u) + 8 * (rex & 1);
        const uint64_t from = reader->context ? reader->context->registers[base] : 0;

        if (at[2] >> 6 == 1) {
            sp = from + (uint64_t)(int8_t)at[3];
            length = 4;
        } else if (at[2] >> 6 == 2) {
            sp = from + (uint64_t)(int32_t)get32(at + 3);
            length = 7;
        }
    }
    if (length > 0 && reader->context)
        reader->context->registers[RSP] = sp;
    reader->at += length;
}

static bool take(struct context *context, uint64_t *value)
{
    if (context->registers[RSP] > stack_end - 8)
        return false;
    *value = get64((const void *)(uintptr_t)context->registers[RSP]);
    context->registers[RSP] += 8;
    return true;
}

static bool pop_registers(struct reader *reader)
{
    for (;;) {
        const unsigned extended = reader->at[0] == 0x41 ? 1 : 0;
        const uint8_t code = reader->at[extended];

        if (code < 0x58 || code > 0x5f)
            return true;
        if (reader->context &&
            !take(reader->context, &reader->context->registers[code - 0x58u + 8 * extended]))
            return false;
        reader->at += 1 + extended;
    }
}

static bool leads_out(const struct reader *reader, int64_t distance)
{
    const int64_t target = (int64_t)((uintptr_t)reader->at - loaded.base) + distance;

    return reader->function &&
           (target < get32(reader->function) + 1 || target >= get32(reader->function + 4));
}

static bool is_end(const struct reader *reader)
{
    const uint8_t *at = reader->at;

    if (at[0] == 0xc3 || at[0] == 0xc2 || (at[0] == 0xf3 && at[1] == 0xc3))
        return true;
    if (at[0] == 0xeb)
        return leads_out(reader, 2 + (int8_t)at[1]);
    if (at[0] == 0xe9)
        return leads_out(reader, 5 + (int64_t)(int32_t)get32(at + 1));
    return (at[0] == 0xff && at[1] == 0x25) || (at[0] == 0x48 && at[1] == 0xff && (at[2] & 0x38) == 0x20);
}

bool epilogue_begins(uintptr_t ip, const uint8_t *function)
{
    struct reader reader = {.at = (const uint8_t *)ip, .function = function};

    give_frame_back(&reader);
    return pop_registers(&reader) && is_end(&reader);
}

bool epilogue_run(struct context *context)
{
    struct reader reader = {.at = (const uint8_t *)(uintptr_t)context->ip, .context = context};

    give_frame_back(&reader);
    return pop_registers(&reader) && take(context, &context->ip);
}
#endif
