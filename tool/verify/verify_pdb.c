/* verify_pdb.c - see verify_pdb.h: identities, streams, section headers. Source: LLVM, docs/PDB/DbiStream. */
#include "verify/verify_pdb.h"
#include "verify/verify_identity.h"
#include "verify/verify_pdb_parts.h"

enum {
    INFO_STREAM = 1,
    DBI_STREAM = 3,
    GUID_AT = 12,
    GUID_END = 28,
    DBI_AGE_AT = 8,
    DBI_SLOTS_NBYTES_AT = 48,
    DBI_HEAD_NBYTES = 64,
    SLOT_TO_OLD = 3,
    SLOT_FROM_OLD = 4,
    SLOT_HEADERS = 5,
    SLOT_OLD_HEADERS = 10,
    NO_STREAM = 0xFFFF
};

static bool say(struct verify_pdb_case *judged, const char *reason)
{
    judged->reason = reason;
    return false;
}

static bool judge_identity(struct verify_pdb_case *judged, const struct verify_msf *pdb, struct span file,
                           bool is_old)
{
    struct verify_image *image = is_old ? &judged->old_image : &judged->new_image;
    struct verify_record record;
    const char *why;
    uint64_t foff;
    uint8_t guid[VERIFY_GUID_NBYTES], age[4];
    if (!verify_image_read(file, judged->arena, image, &why, &foff) || !verify_record_find(image, &record))
        return say(judged, "An image does not name its PDB.");
    if (!verify_msf_copy(pdb, INFO_STREAM, GUID_AT, guid, sizeof guid) ||
        !verify_msf_copy(pdb, DBI_STREAM, DBI_AGE_AT, age, sizeof age) ||
        memcmp(guid, record.guid, sizeof guid) != 0 || load_u32(age) != record.age)
        return say(judged, is_old ? "The old PDB does not belong to the old image."
                                  : "The new PDB does not belong to the new image.");
    return true;
}

/* [at, end) of both streams is the same. */
static bool is_same(const struct verify_pdb_case *judged, uint32_t stream, uint32_t at, uint32_t end)
{
    while (at < end) {
        struct span old_part = verify_msf_part(&judged->old_pdb, stream, at);
        struct span new_part = verify_msf_part(&judged->new_pdb, stream, at);
        size_t nbytes = old_part.nbytes < new_part.nbytes ? old_part.nbytes : new_part.nbytes;
        nbytes = nbytes < end - at ? nbytes : end - at;
        if (nbytes == 0 || memcmp(old_part.bytes, new_part.bytes, nbytes) != 0)
            return false;
        at += (uint32_t)nbytes;
    }
    return true;
}

static bool judge_streams(struct verify_pdb_case *judged)
{
    const struct verify_msf *old_pdb = &judged->old_pdb, *new_pdb = &judged->new_pdb;
    if (new_pdb->block_nbytes != old_pdb->block_nbytes || new_pdb->stream_count != old_pdb->stream_count + 3)
        return say(judged, "The new PDB does not have the streams of the old one and three more.");
    for (uint32_t i = 1; i < old_pdb->stream_count; i++) {
        uint32_t nbytes = verify_msf_nbytes(old_pdb, i);
        if (i == INFO_STREAM || i == DBI_STREAM)
            continue;
        if (load_u32(old_pdb->sizes + 4 * (size_t)i) != load_u32(new_pdb->sizes + 4 * (size_t)i) ||
            !is_same(judged, i, 0, nbytes))
            return say(judged, arena_printf(judged->arena, "Stream %u of the PDB changed.", (unsigned)i));
    }
    uint32_t info_nbytes = verify_msf_nbytes(old_pdb, INFO_STREAM);
    if (verify_msf_nbytes(new_pdb, INFO_STREAM) != info_nbytes || !is_same(judged, INFO_STREAM, 0, GUID_AT) ||
        !is_same(judged, INFO_STREAM, GUID_END, info_nbytes))
        return say(judged, "The info stream of the PDB changed in more than the GUID.");
    return true;
}

/* The number in a slot of the debug streams, which end the DBI stream. */
static uint32_t slot_of(const struct verify_msf *pdb, uint32_t slots_nbytes, uint32_t slot)
{
    uint8_t number[2];
    uint32_t first = verify_msf_nbytes(pdb, DBI_STREAM) - slots_nbytes;
    return 2 * slot + 2 <= slots_nbytes && verify_msf_copy(pdb, DBI_STREAM, first + 2 * slot, number, 2)
               ? load_u16(number)
               : (uint32_t)NO_STREAM;
}

static bool judge_dbi(struct verify_pdb_case *judged)
{
    const struct verify_msf *old_pdb = &judged->old_pdb, *new_pdb = &judged->new_pdb;
    uint32_t old_nbytes = verify_msf_nbytes(old_pdb, DBI_STREAM),
             new_nbytes = verify_msf_nbytes(new_pdb, DBI_STREAM);
    uint8_t sizes[2][4];
    if (!verify_msf_copy(old_pdb, DBI_STREAM, DBI_SLOTS_NBYTES_AT, sizes[0], 4) ||
        !verify_msf_copy(new_pdb, DBI_STREAM, DBI_SLOTS_NBYTES_AT, sizes[1], 4))
        return say(judged, "The DBI stream of a PDB is too short.");
    uint32_t old_slots = load_u32(sizes[0]), new_slots = load_u32(sizes[1]);
    if (old_nbytes < DBI_HEAD_NBYTES || new_nbytes < DBI_HEAD_NBYTES ||
        old_slots > old_nbytes - DBI_HEAD_NBYTES || new_slots > new_nbytes - DBI_HEAD_NBYTES ||
        old_nbytes - old_slots != new_nbytes - new_slots ||
        !is_same(judged, DBI_STREAM, 0, DBI_SLOTS_NBYTES_AT) ||
        !is_same(judged, DBI_STREAM, DBI_SLOTS_NBYTES_AT + 4, old_nbytes - old_slots))
        return say(judged, "The DBI stream of the PDB changed in more than its debug streams.");
    uint32_t most = (old_slots > new_slots ? old_slots : new_slots) / 2;
    for (uint32_t slot = 0; slot < most; slot++)
        if (slot != SLOT_TO_OLD && slot != SLOT_FROM_OLD && slot != SLOT_HEADERS &&
            slot != SLOT_OLD_HEADERS &&
            slot_of(old_pdb, old_slots, slot) != slot_of(new_pdb, new_slots, slot))
            return say(judged, "A debug stream of the PDB that is none of a layout changed.");
    judged->to_old = slot_of(new_pdb, new_slots, SLOT_TO_OLD);
    judged->from_old = slot_of(new_pdb, new_slots, SLOT_FROM_OLD);
    judged->headers = slot_of(new_pdb, new_slots, SLOT_HEADERS);
    if (slot_of(old_pdb, old_slots, SLOT_OLD_HEADERS) != NO_STREAM ||
        slot_of(old_pdb, old_slots, SLOT_TO_OLD) != NO_STREAM ||
        slot_of(old_pdb, old_slots, SLOT_FROM_OLD) != NO_STREAM ||
        slot_of(new_pdb, new_slots, SLOT_OLD_HEADERS) != slot_of(old_pdb, old_slots, SLOT_HEADERS))
        return say(judged,
                   "The original section headers of the new PDB are not the old PDB's section headers.");
    return true;
}

/* A stream holds the section table of the image as it is in the file. `whole`: every byte, not only the
 * places. */
static bool has_table(const struct verify_pdb_case *judged, const struct verify_msf *pdb, uint32_t stream,
                      const struct verify_image *image, bool whole)
{
    uint8_t header[SECTION_HEADER_NBYTES];
    if (verify_msf_nbytes(pdb, stream) != (uint64_t)image->section_count * SECTION_HEADER_NBYTES)
        return false;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const uint8_t *own = image->file.bytes + image->sections[i].header_foff;
        if (!verify_msf_copy(pdb, stream, i * SECTION_HEADER_NBYTES, header, SECTION_HEADER_NBYTES) ||
            (whole ? memcmp(header, own, SECTION_HEADER_NBYTES) != 0
                   : memcmp(header + SECTION_VIRTUAL_SIZE, own + SECTION_VIRTUAL_SIZE, 8) != 0))
            return false;
    }
    (void)judged;
    return true;
}

bool verify_pdb(const struct verify_pdb_pair *pair, struct arena *arena, const char **reason)
{
    struct verify_pdb_case judged = {.arena = arena, .verdict = pair->verdict};
    const char *why = NULL;
    bool holds = false;
    *reason = NULL;
    if (!verify_msf_read(pair->old_pdb, arena, &judged.old_pdb, &why) ||
        !verify_msf_read(pair->new_pdb, arena, &judged.new_pdb, &why)) {
        if (why)
            judged.reason = arena_printf(arena, "A PDB %s.", why);
    } else if (judge_identity(&judged, &judged.old_pdb, pair->old_image, true) &&
               judge_identity(&judged, &judged.new_pdb, pair->new_image, false) && judge_streams(&judged) &&
               judge_dbi(&judged)) {
        if (!has_table(&judged, &judged.new_pdb, judged.headers, &judged.new_image, true))
            (void)say(&judged, "The section headers of the new PDB are not those of the new image.");
        else if (!verify_msf_map_is_right(&judged.new_pdb))
            (void)say(&judged, "The free block map of the new PDB is wrong.");
        else
            holds = verify_pdb_maps(&judged);
    }
    *reason = judged.reason;
    return holds;
}
