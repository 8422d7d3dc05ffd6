/* bulk_variants.c - every field of a small image at its extremes.
 * Takes: the bytes of a seed.  Gives: variants, always the same ones.  Must not: know what a field means;
 * each place where a field of 1, 2, 4 or 8 bytes can lie is one. Runs of zeros are passed over, but for the
 * headers: what lies there is padding. */
#include "bulk.h"

#include <stdlib.h>

enum { HEADERS_NBYTES = 0x400, ZERO_RUN_NBYTES = 24, MOST_VALUES = 64 };

/* The places and values of one seed. */
struct extremes {
    const uint8_t *seed;
    size_t nbytes;
    uint32_t rvas[40]; /* places that a field could be made to lead to: sections, directories */
    size_t rva_count;
    uint64_t base_va;
};

static uint32_t u32_at(const struct extremes *extremes, size_t foff)
{
    return foff + 4 <= extremes->nbytes ? load_u32(extremes->seed + foff) : 0;
}

static struct extremes extremes_of(const uint8_t *seed, size_t nbytes)
{
    struct extremes extremes = {.seed = seed, .nbytes = nbytes};
    uint32_t pe_foff = u32_at(&extremes, DOS_E_LFANEW);
    uint32_t coff_foff = pe_foff + PE_SIGNATURE_NBYTES, opt_foff = coff_foff + COFF_HEADER_NBYTES;
    bool is_64 = (u32_at(&extremes, opt_foff) & 0xFFFF) == OPT_MAGIC_64;
    uint32_t directories_foff = opt_foff + (is_64 ? OPT_DIRECTORIES_64 : OPT_DIRECTORIES_32);
    uint32_t table_foff = opt_foff + (u32_at(&extremes, coff_foff + COFF_SIZE_OF_OPTIONAL_HEADER) & 0xFFFF);
    extremes.base_va = is_64 ? u32_at(&extremes, opt_foff + OPT_IMAGE_BASE_64) |
                                   (uint64_t)u32_at(&extremes, opt_foff + OPT_IMAGE_BASE_64 + 4) << 32
                             : u32_at(&extremes, opt_foff + OPT_IMAGE_BASE_32);
    for (unsigned i = 0; i < DIR_COUNT; i++)
        extremes.rvas[extremes.rva_count++] =
            u32_at(&extremes, directories_foff + i * DIRECTORY_ENTRY_NBYTES);
    uint32_t section_count = u32_at(&extremes, coff_foff) >> 16;
    for (uint32_t i = 0; i < section_count && i < 8; i++) {
        uint32_t header_foff = table_foff + i * SECTION_HEADER_NBYTES;
        extremes.rvas[extremes.rva_count++] = u32_at(&extremes, header_foff + SECTION_VIRTUAL_ADDRESS);
        extremes.rvas[extremes.rva_count++] = u32_at(&extremes, header_foff + SECTION_VIRTUAL_ADDRESS) +
                                              u32_at(&extremes, header_foff + SECTION_VIRTUAL_SIZE);
    }
    return extremes;
}

/* RVA of a byte of the file, as the section table has it; its file offset where that says nothing. */
static uint32_t own_rva(const struct extremes *extremes, size_t foff)
{
    uint32_t coff_foff = u32_at(extremes, DOS_E_LFANEW) + PE_SIGNATURE_NBYTES;
    uint32_t table_foff = coff_foff + COFF_HEADER_NBYTES +
                          (u32_at(extremes, coff_foff + COFF_SIZE_OF_OPTIONAL_HEADER) & 0xFFFF);
    for (uint32_t i = 0; i < u32_at(extremes, coff_foff) >> 16; i++) {
        uint32_t header_foff = table_foff + i * SECTION_HEADER_NBYTES;
        uint32_t raw_foff = u32_at(extremes, header_foff + SECTION_POINTER_TO_RAW_DATA);
        if (foff >= raw_foff && foff - raw_foff < u32_at(extremes, header_foff + SECTION_SIZE_OF_RAW_DATA))
            return u32_at(extremes, header_foff + SECTION_VIRTUAL_ADDRESS) + (uint32_t)(foff - raw_foff);
    }
    return (uint32_t)foff;
}

static bool is_padding(const struct extremes *extremes, size_t foff, size_t width)
{
    if (foff < HEADERS_NBYTES)
        return false;
    size_t begin = foff > ZERO_RUN_NBYTES / 2 ? foff - ZERO_RUN_NBYTES / 2 : 0;
    size_t end = foff + width + ZERO_RUN_NBYTES / 2;
    for (size_t i = begin; i < end && i < extremes->nbytes; i++)
        if (extremes->seed[i] != 0)
            return false;
    return true;
}

/* The values for a field of `width` bytes at foff; how many are different from what is there. */
static size_t values_for(const struct extremes *extremes, size_t foff, unsigned width,
                         uint64_t values[MOST_VALUES])
{
    uint64_t old = load_width(extremes->seed + foff, width);
    uint64_t top = width == 8 ? 0 : UINT64_C(1) << 8 * width; /* 0: arithmetic wraps by itself */
    uint64_t candidates[MOST_VALUES] = {
        0, 1, 2, 3, top - 1, top - 2, top >> 1, (top >> 1) - 1, old + 1, old - 1, old * 2, old ^ 0x10};
    size_t count = 12;
    if (width >= 2) {
        static const uint32_t steps[] = {0x7F, 0x80, 0xFF, 0xFFF, 0x1000, 0x1001, 0x2000, 0xFFC0};
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
            candidates[count++] = steps[i];
    }
    if (width >= 4) {
        uint64_t base = width == 8 ? extremes->base_va : 0;
        candidates[count++] = extremes->nbytes;
        candidates[count++] = extremes->nbytes - 1;
        candidates[count++] = base + own_rva(extremes, foff); /* leads to itself */
        candidates[count++] = base + own_rva(extremes, foff) - 4;
        candidates[count++] = old + 0x1000;
        candidates[count++] = old - 0x1000;
        candidates[count++] = UINT32_C(0xFFFFF000);
        candidates[count++] = UINT32_C(0xE0000020); /* readable, writable, executable code */
        for (size_t i = 0; i < extremes->rva_count && count < MOST_VALUES; i++)
            candidates[count++] = base + extremes->rvas[i];
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = width == 8 ? candidates[i] : candidates[i] & (top - 1);
        bool is_known = value == old;
        for (size_t k = 0; k < kept && !is_known; k++)
            is_known = values[k] == value;
        if (!is_known)
            values[kept++] = value;
    }
    return kept;
}

static void put_width(uint8_t *bytes, unsigned width, uint64_t value)
{
    for (unsigned i = 0; i < width; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

/* A fresh block for each variant, so that the sanitizer sees a read past its end. */
static void visit_copy(const struct extremes *extremes, struct bulk_variant *variant, bulk_visit *visit,
                       void *context)
{
    visit(context, variant);
    memcpy(variant->bytes, extremes->seed, variant->nbytes);
}

size_t bulk_cuts(const uint8_t *seed, size_t nbytes, size_t step, bulk_visit *visit, void *context)
{
    size_t count = 0;
    for (size_t cut = 0; cut < nbytes; cut += step, count++) {
        struct bulk_variant variant = {
            .kind = "cut", .first = cut, .nbytes = cut, .bytes = malloc(cut ? cut : 1)};
        if (!variant.bytes)
            abort();
        memcpy(variant.bytes, seed, cut);
        visit(context, &variant);
        free(variant.bytes);
    }
    return count;
}

size_t bulk_fields(const uint8_t *seed, size_t nbytes, size_t step, bulk_visit *visit, void *context)
{
    static const struct {
        unsigned width;
        const char *kind;
    } widths[] = {{4, "word"}, {2, "half"}, {1, "byte"}, {8, "long"}};
    struct extremes extremes = extremes_of(seed, nbytes);
    struct bulk_variant variant = {.nbytes = nbytes, .bytes = malloc(nbytes)};
    size_t number = 0, count = 0;
    if (!variant.bytes)
        abort();
    memcpy(variant.bytes, seed, nbytes);
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        unsigned width = widths[w].width;
        unsigned align = width == 8 ? 4 : width == 4 ? 2 : 1; /* fields of odd images are not aligned */
        for (size_t foff = 0; foff + width <= nbytes; foff += align) {
            uint64_t values[MOST_VALUES];
            if (is_padding(&extremes, foff, width))
                continue;
            size_t value_count = values_for(&extremes, foff, width, values);
            for (size_t i = 0; i < value_count; i++) {
                if (number++ % step != 0)
                    continue;
                variant.kind = widths[w].kind;
                variant.first = foff;
                put_width(variant.bytes + foff, width, values[i]);
                visit_copy(&extremes, &variant, visit, context);
                count++;
            }
        }
    }
    free(variant.bytes);
    return count;
}

/* Places of 4-byte words that are not padding. */
static size_t words_of(const struct extremes *extremes, uint32_t *foffs)
{
    size_t count = 0;
    for (size_t foff = 0; foff + 4 <= extremes->nbytes; foff += foff < HEADERS_NBYTES ? 2 : 4)
        if (!is_padding(extremes, foff, 4))
            foffs[count++] = (uint32_t)foff;
    return count;
}

size_t bulk_pairs(const uint8_t *seed, size_t nbytes, size_t count, bulk_visit *visit, void *context)
{
    struct extremes extremes = extremes_of(seed, nbytes);
    struct bulk_variant variant = {.kind = "pair", .nbytes = nbytes, .bytes = malloc(nbytes)};
    uint32_t *foffs = malloc((nbytes + 1) * sizeof *foffs);
    if (!variant.bytes || !foffs)
        abort();
    memcpy(variant.bytes, seed, nbytes);
    size_t word_count = words_of(&extremes, foffs);
    /* Steps by the golden ratio reach all combinations evenly, whatever `count` is. */
    for (uint64_t i = 0; i < count && word_count != 0; i++) {
        uint64_t mixed = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
        size_t places[2] = {foffs[(mixed >> 32) % word_count], foffs[(mixed & 0xFFFFFFFF) % word_count]};
        for (int k = 0; k < 2; k++) {
            uint64_t values[MOST_VALUES];
            size_t value_count = values_for(&extremes, places[k], 4, values);
            put_width(variant.bytes + places[k], 4, values[(mixed >> (7 + 20 * k)) % value_count]);
        }
        variant.first = places[0];
        variant.second = places[1];
        visit_copy(&extremes, &variant, visit, context);
    }
    free(foffs);
    free(variant.bytes);
    return count;
}
