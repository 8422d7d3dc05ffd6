/* machine.h - what differs between the two machines: calling conventions of Windows, and how a context is
 * laid out. The loader is built twice, for x64 and for x86; without a C library, because there need not be
 * one for x86. */
#ifndef LOADER_MACHINE_H
#define LOADER_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_NBYTES 0x1000u
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#if defined(__x86_64__)
#define IS_64 1
#define STDCALL __attribute__((ms_abi))
#define FASTCALL __attribute__((ms_abi))
#define CDECLARED __attribute__((ms_abi))
#else
#define IS_64 0
#define STDCALL __attribute__((stdcall))
#define FASTCALL __attribute__((fastcall))
#define CDECLARED __attribute__((cdecl))
#endif

#define STATUS_SUCCESS 0
#define STATUS_ACCESS_VIOLATION 0xc0000005u
#define STATUS_ILLEGAL_INSTRUCTION 0xc000001du
#define STATUS_DIVIDED_BY_ZERO 0xc0000094u

/* Windows' CONTEXT. Registers of x64 stand in the order of their encoding (rax rcx rdx rbx rsp rbp rsi rdi
 * r8...). */
#if IS_64
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, REGISTER_COUNT };

struct context {
    uint8_t homes_and_segments[0x44];
    uint32_t flags;
    uint64_t debug[6];
    uint64_t registers[REGISTER_COUNT];
    uint64_t ip;
    uint8_t fx_header[0xa0];
    uint8_t xmm[16][16];
    uint8_t fx_rest[0x60];
    uint8_t vectors[0x1d0];
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct context) == 0x4d0, "CONTEXT of x64");
_Static_assert(offsetof(struct context, ip) == 0xf8, "CONTEXT of x64");
#define CONTEXT_SP(context) ((context)->registers[RSP])
#else
struct context {
    uint32_t context_flags, debug[6];
    uint8_t float_save[112];
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebx, edx, ecx, eax, ebp, ip, cs, flags, esp, ss;
    uint8_t extended[512];
};
_Static_assert(sizeof(struct context) == 0x2cc, "CONTEXT of x86");
#define CONTEXT_SP(context) ((context)->esp)
#endif

/* Windows' EXCEPTION_RECORD and EXCEPTION_POINTERS. */
struct exception {
    uint32_t code, flags;
    struct exception *cause;
    uintptr_t address;
    uint32_t parameter_count;
    uintptr_t parameters[15];
};

#define EXCEPTION_UNWINDING 0x2u
#define EXCEPTION_TARGET_UNWIND 0x20u

struct exception_pointers {
    struct exception *exception;
    struct context *context;
};

/* Without a C library; also what the compiler itself calls. */
void *memcpy(void *to, const void *from, size_t nbytes);
void *memset(void *to, int value, size_t nbytes);
int memcmp(const void *one, const void *other, size_t nbytes);

bool text_is(const char *one, const char *other);
bool text_begins(const char *text, const char *beginning);

/* Numbers in memory that need not be aligned. */
static inline uint16_t get16(const void *from)
{
    uint16_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

static inline uint32_t get32(const void *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

static inline uint64_t get64(const void *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

static inline uintptr_t get_pointer(const void *from)
{
    uintptr_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

static inline void put_pointer(void *to, uintptr_t value)
{
    memcpy(to, &value, sizeof(value));
}

static inline uintptr_t page_up(uintptr_t value)
{
    return (value + PAGE_NBYTES - 1) & ~(uintptr_t)(PAGE_NBYTES - 1);
}

#endif
