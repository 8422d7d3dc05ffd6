/* pdb.c - see pdb.h: the info stream, the header of the DBI stream, and the streams that it leads to. */
#include "pdb/pdb.h"
#include "pdb/pdb_format.h"

static bool refuse(struct arena *arena, struct finding *error, const char *what)
{
    if (arena->exhausted)
        *error = finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                              "There was not enough memory for the PDB.");
    else
        *error =
            finding_make(arena, HVCI9080_PDB_UNREADABLE, LEVEL_ERROR, "The PDB cannot be read: %s.", what);
    if (!arena->exhausted)
        error->cure = "Name the PDB that the linker wrote together with the image; if it is, link again.";
    return false;
}

static bool read_identity(struct pdb *pdb, struct arena *arena, struct finding *error)
{
    if (!msf_read(&pdb->msf, STREAM_INFO, arena, &pdb->info) ||
        !msf_read(&pdb->msf, STREAM_DBI, arena, &pdb->dbi))
        return refuse(arena, error, "");
    if (pdb->info.nbytes < INFO_NBYTES || load_u32(pdb->info.bytes + INFO_VERSION) < INFO_VERSION_70)
        return refuse(arena, error, "its info stream is of a kind that is not understood");
    if (pdb->dbi.nbytes < DBI_NBYTES || load_u32(pdb->dbi.bytes + DBI_SIGNATURE) != UINT32_MAX ||
        load_u32(pdb->dbi.bytes + DBI_VERSION) != DBI_VERSION_70)
        return refuse(arena, error,
                      "it has no debug information of an image that is understood (DBI stream)");
    memcpy(pdb->identity.guid, pdb->info.bytes + INFO_GUID, PDB_GUID_NBYTES);
    pdb->identity.age = load_u32(pdb->dbi.bytes + DBI_AGE);
    pdb->machine = load_u16(pdb->dbi.bytes + DBI_MACHINE);
    return true;
}

/* The parts follow one another, and the debug streams are the last of them. */
static bool find_slots(struct pdb *pdb, struct arena *arena, struct finding *error)
{
    static const uint8_t before[] = {DBI_MODULES_NBYTES, DBI_CONTRIBUTIONS_NBYTES, DBI_SECTION_MAP_NBYTES,
                                     DBI_SOURCES_NBYTES, DBI_TYPE_SERVERS_NBYTES,  DBI_EDIT_NBYTES};
    uint64_t at = DBI_NBYTES;
    for (size_t i = 0; i < sizeof before; i++)
        at += load_u32(pdb->dbi.bytes + before[i]);
    uint32_t nbytes = load_u32(pdb->dbi.bytes + DBI_DEBUG_STREAMS_NBYTES);
    if (at + nbytes != pdb->dbi.nbytes || nbytes % 2 != 0)
        return refuse(arena, error, "the parts of its DBI stream are not as long as they say");
    pdb->slots_at = (uint32_t)at;
    pdb->slot_count = nbytes / 2;
    return true;
}

uint32_t pdb_debug_stream(const struct pdb *pdb, uint32_t slot)
{
    return slot < pdb->slot_count ? load_u16(pdb->dbi.bytes + pdb->slots_at + 2 * (size_t)slot)
                                  : PDB_NO_STREAM;
}

static bool read_headers(struct pdb *pdb, uint32_t stream, struct arena *arena, struct span *headers)
{
    return msf_read(&pdb->msf, stream, arena, headers) && headers->nbytes % SECTION_HEADER_NBYTES == 0;
}

static bool read_omap(struct pdb *pdb, uint32_t stream, struct arena *arena)
{
    struct span bytes;
    if (!msf_read(&pdb->msf, stream, arena, &bytes) || bytes.nbytes % OMAP_ENTRY_NBYTES != 0)
        return false;
    struct omap *omap = &pdb->from_source;
    omap->entries = arena_array(arena, bytes.nbytes / OMAP_ENTRY_NBYTES + 1, sizeof *omap->entries);
    if (!omap->entries)
        return false;
    omap->count = bytes.nbytes / OMAP_ENTRY_NBYTES;
    for (size_t i = 0; i < omap->count; i++) {
        const uint8_t *entry = bytes.bytes + i * OMAP_ENTRY_NBYTES;
        omap->entries[i] = (struct omap_entry){load_u32(entry + OMAP_FROM), load_u32(entry + OMAP_TO)};
        if (i != 0 && omap->entries[i].from < omap->entries[i - 1].from)
            return false;
    }
    return true;
}

bool pdb_is(struct span file)
{
    static const char begin[] = "Microsoft C/C++ ";
    return file.nbytes >= sizeof begin - 1 && memcmp(file.bytes, begin, sizeof begin - 1) == 0;
}

bool pdb_open(struct span file, struct arena *arena, struct pdb *pdb, struct finding *error)
{
    *pdb = (struct pdb){.section_headers_stream = PDB_NO_STREAM};
    if (!msf_open(file, arena, &pdb->msf, error) || !read_identity(pdb, arena, error) ||
        !find_slots(pdb, arena, error))
        return false;
    pdb->section_headers_stream = pdb_debug_stream(pdb, SLOT_SECTION_HEADERS);
    uint32_t old_headers = pdb_debug_stream(pdb, SLOT_OLD_SECTION_HEADERS);
    uint32_t omap = pdb_debug_stream(pdb, SLOT_OMAP_FROM_SRC);
    if (!read_headers(pdb, pdb->section_headers_stream, arena, &pdb->section_headers))
        return refuse(arena, error, "its section headers are no whole ones");
    pdb->symbol_section_headers = pdb->section_headers;
    if (old_headers != PDB_NO_STREAM && !read_headers(pdb, old_headers, arena, &pdb->symbol_section_headers))
        return refuse(arena, error, "its original section headers are no whole ones");
    if (omap != PDB_NO_STREAM && !read_omap(pdb, omap, arena))
        return refuse(arena, error, "its OMAP table is not in order");
    return true;
}

bool omap_lookup(const struct omap *omap, uint32_t from, uint32_t *to)
{
    size_t low = 0, high = omap->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (omap->entries[middle].from <= from)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || omap->entries[low - 1].to == 0)
        return false;
    *to = omap->entries[low - 1].to + (from - omap->entries[low - 1].from);
    return true;
}

bool pdb_rva(const struct pdb *pdb, uint16_t section, uint32_t offset, uint32_t *rva)
{
    struct span headers = pdb->symbol_section_headers;
    if (section == 0 ||
        !range_fits(headers.nbytes, (uint64_t)(section - 1u) * SECTION_HEADER_NBYTES, SECTION_HEADER_NBYTES))
        return false;
    uint32_t first_rva =
        load_u32(headers.bytes + (size_t)(section - 1u) * SECTION_HEADER_NBYTES + SECTION_VIRTUAL_ADDRESS);
    uint32_t source_rva = first_rva + offset;
    if (source_rva < first_rva)
        return false;
    if (pdb->from_source.count != 0)
        return omap_lookup(&pdb->from_source, source_rva, rva);
    *rva = source_rva;
    return true;
}

bool pdb_matches(const struct pdb *pdb, const struct codeview *codeview)
{
    return pdb_identity_is_equal(&pdb->identity, &codeview->identity);
}

static bool has_sections_of(const struct pdb *pdb, const struct image *image)
{
    if (pdb->section_headers.nbytes != (size_t)image->section_count * SECTION_HEADER_NBYTES)
        return false;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const uint8_t *header = pdb->section_headers.bytes + (size_t)i * SECTION_HEADER_NBYTES;
        if (load_u32(header + SECTION_VIRTUAL_ADDRESS) != image->sections[i].rva ||
            load_u32(header + SECTION_VIRTUAL_SIZE) != image->sections[i].virtual_size)
            return false;
    }
    return true;
}

const char *pdb_why_other(const struct pdb *pdb, const struct codeview *codeview, const struct image *image)
{
    if (!pdb_matches(pdb, codeview))
        return "It belongs to another image: GUID or age differ.";
    if (!has_sections_of(pdb, image))
        return "Its section headers are not those of the image.";
    return NULL;
}
