/* verify_tables_load_config.c - the fields of the load configuration that name something the loader writes.
 * Takes: an image.  Gives: written ranges.  Must not: read past the structure's own Size field, which says
 * which fields exist.  Source: winnt.h, IMAGE_LOAD_CONFIG_DIRECTORY. */
#include "verify/verify_tables_internal.h"

struct written_field {
    uint16_t at_32, at_64;
    uint16_t nbytes; /* written at the address; 0: one pointer */
    const char *what;
};

static const struct written_field written_fields[] = {
    {LC_SECURITY_COOKIE_32, LC_SECURITY_COOKIE_64, 0, "the security cookie"},
    {LC_GUARD_CF_CHECK_POINTER_32, LC_GUARD_CF_CHECK_POINTER_64, 0, "the guard check pointer"},
    {LC_GUARD_CF_DISPATCH_POINTER_32, LC_GUARD_CF_DISPATCH_POINTER_64, 0, "the guard dispatch pointer"},
    {LC_GUARD_RF_FAILURE_POINTER_32, LC_GUARD_RF_FAILURE_POINTER_64, 0, "the return guard's failure pointer"},
    {LC_GUARD_RF_VERIFY_STACK_POINTER_32, LC_GUARD_RF_VERIFY_STACK_POINTER_64, 0,
     "the return guard's stack check pointer"},
    {LC_GUARD_XFG_CHECK_POINTER_32, LC_GUARD_XFG_CHECK_POINTER_64, 0, "the XFG check pointer"},
    {LC_GUARD_XFG_DISPATCH_POINTER_32, LC_GUARD_XFG_DISPATCH_POINTER_64, 0, "the XFG dispatch pointer"},
    {LC_GUARD_XFG_TABLE_DISPATCH_POINTER_32, LC_GUARD_XFG_TABLE_DISPATCH_POINTER_64, 0,
     "the XFG table dispatch pointer"},
    {LC_CAST_GUARD_FAILURE_MODE_32, LC_CAST_GUARD_FAILURE_MODE_64, 0, "the CastGuard failure mode"},
    {LC_GUARD_MEMCPY_POINTER_32, LC_GUARD_MEMCPY_POINTER_64, 0, "the guard memcpy pointer"},
    {LC_UMA_FUNCTION_POINTERS_32, LC_UMA_FUNCTION_POINTERS_64, UMA_TABLE_NBYTES, "the UMA function pointers"},
};

/* Each address in this zero-terminated list is a LOCK prefix that a uniprocessor kernel overwrites. */
static bool collect_lock_prefixes(struct table_collector *collector, uint64_t table_va)
{
    const struct verify_image *image = collector->image;
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    struct span table = verify_bytes_at(image, table_va - image->base_va);
    for (uint64_t at = 0; range_fits(table.nbytes, at, width_nbytes) && collector->budget_count != 0;
         at += width_nbytes) {
        uint64_t prefix_va = load_width(table.bytes + at, width_nbytes);
        collector->budget_count--;
        if (prefix_va == 0)
            return true;
        if (!collect_range(collector, RANGE_WRITTEN, prefix_va - image->base_va, 1, "a listed LOCK prefix"))
            return false;
    }
    return collect_problem(collector, table_va - image->base_va, "the list of LOCK prefixes does not end");
}

bool collect_load_config(struct table_collector *collector)
{
    const struct verify_image *image = collector->image;
    struct verify_directory directory = collect_directory(collector, DIR_LOAD_CONFIG);
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    struct span config = verify_bytes_at(image, directory.rva);
    uint32_t own_nbytes;
    if (directory.rva == 0)
        return true;
    if (!span_u32(config, LC_SIZE, &own_nbytes))
        return collect_problem(collector, directory.rva, "the load configuration cannot be read");
    if (own_nbytes == 0) /* old linkers left the Size to the directory */
        own_nbytes = directory.nbytes;
    if (own_nbytes > config.nbytes)
        return collect_problem(collector, directory.rva, "the load configuration runs past its section");
    if (!collect_range(collector, RANGE_TYPED, directory.rva, own_nbytes, "the load configuration"))
        return false;
    for (size_t i = 0; i < sizeof written_fields / sizeof written_fields[0]; i++) {
        const struct written_field *field = &written_fields[i];
        unsigned at = image->is_64 ? field->at_64 : field->at_32;
        if (!range_fits(own_nbytes, at, width_nbytes))
            continue;
        uint64_t va = load_width(config.bytes + at, width_nbytes);
        if (va != 0 && !collect_range(collector, RANGE_WRITTEN, va - image->base_va,
                                      field->nbytes ? field->nbytes : width_nbytes, field->what))
            return false;
    }
    unsigned lock_at = image->is_64 ? LC_LOCK_PREFIX_TABLE_64 : LC_LOCK_PREFIX_TABLE_32;
    uint64_t lock_va =
        range_fits(own_nbytes, lock_at, width_nbytes) ? load_width(config.bytes + lock_at, width_nbytes) : 0;
    return lock_va == 0 || collect_lock_prefixes(collector, lock_va);
}
