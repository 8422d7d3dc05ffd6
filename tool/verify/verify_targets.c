/* verify_targets.c - judges one field at a time.
 * Takes: a field and where it leads.  Gives: harmless, or the counter-example in words.
 * Must not: accept a use that only probably is not there. */
#include "verify/verify_targets.h"
#include "verify/verify_code_target.h"
#include "verify/verify_constant_argument.h"
#include "verify/verify_follow.h"
#include "verify/verify_function_reach.h"
#include "verify/verify_text_in_code.h"
#include "verify/verify_text_literal.h"

const struct verify_target *verify_target_at(const struct verify_write_search *search, uint64_t rva)
{
    size_t low = 0, high = search->target_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (search->targets[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && rva < search->targets[low - 1].end_rva ? &search->targets[low - 1] : NULL;
}

static bool is_harmful(unsigned uses, bool is_code_target)
{
    return (uses & USE_WRITE) || ((uses & USE_ADDRESS) && !is_code_target);
}

/* Relocated pointers side by side in code are a jump table. */
static bool stands_in_pointer_run(const struct verify_field_in_code *field)
{
    const uint8_t *relocated = field->section->relocated;
    bool has_before = field->at >= field->nbytes && verify_bit(relocated, field->at - field->nbytes);
    bool has_behind = field->section->bytes.nbytes - field->at > field->nbytes &&
                      verify_bit(relocated, field->at + field->nbytes);
    return has_before || has_behind;
}

static bool refute_code_field(struct verify_write_search *search, const struct verify_target *target,
                              const struct verify_field_in_code *field, const struct verify_uses *uses,
                              uint32_t rva)
{
    bool is_write = uses->write_at != SIZE_MAX;
    size_t at = is_write ? uses->write_at : uses->is_operand ? uses->operand_at : field->at;
    struct verify_spot spot = verify_spot_rva(search->judged, (uint32_t)(field->section->rva + at));
    const char *name = target->section->name, *from = field->section->section->name;
    if (field->kind == FIELD_CALL)
        return verify_refute(
            search->judged, spot,
            "Section %s loses MEM_WRITE, but the call at RVA 0x%X in section %s calls the next "
            "instruction: code there learns its own address.",
            name, (unsigned)spot.rva, from);
    if (is_write)
        return verify_refute(
            search->judged, spot,
            "Section %s loses MEM_WRITE, but the instruction at RVA 0x%X in section %s stores into "
            "it, at RVA 0x%X.",
            name, (unsigned)spot.rva, from, (unsigned)rva);
    if (!uses->is_operand)
        return verify_refute(
            search->judged, spot,
            "Section %s loses MEM_WRITE, but the pointer at RVA 0x%X in section %s leads to RVA 0x%X "
            "in it, which is not code.",
            name, (unsigned)spot.rva, from, (unsigned)rva);
    return verify_refute(
        search->judged, spot,
        "Section %s loses MEM_WRITE, but the instruction at RVA 0x%X in section %s takes the address "
        "of RVA 0x%X in it, which is not code.",
        name, (unsigned)spot.rva, from, (unsigned)rva);
}

/* The operand takes an address of data: nobody is assumed to write there when it is text, or handed to a
 * function that is documented only to read it. */
static bool is_assumed_read(struct verify_write_search *search, const struct verify_field_in_code *field,
                            const struct verify_uses *uses, uint32_t rva)
{
    enum verify_argument argument = ARGUMENT_UNKNOWN;
    if (uses->is_operand)
        argument = verify_argument_use(search->code, field->section, uses->operand_at);
    if (argument == ARGUMENT_WRITTEN ||
        (uses->is_operand && (verify_is_written_string(search->code, field->section, uses->operand_at) ||
                              verify_follow_writes(search->code, field->section, uses->operand_at))))
        return false;
    if (argument == ARGUMENT_READ && uses->is_unanimous) {
        search->constant_argument_count++;
        return true;
    }
    bool is_text = verify_is_text_literal(search->code->image, rva, &search->code->step_count);
    search->text_count += is_text;
    return is_text;
}

/* The address of code, or of a pointer to code that is loaded, and then a store through it. */
static bool refute_store_through(struct verify_write_search *search, const struct verify_target *target,
                                 const struct verify_field_in_code *field, uint32_t rva)
{
    struct verify_spot spot = verify_spot_rva(search->judged, field->section->rva + (uint32_t)field->at);
    return verify_refute(search->judged, spot,
                         "Section %s loses MEM_WRITE, but what takes the address of RVA 0x%X in it, at RVA "
                         "0x%X, stores there.",
                         target->section->name, (unsigned)rva, (unsigned)spot.rva);
}

/* What the instruction puts into a register is stored through. */
static bool is_stored_through(struct verify_write_search *search, const struct verify_field_in_code *field,
                              unsigned wanted_use)
{
    if (field->kind != FIELD_ABSOLUTE && field->kind != FIELD_RIP_RELATIVE)
        return false;
    struct verify_uses uses = verify_uses_resolved(search->code, field);
    search->resolved_count++;
    return uses.is_operand && uses.is_unanimous && uses.uses == wanted_use &&
           verify_follow_writes(search->code, field->section, uses.operand_at);
}

/* Can the instruction with this field as its displacement take an address, rather than access memory? A
 * RIP-relative displacement stands right behind ModRM, and that behind the opcode: lea, which has nothing
 * behind its displacement (nor has VPERMW, the other one that ends with 8D), or one of the two-byte opcodes.
 */
static bool may_take_address(const struct verify_field_in_code *field)
{
    const uint8_t *bytes = field->section->bytes.bytes;
    if (field->kind != FIELD_RIP_RELATIVE || field->at < 3)
        return true;
    return (bytes[field->at - 2] == 0x8D && field->trailing_nbytes == 0) || bytes[field->at - 3] == 0x0F;
}

/* Does an instruction take the address that the field leads to, and is it the only one that has the field?
 * Where the code around it is known already, that says at once which instruction it is. */
static bool takes_address(struct verify_write_search *search, const struct verify_field_in_code *field,
                          struct verify_uses *uses)
{
    struct verify_code *code = search->code;
    const struct verify_function *function =
        verify_function_at(code, (uint32_t)(field->section->rva + field->at));
    bool is_known = function && function->state == FUNCTION_CLEAN;
    if (!is_known && !(verify_uses_possible(code, field).uses & USE_ADDRESS))
        return false;
    *uses = verify_uses_resolved(code, field);
    return uses->is_operand && uses->is_unanimous && uses->uses == USE_ADDRESS &&
           (field->at - uses->operand_at <= VERIFY_OPERAND_DEEPEST_NBYTES || !is_known ||
            (verify_uses_possible(code, field).uses & USE_ADDRESS));
}

/* Adding up constants, the function with the field gets from the address to a target. */
static bool may_reach_target(struct verify_write_search *search, const struct verify_field_in_code *field,
                             uint64_t rva)
{
    struct verify_function *function =
        verify_function_at(search->code, (uint32_t)(field->section->rva + field->at));
    int64_t reach_nbytes = function ? verify_function_reach(search->code, function) : UINT32_MAX;
    for (size_t i = 0; i < search->target_count; i++)
        if ((int64_t)search->targets[i].rva - (int64_t)rva <= reach_nbytes &&
            (int64_t)rva - (int64_t)search->targets[i].end_rva <= reach_nbytes)
            return true;
    return false;
}

/* The address of something else is taken, a constant is added, and what is stored to lies in a target. The
 * image base has a walk of its own. */
static bool judge_far_store(struct verify_write_search *search, const struct verify_field_in_code *field,
                            uint64_t rva)
{
    struct verify_uses uses;
    if ((field->kind != FIELD_ABSOLUTE && field->kind != FIELD_RIP_RELATIVE) ||
        rva < search->code->image->headers_nbytes || !may_take_address(field) ||
        !may_reach_target(search, field, rva) || !takes_address(search, field, &uses))
        return true;
    struct verify_followed followed = verify_follow(search->code, field->section, uses.operand_at, 0);
    search->resolved_count++;
    for (size_t i = 0; followed.writes && followed.accessed.count != 0 && i < search->target_count; i++) {
        const struct verify_target *target = &search->targets[i];
        int64_t low = (int64_t)rva + followed.accessed.low, high = (int64_t)rva + followed.accessed.high;
        if (low < (int64_t)target->end_rva && high > (int64_t)target->rva)
            return verify_refute(search->judged,
                                 verify_spot_rva(search->judged, field->section->rva + (uint32_t)field->at),
                                 "Section %s loses MEM_WRITE, but what takes the address of RVA 0x%X stores "
                                 "there, far from it.",
                                 target->section->name, (unsigned)rva);
    }
    return true;
}

/* What cannot be written, in the headers or a section; but not a discardable INIT's loss: Windows strips its
 * right itself. */
static bool is_constant(const struct verify_write_search *search, uint64_t rva)
{
    const struct verify_section *led_to =
        rva <= UINT32_MAX ? verify_section_at(search->code->image, (uint32_t)rva) : NULL;
    bool is_lost = false;
    for (size_t i = 0; i < search->target_count && !search->has_parts; i++)
        is_lost = is_lost || !verify_is_discardable_init(search->targets[i].section);
    return is_lost && (rva < search->code->image->headers_nbytes ||
                       (led_to && !(led_to->characteristics & SCN_MEM_WRITE)));
}

/* A store through the address of what cannot be written is one somewhere else: to the address something was
 * added, such as a distance, or an RVA, that stands in a table. */
static bool judge_added_number(struct verify_write_search *search, const struct verify_field_in_code *field,
                               uint64_t rva, unsigned use)
{
    return !(verify_uses_possible(search->code, field).uses & use) ||
           !is_stored_through(search, field, use) ||
           verify_refute(
               search->judged, verify_spot_rva(search->judged, field->section->rva + (uint32_t)field->at),
               "Section %s loses MEM_WRITE, but what takes the address of RVA 0x%X, which cannot be "
               "written, stores through it: with what is added, it may mean the section.",
               search->targets[0].section->name, (unsigned)rva);
}

bool verify_judge_loaded_pointer(struct verify_write_search *search, const struct verify_field_in_code *field,
                                 uint64_t rva)
{
    if (!judge_far_store(search, field, rva))
        return false;
    const struct verify_image *image = search->code->image;
    if (rva >= image->headers_nbytes && is_constant(search, rva) && may_take_address(field) &&
        !judge_added_number(search, field, rva, USE_ADDRESS))
        return false;
    uint64_t va;
    if (!verify_read_at(image, rva, image->is_64 ? 8 : 4, &va) || va < image->base_va)
        return true;
    const struct verify_target *target = verify_target_at(search, va - image->base_va);
    if (!target)
        return !is_constant(search, va - image->base_va) ||
               judge_added_number(search, field, va - image->base_va, USE_READ);
    return !(verify_uses_possible(search->code, field).uses & USE_READ) ||
           !is_stored_through(search, field, USE_READ) ||
           refute_store_through(search, target, field, (uint32_t)(va - image->base_va));
}

bool verify_judge_code_field(struct verify_write_search *search, const struct verify_target *target,
                             const struct verify_field_in_code *field, uint32_t rva, bool may_be_data)
{
    search->field_count++;
    struct verify_uses uses = verify_uses_possible(search->code, field);
    unsigned as_data = may_be_data ? USE_ADDRESS : USE_NONE;
    if ((uses.uses | as_data) == USE_NONE)
        return true;
    bool is_listed = may_be_data && stands_in_pointer_run(field);
    bool is_code = field->kind != FIELD_CALL && verify_is_code_target(search->code, rva, is_listed);
    if (!is_harmful(uses.uses | as_data, is_code))
        return !(uses.uses & USE_ADDRESS) || !is_stored_through(search, field, USE_ADDRESS) ||
               refute_store_through(search, target, field, rva);

    search->resolved_count++;
    uses = verify_uses_resolved(search->code, field);
    if (uses.is_operand && uses.is_unanimous)
        as_data = USE_NONE;
    if (!is_harmful(uses.uses | as_data, is_code))
        return !(uses.uses & USE_ADDRESS) || !is_stored_through(search, field, USE_ADDRESS) ||
               refute_store_through(search, target, field, rva);
    if (!may_be_data && verify_is_text_in_code(search->code, field, &search->text_budget_count)) {
        search->text_code_count++;
        return true;
    }
    if (!(uses.uses & USE_WRITE) && is_assumed_read(search, field, &uses, rva))
        return true;
    return refute_code_field(search, target, field, &uses, rva);
}

bool verify_judge_pointer(struct verify_write_search *search, const struct verify_target *target,
                          uint32_t pointer_rva, uint32_t rva, const char *what, bool is_listed)
{
    search->field_count++;
    if (verify_is_code_target(search->code, rva, is_listed))
        return true;
    if (verify_is_text_literal(search->code->image, rva, &search->code->step_count)) {
        search->text_count++;
        return true;
    }
    return verify_refute(
        search->judged, verify_spot_rva(search->judged, pointer_rva),
        "Section %s loses MEM_WRITE, but %s at RVA 0x%X leads to RVA 0x%X in it, which is not code.",
        target->section->name, what, (unsigned)pointer_rva, (unsigned)rva);
}
