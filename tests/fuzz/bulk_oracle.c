/* bulk_oracle.c - what must not be overlooked in an image, read a second time.
 * Takes: bytes.  Gives: a reason why the image is not clean, or NULL.  Must not: use the tool's readers, or
 * say what is not sure: where the specification leaves a choice, nothing is said.
 * Written from the PE format specification and from what Windows demands of a layout (docs/ASSUMPTIONS.md).
 */
#include "bulk.h"

enum { MOST_SECTIONS = 96 };

struct oracle_section {
    uint32_t rva, virtual_nbytes, raw_nbytes, raw_foff, characteristics;
    uint64_t memory_nbytes;
};

struct oracle {
    const uint8_t *bytes;
    size_t nbytes;
    bool is_64, is_flat, is_managed;
    uint16_t machine, subsystem, coff_flags, dll_flags;
    uint32_t opt_foff, opt_nbytes, table_end_foff, pe_foff;
    uint32_t section_alignment, file_alignment, image_nbytes, headers_nbytes;
    uint64_t base_va;
    uint32_t directory_rva[DIR_COUNT], directory_nbytes[DIR_COUNT];
    uint32_t section_count;
    struct oracle_section sections[MOST_SECTIONS];
};

static uint64_t number(const struct oracle *o, uint64_t foff, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        if (foff + i < o->nbytes)
            value |= (uint64_t)o->bytes[foff + i] << 8 * i;
    return value;
}

static uint32_t u32(const struct oracle *o, uint64_t foff)
{
    return (uint32_t)number(o, foff, 4);
}

static const char *read_headers(struct oracle *o)
{
    if (o->nbytes < 0x40 || number(o, 0, 2) != DOS_MAGIC)
        return "no DOS header";
    o->pe_foff = u32(o, DOS_E_LFANEW);
    if ((uint64_t)o->pe_foff + 24 > o->nbytes || u32(o, o->pe_foff) != PE_SIGNATURE)
        return "no PE header";
    uint64_t coff_foff = (uint64_t)o->pe_foff + 4;
    o->machine = (uint16_t)number(o, coff_foff + COFF_MACHINE, 2);
    o->section_count = (uint32_t)number(o, coff_foff + COFF_NUMBER_OF_SECTIONS, 2);
    o->opt_nbytes = (uint32_t)number(o, coff_foff + COFF_SIZE_OF_OPTIONAL_HEADER, 2);
    o->coff_flags = (uint16_t)number(o, coff_foff + COFF_CHARACTERISTICS, 2);
    o->opt_foff = o->pe_foff + 24;
    uint32_t magic = (uint32_t)number(o, o->opt_foff, 2);
    o->is_64 = magic == OPT_MAGIC_64;
    uint32_t fixed_nbytes = o->is_64 ? OPT_DIRECTORIES_64 : OPT_DIRECTORIES_32;
    if ((magic != OPT_MAGIC_32 && magic != OPT_MAGIC_64) || o->opt_nbytes < fixed_nbytes ||
        (uint64_t)o->opt_foff + o->opt_nbytes > o->nbytes)
        return "no optional header";
    uint64_t table_end_foff = (uint64_t)o->opt_foff + o->opt_nbytes + UINT64_C(40) * o->section_count;
    if (table_end_foff > o->nbytes)
        return "the section table is cut off";
    o->table_end_foff = (uint32_t)table_end_foff;
    o->base_va = o->is_64 ? number(o, o->opt_foff + 0x18, 8) : u32(o, o->opt_foff + 0x1C);
    o->section_alignment = u32(o, o->opt_foff + 0x20);
    o->file_alignment = u32(o, o->opt_foff + 0x24);
    o->image_nbytes = u32(o, o->opt_foff + 0x38);
    o->headers_nbytes = u32(o, o->opt_foff + 0x3C);
    o->subsystem = (uint16_t)number(o, o->opt_foff + 0x44, 2);
    o->dll_flags = (uint16_t)number(o, o->opt_foff + 0x46, 2);
    o->is_flat = o->section_alignment < 0x1000;
    uint32_t count = u32(o, o->opt_foff + fixed_nbytes - 4);
    if (count > DIR_COUNT)
        count = DIR_COUNT;
    if (fixed_nbytes + 8 * count > o->opt_nbytes)
        return "data directories lie behind the optional header";
    for (uint32_t i = 0; i < count; i++) {
        o->directory_rva[i] = u32(o, o->opt_foff + fixed_nbytes + 8 * i);
        o->directory_nbytes[i] = u32(o, o->opt_foff + fixed_nbytes + 8 * i + 4);
    }
    o->is_managed = o->directory_rva[DIR_CLR] != 0;
    return NULL;
}

static const char *read_sections(struct oracle *o)
{
    uint64_t foff = (uint64_t)o->opt_foff + o->opt_nbytes;
    if (o->section_count > MOST_SECTIONS)
        return "too many sections";
    for (uint32_t i = 0; i < o->section_count; i++, foff += 40) {
        struct oracle_section *s = &o->sections[i];
        s->virtual_nbytes = u32(o, foff + 8);
        s->rva = u32(o, foff + 12);
        s->raw_nbytes = u32(o, foff + 16);
        s->raw_foff = u32(o, foff + 20);
        s->characteristics = u32(o, foff + 36);
        s->memory_nbytes = s->virtual_nbytes ? s->virtual_nbytes : s->raw_nbytes;
        if (s->raw_nbytes != 0 && s->raw_foff != 0 && (uint64_t)s->raw_foff + s->raw_nbytes > o->nbytes)
            return "a section is cut off";
        if ((s->characteristics & 0xA0000000) == 0xA0000000)
            return "a section is writable and executable";
    }
    return o->is_flat ? "sections below page alignment" : NULL;
}

static uint64_t up(uint64_t value, uint64_t align)
{
    return (value + align - 1) / align * align;
}

static bool is_power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* What Windows demands of every image. Other loaders load the other subsystems. */
static const char *judge_layout(const struct oracle *o)
{
    bool has_other_loader = (o->subsystem >= 8 && o->subsystem <= 14) || o->subsystem == 16;
    if (has_other_loader)
        return NULL;
    bool wants_64 = o->machine == 0x8664 || o->machine == 0xAA64 || o->machine == 0x200;
    if (!wants_64 && o->machine != 0x14C && o->machine != 0x1C4)
        return "a machine that Windows does not run on";
    if (wants_64 != o->is_64)
        return "the header's width is not the machine's";
    if (o->pe_foff % 4 != 0 || !(o->coff_flags & 2))
        return "no executable image";
    if ((o->machine == 0xAA64 || o->machine == 0x1C4) && !(o->coff_flags & 1) &&
        (o->dll_flags & 0x140) != 0x140)
        return "ARM without DYNAMIC_BASE or NX_COMPAT";
    if (!is_power_of_two(o->section_alignment) || !is_power_of_two(o->file_alignment) ||
        o->file_alignment > o->section_alignment ||
        (o->file_alignment < 0x200 && o->file_alignment != o->section_alignment))
        return "impossible alignment";
    if (o->opt_nbytes % 8 != 0 || o->base_va % 0x10000 != 0)
        return "impossible header size or base";
    if (o->image_nbytes == 0 || o->image_nbytes > 0x77000000 || o->headers_nbytes > o->image_nbytes ||
        o->headers_nbytes == 0 || o->section_count == 0)
        return "impossible sizes";
    uint64_t next_rva = up(o->headers_nbytes, o->section_alignment);
    for (uint32_t i = 0; i < o->section_count; i++) {
        if (o->sections[i].rva != next_rva || o->sections[i].memory_nbytes == 0)
            return "a hole, an overlap, or an empty section";
        next_rva += up(o->sections[i].memory_nbytes, o->section_alignment);
    }
    if (next_rva > up(o->image_nbytes, 0x1000))
        return "sections beyond SizeOfImage";
    return up(o->image_nbytes, 0x1000) - next_rva >= o->section_alignment ? "SizeOfImage beyond all sections"
                                                                          : NULL;
}

static bool is_executable_at(const struct oracle *o, uint64_t rva)
{
    for (uint32_t i = 0; i < o->section_count; i++) {
        const struct oracle_section *s = &o->sections[i];
        if (rva >= s->rva && rva - s->rva < s->memory_nbytes && (s->characteristics & 0x20000000))
            return true;
    }
    return false;
}

/* Where [rva, rva + nbytes) lies in the file; 0 when it is not there in one piece. Page-aligned images whose
 * raw data begin at sectors only: for others nothing is said. */
static uint64_t foff_of(const struct oracle *o, uint64_t rva, uint64_t nbytes)
{
    for (uint32_t i = 0; i < o->section_count; i++) {
        const struct oracle_section *s = &o->sections[i];
        uint64_t pages_nbytes = up(s->memory_nbytes, 0x1000);
        uint64_t backed_nbytes = s->raw_nbytes < pages_nbytes ? s->raw_nbytes : pages_nbytes;
        if (rva >= s->rva && rva - s->rva < up(s->memory_nbytes, o->section_alignment))
            return s->raw_foff != 0 && rva - s->rva + nbytes <= backed_nbytes ? s->raw_foff + (rva - s->rva)
                                                                              : 0;
    }
    return rva + nbytes <= o->headers_nbytes && rva + nbytes <= o->nbytes ? rva : 0;
}

static bool is_zero(const struct oracle *o, uint64_t foff, uint64_t nbytes)
{
    for (uint64_t i = 0; i < nbytes; i++)
        if (o->bytes[foff + i] != 0)
            return false;
    return true;
}

static const char *judge_relocations(const struct oracle *o)
{
    uint64_t rva = o->directory_rva[DIR_BASERELOC], nbytes = o->directory_nbytes[DIR_BASERELOC];
    if (rva == 0 || nbytes == 0)
        return NULL;
    uint64_t foff = foff_of(o, rva, nbytes);
    if (foff == 0)
        return "base relocations outside the file";
    for (uint64_t at = 0; nbytes - at >= 8;) {
        uint32_t page_rva = u32(o, foff + at), block_nbytes = u32(o, foff + at + 4);
        if (block_nbytes < 8 || block_nbytes > nbytes - at)
            return is_zero(o, foff + at, nbytes - at) ? NULL /* the directory's size was rounded up */
                                                      : "a block of base relocations of an impossible size";
        for (uint32_t i = 8; i + 2 <= block_nbytes; i += 2) {
            unsigned entry = (unsigned)number(o, foff + at + i, 2);
            uint64_t site_rva = (uint64_t)page_rva + (entry & 0xFFF);
            if (entry >> 12 == 6 || entry >> 12 == 8 || entry >> 12 > 10)
                return "a base relocation of an unknown type";
            if ((entry >> 12 == 3 && site_rva % 0x1000 > 0xFFC) ||
                (entry >> 12 == 10 && site_rva % 0x1000 > 0xFF8))
                return "a base relocation across two pages";
            if (entry >> 12 != 0 && site_rva >= up(o->image_nbytes, 0x1000))
                return "a base relocation outside the image";
        }
        at += block_nbytes;
    }
    return NULL;
}

/* The import address table, by directory 12 or by the descriptors. */
static const char *judge_imports(const struct oracle *o)
{
    uint64_t iat_rva = o->directory_rva[DIR_IAT], iat_nbytes = o->directory_nbytes[DIR_IAT];
    for (uint64_t at = 0; iat_rva != 0 && at < iat_nbytes && at < 0x100000 && !o->is_managed; at += 4)
        if (is_executable_at(o, iat_rva + at))
            return "the import address table is executable";
    uint64_t rva = o->directory_rva[DIR_IMPORT];
    for (; rva != 0; rva += 20) {
        uint64_t foff = foff_of(o, rva, 20);
        if (foff == 0)
            return "import descriptors do not end in the file";
        uint32_t name_rva = u32(o, foff + 12), thunks_rva = u32(o, foff + 16);
        if (name_rva == 0)
            return NULL;
        if (foff_of(o, name_rva, 1) == 0)
            return "a module's name outside the file";
        if (foff_of(o, thunks_rva, o->is_64 ? 8 : 4) == 0)
            return "import address table outside the file";
        if (is_executable_at(o, thunks_rva) && !o->is_managed)
            return "imported addresses in executable memory";
    }
    return NULL;
}

static const char *judge_load_config(const struct oracle *o)
{
    uint64_t rva = o->directory_rva[DIR_LOAD_CONFIG];
    if (rva == 0)
        return NULL;
    uint64_t foff = foff_of(o, rva, 4);
    if (foff == 0)
        return "the load configuration is outside the file";
    /* SecurityCookie and the pointers to slots: GuardCF check and dispatch, GuardRF failure and stack
     * pointer, GuardXFG check, dispatch and table dispatch, CastGuard mode, GuardMemcpy, the table of
     * user-mode access */
    static const unsigned fields[][2] = {{0x3C, 0x58},  {0x48, 0x70},  {0x4C, 0x78},  {0x84, 0xD8},
                                         {0x90, 0xE8},  {0xAC, 0x118}, {0xB0, 0x120}, {0xB4, 0x128},
                                         {0xB8, 0x130}, {0xBC, 0x138}, {0xC0, 0x140}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        unsigned width = o->is_64 ? 8 : 4, at = fields[i][o->is_64];
        uint64_t slot_foff = foff_of(o, rva, at + width);
        if (u32(o, foff) < at + width || slot_foff == 0)
            return NULL;
        uint64_t va = number(o, slot_foff + at, width);
        if (va > o->base_va && va - o->base_va < o->image_nbytes && is_executable_at(o, va - o->base_va))
            return "the loader writes a slot in executable memory";
    }
    return NULL;
}

static const char *judge_delay_imports(const struct oracle *o)
{
    for (uint64_t rva = o->directory_rva[DIR_DELAY_IMPORT]; rva != 0; rva += 32) {
        uint64_t foff = foff_of(o, rva, 32);
        if (foff == 0)
            return "delay import descriptors do not end in the file";
        if (u32(o, foff + 4) == 0)
            return NULL;
        if (!(u32(o, foff) & 1)) /* an old one, with addresses in place of RVAs */
            return NULL;
        if (is_executable_at(o, u32(o, foff + 12)) && !o->is_managed)
            return "delay-loaded addresses in executable memory";
    }
    return NULL;
}

/* The tables are asked for only where it is clear what lies where. */
static bool is_plain(const struct oracle *o)
{
    for (uint32_t i = 0; i < o->section_count; i++)
        if (o->sections[i].raw_foff % 512 != 0)
            return false;
    return o->machine == 0x8664 || o->machine == 0x14C || o->machine == 0xAA64;
}

const char *bulk_objection(const uint8_t *bytes, size_t nbytes)
{
    struct oracle o = {.bytes = bytes, .nbytes = nbytes};
    const char *objection = read_headers(&o);
    if (!objection)
        objection = read_sections(&o);
    if (!objection)
        objection = judge_layout(&o);
    if (objection || !is_plain(&o))
        return objection;
    objection = judge_relocations(&o);
    if (!objection)
        objection = judge_imports(&o);
    if (!objection)
        objection = judge_delay_imports(&o);
    return objection ? objection : judge_load_config(&o);
}
