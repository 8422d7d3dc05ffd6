/* file_posix.h - what reading and replacing files on POSIX systems share.
 * Takes: paths, as the user wrote them for messages; descriptors.  Gives: bytes, findings.
 * Must not: be used outside file_posix.c and replace_posix.c. */
#ifndef HVCIFIX_IO_FILE_POSIX_H
#define HVCIFIX_IO_FILE_POSIX_H

#include "io/file.h"

#include <sys/stat.h>

/* What one user's file hands on to the next; never the right to run as its owner. */
enum { PERMISSION_BITS = 0777, WRITE_BITS = 0222 };

/* "DOING "PATH" failed: ..." for a value of errno. */
struct finding posix_finding(struct arena *arena, enum finding_code code, const char *doing, const char *path,
                             int system_error);

/* "a folder" and so on, for what is no regular file. */
const char *posix_kind(mode_t mode);

struct file_state posix_state(const struct stat *status);

/* file_read() of an open file, from its begin; messages name `path`. */
bool posix_read(int descriptor, const char *path, struct arena *arena, struct file_content *content,
                struct finding *error);

#endif
