/* emit_straddles.c - section .hvcode: stubs, their table of fields, guarded functions, copies of
 * instructions. Takes: the new image with all references written, layout->straddles.  Gives: the section's
 * bytes, and jumps in place of what was copied.  Must not: choose a place. */
#include "emit/emit_internal.h"

enum { FILL_CODE = 0xCC, JUMP_OPCODE = 0xE9 };

struct straddle_writer {
    const struct emitter *emitter;
    const struct straddle_repair *repair;
    uint8_t *code; /* of .hvcode */
};

/* The bytes at a new RVA that the file holds. */
static uint8_t *bytes_at(const struct emitter *emitter, uint32_t new_rva)
{
    const struct new_section *section = layout_section_at(emitter->layout, new_rva);
    return emitter->bytes + section->raw_foff + (new_rva - section->rva);
}

static void write_jump(uint8_t *bytes, uint32_t rva, uint32_t target_rva)
{
    bytes[0] = JUMP_OPCODE;
    store_u32(bytes + 1, target_rva - (rva + JUMP_NBYTES));
}

static void write_stubs(const struct straddle_writer *writer)
{
    const struct straddle_repair *repair = writer->repair;
    const struct image *image = writer->emitter->image;
    for (unsigned i = 0; i < repair->stub_count; i++) {
        const struct start_stub *stub = &repair->stubs[i];
        struct start_stub_addresses addresses = {
            .image_base_va = image->image_base_va,
            .stub_rva = repair->code_rva + stub->at,
            .flag_rva = repair->flag_rva,
            .table_rva = repair->code_rva + repair->table_at,
            .function_rva = layout_map_rva(writer->emitter->layout, stub->function_old_rva)};
        start_stub_write(image->is_64, &addresses, writer->code + stub->at);
    }
}

/* Distances from each entry to its field; the fields differ from their entries, so none is the 0 at the end.
 */
static void write_table(const struct straddle_writer *writer)
{
    const struct straddle_repair *repair = writer->repair;
    uint32_t at = repair->table_at;
    for (size_t i = 0; i < repair->applied_count; i++, at += START_TABLE_ENTRY_NBYTES)
        store_u32(writer->code + at,
                  layout_map_rva(writer->emitter->layout, repair->applied_rvas[i]) - (repair->code_rva + at));
    store_u32(writer->code + at, 0);
}

/* The old records as they are written now, then the stubs, whose RVAs are the greatest. */
static bool write_guard_table(const struct straddle_writer *writer)
{
    const struct straddle_repair *repair = writer->repair;
    const struct guard_copy *guard = &repair->guard;
    const struct emitter *emitter = writer->emitter;
    uint32_t old_nbytes = guard->count * guard->stride_nbytes, count_foff;
    if (guard->stride_nbytes == 0)
        return true;
    if (!layout_map_foff(emitter->layout, guard->count_foff, &count_foff))
        return false;
    uint8_t *record = writer->code + guard->at;
    memcpy(record, bytes_at(emitter, layout_map_rva(emitter->layout, guard->old_rva)), old_nbytes);
    record += old_nbytes;
    for (unsigned i = 0; i < repair->stub_count; i++, record += guard->stride_nbytes) {
        memset(record, 0, guard->stride_nbytes);
        store_u32(record, repair->code_rva + repair->stubs[i].at);
    }
    store_width(emitter->bytes + count_foff, emitter->image->is_64 ? 8 : 4,
                guard->count + repair->stub_count);
    return true;
}

static void write_copies(const struct straddle_writer *writer)
{
    const struct straddle_repair *repair = writer->repair;
    for (size_t i = 0; i < repair->copy_count; i++) {
        const struct code_copy *copy = &repair->copies[i];
        uint32_t place_rva = layout_map_rva(writer->emitter->layout, copy->old_rva);
        uint32_t copy_rva = repair->code_rva + copy->at;
        uint8_t *place = bytes_at(writer->emitter, place_rva), *bytes = writer->code + copy->at;
        memcpy(bytes, place, copy->nbytes);
        if (copy->comes_back)
            write_jump(bytes + copy->nbytes, copy_rva + copy->nbytes, place_rva + copy->nbytes);
        memset(place, FILL_CODE, copy->nbytes);
        write_jump(place, place_rva, copy_rva);
    }
}

bool emit_straddles(const struct emitter *emitter)
{
    const struct straddle_repair *repair = emitter->layout->straddles;
    if (!repair || repair->code_nbytes == 0)
        return true;
    const struct new_section *section = layout_section_at(emitter->layout, repair->code_rva);
    struct straddle_writer writer = {emitter, repair, emitter->bytes + section->raw_foff};
    memset(writer.code, FILL_CODE, section->raw_nbytes);
    write_copies(&writer);
    if (repair->stub_count == 0)
        return true;
    write_stubs(&writer);
    write_table(&writer);
    return write_guard_table(&writer);
}
