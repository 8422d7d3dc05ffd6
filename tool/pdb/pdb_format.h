/* pdb_format.h - the numbers of the streams of a PDB that are read. Private to tool/pdb.
 * Sources: LLVM, docs/PDB/PdbStream and DbiStream; microsoft/microsoft-pdb, PDB/dbi/dbi.h and
 * include/cvinfo.h. */
#ifndef HVCIFIX_PDB_PDB_FORMAT_H
#define HVCIFIX_PDB_PDB_FORMAT_H

#define PDB_NO_STREAM 0xFFFFu

enum {
    STREAM_INFO = 1,
    STREAM_DBI = 3,

    /* The info stream. Named streams follow. */
    INFO_VERSION = 0,
    INFO_AGE = 8,
    INFO_GUID = 12,
    INFO_NBYTES = 28,
    INFO_VERSION_70 = 20000404,

    /* The DBI stream: a header, then seven parts whose sizes it states, in this order: modules, section
     * contributions, section map, sources, type servers, edit and continue, debug streams. */
    DBI_SIGNATURE = 0,
    DBI_VERSION = 4,
    DBI_AGE = 8,
    DBI_SYMBOL_RECORDS = 20,
    DBI_MODULES_NBYTES = 24,
    DBI_CONTRIBUTIONS_NBYTES = 28,
    DBI_SECTION_MAP_NBYTES = 32,
    DBI_SOURCES_NBYTES = 36,
    DBI_TYPE_SERVERS_NBYTES = 40,
    DBI_DEBUG_STREAMS_NBYTES = 48,
    DBI_EDIT_NBYTES = 52,
    DBI_MACHINE = 58,
    DBI_NBYTES = 64,
    DBI_VERSION_70 = 19990903,

    /* The debug streams: 16-bit numbers of streams, as many as there are. */
    SLOT_OMAP_TO_SRC = 3,
    SLOT_OMAP_FROM_SRC = 4,
    SLOT_SECTION_HEADERS = 5,
    SLOT_OLD_SECTION_HEADERS = 10,
    SLOT_COUNT = 11,

    /* A module: fixed fields, two names, padding to 4. */
    MODULE_STREAM = 34,
    MODULE_SYMBOLS_NBYTES = 36,
    MODULE_NAMES = 64,

    /* Symbol records: a length that does not count itself, a kind, fields. */
    SYMBOL_KIND = 2,
    SYMBOL_PUBLIC = 0x110E,
    SYMBOL_LOCAL_PROCEDURE = 0x110F,
    SYMBOL_GLOBAL_PROCEDURE = 0x1110,
    SYMBOL_LOCAL_PROCEDURE_ID = 0x1146,
    SYMBOL_GLOBAL_PROCEDURE_ID = 0x1147,
    PUBLIC_FLAGS = 4, /* from the begin of the record, as all of these */
    PUBLIC_OFFSET = 8,
    PUBLIC_SECTION = 12,
    PUBLIC_NAME = 14,
    PUBLIC_IS_FUNCTION = 2,
    PROCEDURE_NBYTES = 16,
    PROCEDURE_OFFSET = 32,
    PROCEDURE_SECTION = 36,
    PROCEDURE_NAME = 39,
    MODULE_SYMBOLS_SIGNATURE = 4, /* C13; the symbols begin behind it */

    OMAP_FROM = 0,
    OMAP_TO = 4
};

#endif
