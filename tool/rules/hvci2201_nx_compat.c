/* hvci2201_nx_compat.c - the header says that data is not executed.
 * Takes: DllCharacteristics.  Gives: one finding when NX_COMPAT is not set.
 * Must not: look for code in data; the planner of the repair does. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2201_nx_compat;

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    return build_judge_flag(
        input, answer, self, (struct build_flag){"NX_COMPAT", DLLCHAR_NX_COMPAT},
        "The kernel protects data of a driver by the rights of its sections; checks of a build that look at "
        "the "
        "header reject an image that does not promise to live with it.",
        "Link with /NXCOMPAT, which is the default of link.exe and lld-link; remove /NXCOMPAT:NO.");
}

const struct rule hvci2201_nx_compat = {
    .code = HVCI2201_NX_COMPAT,
    .name = "NxCompat",
    .title = "NX_COMPAT is not set",
    .default_level = "off, error when demanded",
    .demand = DEMAND_NX_COMPAT,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "NX_COMPAT (0x0100) in DllCharacteristics says that the image runs when its data is "
                    "not executable. Demanded by nx-compat = yes in [require].",
            .windows = "For programs the flag decides whether the process gets data execution prevention. "
                       "For drivers Windows goes by the rights of sections and of pools whatever the flag "
                       "says, and memory integrity requires both; a driver without it was linked by old "
                       "tools or against their defaults. Microsoft's list for compatible drivers begins with"
                       " \"opt in to NX by default\". BinSkim asks the same of programs (BA2016).",
            .cure = "The flag is a default of every current linker.\n"
                    "- link.exe: /NXCOMPAT; remove /NXCOMPAT:NO.\n"
                    "- lld-link: the same options.\n"
                    "- GNU ld: --nxcompat; a default since binutils 2.36.\n"
                    "- WDK project: Linker, Advanced, Data Execution Prevention "
                    "(DataExecutionPrevention).\n"
                    "- CMake: target_link_options(driver PRIVATE /NXCOMPAT), with GNU ld "
                    "LINKER:--nxcompat.\n"
                    "- An image that is already linked: editbin /NXCOMPAT, then sign again.",
            .repair = "fix sets the flag when asked by name (fix --only HVCI2201), and enforce when the "
                      "policy's [fix] says so (HVCI2201 = enforce), in kernel images without evidence that "
                      "data is executed: entry point, functions of the exception table and targets of "
                      "Control Flow Guard lie in executable sections, and no section that is declared as "
                      "code lacks the right to execute. Otherwise it refuses; also for programs, where the "
                      "flag would change the whole process, and for a signed image unless --drop-signature "
                      "is given.",
        },
};
