/* hvci2006_loader_data_executable.c - what else is written at load must not lie in an executable section.
 * Takes: load configuration fields, delay-load tables, thunk arrays; section headers.
 * Gives: one finding per executable section, one place a slot.
 * Must not: judge what directory 12 covers, or the thunk arrays of an image whose directory 12 is empty
 * (HVCI2005 does). */
#include "rules/clr_stub.h"
#include "rules/rule_parts.h"

#include <stdlib.h>

enum { MOST_SLOT_LINES = 48 };

/* Something that is written at load or by start-up code. */
struct loader_slot {
    const char *field; /* who names it */
    uint32_t rva;
    uint32_t section_index; /* of the executable section that holds it */
};

struct slot_list {
    struct loader_slot *items;
    size_t count, capacity;
    uint64_t seen_count; /* slots in any section */
};

/* Counts a slot and keeps it when its section is executable. False when memory ran out. */
static bool add_slot(const struct rule_input *input, struct slot_list *list, const char *field, uint32_t rva)
{
    const struct section *section = image_section_at_rva(input->image, rva);
    list->seen_count++;
    if (!section || !section_is_executable(section))
        return true;
    struct loader_slot *items =
        arena_grow(input->arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    items[list->count++] = (struct loader_slot){field, rva, section->index};
    return true;
}

/* Fields of the load configuration whose target the loader or start-up code writes. */
static bool collect_load_config(const struct rule_input *input, struct slot_list *list)
{
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (ref->source == SOURCE_LOAD_CONFIG && (ref->flags & REF_FLAG_LOADER_WRITES) != 0 &&
            ref->state != REF_NULL &&
            !add_slot(input, list, load_config_field_name(input->image, ref->detail), ref->target))
            return false;
    }
    return true;
}

/* True when directory 12 covers all slots of an array that begins inside it. The terminator is never written
 * and may lie outside. */
static bool is_covered(const struct image *image, const struct directory *iat, const struct extent *array)
{
    unsigned pointer_nbytes = image_pointer_nbytes(image);
    uint32_t slots_nbytes = array->nbytes;
    struct span last;
    if (slots_nbytes > pointer_nbytes &&
        image_bytes_at_rva(image, array->rva + slots_nbytes - pointer_nbytes, pointer_nbytes, &last) &&
        span_is_filled(last, 0))
        slots_nbytes -= pointer_nbytes;
    return range_fits(iat->nbytes, array->rva - iat->rva, slots_nbytes);
}

static bool begins_inside(const struct directory *iat, uint32_t rva)
{
    return rva >= iat->rva && rva - iat->rva < iat->nbytes;
}

/* Thunk arrays that directory 12, being there, does not cover: those that begin outside it as their
 * descriptors say, and those that begin inside and reach beyond. */
static bool collect_thunk_arrays(const struct rule_input *input, struct slot_list *list)
{
    static const char field[] = "import thunk array outside directory 12";
    const struct directory *iat = image_directory(input->image, DIR_IAT);
    const char *import_name;
    if (!iat || image_has_clr_stub(input, &import_name))
        return true;
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (ref->source == SOURCE_IMPORTS && ref->detail == DETAIL_IMPORT_IAT_FIELD &&
            !begins_inside(iat, ref->target) && !add_slot(input, list, field, ref->target))
            return false;
    }
    for (size_t i = 0; i < input->refs->extent_count; i++) {
        const struct extent *extent = &input->refs->extents[i];
        if (extent->kind == EXTENT_IAT && begins_inside(iat, extent->rva) &&
            !is_covered(input->image, iat, extent) && !add_slot(input, list, field, extent->rva))
            return false;
    }
    return true;
}

static bool collect_delay_tables(const struct rule_input *input, struct slot_list *list)
{
    for (size_t i = 0; i < input->refs->ref_count; i++) {
        const struct ref *ref = &input->refs->refs[i];
        if (ref->source == SOURCE_DELAY_IMPORTS && ref->detail == DETAIL_IMPORT_IAT_FIELD &&
            ref->state != REF_NULL && !add_slot(input, list, "delay-load import address table", ref->target))
            return false;
    }
    return true;
}

static int by_section_and_rva(const void *a, const void *b)
{
    const struct loader_slot *x = a, *y = b;
    if (x->section_index != y->section_index)
        return x->section_index < y->section_index ? -1 : 1;
    if (x->rva != y->rva)
        return x->rva < y->rva ? -1 : 1;
    return strcmp(x->field, y->field);
}

/* What to remove so that this kind of data stays out of executable sections. */
static const char *cure_words(const struct rule_input *input, const struct section *section)
{
    return arena_printf(
        input->arena,
        "Remove the option that merges data into %s: /MERGE:.rdata=%s or /MERGE:.00cfg=%s (guard slots, "
        "import "
        "thunks), /MERGE:.didat=%s (delay-load table) or /MERGE:.data=%s (security cookie), also in #pragma "
        "comment(linker, ...) and in Merge Sections of the project's Linker settings.",
        section->name, section->name, section->name, section->name, section->name);
}

/* One finding for the slots [first, end) of the sorted list, which share a section. */
static bool report(const struct rule_input *input, const struct slot_list *list, size_t first, size_t end)
{
    const struct loader_slot *slot = &list->items[first];
    const struct section *section = &input->image->sections[slot->section_index];
    size_t count = end - first;
    struct finding finding =
        count == 1
            ? finding_make(input->arena, HVCI2006_LOADER_DATA_EXECUTABLE,
                           rule_level(input->image, LEVEL_ERROR),
                           "Data that is written at load (%s at RVA 0x%X) lies in executable section %s.",
                           slot->field, slot->rva, section->name)
            : finding_make(input->arena, HVCI2006_LOADER_DATA_EXECUTABLE,
                           rule_level(input->image, LEVEL_ERROR),
                           "%zu pieces of data that are written at load (the first is %s at RVA 0x%X) lie in "
                           "executable section %s.",
                           count, slot->field, slot->rva, section->name);
    uint32_t foff;
    finding.section = section->name;
    finding.rva = slot->rva;
    finding.place_count = count;
    if (image_rva_to_foff(input->image, slot->rva, 1, &foff))
        finding.file_offset = foff;
    for (size_t i = first; i < end && i - first < MOST_SLOT_LINES; i++)
        finding_evidence(input->arena, &finding, "%s at %s.", list->items[i].field,
                         rva_words(input->arena, input->image, list->items[i].rva));
    if (count > MOST_SLOT_LINES)
        finding_evidence(input->arena, &finding, "%zu more slots lie there.", count - MOST_SLOT_LINES);
    finding_evidence(input->arena, &finding, "Section %s.", rule_describe_section(input->arena, section));
    finding.windows = rule_windows_words_or(
        input,
        "The loader or start-up code writes there, and with memory integrity an executable page cannot be "
        "written: the driver is not loaded, or stops the system when it starts. Driver Verifier's code "
        "0x2005 "
        "covers the IAT directory only and does not see this.",
        "Policy refuses it");
    finding.cure = cure_words(input, section);
    return finding_add(input->findings, &finding);
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    struct slot_list list = {0};
    if (!collect_load_config(input, &list) || !collect_thunk_arrays(input, &list) ||
        !collect_delay_tables(input, &list))
        return false;
    if (list.count > 1)
        qsort(list.items, list.count, sizeof *list.items, by_section_and_rva);
    for (size_t first = 0, end; first < list.count; first = end) {
        for (end = first + 1; end < list.count; end++)
            if (list.items[end].section_index != list.items[first].section_index)
                break;
        if (!report(input, &list, first, end))
            return false;
    }
    const char *unread = unread_words(input, hvci2006_loader_data_executable.needs);
    if (list.count > 0)
        return answer_fail(input, answer,
                           "%zu of %llu pieces of data that are written at load lie in executable sections.",
                           list.count, (unsigned long long)list.seen_count);
    if (list.seen_count == 0)
        return answer_not_applicable(
            input, answer,
            "The image names no guard slot, security cookie, delay-load table or thunk "
            "array outside directory 12.%s",
            unread);
    return answer_pass(
        input, answer,
        "None of %llu pieces of data that are written at load lies in an executable section.%s",
        (unsigned long long)list.seen_count, unread);
}

const struct rule hvci2006_loader_data_executable = {
    .code = HVCI2006_LOADER_DATA_EXECUTABLE,
    .name = "LoaderDataExecutable",
    .title = "other loader-written data is in an executable section",
    .default_level = "error",
    .needs = SOURCE_BIT(SOURCE_IMPORTS) | SOURCE_BIT(SOURCE_LOAD_CONFIG) | SOURCE_BIT(SOURCE_DELAY_IMPORTS),
    .judge = judge,
    .text =
        {
            .what =
                "What the loader or start-up code writes besides the import address table must not lie in an "
                "executable section either: the slots for control flow guard that the load configuration "
                "names, "
                "the security cookie, delay-load import tables, and thunk arrays that data directory 12 does "
                "not cover.",
            .windows =
                "With memory integrity an executable page cannot be written, so the load fails, or the "
                "driver stops the system when it first writes. Driver Verifier has no code of its own for "
                "this, and the HLK test \"HyperVisor Code Integrity Readiness\" no counter: code 0x2005 and "
                "\"IAT in Executable Section\" look at the IAT directory only.",
            .cure =
                "The causes are the same merges that move the import address table, and merges of writable "
                "data.\n"
                "- link.exe and lld-link: remove /MERGE:.rdata=.text and /MERGE:.00cfg=.text (guard slots, "
                "thunk arrays), /MERGE:.didat=.text (delay-load tables), /MERGE:.data=.text (security "
                "cookie).\n"
                "- CMake: remove /MERGE from target_link_options, CMAKE_*_LINKER_FLAGS and the toolchain "
                "file.\n"
                "- WDK project: Linker, Advanced, Merge Sections.\n"
                "- Source: remove #pragma comment(linker, \"/MERGE:...\"); do not place __security_cookie or "
                "guard pointers with #pragma section in a code section.\n"
                "- GNU ld: use the default linker script.",
            .repair = "fix moves it out of the executable section (x86, x64): guard slots to a read-only "
                      "section, the "
                      "security cookie, delay-load tables and the TLS index to a writable one; the fields "
                      "that name them and "
                      "every instruction that uses them follow.\n"
                      "Refused: bytes that may be an instruction that uses them, or may be something else, "
                      "and addresses so "
                      "near to them that they may mean a neighbour. docs/REWRITING.md tells how.",
        },
};
