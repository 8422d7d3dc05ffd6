/* calls_markdown.c - calls_markdown.h. */
#include "rules/calls_markdown.h"

#include "calls/kernel_api.h"
#include "rules/rule.h"

static const char introduction[] =
    "## Functions that may give executable memory\n"
    "\n"
    "What HVCI2000, HVCI2001 and HVCI2002 look at: the list of \"Implement memory integrity compatible "
    "code\" "
    "in Microsoft's\n"
    "documentation, and later functions of the kind. They count however they are called: through the import "
    "table, through a\n"
    "pointer that `MmGetSystemRoutineAddress` gave for a constant name, inlined from a header, or (names "
    "with "
    "Wdf) through the\n"
    "function table of KMDF. \"Since\" is the first Windows that has the form that is not executable.\n"
    "\n"
    "| code | function | argument that decides | executable with | form that is not executable | since |\n"
    "|---|---|---|---|---|---|\n";

static const char not_judged[] = "\n"
                                 "Not judged, since an image does not tell enough:\n"
                                 "\n"
                                 "| function | why |\n"
                                 "|---|---|\n";

static void add_row(struct text *text, const struct kernel_api *api)
{
    text_printf(text, "| HVCI%04u | %s | ", (unsigned)api->code, api->name);
    if (api->argument == NO_ARGUMENT)
        text_addz(text, "none");
    else
        text_printf(text, "%s, the %u.", api->argument_name, (unsigned)api->argument + 1);
    text_printf(text, " | %s | %s | %s |\n", kernel_api_executable_words(api), api->no_execute,
                api->since ? api->since : "the function itself");
}

void calls_markdown(struct text *text)
{
    const struct kernel_api *api;
    const char *name, *reason;
    text_addz(text, introduction);
    for (unsigned code = HVCI2000_EXECUTABLE_POOL; code <= HVCI2002_EXECUTABLE_MDL; code++)
        for (size_t i = 0; (api = kernel_api_row(i)) != NULL; i++)
            if (api->code == code)
                add_row(text, api);
    text_addz(text, not_judged);
    for (size_t i = 0; (name = kernel_api_not_judged(i, &reason)) != NULL; i++)
        text_printf(text, "| %s | %s |\n", name, reason);
}
