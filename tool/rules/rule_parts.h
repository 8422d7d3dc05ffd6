/* rule_parts.h - what the rules share: the rules by name for the table, small questions about sections,
 * and the making of answers and of texts about places.
 * Takes: image, references.  Gives: values and texts in the arena.  Must not: judge.
 * Only files of tool/rules include this. */
#ifndef HVCIFIX_RULES_RULE_PARTS_H
#define HVCIFIX_RULES_RULE_PARTS_H

#include "rules/rule.h"

extern const struct rule hvci2000_executable_pool;
extern const struct rule hvci2001_executable_protection;
extern const struct rule hvci2002_executable_mdl;
extern const struct rule hvci2300_clears_write_protect;
extern const struct rule hvci2301_code_mapped_writable;
extern const struct rule hvci2302_file_as_code;
extern const struct rule hvci2303_executes_allocation;
extern const struct rule hvci2003_section_writable_executable;
extern const struct rule hvci2004_section_not_page_aligned;
extern const struct rule hvci2005_iat_executable;
extern const struct rule hvci2006_loader_data_executable;
extern const struct rule hvci2101_relocation_straddles;
extern const struct rule hvci2102_init_writable_executable;
extern const struct rule hvci2201_nx_compat;
extern const struct rule hvci2202_dynamic_base;
extern const struct rule hvci2203_high_entropy_va;
extern const struct rule hvci2204_guard_cf;
extern const struct rule hvci2205_cet_compat;
extern const struct rule hvci2206_force_integrity;
extern const struct rule hvci2207_checksum;
extern const struct rule hvci2208_signature;
extern const struct rule hvci2209_signature_stale;
extern const struct rule hvci2210_init_not_discardable;
extern const struct rule hvci2211_shared_writable;
extern const struct rule hvci2212_loader_data_writable;
extern const struct rule hvci2213_version_above_target;
extern const struct rule hvci2214_linker_makes_rwx_init;

/* Rights as the section header stores them. CNT_CODE alone does not make a page executable. */
static inline bool section_is_executable(const struct section *section)
{
    return (section->characteristics & SCN_MEM_EXECUTE) != 0;
}

static inline bool section_is_writable(const struct section *section)
{
    return (section->characteristics & SCN_MEM_WRITE) != 0;
}

/* Named exactly INIT (as the header stores it, upper case). */
bool section_is_named_init(const struct section *section);

/* The border between HVCI2003 and HVCI2102: named INIT and discardable. */
bool section_is_discardable_init(const struct section *section);

/* True when some section of the image has this name in its header. */
bool image_has_section(const struct image *image, const char *raw_name);

/* True when [rva, rva + nbytes) shares a byte with the section's memory, rounded up to SectionAlignment. */
bool section_holds_any(const struct image *image, const struct section *section, uint32_t rva,
                       uint32_t nbytes);

/* Set verdict and reason; false when memory ran out, so that a rule can end with them. */
bool answer_pass(const struct rule_input *input, struct rule_answer *answer, const char *format, ...)
    HVCIFIX_PRINTF(3, 4);
bool answer_fail(const struct rule_input *input, struct rule_answer *answer, const char *format, ...)
    HVCIFIX_PRINTF(3, 4);
bool answer_not_applicable(const struct rule_input *input, struct rule_answer *answer, const char *format,
                           ...) HVCIFIX_PRINTF(3, 4);

/* "code, discardable, execute, read, write": the flags that rules speak about. */
const char *characteristics_words(struct arena *arena, uint32_t characteristics);

/* "RVA 0x3010 (.rdata+0x10)", "RVA 0x10 (in the headers)" or "RVA 0x99000 (in no section)". */
const char *rva_words(struct arena *arena, const struct image *image, uint32_t rva);

/* " Part of it could not be read: <first problem's reason>", or "" when the sources of `needs` were read
 * without a problem. For the end of a reason, so that no pass hides what was not seen. */
const char *unread_words(const struct rule_input *input, uint32_t needs);

/* As rule_windows_words(), for a rule where the sentence about Driver Verifier would not be true:
 * `elsewhere` (without period) takes its place before "; memory integrity does not exist on <machine>.". */
const char *rule_windows_words_or(const struct rule_input *input, const char *memory_integrity,
                                  const char *elsewhere);

/* Evidence in the terms of Driver Verifier's bug check 0xC4: address of the section's header, name of the
 * section, and its flags in words. For kernel images it names `sub_code`, with which Driver Verifier stops.
 */
void evidence_section(const struct rule_input *input, struct finding *finding, unsigned sub_code,
                      const struct section *section);

#endif
