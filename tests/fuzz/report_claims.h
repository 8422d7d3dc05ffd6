/* report_claims.h - what a report's text must be, whatever image it is about.
 * Takes: bytes of a report.  Gives: answers found without the tool's own code.  Must not: use tool/report. */
#ifndef HVCIFIX_TESTS_FUZZ_REPORT_CLAIMS_H
#define HVCIFIX_TESTS_FUZZ_REPORT_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>

/* Offset of the first byte that is not part of valid UTF-8; nbytes when there is none. */
size_t first_bad_utf8(const char *text, size_t nbytes);

/* The same, and control characters are bad too: all but line feed and, with colors_allowed, escape. */
size_t first_bad_character(const char *text, size_t nbytes, bool colors_allowed);

/* Offset of the first byte at which the text is no JSON (RFC 8259, strictly: one value, no trailing commas,
 * no raw control characters in strings); nbytes when it is. */
size_t first_bad_json(const char *text, size_t nbytes);

/* Would MSBuild take this line (without its line feed) for an error or a warning? By the published pattern of
 * its canonical messages. */
bool is_diagnostic(const char *line, size_t nbytes);

#endif
