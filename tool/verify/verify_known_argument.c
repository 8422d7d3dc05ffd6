/* verify_known_argument.c - what functions of the kernel do with what their arguments lead to.
 * Takes: a name.  Gives: see verify_constant_argument.h.  Must not: list what is not documented. */
#include "verify/verify_constant_argument.h"

#include <string.h>

/* Arguments, counted from 1: those that are const or documented as input only, and of which the function
 * keeps nothing to write through; and those that it writes to. Names as in the kernel headers. */
static const struct {
    const char *name;
    unsigned read, written; /* bits: 1 << number */
} known_functions[] = {
    {"DbgPrint", 1u << 1, 0},
    {"DbgPrintEx", 1u << 3, 0},
    {"RtlCompareMemory", 1u << 1 | 1u << 2, 0},
    {"memcmp", 1u << 1 | 1u << 2, 0},
    {"memcpy", 1u << 2, 1u << 1},
    {"memmove", 1u << 2, 1u << 1},
    {"strlen", 1u << 1, 0},
    {"strcmp", 1u << 1 | 1u << 2, 0},
    {"strncmp", 1u << 1 | 1u << 2, 0},
    {"_stricmp", 1u << 1 | 1u << 2, 0},
    {"_strnicmp", 1u << 1 | 1u << 2, 0},
    {"strcpy", 1u << 2, 1u << 1},
    {"strncpy", 1u << 2, 1u << 1},
    {"strcat", 1u << 2, 1u << 1},
    {"wcslen", 1u << 1, 0},
    {"wcscmp", 1u << 1 | 1u << 2, 0},
    {"wcsncmp", 1u << 1 | 1u << 2, 0},
    {"_wcsicmp", 1u << 1 | 1u << 2, 0},
    {"_wcsnicmp", 1u << 1 | 1u << 2, 0},
    {"wcscpy", 1u << 2, 1u << 1},
    {"wcsncpy", 1u << 2, 1u << 1},
    {"wcscat", 1u << 2, 1u << 1},
    {"sprintf", 1u << 2, 1u << 1},
    {"swprintf", 1u << 2, 1u << 1},
    {"_snprintf", 1u << 3, 1u << 1},
    {"_snwprintf", 1u << 3, 1u << 1},
    {"strncat", 1u << 2, 1u << 1},
    {"wcsncat", 1u << 2, 1u << 1},
    {"memset", 0, 1u << 1},
    {"RtlZeroMemory", 0, 1u << 1},
    {"RtlCopyMemory", 1u << 2, 1u << 1},
    {"RtlMoveMemory", 1u << 2, 1u << 1},
    {"IoAllocateMdl", 0, 1u << 1}, /* through a second mapping */
    {"RtlFillMemory", 0, 1u << 1},
    {"_strupr", 0, 1u << 1},
    {"_strlwr", 0, 1u << 1},
    {"_wcsupr", 0, 1u << 1},
    {"_wcslwr", 0, 1u << 1},
    {"IoRegisterDeviceInterface", 1u << 2, 0},
    {"IoGetDeviceInterfaces", 1u << 1, 0},
};

enum verify_argument verify_known_argument(const char *name, unsigned argument)
{
    for (size_t i = 0; i < sizeof known_functions / sizeof known_functions[0]; i++) {
        if (strcmp(name, known_functions[i].name) != 0)
            continue;
        if (known_functions[i].written >> argument & 1)
            return ARGUMENT_WRITTEN;
        return known_functions[i].read >> argument & 1 ? ARGUMENT_READ : ARGUMENT_UNKNOWN;
    }
    return ARGUMENT_UNKNOWN;
}
