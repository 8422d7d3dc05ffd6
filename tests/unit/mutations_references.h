/* mutations_references.h - each class of reference, wrong in each way in which a rewriter can leave it wrong.
 * Takes: the old image's inventory, for the places only.  Gives: one wrong field.
 * Must not: be the only tests of references: what the inventory does not know, it does not change. */
#ifndef HVCIFIX_TESTS_MUTATIONS_REFERENCES_H
#define HVCIFIX_TESTS_MUTATIONS_REFERENCES_H

#include "mutation.h"

enum { ANY = 0xFFFF, TEXT_NBYTES = 5 };

/* From these the verifier guesses where parts went; see MUTATION_MAY_MISLEAD. */
static bool is_evidence(uint8_t source)
{
    return source == SOURCE_IMPORTS || source == SOURCE_DELAY_IMPORTS || source == SOURCE_DIRECTORIES ||
           source == SOURCE_LOAD_CONFIG || source == SOURCE_RELOCATED || source == SOURCE_HEADERS;
}

#define JUMP_TABLE "jump table of addresses"

/* One class: the references of a source with this encoding and detail. */
struct ref_class {
    const char *name;
    uint8_t source;
    uint16_t encoding, first_detail, last_detail; /* or ANY; of code, accesses */
    bool is_text;                                 /* the target is text */
    bool is_relative; /* inside its own table: it does not change when that moves */
};

static const struct ref_class ref_classes[] = {
    {"call", SOURCE_CODE, REF_PCREL, ACCESS_CALL, ACCESS_CALL, false, false},
    {"jump", SOURCE_CODE, REF_PCREL, ACCESS_JUMP, ACCESS_JUMP, false, false},
    {"PC-relative load", SOURCE_CODE, REF_PCREL, ACCESS_READ, ACCESS_READ, false, false},
    {"PC-relative store", SOURCE_CODE, REF_PCREL, ACCESS_WRITE, ACCESS_READ_WRITE, false, false},
    {"PC-relative address", SOURCE_CODE, REF_PCREL, ACCESS_ADDRESS, ACCESS_ADDRESS, false, false},
    {"absolute call or jump", SOURCE_CODE, REF_VA, ACCESS_CALL, ACCESS_JUMP, false, false},
    {"absolute load", SOURCE_CODE, REF_VA, ACCESS_READ, ACCESS_READ, false, false},
    {"absolute store", SOURCE_CODE, REF_VA, ACCESS_WRITE, ACCESS_READ_WRITE, false, false},
    {"absolute address", SOURCE_CODE, REF_VA, ACCESS_ADDRESS, ACCESS_ADDRESS, false, false},
    {"displacement on the base", SOURCE_CODE, REF_IMAGE_REL, ANY, ANY, false, false},
    {"jump table of distances", SOURCE_CODE, REF_LABEL_DIFF, ANY, ANY, false, false},
    {"address of text in code", SOURCE_CODE, ANY, ANY, ANY, true, false},
    {"relocated address", SOURCE_RELOCATED, REF_VA, ANY, ANY, false, false},
    {"relocated address of text", SOURCE_RELOCATED, REF_VA, ANY, ANY, true, false},
    {JUMP_TABLE, SOURCE_RELOCATED, REF_VA, ANY, ANY, false, false},
    {"import descriptor", SOURCE_IMPORTS, ANY, DETAIL_IMPORT_DESCRIPTOR, DETAIL_IMPORT_DESCRIPTOR, false,
     false},
    {"imported module's name", SOURCE_IMPORTS, ANY, DETAIL_IMPORT_MODULE_NAME, DETAIL_IMPORT_MODULE_NAME,
     false, false},
    {"place of an IAT", SOURCE_IMPORTS, ANY, DETAIL_IMPORT_IAT_FIELD, DETAIL_IMPORT_IAT_FIELD, false, false},
    {"import lookup slot", SOURCE_IMPORTS, ANY, DETAIL_IMPORT_LOOKUP, DETAIL_IMPORT_LOOKUP, false, false},
    {"IAT slot", SOURCE_IMPORTS, ANY, DETAIL_IMPORT_IAT, DETAIL_IMPORT_IAT, false, false},
    {"delay import", SOURCE_DELAY_IMPORTS, ANY, ANY, ANY, false, false},
    {"export directory", SOURCE_EXPORTS, ANY, DETAIL_EXPORT_DIRECTORY, DETAIL_EXPORT_DIRECTORY, false, false},
    {"exported address", SOURCE_EXPORTS, ANY, DETAIL_EXPORT_ADDRESS, DETAIL_EXPORT_ADDRESS, false, false},
    {"export forwarder", SOURCE_EXPORTS, ANY, DETAIL_EXPORT_FORWARDER, DETAIL_EXPORT_FORWARDER, false, false},
    {"export name", SOURCE_EXPORTS, ANY, DETAIL_EXPORT_NAME, DETAIL_EXPORT_NAME, false, false},
    {"resource tree", SOURCE_RESOURCES, ANY, DETAIL_RESOURCE_NAME, DETAIL_RESOURCE_TREE, false, true},
    {"resource data", SOURCE_RESOURCES, ANY, DETAIL_RESOURCE_DATA, DETAIL_RESOURCE_DATA, false, false},
    {"function's begin", SOURCE_EXCEPTION, ANY, DETAIL_FUNCTION_BEGIN, DETAIL_FUNCTION_BEGIN, false, false},
    {"function's end", SOURCE_EXCEPTION, ANY, DETAIL_FUNCTION_END, DETAIL_FUNCTION_END, false, false},
    {"function's unwind info", SOURCE_EXCEPTION, ANY, DETAIL_FUNCTION_UNWIND, DETAIL_FUNCTION_UNWIND, false,
     false},
    {"exception handler", SOURCE_UNWIND, ANY, DETAIL_HANDLER, DETAIL_HANDLER, false, false},
    {"scope table", SOURCE_HANDLER_DATA, ANY, DETAIL_SCOPE_BEGIN, DETAIL_SCOPE_TARGET, false, false},
    {"C++ exception table", SOURCE_HANDLER_DATA, ANY, DETAIL_CXX_TABLE, DETAIL_CXX_IP, false, false},
    {"guard table", SOURCE_GUARD_TABLES, ANY, ANY, ANY, false, false},
    {"load configuration", SOURCE_LOAD_CONFIG, ANY, ANY, ANY, false, false},
    {"TLS directory", SOURCE_TLS, ANY, ANY, ANY, false, false},
    {"debug data in memory", SOURCE_DEBUG, REF_RVA, ANY, ANY, false, false},
    {"debug data in the file", SOURCE_DEBUG, REF_FOFF, ANY, ANY, false, false},
    {"data directory", SOURCE_DIRECTORIES, REF_RVA, ANY, ANY, false, false},
    {"entry point", SOURCE_HEADERS, REF_RVA, DETAIL_ENTRY_POINT, DETAIL_ENTRY_POINT, false, false},
};
enum { REF_CLASS_COUNT = sizeof ref_classes / sizeof ref_classes[0] };

enum ref_wrong {
    WRONG_UNPATCHED, /* the old bytes */
    WRONG_TWICE,     /* moved by twice the distance */
    WRONG_PIECE,     /* moved as another piece moves */
    WRONG_BEFORE,    /* to the neighbour before */
    WRONG_BEHIND,
    WRONG_PAGE, /* a page off */
    WRONG_COUNT
};

static const struct {
    const char *name, *why;
} ref_wrongs[WRONG_COUNT] = {
    {"left unpatched", "it leads to where its target was"},
    {"patched twice", "it leads past its target by the distance once more"},
    {"moved with another piece", "it leads to where its target would be in a piece that moves otherwise"},
    {"to the neighbour before", "it leads to the slot or record before its own"},
    {"to the neighbour behind", "it leads to the slot or record behind its own"},
    {"a page off", "the layout says a page, the reference another"},
};

static bool target_is_text(const struct subject *subject, const struct ref *ref)
{
    uint32_t foff = view_foff(&subject->old_view, ref->target);
    if (foff == 0 || !range_fits(subject->old_file.nbytes, foff, TEXT_NBYTES))
        return false;
    for (uint32_t i = 0; i < TEXT_NBYTES; i++) {
        uint8_t byte = subject->old_file.bytes[foff + i];
        bool is_wide_zero = byte == 0 && i % 2 == 1;
        if ((byte < 0x20 || byte >= 0x7F) && !is_wide_zero)
            return false;
    }
    return true;
}

static bool is_in_jump_table(const struct subject *subject, const struct ref *ref)
{
    const struct refset *refs = &subject->done->refs;
    for (size_t i = 0; i < refs->extent_count; i++)
        if (refs->extents[i].kind == EXTENT_JUMP_TABLE &&
            ref->site_rva - refs->extents[i].rva < refs->extents[i].nbytes)
            return true;
    return false;
}

static bool is_of_class(const struct subject *subject, const struct ref *ref, const struct ref_class *class)
{
    uint32_t detail = ref->source == SOURCE_CODE ? ref->access : ref->detail;
    return ref->source == class->source && ref->width_nbytes >= 2 && ref->encoding != REF_SIZE &&
           (class->encoding == ANY || ref->encoding == class->encoding) &&
           (class->first_detail == ANY || (detail >= class->first_detail && detail <= class->last_detail)) &&
           (!class->is_text || target_is_text(subject, ref)) &&
           (strcmp(class->name, JUMP_TABLE) != 0 || is_in_jump_table(subject, ref)) &&
           /* rebuilt, and so changed elsewhere */
           !(ref->source == SOURCE_DIRECTORIES &&
             (ref->detail == DIR_BASERELOC || ref->detail == DIR_IAT || ref->detail == DIR_BOUND_IMPORT));
}

/* Where the field is now: at its mapped place, or in a copy of its instruction; 0 when it is gone. */
static uint32_t field_foff(const struct subject *subject, const struct ref *ref)
{
    const struct straddle_repair *straddles = subject->layout ? subject->layout->straddles : NULL;
    const struct code_copy *copy =
        straddles && ref->site_rva != NO_RVA ? straddle_copy_at(straddles, ref->site_rva) : NULL;
    if (copy)
        return view_foff(&subject->view, straddles->code_rva + copy->at + (ref->site_rva - copy->old_rva));
    return subject_new_foff(subject, ref->site_foff);
}

/* How far another piece moves than the one that holds the target does. */
static uint32_t other_distance(const struct subject *subject, const struct ref *ref)
{
    const struct layout *layout = subject->layout;
    uint32_t own = layout ? piece_delta(layout_piece_at(layout, ref->target)) : 0;
    for (size_t i = 1; layout && i < layout->piece_count; i++)
        if (piece_delta(&layout->pieces[i]) != own && layout->pieces[i].kind != PIECE_RELOCATIONS)
            return piece_delta(&layout->pieces[i]) - own;
    return 0;
}

static uint64_t signed_width(uint64_t value, unsigned width_nbytes)
{
    unsigned shift = 64 - 8 * width_nbytes;
    return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* What the field holds when it is wrong so; the right value when it cannot be. */
static uint64_t wrong_value(const struct subject *subject, const struct ref *ref, uint64_t right,
                            enum ref_wrong wrong)
{
    unsigned width = ref->width_nbytes;
    uint64_t old = load_width(subject->old_file.bytes + ref->site_foff, width);
    uint32_t step = ref->encoding == REF_PCREL && (ref->access == ACCESS_CALL || ref->access == ACCESS_JUMP)
                        ? 1
                    : width == 2 ? 2
                                 : subject_width(subject);
    switch (wrong) {
    case WRONG_UNPATCHED:
        return old;
    case WRONG_TWICE:
        return 2 * right - old;
    case WRONG_PIECE:
        return width == 2 ? right : right + signed_width(other_distance(subject, ref), 4);
    case WRONG_BEFORE:
        return right - step;
    case WRONG_BEHIND:
        return right + step;
    case WRONG_PAGE:
        return right + PAGE_NBYTES;
    case WRONG_COUNT:
        break;
    }
    return right;
}

/* The field, what it led to, and what it leads to now. */
static void add_place_reference(struct mutant *mutant, const struct ref *ref, uint32_t foff,
                                uint32_t distance)
{
    const struct subject *subject = mutant->subject;
    bool is_rva = ref->encoding != REF_FOFF && ref->encoding != REF_SECTION_INDEX;
    add_place_foff(mutant, foff, ref->width_nbytes);
    if (!is_rva) {
        add_place(mutant, (struct place){load_u32(subject->right.bytes + foff) + distance, UINT64_MAX,
                                         UINT64_MAX, UINT64_MAX, 0x20});
        return;
    }
    uint32_t target_rva = subject_new_rva(subject, ref->target);
    if (ref->encoding == REF_RVA || ref->encoding == REF_VA) /* a stub, or a table written anew */
        target_rva = (uint32_t)load_width(subject->right.bytes + foff, ref->width_nbytes < 4 ? 2 : 4) -
                     (ref->encoding == REF_VA ? (uint32_t)subject_base(subject) : 0);
    add_place_rva(mutant, target_rva, NEAR_NBYTES);
    add_place_rva(mutant, target_rva + distance, NEAR_NBYTES);
    add_place_old_rva(mutant, ref->target, NEAR_NBYTES);
    if (ref->source == SOURCE_DIRECTORIES)
        add_place_directory(mutant, ref->detail);
    if (ref->source == SOURCE_IMPORTS || ref->source == SOURCE_DELAY_IMPORTS) /* the whole descriptor */
        add_place_targets(mutant, ref->site_rva - 0x20, 0x40);
    if (subject->layout) {
        const struct piece *piece = layout_piece_at(subject->layout, ref->target);
        mutant->contradicted_rva = piece->new_rva;
        mutant->contradicted_nbytes = piece->nbytes;
    }
}

/* a: class, b: enum ref_wrong. */
MUTATE(wrong_reference)
{
    const struct subject *subject = mutant->subject;
    const struct refset *refs = &subject->done->refs;
    const struct ref_class *class = &ref_classes[kind->a];
    uint32_t index;
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->state == REF_NULL || ref->state == REF_CONSTANT || !is_of_class(subject, ref, class))
            continue;
        uint32_t foff = field_foff(subject, ref);
        if (foff == 0 || !range_fits(mutant->nbytes, foff, ref->width_nbytes))
            continue;
        uint64_t right = load_width(mutant->bytes + foff, ref->width_nbytes);
        if (signed_width(wrong_value(subject, ref, right, (enum ref_wrong)kind->b) - right,
                         ref->width_nbytes) != 0)
            choice_add(mutant, (uint32_t)i);
    }
    if (!choice_take(mutant, &index))
        return false;
    const struct ref *ref = &refs->refs[index];
    uint32_t foff = field_foff(subject, ref);
    uint64_t right = load_width(mutant->bytes + foff, ref->width_nbytes);
    uint64_t wrong = wrong_value(subject, ref, right, (enum ref_wrong)kind->b);
    add_place_reference(mutant, ref, foff, (uint32_t)(wrong - right));
    return set_field(mutant, foff, ref->width_nbytes, wrong);
}

/* Fields that differ from the old ones, found by comparing the files and not by the inventory. a: 0 the old
 * value, 1 twice the distance, 2 the next slot. */
MUTATE(changed_field)
{
    const struct subject *subject = mutant->subject;
    uint32_t foff;
    for (size_t i = 0; subject->layout && i < subject->layout->copy_count; i++) {
        const struct file_copy *copy = &subject->layout->copies[i];
        if (copy->new_foff < subject->layout->headers_nbytes) /* mutations_layout.h */
            continue;
        for (uint32_t at = 0; at + 4 <= copy->nbytes && range_fits(mutant->nbytes, copy->new_foff + at, 4);
             at++) {
            uint32_t old_value = load_u32(subject->old_file.bytes + copy->old_foff + at);
            uint32_t value = load_u32(mutant->bytes + copy->new_foff + at);
            /* Moved by whole pages: the low byte stays, the second one changes by a multiple of 16. */
            if (value != old_value && (value - old_value) % PAGE_NBYTES == 0 && (value & 0xFF) != 0xCC &&
                old_value != 0) {
                choice_add(mutant, copy->new_foff + at);
                at += 3;
            }
        }
    }
    if (!choice_take(mutant, &foff))
        return false;
    uint64_t old_foff = subject_old_foff(subject, foff);
    uint32_t value = load_u32(mutant->bytes + foff), old_value = load_u32(subject->old_file.bytes + old_foff);
    return set_field(mutant, foff, 4,
                     kind->a == 0   ? old_value
                     : kind->a == 1 ? 2 * value - old_value
                                    : value + subject_width(subject));
}

#endif
