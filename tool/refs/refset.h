/* refset.h - the inventory: every place of an image that holds an address, and what it points at.
 * Takes: struct image.  Gives: struct refset (references, the typed extents they live in, and what could
 * not be read, with the reason).  Must not: change the image or judge.
 * Each source is one file, refs_*.c, with one function of type refs_collect_fn; refs_sources.c is the table.
 * Code operands are added by tool/code. Later stages ask this inventory, never the tables themselves. */
#ifndef HVCIFIX_REFS_REFSET_H
#define HVCIFIX_REFS_REFSET_H

#include "image/image.h"
#include "refs/site_set.h"

/* How the address is stored. */
enum ref_encoding {
    REF_VA,         /* absolute: ImageBase + target; width 4 or 8 */
    REF_RVA,        /* target as it is; width 4 (low 31 bits of an 8-byte thunk: width 8) */
    REF_RVA_FLAGS,  /* RVA in the upper bits, flag bits in the low 2 that are kept (unwind words) */
    REF_FOFF,       /* file offset; width 4 */
    REF_PCREL,      /* base_rva + signed value, base_rva = end of the instruction; width 1 or 4 */
    REF_IMAGE_REL,  /* a displacement that code adds to the image base; width 4 */
    REF_OFFSET,     /* base_rva + unsigned value; width 2, or the low 31 bits of 4 bytes (bit 31 is kept):
                     * resource tree, bound imports, place of the DVRT, COFF symbols (base_rva = their section) */
    REF_LABEL_DIFF, /* target - base_rva, signed (jump tables of clang); width 1, 2 or 4 */
    REF_PAGE_12, /* base_rva (a page) + low 12 bits of an entry, the others are kept: base relocations, DVRT;
                  * width 2 or 4 */
    REF_PAGE_10X4,     /* base_rva (a page) + 4 * low 10 bits of a 4-byte entry: DVRT of ARM64 import calls */
    REF_SECTION_INDEX, /* 1-based section number; width 2 */
    REF_SIZE, /* a size in bytes that follows from the layout; target = base_rva = RVA that it measures */
    REF_ARM64_INSTRUCTION /* a field inside a 4-byte ARM64 instruction; width 4 */
};

/* Who says that there is an address here. The order is the order of listings. */
enum ref_source {
    SOURCE_HEADERS,     /* DOS, COFF, optional header */
    SOURCE_DIRECTORIES, /* the data directory entries */
    SOURCE_SECTION_HEADERS,
    SOURCE_EXPORTS,
    SOURCE_IMPORTS, /* descriptors, lookup table, IAT */
    SOURCE_RESOURCES,
    SOURCE_EXCEPTION,    /* .pdata */
    SOURCE_UNWIND,       /* unwind info: chained entries, handlers */
    SOURCE_HANDLER_DATA, /* data of the known language handlers */
    SOURCE_CERTIFICATES,
    SOURCE_BASERELOCS, /* the entries: where relocations are */
    SOURCE_RELOCATED,  /* the values stored at those places */
    SOURCE_DEBUG,      /* debug directory and payloads */
    SOURCE_TLS,
    SOURCE_LOAD_CONFIG,  /* its fields */
    SOURCE_GUARD_TABLES, /* the tables that it names, SafeSEH included */
    SOURCE_DVRT,
    SOURCE_BOUND_IMPORTS,
    SOURCE_DELAY_IMPORTS,
    SOURCE_CLR,
    SOURCE_COFF_SYMBOLS,
    SOURCE_CODE, /* instruction operands */
    SOURCE_COUNT
};
#define SOURCE_BIT(source) (UINT32_C(1) << (source))
#define SOURCE_ALL (SOURCE_BIT(SOURCE_COUNT) - 1)

/* What became of the target. Anything but RESOLVED is the stated reason why it is not followed. */
enum ref_state {
    REF_RESOLVED,    /* inside a section's memory range */
    REF_NULL,        /* stored value is "nothing" (0) */
    REF_HEADERS,     /* inside the headers: the image base or a header field */
    REF_SECTION_END, /* exactly one past a section's memory range, in no section itself */
    REF_GAP,         /* between sections */
    REF_OUTSIDE,     /* not inside SizeOfImage, or (file offsets) not inside the file */
    REF_CONSTANT     /* the field may hold a constant instead of an address, and does */
};

enum ref_access {
    ACCESS_NONE,
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_READ_WRITE,
    ACCESS_ADDRESS,
    ACCESS_CALL,
    ACCESS_JUMP
};

enum {
    REF_FLAG_RELOCATED = 1,    /* a base relocation covers the site */
    REF_FLAG_CODE_TARGET = 2,  /* what it points at is executed (entry points, handlers, labels) */
    REF_FLAG_LOADER_WRITES = 4 /* the loader stores into the target */
};

struct ref {
    uint32_t site_foff; /* file offset of the stored field */
    uint32_t site_rva;  /* or NO_RVA when the field is not mapped */
    uint32_t target;    /* RVA; a file offset for REF_FOFF; a section number for REF_SECTION_INDEX */
    uint32_t base_rva;  /* see the encodings; else 0 */
    uint8_t encoding, source, state, width_nbytes;
    uint8_t flags;
    uint8_t access;  /* enum ref_access, for SOURCE_CODE */
    uint16_t detail; /* per source: see ref_detail below */
};

/* What `detail` holds, by source:
 *   HEADERS          enum detail_header
 *   DIRECTORIES      the directory's number; the address field comes before the size field
 *   SECTION_HEADERS  the section's index (capped at 65535); the field is site_foff - header_foff
 *   EXPORTS, IMPORTS, DELAY_IMPORTS, RESOURCES, EXCEPTION, UNWIND, HANDLER_DATA, BOUND_IMPORTS
 *                    the enum of that name below
 *   BASERELOCS, RELOCATED
 *                    the relocation type; the block's own page field (REF_RVA) has DETAIL_BASERELOC_PAGE
 *   DEBUG            the debug type; fields of the directory entry have DETAIL_DEBUG_ENTRY added
 *   TLS              the field's offset in the directory; the callback array has that of its pointer
 *   LOAD_CONFIG      the field's offset in the load configuration of this image's width
 *   GUARD_TABLES     the offset of the load-config field that names the table
 *   DVRT             the low 16 bits of the symbol
 *   CLR              the field's offset in the CLR header
 *   COFF_SYMBOLS     the symbol's storage class */
enum detail_header {
    DETAIL_E_LFANEW,
    DETAIL_SYMBOL_TABLE,
    DETAIL_SIZE_OF_CODE,
    DETAIL_SIZE_OF_INITIALIZED_DATA,
    DETAIL_SIZE_OF_UNINITIALIZED_DATA,
    DETAIL_ENTRY_POINT,
    DETAIL_BASE_OF_CODE,
    DETAIL_BASE_OF_DATA,
    DETAIL_IMAGE_BASE,
    DETAIL_SIZE_OF_IMAGE,
    DETAIL_SIZE_OF_HEADERS
};
enum detail_exports {
    DETAIL_EXPORT_DIRECTORY, /* a field of the directory */
    DETAIL_EXPORT_ADDRESS,   /* an address table slot that names code or data */
    DETAIL_EXPORT_FORWARDER, /* an address table slot that names a forwarder string */
    DETAIL_EXPORT_NAME
};
/* normal and delay-load imports */
enum detail_imports {
    DETAIL_IMPORT_DESCRIPTOR, /* a descriptor's pointer to its lookup table, or another plain field */
    DETAIL_IMPORT_MODULE_NAME,
    DETAIL_IMPORT_IAT_FIELD, /* a descriptor's pointer to its IAT */
    DETAIL_IMPORT_LOOKUP,    /* a slot of the lookup (name) table */
    DETAIL_IMPORT_IAT,       /* a slot of the IAT */
    DETAIL_IMPORT_COPY       /* a slot of the delay-load bound or unload table */
};
enum detail_resources { DETAIL_RESOURCE_NAME, DETAIL_RESOURCE_TREE, DETAIL_RESOURCE_DATA };
enum detail_exception {
    DETAIL_FUNCTION_BEGIN,
    DETAIL_FUNCTION_END,
    DETAIL_FUNCTION_UNWIND,
    DETAIL_HANDLER /* the handler's address in unwind info */
};
enum detail_handler_data {
    DETAIL_SCOPE_BEGIN,
    DETAIL_SCOPE_END,
    DETAIL_SCOPE_HANDLER, /* filter or termination handler; the constant 1 is REF_CONSTANT */
    DETAIL_SCOPE_TARGET,
    DETAIL_CXX_TABLE,  /* a pointer between the tables of C++ exception data */
    DETAIL_CXX_ACTION, /* unwind action or catch handler */
    DETAIL_CXX_TYPE,   /* type descriptor */
    DETAIL_CXX_IP      /* a code address of the state map */
};
enum { DETAIL_BASERELOC_PAGE = 0x100, DETAIL_DEBUG_ENTRY = 0x100 };

/* What the bytes of a range are, as some source has read them. Several may cover the same byte when
 * tables overlap; the list is in order of discovery. */
enum extent_kind {
    EXTENT_EXPORT_DIRECTORY,
    EXTENT_EXPORT_TABLE,
    EXTENT_EXPORT_STRING,
    EXTENT_IMPORT_DESCRIPTORS,
    EXTENT_IMPORT_LOOKUP,
    EXTENT_IAT,
    EXTENT_IMPORT_NAME,
    EXTENT_RESOURCE_TREE,
    EXTENT_RESOURCE_DATA,
    EXTENT_PDATA,
    EXTENT_UNWIND_INFO,
    EXTENT_HANDLER_DATA,
    EXTENT_BASERELOCS,
    EXTENT_DEBUG_DIRECTORY,
    EXTENT_DEBUG_DATA,
    EXTENT_TLS,
    EXTENT_LOAD_CONFIG,
    EXTENT_GUARD_TABLE,
    EXTENT_GUARD_SLOT,
    EXTENT_SECURITY_COOKIE,
    EXTENT_DVRT,
    EXTENT_BOUND_IMPORTS,
    EXTENT_DELAY_DESCRIPTORS,
    EXTENT_DELAY_IAT,
    EXTENT_DELAY_TABLE,
    EXTENT_CLR_HEADER,
    EXTENT_JUMP_TABLE,
    EXTENT_KIND_COUNT
};

struct extent {
    uint32_t rva, nbytes;
    uint8_t kind, source;
};

/* A table or part of one that could not be read: the reason why its references are missing. */
struct ref_problem {
    uint8_t source;
    uint32_t rva;         /* or NO_RVA */
    uint64_t file_offset; /* or NO_FILE_OFFSET */
    bool is_limit;        /* by design of the file or of this reader; else the table is damaged */
    const char *reason;   /* a sentence with its period */
};

struct refset {
    const struct image *image; /* borrowed */
    struct arena *arena;       /* borrowed */
    struct ref *refs;
    size_t ref_count, ref_capacity;
    struct extent *extents;
    size_t extent_count, extent_capacity;
    struct ref_problem *problems;
    size_t problem_count, problem_capacity;
    uint32_t damaged;   /* SOURCE_BIT of every source with a damaged table, listed or not */
    uint32_t collected; /* SOURCE_BIT of every source that was asked for */

    /* For the collectors. */
    struct site_set claimed;            /* fields of tables that are in the inventory: none goes in twice */
    struct site_set reloc_sites;        /* where base relocations apply; no bits unless they were collected */
    struct site_set wide_reloc_sites;   /* those of them where eight bytes are changed, not four */
    const struct section *near_section; /* the last one that held a target: targets come in runs */
    uint32_t problem_counts[SOURCE_COUNT];
};

/* Collects the references of the sources in `sources` (SOURCE_BIT sums; SOURCE_CODE is ignored here).
 * False only when memory ran out. Damaged tables become problems, not failures. Work and memory are
 * linear in the file's size: every table is capped by what the file can hold and visited once. */
bool refs_collect(const struct image *image, struct arena *arena, uint32_t sources, struct refset *refs);

/* Adds one reference: fills site_rva, target and state from encoding, base_rva and the stored value.
 * site_foff + width must lie inside the file (else a problem is recorded). A field of a table that is in
 * the inventory already is not added again, and a problem is recorded; SOURCE_BASERELOCS, SOURCE_RELOCATED
 * and SOURCE_CODE may name fields that a table has named. False when memory ran out. */
struct ref_spec {
    enum ref_source source;
    enum ref_encoding encoding;
    unsigned width_nbytes;
    uint32_t base_rva;
    uint8_t flags;
    uint16_t detail;
    bool is_constant; /* the field may hold an address, but what it holds is not one: REF_CONSTANT */
};
bool refset_add(struct refset *refs, uint64_t site_foff, struct ref_spec spec);

/* The same for a field known by its RVA. */
bool refset_add_at_rva(struct refset *refs, uint32_t site_rva, struct ref_spec spec);

/* Room for `more` further references without growing step by step. False when memory ran out. */
bool refset_reserve(struct refset *refs, size_t more);

/* Records what [rva, rva + nbytes) is; joined to the last extent when it continues it (IATs, guard slots and
 * cookies, which rules count, are never joined). Empty ranges are ignored. False when memory ran out. */
bool refset_extent(struct refset *refs, uint32_t rva, uint32_t nbytes, enum extent_kind kind,
                   enum ref_source source);

/* Records why something was not read: a problem means that a table is damaged, a limit that the file's design
 * or this reader's scope ends there. At most REFSET_MAX_PROBLEMS of one source are kept; the last of them
 * says that there are more. False when memory ran out. */
enum { REFSET_MAX_PROBLEMS = 100 };
bool refset_limit(struct refset *refs, enum ref_source source, uint32_t rva, uint64_t file_offset,
                  const char *format, ...) HVCIFIX_PRINTF(5, 6);
bool refset_problem(struct refset *refs, enum ref_source source, uint32_t rva, uint64_t file_offset,
                    const char *format, ...) HVCIFIX_PRINTF(5, 6);

/* State of an RVA target. zero_is_null: 0 means "nothing here". */
enum ref_state refs_classify_rva(const struct image *image, uint64_t rva, bool zero_is_null);

/* The value that the field would hold if its target were new_target (and its own base new_base), for
 * emit; bits that the encoding keeps are taken from `stored`. False when it does not fit the width.
 * REF_NULL, REF_CONSTANT and REF_SIZE keep what is stored (sizes are derived from the layout). A REF_OUTSIDE
 * address is moved by new_target - target, since its full value may not fit `target`. */
bool ref_encode(const struct image *image, const struct ref *ref, uint64_t stored, uint32_t new_target,
                uint32_t new_base, uint64_t *value);

const char *ref_source_name(enum ref_source source); /* "imports", ... stable words for JSON */
const char *ref_encoding_name(enum ref_encoding encoding);
const char *ref_state_name(enum ref_state state);
const char *ref_access_name(enum ref_access access);
const char *extent_kind_name(enum extent_kind kind); /* "IAT", "unwind info", ... */

/* "SecurityCookie", ... for the `detail` of SOURCE_LOAD_CONFIG and SOURCE_GUARD_TABLES; "field" when there is
 * no such field. */
const char *load_config_field_name(const struct image *image, uint16_t detail);

typedef bool refs_collect_fn(struct refset *refs);

#endif
