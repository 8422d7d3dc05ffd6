/* code_map.h - what each byte of the executable sections is, and what the instructions refer to.
 * Takes: struct image and the collected references (x86 and x64 only).  Gives: struct code_map, and
 * references of SOURCE_CODE added to the set.  Must not: judge, or treat a guess as knowledge.
 * A byte is an instruction only when descent from a known root reached it, or when it lies in a function that
 * unwind data bounds and decodes cleanly there. Roots that only a pointer names have to convince
 * (code_speculate.c). */
#ifndef HVCIFIX_CODE_CODE_MAP_H
#define HVCIFIX_CODE_CODE_MAP_H

#include "refs/refset.h"
#include "refs/site_set.h"

enum byte_class {
    BYTE_UNKNOWN = 0, /* nothing explains it */
    BYTE_INSTRUCTION, /* first byte of a decoded instruction */
    BYTE_INSTRUCTION_TAIL,
    BYTE_DATA,   /* outside any instruction: a typed extent, a jump table, a field under a base relocation, or
                  * what an instruction reads or writes */
    BYTE_PADDING /* CC, 90, multi-byte NOP or 00 runs between other things */
};

/* One executable section. */
struct code_section {
    uint32_t section;     /* index in the image */
    uint32_t rva, nbytes; /* file-backed bytes */
    uint8_t *classes;     /* enum byte_class; nbytes elements, one per byte from rva */
};

enum function_source {
    FUNCTION_ENTRY,
    FUNCTION_EXPORT,
    FUNCTION_UNWIND,
    FUNCTION_GUARD_TABLE,
    FUNCTION_HANDLER,
    FUNCTION_RELOCATED_POINTER,
    FUNCTION_CALL_TARGET,
    FUNCTION_LEA
};

struct code_function {
    uint32_t begin_rva;
    uint32_t end_rva; /* from unwind data; else begin_rva (unknown) */
    uint8_t source;   /* enum function_source: the strongest that names it, in the order above */
};

/* `detail` of a reference of SOURCE_CODE: how sure it is, and in the upper byte the size in bytes of the
 * datum that a memory operand reads or writes (0: none, or an address only). */
enum code_ref_detail {
    CODE_REF_CERTAIN = 0,
    CODE_REF_MAY_HOLD_BASE =
        1, /* REF_IMAGE_REL: a register of it holds the image base somewhere in the function */
    CODE_REF_GUESSED_VA = 2, /* REF_VA in an image without base relocations: known by its value only */
    CODE_REF_CERTAINTY_MASK = 0xFF,
    CODE_REF_NBYTES_SHIFT = 8
};

struct code_map {
    bool decoded; /* false: the code is for a machine without a decoder here; nothing below is filled */
    const char *not_decoded_reason;
    struct code_section *sections;
    size_t section_count;
    struct code_function *functions; /* sorted by begin_rva, unique */
    size_t function_count;
    struct site_set short_targets; /* file offsets that branches with one-byte displacements lead to: they are
                                    * in no inventory */
    uint64_t instruction_count;
    uint64_t class_counts[5]; /* bytes per enum byte_class over all executable sections */
    size_t bad_target_count;  /* branches that leave the executable bytes or cut another instruction */
};

/* Reads the code of image. `refs` must hold all other sources; SOURCE_CODE references are appended.
 * False only when memory ran out. Work linear in the size of executable sections plus references. */
bool code_read(const struct image *image, struct refset *refs, struct arena *arena, struct code_map *map);

/* The executable section that holds rva, or NULL. */
const struct code_section *code_section_at(const struct code_map *map, uint32_t rva);

/* Class of the byte at rva; BYTE_UNKNOWN outside executable sections. */
enum byte_class code_class_at(const struct code_map *map, uint32_t rva);

/* First byte of the decoded instruction that holds rva; rva itself when none does. */
uint32_t code_instruction_begin(const struct code_map *map, uint32_t rva);

/* The function that begins at begin_rva, or NULL. */
const struct code_function *code_function_at(const struct code_map *map, uint32_t begin_rva);

const char *byte_class_name(enum byte_class byte_class);

#endif
