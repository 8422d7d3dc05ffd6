/* verify_unlisted.c - numbers in data and code that nobody lists, and that lead to what moved otherwise.
 * Takes: struct verify_moves with all fields.  Gives: see the header.
 * Must not: ask for a reader: it may be a function that is handed the table, or the base.
 *
 * Four kinds: 32-bit distances from where they stand (relative virtual functions, self-relative pointers);
 * RVAs, for a base that the kernel hands over (DriverStart, RtlPcToFileHeader), where the headers stayed with
 * the code; the same as immediates and displacements; and absolute addresses of x64 code that relocates by
 * hand. A number counts when what it leads to has a name: a function begins there, an operand or a pointer
 * leads there, or it looks like code and left the code. */
#include "verify/verify_unlisted.h"
#include "verify/verify_among_code.h"
#include "verify/verify_code_target.h"
#include "verify/verify_known.h"
#include "verify/verify_relocations.h"
#include "verify/verify_rva_numbers.h"
#include "verify/verify_table_sections.h"
#include "verify/verify_type_info.h"

enum { NUMBER_NBYTES = 4, ADDRESS_NBYTES = 8, NOISE_COUNT = 4 };

struct unlisted {
    struct verify_moves *moves;
    struct verify_known known;
    struct verify_known names; /* bytes that an operand or a pointer leads to */
};

static void name_rva(struct unlisted *search, int64_t rva)
{
    if (rva >= 0 && rva <= UINT32_MAX)
        verify_known_mark(&search->names, (uint64_t)rva, (uint64_t)rva + 1);
}

static void name_operands(struct unlisted *search, const struct verify_code_section *section)
{
    static const uint8_t trailing_nbytes[] = {0, 1, 2, 4};
    for (size_t at = 1; range_fits(section->bytes.nbytes, at, NUMBER_NBYTES); at++) {
        search->moves->judged->verdict->step_count++;
        if ((section->bytes.bytes[at - 1] & 0xC7) != 0x05)
            continue;
        int64_t rva = (int64_t)section->rva + (int64_t)at + NUMBER_NBYTES +
                      (int32_t)load_u32(section->bytes.bytes + at);
        for (size_t i = 0; i < sizeof trailing_nbytes; i++)
            name_rva(search, rva + trailing_nbytes[i]);
    }
}

static bool find_names(struct unlisted *search)
{
    struct verify_moves *moves = search->moves;
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    uint64_t va;
    if (!verify_known_empty(moves, &search->names))
        return false;
    for (uint32_t i = 0; image->is_64 && i < moves->code.section_count; i++)
        name_operands(search, &moves->code.sections[i]);
    while (verify_relocations_next(&reader, &relocation)) {
        moves->judged->verdict->step_count++;
        if (verify_read_at(image, relocation.rva, verify_relocation_width(relocation.type), &va))
            name_rva(search, (int64_t)(va - image->base_va));
    }
    return true;
}

static bool is_named(struct unlisted *search, const struct verify_piece *piece, uint64_t rva)
{
    struct verify_moves *moves = search->moves;
    const struct verify_section *section = verify_section_at(&moves->judged->old_image, (uint32_t)rva);
    if (piece->is_code && verify_is_function(moves, rva))
        return true;
    if (piece->is_data_run && verify_looks_like_code(&moves->code, (uint32_t)rva, false))
        return true;
    /* What has no raw data has no name of its own; slots may have lost their raw data. */
    return section && rva - section->rva < section->bytes.nbytes &&
           verify_known_any(&search->names, section, (size_t)(rva - section->rva), 1);
}

/* The part with a name at rva, when it did not move by delta; or NULL. */
static const struct verify_piece *apart_at(struct unlisted *search, int64_t delta, int64_t rva)
{
    const struct verify_piece *target = rva < 0 ? NULL : verify_piece_at(&search->moves->map, (uint64_t)rva);
    return target && target->delta != delta && is_named(search, target, (uint64_t)rva) ? target : NULL;
}

/* The last letter of a text, with the zeros behind it. */
static bool ends_text(const struct verify_section *section, size_t at)
{
    const uint8_t *bytes = section->bytes.bytes;
    uint32_t number = load_u32(bytes + at);
    return number >= ' ' && number <= '~' &&
           ((at >= 1 && bytes[at - 1] >= ' ' && bytes[at - 1] <= '~') ||
            (at >= 2 && bytes[at - 1] == 0 && bytes[at - 2] >= ' ' && bytes[at - 2] <= '~'));
}

/* Random bits, as in tables of ciphers: none of the numbers around is small enough to lead anywhere. */
static bool is_among_noise(const struct unlisted *search, const struct verify_section *section, size_t at)
{
    uint32_t image_nbytes = search->moves->judged->old_image.image_nbytes;
    size_t reach_nbytes = (size_t)NOISE_COUNT * NUMBER_NBYTES;
    if (at < reach_nbytes || !range_fits(section->bytes.nbytes, at, reach_nbytes + NUMBER_NBYTES))
        return false;
    for (size_t near = at - reach_nbytes; near <= at + reach_nbytes; near += NUMBER_NBYTES) {
        uint32_t number = load_u32(section->bytes.bytes + near);
        if (near != at && (number < image_nbytes || number > UINT32_MAX - image_nbytes))
            return false;
    }
    return true;
}

static bool is_label(const struct unlisted *search, const struct verify_section *section, size_t at)
{
    return range_fits(section->bytes.nbytes, at, NUMBER_NBYTES) &&
           verify_begins_instruction(&search->moves->code, load_u32(section->bytes.bytes + at));
}

/* RVAs of labels, side by side: no distances. */
static bool is_jump_table(const struct unlisted *search, const struct verify_section *section, size_t at)
{
    return is_label(search, section, at) &&
           ((at >= NUMBER_NBYTES && is_label(search, section, at - NUMBER_NBYTES)) ||
            is_label(search, section, at + NUMBER_NBYTES));
}

/* x86 has absolute addresses for pointers; a distance there is one that somebody names by itself. */
static bool may_be_distance(struct unlisted *search, const struct verify_piece *own,
                            const struct verify_section *section, size_t at)
{
    return load_u32(section->bytes.bytes + at) != 0 && !ends_text(section, at) &&
           (search->moves->judged->old_image.is_64 ||
            (!own->is_code && verify_known_any(&search->names, section, at, 1)));
}

/* Counted from table_rva, the number leads to an instruction that moved otherwise than the table. */
static bool leads_to_code(struct unlisted *search, const struct verify_piece *own,
                          const struct verify_section *section, size_t at, uint32_t table_rva)
{
    struct verify_code *code = &search->moves->code;
    if (!range_fits(section->bytes.nbytes, at, NUMBER_NBYTES) ||
        verify_known_any(&search->known, section, at, NUMBER_NBYTES))
        return false;
    int64_t rva = (int64_t)table_rva + (int32_t)load_u32(section->bytes.bytes + at);
    const struct verify_piece *piece = rva < 0 ? NULL : verify_piece_at(&search->moves->map, (uint64_t)rva);
    if (!piece || !piece->is_code || piece->delta == own->delta)
        return false;
    struct verify_function *function = verify_function_at(code, (uint32_t)rva);
    return function && verify_function_is_clean(code, function) &&
           verify_begins_instruction(code, (uint64_t)rva);
}

/* Two distances in a row to labels, counted from the place that somebody names, are no accident. */
static bool is_label_table(struct unlisted *search, const struct verify_piece *own,
                           const struct verify_section *section, size_t at)
{
    uint32_t rva = section->rva + (uint32_t)at;
    return verify_known_any(&search->names, section, at, 1) && leads_to_code(search, own, section, at, rva) &&
           leads_to_code(search, own, section, at + NUMBER_NBYTES, rva) &&
           !is_jump_table(search, section, at);
}

static bool judge_number(struct unlisted *search, const struct verify_piece *own,
                         const struct verify_section *section, size_t at)
{
    struct verify_moves *moves = search->moves;
    uint32_t rva = section->rva + (uint32_t)at, number = load_u32(section->bytes.bytes + at);
    int64_t target_rva = (int64_t)rva + (int32_t)number;
    if (may_be_distance(search, own, section, at) && apart_at(search, own->delta, target_rva) &&
        !is_jump_table(search, section, at) &&
        (verify_known_any(&search->names, section, at, 1) || !is_among_noise(search, section, at)))
        return verify_moves_unproved(moves, rva,
                                     "The number at RVA 0x%X is the distance from there to RVA 0x%X, which "
                                     "moved apart; it is not shown that it is none.",
                                     (unsigned)rva, (unsigned)target_rva);
    if (is_label_table(search, own, section, at))
        return verify_moves_unproved(
            moves, rva,
            "At RVA 0x%X distances to code begin, which moved apart; it is not shown "
            "that they are none.",
            (unsigned)rva);
    if (!moves->map.moves_code && apart_at(search, 0, number) && !is_among_noise(search, section, at))
        return verify_moves_unproved(moves, rva,
                                     "The number at RVA 0x%X is RVA 0x%X, which moved; it is not shown that "
                                     "it is none.",
                                     (unsigned)rva, (unsigned)number);
    return true;
}

/* call [register + disp32] or jmp: what else adds a number like this to a register means a structure. */
static bool calls_through(const struct verify_code_section *section, size_t at)
{
    const uint8_t *bytes = section->bytes.bytes;
    return at >= 2 && bytes[at - 2] == 0xFF && (bytes[at - 1] & 0xC0) == 0x80 &&
           ((bytes[at - 1] & 0x38) == 0x10 || (bytes[at - 1] & 0x38) == 0x20);
}

static bool judge_operand(struct unlisted *search, const struct verify_code_section *section, size_t at)
{
    struct verify_moves *moves = search->moves;
    uint32_t rva = section->rva + (uint32_t)at, number = load_u32(section->bytes.bytes + at);
    const struct verify_piece *target = apart_at(search, 0, number);
    if (!target || (target->is_slots && !calls_through(section, at)) ||
        verify_known_any(&search->known, section->section, at, NUMBER_NBYTES) ||
        !verify_number_may_be_operand(moves, section, at))
        return true;
    return verify_moves_unproved(moves, rva,
                                 "The number at RVA 0x%X, in code, is RVA 0x%X, which moved; it is not shown "
                                 "that it is not added to the image base.",
                                 (unsigned)rva, (unsigned)number);
}

static bool judge_code(struct unlisted *search, const struct verify_code_section *section)
{
    const struct verify_piece *own = NULL;
    for (size_t at = 1; range_fits(section->bytes.nbytes, at, NUMBER_NBYTES); at++) {
        uint32_t rva = section->rva + (uint32_t)at;
        search->moves->judged->verdict->step_count++;
        if (!own || rva < own->rva || rva >= own->end_rva)
            own = verify_piece_at(&search->moves->map, rva);
        if (own && own->is_code && !judge_operand(search, section, at))
            return false;
    }
    return true;
}

/* mov r64, imm64: only where a kernel image cannot lie are such numbers likely something else. */
static bool may_be_address(struct unlisted *search, const struct verify_section *section, size_t at)
{
    struct verify_moves *moves = search->moves;
    const struct verify_code_section *code = verify_code_at(&moves->code, section->rva + at);
    if (moves->judged->old_image.base_va > UINT32_MAX)
        return true;
    if (!code || !verify_function_at(&moves->code, (uint32_t)(section->rva + at)))
        return at % ADDRESS_NBYTES == 0;
    struct verify_field_in_code field = {code, at, ADDRESS_NBYTES, FIELD_ABSOLUTE, 0};
    return verify_uses_possible(&moves->code, &field).is_operand;
}

static bool judge_addresses(struct unlisted *search, const struct verify_section *section)
{
    struct verify_moves *moves = search->moves;
    const struct verify_image *image = &moves->judged->old_image;
    for (size_t at = 0; range_fits(section->bytes.nbytes, at, ADDRESS_NBYTES); at++) {
        uint64_t va = load_u64(section->bytes.bytes + at);
        moves->judged->verdict->step_count++;
        if (va < image->base_va || va - image->base_va >= image->image_nbytes ||
            verify_known_any(&search->known, section, at, ADDRESS_NBYTES) ||
            !apart_at(search, moves->map.pieces[0].delta, (int64_t)(va - image->base_va)) ||
            !may_be_address(search, section, at))
            continue;
        return verify_moves_unproved(moves, section->rva + (uint32_t)at,
                                     "The bytes at RVA 0x%X are the address of RVA 0x%X, which moved apart, "
                                     "and no base relocation names them.",
                                     (unsigned)(section->rva + at), (unsigned)(va - image->base_va));
    }
    return true;
}

static bool judge_data(struct unlisted *search, const struct verify_section *section)
{
    struct verify_moves *moves = search->moves;
    const struct verify_piece *own = NULL;
    for (size_t at = 0; range_fits(section->bytes.nbytes, at, NUMBER_NBYTES); at += NUMBER_NBYTES) {
        uint32_t rva = section->rva + (uint32_t)at;
        moves->judged->verdict->step_count++;
        if (!own || rva < own->rva || rva >= own->end_rva)
            own = verify_piece_at(&moves->map, rva);
        if (!own || own->is_slots || (own->is_code && verify_function_at(&moves->code, rva)) ||
            verify_known_any(&search->known, section, at, NUMBER_NBYTES))
            continue;
        if (!judge_number(search, own, section, at))
            return false;
    }
    return true;
}

bool verify_unlisted(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct unlisted search = {.moves = moves};
    if (!moves->map.moves_apart && moves->map.moves_code)
        return true;
    if (!verify_known_begin(moves, &search.known) || !find_names(&search))
        return false;
    verify_type_info_mark(&search.known);
    for (uint32_t i = 0; !moves->map.moves_code && i < moves->code.section_count; i++)
        if (!judge_code(&search, &moves->code.sections[i]))
            return false;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct verify_section *section = &image->sections[i];
        if (!verify_is_debug_section(section) &&
            ((image->is_64 && !judge_addresses(&search, section)) || !judge_data(&search, section)))
            return false;
    }
    return true;
}
