/* image.h - the model of a PE image: headers, sections, directories, and the regions of the file.
 * Takes: the bytes of one file.  Gives: struct image, which borrows those bytes.
 * Must not: change bytes, follow tables below the data directories (tool/refs does), or judge.
 * Invariant: every header field is read and in range, each section's file range lies inside the file,
 * and every byte of the file belongs to exactly one region; else image_read() refuses with a finding. */
#ifndef HVCIFIX_IMAGE_IMAGE_H
#define HVCIFIX_IMAGE_IMAGE_H

#include "base/finding.h"
#include "base/pe_format.h"
#include "base/span.h"

/* One section. RVAs and sizes are bytes; `index` counts from 0 in header order. */
struct section {
    uint32_t index;
    char raw_name[SECTION_NAME_NBYTES + 1]; /* the 8 header bytes, NUL-terminated */
    const char *name;       /* printable: long "/nnn" names resolved, odd bytes escaped as \xNN */
    uint32_t header_foff;   /* file offset of its 40-byte header */
    uint32_t rva;           /* VirtualAddress */
    uint32_t virtual_size;  /* VirtualSize as stored */
    uint32_t memory_nbytes; /* what it spans in memory: VirtualSize, or SizeOfRawData when that is 0 */
    uint32_t
        raw_foff; /* PointerToRawData as the loader reads it (rounded down to 512 in page-aligned images) */
    uint32_t raw_nbytes; /* SizeOfRawData as stored */
    uint32_t
        file_nbytes; /* bytes of the file visible in memory at rva: min(raw, rounded memory, next section) */
    uint32_t stored_raw_foff;  /* PointerToRawData as stored */
    uint32_t relocations_foff; /* PointerToRelocations; normally 0 */
    uint32_t linenumbers_foff; /* PointerToLinenumbers; normally 0 */
    uint16_t relocation_count, linenumber_count;
    uint32_t characteristics;
};

struct directory {
    uint32_t rva; /* for DIR_SECURITY a file offset */
    uint32_t nbytes;
    uint32_t entry_foff; /* file offset of its 8-byte entry; 0 when the header has no such entry */
};

/* What a range of the file is. The list of regions is sorted, without gaps or overlaps. */
enum region_kind {
    REGION_DOS_HEADER,
    REGION_DOS_STUB, /* code and text between DOS header and Rich or PE header */
    REGION_RICH_HEADER,
    REGION_PE_SIGNATURE,
    REGION_COFF_HEADER,
    REGION_OPTIONAL_HEADER, /* without the data directories */
    REGION_DATA_DIRECTORIES,
    REGION_SECTION_HEADERS,
    REGION_HEADER_SLACK, /* between the last header and SizeOfHeaders or the first raw data */
    REGION_SECTION,      /* raw data of section `section` that is visible in memory */
    REGION_SECTION_TAIL, /* raw data beyond what memory shows */
    REGION_COFF_SYMBOLS,
    REGION_STRING_TABLE,
    REGION_COFF_RELOCATIONS, /* per-section object relocations or line numbers left in the image */
    REGION_DEBUG_DATA,       /* debug data outside every section */
    REGION_CERTIFICATES,
    REGION_PADDING, /* zero bytes between other regions */
    REGION_UNNAMED, /* non-zero bytes between other regions that nothing names */
    REGION_OVERLAY  /* bytes after everything that the headers name */
};

struct region {
    uint64_t foff;
    uint64_t nbytes;
    enum region_kind kind;
    uint32_t section; /* index, for the SECTION kinds and COFF_RELOCATIONS; else UINT32_MAX */
};

/* Two headers that claim the same bytes of the file; the first claim wins in the region list. */
struct region_overlap {
    uint64_t foff, nbytes;
    enum region_kind winner, loser;
};

/* Is this an image that the kernel loads? Decided by subsystem and imported modules. */
enum image_role { ROLE_KERNEL, ROLE_USER, ROLE_FIRMWARE /* EFI, boot application, ROM */ };

struct image {
    struct span file; /* borrowed: outlives the image */
    struct arena *arena;

    bool is_64;   /* PE32+ */
    bool is_flat; /* SectionAlignment below a page: the file is mapped as it is, RVA equals file offset */
    uint16_t machine, subsystem, dll_characteristics, coff_characteristics;
    uint32_t time_date_stamp;
    uint32_t pe_foff;   /* of the PE signature */
    uint32_t coff_foff; /* of the COFF header */
    uint32_t opt_foff;  /* of the optional header */
    uint32_t opt_nbytes;
    uint32_t section_table_foff, section_table_end_foff;
    uint32_t symbol_table_foff, symbol_count;        /* 0 when there is none */
    uint32_t string_table_foff, string_table_nbytes; /* 0 when there is none */
    uint8_t linker_major, linker_minor;
    uint32_t entry_rva, base_of_code_rva;
    uint64_t image_base_va;
    uint32_t section_alignment, file_alignment;
    uint32_t image_nbytes, headers_nbytes; /* SizeOfImage, SizeOfHeaders */
    uint32_t stored_checksum;
    uint16_t os_major, os_minor, subsystem_major, subsystem_minor;

    uint32_t directory_count;                /* min(NumberOfRvaAndSizes, 16, what the header holds) */
    struct directory directories[DIR_COUNT]; /* absent ones are all zero */

    struct section *sections;
    uint32_t section_count;
    const struct section **sections_by_rva; /* those that span memory, in ascending order of RVA */
    uint32_t mapped_section_count;          /* elements of sections_by_rva */

    struct region *regions;
    size_t region_count;
    struct region_overlap *overlaps;
    size_t overlap_count;

    enum image_role role;
    const char *role_reason;   /* a sentence without the period */
    bool is_managed;           /* has a CLR header */
    bool is_signed;            /* has a certificate table */
    struct finding_list notes; /* what was odd but readable: HVCI9004, HVCI9005 */
};

/* Reads one image. The file must stay mapped while *image is used; everything else comes from `arena`.
 * Returns true, or false with *error set (HVCI9001, 9002, 9003, 9008) and *image undefined.
 * Work: linear in the number of sections and regions. */
bool image_read(struct span file, struct arena *arena, struct image *image, struct finding *error);

/* The section whose memory range (rounded up to SectionAlignment) holds rva; NULL for headers, gaps, beyond.
 */
const struct section *image_section_at_rva(const struct image *image, uint32_t rva);

/* The section whose visible file bytes hold foff; NULL when none does. */
const struct section *image_section_at_foff(const struct image *image, uint64_t foff);

/* File offset of [rva, rva + nbytes) when all of it is backed by the file (headers or one section).
 * False, with *foff untouched, when it is not: zero-filled, in a gap, across sections, outside. */
bool image_rva_to_foff(const struct image *image, uint32_t rva, uint32_t nbytes, uint32_t *foff);

/* RVA at which the file byte foff is visible; false when it is mapped nowhere. */
bool image_foff_to_rva(const struct image *image, uint64_t foff, uint32_t *rva);

/* The file bytes of [rva, rva + nbytes); false as image_rva_to_foff(). */
bool image_bytes_at_rva(const struct image *image, uint32_t rva, uint32_t nbytes, struct span *bytes);

/* The longest file-backed run that starts at rva (to the end of its section's file bytes or of the
 * headers); the empty span when rva is not backed. */
struct span image_run_at_rva(const struct image *image, uint32_t rva);

/* NUL-terminated string at rva, without the NUL; false when it does not end within max_nbytes of
 * file-backed bytes. */
bool image_string_at_rva(const struct image *image, uint32_t rva, size_t max_nbytes, struct span *text);

/* VA to RVA; false when the VA is below ImageBase or more than 2^32 - 1 above it. An RVA up to and
 * beyond SizeOfImage is returned as it is: callers decide what one-past-the-end means. */
bool image_va_to_rva(const struct image *image, uint64_t va, uint32_t *rva);

/* A directory that Windows would use, else NULL: its RVA is not 0, and neither is its size where the size
 * says how much there is to read (security, base relocations, debug, exception, IAT). The other directories
 * are walked to their own end, so Windows never looks at their size. */
const struct directory *image_directory(const struct image *image, unsigned number);

/* 4 or 8. */
unsigned image_pointer_nbytes(const struct image *image);

/* The load configuration names metadata of hybrid code (ARM64EC, ARM64X, CHPE): some of the code is for
 * another machine than the header says. */
bool image_is_hybrid(const struct image *image);

/* The code is for a machine that is decoded here, and for no other. When not, *reason is half a sentence on
 * why (in `arena`; NULL when memory ran out), else NULL. */
bool image_is_decoded(const struct image *image, struct arena *arena, const char **reason);

/* "x64", "x86", "ARM64", "IA64", "ARM", "ARM64EC" or "machine 0xNNNN" (in the image's arena). */
const char *image_machine_name(const struct image *image);

/* "native", "Windows GUI", ... or "subsystem N". */
const char *image_subsystem_name(const struct image *image);

/* Short name of a region kind for listings: "DOS header", "section", ... */
const char *region_kind_name(enum region_kind kind);

/* Field offsets that depend on the header's width. */
static inline uint32_t image_pick(const struct image *image, uint32_t offset_32, uint32_t offset_64)
{
    return image->is_64 ? offset_64 : offset_32;
}

/* The checksum that belongs into a file whose CheckSum field lies at checksum_foff: end-around sum of all
 * 16-bit words with that field as zero, plus the length (PE spec, optional header, CheckSum).
 * An odd last byte counts as the low byte of a word. checksum_foff must leave 4 bytes inside the file. */
uint32_t pe_checksum(struct span file, uint64_t checksum_foff);

#endif
