/* verify_import_name.c - finds the descriptor of a slot.
 * Takes: see the header.  Gives: a name.  Must not: look at more descriptors than drivers have. */
#include "verify/verify_import_name.h"

#include <string.h>

enum { MOST_DESCRIPTORS = 64, HINT_NBYTES = 2 };

/* A zero-terminated text at rva, cut to `room_nbytes`; false when it does not end before. */
static bool read_text(const struct verify_image *image, uint64_t rva, char *text, size_t room_nbytes)
{
    struct span bytes = verify_bytes_at(image, rva);
    for (size_t i = 0; i < room_nbytes && i < bytes.nbytes; i++) {
        text[i] = (char)bytes.bytes[i];
        if (text[i] == 0)
            return true;
    }
    return false;
}

static bool is_module(const struct verify_image *image, uint32_t name_rva, const char *module)
{
    char name[VERIFY_IMPORT_NAME_NBYTES];
    if (!read_text(image, name_rva, name, sizeof name))
        return false;
    for (size_t i = 0;; i++) {
        char letter = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
        if (letter != module[i])
            return false;
        if (letter == 0)
            return true;
    }
}

/* The slots of one descriptor lie side by side; none is zero before its end. */
static bool slot_index(const struct verify_image *image, uint32_t names_rva, uint32_t slots_rva,
                       uint64_t slot_rva, uint64_t *entry, uint64_t *step_count)
{
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    if (slots_rva == 0 || slot_rva < slots_rva || (slot_rva - slots_rva) % width_nbytes != 0)
        return false;
    uint64_t list_rva = names_rva != 0 ? names_rva : slots_rva, offset = slot_rva - slots_rva;
    struct span list = verify_bytes_at(image, list_rva);
    if (!range_fits(list.nbytes, offset, width_nbytes))
        return false;
    for (uint64_t at = 0; at <= offset; at += width_nbytes) {
        ++*step_count;
        *entry = load_width(list.bytes + at, width_nbytes);
        if (*entry == 0)
            return false;
    }
    return true;
}

bool verify_kernel_import_name(const struct verify_image *image, uint64_t slot_rva,
                               char name[VERIFY_IMPORT_NAME_NBYTES], uint64_t *step_count)
{
    return verify_import_name(image, slot_rva, "ntoskrnl.exe", name, step_count);
}

bool verify_import_name(const struct verify_image *image, uint64_t slot_rva, const char *module,
                        char name[VERIFY_IMPORT_NAME_NBYTES], uint64_t *step_count)
{
    uint64_t ordinal_flag = image->is_64 ? IMPORT_ORDINAL_FLAG_64 : IMPORT_ORDINAL_FLAG_32, entry;
    uint64_t rva = image->directory_count > DIR_IMPORT ? image->directories[DIR_IMPORT].rva : 0;
    for (unsigned i = 0; rva != 0 && i < MOST_DESCRIPTORS; i++, rva += IMPORT_DESCRIPTOR_NBYTES) {
        struct span descriptor = verify_bytes_at(image, rva);
        if (descriptor.nbytes < IMPORT_DESCRIPTOR_NBYTES || load_u32(descriptor.bytes + IMPORT_NAME) == 0)
            return false;
        if (!slot_index(image, load_u32(descriptor.bytes + IMPORT_ORIGINAL_FIRST_THUNK),
                        load_u32(descriptor.bytes + IMPORT_FIRST_THUNK), slot_rva, &entry, step_count))
            continue;
        return !(entry & ordinal_flag) &&
               is_module(image, load_u32(descriptor.bytes + IMPORT_NAME), module) &&
               read_text(image, entry + HINT_NBYTES, name, VERIFY_IMPORT_NAME_NBYTES);
    }
    return false;
}
