/* refs_load_config.c - the fields of the load configuration that hold addresses.
 * Takes: directory 10.  Gives: SOURCE_LOAD_CONFIG, and extents for what the loader writes: guard slots, the
 * security cookie, the UMA table. A field exists only below the structure's own Size and the bytes of the
 * file; relocated or not, it is listed here (REF_FLAG_RELOCATED tells).
 * Must not: read the tables that the fields name (refs_guard_tables.c, refs_dvrt.c do), or judge.
 * Source: public winnt.h (IMAGE_LOAD_CONFIG_DIRECTORY32 and 64). */
#include "refs/refs_load_config.h"
#include "refs/refs_sources.h"

enum field_kind {
    FIELD_POINTER,     /* absolute address of something the loader only reads */
    FIELD_CODE,        /* absolute address of a function */
    FIELD_SLOT,        /* absolute address of a pointer that the loader sets */
    FIELD_COOKIE,      /* absolute address of the security cookie, which the loader sets */
    FIELD_UMA,         /* absolute address of the table that the loader fills */
    FIELD_RVA,         /* a plain RVA of 4 bytes */
    FIELD_DVRT_OFFSET, /* an offset in the section whose number is in FIELD_DVRT_SECTION */
    FIELD_DVRT_SECTION,
    FIELD_UNREAD /* absolute address of data that this tool does not read: a problem when it is set */
};

struct load_config_field {
    struct lc_field field;
    uint8_t kind;
    const char *name;
};

static const struct load_config_field load_config_fields[] = {
    {LC_FIELD(LC_LOCK_PREFIX_TABLE), FIELD_POINTER, "LockPrefixTable"},
    {LC_FIELD(LC_EDIT_LIST), FIELD_POINTER, "EditList"},
    {LC_FIELD(LC_SECURITY_COOKIE), FIELD_COOKIE, "SecurityCookie"},
    {LC_FIELD(LC_SE_HANDLER_TABLE), FIELD_POINTER, "SEHandlerTable"},
    {LC_FIELD(LC_GUARD_CF_CHECK_POINTER), FIELD_SLOT, "GuardCFCheckFunctionPointer"},
    {LC_FIELD(LC_GUARD_CF_DISPATCH_POINTER), FIELD_SLOT, "GuardCFDispatchFunctionPointer"},
    {LC_FIELD(LC_GUARD_CF_FUNCTION_TABLE), FIELD_POINTER, "GuardCFFunctionTable"},
    {LC_FIELD(LC_GUARD_IAT_TABLE), FIELD_POINTER, "GuardAddressTakenIatEntryTable"},
    {LC_FIELD(LC_GUARD_LONGJMP_TABLE), FIELD_POINTER, "GuardLongJumpTargetTable"},
    {LC_FIELD(LC_DYNAMIC_VALUE_RELOC_TABLE), FIELD_POINTER, "DynamicValueRelocTable"},
    {LC_FIELD(LC_CHPE_METADATA), FIELD_UNREAD, "CHPEMetadataPointer"},
    {LC_FIELD(LC_GUARD_RF_FAILURE_ROUTINE), FIELD_CODE, "GuardRFFailureRoutine"},
    {LC_FIELD(LC_GUARD_RF_FAILURE_POINTER), FIELD_SLOT, "GuardRFFailureRoutineFunctionPointer"},
    {LC_FIELD(LC_DVRT_OFFSET), FIELD_DVRT_OFFSET, "DynamicValueRelocTableOffset"},
    {LC_FIELD(LC_DVRT_SECTION), FIELD_DVRT_SECTION, "DynamicValueRelocTableSection"},
    {LC_FIELD(LC_GUARD_RF_VERIFY_STACK_POINTER), FIELD_SLOT, "GuardRFVerifyStackPointerFunctionPointer"},
    {LC_FIELD(LC_HOT_PATCH_TABLE_OFFSET), FIELD_RVA, "HotPatchTableOffset"},
    {LC_FIELD(LC_ENCLAVE_CONFIGURATION), FIELD_UNREAD, "EnclaveConfigurationPointer"},
    {LC_FIELD(LC_VOLATILE_METADATA), FIELD_POINTER, "VolatileMetadataPointer"},
    {LC_FIELD(LC_GUARD_EH_CONTINUATION_TABLE), FIELD_POINTER, "GuardEHContinuationTable"},
    {LC_FIELD(LC_GUARD_XFG_CHECK_POINTER), FIELD_SLOT, "GuardXFGCheckFunctionPointer"},
    {LC_FIELD(LC_GUARD_XFG_DISPATCH_POINTER), FIELD_SLOT, "GuardXFGDispatchFunctionPointer"},
    {LC_FIELD(LC_GUARD_XFG_TABLE_DISPATCH_POINTER), FIELD_SLOT, "GuardXFGTableDispatchFunctionPointer"},
    {LC_FIELD(LC_CAST_GUARD_FAILURE_MODE), FIELD_SLOT, "CastGuardOsDeterminedFailureMode"},
    {LC_FIELD(LC_GUARD_MEMCPY_POINTER), FIELD_SLOT, "GuardMemcpyFunctionPointer"},
    {LC_FIELD(LC_UMA_FUNCTION_POINTERS), FIELD_UMA, "UmaFunctionPointers"},
};

static const struct lc_field guard_flags_field = LC_FIELD(LC_GUARD_FLAGS);

bool load_config_open(const struct image *image, struct window *window, const char **problem)
{
    const struct directory *directory = image_directory(image, DIR_LOAD_CONFIG);
    *problem = NULL;
    if (!directory)
        return false;
    uint32_t nbytes;
    if (!window_from_rva(image, directory->rva, window) || !span_u32(window->bytes, LC_SIZE, &nbytes)) {
        *problem = "The load configuration has no bytes in the file.";
        return false;
    }
    if (nbytes == 0) /* linkers before Windows XP left it 0 and had the directory tell */
        nbytes = directory->nbytes;
    if (nbytes < window->bytes.nbytes)
        window->bytes.nbytes = nbytes;
    return true;
}

uint64_t load_config_value(const struct image *image, const struct window *window, struct lc_field field,
                           unsigned width_nbytes)
{
    uint16_t offset = load_config_offset(image, field);
    return range_fits(window->bytes.nbytes, offset, width_nbytes)
               ? load_width(window->bytes.bytes + offset, width_nbytes)
               : 0;
}

uint32_t load_config_pointer(const struct image *image, const struct window *window, struct lc_field field)
{
    uint32_t rva;
    uint64_t va = load_config_value(image, window, field, image_pointer_nbytes(image));
    return va != 0 && image_va_to_rva(image, va, &rva) ? rva : 0;
}

const char *load_config_field_name(const struct image *image, uint16_t detail)
{
    for (size_t i = 0; i < sizeof load_config_fields / sizeof load_config_fields[0]; i++)
        if (load_config_offset(image, load_config_fields[i].field) == detail)
            return load_config_fields[i].name;
    return "field";
}

static bool is_written_by_loader(enum field_kind kind)
{
    return kind == FIELD_SLOT || kind == FIELD_COOKIE || kind == FIELD_UMA;
}

/* Where the section that holds the dynamic relocations begins; 0 when its number is not a section's. */
static uint32_t dvrt_section_rva(const struct image *image, const struct window *window)
{
    struct lc_field field = LC_FIELD(LC_DVRT_SECTION);
    uint32_t number = (uint32_t)load_config_value(image, window, field, 2);
    return number >= 1 && number <= image->section_count ? image->sections[number - 1].rva : 0;
}

static struct ref_spec field_spec(const struct image *image, const struct window *window,
                                  const struct load_config_field *field)
{
    struct ref_spec spec = {.source = SOURCE_LOAD_CONFIG,
                            .encoding = REF_VA,
                            .width_nbytes = image_pointer_nbytes(image),
                            .detail = load_config_offset(image, field->field)};
    switch ((enum field_kind)field->kind) {
    case FIELD_RVA:
        spec.encoding = REF_RVA;
        spec.width_nbytes = 4;
        break;
    case FIELD_DVRT_OFFSET:
        spec.encoding = REF_OFFSET;
        spec.width_nbytes = 4;
        spec.base_rva = dvrt_section_rva(image, window);
        spec.is_constant = spec.base_rva == 0;
        break;
    case FIELD_DVRT_SECTION:
        spec.encoding = REF_SECTION_INDEX;
        spec.width_nbytes = 2;
        break;
    case FIELD_CODE:
        spec.flags = REF_FLAG_CODE_TARGET;
        break;
    case FIELD_SLOT:
    case FIELD_COOKIE:
    case FIELD_UMA:
        spec.flags = REF_FLAG_LOADER_WRITES;
        break;
    case FIELD_POINTER:
    case FIELD_UNREAD:
        break;
    }
    return spec;
}

static bool add_written_extent(struct refset *refs, enum field_kind kind, uint32_t rva)
{
    unsigned pointer_nbytes = image_pointer_nbytes(refs->image);
    switch (kind) {
    case FIELD_SLOT:
        return refset_extent(refs, rva, pointer_nbytes, EXTENT_GUARD_SLOT, SOURCE_LOAD_CONFIG);
    case FIELD_UMA:
        return refset_extent(refs, rva, UMA_TABLE_NBYTES, EXTENT_GUARD_SLOT, SOURCE_LOAD_CONFIG);
    case FIELD_COOKIE:
        return refset_extent(refs, rva, pointer_nbytes, EXTENT_SECURITY_COOKIE, SOURCE_LOAD_CONFIG);
    default:
        return true;
    }
}

static bool collect_field(struct refset *refs, const struct window *window,
                          const struct load_config_field *field)
{
    const struct image *image = refs->image;
    enum field_kind kind = (enum field_kind)field->kind;
    struct ref_spec spec = field_spec(image, window, field);
    if (!range_fits(window->bytes.nbytes, spec.detail, spec.width_nbytes))
        return true; /* this load configuration is older than the field */
    uint32_t guard_flags = (uint32_t)load_config_value(image, window, guard_flags_field, 4);
    if (kind == FIELD_COOKIE && (guard_flags & GUARD_FLAG_COOKIE_UNUSED) != 0)
        spec.flags = 0;
    if (!window_add(refs, window, spec.detail, spec))
        return false;
    uint32_t rva = spec.encoding == REF_VA ? load_config_pointer(image, window, field->field) : 0;
    if (rva == 0)
        return true;
    if (kind == FIELD_UNREAD)
        return refset_limit(refs, SOURCE_LOAD_CONFIG, rva, NO_FILE_OFFSET,
                            "%s of the load configuration is set; the addresses in the data at RVA 0x%X are "
                            "not read.",
                            field->name, rva);
    return !is_written_by_loader(kind) || spec.flags == 0 || add_written_extent(refs, kind, rva);
}

/* Fields that its Size promises and the section does not hold are not read. */
static bool tell_if_cut(struct refset *refs, const struct window *window)
{
    struct span section = image_run_at_rva(refs->image, window->rva);
    uint32_t nbytes;
    if (!span_u32(section, LC_SIZE, &nbytes) || nbytes <= section.nbytes)
        return true;
    return refset_problem(refs, SOURCE_LOAD_CONFIG, window->rva, window->foff,
                          "The load configuration at RVA 0x%X runs past the end of its section.",
                          window->rva);
}

bool refs_collect_load_config(struct refset *refs)
{
    struct window window;
    const char *problem;
    if (!load_config_open(refs->image, &window, &problem))
        return !problem || refset_problem(refs, SOURCE_LOAD_CONFIG, NO_RVA, NO_FILE_OFFSET, "%s", problem);
    if (!tell_if_cut(refs, &window))
        return false;
    for (size_t i = 0; i < sizeof load_config_fields / sizeof load_config_fields[0]; i++)
        if (!collect_field(refs, &window, &load_config_fields[i]))
            return false;
    struct lc_field hot_patch = LC_FIELD(LC_HOT_PATCH_TABLE_OFFSET);
    if (load_config_value(refs->image, &window, hot_patch, 4) != 0 &&
        !refset_limit(refs, SOURCE_LOAD_CONFIG, window.rva, window.foff,
                      "The image has a hot-patch table; the addresses in it are not read."))
        return false;
    return refset_extent(refs, window.rva, (uint32_t)window.bytes.nbytes, EXTENT_LOAD_CONFIG,
                         SOURCE_LOAD_CONFIG);
}
