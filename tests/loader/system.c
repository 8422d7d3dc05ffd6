/* system.c - system calls of Linux for both machines.
 * Takes: what system.h says.  Gives: the same for x64 and x86.  Must not: know anything about images. */
#include "system.h"

#if IS_64
enum call_number {
    READ = 0,
    WRITE = 1,
    OPEN = 2,
    CLOSE = 3,
    MMAP = 9,
    MPROTECT = 10,
    MUNMAP = 11,
    SIGACTION = 13,
    ALARM = 37,
    EXIT = 60,
    SIGALTSTACK = 131,
    ARCH_PRCTL = 158
};
#else
enum call_number {
    EXIT = 1,
    READ = 3,
    WRITE = 4,
    OPEN = 5,
    CLOSE = 6,
    ALARM = 27,
    MUNMAP = 91,
    MPROTECT = 125,
    SIGACTION = 174,
    SIGALTSTACK = 186,
    MMAP = 192,
    SET_THREAD_AREA = 243
};
#endif

#define SA_SIGINFO 0x00000004u
#define SA_RESTORER 0x04000000u
#define SA_ONSTACK 0x08000000u
#define SA_NODEFER 0x40000000u
#define MAP_PRIVATE_ANONYMOUS 0x22
#define MAP_FIXED_NOREPLACE 0x100000
#define ARCH_SET_GS 0x1001
#define SIGNAL_SET_NBYTES 8

#if IS_64
static long call(enum call_number number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e,
                 uintptr_t f)
{
    long result;
    register uintptr_t fourth __asm__("r10") = d;
    register uintptr_t fifth __asm__("r8") = e;
    register uintptr_t sixth __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((long)number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
}

__asm__("system_return_from_signal:\n\t"
        "movl $15, %eax\n\t"
        "syscall");
#else
/* Six arguments take all registers, so they come from the stack. */
long system_call(enum call_number number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e,
                 uintptr_t f);
#define call system_call

__asm__("system_call: push %ebx; push %esi; push %edi; push %ebp\n\t"
        "movl 20(%esp), %eax; movl 24(%esp), %ebx; movl 28(%esp), %ecx; movl 32(%esp), %edx\n\t"
        "movl 36(%esp), %esi; movl 40(%esp), %edi; movl 44(%esp), %ebp\n\t"
        "int $0x80\n\t"
        "pop %ebp; pop %edi; pop %esi; pop %ebx; ret");

__asm__("system_return_from_signal:\n\t"
        "movl $173, %eax\n\t"
        "int $0x80");
#endif
extern const char system_return_from_signal[];

struct signal_action {
    signal_handler *handler;
    unsigned long flags;
    const char *restorer;
    uint32_t mask[2];
};

struct signal_stack {
    void *bytes;
    int flags;
    size_t nbytes;
};

static bool failed(long result)
{
    return result < 0 && result > -4096;
}

bool system_reserve(uintptr_t address, size_t nbytes)
{
    const long result =
        call(MMAP, address, nbytes, 0, MAP_PRIVATE_ANONYMOUS | MAP_FIXED_NOREPLACE, (uintptr_t)-1, 0);

    if (failed(result))
        return false;
    if ((uintptr_t)result == address)
        return true;
    call(MUNMAP, (uintptr_t)result, nbytes, 0, 0, 0, 0);
    return false;
}

bool system_allow(uintptr_t address, size_t nbytes, unsigned rights)
{
    return !failed(call(MPROTECT, address, nbytes, rights, 0, 0, 0));
}

void system_release(uintptr_t address, size_t nbytes)
{
    call(MUNMAP, address, nbytes, 0, 0, 0, 0);
}

bool system_read_file(const char *path, uint8_t *bytes, size_t room_nbytes, size_t *nbytes)
{
    const long file = call(OPEN, (uintptr_t)path, 0, 0, 0, 0, 0);
    long got = 1;

    *nbytes = 0;
    if (failed(file))
        return false;
    while (got > 0 && *nbytes < room_nbytes) {
        got = call(READ, (uintptr_t)file, (uintptr_t)(bytes + *nbytes), room_nbytes - *nbytes, 0, 0, 0);
        if (!failed(got))
            *nbytes += (size_t)got;
    }
    call(CLOSE, (uintptr_t)file, 0, 0, 0, 0, 0);
    return got == 0;
}

void system_write(int file, const char *chars, size_t count)
{
    while (count > 0) {
        const long done = call(WRITE, (uintptr_t)file, (uintptr_t)chars, count, 0, 0, 0);

        if (failed(done) || done == 0)
            return;
        chars += done;
        count -= (size_t)done;
    }
}

void system_on_signal(int number, signal_handler *handler)
{
    static uint8_t bytes[0x20000];
    const struct signal_stack stack = {bytes, 0, sizeof(bytes)};
    const struct signal_action action = {
        handler, SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER, system_return_from_signal, {0, 0}};

    call(SIGALTSTACK, (uintptr_t)&stack, 0, 0, 0, 0, 0);
    call(SIGACTION, (uintptr_t)number, (uintptr_t)&action, 0, SIGNAL_SET_NBYTES, 0, 0);
}

void system_alarm(unsigned seconds)
{
    call(ALARM, seconds, 0, 0, 0, 0, 0);
}

bool system_set_thread_block(void *block)
{
#if IS_64
    return !failed(call(ARCH_PRCTL, ARCH_SET_GS, (uintptr_t)block, 0, 0, 0, 0));
#else
    /* The entry number, base, limit, and: 32-bit, limit in pages, usable. */
    uint32_t descriptor[4] = {UINT32_MAX, (uint32_t)(uintptr_t)block, 0xfffff, 0x51};

    if (failed(call(SET_THREAD_AREA, (uintptr_t)descriptor, 0, 0, 0, 0, 0)))
        return false;
    __asm__ volatile("movw %w0, %%fs" : : "r"(descriptor[0] * 8 + 3));
    return true;
#endif
}

_Noreturn void system_exit(int code)
{
    for (;;)
        call(EXIT, (uintptr_t)code, 0, 0, 0, 0, 0);
}
