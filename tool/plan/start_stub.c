/* start_stub.c - the two stubs, instruction by instruction.
 * Takes: addresses.  Gives: bytes.  Must not: use a register that F may find its arguments in, or the stack.
 * Volatile and free at a function's first instruction: x64 rax, r10, r11 (Microsoft's calling convention);
 * x86 eax, ecx, edx, since what Windows calls so is stdcall. */
#include "plan/start_stub.h"

#include "base/span.h"

static const uint8_t stub_64[START_STUB_NBYTES_64] = {
    0xB8, 0x01, 0x00, 0x00, 0x00,                /* 00 mov    eax, 1 */
    0x87, 0x05, 0,    0,    0,    0,             /* 05 xchg   [rip+flag], eax */
    0x85, 0xC0,                                  /* 0B test   eax, eax */
    0x75, 0x2F,                                  /* 0D jnz    done */
    0x48, 0x8D, 0x05, 0,    0,    0, 0,          /* 0F lea    rax, [rip+stub] */
    0x49, 0xBA, 0,    0,    0,    0, 0, 0, 0, 0, /* 16 mov    r10, link-time stub */
    0x4C, 0x29, 0xD0,                            /* 20 sub    rax, r10 */
    0x74, 0x19,                                  /* 23 jz     done */
    0x4C, 0x8D, 0x15, 0,    0,    0, 0,          /* 25 lea    r10, [rip+table] */
    0x4D, 0x63, 0x1A,                            /* 2C movsxd r11, dword [r10] */
    0x4D, 0x85, 0xDB,                            /* 2F test   r11, r11 */
    0x74, 0x0A,                                  /* 32 jz     done */
    0x4B, 0x01, 0x04, 0x1A,                      /* 34 add    [r10+r11], rax */
    0x49, 0x83, 0xC2, 0x04,                      /* 38 add    r10, 4 */
    0xEB, 0xEE,                                  /* 3C jmp    2C */
    0xE9, 0,    0,    0,    0,                   /* 3E jmp    F */
};
enum { FLAG_64 = 0x07, STUB_64 = 0x12, LINK_TIME_STUB_64 = 0x18, TABLE_64 = 0x28, FUNCTION_64 = 0x3F };

static const uint8_t stub_32[START_STUB_NBYTES_32] = {
    0xB8, 0x01, 0x00, 0x00, 0x00,    /* 00 mov  eax, 1 */
    0x87, 0x05, 0,    0,    0,    0, /* 05 xchg [flag], eax */
    0x85, 0xC0,                      /* 0B test eax, eax */
    0x75, 0x1F,                      /* 0D jnz  done */
    0xB8, 0,    0,    0,    0,       /* 0F mov  eax, stub */
    0x2D, 0,    0,    0,    0,       /* 14 sub  eax, link-time stub */
    0x74, 0x13,                      /* 19 jz   done */
    0xBA, 0,    0,    0,    0,       /* 1B mov  edx, table */
    0x8B, 0x0A,                      /* 20 mov  ecx, [edx] */
    0x85, 0xC9,                      /* 22 test ecx, ecx */
    0x74, 0x08,                      /* 24 jz   done */
    0x01, 0x04, 0x0A,                /* 26 add  [edx+ecx], eax */
    0x83, 0xC2, 0x04,                /* 29 add  edx, 4 */
    0xEB, 0xF2,                      /* 2C jmp  20 */
    0xE9, 0,    0,    0,    0,       /* 2E jmp  F */
};
enum { FLAG_32 = 0x07, STUB_32 = 0x10, LINK_TIME_STUB_32 = 0x15, TABLE_32 = 0x1C, FUNCTION_32 = 0x2F };

const uint8_t start_stub_relocations[START_STUB_RELOCATION_COUNT] = {FLAG_32, STUB_32, TABLE_32};

/* A distance from the end of its own 4 bytes, which end the instruction. */
static void store_distance(uint8_t *bytes, uint32_t stub_rva, unsigned offset, uint32_t target_rva)
{
    store_u32(bytes + offset, target_rva - (stub_rva + offset + 4));
}

void start_stub_write(bool is_64, const struct start_stub_addresses *addresses, uint8_t *bytes)
{
    uint32_t stub_rva = addresses->stub_rva;
    uint64_t base_va = addresses->image_base_va;
    if (is_64) {
        memcpy(bytes, stub_64, sizeof stub_64);
        store_distance(bytes, stub_rva, FLAG_64, addresses->flag_rva);
        store_distance(bytes, stub_rva, STUB_64, stub_rva);
        store_u64(bytes + LINK_TIME_STUB_64, base_va + stub_rva);
        store_distance(bytes, stub_rva, TABLE_64, addresses->table_rva);
        store_distance(bytes, stub_rva, FUNCTION_64, addresses->function_rva);
    } else {
        memcpy(bytes, stub_32, sizeof stub_32);
        store_u32(bytes + FLAG_32, (uint32_t)base_va + addresses->flag_rva);
        store_u32(bytes + STUB_32, (uint32_t)base_va + stub_rva);
        store_u32(bytes + LINK_TIME_STUB_32, (uint32_t)base_va + stub_rva);
        store_u32(bytes + TABLE_32, (uint32_t)base_va + addresses->table_rva);
        store_distance(bytes, stub_rva, FUNCTION_32, addresses->function_rva);
    }
}
