/* report_wish.h - the reports that somebody wants, by the words of a command line or a policy file.
 * Takes: words and paths.  Gives: formats and settings.  Must not: know how a report looks (report/). */
#ifndef HVCIFIX_POLICY_REPORT_WISH_H
#define HVCIFIX_POLICY_REPORT_WISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_SARIF, REPORT_HTML, REPORT_FORMAT_COUNT };

enum sarif_profile { SARIF_SPEC, SARIF_GITHUB };

enum { REPORTS_MOST = 16 }; /* of one run */

struct report_wish {
    const char *path; /* NULL: into the stream of the run, at the end */
    enum report_format format;
    bool is_gzip;
};

/* How reports are wanted; the same for the whole run. */
struct report_settings {
    enum sarif_profile sarif_profile;
    const char *anchor_file; /* github: the file that results are shown at, relative to the repository's root;
                              * NULL: the image itself */
    uint32_t anchor_line;    /* counted from 1 */
    const char *category;    /* SARIF: the category of the run; NULL: hvcifix/VERB */
    bool has_baseline;       /* findings are compared with an earlier report */
    bool with_passes;        /* SARIF: also rules that an image passes, and those that do not apply */
};

#define REPORT_GZIP_SUFFIX ".gz"
#define REPORT_SUFFIXES ".txt, .json, .sarif or .html, and .gz behind it"

/* The format of a name; REPORT_FORMAT_COUNT when there is none. */
enum report_format report_format_named(const char *name);

/* The format that the end of a path says, without regard to case; REPORT_FORMAT_COUNT when it says none.
 * *is_gzip: the path ends with .gz, and what stands before it says the format. */
enum report_format report_format_of_path(const char *path, bool *is_gzip);

/* "spec" or "github". False when it is neither. */
bool report_profile_named(const char *name, enum sarif_profile *profile);

/* FILE:LINE. False when the word is no such; else *file_nbytes bytes of it are the file's path. The path is
 * relative and stays below where it begins, as GitHub wants it. */
bool report_anchor_parse(const char *word, size_t *file_nbytes, uint32_t *line);

#endif
