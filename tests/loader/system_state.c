/* system_state.c - what Linux gives a signal handler, as Windows' context.
 * Takes: ucontext_t and siginfo_t, whose layout the kernel's interface fixes.  Gives: contexts, and facts
 * about a fault. Must not: decide what a fault means. */
#include "system.h"

#if IS_64
#define GENERAL_OFFSET 40 /* of the general registers in ucontext_t */
#define IP_PLACE 16
#define FLAGS_PLACE 17
#define ERROR_PLACE 19
#define TRAP_PLACE 20
#define FLOATING_PLACE 23 /* a pointer to an FXSAVE area */
#define XMM_OFFSET 160
#define ADDRESS_OFFSET 16 /* in siginfo_t */

/* Where Linux keeps the register of each number. */
static const uint8_t places[REGISTER_COUNT] = {13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7};
#else
#define GENERAL_OFFSET 20
#define ADDRESS_OFFSET 12
enum place {
    EDI_PLACE = 4,
    ESI_PLACE,
    EBP_PLACE,
    ESP_PLACE,
    EBX_PLACE,
    EDX_PLACE,
    ECX_PLACE,
    EAX_PLACE,
    TRAP_PLACE,
    ERROR_PLACE,
    IP_PLACE,
    CS_PLACE,
    FLAGS_PLACE
};
#endif
#define STORE_BIT 2u

static uint8_t *place_of(const void *state, unsigned place)
{
    return (uint8_t *)(uintptr_t)state + GENERAL_OFFSET + place * sizeof(uintptr_t);
}

static uintptr_t get(const void *state, unsigned place)
{
    return get_pointer(place_of(state, place));
}

void system_context(const void *state, struct context *context)
{
    memset(context, 0, sizeof(*context));
    context->ip = get(state, IP_PLACE);
    context->flags = (uint32_t)get(state, FLAGS_PLACE);
#if IS_64
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        context->registers[i] = get(state, places[i]);
    const uint8_t *floating = (const uint8_t *)get(state, FLOATING_PLACE);
    if (floating)
        memcpy(context->xmm, floating + XMM_OFFSET, sizeof(context->xmm));
#else
    context->edi = get(state, EDI_PLACE);
    context->esi = get(state, ESI_PLACE);
    context->ebp = get(state, EBP_PLACE);
    context->esp = get(state, ESP_PLACE);
    context->ebx = get(state, EBX_PLACE);
    context->edx = get(state, EDX_PLACE);
    context->ecx = get(state, ECX_PLACE);
    context->eax = get(state, EAX_PLACE);
#endif
}

void system_set_context(void *state, const struct context *context)
{
    put_pointer(place_of(state, IP_PLACE), context->ip);
    put_pointer(place_of(state, FLAGS_PLACE), context->flags);
#if IS_64
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        put_pointer(place_of(state, places[i]), context->registers[i]);
    uint8_t *floating = (uint8_t *)get(state, FLOATING_PLACE);
    if (floating)
        memcpy(floating + XMM_OFFSET, context->xmm, sizeof(context->xmm));
#else
    put_pointer(place_of(state, EDI_PLACE), context->edi);
    put_pointer(place_of(state, ESI_PLACE), context->esi);
    put_pointer(place_of(state, EBP_PLACE), context->ebp);
    put_pointer(place_of(state, ESP_PLACE), context->esp);
    put_pointer(place_of(state, EBX_PLACE), context->ebx);
    put_pointer(place_of(state, EDX_PLACE), context->edx);
    put_pointer(place_of(state, ECX_PLACE), context->ecx);
    put_pointer(place_of(state, EAX_PLACE), context->eax);
#endif
}

uintptr_t system_fault_address(const void *information)
{
    return get_pointer((const uint8_t *)information + ADDRESS_OFFSET);
}

unsigned system_fault_trap(const void *state)
{
    return (unsigned)get(state, TRAP_PLACE);
}

bool system_fault_is_store(const void *state)
{
    return (get(state, ERROR_PLACE) & STORE_BIT) != 0;
}
