/* import_stack.c - see import_stack.h. */
#include "calls/import_stack.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALLER_CLEANS = 255, /* how many arguments such a function has is in no name */
    LONGEST_NAME_NBYTES = 57
};

/* The name itself and no pointer to it: thousands of those would be relocated whenever the program starts. */
struct row {
    char name[LONGEST_NAME_NBYTES + 1];
    uint8_t stack_nbytes, argument_nbytes; /* those in registers included */
};

static const struct row rows[] = {
#include "calls/import_stack_rows.inc"
};

static int compare(const void *key, const void *row)
{
    return strcmp(key, ((const struct row *)row)->name);
}

static const struct row *find(const char *name)
{
    return bsearch(name, rows, sizeof rows / sizeof rows[0], sizeof rows[0], compare);
}

int import_stack_nbytes(const char *name)
{
    const struct row *row = find(name);
    return row ? row->stack_nbytes : -1;
}

int import_argument_count(const char *name)
{
    const struct row *row = find(name);
    return row && row->argument_nbytes != CALLER_CLEANS ? row->argument_nbytes / 4 : -1;
}

bool import_is_fastcall(const char *name)
{
    const struct row *row = find(name);
    return row && row->argument_nbytes != CALLER_CLEANS && row->argument_nbytes != row->stack_nbytes;
}
