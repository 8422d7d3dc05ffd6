/* ref_encoding.c - what a stored value points at, and what would have to be stored instead.
 * Takes: stored values and targets.  Gives: targets and stored values; the two are each other's inverse.
 * Must not: read or write the file. */
#include "refs/refs_sources.h"

#define LOW_31_BITS UINT32_C(0x7FFFFFFF)

enum ref_state refs_classify_rva(const struct image *image, uint64_t rva, bool zero_is_null)
{
    if (rva == 0 && zero_is_null)
        return REF_NULL;
    if (rva > UINT32_MAX)
        return REF_OUTSIDE;
    if (image_section_at_rva(image, (uint32_t)rva))
        return REF_RESOLVED;
    if (rva < image->headers_nbytes)
        return REF_HEADERS;
    if (image_section_at_rva(image, (uint32_t)rva - 1))
        return REF_SECTION_END;
    return rva < image->image_nbytes ? REF_GAP : REF_OUTSIDE;
}

/* refs_classify_rva(), asking the section of the last target first. */
static enum ref_state classify(struct refset *refs, uint32_t rva)
{
    const struct section *near = refs->near_section;
    if (near && rva - near->rva < near->memory_nbytes)
        return REF_RESOLVED;
    refs->near_section = image_section_at_rva(refs->image, rva);
    return refs->near_section ? REF_RESOLVED : refs_classify_rva(refs->image, rva, false);
}

/* A stored 0 means "nothing here", except where the loader adds to it whatever it is, and where 0 is a
 * page like any other. */
static bool zero_means_nothing(const struct ref_spec *spec)
{
    if (spec->source == SOURCE_BASERELOCS || spec->source == SOURCE_RELOCATED || spec->source == SOURCE_DVRT)
        return false;
    switch (spec->encoding) {
    case REF_VA:
    case REF_RVA:
    case REF_RVA_FLAGS:
    case REF_FOFF:
    case REF_SECTION_INDEX:
        return true;
    default:
        return false;
    }
}

static uint32_t sign_extended(uint64_t stored, unsigned width_nbytes)
{
    switch (width_nbytes) {
    case 1:
        return (uint32_t)(int32_t)(int8_t)(uint8_t)stored;
    case 2:
        return (uint32_t)(int32_t)(int16_t)(uint16_t)stored;
    default:
        return (uint32_t)stored;
    }
}

static struct ref_target decode_va(struct refset *refs, uint64_t stored)
{
    struct ref_target result = {(uint32_t)(stored - refs->image->image_base_va), REF_OUTSIDE};
    uint32_t rva;
    if (image_va_to_rva(refs->image, stored, &rva))
        result.state = classify(refs, rva);
    return result;
}

static struct ref_target decode_foff(const struct image *image, uint32_t foff)
{
    return (struct ref_target){foff, foff < image->file.nbytes ? REF_RESOLVED : REF_OUTSIDE};
}

static struct ref_target decode_section_index(const struct image *image, uint16_t number)
{
    enum ref_state state = REF_OUTSIDE;
    if (number <= image->section_count)
        state = REF_RESOLVED;
    else if (number >= 0xFFFE) /* IMAGE_SYM_ABSOLUTE, IMAGE_SYM_DEBUG */
        state = REF_CONSTANT;
    return (struct ref_target){number, state};
}

struct ref_target ref_decode(struct refset *refs, const struct ref_spec *spec, uint64_t stored)
{
    if (stored == 0 && zero_means_nothing(spec))
        return (struct ref_target){0, REF_NULL};
    uint32_t target;
    switch (spec->encoding) {
    case REF_VA:
        return decode_va(refs, stored);
    case REF_FOFF:
        return decode_foff(refs->image, (uint32_t)stored);
    case REF_SECTION_INDEX:
        return decode_section_index(refs->image, (uint16_t)stored);
    case REF_SIZE:
        return (struct ref_target){spec->base_rva, refs_classify_rva(refs->image, spec->base_rva, true)};
    case REF_RVA:
        target = (uint32_t)stored & (spec->width_nbytes == 8 ? LOW_31_BITS : UINT32_MAX);
        break;
    case REF_RVA_FLAGS:
        target = (uint32_t)stored & ~UINT32_C(3);
        break;
    case REF_PCREL:
    case REF_LABEL_DIFF:
        target = spec->base_rva + sign_extended(stored, spec->width_nbytes);
        break;
    case REF_OFFSET:
        target = spec->base_rva + ((uint32_t)stored & LOW_31_BITS);
        break;
    case REF_PAGE_12:
        target = spec->base_rva + ((uint32_t)stored & 0xFFF);
        break;
    case REF_PAGE_10X4:
        target = spec->base_rva + 4 * ((uint32_t)stored & 0x3FF);
        break;
    case REF_IMAGE_REL:
    case REF_ARM64_INSTRUCTION:
    default:
        target = (uint32_t)stored;
        break;
    }
    return (struct ref_target){target, classify(refs, target)};
}

static bool fits_signed(uint32_t difference, unsigned width_nbytes)
{
    return sign_extended(difference, width_nbytes) == difference;
}

static uint64_t width_mask(unsigned width_nbytes)
{
    return width_nbytes >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * width_nbytes)) - 1;
}

static bool encode_va(const struct image *image, const struct ref *ref, uint64_t stored, uint32_t new_target,
                      uint64_t *value)
{
    uint64_t mask = width_mask(ref->width_nbytes);
    if (ref->state == REF_OUTSIDE) {
        uint64_t delta = (uint64_t)((int64_t)new_target - (int64_t)ref->target);
        *value = (stored + delta) & mask;
        return true;
    }
    *value = image->image_base_va + new_target;
    return (*value & ~mask) == 0;
}

/* `kept` are the bits of the field that are not part of the number. */
static bool encode_field(uint64_t stored, uint64_t kept, uint64_t number, unsigned width_nbytes,
                         uint64_t *value)
{
    *value = (stored & kept) | number;
    return (number & (kept | ~width_mask(width_nbytes))) == 0;
}

bool ref_encode(const struct image *image, const struct ref *ref, uint64_t stored, uint32_t new_target,
                uint32_t new_base, uint64_t *value)
{
    unsigned width = ref->width_nbytes;
    uint32_t difference = new_target - new_base;
    if (ref->state == REF_NULL || ref->state == REF_CONSTANT || ref->encoding == REF_SIZE) {
        *value = stored;
        return true;
    }
    switch ((enum ref_encoding)ref->encoding) {
    case REF_VA:
        return encode_va(image, ref, stored, new_target, value);
    case REF_RVA:
        /* No image is that large, and the top bit of a thunk says "ordinal". */
        if (new_target > LOW_31_BITS && new_target != ref->target)
            return false;
        return encode_field(stored, width == 8 ? ~(uint64_t)LOW_31_BITS : 0, new_target, width, value);
    case REF_RVA_FLAGS:
        return encode_field(stored, 3, new_target, width, value);
    case REF_FOFF:
    case REF_IMAGE_REL:
    case REF_SECTION_INDEX:
        return encode_field(stored, 0, new_target, width, value);
    case REF_PCREL:
    case REF_LABEL_DIFF:
        *value = difference & width_mask(width);
        return fits_signed(difference, width);
    case REF_OFFSET:
        return encode_field(stored, width == 4 ? ~(uint64_t)LOW_31_BITS : 0, difference, width, value);
    case REF_PAGE_12:
        return encode_field(stored, ~UINT64_C(0xFFF), difference, width, value);
    case REF_PAGE_10X4:
        return (difference & 3) == 0 && encode_field(stored, ~UINT64_C(0x3FF), difference / 4, width, value);
    case REF_SIZE:
    case REF_ARM64_INSTRUCTION: /* no collector adds these yet: nothing may be stored on a guess */
        break;
    }
    return false;
}
