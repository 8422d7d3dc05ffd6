/* mutations_layout.h - wrong headers, section tables, rights, padding and content.
 * Takes: the new image's headers, and where the rewriter put what.  Gives: one wrong field or run of bytes.
 * Must not: change what no Windows reads and nothing depends on. */
#ifndef HVCIFIX_TESTS_MUTATIONS_LAYOUT_H
#define HVCIFIX_TESTS_MUTATIONS_LAYOUT_H

#include "mutation.h"

/* ---- headers ---- */

enum header { IN_FILE, IN_COFF, IN_OPTIONAL };

static uint32_t header_foff(const struct mutant *mutant, uint32_t header)
{
    return header == IN_FILE ? 0 : header == IN_COFF ? mutant->view.coff_foff : mutant->view.opt_foff;
}

/* A field of four bytes (two in the file header, where the next would be counted too). a: header, b: offset,
 * c: what is added. */
MUTATE(header_field)
{
    if (kind->a == IN_OPTIONAL && kind->b == OPT_ADDRESS_OF_ENTRY_POINT) /* or what it leads to */
        add_place_rva(mutant, load_u32(mutant->bytes + mutant->view.opt_foff + OPT_ADDRESS_OF_ENTRY_POINT),
                      16);
    unsigned width = kind->a == IN_COFF && kind->b != COFF_TIME_DATE_STAMP ? 2 : 4;
    return add_to(mutant, header_foff(mutant, kind->a) + kind->b, width, kind->c);
}

/* The same in PE32+ and PE32. b, c: the offsets. */
MUTATE(header_field_of_width)
{
    return add_to(mutant, mutant->view.opt_foff + (mutant->view.is_64 ? kind->b : kind->c), 4, kind->a);
}

/* One bit of two bytes. */
MUTATE(header_bit)
{
    uint32_t foff = header_foff(mutant, kind->a) + kind->b;
    return set_field(mutant, foff, 2, get_field(mutant, foff, 2) ^ kind->c);
}

/* A flag that may come, where the image lives up to it (test_verify_flags.c): it must not go. */
MUTATE(header_flag_gone)
{
    uint32_t foff = header_foff(mutant, kind->a) + kind->b;
    uint32_t flags = (uint32_t)get_field(mutant, foff, 2);
    return (flags & kind->c) != 0 && set_field(mutant, foff, 2, flags & ~kind->c);
}

MUTATE(header_is_zero)
{
    add_place_foff(mutant, 0, 1);
    return set_field(mutant, header_foff(mutant, kind->a) + kind->b, 4, 0);
}

MUTATE(headers_reach_into_section)
{
    uint32_t first_rva = UINT32_MAX, foff = mutant->view.opt_foff + OPT_SIZE_OF_HEADERS;
    (void)kind;
    for (uint32_t i = 0; i < mutant->view.section_count; i++) {
        uint32_t rva = section_field(mutant, i, SECTION_VIRTUAL_ADDRESS);
        first_rva = rva < first_rva ? rva : first_rva;
    }
    add_place_foff(mutant, view_section_foff(&mutant->view, 0),
                   mutant->view.section_count * SECTION_HEADER_NBYTES);
    return set_field(mutant, foff, 4, first_rva + 0x200);
}

MUTATE(checksum_of_other_bytes)
{
    (void)kind;
    return add_to(mutant, mutant->view.opt_foff + OPT_CHECK_SUM, 4, 1);
}

MUTATE(header_slack)
{
    uint32_t foff = view_section_foff(&mutant->view, mutant->view.section_count);
    (void)kind;
    uint32_t end_foff = load_u32(mutant->bytes + mutant->view.opt_foff + OPT_SIZE_OF_HEADERS);
    return foff < end_foff && flip_byte(mutant, foff + (end_foff - foff - 1) / 2, 0x10);
}

/* ---- section table ---- */

/* Which sections a kind is about: all that have content, and of these: */
enum section_choice {
    SECTION_ANY = 0,
    SECTION_EXECUTABLE,
    SECTION_WRITABLE,
    SECTION_READ_ONLY, /* neither */
    SECTION_RESIDENT,  /* not paged, not discardable */
    SECTION_LAST
};

static bool take_section(struct mutant *mutant, uint32_t choice, uint32_t *index)
{
    uint32_t count = mutant->view.section_count, last = 0;
    for (uint32_t i = 0; i < count; i++)
        if (section_field(mutant, i, SECTION_VIRTUAL_ADDRESS) >
            section_field(mutant, last, SECTION_VIRTUAL_ADDRESS))
            last = i;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t flags = section_field(mutant, i, SECTION_CHARACTERISTICS);
        const char *name = (const char *)mutant->bytes + view_section_foff(&mutant->view, i);
        bool is_read_only = !(flags & (SCN_MEM_EXECUTE | SCN_MEM_WRITE));
        bool is_resident = !(flags & SCN_MEM_DISCARDABLE) && strncmp(name, "PAGE", 4) != 0 &&
                           strncmp(name, ".eda", 4) != 0 && strncmp(name, "INIT", 4) != 0;
        bool is_chosen = choice == SECTION_ANY || (choice == SECTION_EXECUTABLE && flags & SCN_MEM_EXECUTE) ||
                         (choice == SECTION_WRITABLE && flags & SCN_MEM_WRITE) ||
                         (choice == SECTION_READ_ONLY && is_read_only) ||
                         (choice == SECTION_RESIDENT && is_resident) || (choice == SECTION_LAST && i == last);
        if (is_chosen && section_field(mutant, i, SECTION_SIZE_OF_RAW_DATA) != 0)
            choice_add(mutant, i);
    }
    return choice_take(mutant, index);
}

/* a: enum section_choice, b: field, c: what is added. */
MUTATE(section_field_changed)
{
    uint32_t index;
    if (!take_section(mutant, kind->a, &index))
        return false;
    unsigned width =
        kind->b == SECTION_NUMBER_OF_RELOCATIONS || kind->b == SECTION_NUMBER_OF_LINENUMBERS ? 2 : 4;
    add_place_section(mutant, index);
    /* One of the two that overlap may be named. */
    add_place_foff(mutant, view_section_foff(&mutant->view, 0),
                   mutant->view.section_count * SECTION_HEADER_NBYTES);
    return add_to(mutant, view_section_foff(&mutant->view, index) + kind->b, width, kind->c);
}

/* a: enum section_choice, b: bits that are set, c: bits that are cleared. */
MUTATE(section_flags)
{
    uint32_t index;
    if (!take_section(mutant, kind->a, &index))
        return false;
    uint32_t flags = section_field(mutant, index, SECTION_CHARACTERISTICS);
    const struct subject *subject = mutant->subject;
    uint32_t changed = (flags | kind->b) & ~kind->c;
    /* The right that was taken away comes back: not cured, but not wrong. */
    if (index < subject->old_view.section_count &&
        load_u32(subject->old_view.bytes + view_section_foff(&subject->old_view, index) +
                 SECTION_CHARACTERISTICS) == changed)
        return false;
    add_place_section(mutant, index);
    return set_field(mutant, view_section_foff(&mutant->view, index) + SECTION_CHARACTERISTICS, 4, changed);
}

/* The name asks for paging, or for being thrown away. a: enum section_choice, b: which name. */
MUTATE(section_renamed)
{
    static const char *const names[] = {"PAGE", "PAGEDATA", "INIT", ".edata"};
    uint32_t index;
    if (!take_section(mutant, kind->a, &index))
        return false;
    uint8_t *name = mutant->bytes + view_section_foff(&mutant->view, index);
    add_place_section(mutant, index);
    memset(name, 0, SECTION_NAME_NBYTES);
    memcpy(name, names[kind->b], strlen(names[kind->b]));
    return true;
}

/* Less memory than content. */
MUTATE(section_cut_in_memory)
{
    uint32_t index;
    (void)kind;
    if (!take_section(mutant, SECTION_ANY, &index))
        return false;
    uint32_t nbytes = section_memory_nbytes(mutant, index);
    uint32_t pages_nbytes = (nbytes - 1) / PAGE_NBYTES * PAGE_NBYTES;
    add_place_section(mutant, index);
    add_place_rva(mutant, section_field(mutant, index, SECTION_VIRTUAL_ADDRESS) + (uint64_t)pages_nbytes,
                  PAGE_NBYTES);
    return pages_nbytes != 0 &&
           set_field(mutant, view_section_foff(&mutant->view, index) + SECTION_VIRTUAL_SIZE, 4, pages_nbytes);
}

/* Zeros come up as zeros, and the int3 between functions may be zeros as well. */
static bool is_more_than_fill(const uint8_t *bytes, uint32_t nbytes)
{
    for (uint32_t i = 0; i < nbytes; i++)
        if (bytes[i] != 0 && bytes[i] != 0xCC)
            return true;
    return false;
}

/* A run of bytes of a section that is more than fill: where it begins. */
static bool take_content(struct mutant *mutant, uint32_t choice, uint32_t nbytes, uint32_t *foff)
{
    uint32_t index;
    if (!take_section(mutant, choice, &index))
        return false;
    uint32_t raw_foff = section_field(mutant, index, SECTION_POINTER_TO_RAW_DATA);
    uint32_t raw_nbytes = section_field(mutant, index, SECTION_SIZE_OF_RAW_DATA);
    mutant->choice_count = 0;
    for (uint32_t at = 0; at + nbytes <= raw_nbytes && range_fits(mutant->nbytes, raw_foff + at, nbytes);
         at += nbytes)
        if (subject_old_foff(mutant->subject, raw_foff + at) != UINT64_MAX &&
            is_more_than_fill(mutant->bytes + raw_foff + at, nbytes))
            choice_add(mutant, raw_foff + at);
    return choice_take(mutant, foff);
}

/* The file has the section's last bytes no more: they come up as zeros. */
MUTATE(section_cut_in_file)
{
    uint32_t index;
    (void)kind;
    if (!take_section(mutant, SECTION_ANY, &index))
        return false;
    uint32_t raw_nbytes = section_field(mutant, index, SECTION_SIZE_OF_RAW_DATA);
    uint32_t raw_foff = section_field(mutant, index, SECTION_POINTER_TO_RAW_DATA);
    if (raw_nbytes <= 0x200 || !is_more_than_fill(mutant->bytes + raw_foff + raw_nbytes - 0x200, 0x200))
        return false;
    add_place_section(mutant, index);
    add_place_foff(mutant, raw_foff + raw_nbytes - 0x200, 0x200);
    return set_field(mutant, view_section_foff(&mutant->view, index) + SECTION_SIZE_OF_RAW_DATA, 4,
                     raw_nbytes - 0x200);
}

/* Another section's bytes. a: 0 the file's, 1 the place in memory, 2 both headers exchanged. */
MUTATE(section_of_another)
{
    uint32_t index, other;
    static const unsigned fields[] = {SECTION_POINTER_TO_RAW_DATA, SECTION_VIRTUAL_ADDRESS};
    if (mutant->view.section_count < 2 || !take_section(mutant, SECTION_ANY, &index))
        return false;
    other = index + 1 < mutant->view.section_count ? index + 1 : index - 1;
    uint32_t foff = view_section_foff(&mutant->view, index),
             other_foff = view_section_foff(&mutant->view, other);
    add_place_section(mutant, index);
    add_place_section(mutant, other);
    if (kind->a == 2)
        return swap_records(mutant, foff, other_foff, SECTION_HEADER_NBYTES);
    return section_field(mutant, other, SECTION_SIZE_OF_RAW_DATA) != 0 &&
           set_field(mutant, foff + fields[kind->a], 4, section_field(mutant, other, fields[kind->a]));
}

/* A section behind the last, with room for its header, and no byte. */
MUTATE(section_of_no_length)
{
    uint32_t index = mutant->view.section_count, foff = view_section_foff(&mutant->view, index);
    (void)kind;
    if (foff + SECTION_HEADER_NBYTES > load_u32(mutant->bytes + mutant->view.opt_foff + OPT_SIZE_OF_HEADERS))
        return false;
    memset(mutant->bytes + foff, 0, SECTION_HEADER_NBYTES);
    memcpy(mutant->bytes + foff, ".none", 5);
    store_u32(mutant->bytes + foff + SECTION_VIRTUAL_ADDRESS,
              load_u32(mutant->bytes + mutant->view.opt_foff + OPT_SIZE_OF_IMAGE));
    store_u32(mutant->bytes + foff + SECTION_CHARACTERISTICS, SCN_CNT_INITIALIZED_DATA | SCN_MEM_READ);
    return add_to(mutant, mutant->view.coff_foff + COFF_NUMBER_OF_SECTIONS, 2, 1);
}

/* The last section, and the image with it, is longer than anything asks for. a: bytes. */
MUTATE(last_section_too_long)
{
    uint32_t index;
    if (!take_section(mutant, SECTION_LAST, &index))
        return false;
    add_place_section(mutant, index);
    return add_to(mutant, view_section_foff(&mutant->view, index) + SECTION_VIRTUAL_SIZE, 4, kind->a) &&
           add_to(mutant, mutant->view.opt_foff + OPT_SIZE_OF_IMAGE, 4, kind->a);
}

/* The last bytes of the file belong to a section that has more of them than memory: what discards it takes
 * the pages behind it along. */
MUTATE(raw_data_beyond_memory)
{
    uint32_t count = mutant->view.section_count;
    (void)kind;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t foff = view_section_foff(&mutant->view, i);
        if (section_field(mutant, i, SECTION_POINTER_TO_RAW_DATA) +
                section_field(mutant, i, SECTION_SIZE_OF_RAW_DATA) !=
            mutant->nbytes)
            continue;
        add_place_section(mutant, i);
        add_place(mutant,
                  (struct place){mutant->nbytes, UINT64_MAX, mutant->nbytes, UINT64_MAX, PAGE_NBYTES});
        mutant->nbytes += PAGE_NBYTES;
        return add_to(mutant, foff + SECTION_SIZE_OF_RAW_DATA, 4, PAGE_NBYTES);
    }
    return false;
}

/* Raw data no longer begin at multiples of FileAlignment. */
MUTATE(file_alignment_of_a_page)
{
    (void)kind;
    for (uint32_t i = 0; i < mutant->view.section_count; i++)
        if (section_field(mutant, i, SECTION_POINTER_TO_RAW_DATA) % PAGE_NBYTES != 0) {
            add_place_section(mutant, i);
            add_place_foff(mutant, mutant->view.opt_foff + OPT_SIZE_OF_HEADERS, 4);
            return set_field(mutant, mutant->view.opt_foff + OPT_FILE_ALIGNMENT, 4, PAGE_NBYTES);
        }
    return false;
}

/* The last section and the image grow so that the headers agree, but it lies a page farther than its
 * references say. */
MUTATE(last_section_a_page_farther)
{
    uint32_t index;
    (void)kind;
    if (!mutant->subject->layout || !take_section(mutant, SECTION_LAST, &index))
        return false;
    add_place_section(mutant, index);
    return add_to(mutant, view_section_foff(&mutant->view, index) + SECTION_VIRTUAL_ADDRESS, 4,
                  PAGE_NBYTES) &&
           add_to(mutant, mutant->view.opt_foff + OPT_SIZE_OF_IMAGE, 4, PAGE_NBYTES);
}

/* ---- content ---- */

/* a: enum section_choice, b: bits that turn in a byte of content. */
MUTATE(content_byte)
{
    uint32_t foff;
    return take_content(mutant, kind->a, 1, &foff) && flip_byte(mutant, foff, (uint8_t)kind->b);
}

MUTATE(content_lost)
{
    uint32_t foff;
    if (!take_content(mutant, kind->a, 16, &foff))
        return false;
    memset(mutant->bytes + foff, 0, 16);
    return true;
}

/* Sixteen bytes change places with the next sixteen. */
MUTATE(content_out_of_order)
{
    uint32_t foff;
    return take_content(mutant, kind->a, 32, &foff) && swap_records(mutant, foff, foff + 16, 16);
}

/* From some place on, the rest of the section lies b bytes farther. */
MUTATE(content_shifted)
{
    uint32_t foff, index;
    if (!take_content(mutant, kind->a, 16, &foff))
        return false;
    mutant->choice_count = 0;
    for (index = 0; index < mutant->view.section_count; index++)
        if (foff - section_field(mutant, index, SECTION_POINTER_TO_RAW_DATA) <
            section_field(mutant, index, SECTION_SIZE_OF_RAW_DATA))
            break;
    if (index == mutant->view.section_count)
        return false;
    uint32_t end_foff = section_field(mutant, index, SECTION_POINTER_TO_RAW_DATA) +
                        section_field(mutant, index, SECTION_SIZE_OF_RAW_DATA);
    add_place_foff(mutant, foff, end_foff - foff);
    memmove(mutant->bytes + foff + kind->b, mutant->bytes + foff, end_foff - foff - kind->b);
    return true;
}

/* Bytes of the new file that come from nowhere: behind a section's content, and in holes. a: 1 only in
 * executable sections, 0 in the others; b: the byte. */
MUTATE(fill_byte)
{
    uint32_t foff;
    for (uint32_t i = 0; i < mutant->view.section_count; i++) {
        bool is_code = section_field(mutant, i, SECTION_CHARACTERISTICS) & SCN_MEM_EXECUTE;
        uint32_t raw_foff = section_field(mutant, i, SECTION_POINTER_TO_RAW_DATA);
        uint32_t relocations_foff = directory_foff(mutant, DIR_BASERELOC);
        if (is_code != (kind->a == 1))
            continue;
        for (uint32_t at = 0; at < section_field(mutant, i, SECTION_SIZE_OF_RAW_DATA) &&
                              range_fits(mutant->nbytes, raw_foff + at, 1);
             at++) {
            uint8_t byte = mutant->bytes[raw_foff + at];
            bool is_relocations = relocations_foff != 0 &&
                                  raw_foff + at - relocations_foff < directory_nbytes(mutant, DIR_BASERELOC);
            if ((byte == 0 || byte == 0xCC) && !is_relocations && mutant->subject->layout &&
                subject_old_foff(mutant->subject, raw_foff + at) == UINT64_MAX)
                choice_add(mutant, raw_foff + at);
        }
    }
    return choice_take(mutant, &foff) && set_field(mutant, foff, 1, kind->b);
}

/* The bytes behind VirtualSize, up to the page's end, are mapped too. */
MUTATE(tail_byte)
{
    uint32_t foff;
    (void)kind;
    for (uint32_t i = 0; i < mutant->view.section_count; i++) {
        uint32_t raw_foff = section_field(mutant, i, SECTION_POINTER_TO_RAW_DATA);
        uint32_t virtual_nbytes = section_field(mutant, i, SECTION_VIRTUAL_SIZE);
        for (uint32_t at = virtual_nbytes;
             virtual_nbytes != 0 && at < section_field(mutant, i, SECTION_SIZE_OF_RAW_DATA); at++)
            choice_add(mutant, raw_foff + at);
    }
    return choice_take(mutant, &foff) && flip_byte(mutant, foff, 0x41);
}

/* ---- the file ---- */

/* Bytes behind the last section. a: their value. */
MUTATE(file_longer)
{
    add_place(mutant, (struct place){mutant->nbytes, UINT64_MAX, mutant->nbytes, UINT64_MAX, 0x200});
    memset(mutant->bytes + mutant->nbytes, (int)kind->a, 0x200);
    mutant->nbytes += 0x200;
    return true;
}

/* The file ends early. a: 0 the section table agrees, 1 it does not. */
MUTATE(file_shorter)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < mutant->view.section_count; i++)
        if (section_field(mutant, i, SECTION_POINTER_TO_RAW_DATA) >
            section_field(mutant, last, SECTION_POINTER_TO_RAW_DATA))
            last = i;
    uint32_t field_foff = view_section_foff(&mutant->view, last) + SECTION_SIZE_OF_RAW_DATA;
    uint32_t cut_nbytes = section_field(mutant, last, SECTION_SIZE_OF_RAW_DATA) > 0x200 ? 0x200 : 0x80;
    mutant->nbytes -= cut_nbytes;
    if (kind->a == 0 && !is_more_than_fill(mutant->bytes + mutant->nbytes, cut_nbytes))
        return false;
    add_place_section(mutant, last);
    add_place_directory(mutant, DIR_DEBUG); /* whose data may be cut off */
    add_place_foff(mutant, mutant->nbytes, cut_nbytes);
    add_place(mutant, (struct place){mutant->nbytes, UINT64_MAX, mutant->nbytes, UINT64_MAX, cut_nbytes});
    return kind->a == 1 || add_to(mutant, field_foff, 4, 0 - (uint64_t)cut_nbytes);
}

/* What the dropped signature was. a: 0 entry and table, 1 entry alone, 2 half of the table. */
MUTATE(certificates_left)
{
    const struct subject *subject = mutant->subject;
    uint32_t table_foff = view_directory_rva(&subject->old_view, DIR_SECURITY);
    if (table_foff == 0 || directory_rva(mutant, DIR_SECURITY) != 0 || table_foff >= subject->old_file.nbytes)
        return false;
    uint32_t nbytes = (uint32_t)(subject->old_file.nbytes - table_foff);
    if (nbytes > MUTANT_SPARE_NBYTES)
        return false;
    if (kind->a == 2)
        nbytes /= 2;
    uint32_t entry_foff = view_directory_foff(DIR_SECURITY, &mutant->view);
    add_place(mutant, (struct place){mutant->nbytes, UINT64_MAX, table_foff, UINT64_MAX,
                                     subject->old_file.nbytes - table_foff});
    store_u32(mutant->bytes + entry_foff + DIRECTORY_RVA, (uint32_t)mutant->nbytes);
    store_u32(mutant->bytes + entry_foff + DIRECTORY_SIZE,
              view_directory_nbytes(&subject->old_view, DIR_SECURITY));
    if (kind->a != 1) {
        memcpy(mutant->bytes + mutant->nbytes, subject->old_file.bytes + table_foff, nbytes);
        mutant->nbytes += nbytes;
    }
    return true;
}

#endif
