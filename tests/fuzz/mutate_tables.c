/* mutate_tables.c - the fields of tables that the data directories lead to.
 * Takes: a shape with its headers.  Gives: more fields.
 * Must not: know every table. The records of each directory are described by their widths; what their
 * pointers lead to is taken for a row of 4-byte words, two levels deep, which meets unwind info, handler
 * data, guard tables, thunks, names and whatever else tables name. */
#include "mutate.h"

enum { FOLLOWED_WORDS = 12, MOST_RECORDS = 24, MOST_RELOCATION_BLOCKS = 16, LEVELS_BELOW = 2 };

/* Per directory: one record's widths, and how many of them at most. NULL: read in a way of its own, or not at
 * all. */
struct table_form {
    const char *widths;
    unsigned most_count;
};

static const struct table_form forms_64[DIR_COUNT] = {
    [DIR_EXPORT] = {"44224444444", 1},
    [DIR_IMPORT] = {"44444", MOST_RECORDS},
    [DIR_RESOURCE] = {"4", 200},
    [DIR_EXCEPTION] = {"444", MOST_RECORDS},
    [DIR_BASERELOC] = {NULL, 0},
    [DIR_DEBUG] = {"44224444", MOST_RECORDS},
    [DIR_TLS] = {"888844", 1},
    [DIR_LOAD_CONFIG] = {"8", 42},
    [DIR_BOUND_IMPORT] = {"422", MOST_RECORDS},
    [DIR_IAT] = {"8", MOST_RECORDS},
    [DIR_DELAY_IMPORT] = {"44444444", MOST_RECORDS},
    [DIR_CLR] = {"422"
                 "4444444444444444",
                 1},
};

uint32_t shape_directory_word(const struct shape *shape, unsigned number, unsigned offset)
{
    uint32_t value = 0;
    if (number < shape->directory_count)
        (void)span_u32(shape->file,
                       shape->directories_foff + (uint64_t)number * DIRECTORY_ENTRY_NBYTES + offset, &value);
    return value;
}

static struct table_form form_of(const struct shape *shape, unsigned number)
{
    struct table_form form = forms_64[number];
    if (number == DIR_EXCEPTION && shape->machine != MACHINE_AMD64)
        form.widths = "44";
    if (!shape->is_64 && number == DIR_TLS)
        form.widths = "444444";
    if (!shape->is_64 && number == DIR_LOAD_CONFIG)
        form = (struct table_form){"4", 49};
    if (!shape->is_64 && number == DIR_IAT)
        form.widths = "4";
    return form;
}

static unsigned record_nbytes(const char *widths)
{
    unsigned nbytes = 0;
    for (; *widths; widths++)
        nbytes += (unsigned)(*widths - '0');
    return nbytes;
}

static void add_directory(struct shape *shape, unsigned number)
{
    struct table_form form = form_of(shape, number);
    uint32_t foff, rva = shape_directory_word(shape, number, DIRECTORY_RVA);
    uint32_t nbytes = shape_directory_word(shape, number, DIRECTORY_SIZE);
    if (rva == 0 || !form.widths || !shape_foff(shape, rva, &foff))
        return;
    for (unsigned i = 0; i < form.most_count; i++) {
        uint64_t at = (uint64_t)i * record_nbytes(form.widths);
        if (at < nbytes || i == 0)
            shape_add_fields(shape, foff + at, form.widths);
    }
}

static void add_relocations(struct shape *shape)
{
    uint32_t foff, at = 0, nbytes = shape_directory_word(shape, DIR_BASERELOC, DIRECTORY_SIZE);
    if (!shape_foff(shape, shape_directory_word(shape, DIR_BASERELOC, DIRECTORY_RVA), &foff))
        return;
    for (unsigned i = 0; i < MOST_RELOCATION_BLOCKS && at < nbytes; i++) {
        uint32_t block_nbytes = 0;
        shape_add_fields(shape, (uint64_t)foff + at, "4422222222");
        if (!span_u32(shape->file, (uint64_t)foff + at + BASERELOC_BLOCK_SIZE, &block_nbytes) ||
            block_nbytes < BASERELOC_BLOCK_HEADER_NBYTES || block_nbytes > nbytes)
            break;
        at += block_nbytes;
    }
}

static void add_symbols(struct shape *shape)
{
    uint32_t foff = 0, count = 0;
    (void)span_u32(shape->file, shape->coff_foff + COFF_POINTER_TO_SYMBOL_TABLE, &foff);
    (void)span_u32(shape->file, shape->coff_foff + COFF_NUMBER_OF_SYMBOLS, &count);
    if (foff == 0)
        return;
    for (uint32_t i = 0; i < count && i < MOST_RECORDS; i++)
        shape_add_fields(shape, foff + (uint64_t)i * COFF_SYMBOL_NBYTES, "4442211");
    shape_add_fields(shape, foff + (uint64_t)count * COFF_SYMBOL_NBYTES, "4"); /* size of the string table */
}

/* Does the field hold an RVA, or a VA, with bytes in the file? */
static bool leads_to(const struct shape *shape, const struct field *field, uint32_t *foff)
{
    uint64_t value = load_width(shape->file.bytes + field->foff, field->width_nbytes);
    if (field->width_nbytes < 4 || value < 0x100)
        return false;
    if (value >= shape->image_base_va && value - shape->image_base_va < UINT32_MAX &&
        shape_foff(shape, value - shape->image_base_va, foff))
        return true;
    return shape_foff(shape, value & 0x7FFFFFFE, foff); /* bit 0 and bit 31 are flags in some tables */
}

/* What the fields [first, end) point at, once a place. */
static void follow(struct shape *shape, size_t first, size_t end)
{
    static uint8_t is_followed[1 << 16];
    memset(is_followed, 0, sizeof is_followed);
    for (size_t i = first; i < end; i++) {
        uint32_t foff;
        if (!leads_to(shape, &shape->fields[i], &foff) || foff >= sizeof is_followed || is_followed[foff])
            continue;
        is_followed[foff] = 1;
        for (unsigned k = 0; k < FOLLOWED_WORDS; k++)
            shape_add_fields(shape, foff + 4 * (uint64_t)k, "4");
    }
}

void shape_add_tables(struct shape *shape)
{
    size_t first = shape->field_count;
    for (unsigned number = 0; number < DIR_COUNT; number++)
        add_directory(shape, number);
    add_relocations(shape);
    add_symbols(shape);
    shape_add_fields(shape, shape_directory_word(shape, DIR_SECURITY, DIRECTORY_RVA), "422");
    for (unsigned level = 0; level < LEVELS_BELOW; level++) {
        size_t end = shape->field_count;
        follow(shape, first, end);
        first = end;
    }
}
