/* cab_write_posix.c - cab_write.h by libgcab.
 * Takes: members.  Gives: what libgcab makes of them.  Must not: need libgcab or GLib to be there.
 * The functions are declared here as the documentation of libgcab 1.4 and GLib 2 has them; their objects are
 * only handed from one to the other. */
#include "package/cab_write.h"

#include <dlfcn.h>
#include <stdlib.h>

#define LIBRARY "libgcab-1.0.so.0"

typedef int gcab_bool;
struct gcab_object;

struct cab_writer {
    void *library;
    struct gcab_object *(*cabinet_new)(void);
    gcab_bool (*cabinet_add_folder)(struct gcab_object *, struct gcab_object *folder, void **error);
    gcab_bool (*cabinet_write)(struct gcab_object *, struct gcab_object *stream, void *on_file, void *context,
                               void *cancellable, void **error);
    struct gcab_object *(*folder_new)(int packing);
    gcab_bool (*folder_add_file)(struct gcab_object *, struct gcab_object *file, gcab_bool recurse,
                                 void *cancellable, void **error);
    struct gcab_object *(*file_new)(const char *name, struct gcab_object *bytes);
    void (*file_set_attributes)(struct gcab_object *, uint32_t attributes);
    void (*file_set_time)(struct gcab_object *, struct gcab_object *time);
    struct gcab_object *(*stream_new)(void);
    const void *(*stream_bytes)(struct gcab_object *);
    size_t (*stream_nbytes)(struct gcab_object *);
    struct gcab_object *(*bytes_new)(const void *bytes, size_t nbytes);
    void (*bytes_unref)(struct gcab_object *);
    struct gcab_object *(*time_new)(int year, int month, int day, int hour, int minute, double second);
    void (*time_unref)(struct gcab_object *);
    void (*unref)(struct gcab_object *);
};

static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

/* GLib's own functions are found through libgcab, which needs them. */
static bool find_all(struct cab_writer *writer)
{
    const struct {
        const char *name;
        void *function;
    } wanted[] = {
        {"gcab_cabinet_new", &writer->cabinet_new},
        {"gcab_cabinet_add_folder", &writer->cabinet_add_folder},
        {"gcab_cabinet_write_simple", &writer->cabinet_write},
        {"gcab_folder_new", &writer->folder_new},
        {"gcab_folder_add_file", &writer->folder_add_file},
        {"gcab_file_new_with_bytes", &writer->file_new},
        {"gcab_file_set_attributes", &writer->file_set_attributes},
        {"gcab_file_set_date_time", &writer->file_set_time},
        {"g_memory_output_stream_new_resizable", &writer->stream_new},
        {"g_memory_output_stream_get_data", &writer->stream_bytes},
        {"g_memory_output_stream_get_data_size", &writer->stream_nbytes},
        {"g_bytes_new_static", &writer->bytes_new},
        {"g_bytes_unref", &writer->bytes_unref},
        {"g_date_time_new_utc", &writer->time_new},
        {"g_date_time_unref", &writer->time_unref},
        {"g_object_unref", &writer->unref},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (!find(writer->library, wanted[i].name, wanted[i].function))
            return false;
    return true;
}

struct cab_writer *cab_writer_open(const char **absent)
{
    struct cab_writer *writer = calloc(1, sizeof *writer);
    *absent = "there was not enough memory for " LIBRARY;
    if (!writer)
        return NULL;
    *absent = LIBRARY ", which packs cabinets, cannot be loaded (Debian has it in libgcab-1.0-0)";
    /* GLib cannot be unloaded. */
    writer->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!writer->library) {
        free(writer);
        return NULL;
    }
    *absent = LIBRARY ", which packs cabinets, is older than 1.4";
    if (find_all(writer))
        return writer;
    cab_writer_close(writer);
    return NULL;
}

void cab_writer_close(struct cab_writer *writer)
{
    (void)dlclose(writer->library);
    free(writer);
}

static bool is_ascii(const char *name)
{
    while (*name && (unsigned char)*name < 0x80)
        name++;
    return *name == 0;
}

/* A DOS date, which libgcab takes as one of the calendar; 0 is none. */
static bool is_date(uint16_t date, uint16_t time)
{
    static const uint8_t day_counts[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year = 1980u + (date >> 9), month = (date >> 5) & 15, day = date & 31;
    if (month < 1 || month > 12)
        return false;
    bool is_leap = year % 4 == 0 && year != 2100;
    unsigned day_count = day_counts[month - 1] + (month == 2 && is_leap ? 1u : 0u);
    return day >= 1 && day <= day_count && time >> 11 < 24 && ((time >> 5) & 63) < 60 && (time & 31) < 30;
}

const char *cab_writer_objects(const struct cab_file *file)
{
    if (strchr(file->name, '/'))
        return "has \"/\" in its name, for which libgcab writes another character";
    if (!is_ascii(file->name) && !(file->attributes & CAB_NAME_IS_UTF8))
        return "has a name in the code page of one system, for which libgcab writes UTF-8";
    if ((file->date != 0 || file->time != 0) && !is_date(file->date, file->time))
        return "has a time that is none";
    return NULL;
}

/* Adds a file to the folder, which keeps what it needs of it. */
static bool add(const struct cab_writer *writer, struct gcab_object *folder, const struct cab_member *member)
{
    const struct cab_file *file = &member->file;
    struct gcab_object *bytes = writer->bytes_new(member->content.bytes, member->content.nbytes);
    struct gcab_object *added = bytes ? writer->file_new(file->name, bytes) : NULL;
    bool is_added = false;
    if (added) {
        struct gcab_object *time =
            file->date == 0 && file->time == 0
                ? NULL
                : writer->time_new(1980 + (file->date >> 9), (file->date >> 5) & 15, file->date & 31,
                                   file->time >> 11, (file->time >> 5) & 63, (file->time & 31) * 2.0);
        writer->file_set_attributes(added, file->attributes);
        if (time) {
            writer->file_set_time(added, time);
            writer->time_unref(time);
        }
        is_added = writer->folder_add_file(folder, added, false, NULL, NULL);
        writer->unref(added);
    }
    if (bytes)
        writer->bytes_unref(bytes);
    return is_added;
}

bool cab_write(struct cab_writer *writer, const struct cab_member *members, size_t count,
               enum cab_packing packing, struct arena *arena, struct span *cabinet, const char **problem)
{
    struct gcab_object *folder = writer->folder_new((int)packing), *whole = writer->cabinet_new(),
                       *stream = writer->stream_new();
    bool is_written = folder && whole && stream;
    *problem = "libgcab does not pack it";
    for (size_t i = 0; is_written && i < count; i++)
        is_written = add(writer, folder, &members[i]);
    is_written = is_written && writer->cabinet_add_folder(whole, folder, NULL) &&
                 writer->cabinet_write(whole, stream, NULL, NULL, NULL, NULL);
    if (is_written) {
        size_t nbytes = writer->stream_nbytes(stream);
        uint8_t *bytes = arena_alloc_unset(arena, nbytes + 1);
        is_written = bytes != NULL;
        if (bytes && nbytes != 0)
            memcpy(bytes, writer->stream_bytes(stream), nbytes);
        *cabinet = (struct span){bytes, nbytes};
        *problem = NULL;
    }
    if (stream)
        writer->unref(stream);
    if (whole)
        writer->unref(whole);
    if (folder)
        writer->unref(folder);
    return is_written;
}
