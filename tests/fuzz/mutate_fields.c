/* mutate_fields.c - the fields of the headers, and where RVAs lie in the file.
 * Takes: any bytes.  Gives: struct shape.  Must not: refuse. */
#include "mutate.h"

__attribute__((weak)) unsigned mutate_family; /* FAMILY_NONE unless a target says otherwise */

/* Fields of the structures, in their order, as widths. */
static const char *const coff_widths = "22444"
                                       "22";
static const char *const opt_widths_32 = "2"
                                         "11"
                                         "444"
                                         "444"
                                         "444"
                                         "222222"
                                         "4"
                                         "444"
                                         "22"
                                         "4444"
                                         "44";
static const char *const opt_widths_64 = "2"
                                         "11"
                                         "444"
                                         "44"
                                         "8"
                                         "44"
                                         "222222"
                                         "4"
                                         "444"
                                         "22"
                                         "8888"
                                         "44";
static const char *const section_widths = "8"
                                          "444444"
                                          "224";

void shape_add_fields(struct shape *shape, uint64_t foff, const char *widths)
{
    for (; *widths; widths++) {
        unsigned nbytes = (unsigned)(*widths - '0');
        if (range_fits(shape->file.nbytes, foff, nbytes) && shape->field_count < MOST_FIELDS)
            shape->fields[shape->field_count++] = (struct field){(uint32_t)foff, (uint8_t)nbytes};
        foff += nbytes;
    }
}

static void add_borders(struct shape *shape, uint64_t begin, uint64_t nbytes)
{
    if (shape->border_count + 2 > MOST_BORDERS)
        return;
    shape->borders[shape->border_count++] = begin;
    shape->borders[shape->border_count++] = begin + nbytes;
}

static uint32_t word(const struct shape *shape, uint64_t foff)
{
    uint32_t value = 0;
    (void)span_u32(shape->file, foff, &value);
    return value;
}

bool shape_foff(const struct shape *shape, uint64_t rva, uint32_t *foff)
{
    for (uint32_t i = 0; i < shape->section_count && i < MOST_SECTIONS_SEEN; i++) {
        uint64_t header = shape->section_table_foff + (uint64_t)i * SECTION_HEADER_NBYTES;
        uint64_t begin = word(shape, header + SECTION_VIRTUAL_ADDRESS);
        uint64_t raw_nbytes = word(shape, header + SECTION_SIZE_OF_RAW_DATA);
        uint64_t raw_foff = word(shape, header + SECTION_POINTER_TO_RAW_DATA);
        if (rva >= begin && rva - begin < raw_nbytes && raw_foff + (rva - begin) < shape->file.nbytes) {
            *foff = (uint32_t)(raw_foff + (rva - begin));
            return true;
        }
    }
    if (rva >= shape->file.nbytes || rva >= PAGE_NBYTES)
        return false;
    *foff = (uint32_t)rva;
    return true;
}

static void add_sections(struct shape *shape)
{
    uint32_t count = shape->section_count < MOST_SECTIONS_SEEN ? shape->section_count : MOST_SECTIONS_SEEN;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t header = shape->section_table_foff + (uint64_t)i * SECTION_HEADER_NBYTES;
        shape_add_fields(shape, header, section_widths);
        add_borders(shape, word(shape, header + SECTION_VIRTUAL_ADDRESS),
                    word(shape, header + SECTION_VIRTUAL_SIZE));
        add_borders(shape, word(shape, header + SECTION_POINTER_TO_RAW_DATA),
                    word(shape, header + SECTION_SIZE_OF_RAW_DATA));
    }
}

static void add_directories(struct shape *shape)
{
    for (uint32_t i = 0; i < shape->directory_count; i++) {
        uint64_t entry = shape->directories_foff + (uint64_t)i * DIRECTORY_ENTRY_NBYTES;
        shape_add_fields(shape, entry, "44");
        if (word(shape, entry) != 0)
            add_borders(shape, word(shape, entry), word(shape, entry + DIRECTORY_SIZE));
    }
}

static void add_headers(struct shape *shape)
{
    uint64_t pe_foff = word(shape, DOS_E_LFANEW);
    shape_add_fields(shape, DOS_E_LFANEW, "4");
    shape_add_fields(shape, 0x1C, "44444444"); /* reserved words: the targets' own options */
    shape->coff_foff = (uint32_t)pe_foff + PE_SIGNATURE_NBYTES;
    shape->opt_foff = shape->coff_foff + COFF_HEADER_NBYTES;
    uint16_t magic = 0, section_count = 0, opt_nbytes = 0;
    if (pe_foff > shape->file.nbytes || !span_u16(shape->file, shape->opt_foff, &magic))
        return;
    shape->has_headers = true;
    (void)span_u16(shape->file, shape->coff_foff + COFF_MACHINE, &shape->machine);
    (void)span_u16(shape->file, shape->coff_foff + COFF_NUMBER_OF_SECTIONS, &section_count);
    (void)span_u16(shape->file, shape->coff_foff + COFF_SIZE_OF_OPTIONAL_HEADER, &opt_nbytes);
    shape->is_64 = magic == OPT_MAGIC_64;
    if (shape->is_64)
        (void)span_u64(shape->file, shape->opt_foff + OPT_IMAGE_BASE_64, &shape->image_base_va);
    else
        shape->image_base_va = word(shape, shape->opt_foff + OPT_IMAGE_BASE_32);
    shape->directories_foff = shape->opt_foff + (shape->is_64 ? OPT_DIRECTORIES_64 : OPT_DIRECTORIES_32);
    shape->directory_count = word(shape, shape->directories_foff - 4);
    if (shape->directory_count > DIR_COUNT)
        shape->directory_count = DIR_COUNT;
    shape->section_table_foff = shape->opt_foff + opt_nbytes;
    shape->section_count = section_count;
    shape_add_fields(shape, shape->coff_foff, coff_widths);
    shape_add_fields(shape, shape->opt_foff, shape->is_64 ? opt_widths_64 : opt_widths_32);
    add_borders(shape, 0, word(shape, shape->opt_foff + OPT_SIZE_OF_IMAGE));
    add_borders(shape, shape->section_table_foff, word(shape, shape->opt_foff + OPT_SIZE_OF_HEADERS));
    add_borders(shape, shape->file.nbytes, 0);
    add_directories(shape);
    add_sections(shape);
}

void shape_read(struct span file, struct shape *shape)
{
    shape->file = file;
    shape->has_headers = false;
    shape->field_count = shape->border_count = shape->table_count = 0;
    shape->section_count = shape->directory_count = 0;
    add_headers(shape);
    shape->header_field_count = shape->field_count;
    if (shape->has_headers)
        shape_add_tables(shape);
    shape->family_field_first = shape->field_count;
    if (shape->has_headers)
        shape_add_family(shape, mutate_family);
}
