/* verify_nx_sites.c - finds what leads to the stubs, and makes it lead to the slots again.
 * Takes: the new image and its stubs.  Gives: sites, and their old bytes.
 * Must not: take back what is no instruction of the few forms, or what leads into the middle of a stub. */
#include "verify/verify_nx.h"
#include "verify/verify_relocations.h"

enum { OPERAND_NBYTES = 4 };

struct site_form {
    uint8_t prefix[3], mask[3]; /* in the new image, in front of the operand */
    uint8_t prefix_nbytes;
    uint8_t suffix[2]; /* behind the operand */
    uint8_t suffix_nbytes;
    uint8_t old_prefix[3]; /* what is not masked stays */
    uint8_t old_prefix_nbytes;
    bool on_64, on_32, is_load, is_jump;
    bool is_address; /* the operand is an address and relocated, not a distance */
};

static const struct site_form forms[] = {
    /* call [slot] */
    {{0x67, 0xE8}, {0xFF, 0xFF}, 2, {0}, 0, {0xFF, 0x15}, 2, true, true, false, false, false},
    {{0x67, 0x48, 0xE8},
     {0xFF, 0xFF, 0xFF},
     3,
     {0},
     0,
     {0x48, 0xFF, 0x15},
     3,
     true,
     false,
     false,
     false,
     false},
    /* jmp [slot] */
    {{0xE9}, {0xFF}, 1, {0xCC}, 1, {0xFF, 0x25}, 2, true, true, false, true, false},
    {{0xE9}, {0xFF}, 1, {0x0F, 0x0B}, 2, {0x48, 0xFF, 0x25}, 3, true, false, false, true, false},
    /* mov reg, [slot] */
    {{0x48, 0x8D, 0x05},
     {0xFB, 0xFF, 0xC7},
     3,
     {0},
     0,
     {0x48, 0x8B, 0x05},
     3,
     true,
     false,
     true,
     false,
     false},
    {{0xB8}, {0xFF}, 1, {0}, 0, {0xA1}, 1, false, true, true, false, true},
    {{0xC7, 0xC0}, {0xFF, 0xF8}, 2, {0}, 0, {0x8B, 0x05}, 2, false, true, true, false, true},
};

struct undo {
    struct verify_case *judged;
    struct verify_nx *nx;
    uint8_t *bytes;
};

static const struct verify_nx_stub *stub_at(const struct verify_nx *nx, uint32_t rva)
{
    uint32_t at = rva - nx->code->rva;
    return at < nx->stub_count * VERIFY_NX_STUB_NBYTES && at % VERIFY_NX_STUB_NBYTES == 0
               ? &nx->stubs[at / VERIFY_NX_STUB_NBYTES]
               : NULL;
}

/* The stub that the form leads to at `at` of the section, or NULL. */
static const struct verify_nx_stub *matched(const struct verify_nx *nx, const struct verify_section *section,
                                            size_t at, const struct site_form *form)
{
    const struct verify_image *image = &nx->image;
    const uint8_t *bytes = section->bytes.bytes + at;
    size_t nbytes = (size_t)form->prefix_nbytes + OPERAND_NBYTES + form->suffix_nbytes;
    if (!(image->is_64 ? form->on_64 : form->on_32) || section->bytes.nbytes - at < nbytes)
        return NULL;
    for (size_t i = 0; i < form->prefix_nbytes; i++)
        if ((bytes[i] & form->mask[i]) != form->prefix[i])
            return NULL;
    if (memcmp(bytes + nbytes - form->suffix_nbytes, form->suffix, form->suffix_nbytes) != 0)
        return NULL;
    uint32_t operand = load_u32(bytes + form->prefix_nbytes);
    uint32_t end_rva = section->rva + (uint32_t)at + form->prefix_nbytes + OPERAND_NBYTES;
    return stub_at(nx, form->is_address ? operand - (uint32_t)image->base_va : end_rva + operand);
}

static bool undo_site(struct undo *undo, const struct verify_section *section, size_t at,
                      const struct site_form *form, struct verify_nx_stub *stub)
{
    struct verify_nx *nx = undo->nx;
    struct verify_nx_site *grown = arena_grow(undo->judged->arena, nx->sites, nx->site_count,
                                              &nx->site_capacity, nx->site_count + 1, sizeof *grown);
    if (!grown)
        return false;
    uint32_t rva = section->rva + (uint32_t)at, field_at = form->old_prefix_nbytes;
    uint8_t *bytes = undo->bytes + (section->bytes.bytes - nx->image.file.bytes) + at;
    uint8_t number = (uint8_t)(nx->image.is_64 ? bytes[2] & 0x38 : (bytes[1] & 7) << 3);
    bool has_number = form->is_load && form->old_prefix_nbytes > 1;
    uint8_t rex_r = nx->image.is_64 && form->is_load ? (uint8_t)(bytes[0] & 4) : 0;
    nx->sites = grown;
    nx->sites[nx->site_count++] = (struct verify_nx_site){.rva = rva,
                                                          .nbytes = (uint8_t)(field_at + OPERAND_NBYTES),
                                                          .field_at = (uint8_t)field_at,
                                                          .stub = (uint8_t)(stub - nx->stubs),
                                                          .is_load = form->is_load};
    memcpy(bytes, form->old_prefix, form->old_prefix_nbytes);
    bytes[0] |= rex_r;
    if (has_number)
        bytes[form->old_prefix_nbytes - 1] |= number;
    store_u32(bytes + field_at, nx->image.is_64 ? stub->slot_rva - (rva + field_at + OPERAND_NBYTES)
                                                : (uint32_t)nx->image.base_va + stub->slot_rva);
    stub->load_count += form->is_load;
    stub->jump_count += form->is_jump;
    stub->call_count += !form->is_load && !form->is_jump;
    return true;
}

static bool undo_section(struct undo *undo, const struct verify_section *section)
{
    struct verify_nx *nx = undo->nx;
    for (size_t at = 0; at < section->bytes.nbytes; at++) {
        undo->judged->verdict->step_count++;
        for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
            const struct verify_nx_stub *stub = matched(nx, section, at, &forms[i]);
            if (!stub)
                continue;
            if (!undo_site(undo, section, at, &forms[i], &nx->stubs[stub - nx->stubs]))
                return false;
            at += nx->sites[nx->site_count - 1].nbytes - 1u;
            break;
        }
    }
    return true;
}

bool verify_nx_sites_undo(struct verify_case *judged, struct verify_nx *nx, uint8_t *bytes)
{
    struct undo undo = {judged, nx, bytes};
    for (uint32_t i = 0; i < nx->image.section_count; i++) {
        const struct verify_section *section = nx->image.by_rva[i];
        if ((section->characteristics & SCN_MEM_EXECUTE) && section != nx->code &&
            !undo_section(&undo, section))
            return false;
    }
    return true;
}

const struct verify_nx_site *verify_nx_site_at(const struct verify_nx *nx, uint64_t rva)
{
    size_t low = 0, high = nx->site_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (nx->sites[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    const struct verify_nx_site *site = low > 0 ? &nx->sites[low - 1] : NULL;
    return site && rva - site->rva < site->nbytes ? site : NULL;
}
