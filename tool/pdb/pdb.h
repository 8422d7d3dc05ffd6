/* pdb.h - a PDB as far as names, addresses and a new layout need it.
 * Takes: the bytes of a file.  Gives: identity, debug streams, section headers.
 * Must not: look into types, sources or lines; print or judge.
 *
 * Symbols name every place by section and offset, in the layout that the linker made. Where tools have moved
 * pieces since, the "original" section headers belong to that layout, the section headers to the image as it
 * is, and two OMAP tables lead from RVAs of the one to RVAs of the other. */
#ifndef HVCIFIX_PDB_PDB_H
#define HVCIFIX_PDB_PDB_H

#include "image/image.h"
#include "pdb/msf.h"

enum { PDB_GUID_NBYTES = 16 };

/* What must be equal in an image and its PDB. */
struct pdb_identity {
    uint8_t guid[PDB_GUID_NBYTES];
    uint32_t age;
};

static inline bool pdb_identity_is_equal(const struct pdb_identity *a, const struct pdb_identity *b)
{
    return a->age == b->age && memcmp(a->guid, b->guid, PDB_GUID_NBYTES) == 0;
}

/* One entry of an OMAP table: addresses from `from` up to the next entry are at `to` and on; 0: nowhere. */
struct omap_entry {
    uint32_t from, to;
};

struct omap {
    struct omap_entry *entries; /* ascending by `from` */
    size_t count;
};

struct pdb {
    struct msf msf;
    struct pdb_identity
        identity; /* GUID of the info stream, age of the DBI stream: that is what debuggers compare */
    uint16_t machine;
    struct span info, dbi;              /* the two streams, in the arena */
    uint32_t slots_at;                  /* of the debug streams in `dbi`, */
    uint32_t slot_count;                /* and how many numbers there are */
    struct span section_headers;        /* of the image as it is: 40 bytes each; may be empty */
    struct span symbol_section_headers; /* those that symbols mean */
    uint32_t section_headers_stream;
    struct omap from_source; /* from the layout that symbols mean to the image's; none: they are the same */
};

/* Does it begin as PDBs do, of whatever version? */
bool pdb_is(struct span file);

/* Reads it. The file must stay while *pdb is used. False with *error set: HVCI9080 (damaged, or a kind that
 * is not understood), HVCI9008. Work and memory: linear in the file's size. */
bool pdb_open(struct span file, struct arena *arena, struct pdb *pdb, struct finding *error);

/* The number of the stream in a slot of the debug streams; PDB_NO_STREAM when there is none. */
uint32_t pdb_debug_stream(const struct pdb *pdb, uint32_t slot);

/* Section (counted from 1) and offset of a symbol to an RVA of the image. False when it has none: an absolute
 * symbol, or a place that did not come into the image. */
bool pdb_rva(const struct pdb *pdb, uint16_t section, uint32_t offset, uint32_t *rva);

/* Where an address went. False when it has no place. Work: logarithmic. */
bool omap_lookup(const struct omap *omap, uint32_t from, uint32_t *to);

/* The CodeView record of an image, by which debuggers find its PDB. */
struct codeview {
    struct pdb_identity identity;
    uint32_t guid_foff;    /* of the GUID in the image */
    const char *path;      /* of the PDB as the linker stated it, in the arena */
    const char *file_name; /* the last part of it: it has no separator and names no drive */
};

/* False when the image has no RSDS record that debuggers would take, or more than one; *why, if not NULL, is
 * set then when there is one that cannot be used. */
bool codeview_read(const struct image *image, struct arena *arena, struct codeview *codeview,
                   const char **why);

/* Has a repair written it? No linker leaves address maps, and the GUID is of version 8 (RFC 9562), which
 * stands for one of its maker's own rule. */
static inline bool pdb_is_rewritten(const struct pdb *pdb)
{
    return pdb->from_source.count != 0 && pdb->identity.guid[7] >> 4 == 8;
}

/* Are GUID and age those that the image states? */
bool pdb_matches(const struct pdb *pdb, const struct codeview *codeview);

/* Why the PDB is not that of the image as it is, a sentence; NULL: it is. GUID and age say of which link it
 * is; the section headers say that nothing has moved since. */
const char *pdb_why_other(const struct pdb *pdb, const struct codeview *codeview, const struct image *image);

#endif
