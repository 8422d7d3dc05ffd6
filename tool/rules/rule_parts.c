/* rule_parts.c - what the rules share: questions about sections, answers, texts about places.
 * Takes: image, references.  Gives: values and texts in the arena.  Must not: judge. */
#include "rules/rule_parts.h"

#include "base/text.h"

#include <string.h>

bool section_is_named_init(const struct section *section)
{
    return strcmp(section->raw_name, "INIT") == 0;
}

bool section_is_discardable_init(const struct section *section)
{
    return section_is_named_init(section) && (section->characteristics & SCN_MEM_DISCARDABLE) != 0;
}

bool image_has_section(const struct image *image, const char *raw_name)
{
    for (uint32_t i = 0; i < image->section_count; i++)
        if (strcmp(image->sections[i].raw_name, raw_name) == 0)
            return true;
    return false;
}

bool section_holds_any(const struct image *image, const struct section *section, uint32_t rva,
                       uint32_t nbytes)
{
    uint32_t memory_nbytes;
    if (!round_up_u32(section->memory_nbytes, image->section_alignment, &memory_nbytes))
        memory_nbytes = section->memory_nbytes;
    return ranges_overlap(rva, nbytes, section->rva, memory_nbytes);
}

static bool answer_set(const struct rule_input *input, struct rule_answer *answer, enum rule_verdict verdict,
                       const char *format, va_list arguments) HVCIFIX_PRINTF(4, 0);

static bool answer_set(const struct rule_input *input, struct rule_answer *answer, enum rule_verdict verdict,
                       const char *format, va_list arguments)
{
    answer->verdict = verdict;
    answer->reason = arena_vprintf(input->arena, format, arguments);
    return !input->arena->exhausted;
}

bool answer_pass(const struct rule_input *input, struct rule_answer *answer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool ok = answer_set(input, answer, RULE_PASS, format, arguments);
    va_end(arguments);
    return ok;
}

bool answer_fail(const struct rule_input *input, struct rule_answer *answer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool ok = answer_set(input, answer, RULE_FAIL, format, arguments);
    va_end(arguments);
    return ok;
}

bool answer_not_applicable(const struct rule_input *input, struct rule_answer *answer, const char *format,
                           ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool ok = answer_set(input, answer, RULE_NOT_APPLICABLE, format, arguments);
    va_end(arguments);
    return ok;
}

const char *characteristics_words(struct arena *arena, uint32_t characteristics)
{
    static const struct {
        uint32_t bit;
        const char *word;
    } words[] = {
        {SCN_CNT_CODE, "code"},
        {SCN_CNT_INITIALIZED_DATA, "initialized data"},
        {SCN_CNT_UNINITIALIZED_DATA, "uninitialized data"},
        {SCN_MEM_DISCARDABLE, "discardable"},
        {SCN_MEM_NOT_PAGED, "not paged"},
        {SCN_MEM_SHARED, "shared"},
        {SCN_MEM_EXECUTE, "execute"},
        {SCN_MEM_READ, "read"},
        {SCN_MEM_WRITE, "write"},
    };
    struct text text = {.arena = arena};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (characteristics & words[i].bit)
            text_printf(&text, "%s%s", text.nbytes ? ", " : "", words[i].word);
    return text.chars ? text.chars : "no rights";
}

const char *rva_words(struct arena *arena, const struct image *image, uint32_t rva)
{
    const struct section *section = image_section_at_rva(image, rva);
    if (section)
        return arena_printf(arena, "RVA 0x%X (%s+0x%X)", rva, section->name, rva - section->rva);
    if (rva < image->headers_nbytes)
        return arena_printf(arena, "RVA 0x%X (in the headers)", rva);
    return arena_printf(arena, "RVA 0x%X (in no section)", rva);
}

const char *unread_words(const struct rule_input *input, uint32_t needs)
{
    for (size_t i = 0; i < input->refs->problem_count; i++) {
        const struct ref_problem *problem = &input->refs->problems[i];
        if (needs & SOURCE_BIT(problem->source))
            return arena_printf(input->arena, " Part of it could not be read: %s", problem->reason);
    }
    return "";
}

static bool has_memory_integrity(const struct image *image)
{
    return image->machine == MACHINE_AMD64 || image->machine == MACHINE_ARM64 ||
           image->machine == MACHINE_ARM64X || image->machine == MACHINE_ARM64EC;
}

enum finding_level rule_level(const struct image *image, enum finding_level kernel_level)
{
    if (image->role == ROLE_KERNEL || kernel_level == LEVEL_OFF)
        return kernel_level;
    return LEVEL_NOTE;
}

const char *rule_windows_words_or(const struct rule_input *input, const char *memory_integrity,
                                  const char *elsewhere)
{
    const struct image *image = input->image;
    switch (image->role) {
    case ROLE_USER:
        return "Memory integrity judges kernel images only; this is a user-mode image, so this is a note.";
    case ROLE_FIRMWARE:
        return "Memory integrity judges images that the Windows kernel loads; this one is loaded before it, "
               "so this is a note.";
    case ROLE_KERNEL:
        break;
    }
    if (has_memory_integrity(image))
        return memory_integrity;
    return arena_printf(input->arena, "%s; memory integrity does not exist on %s.", elsewhere,
                        image_machine_name(image));
}

const char *rule_windows_words(const struct rule_input *input, const char *memory_integrity)
{
    return rule_windows_words_or(input, memory_integrity, "This fails Driver Verifier and policy");
}

const char *rule_describe_section(struct arena *arena, const struct section *section)
{
    return arena_printf(arena, "%s at header 0x%X (RVA 0x%X, characteristics 0x%08X)", section->name,
                        section->header_foff, section->rva, section->characteristics);
}

void evidence_section(const struct rule_input *input, struct finding *finding, unsigned sub_code,
                      const struct section *section)
{
    /* Headers are mapped at RVA 0, so a header's file offset is also its distance from the image base. */
    const char *stop = input->image->role == ROLE_KERNEL
                           ? arena_printf(input->arena, "Driver Verifier stop 0xC4/0x%X names ", sub_code)
                           : "";
    finding_evidence(input->arena, finding, "%ssection header at image base + 0x%X, section name \"%s\".",
                     stop, section->header_foff, section->name);
    finding_evidence(input->arena, finding, "Characteristics 0x%08X at file offset 0x%X: %s.",
                     section->characteristics, section->header_foff + SECTION_CHARACTERISTICS,
                     characteristics_words(input->arena, section->characteristics));
}
