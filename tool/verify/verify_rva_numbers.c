/* verify_rva_numbers.c - does any number of the old image, that no known field is, hold the RVA of what
 * moved? Takes: struct verify_moves with all fields.  Gives: the place of one, or none. Must not: pass over a
 * number because it is a likely count or flag; only the end of a text is none.
 *
 * Whoever is handed the image base can reach data by an RVA: one that stands in code as an immediate or
 * displacement, or in data. Loaders' tables are fields, and hold the new RVAs. Import slots and tables that
 * moved are looked for in code alone: nobody keeps their RVAs in data but tables (docs/ASSUMPTIONS.md). */
#include "verify/verify_rva_numbers.h"
#include "verify/verify_known.h"
#include "verify/verify_references.h"
#include "verify/verify_table_sections.h"

enum { NUMBER_NBYTES = 4, FOLDED_NBYTES = 0x100 };

struct number_search {
    struct verify_moves *moves;
    struct verify_known known;
    struct verify_range_list moved;  /* data that moved, and is no table */
    struct verify_range_list folded; /* the same, and so near to it that a folded address may mean it */
    struct verify_range_list other;  /* import slots and tables that moved */
    bool is_found;
    uint32_t rva;
};

static void add(struct verify_range_list *list, uint64_t rva, uint64_t end_rva)
{
    list->items[list->count++] = (struct verify_range){rva, end_rva, "a part"};
}

static bool begin(const struct number_search *search, struct verify_range_list *list, size_t count)
{
    list->items = arena_array(search->moves->judged->arena, count + 1, sizeof *list->items);
    return list->items != NULL;
}

static bool collect_moved(struct number_search *search)
{
    const struct verify_map *map = &search->moves->map;
    if (!begin(search, &search->moved, map->count) || !begin(search, &search->folded, map->count) ||
        !begin(search, &search->other, map->count))
        return false;
    for (size_t i = 0; i < map->count; i++) {
        const struct verify_piece *piece = &map->pieces[i];
        uint64_t rva = piece->rva, end_rva = piece->end_rva;
        if (piece->delta == 0)
            continue;
        if (piece->is_slots || piece->is_table) {
            add(&search->other, rva, end_rva);
            continue;
        }
        add(&search->moved, rva, end_rva);
        add(&search->folded, rva < FOLDED_NBYTES ? 0 : rva - FOLDED_NBYTES, end_rva + FOLDED_NBYTES);
    }
    verify_ranges_merge(&search->folded);
    return true;
}

static bool is_in(const struct verify_range_list *list, uint64_t rva)
{
    return verify_range_at(list, rva, rva + 1) != NULL;
}

static bool is_letters(const uint8_t *bytes)
{
    for (unsigned i = 0; i < NUMBER_NBYTES; i++)
        if (bytes[i] != '\t' && bytes[i] != '\n' && bytes[i] != '\r' && (bytes[i] < ' ' || bytes[i] > '~'))
            return false;
    return true;
}

/* The last bytes of a text, and the zeros behind it. */
static bool is_end_of_text(const uint8_t *bytes)
{
    unsigned count = 0;
    while (count < NUMBER_NBYTES && bytes[count] >= ' ' && bytes[count] <= '~')
        count++;
    for (unsigned i = count; i < NUMBER_NBYTES; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void look_at_data(struct number_search *search, const struct verify_section *section)
{
    struct span bytes = section->bytes;
    for (size_t at = 0; !search->is_found && range_fits(bytes.nbytes, at, NUMBER_NBYTES);
         at += NUMBER_NBYTES) {
        search->moves->judged->verdict->step_count++;
        if (!is_in(&search->moved, load_u32(bytes.bytes + at)) ||
            verify_known_any(&search->known, section, at, NUMBER_NBYTES) ||
            (at >= NUMBER_NBYTES && is_letters(bytes.bytes + at - NUMBER_NBYTES) &&
             is_end_of_text(bytes.bytes + at)))
            continue;
        search->is_found = true;
        search->rva = section->rva + (uint32_t)at;
    }
}

bool verify_number_may_be_operand(struct verify_moves *moves, const struct verify_code_section *section,
                                  size_t at)
{
    struct verify_field_in_code field = {section, at, NUMBER_NBYTES, FIELD_ABSOLUTE, 0};
    if (!verify_uses_possible(&moves->code, &field).is_operand)
        return false;
    struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
    struct verify_instruction instruction;
    bool is_distance = uses.is_operand && uses.is_unanimous &&
                       verify_code_decode(&moves->code, section, uses.operand_at, &instruction) &&
                       (instruction.has_target ||
                        (instruction.is_rip_relative && uses.operand_at + instruction.disp_at == at));
    return uses.is_operand && !is_distance;
}

static void look_at_code(struct number_search *search, const struct verify_code_section *section)
{
    for (size_t at = 1; !search->is_found && range_fits(section->bytes.nbytes, at, NUMBER_NBYTES); at++) {
        uint32_t field_rva = section->rva + (uint32_t)at, value = load_u32(section->bytes.bytes + at);
        search->moves->judged->verdict->step_count++;
        if ((!is_in(&search->folded, value) && !is_in(&search->other, value)) ||
            verify_known_any(&search->known, section->section, at, NUMBER_NBYTES) ||
            !verify_number_may_be_operand(search->moves, section, at))
            continue;
        search->is_found = true;
        search->rva = field_rva;
    }
}

bool verify_rva_numbers_find(struct verify_moves *moves, bool *is_found, uint32_t *rva)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct number_search search = {.moves = moves};
    if (!verify_known_begin(moves, &search.known) || !collect_moved(&search))
        return false;
    for (uint32_t i = 0; i < image->section_count; i++)
        if (!verify_is_debug_section(&image->sections[i]))
            look_at_data(&search, &image->sections[i]);
    for (uint32_t i = 0; i < moves->code.section_count; i++)
        look_at_code(&search, &moves->code.sections[i]);
    *is_found = search.is_found;
    *rva = search.rva;
    return true;
}

bool verify_holds_type_names(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    for (uint32_t i = 0; i < image->section_count; i++) {
        struct span bytes = image->sections[i].bytes;
        for (size_t at = 0; range_fits(bytes.nbytes, at, 4); at++) {
            moves->judged->verdict->step_count++;
            if (memcmp(bytes.bytes + at, ".?A", 3) == 0 && bytes.bytes[at + 3] >= 'T' &&
                bytes.bytes[at + 3] <= 'W')
                return true;
        }
    }
    return false;
}
