/* parcel.c - parcel.h: folders by io/folder.h, archives by archive.h, what is carried by package.h.
 * Takes: packages.  Gives: their files.  Must not: keep more than PARCEL_MOST_NBYTES of an archive. */
#include "package/parcel.h"

#include "io/file.h"
#include "package/archive.h"
#include "package/package.h"

static struct finding cannot(struct arena *arena, enum finding_code code, const char *path, const char *why)
{
    struct finding error =
        finding_make(arena, code, LEVEL_ERROR, "\"%s\" %s, so no new package is made.", path, why);
    error.cure = "Unpack it with the tool that made it, look at what came out, and name the folder.";
    return error;
}

static struct finding no_memory(struct arena *arena)
{
    struct finding error = finding_make(arena, HVCI9008_OUT_OF_MEMORY, LEVEL_ERROR,
                                        "There was not enough memory for this package.");
    error.cure = "Unpack it and name the folder: its files are read one after the other.";
    return error;
}

static bool add(struct parcel *parcel, struct arena *arena, const struct parcel_entry *entry)
{
    struct parcel_entry *entries = arena_grow(arena, parcel->entries, parcel->count, &parcel->capacity,
                                              parcel->count + 1, sizeof *entries);
    if (!entries)
        return false;
    parcel->entries = entries;
    entries[parcel->count++] = *entry;
    return true;
}

enum parcel_kind parcel_kind_of(struct span archive)
{
    return archive.nbytes != 0 && archive.bytes[0] == 'P' ? PARCEL_ZIP : PARCEL_CAB;
}

bool parcel_read_folder(const char *path, struct arena *arena, struct parcel *parcel, struct finding *error)
{
    struct folder_list list;
    *parcel = (struct parcel){.kind = PARCEL_FOLDER, .path = path};
    if (!folder_walk(path, arena, &list, error))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        const struct folder_entry *found = &list.items[i];
        if (found->kind == FOLDER_LINK || found->kind == FOLDER_OTHER) {
            *error = cannot(arena, HVCI9050_PACKAGE_DAMAGED, found->path,
                            found->kind == FOLDER_LINK ? "is a link" : "is neither a file nor a folder");
            error->cure =
                "Take it away, or copy the folder so that links become files (cp -rL), and name the copy.";
            return false;
        }
        struct parcel_entry entry = {.name = found->name,
                                     .path = found->path,
                                     .is_folder = found->kind == FOLDER_FOLDER,
                                     .look = found->look,
                                     .nbytes = found->nbytes};
        if (!add(parcel, arena, &entry)) {
            *error = no_memory(arena);
            return false;
        }
    }
    return true;
}

/* The whole content of the member that is next. NULL in *why when memory ran out. */
static bool read_member(struct archive_reader *reader, uint64_t *nbytes_left, struct arena *arena,
                        struct span *content, const char **why)
{
    struct archive_content read = {.bytes = NULL};
    for (;;) {
        struct span block;
        enum archive_result result = archive_block(reader, &block);
        *why = NULL;
        if (result == ARCHIVE_ENDED)
            break;
        if (result == ARCHIVE_NO_MEMORY)
            return false;
        if (result != ARCHIVE_GAVE) {
            *why = arena_printf(arena, "cannot be read (%s)", archive_trouble(reader, arena));
            return false;
        }
        if (block.nbytes > *nbytes_left) {
            *why = "makes this package larger than 1 GiB";
            return false;
        }
        *nbytes_left -= block.nbytes;
        if (!archive_content_add(&read, block, arena))
            return false;
    }
    *content = (struct span){read.bytes, read.nbytes};
    return true;
}

static bool read_members(struct archive_reader *reader, struct arena *arena, struct parcel *parcel,
                         struct finding *error)
{
    uint64_t nbytes_left = PARCEL_MOST_NBYTES;
    for (;;) {
        struct archive_file file;
        enum archive_result result = archive_next(reader, arena, &file);
        if (result == ARCHIVE_ENDED && !archive_lacks_directory(reader))
            return true;
        if (result != ARCHIVE_GAVE) {
            *error = result == ARCHIVE_NO_MEMORY ? no_memory(arena)
                     : result == ARCHIVE_ENDED
                         ? cannot(arena, HVCI9050_PACKAGE_DAMAGED, parcel->path, "has lost its directory")
                         : cannot(arena, HVCI9050_PACKAGE_DAMAGED, parcel->path,
                                  arena_printf(arena, "cannot be read (%s)", archive_trouble(reader, arena)));
            return false;
        }
        struct parcel_entry entry = {.name = file.name,
                                     .path = arena_printf(arena, "%s!%s", parcel->path, file.name),
                                     .is_folder = !file.is_file,
                                     .look = {.written_s = file.written_s, .mode = file.mode}};
        const char *why = file.is_link                            ? "is a link"
                          : file.is_encrypted                     ? "is encrypted"
                          : parcel->count == PACKAGE_MOST_MEMBERS ? "is one file more than 100,000"
                                                                  : NULL;
        enum finding_code code = file.is_encrypted ? HVCI9051_PACKAGE_ENCRYPTED
                                 : file.is_link    ? HVCI9050_PACKAGE_DAMAGED
                                                   : HVCI9052_PACKAGE_LIMIT;
        if (!why && file.is_file && !read_member(reader, &nbytes_left, arena, &entry.bytes, &why) && !why) {
            *error = no_memory(arena);
            return false;
        }
        if (why) {
            if (why[0] == 'c')
                code = HVCI9050_PACKAGE_DAMAGED;
            *error = cannot(arena, code, entry.path, why);
            return false;
        }
        entry.nbytes = entry.bytes.nbytes;
        if (!add(parcel, arena, &entry)) {
            *error = no_memory(arena);
            return false;
        }
    }
}

bool parcel_read_archive(const char *path, struct span archive, struct arena *arena, struct parcel *parcel,
                         struct finding *error)
{
    *parcel = (struct parcel){.kind = parcel_kind_of(archive), .path = path};
    struct archive_reader *reader = archive_open(archive);
    if (!reader) {
        *error = no_memory(arena);
        return false;
    }
    bool done = read_members(reader, arena, parcel, error);
    archive_close(reader);
    return done && parcel_names_are_safe(parcel, arena, error);
}

/* "setup.exe!rsrc/102!x.sys" is "rsrc/102!/x.sys" below `path`. */
static const char *carried_name(const char *path, const char *item_path, struct arena *arena)
{
    const char *name = item_path + strlen(path);
    char *copy = arena_alloc(arena, 2 * strlen(name) + 1), *to = copy;
    for (name += *name == '!'; copy && *name; name++) {
        *to++ = *name == '\\' ? '/' : *name;
        if (*name == '!')
            *to++ = '/';
    }
    return copy;
}

bool parcel_read_carried(const char *path, struct span file, const struct image *image, struct arena *arena,
                         struct parcel *parcel, struct finding *error)
{
    struct package *package = NULL;
    uint64_t nbytes_left = PARCEL_MOST_NBYTES;
    *parcel = (struct parcel){.kind = PARCEL_CARRIED, .path = path};
    bool is_opened = image ? package_open_image(path, image, &package)
                           : (package = package_open_archive(path, file)) != NULL;
    bool done = is_opened;
    while (done && package) {
        struct package_item item;
        enum package_step step = package_next(package, arena, &item);
        if (step == PACKAGE_END)
            break;
        done = step != PACKAGE_NO_MEMORY;
        if (!done)
            break;
        if (step == PACKAGE_PROBLEM || item.bytes.nbytes > nbytes_left) {
            *error = step == PACKAGE_PROBLEM ? item.problem
                                             : cannot(arena, HVCI9052_PACKAGE_LIMIT, item.path,
                                                      "makes this package larger than 1 GiB");
            package_close(package);
            return false;
        }
        nbytes_left -= item.bytes.nbytes;
        struct parcel_entry entry = {.name = carried_name(path, item.path, arena),
                                     .path = item.path,
                                     .look = {.written_s = FOLDER_TIME_NOW},
                                     .bytes = item.bytes,
                                     .nbytes = item.bytes.nbytes};
        done = entry.name && add(parcel, arena, &entry);
    }
    if (package)
        package_close(package);
    if (!done)
        *error = no_memory(arena);
    return done && parcel_names_are_safe(parcel, arena, error);
}

bool parcel_file(const struct parcel *parcel, size_t number, struct arena *arena, struct span *bytes,
                 struct finding *error)
{
    struct file_content content;
    *bytes = parcel->entries[number].bytes;
    if (parcel->kind != PARCEL_FOLDER)
        return true;
    if (!file_read(parcel->entries[number].path, arena, &content, error))
        return false;
    *bytes = content.bytes;
    return true;
}
