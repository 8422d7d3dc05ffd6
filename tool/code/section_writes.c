/* section_writes.c - the story of the judgement, and the addresses that the inventory knows.
 * Takes: image, references, code map, a section.  Gives: the answer.
 * Must not: take "not seen" for "not there": what is not in the inventory, the scan looks for. */
#include "code/address_uses.h"
#include "code/base_uses.h"
#include "code/index_range.h"
#include "code/section_writes_internal.h"

#include <inttypes.h>

enum { STEPS_PER_BYTE = 16 };

const char judge_cure_variable[] = "Keep variables out of this section: remove data_seg, "
                                   "__declspec(allocate) or /MERGE that puts them there.";
static const char cure_loader[] =
    "Keep what the loader writes out of this section: remove the /MERGE option that puts .idata, .rdata or "
    ".data there.";

void judge_found(struct judge *judge, uint32_t rva, uint64_t file_offset, const char *message,
                 const char *cure)
{
    if (judge->found)
        return;
    judge->found = true;
    *judge->why = finding_make(judge->arena, HVCI9021_SECTION_IS_WRITTEN, LEVEL_ERROR, "%s", message);
    const struct section *place = rva != NO_RVA ? image_section_at_rva(judge->image, rva) : NULL;
    judge->why->section = place ? place->name : judge->section->name;
    judge->why->rva = rva;
    judge->why->file_offset = file_offset;
    judge->why->cure = cure;
    struct span bytes;
    if (rva != NO_RVA && image_bytes_at_rva(judge->image, rva, 8, &bytes))
        finding_evidence(judge->arena, judge->why,
                         "Bytes at RVA 0x%" PRIX32 ": %02X %02X %02X %02X %02X %02X %02X %02X.", rva,
                         bytes.bytes[0], bytes.bytes[1], bytes.bytes[2], bytes.bytes[3], bytes.bytes[4],
                         bytes.bytes[5], bytes.bytes[6], bytes.bytes[7]);
}

static bool is_written_by_loader(uint8_t kind)
{
    return kind == EXTENT_IAT || kind == EXTENT_DELAY_IAT || kind == EXTENT_GUARD_SLOT ||
           kind == EXTENT_SECURITY_COOKIE;
}

/* Tables that the loader fills, by extent and by reference (TLS index, function pointer tables...). The
 * import lookup table does not count: only kernels older than Windows 10 write it, and those do so before
 * they protect sections. */
static void judge_loader_writes(struct judge *judge)
{
    const struct refset *refs = judge->refs;
    /* The loader opens all of directory 12, whatever the descriptors say of its contents. */
    const struct directory *iat = image_directory(judge->image, DIR_IAT);
    if (iat && !judge_excepts(judge, iat->rva, iat->nbytes) &&
        ranges_overlap(iat->rva, iat->nbytes, judge->section->rva, judge->end_rva - judge->section->rva))
        judge_found(judge, iat->rva, iat->entry_foff,
                    arena_printf(judge->arena,
                                 "Section %s has to stay writable: data directory 12 (the IAT, RVA 0x%" PRIX32
                                 ", 0x%" PRIX32 " bytes) reaches into it, and the loader writes there.",
                                 judge->section->name, iat->rva, iat->nbytes),
                    cure_loader);
    for (size_t i = 0; i < refs->extent_count && !judge->found; i++) {
        const struct extent *extent = &refs->extents[i];
        if (!is_written_by_loader(extent->kind) || judge_excepts(judge, extent->rva, extent->nbytes) ||
            !ranges_overlap(extent->rva, extent->nbytes, judge->section->rva,
                            judge->end_rva - judge->section->rva))
            continue;
        uint32_t foff;
        uint64_t place =
            image_rva_to_foff(judge->image, extent->rva, 1, &foff) ? foff : (uint64_t)NO_FILE_OFFSET;
        judge_found(
            judge, extent->rva, place,
            arena_printf(judge->arena,
                         "Section %s has to stay writable: the loader writes its %s at RVA 0x%" PRIX32 ".",
                         judge->section->name, extent_kind_name((enum extent_kind)extent->kind), extent->rva),
            cure_loader);
    }
    for (size_t i = 0; i < refs->ref_count && !judge->found; i++) {
        const struct ref *ref = &refs->refs[i];
        if ((ref->flags & REF_FLAG_LOADER_WRITES) && ref->encoding != REF_FOFF &&
            ref->encoding != REF_SECTION_INDEX && ref->target >= judge->section->rva &&
            judge_holds(judge, ref->target))
            judge_found(judge, ref->site_rva, ref->site_foff,
                        arena_printf(judge->arena,
                                     "Section %s has to stay writable: the loader writes at RVA 0x%" PRIX32
                                     ", which the %s name.",
                                     judge->section->name, ref->target,
                                     ref_source_name((enum ref_source)ref->source)),
                        cure_loader);
    }
}

/* An exported variable can be written by any importer. */
static void judge_export(struct judge *judge, const struct ref *ref)
{
    if (!(ref->flags & REF_FLAG_CODE_TARGET) || judge_is_code(judge, ref->target))
        return;
    judge_found(judge, ref->site_rva, ref->site_foff,
                arena_printf(judge->arena,
                             "Section %s may have to stay writable: RVA 0x%" PRIX32
                             " in it is exported and is not a function.",
                             judge->section->name, ref->target),
                judge_cure_variable);
}

/* A relocated value: an operand of decoded code is judged by its instruction, anything else is a pointer
 * that may be used for anything. */
static void judge_relocated(struct judge *judge, const struct ref *ref)
{
    enum byte_class at_site = code_class_at(judge->code, ref->site_rva);
    if (at_site != BYTE_INSTRUCTION && at_site != BYTE_INSTRUCTION_TAIL)
        judge_stored_address(judge, ref->target, ref->site_rva, ref->site_foff);
}

static void judge_operand(struct judge *judge, const struct ref *ref)
{
    uint32_t begin_rva = code_instruction_begin(judge->code, ref->site_rva);
    /* The end of a loop over an array that lies in front of the section. */
    if (ref->access == ACCESS_ADDRESS && ref->encoding != REF_IMAGE_REL &&
        address_uses_follow(judge->image, judge->code, judge->decoder, ref->site_rva, &judge->steps_left)
            .is_never_accessed) {
        judge->read_count++;
        return;
    }
    judge_access(judge, (enum ref_access)ref->access, ref->target, begin_rva,
                 ref->site_foff - (ref->site_rva - begin_rva));
}

static bool take_base_use(void *context, const struct base_use *use)
{
    struct judge *judge = context;
    uint32_t foff;
    if (image_rva_to_foff(judge->image, use->site_rva, 4, &foff))
        site_set_add(&judge->base_fields, foff);
    judge_folded_base(judge, use);
    return true;
}

/* Which displacements meet the image base, when it can be followed everywhere: the others are numbers. */
static bool follow_base(struct judge *judge)
{
    struct base_escape escape;
    if (!judge->is_64 || !judge->forms_image_base)
        return true;
    if (!base_uses_follow(judge->image, judge->refs, judge->code, judge->arena, take_base_use, judge,
                          &escape))
        return false;
    judge->base_is_followed = escape.rva == NO_RVA;
    return true;
}

static bool is_mere_number(const struct judge *judge, const struct ref *ref)
{
    return ref->encoding == REF_IMAGE_REL && judge->base_is_followed &&
           !site_set_has(&judge->base_fields, ref->site_foff);
}

static bool is_table_entry(const struct ref *ref)
{
    return ref->encoding == REF_RVA || ref->encoding == REF_LABEL_DIFF;
}

static void judge_references(struct judge *judge)
{
    for (size_t i = 0; i < judge->refs->ref_count && !judge->found; i++) {
        const struct ref *ref = &judge->refs->refs[i];
        if (!judge->means_elsewhere || !judge->means_elsewhere(judge->context, i))
            judge_folded(judge, ref);
        if (!judge->means_elsewhere && judge->image->section_alignment >= PAGE_NBYTES)
            judge_border(judge, ref); /* of parts that move apart a layout knows better */
        if (!judge_holds(judge, ref->target) || ref->encoding == REF_FOFF ||
            (judge->means_elsewhere && judge->means_elsewhere(judge->context, i)))
            continue;
        if (ref->source == SOURCE_CODE && is_mere_number(judge, ref))
            continue;
        if (ref->source == SOURCE_CODE && !is_table_entry(ref)) /* entries of jump tables lead to code */
            judge_operand(judge, ref);
        else if (ref->source == SOURCE_RELOCATED)
            judge_relocated(judge, ref);
        else if (ref->source == SOURCE_EXPORTS)
            judge_export(judge, ref);
    }
}

static void find_borders(struct judge *judge)
{
    const struct image *image = judge->image;
    uint32_t rva = judge->section->rva;
    uint64_t end_rva = (uint64_t)rva + judge->section->memory_nbytes;
    uint64_t before_rva = image->headers_nbytes < rva ? image->headers_nbytes : rva;
    uint64_t next_rva = image->image_nbytes;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *other = &image->sections[i];
        uint64_t other_end_rva = (uint64_t)other->rva + other->memory_nbytes;
        if (other->rva < rva && other_end_rva > before_rva)
            before_rva = other_end_rva < rva ? other_end_rva : rva;
        if (other->rva > rva && other->rva < next_rva)
            next_rva = other->rva;
    }
    judge->near_rva = (uint32_t)before_rva;
    judge->end_rva = (uint32_t)(next_rva > end_rva ? next_rva : end_rva);
}

/* What the judgement needs to know of the whole image. False when memory ran out. */
static bool survey(struct judge *judge)
{
    if (!site_set_init(&judge->jump_tables, judge->arena, judge->image->file.nbytes) ||
        !site_set_init(&judge->code_fields, judge->arena, judge->image->file.nbytes) ||
        !site_set_init(&judge->base_fields, judge->arena, judge->image->file.nbytes) ||
        !site_set_init(&judge->operands, judge->arena, judge->image->file.nbytes) ||
        !site_set_init(&judge->joins, judge->arena, judge->image->file.nbytes))
        return false;
    for (size_t i = 0; i < judge->refs->extent_count; i++) {
        const struct extent *extent = &judge->refs->extents[i];
        uint32_t foff;
        if (extent->kind != EXTENT_JUMP_TABLE || !image_rva_to_foff(judge->image, extent->rva, 1, &foff))
            continue;
        for (uint32_t k = 0; k < extent->nbytes; k++) /* jump tables are at most as large as the file */
            site_set_add(&judge->jump_tables, (uint64_t)foff + k);
    }
    for (size_t i = 0; i < judge->refs->ref_count; i++) {
        const struct ref *ref = &judge->refs->refs[i];
        uint32_t foff;
        judge->has_relocations |= ref->source == SOURCE_RELOCATED;
        if (!judge->is_64 && ref->state == REF_RESOLVED && ref->encoding != REF_FOFF &&
            image_rva_to_foff(judge->image, ref->target, 1, &foff))
            site_set_add(&judge->joins, foff);
        if (ref->source == SOURCE_CODE)
            site_set_add(&judge->operands, ref->site_foff);
        else if (ref->source != SOURCE_RELOCATED && (ref->flags & REF_FLAG_CODE_TARGET))
            site_set_add(&judge->code_fields, ref->site_foff);
        judge->forms_image_base |= ref->source == SOURCE_CODE && ref->access == ACCESS_ADDRESS &&
                                   ref->encoding == REF_PCREL && ref->target == 0;
    }
    if (!judge->is_64)
        site_set_add_all(&judge->joins, &judge->code->short_targets);
    return follow_base(judge);
}

bool section_writes(const struct write_question *question, struct arena *arena, enum write_answer *answer,
                    struct finding *why, const char **summary)
{
    const struct image *image = question->image;
    const struct code_map *code = question->code;
    struct judge judge = {.image = image,
                          .refs = question->refs,
                          .code = code,
                          .section = &image->sections[question->section],
                          .arena = arena,
                          .is_64 = image->machine == MACHINE_AMD64,
                          .exceptions = question->exceptions,
                          .exception_count = question->exception_count,
                          .means_elsewhere = question->means_elsewhere,
                          .steps_left = STEPS_PER_BYTE * (uint64_t)image->file.nbytes,
                          .context = question->context,
                          .why = why};
    find_borders(&judge);
    judge_loader_writes(&judge);
    if (!judge.found && !code->decoded) {
        *answer = WRITES_ASSUMED;
        *summary = arena_printf(arena, "Not examined: %s.", code->not_decoded_reason);
        return !arena->exhausted;
    }
    if (!judge.found) {
        judge.decoder = decoder_new(arena, judge.is_64);
        if (!judge.decoder || !survey(&judge))
            return false;
        judge_references(&judge);
        if (judge.is_64)
            judge_scan_code(&judge);
        if (!judge.has_relocations)
            judge_scan_absolute(&judge);
    }
    *answer = judge.found ? WRITES_FOUND : judge.literal_count != 0 ? WRITES_CONSTANTS : WRITES_NONE;
    const char *literals =
        judge.literal_count == 0
            ? ""
            : arena_printf(arena, ", %" PRIu64 " addresses of string literals", judge.literal_count);
    *summary = arena_printf(
        arena,
        "Examined %" PRIu64 " references into the section (%" PRIu64 " branches, %" PRIu64 " reads, %" PRIu64
        " addresses of functions%s) and %" PRIu64
        " bytes for further ones; none writes, and none takes the address of %s.",
        judge.branch_count + judge.read_count + judge.code_address_count + judge.literal_count,
        judge.branch_count, judge.read_count, judge.code_address_count, literals, judge.scanned_nbytes,
        judge.literal_count == 0 ? "data" : "other data; that nobody writes to a string literal is assumed");
    return !arena->exhausted;
}
