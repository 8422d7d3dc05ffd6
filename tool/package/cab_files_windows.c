/* cab_files_windows.c - cab_files_windows.h.
 * Takes: what FCI asks.  Gives: what an open file gives.  Must not: touch a disk. */
#include "package/cab_files_windows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 65536, FAILED = -1 };

struct memory_file {
    struct memory_file *next;
    char name[FCI_NAME_NBYTES];
    uint8_t *bytes;
    size_t nbytes, capacity;
};

/* What open() gives: a file, or a content that is only read. */
struct opened {
    struct memory_file *file;
    struct span content;
    size_t at;
};

void *DIAMONDAPI fci_alloc(ULONG nbytes)
{
    return malloc(nbytes);
}

void DIAMONDAPI fci_free(void *memory)
{
    free(memory);
}

static struct memory_file *find(const struct fci_files *files, const char *name)
{
    struct memory_file *file = files->first;
    while (file && strcmp(file->name, name) != 0)
        file = file->next;
    return file;
}

static INT_PTR give_opened(struct memory_file *file, struct span content, int *error)
{
    struct opened *opened = calloc(1, sizeof *opened);
    *error = opened ? 0 : ERROR_NOT_ENOUGH_MEMORY;
    if (!opened)
        return FAILED;
    opened->file = file;
    opened->content = content;
    return (INT_PTR)opened;
}

INT_PTR fci_open_content(struct span content, int *error)
{
    return give_opened(NULL, content, error);
}

INT_PTR DIAMONDAPI fci_open(char *name, int flags, int mode, int *error, void *context)
{
    struct fci_files *files = context;
    struct memory_file *file = find(files, name);
    (void)mode;
    if (!file && (flags & _O_CREAT) && strlen(name) < FCI_NAME_NBYTES) {
        file = calloc(1, sizeof *file);
        if (file) {
            strcpy(file->name, name);
            file->next = files->first;
            files->first = file;
        }
    }
    if (file && (flags & _O_TRUNC))
        file->nbytes = 0;
    *error = ERROR_NOT_ENOUGH_MEMORY;
    return file ? give_opened(file, (struct span){0}, error) : FAILED;
}

static struct span content_of(const struct opened *opened)
{
    return opened->file ? (struct span){opened->file->bytes, opened->file->nbytes} : opened->content;
}

UINT DIAMONDAPI fci_read(INT_PTR handle, void *memory, UINT nbytes, int *error, void *context)
{
    struct opened *opened = (struct opened *)handle;
    struct span whole = content_of(opened);
    size_t there = opened->at < whole.nbytes ? whole.nbytes - opened->at : 0;
    (void)error, (void)context;
    UINT given = there < nbytes ? (UINT)there : nbytes;
    if (given != 0)
        memcpy(memory, whole.bytes + opened->at, given);
    opened->at += given;
    return given;
}

UINT DIAMONDAPI fci_write(INT_PTR handle, void *memory, UINT nbytes, int *error, void *context)
{
    struct opened *opened = (struct opened *)handle;
    struct memory_file *file = opened->file;
    size_t end = opened->at + nbytes;
    (void)context;
    if (!file) { /* a content is only read */
        *error = ERROR_ACCESS_DENIED;
        return (UINT)FAILED;
    }
    if (end > file->capacity) {
        size_t capacity = file->capacity == 0 ? FIRST_CAPACITY : file->capacity;
        while (capacity < end)
            capacity *= 2;
        uint8_t *grown = realloc(file->bytes, capacity);
        if (!grown) {
            *error = ERROR_NOT_ENOUGH_MEMORY;
            return (UINT)FAILED;
        }
        file->bytes = grown;
        file->capacity = capacity;
    }
    if (opened->at > file->nbytes)
        memset(file->bytes + file->nbytes, 0, opened->at - file->nbytes);
    if (nbytes != 0)
        memcpy(file->bytes + opened->at, memory, nbytes);
    opened->at = end;
    if (end > file->nbytes)
        file->nbytes = end;
    return nbytes;
}

int DIAMONDAPI fci_close(INT_PTR handle, int *error, void *context)
{
    (void)error, (void)context;
    free((struct opened *)handle);
    return 0;
}

LONG DIAMONDAPI fci_seek(INT_PTR handle, LONG distance, int from, int *error, void *context)
{
    struct opened *opened = (struct opened *)handle;
    int64_t base = from == SEEK_SET   ? 0
                   : from == SEEK_CUR ? (int64_t)opened->at
                                      : (int64_t)content_of(opened).nbytes;
    int64_t at = base + distance;
    (void)context;
    if (at < 0 || at > LONG_MAX) {
        *error = ERROR_NEGATIVE_SEEK;
        return FAILED;
    }
    opened->at = (size_t)at;
    return (LONG)at;
}

int DIAMONDAPI fci_delete(char *name, int *error, void *context)
{
    struct fci_files *files = context;
    (void)error;
    for (struct memory_file **at = &files->first; *at; at = &(*at)->next) {
        struct memory_file *file = *at;
        if (strcmp(file->name, name) != 0)
            continue;
        *at = file->next;
        free(file->bytes);
        free(file);
        return 0;
    }
    return FAILED;
}

WINBOOL DIAMONDAPI fci_name_temporary(char *name, int name_nbytes, void *context)
{
    struct fci_files *files = context;
    int length = snprintf(name, (size_t)name_nbytes, "%u", files->name_count++);
    return length > 0 && length < name_nbytes && length < FCI_NAME_NBYTES;
}

struct span fci_written(const struct fci_files *files, const char *name)
{
    const struct memory_file *file = find(files, name);
    return file ? (struct span){file->bytes, file->nbytes} : (struct span){0};
}

void fci_forget(struct fci_files *files)
{
    int error;
    while (files->first)
        (void)fci_delete(files->first->name, &error, files);
}
