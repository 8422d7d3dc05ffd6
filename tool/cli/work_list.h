/* work_list.h - what a run over images has to do, as a flat list.
 * Takes: the paths of a command line.  Gives: one item an image, in the order of the reports.
 * Must not: open images or print. */
#ifndef HVCIFIX_CLI_WORK_LIST_H
#define HVCIFIX_CLI_WORK_LIST_H

#include "cli/options.h"

enum work_kind {
    WORK_IMAGE,      /* an image that was named */
    WORK_FOUND,      /* a file found in a folder: passed over when it is no image */
    WORK_FOLDER_END, /* `path` is a folder; all that was found in it stands before */
    WORK_PACKAGE     /* `path` is a folder that is repaired as a whole, into OUT */
};

#define WORK_NONE SIZE_MAX

struct work_item {
    enum work_kind kind;
    const char *path;
    bool
        has_own_name; /* no other item has this file name, in whatever case; looked up only with a baseline */
    size_t same_file_before; /* number of the item before that names the same file, however; else WORK_NONE.
                              * Looked up only where images are replaced. */
};

struct work_list {
    struct work_item *items; /* in the arena */
    size_t count, capacity;
};

/* Everything is listed before anything is done, so that a run never meets its own temporary files. False when
 * memory ran out. */
bool work_list_make(const struct cli_options *options, struct arena *arena, struct work_list *list);

#endif
