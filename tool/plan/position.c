/* position.c - addresses that are computed from a distance: code that asks for its own address, and tables of
 * distances. Takes: the layout.  Gives: true, or the refusal that names the place.  Must not: follow what is
 * computed.
 *
 * `call $+5; pop` and its kin make any address from a constant, which nothing in the image names. While only
 * what the loader writes leaves, that is assumed not to be reached so (docs/ASSUMPTIONS.md); variables are.
 * Compilers for x64 make tables of distances, label - table. One that is known is encoded anew; one that is
 * not would break when it leaves its code. Its address is taken somewhere, and its first element leads to
 * code. */
#include "code/code_decode.h"
#include "plan/rewrite.h"
#include "refs/extent_index.h"

#include <inttypes.h>

struct tables {
    struct extent_index jumps;
    struct extent_index imports; /* slots and the tables that name imports: they hold RVAs of names */
};

/* `mov r, [esp]; ret` and the same with rsp. */
static bool returns_own_address(const struct rewrite *rewrite, uint32_t rva)
{
    struct span bytes;
    unsigned prefix_nbytes = rewrite->image->is_64 ? 1 : 0;
    if (!image_bytes_at_rva(rewrite->image, rva, 4 + prefix_nbytes, &bytes))
        return false;
    const uint8_t *b = bytes.bytes + prefix_nbytes;
    return b[0] == 0x8B && (b[1] & 0xC7) == 0x04 && b[2] == 0x24 && b[3] == 0xC3 &&
           (prefix_nbytes == 0 || (bytes.bytes[0] & 0xF8) == 0x48);
}

static bool takes_own_address(const struct rewrite *rewrite, const struct ref *ref)
{
    if (ref->source != SOURCE_CODE || ref->encoding != REF_PCREL)
        return false;
    if (ref->access == ACCESS_ADDRESS)
        return ref->target == ref->base_rva;
    return ref->access == ACCESS_CALL && (ref->flags & REF_FLAG_CODE_TARGET) &&
           (ref->target == ref->base_rva || returns_own_address(rewrite, ref->target));
}

/* The 4 bytes at rva, as a distance from table_rva, lead to an instruction. */
static bool leads_to_code(const struct rewrite *rewrite, uint32_t table_rva, uint32_t rva)
{
    struct span bytes;
    return image_bytes_at_rva(rewrite->image, rva, 4, &bytes) &&
           code_class_at(rewrite->code, table_rva + load_u32(bytes.bytes)) == BYTE_INSTRUCTION;
}

/* Code takes the address of something that leaves and looks like a table of distances that is not known
 * wholly. */
static bool is_unknown_table(const struct tables *tables, const struct rewrite *rewrite,
                             const struct ref *ref)
{
    const struct layout *layout = rewrite->layout;
    if (ref->source != SOURCE_CODE || ref->access != ACCESS_ADDRESS || ref->state != REF_RESOLVED ||
        piece_delta(layout_piece_at(layout, ref->target)) == layout->uniform_delta ||
        !leads_to_code(rewrite, ref->target, ref->target) || extent_index_at(&tables->imports, ref->target))
        return false;
    const struct extent *table = extent_index_at(&tables->jumps, ref->target);
    return !table || leads_to_code(rewrite, table->rva, table->rva + table->nbytes);
}

/* Behind `lea t, [table]`: `movsxd r, dword [t + i * 4]`, then `add r, t`: the table holds distances from
 * itself. */
static bool adds_distances(const struct rewrite *rewrite, struct decoder *decoder, const struct ref *ref)
{
    enum { MOST_INSTRUCTIONS = 24 };
    uint32_t rva = code_instruction_begin(rewrite->code, ref->site_rva);
    struct instruction instruction;
    uint8_t base = NO_REGISTER;
    uint32_t loaded = 0; /* registers that hold a distance */
    for (int i = 0; i < MOST_INSTRUCTIONS; i++) {
        struct span bytes = image_run_at_rva(rewrite->image, rva);
        struct register_sets use;
        if (code_class_at(rewrite->code, rva) != BYTE_INSTRUCTION ||
            !decode(decoder, bytes.bytes, bytes.nbytes, rva, &instruction) ||
            !decode_registers(decoder, &use) || flow_ends(instruction.flow))
            return false;
        rva = instruction_end_rva(&instruction);
        if (i == 0) {
            if (instruction.operation != OP_LEA)
                return false;
            base = instruction.reg;
            continue;
        }
        if (instruction.operation == OP_ADD && instruction.has_register_operand && instruction.has_modrm &&
            instruction.imm_nbytes[0] == 0) {
            bool is_to = instruction.rm == base && (loaded >> instruction.reg & 1);
            bool is_from = instruction.reg == base && (loaded >> instruction.rm & 1);
            if (is_to || is_from)
                return true;
        }
        bool loads = instruction.operation == OP_MOVSXD && !instruction.has_register_operand &&
                     instruction.base == base && instruction.index != NO_REGISTER && instruction.scale == 4;
        loaded &= ~(uint32_t)use.changes;
        if (loads)
            loaded |= 1U << instruction.reg;
        if (use.changes >> base & 1)
            return false;
    }
    return false;
}

/* Clang makes a table of distances to data out of a switch that returns addresses. Nothing encodes it anew:
 * none of its entries may lead to what moves otherwise than the table. */
static bool is_torn_table(const struct tables *tables, const struct rewrite *rewrite, struct decoder *decoder,
                          const struct ref *ref)
{
    enum { MOST_ENTRIES = 1024 };
    const struct layout *layout = rewrite->layout;
    if (ref->source != SOURCE_CODE || ref->access != ACCESS_ADDRESS || ref->state != REF_RESOLVED ||
        ref->encoding != REF_PCREL || extent_index_at(&tables->jumps, ref->target) ||
        code_class_at(rewrite->code, ref->target) == BYTE_INSTRUCTION ||
        !adds_distances(rewrite, decoder, ref))
        return false;
    uint32_t delta = piece_delta(layout_piece_at(layout, ref->target));
    struct span bytes = image_run_at_rva(rewrite->image, ref->target);
    for (size_t i = 0; i < MOST_ENTRIES && range_fits(bytes.nbytes, i * 4, 4); i++) {
        uint32_t target = ref->target + load_u32(bytes.bytes + i * 4);
        if (target >= rewrite->image->image_nbytes)
            return false; /* behind the table's end */
        if (piece_delta(layout_piece_at(layout, target)) != delta)
            return true;
    }
    return false;
}

bool position_judge(struct rewrite *rewrite)
{
    struct tables tables;
    struct decoder *decoder = decoder_new(rewrite->arena, rewrite->image->is_64);
    if (!decoder)
        return false;
    if (!layout_data_leaves(rewrite->layout))
        return true;
    if (!extent_index_init(&tables.jumps, rewrite->refs, UINT64_C(1) << EXTENT_JUMP_TABLE, rewrite->arena) ||
        !extent_index_init(&tables.imports, rewrite->refs,
                           UINT64_C(1) << EXTENT_IAT | UINT64_C(1) << EXTENT_IMPORT_LOOKUP, rewrite->arena))
        return false;
    for (size_t i = 0; i < rewrite->refs->ref_count; i++) {
        const struct ref *ref = &rewrite->refs->refs[i];
        if (takes_own_address(rewrite, ref))
            return rewrite_refuse(
                rewrite, code_instruction_begin(rewrite->code, ref->site_rva), ref->site_foff,
                "Compile without position-independent code (no -fPIC); use plain addresses in "
                "assembler sources.",
                "The code at RVA 0x%" PRIX32 " takes its own address, and may compute others from it.",
                code_instruction_begin(rewrite->code, ref->site_rva));
        if (rewrite->image->is_64 && is_torn_table(&tables, rewrite, decoder, ref))
            return rewrite_refuse(
                rewrite, code_instruction_begin(rewrite->code, ref->site_rva), ref->site_foff,
                "Keep the constants of a switch in one section with the compiler's tables.",
                "The table at RVA 0x%" PRIX32 " holds distances to what moves otherwise than the table.",
                ref->target);
        if (rewrite->image->is_64 && is_unknown_table(&tables, rewrite, ref))
            return rewrite_refuse(rewrite, code_instruction_begin(rewrite->code, ref->site_rva),
                                  ref->site_foff,
                                  "Link the driver with page-aligned sections (/ALIGN:0x1000).",
                                  "The code at RVA 0x%" PRIX32 " takes the address of RVA 0x%" PRIX32
                                  ", where a table of distances to code may lie that is not known wholly.",
                                  code_instruction_begin(rewrite->code, ref->site_rva), ref->target);
    }
    return true;
}
