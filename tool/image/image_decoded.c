/* image_decoded.c - can the code of an image be read here?
 * Takes: a read image.  Gives: yes, or why not.  Must not: look at code.
 * The machine of the header does not tell alone: a hybrid image for x64 programs (ARM64EC) says x64 and holds
 * ARM64 code, and CHPE images say x86. Their load configuration names metadata that tell which bytes are
 * which. Source: public winnt.h (IMAGE_LOAD_CONFIG_DIRECTORY, CHPEMetadataPointer). */
#include "image/image.h"

bool image_is_hybrid(const struct image *image)
{
    const struct directory *directory = image_directory(image, DIR_LOAD_CONFIG);
    uint32_t at = image_pick(image, LC_CHPE_METADATA_32, LC_CHPE_METADATA_64);
    unsigned width_nbytes = image_pointer_nbytes(image);
    uint32_t nbytes;
    if (!directory)
        return false;
    struct span run = image_run_at_rva(image, directory->rva);
    if (!span_u32(run, LC_SIZE, &nbytes))
        return false;
    if (nbytes == 0) /* linkers before Windows XP left it 0 and had the directory tell */
        nbytes = directory->nbytes;
    return range_fits(nbytes, at, width_nbytes) && range_fits(run.nbytes, at, width_nbytes) &&
           load_width(run.bytes + at, width_nbytes) != 0;
}

bool image_is_decoded(const struct image *image, struct arena *arena, const char **reason)
{
    *reason = NULL;
    if (image->machine != MACHINE_AMD64 && image->machine != MACHINE_I386)
        *reason = arena_printf(arena, "there is no decoder here for %s code", image_machine_name(image));
    else if (image_is_hybrid(image))
        *reason = "the image is hybrid, and which of its code is for which machine is not read here";
    else
        return true;
    return false;
}
