/* verify_stub.c - a start-up stub, byte by byte, with its flag and its table.
 * Takes: the RVA of the new image where an entry point leads.  Gives: what the stub applies.
 * Must not: accept another form than the two below, however alike it would run.
 *
 * The stub runs what its table lists once per load: under a flag that is exchanged for 1 it takes the
 * difference between where it is and where it was linked to be, and adds it to each field; then it goes on to
 * the function that was there before. */
#include "verify/verify_stub.h"

#include <stdlib.h>

enum { FIELD_NBYTES = 4, FLAG_ALIGN_NBYTES = 4 };

/* xx marks a byte of a field. */
#define xx 0x1FF

static const uint16_t form_64[] = {
    0xB8, 0x01, 0x00, 0x00, 0x00,                     /* 00: mov eax, 1 */
    0x87, 0x05, xx,   xx,   xx,   xx,                 /* 05: xchg [rip + flag], eax */
    0x85, 0xC0,                                       /* 0B: test eax, eax */
    0x75, 0x2F,                                       /* 0D: jnz done */
    0x48, 0x8D, 0x05, xx,   xx,   xx, xx,             /* 0F: lea rax, [rip + stub] */
    0x49, 0xBA, xx,   xx,   xx,   xx, xx, xx, xx, xx, /* 16: mov r10, stub as linked */
    0x4C, 0x29, 0xD0,                                 /* 20: sub rax, r10 */
    0x74, 0x19,                                       /* 23: jz done */
    0x4C, 0x8D, 0x15, xx,   xx,   xx, xx,             /* 25: lea r10, [rip + table] */
    0x4D, 0x63, 0x1A,                                 /* 2C: loop: movsxd r11, [r10] */
    0x4D, 0x85, 0xDB,                                 /* 2F: test r11, r11 */
    0x74, 0x0A,                                       /* 32: jz done */
    0x4B, 0x01, 0x04, 0x1A,                           /* 34: add [r10 + r11], rax */
    0x49, 0x83, 0xC2, 0x04,                           /* 38: add r10, 4 */
    0xEB, 0xEE,                                       /* 3C: jmp loop */
    0xE9, xx,   xx,   xx,   xx,                       /* 3E: done: jmp function */
};

static const uint16_t form_32[] = {
    0xB8, 0x01, 0x00, 0x00, 0x00,     /* 00: mov eax, 1 */
    0x87, 0x05, xx,   xx,   xx,   xx, /* 05: xchg [flag], eax */
    0x85, 0xC0,                       /* 0B: test eax, eax */
    0x75, 0x1F,                       /* 0D: jnz done */
    0xB8, xx,   xx,   xx,   xx,       /* 0F: mov eax, stub */
    0x2D, xx,   xx,   xx,   xx,       /* 14: sub eax, stub as linked */
    0x74, 0x13,                       /* 19: jz done */
    0xBA, xx,   xx,   xx,   xx,       /* 1B: mov edx, table */
    0x8B, 0x0A,                       /* 20: loop: mov ecx, [edx] */
    0x85, 0xC9,                       /* 22: test ecx, ecx */
    0x74, 0x08,                       /* 24: jz done */
    0x01, 0x04, 0x0A,                 /* 26: add [edx + ecx], eax */
    0x83, 0xC2, 0x04,                 /* 29: add edx, 4 */
    0xEB, 0xF2,                       /* 2C: jmp loop */
    0xE9, xx,   xx,   xx,   xx,       /* 2E: done: jmp function */
};
#undef xx

/* Where the fields are. */
enum {
    FLAG_AT = 0x07,
    BEGIN_AT_64 = 0x12,
    LINKED_AT_64 = 0x18,
    TABLE_AT_64 = 0x28,
    JUMP_AT_64 = 0x3F,
    BEGIN_AT_32 = 0x10,
    LINKED_AT_32 = 0x15,
    TABLE_AT_32 = 0x1C,
    JUMP_AT_32 = 0x2F
};

struct stub_fields {
    int64_t flag_rva, begin_rva, table_rva, function_rva;
    uint64_t linked_va;
    unsigned begin_at, linked_at, table_at, jump_at, nbytes;
};

static bool is_paged_name(const struct verify_section *section)
{
    return strncmp(section->name, "PAGE", 4) == 0 || strncmp(section->name, ".eda", 4) == 0;
}

bool verify_stays_there(struct verify_moves *moves, uint32_t rva, uint64_t nbytes, uint32_t rights,
                        uint32_t no_rights, const char *what)
{
    const struct verify_section *section = verify_section_at(&moves->judged->new_image, rva);
    uint32_t limits = SCN_MEM_EXECUTE | SCN_MEM_READ | SCN_MEM_WRITE | SCN_MEM_DISCARDABLE;
    uint32_t used_nbytes = section && section->virtual_nbytes != 0 ? section->virtual_nbytes : UINT32_MAX;
    if (!section || !range_fits(section->memory_nbytes, rva - section->rva, nbytes) ||
        !range_fits(used_nbytes, rva - section->rva, nbytes))
        return verify_refute(moves->judged, verify_spot_rva(moves->judged, rva),
                             "%s at RVA 0x%X of the new image is not in one section.", what, (unsigned)rva);
    if ((section->characteristics & limits & (rights | no_rights)) != rights || is_paged_name(section))
        return verify_refute(
            moves->judged, verify_spot_rva(moves->judged, rva),
            "%s at RVA 0x%X of the new image is in section %s with rights 0x%X, where it must "
            "not be.",
            what, (unsigned)rva, section->name, (unsigned)section->characteristics);
    return true;
}

static struct stub_fields read_fields(const struct verify_image *image, const uint8_t *bytes, uint32_t rva)
{
    struct stub_fields fields;
    if (image->is_64) {
        fields = (struct stub_fields){.begin_at = BEGIN_AT_64,
                                      .linked_at = LINKED_AT_64,
                                      .table_at = TABLE_AT_64,
                                      .jump_at = JUMP_AT_64,
                                      .nbytes = sizeof form_64 / sizeof form_64[0]};
        fields.flag_rva = (int64_t)rva + FLAG_AT + FIELD_NBYTES + (int32_t)load_u32(bytes + FLAG_AT);
        fields.begin_rva = (int64_t)rva + BEGIN_AT_64 + FIELD_NBYTES + (int32_t)load_u32(bytes + BEGIN_AT_64);
        fields.table_rva = (int64_t)rva + TABLE_AT_64 + FIELD_NBYTES + (int32_t)load_u32(bytes + TABLE_AT_64);
        fields.linked_va = load_u64(bytes + LINKED_AT_64);
    } else {
        fields = (struct stub_fields){.begin_at = BEGIN_AT_32,
                                      .linked_at = LINKED_AT_32,
                                      .table_at = TABLE_AT_32,
                                      .jump_at = JUMP_AT_32,
                                      .nbytes = sizeof form_32 / sizeof form_32[0]};
        fields.flag_rva = (int64_t)load_u32(bytes + FLAG_AT) - (int64_t)image->base_va;
        fields.begin_rva = (int64_t)load_u32(bytes + BEGIN_AT_32) - (int64_t)image->base_va;
        fields.table_rva = (int64_t)load_u32(bytes + TABLE_AT_32) - (int64_t)image->base_va;
        fields.linked_va = load_u32(bytes + LINKED_AT_32);
    }
    fields.function_rva =
        (int64_t)rva + fields.jump_at + FIELD_NBYTES + (int32_t)load_u32(bytes + fields.jump_at);
    return fields;
}

static bool check_form(struct verify_moves *moves, const uint8_t *bytes, uint32_t rva)
{
    bool is_64 = moves->judged->new_image.is_64;
    const uint16_t *form = is_64 ? form_64 : form_32;
    size_t count = is_64 ? sizeof form_64 / sizeof form_64[0] : sizeof form_32 / sizeof form_32[0];
    for (size_t i = 0; i < count; i++)
        if (form[i] <= UINT8_MAX && form[i] != bytes[i])
            return verify_refute(
                moves->judged, verify_spot_rva(moves->judged, rva + (uint32_t)i),
                "The start-up stub at RVA 0x%X has the byte 0x%02X at RVA 0x%X; its form asks "
                "for 0x%02X.",
                (unsigned)rva, bytes[i], (unsigned)(rva + i), (unsigned)form[i]);
    return true;
}

static bool check_field(struct verify_moves *moves, uint32_t rva, unsigned at, int64_t value,
                        int64_t expected, const char *what)
{
    return value == expected ||
           verify_refute(moves->judged, verify_spot_rva(moves->judged, rva + at),
                         "The start-up stub at RVA 0x%X has %s 0x%llX; it must be 0x%llX.", (unsigned)rva,
                         what, (unsigned long long)value, (unsigned long long)expected);
}

static bool check_flag(struct verify_moves *moves, uint32_t stub_rva, int64_t flag_rva)
{
    struct verify_case *judged = moves->judged;
    if (flag_rva < 0 || flag_rva > (int64_t)UINT32_MAX - FIELD_NBYTES || flag_rva % FLAG_ALIGN_NBYTES != 0 ||
        verify_is_typed(&moves->new_tables, (uint64_t)flag_rva, (uint64_t)flag_rva + FIELD_NBYTES) ||
        verify_written_in(&moves->new_tables, (uint64_t)flag_rva, (uint64_t)flag_rva + FIELD_NBYTES) ||
        !verify_section_at(&judged->new_image, (uint32_t)flag_rva))
        return verify_refute(judged, verify_spot_rva(judged, stub_rva + FLAG_AT),
                             "The flag of the start-up stub at RVA 0x%X has no place of its own.",
                             (unsigned)stub_rva);
    uint32_t rva = (uint32_t)flag_rva;
    for (uint32_t i = 0; i < FIELD_NBYTES; i++) {
        uint8_t byte = 0;
        if (verify_is_from_old(&moves->map, rva + i))
            return verify_refute(judged, verify_spot_rva(judged, stub_rva + FLAG_AT),
                                 "The flag of the start-up stub, at RVA 0x%X, is content of the old image.",
                                 (unsigned)rva);
        if (verify_memory_byte(&judged->new_image, rva + i, &byte) && byte != 0)
            return verify_refute(judged, verify_spot_rva(judged, rva + i),
                                 "The flag of the start-up stub, at RVA 0x%X, is not zero.", (unsigned)rva);
    }
    return verify_stays_there(moves, rva, FIELD_NBYTES, SCN_MEM_READ | SCN_MEM_WRITE,
                              SCN_MEM_EXECUTE | SCN_MEM_DISCARDABLE, "The start-up stub's flag") &&
           verify_repairs_add(moves, rva, FIELD_NBYTES, "the start-up stub's flag");
}

static int compare_applied(const void *left, const void *right)
{
    const struct verify_applied *a = left, *b = right;
    if (a->rva != b->rva)
        return a->rva < b->rva ? -1 : 1;
    return a->entry_rva < b->entry_rva ? -1 : a->entry_rva > b->entry_rva;
}

static bool read_table(struct verify_moves *moves, uint32_t stub_rva, unsigned table_at, int64_t table_rva)
{
    struct verify_case *judged = moves->judged;
    struct verify_repairs *repairs = &moves->repairs;
    struct span bytes = verify_bytes_at(&judged->new_image, table_rva < 0 ? UINT64_MAX : (uint64_t)table_rva);
    uint32_t distance, at = 0;
    for (;; at += FIELD_NBYTES) {
        uint32_t entry_rva = (uint32_t)table_rva + at;
        judged->verdict->step_count++;
        if (!span_u32(bytes, at, &distance))
            return verify_refute(judged, verify_spot_rva(judged, stub_rva + table_at),
                                 "The start-up stub's table at RVA 0x%llX does not end.",
                                 (unsigned long long)table_rva);
        if (distance == 0)
            break;
        int64_t field_rva = (int64_t)entry_rva + (int32_t)distance;
        if (field_rva < 0 || field_rva > UINT32_MAX)
            return verify_refute(judged, verify_spot_rva(judged, entry_rva),
                                 "The start-up stub's table at RVA 0x%X leads outside the image.",
                                 (unsigned)entry_rva);
        struct verify_applied *grown =
            arena_grow(judged->arena, repairs->applied, repairs->applied_count, &repairs->applied_capacity,
                       repairs->applied_count + 1, sizeof *grown);
        if (!grown)
            return false;
        repairs->applied = grown;
        repairs->applied[repairs->applied_count++] =
            (struct verify_applied){(uint32_t)field_rva, entry_rva, UINT32_MAX};
    }
    if (repairs->applied_count > 1)
        qsort(repairs->applied, repairs->applied_count, sizeof *repairs->applied, compare_applied);
    for (size_t i = 1; i < repairs->applied_count; i++)
        if (repairs->applied[i].rva == repairs->applied[i - 1].rva)
            return verify_refute(judged, verify_spot_rva(judged, repairs->applied[i].entry_rva),
                                 "The start-up stub's table at RVA 0x%X lists RVA 0x%X twice.",
                                 (unsigned)repairs->applied[i].entry_rva, (unsigned)repairs->applied[i].rva);
    return verify_stays_there(moves, (uint32_t)table_rva, (uint64_t)at + FIELD_NBYTES, SCN_MEM_READ,
                              SCN_MEM_WRITE | SCN_MEM_DISCARDABLE, "The start-up stub's table") &&
           verify_repairs_add(moves, (uint32_t)table_rva, (uint64_t)at + FIELD_NBYTES,
                              "the start-up stub's table");
}

/* Addresses that the loader must change with the rest. */
static bool add_own_relocations(struct verify_moves *moves, uint32_t rva, const struct stub_fields *fields)
{
    return moves->judged->new_image.is_64 || (verify_repairs_add_site(moves, rva + FLAG_AT) &&
                                              verify_repairs_add_site(moves, rva + fields->begin_at) &&
                                              verify_repairs_add_site(moves, rva + fields->table_at));
}

static const struct verify_stub *known_stub(const struct verify_repairs *repairs, uint32_t rva)
{
    for (size_t i = 0; i < repairs->stub_count; i++)
        if (repairs->stubs[i].rva == rva)
            return &repairs->stubs[i];
    return NULL;
}

bool verify_stub_read(struct verify_moves *moves, uint32_t rva, uint32_t function_rva, const char *what)
{
    struct verify_case *judged = moves->judged;
    struct verify_repairs *repairs = &moves->repairs;
    struct span bytes = verify_bytes_at(&judged->new_image, rva);
    size_t nbytes =
        judged->new_image.is_64 ? sizeof form_64 / sizeof form_64[0] : sizeof form_32 / sizeof form_32[0];
    uint32_t new_function_rva = 0;
    const struct verify_stub *known = known_stub(repairs, rva);
    if (bytes.nbytes < nbytes || !verify_section_at(&judged->new_image, rva))
        return verify_refute(judged, verify_spot_rva(judged, rva),
                             "The start-up stub at RVA 0x%X has no room for its bytes.", (unsigned)rva);
    if (!check_form(moves, bytes.bytes, rva))
        return false;
    struct stub_fields fields = read_fields(&judged->new_image, bytes.bytes, rva);
    if (!check_field(moves, rva, fields.begin_at, fields.begin_rva, rva, "as its own begin the RVA") ||
        !check_field(moves, rva, fields.linked_at, (int64_t)fields.linked_va,
                     (int64_t)(judged->new_image.base_va + rva), "as its linked address") ||
        !verify_mapped_rva(&moves->map, function_rva, &new_function_rva) ||
        !check_field(moves, rva, fields.jump_at, fields.function_rva, new_function_rva,
                     "a jump to what it replaced at the RVA"))
        return false;
    if (repairs->stub_count == 0) {
        if (!check_flag(moves, rva, fields.flag_rva) ||
            !read_table(moves, rva, fields.table_at, fields.table_rva))
            return false;
        repairs->flag_rva = (uint32_t)fields.flag_rva;
        repairs->table_rva = (uint32_t)fields.table_rva;
    } else if (!check_field(moves, rva, FLAG_AT, fields.flag_rva, repairs->flag_rva,
                            "another flag than the first stub, at RVA") ||
               !check_field(moves, rva, fields.table_at, fields.table_rva, repairs->table_rva,
                            "another table than the first stub, at RVA"))
        return false;
    if (!known && (!add_own_relocations(moves, rva, &fields) ||
                   !verify_repairs_add(moves, rva, nbytes, "a start-up stub")))
        return false;
    repairs->stubs[repairs->stub_count++] = (struct verify_stub){rva, function_rva, what};
    return verify_stays_there(moves, rva, nbytes, SCN_MEM_READ | SCN_MEM_EXECUTE,
                              SCN_MEM_WRITE | SCN_MEM_DISCARDABLE, "The start-up stub");
}
