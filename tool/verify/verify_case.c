/* verify_case.c - keeps the verdict of one pair.
 * Takes: counter-examples and explained differences.  Gives: the verdict.  Must not: decide by itself. */
#include "verify/verify_case.h"

struct verify_spot verify_spot_foff(const struct verify_case *judged, uint64_t foff)
{
    return (struct verify_spot){false, foff, verify_foff_to_rva(&judged->new_image, foff)};
}

struct verify_spot verify_spot_rva(const struct verify_case *judged, uint32_t rva)
{
    struct verify_spot spot = {false, UINT64_MAX, rva};
    verify_rva_to_foff(&judged->new_image, rva, 1, &spot.foff);
    return spot;
}

bool verify_refute(struct verify_case *judged, struct verify_spot spot, const char *format, ...)
{
    struct verify_verdict *verdict = judged->verdict;
    if (verdict->result == VERIFY_REFUTED)
        return false;
    va_list arguments;
    va_start(arguments, format);
    verdict->reason = arena_vprintf(judged->arena, format, arguments);
    va_end(arguments);
    verdict->result = VERIFY_REFUTED;
    verdict->in_old = spot.in_old;
    verdict->file_offset = spot.foff;
    verdict->rva = spot.rva;
    return false;
}

bool verify_explain(struct verify_case *judged, const struct verify_difference *difference)
{
    struct verify_verdict *verdict = judged->verdict;
    struct verify_difference *grown =
        arena_grow(judged->arena, verdict->differences, verdict->difference_count,
                   &judged->difference_capacity, verdict->difference_count + 1, sizeof *verdict->differences);
    if (!grown)
        return false;
    verdict->differences = grown;
    verdict->differences[verdict->difference_count++] = *difference;
    return true;
}
