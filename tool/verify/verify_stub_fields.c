/* verify_stub_fields.c - the fields that a start-up stub applies: where they may lie.
 * Takes: a field with its place in both images.  Gives: true, or why the stub must not have it.
 * Must not: let the stub have a field that the loader, or somebody who imports, reads before the stub ran, or
 * that it cannot write.  Source: the loader reads directories, load configuration, TLS data and import slots
 * itself. */
#include "verify/verify_operand.h"
#include "verify/verify_relocations.h"
#include "verify/verify_repairs.h"

#include <stdlib.h>

static bool refute_entry(struct verify_moves *moves, uint32_t entry_rva, uint32_t old_rva, const char *why)
{
    return verify_refute(
        moves->judged, verify_spot_rva(moves->judged, entry_rva),
        "The start-up stub's table at RVA 0x%X has the field from RVA 0x%X of the old image, %s.",
        (unsigned)entry_rva, (unsigned)old_rva, why);
}

static bool is_in_tls_data(const struct verify_image *image, uint64_t rva, uint64_t end_rva)
{
    unsigned width_nbytes = image->is_64 ? 8 : 4;
    uint64_t start_va, end_va;
    uint32_t tls_rva = image->directory_count > DIR_TLS ? image->directories[DIR_TLS].rva : 0;
    if (tls_rva == 0 || !verify_read_at(image, tls_rva, width_nbytes, &start_va) ||
        !verify_read_at(image, (uint64_t)tls_rva + width_nbytes, width_nbytes, &end_va))
        return false;
    uint64_t directory_nbytes = image->is_64 ? TLS_DIRECTORY_NBYTES_64 : TLS_DIRECTORY_NBYTES_32;
    bool is_directory = rva < tls_rva + directory_nbytes && end_rva > tls_rva;
    return is_directory || (start_va - image->base_va < end_rva && end_va - image->base_va > rva);
}

bool verify_applied_is_safe(struct verify_moves *moves, uint32_t old_rva, uint32_t new_rva,
                            uint32_t entry_rva)
{
    const struct verify_image *image = &moves->judged->new_image;
    unsigned nbytes = image->is_64 ? 8 : 4;
    uint64_t end_rva = (uint64_t)old_rva + nbytes;
    const struct verify_section *section = verify_section_at(image, new_rva);
    if (!verify_straddles(new_rva, nbytes))
        return refute_entry(moves, entry_rva, old_rva, "which lies in one page: its relocation must stay");
    if (!section || !range_fits(section->memory_nbytes, new_rva - section->rva, nbytes))
        return refute_entry(moves, entry_rva, old_rva, "which is not in one section");
    if (!(section->characteristics & SCN_MEM_WRITE) || !(section->characteristics & SCN_MEM_READ))
        return refute_entry(moves, entry_rva, old_rva, "which cannot be written at start");
    if (section->characteristics & SCN_MEM_EXECUTE)
        return refute_entry(moves, entry_rva, old_rva, "which is executable");
    if (section->characteristics & SCN_MEM_DISCARDABLE)
        return refute_entry(moves, entry_rva, old_rva, "which is discardable");
    if (verify_is_typed(&moves->old_tables, old_rva, end_rva) ||
        verify_range_at(&moves->inert, old_rva, end_rva) ||
        is_in_tls_data(&moves->judged->old_image, old_rva, end_rva))
        return refute_entry(moves, entry_rva, old_rva, "in a table that is read before the stub runs");
    return true;
}

static int compare_by_old(const void *left, const void *right)
{
    const struct verify_applied *a = left, *b = right;
    return a->old_rva < b->old_rva ? -1 : a->old_rva > b->old_rva;
}

/* None is a part of what the loader writes. One search for each written range: both may be many. */
static bool judge_written(struct verify_moves *moves)
{
    const struct verify_repairs *repairs = &moves->repairs;
    unsigned nbytes = moves->judged->old_image.is_64 ? 8 : 4;
    struct verify_applied *sorted = arena_array(moves->judged->arena, repairs->applied_count, sizeof *sorted);
    if (!sorted)
        return false;
    memcpy(sorted, repairs->applied, repairs->applied_count * sizeof *sorted);
    qsort(sorted, repairs->applied_count, sizeof *sorted, compare_by_old);
    for (size_t i = 0; i < moves->old_tables.written.count; i++) {
        const struct verify_range *range = &moves->old_tables.written.items[i];
        size_t low = 0, high = repairs->applied_count;
        moves->judged->verdict->step_count++;
        while (low < high) { /* the first field that ends behind the range's begin */
            size_t middle = low + (high - low) / 2;
            if ((uint64_t)sorted[middle].old_rva + nbytes <= range->rva)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < repairs->applied_count && sorted[low].old_rva < range->end_rva)
            return refute_entry(moves, sorted[low].entry_rva, sorted[low].old_rva, "which the loader writes");
    }
    return true;
}

/* An exported address among data, with the first applied field behind it. What lies between is one object,
 * unless something names an address in between. */
struct exported {
    uint32_t rva, field_rva; /* field_rva 0: none behind it */
    bool is_ended;
};

static int compare_exported(const void *left, const void *right)
{
    const struct exported *a = left, *b = right;
    return a->rva < b->rva ? -1 : a->rva > b->rva;
}

struct exports {
    struct exported *items;
    size_t count;
};

/* The last one at or before rva. */
static struct exported *last_before(const struct exports *exports, uint64_t rva)
{
    size_t low = 0, high = exports->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (exports->items[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &exports->items[low - 1] : NULL;
}

static void name_address(const struct exports *exports, uint64_t rva)
{
    struct exported *exported = rva > 0 ? last_before(exports, rva - 1) : NULL;
    if (exported && rva <= exported->field_rva)
        exported->is_ended = true;
}

static bool collect_exported(struct verify_moves *moves, struct exports *exports)
{
    const struct verify_image *image = &moves->judged->old_image;
    uint32_t directory_rva = image->directory_count > DIR_EXPORT ? image->directories[DIR_EXPORT].rva : 0;
    uint32_t functions_rva = 0, count = 0;
    struct span directory = verify_bytes_at(image, directory_rva);
    if (directory_rva == 0 || !span_u32(directory, EXPORT_ADDRESS_OF_FUNCTIONS, &functions_rva) ||
        !span_u32(directory, EXPORT_NUMBER_OF_FUNCTIONS, &count) || count > image->file.nbytes)
        return true; /* the inventory has read the table, or refused it */
    exports->items = arena_array(moves->judged->arena, count, sizeof *exports->items);
    if (!exports->items)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t rva;
        if (!verify_read_at(image, (uint64_t)functions_rva + (uint64_t)i * 4, 4, &rva) || rva == 0)
            continue;
        const struct verify_section *section = verify_section_at(image, (uint32_t)rva);
        if (section && !(section->characteristics & SCN_MEM_EXECUTE))
            exports->items[exports->count++] = (struct exported){(uint32_t)rva, 0, false};
    }
    if (exports->count > 1)
        qsort(exports->items, exports->count, sizeof *exports->items, compare_exported);
    return true;
}

/* Values of base relocations, which on x86 are all operands too. */
static void name_pointers(struct verify_moves *moves, const struct exports *exports)
{
    const struct verify_image *image = &moves->judged->old_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    uint64_t va;
    while (verify_relocations_next(&reader, &relocation)) {
        moves->judged->verdict->step_count++;
        if (verify_read_at(image, relocation.rva, image->is_64 ? 8 : 4, &va))
            name_address(exports, va - image->base_va);
    }
}

static void name_operands(struct verify_moves *moves, const struct exports *exports)
{
    static const uint8_t trailing_nbytes[] = {0, 1, 2, 4};
    for (uint32_t i = 0; moves->code.image->is_64 && i < moves->code.section_count; i++) {
        const struct verify_code_section *section = &moves->code.sections[i];
        for (size_t at = 1; at + 4 <= section->bytes.nbytes; at++) {
            moves->judged->verdict->step_count++;
            if ((section->bytes.bytes[at - 1] & 0xC7) != 0x05)
                continue;
            int64_t next_rva =
                (int64_t)section->rva + (int64_t)at + 4 + (int32_t)load_u32(section->bytes.bytes + at);
            for (size_t k = 0; k < sizeof trailing_nbytes; k++) {
                int64_t rva = next_rva + trailing_nbytes[k];
                struct exported *exported =
                    rva > 0 && rva <= UINT32_MAX ? last_before(exports, (uint64_t)rva - 1) : NULL;
                if (!exported || exported->is_ended || rva > exported->field_rva)
                    continue;
                struct verify_field_in_code field = {section, at, 4, FIELD_RIP_RELATIVE, trailing_nbytes[k]};
                if (!verify_uses_possible(&moves->code, &field).is_operand)
                    continue;
                struct verify_uses uses = verify_uses_resolved(&moves->code, &field);
                if (uses.is_operand && uses.is_unanimous)
                    exported->is_ended = true;
            }
        }
    }
}

bool verify_applied_judge(struct verify_moves *moves)
{
    const struct verify_image *image = &moves->judged->old_image;
    const struct verify_repairs *repairs = &moves->repairs;
    unsigned nbytes = image->is_64 ? 8 : 4;
    struct exports exports = {0};
    if (repairs->applied_count == 0)
        return true;
    if (!judge_written(moves) || !collect_exported(moves, &exports))
        return false;
    if (exports.count == 0)
        return true;
    for (size_t i = 0; i < repairs->applied_count; i++) {
        uint32_t rva = repairs->applied[i].old_rva;
        struct exported *exported = last_before(&exports, (uint64_t)rva + nbytes - 1);
        if (!exported || verify_section_at(image, exported->rva) != verify_section_at(image, rva))
            continue;
        if (exported->rva >= rva)
            return verify_moves_unproved(moves, rva, "The relocated field at RVA 0x%X lies in exported data.",
                                         (unsigned)rva);
        if (exported->field_rva == 0 || rva < exported->field_rva)
            exported->field_rva = rva;
    }
    name_pointers(moves, &exports);
    name_operands(moves, &exports);
    for (size_t i = 0; i < exports.count; i++)
        if (exports.items[i].field_rva != 0 && !exports.items[i].is_ended)
            return verify_moves_unproved(moves, exports.items[i].field_rva,
                                         "The relocated field at RVA 0x%X may be a part of the data that is "
                                         "exported at RVA 0x%X.",
                                         (unsigned)exports.items[i].field_rva,
                                         (unsigned)exports.items[i].rva);
    return true;
}
