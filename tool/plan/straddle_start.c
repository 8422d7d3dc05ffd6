/* straddle_start.c - which functions the stub stands in front of, so that it runs before anything of the
 * image. Takes: headers, exports, TLS, load configuration.  Gives: repair->stubs, repair->guard.
 * Must not: place anything.
 *
 * The kernel enters a driver at its entry point. What others import from may be entered at DllInitialize
 * instead, or without it, at any export: then nothing says when the first code of it runs. */
#include "plan/straddle_parts.h"

#include <inttypes.h>

enum { GUARD_ENTRY_NBYTES = 4 };

static const char cure_start[] =
    "Give the structures natural packing (no #pragma pack; pointers first), so that nothing has to be "
    "relocated at start.";

static bool refuse_start(struct straddle_plan *plan, uint32_t rva, const char *why)
{
    return rewrite_refuse(plan->rewrite, rva, NO_FILE_OFFSET, cure_start,
                          "Base relocations cross page boundaries in data, and a start-up stub cannot apply "
                          "them: %s.",
                          why);
}

static bool has_tls_callbacks(const struct rewrite *rewrite)
{
    const struct image *image = rewrite->image;
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        if (ref->source == SOURCE_TLS && ref->state != REF_NULL && (ref->flags & REF_FLAG_CODE_TARGET) &&
            ref->detail == image_pick(image, TLS_CALLBACKS_32, TLS_CALLBACKS_64))
            return true;
    }
    return false;
}

static bool add_stub(struct straddle_plan *plan, uint32_t function_rva, uint32_t site_foff, const char *what)
{
    if (code_class_at(plan->rewrite->code, function_rva) != BYTE_INSTRUCTION)
        return refuse_start(plan, function_rva,
                            arena_printf(plan->rewrite->arena, "%s (RVA 0x%" PRIX32 ") is not decoded code",
                                         what, function_rva));
    plan->repair->stubs[plan->repair->stub_count++] =
        (struct start_stub){.function_old_rva = function_rva, .site_foff = site_foff, .what = what};
    return true;
}

/* Field of the load configuration; false when it is too short to have it. */
static bool config_field(const struct image *image, struct span config, uint32_t offset_32,
                         uint32_t offset_64, unsigned nbytes, uint64_t *value)
{
    uint32_t offset = image_pick(image, offset_32, offset_64);
    if (!range_fits(config.nbytes, offset, nbytes))
        return false;
    *value = load_width(config.bytes + offset, nbytes);
    return true;
}

/* The entry point is called through a pointer, so it has to be in the table of functions that may be. */
static bool read_guard_table(struct straddle_plan *plan)
{
    const struct image *image = plan->rewrite->image;
    const struct directory *directory = image_directory(image, DIR_LOAD_CONFIG);
    unsigned width = image_pointer_nbytes(image);
    uint64_t va, count, flags;
    if (!(image->dll_characteristics & DLLCHAR_GUARD_CF) || !directory)
        return true;
    struct span config = image_run_at_rva(image, directory->rva);
    uint32_t size, rva, foff;
    if (!span_u32(config, LC_SIZE, &size))
        return true; /* no bytes: Windows finds no table either */
    if (size != 0 && size < config.nbytes)
        config.nbytes = size;
    if (!config_field(image, config, LC_GUARD_CF_FUNCTION_TABLE_32, LC_GUARD_CF_FUNCTION_TABLE_64, width,
                      &va) ||
        !config_field(image, config, LC_GUARD_CF_FUNCTION_COUNT_32, LC_GUARD_CF_FUNCTION_COUNT_64, width,
                      &count) ||
        !config_field(image, config, LC_GUARD_FLAGS_32, LC_GUARD_FLAGS_64, 4, &flags) || va == 0 ||
        count == 0)
        return true;
    uint32_t stride_nbytes = GUARD_ENTRY_NBYTES + (uint32_t)(flags >> GUARD_FLAG_STRIDE_SHIFT);
    struct span table;
    uint32_t count_rva =
        directory->rva + image_pick(image, LC_GUARD_CF_FUNCTION_COUNT_32, LC_GUARD_CF_FUNCTION_COUNT_64);
    if (count > image->image_nbytes / stride_nbytes || !image_va_to_rva(image, va, &rva) ||
        !image_bytes_at_rva(image, rva, (uint32_t)count * stride_nbytes, &table) ||
        layout_piece_at(plan->rewrite->layout, rva) !=
            layout_piece_at(plan->rewrite->layout, rva + (uint32_t)table.nbytes - 1) ||
        layout_piece_at(plan->rewrite->layout, count_rva) !=
            layout_piece_at(plan->rewrite->layout, count_rva + width - 1) ||
        !image_rva_to_foff(image, directory->rva, (uint32_t)config.nbytes, &foff))
        return refuse_start(plan, directory->rva, "the table of guarded functions cannot be read whole");
    plan->repair->guard = (struct guard_copy){
        .old_rva = rva,
        .count = (uint32_t)count,
        .stride_nbytes = stride_nbytes,
        .pointer_foff =
            foff + image_pick(image, LC_GUARD_CF_FUNCTION_TABLE_32, LC_GUARD_CF_FUNCTION_TABLE_64),
        .count_foff = foff + image_pick(image, LC_GUARD_CF_FUNCTION_COUNT_32, LC_GUARD_CF_FUNCTION_COUNT_64)};
    return true;
}

bool straddle_wrap_start(struct straddle_plan *plan)
{
    struct rewrite *rewrite = plan->rewrite;
    const struct image *image = rewrite->image;
    struct export_facts exports;
    if (has_tls_callbacks(rewrite))
        return refuse_start(plan, NO_RVA, "the image has TLS callbacks, which run before its entry point");
    if (!straddle_read_exports(plan, &exports))
        return false;
    if ((exports.has_others || (image->coff_characteristics & COFF_DLL)) && exports.initialize_rva == 0)
        return refuse_start(plan, NO_RVA,
                            "other images can import from this one and enter it before its entry point runs, "
                            "and it exports no DllInitialize, which Windows would call first");
    if (image->entry_rva == 0)
        return refuse_start(plan, NO_RVA, "the image has no entry point");
    return add_stub(plan, image->entry_rva, image->opt_foff + OPT_ADDRESS_OF_ENTRY_POINT,
                    "the entry point") &&
           (exports.initialize_rva == 0 ||
            add_stub(plan, exports.initialize_rva, exports.initialize_foff, "DllInitialize")) &&
           read_guard_table(plan);
}
