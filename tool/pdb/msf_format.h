/* msf_format.h - the numbers of the container of a PDB. Private to tool/pdb.
 * Sources: as msf.h. */
#ifndef HVCIFIX_PDB_MSF_FORMAT_H
#define HVCIFIX_PDB_MSF_FORMAT_H

/* 32 bytes with the terminating zeros. */
#define MSF_MAGIC                                                                                            \
    "Microsoft C/C++ MSF 7.00\r\n\x1A"                                                                       \
    "DS\0\0"
enum { MSF_MAGIC_NBYTES = 32 };

/* The superblock, offsets in bytes. */
enum {
    SUPER_BLOCK_NBYTES = 32,
    SUPER_FREE_MAP = 36,
    SUPER_BLOCK_COUNT = 40,
    SUPER_DIRECTORY_NBYTES = 44,
    SUPER_UNKNOWN = 48,
    SUPER_BLOCK_MAPS = 52 /* numbers of the blocks that hold the numbers of the directory's blocks */
};

#define MSF_NIL_NBYTES 0xFFFFFFFFu

#endif
