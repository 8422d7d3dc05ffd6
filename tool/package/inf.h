/* inf.h - what an INF file says of the driver package that it belongs to.
 * Takes: the file's bytes (UTF-16 or UTF-8 with a byte-order mark; else one byte a character).  Gives: its
 * entries as Windows reads them, and the few facts that repairing a package needs.
 * Must not: open other files, or follow Include= and Needs=.
 *
 * An INF is not quite an INI file: sections of one name are one section, values are lists, quotation marks
 * protect commas and semicolons, a backslash at a line's end continues it, %token% stands for an entry of
 * [Strings], %% for a percent sign (Windows driver documentation, "General syntax rules for INF files"). */
#ifndef HVCIFIX_PACKAGE_INF_H
#define HVCIFIX_PACKAGE_INF_H

#include "base/arena.h"
#include "base/span.h"

enum { INF_MOST_NBYTES = 16 * 1024 * 1024 };

/* Where a value stands, in characters of the file's own width, quotation marks included. */
struct inf_value {
    const char *text; /* UTF-8, without quotation marks, tokens replaced */
    size_t first, end;
    bool
        is_literal; /* it stands in the file as it is in `text`: no quotation mark, token or line end in it */
};

struct inf_entry {
    const char *section; /* as it stands in the file; compare without case */
    const char *key;     /* what stands before "=", or NULL */
    const struct inf_value *values;
    size_t value_count;
    unsigned line; /* counted from 1 */
};

struct inf {
    struct span bytes;
    unsigned width_nbytes; /* of a character in the file: 1 or 2 */
    bool is_big_endian;
    size_t mark_nbytes; /* of the byte-order mark */
    const struct inf_entry *entries;
    size_t entry_count;
};

/* Lives in the arena and borrows `bytes`. False, with *problem set to a sentence, when the bytes are no text
 * or too many; with *problem NULL when memory ran out. Work: linear in the file. */
bool inf_read(struct span bytes, struct arena *arena, struct inf *inf, const char **problem);

enum inf_platform {
    INF_X86 = 1,
    INF_AMD64 = 2,
    INF_ARM64 = 4,
    INF_ARM = 8,
    INF_IA64 = 16
}; /* of a model's decoration (NTamd64) */

/* A file that [SourceDisksFiles] or one of its platforms' forms says is in the package. */
struct inf_source {
    const char *name; /* of the file, without folders */
    unsigned line;
    bool is_packed; /* in a cabinet that [SourceDisksNames] names */
};

struct inf_facts {
    bool is_driver; /* it has [Version] with Signature="$...$": an INF that Windows takes */
    const char *class_name, *provider, *driver_ver; /* of [Version]; NULL where there is none */
    const char **catalogs; /* CatalogFile and CatalogFile.NTamd64 and so on, each name once */
    size_t catalog_count;
    struct inf_source *sources; /* all kinds of files */
    size_t source_count;
    const char *
        *services; /* file names of ServiceBinary, each once: drivers that it starts, whoever ships them */
    size_t service_count;
    unsigned platforms; /* enum inf_platform */
};

/* False when memory ran out. */
bool inf_facts(const struct inf *inf, struct arena *arena, struct inf_facts *facts);

/* The same file with another DriverVer in [Version]: "MM/DD/YYYY,W.X.Y.Z" takes the place of what stands
 * there, and no other byte changes. False, with *problem a sentence (NULL: memory), where that is not one
 * plain entry. */
bool inf_set_driver_ver(const struct inf *inf, const char *driver_ver, struct arena *arena,
                        struct span *bytes, const char **problem);

/* Is that what stands behind DriverVer=: a date MM/DD/YYYY and a version of up to four numbers below 65536?
 */
bool inf_is_driver_ver(const char *text);

#endif
