/* cab_files_windows.h - the files of which FCI thinks that it writes them, in memory.
 * Takes: FCI's calls (fci.h of the Cabinet SDK).  Gives: files by name.  Must not: be included outside
 * cab_*_windows.c. The context of each call points to a struct fci_files. */
#ifndef HVCIFIX_PACKAGE_CAB_FILES_WINDOWS_H
#define HVCIFIX_PACKAGE_CAB_FILES_WINDOWS_H

#include "base/span.h"

#include <windows.h>

#include <fci.h>

enum { FCI_NAME_NBYTES = 16 }; /* of any file, with its NUL */

/* Zeroed it has none. */
struct fci_files {
    struct memory_file *first;
    unsigned name_count;
};

void *DIAMONDAPI fci_alloc(ULONG nbytes);
void DIAMONDAPI fci_free(void *memory);
INT_PTR DIAMONDAPI fci_open(char *name, int flags, int mode, int *error, void *context);
UINT DIAMONDAPI fci_read(INT_PTR handle, void *memory, UINT nbytes, int *error, void *context);
UINT DIAMONDAPI fci_write(INT_PTR handle, void *memory, UINT nbytes, int *error, void *context);
int DIAMONDAPI fci_close(INT_PTR handle, int *error, void *context);
LONG DIAMONDAPI fci_seek(INT_PTR handle, LONG distance, int from, int *error, void *context);
int DIAMONDAPI fci_delete(char *name, int *error, void *context);
WINBOOL DIAMONDAPI fci_name_temporary(char *name, int name_nbytes, void *context);

/* An open file with these bytes, which are borrowed and only read; -1 when memory ran out. */
INT_PTR fci_open_content(struct span content, int *error);

/* The bytes of a file, borrowed; none when there is no such file. / Frees all files. */
struct span fci_written(const struct fci_files *files, const char *name);
void fci_forget(struct fci_files *files);

#endif
