/* verify_stub_entries.c - which entry points lead to a start-up stub, and whether that is all of them.
 * Takes: both images and the map.  Gives: the stubs in struct verify_repairs.
 * Must not: let code of the driver run before the stub: an export driver without DllInitialize, TLS callbacks
 * and user-mode images are refuted. Source: the kernel calls DllInitialize of an imported image before
 * anybody who imports from it runs; DriverEntry of such an image may never be called. */
#include "verify/verify_code_target.h"
#include "verify/verify_stub.h"

enum { NAME_MAX_NBYTES = 256 };

struct export_table {
    uint32_t rva, nbytes, functions_rva, names_rva, ordinals_rva, function_count, name_count;
};

static struct export_table read_exports(const struct verify_image *image)
{
    struct export_table table = {0};
    if (image->directory_count <= DIR_EXPORT || image->directories[DIR_EXPORT].rva == 0)
        return table;
    table.rva = image->directories[DIR_EXPORT].rva;
    table.nbytes = image->directories[DIR_EXPORT].nbytes;
    struct span bytes = verify_bytes_at(image, table.rva);
    span_u32(bytes, EXPORT_ADDRESS_OF_FUNCTIONS, &table.functions_rva);
    span_u32(bytes, EXPORT_ADDRESS_OF_NAMES, &table.names_rva);
    span_u32(bytes, EXPORT_ADDRESS_OF_NAME_ORDINALS, &table.ordinals_rva);
    span_u32(bytes, EXPORT_NUMBER_OF_FUNCTIONS, &table.function_count);
    span_u32(bytes, EXPORT_NUMBER_OF_NAMES, &table.name_count);
    return table;
}

/* The name and the index into the functions of the i-th name; an empty name when it cannot be read. */
static const char *name_of(const struct verify_image *image, const struct export_table *table, uint32_t i,
                           uint32_t *index)
{
    uint64_t name_rva;
    uint16_t ordinal = 0;
    size_t length;
    struct span ordinals = verify_bytes_at(image, (uint64_t)table->ordinals_rva + (uint64_t)i * 2);
    *index = UINT32_MAX;
    if (!span_u16(ordinals, 0, &ordinal) ||
        !verify_read_at(image, (uint64_t)table->names_rva + (uint64_t)i * 4, 4, &name_rva))
        return "";
    struct span name = verify_bytes_at(image, name_rva);
    if (!span_cstr(name, 0, NAME_MAX_NBYTES, &length))
        return "";
    *index = ordinal;
    return (const char *)name.bytes;
}

static bool is_own_entry_name(const char *name)
{
    static const char *const names[] = {"DllInitialize", "DllUnload",       "DriverEntry",
                                        "GsDriverEntry", "DriverEntry@8",   "_DriverEntry@8",
                                        "DllUnload@0",   "GsDriverEntry@8", "_GsDriverEntry@8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The entry of the export table (an RVA) that the name DllInitialize leads to, or 0; and whether anything
 * else can be bound to. */
static bool look_at_exports(struct verify_moves *moves, uint32_t *initialize_entry_rva, bool *is_bindable)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct export_table table = read_exports(image);
    uint32_t own_count = 0, used_count = 0;
    *initialize_entry_rva = 0;
    *is_bindable = false;
    if (table.function_count > image->file.nbytes || table.name_count > image->file.nbytes)
        return verify_moves_unproved(moves, table.rva, "The export table of the old image has no end.");
    for (uint32_t i = 0; i < table.function_count; i++) {
        uint64_t rva;
        moves->judged->verdict->step_count++;
        if (verify_read_at(image, (uint64_t)table.functions_rva + (uint64_t)i * 4, 4, &rva) && rva != 0)
            used_count++;
    }
    for (uint32_t i = 0; i < table.name_count; i++) {
        uint32_t index;
        const char *name = name_of(image, &table, i, &index);
        moves->judged->verdict->step_count++;
        if (strcmp(name, "DllInitialize") == 0 && index < table.function_count)
            *initialize_entry_rva = table.functions_rva + index * 4;
        if (is_own_entry_name(name))
            own_count++;
        else
            *is_bindable = true;
    }
    *is_bindable = *is_bindable || used_count > own_count;
    return true;
}

/* TLS callbacks run before the entry point, where anything calls them. */
static bool refuse_callbacks(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    uint64_t list_va, first_va;
    uint32_t rva = image->directory_count > DIR_TLS ? image->directories[DIR_TLS].rva : 0;
    if (rva == 0)
        return true;
    if (!verify_read_at(image, (uint64_t)rva + (image->is_64 ? TLS_CALLBACKS_64 : TLS_CALLBACKS_32),
                        width_nbytes, &list_va))
        return verify_moves_unproved(moves, rva, "The TLS directory cannot be read.");
    if (list_va == 0)
        return true;
    if (!verify_read_at(image, list_va - image->base_va, width_nbytes, &first_va))
        return verify_moves_unproved(moves, rva, "The list of TLS callbacks cannot be read.");
    return first_va == 0 || verify_refute(moves->judged, (struct verify_spot){true, UINT64_MAX, rva},
                                          "The new image has a start-up stub, but its TLS callbacks may run "
                                          "before it.");
}

/* The name of an imported module in lower case, cut at the length of the array. */
static void module_name(struct span bytes, char name[NAME_MAX_NBYTES])
{
    size_t i = 0;
    uint8_t byte = 0;
    for (; i + 1 < NAME_MAX_NBYTES && span_u8(bytes, i, &byte) && byte != 0; i++)
        name[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
    name[i] = 0;
}

static bool is_kernel_module(const char *name)
{
    size_t length = strlen(name);
    return strcmp(name, "ntoskrnl.exe") == 0 || strcmp(name, "hal.dll") == 0 ||
           (length > 4 && strcmp(name + length - 4, ".sys") == 0);
}

/* Native programs of user mode import from ntdll.dll; drivers never do. */
static bool refuse_user_mode(struct verify_moves *moves)
{
    struct verify_case *judged = moves->judged;
    const struct verify_image *image = &judged->old_image;
    uint16_t subsystem = load_u16(image->file.bytes + image->opt_foff + OPT_SUBSYSTEM);
    uint64_t at_rva = image->directory_count > DIR_IMPORT ? image->directories[DIR_IMPORT].rva : 0;
    uint64_t name_rva;
    bool is_user = subsystem != SUBSYSTEM_NATIVE;
    for (uint64_t i = 0; at_rva != 0 && i < image->file.nbytes / IMPORT_DESCRIPTOR_NBYTES; i++) {
        uint64_t rva = at_rva + i * IMPORT_DESCRIPTOR_NBYTES;
        char name[NAME_MAX_NBYTES];
        if (!verify_read_at(image, rva + IMPORT_NAME, 4, &name_rva) || name_rva == 0)
            break;
        module_name(verify_bytes_at(image, name_rva), name);
        if (is_kernel_module(name))
            return true;
        is_user = is_user || strcmp(name, "ntdll.dll") == 0 || strcmp(name, "kernel32.dll") == 0;
    }
    return !is_user ||
           verify_refute(judged, verify_spot_foff(judged, judged->new_image.opt_foff + OPT_SUBSYSTEM),
                         "The new image has a start-up stub, but is no driver: other code may run before its "
                         "entry point.");
}

static bool judge_image(struct verify_moves *moves, bool is_bindable)
{
    const struct verify_image *image = &moves->judged->old_image;
    if (!refuse_user_mode(moves) || !refuse_callbacks(moves))
        return false;
    if (moves->repairs.initialize_entry_rva != 0)
        return true;
    if (is_bindable)
        return verify_refute(moves->judged,
                             (struct verify_spot){true, UINT64_MAX, image->directories[DIR_EXPORT].rva},
                             "The new image has a start-up stub, but exports for others and no DllInitialize "
                             "that would lead to it first.");
    if (image->coff_characteristics & COFF_DLL)
        return verify_moves_unproved(moves, UINT32_MAX,
                                     "The new image has a start-up stub; the old one is a DLL without "
                                     "DllInitialize, and who calls it first is not known.");
    return true;
}

/* An entry point leads to where its function went, or into new content: then there must be a stub. */
static bool follow(struct verify_moves *moves, uint32_t old_rva, uint32_t new_rva, const char *what,
                   bool *is_wrapped)
{
    uint32_t expected_rva;
    *is_wrapped = false;
    if (!verify_mapped_rva(&moves->map, old_rva, &expected_rva) || new_rva == expected_rva ||
        verify_is_from_old(&moves->map, new_rva))
        return true; /* when it is wrong, the field itself is refuted */
    *is_wrapped = true;
    if (!verify_is_code_target(&moves->code, old_rva, true))
        return verify_moves_unproved(moves, old_rva, "At RVA 0x%X, where %s led, code was not recognised.",
                                     (unsigned)old_rva, what);
    return verify_stub_read(moves, new_rva, old_rva, what);
}

bool verify_stubs_find(struct verify_moves *moves)
{
    struct verify_case *judged = moves->judged;
    const struct verify_image *a = &judged->old_image, *b = &judged->new_image;
    struct verify_repairs *repairs = &moves->repairs;
    uint32_t new_entry_rva = 0;
    uint64_t old_rva = 0, new_rva = 0;
    bool is_entry = false, is_initialize = false, is_bindable;
    if (!look_at_exports(moves, &repairs->initialize_entry_rva, &is_bindable))
        return false;
    if (a->entry_rva != 0 && !follow(moves, a->entry_rva, b->entry_rva, "the entry point", &is_entry))
        return false;
    if (repairs->initialize_entry_rva != 0 && verify_read_at(a, repairs->initialize_entry_rva, 4, &old_rva) &&
        verify_mapped_rva(&moves->map, repairs->initialize_entry_rva, &new_entry_rva) &&
        verify_read_at(b, new_entry_rva, 4, &new_rva)) {
        struct verify_directory exports = a->directories[DIR_EXPORT];
        bool is_forwarder = old_rva >= exports.rva && old_rva - exports.rva < exports.nbytes;
        if (is_forwarder && is_entry)
            return verify_moves_unproved(moves, repairs->initialize_entry_rva,
                                         "DllInitialize is exported, but lies in another image.");
        if (!follow(moves, (uint32_t)old_rva, (uint32_t)new_rva, "the exported DllInitialize",
                    &is_initialize))
            return false;
    }
    if (repairs->stub_count == 0)
        return true;
    if (!is_entry)
        return verify_refute(judged, verify_spot_foff(judged, b->opt_foff + OPT_ADDRESS_OF_ENTRY_POINT),
                             "DllInitialize leads to a start-up stub, but the entry point does not.");
    if (repairs->initialize_entry_rva != 0 && !is_initialize)
        return verify_refute(judged, verify_spot_rva(judged, new_entry_rva),
                             "The entry point leads to a start-up stub, but the exported DllInitialize does "
                             "not.");
    return judge_image(moves, is_bindable);
}

bool verify_stub_of_export(const struct verify_moves *moves, uint64_t entry_rva, uint32_t *stub_rva)
{
    const struct verify_repairs *repairs = &moves->repairs;
    if (repairs->initialize_entry_rva == 0 || entry_rva != repairs->initialize_entry_rva ||
        repairs->stub_count < 2)
        return false;
    *stub_rva = repairs->stubs[1].rva;
    return true;
}
