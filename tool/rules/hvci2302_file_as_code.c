/* hvci2302_file_as_code.c - no code maps files as images or executable.
 * Takes: the places that were found in code.  Gives: one finding for each.  Must not: judge sections that no
 * file backs (HVCI2001 does). */
#include "rules/integrity_findings.h"

static const struct integrity_rule words = {
    .rule = &hvci2302_file_as_code,
    .proved_level = LEVEL_WARNING,
    .does = "maps files as code",
    .windows = "With memory integrity what is mapped so does not become executable in the kernel unless "
               "Windows itself has checked it.",
    .cure = "Map files that are only read with PAGE_READONLY and SEC_COMMIT.",
};

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    return integrity_rule_judge(input, answer, &words);
}

const struct rule hvci2302_file_as_code = {
    .code = HVCI2302_FILE_AS_CODE,
    .name = "FileMappedAsCode",
    .title = "a file is mapped as code",
    .default_level = "warning; unknown: note",
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "A driver should not map a file as an image (SEC_IMAGE in ZwCreateSection) or with "
                    "PAGE_EXECUTE*: data files are not to be loaded as code. Where SEC_IMAGE is proved the "
                    "finding only warns, since a mapping that is only read does no harm. x86 and x64.",
            .windows = "With memory integrity code runs in the kernel only from images that Windows loaded "
                       "and checked. A view of a file does not become executable there, and calling into it "
                       "stops the system. Driver Verifier has no check for it, and neither has the HLK test "
                       "\"HyperVisor Code Integrity Readiness\".",
            .cure = "Read files as data, and leave loading of code to Windows.\n- before: "
                    "ZwCreateSection(&section, access, &attributes, NULL, PAGE_EXECUTE, SEC_IMAGE, file);\n- "
                    "after: ZwCreateSection(&section, access, &attributes, NULL, PAGE_READONLY, SEC_COMMIT, "
                    "file); and take the headers apart as data.\n- code of a second image: an export driver "
                    "(a kernel DLL) that Windows loads with the first.",
            .repair =
                "fix repairs the layout of an image and does not look at what its code does.\nRefused: asked "
                "for by name (--only HVCI2302), since the source alone knows what the code is for.",
        },
};
