/* rva_numbers.c - does anything hold the RVA of data that leaves, and no table of the loader's names it?
 * Takes: the layout, inventory, code map.  Gives: the place of the first such number, or none.
 * Must not: take a number for harmless because it is a likely count or flag.
 *
 * Who has the image base, and passes it on, may add an RVA to it that lies in code as a constant, or in data
 * (C++ type information of x64 is made of such). Where the base is the true one and no such number exists,
 * nothing that left can be reached so: all other RVAs are known fields, and have new values. */
#include "code/code_decode.h"
#include "plan/debug_data.h"
#include "plan/rewrite.h"

enum { RVA_NBYTES = 4, FOLD_NBYTES = 0x100 };

struct numbers {
    const struct rewrite *rewrite;
    struct site_set known; /* file offsets of fields of the inventory, and of typed tables */
    struct decoder *decoder;
};

static void mark(struct numbers *numbers, uint64_t foff, uint64_t nbytes)
{
    for (uint64_t i = 0; i < nbytes; i++)
        site_set_add(&numbers->known, foff + i);
}

static bool collect_known(struct numbers *numbers)
{
    const struct rewrite *rewrite = numbers->rewrite;
    if (!site_set_init(&numbers->known, rewrite->arena, rewrite->image->file.nbytes))
        return false;
    for (size_t i = 0; i < rewrite->refs->ref_count; i++)
        mark(numbers, rewrite->refs->refs[i].site_foff, rewrite->refs->refs[i].width_nbytes);
    for (size_t i = 0; i < rewrite->refs->extent_count; i++) {
        const struct extent *extent = &rewrite->refs->extents[i];
        struct span run = image_run_at_rva(rewrite->image, extent->rva);
        uint32_t foff;
        if (run.nbytes != 0 && image_rva_to_foff(rewrite->image, extent->rva, 1, &foff))
            mark(numbers, foff, run.nbytes < extent->nbytes ? run.nbytes : extent->nbytes);
    }
    const struct directory *relocations = image_directory(rewrite->image, DIR_BASERELOC);
    uint32_t relocations_foff;
    if (relocations &&
        image_rva_to_foff(rewrite->image, relocations->rva, relocations->nbytes, &relocations_foff))
        mark(numbers, relocations_foff, relocations->nbytes);
    return true;
}

/* In data that leaves, or so near to it that a folded address may mean it. */
static bool leads_to_leaving(const struct rewrite *rewrite, uint32_t value, uint32_t fold_nbytes)
{
    for (size_t i = 1; i < rewrite->layout->piece_count; i++) {
        const struct piece *piece = &rewrite->layout->pieces[i];
        bool is_data = piece->kind == PIECE_SECTION || piece->kind == PIECE_DATA ||
                       piece->kind == PIECE_SHIFTED || piece->kind == PIECE_VARIABLES;
        uint32_t first_rva = piece->old_rva < fold_nbytes ? 0 : piece->old_rva - fold_nbytes;
        if (is_data && !piece->is_table && piece_delta(piece) != rewrite->layout->uniform_delta &&
            value >= first_rva && value - first_rva < piece->nbytes + 2 * fold_nbytes)
            return true;
    }
    return false;
}

static bool is_text(const uint8_t *bytes)
{
    for (unsigned i = 0; i < RVA_NBYTES; i++)
        if ((bytes[i] < 0x20 || bytes[i] > 0x7E) && bytes[i] != '\t' && bytes[i] != '\n' && bytes[i] != '\r')
            return false;
    return true;
}

/* Aligned as compilers align numbers, and not the last letters of a text. */
static bool is_number_in_data(const struct numbers *numbers, const struct section *section, uint32_t at)
{
    const uint8_t *bytes = numbers->rewrite->image->file.bytes + section->raw_foff;
    return at % RVA_NBYTES == 0 && at + RVA_NBYTES <= section->file_nbytes &&
           site_set_first(&numbers->known, (uint64_t)section->raw_foff + at, RVA_NBYTES) == UINT64_MAX &&
           leads_to_leaving(numbers->rewrite, load_u32(bytes + at), 0) &&
           (at < RVA_NBYTES || !is_text(bytes + at - RVA_NBYTES));
}

/* An immediate, or a displacement from a register, of the instruction at `at`; or bytes that are not decoded.
 */
static bool is_number_in_code(const struct numbers *numbers, const struct section *section, uint32_t at,
                              enum byte_class class)
{
    const struct rewrite *rewrite = numbers->rewrite;
    const uint8_t *bytes = rewrite->image->file.bytes + section->raw_foff;
    struct instruction instruction;
    if (class == BYTE_INSTRUCTION_TAIL || class == BYTE_PADDING)
        return false;
    if (class == BYTE_DATA || is_number_in_data(numbers, section, at))
        return is_number_in_data(numbers, section, at);
    /* What is unknown is asked as each instruction that it could be. */
    if (!decode(numbers->decoder, bytes + at, section->file_nbytes - at, section->rva + at, &instruction))
        return class == BYTE_INSTRUCTION;
    unsigned fields[3], count = 0;
    if (instruction.disp_nbytes == RVA_NBYTES && !instruction.is_rip_relative)
        fields[count++] = instruction.disp_offset;
    for (unsigned i = 0; i < 2; i++)
        if (instruction.imm_nbytes[i] == RVA_NBYTES && instruction.flow == FLOW_NEXT)
            fields[count++] = instruction.imm_offset[i];
    for (unsigned i = 0; i < count; i++)
        if (site_set_first(&numbers->known, (uint64_t)section->raw_foff + at + fields[i], RVA_NBYTES) ==
                UINT64_MAX &&
            leads_to_leaving(rewrite, load_u32(bytes + at + fields[i]), FOLD_NBYTES))
            return true;
    return false;
}

/* ".?AV...", the name in a type descriptor of Visual C++: on x64, type information and the records of what is
 * thrown lead to it by RVAs, for a runtime that may lie in another image. */
static bool holds_type_names(const struct image *image)
{
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        const uint8_t *bytes = image->file.bytes + section->raw_foff;
        for (uint32_t at = 0; at + RVA_NBYTES <= section->file_nbytes; at++)
            if (bytes[at] == '.' && bytes[at + 1] == '?' && bytes[at + 2] == 'A' && bytes[at + 3] >= 'T' &&
                bytes[at + 3] <= 'W')
                return true;
    }
    return false;
}

/* The place of the first number, or NO_RVA. False when memory ran out. */
static bool look_through(struct rewrite *rewrite, uint32_t *rva)
{
    struct numbers numbers = {.rewrite = rewrite,
                              .decoder = decoder_new(rewrite->arena, rewrite->image->is_64)};
    *rva = NO_RVA;
    if (!numbers.decoder || !collect_known(&numbers))
        return false;
    for (uint32_t i = 0; i < rewrite->image->section_count; i++) {
        const struct section *section = &rewrite->image->sections[i];
        const struct code_section *code = code_section_at(rewrite->code, section->rva);
        if (section_is_debug(section))
            continue;
        for (uint32_t at = 0; at < section->file_nbytes; at++) {
            bool is_code = code && at < code->nbytes;
            if (is_code ? is_number_in_code(&numbers, section, at, (enum byte_class)code->classes[at])
                        : is_number_in_data(&numbers, section, at)) {
                *rva = section->rva + at;
                return true;
            }
        }
    }
    return true;
}

bool rva_numbers_find(struct rewrite *rewrite, uint32_t *rva)
{
    *rva = NO_RVA;
    if (rewrite->layout->uniform_delta != 0 || !layout_data_leaves(rewrite->layout))
        return true;
    if (!rewrite->has_number && !look_through(rewrite, &rewrite->number_rva))
        return false;
    rewrite->has_number = true;
    *rva = rewrite->number_rva;
    return true;
}

bool rva_types_judge(struct rewrite *rewrite)
{
    uint32_t number_rva;
    /* The kernel brings no runtime that reads it (docs/ASSUMPTIONS.md). */
    if (!rewrite->image->is_64 || rewrite->image->role == ROLE_KERNEL ||
        !layout_data_leaves(rewrite->layout) || !holds_type_names(rewrite->image))
        return true;
    if (!rva_numbers_find(rewrite, &number_rva))
        return false;
    if (rewrite->layout->uniform_delta == 0 && number_rva == NO_RVA)
        return true;
    return rewrite_refuse(
        rewrite, number_rva, NO_FILE_OFFSET,
        "Compile without run-time type information and C++ exceptions (/GR-, no /EH).",
        "It holds type information of C++, which leads to data by RVAs that no table names.");
}
