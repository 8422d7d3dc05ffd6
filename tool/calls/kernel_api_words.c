/* kernel_api_words.c - arguments in the words of the headers of Windows.
 * Takes: a number.  Gives: text.  Must not: judge. */
#include "calls/kernel_api.h"

struct number_name {
    uint64_t number;
    const char *name;
};

static const char *name_of(const struct number_name *names, size_t count, uint64_t number)
{
    for (size_t i = 0; i < count; i++)
        if (names[i].number == number)
            return names[i].name;
    return NULL;
}

const char *kernel_api_executable_words(const struct kernel_api *api)
{
    static const char *const words[] = {
        [ASK_POOL_TYPE] = "neither PagedPool (1) nor POOL_NX_ALLOCATION (0x200): NonPagedPool and its kin",
        [ASK_POOL_FLAGS] = "POOL_FLAG_NON_PAGED_EXECUTE (0x80)",
        [ASK_NX_FLAG] = "without POOL_NX_ALLOCATION (0x200)",
        [ASK_PROTECTION] = "PAGE_EXECUTE, PAGE_EXECUTE_READ, _READWRITE, _WRITECOPY (0xF0)",
        [ASK_MDL_PRIORITY] = "without MdlMappingNoExecute (0x40000000), where AccessMode is KernelMode",
        [ASK_MDL_MODE] = "KernelMode (0)",
        [ASK_SYSTEM] = "Windows decides, so it is always unknown",
    };
    return words[api->question];
}

const char *kernel_api_not_judged(size_t number, const char **reason)
{
    static const char callback[] =
        "a method that the driver implements itself: the port driver chooses PoolType when it calls";
    static const char through_table[] =
        "a method of an object of the port driver, called through a table that is filled at run time";
    static const struct {
        const char *name, *reason;
    } rows[] = {
        {"IMiniportDMus::NewStream", callback},
        {"IMiniportMidi::NewStream", callback},
        {"IMiniportWaveCyclic::NewStream", callback},
        {"IMiniportWavePci::NewStream", callback},
        {"IPortWavePci::NewMasterDmaChannel", through_table},
        {"DxgkCbMapMemory", "a callback in DXGKRNL_INTERFACE, which is filled at run time, and none of its "
                            "arguments is about execution"},
        {"NdisAllocateMemoryWithTag, NdisAllocateMemoryWithTagPriority",
         "NDIS chooses the nonpaged pool, by no argument"},
        {"MmAllocateMappingAddress, MmAllocateMappingAddressEx",
         "they reserve addresses and map nothing; the mapping is MmMapLockedPagesWithReservedMapping"},
        {"MmAllocatePagesForMdl, MmAllocatePagesForMdlEx, MmAllocateNodePagesForMdlEx",
         "they map nothing; the mapping is MmMapLockedPagesSpecifyCache, also where "
         "MmGetSystemAddressForMdlSafe is inlined"},
        {"ZwProtectVirtualMemory, NtProtectVirtualMemory",
         "they change pages of user mode alone, and are not in Microsoft's list"},
        {"MmProtectDriverSection", "it takes rights away and gives none"},
    };
    if (number >= sizeof rows / sizeof rows[0])
        return NULL;
    *reason = rows[number].reason;
    return rows[number].name;
}

const char *kernel_api_value_words(const struct kernel_api *api, uint64_t value, struct arena *arena)
{
    static const struct number_name pool_types[] = {
        {0, "NonPagedPool"},
        {1, "PagedPool"},
        {2, "NonPagedPoolMustSucceed"},
        {4, "NonPagedPoolCacheAligned"},
        {5, "PagedPoolCacheAligned"},
        {6, "NonPagedPoolCacheAlignedMustS"},
        {32, "NonPagedPoolSession"},
        {33, "PagedPoolSession"},
        {0x200, "NonPagedPoolNx"},
        {0x204, "NonPagedPoolNxCacheAligned"},
        {0x220, "NonPagedPoolSessionNx"},
    };
    static const struct number_name protections[] = {
        {0x01, "PAGE_NOACCESS"},          {0x02, "PAGE_READONLY"},          {0x04, "PAGE_READWRITE"},
        {0x08, "PAGE_WRITECOPY"},         {0x10, "PAGE_EXECUTE"},           {0x20, "PAGE_EXECUTE_READ"},
        {0x40, "PAGE_EXECUTE_READWRITE"}, {0x80, "PAGE_EXECUTE_WRITECOPY"},
    };
    static const struct number_name priorities[] = {
        {0, "LowPagePriority"}, {16, "NormalPagePriority"}, {32, "HighPagePriority"}};
    const char *name = NULL;
    uint64_t rest = 0;
    if (api->question == ASK_POOL_TYPE) {
        rest = value & 0x518;
        name = name_of(pool_types, sizeof pool_types / sizeof pool_types[0], value & ~UINT64_C(0x518));
    } else if (api->question == ASK_PROTECTION) {
        rest = value & ~UINT64_C(0xFF);
        name = name_of(protections, sizeof protections / sizeof protections[0], value & 0xFF);
    } else if (api->question == ASK_MDL_PRIORITY) {
        rest = value & ~UINT64_C(0x3F);
        name = name_of(priorities, sizeof priorities / sizeof priorities[0], value & 0x3F);
        if (name && rest == 0x40000000)
            return arena_printf(arena, "%s | MdlMappingNoExecute", name);
    } else if (api->question == ASK_MDL_MODE) {
        name = value & 1 ? "UserMode" : "KernelMode";
    }
    if (name && rest == 0)
        return name;
    return name ? arena_printf(arena, "%s | 0x%llX", name, (unsigned long long)rest)
                : arena_printf(arena, "0x%llX", (unsigned long long)value);
}
