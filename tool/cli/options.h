/* options.h - the command line as a value.
 * Takes: argv in UTF-8.  Gives: struct cli_options, or a message on what is wrong.
 * Must not: print or exit. One table (options_table.c) says which verb takes which option; parsing and help
 * use it. */
#ifndef HVCIFIX_CLI_OPTIONS_H
#define HVCIFIX_CLI_OPTIONS_H

#include "cli/sign_with.h"
#include "enforce.h"
#include "report/report_formats.h"

enum verb {
    VERB_CHECK,
    VERB_FIX,
    VERB_VERIFY,
    VERB_SHOW,
    VERB_EXPLAIN,
    VERB_RULES,
    VERB_POLICY,
    VERB_RESTORE,
    VERB_DOCTOR,
    VERB_ENFORCE,
    VERB_LINK,
    VERB_TRANSLATE,
    VERB_HELP,
    VERB_COUNT
};
#define VERB_BIT(verb) (1u << (verb))

/* The word behind `policy`. */
enum policy_task { POLICY_INIT, POLICY_CHECK };

/* Those of reports come first, with their numbers. */
enum output_format {
    FORMAT_TEXT = REPORT_TEXT,
    FORMAT_JSON = REPORT_JSON,
    FORMAT_SARIF = REPORT_SARIF,
    FORMAT_HTML = REPORT_HTML,
    FORMAT_MARKDOWN = REPORT_FORMAT_COUNT
};
enum color_choice { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

enum option_id {
    OPTION_TARGET,
    OPTION_POLICY,
    OPTION_PRESET,
    OPTION_DEFAULT_TARGET,
    OPTION_MODE,
    OPTION_WARNINGS_AS_ERRORS,
    OPTION_POLICY_FILES,
    OPTION_ON_FAIL,
    OPTION_FORMAT,
    OPTION_OUTPUT,
    OPTION_REPORT,
    OPTION_SARIF_PROFILE,
    OPTION_SARIF_ANCHOR,
    OPTION_SARIF_CATEGORY,
    OPTION_SARIF_PASSES,
    OPTION_BASELINE,
    OPTION_NULL,
    OPTION_QUIET,
    OPTION_COLOR,
    OPTION_NO_CODE,
    OPTION_ALL_RULES,
    OPTION_OUT,
    OPTION_IN_PLACE,
    OPTION_NO_UNDO,
    OPTION_DRY_RUN,
    OPTION_MAP,
    OPTION_LINKER_MAP,
    OPTION_TO_OLD,
    OPTION_TO_NEW,
    OPTION_MODULE,
    OPTION_BASE,
    OPTION_DROP_SIGNATURE,
    OPTION_PDB,
    OPTION_NO_PDB,
    OPTION_KEEP_PDB_ID,
    OPTION_NEW_PDB_ID,
    OPTION_SIGN_WITH,
    OPTION_PARTIAL,
    OPTION_EXTRACT,
    OPTION_DRIVER_VER,
    OPTION_NX,
    OPTION_ONLY,
    OPTION_REFERENCES,
    OPTION_REGIONS,
    OPTION_CALLS,
    OPTION_SYMBOLS,
    OPTION_AFTER,
    OPTION_JOBS,
    OPTION_HELP,
    OPTION_VERSION
};

struct option_row {
    enum option_id id;
    const char *name;       /* "--target" */
    const char *short_name; /* "-o" or NULL */
    const char *value_name; /* "WINDOWS", or NULL when it takes no value */
    const char *help;       /* one line */
    unsigned verbs;         /* VERB_BIT sum */
    const char *values;     /* for the manual and for completion: VALUES below */
};

/* VALUES: what may stand for a value or an argument. NULL: the name of a file, or nothing when no value is
 * taken; "": what nobody can list; one of the lists that other tables hold; or words with blanks between. */
#define OPTION_TARGETS "@targets"
#define OPTION_PRESETS "@presets"
#define OPTION_RULES "@rules"   /* codes of rules */
#define OPTION_CODES "@codes"   /* all codes */
#define OPTION_TOPICS "@topics" /* verbs and topics of help */

extern const struct option_row option_rows[];
extern const size_t option_row_count;

struct verb_row {
    enum verb verb;
    const char *name;      /* "check" */
    const char *arguments; /* "IMAGE|FOLDER..." */
    const char *summary;   /* one line */
    const char *about;     /* a paragraph for --help */
    const char *example;   /* a command line with what it does */
    const char *words;     /* VALUES above */
};
extern const struct verb_row verb_rows[VERB_COUNT];

struct exit_row {
    const char *code;
    const char *meaning;
};
extern const struct exit_row exit_rows[];
extern const size_t exit_row_count;
#define EXIT_SEVERAL "With several images the most serious wins: 6, 4, 3, 1, 0."
#define EXIT_INTERRUPTED                                                                                     \
    "Ctrl-C ends a run between two steps: every file is as it was or written whole, and reports to files "   \
    "are "                                                                                                   \
    "not written. The program then ends by the signal, which shells show as 130 (SIGINT) or 143 (SIGTERM); " \
    "on Windows with 0xC000013A. A second Ctrl-C ends it at once."

enum {
    CLI_MOST_JOBS = 256,
    REPORT_SINKS_MOST = REPORTS_MOST + 1 /* with the one on the stream */ /* report files of one run */
};

struct cli_options {
    enum verb verb;
    bool help, version;
    const char **paths; /* or the code of `explain`, the file of `policy check`, the words behind `link --`,
                         * map and addresses of `translate` */
    size_t path_count;
    enum policy_task policy_task;
    const char *policy_path; /* --policy */
    const char *preset;      /* --preset */
    enum on_fail on_fail;    /* --on-fail */
    bool has_target;         /* --target was given */
    enum windows_target target, default_target;
    bool has_mode; /* --mode was given */
    enum policy_mode mode;
    bool warnings_as_errors;
    const char *policy_files_path; /* --policy-files */
    enum output_format format;
    bool has_format;             /* --format was given */
    const char *report_path;     /* --output; NULL means standard output */
    struct report_wish *reports; /* --report, report_count of them */
    size_t report_count;
    struct report_settings report_settings; /* --sarif-... */
    bool has_sarif_profile, has_sarif_anchor;
    const char *baseline_path; /* --baseline */
    bool null_separated;       /* --null */
    bool quiet;
    enum color_choice color;
    bool all_rules; /* --all-rules */
    bool no_code, in_place, no_undo, dry_run, drop_signature, nx;
    const char *output_path; /* -o */
    struct signer *signer;   /* --sign-with; NULL: none */
    bool partial, extract;   /* --partial, --extract */
    const char *driver_ver;  /* --driver-ver */
    const char *map_path;    /* --map */
    enum pdb_wish pdb_wish;  /* --pdb, --no-pdb, --keep-pdb-id */
    const char *pdb_path;    /* --pdb */
    bool new_pdb_id;         /* --new-pdb-id */
    enum finding_code *only;
    size_t only_count;
    enum show_what show;
    const char *after_path; /* show --after */
    unsigned jobs;          /* images at a time, at most CLI_MOST_JOBS; 0: as many as there are cores */

    const char *symbols_path;    /* --symbols */
    const char *linker_map_path; /* --linker-map */
    bool to_new;                 /* translate --to-new */
    const char *module;          /* translate --module */
    bool has_base;               /* --base was given */
    uint64_t base_va;
};

/* Parses argv[1..]; `verb_given` tells --help for one verb from --help for all. False with *message set
 * (one sentence) when the command line is wrong. */
bool options_parse(int argc, char **argv, struct arena *arena, struct cli_options *options, bool *verb_given,
                   const char **message);

/* Replaces each @FILE argument by the arguments in that file (UTF-8 or UTF-16 with a byte-order mark;
 * separated by blanks or lines; quoting as CommandLineToArgvW reads it; no nesting). False with *message set.
 */
bool options_expand_response_files(int *argc, char ***argv, struct arena *arena, const char **message);

/* The number in "HVCI2102", "hvci2102" or "2102"; 0 when the word is neither. */
unsigned options_code(const char *word);

/* The text of --help for all verbs (verb NULL) or for one. */
void options_help(struct text *text, const enum verb *verb);

#endif
