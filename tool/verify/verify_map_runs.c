/* verify_map_runs.c - see verify_map_runs.h. */
#include "verify/verify_map_runs.h"

enum { FILL = 0xCC, RUN_MIN_NBYTES = 4 };

enum byte_state { BYTE_STAYS, BYTE_IS_GONE, BYTE_SAYS_NOTHING };

static enum byte_state state_of(const struct map_search *search, const struct verify_piece *piece,
                                uint64_t rva)
{
    const struct verify_image *image = &search->judged->new_image;
    uint64_t new_rva = (uint64_t)((int64_t)rva + piece->delta);
    uint8_t old_byte = 0, byte = FILL; /* what is in no executable section is not there */
    const struct verify_section *section =
        new_rva > UINT32_MAX ? NULL : verify_section_at(image, (uint32_t)new_rva);
    verify_memory_byte(&search->judged->old_image, rva, &old_byte);
    if (section && (section->characteristics & SCN_MEM_EXECUTE))
        verify_memory_byte(image, new_rva, &byte);
    if (byte != FILL)
        return BYTE_STAYS;
    return old_byte == FILL ? BYTE_SAYS_NOTHING : BYTE_IS_GONE;
}

static bool append_run(struct map_search *search, struct map_runs *list, struct map_run run)
{
    struct map_run *grown = arena_grow(search->judged->arena, list->items, list->count, &list->capacity,
                                       list->count + 1, sizeof *list->items);
    if (!grown)
        return false;
    list->items = grown;
    list->items[list->count++] = run;
    return true;
}

/* The byte at which a jump of five bytes would begin that ends where the run begins, in both images. */
static void bytes_at_jump(const struct map_search *search, const struct map_run *run, uint8_t *old_byte,
                          uint8_t *byte)
{
    enum { JUMP_NBYTES = 5 };
    *old_byte = *byte = 0;
    if (run->rva < JUMP_NBYTES)
        return;
    verify_memory_byte(&search->judged->old_image, run->rva - JUMP_NBYTES, old_byte);
    verify_memory_byte(&search->judged->new_image,
                       (uint64_t)((int64_t)run->rva - JUMP_NBYTES + run->piece->delta), byte);
}

/* Behind a jump that stands in the place of a longer instruction: filling, but nothing left. */
static bool is_rest_of_copied(const struct map_search *search, const struct map_run *run)
{
    enum { JUMP = 0xE9 };
    uint8_t old_byte, byte;
    if (search->judged->old_image.is_64 || run->end_rva - run->rva > 15)
        return false;
    bytes_at_jump(search, run, &old_byte, &byte);
    return byte == JUMP && old_byte != JUMP;
}

bool map_run_is_lost(const struct map_search *search, const struct map_run *run)
{
    uint8_t old_byte, byte;
    bytes_at_jump(search, run, &old_byte, &byte);
    return search->judged->old_image.is_64 || old_byte == byte;
}

/* The first byte from rva on that may be filling now; the piece's end when there is none. Most bytes are not.
 */
static uint64_t next_filling(const struct map_search *search, const struct verify_piece *piece, uint64_t rva)
{
    uint64_t new_rva = (uint64_t)((int64_t)rva + piece->delta);
    const struct verify_section *section =
        new_rva > UINT32_MAX ? NULL : verify_section_at(&search->judged->new_image, (uint32_t)new_rva);
    if (!section || !(section->characteristics & SCN_MEM_EXECUTE) ||
        new_rva - section->rva >= section->bytes.nbytes)
        return rva;
    const uint8_t *bytes = section->bytes.bytes + (new_rva - section->rva);
    uint64_t nbytes = section->bytes.nbytes - (new_rva - section->rva);
    if (nbytes > piece->end_rva - rva)
        nbytes = piece->end_rva - rva;
    const uint8_t *filling = memchr(bytes, FILL, (size_t)nbytes);
    search->judged->verdict->step_count++;
    return rva + (filling ? (uint64_t)(filling - bytes) : nbytes);
}

bool map_runs_find(struct map_search *search, const struct verify_piece *piece, struct map_runs *list)
{
    uint64_t rva = piece->rva;
    while (rva < piece->end_rva) {
        rva = next_filling(search, piece, rva);
        struct map_run run = {.rva = rva, .end_rva = rva, .piece = piece};
        uint32_t gone_count = 0;
        enum byte_state state = BYTE_IS_GONE;
        for (; rva < piece->end_rva && (state = state_of(search, piece, rva)) != BYTE_STAYS; rva++) {
            search->judged->verdict->step_count++;
            if (state == BYTE_SAYS_NOTHING)
                continue;
            if (gone_count++ == 0)
                run.rva = rva;
            run.end_rva = rva + 1;
        }
        bool has_left = gone_count != 0 && !is_rest_of_copied(search, &run);
        if (has_left && gone_count >= RUN_MIN_NBYTES && !append_run(search, list, run))
            return false;
        if (has_left && gone_count < RUN_MIN_NBYTES && map_run_is_lost(search, &run))
            search->is_doubtful[piece->section->index] = true;
        search->judged->verdict->step_count++;
        rva++;
    }
    return true;
}

void map_run_widen(const struct map_search *search, struct map_run *run)
{
    const struct verify_piece *piece = run->piece;
    uint8_t byte;
    while (run->rva > piece->rva && state_of(search, piece, run->rva - 1) == BYTE_SAYS_NOTHING &&
           verify_memory_byte(&search->judged->new_image, (uint64_t)((int64_t)run->rva - 1 + run->delta),
                              &byte) &&
           byte == FILL)
        run->rva--;
    while (run->end_rva < piece->end_rva && state_of(search, piece, run->end_rva) == BYTE_SAYS_NOTHING &&
           verify_memory_byte(&search->judged->new_image, (uint64_t)((int64_t)run->end_rva + run->delta),
                              &byte) &&
           byte == FILL)
        run->end_rva++;
}
