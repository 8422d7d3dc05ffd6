/* verify_nx_judge.c - what taking the step back does not show.
 * Takes: the image before the step, and the sites.  Gives: true, or what speaks against it.
 * Must not: follow control flow: each byte position that may be a branch is looked at. */
#include "verify/verify_branch_field.h"
#include "verify/verify_gaps.h"
#include "verify/verify_nx.h"
#include "verify/verify_operand.h"
#include "verify/verify_relocations.h"
#include "verify/verify_repairs.h"
#include "verify/verify_structure.h"

enum { OPERAND_NBYTES = 4 };

/* Each site is an instruction of the old image beyond doubt: elsewhere its bytes would be data. */
static bool judge_site(struct verify_moves *moves, const struct verify_nx *nx,
                       const struct verify_nx_site *site)
{
    struct verify_code *code = &moves->code;
    const struct verify_code_section *section = verify_code_at(code, site->rva);
    if (!section)
        return verify_refute(moves->judged, verify_spot_rva(moves->judged, site->rva),
                             "What leads to a stub at RVA 0x%X is no code.", (unsigned)site->rva);
    size_t at = site->rva - section->rva, found_at = SIZE_MAX, field_at = at + site->field_at;
    struct verify_instruction instruction;
    bool is_certain;
    if (code->image->is_64) {
        struct verify_field_in_code field = {section, field_at, OPERAND_NBYTES, FIELD_RIP_RELATIVE, 0};
        struct verify_uses uses = verify_uses_resolved(code, &field);
        is_certain = uses.is_operand && uses.is_unanimous;
        found_at = uses.operand_at;
    } else {
        is_certain = verify_bit(section->relocated, field_at) &&
                     verify_copy_instruction(moves, section, field_at, &found_at, &instruction);
    }
    if (is_certain && found_at == at)
        return true;
    verify_nx_about(moves->judged, &nx->stubs[site->stub]);
    return verify_nx_unproved(moves->judged, site->rva,
                              "It is not certain that the instruction at RVA 0x%X, which leads to a stub "
                              "now, is one.",
                              (unsigned)site->rva);
}

/* Does a branch at any byte position lead behind the first byte of a site? */
static bool judge_branch(struct verify_moves *moves, const struct verify_nx *nx,
                         const struct verify_code_section *section, size_t at, unsigned nbytes)
{
    if (!range_fits(section->bytes.nbytes, at, nbytes))
        return true;
    int64_t distance = verify_branch_distance(section->bytes.bytes + at, nbytes);
    int64_t target_rva = (int64_t)section->rva + (int64_t)at + nbytes + distance;
    const struct verify_nx_site *site = target_rva < 0 ? NULL : verify_nx_site_at(nx, (uint64_t)target_rva);
    if (!site || target_rva == site->rva)
        return true;
    struct verify_field_in_code field = {section, at, nbytes, FIELD_BRANCH, 0};
    if (!verify_uses_possible(&moves->code, &field).is_operand ||
        !verify_uses_resolved(&moves->code, &field).is_operand)
        return true;
    verify_nx_about(moves->judged, &nx->stubs[site->stub]);
    return verify_nx_unproved(
        moves->judged, section->rva + (uint32_t)at,
        "The bytes at RVA 0x%X may be a branch into the middle of the instruction at RVA 0x%X, "
        "which leads to a stub now.",
        (unsigned)section->rva + (unsigned)at, (unsigned)site->rva);
}

static bool judge_branches(struct verify_moves *moves, const struct verify_nx *nx)
{
    for (uint32_t i = 0; i < moves->code.section_count; i++) {
        const struct verify_code_section *section = &moves->code.sections[i];
        const uint8_t *bytes = section->bytes.bytes;
        for (size_t at = 0; at < section->bytes.nbytes; at++) {
            moves->judged->verdict->step_count++;
            if (verify_ends_rel32_opcode(bytes, at) &&
                !judge_branch(moves, nx, section, at + 1, OPERAND_NBYTES))
                return false;
            if (verify_is_rel8_opcode(bytes[at]) && !judge_branch(moves, nx, section, at + 1, 1))
                return false;
        }
    }
    return true;
}

/* Relocated addresses in the new image: none leads into the middle of a site, or to a slot that has a stub,
 * but the stubs' own. */
static bool judge_addresses(struct verify_case *judged, const struct verify_nx *nx)
{
    const struct verify_image *image = &nx->image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        uint64_t va, mask = image->is_64 ? UINT64_MAX : UINT32_MAX;
        judged->verdict->step_count++;
        if (!verify_read_at(image, relocation.rva, image->is_64 ? 8 : 4, &va))
            continue;
        uint64_t rva = (va - image->base_va) & mask;
        const struct verify_nx_site *site = verify_nx_site_at(nx, rva);
        const struct verify_nx_stub *stub = verify_nx_stub_of_slot(nx, rva);
        if (stub && relocation.rva != stub->slot_field_rva)
            return verify_nx_refuse_left(judged, relocation.rva, stub);
        if (!site || rva == site->rva)
            continue;
        verify_nx_about(judged, &nx->stubs[site->stub]);
        return verify_nx_unproved(judged, relocation.rva,
                                  "The address at RVA 0x%X leads into the instruction at RVA 0x%X, which "
                                  "leads to a stub now.",
                                  (unsigned)relocation.rva, (unsigned)site->rva);
    }
    return !reader.problem || verify_refute(judged, verify_spot_foff(judged, reader.problem_foff),
                                            "In the new image %s.", reader.problem);
}

/* A field of the load configuration; 0 when it has none. */
static uint64_t config_field(const struct verify_image *image, unsigned at_32, unsigned at_64,
                             unsigned nbytes)
{
    uint32_t rva = image->directory_count > DIR_LOAD_CONFIG ? image->directories[DIR_LOAD_CONFIG].rva : 0;
    uint64_t own_nbytes = 0, value = 0, at = image->is_64 ? at_64 : at_32;
    return rva != 0 && verify_read_at(image, rva, 4, &own_nbytes) && own_nbytes >= at + nbytes &&
                   verify_read_at(image, rva + at, nbytes, &value)
               ? value
               : 0;
}

/* Tables that would have to know the sites or the stubs. */
static bool judge_kind(struct verify_case *judged, const struct verify_nx *nx)
{
    const struct verify_image *image = &nx->image;
    bool has_load = false;
    for (uint32_t i = 0; i < nx->stub_count; i++)
        has_load = has_load || nx->stubs[i].load_count != 0;
    if (config_field(image, LC_DVRT_SECTION_32, LC_DVRT_SECTION_64, 2) != 0 ||
        config_field(image, LC_DYNAMIC_VALUE_RELOC_TABLE_32, LC_DYNAMIC_VALUE_RELOC_TABLE_64,
                     image->is_64 ? 8 : 4) != 0)
        return verify_nx_unproved(
            judged, UINT32_MAX,
            "The image has dynamic relocations, by which the kernel may rewrite its calls.");
    if (config_field(image, LC_CHPE_METADATA_32, LC_CHPE_METADATA_64, image->is_64 ? 8 : 4) != 0 ||
        (image->directory_count > DIR_CLR && image->directories[DIR_CLR].rva != 0))
        return verify_nx_unproved(judged, UINT32_MAX, "The image is hybrid or managed.");
    if (has_load &&
        (config_field(image, LC_GUARD_FLAGS_32, LC_GUARD_FLAGS_64, 4) & GUARD_FLAG_CF_INSTRUMENTED) != 0)
        return verify_nx_unproved(
            judged, nx->code->rva,
            "Code loads the address of a stub, which control flow guard may check; no table of "
            "the image has it.");
    if (image->directory_count > DIR_SECURITY && image->directories[DIR_SECURITY].rva != 0)
        return verify_refute(judged, verify_spot_foff(judged, image->directories_foff),
                             "The signature of the image is stale.");
    return true;
}

static bool judge_sites(struct verify_case *judged, const struct verify_nx *nx)
{
    struct verify_moves *moves = arena_alloc(judged->arena, sizeof *moves);
    struct verify_tables *tables;
    const char *problem = NULL;
    uint64_t problem_foff;
    if (!moves)
        return false;
    moves->judged = judged;
    tables = &moves->old_tables;
    if (!verify_tables_read(&nx->before, judged->arena, tables))
        return false;
    if (tables->problem)
        return verify_nx_unproved(judged, tables->problem_rva, "In the image %s.", tables->problem);
    if (!verify_code_read(&nx->before, tables, judged->arena, &moves->code, &problem, &problem_foff))
        return problem ? verify_nx_unproved(judged, UINT32_MAX, "In the image %s.", problem) : false;
    if (!verify_gaps_mark(&moves->code, NULL, judged->arena))
        return false;
    for (size_t i = 0; i < nx->site_count; i++)
        if (!judge_site(moves, nx, &nx->sites[i]))
            return false;
    bool holds = judge_branches(moves, nx) && verify_nx_judge_left(moves, nx);
    judged->verdict->step_count += tables->step_count + moves->code.step_count;
    return holds;
}

/* The new image whole is one that loaders take, with the right check sum. */
static bool judge_whole(struct verify_case *judged, const struct verify_nx *nx)
{
    struct verify_image before = judged->new_image;
    judged->new_image = nx->image;
    bool holds = verify_structure(judged) && judge_kind(judged, nx) && verify_nx_relocations(judged, nx) &&
                 judge_addresses(judged, nx);
    judged->new_image = before;
    return holds;
}

bool verify_nx_judge(struct verify_case *judged, struct verify_nx *nx)
{
    return judge_whole(judged, nx) && judge_sites(judged, nx);
}
