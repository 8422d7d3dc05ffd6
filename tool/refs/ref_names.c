/* ref_names.c - the stable words for sources, encodings, states, accesses and extents.
 * Takes: enum values.  Gives: words for listings and JSON.  Must not: decide anything. */
#include "refs/refset.h"

static const char *name_at(const char *const *names, size_t name_count, size_t index)
{
    return index < name_count && names[index] ? names[index] : "unknown";
}

#define NAME_AT(names, index) name_at(names, sizeof(names) / sizeof(names)[0], (size_t)(index))

const char *ref_source_name(enum ref_source source)
{
    static const char *const names[] = {
        [SOURCE_HEADERS] = "headers",
        [SOURCE_DIRECTORIES] = "directories",
        [SOURCE_SECTION_HEADERS] = "section headers",
        [SOURCE_EXPORTS] = "exports",
        [SOURCE_IMPORTS] = "imports",
        [SOURCE_RESOURCES] = "resources",
        [SOURCE_EXCEPTION] = "exception table",
        [SOURCE_UNWIND] = "unwind info",
        [SOURCE_HANDLER_DATA] = "handler data",
        [SOURCE_CERTIFICATES] = "certificates",
        [SOURCE_BASERELOCS] = "base relocations",
        [SOURCE_RELOCATED] = "relocated values",
        [SOURCE_DEBUG] = "debug data",
        [SOURCE_TLS] = "TLS",
        [SOURCE_LOAD_CONFIG] = "load configuration",
        [SOURCE_GUARD_TABLES] = "guard tables",
        [SOURCE_DVRT] = "dynamic relocations",
        [SOURCE_BOUND_IMPORTS] = "bound imports",
        [SOURCE_DELAY_IMPORTS] = "delay imports",
        [SOURCE_CLR] = "CLR header",
        [SOURCE_COFF_SYMBOLS] = "COFF symbols",
        [SOURCE_CODE] = "code",
    };
    return NAME_AT(names, source);
}

const char *ref_encoding_name(enum ref_encoding encoding)
{
    static const char *const names[] = {
        [REF_VA] = "VA",
        [REF_RVA] = "RVA",
        [REF_RVA_FLAGS] = "RVA with flags",
        [REF_FOFF] = "file offset",
        [REF_PCREL] = "PC-relative",
        [REF_IMAGE_REL] = "image-base-relative",
        [REF_OFFSET] = "offset",
        [REF_LABEL_DIFF] = "label difference",
        [REF_PAGE_12] = "page offset",
        [REF_PAGE_10X4] = "page offset in words",
        [REF_SECTION_INDEX] = "section number",
        [REF_SIZE] = "size",
        [REF_ARM64_INSTRUCTION] = "ARM64 instruction",
    };
    return NAME_AT(names, encoding);
}

const char *ref_state_name(enum ref_state state)
{
    static const char *const names[] = {
        [REF_RESOLVED] = "resolved",       [REF_NULL] = "null", [REF_HEADERS] = "headers",
        [REF_SECTION_END] = "section end", [REF_GAP] = "gap",   [REF_OUTSIDE] = "outside",
        [REF_CONSTANT] = "constant",
    };
    return NAME_AT(names, state);
}

const char *ref_access_name(enum ref_access access)
{
    static const char *const names[] = {
        [ACCESS_NONE] = "none",       [ACCESS_READ] = "read",
        [ACCESS_WRITE] = "write",     [ACCESS_READ_WRITE] = "read and write",
        [ACCESS_ADDRESS] = "address", [ACCESS_CALL] = "call",
        [ACCESS_JUMP] = "jump",
    };
    return NAME_AT(names, access);
}

const char *extent_kind_name(enum extent_kind kind)
{
    static const char *const names[] = {
        [EXTENT_EXPORT_DIRECTORY] = "export directory",
        [EXTENT_EXPORT_TABLE] = "export table",
        [EXTENT_EXPORT_STRING] = "export name",
        [EXTENT_IMPORT_DESCRIPTORS] = "import descriptors",
        [EXTENT_IMPORT_LOOKUP] = "import lookup table",
        [EXTENT_IAT] = "IAT",
        [EXTENT_IMPORT_NAME] = "import name",
        [EXTENT_RESOURCE_TREE] = "resource tree",
        [EXTENT_RESOURCE_DATA] = "resource data",
        [EXTENT_PDATA] = "exception table",
        [EXTENT_UNWIND_INFO] = "unwind info",
        [EXTENT_HANDLER_DATA] = "handler data",
        [EXTENT_BASERELOCS] = "base relocations",
        [EXTENT_DEBUG_DIRECTORY] = "debug directory",
        [EXTENT_DEBUG_DATA] = "debug data",
        [EXTENT_TLS] = "TLS data",
        [EXTENT_LOAD_CONFIG] = "load configuration",
        [EXTENT_GUARD_TABLE] = "guard table",
        [EXTENT_GUARD_SLOT] = "guard slot",
        [EXTENT_SECURITY_COOKIE] = "security cookie",
        [EXTENT_DVRT] = "dynamic relocations",
        [EXTENT_BOUND_IMPORTS] = "bound imports",
        [EXTENT_DELAY_DESCRIPTORS] = "delay import descriptors",
        [EXTENT_DELAY_IAT] = "delay IAT",
        [EXTENT_DELAY_TABLE] = "delay import table",
        [EXTENT_CLR_HEADER] = "CLR header",
        [EXTENT_JUMP_TABLE] = "jump table",
    };
    return NAME_AT(names, kind);
}
