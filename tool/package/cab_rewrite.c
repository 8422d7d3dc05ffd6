/* cab_rewrite.c - cab_rewrite.h: what cab_parts.h finds, packed by cab_write.h.
 * Takes: a cabinet.  Gives: another.  Must not: rely on what packs it. */
#include "package/cab_rewrite.h"

#include "package/cab_write.h"

enum { PACKED_ELSEWHERE = 1 << CAB_QUANTUM | 1 << CAB_LZX };

const char *cab_rewrite_obstacle(struct span cabinet, bool drops_signature, struct arena *arena)
{
    struct cab_parts parts;
    const char *problem;
    if (!cab_parts_find(cabinet, arena, &parts, &problem))
        return problem ? arena_printf(arena, "the old cabinet %s", problem) : NULL;
    if (parts.is_one_of_many)
        return "the old cabinet is one of several that belong together";
    if (parts.is_signed && !drops_signature)
        return "the old cabinet has an Authenticode signature, which a new one would not have (with "
               "--drop-signature it is a cabinet without one)";
    if (parts.has_reserve)
        return "the old cabinet has reserved areas, which a new one would not have";
    if (parts.has_more)
        return "there are bytes behind the end of the old cabinet";
    if (parts.count == 0)
        return "the old cabinet is empty";
    for (size_t i = 0; i < parts.count; i++) {
        const char *objection = cab_writer_objects(&parts.files[i]);
        if (objection)
            return arena_printf(arena, "file %zu of the old cabinet %s", i + 1, objection);
    }
    struct cab_writer *writer = cab_writer_open(&problem);
    if (!writer)
        return problem;
    cab_writer_close(writer);
    return NULL;
}

const char *cab_rewrite_loss(struct span cabinet, struct arena *arena)
{
    struct cab_parts parts;
    const char *problem;
    if (!cab_parts_find(cabinet, arena, &parts, &problem))
        return NULL;
    bool is_packed_otherwise = (parts.packings & PACKED_ELSEWHERE) != 0;
    if (!is_packed_otherwise && !parts.is_signed)
        return NULL;
    return arena_printf(
        arena, "%s%s%s", parts.is_signed ? "the old cabinet's Authenticode signature is gone" : "",
        parts.is_signed && is_packed_otherwise ? "; " : "",
        !is_packed_otherwise            ? ""
        : parts.packings & 1 << CAB_LZX ? "it is packed with MSZIP, the old one with LZX"
                                        : "it is packed with MSZIP, the old one with Quantum");
}

static bool say(const char **problem, const char *words)
{
    *problem = words;
    return false;
}

/* The files that the new cabinet is to have. */
static bool gather(const struct cab_parts *parts, const struct parcel *parcel,
                   const struct parcel_change *changes, struct cab_member *members, size_t *count,
                   const char **problem)
{
    uint64_t nbytes = 0;
    *count = 0;
    for (size_t i = 0; i < parts->count; i++) {
        const struct parcel_entry *entry = &parcel->entries[i];
        if (entry->is_folder || entry->nbytes != parts->files[i].nbytes)
            return say(problem, "has a file that is not what its directory says");
        if (changes[i].fate == PARCEL_LEAVE_OUT)
            continue;
        struct cab_member *member = &members[(*count)++];
        member->file = parts->files[i];
        member->content = changes[i].fate == PARCEL_REPLACE ? changes[i].bytes : entry->bytes;
        nbytes += member->content.nbytes;
        if (nbytes > CAB_MOST_NBYTES)
            return say(problem, "would hold more than 2 GiB");
    }
    return true;
}

bool cab_rewrite(struct span cabinet, const struct parcel *parcel, const struct parcel_change *changes,
                 struct arena *arena, struct span *rewritten, const char **problem)
{
    struct cab_parts parts;
    size_t count;
    bool is_changed = false;
    if (!cab_parts_find(cabinet, arena, &parts, problem))
        return false;
    if (parts.count != parcel->count)
        return say(problem, "has another number of files in its directory than can be read");
    for (size_t i = 0; i < parcel->count; i++)
        is_changed = is_changed || changes[i].fate != PARCEL_KEEP;
    if (!is_changed) {
        *rewritten = cabinet;
        return true;
    }
    struct cab_member *members = arena_array(arena, parts.count, sizeof *members);
    if (!members || !gather(&parts, parcel, changes, members, &count, problem))
        return false;
    enum cab_packing packing = parts.packings & ~(1u << CAB_STORED) ? CAB_MSZIP : CAB_STORED;
    const char *why;
    struct cab_writer *writer = cab_writer_open(&why);
    bool is_written = writer && cab_write(writer, members, count, packing, arena, rewritten, &why);
    if (writer)
        cab_writer_close(writer);
    if (!is_written)
        *problem = why ? arena_printf(arena, "cannot be packed anew: %s", why) : NULL;
    return is_written;
}

static bool differs(struct arena *arena, struct finding *error, const char *words)
{
    *error =
        finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                     "The new cabinet is not what it has to be: it %s. It was not given its name.", words);
    error->cure = "Unpack the old cabinet, name the folder, and pack the new folder.";
    return false;
}

bool cab_is_rewritten_so(struct span cabinet, const struct parcel_change *changes, struct span rewritten,
                         struct arena *arena, struct finding *error)
{
    struct cab_parts old, new;
    const char *problem;
    if (!cab_parts_find(cabinet, arena, &old, &problem) || !cab_parts_find(rewritten, arena, &new, &problem))
        return differs(arena, error, problem ? problem : "cannot be read: memory ran out");
    size_t k = 0;
    for (size_t i = 0; i < old.count; i++) {
        if (changes[i].fate == PARCEL_LEAVE_OUT)
            continue;
        const struct cab_file *a = &old.files[i], *b = &new.files[k];
        if (k++ == new.count || strcmp(a->name, b->name) != 0 || a->date != b->date || a->time != b->time ||
            a->attributes != b->attributes)
            return differs(arena, error,
                           arena_printf(arena, "has not \"%s\" with its time and attributes", a->name));
    }
    return k == new.count || differs(arena, error, "has more files than it has to");
}
