/* clr_stub.h - the import stub that compilers put into managed images.
 * Takes: image and import references.  Gives: yes or no.  Must not: judge. */
#ifndef HVCIFIX_RULES_CLR_STUB_H
#define HVCIFIX_RULES_CLR_STUB_H

#include "rules/rule_parts.h"

/* True when the image has a CLR header and its only import is _CorExeMain or _CorDllMain of mscoree.dll,
 * with one slot and its terminator. Sets *import_name (static text). */
bool image_has_clr_stub(const struct rule_input *input, const char **import_name);

#endif
