/* integrity_file_code.c - files that are mapped as code (HVCI2302).
 * Takes: calls of ZwCreateSection and its kin.  Gives: places where SEC_IMAGE, or an executable protection
 * together with a file, is asked for.  Must not: judge sections that no file backs (HVCI2001 does). */
#include "calls/integrity.h"

#include "calls/calls_internal.h"

#include <string.h>

enum { SECTION_PROTECTION = 4, SECTION_ATTRIBUTES = 5, SECTION_FILE = 6 };
enum { SEC_IMAGE = 0x1000000, PAGE_EXECUTE_ANY = 0xF0 };

enum has_bits { HAS_NONE, HAS_SOME, HAS_ALL };

/* Do all values, some, or none have a bit of the mask for certain? */
static bool look_for(struct call_search *search, const struct call_record *call, int argument, uint64_t mask,
                     enum has_bits *has)
{
    struct leaves leaves;
    size_t with = 0;
    if (!search_leaves(search, search_argument(search, call, argument, argument), call->function_rva,
                       &leaves))
        return false;
    for (size_t i = 0; i < leaves.count; i++)
        with += leaves.items[i].kind == LEAF_BITS &&
                (leaves.items[i].value & leaves.items[i].known_bits & mask) != 0;
    *has = with == 0 ? HAS_NONE : with == leaves.count && !leaves.is_full ? HAS_ALL : HAS_SOME;
    return true;
}

static bool has_no_file(struct call_search *search, const struct call_record *call, bool *result)
{
    struct leaves leaves;
    if (!search_leaves(search, search_argument(search, call, SECTION_FILE, SECTION_FILE), call->function_rva,
                       &leaves))
        return false;
    *result = leaves.count == 1 && leaves.items[0].kind == LEAF_BITS &&
              leaves.items[0].known_bits == UINT64_MAX && leaves.items[0].value == 0;
    return true;
}

static bool judge(struct call_search *search, const struct call_record *call, const char *name)
{
    enum has_bits image, executable;
    bool is_without_file;
    if (!look_for(search, call, SECTION_ATTRIBUTES, SEC_IMAGE, &image) ||
        !look_for(search, call, SECTION_PROTECTION, PAGE_EXECUTE_ANY, &executable) ||
        !has_no_file(search, call, &is_without_file))
        return false;
    if (image == HAS_NONE && (executable == HAS_NONE || is_without_file))
        return true;
    bool is_proved = image == HAS_ALL;
    return integrity_add(search,
                         (struct integrity_site){
                             .rva = call->site_rva,
                             .function_rva = call->function_rva,
                             .code = HVCI2302_FILE_AS_CODE,
                             .verdict = is_proved ? SITE_EXECUTABLE : SITE_DEPENDS,
                             .api = name,
                             .what = image != HAS_NONE ? "maps a file as an image (SEC_IMAGE)"
                                                       : "asks for an executable view of a file",
                             .reason = is_proved ? NULL
                                       : image == HAS_SOME
                                           ? "not every value that reaches AllocationAttributes has SEC_IMAGE"
                                           : "whether it is given a file is not known"});
}

bool integrity_file_code(struct call_search *search)
{
    for (size_t i = 0; i < search->records.call_count; i++) {
        struct call_record call = search->records.calls[i];
        const struct import *import = call.is_thunk ? NULL : search_called_import(search, &call);
        if (!import || !import->name)
            continue;
        bool is_it =
            strcmp(import->name, "ZwCreateSection") == 0 || strcmp(import->name, "NtCreateSection") == 0;
        if (is_it && !judge(search, &call, import->name))
            return false;
    }
    return true;
}
