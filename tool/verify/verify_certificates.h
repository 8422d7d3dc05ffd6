/* verify_certificates.h - what happened to the certificate table between the two files.
 * Takes: both images.  Gives: kept, absent or dropped, and the length that the new file must have.
 * Must not: look into certificates or check signatures. */
#ifndef HVCIFIX_VERIFY_VERIFY_CERTIFICATES_H
#define HVCIFIX_VERIFY_VERIFY_CERTIFICATES_H

#include "verify/verify_case.h"

enum verify_certificates_fate {
    CERTIFICATES_NONE,    /* the old file has no certificate table, and neither has the new one */
    CERTIFICATES_KEPT,    /* same directory entry in both */
    CERTIFICATES_DROPPED, /* entry cleared and the table cut off the end of the file */
    CERTIFICATES_CHANGED  /* anything else: the entry shows up as an unexplained difference */
};

/* Compares the security directory entries, and the lengths of the two files with them: the new file is as
 * long as the old one, or it ends where the dropped table began (the up to seven zero bytes of alignment
 * before it may go too). False when refuted. */
bool verify_certificates(struct verify_case *judged, enum verify_certificates_fate *fate);

/* A signature covers the whole file but CheckSum, the directory entry and the table itself: once another
 * byte differs (`signed_field` names the first such field; NULL when there is none), a kept signature is
 * stale. False when refuted. */
bool verify_signature_not_stale(struct verify_case *judged, enum verify_certificates_fate fate,
                                const char *signed_field);

/* Lists what a drop changed. False when memory ran out. */
bool verify_explain_certificates(struct verify_case *judged, enum verify_certificates_fate fate);

#endif
