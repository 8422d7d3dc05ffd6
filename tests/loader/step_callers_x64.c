/* step_callers_x64.c - whether unwind data lead from an instruction to the loader, with the registers that it
 * had. Takes: two contexts in the loaded image.  Gives: yes or no.  Must not: need frame pointers. */
#include "step_callers.h"

#if IS_64
#include "load.h"
#include "unwind.h"

#define FRAME_LIMIT 100

static const uint8_t kept[] = {RBX, RBP, RSI, RDI, R12, R13, R14, R15};
#define FIRST_KEPT_XMM 6

void callers_begin(const struct context *entered)
{
    (void)entered;
}

void callers_resumed(void)
{
}

bool callers_are_kept(const struct context *entered, const struct context *returned)
{
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        if (entered->registers[kept[i]] != returned->registers[kept[i]])
            return false;
    }
    return memcmp(entered->xmm[FIRST_KEPT_XMM], returned->xmm[FIRST_KEPT_XMM],
                  10 * sizeof(entered->xmm[0])) == 0 &&
           returned->registers[RSP] == entered->registers[RSP] + 8;
}

bool callers_are_found(const struct context *entered, const struct context *context)
{
    struct context walked = *context;
    struct unwind_frame frame;

    for (int i = 0; i < FRAME_LIMIT && is_in_image(walked.ip); i++) {
        if (!unwind(&walked, &frame))
            return false;
    }
    return walked.ip == get64((const void *)(uintptr_t)entered->registers[RSP]) &&
           callers_are_kept(entered, &walked);
}
#endif
