/* options_table.c - every verb and every option, once.
 * Takes nothing.  Gives: the tables that parsing and --help read.  Must not: hold logic. */
#include "cli/options.h"

enum {
    ON_IMAGES = VERB_BIT(VERB_CHECK) | VERB_BIT(VERB_FIX) | VERB_BIT(VERB_SHOW) | VERB_BIT(VERB_ENFORCE),
    ON_REPORTS = ON_IMAGES | VERB_BIT(VERB_VERIFY),
    ON_ALL = ON_REPORTS | VERB_BIT(VERB_EXPLAIN) | VERB_BIT(VERB_RULES) | VERB_BIT(VERB_POLICY)
};

const struct option_row option_rows[] = {
    {OPTION_TARGET, "--target", NULL, "WINDOWS",
     "the oldest Windows that must load the image: 7, 8.1, 1607, 1703 (default), 11, server-2019, ...",
     ON_IMAGES},
    {OPTION_POLICY, "--policy", NULL, "FILE", "levels, waivers and target as this policy file says",
     VERB_BIT(VERB_CHECK) | VERB_BIT(VERB_RULES) | VERB_BIT(VERB_ENFORCE)},
    {OPTION_ON_FAIL, "--on-fail", NULL, "WHAT",
     "what becomes of a rejected image: rename (default, to IMAGE.rejected), delete, keep",
     VERB_BIT(VERB_ENFORCE)},
    {OPTION_PRESET, "--preset", NULL, "NAME", "begin with windows-11, windows-10-1507, whcp or audit",
     VERB_BIT(VERB_POLICY)},
    {OPTION_NO_CODE, "--no-code", NULL, NULL, "do not read instructions",
     VERB_BIT(VERB_CHECK) | VERB_BIT(VERB_SHOW)},
    {OPTION_OUT, "--out", "-o", "OUT", "write the repaired image to OUT", VERB_BIT(VERB_FIX)},
    {OPTION_IN_PLACE, "--in-place", NULL, NULL, "replace the image itself", VERB_BIT(VERB_FIX)},
    {OPTION_DRY_RUN, "--dry-run", NULL, NULL, "print the plan and its proof; write nothing",
     VERB_BIT(VERB_FIX)},
    {OPTION_MAP, "--map", NULL, "FILE", "write where each piece of the old image went, as JSON",
     VERB_BIT(VERB_FIX)},
    {OPTION_DROP_SIGNATURE, "--drop-signature", NULL, NULL,
     "allow a signed image to be rewritten; its certificate table is removed", VERB_BIT(VERB_FIX)},
    {OPTION_ONLY, "--only", NULL, "CODE", "repair this rule only, whatever else remains; may be repeated",
     VERB_BIT(VERB_FIX)},
    {OPTION_REFERENCES, "--references", NULL, NULL, "list every place that holds an address",
     VERB_BIT(VERB_SHOW)},
    {OPTION_REGIONS, "--regions", NULL, NULL, "list the regions of the file and of its code",
     VERB_BIT(VERB_SHOW)},
    {OPTION_AFTER, "--after", NULL, "NEW", "draw the pages of IMAGE and of its repaired form NEW together",
     VERB_BIT(VERB_SHOW)},
    {OPTION_JOBS, "--jobs", NULL, "N",
     "work on N images at a time (default: one for each core); reports are the same for any N", ON_IMAGES},
    {OPTION_FORMAT, "--format", NULL, "FORMAT", "text (default) or json; for rules: text or markdown",
     ON_REPORTS | VERB_BIT(VERB_RULES)},
    {OPTION_OUTPUT, "--output", NULL, "FILE", "write the report to FILE instead of standard output", ON_ALL},
    {OPTION_QUIET, "--quiet", "-q", NULL, "findings only: no details, no summary", ON_REPORTS},
    {OPTION_COLOR, "--color", NULL, "WHEN", "auto (default; NO_COLOR is honoured), always, never", ON_ALL},
    {OPTION_HELP, "--help", "-h", NULL, "print this help", ON_ALL},
    {OPTION_VERSION, "--version", NULL, NULL, "print the version", ON_ALL},
};
const size_t option_row_count = sizeof option_rows / sizeof option_rows[0];

const struct verb_row verb_rows[VERB_COUNT] = {
    {VERB_CHECK, "check", "IMAGE|FOLDER...", "judge images",
     "Judges each image against the rules of memory integrity (HVCI) and prints one line a finding, with "
     "the\n"
     "evidence, what Windows does about it, and the cure at the source. Folders are searched for images.\n"
     "Nothing is ever written to an image.",
     "hvcifix check build/mydriver.sys            judge one driver\n"
     "  hvcifix check --format json out/ > hvci.json  judge every image below out/"},
    {VERB_FIX, "fix", "IMAGE (-o OUT | --in-place)", "repair, verify, write",
     "Repairs what can be repaired with proof. The repaired file is read back and compared with the original "
     "by an\n"
     "independent verifier before it replaces anything; what cannot be proved is refused with the reason, "
     "and nothing\n"
     "is written. An image with nothing to repair is copied to OUT unchanged.",
     "hvcifix fix old.sys -o new.sys              write a repaired copy\n"
     "  hvcifix fix --dry-run old.sys               see the plan first"},
    {VERB_VERIFY, "verify", "OLD NEW", "prove that NEW is OLD but for what is explained",
     "Compares two images with the independent verifier: every difference is explained and justified from "
     "the bytes of\n"
     "both files, or NEW is refuted with the first place that is not.",
     "hvcifix verify old.sys new.sys              exit 0: proved, 1: refuted"},
    {VERB_SHOW, "show", "IMAGE...", "draw the pages of an image",
     "Draws the image page by page: permissions, sections, what lies there, and which rule objects.",
     "hvcifix show mydriver.sys                   the picture\n"
     "  hvcifix show old.sys --after new.sys        before and after a repair\n"
     "  hvcifix show --references mydriver.sys      every place that holds an address"},
    {VERB_EXPLAIN, "explain", "CODE", "what a rule means and how to cure it",
     "Prints what the rule demands, what Windows does about it, the cure for each tool chain, and what fix "
     "does.",
     "hvcifix explain HVCI2005"},
    {VERB_RULES, "rules", "", "list the rules",
     "Lists every rule with its code and default level; with --policy, what holds by that policy, and which "
     "file and line\n"
     "says so.",
     "hvcifix rules\n"
     "  hvcifix rules --policy hvcifix.ini"},
    {VERB_POLICY, "policy", "init | check FILE", "write or judge a policy file",
     "init writes a commented policy file with every key. check judges one: a line that is not understood, "
     "a waiver\n"
     "without reason or end, one that has expired. A file with errors allows nothing: whatever uses it ends "
     "with 2.",
     "hvcifix policy init --preset windows-11 --output hvcifix.ini\n"
     "  hvcifix policy check hvcifix.ini"},
    {VERB_ENFORCE, "enforce", "IMAGE|FOLDER... --policy FILE", "the step behind the linker",
     "Judges each image by the policy, repairs and verifies in place what the policy lets it repair, and "
     "rejects the\n"
     "rest: a rejected image is renamed to IMAGE.rejected, so that no later step signs or ships it. Images "
     "that need\n"
     "no repair are not written to. In mode audit it changes nothing, says what would happen, and ends "
     "with 0.",
     "hvcifix enforce --policy hvcifix.ini x64/Release/mydriver.sys"},
};
