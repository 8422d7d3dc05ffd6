/* verify_inventory_load_config.c - the load configuration and the tables it names.
 * Takes: struct verify_moves.  Gives: their fields.  Must not: read past the structure's own Size field.
 * Source: winnt.h, IMAGE_LOAD_CONFIG_DIRECTORY; the guard metadata documentation. */
#include "verify/verify_dvrt.h"
#include "verify/verify_inventory.h"
#include "verify/verify_repairs.h"

struct config_field {
    uint16_t at_32, at_64;
    const char *what;
};

/* Addresses. Those that base relocations cover are moved with them; the others would be without effect. */
static const struct config_field address_fields[] = {
    {LC_EDIT_LIST_32, LC_EDIT_LIST_64, "EditList"},
    {LC_SECURITY_COOKIE_32, LC_SECURITY_COOKIE_64, "SecurityCookie"},
    {LC_SE_HANDLER_TABLE_32, LC_SE_HANDLER_TABLE_64, "SEHandlerTable"},
    {LC_GUARD_CF_CHECK_POINTER_32, LC_GUARD_CF_CHECK_POINTER_64, "GuardCFCheckFunctionPointer"},
    {LC_GUARD_CF_DISPATCH_POINTER_32, LC_GUARD_CF_DISPATCH_POINTER_64, "GuardCFDispatchFunctionPointer"},
    {LC_GUARD_CF_FUNCTION_TABLE_32, LC_GUARD_CF_FUNCTION_TABLE_64, "GuardCFFunctionTable"},
    {LC_GUARD_IAT_TABLE_32, LC_GUARD_IAT_TABLE_64, "GuardAddressTakenIatEntryTable"},
    {LC_GUARD_LONGJMP_TABLE_32, LC_GUARD_LONGJMP_TABLE_64, "GuardLongJumpTargetTable"},
    {LC_GUARD_RF_FAILURE_ROUTINE_32, LC_GUARD_RF_FAILURE_ROUTINE_64, "GuardRFFailureRoutine"},
    {LC_GUARD_RF_FAILURE_POINTER_32, LC_GUARD_RF_FAILURE_POINTER_64, "GuardRFFailureRoutineFunctionPointer"},
    {LC_GUARD_RF_VERIFY_STACK_POINTER_32, LC_GUARD_RF_VERIFY_STACK_POINTER_64,
     "GuardRFVerifyStackPointerFunctionPointer"},
    {LC_GUARD_EH_CONTINUATION_TABLE_32, LC_GUARD_EH_CONTINUATION_TABLE_64, "GuardEHContinuationTable"},
    {LC_GUARD_XFG_CHECK_POINTER_32, LC_GUARD_XFG_CHECK_POINTER_64, "GuardXFGCheckFunctionPointer"},
    {LC_GUARD_XFG_DISPATCH_POINTER_32, LC_GUARD_XFG_DISPATCH_POINTER_64, "GuardXFGDispatchFunctionPointer"},
    {LC_GUARD_XFG_TABLE_DISPATCH_POINTER_32, LC_GUARD_XFG_TABLE_DISPATCH_POINTER_64,
     "GuardXFGTableDispatchFunctionPointer"},
    {LC_CAST_GUARD_FAILURE_MODE_32, LC_CAST_GUARD_FAILURE_MODE_64, "CastGuardOsDeterminedFailureMode"},
    {LC_GUARD_MEMCPY_POINTER_32, LC_GUARD_MEMCPY_POINTER_64, "GuardMemcpyFunctionPointer"},
    {LC_VOLATILE_METADATA_32, LC_VOLATILE_METADATA_64, "VolatileMetadataPointer"},
    {LC_UMA_FUNCTION_POINTERS_32, LC_UMA_FUNCTION_POINTERS_64, "UmaFunctionPointers"},
};

/* What has to be empty: these are not read here. */
static const struct config_field unread_fields[] = {
    {LC_DYNAMIC_VALUE_RELOC_TABLE_32, LC_DYNAMIC_VALUE_RELOC_TABLE_64, "DynamicValueRelocTable"},
    {LC_CHPE_METADATA_32, LC_CHPE_METADATA_64, "CHPEMetadataPointer"},
    {LC_LOCK_PREFIX_TABLE_32, LC_LOCK_PREFIX_TABLE_64, "LockPrefixTable"},
    {LC_ENCLAVE_CONFIGURATION_32, LC_ENCLAVE_CONFIGURATION_64, "EnclaveConfigurationPointer"},
};

struct config_table {
    uint16_t at_32, at_64, count_at_32, count_at_64;
    bool has_stride;
    const char *what;
};

static const struct config_table tables[] = {
    {LC_SE_HANDLER_TABLE_32, LC_SE_HANDLER_TABLE_64, LC_SE_HANDLER_COUNT_32, LC_SE_HANDLER_COUNT_64, false,
     "a SafeSEH handler"},
    {LC_GUARD_CF_FUNCTION_TABLE_32, LC_GUARD_CF_FUNCTION_TABLE_64, LC_GUARD_CF_FUNCTION_COUNT_32,
     LC_GUARD_CF_FUNCTION_COUNT_64, true, "a guarded function"},
    {LC_GUARD_IAT_TABLE_32, LC_GUARD_IAT_TABLE_64, LC_GUARD_IAT_COUNT_32, LC_GUARD_IAT_COUNT_64, true,
     "a guarded IAT entry"},
    {LC_GUARD_LONGJMP_TABLE_32, LC_GUARD_LONGJMP_TABLE_64, LC_GUARD_LONGJMP_COUNT_32,
     LC_GUARD_LONGJMP_COUNT_64, true, "a longjmp target"},
    {LC_GUARD_EH_CONTINUATION_TABLE_32, LC_GUARD_EH_CONTINUATION_TABLE_64, LC_GUARD_EH_CONTINUATION_COUNT_32,
     LC_GUARD_EH_CONTINUATION_COUNT_64, true, "an EH continuation"},
};

struct config {
    struct verify_moves *moves;
    const struct verify_image *image;
    uint32_t rva, nbytes;
    unsigned width_nbytes;
};

/* A pointer-sized field, 0 when the structure does not have it. */
static uint64_t field_value(const struct config *config, unsigned at_32, unsigned at_64, unsigned nbytes)
{
    unsigned at = config->image->is_64 ? at_64 : at_32;
    uint64_t value = 0;
    if (range_fits(config->nbytes, at, nbytes))
        verify_read_at(config->image, (uint64_t)config->rva + at, nbytes, &value);
    return value;
}

static bool collect_table(const struct config *config, const struct config_table *table,
                          unsigned stride_nbytes)
{
    struct verify_moves *moves = config->moves;
    unsigned width = config->width_nbytes;
    uint64_t va = field_value(config, table->at_32, table->at_64, width);
    uint64_t count = field_value(config, table->count_at_32, table->count_at_64, width);
    uint64_t rva = va - config->image->base_va, entry;
    int64_t last = INT64_MIN;
    if (va == 0 || count == 0)
        return true;
    if (!table->has_stride)
        stride_nbytes = 4;
    if (count > moves->budget_count)
        return verify_moves_unproved(moves, config->rva, "The guard tables have no end.");
    if (!verify_moves_table(moves, rva, count * stride_nbytes, "a guard table"))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at_rva = rva + i * stride_nbytes;
        if (!verify_moves_rva(moves, at_rva, false, table->what) ||
            !verify_read_at(config->image, at_rva, 4, &entry))
            return false;
        const struct verify_piece *piece = verify_piece_at(&moves->map, entry);
        int64_t moved = (int64_t)entry + (piece ? piece->delta : 0);
        if (moved <= last)
            return verify_moves_unproved(moves, (uint32_t)at_rva,
                                         "The table with %s at RVA 0x%llX would no longer be sorted.",
                                         table->what, (unsigned long long)at_rva);
        last = moved;
    }
    return true;
}

/* Two tables of RVAs of code: single ones, and with a size behind each. */
static bool collect_volatile(const struct config *config)
{
    static const unsigned tables_at[] = {VOLATILE_ACCESS_TABLE, VOLATILE_RANGE_TABLE};
    struct verify_moves *moves = config->moves;
    uint64_t va = field_value(config, LC_VOLATILE_METADATA_32, LC_VOLATILE_METADATA_64, config->width_nbytes);
    uint64_t rva = va - config->image->base_va, header_nbytes = 0;
    if (va == 0)
        return true;
    if (!verify_read_at(config->image, rva, 4, &header_nbytes) || header_nbytes != VOLATILE_METADATA_NBYTES)
        return verify_moves_unproved(moves, config->rva, "The volatile metadata cannot be read.");
    if (!verify_moves_table(moves, rva, header_nbytes, "the volatile metadata"))
        return false;
    for (unsigned i = 0; i < 2; i++) {
        unsigned entry_nbytes = i == 0 ? 4 : 8;
        uint64_t table_rva, table_nbytes;
        if (!verify_read_at(config->image, rva + tables_at[i], 4, &table_rva) ||
            !verify_read_at(config->image, rva + tables_at[i] + 4, 4, &table_nbytes) ||
            table_nbytes > moves->budget_count)
            return verify_moves_unproved(moves, config->rva, "The volatile metadata cannot be read.");
        if (table_nbytes == 0 && table_rva == 0)
            continue;
        if (!verify_moves_rva(moves, rva + tables_at[i], false, "a table of the volatile metadata") ||
            !verify_moves_table(moves, table_rva, table_nbytes, "a table of the volatile metadata"))
            return false;
        for (uint64_t at = 0; at + entry_nbytes <= table_nbytes; at += entry_nbytes)
            if (!verify_moves_rva(moves, table_rva + at, false, "the volatile metadata"))
                return false;
    }
    return true;
}

static bool collect_address(const struct config *config, const struct config_field *field)
{
    unsigned at = config->image->is_64 ? field->at_64 : field->at_32;
    uint64_t va = field_value(config, field->at_32, field->at_64, config->width_nbytes);
    if (va == 0)
        return true;
    const struct verify_piece *piece = verify_piece_at(&config->moves->map, va - config->image->base_va);
    if (!piece)
        return verify_moves_unproved(config->moves, config->rva + at,
                                     "%s of the load configuration leads outside all sections.", field->what);
    return verify_moves_field(config->moves, (uint64_t)config->rva + at, config->width_nbytes,
                              va + (uint64_t)piece->delta, field->what);
}

bool verify_inventory_load_config(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct config config = {.moves = moves, .image = image, .width_nbytes = image->is_64 ? 8 : 4};
    uint64_t nbytes;
    config.rva = image->directory_count > DIR_LOAD_CONFIG ? image->directories[DIR_LOAD_CONFIG].rva : 0;
    if (config.rva == 0)
        return true;
    if (!verify_read_at(image, config.rva, 4, &nbytes) || nbytes > PAGE_NBYTES)
        return verify_moves_unproved(moves, config.rva, "The load configuration cannot be read.");
    config.nbytes = (uint32_t)nbytes;
    if (config.nbytes >
        (image->is_64 ? (uint32_t)LC_LARGEST_KNOWN_NBYTES_64 : (uint32_t)LC_LARGEST_KNOWN_NBYTES_32))
        return verify_moves_unproved(moves, config.rva,
                                     "The load configuration has fields that are not known here.");
    if (!verify_moves_table(moves, config.rva, nbytes, "the load configuration"))
        return false;
    for (size_t i = 0; i < sizeof unread_fields / sizeof unread_fields[0]; i++)
        if (field_value(&config, unread_fields[i].at_32, unread_fields[i].at_64, config.width_nbytes) != 0)
            return verify_moves_unproved(moves, config.rva, "%s of the load configuration is not read here.",
                                         unread_fields[i].what);
    if (field_value(&config, LC_HOT_PATCH_TABLE_OFFSET_32, LC_HOT_PATCH_TABLE_OFFSET_64, 4) != 0)
        return verify_moves_unproved(moves, config.rva, "The hot patch table is not read here.");
    uint64_t dvrt_number = field_value(&config, LC_DVRT_SECTION_32, LC_DVRT_SECTION_64, 2);
    uint64_t dvrt_offset = field_value(&config, LC_DVRT_OFFSET_32, LC_DVRT_OFFSET_64, 4);
    if ((dvrt_offset != 0 || dvrt_number != 0) &&
        !verify_inventory_dvrt(moves, config.rva, dvrt_offset, dvrt_number))
        return false;
    uint64_t guard_flags = field_value(&config, LC_GUARD_FLAGS_32, LC_GUARD_FLAGS_64, 4);
    unsigned stride_nbytes = 4 + (unsigned)(guard_flags >> GUARD_FLAG_STRIDE_SHIFT);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (!collect_table(&config, &tables[i], stride_nbytes))
            return false;
    if (!collect_volatile(&config))
        return false;
    bool is_derived;
    unsigned width = config.width_nbytes;
    struct verify_guard_table guard = {
        config.rva + (image->is_64 ? LC_GUARD_CF_FUNCTION_TABLE_64 : LC_GUARD_CF_FUNCTION_TABLE_32),
        config.rva + (image->is_64 ? LC_GUARD_CF_FUNCTION_COUNT_64 : LC_GUARD_CF_FUNCTION_COUNT_32),
        field_value(&config, LC_GUARD_CF_FUNCTION_TABLE_32, LC_GUARD_CF_FUNCTION_TABLE_64, width),
        field_value(&config, LC_GUARD_CF_FUNCTION_COUNT_32, LC_GUARD_CF_FUNCTION_COUNT_64, width),
        stride_nbytes};
    if (!verify_guard_with_stubs(moves, &guard, &is_derived))
        return false;
    for (size_t i = 0; i < sizeof address_fields / sizeof address_fields[0]; i++)
        if (!(is_derived && address_fields[i].at_64 == LC_GUARD_CF_FUNCTION_TABLE_64) &&
            !collect_address(&config, &address_fields[i]))
            return false;
    return true;
}
