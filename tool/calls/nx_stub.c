/* nx_stub.c - see nx_stub.h. */
#include "calls/nx_stub.h"

#include "base/span.h"
#include "base/text.h"

#include <string.h>

static const char kernel[] = "ntoskrnl.exe";

static const struct nx_api apis[] = {
    {"ExAllocatePool", kernel, HVCI2000_EXECUTABLE_POOL, NX_POOL_TYPE, 0},
    {"ExAllocatePoolWithQuota", kernel, HVCI2000_EXECUTABLE_POOL, NX_POOL_TYPE, 0},
    {"ExAllocatePoolWithQuotaTag", kernel, HVCI2000_EXECUTABLE_POOL, NX_POOL_TYPE, 0},
    {"ExAllocatePoolWithTag", kernel, HVCI2000_EXECUTABLE_POOL, NX_POOL_TYPE, 0},
    {"ExAllocatePoolWithTagPriority", kernel, HVCI2000_EXECUTABLE_POOL, NX_POOL_TYPE, 0},
    {"ExInitializeLookasideListEx", kernel, HVCI2000_EXECUTABLE_POOL, NX_POOL_TYPE, 3},
    {"ExInitializeNPagedLookasideList", kernel, HVCI2000_EXECUTABLE_POOL, NX_POOL_FLAGS, 3},
    {"FltAllocatePoolAlignedWithTag", "fltmgr.sys", HVCI2000_EXECUTABLE_POOL, NX_POOL_TYPE, 1},
    {"MmMapLockedPagesSpecifyCache", kernel, HVCI2002_EXECUTABLE_MDL, NX_MDL_PRIORITY, 5},
};

/* In front of the jump, by kind and argument. The first jump of each leads to the last one. */
struct form {
    enum nx_kind kind;
    uint8_t argument;
    bool is_64;
    uint8_t nbytes;
    uint8_t code[16];
};

static const struct form forms[] = {
    /* test cl, 1; jnz; or ecx, 0x200 */
    {NX_POOL_TYPE, 0, true, 11, {0xF6, 0xC1, 0x01, 0x75, 0x06, 0x81, 0xC9, 0, 2, 0, 0}},
    /* test dl, 1; jnz; or edx, 0x200 */
    {NX_POOL_TYPE, 1, true, 11, {0xF6, 0xC2, 0x01, 0x75, 0x06, 0x81, 0xCA, 0, 2, 0, 0}},
    /* test r9b, 1; jnz; or r9d, 0x200 */
    {NX_POOL_TYPE, 3, true, 13, {0x41, 0xF6, 0xC1, 0x01, 0x75, 0x07, 0x41, 0x81, 0xC9, 0, 2, 0, 0}},
    /* or r9d, 0x200 */
    {NX_POOL_FLAGS, 3, true, 7, {0x41, 0x81, 0xC9, 0, 2, 0, 0}},
    /* test dl, dl; jnz; or dword [rsp + 0x30], 0x40000000 */
    {NX_MDL_PRIORITY, 5, true, 12, {0x84, 0xD2, 0x75, 0x08, 0x81, 0x4C, 0x24, 0x30, 0, 0, 0, 0x40}},
    /* test byte [esp + 4 + 4 * argument], 1; jnz; or dword [there], 0x200 */
    {NX_POOL_TYPE, 0, false, 15, {0xF6, 0x44, 0x24, 4, 1, 0x75, 8, 0x81, 0x4C, 0x24, 4, 0, 2, 0, 0}},
    {NX_POOL_TYPE, 1, false, 15, {0xF6, 0x44, 0x24, 8, 1, 0x75, 8, 0x81, 0x4C, 0x24, 8, 0, 2, 0, 0}},
    {NX_POOL_TYPE, 3, false, 15, {0xF6, 0x44, 0x24, 16, 1, 0x75, 8, 0x81, 0x4C, 0x24, 16, 0, 2, 0, 0}},
    /* or dword [esp + 16], 0x200 */
    {NX_POOL_FLAGS, 3, false, 8, {0x81, 0x4C, 0x24, 16, 0, 2, 0, 0}},
    /* cmp byte [esp + 8], 0; jnz; or dword [esp + 24], 0x40000000 */
    {NX_MDL_PRIORITY, 5, false, 15, {0x80, 0x7C, 0x24, 8, 0, 0x75, 8, 0x81, 0x4C, 0x24, 24, 0, 0, 0, 0x40}},
};

static const uint8_t jump_through_slot[NX_JUMP_NBYTES] = {0xFF, 0x25};

static const struct form *form_of(const struct nx_api *api, bool is_64)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (forms[i].kind == api->kind && forms[i].argument == api->argument && forms[i].is_64 == is_64)
            return &forms[i];
    return NULL;
}

const struct nx_api *nx_api_find(const char *module, const char *name)
{
    for (size_t i = 0; module && name && i < sizeof apis / sizeof apis[0]; i++)
        if (strcmp(apis[i].name, name) == 0 && text_same_word(apis[i].module, module))
            return &apis[i];
    return NULL;
}

size_t nx_stub_code(const struct nx_api *api, bool is_64, uint8_t code[NX_STUB_MAX_NBYTES])
{
    const struct form *form = form_of(api, is_64);
    if (!form) /* the tables of this file have one for each */
        return 0;
    memcpy(code, form->code, form->nbytes);
    memcpy(code + form->nbytes, jump_through_slot, NX_JUMP_NBYTES);
    return (size_t)form->nbytes + NX_JUMP_NBYTES;
}

bool nx_stub_is_same(const struct nx_api *a, const struct nx_api *b)
{
    return a->kind == b->kind && a->argument == b->argument;
}

bool nx_stub_is_at(const uint8_t *bytes, size_t nbytes, bool is_64, size_t *jump_at,
                   const struct nx_api **api)
{
    for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++) {
        const struct form *form = form_of(&apis[i], is_64);
        if (!form || nbytes < (size_t)form->nbytes + NX_JUMP_NBYTES ||
            memcmp(bytes, form->code, form->nbytes) != 0 ||
            memcmp(bytes + form->nbytes, jump_through_slot, NX_JUMP_FIELD_AT) != 0)
            continue;
        *jump_at = form->nbytes;
        *api = &apis[i];
        return true;
    }
    return false;
}
