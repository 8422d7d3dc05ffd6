/* verify_nx.c - takes the step back: sections, headers, sites.
 * Takes: the new image.  Gives: the image before the step.  Must not: guess; what is not as it has to be is
 * refuted, and what is taken back wrongly cannot be the old image. */
#include "verify/verify_nx.h"

static const char code_name[] = ".hvnx", relocation_name[] = ".hvreloc";

enum {
    CODE_RIGHTS = SCN_CNT_CODE | SCN_MEM_EXECUTE | SCN_MEM_READ | SCN_MEM_NOT_PAGED,
    RELOCATION_RIGHTS = SCN_CNT_INITIALIZED_DATA | SCN_MEM_READ | SCN_MEM_DISCARDABLE,
    LEAST_ALIGNMENT_NBYTES = 0x200,
    TRAILER_NBYTES = DIRECTORY_ENTRY_NBYTES
};

bool verify_nx_unproved(struct verify_case *judged, uint32_t rva, const char *format, ...)
{
    if (judged->verdict->result == VERIFY_REFUTED)
        return false;
    va_list arguments;
    va_start(arguments, format);
    const char *reason = arena_vprintf(judged->arena, format, arguments);
    va_end(arguments);
    judged->verdict->right_not_shown = judged->verdict->meaning_not_shown = true;
    return verify_refute(judged, verify_spot_rva(judged, rva), "%s", reason);
}

static unsigned count_named(const struct verify_image *image)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < image->section_count; i++)
        count += strcmp(image->sections[i].name, code_name) == 0;
    return count;
}

static uint32_t raw_alignment(const struct verify_image *image)
{
    return image->file_alignment > LEAST_ALIGNMENT_NBYTES ? image->file_alignment
                                                          : (uint32_t)LEAST_ALIGNMENT_NBYTES;
}

static bool refuse_section(struct verify_case *judged, const struct verify_section *section, const char *what)
{
    return verify_refute(judged, verify_spot_foff(judged, section->header_foff),
                         "Section %s of the new image, which is new, %s.", section->name, what);
}

/* Every field of the new section's header, and where its bytes lie. */
static bool check_section(struct verify_case *judged, const struct verify_image *image,
                          const struct verify_section *section, uint32_t rights, uint64_t end_foff)
{
    const uint8_t *header = image->file.bytes + section->header_foff;
    uint32_t align = raw_alignment(image);
    if (section->characteristics != rights)
        return refuse_section(judged, section, "has other rights than it has to have");
    if (load_u64(header + SECTION_POINTER_TO_RELOCATIONS) != 0 ||
        load_u32(header + SECTION_NUMBER_OF_RELOCATIONS) != 0)
        return refuse_section(judged, section, "names relocations or line numbers");
    if (section->virtual_nbytes == 0 || section->virtual_nbytes > section->raw_nbytes ||
        section->raw_nbytes - section->virtual_nbytes >= align || section->raw_nbytes % align != 0 ||
        section->raw_foff % align != 0 || (uint64_t)section->raw_foff + section->raw_nbytes != end_foff ||
        section->bytes.nbytes != section->raw_nbytes)
        return refuse_section(judged, section,
                              "has other sizes or another place in the file than it has to have");
    return true;
}

/* The sections that the step added are the last ones. */
static bool find_sections(struct verify_case *judged, struct verify_nx *nx)
{
    const struct verify_image *image = &nx->image;
    uint32_t count = image->section_count, needed = image->is_64 ? 1 : 2;
    if (!image->is_ordered || count <= needed || image->section_alignment < PAGE_NBYTES ||
        (image->machine != MACHINE_AMD64 && image->machine != MACHINE_I386))
        return verify_refute(judged, verify_spot_foff(judged, image->section_table_foff),
                             "The new image has a section %s, but is not of a kind that can have it.",
                             code_name);
    nx->code = &image->sections[count - needed];
    nx->relocations = image->is_64 ? NULL : &image->sections[count - 1];
    const struct verify_section *last = &image->sections[count - 1];
    if (strcmp(nx->code->name, code_name) != 0 ||
        (nx->relocations && strcmp(last->name, relocation_name) != 0))
        return verify_refute(judged, verify_spot_foff(judged, last->header_foff),
                             "The section %s of the new image, which is new, is not behind the others.",
                             code_name);
    if (!check_section(judged, image, last, nx->relocations ? RELOCATION_RIGHTS : CODE_RIGHTS,
                       image->file.nbytes))
        return false;
    if (nx->relocations && !check_section(judged, image, nx->code, CODE_RIGHTS, last->raw_foff))
        return false;
    uint32_t nbytes = nx->code->virtual_nbytes;
    if (nbytes % VERIFY_NX_STUB_NBYTES != 0 || nbytes / VERIFY_NX_STUB_NBYTES > VERIFY_NX_MAX_STUBS)
        return refuse_section(judged, nx->code, "is no row of stubs");
    nx->stub_count = nbytes / VERIFY_NX_STUB_NBYTES;
    return true;
}

static bool read_stubs(struct verify_case *judged, struct verify_nx *nx)
{
    for (uint32_t i = 0; i < nx->stub_count; i++) {
        struct verify_nx_stub *stub = &nx->stubs[i];
        *stub = (struct verify_nx_stub){.rva = nx->code->rva + i * VERIFY_NX_STUB_NBYTES};
        if (!verify_nx_stub_read(judged, nx, stub))
            return false;
        for (uint32_t k = 0; k < i; k++)
            if (nx->stubs[k].slot_rva == stub->slot_rva)
                return verify_refute(judged, verify_spot_rva(judged, stub->rva),
                                     "Two stubs of the new image are for the import slot at RVA 0x%X.",
                                     (unsigned)stub->slot_rva);
    }
    for (size_t at = nx->code->virtual_nbytes; at < nx->code->bytes.nbytes; at++)
        if (nx->code->bytes.bytes[at] != 0xCC)
            return verify_refute(judged, verify_spot_rva(judged, nx->code->rva + (uint32_t)at),
                                 "Behind the stubs of the new image is a byte that is no int3.");
    return true;
}

/* Where the raw data of the first `count` sections end, as their headers say. */
static uint64_t raw_end_foff(const struct verify_image *image, uint32_t count)
{
    uint64_t end_foff = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct verify_section *section = &image->sections[i];
        if (section->raw_nbytes != 0 && (uint64_t)section->raw_foff + section->raw_nbytes > end_foff)
            end_foff = (uint64_t)section->raw_foff + section->raw_nbytes;
    }
    return end_foff;
}

/* How long the file was: as long as the old one, or that without its certificates, or up to the new section.
 * In another layout the old length means nothing: it may happen to lie in the last section's fill. */
static bool old_length(struct verify_case *judged, const struct verify_nx *nx, uint64_t *nbytes)
{
    const struct verify_image *old_image = &judged->old_image;
    uint64_t end_foff = nx->code->raw_foff;
    uint64_t lengths[] = {old_image->file.nbytes, end_foff, end_foff};
    if (old_image->directory_count > DIR_SECURITY && old_image->directories[DIR_SECURITY].rva != 0)
        lengths[1] = old_image->directories[DIR_SECURITY].rva;
    bool was_cut = raw_end_foff(old_image, old_image->section_count) > old_image->file.nbytes;
    uint64_t raw_foff = raw_end_foff(&nx->image, (uint32_t)(nx->code - nx->image.sections));
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct span padding;
        if ((lengths[i] < raw_foff && !was_cut) || lengths[i] > end_foff ||
            end_foff - lengths[i] >= raw_alignment(&nx->image) ||
            !span_part(nx->image.file, lengths[i], end_foff - lengths[i], &padding) ||
            !span_is_filled(padding, 0))
            continue;
        *nbytes = lengths[i];
        return true;
    }
    return verify_refute(judged, verify_spot_foff(judged, end_foff),
                         "In front of section %s of the new image are bytes that come from nowhere.",
                         nx->code->name);
}

/* Headers as they were. The size in memory ends where the new section begins; verify_structure() sees to it
 * that each section begins where the one before ends. */
static bool undo_headers(struct verify_case *judged, const struct verify_nx *nx, uint8_t *bytes)
{
    const struct verify_image *image = &nx->image;
    store_u16(bytes + image->coff_foff + COFF_NUMBER_OF_SECTIONS, (uint16_t)nx->code->index);
    store_u32(bytes + image->opt_foff + OPT_SIZE_OF_IMAGE, nx->code->rva);
    memset(bytes + nx->code->header_foff, 0, image->section_table_end_foff - nx->code->header_foff);
    if (!nx->relocations)
        return true;
    if (image->directory_count <= DIR_BASERELOC || nx->relocations->virtual_nbytes <= TRAILER_NBYTES ||
        image->directories[DIR_BASERELOC].rva != nx->relocations->rva ||
        image->directories[DIR_BASERELOC].nbytes != nx->relocations->virtual_nbytes - TRAILER_NBYTES)
        return verify_refute(judged, verify_spot_foff(judged, image->directories_foff),
                             "The relocation directory of the new image is not what section %s holds.",
                             nx->relocations->name);
    struct span content = nx->relocations->bytes;
    memcpy(bytes + image->directories_foff + (size_t)DIR_BASERELOC * DIRECTORY_ENTRY_NBYTES,
           content.bytes + image->directories[DIR_BASERELOC].nbytes, TRAILER_NBYTES);
    for (size_t at = nx->relocations->virtual_nbytes; at < content.nbytes; at++)
        if (content.bytes[at] != 0)
            return verify_refute(judged, verify_spot_rva(judged, nx->relocations->rva + (uint32_t)at),
                                 "Behind the relocations of the new image is a byte that is not zero.");
    return true;
}

/* The old field when the rest is the old file, so that the two are compared as they were; else what is right.
 */
static void undo_checksum(const struct verify_case *judged, const struct verify_nx *nx, uint8_t *bytes,
                          uint64_t nbytes)
{
    const struct verify_image *old_image = &judged->old_image;
    uint64_t foff = nx->image.checksum_foff, sum = 0;
    store_u32(bytes + foff, old_image->stored_checksum);
    if (nbytes == old_image->file.nbytes && foff == old_image->checksum_foff &&
        memcmp(bytes, old_image->file.bytes, nbytes) == 0)
        return;
    store_u32(bytes + foff, 0);
    for (uint64_t i = 0; i < nbytes; i++)
        sum += (uint64_t)bytes[i] << (i % 2 * 8);
    while (sum > 0xFFFF)
        sum = (sum & 0xFFFF) + (sum >> 16);
    store_u32(bytes + foff, (uint32_t)(sum + nbytes));
}

static bool read_before(struct verify_case *judged, struct verify_nx *nx, struct span file)
{
    const char *reason;
    uint64_t foff;
    if (verify_image_read(file, judged->arena, &nx->before, &reason, &foff))
        return true;
    return reason && verify_refute(judged, verify_spot_foff(judged, foff),
                                   "Without its stubs, the new image is none: %s", reason);
}

bool verify_nx_undo(struct verify_case *judged, struct verify_nx *nx)
{
    *nx = (struct verify_nx){.image = judged->new_image};
    if (count_named(&judged->new_image) <= count_named(&judged->old_image))
        return true;
    struct span file = nx->image.file;
    uint64_t nbytes = 0;
    uint8_t *bytes;
    if (!find_sections(judged, nx) || !read_stubs(judged, nx) || !old_length(judged, nx, &nbytes))
        return false;
    bytes = arena_alloc_unset(judged->arena, file.nbytes);
    if (!bytes)
        return false;
    memcpy(bytes, file.bytes, file.nbytes);
    judged->verdict->step_count += file.nbytes;
    if (!verify_nx_sites_undo(judged, nx, bytes) || !undo_headers(judged, nx, bytes))
        return false;
    undo_checksum(judged, nx, bytes, nbytes);
    if (!read_before(judged, nx, (struct span){bytes, (size_t)nbytes}))
        return false;
    nx->is_there = true;
    judged->new_image = nx->before;
    return true;
}

static bool explain_stub(struct verify_case *judged, const struct verify_nx *nx,
                         const struct verify_nx_stub *stub)
{
    struct arena *arena = judged->arena;
    uint64_t foff = UINT64_MAX;
    verify_rva_to_foff(&nx->image, stub->rva, 1, &foff);
    return verify_explain(
        judged,
        &(struct verify_difference){
            .field = arena_printf(arena, "%s, %llu calls, %llu jumps, %llu loads (where they lead, RVA)",
                                  stub->name, (unsigned long long)stub->call_count,
                                  (unsigned long long)stub->jump_count, (unsigned long long)stub->load_count),
            .file_offset = foff,
            .old_value = stub->slot_rva,
            .new_value = stub->rva,
            .width_nbytes = 4,
            .why_allowed = arena_printf(
                arena,
                "a change of behaviour: adds %s, by a stub that changes nothing else and goes on through "
                "the same import slot. Assumed: the driver does not execute that memory",
                stub->flag),
            .assumed = true,
        });
}

bool verify_nx_explain(struct verify_case *judged, const struct verify_nx *nx)
{
    for (uint32_t i = 0; i < nx->stub_count; i++)
        if (!explain_stub(judged, nx, &nx->stubs[i]))
            return false;
    return true;
}
