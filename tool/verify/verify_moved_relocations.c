/* verify_moved_relocations.c - base relocations of both images against the map.
 * Takes: struct verify_moves.  Gives: a field for each relocated address; a counter-example when the new
 * table is not exactly the mapped one.  Must not: accept a duplicate, or two blocks for one page. */
#include "verify/verify_follow.h"
#include "verify/verify_read_through.h"
#include "verify/verify_references.h"
#include "verify/verify_relocations.h"
#include "verify/verify_repairs.h"

#include <stdlib.h>
#include <string.h>

/* A relocated address and what it means. */
struct address {
    uint32_t field_rva;
    unsigned nbytes;
    uint64_t rva; /* where it leads */
    enum verify_meaning meaning;
    int64_t delta;
};

/* call, jmp, push or mov through an import slot, or a load behind a prologue, whatever else may be read
 * around it: x86 only. */
static bool is_plain_access(const struct verify_moves *moves, const struct verify_code_section *section,
                            const struct address *address)
{
    const struct verify_range_list *written = &moves->old_tables.written;
    size_t at = address->field_rva - section->rva;
    const uint8_t *bytes = section->bytes.bytes;
    if (address->nbytes != 4 || at < 2)
        return false;
    bool is_mov = bytes[at - 1] == 0xA1 || (bytes[at - 2] == 0x8B && (bytes[at - 1] & 0xC7) == 0x05);
    bool is_call =
        bytes[at - 2] == 0xFF && (bytes[at - 1] == 0x15 || bytes[at - 1] == 0x25 || bytes[at - 1] == 0x35);
    static const uint8_t prologue[] = {0x55, 0x8B, 0xEC}; /* push ebp; mov ebp, esp; mov eax, [t] */
    if (at > sizeof prologue && bytes[at - 1] == 0xA1 &&
        memcmp(bytes + at - 1 - sizeof prologue, prologue, sizeof prologue) == 0)
        return true;
    for (size_t i = 0; (is_mov || is_call) && i < written->count; i++)
        if (strstr(written->items[i].what, "FirstThunk") && address->rva >= written->items[i].rva &&
            address->rva < written->items[i].end_rva && (address->rva - written->items[i].rva) % 4 == 0)
            return true;
    return false;
}

/* Three relocated fields side by side are no operands: an instruction has two at most. */
static bool is_in_table(const struct verify_code_section *section, size_t at)
{
    size_t run_count = 1;
    for (size_t i = at; i >= 4 && run_count < 3 && verify_bit(section->relocated, i - 4); i -= 4)
        run_count++;
    for (size_t i = at + 4; i < section->bytes.nbytes && run_count < 3 && verify_bit(section->relocated, i);
         i += 4)
        run_count++;
    return run_count == 3;
}

/* Data, or the operand of some instruction: all must mean the same. */
static void judge_all_readings(struct verify_moves *moves, const struct verify_field_in_code *field,
                               struct address *address)
{
    address->meaning = verify_handed_meaning(moves, address->rva, address->field_rva, &address->delta);
    for (size_t before = 1; before <= VERIFY_OPERAND_DEEPEST_NBYTES && before <= field->at; before++) {
        struct verify_uses uses = verify_uses_at(&moves->code, field, field->at - before);
        int64_t delta;
        if (!uses.is_operand)
            continue;
        if (verify_operand_meaning(moves, field, &uses, address->rva, &delta) == MEANING_OPEN ||
            delta != address->delta)
            address->meaning = MEANING_OPEN;
    }
}

/* In code it matters what the instruction does with the address. False when a store is refuted. */
static bool judge_in_code(struct verify_moves *moves, const struct verify_code_section *section,
                          struct address *address)
{
    struct verify_field_in_code field = {section, address->field_rva - section->rva, address->nbytes,
                                         FIELD_ABSOLUTE, 0};
    struct verify_uses uses = verify_uses_possible(&moves->code, &field);
    bool is_near = verify_is_near_edge(moves, address->rva) || verify_array_may_be_far(moves, address->rva);
    address->meaning = verify_meaning(moves, address->rva, ADDRESS_TAKEN, &address->delta);
    if (verify_reads_what_changed(moves, &field, address->rva)) {
        address->meaning = MEANING_OPEN;
        return true;
    }
    if (!(uses.uses & USE_WRITE) && !is_near)
        return true;
    uses = verify_uses_resolved(&moves->code, &field);
    moves->looked_at_count++;
    if (!uses.is_operand)
        return true;
    if ((uses.uses & USE_WRITE) && !verify_store_is_allowed(moves, section->rva + (uint32_t)uses.write_at,
                                                            address->rva, uses.is_unanimous))
        return false;
    const struct verify_piece *target = verify_piece_at(&moves->map, address->rva);
    if ((uses.uses & USE_ADDRESS) && target && target->is_slots &&
        verify_follow(&moves->code, section, uses.operand_at, 0).writes &&
        !verify_store_is_allowed(moves, section->rva + (uint32_t)uses.operand_at, address->rva, false))
        return false;
    if (!is_near)
        return true;
    if (is_plain_access(moves, section, address)) {
        address->meaning = verify_meaning(moves, address->rva, ADDRESS_DIRECT, &address->delta);
    } else if (uses.is_unanimous) {
        address->meaning = verify_operand_meaning(moves, &field, &uses, address->rva, &address->delta);
    } else {
        judge_all_readings(moves, &field, address);
    }
    return true;
}

/* Code with an address in the headers, which stay: a plain access means them, an index may lead to an array
 * that does not stay. False when a store is refuted. */
static bool judge_in_headers(struct verify_moves *moves, const struct verify_code_section *section,
                             struct address *address)
{
    struct verify_field_in_code field = {section, address->field_rva - section->rva, address->nbytes,
                                         FIELD_ABSOLUTE, 0};
    struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
    struct verify_instruction instruction;
    moves->looked_at_count++;
    address->meaning = MEANING_OPEN;
    if (!uses.is_operand || !uses.is_unanimous ||
        !verify_code_decode(&moves->code, section, uses.operand_at, &instruction))
        return true;
    if ((uses.uses & USE_WRITE) && !verify_store_is_allowed(moves, section->rva + (uint32_t)uses.write_at,
                                                            address->rva, uses.is_unanimous))
        return false;
    bool is_displacement = instruction.disp_nbytes != 0 && uses.operand_at + instruction.disp_at == field.at;
    if (!is_displacement)
        return true;
    address->delta = 0;
    if (instruction.is_plain_memory)
        address->meaning = MEANING_SURE;
    else
        address->meaning = verify_operand_meaning(moves, &field, &uses, address->rva, &address->delta);
    return true;
}

/* Not read or written right there: what becomes of the address is not known. */
static bool is_taken(struct verify_moves *moves, const struct verify_code_section *section,
                     const struct address *address)
{
    if (!section)
        return true;
    struct verify_field_in_code field = {section, address->field_rva - section->rva, address->nbytes,
                                         FIELD_ABSOLUTE, 0};
    struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
    moves->looked_at_count++;
    return !uses.is_operand || !uses.is_unanimous || (uses.uses & USE_ADDRESS);
}

static bool has_table_field(const struct verify_moves *moves, uint32_t rva)
{
    size_t low = 0, high = moves->table_field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (moves->fields[middle].rva < rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < moves->table_field_count && moves->fields[low].rva == rva;
}

static bool add_address(struct verify_moves *moves, const struct verify_relocation *relocation,
                        const struct verify_piece *piece)
{
    const struct verify_image *image = &moves->judged->old_image;
    unsigned nbytes = verify_relocation_width(relocation->type);
    uint64_t va;
    if (!verify_read_at(image, relocation->rva, nbytes, &va))
        return verify_moves_unproved(moves, relocation->rva, "The relocated field at RVA 0x%X has no bytes.",
                                     (unsigned)relocation->rva);
    struct address address = {relocation->rva, nbytes, va - image->base_va, MEANING_SURE, 0};
    if (nbytes == 4)
        address.rva &= UINT32_MAX;
    const struct verify_code_section *section = verify_code_at(&moves->code, relocation->rva);
    bool is_in_headers = address.rva < moves->map.pieces[0].rva && !moves->map.moves_code;
    if (is_in_headers && address.rva < image->headers_nbytes && is_taken(moves, section, &address))
        moves->header_pointer_rva = relocation->rva;
    if (is_in_headers && section && verify_array_may_be_far(moves, address.rva)) {
        if (!judge_in_headers(moves, section, &address))
            return false;
    } else if (is_in_headers)
        address.delta = 0;
    else if (!section || piece->is_data_run ||
             (nbytes == 4 && is_in_table(section, relocation->rva - section->rva)))
        address.meaning = verify_handed_meaning(moves, address.rva, relocation->rva, &address.delta);
    else if (!judge_in_code(moves, section, &address))
        return false;
    if (address.meaning == MEANING_OPEN)
        return verify_moves_unproved(moves, relocation->rva,
                                     "The relocated address at RVA 0x%X leads to RVA 0x%llX; it is not shown "
                                     "which of the parts that moved apart it means.",
                                     (unsigned)relocation->rva, (unsigned long long)address.rva);
    moves->relocation_count++;
    if (!verify_moves_field(moves, relocation->rva, nbytes, va + (uint64_t)address.delta,
                            "a relocated address"))
        return false;
    if (address.meaning == MEANING_INFERRED)
        verify_moves_inferred(moves);
    return true;
}

static int compare_sites(const void *left, const void *right)
{
    const struct verify_site *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

/* A block header that loaders judge by itself, whatever is in the block. */
static bool block_is_plain(struct verify_case *judged, uint32_t rva, uint32_t page_rva, int64_t last_page_rva,
                           bool has_relocation)
{
    return (page_rva % PAGE_NBYTES == 0 && (int64_t)page_rva > last_page_rva && has_relocation &&
            page_rva < judged->new_image.image_nbytes) ||
           verify_refute(
               judged, verify_spot_rva(judged, rva),
               "The new image's relocation block for RVA 0x%X is empty, out of order or outside the "
               "image.",
               (unsigned)page_rva);
}

/* Padding in the new table: one zero entry at the end of a block, for alignment. */
static bool padding_is_plain(struct verify_case *judged)
{
    const struct verify_image *image = &judged->new_image;
    if (!verify_has_relocations(image))
        return true;
    struct verify_directory directory = image->directories[DIR_BASERELOC];
    struct span table = verify_bytes_at(image, directory.rva);
    uint64_t at = 0;
    uint32_t block_nbytes;
    int64_t last_page_rva = -1;
    if (table.nbytes > directory.nbytes)
        table.nbytes = directory.nbytes;
    while (span_u32(table, at + BASERELOC_BLOCK_SIZE, &block_nbytes) &&
           block_nbytes >= BASERELOC_BLOCK_HEADER_NBYTES && range_fits(table.nbytes, at, block_nbytes)) {
        uint32_t page_rva = load_u32(table.bytes + at + BASERELOC_PAGE_RVA);
        bool has_relocation = at == 0 && block_nbytes == directory.nbytes; /* nothing to relocate */
        for (uint64_t k = BASERELOC_BLOCK_HEADER_NBYTES; k + 2 <= block_nbytes; k += BASERELOC_ENTRY_NBYTES) {
            uint16_t entry = load_u16(table.bytes + at + k);
            has_relocation = has_relocation || entry >> 12 != BASERELOC_ABSOLUTE;
            judged->verdict->step_count++;
            if (entry >> 12 == BASERELOC_ABSOLUTE && (entry != 0 || k + 2 != block_nbytes))
                return verify_refute(
                    judged, verify_spot_rva(judged, (uint32_t)(directory.rva + at + k)),
                    "The new base relocations have an entry 0x%04X of type 0 that pads nothing.", entry);
        }
        if (!block_is_plain(judged, (uint32_t)(directory.rva + at), page_rva, last_page_rva, has_relocation))
            return false;
        last_page_rva = page_rva;
        at += block_nbytes;
    }
    /* The loader takes blocks until the size is used up: what is left over would be one of size 0. */
    return at == directory.nbytes ||
           verify_refute(judged, verify_spot_rva(judged, (uint32_t)(directory.rva + at)),
                         "The new base relocations end at RVA 0x%llX, but their directory goes on.",
                         (unsigned long long)directory.rva + at);
}

static bool compare_tables(struct verify_moves *moves, const struct verify_site *sites, size_t count)
{
    struct verify_case *judged = moves->judged;
    struct verify_relocation_reader reader = verify_relocations_begin(&judged->new_image);
    struct verify_relocation relocation;
    size_t i = 0;
    int64_t page_rva = -1;
    uint64_t block_foff = UINT64_MAX;
    while (verify_relocations_next(&reader, &relocation)) {
        struct verify_spot spot = {false, relocation.entry_foff, relocation.rva};
        judged->verdict->step_count++;
        if (reader.table_foff != block_foff) {
            if ((int64_t)reader.page_rva <= page_rva || reader.page_rva % PAGE_NBYTES != 0 ||
                reader.block_nbytes % 4 != 0)
                return verify_refute(
                    judged, spot,
                    "The new image's relocation block for RVA 0x%X is not the only one of its "
                    "page, out of order or not aligned.",
                    (unsigned)reader.page_rva);
            page_rva = reader.page_rva;
            block_foff = reader.table_foff;
        }
        if (i < count && sites[i].rva == relocation.rva && sites[i].type == relocation.type) {
            i++;
            continue;
        }
        if (i < count && sites[i].rva <= relocation.rva)
            break;
        return verify_refute(
            judged, spot,
            "The new image has a base relocation of type %u at RVA 0x%X that the old one does "
            "not have there.",
            relocation.type, (unsigned)relocation.rva);
    }
    if (reader.problem)
        return verify_refute(judged, verify_spot_foff(judged, reader.problem_foff), "In the new image %s.",
                             reader.problem);
    if (i < count && sites[i].old_rva == UINT32_MAX)
        return verify_refute(judged, verify_spot_rva(judged, sites[i].rva),
                             "The address at RVA 0x%X, in a start-up stub of the new image, has no base "
                             "relocation.",
                             (unsigned)sites[i].rva);
    if (i < count)
        return verify_refute(
            judged, (struct verify_spot){true, UINT64_MAX, sites[i].old_rva},
            "The base relocation of type %u at RVA 0x%X of the old image is missing in the new "
            "one, at RVA 0x%X.",
            sites[i].type, (unsigned)sites[i].old_rva, (unsigned)sites[i].rva);
    return true;
}

bool verify_moved_relocations(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    struct verify_site *sites = NULL;
    size_t count = 0, capacity = 0;
    while (verify_relocations_next(&reader, &relocation)) {
        unsigned nbytes = verify_relocation_width(relocation.type);
        const struct verify_piece *piece = verify_piece_at(&moves->map, relocation.rva);
        moves->judged->verdict->step_count++;
        if (nbytes != (image->is_64 ? 8u : 4u))
            return verify_moves_unproved(moves, relocation.rva,
                                         "The base relocation at RVA 0x%X has a type that is not read here.",
                                         (unsigned)relocation.rva);
        if (!piece || piece->end_rva - relocation.rva < nbytes)
            return verify_moves_unproved(moves, relocation.rva,
                                         "The base relocation at RVA 0x%X is not in one piece.",
                                         (unsigned)relocation.rva);
        struct verify_site *grown =
            arena_grow(moves->judged->arena, sites, count, &capacity, count + 1, sizeof *sites);
        if (!grown)
            return false;
        sites = grown;
        uint32_t new_rva = (uint32_t)((int64_t)relocation.rva + piece->delta);
        verify_copied_site(moves, relocation.rva, &new_rva);
        sites[count++] = (struct verify_site){new_rva, relocation.rva, relocation.type};
        if (!has_table_field(moves, relocation.rva) && !add_address(moves, &relocation, piece))
            return false;
    }
    if (reader.problem)
        return verify_moves_unproved(moves, UINT32_MAX, "In the old image %s.", reader.problem);
    if (count > 1)
        qsort(sites, count, sizeof *sites, compare_sites);
    for (size_t i = 1; i < count; i++)
        if (sites[i].rva == sites[i - 1].rva)
            return verify_moves_unproved(moves, sites[i].old_rva,
                                         "The old image has two base relocations at RVA 0x%X.",
                                         (unsigned)sites[i].old_rva);
    return verify_repairs_sites(moves, &sites, &count, capacity) && compare_tables(moves, sites, count) &&
           verify_repairs_straddlers(moves, sites, count) && padding_is_plain(moves->judged);
}
