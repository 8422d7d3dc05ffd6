/* referents_labels.c - addresses that lead among instructions: do they mean code?
 * Takes: a reference, the code map.  Gives: a label, or an address that was folded.  Must not: say which
 * array a folded one means.
 *
 * Compilers subtract from addresses what is added later: the index of the first element, or the place of a
 * link in its structure (`CONTAINING_RECORD(&head, ...)`, of a page and more). What comes out lies anywhere
 * before the variable, most often among code. Code is meant only where it has a label. */
#include "plan/referents.h"

/* In the gap behind a part that is executed: nothing lies there. */
static bool is_behind_code(const struct referents *choice, uint32_t t)
{
    const struct rewrite *rewrite = choice->rewrite;
    const struct piece *own = layout_piece_at(rewrite->layout, t);
    return own->kind == PIECE_SECTION && t >= piece_end_rva(own) &&
           (rewrite->image->sections[own->section].characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE));
}

/* All data that is known leaves its code. What an index may lead to there is either nothing, or data that is
 * not known, of which more may lie anywhere in code. */
static bool is_in_rest_of_code(const struct referents *choice, uint32_t t)
{
    const struct rewrite *rewrite = choice->rewrite;
    const struct piece *own = layout_piece_at(rewrite->layout, t);
    return rewrite->keeps_distances && own->kind == PIECE_SECTION &&
           (rewrite->image->sections[own->section].characteristics & SCN_MEM_EXECUTE) &&
           !extent_index_at(&choice->jump_tables, t);
}

/* Something leads to the instruction at rva, or execution may not come from the one before it. */
static bool is_label(struct referents *choice, uint32_t rva)
{
    const struct rewrite *rewrite = choice->rewrite;
    struct instruction before;
    uint32_t foff;
    if (!image_rva_to_foff(rewrite->image, rva, 1, &foff) ||
        site_set_has(&rewrite->destinations.labels, foff))
        return true;
    enum byte_class class_before = rva == 0 ? BYTE_UNKNOWN : code_class_at(rewrite->code, rva - 1);
    if (class_before != BYTE_INSTRUCTION && class_before != BYTE_INSTRUCTION_TAIL)
        return true;
    uint32_t begin = code_instruction_begin(rewrite->code, rva - 1);
    struct span bytes = image_run_at_rva(rewrite->image, begin);
    return !decode(choice->decoder, bytes.bytes, bytes.nbytes, begin, &before) || flow_ends(before.flow) ||
           before.flow == FLOW_BREAK;
}

/* x86, structured exceptions of Visual C++: the field is the filter in a record of a scope table (level of
 * the scope around it, filter, handler). A filter may lie behind a call that does not return, where nothing
 * leads to; the handler lies behind the filter's `ret`. */
static bool is_exception_filter(const struct rewrite *rewrite, const struct ref *ref)
{
    enum {
        RECORD_NBYTES = 12,
        FILTER_AT = 4,
        HANDLER_AT = 8,
        OUTERMOST = -2,
        MOST_LEVELS = 256,
        MOST_FILTER_NBYTES = 256,
        OPCODE_RET = 0xC3
    };
    struct span record, filter;
    if (rewrite->image->is_64 || ref->site_rva < FILTER_AT ||
        !image_bytes_at_rva(rewrite->image, ref->site_rva - FILTER_AT, RECORD_NBYTES, &record))
        return false;
    int32_t level = (int32_t)load_u32(record.bytes);
    uint32_t nbytes = load_u32(record.bytes + HANDLER_AT) - load_u32(record.bytes + FILTER_AT);
    return level >= OUTERMOST && level < MOST_LEVELS && nbytes != 0 && nbytes <= MOST_FILTER_NBYTES &&
           image_bytes_at_rva(rewrite->image, ref->target, nbytes, &filter) &&
           filter.bytes[nbytes - 1] == OPCODE_RET;
}

/* Something besides an address says that a function begins there, or it lies behind fill. */
static bool is_function_begin(const struct referents *choice, uint32_t rva)
{
    const struct code_map *code = choice->rewrite->code;
    const struct code_function *function = code_function_at(code, rva);
    if (function && function->source != FUNCTION_RELOCATED_POINTER && function->source != FUNCTION_LEA)
        return true;
    enum byte_class before = rva == 0 ? BYTE_UNKNOWN : code_class_at(code, rva - 1);
    return before != BYTE_INSTRUCTION && before != BYTE_INSTRUCTION_TAIL;
}

/* x86 has no unwind data, and some functions follow each other without fill. */
static bool is_behind_function(const struct referents *choice, uint32_t rva)
{
    const struct rewrite *rewrite = choice->rewrite;
    struct instruction before;
    uint32_t begin = code_instruction_begin(rewrite->code, rva - 1);
    struct span bytes = image_run_at_rva(rewrite->image, begin);
    return !rewrite->image->is_64 && code_function_at(rewrite->code, rva) &&
           decode(choice->decoder, bytes.bytes, bytes.nbytes, begin, &before) && flow_ends(before.flow);
}

/* Handlers of C++ exceptions return the place where the function goes on. */
static bool is_returned(const struct referents *choice, uint32_t site_rva)
{
    enum { MOST_INSTRUCTIONS = 16, RAX = 0 };
    const struct rewrite *rewrite = choice->rewrite;
    uint32_t rva = code_instruction_begin(rewrite->code, site_rva);
    for (int i = 0; i < MOST_INSTRUCTIONS; i++) {
        struct span bytes = image_run_at_rva(rewrite->image, rva);
        struct instruction instruction;
        struct register_sets use;
        if (code_class_at(rewrite->code, rva) != BYTE_INSTRUCTION ||
            !decode(choice->decoder, bytes.bytes, bytes.nbytes, rva, &instruction) ||
            !decode_registers(choice->decoder, &use))
            return false;
        if (instruction.flow == FLOW_RETURN)
            return i != 0;
        if (instruction.flow != FLOW_NEXT ||
            (i == 0 ? use.writes != 1U << RAX : ((use.changes | use.reads) >> RAX & 1) != 0))
            return false;
        rva = instruction_end_rva(&instruction);
    }
    return false;
}

/* A place inside a function that is passed on lies behind the function's end; on x86 also behind the call
 * that it is passed to (RtlUnwind returns there), and assembler sources pass handlers to which they branch.
 */
static bool is_passed_label(const struct referents *choice, uint32_t site_rva, uint32_t rva)
{
    enum { CALL_REACH_NBYTES = 32 };
    const struct rewrite *rewrite = choice->rewrite;
    struct instruction before;
    uint32_t foff, begin = code_instruction_begin(rewrite->code, rva - 1);
    struct span bytes = image_run_at_rva(rewrite->image, begin);
    if (!rewrite->image->is_64 && image_rva_to_foff(rewrite->image, rva, 1, &foff) &&
        site_set_has(&rewrite->destinations.labels, foff))
        return true;
    if (is_returned(choice, site_rva) || !decode(choice->decoder, bytes.bytes, bytes.nbytes, begin, &before))
        return true;
    bool is_call = before.flow == FLOW_CALL || before.flow == FLOW_CALL_INDIRECT;
    if (is_call && !rewrite->image->is_64 && rva - site_rva < CALL_REACH_NBYTES)
        return true;
    return flow_ends(before.flow) || before.flow == FLOW_BREAK || before.operation == OP_NOP ||
           instruction_is_fill(&before);
}

bool referents_is_folded_into_code(struct referents *choice, const struct ref *ref)
{
    const struct rewrite *rewrite = choice->rewrite;
    uint8_t byte_class = (uint8_t)code_class_at(rewrite->code, ref->target);
    struct span byte;
    /* Zeros may be variables, and what leaves with data is none of the code's fill. */
    bool is_fill = byte_class == BYTE_PADDING &&
                   layout_piece_at(rewrite->layout, ref->target)->kind != PIECE_DATA &&
                   image_bytes_at_rva(rewrite->image, ref->target, 1, &byte) && byte.bytes[0] != 0;
    bool is_in_code = byte_class == BYTE_INSTRUCTION || byte_class == BYTE_INSTRUCTION_TAIL || is_fill ||
                      is_behind_code(choice, ref->target) || is_in_rest_of_code(choice, ref->target);
    if (!is_in_code || !choice->parts_move || ref->source != SOURCE_CODE ||
        (ref->flags & REF_FLAG_CODE_TARGET) || edges_matter(choice->edges, ref->target))
        return false;
    if (ref->access != ACCESS_ADDRESS)
        return ref->encoding == REF_VA && !referents_is_direct(choice, ref);
    if (ref->encoding == REF_IMAGE_REL)
        return false;
    if (byte_class == BYTE_INSTRUCTION_TAIL)
        return true;
    struct address_uses uses = referents_uses_of(choice, ref);
    if (byte_class == BYTE_INSTRUCTION)
        return !is_function_begin(choice, ref->target) && !is_behind_function(choice, ref->target) &&
               !(uses.is_as_is && is_passed_label(choice, ref->site_rva, ref->target));
    return !uses.is_as_is && !uses.is_compared;
}

bool referents_may_be_place_in_code(struct referents *choice, const struct ref *ref)
{
    return ref->access == ACCESS_ADDRESS &&
           code_class_at(choice->rewrite->code, ref->target) == BYTE_INSTRUCTION &&
           referents_uses_of(choice, ref).is_as_is;
}

bool referents_is_pointer_to_no_label(struct referents *choice, const struct ref *ref)
{
    const struct rewrite *rewrite = choice->rewrite;
    enum byte_class at_site = code_class_at(rewrite->code, ref->site_rva),
                    at_target = code_class_at(rewrite->code, ref->target);
    bool is_in_code = at_site == BYTE_INSTRUCTION || at_site == BYTE_INSTRUCTION_TAIL;
    if (!choice->parts_move || ref->source != SOURCE_RELOCATED || is_in_code)
        return false;
    struct span byte;
    bool is_fill = at_target == BYTE_PADDING &&
                   layout_piece_at(rewrite->layout, ref->target)->kind != PIECE_DATA &&
                   image_bytes_at_rva(rewrite->image, ref->target, 1, &byte) && byte.bytes[0] != 0;
    if (at_target == BYTE_INSTRUCTION_TAIL || is_fill)
        return !edges_matter(choice->edges, ref->target);
    return at_target == BYTE_INSTRUCTION && !is_label(choice, ref->target) &&
           !is_exception_filter(rewrite, ref);
}
