/* hvci2204_guard_cf.c - Control Flow Guard, and a load configuration that carries it.
 * Takes: DllCharacteristics, load configuration.  Gives: one finding with all that is missing.
 * Must not: judge the entries of the function table. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2204_guard_cf;
static const struct build_flag guard_cf = {"GUARD_CF", DLLCHAR_GUARD_CF};

/* The load configuration as far as both its Size and the file go. */
static struct span load_configuration(const struct image *image)
{
    const struct directory *directory = image_directory(image, DIR_LOAD_CONFIG);
    uint32_t nbytes;
    struct span run = directory ? image_run_at_rva(image, directory->rva) : (struct span){NULL, 0};
    if (span_u32(run, LC_SIZE, &nbytes) && nbytes < run.nbytes)
        run.nbytes = nbytes;
    return run;
}

/* A field of pointer width; 0 when the structure does not reach so far. */
static uint64_t field_of(const struct image *image, struct span structure, uint32_t offset_32,
                         uint32_t offset_64)
{
    unsigned nbytes = image_pointer_nbytes(image);
    struct span field;
    return span_part(structure, image_pick(image, offset_32, offset_64), nbytes, &field)
               ? load_width(field.bytes, nbytes)
               : 0;
}

/* Does the address lie in a section? */
static const struct section *section_of(const struct image *image, uint64_t va)
{
    uint32_t rva;
    return va != 0 && image_va_to_rva(image, va, &rva) ? image_section_at_rva(image, rva) : NULL;
}

/* What is wrong with the load configuration of an image with GUARD_CF; NULL when nothing is. */
static const char *fault_of(const struct rule_input *input)
{
    const struct image *image = input->image;
    struct span structure = load_configuration(image);
    uint32_t flags = 0, table_rva;
    if (structure.nbytes == 0)
        return "the image has no load configuration";
    if (!span_u32(structure, image_pick(image, LC_GUARD_FLAGS_32, LC_GUARD_FLAGS_64), &flags))
        return "the load configuration ends before GuardFlags";
    if (!(flags & GUARD_FLAG_CF_INSTRUMENTED))
        return arena_printf(input->arena,
                            "GuardFlags 0x%08X lack CF_INSTRUMENTED (0x100): the compiler was not "
                            "told to check calls",
                            flags);
    if (!section_of(image,
                    field_of(image, structure, LC_GUARD_CF_CHECK_POINTER_32, LC_GUARD_CF_CHECK_POINTER_64)))
        return "GuardCFCheckFunctionPointer leads nowhere";
    if (!(flags & GUARD_FLAG_TABLE_PRESENT))
        return arena_printf(input->arena, "GuardFlags 0x%08X lack CF_FUNCTION_TABLE_PRESENT (0x400)", flags);
    uint64_t count = field_of(image, structure, LC_GUARD_CF_FUNCTION_COUNT_32, LC_GUARD_CF_FUNCTION_COUNT_64);
    uint64_t table_va =
        field_of(image, structure, LC_GUARD_CF_FUNCTION_TABLE_32, LC_GUARD_CF_FUNCTION_TABLE_64);
    uint64_t stride_nbytes = 4 + (flags >> GUARD_FLAG_STRIDE_SHIFT);
    if (count == 0)
        return NULL; /* no function's address is taken */
    const struct section *section = section_of(image, table_va);
    if (!section || !image_va_to_rva(image, table_va, &table_rva) || count > UINT32_MAX ||
        image_run_at_rva(image, table_rva).nbytes < count * stride_nbytes)
        return arena_printf(input->arena, "GuardCFFunctionTable with %llu functions is not inside a section",
                            (unsigned long long)count);
    if (section_is_writable(section))
        return arena_printf(input->arena, "GuardCFFunctionTable lies in the writable section %s",
                            section->name);
    return NULL;
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    static const char windows[] =
        "Where memory integrity is on, Windows 10 1703 and later check the targets of indirect calls of "
        "drivers with Control Flow Guard; in this one they are not checked.";
    static const char cure[] =
        "Compile and link with /guard:cf (WDK project: C/C++, Code Generation, Control Flow Guard).";
    if (image->machine == MACHINE_IA64 || image->machine == MACHINE_EBC)
        return answer_not_applicable(input, answer, "Control Flow Guard does not exist on %s.",
                                     image_machine_name(image));
    bool has_flag = build_has_flag(image, guard_cf);
    const char *fault = has_flag ? fault_of(input) : NULL;
    if (has_flag && !fault)
        return answer_pass(input, answer, "GUARD_CF is set, and the load configuration carries it.");
    struct finding finding =
        has_flag ? build_finding(input, self, build_flags_foff(image), "GUARD_CF is set, but %s.", fault)
                 : build_finding(input, self, build_flags_foff(image), "GUARD_CF is not set in the header.");
    build_flag_evidence(input, &finding, guard_cf);
    return build_fail(input, answer, &finding, windows, cure);
}

const struct rule hvci2204_guard_cf = {
    .code = HVCI2204_GUARD_CF,
    .name = "GuardCf",
    .title = "no Control Flow Guard",
    .default_level = "off, error when demanded",
    .demand = DEMAND_GUARD_CF,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "GUARD_CF (0x4000) in DllCharacteristics, and a load configuration that the compiler "
                    "filled: GuardFlags with CF_INSTRUMENTED and CF_FUNCTION_TABLE_PRESENT, a pointer for"
                    " the check function, and a function table inside a section that is only read. "
                    "Demanded by guard-cf = yes in [require].",
            .windows = "With memory integrity on, Windows 10 1703 and later run Control Flow Guard in the "
                       "kernel and stop a driver that calls what is no function (bug check 0x139). An image "
                       "without it is loaded, but not protected. Microsoft's driver security checklist asks "
                       "for it; BinSkim calls it BA2008.",
            .cure = "The compiler has to put checks into the code.\n"
                    "- link.exe: /guard:cf for cl and for link, with /DYNAMICBASE.\n"
                    "- lld-link: /guard:cf, with clang-cl /guard:cf (clang -mguard=cf).\n"
                    "- GNU ld: gcc has no Control Flow Guard; compile with clang -mguard=cf and link with"
                    " lld.\n"
                    "- WDK project: C/C++, Code Generation, Control Flow Guard (ControlFlowGuard = "
                    "Guard), and Linker, Advanced (LinkControlFlowGuard).\n"
                    "- CMake: target_compile_options(driver PRIVATE /guard:cf) and "
                    "target_link_options(driver PRIVATE /guard:cf).",
            .repair = "fix does nothing about it, and refuses when asked for it by name: checks cannot be "
                      "put into a finished image, and the flag without them "
                      "would be a lie.",
        },
};
