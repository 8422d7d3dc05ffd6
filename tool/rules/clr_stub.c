/* clr_stub.c - the import stub that compilers put into managed images.
 * Takes: image and import references.  Gives: yes or no.  Must not: judge.
 * A managed x86 image holds one native instruction, a jump through its only import, for systems that do not
 * know the CLR; compilers place that slot at the start of .text. Nobody chose it with a linker option. */
#include "rules/clr_stub.h"

enum { LONGEST_COMPARED_NBYTES = 32, HINT_NBYTES = 2 };

/* The name at rva equals `expected` (lower case) once lower-cased, when ignore_case; else exactly. */
static bool string_equals(const struct image *image, uint32_t rva, const char *expected, bool ignore_case)
{
    struct span text;
    if (!image_string_at_rva(image, rva, LONGEST_COMPARED_NBYTES, &text) || text.nbytes != strlen(expected))
        return false;
    for (size_t i = 0; i < text.nbytes; i++) {
        char c = (char)text.bytes[i];
        if (ignore_case && c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != expected[i])
            return false;
    }
    return true;
}

bool image_has_clr_stub(const struct rule_input *input, const char **import_name)
{
    static const char *const entry_names[] = {"_CorExeMain", "_CorDllMain"};
    const struct image *image = input->image;
    if (!image->is_managed)
        return false;

    const struct extent *iat = NULL;
    for (size_t i = 0; i < input->refs->extent_count; i++) {
        const struct extent *extent = &input->refs->extents[i];
        if (extent->kind != EXTENT_IAT)
            continue;
        if (iat || extent->nbytes > 2 * image_pointer_nbytes(image))
            return false;
        iat = extent;
    }
    if (!iat)
        return false;

    bool is_mscoree = false;
    const char *found = NULL;
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (ref->source != SOURCE_IMPORTS || ref->state != REF_RESOLVED)
            continue;
        if (ref->detail == DETAIL_IMPORT_MODULE_NAME)
            is_mscoree = string_equals(image, ref->target, "mscoree.dll", true);
        else if (ref->site_rva == iat->rva)
            for (size_t k = 0; k < sizeof entry_names / sizeof *entry_names; k++)
                if (string_equals(image, ref->target + HINT_NBYTES, entry_names[k], false))
                    found = entry_names[k];
    }
    if (!is_mscoree || !found)
        return false;
    *import_name = found;
    return true;
}
