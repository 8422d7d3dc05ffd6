/* signature.h - what is known about an image's signature, for the rules that judge it.
 * Takes nothing.  Gives: a value that the pipeline fills (io/signature_read.h) and the rules read.
 * Must not: verify certificates. */
#ifndef HVCIFIX_RULES_SIGNATURE_H
#define HVCIFIX_RULES_SIGNATURE_H

#include <stdbool.h>
#include <stdint.h>

enum signature_state {
    SIGNATURE_NONE,      /* no certificate table */
    SIGNATURE_CURRENT,   /* the digest in it is that of the file */
    SIGNATURE_STALE,     /* it is not */
    SIGNATURE_UNREADABLE /* the certificate table holds no digest that can be compared; `reason` says why */
};

struct signature_facts {
    enum signature_state state;
    const char *algorithm;       /* "SHA-256"; NULL when no digest was read */
    const char *stored, *actual; /* digests as hexadecimal text; NULL likewise */
    uint32_t certificate_foff;   /* of the entry that was judged */
    const char *reason;          /* a sentence with its period, or NULL */
    const char *catalog;         /* path of a catalog beside the image that lists its hash, or NULL */
    const char *catalog_problem; /* why it is not known whether there is one, or NULL */
};

#endif
