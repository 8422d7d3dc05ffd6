/* emit_nx.c - stubs, the references to them, two section headers, and on x86 the relocation table.
 * Takes: see emit_nx.h.  Gives: bytes.  Must not: change a byte that the plan does not name.
 *
 * Each instruction keeps its length and its end, so that return addresses stay: 67 in front of a call, and
 * int3 or ud2 behind a jump, which nothing reaches, fill up. `mov reg, [slot]` becomes `lea reg, [stub]`, on
 * x86 `mov reg, stub`. */
#include "emit/emit_nx.h"

#include "plan/new_sections.h"

enum {
    PREFIX_ADDRESS_SIZE = 0x67, /* without meaning for a call by distance */
    PREFIX_REX_W = 0x48,
    OPCODE_CALL = 0xE8,
    OPCODE_JUMP = 0xE9,
    OPCODE_LOAD_EAX = 0xA1,
    OPCODE_LEA = 0x8D,
    OPCODE_MOV_EAX_IMMEDIATE = 0xB8,
    OPCODE_MOV_IMMEDIATE = 0xC7,
    MODRM_REGISTER = 0xC0,
    OPCODE_UD2 = 0x0F0B,
    DISTANCE_NBYTES = 4
};

static void write_distance(uint8_t *field, uint32_t field_rva, uint32_t target_rva)
{
    store_u32(field, target_rva - (field_rva + DISTANCE_NBYTES));
}

static void write_call(const struct nx_site *site, uint32_t stub_rva, uint8_t *bytes)
{
    uint32_t at = 0;
    bytes[at++] = PREFIX_ADDRESS_SIZE;
    if (site->nbytes == 7)
        bytes[at++] = PREFIX_REX_W;
    bytes[at++] = OPCODE_CALL;
    write_distance(bytes + at, site->rva + at, stub_rva);
}

static void write_jump(const struct nx_site *site, uint32_t stub_rva, uint8_t *bytes)
{
    uint32_t end = 1 + DISTANCE_NBYTES;
    bytes[0] = OPCODE_JUMP;
    write_distance(bytes + 1, site->rva + 1, stub_rva);
    if (site->nbytes - end == 1) {
        bytes[end] = FILL_CODE;
    } else { /* so that the two lengths can be told apart */
        bytes[end] = OPCODE_UD2 >> 8;
        bytes[end + 1] = OPCODE_UD2 & 0xFF;
    }
}

static void write_load(const struct image *image, const struct nx_site *site, uint32_t stub_rva,
                       uint8_t *bytes)
{
    if (image->is_64) {
        bytes[1] = OPCODE_LEA;
        write_distance(bytes + site->field_at, site->rva + site->field_at, stub_rva);
        return;
    }
    if (bytes[0] == OPCODE_LOAD_EAX) {
        bytes[0] = OPCODE_MOV_EAX_IMMEDIATE;
    } else {
        uint8_t number = (uint8_t)(bytes[1] >> 3 & 7);
        bytes[0] = OPCODE_MOV_IMMEDIATE;
        bytes[1] = (uint8_t)(MODRM_REGISTER | number);
    }
    /* The base relocation stays where it is. */
    store_u32(bytes + site->field_at, (uint32_t)image->image_base_va + stub_rva);
}

static void write_stub(const struct image *image, const struct nx_plan *plan,
                       const struct nx_redirect *redirect, uint8_t *bytes)
{
    uint8_t code[NX_STUB_MAX_NBYTES];
    uint32_t at = redirect->stub_rva - plan->code_rva;
    size_t nbytes = nx_stub_code(redirect->api, image->is_64, code);
    uint8_t *stub = bytes + plan->code_foff + at;
    uint32_t field_at = redirect->jump_at + NX_JUMP_FIELD_AT;
    memcpy(stub, code, nbytes);
    if (image->is_64)
        write_distance(stub + field_at, redirect->stub_rva + field_at, redirect->slot_rva);
    else
        store_u32(stub + field_at, (uint32_t)image->image_base_va + redirect->slot_rva);
}

static void write_section(uint8_t *header, const char *name, uint32_t rva, uint32_t nbytes, uint32_t foff,
                          uint32_t end_foff, uint32_t characteristics)
{
    memset(header, 0, SECTION_HEADER_NBYTES);
    memcpy(header + SECTION_NAME, name, strlen(name));
    store_u32(header + SECTION_VIRTUAL_SIZE, nbytes);
    store_u32(header + SECTION_VIRTUAL_ADDRESS, rva);
    store_u32(header + SECTION_SIZE_OF_RAW_DATA, end_foff - foff);
    store_u32(header + SECTION_POINTER_TO_RAW_DATA, foff);
    store_u32(header + SECTION_CHARACTERISTICS, characteristics);
}

/* The trailer says where the table was that this one stands for: who proves the image looks there. */
static void write_relocations(const struct image *image, const struct nx_plan *plan, uint8_t *bytes)
{
    uint8_t *entry = bytes + image->directories[DIR_BASERELOC].entry_foff;
    uint8_t *table = bytes + plan->relocation_foff;
    memcpy(table, plan->relocation_table.bytes, plan->relocation_nbytes);
    memcpy(table + plan->relocation_nbytes, entry, DIRECTORY_ENTRY_NBYTES);
    store_u32(entry + DIRECTORY_RVA, plan->relocation_rva);
    store_u32(entry + DIRECTORY_SIZE, plan->relocation_nbytes);
}

static void write_headers(const struct image *image, const struct nx_plan *plan, uint8_t *bytes)
{
    bool has_table = plan->relocation_nbytes != 0;
    uint32_t code_end_foff = has_table ? plan->relocation_foff : (uint32_t)plan->file_nbytes;
    uint8_t *header = bytes + image->section_table_end_foff;
    write_section(header, NX_CODE_SECTION, plan->code_rva, plan->code_nbytes, plan->code_foff, code_end_foff,
                  NEW_CODE);
    if (has_table)
        write_section(header + SECTION_HEADER_NBYTES, NX_RELOCATION_SECTION, plan->relocation_rva,
                      plan->relocation_nbytes + (uint32_t)NX_RELOCATION_TRAILER_NBYTES, plan->relocation_foff,
                      (uint32_t)plan->file_nbytes, NEW_RELOCATIONS);
    store_u16(bytes + image->coff_foff + COFF_NUMBER_OF_SECTIONS,
              (uint16_t)(image->section_count + (has_table ? 2 : 1)));
    store_u32(bytes + image->opt_foff + OPT_SIZE_OF_IMAGE, plan->image_nbytes);
    memset(bytes + plan->code_foff, FILL_CODE, code_end_foff - plan->code_foff);
}

bool emit_nx(const struct image *image, const struct nx_plan *plan, struct arena *arena,
             struct output *output)
{
    uint8_t *bytes = arena_alloc(arena, (size_t)plan->file_nbytes);
    if (!bytes)
        return false;
    memcpy(bytes, image->file.bytes, image->file.nbytes);
    for (size_t i = 0; i < plan->site_count; i++) {
        const struct nx_site *site = &plan->sites[i];
        uint32_t stub_rva = plan->redirects[site->redirect].stub_rva;
        if (site->kind == NX_SITE_CALL)
            write_call(site, stub_rva, bytes + site->foff);
        else if (site->kind == NX_SITE_JUMP)
            write_jump(site, stub_rva, bytes + site->foff);
        else
            write_load(image, site, stub_rva, bytes + site->foff);
    }
    write_headers(image, plan, bytes);
    for (size_t i = 0; i < plan->redirect_count; i++)
        write_stub(image, plan, &plan->redirects[i], bytes);
    if (plan->relocation_nbytes != 0)
        write_relocations(image, plan, bytes);
    *output = (struct output){bytes, (size_t)plan->file_nbytes};
    uint32_t checksum_foff = image->opt_foff + OPT_CHECK_SUM;
    store_u32(bytes + checksum_foff, pe_checksum((struct span){bytes, output->nbytes}, checksum_foff));
    return true;
}
