/* straddle_plan.c - which base relocations straddle a page boundary in the new layout, and what becomes of
 * each. Takes: pieces with their new places, base relocations, code map.  Gives: layout->straddles.
 * Must not: move a piece but by such a shift.
 *
 * By what holds the field: an x86 instruction is executed from a copy, a field in data that code may write is
 * relocated by a stub at start, a section of constants is shifted; anything else is refused. */
#include "plan/new_sections.h"
#include "plan/straddle_parts.h"

#include <inttypes.h>
#include <stdlib.h>

static const char cure_data[] =
    "Give the structure natural packing (no #pragma pack; pointers first), or split the array, or keep it in "
    "writable data.";

static int by_old_rva(const void *a, const void *b)
{
    const struct relocation *x = a, *y = b;
    return x->old_rva < y->old_rva ? -1 : x->old_rva > y->old_rva;
}

static bool is_entry(const struct ref *ref)
{
    return ref->source == SOURCE_BASERELOCS && ref->encoding == REF_PAGE_12 &&
           (ref->detail == BASERELOC_HIGHLOW || ref->detail == BASERELOC_DIR64);
}

static bool crosses_page(const struct relocation *relocation)
{
    return relocation->new_rva % PAGE_NBYTES + relocation->nbytes > PAGE_NBYTES;
}

static bool collect(struct straddle_plan *plan)
{
    const struct refset *refs = plan->rewrite->refs;
    size_t count = 0;
    for (size_t i = 0; i < refs->ref_count; i++)
        count += is_entry(&refs->refs[i]);
    plan->relocations = arena_array(plan->rewrite->arena, count, sizeof *plan->relocations);
    if (!plan->relocations)
        return false;
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (is_entry(ref))
            plan->relocations[plan->relocation_count++] =
                (struct relocation){ref->target, layout_map_rva(plan->rewrite->layout, ref->target),
                                    ref->detail == BASERELOC_DIR64 ? 8 : 4};
    }
    if (count > 1)
        qsort(plan->relocations, count, sizeof *plan->relocations, by_old_rva);
    return true;
}

static bool refuse_field(struct straddle_plan *plan, const struct relocation *field, const char *cure,
                         const char *why)
{
    return rewrite_refuse(plan->rewrite, field->old_rva, NO_FILE_OFFSET, cure,
                          "The base relocation at RVA 0x%" PRIX32
                          " crosses a page boundary and cannot be taken off it: %s.",
                          field->old_rva, why);
}

/* Entries that share bytes are added one after the other, so none of them can be taken out of the order. */
static bool check_apart(struct straddle_plan *plan, size_t index)
{
    const struct relocation *field = &plan->relocations[index];
    bool overlaps = (index > 0 && field[-1].old_rva + field[-1].nbytes > field->old_rva) ||
                    (index + 1 < plan->relocation_count && field->old_rva + field->nbytes > field[1].old_rva);
    if (overlaps)
        return refuse_field(plan, field, "Link the image again; no linker makes such a table.",
                            "another base relocation changes bytes of the same field");
    if (field->nbytes != image_pointer_nbytes(plan->rewrite->image))
        return refuse_field(plan, field, "Link the image again for one machine.",
                            "it has not the width of an address of this machine");
    return true;
}

static const char *section_name(const struct straddle_plan *plan, const struct piece *piece)
{
    return piece->section == NO_SECTION ? "the headers" : plan->rewrite->image->sections[piece->section].name;
}

static bool is_discardable(const struct straddle_plan *plan, const struct piece *piece)
{
    return !layout_is_low(plan->rewrite->image) && piece->kind == PIECE_SECTION &&
           (plan->rewrite->image->sections[piece->section].characteristics & SCN_MEM_DISCARDABLE);
}

/* Nobody may write there at start: all of the section moves off the boundaries, or nothing helps. */
static bool take_constant(struct straddle_plan *plan, const struct relocation *field,
                          const struct piece *piece)
{
    const char *why_not;
    if (straddle_shift(plan, piece, &why_not)) {
        plan->repair->shifted_count++;
        return true;
    }
    return refuse_field(plan, field, cure_data,
                        arena_printf(plan->rewrite->arena,
                                     "section %s is read-only, so that code cannot relocate the field "
                                     "instead of the loader, and %s",
                                     section_name(plan, piece), why_not));
}

static bool take_field(struct straddle_plan *plan, size_t index)
{
    struct rewrite *rewrite = plan->rewrite;
    const struct relocation *field = &plan->relocations[index];
    const struct piece *piece = layout_piece_at(rewrite->layout, field->old_rva);
    if (!check_apart(plan, index))
        return false;
    if (piece->section == NO_SECTION || field->old_rva + field->nbytes > piece_end_rva(piece))
        return refuse_field(plan, field, "Link the image again.",
                            "it does not lie in the data of one section");
    unsigned needs = piece_needs(rewrite, piece);
    if (needs & NEEDS_EXECUTE) {
        if (!rewrite->image->is_64)
            return straddle_copy_instruction(plan, index);
        return refuse_field(plan, field,
                            "Compile with /Gy, so that the linker can shift functions, and keep tables of "
                            "addresses out of code sections; in assembler align them (ALIGN 8).",
                            arena_printf(rewrite->arena,
                                         "section %s is executable, so nothing may write there, and copies "
                                         "of x64 code would need unwind data of their own",
                                         section_name(plan, piece)));
    }
    if (!(needs & NEEDS_WRITE))
        return take_constant(plan, field, piece);
    if (is_discardable(plan, piece))
        return refuse_field(
            plan, field, cure_data,
            arena_printf(rewrite->arena, "section %s is discardable", section_name(plan, piece)));
    plan->repair->applied_rvas[plan->repair->applied_count++] = field->old_rva;
    return true;
}

static bool check_image(struct straddle_plan *plan)
{
    const struct image *image = plan->rewrite->image;
    if (image->role == ROLE_KERNEL)
        return true;
    return rewrite_refuse(
        plan->rewrite, NO_RVA, NO_FILE_OFFSET,
        "Leave it as it is; or give the structure natural packing and link the image again.",
        "Base relocations that cross a page boundary are taken out of the table in kernel images only. "
        "Memory integrity does not judge this image (%s), and in user mode other modules can reach its data "
        "before its entry point runs.",
        image->role_reason);
}

static bool begin_repair(struct straddle_plan *plan, size_t count)
{
    struct arena *arena = plan->rewrite->arena;
    plan->repair = arena_alloc(arena, sizeof *plan->repair);
    if (!plan->repair)
        return false;
    *plan->repair = (struct straddle_repair){0};
    plan->repair->applied_rvas = arena_array(arena, count, sizeof *plan->repair->applied_rvas);
    plan->repair->copies = arena_array(arena, count, sizeof *plan->repair->copies);
    return plan->repair->applied_rvas && plan->repair->copies;
}

bool straddle_plan(struct rewrite *rewrite)
{
    struct straddle_plan plan = {.rewrite = rewrite};
    size_t count = 0;
    if (!rewrite->takes_off_borders)
        return true;
    if (!collect(&plan))
        return false;
    for (size_t i = 0; i < plan.relocation_count; i++)
        count += crosses_page(&plan.relocations[i]);
    if (count == 0)
        return true;
    if (!check_image(&plan) || !begin_repair(&plan, count))
        return false;
    for (size_t i = 0; i < plan.relocation_count; i++)
        if (crosses_page(&plan.relocations[i]) && !take_field(&plan, i))
            return false;
    if (plan.repair->applied_count == plan.relocation_count)
        return rewrite_refuse(rewrite, plan.relocations[0].old_rva, NO_FILE_OFFSET, cure_data,
                              "Every base relocation of the image crosses a page boundary; Windows would not "
                              "relocate an image whose table is empty.");
    if (!straddle_check_copies(&plan))
        return false;
    if (plan.repair->applied_count != 0 && (!straddle_check_fields(&plan) || !straddle_wrap_start(&plan)))
        return false;
    if (!straddle_arrange(&plan))
        return false;
    rewrite->layout->straddles = plan.repair;
    return true;
}
