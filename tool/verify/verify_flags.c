/* verify_flags.c - verify_flags.h.
 * Takes: both images.  Gives: explanation or counter-example.  Must not: believe a flag that the image
 * contradicts: NX_COMPAT with code in what is not executable, DYNAMIC_BASE without relocations. */
#include "verify/verify_flags.h"

#include "verify/verify_relocations.h"

enum { MOST_DESCRIPTORS = 4096, MOST_NAME_NBYTES = 64 };

static uint16_t field_u16(const struct verify_image *image, unsigned offset)
{
    uint16_t value = 0;
    span_u16(image->file, image->opt_foff + offset, &value);
    return value;
}

/* The text at rva is this name, whatever the case of its letters. */
static bool is_name(struct span text, const char *name)
{
    for (size_t i = 0; i < text.nbytes && i < MOST_NAME_NBYTES; i++) {
        uint8_t letter = text.bytes[i];
        if (letter >= 'A' && letter <= 'Z')
            letter = (uint8_t)(letter - 'A' + 'a');
        if (letter != (uint8_t)name[i])
            return false;
        if (letter == 0)
            return true;
    }
    return false;
}

/* Native programs (autochk, smss) import ntdll; so does nothing that runs in the kernel. */
static bool is_program(struct verify_case *judged, const struct verify_image *image)
{
    struct verify_directory imports = image->directory_count > DIR_IMPORT ? image->directories[DIR_IMPORT]
                                                                          : (struct verify_directory){0, 0};
    struct span bytes = imports.rva != 0 ? verify_bytes_at(image, imports.rva) : (struct span){NULL, 0};
    if (field_u16(image, OPT_SUBSYSTEM) != SUBSYSTEM_NATIVE)
        return true;
    for (size_t i = 0; i < MOST_DESCRIPTORS && (i + 1) * IMPORT_DESCRIPTOR_NBYTES <= bytes.nbytes; i++) {
        uint32_t name_rva = load_u32(bytes.bytes + i * IMPORT_DESCRIPTOR_NBYTES + IMPORT_NAME);
        judged->verdict->step_count++;
        if (name_rva == 0)
            return false;
        struct span name = verify_bytes_at(image, name_rva);
        if (is_name(name, "ntoskrnl.exe") || is_name(name, "hal.dll"))
            return false;
        if (is_name(name, "ntdll.dll") || is_name(name, "kernel32.dll"))
            return true;
    }
    return false;
}

static bool is_executed_right(const struct verify_image *image, uint32_t rva)
{
    const struct verify_section *section = verify_section_at(image, rva);
    return section && (section->characteristics & SCN_MEM_EXECUTE);
}

/* The first function of the exception table that does not lie in an executable section; 0 when all do. */
static uint32_t stray_function(struct verify_case *judged, const struct verify_image *image)
{
    size_t record_nbytes = image->machine == MACHINE_AMD64   ? RUNTIME_FUNCTION_NBYTES
                           : image->machine == MACHINE_ARM64 ? ARM64_RUNTIME_FUNCTION_NBYTES
                                                             : 0;
    if (record_nbytes == 0 || image->directory_count <= DIR_EXCEPTION ||
        image->directories[DIR_EXCEPTION].rva == 0)
        return 0;
    struct span bytes = verify_bytes_at(image, image->directories[DIR_EXCEPTION].rva);
    size_t nbytes = image->directories[DIR_EXCEPTION].nbytes;
    for (size_t at = 0; at + record_nbytes <= nbytes && at + record_nbytes <= bytes.nbytes;
         at += record_nbytes) {
        uint32_t begin_rva = load_u32(bytes.bytes + at);
        judged->verdict->step_count++;
        if (begin_rva != 0 && !is_executed_right(image, begin_rva))
            return begin_rva;
    }
    return 0;
}

/* NX_COMPAT: nothing that is meant to run lies where it may not. */
static bool judge_no_execute(struct verify_case *judged)
{
    const struct verify_image *image = &judged->new_image;
    struct verify_spot spot = verify_spot_foff(judged, verify_flags_foff(image));
    for (uint32_t i = 0; i < image->section_count; i++)
        if ((image->sections[i].characteristics & (SCN_CNT_CODE | SCN_MEM_EXECUTE)) == SCN_CNT_CODE)
            return verify_refute(judged, spot,
                                 "NX_COMPAT was set, but section %s is code without the right to execute.",
                                 image->sections[i].name);
    if (image->entry_rva != 0 && !is_executed_right(image, image->entry_rva))
        return verify_refute(judged, spot,
                             "NX_COMPAT was set, but the entry point at RVA 0x%X is not in an executable "
                             "section.",
                             (unsigned)image->entry_rva);
    uint32_t stray_rva = stray_function(judged, image);
    return stray_rva == 0 ||
           verify_refute(judged, spot,
                         "NX_COMPAT was set, but the function at RVA 0x%X is not in an executable section.",
                         (unsigned)stray_rva);
}

/* DYNAMIC_BASE: there are relocations, and they can be read to the end. */
static bool judge_dynamic_base(struct verify_case *judged)
{
    const struct verify_image *image = &judged->new_image;
    struct verify_relocation_reader reader = verify_relocations_begin(image);
    struct verify_relocation relocation;
    uint64_t count = 0;
    while (verify_relocations_next(&reader, &relocation))
        count++;
    judged->verdict->step_count += count;
    /* A table of padding alone is one that a linker wrote: nothing needs moving. */
    if (!verify_has_relocations(image) || reader.problem)
        return verify_refute(judged, verify_spot_foff(judged, verify_flags_foff(image)),
                             "DYNAMIC_BASE was set, but the image cannot be moved: %s.",
                             reader.problem ? reader.problem : "it has no base relocations");
    return true;
}

static bool judge_high_entropy(struct verify_case *judged, unsigned flags)
{
    const struct verify_image *image = &judged->new_image;
    bool is_meant = image->is_64 && image->machine != MACHINE_IA64;
    if (is_meant && (flags & DLLCHAR_DYNAMIC_BASE))
        return true;
    return verify_refute(judged, verify_spot_foff(judged, verify_flags_foff(image)),
                         "HIGH_ENTROPY_VA was set %s.",
                         is_meant ? "without DYNAMIC_BASE" : "for a machine that does not have it");
}

bool verify_flags(struct verify_case *judged)
{
    enum { MAY_COME = DLLCHAR_NX_COMPAT | DLLCHAR_DYNAMIC_BASE | DLLCHAR_HIGH_ENTROPY_VA };
    unsigned old_flags = field_u16(&judged->old_image, OPT_DLL_CHARACTERISTICS);
    unsigned flags = field_u16(&judged->new_image, OPT_DLL_CHARACTERISTICS);
    unsigned came = flags & ~old_flags, went = old_flags & ~flags;
    struct verify_spot spot = verify_spot_foff(judged, verify_flags_foff(&judged->new_image));
    if (came == 0 && went == 0)
        return true;
    if (went != 0 || (came & ~(unsigned)MAY_COME) != 0)
        return verify_refute(
            judged, spot,
            "The header field DllCharacteristics changed from 0x%04X to 0x%04X; of its flags only "
            "NX_COMPAT, DYNAMIC_BASE and HIGH_ENTROPY_VA may be set, and none may go.",
            old_flags, flags);
    if (is_program(judged, &judged->new_image)) {
        judged->verdict->right_not_shown = judged->verdict->meaning_not_shown =
            field_u16(&judged->new_image, OPT_SUBSYSTEM) == SUBSYSTEM_NATIVE;
        return verify_refute(
            judged, spot,
            "DllCharacteristics changed from 0x%04X to 0x%04X in an image that is no driver: "
            "there it changes the whole process.",
            old_flags, flags);
    }
    if (((came & DLLCHAR_NX_COMPAT) && !judge_no_execute(judged)) ||
        ((came & DLLCHAR_DYNAMIC_BASE) && !judge_dynamic_base(judged)) ||
        ((came & DLLCHAR_HIGH_ENTROPY_VA) && !judge_high_entropy(judged, flags)))
        return false;
    return verify_explain(
        judged, &(struct verify_difference){
                    .field = "DllCharacteristics",
                    .file_offset = spot.foff,
                    .old_value = old_flags,
                    .new_value = flags,
                    .width_nbytes = 2,
                    .why_allowed = arena_printf(
                        judged->arena,
                        "a driver that lives up to%s%s%s; assumed: the kernel goes by the rights of sections "
                        "and by base relocations, whatever the flags say",
                        came & DLLCHAR_NX_COMPAT ? " NX_COMPAT" : "",
                        came & DLLCHAR_DYNAMIC_BASE ? " DYNAMIC_BASE" : "",
                        came & DLLCHAR_HIGH_ENTROPY_VA ? " HIGH_ENTROPY_VA" : ""),
                    .assumed = true,
                });
}
