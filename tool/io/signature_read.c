/* signature_read.c - signature_read.h: each entry of the certificate table against the file.
 * Takes: path and model.  Gives: facts.  Must not: stop at the first entry that is right. */
#include "io/signature_read.h"

#include "base/text.h"
#include "io/authenticode.h"
#include "io/catalog.h"
#include "io/pkcs7.h"

enum { MOST_ENTRIES = 64 };

static const char *hexadecimal(struct arena *arena, const uint8_t *bytes, size_t nbytes)
{
    struct text text = {.arena = arena};
    for (size_t i = 0; i < nbytes; i++)
        text_printf(&text, "%02x", bytes[i]);
    return text.chars ? text.chars : "";
}

static void set_unreadable(struct signature_facts *facts, const char *reason)
{
    facts->state = SIGNATURE_UNREADABLE;
    facts->reason = reason;
}

/* One entry. False when there is nothing left to say: it is not as it has to be. */
static bool read_entry(const struct image *image, struct span entry, uint32_t foff, struct arena *arena,
                       struct signature_facts *facts)
{
    struct span message;
    struct pkcs7_digest digest;
    const char *problem = "The certificate table is damaged.";
    uint8_t actual[DIGEST_MOST_NBYTES];
    facts->certificate_foff = foff;
    uint16_t type = load_u16(entry.bytes + CERTIFICATE_TYPE);
    if (type != CERTIFICATE_TYPE_PKCS7) {
        set_unreadable(facts, arena_printf(arena,
                                           "The certificate table has an entry of type %u; Authenticode "
                                           "is type 2.",
                                           type));
        return false;
    }
    if (!span_part(entry, CERTIFICATE_HEADER_NBYTES, entry.nbytes - CERTIFICATE_HEADER_NBYTES, &message) ||
        !pkcs7_read_digest(message, &digest, &problem)) {
        set_unreadable(facts, problem);
        return false;
    }
    if (!authenticode_digest_by(image, digest.algorithm, actual)) {
        set_unreadable(facts, "The system's cryptographic library does not compute its digest.");
        return false;
    }
    facts->algorithm = digest.algorithm_name;
    facts->stored = hexadecimal(arena, digest.value.bytes, digest.value.nbytes);
    facts->actual = hexadecimal(arena, actual, digest.value.nbytes);
    facts->state =
        memcmp(actual, digest.value.bytes, digest.value.nbytes) == 0 ? SIGNATURE_CURRENT : SIGNATURE_STALE;
    return facts->state == SIGNATURE_CURRENT;
}

static void read_table(const struct image *image, struct arena *arena, struct signature_facts *facts)
{
    const struct directory *security = image_directory(image, DIR_SECURITY);
    struct span table, entry;
    if (!security)
        return;
    facts->certificate_foff = security->entry_foff;
    if (!span_part(image->file, security->rva, security->nbytes, &table)) {
        set_unreadable(facts, "The certificate table runs past the end of the file.");
        return;
    }
    uint64_t at = 0;
    for (unsigned count = 0; at < table.nbytes; count++) {
        uint32_t nbytes = 0;
        struct span left = {table.bytes + at, (size_t)(table.nbytes - at)};
        if (count != 0 && span_is_filled(left, 0))
            return; /* padding */
        if (count == MOST_ENTRIES || !range_fits(table.nbytes, at, CERTIFICATE_HEADER_NBYTES) ||
            !span_u32(table, at + CERTIFICATE_LENGTH, &nbytes) || nbytes < CERTIFICATE_HEADER_NBYTES ||
            !span_part(table, at, nbytes, &entry)) {
            set_unreadable(facts, count == MOST_ENTRIES ? "The certificate table has more than 64 entries."
                                                        : "The certificate table is damaged.");
            return;
        }
        if (!read_entry(image, entry, security->rva + (uint32_t)at, arena, facts))
            return;
        at += ((uint64_t)nbytes + CERTIFICATE_ALIGN_NBYTES - 1) & ~(uint64_t)(CERTIFICATE_ALIGN_NBYTES - 1);
    }
}

void signature_read(const char *path, const struct image *image, unsigned questions, struct arena *arena,
                    struct signature_facts *facts)
{
    struct finding error;
    *facts = (struct signature_facts){.state = SIGNATURE_NONE};
    if ((questions & ASK_DIGEST) && image->is_signed)
        read_table(image, arena, facts);
    if ((questions & ASK_CATALOG) && !image->is_signed && !path)
        facts->catalog_problem =
            "The image lies inside a package; catalogs are looked for beside files only.";
    else if ((questions & ASK_CATALOG) && !image->is_signed &&
             !catalog_lists_image(path, image, arena, &facts->catalog, &error))
        facts->catalog_problem = error.message;
}
