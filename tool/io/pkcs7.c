/* pkcs7.c - pkcs7.h, by a reader of DER that only goes down one path.
 * Takes: bytes.  Gives: spans of them.  Must not: accept lengths that do not fit, or indefinite ones. */
#include "io/pkcs7.h"

enum {
    TAG_INTEGER = 0x02,
    TAG_OCTET_STRING = 0x04,
    TAG_OID = 0x06,
    TAG_SEQUENCE = 0x30,
    TAG_SET = 0x31,
    TAG_CONTEXT_0 = 0xA0,
    LONG_LENGTH = 0x80,
    MOST_LENGTH_NBYTES = 4
};

/* Takes the next element off *rest when it has this tag. */
static bool take(struct span *rest, unsigned tag, struct span *content)
{
    uint8_t found_tag, length;
    size_t header_nbytes = 2;
    uint64_t nbytes;
    if (!span_u8(*rest, 0, &found_tag) || found_tag != tag || !span_u8(*rest, 1, &length))
        return false;
    nbytes = length;
    if (length & LONG_LENGTH) {
        unsigned count = length & ~(unsigned)LONG_LENGTH;
        if (count == 0 || count > MOST_LENGTH_NBYTES || rest->nbytes < header_nbytes + count)
            return false;
        nbytes = 0;
        for (unsigned i = 0; i < count; i++)
            nbytes = nbytes << 8 | rest->bytes[header_nbytes + i];
        header_nbytes += count;
    }
    if (!span_part(*rest, header_nbytes, nbytes, content))
        return false;
    return span_part(*rest, header_nbytes + nbytes, rest->nbytes - header_nbytes - nbytes, rest);
}

static bool take_oid(struct span *rest, const uint8_t *oid, size_t oid_nbytes)
{
    struct span found;
    return take(rest, TAG_OID, &found) && span_is_equal(found, (struct span){oid, oid_nbytes});
}

/* Content of SEQUENCE { OID, [0] { SEQUENCE content } }. */
static bool take_typed(struct span *rest, const uint8_t *oid, size_t oid_nbytes, struct span *content)
{
    struct span outer, tagged;
    return take(rest, TAG_SEQUENCE, &outer) && take_oid(&outer, oid, oid_nbytes) &&
           take(&outer, TAG_CONTEXT_0, &tagged) && take(&tagged, TAG_SEQUENCE, content);
}

static bool set_algorithm(struct span oid, struct pkcs7_digest *digest)
{
    static const struct {
        uint8_t oid[9];
        size_t oid_nbytes;
        const char *name;
        enum digest_algorithm algorithm;
        size_t value_nbytes;
    } known[] = {
        {{0x2B, 0x0E, 0x03, 0x02, 0x1A}, 5, "SHA-1", DIGEST_SHA1, DIGEST_SHA1_NBYTES},
        {{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01},
         9,
         "SHA-256",
         DIGEST_SHA256,
         DIGEST_SHA256_NBYTES},
        {{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02},
         9,
         "SHA-384",
         DIGEST_SHA384,
         DIGEST_SHA384_NBYTES},
        {{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03},
         9,
         "SHA-512",
         DIGEST_SHA512,
         DIGEST_SHA512_NBYTES},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!span_is_equal(oid, (struct span){known[i].oid, known[i].oid_nbytes}))
            continue;
        digest->algorithm = known[i].algorithm;
        digest->algorithm_name = known[i].name;
        return digest->value.nbytes == known[i].value_nbytes;
    }
    return false;
}

bool pkcs7_read_digest(struct span message, struct pkcs7_digest *digest, const char **problem)
{
    static const uint8_t signed_data[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02};
    static const uint8_t indirect_data[] = {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x04};
    struct span signed_content, skipped, indirect, info, algorithm, oid;
    *problem = "The certificate table holds no PKCS#7 message with an Authenticode digest.";
    if (!take_typed(&message, signed_data, sizeof signed_data, &signed_content) ||
        !take(&signed_content, TAG_INTEGER, &skipped) || !take(&signed_content, TAG_SET, &skipped) ||
        !take_typed(&signed_content, indirect_data, sizeof indirect_data, &indirect) ||
        !take(&indirect, TAG_SEQUENCE, &skipped) || !take(&indirect, TAG_SEQUENCE, &info) ||
        !take(&info, TAG_SEQUENCE, &algorithm) || !take(&info, TAG_OCTET_STRING, &digest->value) ||
        !take(&algorithm, TAG_OID, &oid))
        return false;
    *problem = "Its digest is by an algorithm that is not computed here (SHA-1, SHA-256, SHA-384 and SHA-512 "
               "are).";
    return set_algorithm(oid, digest);
}
