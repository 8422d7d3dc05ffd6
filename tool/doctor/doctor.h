/* doctor.h - one driver or driver package, examined for its owner.
 * Takes: a path.  Gives: what each image is, what is wrong, what a repair would change, and which steps
 * follow. Must not: write anything, print, or promise what the dry run of the repair has not shown. */
#ifndef HVCIFIX_DOCTOR_DOCTOR_H
#define HVCIFIX_DOCTOR_DOCTOR_H

#include "package/inf.h"
#include "package/parcel.h"
#include "pipeline.h"

enum doctor_state {
    DOCTOR_CLEAN,     /* nothing that memory integrity minds */
    DOCTOR_LEFT,      /* only notes; a repair would cost a signature and gain nothing */
    DOCTOR_FIXABLE,   /* all errors can be repaired with proof */
    DOCTOR_PARTLY,    /* so can some; others stay */
    DOCTOR_REFUSED,   /* none can */
    DOCTOR_PACKED,    /* some can, but not where it is: inside another file of the package */
    DOCTOR_BYSTANDER, /* no kernel image: memory integrity does not judge it */
    DOCTOR_UNREADABLE
};

struct doctor_text {
    const char *code; /* "HVCI2005", or NULL */
    const char *words;
    enum finding_level level;
};

struct doctor_texts {
    struct doctor_text *items;
    size_t count, capacity;
};

struct doctor_image {
    const char *path, *name; /* as reports show it; the last part */
    const char *machine;     /* "x64", or NULL */
    bool is_outside;         /* of a machine that has no memory integrity: x86, and those that are gone */
    bool is_kernel;
    bool is_signed;      /* with a certificate table, or by a catalog of the package */
    const char *catalog; /* that lists it, or NULL */
    enum doctor_state state;
    bool needs_nx;                 /* calls that ask for executable memory are left: fix --nx */
    bool nx_helps;                 /* and a dry run of fix --nx leaves no error, or fewer */
    bool is_assumed;               /* a part of the repair rests on stated assumptions */
    struct doctor_texts findings;  /* of the image as it is */
    struct doctor_texts changes;   /* what, of a repair */
    struct doctor_texts refusals;  /* why there is none, or not of all */
    struct doctor_texts remaining; /* errors and warnings behind a repair */
    const char *remark;
};

struct doctor_inf {
    const char *name, *path;
    struct inf_facts facts;
};

enum doctor_kind { DOCTOR_DRIVER, DOCTOR_FOLDER, DOCTOR_ZIP, DOCTOR_CAB, DOCTOR_PROGRAM };

struct doctor {
    struct arena arena; /* owns everything below */
    const char *path;
    enum doctor_kind kind;
    struct doctor_image *images;
    size_t image_count, image_capacity;
    struct doctor_inf *infs;
    size_t inf_count, inf_capacity;
    const char **catalogs; /* names of the catalog files of the package, or beside the driver */
    size_t catalog_count, catalog_capacity;
    bool has_problem; /* it cannot be examined: */
    struct finding problem;
    bool was_stopped;
    enum exit_code exit_code; /* that of a `check` */
};

struct doctor_options {
    enum windows_target target;
    const atomic_bool *stop;
};

/* Always gives a doctor; doctor_release() frees it. */
void doctor_examine(const char *path, const struct doctor_options *options, struct doctor *doctor);
void doctor_release(struct doctor *doctor);

/* Counts over the images. */
size_t doctor_count(const struct doctor *doctor, enum doctor_state state);

/* The level of the worst finding; LEVEL_OFF where there is none. */
enum finding_level doctor_worst(const struct doctor_image *image);

/* Is there an image that memory integrity would judge, on a machine that has memory integrity? */
bool doctor_concerns_memory_integrity(const struct doctor *doctor);

#endif
