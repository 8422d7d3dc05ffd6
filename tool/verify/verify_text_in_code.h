/* verify_text_in_code.h - text between functions that decodes as if it were code.
 * Takes: a field at which an instruction seems to be.  Gives: true when the bytes are text that nothing runs.
 * Must not: be asked for bytes of a function that unwind data bounds.
 *
 * With -cbstring, which Microsoft's driver kits used, literals lie between the functions. Letters decode as
 * instructions, and some as stores. Printable bytes hold no return, no jump that is always taken and no call:
 * as code they would run on through the zero behind them. So text whose begin decoded code takes the address
 * of is data (docs/ASSUMPTIONS.md, 2d). */
#ifndef HVCIFIX_VERIFY_VERIFY_TEXT_IN_CODE_H
#define HVCIFIX_VERIFY_VERIFY_TEXT_IN_CODE_H

#include "verify/verify_operand.h"

/* How many searches one proof may make. */
enum { TEXT_SEARCH_MAX_COUNT = 64 };

/* x64 only. *budget_count: how many more times the code may be searched for the instruction that takes the
 * text's address; none left gives false. */
bool verify_is_text_in_code(struct verify_code *code, const struct verify_field_in_code *field,
                            uint32_t *budget_count);

#endif
