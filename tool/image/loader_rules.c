/* loader_rules.c - what Windows demands of the headers before it maps an image.
 * Takes: a read image.  Gives: findings HVCI9011.  Must not: look at sections (loader_rules_sections.c does).
 * Behind each rule stands who says it: S the PE format specification, W Wine's loader tests as they ran on
 * Windows, M the models of Windows (RetDec, LIEF), R ReactOS. */
#include "image/loader_rules_parts.h"

enum {
    MOST_SECTIONS = 96,                                     /* S, R; M: 192 since Windows Vista */
    LARGEST_IMAGE = 0x77000000,                             /* M */
    OPTIONAL_HEADER_ALIGN = 8,                              /* M: on 64-bit Windows */
    SMALLEST_FILE_ALIGN = 0x200,                            /* S, M */
    IMAGE_BASE_ALIGN = 0x10000,                             /* S, M, R */
    PE_HEADER_ALIGN = 4,                                    /* M; the specification asks for 8 */
    ARM_DEMANDS = DLLCHAR_DYNAMIC_BASE | DLLCHAR_NX_COMPAT, /* W, M */
};

static void add(struct layout_judge *judge, struct finding_list *list, enum finding_level level,
                const struct section *section, uint64_t foff, const char *format, va_list arguments)
{
    const char *reason = arena_vprintf(list->arena, format, arguments);
    struct finding finding = finding_make(list->arena, HVCI9011_LAYOUT_REFUSED, level, "%s: %s.",
                                          level == LEVEL_ERROR ? "Windows does not load this image"
                                                               : "Not every Windows loads this image",
                                          reason ? reason : "");
    finding.file_offset = foff;
    if (section) {
        finding.section = section->name;
        finding.rva = section->rva;
    }
    finding.windows = "The layout is checked before anything is mapped; the answer is "
                      "STATUS_INVALID_IMAGE_FORMAT (0xC000007B) or one like it.";
    finding.cure = "Link the image again; if a tool has edited or packed it, take the file from before that.";
    if (list->arena->exhausted || !finding_add(list, &finding))
        judge->out_of_memory = true;
}

void layout_refuse(struct layout_judge *judge, const struct section *section, uint64_t foff,
                   const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(judge, judge->refusals, LEVEL_ERROR, section, foff, format, arguments);
    va_end(arguments);
}

void layout_doubt(struct layout_judge *judge, const struct section *section, uint64_t foff,
                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(judge, judge->doubts, LEVEL_NOTE, section, foff, format, arguments);
    va_end(arguments);
}

static bool is_power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool is_arm(const struct image *image)
{
    return image->machine == MACHINE_ARM64 || image->machine == MACHINE_ARMNT;
}

/* The machines that any Windows since 7 loads, and the width of header that each needs. W, M. */
static void judge_machine(struct layout_judge *judge)
{
    const struct image *image = judge->image;
    bool is_32 = image->machine == MACHINE_I386 || image->machine == MACHINE_ARMNT;
    bool is_64 =
        image->machine == MACHINE_AMD64 || image->machine == MACHINE_ARM64 || image->machine == MACHINE_IA64;
    if (!is_32 && !is_64)
        layout_refuse(judge, NULL, image->coff_foff + COFF_MACHINE,
                      "no Windows since 7 runs code for machine 0x%04X", image->machine);
    else if (is_64 != image->is_64)
        layout_refuse(judge, NULL, image->opt_foff + OPT_MAGIC, "it is for %s, but its optional header is %s",
                      image_machine_name(image), image->is_64 ? "PE32+" : "PE32");
}

static void judge_pe_header(struct layout_judge *judge)
{
    const struct image *image = judge->image;
    uint64_t characteristics_foff = (uint64_t)image->coff_foff + COFF_CHARACTERISTICS;
    if (image->pe_foff % PE_HEADER_ALIGN != 0) /* M */
        layout_refuse(judge, NULL, DOS_E_LFANEW,
                      "the PE header is at file offset 0x%X, which is no multiple of %d", image->pe_foff,
                      PE_HEADER_ALIGN);
    if (image->pe_foff < DOS_HEADER_NBYTES) /* M: refused where the image is hashed; W: loaded elsewhere */
        (judge->is_hashed ? layout_refuse : layout_doubt)(
            judge, NULL, DOS_E_LFANEW, "the PE header is at file offset 0x%X, inside the DOS header",
            image->pe_foff);
    if (!(image->coff_characteristics & COFF_EXECUTABLE_IMAGE)) /* S, M */
        layout_refuse(judge, NULL, characteristics_foff, "it is not marked as an executable image");
    if (is_arm(image) && !(image->coff_characteristics & COFF_RELOCS_STRIPPED) &&
        (image->dll_characteristics & ARM_DEMANDS) != ARM_DEMANDS) /* W, M */
        layout_refuse(judge, NULL, (uint64_t)image->opt_foff + OPT_DLL_CHARACTERISTICS,
                      "%s images must be marked DYNAMIC_BASE and NX_COMPAT", image_machine_name(image));
    if ((image->coff_characteristics & COFF_RELOCS_STRIPPED) && (is_arm(image) || image->role == ROLE_KERNEL))
        layout_doubt(
            judge, NULL, characteristics_foff,
            "it says that its base relocations were stripped, so it cannot be loaded at another address "
            "than 0x%llX",
            (unsigned long long)image->image_base_va); /* R */
}

/* Windows reads as many directories as NumberOfRvaAndSizes says, wherever the optional header ends. */
static void judge_optional_header_size(struct layout_judge *judge)
{
    const struct image *image = judge->image;
    uint64_t foff = (uint64_t)image->coff_foff + COFF_SIZE_OF_OPTIONAL_HEADER;
    uint32_t count_foff =
        image->opt_foff + image_pick(image, OPT_NUMBER_OF_RVA_AND_SIZES_32, OPT_NUMBER_OF_RVA_AND_SIZES_64);
    uint32_t named_count = load_u32(image->file.bytes + count_foff);
    if (named_count > DIR_COUNT)
        named_count = DIR_COUNT;
    if (image->directory_count < named_count) /* M */
        layout_refuse(judge, NULL, foff,
                      "its optional header of 0x%X bytes has room for %u of its %u data directories",
                      image->opt_nbytes, image->directory_count, named_count);
    if (image->opt_nbytes % OPTIONAL_HEADER_ALIGN != 0) /* M */
        (image->machine == MACHINE_I386 ? layout_doubt : layout_refuse)(
            judge, NULL, foff, "SizeOfOptionalHeader is 0x%X, which is no multiple of %d", image->opt_nbytes,
            OPTIONAL_HEADER_ALIGN);
}

static void judge_alignments(struct layout_judge *judge)
{
    const struct image *image = judge->image;
    uint64_t foff = (uint64_t)image->opt_foff + OPT_FILE_ALIGNMENT;
    uint32_t in_file = image->file_alignment, in_memory = image->section_alignment;
    if (!is_power_of_two(in_file)) /* S, M, R */
        layout_refuse(judge, NULL, foff, "FileAlignment is 0x%X, which is not a power of two", in_file);
    else if (in_file > in_memory) /* S, W, M, R */
        layout_refuse(judge, NULL, foff, "FileAlignment is 0x%X, more than SectionAlignment (0x%X)", in_file,
                      in_memory);
    else if (in_file < SMALLEST_FILE_ALIGN && in_file != in_memory) /* S, M */
        layout_refuse(judge, NULL, foff,
                      "FileAlignment is 0x%X, less than 0x%X, and not equal to SectionAlignment", in_file,
                      SMALLEST_FILE_ALIGN);
    else if (image->is_flat && in_file != in_memory) /* S, R */
        layout_doubt(
            judge, NULL, foff,
            "FileAlignment is 0x%X and SectionAlignment 0x%X; below page alignment they should be equal",
            in_file, in_memory);
    if (image->image_base_va % IMAGE_BASE_ALIGN != 0) /* S, M, R */
        layout_refuse(
            judge, NULL, (uint64_t)image->opt_foff + image_pick(image, OPT_IMAGE_BASE_32, OPT_IMAGE_BASE_64),
            "ImageBase is 0x%llX, which is no multiple of 64 KiB", (unsigned long long)image->image_base_va);
}

static void judge_sizes(struct layout_judge *judge)
{
    const struct image *image = judge->image;
    uint64_t image_foff = (uint64_t)image->opt_foff + OPT_SIZE_OF_IMAGE;
    uint64_t headers_foff = (uint64_t)image->opt_foff + OPT_SIZE_OF_HEADERS;
    size_t refusal_count = judge->refusals->count;
    if (image->image_nbytes == 0 || image->image_nbytes > LARGEST_IMAGE) /* W, M */
        layout_refuse(judge, NULL, image_foff, "SizeOfImage is 0x%X", image->image_nbytes);
    else if (image->headers_nbytes > image->image_nbytes) /* M */
        layout_refuse(judge, NULL, headers_foff, "SizeOfHeaders is 0x%X, more than SizeOfImage (0x%X)",
                      image->headers_nbytes, image->image_nbytes);
    else if (image->headers_nbytes == 0) /* M */
        (image->is_flat && !judge->is_hashed ? layout_doubt : layout_refuse)(judge, NULL, headers_foff,
                                                                             "SizeOfHeaders is 0");
    else if (image->headers_nbytes > image->file.nbytes) /* M: where it is hashed */
        (judge->is_hashed ? layout_refuse : layout_doubt)(judge, NULL, headers_foff,
                                                          "SizeOfHeaders is 0x%X, but the file ends at 0x%zX",
                                                          image->headers_nbytes, image->file.nbytes);
    else if (image->headers_nbytes < image->section_table_end_foff) /* S; Wine maps it all the same */
        layout_doubt(judge, NULL, headers_foff, "SizeOfHeaders is 0x%X, but the section table ends at 0x%X",
                     image->headers_nbytes, image->section_table_end_foff);
    judge->sizes_are_wrong = judge->refusals->count != refusal_count;
}

static void judge_section_count(struct layout_judge *judge)
{
    const struct image *image = judge->image;
    uint64_t foff = (uint64_t)image->coff_foff + COFF_NUMBER_OF_SECTIONS;
    if (image->section_count == 0) /* M (LIEF); W: loaded before Windows 10 version 1809 */
        layout_doubt(judge, NULL, foff, "it has no sections");
    if (image->section_count > MOST_SECTIONS)
        layout_doubt(judge, NULL, foff, "it has %u sections; the limit is %d, or 192 since Windows Vista",
                     image->section_count, MOST_SECTIONS);
    if (image->section_table_end_foff >= PAGE_NBYTES) /* M: where it is hashed */
        (judge->is_hashed ? layout_refuse : layout_doubt)(
            judge, NULL, foff, "its section table ends at file offset 0x%X; it must end in the first 4 KiB",
            image->section_table_end_foff);
}

/* A signature is looked for behind everything else, up to the end of the file. S, M. */
static void judge_certificates(struct layout_judge *judge)
{
    const struct image *image = judge->image;
    const struct directory *table = &image->directories[DIR_SECURITY];
    if (image->role != ROLE_KERNEL || table->rva == 0 || table->nbytes == 0)
        return;
    uint64_t raw_end_foff = image->section_table_end_foff;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *s = &image->sections[i];
        if (s->raw_nbytes != 0 && (uint64_t)s->stored_raw_foff + s->raw_nbytes > raw_end_foff)
            raw_end_foff = (uint64_t)s->stored_raw_foff + s->raw_nbytes;
    }
    if (table->rva < raw_end_foff || table->rva % CERTIFICATE_ALIGN_NBYTES != 0 ||
        (uint64_t)table->rva + table->nbytes != image->file.nbytes)
        layout_doubt(
            judge, NULL, table->entry_foff,
            "its certificate table (0x%X bytes at file offset 0x%X) is not the last thing in the file, at "
            "a multiple of %d, so the signature is not accepted",
            table->nbytes, table->rva, CERTIFICATE_ALIGN_NBYTES);
}

bool loader_rules_apply(const struct image *image)
{
    if (image->role == ROLE_KERNEL)
        return true;
    return image->role != ROLE_FIRMWARE && image->subsystem != SUBSYSTEM_WINDOWS_CE_GUI &&
           image->subsystem != SUBSYSTEM_NATIVE_WINDOWS && image->subsystem != SUBSYSTEM_XBOX;
}

bool loader_rules_judge(const struct image *image, struct finding_list *refusals, struct finding_list *doubts)
{
    struct layout_judge judge = {
        .image = image,
        .refusals = refusals,
        .doubts = doubts,
        .is_hashed = image->role == ROLE_KERNEL &&
                     (image->machine == MACHINE_AMD64 || image->machine == MACHINE_ARM64),
    };
    if (!loader_rules_apply(image))
        return true;
    judge_machine(&judge);
    judge_pe_header(&judge);
    judge_optional_header_size(&judge);
    judge_alignments(&judge);
    judge_sizes(&judge);
    judge_section_count(&judge);
    judge_certificates(&judge);
    layout_judge_sections(&judge);
    return !judge.out_of_memory;
}
