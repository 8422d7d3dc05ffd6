/* refs_exception.c - the exception table: what x64 and ARM64 have in common.
 * Takes: directory 3.  Gives: SOURCE_EXCEPTION, SOURCE_UNWIND, SOURCE_HANDLER_DATA.
 * Must not: demand order. Other machines' tables are not read, and a problem says so. */
#include "refs/refs_exception.h"

bool exception_begin_info(struct exception_walk *walk, uint64_t foff)
{
    if (foff > walk->infos.last_foff)
        walk->infos.last_foff = foff;
    return site_set_add(&walk->infos.starts, foff);
}

bool exception_add_rva(struct exception_walk *walk, const struct window *window, uint64_t offset,
                       enum ref_source source, uint16_t detail, uint8_t flags)
{
    struct ref_spec spec = {
        .source = source, .encoding = REF_RVA, .width_nbytes = 4, .flags = flags, .detail = detail};
    bool is_wanted = source == SOURCE_EXCEPTION ? walk->adds_functions : walk->adds_unwind;
    return !is_wanted || window_add(walk->refs, window, offset, spec);
}

bool exception_add_handler(struct exception_walk *walk, const struct window *info, uint64_t offset,
                           uint32_t function_rva, uint32_t frame_nbytes)
{
    uint32_t handler_rva;
    if (!span_u32(info->bytes, offset, &handler_rva))
        return refset_problem(walk->refs, SOURCE_UNWIND, info->rva, info->foff,
                              "The unwind info at RVA 0x%X runs past the end of its section.", info->rva);
    struct handler_use use = {handler_rva, info->rva + (uint32_t)offset + 4, function_rva, frame_nbytes};
    return exception_add_rva(walk, info, offset, SOURCE_UNWIND, DETAIL_HANDLER, REF_FLAG_CODE_TARGET) &&
           handler_uses_add(walk->refs, &walk->uses, &use);
}

/* The records as far as the directory and the file go. False when memory ran out. */
static bool open_table(struct exception_walk *walk, const struct directory *directory, uint32_t record_nbytes)
{
    struct refset *refs = walk->refs;
    uint64_t nbytes = directory->nbytes - directory->nbytes % record_nbytes;
    if (!window_from_rva(refs->image, directory->rva, &walk->table))
        return refset_problem(refs, SOURCE_EXCEPTION, directory->rva, NO_FILE_OFFSET,
                              "The exception table at RVA 0x%X has no bytes in the file.", directory->rva);
    if (nbytes > walk->table.bytes.nbytes) {
        nbytes = walk->table.bytes.nbytes - walk->table.bytes.nbytes % record_nbytes;
        if (!refset_problem(refs, SOURCE_EXCEPTION, directory->rva, walk->table.foff,
                            "The exception table has 0x%X bytes, but the file holds only 0x%llX.",
                            directory->nbytes, (unsigned long long)nbytes))
            return false;
    }
    walk->table = window_part(&walk->table, 0, nbytes);
    return refset_extent(refs, directory->rva, (uint32_t)nbytes, EXTENT_PDATA, SOURCE_EXCEPTION) &&
           site_set_init(&walk->infos.starts, refs->arena, refs->image->file.nbytes);
}

bool refs_collect_exception(struct refset *refs)
{
    const struct directory *directory = image_directory(refs->image, DIR_EXCEPTION);
    struct exception_walk walk = {
        .refs = refs,
        .table = {.rva = NO_RVA},
        .adds_functions = refset_wants(refs, SOURCE_EXCEPTION),
        .adds_unwind = refset_wants(refs, SOURCE_UNWIND),
    };
    if (!directory)
        return true;
    bool has_memory;
    switch (refs->image->machine) {
    case MACHINE_AMD64:
        has_memory = open_table(&walk, directory, RUNTIME_FUNCTION_NBYTES) && exception_collect_x64(&walk);
        break;
    case MACHINE_ARM64:
        has_memory =
            open_table(&walk, directory, ARM64_RUNTIME_FUNCTION_NBYTES) && exception_collect_arm64(&walk);
        break;
    default:
        return refset_limit(refs, SOURCE_EXCEPTION, directory->rva, NO_FILE_OFFSET,
                            "The exception table of this machine is not read.");
    }
    if (!has_memory)
        return false;
    if (walk.unread_version_count != 0 &&
        !refset_limit(refs, SOURCE_UNWIND, walk.first_unread_rva, NO_FILE_OFFSET,
                      "%u unwind infos (the first at RVA 0x%X) are of a version that is not read.",
                      walk.unread_version_count, walk.first_unread_rva))
        return false;
    return !refset_wants(refs, SOURCE_HANDLER_DATA) ||
           refs_collect_handler_data(refs, &walk.uses, &walk.infos);
}
