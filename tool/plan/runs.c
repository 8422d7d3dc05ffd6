/* runs.c - where data lies between the code of an executable section.
 * Takes: the code map, typed extents, references, slots.  Gives: runs of data.  Must not: decide which leave.
 *
 * What lies between two decoded instructions is a gap. Gaps that hold only fill, jump tables and tables that
 * none but the loader and its like read belong to the code; so do bytes that nothing refers to, which may be
 * code that nobody calls. The others are data: from the first byte that is not fill, or that something names,
 * to the next instruction. */
#include "code/code_decode.h"
#include "plan/rewrite.h"

enum { FILL_INT3 = 0xCC, FILL_NOP = 0x90, MOST_BACK = 64, MOST_INSTRUCTIONS = 64, FUNCTION_ALIGNMENT = 4 };

/* What is known of the bytes of the section, by offset. */
struct survey {
    struct rewrite *rewrite;
    const struct section *section;
    const struct code_section *code;
    struct decoder *decoder;
    struct site_set typed; /* tables that belong to the code or that code does not read */
    struct site_set named; /* bytes that something else than code refers to as data */
    bool tail_is_named;    /* something behind the file's bytes is */
};

static bool is_slot_kind(uint8_t kind)
{
    return kind == EXTENT_IAT || kind == EXTENT_GUARD_SLOT || kind == EXTENT_DELAY_IAT ||
           kind == EXTENT_SECURITY_COOKIE || kind == EXTENT_TLS || kind == EXTENT_CLR_HEADER;
}

static void mark_typed(struct survey *survey)
{
    const struct refset *refs = survey->rewrite->refs;
    for (size_t i = 0; i < refs->extent_count; i++) {
        const struct extent *extent = &refs->extents[i];
        uint32_t at = extent->rva - survey->section->rva;
        if (is_slot_kind(extent->kind) || at >= survey->code->nbytes)
            continue;
        for (uint32_t k = 0; k < extent->nbytes && at + k < survey->code->nbytes; k++)
            site_set_add(&survey->typed, at + k);
    }
}

static void mark_named(struct survey *survey)
{
    const struct refset *refs = survey->rewrite->refs;
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        uint32_t at = ref->target - survey->section->rva;
        bool is_address = ref->encoding != REF_FOFF && ref->encoding != REF_SECTION_INDEX &&
                          ref->encoding != REF_SIZE && ref->source != SOURCE_BASERELOCS &&
                          ref->source != SOURCE_SECTION_HEADERS && ref->source != SOURCE_COFF_SYMBOLS;
        is_address = is_address && !ref_names_end(survey->rewrite->image, ref);
        bool is_branch = ref->source == SOURCE_CODE && (ref->flags & REF_FLAG_CODE_TARGET);
        if (!is_address || is_branch || ref->state != REF_RESOLVED || at >= survey->section->memory_nbytes)
            continue;
        if (at >= survey->code->nbytes)
            survey->tail_is_named = true;
        else if (!site_set_has(&survey->typed, at))
            site_set_add(&survey->named, at);
    }
}

/* Unwind data bounds a function there: what was not decoded in it is code all the same. */
static bool is_in_function(const struct survey *survey, uint32_t begin, uint32_t end)
{
    const struct code_map *code = survey->rewrite->code;
    uint32_t begin_rva = survey->section->rva + begin, end_rva = survey->section->rva + end;
    size_t low = 0, high = code->function_count;
    while (low < high) { /* the first that begins behind the gap */
        size_t middle = low + (high - low) / 2;
        if (code->functions[middle].begin_rva < end_rva)
            low = middle + 1;
        else
            high = middle;
    }
    /* Functions that nothing bounds have no length; the one before the gap may be many of them back. */
    while (low > 0 && code->functions[low - 1].end_rva == code->functions[low - 1].begin_rva &&
           code->functions[low - 1].begin_rva >= begin_rva)
        low--;
    for (size_t i = low; i > 0 && low - i < MOST_BACK; i--)
        if (code->functions[i - 1].end_rva > begin_rva)
            return true;
    return false;
}

/* What something names there decodes in a straight line to its end, with fill behind: a function that did not
 * convince as one. It must not be taken for data. */
static bool may_be_function(const struct survey *survey, uint32_t at, uint32_t end)
{
    const uint8_t *bytes = survey->rewrite->image->file.bytes + survey->section->raw_foff;
    struct instruction instruction;
    if ((survey->section->rva + at) % FUNCTION_ALIGNMENT != 0)
        return false;
    for (int count = 0; at < end && count < MOST_INSTRUCTIONS; count++) {
        if (survey->code->classes[at] != BYTE_UNKNOWN) /* data that an operand names, or fill */
            return false;
        if (!decode(survey->decoder, bytes + at, end - at, survey->section->rva + at, &instruction) ||
            instruction.operation == OP_ODD ||
            (bytes[at] == 0 && instruction.nbytes > 1 && bytes[at + 1] == 0))
            return false;
        at += instruction.nbytes;
        if (flow_ends(instruction.flow))
            return at >= end || bytes[at] == FILL_INT3 || bytes[at] == FILL_NOP ||
                   (decode(survey->decoder, bytes + at, end - at, survey->section->rva + at, &instruction) &&
                    instruction_is_fill(&instruction));
    }
    return false;
}

/* Where the run of the gap [begin, end) begins: behind fill that nothing names. Multi-byte NOPs are left to
 * the run. */
static uint32_t skip_fill(const struct survey *survey, uint32_t begin, uint32_t end)
{
    const uint8_t *bytes = survey->rewrite->image->file.bytes + survey->section->raw_foff;
    while (begin < end && (bytes[begin] == FILL_INT3 || bytes[begin] == FILL_NOP) &&
           !site_set_has(&survey->named, begin))
        begin++;
    return begin;
}

static void look_for_slots(const struct rewrite *rewrite, struct data_run *run)
{
    for (size_t i = 0; i < rewrite->slot_count; i++) {
        const struct slot_range *slot = &rewrite->slots[i];
        if (!ranges_overlap(slot->rva, slot->nbytes, run->rva, run->nbytes))
            continue;
        run->holds_slots = true;
        run->holds_variables |= slot->kind == PIECE_VARIABLES;
    }
}

static bool is_code(uint8_t byte_class)
{
    return byte_class == BYTE_INSTRUCTION || byte_class == BYTE_INSTRUCTION_TAIL;
}

static bool take_gap(struct survey *survey, uint32_t begin, uint32_t end, struct data_run **runs,
                     size_t *count, size_t *capacity)
{
    struct rewrite *rewrite = survey->rewrite;
    const uint8_t *bytes = rewrite->image->file.bytes + survey->section->raw_foff;
    bool is_named = false, has_content = false;
    uint32_t first = skip_fill(survey, begin, end);
    for (uint32_t at = first; at < end; at++) {
        bool is_named_here = site_set_has(&survey->named, at);
        if (is_named_here && may_be_function(survey, at, end))
            return true;
        is_named |= is_named_here;
        has_content |= !site_set_has(&survey->typed, at) &&
                       (survey->code->classes[at] != BYTE_PADDING || bytes[at] == 0);
    }
    is_named &= has_content; /* an address in nothing but fill is folded, or a number */
    uint32_t memory_nbytes = survey->section->memory_nbytes;
    if (end == survey->code->nbytes && memory_nbytes > end) {
        end = memory_nbytes;
        is_named |= survey->tail_is_named;
    }
    if (end > memory_nbytes) /* the file may have more bytes than memory */
        end = memory_nbytes;
    struct data_run run = {survey->section->rva + first, first < end ? end - first : 0, false, false};
    look_for_slots(rewrite, &run);
    if (run.nbytes == 0 || (!is_named && !run.holds_slots) || is_in_function(survey, first, end))
        return true;
    struct data_run *grown = arena_grow(rewrite->arena, *runs, *count, capacity, *count + 1, sizeof *grown);
    if (!grown)
        return false;
    *runs = grown;
    (*runs)[(*count)++] = run;
    return true;
}

bool runs_find(struct rewrite *rewrite, const struct section *section, struct data_run **runs, size_t *count)
{
    struct survey survey = {
        .rewrite = rewrite, .section = section, .code = code_section_at(rewrite->code, section->rva)};
    size_t capacity = 0;
    *runs = NULL;
    *count = 0;
    if (!survey.code)
        return true;
    survey.decoder = decoder_new(rewrite->arena, rewrite->image->is_64);
    if (!survey.decoder || !site_set_init(&survey.typed, rewrite->arena, survey.code->nbytes) ||
        !site_set_init(&survey.named, rewrite->arena, survey.code->nbytes))
        return false;
    mark_typed(&survey);
    mark_named(&survey);
    const uint8_t *classes = survey.code->classes;
    for (uint32_t begin = 0, end; begin < survey.code->nbytes; begin = end) {
        bool is_in_code = is_code(classes[begin]);
        for (end = begin + 1; end < survey.code->nbytes && is_code(classes[end]) == is_in_code; end++)
            ;
        if (!is_in_code && !take_gap(&survey, begin, end, runs, count, &capacity))
            return false;
    }
    return true;
}
