/* kernel_api.c - the table of kernel_api.h and what values mean. */
#include "calls/kernel_api.h"

#include <string.h>

/* argument: the deciding one; word: its word of the stack on x86; tag, tag_word: the same of the pool tag. */
#define POOL_FIELDS(api_name, argument_number, word, tag_number, tag_word, words, first)                     \
    .name = (api_name), .code = HVCI2000_EXECUTABLE_POOL, .question = ASK_POOL_TYPE,                         \
    .argument = (argument_number), .word_32 = (word), .tag = (tag_number), .tag_word_32 = (tag_word),        \
    .mode = NO_ARGUMENT, .argument_name = "PoolType", .no_execute = (words), .since = (first)
#define POOL_ROW(...) {POOL_FIELDS(__VA_ARGS__)}
#define POOL_FLAGS_ROW(api_name)                                                                             \
    {.name = (api_name),                                                                                     \
     .code = HVCI2000_EXECUTABLE_POOL,                                                                       \
     .question = ASK_POOL_FLAGS,                                                                             \
     .argument = 0,                                                                                          \
     .word_32 = 0,                                                                                           \
     .tag = 2,                                                                                               \
     .tag_word_32 = 3,                                                                                       \
     .mode = NO_ARGUMENT,                                                                                    \
     .argument_name = "Flags",                                                                               \
     .no_execute = "POOL_FLAG_NON_PAGED"}
#define PROTECTION_ROW(api_name, argument_number, word, argument_words)                                      \
    {.name = (api_name),                                                                                     \
     .code = HVCI2001_EXECUTABLE_PROTECTION,                                                                 \
     .question = ASK_PROTECTION,                                                                             \
     .argument = (argument_number),                                                                          \
     .word_32 = (word),                                                                                      \
     .tag = NO_ARGUMENT,                                                                                     \
     .tag_word_32 = NO_ARGUMENT,                                                                             \
     .mode = NO_ARGUMENT,                                                                                    \
     .argument_name = (argument_words),                                                                      \
     .no_execute = "a protection without PAGE_EXECUTE*"}
#define MDL_ROW(api_name, asked, argument_number, argument_words, words)                                     \
    {.name = (api_name),                                                                                     \
     .code = HVCI2002_EXECUTABLE_MDL,                                                                        \
     .question = (asked),                                                                                    \
     .argument = (argument_number),                                                                          \
     .word_32 = (argument_number),                                                                           \
     .tag = NO_ARGUMENT,                                                                                     \
     .tag_word_32 = NO_ARGUMENT,                                                                             \
     .mode = 1,                                                                                              \
     .argument_name = (argument_words),                                                                      \
     .no_execute = (words),                                                                                  \
     .since = windows_8}
#define SYSTEM_ROW(api_name, finding, words, first)                                                          \
    {.name = (api_name),                                                                                     \
     .code = (finding),                                                                                      \
     .question = ASK_SYSTEM,                                                                                 \
     .argument = NO_ARGUMENT,                                                                                \
     .word_32 = NO_ARGUMENT,                                                                                 \
     .tag = NO_ARGUMENT,                                                                                     \
     .tag_word_32 = NO_ARGUMENT,                                                                             \
     .mode = NO_ARGUMENT,                                                                                    \
     .no_execute = (words),                                                                                  \
     .since = (first)}
/* An export of ntoskrnl for old drivers: see is_unverified. */
#define OLD_POOL_ROW(api_name, tag_number)                                                                   \
    {POOL_FIELDS(api_name, 0, 0, tag_number, tag_number, nx_of_file_systems, windows_8),                     \
     .is_unverified = true}

static const char nx_pool[] = "NonPagedPoolNx, or ExAllocatePool2";
static const char nx_type[] = "NonPagedPoolNx";
static const char nx_of_file_systems[] = "ExAllocatePoolWithTag with NonPagedPoolNx, or ExAllocatePool2";
static const char nx_contiguous[] = "MmAllocateContiguousNodeMemory with PAGE_READWRITE";
static const char windows_8[] = "Windows 8";

static const struct kernel_api apis[] = {
    POOL_ROW("ExAllocatePool", 0, 0, NO_ARGUMENT, NO_ARGUMENT, nx_pool, windows_8),
    POOL_ROW("ExAllocatePoolWithQuota", 0, 0, NO_ARGUMENT, NO_ARGUMENT, nx_pool, windows_8),
    POOL_ROW("ExAllocatePoolWithQuotaTag", 0, 0, 2, 2, nx_pool, windows_8),
    POOL_ROW("ExAllocatePoolWithTag", 0, 0, 2, 2, nx_pool, windows_8),
    POOL_ROW("ExAllocatePoolWithTagPriority", 0, 0, 2, 2, nx_pool, windows_8),
    OLD_POOL_ROW("FsRtlAllocatePool", NO_ARGUMENT),
    OLD_POOL_ROW("FsRtlAllocatePoolWithQuota", NO_ARGUMENT),
    OLD_POOL_ROW("FsRtlAllocatePoolWithQuotaTag", 2),
    OLD_POOL_ROW("FsRtlAllocatePoolWithTag", 2),
    POOL_FLAGS_ROW("ExAllocatePool2"),
    POOL_FLAGS_ROW("ExAllocatePool3"),
    {.name = "ExInitializeNPagedLookasideList",
     .code = HVCI2000_EXECUTABLE_POOL,
     .question = ASK_NX_FLAG,
     .argument = 3,
     .word_32 = 3,
     .tag = 5,
     .tag_word_32 = 5,
     .mode = NO_ARGUMENT,
     .argument_name = "Flags",
     .no_execute = "POOL_NX_ALLOCATION in Flags",
     .since = windows_8},
    POOL_ROW("ExInitializeLookasideListEx", 3, 3, 6, 6, nx_type, windows_8),
    POOL_ROW("FltAllocatePoolAlignedWithTag", 1, 1, 3, 3, nx_type, windows_8),
    POOL_ROW("FltAllocateContext", 3, 3, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8),
    POOL_ROW("ChangerClassAllocatePool", 0, 0, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8),
    POOL_ROW("VideoPortAllocatePool", 1, 1, 3, 3,
             "VpPagedPool, or for nonpaged memory ExAllocatePoolWithTag with NonPagedPoolNx", windows_8),
    POOL_ROW("PcNewDmaChannel", 2, 2, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8),
    POOL_ROW("PcNewResourceList", 2, 2, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8),
    POOL_ROW("PcNewResourceSublist", 2, 2, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8),
    POOL_ROW("ClfsCreateMarshallingArea", 1, 1, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8),
    SYSTEM_ROW("NdisAllocateMemory", HVCI2000_EXECUTABLE_POOL, "NdisAllocateMemoryWithTagPriority",
               "Windows Vista"),

    PROTECTION_ROW("ZwAllocateVirtualMemory", 5, 5, "Protect"),
    PROTECTION_ROW("NtAllocateVirtualMemory", 5, 5, "Protect"),
    PROTECTION_ROW("ZwAllocateVirtualMemoryEx", 4, 4, "PageProtection"),
    PROTECTION_ROW("NtAllocateVirtualMemoryEx", 4, 4, "PageProtection"),
    PROTECTION_ROW("ZwCreateSection", 4, 4, "SectionPageProtection"),
    PROTECTION_ROW("NtCreateSection", 4, 4, "SectionPageProtection"),
    PROTECTION_ROW("NtCreateSectionEx", 4, 4, "SectionPageProtection"),
    PROTECTION_ROW("ZwMapViewOfSection", 9, 9, "Win32Protect"),
    PROTECTION_ROW("NtMapViewOfSection", 9, 9, "Win32Protect"),
    PROTECTION_ROW("ZwMapViewOfSectionEx", 6, 6, "PageProtection"),
    PROTECTION_ROW("NtMapViewOfSectionEx", 6, 6, "PageProtection"),
    PROTECTION_ROW("MmProtectMdlSystemAddress", 1, 1, "NewProtect"),
    PROTECTION_ROW("MmAllocateContiguousNodeMemory", 4, 7, "Protect"),
    PROTECTION_ROW("MmAllocateContiguousMemoryEx", 5, 8, "Protect"),
    PROTECTION_ROW("MmMapIoSpaceEx", 2, 3, "Protect"),
    PROTECTION_ROW("MmMapMdl", 1, 1, "Protection"),
    SYSTEM_ROW("MmAllocateContiguousMemory", HVCI2001_EXECUTABLE_PROTECTION, nx_contiguous, windows_8),
    SYSTEM_ROW("MmAllocateContiguousMemorySpecifyCache", HVCI2001_EXECUTABLE_PROTECTION, nx_contiguous,
               windows_8),
    SYSTEM_ROW("MmAllocateContiguousMemorySpecifyCacheNode", HVCI2001_EXECUTABLE_PROTECTION, nx_contiguous,
               windows_8),
    SYSTEM_ROW("MmMapIoSpace", HVCI2001_EXECUTABLE_PROTECTION, "MmMapIoSpaceEx with PAGE_READWRITE",
               "Windows 10"),
    SYSTEM_ROW("MmCopyMemory", HVCI2001_EXECUTABLE_PROTECTION, "a target buffer that is not executable",
               NULL),

    MDL_ROW("MmMapLockedPagesSpecifyCache", ASK_MDL_PRIORITY, 5, "Priority",
            "MdlMappingNoExecute in Priority"),
    MDL_ROW("MmMapLockedPages", ASK_MDL_MODE, 1, "AccessMode",
            "MmMapLockedPagesSpecifyCache with MdlMappingNoExecute"),
    SYSTEM_ROW("MmMapLockedPagesWithReservedMapping", HVCI2002_EXECUTABLE_MDL,
               "MmMapLockedPagesSpecifyCache with MdlMappingNoExecute where a mapping may fail", windows_8),
    SYSTEM_ROW("StorPortGetSystemAddress", HVCI2002_EXECUTABLE_MDL, "the same call", windows_8),
    SYSTEM_ROW("StorPortGetDataInBufferSystemAddress", HVCI2002_EXECUTABLE_MDL, "the same call", windows_8),
};

const struct kernel_api *kernel_api_find(const char *name)
{
    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++)
        if (strcmp(apis[i].name, name) == 0)
            return &apis[i];
    return NULL;
}

static const struct {
    uint32_t index;
    struct kernel_api api;
} kmdf_apis[] = {
    {82, POOL_ROW("WdfDeviceAllocAndQueryProperty", 3, 3, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8)},
    {127, POOL_ROW("WdfFdoInitAllocAndQueryProperty", 3, 3, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8)},
    {176,
     POOL_ROW("WdfIoTargetAllocAndQueryTargetProperty", 3, 3, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8)},
    {192, POOL_ROW("WdfMemoryCreate", 2, 2, 3, 3, nx_type, windows_8)},
    {198, POOL_ROW("WdfLookasideListCreate", 3, 3, 5, 5, nx_type, windows_8)},
    {236, POOL_ROW("WdfRegistryQueryMemory", 3, 3, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8)},
    {434, POOL_ROW("WdfDeviceAllocAndQueryPropertyEx", 3, 3, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8)},
    {437, POOL_ROW("WdfFdoInitAllocAndQueryPropertyEx", 3, 3, NO_ARGUMENT, NO_ARGUMENT, nx_type, windows_8)},
};

const struct kernel_api *kmdf_api_find(uint32_t index)
{
    for (size_t i = 0; i < sizeof kmdf_apis / sizeof kmdf_apis[0]; i++)
        if (kmdf_apis[i].index == index)
            return &kmdf_apis[i].api;
    return NULL;
}

const struct kernel_api *kernel_api_row(size_t number)
{
    enum { COUNT = sizeof apis / sizeof apis[0], KMDF_COUNT = sizeof kmdf_apis / sizeof kmdf_apis[0] };
    if (number < COUNT)
        return &apis[number];
    return number < COUNT + KMDF_COUNT ? &kmdf_apis[number - COUNT].api : NULL;
}

/* Bits of the arguments, as the headers define them. */
enum {
    POOL_TYPE_PAGED = 1,
    POOL_NX_ALLOCATION = 0x200,
    POOL_FLAG_NON_PAGED_EXECUTE = 0x80,
    PAGE_EXECUTE_ANY = 0xF0,
    MDL_MAPPING_NO_EXECUTE = 0x40000000,
    ACCESS_MODE_MASK = 1
};

/* Is some bit of the mask certainly set, are all certainly clear? */
static enum api_meaning meaning_of_bits(uint64_t known_bits, uint64_t value, uint64_t mask,
                                        enum api_meaning set, enum api_meaning clear)
{
    if (value & known_bits & mask)
        return set;
    return (known_bits & mask) == mask ? clear : MEANS_NOTHING_KNOWN;
}

enum api_meaning kernel_api_meaning(const struct kernel_api *api, uint64_t known_bits, uint64_t value)
{
    switch (api->question) {
    case ASK_POOL_TYPE:
        return meaning_of_bits(known_bits, value, POOL_TYPE_PAGED | POOL_NX_ALLOCATION, MEANS_NO_EXECUTE,
                               MEANS_EXECUTABLE);
    case ASK_NX_FLAG:
        return meaning_of_bits(known_bits, value, POOL_NX_ALLOCATION, MEANS_NO_EXECUTE, MEANS_EXECUTABLE);
    case ASK_POOL_FLAGS:
        return meaning_of_bits(known_bits, value, POOL_FLAG_NON_PAGED_EXECUTE, MEANS_EXECUTABLE,
                               MEANS_NO_EXECUTE);
    case ASK_PROTECTION:
        return meaning_of_bits(known_bits, value, PAGE_EXECUTE_ANY, MEANS_EXECUTABLE, MEANS_NO_EXECUTE);
    case ASK_MDL_PRIORITY:
        return meaning_of_bits(known_bits, value, MDL_MAPPING_NO_EXECUTE, MEANS_NO_EXECUTE, MEANS_EXECUTABLE);
    case ASK_MDL_MODE:
        return meaning_of_bits(known_bits, value, ACCESS_MODE_MASK, MEANS_NO_EXECUTE, MEANS_EXECUTABLE);
    case ASK_SYSTEM:
        break;
    }
    return MEANS_NOTHING_KNOWN;
}
