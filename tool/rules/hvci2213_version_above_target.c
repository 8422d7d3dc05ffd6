/* hvci2213_version_above_target.c - the header asks for no Windows above the target.
 * Takes: versions in the optional header, the target.  Gives: one finding per version that is too high.
 * Must not: judge versions that are lower. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2213_version_above_target;

struct version {
    uint16_t major, minor;
};

static bool is_above(struct version a, struct version b)
{
    return a.major != b.major ? a.major > b.major : a.minor > b.minor;
}

/* What Windows of that release calls itself. */
static struct version version_of(enum windows_target target)
{
    switch (target) {
    case TARGET_7:
        return (struct version){6, 1};
    case TARGET_8:
        return (struct version){6, 2};
    case TARGET_8_1:
        return (struct version){6, 3};
    default:
        return (struct version){10, 0};
    }
}

static bool report(const struct rule_input *input, struct rule_answer *answer, const char *name,
                   unsigned offset, struct version found, struct version allowed)
{
    uint64_t foff = (uint64_t)input->image->opt_foff + offset;
    struct finding finding =
        build_finding(input, self, foff, "The %s version in the header is %u.%u; Windows %s is %u.%u.", name,
                      found.major, found.minor, target_name(input->target), allowed.major, allowed.minor);
    finding_evidence(input->arena, &finding, "It lies at file offset 0x%X.", (unsigned)foff);
    return build_fail(
        input, answer, &finding,
        "The image says that it was built for a later Windows; what it imports may not be there.",
        "Build for the target (WDK project: Driver Settings, Target OS Version), or link with "
        "/SUBSYSTEM:NATIVE,VERSION.");
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    struct version allowed = version_of(input->target);
    struct version system = {image->os_major, image->os_minor},
                   subsystem = {image->subsystem_major, image->subsystem_minor};
    if (image->role == ROLE_FIRMWARE)
        return answer_not_applicable(input, answer, "Firmware is not started by Windows.");
    if (is_above(system, allowed) && !report(input, answer, "system", OPT_MAJOR_OS_VERSION, system, allowed))
        return false;
    if (is_above(subsystem, allowed) &&
        !report(input, answer, "subsystem", OPT_MAJOR_SUBSYSTEM_VERSION, subsystem, allowed))
        return false;
    if (is_above(system, allowed) || is_above(subsystem, allowed))
        return true;
    return answer_pass(input, answer, "System %u.%u and subsystem %u.%u are not above Windows %s (%u.%u).",
                       system.major, system.minor, subsystem.major, subsystem.minor,
                       target_name(input->target), allowed.major, allowed.minor);
}

const struct rule hvci2213_version_above_target = {
    .code = HVCI2213_VERSION_ABOVE_TARGET,
    .name = "VersionAboveTarget",
    .title = "the header asks for a later Windows than the target",
    .default_level = "off, error when demanded",
    .demand = DEMAND_VERSIONS,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "OperatingSystemVersion and SubsystemVersion in the optional header are not above "
                    "those of the oldest Windows that must load the image: 6.1 for 7, 6.2 for 8, 6.3 for "
                    "8.1, 10.0 for all later ones. Demanded by versions-fit-target = yes in [require]. It"
                    " does not apply to firmware.",
            .windows = "Windows does not start a program whose subsystem version is above its own. Of a "
                       "driver the versions say which Windows it was built for: on an older one functions "
                       "that it imports may be missing, and it is not loaded "
                       "(STATUS_DRIVER_ENTRYPOINT_NOT_FOUND).",
            .cure = "Build for the oldest Windows that must load the image.\n"
                    "- link.exe: /SUBSYSTEM:NATIVE,6.01 (6.02, 6.03, 10.00) and /OSVERSION likewise.\n"
                    "- lld-link: /subsystem:native,6.01 and /osversion:6.1.\n"
                    "- GNU ld: --subsystem native:6.1, --major-os-version and --minor-os-version.\n"
                    "- WDK project: Driver Settings, Target OS Version; Linker, System, Minimum Required "
                    "Version (MinimumRequiredVersion).\n"
                    "- CMake: target_link_options(driver PRIVATE /SUBSYSTEM:NATIVE,6.01).",
            .repair = "fix does nothing about it, and refuses when asked for it by name: a lower number "
                      "would not make the functions be there.",
        },
};
