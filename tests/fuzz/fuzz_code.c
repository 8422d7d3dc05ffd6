/* fuzz_code.c - reading the instructions of any image.
 * Claims: every byte of executable sections has one class; each byte called an instruction decodes, alone, to
 * exactly the bytes that follow it; operands lie inside such instructions; work and memory are linear. */
#include "fuzz.h"

#include <Zydis/Zydis.h>

static const struct work_limit reading = {250, 100000, 150, 200000};

static void claim_counts(const struct code_map *map)
{
    uint64_t counts[5] = {0}, total = 0, said = 0;
    for (size_t i = 0; i < map->section_count; i++) {
        const struct code_section *section = &map->sections[i];
        total += section->nbytes;
        for (uint32_t at = 0; at < section->nbytes; at++) {
            CLAIM(section->classes[at] <= BYTE_PADDING, "RVA 0x%X has class %u",
                  (unsigned)(section->rva + at), section->classes[at]);
            counts[section->classes[at]]++;
        }
    }
    for (unsigned k = 0; k < 5; k++) {
        said += map->class_counts[k];
        CLAIM(counts[k] == map->class_counts[k], "%llu bytes of %s, %llu said", (unsigned long long)counts[k],
              byte_class_name((enum byte_class)k), (unsigned long long)map->class_counts[k]);
    }
    CLAIM(said == total, "%llu bytes have a class, sections have %llu", (unsigned long long)said,
          (unsigned long long)total);
    CLAIM(map->instruction_count == counts[BYTE_INSTRUCTION], "%llu instructions, %llu first bytes",
          (unsigned long long)map->instruction_count, (unsigned long long)counts[BYTE_INSTRUCTION]);
}

/* A decoder of this file's own, on the same bytes. */
static void claim_instructions(const struct image *image, const struct code_section *section)
{
    ZydisDecoder decoder;
    bool is_64 = image->machine == MACHINE_AMD64;
    ZydisDecoderInit(&decoder, is_64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32,
                     is_64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
    struct span bytes;
    if (section->nbytes == 0)
        return;
    CLAIM(image_bytes_at_rva(image, section->rva, section->nbytes, &bytes),
          "section at RVA 0x%X is not backed", (unsigned)section->rva);
    for (uint32_t at = 0; at < section->nbytes; at++) {
        if (section->classes[at] == BYTE_INSTRUCTION_TAIL)
            CLAIM(at > 0 && (section->classes[at - 1] == BYTE_INSTRUCTION ||
                             section->classes[at - 1] == BYTE_INSTRUCTION_TAIL),
                  "the tail at RVA 0x%X has no instruction", (unsigned)(section->rva + at));
        if (section->classes[at] != BYTE_INSTRUCTION)
            continue;
        uint32_t length = 1;
        while (at + length < section->nbytes && section->classes[at + length] == BYTE_INSTRUCTION_TAIL)
            length++;
        ZydisDecodedInstruction instruction;
        ZyanStatus status = ZydisDecoderDecodeInstruction(&decoder, ZYAN_NULL, bytes.bytes + at,
                                                          section->nbytes - at, &instruction);
        CLAIM(ZYAN_SUCCESS(status) && instruction.length == length,
              "RVA 0x%X: an instruction of %u bytes, decoded %u", (unsigned)(section->rva + at),
              (unsigned)length, ZYAN_SUCCESS(status) ? instruction.length : 0);
    }
}

static void claim_functions(const struct code_map *map)
{
    for (size_t i = 0; i < map->function_count; i++) {
        const struct code_function *function = &map->functions[i];
        CLAIM(function->source <= FUNCTION_LEA && function->end_rva >= function->begin_rva, "function %zu",
              i);
        CLAIM(i == 0 || map->functions[i - 1].begin_rva < function->begin_rva,
              "functions are not sorted at %zu", i);
        CLAIM(code_section_at(map, function->begin_rva), "function %zu begins at RVA 0x%X, in no code", i,
              (unsigned)function->begin_rva);
        CLAIM(code_function_at(map, function->begin_rva) == function, "function %zu is not found", i);
    }
}

static void claim_operands(const struct refset *refs, const struct code_map *map, size_t first_ref)
{
    for (size_t i = first_ref; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        CLAIM(ref->source == SOURCE_CODE, "reference %zu is of another source", i);
        CLAIM(range_fits(refs->image->file.nbytes, ref->site_foff, ref->width_nbytes),
              "operand %zu leaves the file", i);
        /* Jump tables may lie in data sections. */
        for (unsigned k = 0; k < ref->width_nbytes && code_section_at(map, ref->site_rva); k++)
            CLAIM(code_class_at(map, ref->site_rva + k) == BYTE_INSTRUCTION_TAIL ||
                      code_class_at(map, ref->site_rva + k) == BYTE_DATA,
                  "operand %zu (%s, %s) at RVA 0x%X is of class %s", i,
                  ref_encoding_name((enum ref_encoding)ref->encoding),
                  ref_access_name((enum ref_access)ref->access), (unsigned)ref->site_rva,
                  byte_class_name(code_class_at(map, ref->site_rva + k)));
        uint64_t stored = load_width(refs->image->file.bytes + ref->site_foff, ref->width_nbytes), value = 0;
        CLAIM(ref_encode(refs->image, ref, stored, ref->target, ref->base_rva, &value) && value == stored,
              "operand %zu at RVA 0x%X (%s) holds 0x%llX and encodes to 0x%llX", i, (unsigned)ref->site_rva,
              ref_encoding_name((enum ref_encoding)ref->encoding), (unsigned long long)stored,
              (unsigned long long)value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct image image;
    if (read_input((struct span){data, nbytes}, &arena, &image)) {
        struct refset refs;
        struct code_map map;
        CLAIM(refs_collect(&image, &arena, SOURCE_ALL, &refs), "out of memory");
        size_t first_ref = refs.ref_count;
        struct work work = work_begin(&arena);
        CLAIM(code_read(&image, &refs, &arena, &map), "out of memory");
        work_end(&work, &arena, nbytes, &reading, "code_read");
        CLAIM(map.decoded || (map.not_decoded_reason && map.not_decoded_reason[0]),
              "not decoded, for no reason");
        if (map.decoded) {
            claim_counts(&map);
            for (size_t i = 0; i < map.section_count; i++)
                claim_instructions(&image, &map.sections[i]);
            claim_functions(&map);
            claim_operands(&refs, &map, first_ref);
        }
    }
    arena_free(&arena);
    return 0;
}
