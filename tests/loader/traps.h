/* traps.h - places that are executed to ask the loader for something: each is an instruction that faults, so
 * that all registers are seen as they are and none changes (faults.c). */
#ifndef LOADER_TRAPS_H
#define LOADER_TRAPS_H

/* The check of an indirect call: returns when the target (rcx, ecx) is allowed. */
extern const char trap_guard_check[];

/* The same for a target in rax, to which it goes (x64 only). */
extern const char trap_guard_dispatch[];

/* ExRaiseStatus. */
extern const char trap_raise_status[];

/* Goes on with the context that rcx (ecx) leads to. */
extern const char trap_resume[];

/* Where a function of the kernel returns to while the driver is followed step by step: the real address is
 * kept aside, so that the function itself need not be followed. */
extern const char trap_returned[];

#endif
