/* data_section.h - is a section that is writable and executable one of data that nothing refers to?
 * Takes: image, references with code, code map, a section.  Gives: yes or no.
 * Must not: say yes because nothing was found; the bytes themselves have to speak for data.
 *
 * Code that walks its own headers finds such a section by its name, and may write there: it has to stay
 * writable, and can give up the right to execute instead. */
#ifndef HVCIFIX_CODE_DATA_SECTION_H
#define HVCIFIX_CODE_DATA_SECTION_H

#include "code/code_map.h"

/* Yes when the image is page-aligned, the linker did not mark the section as code, no reference of the
 * inventory leads into it and no table lies in it, none of its bytes was decoded as code, none of them begins
 * what decodes to a return, trap or jump in two instructions or more (at its begin: in one), and it has no 16
 * bytes of one kind of fill in a row, which may be room for code that is made at run time. Work linear in the
 * section's size and the inventory. False only when memory ran out. */
bool section_is_unnamed_data(const struct image *image, const struct refset *refs,
                             const struct code_map *code, const struct section *section, struct arena *arena,
                             bool *is_unnamed_data);

#endif
