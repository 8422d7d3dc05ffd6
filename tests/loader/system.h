/* system.h - what the loader needs of Linux, by bare system calls. */
#ifndef LOADER_SYSTEM_H
#define LOADER_SYSTEM_H

#include "machine.h"

enum { MAY_READ = 1, MAY_WRITE = 2, MAY_EXECUTE = 4 };

enum {
    SIGNAL_ILLEGAL = 4,
    SIGNAL_TRAP = 5,
    SIGNAL_BUS = 7,
    SIGNAL_DIVISION = 8,
    SIGNAL_MEMORY = 11,
    SIGNAL_ALARM = 14
};

typedef void signal_handler(int number, void *information, void *state);

/* Reserves memory at exactly this address, without any right; false when something is there already. */
bool system_reserve(uintptr_t address, size_t nbytes);
bool system_allow(uintptr_t address, size_t nbytes, unsigned rights);
void system_release(uintptr_t address, size_t nbytes);

/* Reads a whole file; false when it cannot be read or is larger than the room. */
bool system_read_file(const char *path, uint8_t *bytes, size_t room_nbytes, size_t *nbytes);
void system_write(int file, const char *chars, size_t count);

/* Handlers run on a stack of their own, and may be left by a jump. */
void system_on_signal(int number, signal_handler *handler);

/* Ends a load that takes longer; 0 takes it back. */
void system_alarm(unsigned seconds);

/* Makes fs (x86) or gs (x64) lead to the block that a driver finds there. */
bool system_set_thread_block(void *block);

_Noreturn void system_exit(int code);

/* The state of a signal as a context, and back. */
void system_context(const void *state, struct context *context);
void system_set_context(void *state, const struct context *context);

/* Of a signal for a fault: the address, the processor's number of the trap, and the bits of a page fault (2:
 * a store). */
uintptr_t system_fault_address(const void *information);
unsigned system_fault_trap(const void *state);
bool system_fault_is_store(const void *state);

#define TRAP_PAGE_FAULT 14

#endif
