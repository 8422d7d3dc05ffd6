/* code_roots.c - where code begins and what cannot be code, as the inventory tells it.
 * Takes: references and extents.  Gives: marks on the executable bytes, function bounds, roots.
 * Must not: read the image's tables; tool/refs has done that. */
#include "code/code_internal.h"
#include "code/literals.h"

#include <stdlib.h>

static int compare_extents(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;
    return x->rva < y->rva ? -1 : x->rva > y->rva;
}

/* Typed extents are data. Hostile tables may claim the same bytes many times over; sorted, each byte is
 * marked once. */
static bool mark_extents(struct code_reader *reader)
{
    size_t count = reader->refs->extent_count;
    struct extent *extents = arena_array(reader->arena, count, sizeof *extents);
    if (!extents)
        return false;
    if (count != 0)
        memcpy(extents, reader->refs->extents, count * sizeof *extents);
    qsort(extents, count, sizeof *extents, compare_extents);
    uint64_t done_rva = 0;
    for (size_t i = 0; i < count; i++) {
        /* No table crosses a section: what claims to is cut at the section's end. */
        struct reader_section *section = reader_section_at(reader, extents[i].rva);
        if (!section)
            continue;
        uint64_t end_rva = (uint64_t)extents[i].rva + extents[i].nbytes;
        if (end_rva > (uint64_t)section->rva + section->nbytes)
            end_rva = (uint64_t)section->rva + section->nbytes;
        if (done_rva < extents[i].rva)
            done_rva = extents[i].rva;
        for (; done_rva < end_rva; done_rva++) {
            byte_set_class(section, (uint32_t)(done_rva - section->rva), BYTE_DATA);
            reader->map->class_counts[BYTE_DATA]++;
        }
    }
    return true;
}

/* Hostile fields overlap: a byte that begins one begins it whatever else covers it, and the widest counts. */
static void mark_field(struct reader_section *section, uint32_t at, uint32_t nbytes)
{
    uint8_t begin = nbytes == 8 ? MARK_FIELD_8 : MARK_FIELD_4;
    for (uint32_t k = 0; k < nbytes && at + k < section->nbytes; k++) {
        uint8_t *mark = &section->marks[at + k];
        if (k == 0 && (*mark & MARK_FIELD) != MARK_FIELD_8)
            *mark = (uint8_t)((*mark & ~MARK_FIELD) | begin);
        else if (!(*mark & MARK_FIELD))
            *mark |= MARK_FIELD_TAIL;
    }
}

/* Base relocations say which bytes are an operand or data, in both directions: an instruction that covers a
 * relocated field otherwise than as an operand was never one. */
static void mark_relocations(struct code_reader *reader)
{
    for (size_t i = 0; i < reader->refs->ref_count; i++) {
        const struct ref *ref = &reader->refs->refs[i];
        if (ref->source != SOURCE_RELOCATED)
            continue;
        reader->has_relocations = true;
        struct reader_section *section = reader_section_at(reader, ref->site_rva);
        if (!section)
            continue;
        uint32_t at = ref->site_rva - section->rva;
        section->has_relocations = true;
        mark_field(section, at, ref->width_nbytes);
    }
}

bool roots_mark_evidence(struct code_reader *reader)
{
    mark_relocations(reader);
    return mark_extents(reader);
}

/* How each source's code targets are believed, and as what they are listed. A target that a table of
 * the loader or the operating system calls is trusted. An export may be a variable, and handler data is
 * labels as well as functions, so these have to decode. */
static const struct {
    bool names_code;
    uint8_t trust, source;
} code_targets[SOURCE_COUNT] = {
    [SOURCE_HEADERS] = {true, TRUST_FULL, FUNCTION_ENTRY},
    [SOURCE_EXPORTS] = {true, TRUST_IF_CLEAN, FUNCTION_EXPORT},
    [SOURCE_EXCEPTION] = {true, TRUST_FULL, FUNCTION_UNWIND},
    [SOURCE_UNWIND] = {true, TRUST_FULL, FUNCTION_HANDLER},
    [SOURCE_HANDLER_DATA] = {true, TRUST_IF_CLEAN, FUNCTION_HANDLER},
    [SOURCE_GUARD_TABLES] = {true, TRUST_FULL, FUNCTION_GUARD_TABLE},
    [SOURCE_LOAD_CONFIG] = {true, TRUST_IF_CLEAN, FUNCTION_GUARD_TABLE},
    [SOURCE_TLS] = {true, TRUST_FULL, FUNCTION_RELOCATED_POINTER},
    [SOURCE_DELAY_IMPORTS] = {true, TRUST_IF_CLEAN, NO_SOURCE}, /* load thunks */
    [SOURCE_COFF_SYMBOLS] = {true, TRUST_IF_CLEAN, NO_SOURCE},
    [SOURCE_RELOCATED] = {true, TRUST_POINTER, FUNCTION_RELOCATED_POINTER},
};

static bool is_root(const struct ref *ref)
{
    if (ref->state != REF_RESOLVED || !code_targets[ref->source].names_code)
        return false;
    if (ref->source == SOURCE_EXCEPTION)
        return ref->detail == DETAIL_FUNCTION_BEGIN;
    return (ref->flags & REF_FLAG_CODE_TARGET) != 0;
}

/* What a guard slot holds in the file is the function that stands there while nobody checks. */
static bool push_guard_defaults(struct code_reader *reader)
{
    for (size_t i = 0; i < reader->refs->extent_count; i++) {
        const struct extent *extent = &reader->refs->extents[i];
        unsigned width_nbytes = image_pointer_nbytes(reader->image);
        struct span bytes;
        uint32_t rva;
        if (extent->kind == EXTENT_GUARD_SLOT && extent->nbytes == width_nbytes &&
            image_bytes_at_rva(reader->image, extent->rva, width_nbytes, &bytes) &&
            image_va_to_rva(reader->image, load_width(bytes.bytes, width_nbytes), &rva) &&
            !descent_push(reader, rva, FUNCTION_GUARD_TABLE, TRUST_IF_CLEAN, 0))
            return false;
    }
    return true;
}

/* Visual C++'s scope tables of x86: records of the level around a block, its filter or 0 for a __finally, and
 * its handler. The level of an outermost block is -1, or -2 since 2005; that of a nested one the number of a
 * record before. A handler may begin in the middle of its function, and go on into what the function itself
 * runs or calls, so it does not look like a function of its own. */
static bool is_scope_record(const struct code_reader *reader, uint64_t foff)
{
    enum { RECORD_NBYTES = 12, OUTERMOST = -1, OUTERMOST_SINCE_2005 = -2, MOST_RECORDS = 64 };
    for (int back = 0; back < MOST_RECORDS; back++, foff -= RECORD_NBYTES) {
        struct span record;
        if (!span_part(reader->image->file, foff, RECORD_NBYTES, &record))
            return false;
        int32_t level = (int32_t)load_u32(record.bytes);
        bool has_filter = load_u32(record.bytes + 4) != 0;
        if ((has_filter && !site_set_has(&reader->refs->reloc_sites, foff + 4)) ||
            !site_set_has(&reader->refs->reloc_sites, foff + 8))
            return false;
        if (level == OUTERMOST || level == OUTERMOST_SINCE_2005)
            return true;
        if (level < 0 || level >= MOST_RECORDS || foff < RECORD_NBYTES)
            return false;
    }
    return false;
}

static bool is_in_scope_table(const struct code_reader *reader, const struct ref *ref)
{
    const struct reader_section *section = reader_section_at(reader, ref->target);
    if (ref->source != SOURCE_RELOCATED || reader->is_64 || ref->site_foff < 8 || !section)
        return false;
    struct span bytes = {section->bytes, section->nbytes};
    return (is_scope_record(reader, ref->site_foff - 8) || is_scope_record(reader, ref->site_foff - 4)) &&
           literal_nbytes(bytes, section->classes, ref->target - section->rva) < LEAST_NAMED_LITERAL_NBYTES;
}

/* A relocated pointer is as good as what it stands in. */
static bool push_pointer(struct code_reader *reader, const struct ref *ref)
{
    if (is_in_scope_table(reader, ref))
        return descent_push(reader, ref->target, FUNCTION_HANDLER, TRUST_IF_CLEAN, 0);
    return descent_push(reader, ref->target, code_targets[ref->source].source,
                        (enum trust)code_targets[ref->source].trust, 0);
}

bool roots_push_trusted(struct code_reader *reader)
{
    for (size_t i = 0; i < reader->refs->ref_count; i++) {
        const struct ref *ref = &reader->refs->refs[i];
        if (!is_root(ref) || code_targets[ref->source].trust != TRUST_FULL)
            continue;
        if (!descent_push(reader, ref->target, code_targets[ref->source].source, TRUST_FULL, 0))
            return false;
    }
    return true;
}

bool roots_push_candidates(struct code_reader *reader)
{
    if (!push_guard_defaults(reader))
        return false;
    /* Following a candidate appends references; only those that were there before are asked. */
    size_t count = reader->refs->ref_count;
    for (size_t i = 0; i < count; i++) {
        const struct ref *ref = &reader->refs->refs[i];
        bool wanted = ref->source == SOURCE_RELOCATED
                          ? ref->state == REF_RESOLVED && !reader_section_at(reader, ref->site_rva)
                          : is_root(ref) && code_targets[ref->source].trust != TRUST_FULL;
        if (wanted && !site_set_has(&reader->table_sites, ref->site_foff) && !push_pointer(reader, ref))
            return false;
    }
    return true;
}

/* Moves *at on to the next place whose byte at *at + offset is `byte`, and behind which code of nbytes fits.
 */
static bool find_byte(const struct reader_section *section, uint32_t offset, uint8_t byte, uint32_t nbytes,
                      uint32_t *at)
{
    if (section->nbytes < nbytes || *at > section->nbytes - nbytes)
        return false;
    const uint8_t *first = section->bytes + *at + offset;
    const uint8_t *hit = memchr(first, byte, section->nbytes - nbytes - *at + 1);
    if (!hit)
        return false;
    *at += (uint32_t)(hit - first);
    return true;
}

static bool mark_import_slots(struct code_reader *reader, struct site_set *slots)
{
    unsigned width_nbytes = image_pointer_nbytes(reader->image);
    if (!site_set_init(slots, reader->arena, reader->image->file.nbytes))
        return false;
    for (size_t i = 0; i < reader->refs->extent_count; i++) {
        const struct extent *extent = &reader->refs->extents[i];
        uint32_t foff;
        if (extent->kind != EXTENT_IAT ||
            !image_rva_to_foff(reader->image, extent->rva, extent->nbytes, &foff))
            continue;
        for (uint32_t at = 0; at + width_nbytes <= extent->nbytes; at += width_nbytes)
            site_set_add(slots, (uint64_t)foff + at);
    }
    return true;
}

/* `jmp [slot]` that nothing has reached: a linker's import thunk that nobody calls. Six bytes that name
 * exactly an import slot are no coincidence. */
bool roots_push_import_thunks(struct code_reader *reader)
{
    enum { THUNK_NBYTES = 6 };
    struct site_set slots;
    if (!mark_import_slots(reader, &slots))
        return false;
    for (size_t s = 0; s < reader->section_count; s++) {
        const struct reader_section *section = &reader->sections[s];
        for (uint32_t at = 0; find_byte(section, 1, 0x25, THUNK_NBYTES, &at); at++) {
            uint32_t rva, foff;
            if (section->bytes[at] != 0xFF || !byte_is_unknown(section, at))
                continue;
            uint32_t stored = load_u32(section->bytes + at + 2);
            if (reader->is_64)
                rva = section->rva + at + 6 + stored; /* wraps as the processor's addition does */
            else if (!image_va_to_rva(reader->image, stored, &rva))
                continue;
            if (image_rva_to_foff(reader->image, rva, 1, &foff) && site_set_has(&slots, foff) &&
                !descent_push(reader, section->rva + at, NO_SOURCE, TRUST_IF_CLEAN, 0))
                return false;
        }
    }
    return true;
}

/* The begin of Visual C++'s check of the security cookie: cmp rcx, [cookie]; jne; rol rcx, 16;
 * test cx, 0xFFFF. */
static bool is_cookie_check(const uint8_t *bytes)
{
    static const uint8_t compare[] = {0x48, 0x3B, 0x0D};
    static const uint8_t rotate[] = {0x48, 0xC1, 0xC1, 0x10, 0x66, 0xF7, 0xC1, 0xFF, 0xFF};
    return memcmp(bytes, compare, sizeof compare) == 0 && bytes[7] == 0x75 &&
           memcmp(bytes + 9, rotate, sizeof rotate) == 0;
}

/* It is a leaf without unwind data; a driver that does not call it has it all the same. */
bool roots_push_cookie_check(struct code_reader *reader)
{
    enum { CHECK_NBYTES = 18 };
    for (size_t s = 0; reader->is_64 && s < reader->section_count; s++) {
        const struct reader_section *section = &reader->sections[s];
        for (uint32_t at = 0; find_byte(section, 1, 0x3B, CHECK_NBYTES, &at); at++)
            if (section->bytes[at] == 0x48 && byte_is_unknown(section, at) &&
                is_cookie_check(section->bytes + at) &&
                !descent_push(reader, section->rva + at, NO_SOURCE, TRUST_IF_CLEAN, 0))
                return false;
    }
    return true;
}

/* Relocated pointers among code wait until all other code is known: most are operands, whose use tells more,
 * or entries of jump tables, which name labels. */
bool roots_push_inner_pointers(struct code_reader *reader)
{
    size_t count = reader->refs->ref_count;
    for (size_t i = 0; i < count; i++) {
        const struct ref *ref = &reader->refs->refs[i];
        if (ref->source != SOURCE_RELOCATED || ref->state != REF_RESOLVED)
            continue;
        const struct reader_section *section = reader_section_at(reader, ref->site_rva);
        if (section && byte_is_unknown(section, ref->site_rva - section->rva) && !push_pointer(reader, ref))
            return false;
    }
    return true;
}
