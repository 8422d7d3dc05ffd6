/* mutations_plan.h - rewrites that follow a wrong plan to the end: sizes, tables and headers all agree with
 * it. Takes: the right plan.  Gives: what emit makes of it with one decision changed. Must not: change the
 * right plan. */
#ifndef HVCIFIX_TESTS_MUTATIONS_PLAN_H
#define HVCIFIX_TESTS_MUTATIONS_PLAN_H

#include "mutations_layout.h"

/* A copy of what may be changed. */
struct wrong_plan {
    struct arena arena;
    struct plan plan;
    struct layout layout;
    struct straddle_repair straddles;
};

static bool wrong_plan_begin(struct wrong_plan *wrong, const struct mutant *mutant)
{
    const struct layout *right = mutant->subject->layout;
    size_t ref_count = mutant->subject->done->refs.ref_count;
    if (!right)
        return false;
    arena_init(&wrong->arena, NULL);
    wrong->plan = mutant->subject->done->plan;
    wrong->layout = *right;
    wrong->plan.layout = &wrong->layout;
    wrong->layout.pieces = arena_array(&wrong->arena, right->piece_count, sizeof *right->pieces);
    wrong->layout.sections = arena_array(&wrong->arena, right->section_count, sizeof *right->sections);
    wrong->layout.copies = arena_array(&wrong->arena, right->copy_count, sizeof *right->copies);
    wrong->layout.fills = arena_array(&wrong->arena, right->fill_count + 1, sizeof *right->fills);
    wrong->layout.targets =
        right->targets ? arena_array(&wrong->arena, ref_count, sizeof *right->targets) : NULL;
    assert(wrong->layout.pieces && wrong->layout.sections && wrong->layout.copies && wrong->layout.fills);
    memcpy(wrong->layout.pieces, right->pieces, right->piece_count * sizeof *right->pieces);
    memcpy(wrong->layout.sections, right->sections, right->section_count * sizeof *right->sections);
    memcpy(wrong->layout.copies, right->copies, right->copy_count * sizeof *right->copies);
    if (right->fill_count != 0)
        memcpy(wrong->layout.fills, right->fills, right->fill_count * sizeof *right->fills);
    if (wrong->layout.targets)
        memcpy(wrong->layout.targets, right->targets, ref_count * sizeof *right->targets);
    if (right->straddles) {
        wrong->straddles = *right->straddles;
        wrong->layout.straddles = &wrong->straddles;
    }
    return true;
}

/* Emits it into the mutant. False when emit itself sees that it is wrong. */
static bool wrong_plan_end(struct wrong_plan *wrong, struct mutant *mutant)
{
    const struct rewritten *done = mutant->subject->done;
    struct output output;
    struct finding error;
    bool is_made = emit_image(&done->image, &done->refs, &wrong->plan, &wrong->arena, &output, &error) &&
                   output.nbytes <= mutant->nbytes + MUTANT_SPARE_NBYTES;
    if (is_made) {
        memcpy(mutant->bytes, output.bytes, output.nbytes);
        mutant->nbytes = output.nbytes;
        is_made = output.nbytes != mutant->subject->right.nbytes ||
                  memcmp(output.bytes, mutant->subject->right.bytes, output.nbytes) != 0;
    }
    arena_free(&wrong->arena);
    return is_made;
}

/* A piece that parts from the others; false without any. */
static bool take_parting_piece(struct mutant *mutant, uint32_t *index)
{
    const struct layout *layout = mutant->subject->layout;
    for (size_t i = 1; layout && i < layout->piece_count; i++)
        if (piece_delta(&layout->pieces[i]) != layout->uniform_delta &&
            layout->pieces[i].kind != PIECE_RELOCATIONS)
            choice_add(mutant, (uint32_t)i);
    return choice_take(mutant, index);
}

static void add_place_piece(struct mutant *mutant, uint32_t index)
{
    const struct piece *piece = &mutant->subject->layout->pieces[index];
    add_place_rva(mutant, piece->new_rva, piece->nbytes);
    add_place_old_rva(mutant, piece->old_rva, piece->nbytes);
    mutant->contradicted_rva = piece->new_rva;
    mutant->contradicted_nbytes = piece->nbytes;
}

/* Everything that leads into a piece that parts leads a bytes farther, all alike. */
MUTATE(piece_is_elsewhere)
{
    struct wrong_plan wrong;
    uint32_t index;
    if (!take_parting_piece(mutant, &index) || !wrong_plan_begin(&wrong, mutant))
        return false;
    const struct piece *piece = &wrong.layout.pieces[index];
    const struct refset *refs = &mutant->subject->done->refs;
    for (size_t i = 0; wrong.layout.targets && i < refs->ref_count; i++)
        if (refs->refs[i].target >= piece->old_rva && refs->refs[i].target < piece_end_rva(piece))
            wrong.layout.targets[i] += kind->a;
    add_place_piece(mutant, index);
    add_place_rva(mutant, piece->new_rva + kind->a, piece->nbytes);
    return wrong_plan_end(&wrong, mutant);
}

/* One reference, of those whose field is written, goes with another piece. a: 1 only those near a border. */
MUTATE(one_target_is_elsewhere)
{
    struct wrong_plan wrong;
    uint32_t index;
    const struct layout *layout = mutant->subject->layout;
    const struct refset *refs = &mutant->subject->done->refs;
    for (size_t i = 0; layout && layout->targets && i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        const struct piece *piece = layout_piece_at(layout, ref->target);
        bool is_near = ref->target - piece->old_rva < 0x40 || piece_end_rva(piece) - ref->target < 0x40;
        bool is_address = ref->source == SOURCE_CODE || ref->source == SOURCE_RELOCATED;
        if (is_address && ref->state != REF_NULL && ref->state != REF_CONSTANT && (!kind->a || is_near))
            choice_add(mutant, (uint32_t)i);
    }
    if (!choice_take(mutant, &index) || !wrong_plan_begin(&wrong, mutant))
        return false;
    uint32_t delta = wrong.layout.targets[index] - refs->refs[index].target;
    uint32_t other = delta;
    for (size_t i = 1; i < layout->piece_count && other == delta; i++)
        if (layout->pieces[i].kind != PIECE_RELOCATIONS)
            other = piece_delta(&layout->pieces[i]);
    /* A field that two sources name gets one value. */
    for (size_t i = 0; i < refs->ref_count; i++)
        if (refs->refs[i].site_foff == refs->refs[index].site_foff)
            wrong.layout.targets[i] = refs->refs[i].target + other;
    return wrong_plan_end(&wrong, mutant) && other != delta;
}

/* A slot of what leaves does not arrive. a: 0 its first, 1 its last. */
MUTATE(piece_arrives_short)
{
    struct wrong_plan wrong;
    uint32_t index, width = subject_width(mutant->subject);
    if (!take_parting_piece(mutant, &index) || !wrong_plan_begin(&wrong, mutant))
        return false;
    struct piece *piece = &wrong.layout.pieces[index];
    uint32_t old_foff = view_foff(&mutant->subject->old_view, piece->old_rva);
    add_place_piece(mutant, index);
    for (size_t i = 0; i < wrong.layout.copy_count; i++) {
        struct file_copy *copy = &wrong.layout.copies[i];
        if (copy->old_foff != old_foff || copy->nbytes <= width)
            continue;
        uint32_t lost_foff = kind->a == 0 ? copy->old_foff : copy->old_foff + copy->nbytes - width;
        if (!is_more_than_fill(mutant->subject->old_file.bytes + lost_foff, width))
            break;
        copy->nbytes -= width;
        if (kind->a == 0)
            copy->old_foff += width, copy->new_foff += width;
        return wrong_plan_end(&wrong, mutant);
    }
    arena_free(&wrong.arena);
    return false;
}

/* A piece that parts lies over another: what led to either leads to the same bytes. */
MUTATE(piece_over_another)
{
    struct wrong_plan wrong;
    uint32_t index, other;
    if (!take_parting_piece(mutant, &index) || !wrong_plan_begin(&wrong, mutant))
        return false;
    struct layout *layout = &wrong.layout;
    struct piece *piece = &layout->pieces[index];
    for (other = 1; other < layout->piece_count; other++) /* a page of it lies where the other one's is */
        if (other != index && layout->pieces[other].kind != PIECE_RELOCATIONS &&
            layout->pieces[other].nbytes >= 16)
            break;
    uint32_t copied_foff = view_foff(&mutant->subject->old_view, piece->old_rva);
    if (other == layout->piece_count || copied_foff == 0) {
        arena_free(&wrong.arena);
        return false;
    }
    uint32_t moved_rva = layout->pieces[other].new_rva + kind->a, distance = moved_rva - piece->new_rva;
    uint32_t new_foff = view_foff(&mutant->view, moved_rva);
    const struct refset *refs = &mutant->subject->done->refs;
    for (size_t i = 0; layout->targets && i < refs->ref_count; i++)
        if (refs->refs[i].target >= piece->old_rva && refs->refs[i].target < piece_end_rva(piece))
            layout->targets[i] += distance;
    for (size_t i = 0; i < layout->copy_count; i++)
        if (layout->copies[i].old_foff == copied_foff && new_foff != 0)
            layout->copies[i].new_foff = new_foff;
    add_place_piece(mutant, index);
    add_place_piece(mutant, other);
    add_place_rva(mutant, moved_rva, piece->nbytes);
    piece->new_rva = moved_rva;
    return wrong_plan_end(&wrong, mutant);
}

/* One of the copies of content is left out: zeros come instead. */
MUTATE(content_not_carried_over)
{
    struct wrong_plan wrong;
    uint32_t index;
    (void)kind;
    for (size_t i = 1; mutant->subject->layout && i < mutant->subject->layout->copy_count; i++)
        choice_add(mutant, (uint32_t)i);
    if (!choice_take(mutant, &index) || !wrong_plan_begin(&wrong, mutant))
        return false;
    const struct file_copy *copy = &wrong.layout.copies[index];
    if (!is_more_than_fill(mutant->bytes + copy->new_foff, copy->nbytes)) {
        arena_free(&wrong.arena);
        return false;
    }
    add_place_foff(mutant, copy->new_foff, copy->nbytes);
    memmove(&wrong.layout.copies[index], &wrong.layout.copies[index + 1],
            (--wrong.layout.copy_count - index) * sizeof *copy);
    /* emit refuses references in bytes that do not move; most content has some. */
    return wrong_plan_end(&wrong, mutant);
}

/* The table of addresses is another one. a: what is added to its place, b: to its size. */
MUTATE(iat_range)
{
    struct wrong_plan wrong;
    if (!mutant->subject->layout || mutant->subject->layout->iat_nbytes == 0 ||
        !wrong_plan_begin(&wrong, mutant))
        return false;
    wrong.layout.iat_rva += kind->a;
    wrong.layout.iat_nbytes += kind->b;
    add_place_directory(mutant, DIR_IAT);
    return wrong_plan_end(&wrong, mutant);
}

/* a: bits that the section's flags get, b: bits that they lose, c: 1 executable ones, 0 others. */
MUTATE(new_section_flags)
{
    struct wrong_plan wrong;
    uint32_t index;
    for (uint32_t i = 0; mutant->subject->layout && i < mutant->subject->layout->section_count; i++) {
        uint32_t flags = mutant->subject->layout->sections[i].characteristics;
        bool is_executable = (flags & SCN_MEM_EXECUTE) != 0;
        if (mutant->subject->layout->sections[i].old_section == NO_SECTION &&
            is_executable == (kind->c == 1) &&
            mutant->subject->layout->sections[i].raw_nbytes != 0 && /* a hole has nothing to lose */
            ((flags | kind->a) & ~kind->b) != flags)
            choice_add(mutant, i);
    }
    if (!choice_take(mutant, &index) || !wrong_plan_begin(&wrong, mutant))
        return false;
    struct new_section *section = &wrong.layout.sections[index];
    add_place_section(mutant, index);
    section->characteristics = (section->characteristics | kind->a) & ~kind->b;
    return wrong_plan_end(&wrong, mutant);
}

#endif
