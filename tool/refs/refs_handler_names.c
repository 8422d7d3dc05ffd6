/* refs_handler_names.c - what language handlers are called.
 * Takes: the handlers' addresses.  Gives: a name for those that are import thunks, exports or COFF symbols.
 * Must not: guess; a handler without such a name stays without. */
#include "refs/refs_handler_data.h"

enum { HANDLER_NAME_MAX_NBYTES = 128, MOST_JUMPS = 4, SHORT_NAME_NBYTES = 8, HINT_NBYTES = 2 };

enum handler_kind handler_kind_of_name(const char *name)
{
    static const struct {
        const char *name;
        enum handler_kind kind;
    } known[] = {
        {"__C_specific_handler", HANDLER_SCOPE_TABLE},
        {"_C_specific_handler", HANDLER_SCOPE_TABLE},
        {"__C_specific_handler_noexcept", HANDLER_SCOPE_TABLE},
        {"__GSHandlerCheck_SEH", HANDLER_SCOPE_TABLE},
        {"__GSHandlerCheck_SEH_noexcept", HANDLER_SCOPE_TABLE},
        {"__CxxFrameHandler", HANDLER_CXX3},
        {"__CxxFrameHandler2", HANDLER_CXX3},
        {"__CxxFrameHandler3", HANDLER_CXX3},
        {"__GSHandlerCheck_EH", HANDLER_CXX3},
        {"__CxxFrameHandler4", HANDLER_CXX4},
        {"__GSHandlerCheck_EH4", HANDLER_CXX4},
        {"__GSHandlerCheck", HANDLER_GS},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].kind;
    return HANDLER_UNKNOWN;
}

/* A copy of the NUL-terminated name at `offset`, or NULL when it is not plain printable text. */
static const char *copy_name(struct refset *refs, struct span bytes, uint64_t offset, size_t max_nbytes)
{
    size_t length;
    if (!span_cstr(bytes, offset, max_nbytes, &length) || length == 0)
        return NULL;
    const uint8_t *text = bytes.bytes + offset;
    for (size_t i = 0; i < length; i++)
        if (text[i] <= 0x20 || text[i] >= 0x7F)
            return NULL;
    return arena_copy_text(refs->arena, (const char *)text, length);
}

/* The name that an IAT slot imports, read from what the slot holds on disk. */
static const char *imported_name(struct refset *refs, uint32_t slot_rva)
{
    struct window slot, entry;
    if (!window_at_rva(refs->image, slot_rva, 8, &slot))
        return NULL;
    uint64_t value = load_u64(slot.bytes.bytes);
    if (value == 0 || value > INT32_MAX || !window_from_rva(refs->image, (uint32_t)value, &entry))
        return NULL;
    return copy_name(refs, entry.bytes, HINT_NBYTES, HANDLER_NAME_MAX_NBYTES);
}

enum thunk_step { STEP_NONE, STEP_JUMP, STEP_SLOT };

/* Reads one x64 jump at rva: to another address, or through a slot. */
static enum thunk_step step_x64(const struct image *image, uint32_t rva, uint32_t *next_rva)
{
    struct window code;
    if (!window_from_rva(image, rva, &code))
        return STEP_NONE;
    const uint8_t *bytes = code.bytes.bytes;
    uint32_t prefix_nbytes = code.bytes.nbytes >= 1 && bytes[0] == 0x48 ? 1 : 0; /* REX.W changes nothing */
    if (code.bytes.nbytes >= prefix_nbytes + 6U && bytes[prefix_nbytes] == 0xFF &&
        bytes[prefix_nbytes + 1] == 0x25) {
        *next_rva = rva + prefix_nbytes + 6 + load_u32(bytes + prefix_nbytes + 2);
        return STEP_SLOT;
    }
    if (code.bytes.nbytes >= 5 && bytes[0] == 0xE9) {
        *next_rva = rva + 5 + load_u32(bytes + 1);
        return STEP_JUMP;
    }
    return STEP_NONE;
}

/* The same for ARM64: `b`, or `adrp x16; ldr x16, [x16, #n]; br x16`. */
static enum thunk_step step_arm64(const struct image *image, uint32_t rva, uint32_t *next_rva)
{
    struct window code;
    if (!window_from_rva(image, rva, &code) || code.bytes.nbytes < 4)
        return STEP_NONE;
    uint32_t first = load_u32(code.bytes.bytes);
    if ((first & 0xFC000000) == 0x14000000) {
        *next_rva = rva + (uint32_t)((int32_t)(first << 6) >> 4);
        return STEP_JUMP;
    }
    if (code.bytes.nbytes < 12 || (first & 0x9F00001F) != 0x90000010)
        return STEP_NONE;
    uint32_t second = load_u32(code.bytes.bytes + 4), third = load_u32(code.bytes.bytes + 8);
    if ((second & 0xFFC003FF) != 0xF9400210 || third != 0xD61F0200)
        return STEP_NONE;
    uint32_t page_count = ((first >> 29) & 3) | ((first >> 3) & 0x1FFFFC); /* immlo, immhi */
    *next_rva = (rva & ~UINT32_C(0xFFF)) + (page_count << 12) + ((second >> 10) & 0xFFF) * 8;
    return STEP_SLOT;
}

static const char *thunk_name(struct refset *refs, uint32_t rva)
{
    for (int i = 0; i < MOST_JUMPS; i++) {
        enum thunk_step step = refs->image->machine == MACHINE_ARM64 ? step_arm64(refs->image, rva, &rva)
                                                                     : step_x64(refs->image, rva, &rva);
        if (step == STEP_SLOT)
            return imported_name(refs, rva);
        if (step == STEP_NONE)
            break;
    }
    return NULL;
}

/* The handler at rva that has no name yet, or NULL. */
static struct handler *nameless_at(struct handler *handlers, size_t handler_count, uint32_t rva)
{
    size_t low = 0, high = handler_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (handlers[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < handler_count && handlers[low].rva == rva && !handlers[low].name ? &handlers[low] : NULL;
}

static void name_from_exports(struct refset *refs, struct handler *handlers, size_t handler_count)
{
    const struct image *image = refs->image;
    const struct directory *directory = image_directory(image, DIR_EXPORT);
    struct window header, addresses, names, ordinals, text;
    if (!directory || !window_at_rva(image, directory->rva, EXPORT_DIRECTORY_NBYTES, &header))
        return;
    const uint8_t *bytes = header.bytes.bytes;
    uint32_t name_count = load_u32(bytes + EXPORT_NUMBER_OF_NAMES);
    if (!window_from_rva(image, load_u32(bytes + EXPORT_ADDRESS_OF_FUNCTIONS), &addresses) ||
        !window_from_rva(image, load_u32(bytes + EXPORT_ADDRESS_OF_NAMES), &names) ||
        !window_from_rva(image, load_u32(bytes + EXPORT_ADDRESS_OF_NAME_ORDINALS), &ordinals))
        return;
    for (uint32_t i = 0; i < name_count; i++) {
        uint16_t index;
        uint32_t name_rva, rva;
        if (!span_u32(names.bytes, 4 * (uint64_t)i, &name_rva) ||
            !span_u16(ordinals.bytes, 2 * (uint64_t)i, &index))
            break;
        if (!span_u32(addresses.bytes, 4 * (uint64_t)index, &rva))
            continue;
        struct handler *handler = nameless_at(handlers, handler_count, rva);
        if (handler && window_from_rva(image, name_rva, &text))
            handler->name = copy_name(refs, text.bytes, 0, HANDLER_NAME_MAX_NBYTES);
    }
}

/* A name of up to 8 bytes, or four zero bytes and an offset in the string table. */
static const char *symbol_name(struct refset *refs, const uint8_t *symbol)
{
    const struct image *image = refs->image;
    struct span strings;
    if (load_u32(symbol) == 0)
        return span_part(image->file, image->string_table_foff, image->string_table_nbytes, &strings)
                   ? copy_name(refs, strings, load_u32(symbol + 4), HANDLER_NAME_MAX_NBYTES)
                   : NULL;
    uint8_t text[SHORT_NAME_NBYTES + 1] = {0};
    memcpy(text, symbol, SHORT_NAME_NBYTES);
    return copy_name(refs, (struct span){text, sizeof text}, 0, sizeof text);
}

static void name_from_symbols(struct refset *refs, struct handler *handlers, size_t handler_count)
{
    enum { TYPE_FUNCTION = 0x20 };
    const struct image *image = refs->image;
    uint64_t table_nbytes = (uint64_t)image->symbol_count * COFF_SYMBOL_NBYTES;
    struct span table;
    if (!span_part(image->file, image->symbol_table_foff, table_nbytes, &table))
        return;
    for (uint64_t at = 0; at < table_nbytes;) {
        const uint8_t *symbol = table.bytes + at;
        uint32_t number = load_u16(symbol + COFF_SYMBOL_SECTION);
        if (load_u16(symbol + COFF_SYMBOL_TYPE) == TYPE_FUNCTION && number >= 1 &&
            number <= image->section_count) {
            uint32_t rva = image->sections[number - 1].rva + load_u32(symbol + COFF_SYMBOL_VALUE);
            struct handler *handler = nameless_at(handlers, handler_count, rva);
            if (handler)
                handler->name = symbol_name(refs, symbol);
        }
        at += (1 + (uint64_t)symbol[COFF_SYMBOL_AUX_COUNT]) * COFF_SYMBOL_NBYTES;
    }
}

bool handlers_name(struct refset *refs, struct handler *handlers, size_t handler_count)
{
    for (size_t i = 0; i < handler_count; i++)
        handlers[i].name = thunk_name(refs, handlers[i].rva);
    name_from_exports(refs, handlers, handler_count);
    name_from_symbols(refs, handlers, handler_count);
    return !refs->arena->exhausted;
}
