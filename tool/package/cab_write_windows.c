/* cab_write_windows.c - cab_write.h by FCI, the part of Windows' cabinet.dll that packs cabinets.
 * Takes: members.  Gives: what FCI makes of them.  Must not: let FCI open a file: the cabinet, and what it
 * writes down on the way, are files in memory; load a cabinet.dll that is not the system's.
 * Source: "FCI and FDI" of the Microsoft Cabinet SDK. */
#include "package/cab_files_windows.h"
#include "package/cab_write.h"

#include <stdio.h>
#include <stdlib.h>

typedef HFCI DIAMONDAPI create_fn(PERF, PFNFCIFILEPLACED, PFNFCIALLOC, PFNFCIFREE, PFNFCIOPEN, PFNFCIREAD,
                                  PFNFCIWRITE, PFNFCICLOSE, PFNFCISEEK, PFNFCIDELETE, PFNFCIGETTEMPFILE,
                                  PCCAB, void *);
typedef WINBOOL DIAMONDAPI add_fn(HFCI, char *, char *, WINBOOL, PFNFCIGETNEXTCABINET, PFNFCISTATUS,
                                  PFNFCIGETOPENINFO, TCOMP);
typedef WINBOOL DIAMONDAPI flush_fn(HFCI, WINBOOL, PFNFCIGETNEXTCABINET, PFNFCISTATUS);
typedef WINBOOL DIAMONDAPI destroy_fn(HFCI);

struct cab_writer {
    HMODULE library;
    create_fn *create;
    add_fn *add_file;
    flush_fn *flush;
    destroy_fn *destroy;
};

static const char cabinet_name[] = "cabinet";

/* What all callbacks share. */
struct packing {
    struct fci_files files; /* first: it is all that the callbacks for files know */
    const struct cab_member *members;
    size_t count;
};

struct cab_writer *cab_writer_open(const char **absent)
{
    static const wchar_t name[] = L"\\cabinet.dll";
    wchar_t path[MAX_PATH + sizeof name / sizeof name[0]];
    struct cab_writer *writer = calloc(1, sizeof *writer);
    UINT length = GetSystemDirectoryW(path, MAX_PATH);
    *absent = "there was not enough memory for cabinet.dll";
    if (!writer)
        return NULL;
    *absent = "Windows' cabinet.dll, which packs cabinets, cannot be loaded";
    if (length != 0 && length < MAX_PATH) {
        memcpy(path + length, name, sizeof name);
        writer->library = LoadLibraryW(path);
    }
    if (!writer->library) {
        free(writer);
        return NULL;
    }
    writer->create = (create_fn *)(void (*)(void))GetProcAddress(writer->library, "FCICreate");
    writer->add_file = (add_fn *)(void (*)(void))GetProcAddress(writer->library, "FCIAddFile");
    writer->flush = (flush_fn *)(void (*)(void))GetProcAddress(writer->library, "FCIFlushCabinet");
    writer->destroy = (destroy_fn *)(void (*)(void))GetProcAddress(writer->library, "FCIDestroy");
    if (writer->create && writer->add_file && writer->flush && writer->destroy)
        return writer;
    cab_writer_close(writer);
    return NULL;
}

void cab_writer_close(struct cab_writer *writer)
{
    FreeLibrary(writer->library);
    free(writer);
}

const char *cab_writer_objects(const struct cab_file *file)
{
    return strlen(file->name) >= CB_MAX_FILENAME ? "has a name longer than Windows packs" : NULL;
}

static int DIAMONDAPI fci_placed(PCCAB cab, char *name, LONG nbytes, WINBOOL is_continued, void *context)
{
    (void)cab, (void)name, (void)nbytes, (void)is_continued, (void)context;
    return 0;
}

/* All goes into one cabinet. */
static WINBOOL DIAMONDAPI fci_next_cabinet(PCCAB cab, ULONG nbytes, void *context)
{
    (void)cab, (void)nbytes, (void)context;
    return FALSE;
}

static LONG DIAMONDAPI fci_status(UINT what, ULONG a, ULONG b, void *context)
{
    (void)what, (void)a, (void)b, (void)context;
    return 0;
}

/* A member's content; the name is its number. */
static INT_PTR DIAMONDAPI fci_open_member(char *name, USHORT *date, USHORT *time, USHORT *attributes,
                                          int *error, void *context)
{
    const struct packing *packing = context;
    size_t number = strtoul(name, NULL, 10);
    if (number >= packing->count)
        return -1;
    const struct cab_member *member = &packing->members[number];
    *date = member->file.date;
    *time = member->file.time;
    *attributes = member->file.attributes;
    return fci_open_content(member->content, error);
}

static bool add_all(const struct cab_writer *writer, HFCI fci, const struct packing *packing, TCOMP kind)
{
    for (size_t i = 0; i < packing->count; i++) {
        char number[FCI_NAME_NBYTES], name[CB_MAX_FILENAME];
        (void)snprintf(number, sizeof number, "%zu", i);
        strcpy(name, packing->members[i].file.name); /* of that size: cab_writer_objects() */
        if (!writer->add_file(fci, number, name, FALSE, fci_next_cabinet, fci_status, fci_open_member, kind))
            return false;
    }
    return writer->flush(fci, FALSE, fci_next_cabinet, fci_status);
}

bool cab_write(struct cab_writer *writer, const struct cab_member *members, size_t count,
               enum cab_packing packing_kind, struct arena *arena, struct span *cabinet, const char **problem)
{
    struct packing packing = {.members = members, .count = count};
    CCAB cab = {.cb = LONG_MAX, .cbFolderThresh = LONG_MAX};
    ERF error = {0};
    strcpy(cab.szCab, cabinet_name);
    HFCI fci = writer->create(&error, fci_placed, fci_alloc, fci_free, fci_open, fci_read, fci_write,
                              fci_close, fci_seek, fci_delete, fci_name_temporary, &cab, &packing);
    bool is_written =
        fci && add_all(writer, fci, &packing, packing_kind == CAB_STORED ? tcompTYPE_NONE : tcompTYPE_MSZIP);
    *problem = error.erfOper == FCIERR_ALLOC_FAIL ? NULL : "Windows' cabinet.dll does not pack it";
    if (fci)
        (void)writer->destroy(fci);
    struct span made = is_written ? fci_written(&packing.files, cabinet_name) : (struct span){0};
    uint8_t *bytes = made.bytes ? arena_alloc_unset(arena, made.nbytes) : NULL;
    if (bytes)
        memcpy(bytes, made.bytes, made.nbytes);
    else if (made.bytes)
        *problem = NULL;
    *cabinet = (struct span){bytes, made.nbytes};
    fci_forget(&packing.files);
    return bytes != NULL;
}
