/* verify_certificates.c - certificate table kept, dropped cleanly, or something else.
 * Takes: both images.  Gives: its fate, or a counter-example.  Must not: accept a table that is not the last
 * thing in the file as droppable: what follows it would be lost.
 * Source: PE format, attribute certificate table: directory entry 4 holds a file offset. */
#include "verify/verify_certificates.h"

static struct verify_directory security_entry(const struct verify_image *image)
{
    if (image->directory_count <= DIR_SECURITY)
        return (struct verify_directory){0, 0};
    return image->directories[DIR_SECURITY];
}

static uint64_t security_entry_foff(const struct verify_image *image)
{
    return image->directories_foff + (uint64_t)DIR_SECURITY * DIRECTORY_ENTRY_NBYTES;
}

static bool entry_is_empty(struct verify_directory entry)
{
    return entry.rva == 0 && entry.nbytes == 0;
}

/* Where the last section's raw data, or the headers, end in the file. */
static uint64_t content_end_foff(const struct verify_image *image)
{
    uint64_t end_foff = image->section_table_end_foff;
    if (image->headers_nbytes > end_foff)
        end_foff = image->headers_nbytes;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct verify_section *section = &image->sections[i];
        uint64_t raw_end_foff = (uint64_t)section->raw_foff + section->raw_nbytes;
        if (section->raw_nbytes != 0 && raw_end_foff > end_foff)
            end_foff = raw_end_foff;
    }
    return end_foff;
}

static bool length_is_kept(struct verify_case *judged)
{
    uint64_t old_nbytes = judged->old_image.file.nbytes, new_nbytes = judged->new_image.file.nbytes;
    if (new_nbytes > old_nbytes)
        return verify_refute(
            judged, (struct verify_spot){false, old_nbytes, UINT32_MAX},
            "The new file has %llu bytes after the place where the old file ends (offset 0x%llX).",
            (unsigned long long)(new_nbytes - old_nbytes), (unsigned long long)old_nbytes);
    if (new_nbytes < old_nbytes) {
        struct verify_directory table = security_entry(&judged->old_image);
        bool in_table = !entry_is_empty(table) && new_nbytes >= table.rva;
        return verify_refute(
            judged,
            (struct verify_spot){true, new_nbytes, verify_foff_to_rva(&judged->old_image, new_nbytes)},
            "The new file ends at offset 0x%llX%s; %llu bytes of the old file are missing.",
            (unsigned long long)new_nbytes, in_table ? ", inside the certificate table" : "",
            (unsigned long long)(old_nbytes - new_nbytes));
    }
    return true;
}

static bool drop_is_clean(struct verify_case *judged, struct verify_directory table)
{
    struct span old_file = judged->old_image.file, tail, padding;
    uint64_t new_nbytes = judged->new_image.file.nbytes;
    struct verify_spot old_spot = {true, table.rva, UINT32_MAX};
    if (!span_part(old_file, (uint64_t)table.rva + table.nbytes,
                   old_file.nbytes - ((uint64_t)table.rva + table.nbytes), &tail) ||
        table.rva < content_end_foff(&judged->old_image))
        return verify_refute(
            judged, old_spot,
            "The security directory is cleared, but the old certificate table (offset 0x%X, 0x%X "
            "bytes) does not lie between the last section and the end of the file.",
            (unsigned)table.rva, (unsigned)table.nbytes);
    if (tail.nbytes >= CERTIFICATE_ALIGN_NBYTES || !span_is_filled(tail, 0)) {
        old_spot.foff = (uint64_t)table.rva + table.nbytes;
        return verify_refute(judged, old_spot,
                             "The certificate table is cut off, but 0x%llX bytes follow it in the old file.",
                             (unsigned long long)tail.nbytes);
    }
    if (new_nbytes > table.rva)
        return verify_refute(
            judged, verify_spot_foff(judged, table.rva),
            "The security directory is cleared, but the new file goes on after offset 0x%X, where "
            "the certificate table began.",
            (unsigned)table.rva);
    old_spot.foff = new_nbytes;
    if (table.rva - new_nbytes >= CERTIFICATE_ALIGN_NBYTES ||
        new_nbytes < content_end_foff(&judged->old_image) ||
        !span_part(old_file, new_nbytes, table.rva - new_nbytes, &padding) || !span_is_filled(padding, 0)) {
        old_spot.rva = verify_foff_to_rva(&judged->old_image, new_nbytes);
        return verify_refute(
            judged, old_spot,
            "The new file ends at offset 0x%llX, before the certificate table's start at 0x%X: more "
            "than its padding is cut off.",
            (unsigned long long)new_nbytes, (unsigned)table.rva);
    }
    return true;
}

bool verify_certificates(struct verify_case *judged, enum verify_certificates_fate *fate)
{
    struct verify_directory old_entry = security_entry(&judged->old_image);
    struct verify_directory new_entry = security_entry(&judged->new_image);
    *fate = CERTIFICATES_CHANGED;
    if (old_entry.rva == new_entry.rva && old_entry.nbytes == new_entry.nbytes) {
        *fate = entry_is_empty(old_entry) ? CERTIFICATES_NONE : CERTIFICATES_KEPT;
        return length_is_kept(judged);
    }
    if (!entry_is_empty(new_entry))
        return length_is_kept(judged);
    *fate = CERTIFICATES_DROPPED;
    return drop_is_clean(judged, old_entry);
}

bool verify_signature_not_stale(struct verify_case *judged, enum verify_certificates_fate fate,
                                const char *signed_field)
{
    if (fate != CERTIFICATES_KEPT || !signed_field)
        return true;
    uint32_t table_foff = security_entry(&judged->new_image).rva;
    return verify_refute(
        judged, (struct verify_spot){false, table_foff, UINT32_MAX},
        "The certificate table at offset 0x%X is kept, but %s changed: the signature is stale.",
        (unsigned)table_foff, signed_field);
}

bool verify_explain_certificates(struct verify_case *judged, enum verify_certificates_fate fate)
{
    if (fate != CERTIFICATES_DROPPED)
        return true;
    struct verify_directory table = security_entry(&judged->old_image);
    const char *why = "the certificate table was the last thing in the old file and is cut off whole";
    struct verify_difference changes[] = {
        {.field = "security directory: file offset of the certificate table",
         .file_offset = security_entry_foff(&judged->new_image) + DIRECTORY_RVA,
         .old_value = table.rva,
         .width_nbytes = 4,
         .why_allowed = why},
        {.field = "security directory: size of the certificate table",
         .file_offset = security_entry_foff(&judged->new_image) + DIRECTORY_SIZE,
         .old_value = table.nbytes,
         .width_nbytes = 4,
         .why_allowed = why},
        {.field = "length of the file",
         .file_offset = judged->new_image.file.nbytes,
         .old_value = judged->old_image.file.nbytes,
         .new_value = judged->new_image.file.nbytes,
         .why_allowed = why},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        if (changes[i].old_value != changes[i].new_value && !verify_explain(judged, &changes[i]))
            return false;
    return true;
}
