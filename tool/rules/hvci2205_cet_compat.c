/* hvci2205_cet_compat.c - ready for hardware shadow stacks.
 * Takes: the debug directory.  Gives: one finding when no entry says CET_COMPAT.
 * Must not: look at code. */
#include "rules/build_rules.h"

static const struct rule *const self = &hvci2205_cet_compat;

enum cet_answer { CET_NO_ENTRY, CET_NOT_SET, CET_SET };

/* The first entry of type EX_DLLCHARACTERISTICS; its value goes to *value, its place to *foff. */
static enum cet_answer read_entry(const struct image *image, uint32_t *value, uint64_t *foff)
{
    enum { MOST_ENTRIES = 4096 };
    const struct directory *directory = image_directory(image, DIR_DEBUG);
    struct span entries = directory ? image_run_at_rva(image, directory->rva) : (struct span){NULL, 0};
    if (directory && directory->nbytes < entries.nbytes)
        entries.nbytes = directory->nbytes;
    for (size_t i = 0; i < MOST_ENTRIES && (i + 1) * DEBUG_ENTRY_NBYTES <= entries.nbytes; i++) {
        const uint8_t *entry = entries.bytes + i * DEBUG_ENTRY_NBYTES;
        struct span data;
        if (load_u32(entry + DEBUG_TYPE) != DEBUG_TYPE_EX_DLLCHARACTERISTICS)
            continue;
        *foff = load_u32(entry + DEBUG_POINTER_TO_RAW_DATA);
        /* Windows reads it in memory, by its RVA. */
        if (load_u32(entry + DEBUG_SIZE_OF_DATA) < 4 ||
            !image_bytes_at_rva(image, load_u32(entry + DEBUG_ADDRESS_OF_RAW_DATA), 4, &data))
            return CET_NO_ENTRY;
        *value = load_u32(data.bytes);
        return *value & EX_DLLCHAR_CET_COMPAT ? CET_SET : CET_NOT_SET;
    }
    return CET_NO_ENTRY;
}

static bool judge(const struct rule_input *input, struct rule_answer *answer)
{
    const struct image *image = input->image;
    uint32_t value = 0;
    uint64_t foff = NO_FILE_OFFSET;
    if (image->machine != MACHINE_AMD64)
        return answer_not_applicable(input, answer, "CETCOMPAT exists for x64; this is %s.",
                                     image_machine_name(image));
    enum cet_answer found = read_entry(image, &value, &foff);
    if (found == CET_SET)
        return answer_pass(input, answer, "The debug directory says CET_COMPAT (0x%X).", value);
    struct finding finding =
        found == CET_NOT_SET
            ? build_finding(input, self, foff,
                            "CET_COMPAT is not set in the debug directory's "
                            "EX_DLLCHARACTERISTICS (0x%X).",
                            value)
            : build_finding(input, self, NO_FILE_OFFSET,
                            "CET_COMPAT is not set: the debug directory has no readable entry "
                            "EX_DLLCHARACTERISTICS.");
    return build_fail(
        input, answer, &finding,
        "Windows 11 with kernel-mode hardware-enforced stack protection counts drivers without it "
        "as not known to live with shadow stacks.",
        "Link with /CETCOMPAT, and compile without code that changes return addresses.");
}

const struct rule hvci2205_cet_compat = {
    .code = HVCI2205_CET_COMPAT,
    .name = "CetCompat",
    .title = "not marked as ready for shadow stacks",
    .default_level = "off, error when demanded",
    .demand = DEMAND_CET_COMPAT,
    .needs = 0,
    .judge = judge,
    .text =
        {
            .what = "CET_COMPAT (1) in the debug directory's entry EX_DLLCHARACTERISTICS (type 20) says "
                    "that the image works with hardware shadow stacks: each return goes to where the call"
                    " came from. It applies to x64. Demanded by cet-compat = yes in [require].",
            .windows = "Windows 11 22H2 and later can protect kernel stacks by hardware; it needs memory "
                       "integrity. A driver that fights with return addresses stops the system then (bug "
                       "check 0x139). The mark says that somebody has looked; BinSkim asks for it as BA2025.",
            .cure = "The linker writes the mark; whether it is true depends on assembly code and on what "
                    "patches stacks.\n"
                    "- link.exe: /CETCOMPAT, from Visual Studio 2019 on.\n"
                    "- lld-link: /cetcompat.\n"
                    "- GNU ld: it has no such option; link with lld-link.\n"
                    "- WDK project: Linker, Advanced, CET Shadow Stack Compatible (CETCompat).\n"
                    "- CMake: target_link_options(driver PRIVATE /CETCOMPAT).",
            .repair = "fix does nothing about it, and refuses when asked for it by name: whether code lives "
                      "with shadow stacks is not seen in the header, so "
                      "nobody but its author can say so.",
        },
};
