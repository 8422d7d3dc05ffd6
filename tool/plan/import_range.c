/* import_range.c - data directory 12 of the new image.
 * Takes: pieces with their new places.  Gives: layout->iat_rva and iat_nbytes when the import address table
 * leaves. Must not: place anything.
 *
 * Windows opens exactly that range for writing, so it has to hold every thunk array; and it counts slots from
 * its begin (import optimisation), so it has to begin where it began. */
#include "plan/rewrite.h"

#include <inttypes.h>

static const char cure_scattered[] =
    "Let the linker keep the import address table in one piece (no /MERGE of .idata).";

/* Thunk arrays that leave with other data keep the directory that they have, if it is one. */
static bool check_range_of_data(struct rewrite *rewrite)
{
    const struct directory *directory = image_directory(rewrite->image, DIR_IAT);
    for (size_t i = 0; i < rewrite->refs->extent_count; i++) {
        const struct extent *extent = &rewrite->refs->extents[i];
        const struct piece *piece =
            extent->kind == EXTENT_IAT ? layout_piece_at(rewrite->layout, extent->rva) : NULL;
        if (!piece || piece_delta(piece) == rewrite->layout->uniform_delta)
            continue;
        if (directory && (extent->rva < directory->rva ||
                          !range_fits(directory->nbytes, extent->rva - directory->rva, extent->nbytes)))
            return rewrite_refuse(rewrite, extent->rva, directory->entry_foff, cure_scattered,
                                  "Directory 12 does not hold the thunk array at RVA 0x%" PRIX32 ".",
                                  extent->rva);
        if (directory && directory->nbytes != 0 &&
            piece_delta(layout_piece_at(rewrite->layout, directory->rva + directory->nbytes - 1)) !=
                piece_delta(piece))
            return rewrite_refuse(rewrite, extent->rva, directory->entry_foff, cure_scattered,
                                  "Directory 12 reaches over a border where the image has to be cut.");
    }
    return true;
}

/* An array without slots has no bytes that leave, but the loader looks at its place all the same. */
static bool check_empty_arrays(struct rewrite *rewrite, const struct piece *leaving)
{
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        if (ref->source != SOURCE_IMPORTS || ref->detail != DETAIL_IMPORT_IAT_FIELD ||
            ref->state == REF_NULL ||
            (ref->target >= leaving->old_rva && ref->target < piece_end_rva(leaving)))
            continue;
        const struct section *section = image_section_at_rva(rewrite->image, ref->target);
        bool stays =
            piece_delta(layout_piece_at(rewrite->layout, ref->target)) == rewrite->layout->uniform_delta;
        if (stays && section && (section->characteristics & SCN_MEM_EXECUTE))
            return rewrite_refuse(rewrite, ref->target, ref->site_foff, cure_scattered,
                                  "The thunk array at RVA 0x%" PRIX32 " would stay in executable memory.",
                                  ref->target);
    }
    return true;
}

bool import_range_choose(struct rewrite *rewrite)
{
    struct layout *layout = rewrite->layout;
    const struct directory *directory = image_directory(rewrite->image, DIR_IAT);
    const struct piece *leaving = NULL;
    for (size_t i = 0; i < layout->piece_count; i++) {
        const struct piece *piece = &layout->pieces[i];
        if (piece->kind != PIECE_IAT)
            continue;
        if (leaving)
            return rewrite_refuse(rewrite, piece->old_rva, NO_FILE_OFFSET, cure_scattered,
                                  "The import address table lies in more than one place (RVA 0x%" PRIX32
                                  " and RVA 0x%" PRIX32 ").",
                                  leaving->old_rva, piece->old_rva);
        leaving = piece;
    }
    if (!leaving)
        return check_range_of_data(rewrite);
    uint32_t begin_rva = directory ? directory->rva : UINT32_MAX;
    uint32_t end_rva = directory ? directory->rva + directory->nbytes : 0;
    for (size_t i = 0; i < rewrite->refs->extent_count; i++) {
        const struct extent *extent = &rewrite->refs->extents[i];
        if (extent->kind != EXTENT_IAT)
            continue;
        begin_rva = extent->rva < begin_rva ? extent->rva : begin_rva;
        end_rva = extent->rva + extent->nbytes > end_rva ? extent->rva + extent->nbytes : end_rva;
    }
    if (begin_rva < leaving->old_rva || end_rva > piece_end_rva(leaving))
        return rewrite_refuse(rewrite, begin_rva, NO_FILE_OFFSET, cure_scattered,
                              "Thunk arrays lie from RVA 0x%" PRIX32 " to RVA 0x%" PRIX32
                              ", but only RVA 0x%" PRIX32 " to RVA 0x%" PRIX32 " can leave as one.",
                              begin_rva, end_rva, leaving->old_rva, piece_end_rva(leaving));
    for (size_t i = 0; directory && begin_rva != directory->rva && i < rewrite->refs->ref_count; i++)
        if (rewrite->refs->refs[i].source == SOURCE_DVRT)
            return rewrite_refuse(
                rewrite, begin_rva, directory->entry_foff, cure_scattered,
                "Directory 12 does not begin with the first thunk array, and dynamic relocations "
                "count from it.");
    layout->iat_rva = leaving->new_rva + (begin_rva - leaving->old_rva);
    layout->iat_nbytes = end_rva - begin_rva;
    return check_empty_arrays(rewrite, leaving);
}
