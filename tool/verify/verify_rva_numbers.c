/* verify_rva_numbers.c - does any number of the old image, that no known field is, hold the RVA of data that
 * moved? Takes: struct verify_moves with all fields.  Gives: the place of one, or none. Must not: pass over a
 * number because it is a likely count or flag.
 *
 * Whoever is handed the image base can reach data by an RVA: one that stands in code as an immediate or
 * displacement, or in data. Loaders' tables are fields, and hold the new RVAs. */
#include "verify/verify_rva_numbers.h"
#include "verify/verify_references.h"

enum { NUMBER_NBYTES = 4, FOLDED_NBYTES = 0x100 };

struct number_search {
    struct verify_moves *moves;
    uint8_t **known; /* by section index: one bit for each byte of a field or typed table */
    bool is_found;
    uint32_t rva;
};

static void mark(const struct number_search *search, uint64_t rva, uint64_t end_rva)
{
    const struct verify_image *image = &search->moves->judged->old_image;
    while (rva < end_rva && rva <= UINT32_MAX) {
        const struct verify_section *section = verify_section_at(image, (uint32_t)rva);
        if (!section)
            return;
        for (; rva < end_rva && rva - section->rva < section->memory_nbytes; rva++) {
            uint64_t at = rva - section->rva;
            search->moves->judged->verdict->step_count++;
            if (at < section->bytes.nbytes) {
                uint8_t *byte = &search->known[section->index][at / 8];
                *byte = (uint8_t)(*byte | 1u << (at % 8));
            }
        }
    }
}

static bool is_known(const struct number_search *search, const struct verify_section *section, size_t at)
{
    for (size_t i = at; i < at + NUMBER_NBYTES; i++)
        if (search->known[section->index][i / 8] >> (i % 8) & 1)
            return true;
    return false;
}

static bool init_known(struct number_search *search)
{
    const struct verify_image *image = &search->moves->judged->old_image;
    struct arena *arena = search->moves->judged->arena;
    search->known = arena_array(arena, image->section_count, sizeof *search->known);
    for (uint32_t i = 0; search->known && i < image->section_count; i++) {
        search->known[i] = arena_alloc(arena, image->sections[i].bytes.nbytes / 8 + 1);
        if (!search->known[i])
            return false;
    }
    return search->known != NULL;
}

static void mark_tables(const struct number_search *search)
{
    const struct verify_moves *moves = search->moves;
    for (size_t i = 0; i < moves->inert.count; i++)
        mark(search, moves->inert.items[i].rva, moves->inert.items[i].end_rva);
    for (size_t i = 0; i < moves->old_tables.typed.count; i++)
        mark(search, moves->old_tables.typed.items[i].rva, moves->old_tables.typed.items[i].end_rva);
}

static bool collect_known(struct number_search *search)
{
    const struct verify_moves *moves = search->moves;
    if (!init_known(search))
        return false;
    for (size_t i = 0; i < moves->field_count; i++)
        mark(search, moves->fields[i].rva, (uint64_t)moves->fields[i].rva + moves->fields[i].nbytes);
    mark_tables(search);
    return true;
}

/* Of data that moved, or so near to it that a folded address may mean it. */
static bool is_rva_of_moved(const struct verify_moves *moves, uint64_t value, uint64_t fold_nbytes)
{
    const struct verify_image *image = &moves->judged->old_image;
    if (value >= image->image_nbytes + fold_nbytes)
        return false;
    for (size_t i = 0; i < moves->map.count; i++) {
        const struct verify_piece *piece = &moves->map.pieces[i];
        if (piece->delta != 0 && !piece->is_slots && !piece->is_table && value + fold_nbytes >= piece->rva &&
            value < piece->end_rva + fold_nbytes)
            return true;
    }
    return false;
}

static bool is_letters(const uint8_t *bytes)
{
    for (unsigned i = 0; i < NUMBER_NBYTES; i++)
        if (bytes[i] != '\t' && bytes[i] != '\n' && bytes[i] != '\r' && (bytes[i] < ' ' || bytes[i] > '~'))
            return false;
    return true;
}

static void look_at_data(struct number_search *search, const struct verify_section *section)
{
    struct span bytes = section->bytes;
    for (size_t at = 0; !search->is_found && range_fits(bytes.nbytes, at, NUMBER_NBYTES);
         at += NUMBER_NBYTES) {
        search->moves->judged->verdict->step_count++;
        if (!is_rva_of_moved(search->moves, load_u32(bytes.bytes + at), 0) || is_known(search, section, at) ||
            (at >= NUMBER_NBYTES && is_letters(bytes.bytes + at - NUMBER_NBYTES)))
            continue;
        search->is_found = true;
        search->rva = section->rva + (uint32_t)at;
    }
}

/* An immediate or displacement of something that these bytes may be, but for distances in code. */
static bool may_be_operand(const struct number_search *search, const struct verify_code_section *section,
                           size_t at)
{
    struct verify_moves *moves = search->moves;
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
    const struct verify_section *whole = verify_section_at(&search->moves->judged->old_image, section->rva);
    for (size_t at = 1; whole && !search->is_found && range_fits(section->bytes.nbytes, at, NUMBER_NBYTES);
         at++) {
        uint32_t field_rva = section->rva + (uint32_t)at;
        search->moves->judged->verdict->step_count++;
        if (!is_rva_of_moved(search->moves, load_u32(section->bytes.bytes + at), FOLDED_NBYTES) ||
            is_known(search, whole, field_rva - whole->rva) || !may_be_operand(search, section, at))
            continue;
        search->is_found = true;
        search->rva = field_rva;
    }
}

bool verify_rva_numbers_find(struct verify_moves *moves, bool *is_found, uint32_t *rva)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct number_search search = {.moves = moves};
    if (!collect_known(&search))
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

bool verify_is_debug_section(const struct verify_section *section)
{
    const uint32_t rights = SCN_MEM_DISCARDABLE | SCN_MEM_READ | SCN_MEM_WRITE | SCN_MEM_EXECUTE;
    return (section->name[0] == '/' || strncmp(section->name, ".debug", 6) == 0) &&
           (section->characteristics & rights) == (SCN_MEM_DISCARDABLE | SCN_MEM_READ);
}

enum { TABLE_ALIGN_NBYTES = 16 };

/* At most a few bytes that no table has lie between two that have them, and all of them are zero. */
static bool is_all_tables(const struct number_search *search, const struct verify_section *section)
{
    uint64_t nbytes = section->virtual_nbytes != 0 ? section->virtual_nbytes : section->bytes.nbytes;
    unsigned gap_nbytes = 0;
    bool has_table = false;
    if (nbytes > section->bytes.nbytes)
        return false;
    for (uint64_t at = 0; at < nbytes; at++) {
        search->moves->judged->verdict->step_count++;
        if (search->known[section->index][at / 8] >> (at % 8) & 1) {
            has_table = true;
            gap_nbytes = 0;
        } else if (section->bytes.bytes[at] != 0 || ++gap_nbytes >= TABLE_ALIGN_NBYTES) {
            return false;
        }
    }
    return has_table;
}

bool verify_mark_tables(struct verify_moves *moves)
{
    struct number_search search = {.moves = moves};
    const struct verify_image *image = &moves->judged->old_image;
    if (!init_known(&search))
        return false;
    mark_tables(&search);
    for (size_t i = 0; i < moves->map.count; i++) {
        struct verify_piece *piece = &moves->map.pieces[i];
        piece->is_table = !(piece->section->characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE)) &&
                          image->section_alignment >= PAGE_NBYTES &&
                          (verify_is_debug_section(piece->section) || is_all_tables(&search, piece->section));
    }
    return true;
}
