/* verify_image.h - the verifier's own reader of PE headers.
 * Takes: the bytes of one file.  Gives: struct verify_image, views and numbers as the file states them.
 * Must not: judge (verify_structure does), repair, or be shared with the rewriter's image model. */
#ifndef HVCIFIX_VERIFY_VERIFY_IMAGE_H
#define HVCIFIX_VERIFY_VERIFY_IMAGE_H

#include "base/arena.h"
#include "base/pe_format.h"
#include "base/span.h"

struct verify_section {
    uint32_t index; /* position in the section table */
    uint64_t header_foff;
    char name[SECTION_NAME_NBYTES + 1]; /* printable: other bytes are shown as '?' */
    uint32_t rva, virtual_nbytes;
    uint32_t raw_foff, raw_nbytes; /* as stated, not checked against the file */
    uint32_t characteristics;
    uint32_t memory_nbytes; /* the larger of the two sizes, cut where the next section begins */
    struct span bytes;      /* raw data that is in the file and in [rva, rva + memory_nbytes) */
};

struct verify_directory {
    uint32_t rva, nbytes; /* rva is a file offset for DIR_SECURITY */
};

struct verify_image {
    struct span file;
    bool is_64; /* PE32+ */
    uint16_t machine, coff_characteristics;
    uint64_t pe_foff, coff_foff, opt_foff, directories_foff, section_table_foff, section_table_end_foff;
    uint32_t opt_nbytes;
    uint64_t base_va;
    uint32_t entry_rva, section_alignment, file_alignment, image_nbytes, headers_nbytes, stored_checksum;
    uint64_t checksum_foff;
    uint32_t directory_count; /* entries that are really there: at most DIR_COUNT */
    struct verify_directory directories[DIR_COUNT];
    struct verify_section *sections; /* in the order of the table */
    uint32_t section_count;
    const struct verify_section **by_rva; /* ascending RVA */
    uint32_t *near_place; /* in by_rva: of the last RVA that was asked for; questions come in runs */
    bool is_ordered; /* the table itself ascends strictly, and no section reaches into the next: one meaning
                      * for each RVA */
};

/* Reads the headers. False with *reason (a sentence) and *foff when they cannot be read, or with *reason
 * NULL when memory ran out. */
bool verify_image_read(struct span file, struct arena *arena, struct verify_image *image, const char **reason,
                       uint64_t *foff);

/* A discardable INIT, from which Windows 10 and later take the write right themselves: drivers that work
 * there do not write to it once they are loaded. */
bool verify_is_discardable_init(const struct verify_section *section);

/* How much of its memory a section says it uses: VirtualSize; all of it where that is 0. */
uint32_t verify_used_nbytes(const struct verify_section *section);

/* A section with both rights gave up executing, and nothing else of its characteristics changed. */
bool verify_gave_up_execute(const struct verify_section *old_section, const struct verify_section *section);

/* The section whose memory holds rva, or NULL (headers, gaps, past the end). */
const struct verify_section *verify_section_at(const struct verify_image *image, uint32_t rva);

/* The section whose raw data holds the file offset, or NULL. */
const struct verify_section *verify_section_at_foff(const struct verify_image *image, uint64_t foff);

/* File offset of nbytes bytes at rva. False when they are not all in the headers or in one section's raw
 * data. */
bool verify_rva_to_foff(const struct verify_image *image, uint64_t rva, uint64_t nbytes, uint64_t *foff);

/* The bytes at rva up to the end of their section's raw data (or of the headers); empty when there are none.
 */
struct span verify_bytes_at(const struct verify_image *image, uint64_t rva);

/* RVA of a byte of the file, or UINT32_MAX when it is not mapped. */
uint32_t verify_foff_to_rva(const struct verify_image *image, uint64_t foff);

/* Reads nbytes (4 or 8) at rva. False when they are not in the file. */
bool verify_read_at(const struct verify_image *image, uint64_t rva, unsigned nbytes, uint64_t *value);

#endif
