/* code_integrity_windows.c - code_integrity.h by NtQuerySystemInformation.
 * Takes nothing.  Gives: what the system says.  Must not: guess.
 * Source: SYSTEM_CODEINTEGRITY_INFORMATION in Microsoft's documentation of NtQuerySystemInformation. */
#include "doctor/code_integrity.h"

#include <windows.h>

enum { SYSTEM_CODE_INTEGRITY = 103, OPTION_HVCI_KMCI_ENABLED = 0x400 };

struct code_integrity_information {
    ULONG nbytes, options;
};

typedef LONG WINAPI query_fn(ULONG what, void *answer, ULONG answer_nbytes, ULONG *given_nbytes);

enum code_integrity code_integrity_here(void)
{
    struct code_integrity_information information = {.nbytes = sizeof information};
    HMODULE library = GetModuleHandleW(L"ntdll.dll");
    query_fn *query =
        library ? (query_fn *)(void (*)(void))GetProcAddress(library, "NtQuerySystemInformation") : NULL;
    if (!query || query(SYSTEM_CODE_INTEGRITY, &information, sizeof information, NULL) < 0)
        return INTEGRITY_NOT_TOLD;
    return information.options & OPTION_HVCI_KMCI_ENABLED ? INTEGRITY_ON : INTEGRITY_OFF;
}
