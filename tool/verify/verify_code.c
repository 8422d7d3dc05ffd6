/* verify_code.c - gathers the executable bytes and what tables say about them.
 * Takes: image and tables.  Gives: struct verify_code.  Must not: take a step per byte more than a few times.
 */
#include "verify/verify_code.h"
#include "verify/verify_names.h"
#include "verify/verify_relocations.h"

/* So that some bits can be looked at together. */
enum { BITS_SPARE_NBYTES = 4 };

static bool add_section(struct verify_code *code, const struct verify_section *section, struct arena *arena)
{
    struct verify_code_section *added = &code->sections[code->section_count++];
    size_t bits_nbytes = section->bytes.nbytes / 8 + BITS_SPARE_NBYTES;
    *added = (struct verify_code_section){.section = section, .rva = section->rva, .bytes = section->bytes};
    added->relocated = arena_alloc(arena, bits_nbytes);
    added->named = arena_alloc(arena, bits_nbytes);
    added->near = arena_alloc(arena, bits_nbytes);
    added->called = arena_alloc(arena, bits_nbytes);
    added->pointed = arena_alloc(arena, bits_nbytes);
    added->starts = arena_alloc(arena, bits_nbytes);
    added->reached = arena_alloc(arena, bits_nbytes);
    return added->relocated && added->named && added->near && added->called && added->pointed &&
           added->starts && added->reached;
}

/* Sections marked as code without being executable count too: low-aligned images run everything. */
static bool add_sections(struct verify_code *code, struct arena *arena)
{
    const struct verify_image *image = code->image;
    code->sections = arena_array(arena, image->section_count, sizeof *code->sections);
    if (!code->sections)
        return false;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct verify_section *section = image->by_rva[i];
        if ((section->characteristics & (SCN_MEM_EXECUTE | SCN_CNT_CODE)) && section->bytes.nbytes != 0 &&
            !add_section(code, section, arena))
            return false;
    }
    return true;
}

const struct verify_code_section *verify_code_at(const struct verify_code *code, uint64_t rva)
{
    size_t low = 0, high = code->section_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code->sections[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const struct verify_code_section *section = &code->sections[low - 1];
    return rva - section->rva < section->bytes.nbytes ? section : NULL;
}

bool verify_begins_instruction(const struct verify_code *code, uint64_t rva)
{
    const struct verify_code_section *section = verify_code_at(code, rva);
    return section && verify_bit(section->starts, (size_t)(rva - section->rva));
}

/* Some instruction in the section may be refused by verify_code_decode(). */
static bool has_exceptions(const struct verify_code *code, const struct verify_code_section *section)
{
    size_t bits_nbytes = section->bytes.nbytes / 8 + 1;
    for (size_t i = 0; i < bits_nbytes; i++)
        if (section->relocated[i] != 0)
            return true;
    return verify_import_at(code->tables, section->rva, (uint64_t)section->rva + section->bytes.nbytes);
}

static bool mark_relocations(struct verify_code *code, const char **problem, uint64_t *problem_foff)
{
    struct verify_relocation_reader reader = verify_relocations_begin(code->image);
    struct verify_relocation relocation;
    while (verify_relocations_next(&reader, &relocation)) {
        const struct verify_code_section *section = verify_code_at(code, relocation.rva);
        code->step_count++;
        if (verify_relocation_width(relocation.type) == 0) {
            reader.problem = "a base relocation has a type that this machine's images do not use";
            reader.problem_foff = relocation.entry_foff;
            break;
        }
        if (section)
            verify_set_bit(section->relocated, relocation.rva - section->rva);
    }
    for (uint32_t i = 0; i < code->section_count; i++)
        code->sections[i].is_plain = !has_exceptions(code, &code->sections[i]);
    *problem = reader.problem;
    *problem_foff = reader.problem_foff;
    return !reader.problem;
}

/* Unwind data must ascend for the system's binary search; what does not is left out, and code there counts
 * as having no unwind data. */
static bool read_functions(struct verify_code *code, struct arena *arena)
{
    const struct verify_image *image = code->image;
    if (image->machine != MACHINE_AMD64 || image->directory_count <= DIR_EXCEPTION)
        return true;
    struct verify_directory directory = image->directories[DIR_EXCEPTION];
    struct span table = verify_bytes_at(image, directory.rva);
    if (directory.rva == 0)
        return true;
    if (table.nbytes > directory.nbytes)
        table.nbytes = directory.nbytes;
    size_t count = table.nbytes / RUNTIME_FUNCTION_NBYTES;
    code->functions = arena_array(arena, count, sizeof *code->functions);
    if (!code->functions)
        return false;
    uint32_t free_rva = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = table.bytes + i * RUNTIME_FUNCTION_NBYTES;
        struct verify_function function = {load_u32(entry + RUNTIME_FUNCTION_BEGIN),
                                           load_u32(entry + RUNTIME_FUNCTION_END),
                                           FUNCTION_UNSEEN,
                                           false,
                                           0,
                                           0};
        const struct verify_code_section *section = verify_code_at(code, function.rva);
        code->step_count++;
        if (function.rva < free_rva || function.end_rva <= function.rva || !section ||
            function.end_rva - section->rva > section->bytes.nbytes)
            continue;
        code->functions[code->function_count++] = function;
        free_rva = function.end_rva;
    }
    return true;
}

bool verify_code_read(const struct verify_image *image, const struct verify_tables *tables,
                      struct arena *arena, struct verify_code *code, const char **problem,
                      uint64_t *problem_foff)
{
    *code = (struct verify_code){.image = image, .tables = tables};
    *problem = NULL;
    if (!add_sections(code, arena) || !verify_decoder_init(&code->decoder, arena, image->is_64))
        return false;
    if (!mark_relocations(code, problem, problem_foff))
        return false;
    if (!read_functions(code, arena))
        return false;
    verify_names_mark(code);
    return true;
}

/* Relocated fields that begin in the instruction, or reach into it from in front. */
static bool has_relocated(const struct verify_code_section *section, size_t first, size_t end)
{
    /* Each map goes on for BITS_SPARE_NBYTES behind its last bit. */
    uint64_t bits = load_u32(section->relocated + first / 8) >> (first % 8);
    return bits & ((UINT64_C(1) << (end - first)) - 1);
}

/* True when the loader changes no part of the instruction but a displacement or an immediate as a whole. */
static bool are_relocations_fields(const struct verify_code *code, const struct verify_code_section *section,
                                   size_t at, const struct verify_instruction *instruction)
{
    unsigned width_nbytes = code->image->is_64 ? 8 : 4;
    size_t first = at < width_nbytes - 1 ? 0 : at - (width_nbytes - 1);
    if (!has_relocated(section, first, at + instruction->nbytes))
        return true;
    for (size_t i = first; i < at + instruction->nbytes; i++) {
        if (!verify_bit(section->relocated, i))
            continue;
        bool is_disp = instruction->disp_nbytes == width_nbytes && i == at + instruction->disp_at;
        bool is_imm = false;
        for (unsigned k = 0; k < 2; k++)
            is_imm =
                is_imm || (instruction->imm_nbytes[k] == width_nbytes && i == at + instruction->imm_at[k]);
        if (!is_disp && !is_imm)
            return false;
    }
    return true;
}

bool verify_code_decode(struct verify_code *code, const struct verify_code_section *section, size_t at,
                        struct verify_instruction *instruction)
{
    code->step_count++;
    if (!verify_decode(&code->decoder, section->bytes, at, instruction))
        return false;
    if (section->is_plain)
        return true;
    uint64_t rva = (uint64_t)section->rva + at;
    return !verify_import_at(code->tables, rva, rva + instruction->nbytes) &&
           are_relocations_fields(code, section, at, instruction);
}
