/* finding.h - a finding: one thing that is wrong or worth saying, with its place and its cure.
 * Takes: what a stage has seen.  Gives: values that the report prints.  Must not: print or decide.
 * The same value serves the rules (HVCI20xx-23xx) and the tool's own errors and refusals (HVCI9xxx). */
#ifndef HVCIFIX_BASE_FINDING_H
#define HVCIFIX_BASE_FINDING_H

#include "base/arena.h"

/* Codes are printed as "HVCI%04u" and are never reused. */
enum finding_code {
    /* what code asks Windows for; sub-codes of Driver Verifier's bug check 0xC4, as the three behind them */
    HVCI2000_EXECUTABLE_POOL = 2000,
    HVCI2001_EXECUTABLE_PROTECTION = 2001,
    HVCI2002_EXECUTABLE_MDL = 2002,
    HVCI2003_SECTION_WRITABLE_EXECUTABLE = 2003,
    HVCI2004_SECTION_NOT_PAGE_ALIGNED = 2004,
    HVCI2005_IAT_EXECUTABLE = 2005,
    HVCI2006_LOADER_DATA_EXECUTABLE = 2006,
    HVCI2101_RELOCATION_STRADDLES = 2101,
    HVCI2102_INIT_WRITABLE_EXECUTABLE = 2102,

    /* build policy: asked for by a policy only (rules/demands.h) */
    HVCI2201_NX_COMPAT = 2201,
    HVCI2202_DYNAMIC_BASE = 2202,
    HVCI2203_HIGH_ENTROPY_VA = 2203,
    HVCI2204_GUARD_CF = 2204,
    HVCI2205_CET_COMPAT = 2205,
    HVCI2206_FORCE_INTEGRITY = 2206,
    HVCI2207_CHECKSUM = 2207,
    HVCI2208_SIGNATURE = 2208,
    HVCI2209_SIGNATURE_STALE = 2209,
    HVCI2210_INIT_NOT_DISCARDABLE = 2210,
    HVCI2211_SHARED_WRITABLE = 2211,
    HVCI2212_LOADER_DATA_WRITABLE = 2212,
    HVCI2213_VERSION_ABOVE_TARGET = 2213,
    HVCI2214_LINKER_MAKES_RWX_INIT = 2214,

    /* code that fights memory integrity */
    HVCI2300_WRITE_PROTECT_CLEARED = 2300,
    HVCI2301_CODE_MAPPED_WRITABLE = 2301,
    HVCI2302_FILE_AS_CODE = 2302,
    HVCI2303_ALLOCATION_EXECUTED = 2303,

    HVCI9001_NOT_A_PE_IMAGE = 9001,       /* input is not a PE image at all */
    HVCI9002_TRUNCATED = 9002,            /* a structure runs past the end of the file */
    HVCI9003_MALFORMED_HEADER = 9003,     /* a header field has a value no loader accepts */
    HVCI9004_MALFORMED_TABLE = 9004,      /* a table of an otherwise readable image is damaged */
    HVCI9005_UNSUPPORTED = 9005,          /* a machine or structure that is read only in part */
    HVCI9006_CANNOT_READ = 9006,          /* the operating system refused to give the bytes */
    HVCI9007_CANNOT_WRITE = 9007,         /* the operating system refused to take the bytes */
    HVCI9008_OUT_OF_MEMORY = 9008,        /* HVCI9009 stays unused: 9009 means something to MSBuild */
    HVCI9010_USAGE = 9010,                /* the command line is wrong */
    HVCI9011_LAYOUT_REFUSED = 9011,       /* Windows, or some Windows (a note), refuses it */
    HVCI9020_SIGNED = 9020,               /* refusal: a signature would be broken */
    HVCI9021_SECTION_IS_WRITTEN = 9021,   /* refusal: something needs the section writable */
    HVCI9022_NO_REPAIR = 9022,            /* refusal: this finding has no repair that can be proved */
    HVCI9023_UNRESOLVED_REFERENCE = 9023, /* refusal: a place whose meaning is not known stands in the way */
    HVCI9024_CALLS_LEFT = 9024,           /* note: calls that --nx leaves as they are, and why */
    HVCI9030_REPAIR_REFUTED = 9030,       /* our own verifier refuted our own repair: a defect of the tool */
    HVCI9031_NOT_EQUIVALENT = 9031,       /* `verify` refuted a pair of files */
    HVCI9032_PAIR_UNREADABLE = 9032,      /* `verify` could not read one of its two files as an image */
    HVCI9040_POLICY_INVALID = 9040,       /* a policy file that cannot be trusted */
    HVCI9041_POLICY_DUPLICATE = 9041,     /* the same key or waiver twice in a policy */
    HVCI9042_WAIVER_EXPIRED = 9042,       /* a waiver that holds no longer */
    HVCI9043_WAIVER_UNUSED = 9043,        /* a waiver whose image has no such finding */
    HVCI9045_BASELINE_INVALID = 9045,     /* a baseline that cannot be trusted */
    HVCI9046_MAP_INVALID = 9046,          /* `translate` cannot use the map */
    HVCI9047_NO_COUNTERPART = 9047,       /* `translate`: an address that one side alone has */
    HVCI9048_NOTHING_TRANSLATED = 9048,   /* `translate`: nothing in the text was an address of the module */
    HVCI9050_PACKAGE_DAMAGED = 9050,      /* a package, or a part of it, that cannot be read */
    HVCI9051_PACKAGE_ENCRYPTED = 9051,    /* a part of a package that only a password opens */
    HVCI9052_PACKAGE_LIMIT = 9052,        /* a package that is larger inside than is looked at */
    HVCI9053_PACKAGE_REJECTED = 9053,     /* `enforce` rejects an image inside, so the package too */
    HVCI9054_PACKAGE_NOT_REPAIRED = 9054, /* an image in a package, where this command does not repair it */
    HVCI9055_PACKAGE_LACKS_DRIVER = 9055, /* an INF names a driver that is not in its package */
    HVCI9056_CATALOG_STALE = 9056,        /* a catalog lists a file that was changed, so it is left out */
    HVCI9057_PACKAGE_NOT_WRITTEN = 9057,  /* an image inside was refused, so the package is not written */
    HVCI9058_SIGNING_FAILED = 9058,       /* the program of --sign-with failed, or changed too much */
    /* Printed by msbuild/build/native/HvciFix.targets alone: */
    HVCI9060_HOOK_NO_PROGRAM = 9060,
    HVCI9061_HOOK_OTHER_IMAGE = 9061,
    HVCI9062_HOOK_TOO_LATE = 9062,
    HVCI9063_HOOK_REJECTED = 9063,
    HVCI9080_PDB_UNREADABLE = 9080,    /* a PDB that is damaged or of a kind that is not understood */
    HVCI9081_PDB_OTHER_IMAGE = 9081,   /* a PDB that belongs to another image */
    HVCI9082_PDB_CANNOT_FOLLOW = 9082, /* refusal: names would be wrong after the repair */
    HVCI9090_UNDO_MISSING = 9090,      /* there is nothing that leads back from the image */
    HVCI9091_UNDO_DAMAGED = 9091,      /* an undo file that cannot be read */
    HVCI9092_UNDO_NEWER = 9092,        /* an undo file of a later version */
    HVCI9093_UNDO_OTHER_IMAGE = 9093,  /* the image is not the one that the repair wrote */
    HVCI9094_UNDO_NOT_LEFT = 9094      /* no undo file can be left, so there is no repair in place */
};

enum finding_level { LEVEL_OFF, LEVEL_NOTE, LEVEL_WARNING, LEVEL_ERROR };

/* How sure a finding is. All are proved but some about calls: there a value may depend on what is not known
 * (FINDING_DEPENDS), or nothing is known of it (FINDING_UNKNOWN). */
enum finding_certainty { FINDING_PROVED, FINDING_DEPENDS, FINDING_UNKNOWN };
enum { FINDING_CERTAINTY_COUNT = 3 };

/* The call that a finding is about, in words. */
struct finding_call {
    const char *verdict;  /* "executable", "depends", "unknown" */
    const char *api;      /* the function of Windows */
    const char *function; /* of the driver, that holds the call: "name+0x12", or NULL: it has no name */
    const char *own_name; /* what the image itself calls that function, or NULL: the same in every run */
    uint32_t function_rva;
    const char *argument; /* the deciding one, or NULL: none does */
    const char *values;   /* what it can be, or NULL */
    const char *reason;   /* why the verdict is what it is, or NULL */
    const char *tag;      /* the pool tag, or NULL */
    const char *alike;    /* what is said of several calls with the same reason: "calls of X ... " */
};

#define NO_RVA UINT32_MAX
#define NO_FILE_OFFSET UINT64_MAX

/* Somebody has allowed this finding, for some time (policy/policy.h). */
struct finding_waiver {
    const char *name, *reason, *owner;
    char expires[16]; /* the last day, YYYY-MM-DD */
    bool ends_soon;
    const char *file; /* where it is written down, */
    unsigned line;    /* counted from 1 */
};

/* What an earlier report (policy/baseline.h) has of this finding. */
enum finding_baseline { BASELINE_NOT_COMPARED, BASELINE_NEW, BASELINE_UNCHANGED, BASELINE_UPDATED };

struct finding {
    enum finding_code code;
    enum finding_level level;
    enum finding_certainty certainty;
    const struct finding_call *call; /* NULL when it is about no call */
    const char *section;             /* section name as text, or NULL */
    uint32_t rva;                    /* or NO_RVA */
    uint64_t file_offset;            /* or NO_FILE_OFFSET */
    uint64_t place_count;            /* how many places this one finding stands for; 1 unless grouped */
    const char *message;             /* one sentence: what is wrong and where; ends with a period */
    const char *const *evidence;     /* evidence_count lines, each a fact that can be checked */
    size_t evidence_count;
    const char *windows; /* why Windows minds, in words true for this machine and subsystem; may be NULL */
    const char *cure;    /* what to change at the source; may be NULL */
    const struct finding_waiver *waiver; /* NULL when nobody has */
    enum finding_baseline baseline;
    uint32_t baseline_entry; /* number of what it is compared with, counted from 1; 0: there is none */
    bool is_known;           /* the baseline has it, so that it does not fail: its level is lowered */
    enum finding_level level_before; /* of one that is known */
};

/* A growing list. Texts and arrays live in `arena`, which outlives the list. */
struct finding_list {
    struct arena *arena; /* borrowed */
    struct finding *items;
    size_t count;
    size_t capacity;
};

/* Appends a copy. False, with the list unchanged, when the arena is exhausted. */
bool finding_add(struct finding_list *list, const struct finding *finding);

/* A finding with no place, one place counted, and a printf message. */
struct finding finding_make(struct arena *arena, enum finding_code code, enum finding_level level,
                            const char *format, ...) HVCIFIX_PRINTF(4, 5);

/* Appends one printf line to the evidence of a finding that is not yet in a list. At most
 * FINDING_MAX_EVIDENCE lines are kept; further ones are dropped. */
enum { FINDING_MAX_EVIDENCE = 64 };
void finding_evidence(struct arena *arena, struct finding *finding, const char *format, ...)
    HVCIFIX_PRINTF(3, 4);

/* The highest level in the list; LEVEL_OFF when it is empty. */
enum finding_level finding_worst(const struct finding_list *list);

/* "error", "warning", "note" or "off". */
const char *finding_level_name(enum finding_level level);

#endif
