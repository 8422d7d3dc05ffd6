/* kernel_api.h - the functions of Windows whose arguments decide whether memory becomes executable.
 * Takes: a name.  Gives: which argument decides, and what its values mean.  Must not: look at images.
 * Source: Windows driver documentation, "Code integrity checking" and the page of each function. */
#ifndef HVCIFIX_CALLS_KERNEL_API_H
#define HVCIFIX_CALLS_KERNEL_API_H

#include "base/finding.h"

enum api_question {
    ASK_POOL_TYPE,    /* POOL_TYPE */
    ASK_POOL_FLAGS,   /* POOL_FLAGS of ExAllocatePool2 */
    ASK_NX_FLAG,      /* POOL_NX_ALLOCATION has to be there */
    ASK_PROTECTION,   /* PAGE_EXECUTE* must not be there */
    ASK_MDL_PRIORITY, /* MdlMappingNoExecute has to be there, unless the mapping is for user mode */
    ASK_MDL_MODE,     /* a kernel-mode mapping has no no-execute form here */
    ASK_SYSTEM        /* no argument decides: Windows does */
};

enum api_meaning { MEANS_NOTHING_KNOWN, MEANS_EXECUTABLE, MEANS_NO_EXECUTE };

enum { NO_ARGUMENT = -1 };

struct kernel_api {
    const char *name;
    enum finding_code code;
    enum api_question question;
    int8_t argument; /* the deciding one, from 0; NO_ARGUMENT: none */
    int8_t word_32;  /* on x86: the word of the stack where it lies */
    int8_t tag;      /* the pool tag; NO_ARGUMENT: none */
    int8_t tag_word_32;
    int8_t mode; /* ASK_MDL_*: the access mode; same on x86 */
    const char *argument_name;
    const char *no_execute; /* the form that is not executable, as a half sentence */
    const char *since;      /* the first Windows that has this form; NULL: all that have the function */
    /* On no list of Driver Verifier and the HLK test: the exports FsRtlAllocatePool* of ntoskrnl, which only
     * old drivers call. Source: "FsRtlAllocatePoolWithTag macro (ntifs.h)" and its kin: PoolType is a
     * POOL_TYPE; "FsRtlAllocatePool is obsolete, but is exported to support existing driver binaries". */
    bool is_unverified;
};

/* NULL when the name is none of these. */
const struct kernel_api *kernel_api_find(const char *name);

/* Functions of the KMDF function table, by index; NULL: of no interest. Source: wdffuncenum.h. */
const struct kernel_api *kmdf_api_find(uint32_t index);

/* All of them, those of KMDF too, by number from 0; NULL behind the last. */
const struct kernel_api *kernel_api_row(size_t number);

/* Functions of Microsoft's list, and their like, that no image tells enough of; by number from 0, NULL behind
 * the last. *reason: half a sentence. */
const char *kernel_api_not_judged(size_t number, const char **reason);

/* "PAGE_EXECUTE* (0xF0)", ...: with which values of the deciding argument the memory is executable. */
const char *kernel_api_executable_words(const struct kernel_api *api);

/* What it means when the known bits of the deciding argument are these. */
enum api_meaning kernel_api_meaning(const struct kernel_api *api, uint64_t known_bits, uint64_t value);

/* "NonPagedPool", "PAGE_EXECUTE_READWRITE", ...: the value in the words of the headers. */
const char *kernel_api_value_words(const struct kernel_api *api, uint64_t value, struct arena *arena);

#endif
