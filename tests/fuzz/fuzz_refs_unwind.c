/* fuzz_refs_unwind.c - exception tables, unwind info and the data of language handlers.
 * Claims: refs_claims.h; a plain reading finds the same fields of function records, chains and handlers. Of
 * handler data, whose form hangs on which function the handler is, only the general claims are made. */
#include "mutate.h"
#include "refs_claims.h"

#include <stdlib.h>

unsigned mutate_family = FAMILY_UNWIND;

struct walk {
    struct plain records; /* the fields of the table */
    struct plain infos;   /* the fields of unwind info and of records outside the table */
    uint8_t *is_visited;  /* for each byte of the file: an unwind info or record that begins here was read */
    uint32_t table_rva, table_nbytes;
};

static void broken(struct walk *walk, const char *why)
{
    plain_broken(&walk->records, why);
}

/* False when it was visited before. */
static bool visit(struct walk *walk, const uint8_t *at)
{
    uint8_t *mark = &walk->is_visited[at - walk->records.image->file.bytes];
    bool is_new = *mark == 0;
    *mark = 1;
    return is_new;
}

/* Begin, end, unwind info (bit 0: another record). */
static void add_function_x64(struct plain *list, const uint8_t *record)
{
    uint32_t unwind = load_u32(record + 8);
    plain_field(list, record, load_u32(record));
    plain_field(list, record + 4, load_u32(record + 4));
    plain_field(list, record + 8, (unwind & 1) != 0 ? unwind & ~UINT32_C(3) : unwind);
}

/* The unwind info at rva; the word of the record that it is chained to, or 0. */
static uint32_t read_info_x64(struct walk *walk, uint32_t rva)
{
    const uint8_t *info, *tail;
    if (!plain_bytes(&walk->infos, rva, 4, &info)) {
        broken(walk, "an unwind info has no bytes");
        return 0;
    }
    unsigned version = info[0] & 7, flags = info[0] >> 3;
    if (!visit(walk, info) || version == 0 || version > 2)
        return 0;
    uint64_t tail_rva = (uint64_t)rva + 4 + (info[2] + (uint64_t)1) / 2 * 4;
    bool is_chained = (flags & 4) != 0, has_handler = !is_chained && (flags & 3) != 0;
    uint32_t nbytes = (uint32_t)(tail_rva - rva) + (is_chained ? 12 : 0) + (has_handler ? 4 : 0);
    if (!plain_bytes(&walk->infos, rva, nbytes, &info)) {
        broken(walk, "an unwind info is longer than its bytes");
        return 0;
    }
    tail = info + (tail_rva - rva);
    if (has_handler)
        plain_field(&walk->infos, tail, load_u32(tail));
    if (!is_chained)
        return 0;
    add_function_x64(&walk->infos, tail);
    return load_u32(tail + 8);
}

static void follow_x64(struct walk *walk, uint32_t unwind)
{
    const uint8_t *record;
    while (unwind != 0) {
        if ((unwind & 1) == 0) {
            unwind = read_info_x64(walk, unwind);
            continue;
        }
        uint32_t rva = unwind & ~UINT32_C(3);
        if (rva - walk->table_rva < walk->table_nbytes)
            return; /* a record of the table */
        if (!plain_bytes(&walk->infos, rva, 12, &record)) {
            broken(walk, "a function record has no bytes");
            return;
        }
        if (!visit(walk, record))
            return;
        add_function_x64(&walk->infos, record);
        unwind = load_u32(record + 8);
    }
}

/* The .xdata record at rva: a header word, perhaps a second one, scopes, codes, a handler. */
static void read_info_arm64(struct walk *walk, uint32_t rva)
{
    const uint8_t *info;
    if (!plain_bytes(&walk->infos, rva, 4, &info)) {
        broken(walk, "an .xdata record has no bytes");
        return;
    }
    uint32_t word = load_u32(info);
    uint32_t scope_count = word >> 22 & 31, code_word_count = word >> 27, nbytes = 4;
    if (scope_count == 0 && code_word_count == 0) {
        if (!plain_bytes(&walk->infos, rva, 8, &info)) {
            broken(walk, "an .xdata record has no second word");
            return;
        }
        scope_count = load_u32(info + 4) & 0xFFFF;
        code_word_count = load_u32(info + 4) >> 16 & 0xFF;
        nbytes = 8;
    }
    if ((word >> 21 & 1) == 0) /* E: the count is not one of scopes */
        nbytes += 4 * scope_count;
    nbytes += 4 * code_word_count;
    bool has_handler = (word >> 20 & 1) != 0, is_version_read = (word >> 18 & 3) == 0;
    if (!plain_bytes(&walk->infos, rva, nbytes, &info)) {
        broken(walk, "an .xdata record is longer than its bytes");
        return;
    }
    if (!visit(walk, info) || !is_version_read || !has_handler)
        return;
    if (!plain_bytes(&walk->infos, rva, nbytes + 4, &info)) {
        broken(walk, "an .xdata record has no handler");
        return;
    }
    plain_field(&walk->infos, info + nbytes, load_u32(info + nbytes));
}

static void read_record_arm64(struct walk *walk, const uint8_t *record)
{
    uint32_t unwind = load_u32(record + 4), kind = unwind & 3;
    plain_field(&walk->records, record, load_u32(record));
    plain_field(&walk->records, record + 4, kind == 3 ? unwind & ~UINT32_C(3) : unwind);
    uint32_t distance = (unwind & ~UINT32_C(3)) - walk->table_rva;
    if (kind == 3 && (distance >= walk->table_nbytes || distance % 8 != 0))
        broken(walk, "a record names one that is not in the table");
    if (kind == 0 && unwind != 0)
        read_info_arm64(walk, unwind);
}

static void read_table(struct walk *walk, bool is_arm64)
{
    const struct directory *directory = &walk->records.image->directories[3];
    const uint8_t *table;
    uint32_t record_nbytes = is_arm64 ? 8 : 12;
    walk->table_rva = directory->rva;
    walk->table_nbytes = directory->nbytes - directory->nbytes % record_nbytes;
    if (directory->rva == 0 || directory->nbytes == 0)
        return;
    if (!plain_bytes(&walk->records, directory->rva, walk->table_nbytes, &table)) {
        broken(walk, "the exception table is longer than its bytes");
        return;
    }
    for (uint32_t at = 0; at < walk->table_nbytes; at += record_nbytes) {
        if (is_arm64) {
            read_record_arm64(walk, table + at);
            continue;
        }
        add_function_x64(&walk->records, table + at);
        follow_x64(walk, load_u32(table + at + 8));
    }
}

static void claim_unwind(const struct image *image)
{
    bool is_arm64 = image->machine == 0xAA64;
    struct walk walk = {.is_visited = calloc(1, image->file.nbytes + 1)};
    CLAIM(walk.is_visited, "no memory for the claim");
    plain_begin(&walk.records, image);
    plain_begin(&walk.infos, image);
    if (is_arm64 || image->machine == 0x8664)
        read_table(&walk, is_arm64);
    /* A field that a record and an unwind info share is damage as well. */
    for (size_t i = 0; i < walk.infos.count; i++)
        if (walk.records.is_taken[walk.infos.fields[i].foff] != 0)
            broken(&walk, "an unwind info lies in the table");
    if (walk.infos.state > walk.records.state)
        broken(&walk, walk.infos.why);
    walk.infos.state = walk.records.state;
    walk.infos.why = walk.records.why;
    uint32_t sources = SOURCE_BIT(SOURCE_EXCEPTION) | SOURCE_BIT(SOURCE_UNWIND);
    plain_compare_part(&walk.records, sources, SOURCE_BIT(SOURCE_EXCEPTION), "function records");
    plain_compare_part(&walk.infos, sources, SOURCE_BIT(SOURCE_UNWIND), "unwind info");
    plain_end(&walk.infos);
    plain_end(&walk.records);
    free(walk.is_visited);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    uint32_t sources =
        SOURCE_BIT(SOURCE_EXCEPTION) | SOURCE_BIT(SOURCE_UNWIND) | SOURCE_BIT(SOURCE_HANDLER_DATA);
    return refs_claims(data, nbytes, sources, claim_unwind);
}
