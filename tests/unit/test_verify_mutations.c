/* test_verify_mutations.c - many kinds of wrong change, each with checksum and sizes made right again: the
 * verifier refutes every one and names the place.
 * Takes: drivers made in memory, and the images that HVCIFIX_IMAGES lists.  Gives: pass or fail, and on
 * stdout how many changes were refuted.  Must not: count a change that could not be made as refuted. */
#include "image_list.h"
#include "verify_expect.h"
#include "verify_pairs.h"

/* Where the counter-example must lie: a byte of this range. */
struct expected_place {
    uint64_t foff, nbytes;
    bool in_old;
};

struct mutation {
    const char *name;
    /* Changes files->new_bytes. False when the image has nothing of this kind. */
    bool (*apply)(struct verify_files *files, const struct pe_view *view, struct expected_place *place);
    bool keeps_checksum; /* the change is in the checksum itself */
};

/* Xors one byte, which must be in the file. */
static bool flip(struct verify_files *files, uint64_t foff, uint8_t bits, struct expected_place *place)
{
    if (foff == 0 || foff >= files->new_nbytes)
        return false;
    files->new_bytes[foff] ^= bits;
    *place = (struct expected_place){foff, 1, false};
    return true;
}

static bool add_to_field(struct verify_files *files, uint64_t foff, unsigned nbytes, uint32_t amount,
                         struct expected_place *place)
{
    store_width(files->new_bytes + foff, nbytes, load_width(files->new_bytes + foff, nbytes) + amount);
    *place = (struct expected_place){foff, 1, false};
    return true;
}

static bool change_flags(struct verify_files *files, const struct pe_view *view, uint32_t index, uint32_t set,
                         uint32_t clear, struct expected_place *place)
{
    if (index >= view->section_count)
        return false;
    uint32_t foff = view_section_foff(view, index) + SECTION_CHARACTERISTICS;
    uint32_t flags = load_u32(files->new_bytes + foff), changed = (flags | set) & ~clear;
    store_u32(files->new_bytes + foff, changed);
    *place = (struct expected_place){foff, 4, false};
    return changed != flags;
}

/* The first base relocation entry of the type, by table order; 0 without one. */
static uint32_t find_relocation(const struct pe_view *view, bool is_padding)
{
    uint32_t table_foff = view_foff(view, view_directory_rva(view, DIR_BASERELOC));
    uint32_t table_nbytes = view_directory_nbytes(view, DIR_BASERELOC);
    for (uint32_t block = 0; table_foff != 0 && block + BASERELOC_BLOCK_HEADER_NBYTES <= table_nbytes;) {
        uint32_t block_nbytes = load_u32(view->bytes + table_foff + block + BASERELOC_BLOCK_SIZE);
        for (uint32_t at = BASERELOC_BLOCK_HEADER_NBYTES; at + 2 <= block_nbytes; at += 2) {
            uint32_t foff = table_foff + block + at;
            bool is_zero = load_u16(view->bytes + foff) >> 12 == BASERELOC_ABSOLUTE;
            if (is_zero == is_padding && (!is_padding || at > BASERELOC_BLOCK_HEADER_NBYTES))
                return foff;
        }
        if (block_nbytes < BASERELOC_BLOCK_HEADER_NBYTES)
            break;
        block += block_nbytes;
    }
    return 0;
}

#define MUTATION(name)                                                                                       \
    static bool name(struct verify_files *files, const struct pe_view *view, struct expected_place *place)

MUTATION(code_byte)
{
    uint32_t index = view_find_section(view, NULL, SCN_MEM_EXECUTE);
    if (index == view->section_count)
        return false;
    uint32_t raw_foff = load_u32(view->bytes + view_section_foff(view, index) + SECTION_POINTER_TO_RAW_DATA);
    return flip(files, raw_foff + 2, 0x01, place);
}

MUTATION(last_code_byte)
{
    uint32_t index = view_find_section(view, "INIT", SCN_MEM_EXECUTE);
    if (index == view->section_count)
        return false;
    const uint8_t *header = view->bytes + view_section_foff(view, index);
    uint32_t virtual_nbytes = load_u32(header + SECTION_VIRTUAL_SIZE);
    return flip(files, load_u32(header + SECTION_POINTER_TO_RAW_DATA) + virtual_nbytes - 1, 0x80, place);
}

MUTATION(entry_point)
{
    return add_to_field(files, view->opt_foff + OPT_ADDRESS_OF_ENTRY_POINT, 4, 1, place);
}

MUTATION(execute_removed)
{
    return change_flags(files, view, view_find_section(view, NULL, SCN_MEM_EXECUTE), 0, SCN_MEM_EXECUTE,
                        place);
}

MUTATION(discardable_removed)
{
    return change_flags(files, view, view_find_section(view, NULL, SCN_MEM_DISCARDABLE), 0,
                        SCN_MEM_DISCARDABLE, place);
}

MUTATION(write_added_to_other_section)
{
    uint32_t index = view_find_section(view, ".text", 0);
    if (index < view->section_count &&
        (load_u32(files->old_bytes + view_section_foff(view, index) + SECTION_CHARACTERISTICS) &
         SCN_MEM_WRITE))
        return false; /* the right repair took W from there: adding it would only give the old flags back */
    return change_flags(files, view, index, SCN_MEM_WRITE, 0, place);
}

MUTATION(write_removed_from_data)
{
    return change_flags(files, view, view_find_section(view, ".data", SCN_MEM_WRITE), 0, SCN_MEM_WRITE,
                        place);
}

MUTATION(relocation_lost)
{
    uint32_t foff = find_relocation(view, false);
    if (foff == 0)
        return false;
    store_u16(files->new_bytes + foff, 0);
    *place = (struct expected_place){foff, 2, false};
    return true;
}

MUTATION(relocation_doubled)
{
    uint32_t foff = find_relocation(view, true);
    if (foff == 0)
        return false;
    memcpy(files->new_bytes + foff, files->new_bytes + foff - 2, 2);
    *place = (struct expected_place){foff, 2, false};
    return true;
}

MUTATION(relocation_type)
{
    uint32_t foff = find_relocation(view, false);
    return foff != 0 && flip(files, foff + 1, 0x10, place);
}

MUTATION(data_appended)
{
    (void)view;
    *place = (struct expected_place){files->new_nbytes, 1, false};
    memset(files->new_bytes + files->new_nbytes, 0, 0x200);
    files->new_nbytes += 0x200;
    return true;
}

MUTATION(file_cut)
{
    /* SizeOfRawData of the last section in the file is made smaller too, so that the sizes agree. */
    uint32_t last = 0, last_foff = 0;
    for (uint32_t i = 0; i < view->section_count; i++) {
        uint32_t raw_foff = load_u32(view->bytes + view_section_foff(view, i) + SECTION_POINTER_TO_RAW_DATA);
        last = raw_foff > last_foff ? i : last;
        last_foff = raw_foff > last_foff ? raw_foff : last_foff;
    }
    uint32_t field_foff = view_section_foff(view, last) + SECTION_SIZE_OF_RAW_DATA;
    files->new_nbytes -= 0x80;
    store_u32(files->new_bytes + field_foff, load_u32(files->new_bytes + field_foff) - 0x80);
    *place = (struct expected_place){files->new_nbytes, 1, true};
    return true;
}

MUTATION(import_name)
{
    uint32_t descriptor_foff = view_foff(view, view_directory_rva(view, DIR_IMPORT));
    if (descriptor_foff == 0)
        return false;
    return flip(files, view_foff(view, load_u32(view->bytes + descriptor_foff + IMPORT_NAME)), 0x20, place);
}

MUTATION(iat_slot)
{
    return flip(files, view_foff(view, view_directory_rva(view, DIR_IAT)), 0x02, place);
}

MUTATION(resource_byte)
{
    return flip(files, view_foff(view, view_directory_rva(view, DIR_RESOURCE)), 0x40, place);
}

MUTATION(debug_entry)
{
    uint32_t foff = view_foff(view, view_directory_rva(view, DIR_DEBUG));
    return foff != 0 && flip(files, foff + DEBUG_TYPE, 0x01, place);
}

MUTATION(size_of_image)
{
    return add_to_field(files, view->opt_foff + OPT_SIZE_OF_IMAGE, 4, 0x1000, place);
}

MUTATION(section_alignment)
{
    return add_to_field(files, view->opt_foff + OPT_SECTION_ALIGNMENT, 4,
                        load_u32(view->bytes + view->opt_foff + OPT_SECTION_ALIGNMENT), place);
}

MUTATION(file_alignment)
{
    return add_to_field(files, view->opt_foff + OPT_FILE_ALIGNMENT, 4,
                        load_u32(view->bytes + view->opt_foff + OPT_FILE_ALIGNMENT), place);
}

MUTATION(subsystem)
{
    return add_to_field(files, view->opt_foff + OPT_SUBSYSTEM, 2, 1, place);
}

MUTATION(dll_characteristics)
{
    uint32_t foff = view->opt_foff + OPT_DLL_CHARACTERISTICS;
    store_u16(files->new_bytes + foff, load_u16(files->new_bytes + foff) ^ DLLCHAR_GUARD_CF);
    *place = (struct expected_place){foff, 1, false};
    return true;
}

MUTATION(image_base)
{
    /* The reported place of an 8-byte field is the byte that differs. */
    uint32_t foff =
        view->opt_foff + (view->is_64 ? (uint32_t)OPT_IMAGE_BASE_64 : (uint32_t)OPT_IMAGE_BASE_32);
    add_to_field(files, foff, 4, 0x10000, place);
    place->nbytes = 4;
    return true;
}

MUTATION(directory_entry)
{
    return add_to_field(files, view_directory_foff(DIR_IAT, view) + DIRECTORY_SIZE, 4, 8, place);
}

MUTATION(directory_cleared)
{
    uint32_t foff = view_directory_foff(DIR_IMPORT, view);
    if (load_u32(files->new_bytes + foff) == 0)
        return false;
    memset(files->new_bytes + foff, 0, DIRECTORY_ENTRY_NBYTES);
    *place = (struct expected_place){foff, 1, false};
    return true;
}

MUTATION(time_stamp)
{
    return add_to_field(files, view->coff_foff + COFF_TIME_DATE_STAMP, 4, 1, place);
}

MUTATION(machine)
{
    return add_to_field(files, view->coff_foff + COFF_MACHINE, 2, 1, place);
}

MUTATION(section_count)
{
    return add_to_field(files, view->coff_foff + COFF_NUMBER_OF_SECTIONS, 2, UINT32_MAX, place);
}

MUTATION(section_name)
{
    return flip(files, view_section_foff(view, 0) + 1, 0x20, place);
}

MUTATION(section_virtual_size)
{
    return add_to_field(files, view_section_foff(view, 0) + SECTION_VIRTUAL_SIZE, 4, 4, place);
}

MUTATION(section_raw_pointer)
{
    return add_to_field(files, view_section_foff(view, view->section_count - 1) + SECTION_POINTER_TO_RAW_DATA,
                        4, 8, place);
}

MUTATION(dos_header)
{
    (void)view;
    return flip(files, 0x12, 0x08, place);
}

MUTATION(header_slack)
{
    uint32_t foff = view_section_foff(view, view->section_count);
    return foff < load_u32(view->bytes + view->opt_foff + OPT_SIZE_OF_HEADERS) &&
           flip(files, foff, 0x01, place);
}

MUTATION(wrong_checksum)
{
    return add_to_field(files, view->opt_foff + OPT_CHECK_SUM, 4, 1, place);
}

static bool put_certificates_back(struct verify_files *files, const struct pe_view *view, size_t kept_nbytes)
{
    struct pe_view old_view = view_of(files->old_bytes, files->old_nbytes);
    uint32_t table_foff = view_directory_rva(&old_view, DIR_SECURITY);
    if (table_foff == 0 || files->old_nbytes - table_foff <= 0x10)
        return false;
    size_t nbytes = kept_nbytes ? kept_nbytes : files->old_nbytes - table_foff;
    /* new_bytes was allocated at least as large as the old file. */
    memcpy(files->new_bytes + table_foff, files->old_bytes + table_foff, nbytes);
    memcpy(files->new_bytes + view_directory_foff(DIR_SECURITY, view),
           files->old_bytes + view_directory_foff(DIR_SECURITY, &old_view), DIRECTORY_ENTRY_NBYTES);
    files->new_nbytes = table_foff + nbytes;
    return true;
}

MUTATION(certificates_kept)
{
    struct pe_view old_view = view_of(files->old_bytes, files->old_nbytes);
    *place = (struct expected_place){view_directory_rva(&old_view, DIR_SECURITY), 1, false};
    return put_certificates_back(files, view, 0);
}

MUTATION(certificates_cut)
{
    if (!put_certificates_back(files, view, 0x10))
        return false;
    *place = (struct expected_place){files->new_nbytes, 1, true};
    return true;
}

MUTATION(certificates_entry_left)
{
    struct pe_view old_view = view_of(files->old_bytes, files->old_nbytes);
    *place = (struct expected_place){files->new_nbytes, 1, true};
    if (view_directory_rva(&old_view, DIR_SECURITY) == 0)
        return false;
    memcpy(files->new_bytes + view_directory_foff(DIR_SECURITY, view),
           files->old_bytes + view_directory_foff(DIR_SECURITY, &old_view), DIRECTORY_ENTRY_NBYTES);
    return true;
}

static const struct mutation mutations[] = {
    {"code byte flipped", code_byte, false},
    {"last byte of INIT flipped", last_code_byte, false},
    {"entry point changed", entry_point, false},
    {"MEM_EXECUTE removed", execute_removed, false},
    {"MEM_DISCARDABLE removed", discardable_removed, false},
    {"MEM_WRITE added to .text", write_added_to_other_section, false},
    {"MEM_WRITE removed from .data", write_removed_from_data, false},
    {"base relocation lost", relocation_lost, false},
    {"base relocation doubled", relocation_doubled, false},
    {"base relocation of another type", relocation_type, false},
    {"data appended", data_appended, false},
    {"file cut", file_cut, false},
    {"import name changed", import_name, false},
    {"IAT slot changed", iat_slot, false},
    {"resource byte changed", resource_byte, false},
    {"debug entry changed", debug_entry, false},
    {"SizeOfImage changed", size_of_image, false},
    {"SectionAlignment changed", section_alignment, false},
    {"FileAlignment changed", file_alignment, false},
    {"Subsystem changed", subsystem, false},
    {"DllCharacteristics changed", dll_characteristics, false},
    {"ImageBase changed", image_base, false},
    {"directory size changed", directory_entry, false},
    {"import directory cleared", directory_cleared, false},
    {"TimeDateStamp changed", time_stamp, false},
    {"Machine changed", machine, false},
    {"NumberOfSections changed", section_count, false},
    {"section renamed", section_name, false},
    {"VirtualSize changed", section_virtual_size, false},
    {"PointerToRawData changed", section_raw_pointer, false},
    {"DOS header changed", dos_header, false},
    {"header slack changed", header_slack, false},
    {"wrong checksum", wrong_checksum, true},
    {"certificates kept", certificates_kept, false},
    {"certificates cut in two", certificates_cut, false},
    {"certificate entry left", certificates_entry_left, false},
};

enum { MUTATION_COUNT = sizeof mutations / sizeof mutations[0] };

/* True when the image has one of this kind; then the verifier has refuted it at its place. */
static bool mutation_is_refuted(const struct mutation *mutation, struct span old_file, const char *path)
{
    struct verify_files files = pairs_repair(old_file);
    struct pe_view view = view_of(files.new_bytes, files.new_nbytes);
    struct expected_place place = {0};
    bool is_made = mutation->apply(&files, &view, &place);
    if (is_made) {
        if (!mutation->keeps_checksum)
            pairs_set_checksum(files.new_bytes, files.new_nbytes);
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&files, &arena);
        if (verdict.result != VERIFY_REFUTED || verdict.in_old != place.in_old ||
            verdict.file_offset < place.foff || verdict.file_offset - place.foff >= place.nbytes)
            fail_msg("%s: %s: result %d at 0x%llx instead of 0x%llx: %s", path, mutation->name,
                     (int)verdict.result, (unsigned long long)verdict.file_offset,
                     (unsigned long long)place.foff, verdict.reason ? verdict.reason : "");
        arena_free(&arena);
    }
    pairs_free(&files);
    return is_made;
}

static enum verify_result right_repair_result(struct span old_file, const char **reason, struct arena *arena)
{
    struct verify_files files = pairs_repair(old_file);
    struct verify_verdict verdict = judge(&files, arena);
    pairs_free(&files);
    *reason = verdict.reason;
    return verdict.result;
}

/* A driver with a certificate table and an odd number of relocations, so that every mutation can be made. */
static struct verify_files signed_driver(uint16_t machine)
{
    enum { TABLE_NBYTES = 0x40 };
    struct driver driver = driver_make(machine);
    if (driver.site_count % 2 == 0)
        driver_put_address(&driver, DRIVER_DATA_RVA, DRIVER_TEXT_RVA);
    struct verify_files files = driver_repair(&driver);
    files.old_bytes = realloc(files.old_bytes, files.old_nbytes + TABLE_NBYTES);
    assert_non_null(files.old_bytes);
    struct pe_view view = view_of(files.old_bytes, files.old_nbytes);
    uint8_t *table = files.old_bytes + files.old_nbytes;
    memset(table, 0x30, TABLE_NBYTES);
    store_u32(table + CERTIFICATE_LENGTH, TABLE_NBYTES);
    store_u32(files.old_bytes + view_directory_foff(DIR_SECURITY, &view) + DIRECTORY_RVA,
              (uint32_t)files.old_nbytes);
    store_u32(files.old_bytes + view_directory_foff(DIR_SECURITY, &view) + DIRECTORY_SIZE, TABLE_NBYTES);
    files.old_nbytes += TABLE_NBYTES;
    return files;
}

static void every_mutation_of_a_made_driver_is_refuted(void **state)
{
    (void)state;
    static const uint16_t machines[] = {MACHINE_AMD64, MACHINE_I386, MACHINE_ARM64};
    bool was_made[MUTATION_COUNT] = {false};
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        struct verify_files files = signed_driver(machines[i]);
        struct span old_file = {files.old_bytes, files.old_nbytes};
        struct arena arena;
        const char *reason;
        arena_init(&arena, NULL);
        enum verify_result result = right_repair_result(old_file, &reason, &arena);
        if (result != (machines[i] == MACHINE_ARM64 ? VERIFY_PROVED_WITH_ASSUMPTIONS : VERIFY_PROVED))
            fail_msg("the right repair is not proved: %s", reason);
        arena_free(&arena);
        for (size_t k = 0; k < MUTATION_COUNT; k++)
            if (mutation_is_refuted(&mutations[k], old_file, "made driver"))
                was_made[k] = true;
        pairs_free(&files);
    }
    for (size_t k = 0; k < MUTATION_COUNT; k++)
        if (!was_made[k])
            fail_msg("%s could not be made in any made driver", mutations[k].name);
}

/* Only images with an executable, writable section have a right repair to start from. */
static bool needs_repair(struct span file)
{
    if (file.nbytes < 0x400 || load_u16(file.bytes) != DOS_MAGIC)
        return false;
    uint32_t pe_foff = load_u32(file.bytes + DOS_E_LFANEW);
    if (pe_foff > file.nbytes - 0x300 || load_u32(file.bytes + pe_foff) != PE_SIGNATURE)
        return false;
    uint8_t *bytes = malloc(file.nbytes);
    assert_non_null(bytes);
    memcpy(bytes, file.bytes, file.nbytes);
    struct pe_view view = view_of(bytes, file.nbytes);
    bool has_table = view_section_foff(&view, view.section_count) <= file.nbytes;
    bool is_found =
        has_table && view_find_section(&view, NULL, SCN_MEM_EXECUTE | SCN_MEM_WRITE) < view.section_count;
    free(bytes);
    return is_found;
}

static void every_mutation_of_real_images_is_refuted(void **state)
{
    (void)state;
    struct image_list images;
    size_t image_count = 0, proved_count = 0, refuted_count = 0, absent_count = 0;
    if (!image_list_open(&images)) {
        print_message("SKIPPED: HVCIFIX_IMAGES names no list of real images\n");
        skip();
    }
    while (image_list_next(&images)) {
        struct span file = {images.bytes, images.nbytes};
        struct arena arena;
        const char *reason;
        if (!needs_repair(file))
            continue;
        arena_init(&arena, NULL);
        enum verify_result result = right_repair_result(file, &reason, &arena);
        image_count++;
        proved_count += result == VERIFY_PROVED || result == VERIFY_PROVED_WITH_ASSUMPTIONS;
        if (result == VERIFY_REFUTED || result == VERIFY_UNREADABLE)
            print_message("%s: not repairable: %s\n", images.path, reason);
        else
            for (size_t k = 0; k < MUTATION_COUNT; k++) {
                bool is_made = mutation_is_refuted(&mutations[k], file, images.path);
                refuted_count += is_made;
                absent_count += !is_made;
            }
        arena_free(&arena);
    }
    image_list_close(&images);
    print_message(
        "%zu images with a writable code section: %zu repairs accepted; %zu wrong changes refuted at their "
        "place, %zu could not be made\n",
        image_count, proved_count, refuted_count, absent_count);
    assert_true(image_count == 0 || refuted_count > 0);
}

/* A small generator with a fixed seed: the same changes in every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Random bytes in the new file are refuted wherever they are; in both files they must not crash anything, and
 * no verdict may come without its sentence. */
static void random_changes_are_refuted_and_never_crash(void **state)
{
    (void)state;
    uint32_t seed = 20240229;
    for (unsigned round = 0; round < 6000; round++) {
        struct verify_files files = signed_driver(round % 2 ? MACHINE_I386 : MACHINE_AMD64);
        struct verify_files pair = pairs_repair((struct span){files.old_bytes, files.old_nbytes});
        bool in_both = round % 3 != 0;
        unsigned count = 1 + next_random(&seed) % 4;
        for (unsigned i = 0; i < count; i++) {
            /* Half of the changes go to the headers, where they do most. */
            size_t limit = next_random(&seed) % 2 ? 0x200 : pair.new_nbytes;
            size_t foff = next_random(&seed) % limit;
            uint8_t bits = (uint8_t)(1 + next_random(&seed) % 255);
            pair.new_bytes[foff] ^= bits;
            if (in_both)
                pair.old_bytes[foff] ^= bits;
        }
        struct pe_view view = view_of(files.old_bytes, files.old_nbytes);
        uint32_t checksum_foff = view.opt_foff + OPT_CHECK_SUM;
        store_u32(pair.new_bytes + checksum_foff,
                  pairs_checksum(pair.new_bytes, pair.new_nbytes, checksum_foff));
        struct arena arena;
        arena_init(&arena, NULL);
        struct verify_verdict verdict = judge(&pair, &arena);
        if (!in_both && memcmp(pair.new_bytes, files.new_bytes, files.new_nbytes) != 0)
            assert_true(verdict.result == VERIFY_REFUTED || verdict.result == VERIFY_UNREADABLE);
        if (verdict.result == VERIFY_REFUTED || verdict.result == VERIFY_UNREADABLE)
            assert_non_null(verdict.reason);
        arena_free(&arena);
        pairs_free(&pair);
        pairs_free(&files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mutation_of_a_made_driver_is_refuted),
        cmocka_unit_test(every_mutation_of_real_images_is_refuted),
        cmocka_unit_test(random_changes_are_refuted_and_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
