/* verify_identity.c - see verify_identity.h.
 * The new image with the old GUID and its own checksum put back must be proved as it would be without the
 * change. What is left then are sixteen bytes of a record that, in the old image, only the debug directory
 * leads to. */
#include "verify/verify_identity.h"
#include "verify/verify_case.h"
#include "verify/verify_checksum.h"
#include "verify/verify_code.h"
#include "verify/verify_writes.h"

enum { RECORD_GUID = 4, RECORD_AGE = 20, RECORD_NBYTES = 24, SIGNATURE_RSDS = 0x53445352 };

bool verify_record_find(const struct verify_image *image, struct verify_record *record)
{
    size_t found_count = 0;
    if (image->directory_count <= DIR_DEBUG || image->directories[DIR_DEBUG].rva == 0)
        return false;
    const struct verify_directory *directory = &image->directories[DIR_DEBUG];
    struct span entries = verify_bytes_at(image, directory->rva);
    uint64_t nbytes = directory->nbytes < entries.nbytes ? directory->nbytes : entries.nbytes;
    for (uint64_t at = 0; range_fits(nbytes, at, DEBUG_ENTRY_NBYTES); at += DEBUG_ENTRY_NBYTES) {
        const uint8_t *entry = entries.bytes + at;
        uint32_t rva = load_u32(entry + DEBUG_ADDRESS_OF_RAW_DATA);
        uint64_t foff;
        if (load_u32(entry + DEBUG_TYPE) != DEBUG_TYPE_CODEVIEW)
            continue;
        const struct verify_section *section = rva != 0 ? verify_section_at(image, rva) : NULL;
        if (!section || load_u32(entry + DEBUG_SIZE_OF_DATA) < RECORD_NBYTES ||
            !verify_rva_to_foff(image, rva, RECORD_NBYTES, &foff) ||
            foff != load_u32(entry + DEBUG_POINTER_TO_RAW_DATA) ||
            load_u32(image->file.bytes + foff) != SIGNATURE_RSDS)
            return false;
        *record = (struct verify_record){rva, foff, image->file.bytes + foff + RECORD_GUID,
                                         load_u32(image->file.bytes + foff + RECORD_AGE)};
        found_count++;
    }
    return found_count == 1;
}

static bool unproved(struct verify_case *judged, uint32_t rva, const char *what)
{
    judged->verdict->right_not_shown = judged->verdict->meaning_not_shown = true;
    return verify_refute(judged, (struct verify_spot){true, UINT64_MAX, rva},
                         "The GUID of the CodeView record (RVA 0x%X) may be more than a GUID: %s.",
                         (unsigned)rva, what);
}

/* Tables of the loader do not share bytes with the record. */
static bool judge_tables(struct verify_case *judged, const struct verify_record *record)
{
    const struct verify_image *image = &judged->old_image;
    for (uint32_t i = 0; i < image->directory_count; i++)
        if (i != DIR_SECURITY && ranges_overlap(image->directories[i].rva, image->directories[i].nbytes,
                                                record->rva, RECORD_NBYTES))
            return unproved(judged, record->rva, "a data directory covers it");
    if (image->entry_rva - record->rva < RECORD_NBYTES)
        return unproved(judged, record->rva, "the entry point lies in it");
    return true;
}

/* In an executable section: no function lies there, nothing is relocated there, and nothing calls it. */
static bool judge_code(struct verify_case *judged, const struct verify_record *record)
{
    const struct verify_image *image = &judged->old_image;
    const struct verify_section *section = verify_section_at(image, record->rva);
    struct verify_tables tables;
    struct verify_code code;
    const char *problem = NULL;
    uint64_t problem_foff;
    if (!verify_tables_read(image, judged->arena, &tables))
        return false;
    if (verify_written_in(&tables, record->rva, record->rva + RECORD_NBYTES))
        return unproved(judged, record->rva, "the loader writes there");
    if (!(section->characteristics & SCN_MEM_EXECUTE))
        return true;
    if (tables.problem || !verify_decodes_machine(image))
        return unproved(judged, record->rva, "it lies in an executable section that is not understood");
    if (!verify_code_read(image, &tables, judged->arena, &code, &problem, &problem_foff))
        return problem &&
               unproved(judged, record->rva, "it lies in an executable section that is not understood");
    judged->verdict->step_count += code.step_count + tables.step_count;
    const struct verify_code_section *bytes = verify_code_at(&code, record->rva);
    for (uint32_t i = 0; bytes && i < RECORD_NBYTES; i++) {
        size_t at = record->rva - bytes->rva + i;
        if (at < bytes->bytes.nbytes && (verify_bit(bytes->relocated, at) || verify_bit(bytes->called, at) ||
                                         verify_bit(bytes->pointed, at)))
            return unproved(judged, record->rva,
                            "an address of code leads there, or a field there is relocated");
        if (verify_function_at(&code, record->rva + i))
            return unproved(judged, record->rva, "a function lies there");
    }
    return true;
}

/* The new image as it would be with the old GUID; its checksum is right when the new one's is. */
static uint8_t *put_back(struct verify_case *judged, const struct verify_record *old_record,
                         const struct verify_record *new_record)
{
    struct span file = judged->new_image.file;
    uint8_t *bytes = arena_alloc_unset(judged->arena, file.nbytes);
    if (!bytes)
        return NULL;
    memcpy(bytes, file.bytes, file.nbytes);
    memcpy(bytes + new_record->foff + RECORD_GUID, old_record->guid, VERIFY_GUID_NBYTES);
    store_u32(bytes + judged->new_image.checksum_foff,
              verify_checksum_of((struct span){bytes, file.nbytes}, judged->new_image.checksum_foff));
    return bytes;
}

static bool read_records(struct verify_case *judged, struct verify_record *old_record,
                         struct verify_record *new_record)
{
    if (!verify_record_find(&judged->old_image, old_record) ||
        !verify_record_find(&judged->new_image, new_record))
        return verify_refute(
            judged, (struct verify_spot){false, UINT64_MAX, UINT32_MAX},
            "A new PDB identity was expected, but the images do not each name exactly one PDB.");
    return true;
}

/* As the pair with the old GUID was proved, but for what stands in the new file. */
static bool add_difference(struct verify_case *judged, const struct verify_record *old_record,
                           const struct verify_record *new_record, uint32_t checksum)
{
    struct verify_verdict *verdict = judged->verdict;
    bool has_checksum = false;
    for (size_t i = 0; i < verdict->difference_count; i++)
        if (verdict->differences[i].file_offset == judged->new_image.checksum_foff) {
            verdict->differences[i].new_value = checksum;
            has_checksum = true;
        }
    judged->difference_capacity = verdict->difference_count;
    if (!has_checksum && !verify_checksum(judged))
        return false;
    return verify_explain(
        judged, &(struct verify_difference){
                    .field = "CodeView record GUID",
                    .file_offset = new_record->foff + RECORD_GUID,
                    .old_value = load_u64(old_record->guid), /* the first half of each */
                    .new_value = load_u64(new_record->guid),
                    .width_nbytes = VERIFY_GUID_NBYTES,
                    .why_allowed = "the image names the PDB of its new layout, as was asked for; nothing "
                                   "but the debug directory leads to these bytes",
                });
}

bool verify_pair_with_new_identity(struct span old_file, struct span new_file, struct arena *arena,
                                   struct verify_verdict *verdict)
{
    struct verify_case judged = {.arena = arena, .verdict = verdict};
    struct verify_record old_record, new_record;
    const char *reason;
    uint64_t foff;
    *verdict =
        (struct verify_verdict){.result = VERIFY_UNREADABLE, .file_offset = UINT64_MAX, .rva = UINT32_MAX};
    if (!verify_image_read(old_file, arena, &judged.old_image, &reason, &foff) ||
        !verify_image_read(new_file, arena, &judged.new_image, &reason, &foff))
        return verify_pair(old_file, new_file, arena, verdict); /* which says what is wrong */
    if (!read_records(&judged, &old_record, &new_record) || !judge_tables(&judged, &old_record) ||
        !judge_code(&judged, &old_record))
        return !arena->exhausted;
    uint32_t checksum = verify_checksum_of(new_file, judged.new_image.checksum_foff);
    if (judged.new_image.stored_checksum != checksum)
        return verify_pair(old_file, new_file, arena, verdict);
    uint8_t *bytes = put_back(&judged, &old_record, &new_record);
    if (!bytes || !verify_pair(old_file, (struct span){bytes, new_file.nbytes}, arena, verdict))
        return false;
    bool is_proved = verdict->result == VERIFY_PROVED || verdict->result == VERIFY_PROVED_WITH_ASSUMPTIONS ||
                     verdict->result == VERIFY_IDENTICAL;
    if (!is_proved || memcmp(old_record.guid, new_record.guid, VERIFY_GUID_NBYTES) == 0)
        return !arena->exhausted;
    if (verdict->result == VERIFY_IDENTICAL)
        verdict->result = VERIFY_PROVED;
    return add_difference(&judged, &old_record, &new_record, checksum) && !arena->exhausted;
}
