/* refs_certificates.c - the certificate table.
 * Takes: directory 4, a file offset.  Gives: no references: a signature holds hashes of the file, not
 * addresses, and any change drops it. Damage is recorded, so that nobody takes other bytes for certificates.
 * Must not: judge the signature. Source: PE format specification, "The Attribute Certificate Table". */
#include "refs/refs_sources.h"

#include <inttypes.h>

bool refs_collect_certificates(struct refset *refs)
{
    const struct directory *directory = image_directory(refs->image, DIR_SECURITY);
    struct span table;
    if (!directory)
        return true;
    uint64_t foff = directory->rva; /* this directory alone is addressed by file offset */
    if (!span_part(refs->image->file, foff, directory->nbytes, &table))
        return refset_problem(refs, SOURCE_CERTIFICATES, NO_RVA, foff,
                              "The certificate table at file offset 0x%llX runs past the end of the file.",
                              (unsigned long long)foff);
    uint64_t offset = 0;
    while (offset + CERTIFICATE_HEADER_NBYTES <= table.nbytes) {
        uint32_t nbytes = load_u32(table.bytes + offset + CERTIFICATE_LENGTH);
        uint64_t at_foff = foff + offset;
        if (nbytes < CERTIFICATE_HEADER_NBYTES || !range_fits(table.nbytes, offset, nbytes))
            return refset_problem(refs, SOURCE_CERTIFICATES, NO_RVA, at_foff,
                                  "The certificate at file offset 0x%" PRIX64
                                  " gives its length as 0x%X, which does "
                                  "not fit the table.",
                                  foff + offset, nbytes);
        offset += nbytes;
        offset = (offset + CERTIFICATE_ALIGN_NBYTES - 1) & ~(uint64_t)(CERTIFICATE_ALIGN_NBYTES - 1);
    }
    return true;
}
