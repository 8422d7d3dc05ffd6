/* section_writes_internal.h - what the parts of the section_writes() judgement share.
 *
 *     section_writes.c            the story, and the addresses that the inventory knows
 *     section_writes_access.c     what one access, or one address that is held, means
 *     section_writes_operand.c    one field in or outside of code: what does it do?
 *     section_writes_folded.c     addresses that lead to no array: what may they mean with an index?
 *     section_writes_borders.c    addresses one past its end, or close before it
 *     section_writes_follow.c     what becomes of the address of a function or a literal that code has taken
 *     section_writes_whereabouts.c  registers and variables on the stack that hold that address
 *     section_writes_import.c       functions of the kernel that write through it
 *     section_writes_scan.c       enumeration of all byte positions that could refer to the section */
#ifndef HVCIFIX_CODE_SECTION_WRITES_INTERNAL_H
#define HVCIFIX_CODE_SECTION_WRITES_INTERNAL_H

#include "code/base_uses.h"
#include "code/code_decode.h"
#include "code/section_writes.h"
#include "refs/site_set.h"

struct import_list;
struct whereabouts;

struct judge {
    const struct image *image;
    const struct refset *refs;
    const struct code_map *code;
    const struct section *section;
    struct arena *arena;
    struct decoder *decoder;
    bool is_64, has_relocations, forms_image_base;
    /* Addresses in [near_rva, end_rva) count as the section's: near_rva is where the section before it ends,
     * so that an address just before the first byte, which compilers form for `array[i - k]`, is included.
     * Where there is no such gap, section_writes_borders.c looks at what is done with the address. */
    uint32_t near_rva, end_rva;
    const struct write_exception *exceptions; /* ranges that leave the section */
    size_t exception_count;
    means_elsewhere_fn *means_elsewhere; /* or NULL */
    const void *context;
    struct site_set operands;    /* file offsets of the fields of SOURCE_CODE: judged by the inventory */
    struct site_set jump_tables; /* file offsets of all bytes of jump tables */
    struct site_set code_fields; /* of fields that a table of the loader says lead to code */
    struct site_set joins;       /* x86: file offsets that anything leads to */
    struct site_set base_fields; /* of displacements that are added to the image base */
    bool base_is_followed;       /* base_fields has all of them that are known */

    uint64_t steps_left; /* for following uses */

    struct import_list *imports; /* NULL until section_writes_import.c has read them */

    bool is_looked_through, has_room; /* whether the section may hold an array, once that was asked */

    bool found; /* *why is set */
    struct finding *why;
    uint64_t branch_count, read_count, code_address_count, literal_count, scanned_nbytes;
};

/* All of [rva, rva + nbytes) leaves the section. */
static inline bool judge_excepts(const struct judge *judge, uint64_t rva, uint64_t nbytes)
{
    for (size_t i = 0; i < judge->exception_count; i++)
        if (rva >= judge->exceptions[i].rva &&
            range_fits(judge->exceptions[i].nbytes, rva - judge->exceptions[i].rva, nbytes))
            return true;
    return false;
}

static inline bool judge_holds(const struct judge *judge, uint64_t rva)
{
    return rva >= judge->near_rva && rva < judge->end_rva && !judge_excepts(judge, rva, 1);
}

/* Decodes the instruction of decoded code at rva; false when none begins there. */
bool judge_decode(const struct judge *judge, uint32_t rva, struct instruction *instruction);

/* What keeps variables out of a section. */
extern const char judge_cure_variable[];

/* Records the counter-example; the first one stays. */
void judge_found(struct judge *judge, uint32_t rva, uint64_t file_offset, const char *message,
                 const char *cure);

/* Counts what an access of that kind to that target means, or records it as a counter-example.
 * rva and file_offset: where the access stands. */
void judge_access(struct judge *judge, enum ref_access access, uint32_t target_rva, uint32_t rva,
                  uint64_t file_offset);

/* An address of the section stored at that place outside of every instruction. */
void judge_stored_address(struct judge *judge, uint32_t target_rva, uint32_t rva, uint64_t file_offset);

/* A function of the code map begins there: its address may be passed around without writing to it. */
bool judge_is_code(const struct judge *judge, uint32_t rva);

/* section_writes_folded.c: an operand of code, wherever it leads. */
void judge_folded(struct judge *judge, const struct ref *ref);
void judge_folded_base(struct judge *judge, const struct base_use *use);

/* section_writes_borders.c: a reference that leads to what borders on the section without a gap. */
void judge_border(struct judge *judge, const struct ref *ref);

/* section_writes_follow.c: the code at taken_rva has taken the address target_rva of code, or of a text, in
 * the section; what does the code behind it do with it? A text may be walked through. */
void judge_follow(struct judge *judge, uint32_t taken_rva, uint32_t target_rva, bool is_text);

/* section_writes_import.c: the call goes through that slot, itself or by way of a `jmp [slot]`. */
bool judge_called_import(const struct judge *judge, const struct instruction *call, uint32_t *slot_rva);

/* The function in that slot is known to write through an argument that is the address. */
bool judge_import_writes(struct judge *judge, uint32_t slot_rva, const struct whereabouts *address);

/* section_writes_operand.c: the 4 bytes at offset `at` of an executable section, as a RIP-relative
 * displacement or, with is_image_relative, as one that is added to the image base. */
void judge_displacement(struct judge *judge, const struct code_section *section, uint32_t at,
                        bool is_image_relative);

/* section_writes_scan.c */
void judge_scan_code(struct judge *judge);
void judge_scan_absolute(struct judge *judge);

#endif
