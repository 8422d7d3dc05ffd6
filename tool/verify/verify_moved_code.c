/* verify_moved_code.c - PC-relative references in code between parts that moved apart, by enumeration.
 * Takes: struct verify_moves.  Gives: a field for each operand that has to change; a counter-example for what
 * cannot be decided, and for stores into what is no longer writable.
 * Must not: follow control flow, or skip a byte position. What a position means that may be an operand is
 * judged in verify_moved_operand.c. */
#include "verify/verify_branch_field.h"
#include "verify/verify_read_through.h"
#include "verify/verify_references.h"

enum { DISP32_NBYTES = 4, REL8_REACH_NBYTES = 130 };

struct code_scan {
    struct verify_moves *moves;
    const struct verify_code_section *section;
    const struct verify_piece *site; /* that holds the byte under the scan */
};

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
                      : !verify_moved_operand(scan->moves, scan->site, &field, (uint64_t)target_rva,
                                              "a RIP-relative operand"))
            return false;
    }
    return true;
}

static bool judge_branch(struct code_scan *scan, size_t at, unsigned nbytes)
{
    struct verify_field_in_code field = {scan->section, at, nbytes, FIELD_BRANCH, 0};
    int64_t distance = verify_branch_distance(scan->section->bytes.bytes + at, nbytes);
    int64_t target_rva = (int64_t)scan->section->rva + (int64_t)at + nbytes + distance;
    /* A branch out of all pieces leads nowhere in either image. */
    if (target_rva < 0 || !verify_piece_at(&scan->moves->map, (uint64_t)target_rva))
        return true;
    return verify_moved_operand(scan->moves, scan->site, &field, (uint64_t)target_rva, "a branch");
}

static bool judge_position(struct code_scan *scan, size_t at)
{
    const uint8_t *bytes = scan->section->bytes.bytes;
    uint8_t byte = bytes[at];
    size_t left_nbytes = scan->section->bytes.nbytes - at;
    uint64_t rva = (uint64_t)scan->section->rva + at;
    if (left_nbytes >= 1 + DISP32_NBYTES) {
        bool is_begin = byte == 0xF8 && at > 0 && bytes[at - 1] == 0xC7; /* xbegin */
        if ((verify_ends_rel32_opcode(bytes, at) || is_begin) && !judge_branch(scan, at + 1, 4))
            return false;
        if (scan->moves->code.image->is_64 && (byte & 0xC7) == 0x05 && !judge_rip(scan, at + 1))
            return false;
    }
    bool is_near =
        rva < scan->site->rva + (uint64_t)REL8_REACH_NBYTES || rva + REL8_REACH_NBYTES > scan->site->end_rva;
    return !verify_is_rel8_opcode(byte) || !is_near || left_nbytes < 2 || judge_branch(scan, at + 1, 1);
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
