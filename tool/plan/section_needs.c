/* section_needs.c - the sections with the rights that their bytes need, and which of them are split.
 * Takes: section headers, decoded stores, the judgement on writes.  Gives: rewrite->wholes and splits.
 * Must not: cut or place anything; atoms.c does it for each candidate.
 *
 * In a low-aligned image every page could be written, whatever the headers say: a section that decoded code
 * stores into needs W. What the linker marked read-only and no decoded store reaches is taken as read-only
 * (docs/ASSUMPTIONS.md). A section marked for both needs W only when something may write it; then it is
 * split: its code stays executable, and the runs of data between the code leave it. INIT is discarded after
 * start, and what is written there is gone with it, so it is not split. */
#include "code/section_writes.h"
#include "plan/rewrite.h"

#include <inttypes.h>

static bool is_store(const struct ref *ref)
{
    return ref->source == SOURCE_CODE && (ref->access == ACCESS_WRITE || ref->access == ACCESS_READ_WRITE);
}

static bool leaves_as_slot(const struct rewrite *rewrite, uint32_t rva)
{
    for (size_t i = 0; i < rewrite->slot_count; i++)
        if (rva - rewrite->slots[i].rva < rewrite->slots[i].nbytes)
            return true;
    return false;
}

/* The relocation table alone: no other byte that is not zero, and nothing else refers to the section. */
static bool holds_only_relocations(const struct rewrite *rewrite, const struct section *section)
{
    const struct directory *directory = image_directory(rewrite->image, DIR_BASERELOC);
    struct span rest, all;
    if (!directory || directory->rva < section->rva || directory->rva - section->rva > section->file_nbytes ||
        directory->nbytes > section->file_nbytes - (directory->rva - section->rva) ||
        !(section->characteristics & SCN_MEM_DISCARDABLE) ||
        !span_part(rewrite->image->file, section->raw_foff, section->file_nbytes, &all))
        return false;
    uint32_t begin = directory->rva - section->rva, end = begin + directory->nbytes;
    if (!span_is_filled((struct span){all.bytes, begin}, 0) ||
        !span_part(all, end, all.nbytes - end, &rest) || !span_is_filled(rest, 0))
        return false;
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        bool is_address = ref->encoding != REF_FOFF && ref->encoding != REF_SECTION_INDEX &&
                          ref->encoding != REF_SIZE && ref->state == REF_RESOLVED;
        bool is_own = ref->source == SOURCE_SECTION_HEADERS || ref->source == SOURCE_COFF_SYMBOLS ||
                      (ref->source == SOURCE_DIRECTORIES && ref->detail == DIR_BASERELOC);
        /* The end of an array that fills the section before it. */
        bool is_end = ref->target == section->rva &&
                      (ref->access == ACCESS_ADDRESS || ref->access == ACCESS_NONE) &&
                      (ref->source == SOURCE_CODE || ref->source == SOURCE_RELOCATED);
        if (is_address && !is_own && !is_end && ref->target - section->rva < section->memory_nbytes)
            return false;
    }
    return true;
}

static bool add_wholes(struct rewrite *rewrite)
{
    const struct image *image = rewrite->image;
    rewrite->wholes = arena_array(rewrite->arena, image->mapped_section_count, sizeof *rewrite->wholes);
    rewrite->splits = arena_array(rewrite->arena, image->section_count, sizeof *rewrite->splits);
    if (!rewrite->wholes || !rewrite->splits)
        return false;
    for (uint32_t i = 0; i < image->mapped_section_count; i++) {
        const struct section *section = image->sections_by_rva[i];
        bool is_last = i + 1 == image->mapped_section_count;
        struct atom *atom = &rewrite->wholes[rewrite->whole_count++];
        *atom = (struct atom){.section = section->index,
                              .rva = section->rva,
                              .nbytes = section->memory_nbytes,
                              .end_rva = is_last ? image->image_nbytes : image->sections_by_rva[i + 1]->rva,
                              .is_relocations = holds_only_relocations(rewrite, section)};
        if (atom->end_rva < section->rva + section->memory_nbytes)
            atom->end_rva = section->rva + section->memory_nbytes;
        atom->needs = (uint8_t)(((section->characteristics & SCN_MEM_EXECUTE) ? NEEDS_EXECUTE : 0) |
                                ((section->characteristics & SCN_MEM_WRITE) ? NEEDS_WRITE : 0));
    }
    return true;
}

static bool refuse_writable_code(struct rewrite *rewrite, const struct finding *why)
{
    if (!rewrite->is_refused)
        rewrite->refusal = *why;
    rewrite->is_refused = true;
    return false;
}

/* From now on the section is code that stays and runs of data that leave. False when it has none, or memory
 * ran out. */
static bool split_section(struct rewrite *rewrite, uint32_t section, enum split kind)
{
    struct section_split *split = &rewrite->splits[section];
    if (!split->runs &&
        !runs_find(rewrite, &rewrite->image->sections[section], &split->runs, &split->run_count))
        return false;
    split->kind = (uint8_t)kind;
    return split->run_count != 0;
}

/* Marked writable and executable: is the former needed? */
static bool judge_both(struct rewrite *rewrite, struct atom *atom)
{
    enum write_answer answer;
    struct finding why;
    const char *summary;
    struct write_exception *exceptions = arena_array(rewrite->arena, rewrite->slot_count, sizeof *exceptions);
    if (!exceptions)
        return false;
    for (size_t i = 0; i < rewrite->slot_count; i++)
        exceptions[i] = (struct write_exception){rewrite->slots[i].rva, rewrite->slots[i].nbytes};
    struct write_question question = {.image = rewrite->image,
                                      .refs = rewrite->refs,
                                      .code = rewrite->code,
                                      .section = atom->section,
                                      .exceptions = exceptions,
                                      .exception_count = rewrite->slot_count};
    if (!section_writes(&question, rewrite->arena, &answer, &why, &summary))
        return false;
    if (answer == WRITES_FOUND) {
        if ((rewrite->image->sections[atom->section].characteristics & SCN_MEM_DISCARDABLE) ||
            !split_section(rewrite, atom->section, SPLIT_ALL))
            return refuse_writable_code(rewrite, &why);
        summary = "Its code is written by nobody; the data in it leaves.";
    }
    atom->needs = NEEDS_EXECUTE;
    atom->why = summary;
    rewrite->assumes_constants |= answer != WRITES_NONE;
    return true;
}

/* The section is executable for good, and slots lie in it: they leave, alone or with the data around them. */
static bool split_around_slots(struct rewrite *rewrite, const struct atom *atom)
{
    if (!(atom->needs & NEEDS_EXECUTE) || rewrite->splits[atom->section].kind != SPLIT_NONE)
        return true;
    for (size_t i = 0; i < rewrite->slot_count; i++)
        if (whole_at(rewrite, rewrite->slots[i].rva) == atom) {
            if (!split_section(rewrite, atom->section, SPLIT_SLOTS) && rewrite->arena->exhausted)
                return false;
            return true;
        }
    return true;
}

/* A store into a section that is not marked writable: it worked because of the low alignment. */
static bool take_store(struct rewrite *rewrite, const struct ref *ref)
{
    struct atom *atom = whole_at(rewrite, ref->target);
    if (!atom || (atom->needs & NEEDS_WRITE) || leaves_as_slot(rewrite, ref->target) ||
        rewrite->splits[atom->section].kind == SPLIT_ALL)
        return true;
    const char *name = rewrite->image->sections[atom->section].name;
    if (atom->needs & NEEDS_EXECUTE) {
        if (split_section(rewrite, atom->section, SPLIT_ALL))
            return true;
        return rewrite_refuse(rewrite, code_instruction_begin(rewrite->code, ref->site_rva), ref->site_foff,
                              "Move the variable out of the code section: remove the /MERGE option or the "
                              "pragma that put it there.",
                              "The code at RVA 0x%" PRIX32 " stores at RVA 0x%" PRIX32
                              " in executable section %s. That works only while all pages are writable.",
                              code_instruction_begin(rewrite->code, ref->site_rva), ref->target, name);
    }
    atom->needs |= NEEDS_WRITE;
    atom->why = arena_printf(rewrite->arena,
                             "The code at RVA 0x%" PRIX32 " stores into it, so it has to be writable.",
                             code_instruction_begin(rewrite->code, ref->site_rva));
    return true;
}

/* What is executed has to lie in an executable section; in a low-aligned image it did not have to. */
static bool check_executed(struct rewrite *rewrite, const struct ref *ref)
{
    bool is_branch =
        ref->source == SOURCE_CODE && (ref->flags & REF_FLAG_CODE_TARGET) && ref->state == REF_RESOLVED;
    bool is_named = ref->state == REF_RESOLVED &&
                    ((ref->source == SOURCE_HEADERS && ref->detail == DETAIL_ENTRY_POINT) ||
                     (ref->source == SOURCE_EXCEPTION && ref->detail == DETAIL_FUNCTION_BEGIN));
    const struct atom *atom = is_branch || is_named ? whole_at(rewrite, ref->target) : NULL;
    if (!atom || (atom->needs & NEEDS_EXECUTE))
        return true;
    return rewrite_refuse(
        rewrite, ref->target, ref->site_foff,
        "Put the code into an executable section (code_seg, alloc_text).",
        "Code at RVA 0x%" PRIX32
        " lies in section %s, which is not executable. That works only while all pages are.",
        ref->target, rewrite->image->sections[atom->section].name);
}

static bool collect_low(struct rewrite *rewrite)
{
    for (uint32_t i = 0; i < rewrite->whole_count; i++)
        if (rewrite->wholes[i].needs == (NEEDS_EXECUTE | NEEDS_WRITE) &&
            !judge_both(rewrite, &rewrite->wholes[i]))
            return false;
    for (size_t i = 0; i < rewrite->refs->ref_count; i++)
        if (!check_executed(rewrite, &rewrite->refs->refs[i]))
            return false;
    for (size_t i = 0; i < rewrite->refs->ref_count; i++)
        if (is_store(&rewrite->refs->refs[i]) && !take_store(rewrite, &rewrite->refs->refs[i]))
            return false;
    return true;
}

/* In page-aligned images the headers say what sections need; only what is to lose W is split. */
static bool collect_aligned(struct rewrite *rewrite)
{
    for (uint32_t i = 0; i < rewrite->whole_count; i++) {
        struct atom *atom = &rewrite->wholes[i];
        const struct section *section = &rewrite->image->sections[atom->section];
        if (atom->needs == (NEEDS_EXECUTE | NEEDS_WRITE) &&
            plan_loses_write(rewrite->context, section->header_foff) && !judge_both(rewrite, atom))
            return false;
    }
    return true;
}

bool section_needs_collect(struct rewrite *rewrite)
{
    if (!add_wholes(rewrite) ||
        !(layout_is_low(rewrite->image) ? collect_low(rewrite) : collect_aligned(rewrite)))
        return false;
    for (uint32_t i = 0; i < rewrite->whole_count; i++)
        if (rewrite->wholes[i].needs == NEEDS_EXECUTE && !split_around_slots(rewrite, &rewrite->wholes[i]))
            return false;
    return true;
}
