/* undo_record.h - where the fields of a record lie (docs/UNDO.md).
 * Takes nothing.  Gives: numbers.  Must not: be used outside undo_*.c. */
#ifndef HVCIFIX_UNDO_UNDO_RECORD_H
#define HVCIFIX_UNDO_UNDO_RECORD_H

#define UNDO_MAGIC "HVCIUNDO"

enum {
    UNDO_MAGIC_NBYTES = 8,
    UNDO_VERSION_AT = 8,        /* 16 bits */
    UNDO_HEADER_NBYTES_AT = 10, /* 16 bits: of the header, digest included */
    UNDO_RECORD_NBYTES_AT = 12, /* 32 bits: of all of the record */
    UNDO_ORIGINAL_NBYTES_AT = 16,
    UNDO_REPAIRED_NBYTES_AT = 20,
    UNDO_ORIGINAL_SHA256_AT = 24,
    UNDO_REPAIRED_SHA256_AT = 56,
    UNDO_DESCRIPTION_NBYTES_AT = 88,        /* unpacked */
    UNDO_DESCRIPTION_PACKED_NBYTES_AT = 92, /* behind the header */
    UNDO_RANGE_COUNT_AT = 96,
    UNDO_DELTA_PACKED_NBYTES_AT = 100, /* behind the description, to the end */
    UNDO_RECORD_SHA256_AT = 104,       /* of the record without these bytes */
    UNDO_HEADER_NBYTES = 136,

    /* A description is a list of texts: tag (16 bits), length (32 bits), bytes without NUL. What a reader
     * does not know it passes over. */
    UNDO_TEXT_HEAD_NBYTES = 6,
    UNDO_TEXT_TOOL = 1,
    UNDO_TEXT_IMAGE = 2,
    UNDO_TEXT_CURED = 3,
    UNDO_TEXT_CHANGE = 4,
    UNDO_TEXT_WHY = 5 /* of the cured finding or change before it */
};

#endif
