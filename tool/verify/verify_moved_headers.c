/* verify_moved_headers.c - each header field of a moved image: unchanged, or the value that follows.
 * Takes: struct verify_moves.  Gives: explained differences.  Must not: pass over a byte of the headers. */
#include "verify/verify_moved_headers.h"
#include "verify/verify_fields.h"

struct header_check {
    struct verify_moves *moves;
    const struct verify_image *old_image, *new_image;
};

/* The RVA that a header field must hold now; false when the old one is in no piece. */
static bool mapped(const struct header_check *check, uint32_t rva, uint32_t *expected)
{
    const struct verify_piece *piece = verify_piece_at(&check->moves->map, rva);
    *expected = piece ? (uint32_t)((int64_t)rva + piece->delta) : rva;
    return piece != NULL;
}

static bool refute_field(const struct header_check *check, uint64_t foff, uint32_t expected)
{
    struct verify_case *judged = check->moves->judged;
    struct verify_field field = {.name = "a header field"};
    verify_field_at(check->new_image, foff, judged->arena, &field);
    uint32_t value = 0;
    span_u32(check->new_image->file, foff, &value);
    return verify_refute(judged, verify_spot_foff(judged, foff),
                         "The header field %s is 0x%X; what follows from the old image is 0x%X.", field.name,
                         (unsigned)value, (unsigned)expected);
}

/* Of sections with the flag and without the others. */
static uint32_t sum_of_raw(const struct verify_image *image, uint32_t flag, uint32_t others)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < image->section_count; i++)
        if ((image->sections[i].characteristics & flag) && !(image->sections[i].characteristics & others))
            sum += flag == SCN_CNT_UNINITIALIZED_DATA ? image->sections[i].virtual_nbytes
                                                      : image->sections[i].raw_nbytes;
    return sum;
}

/* Sizes by kind of content are for tools only: kept, or the sum of the sections. */
static bool is_content_size(const struct header_check *check, uint64_t at, uint32_t old_value, uint32_t value)
{
    static const uint32_t flags[] = {SCN_CNT_CODE, SCN_CNT_INITIALIZED_DATA, SCN_CNT_UNINITIALIZED_DATA};
    if (at != OPT_SIZE_OF_CODE && at != OPT_SIZE_OF_INITIALIZED_DATA && at != OPT_SIZE_OF_UNINITIALIZED_DATA)
        return false;
    uint32_t flag = flags[(at - OPT_SIZE_OF_CODE) / 4];
    return value == old_value || value == sum_of_raw(check->new_image, flag, 0) ||
           value == sum_of_raw(check->new_image, flag, SCN_CNT_CODE & ~flag);
}

/* The first section of the kind. */
static bool is_content_begin(const struct verify_image *image, uint64_t at, uint32_t rva)
{
    uint32_t flag = at == OPT_BASE_OF_CODE ? SCN_CNT_CODE : SCN_CNT_INITIALIZED_DATA;
    for (uint32_t i = 0; i < image->section_count; i++)
        if (image->sections[i].characteristics & flag)
            return image->sections[i].rva == rva;
    return false;
}

/* The optional header up to the directories, four bytes at a time. Structure rules (sizes, alignments) are
 * judged elsewhere; here it is said which fields may differ. */
static bool check_optional_field(const struct header_check *check, uint64_t at, uint32_t old_value,
                                 uint32_t value)
{
    uint64_t foff = check->new_image->opt_foff + at;
    uint32_t expected;
    switch (at) {
    case OPT_ADDRESS_OF_ENTRY_POINT:
        if (old_value == 0)
            return value == 0 || refute_field(check, foff, 0);
        if (!mapped(check, old_value, &expected))
            return verify_moves_unproved(check->moves, old_value, "The entry point is in no section.");
        if (check->moves->repairs.stub_count != 0)
            expected = check->moves->repairs.stubs[0].rva;
        return value == expected || refute_field(check, foff, expected);
    case OPT_BASE_OF_CODE:
    case OPT_BASE_OF_DATA_32:
        if (at == OPT_BASE_OF_DATA_32 && check->old_image->is_64)
            break;
        /* For tools only. Where nothing is kept, such as at old base relocations, it goes with what is
         * before. */
        if (!mapped(check, old_value, &expected) && verify_piece_before(&check->moves->map, old_value))
            expected =
                (uint32_t)((int64_t)old_value + verify_piece_before(&check->moves->map, old_value)->delta);
        return value == expected || value == old_value || is_content_begin(check->new_image, at, value) ||
               refute_field(check, foff, expected);
    case OPT_SECTION_ALIGNMENT:
        expected = old_value < PAGE_NBYTES ? PAGE_NBYTES : old_value;
        return value == expected || refute_field(check, foff, expected);
    case OPT_FILE_ALIGNMENT:
        return value == old_value || (value >= 0x200 && value <= PAGE_NBYTES && (value & (value - 1)) == 0) ||
               refute_field(check, foff, 0x200);
    case OPT_SIZE_OF_IMAGE:
    case OPT_SIZE_OF_HEADERS:
    case OPT_CHECK_SUM:
        return true; /* judged by verify_structure and verify_checksum */
    default:
        if (is_content_size(check, at, old_value, value))
            return true;
        break;
    }
    return value == old_value || refute_field(check, foff, old_value);
}

static bool check_directory(const struct header_check *check, uint32_t index)
{
    struct verify_directory a = check->old_image->directories[index],
                            b = check->new_image->directories[index];
    uint64_t foff = check->new_image->directories_foff + (uint64_t)index * DIRECTORY_ENTRY_NBYTES;
    uint32_t expected = 0;
    if (index == DIR_SECURITY) /* what a signature covered is no longer there */
        return (b.rva == 0 && b.nbytes == 0) || refute_field(check, foff, 0);
    if (index == DIR_BOUND_IMPORT) /* addresses in other images, as once found: the loader finds them anew */
        return (b.rva == 0 && b.nbytes == 0) || refute_field(check, foff, 0);
    if (index == DIR_BASERELOC && a.rva == 0) /* there is nothing to write anew */
        return (b.rva == 0 && b.nbytes == a.nbytes) || refute_field(check, foff, 0);
    if (index == DIR_BASERELOC || index == DIR_IAT)
        return true; /* rebuilt; judged with the relocations and the slots */
    if (a.nbytes != b.nbytes)
        return refute_field(check, foff + DIRECTORY_SIZE, a.nbytes);
    if (a.rva != 0 && !mapped(check, a.rva, &expected))
        return verify_moves_unproved(check->moves, a.rva, "The %s directory is in no section.",
                                     verify_directory_name(index));
    return b.rva == expected || refute_field(check, foff, expected);
}

/* Bytes of the file header, and what lies before it. */
static bool check_front(const struct header_check *check)
{
    const struct verify_image *a = check->old_image, *b = check->new_image;
    struct verify_case *judged = check->moves->judged;
    if (a->coff_foff != b->coff_foff || a->opt_nbytes != b->opt_nbytes || a->is_64 != b->is_64 ||
        a->directory_count != b->directory_count)
        return verify_refute(judged, verify_spot_foff(judged, b->coff_foff),
                             "The headers of the two images do not have the same shape.");
    for (uint64_t foff = 0; foff < a->opt_foff; foff++) {
        uint64_t at = foff - a->coff_foff;
        bool is_count = at == COFF_NUMBER_OF_SECTIONS || at == COFF_NUMBER_OF_SECTIONS + 1;
        bool is_symbols = at >= COFF_POINTER_TO_SYMBOL_TABLE && at < COFF_POINTER_TO_SYMBOL_TABLE + 8;
        if (foff >= a->coff_foff && (is_count || is_symbols)) /* symbols: verify_tail.c */
            continue;
        if (a->file.bytes[foff] != b->file.bytes[foff])
            return refute_field(check, foff, a->file.bytes[foff]);
    }
    return true;
}

/* Behind the section table of the new image: zeros. Of the old one: nothing that gets lost. */
static bool check_slack(const struct header_check *check)
{
    const struct verify_image *a = check->old_image, *b = check->new_image;
    struct verify_case *judged = check->moves->judged;
    for (uint64_t foff = b->section_table_end_foff; foff < b->headers_nbytes && foff < b->file.nbytes; foff++)
        if (b->file.bytes[foff] != 0)
            return verify_refute(judged, verify_spot_foff(judged, foff),
                                 "The byte at file offset 0x%llX, behind the section table, is not zero.",
                                 (unsigned long long)foff);
    uint64_t end_foff = a->headers_nbytes;
    for (uint32_t i = 0; i < a->section_count; i++)
        if (a->sections[i].raw_nbytes != 0 && a->sections[i].raw_foff < end_foff)
            end_foff = a->sections[i].raw_foff;
    struct verify_directory bound = a->directory_count > DIR_BOUND_IMPORT ? a->directories[DIR_BOUND_IMPORT]
                                                                          : (struct verify_directory){0, 0};
    for (uint64_t foff = a->section_table_end_foff; foff < end_foff && foff < a->file.nbytes; foff++)
        if (a->file.bytes[foff] != 0 && !(foff >= bound.rva && foff - bound.rva < bound.nbytes))
            return verify_moves_unproved(
                check->moves, UINT32_MAX,
                "The old image has bytes behind its section table (file offset 0x%llX); "
                "whether they are needed is not known.",
                (unsigned long long)foff);
    return true;
}

/* Four bytes of the optional header without DllCharacteristics, which verify_flags() judges. */
static uint32_t without_flags(const struct verify_image *image, uint64_t at)
{
    uint32_t value = load_u32(image->file.bytes + image->opt_foff + at);
    return at == OPT_SUBSYSTEM ? value & 0xFFFF : value;
}

/* Fields of the optional header that no layout changes. */
static bool is_fixed_field(const struct header_check *check, uint64_t at)
{
    switch (at) {
    case OPT_SIZE_OF_CODE:
    case OPT_SIZE_OF_INITIALIZED_DATA:
    case OPT_SIZE_OF_UNINITIALIZED_DATA:
    case OPT_ADDRESS_OF_ENTRY_POINT:
    case OPT_BASE_OF_CODE:
    case OPT_SECTION_ALIGNMENT:
    case OPT_FILE_ALIGNMENT:
    case OPT_SIZE_OF_IMAGE:
    case OPT_SIZE_OF_HEADERS:
    case OPT_CHECK_SUM:
        return false;
    default:
        return check->old_image->is_64 || at != OPT_BASE_OF_DATA_32;
    }
}

/* A directory that appears or is lost. */
static bool check_presence(const struct header_check *check, uint32_t index)
{
    bool was = check->old_image->directories[index].rva != 0;
    bool is = check->new_image->directories[index].rva != 0;
    bool may_go = index == DIR_SECURITY || index == DIR_BOUND_IMPORT || index == DIR_BASERELOC;
    bool may_come = index == DIR_IAT;
    return was == is || (was ? may_go : may_come) ||
           refute_field(check, check->new_image->directories_foff + (uint64_t)index * DIRECTORY_ENTRY_NBYTES,
                        check->old_image->directories[index].rva);
}

bool verify_moved_fixed_headers(struct verify_moves *moves)
{
    struct header_check check = {moves, &moves->judged->old_image, &moves->judged->new_image};
    if (!check_front(&check))
        return false;
    uint64_t count = check.old_image->directories_foff - check.old_image->opt_foff;
    for (uint64_t at = 0; at < count; at += 4) {
        uint32_t old_value = without_flags(check.old_image, at);
        if (is_fixed_field(&check, at) && without_flags(check.new_image, at) != old_value)
            return refute_field(&check, check.new_image->opt_foff + at, old_value);
    }
    for (uint32_t i = 0; i < check.old_image->directory_count; i++)
        if (!check_presence(&check, i))
            return false;
    return true;
}

bool verify_moved_headers(struct verify_moves *moves)
{
    struct header_check check = {moves, &moves->judged->old_image, &moves->judged->new_image};
    uint64_t count = check.old_image->directories_foff - check.old_image->opt_foff;
    for (uint64_t at = 0; at < count; at += 4) {
        uint32_t old_value = without_flags(check.old_image, at);
        uint32_t value = without_flags(check.new_image, at);
        if (!check_optional_field(&check, at, old_value, value))
            return false;
    }
    for (uint32_t i = 0; i < check.old_image->directory_count; i++)
        if (!check_directory(&check, i))
            return false;
    uint64_t extra_at = count + (uint64_t)check.old_image->directory_count * DIRECTORY_ENTRY_NBYTES;
    for (uint64_t at = extra_at; at < check.old_image->opt_nbytes; at++)
        if (check.old_image->file.bytes[check.old_image->opt_foff + at] !=
            check.new_image->file.bytes[check.new_image->opt_foff + at])
            return refute_field(&check, check.new_image->opt_foff + at, 0);
    return check_slack(&check);
}
