/* verify_names.c - one pass over all code bytes, one over each table.
 * Takes: struct verify_code.  Gives: its `named`, `near`, `called` and `pointed` maps.  Must not: decode. */
#include "verify/verify_names.h"
#include "verify/verify_branch_field.h"
#include "verify/verify_relocations.h"

enum name_kind { NAME_NEAR, NAME_FAR, NAME_CALL, NAME_POINTER };

static void name_rva(struct verify_code *code, int64_t rva, enum name_kind kind)
{
    const struct verify_code_section *section = rva < 0 ? NULL : verify_code_at(code, (uint64_t)rva);
    if (!section)
        return;
    size_t at = (size_t)((uint64_t)rva - section->rva);
    verify_set_bit(kind == NAME_NEAR ? section->near : section->named, at);
    if (kind == NAME_CALL)
        verify_set_bit(section->called, at);
    if (kind == NAME_POINTER)
        verify_set_bit(section->pointed, at);
}

/* What a byte may be the last opcode byte, or the ModRM byte, of. */
enum byte_kind { BYTE_OTHER, BYTE_REL8, BYTE_CALL_OR_JUMP, BYTE_CONDITIONAL, BYTE_RIP_RELATIVE };

static enum byte_kind kind_of(uint8_t byte)
{
    if (verify_is_rel8_opcode(byte))
        return BYTE_REL8;
    if (byte == 0xE8 || byte == 0xE9)
        return BYTE_CALL_OR_JUMP;
    if ((byte & 0xF0) == 0x80) /* behind 0F */
        return BYTE_CONDITIONAL;
    return (byte & 0xC7) == 0x05 ? BYTE_RIP_RELATIVE : BYTE_OTHER;
}

static void name_branch_targets(struct verify_code *code, const struct verify_code_section *section)
{
    const uint8_t *bytes = section->bytes.bytes;
    size_t nbytes = section->bytes.nbytes;
    uint8_t kinds[256];
    for (unsigned byte = 0; byte < 256; byte++)
        kinds[byte] = (uint8_t)kind_of((uint8_t)byte);
    if (!code->image->is_64)
        for (unsigned byte = 0; byte < 256; byte++)
            kinds[byte] = kinds[byte] == BYTE_RIP_RELATIVE ? BYTE_OTHER : kinds[byte];
    code->step_count += nbytes;
    for (size_t i = 0; i < nbytes; i++) {
        uint8_t kind = kinds[bytes[i]];
        int64_t next_rva = (int64_t)section->rva + (int64_t)i;
        if (kind == BYTE_OTHER || (kind == BYTE_CONDITIONAL && (i == 0 || bytes[i - 1] != 0x0F)))
            continue;
        if (kind == BYTE_REL8) {
            if (nbytes - i >= 2)
                name_rva(code, next_rva + 2 + (int8_t)bytes[i + 1], NAME_NEAR);
        } else if (nbytes - i >= 5) {
            name_rva(code, next_rva + 5 + (int32_t)load_u32(bytes + i + 1),
                     kind == BYTE_CALL_OR_JUMP ? NAME_CALL : NAME_FAR);
        }
    }
}

static void name_relocated_pointers(struct verify_code *code)
{
    struct verify_relocation_reader reader = verify_relocations_begin(code->image);
    struct verify_relocation relocation;
    uint64_t va;
    while (verify_relocations_next(&reader, &relocation)) {
        code->step_count++;
        if (verify_read_at(code->image, relocation.rva, verify_relocation_width(relocation.type), &va) &&
            va >= code->image->base_va && va - code->image->base_va <= UINT32_MAX)
            name_rva(code, (int64_t)(va - code->image->base_va), NAME_POINTER);
    }
}

static void name_exports(struct verify_code *code)
{
    const struct verify_image *image = code->image;
    if (image->directory_count <= DIR_EXPORT || image->directories[DIR_EXPORT].rva == 0)
        return;
    struct span directory = verify_bytes_at(image, image->directories[DIR_EXPORT].rva);
    if (directory.nbytes < EXPORT_DIRECTORY_NBYTES)
        return;
    uint32_t count = load_u32(directory.bytes + EXPORT_NUMBER_OF_FUNCTIONS);
    struct span functions = verify_bytes_at(image, load_u32(directory.bytes + EXPORT_ADDRESS_OF_FUNCTIONS));
    for (uint32_t i = 0; i < count && range_fits(functions.nbytes, (uint64_t)i * 4, 4); i++) {
        code->step_count++;
        name_rva(code, load_u32(functions.bytes + (size_t)i * 4), NAME_POINTER);
    }
}

void verify_names_mark(struct verify_code *code)
{
    for (uint32_t i = 0; i < code->section_count; i++)
        name_branch_targets(code, &code->sections[i]);
    name_relocated_pointers(code);
    name_exports(code);
    for (size_t i = 0; i < code->function_count; i++)
        name_rva(code, code->functions[i].rva, NAME_FAR);
    name_rva(code, code->image->entry_rva, NAME_POINTER);
}
