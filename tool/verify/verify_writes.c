/* verify_writes.c - the proof that nothing writes a section, told from top to bottom.
 * Takes: sections of the new image.  Gives: what was examined, or a counter-example.
 * Must not: say "proved" where a table or a byte of code could not be read. */
#include "verify/verify_writes.h"
#include "verify/verify_gaps.h"
#include "verify/verify_scan.h"
#include "verify/verify_text_in_code.h"

bool verify_decodes_machine(const struct verify_image *image)
{
    return (image->machine == MACHINE_AMD64 && image->is_64) ||
           (image->machine == MACHINE_I386 && !image->is_64);
}

static void add_target(struct verify_write_search *search, const struct verify_image *image, uint32_t place)
{
    const struct verify_section *section = image->by_rva[place];
    uint64_t rva = section->rva, end_rva = (uint64_t)section->rva + section->memory_nbytes;
    if (place > 0) {
        /* One past the end of the section before is how its own arrays end. */
        const struct verify_section *before = image->by_rva[place - 1];
        uint32_t used_nbytes = verify_used_nbytes(before);
        uint64_t used_end_rva = (uint64_t)before->rva + used_nbytes + 1;
        rva = used_end_rva < rva ? used_end_rva : rva;
    }
    if (place + 1 < image->section_count)
        end_rva = image->by_rva[place + 1]->rva;
    search->targets[search->target_count++] =
        (struct verify_target){.section = section, .rva = rva, .end_rva = end_rva};
}

static bool is_among(uint32_t index, const uint32_t *indices, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (indices[i] == index)
            return true;
    return false;
}

/* Ranges of one section; the first and the last reach as far as the section's would. */
static bool collect_parts(struct verify_write_search *search, const struct verify_range_list *parts)
{
    struct verify_target whole = search->targets[0];
    uint64_t section_end_rva = (uint64_t)whole.section->rva + whole.section->memory_nbytes;
    struct verify_target *targets = arena_array(search->judged->arena, parts->count, sizeof *targets);
    if (!targets)
        return false;
    for (size_t i = 0; i < parts->count; i++) {
        const struct verify_range *part = &parts->items[i];
        bool is_first = i == 0 && part->rva == whole.section->rva, is_last = part->end_rva >= section_end_rva;
        targets[i] = (struct verify_target){.section = whole.section,
                                            .rva = is_first ? whole.rva : part->rva,
                                            .end_rva = is_last ? whole.end_rva : part->end_rva};
    }
    search->targets = targets;
    search->target_count = parts->count;
    return true;
}

/* The targets in ascending order. */
static bool collect_targets(struct verify_write_search *search, const uint32_t *section_indices, size_t count)
{
    const struct verify_image *image = &search->judged->new_image;
    search->targets = arena_array(search->judged->arena, count, sizeof *search->targets);
    if (!search->targets)
        return false;
    for (uint32_t place = 0; place < image->section_count; place++)
        if (is_among(image->by_rva[place]->index, section_indices, count))
            add_target(search, image, place);
    return true;
}

/* The first target that ends behind rva, or NULL. */
static const struct verify_target *first_target_behind(const struct verify_write_search *search, uint64_t rva)
{
    size_t low = 0, high = search->target_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (search->targets[middle].end_rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low < search->target_count ? &search->targets[low] : NULL;
}

/* The padding around a section counts for addresses only. */
static bool reaches_into(const struct verify_range *range, const struct verify_target *target)
{
    uint64_t section_end_rva = (uint64_t)target->section->rva + target->section->memory_nbytes;
    uint64_t begin_rva = target->rva > target->section->rva ? target->rva : target->section->rva;
    uint64_t end_rva = target->end_rva < section_end_rva ? target->end_rva : section_end_rva;
    return range->rva < end_rva && range->end_rva > begin_rva;
}

static bool judge_tables(struct verify_write_search *search, const struct verify_tables *tables)
{
    if (tables->problem)
        return verify_refute(
            search->judged, verify_spot_rva(search->judged, tables->problem_rva),
            "Section %s loses MEM_WRITE, but it is not known what the loader writes: %s (RVA 0x%X).",
            search->targets[0].section->name, tables->problem, (unsigned)tables->problem_rva);
    for (size_t i = 0; i < tables->written.count; i++) {
        const struct verify_range *range = &tables->written.items[i];
        const struct verify_target *target = first_target_behind(search, range->rva);
        if (!target || !reaches_into(range, target))
            continue;
        uint64_t rva = range->rva > target->section->rva ? range->rva : target->section->rva;
        return verify_refute(
            search->judged, verify_spot_rva(search->judged, (uint32_t)rva),
            "Section %s loses MEM_WRITE, but %s lies in it (RVA 0x%X) and is written at load.",
            target->section->name, range->what, (unsigned)rva);
    }
    return true;
}

/* Raw data that the loader takes from elsewhere: it rounds file offsets of page-aligned images down to 512,
 * and reads offset 0 as "no data". What was looked at here would not be what runs. */
static bool judge_raw_places(struct verify_case *judged)
{
    enum { LOADER_RAW_ALIGN_NBYTES = 512 };
    const struct verify_image *image = &judged->new_image;
    bool is_rounded = image->section_alignment >= PAGE_NBYTES;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct verify_section *section = &image->sections[i];
        if (section->raw_nbytes != 0 &&
            (section->raw_foff == 0 || (is_rounded && section->raw_foff % LOADER_RAW_ALIGN_NBYTES != 0)))
            return verify_refute(
                judged, verify_spot_foff(judged, section->header_foff + SECTION_POINTER_TO_RAW_DATA),
                "Section %s lies at file offset 0x%X, which the loader does not take as it is.",
                section->name, (unsigned)section->raw_foff);
    }
    return true;
}

/* Images whose code is not what their machine field says. */
static bool judge_kind(struct verify_case *judged)
{
    const struct verify_image *image = &judged->new_image;
    uint32_t config_rva =
        image->directory_count > DIR_LOAD_CONFIG ? image->directories[DIR_LOAD_CONFIG].rva : 0;
    unsigned at = image->is_64 ? LC_CHPE_METADATA_64 : LC_CHPE_METADATA_32;
    uint64_t own_nbytes = 0, metadata_va = 0;
    if (!image->is_ordered)
        return verify_refute(judged, verify_spot_foff(judged, image->section_table_foff),
                             "The sections overlap or are not in ascending order of their RVAs: an RVA has "
                             "no single meaning.");
    if (image->directory_count > DIR_CLR && image->directories[DIR_CLR].rva != 0)
        return verify_refute(judged, verify_spot_rva(judged, image->directories[DIR_CLR].rva),
                             "The image is managed (CLR header at RVA 0x%X): its code is not machine code.",
                             (unsigned)image->directories[DIR_CLR].rva);
    if (config_rva != 0 && verify_read_at(image, config_rva, 4, &own_nbytes) && own_nbytes > at &&
        verify_read_at(image, (uint64_t)config_rva + at, image->is_64 ? 8 : 4, &metadata_va) &&
        metadata_va != 0)
        return verify_refute(
            judged, verify_spot_rva(judged, config_rva + at),
            "The load configuration names hybrid code metadata: the image holds code of a second "
            "machine.");
    return true;
}

bool verify_is_read_as_loaded(struct verify_case *judged)
{
    return judge_raw_places(judged) && judge_kind(judged);
}

static bool scan_code(struct verify_write_search *search)
{
    return verify_scan_exports(search) && verify_scan_absolute(search) &&
           (!search->code->image->is_64 || verify_scan_rip_relative(search)) &&
           (!search->code->image->is_64 || !search->forms_image_base || verify_scan_base(search)) &&
           verify_scan_own_address(search);
}

/* Data, of which no function is a part; where the linker did not mark it as code, one that unwind data
 * bounds. A discardable INIT may hold nothing but the import tables. */
static bool is_data_only(const struct verify_code *code, const struct verify_section *section)
{
    bool is_fill = section->bytes.nbytes != 0; /* variables that begin as zero need no bytes */
    if (verify_is_discardable_init(section))
        return false;
    for (size_t at = 0; is_fill && at < section->bytes.nbytes; at++) {
        uint8_t byte = section->bytes.bytes[at];
        is_fill = byte == 0x90 || byte == 0xCC;
    }
    for (size_t i = 0; !is_fill && i < code->function_count; i++)
        if ((!code->functions[i].is_gap || (section->characteristics & SCN_CNT_CODE)) &&
            code->functions[i].rva < section->rva + section->memory_nbytes &&
            code->functions[i].end_rva > section->rva)
            return false;
    return !is_fill;
}

/* Nothing leads into a section of data only: whoever made it finds it otherwise, by its name in the headers.
 */
static bool judge_unnamed(struct verify_write_search *search)
{
    for (size_t i = 0; i < search->target_count && !search->has_parts; i++)
        if (is_data_only(search->code, search->targets[i].section))
            return verify_refute(
                search->judged, verify_spot_rva(search->judged, search->targets[i].section->rva),
                "Section %s loses MEM_WRITE, but holds nothing but data, which may be found by its name.",
                search->targets[i].section->name);
    return true;
}

/* The addresses of data that code takes, when there are any. */
static const char *describe_assumed(const struct verify_write_search *search)
{
    const char *not_run = "";
    if (search->text_code_count != 0)
        not_run = arena_printf(search->judged->arena,
                               "; assumed not to be run: text between functions, with %llu such fields",
                               (unsigned long long)search->text_code_count);
    if (search->constant_argument_count + search->text_count == 0)
        return not_run;
    return arena_printf(search->judged->arena,
                        "; assumed to be only read: %llu addresses of string literals, %llu handed to kernel "
                        "functions that are documented to read there%s",
                        (unsigned long long)search->text_count,
                        (unsigned long long)search->constant_argument_count, not_run);
}

static bool judge_code(struct verify_write_search *search, const struct verify_tables *tables,
                       struct verify_unwritten *found)
{
    struct verify_case *judged = search->judged;
    struct verify_code *code = search->code;
    const char *problem = NULL;
    uint64_t problem_foff = UINT64_MAX;
    bool is_read = verify_code_read(&judged->new_image, tables, judged->arena, code, &problem, &problem_foff);
    if (problem)
        return verify_refute(
            judged, verify_spot_foff(judged, problem_foff),
            "Section %s loses MEM_WRITE, but it is not known which fields are addresses: %s.",
            search->targets[0].section->name, problem);
    /* x86 has no unwind data that says where functions are, and x64 leaf functions have none. */
    bool is_proved =
        is_read && verify_gaps_mark(code, NULL, judged->arena) && scan_code(search) && judge_unnamed(search);
    judged->verdict->step_count += code->step_count;
    uint64_t code_nbytes = 0;
    for (uint32_t i = 0; is_read && i < code->section_count; i++)
        code_nbytes += code->sections[i].bytes.nbytes;
    found->is_assumed = search->constant_argument_count + search->text_count + search->text_code_count != 0;
    found->summary = arena_printf(
        judged->arena,
        "nothing writes it after load: %zu loader-written tables lie elsewhere; of %llu code bytes "
        "and all absolute addresses, %llu fields may lead here and each is a read, a branch, the "
        "address of code, or (%llu looked at closely) no field at all%s",
        tables->written.count, (unsigned long long)code_nbytes, (unsigned long long)search->field_count,
        (unsigned long long)search->resolved_count, describe_assumed(search));
    return is_proved;
}

bool verify_nothing_writes(struct verify_case *judged, const uint32_t *section_indices, size_t count,
                           bool tables_only, const struct verify_range_list *parts,
                           struct verify_unwritten *found)
{
    struct verify_code code;
    struct verify_write_search search = {.judged = judged,
                                         .code = &code,
                                         .text_budget_count = TEXT_SEARCH_MAX_COUNT,
                                         .has_parts = parts != NULL};
    struct verify_tables tables;
    *found = (struct verify_unwritten){.summary = "no loader-written table lies in it"};
    if (!collect_targets(&search, section_indices, count) || (parts && !collect_parts(&search, parts)) ||
        !verify_tables_read(&judged->new_image, judged->arena, &tables))
        return false;
    judged->verdict->step_count += tables.step_count;
    if (!judge_tables(&search, &tables) || !verify_is_read_as_loaded(judged))
        return false;
    return tables_only || judge_code(&search, &tables, found);
}
