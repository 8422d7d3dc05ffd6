/* argument_words.c - see argument_words.h. */
#include "calls/argument_words.h"

enum { TEXT_MOST = 40 };

/* Printable text that ends with a NUL, of bytes or of 16-bit words. */
static const char *text_at(struct call_search *search, uint32_t rva, unsigned nbytes)
{
    char text[TEXT_MOST + 1];
    struct span bytes;
    const struct section *section = image_section_at_rva(search->image, rva);
    if (!section || (section->characteristics & SCN_MEM_WRITE))
        return NULL;
    for (size_t i = 0; i <= TEXT_MOST; i++) {
        if (!image_bytes_at_rva(search->image, rva + (uint32_t)(i * nbytes), nbytes, &bytes))
            return NULL;
        unsigned character = nbytes == 2 ? load_u16(bytes.bytes) : bytes.bytes[0];
        bool ends = character == 0, is_long = i == TEXT_MOST;
        if ((ends || is_long) && i >= 2)
            return arena_printf(search->arena, "%s\"%.*s%s\"", nbytes == 2 ? "L" : "", (int)i, text,
                                ends ? "" : "...");
        if (ends || character > 0x7E || (character < 0x20 && character != '\n' && character != '\r'))
            return NULL;
        text[i] = character < 0x20 ? ' ' : (char)character;
    }
    return NULL;
}

static const char *place_words(struct call_search *search, uint32_t rva)
{
    const struct section *section = image_section_at_rva(search->image, rva);
    const struct import *import = search_import_thunk(search, rva);
    if (import && import->name)
        return import->name;
    return section ? arena_printf(search->arena, "%s+0x%X", section->name, rva - section->rva)
                   : arena_printf(search->arena, "RVA 0x%X", rva);
}

static const char *number_words(struct call_search *search, uint64_t number)
{
    /* Small negative numbers are written as such. */
    uint64_t mask = width_mask(image_pointer_nbytes(search->image));
    /* Four letters are most likely a tag. */
    char letters[4];
    bool is_tag = number <= UINT32_MAX;
    for (unsigned i = 0; i < 4; i++) {
        letters[i] = (char)(number >> (i * 8));
        is_tag =
            is_tag && ((letters[i] >= 'A' && letters[i] <= 'Z') || (letters[i] >= 'a' && letters[i] <= 'z') ||
                       (letters[i] >= '0' && letters[i] <= '9'));
    }
    if (is_tag)
        return arena_printf(search->arena, "'%.4s'", letters);
    if (number < 10)
        return arena_printf(search->arena, "%u", (unsigned)number);
    if (number == UINT32_MAX || number == (mask & UINT64_MAX))
        return "-1";
    return arena_printf(search->arena, "0x%llX", (unsigned long long)number);
}

static unsigned argument_number(const struct call_search *search, const struct atom *atom)
{
    static const uint8_t registers[] = {REGISTER_CX, REGISTER_DX, REGISTER_8, REGISTER_9};
    unsigned pointer_nbytes = image_pointer_nbytes(search->image);
    if (atom->kind == ATOM_ENTRY_STACK)
        return (unsigned)(atom->number / pointer_nbytes);
    for (unsigned i = 0; search->image->is_64 && i < 4; i++)
        if (atom->id == registers[i])
            return i + 1;
    return 0;
}

static const char *atom_words(struct call_search *search, const struct atom *atom)
{
    uint32_t rva = (uint32_t)atom->number;
    const char *text;
    const struct import *import;
    unsigned number;
    switch ((enum atom_kind)atom->kind) {
    case ATOM_CONSTANT:
        return number_words(search, atom->or_mask);
    case ATOM_ADDRESS:
        if ((text = text_at(search, rva, 2)) || (text = text_at(search, rva, 1)))
            return text;
        return arena_printf(search->arena, "&%s", place_words(search, rva));
    case ATOM_GLOBAL:
        import = import_at(&search->imports, rva);
        if (import && import->name)
            return arena_printf(search->arena, "&%s", import->name);
        return arena_printf(search->arena, "[%s]", place_words(search, rva));
    case ATOM_ENTRY_REGISTER:
    case ATOM_ENTRY_STACK:
        number = argument_number(search, atom);
        return number ? arena_printf(search->arena, "argument %u", number) : "?";
    case ATOM_STACK_ADDRESS:
        return "&local";
    case ATOM_INSIDE:
        return arena_printf(search->arena, "result of %X + ?", rva);
    case ATOM_RESULT:
        return arena_printf(search->arena, "result of %X", rva);
    default:
        return "?";
    }
}

const char *argument_words(struct call_search *search, value_number value)
{
    const char *words = "";
    struct atom atoms[VALUE_MOST_ATOMS];
    uint32_t count = value_in_order(&search->values, value, atoms);
    for (uint32_t i = 0; i < count; i++) {
        struct atom atom = atoms[i];
        bool is_whole = (atom.and_mask & UINT32_MAX) == UINT32_MAX || atom.kind == ATOM_CONSTANT;
        const char *one = is_whole ? atom_words(search, &atom)
                          : atom.or_mask
                              ? arena_printf(search->arena, "? with 0x%llX", (unsigned long long)atom.or_mask)
                              : "?";
        words = i == 0 ? one : arena_printf(search->arena, "%s or %s", words, one);
    }
    return words;
}
