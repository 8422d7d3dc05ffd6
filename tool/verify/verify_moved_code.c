/* verify_moved_code.c - PC-relative references in code between parts that moved apart, by enumeration.
 * Takes: struct verify_moves.  Gives: a field for each operand that has to change; a counter-example for what
 * cannot be decided, and for stores into what is no longer writable.
 * Must not: follow control flow, or skip a byte position. */
#include "verify/verify_follow.h"
#include "verify/verify_read_through.h"
#include "verify/verify_references.h"
#include "verify/verify_text_in_code.h"

enum { DISP32_NBYTES = 4, REL8_REACH_NBYTES = 130, FAR_NBYTES = 0x10000 };

struct code_scan {
    struct verify_moves *moves;
    const struct verify_code_section *section;
    const struct verify_piece *site; /* that holds the byte under the scan */
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

static bool add_reference(struct code_scan *scan, size_t at, unsigned nbytes, int64_t delta, const char *what,
                          bool is_inferred)
{
    struct verify_moves *moves = scan->moves;
    int64_t change = delta - scan->site->delta;
    uint32_t rva = scan->section->rva + (uint32_t)at;
    if (change == 0 && !is_inferred)
        return true;
    int64_t old_value = nbytes == 1 ? (int8_t)scan->section->bytes.bytes[at]
                                    : (int32_t)load_u32(scan->section->bytes.bytes + at);
    int64_t new_value = old_value + change;
    bool fits = nbytes == 1 ? new_value == (int8_t)new_value : new_value == (int32_t)new_value;
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
    if (!verify_moves_field(moves, rva, nbytes, (uint64_t)new_value, what))
        return false;
    if (is_inferred)
        verify_moves_inferred(moves);
    return true;
}

static bool add_base_site(struct code_scan *scan, size_t operand_at)
{
    return verify_base_add_site(&scan->moves->base_sites, scan->moves->judged->arena,
                                scan->section->rva + (uint32_t)operand_at);
}

/* An operand that leads to the headers. */
static bool judge_base(struct code_scan *scan, const struct verify_field_in_code *field, int64_t target_rva)
{
    struct verify_moves *moves = scan->moves;
    uint32_t field_rva = scan->section->rva + (uint32_t)field->at;
    struct verify_uses uses = verify_uses_possible(&moves->code, field);
    if (uses.uses == USE_NONE)
        return true;
    uses = verify_uses_resolved(&moves->code, field);
    moves->looked_at_count++;
    if (!uses.is_operand || uses.uses == USE_NONE)
        return true;
    if (target_rva == 0 && uses.is_unanimous && uses.uses == USE_ADDRESS)
        return add_base_site(scan, uses.operand_at);
    /* Headers that did not move are read where they are. */
    if (!moves->map.moves_code)
        return (uses.is_unanimous && !(uses.uses & USE_ADDRESS)) || add_base_site(scan, uses.operand_at);
    return verify_moves_unproved(
        moves, field_rva,
        "The field at RVA 0x%X may lead to the headers, at RVA 0x%llX, whose distance "
        "changed.",
        (unsigned)field_rva, (unsigned long long)target_rva);
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
static bool is_apart_from_before(struct verify_moves *moves, const struct verify_field_in_code *field,
                                 const struct verify_uses *possible)
{
    struct verify_function *function =
        verify_function_at(&moves->code, field->section->rva + (uint32_t)field->at);
    uint64_t operand_rva = (uint64_t)field->section->rva + possible->operand_at;
    if (!function || !function->is_gap || !possible->is_operand || operand_rva >= function->rva)
        return true;
    struct verify_function *before = verify_function_at(&moves->code, (uint32_t)operand_rva);
    return before && verify_function_is_clean(&moves->code, before);
}

/* Decoding may have come to the operand through what left as data: from the first byte behind that it has to
 * come to it too. */
static bool is_read_behind_data(const struct code_scan *scan, const struct verify_field_in_code *field,
                                size_t operand_at)
{
    enum { FAR_FROM_DATA_NBYTES = 64 };
    struct verify_instruction instruction;
    size_t at = scan->site->rva > field->section->rva ? scan->site->rva - field->section->rva : 0;
    const struct verify_piece *before =
        at != 0 ? verify_piece_at(&scan->moves->map, scan->site->rva - 1) : NULL;
    if (!before || !before->is_data_run || operand_at < at || operand_at - at > FAR_FROM_DATA_NBYTES)
        return true;
    for (; at < operand_at; at += instruction.nbytes)
        if (!verify_code_decode(&scan->moves->code, field->section, at, &instruction))
            return false;
    return at == operand_at;
}

static bool judge_field(struct code_scan *scan, const struct verify_field_in_code *field, uint64_t target_rva,
                        const char *what)
{
    struct verify_moves *moves = scan->moves;
    const struct verify_piece *target = verify_piece_at(&moves->map, target_rva);
    uint32_t field_rva = scan->section->rva + (uint32_t)field->at;
    bool is_branch = field->kind == FIELD_BRANCH;
    bool is_apart = !target || target->delta != scan->site->delta ||
                    (!is_branch &&
                     (verify_is_near_edge(moves, target_rva) || verify_array_may_be_far(moves, target_rva)));
    bool may_store = false;
    if (!is_branch && target && was_writable(moves, target)) {
        const struct verify_section *section =
            verify_section_at(&moves->judged->new_image, (uint32_t)((int64_t)target_rva + target->delta));
        may_store = !section || !(section->characteristics & SCN_MEM_WRITE) ||
                    !(target->section->characteristics & SCN_MEM_WRITE);
    }
    if (!is_branch && target && target->delta == scan->site->delta &&
        verify_reads_what_changed(moves, field, target_rva))
        return verify_moves_unproved(
            moves, field_rva,
            "Code reads through the address at RVA 0x%X (to RVA 0x%llX) what is another in "
            "the new image, or leads elsewhere.",
            (unsigned)field_rva, (unsigned long long)target_rva);
    if (!is_apart && !may_store)
        return true;
    struct verify_uses uses = verify_uses_possible(&moves->code, field);
    if (!uses.is_operand || (!is_apart && !(uses.uses & USE_WRITE)) ||
        verify_is_typed(&moves->old_tables, field_rva, (uint64_t)field_rva + field->nbytes))
        return true;
    struct verify_uses possible = uses;
    uses = verify_uses_resolved(&moves->code, field);
    moves->looked_at_count++;
    if (!uses.is_operand && is_apart && !is_apart_from_before(moves, field, &possible))
        return verify_moves_unproved(moves, field_rva,
                                     "The bytes at RVA 0x%X belong to two instructions that overlap; it is "
                                     "not shown that they are not "
                                     "%s to RVA 0x%llX, which moved apart.",
                                     (unsigned)field_rva, what, (unsigned long long)target_rva);
    if (!uses.is_operand || (is_branch && is_no_branch(moves, target, field_rva)))
        return true;
    if (!uses.is_unanimous && !verify_function_at(&moves->code, field_rva) &&
        verify_is_text_in_code(&moves->code, field, &moves->text_budget_count))
        return true;
    if ((uses.uses & USE_WRITE) &&
        !verify_store_is_allowed(moves, scan->section->rva + (uint32_t)uses.write_at, target_rva,
                                 uses.is_unanimous))
        return false;
    if ((uses.uses & USE_ADDRESS) && target && target->is_slots &&
        verify_follow(&moves->code, scan->section, uses.operand_at, 0).writes &&
        !verify_store_is_allowed(moves, scan->section->rva + (uint32_t)uses.operand_at, target_rva, false))
        return false;
    if (!is_apart)
        return true;
    struct verify_function *function = verify_function_at(&moves->code, field_rva);
    /* Where a clean function has other instructions, code in front of it may still run into its midst. */
    bool is_certain =
        function && verify_function_is_clean(&moves->code, function)
            ? verify_begins_instruction(&moves->code, (uint64_t)scan->section->rva + uses.operand_at)
            : uses.is_unanimous && is_read_behind_data(scan, field, uses.operand_at);
    const struct verify_piece *last = &moves->map.pieces[moves->map.count - 1];
    uint64_t far_rva = (uint64_t)last->end_rva + (is_certain ? FAR_NBYTES : EDGE_NBYTES);
    if (!target && target_rva >= far_rva)
        return true; /* outside the image: no operand that works in either */
    int64_t delta = 0;
    enum verify_meaning meaning = verify_operand_meaning(moves, field, &uses, target_rva, &delta);
    bool is_decided = meaning != MEANING_OPEN;
    if (is_certain && is_decided && !is_branch && (uses.uses & USE_ADDRESS) && target && !target->is_code &&
        delta != scan->site->delta &&
        !verify_label_table(moves, scan->section, uses.operand_at, (uint32_t)target_rva))
        return false;
    /* Where unwind data says that this is code, the target is some too. */
    if (is_branch && target && target->is_data_run && !(function && !function->is_gap))
        return verify_moves_unproved(moves, field_rva,
                                     "The bytes at RVA 0x%X look like a branch to RVA 0x%llX, which left as "
                                     "data; it is not shown that "
                                     "either is none.",
                                     (unsigned)field_rva, (unsigned long long)target_rva);
    /* Without unwind data, or against it, that this is an operand follows from decoding alone. */
    bool is_only_decoded =
        field->kind == FIELD_RIP_RELATIVE &&
        (!function || function->is_gap || !verify_function_is_clean(&moves->code, function));
    if (is_certain && is_decided)
        return add_reference(scan, field->at, field->nbytes, delta, what,
                             meaning == MEANING_INFERRED || is_only_decoded);
    if (is_decided && delta == scan->site->delta)
        return true; /* an operand or not: it stays as it is */
    if (!is_certain)
        return verify_moves_unproved(
            moves, field_rva,
            "The bytes at RVA 0x%X may be %s to RVA 0x%llX, which moved apart; it is "
            "not shown whether they are.",
            (unsigned)field_rva, what, (unsigned long long)target_rva);
    return verify_moves_unproved(moves, field_rva,
                                 "The operand at RVA 0x%X leads to RVA 0x%llX; it is not shown which of the "
                                 "parts that moved apart it means.",
                                 (unsigned)field_rva, (unsigned long long)target_rva);
}

static bool judge_rip(struct code_scan *scan, size_t at)
{
    static const uint8_t trailing_nbytes[] = {0, 1, 2, 4};
    int64_t rva = (int64_t)scan->section->rva + (int64_t)at + DISP32_NBYTES +
                  (int32_t)load_u32(scan->section->bytes.bytes + at);
    for (size_t i = 0; i < sizeof trailing_nbytes; i++) {
        struct verify_field_in_code field = {scan->section, at, DISP32_NBYTES, FIELD_RIP_RELATIVE,
                                             trailing_nbytes[i]};
        int64_t target_rva = rva + trailing_nbytes[i];
        if (target_rva < 0 || target_rva > UINT32_MAX)
            continue;
        const struct verify_piece *target = verify_piece_at(&scan->moves->map, (uint64_t)target_rva);
        if (trailing_nbytes[i] == 0 && target && !target->is_code &&
            verify_is_unknown_store(scan->section->bytes, at - 1))
            return verify_moves_unproved(
                scan->moves, scan->section->rva + (uint32_t)at,
                "The bytes at RVA 0x%X may be a store to RVA 0x%llX that is not decoded.",
                (unsigned)(scan->section->rva + at), (unsigned long long)target_rva);
        bool is_header = target_rva + EDGE_NBYTES < scan->moves->map.pieces[0].rva ||
                         target_rva < (int64_t)scan->moves->judged->old_image.headers_nbytes;
        if (is_header ? !judge_base(scan, &field, target_rva)
                      : !judge_field(scan, &field, (uint64_t)target_rva, "a RIP-relative operand"))
            return false;
    }
    return true;
}

static bool judge_branch(struct code_scan *scan, size_t at, unsigned nbytes)
{
    struct verify_field_in_code field = {scan->section, at, nbytes, FIELD_BRANCH, 0};
    int64_t distance = nbytes == 1 ? (int8_t)scan->section->bytes.bytes[at]
                                   : (int32_t)load_u32(scan->section->bytes.bytes + at);
    int64_t target_rva = (int64_t)scan->section->rva + (int64_t)at + nbytes + distance;
    /* A branch out of all pieces leads nowhere in either image. */
    if (target_rva < 0 || !verify_piece_at(&scan->moves->map, (uint64_t)target_rva))
        return true;
    return judge_field(scan, &field, (uint64_t)target_rva, "a branch");
}

static bool judge_position(struct code_scan *scan, size_t at)
{
    const uint8_t *bytes = scan->section->bytes.bytes;
    uint8_t byte = bytes[at];
    size_t left_nbytes = scan->section->bytes.nbytes - at;
    uint64_t rva = (uint64_t)scan->section->rva + at;
    if (left_nbytes >= 1 + DISP32_NBYTES) {
        bool is_conditional = (byte & 0xF0) == 0x80 && at > 0 && bytes[at - 1] == 0x0F;
        bool is_begin = byte == 0xF8 && at > 0 && bytes[at - 1] == 0xC7; /* xbegin */
        if ((byte == 0xE8 || byte == 0xE9 || is_conditional || is_begin) && !judge_branch(scan, at + 1, 4))
            return false;
        if (scan->moves->code.image->is_64 && (byte & 0xC7) == 0x05 && !judge_rip(scan, at + 1))
            return false;
    }
    bool is_rel8 = (byte & 0xF0) == 0x70 || (byte & 0xFC) == 0xE0 || byte == 0xEB;
    bool is_near =
        rva < scan->site->rva + (uint64_t)REL8_REACH_NBYTES || rva + REL8_REACH_NBYTES > scan->site->end_rva;
    return !is_rel8 || !is_near || left_nbytes < 2 || judge_branch(scan, at + 1, 1);
}

bool verify_moved_code(struct verify_moves *moves)
{
    struct code_scan scan = {.moves = moves};
    for (uint32_t i = 0; i < moves->code.section_count; i++) {
        scan.section = &moves->code.sections[i];
        for (size_t at = 0; at < scan.section->bytes.nbytes; at++) {
            uint32_t rva = scan.section->rva + (uint32_t)at;
            moves->judged->verdict->step_count++;
            if (!scan.site || rva < scan.site->rva || rva >= scan.site->end_rva)
                scan.site = verify_piece_at(&moves->map, rva);
            /* Padding behind the content, the old base relocations, or what is shown to be data. */
            if (!scan.site || scan.site->is_data_run || scan.site->is_slots)
                continue;
            if (!judge_position(&scan, at))
                return false;
        }
    }
    return true;
}
