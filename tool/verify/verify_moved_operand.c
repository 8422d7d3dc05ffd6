/* verify_moved_operand.c - a field of code that may be an operand across parts that moved apart.
 * Takes: a field, and where it would lead.  Gives: its new value, or a counter-example where it is not shown
 * what it means, or what it stores into is no longer writable.
 * Must not: take what may be an operand for none. */
#include "verify/verify_branch_field.h"
#include "verify/verify_follow.h"
#include "verify/verify_read_through.h"
#include "verify/verify_references.h"
#include "verify/verify_text_in_code.h"

enum { FAR_NBYTES = 0x10000 };

/* A field that may be an operand. */
struct candidate {
    struct verify_moves *moves;
    const struct verify_piece *site; /* that holds the field */
    const struct verify_field_in_code *field;
    uint32_t field_rva;
    uint64_t target_rva;
    const struct verify_piece *target; /* that holds the target; NULL: it lies outside the image */
    const char *what;                  /* it would be, for messages */
    bool is_branch;
    bool is_apart; /* the target moved otherwise than the site, or a neighbour did that it may mean */
    struct verify_uses uses;
};

/* Was writable in the old image by its own right or because all pages were. */
static bool was_writable(const struct verify_moves *moves, const struct verify_piece *piece)
{
    return moves->judged->old_image.section_alignment < PAGE_NBYTES ||
           (piece->section->characteristics & SCN_MEM_WRITE);
}

/* With an index, another place than the address in the instruction is stored to. */
static bool has_index(struct verify_moves *moves, uint32_t site_rva)
{
    const struct verify_code_section *section = verify_code_at(&moves->code, site_rva);
    struct verify_instruction instruction;
    return section && verify_code_decode(&moves->code, section, site_rva - section->rva, &instruction) &&
           !instruction.is_plain_memory;
}

bool verify_store_is_allowed(struct verify_moves *moves, uint32_t site_rva, uint64_t rva, bool is_certain)
{
    const struct verify_piece *piece = verify_piece_at(&moves->map, rva);
    if (!piece || !was_writable(moves, piece))
        return true;
    moves->stored_sections[piece->section->index] = true;
    const struct verify_section *section =
        verify_section_at(&moves->judged->new_image, (uint32_t)((int64_t)rva + piece->delta));
    if (section && (section->characteristics & SCN_MEM_WRITE))
        return true;
    if (!is_certain || has_index(moves, site_rva))
        return verify_moves_unproved(
            moves, site_rva,
            "The bytes at RVA 0x%X may be a store to RVA 0x%llX, which the new image "
            "does not let it write.",
            (unsigned)site_rva, (unsigned long long)rva);
    return verify_refute(moves->judged, (struct verify_spot){true, UINT64_MAX, site_rva},
                         "The instruction at RVA 0x%X of the old image stores to RVA 0x%llX, which could be "
                         "written there; the new image does not let it.",
                         (unsigned)site_rva, (unsigned long long)rva);
}

/* The field holds its distance again where its target has moved by `delta`. */
static bool add_reference(const struct candidate *candidate, int64_t delta, bool is_inferred)
{
    struct verify_moves *moves = candidate->moves;
    const struct verify_field_in_code *field = candidate->field;
    const uint8_t *bytes = field->section->bytes.bytes + field->at;
    uint32_t rva = candidate->field_rva;
    int64_t change = delta - candidate->site->delta;
    if (change == 0 && !is_inferred)
        return true;
    int64_t old_value = verify_branch_distance(bytes, field->nbytes);
    int64_t new_value = old_value + change;
    bool fits = field->nbytes == 1 ? new_value == (int8_t)new_value : new_value == (int32_t)new_value;
    /* Without unwind data the bytes may be no code after all. */
    struct verify_function *function = verify_function_at(&moves->code, rva);
    if (!fits && (!function || function->is_gap))
        return verify_moves_unproved(
            moves, rva,
            "The bytes at RVA 0x%X look like a distance that cannot reach in the new "
            "image; it is not shown that they are none.",
            (unsigned)rva);
    if (!fits)
        return verify_refute(moves->judged, (struct verify_spot){true, UINT64_MAX, rva},
                             "The distance at RVA 0x%X of the old image cannot reach in the new one.",
                             (unsigned)rva);
    moves->reference_count++;
    if (!verify_moves_field(moves, rva, field->nbytes, (uint64_t)new_value, candidate->what))
        return false;
    if (is_inferred)
        verify_moves_inferred(moves);
    return true;
}

static bool lies_apart(const struct candidate *candidate)
{
    struct verify_moves *moves = candidate->moves;
    return !candidate->target || candidate->target->delta != candidate->site->delta ||
           (!candidate->is_branch && (verify_is_near_edge(moves, candidate->target_rva) ||
                                      verify_array_may_be_far(moves, candidate->target_rva)));
}

/* A store there has to be looked for: the target could be written, but not by its section's own right, or it
 * no longer can. */
static bool may_be_wrong_store(const struct candidate *candidate)
{
    const struct verify_piece *target = candidate->target;
    if (candidate->is_branch || !target || !was_writable(candidate->moves, target))
        return false;
    const struct verify_section *section = verify_section_at(
        &candidate->moves->judged->new_image, (uint32_t)((int64_t)candidate->target_rva + target->delta));
    return !section || !(section->characteristics & SCN_MEM_WRITE) ||
           !(target->section->characteristics & SCN_MEM_WRITE);
}

/* Some way to decode the bytes makes the field an operand that matters here, and no table says what it is. */
static bool may_be_operand(struct candidate *candidate)
{
    struct verify_moves *moves = candidate->moves;
    uint32_t rva = candidate->field_rva;
    candidate->uses = verify_uses_possible(&moves->code, candidate->field);
    return candidate->uses.is_operand && (candidate->is_apart || (candidate->uses.uses & USE_WRITE)) &&
           !verify_is_typed(&moves->old_tables, rva, (uint64_t)rva + candidate->field->nbytes);
}

/* Code does not branch into sections that hold none. Where nothing bounds functions, and the bytes do not
 * decode as one, what looks like it is text or a table. */
static bool is_no_branch(struct verify_moves *moves, const struct verify_piece *target, uint32_t field_rva)
{
    struct verify_function *function = verify_function_at(&moves->code, field_rva);
    return target && !(target->section->characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE)) &&
           (!function || (function->is_gap && !verify_function_is_clean(&moves->code, function)));
}

/* An instruction that begins before the function between tables that holds the field, and reaches into it: it
 * is decoded where a branch leads into the midst of another instruction. False when the field is its operand.
 */
static bool is_apart_from_before(const struct candidate *candidate, const struct verify_uses *possible)
{
    struct verify_moves *moves = candidate->moves;
    struct verify_function *function = verify_function_at(&moves->code, candidate->field_rva);
    uint64_t operand_rva = (uint64_t)candidate->field->section->rva + possible->operand_at;
    if (!function || !function->is_gap || !possible->is_operand || operand_rva >= function->rva)
        return true;
    struct verify_function *before = verify_function_at(&moves->code, (uint32_t)operand_rva);
    return before && verify_function_is_clean(&moves->code, before);
}

/* What looked like an operand is shown to be none, or to lead nowhere. */
static bool is_none(const struct candidate *candidate)
{
    struct verify_moves *moves = candidate->moves;
    if (!candidate->uses.is_operand ||
        (candidate->is_branch && is_no_branch(moves, candidate->target, candidate->field_rva)))
        return true;
    return !candidate->uses.is_unanimous && !verify_function_at(&moves->code, candidate->field_rva) &&
           verify_is_text_in_code(&moves->code, candidate->field, &moves->text_budget_count);
}

/* The instruction itself, and for an address of slots those that get it, store to what they may. */
static bool stores_are_allowed(const struct candidate *candidate)
{
    struct verify_moves *moves = candidate->moves;
    const struct verify_code_section *section = candidate->field->section;
    const struct verify_uses *uses = &candidate->uses;
    if ((uses->uses & USE_WRITE) && !verify_store_is_allowed(moves, section->rva + (uint32_t)uses->write_at,
                                                             candidate->target_rva, uses->is_unanimous))
        return false;
    return !(uses->uses & USE_ADDRESS) || !candidate->target || !candidate->target->is_slots ||
           !verify_follow(&moves->code, section, uses->operand_at, 0).writes ||
           verify_store_is_allowed(moves, section->rva + (uint32_t)uses->operand_at, candidate->target_rva,
                                   false);
}

/* Decoding may have come to the operand through what left as data: from the first byte behind that it has to
 * come to it too. */
static bool is_read_behind_data(const struct candidate *candidate)
{
    enum { FAR_FROM_DATA_NBYTES = 64 };
    struct verify_instruction instruction;
    const struct verify_code_section *section = candidate->field->section;
    size_t operand_at = candidate->uses.operand_at;
    size_t at = candidate->site->rva > section->rva ? candidate->site->rva - section->rva : 0;
    const struct verify_piece *before =
        at != 0 ? verify_piece_at(&candidate->moves->map, candidate->site->rva - 1) : NULL;
    if (!before || !before->is_data_run || operand_at < at || operand_at - at > FAR_FROM_DATA_NBYTES)
        return true;
    for (; at < operand_at; at += instruction.nbytes)
        if (!verify_code_decode(&candidate->moves->code, section, at, &instruction))
            return false;
    return at == operand_at;
}

/* Where a clean function has other instructions, code in front of it may still run into its midst. */
static bool is_certain_operand(const struct candidate *candidate, struct verify_function *function)
{
    struct verify_code *code = &candidate->moves->code;
    return function && verify_function_is_clean(code, function)
               ? verify_begins_instruction(code, (uint64_t)candidate->field->section->rva +
                                                     candidate->uses.operand_at)
               : candidate->uses.is_unanimous && is_read_behind_data(candidate);
}

/* So far outside the image that no operand leads there that works in either. */
static bool is_far_outside(const struct candidate *candidate, bool is_certain)
{
    const struct verify_map *map = &candidate->moves->map;
    const struct verify_piece *last = &map->pieces[map->count - 1];
    return !candidate->target &&
           candidate->target_rva >= (uint64_t)last->end_rva + (is_certain ? FAR_NBYTES : EDGE_NBYTES);
}

/* What an operand becomes whose target moved apart, or may mean what did. */
static bool judge_apart(const struct candidate *candidate)
{
    struct verify_moves *moves = candidate->moves;
    const struct verify_field_in_code *field = candidate->field;
    const struct verify_piece *target = candidate->target;
    struct verify_function *function = verify_function_at(&moves->code, candidate->field_rva);
    bool is_certain = is_certain_operand(candidate, function);
    if (is_far_outside(candidate, is_certain))
        return true;
    int64_t delta = 0;
    enum verify_meaning meaning =
        verify_operand_meaning(moves, field, &candidate->uses, candidate->target_rva, &delta);
    bool is_decided = meaning != MEANING_OPEN, stays = delta == candidate->site->delta;
    if (is_certain && is_decided && !candidate->is_branch && (candidate->uses.uses & USE_ADDRESS) && target &&
        !target->is_code && !stays &&
        !verify_label_table(moves, field->section, candidate->uses.operand_at,
                            (uint32_t)candidate->target_rva))
        return false;
    /* Where unwind data says that this is code, the target is some too. */
    if (candidate->is_branch && target && target->is_data_run && !(function && !function->is_gap))
        return verify_moves_unproved(moves, candidate->field_rva,
                                     "The bytes at RVA 0x%X look like a branch to RVA 0x%llX, which left as "
                                     "data; it is not shown that "
                                     "either is none.",
                                     (unsigned)candidate->field_rva,
                                     (unsigned long long)candidate->target_rva);
    /* Without unwind data, or against it, that this is an operand follows from decoding alone. */
    bool is_only_decoded =
        field->kind == FIELD_RIP_RELATIVE &&
        (!function || function->is_gap || !verify_function_is_clean(&moves->code, function));
    if (is_certain && is_decided)
        return add_reference(candidate, delta, meaning == MEANING_INFERRED || is_only_decoded);
    if (is_decided && stays)
        return true; /* an operand or not: it stays as it is */
    if (!is_certain)
        return verify_moves_unproved(
            moves, candidate->field_rva,
            "The bytes at RVA 0x%X may be %s to RVA 0x%llX, which moved apart; it is "
            "not shown whether they are.",
            (unsigned)candidate->field_rva, candidate->what, (unsigned long long)candidate->target_rva);
    return verify_moves_unproved(moves, candidate->field_rva,
                                 "The operand at RVA 0x%X leads to RVA 0x%llX; it is not shown which of the "
                                 "parts that moved apart it means.",
                                 (unsigned)candidate->field_rva, (unsigned long long)candidate->target_rva);
}

bool verify_moved_operand(struct verify_moves *moves, const struct verify_piece *site,
                          const struct verify_field_in_code *field, uint64_t target_rva, const char *what)
{
    struct candidate candidate = {.moves = moves,
                                  .site = site,
                                  .field = field,
                                  .field_rva = field->section->rva + (uint32_t)field->at,
                                  .target_rva = target_rva,
                                  .target = verify_piece_at(&moves->map, target_rva),
                                  .what = what,
                                  .is_branch = field->kind == FIELD_BRANCH};
    candidate.is_apart = lies_apart(&candidate);
    if (!candidate.is_branch && candidate.target && candidate.target->delta == site->delta &&
        verify_reads_what_changed(moves, field, target_rva))
        return verify_moves_unproved(
            moves, candidate.field_rva,
            "Code reads through the address at RVA 0x%X (to RVA 0x%llX) what is another in "
            "the new image, or leads elsewhere.",
            (unsigned)candidate.field_rva, (unsigned long long)target_rva);
    if ((!candidate.is_apart && !may_be_wrong_store(&candidate)) || !may_be_operand(&candidate))
        return true;
    struct verify_uses possible = candidate.uses;
    candidate.uses = verify_uses_resolved(&moves->code, field);
    moves->looked_at_count++;
    if (!candidate.uses.is_operand && candidate.is_apart && !is_apart_from_before(&candidate, &possible))
        return verify_moves_unproved(moves, candidate.field_rva,
                                     "The bytes at RVA 0x%X belong to two instructions that overlap; it is "
                                     "not shown that they are not "
                                     "%s to RVA 0x%llX, which moved apart.",
                                     (unsigned)candidate.field_rva, what, (unsigned long long)target_rva);
    if (is_none(&candidate))
        return true;
    return stores_are_allowed(&candidate) && (!candidate.is_apart || judge_apart(&candidate));
}
