/* package_member.c - the files of an archive, one after the other.
 * Takes: the innermost archive.  Gives: what each of its files is, or why it cannot be read.
 * Must not: believe what an archive says of sizes; keep what is not looked at. */
#include "package/package_parts.h"

#include "base/path_name.h"

/* So much memory is asked for because an archive says so; more only for what has come. */
enum { STATED_MOST_NBYTES = 4 * 1024 * 1024 };

enum content {
    CONTENT_WHOLE,
    CONTENT_SKIPPED,
    CONTENT_BAD,
    CONTENT_BROKEN,
    CONTENT_TOO_LARGE,
    CONTENT_TOO_MUCH,
    CONTENT_NO_MEMORY
};

static bool is_wanted(const char *name, struct span begin)
{
    return piece_is_image(begin) || archive_is_known(begin) || path_is_image_name(name);
}

/* The content of the member that is next, when it is one that is looked at. */
static enum content read_content(struct package *package, struct archive_reader *reader,
                                 const struct archive_file *file, struct arena *arena, struct span *content)
{
    uint64_t stated_nbytes = file->nbytes;
    uint8_t *bytes = NULL;
    size_t nbytes = 0, capacity = 0;
    bool is_skipped = false;
    for (;;) {
        struct span block;
        enum archive_result result = archive_block(reader, &block);
        if (result == ARCHIVE_ENDED)
            break;
        if (result == ARCHIVE_NO_MEMORY)
            return CONTENT_NO_MEMORY;
        if (result != ARCHIVE_GAVE)
            return result == ARCHIVE_BROKEN ? CONTENT_BROKEN : is_skipped ? CONTENT_SKIPPED : CONTENT_BAD;
        if (!package_charge(package, block.nbytes))
            return CONTENT_TOO_MUCH;
        /* Eight bytes tell an archive. */
        if (nbytes == 0 && block.nbytes >= 8 && !is_wanted(file->name, block))
            is_skipped = true;
        if (is_skipped && !archive_unpacks_to_skip(reader))
            return CONTENT_SKIPPED;
        if (is_skipped || block.nbytes == 0)
            continue;
        if (block.nbytes > PACKAGE_MEMBER_NBYTES - nbytes)
            return CONTENT_TOO_LARGE;
        size_t wanted_nbytes = nbytes + block.nbytes;
        if (!bytes && stated_nbytes > wanted_nbytes) /* so that growing copies nothing */
            wanted_nbytes = stated_nbytes < STATED_MOST_NBYTES ? (size_t)stated_nbytes : STATED_MOST_NBYTES;
        uint8_t *grown = arena_grow(arena, bytes, nbytes, &capacity, wanted_nbytes, 1);
        if (!grown)
            return CONTENT_NO_MEMORY;
        bytes = grown;
        memcpy(bytes + nbytes, block.bytes, block.nbytes);
        nbytes += block.nbytes;
    }
    *content = (struct span){bytes, nbytes};
    return is_skipped || !is_wanted(file->name, *content) ? CONTENT_SKIPPED : CONTENT_WHOLE;
}

static enum package_step end_damaged(struct package *package, struct arena *arena, struct package_item *item,
                                     const char *path)
{
    struct package_frame *frame = &package->frames[package->depth - 1];
    struct finding problem =
        package_damaged(arena, "This package cannot be read on from here, and what follows was not judged",
                        archive_trouble(frame->reader, arena));
    package_pop(package);
    return package_problem_at(item, path, problem);
}

enum package_step package_next_member(struct package *package, struct arena *arena, struct package_item *item)
{
    struct package_frame *frame = &package->frames[package->depth - 1];
    struct archive_file file;
    const char *path;
    enum archive_result result = archive_next(frame->reader, arena, &file);
    if (result == ARCHIVE_ENDED) {
        bool lacks_directory = archive_lacks_directory(frame->reader);
        path = arena_printf(arena, "%s", frame->path);
        package_pop(package);
        if (!lacks_directory)
            return PACKAGE_GOES_ON;
        return package_problem_at(item, path,
                                  package_damaged(arena, "This archive is not whole",
                                                  "the directory at its end is missing or damaged"));
    }
    if (result == ARCHIVE_NO_MEMORY)
        return PACKAGE_NO_MEMORY;
    if (result != ARCHIVE_GAVE)
        return end_damaged(package, arena, item, arena_printf(arena, "%s", frame->path));
    path = arena_printf(arena, "%s!%s", frame->path, file.name);
    if (package->members_left-- == 0)
        return package_end_at(
            package, item, path,
            package_limit(arena, "There are more files in this package than are looked at; this one and what "
                                 "follows was not judged."));
    if (file.is_link && path_is_image_name(file.name))
        return package_problem_at(
            item, path,
            package_damaged(arena, "This image cannot be read", "it is a link, and links are not followed"));
    if (!file.is_file)
        return PACKAGE_GOES_ON;
    if (file.is_encrypted) {
        struct finding problem = finding_make(arena, HVCI9051_PACKAGE_ENCRYPTED, LEVEL_ERROR,
                                              "This file is encrypted, so it was not judged.");
        problem.cure = "Unpack it and name the folder, or name the package from before it was encrypted.";
        return package_problem_at(item, path, problem);
    }
    struct span content;
    switch (read_content(package, frame->reader, &file, arena, &content)) {
    case CONTENT_SKIPPED:
        return PACKAGE_GOES_ON;
    case CONTENT_NO_MEMORY:
        return PACKAGE_NO_MEMORY;
    case CONTENT_TOO_MUCH:
        return package_too_much(package, arena, item, path);
    case CONTENT_TOO_LARGE:
        return package_problem_at(
            item, path, package_limit(arena, "This file has more than 512 MiB, so it was not judged."));
    case CONTENT_BROKEN:
        return end_damaged(package, arena, item, path);
    case CONTENT_BAD:
        return package_problem_at(
            item, path,
            package_damaged(arena, "This file cannot be read", archive_trouble(frame->reader, arena)));
    case CONTENT_WHOLE:
        break;
    }
    static const char odd_name[] =
        "The name of this file is not valid, or leads out of the package: programs that "
        "unpack it refuse it, or write elsewhere.";
    return package_take(package, arena, path, content, true, file.has_odd_name ? odd_name : NULL, item);
}
