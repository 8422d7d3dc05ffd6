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
    const char *name = NULL;
    uint64_t rest = 0;
    if (api->question == ASK_POOL_TYPE) {
        rest = value & 0x518;
        name = name_of(pool_types, sizeof pool_types / sizeof pool_types[0], value & ~UINT64_C(0x518));
    } else if (api->question == ASK_PROTECTION) {
        rest = value & ~UINT64_C(0xFF);
        name = name_of(protections, sizeof protections / sizeof protections[0], value & 0xFF);
    } else if (api->question == ASK_MDL_MODE) {
        name = value & 1 ? "UserMode" : "KernelMode";
    }
    if (name && rest == 0)
        return name;
    return name ? arena_printf(arena, "%s | 0x%llX", name, (unsigned long long)rest)
                : arena_printf(arena, "0x%llX", (unsigned long long)value);
}
