/* options_table.c - every verb and every option, once.
 * Takes nothing.  Gives: the tables that parsing and --help read.  Must not: hold logic. */
#include "cli/options.h"

enum {
    ENFORCING = VERB_BIT(VERB_ENFORCE) | VERB_BIT(VERB_LINK),
    ON_IMAGES = VERB_BIT(VERB_CHECK) | VERB_BIT(VERB_FIX) | VERB_BIT(VERB_SHOW) | ENFORCING,
    ON_REPORTS = ON_IMAGES | VERB_BIT(VERB_VERIFY) | VERB_BIT(VERB_RESTORE) | VERB_BIT(VERB_DOCTOR),
    ON_REPORT_FILES = VERB_BIT(VERB_CHECK) | VERB_BIT(VERB_FIX) | ENFORCING,
    ON_BASELINE = VERB_BIT(VERB_CHECK) | ENFORCING,
    ON_ALL = ON_REPORTS | VERB_BIT(VERB_EXPLAIN) | VERB_BIT(VERB_RULES) | VERB_BIT(VERB_POLICY) |
             VERB_BIT(VERB_TRANSLATE) | VERB_BIT(VERB_HELP)
};

const struct option_row option_rows[] = {
    {OPTION_TARGET, "--target", NULL, "WINDOWS",
     "the oldest Windows that must load the image: 7, 8.1, 1607, 1703 (default), 11, server-2019, ...",
     ON_IMAGES | VERB_BIT(VERB_DOCTOR), OPTION_TARGETS},
    {OPTION_POLICY, "--policy", NULL, "FILE",
     "levels, waivers and target as this policy file says; preset:windows-11 and the like are presets",
     VERB_BIT(VERB_CHECK) | VERB_BIT(VERB_RULES) | ENFORCING, NULL},
    {OPTION_MODE, "--mode", NULL, "MODE",
     "audit (only report), fix (repair, reject the rest) or reject (repair nothing), whatever the policy "
     "says",
     ENFORCING, "audit fix reject"},
    {OPTION_DEFAULT_TARGET, "--default-target", NULL, "WINDOWS", "the target where the policy sets none",
     ENFORCING, OPTION_TARGETS},
    {OPTION_WARNINGS_AS_ERRORS, "--warnings-as-errors", NULL, NULL,
     "findings that are warnings count as errors, unless they are waived", ENFORCING, NULL},
    {OPTION_POLICY_FILES, "--policy-files", NULL, "FILE",
     "write the names of the policy files that were read to FILE, one a line", ENFORCING, NULL},
    {OPTION_ON_FAIL, "--on-fail", NULL, "WHAT",
     "what becomes of a rejected image: rename (default, to IMAGE.rejected), delete, keep", ENFORCING,
     "rename delete keep"},
    {OPTION_PRESET, "--preset", NULL, "NAME", "begin with windows-11, windows-10-1507, whcp or audit",
     VERB_BIT(VERB_POLICY), OPTION_PRESETS},
    {OPTION_NO_CODE, "--no-code", NULL, NULL, "do not read instructions",
     VERB_BIT(VERB_CHECK) | VERB_BIT(VERB_SHOW), NULL},
    {OPTION_SYMBOLS, "--symbols", NULL, "PATH",
     "name functions by this PDB or linker's map, or by NAME.pdb or NAME.map of each image in this folder",
     VERB_BIT(VERB_CHECK) | VERB_BIT(VERB_SHOW) | ENFORCING, NULL},
    {OPTION_ALL_RULES, "--all-rules", NULL, NULL,
     "judge by the rules of build policy (HVCI22xx) too that no policy demands; what fails is a note",
     VERB_BIT(VERB_CHECK), NULL},
    {OPTION_OUT, "--out", "-o", "OUT",
     "write the repaired image, or the package with its images repaired, to OUT; restore: the original",
     VERB_BIT(VERB_FIX) | VERB_BIT(VERB_RESTORE), NULL},
    {OPTION_IN_PLACE, "--in-place", NULL, NULL, "replace the image itself", VERB_BIT(VERB_FIX), NULL},
    {OPTION_NO_UNDO, "--no-undo", NULL, NULL, "with --in-place: leave no undo file beside the image",
     VERB_BIT(VERB_FIX), NULL},
    {OPTION_DRY_RUN, "--dry-run", NULL, NULL,
     "print the plan and its proof (restore: whether it can be done); write nothing",
     VERB_BIT(VERB_FIX) | VERB_BIT(VERB_RESTORE), NULL},
    {OPTION_MAP, "--map", NULL, "FILE", "write where each piece of the old image went, as JSON",
     VERB_BIT(VERB_FIX), NULL},
    {OPTION_LINKER_MAP, "--linker-map", NULL, "FILE",
     "write a map of the repaired image as linkers do (.map), for tools that read those", VERB_BIT(VERB_FIX),
     NULL},
    {OPTION_TO_OLD, "--to-old", NULL, NULL, "addresses are of the repaired image (default)",
     VERB_BIT(VERB_TRANSLATE), NULL},
    {OPTION_TO_NEW, "--to-new", NULL, NULL, "addresses are of the image before the repair",
     VERB_BIT(VERB_TRANSLATE), NULL},
    {OPTION_MODULE, "--module", NULL, "NAME", "how the log names the driver, where it is not the file's name",
     VERB_BIT(VERB_TRANSLATE), ""},
    {OPTION_BASE, "--base", NULL, "ADDRESS",
     "where the driver was loaded: addresses that stand alone are translated, too", VERB_BIT(VERB_TRANSLATE),
     ""},
    {OPTION_DROP_SIGNATURE, "--drop-signature", NULL, NULL,
     "allow a signed image to be rewritten; its certificate table is removed", VERB_BIT(VERB_FIX), NULL},
    {OPTION_SIGN_WITH, "--sign-with", NULL, "COMMAND",
     "sign what is repaired before it is written: {} is the file, {out} another that the signer writes",
     VERB_BIT(VERB_FIX), ""},
    {OPTION_PARTIAL, "--partial", NULL, NULL,
     "write a package although an image in it was refused; that image stays as it is", VERB_BIT(VERB_FIX),
     NULL},
    {OPTION_EXTRACT, "--extract", NULL, NULL,
     "write the images that a program carries to the folder OUT, repaired", VERB_BIT(VERB_FIX), NULL},
    {OPTION_DRIVER_VER, "--driver-ver", NULL, "DATE,VERSION",
     "set DriverVer in the INF files of a package, such as 06/21/2024,1.2.0.0", VERB_BIT(VERB_FIX), ""},
    {OPTION_NX, "--nx", NULL, NULL,
     "change what the driver does: calls that may ask for executable memory get the no-execute flag",
     VERB_BIT(VERB_FIX), NULL},
    {OPTION_PDB, "--pdb", NULL, "FILE",
     "the PDB that is written anew when parts of the image move (default: the one beside it, if any)",
     VERB_BIT(VERB_FIX), NULL},
    {OPTION_NO_PDB, "--no-pdb", NULL, NULL, "look for no PDB: the image keeps its identity",
     VERB_BIT(VERB_FIX), NULL},
    {OPTION_KEEP_PDB_ID, "--keep-pdb-id", NULL, NULL,
     "refuse a repair with which the PDB would not stay valid as it is", VERB_BIT(VERB_FIX), NULL},
    {OPTION_NEW_PDB_ID, "--new-pdb-id", NULL, NULL,
     "accept that NEW names its PDB by another GUID, as fix makes it with a PDB", VERB_BIT(VERB_VERIFY),
     NULL},
    {OPTION_ONLY, "--only", NULL, "CODE",
     "repair this rule, and what a new layout cures with it, whatever else remains; may be repeated",
     VERB_BIT(VERB_FIX), OPTION_RULES},
    {OPTION_REFERENCES, "--references", NULL, NULL, "list every place that holds an address",
     VERB_BIT(VERB_SHOW), NULL},
    {OPTION_REGIONS, "--regions", NULL, NULL, "list the regions of the file and of its code",
     VERB_BIT(VERB_SHOW), NULL},
    {OPTION_CALLS, "--calls", NULL, NULL, "list the calls of Windows, with what is known of their arguments",
     VERB_BIT(VERB_SHOW), NULL},
    {OPTION_AFTER, "--after", NULL, "NEW", "draw the pages of IMAGE and of its repaired form NEW together",
     VERB_BIT(VERB_SHOW), NULL},
    {OPTION_JOBS, "--jobs", "-j", "N",
     "work on N images at a time (default: one for each core); reports are the same for any N", ON_IMAGES,
     ""},
    {OPTION_FORMAT, "--format", NULL, "FORMAT",
     "text (default) or json; check, fix, enforce: also sarif or html; rules: also markdown",
     ON_REPORTS | VERB_BIT(VERB_RULES), "text json sarif html markdown"},
    {OPTION_OUTPUT, "--output", NULL, "FILE", "write the report to FILE instead of standard output", ON_ALL,
     NULL},
    {OPTION_REPORT, "--report", NULL, "FILE",
     "write a report to FILE as well: .txt, .json, .sarif or .html, and .gz behind it; may be repeated",
     ON_REPORT_FILES, NULL},
    {OPTION_SARIF_PROFILE, "--sarif-profile", NULL, "PROFILE",
     "spec (default): places in the binary; github: what GitHub's code scanning shows", ON_REPORT_FILES,
     "spec github"},
    {OPTION_SARIF_ANCHOR, "--sarif-anchor", NULL, "FILE:LINE",
     "github profile: show findings at this line of a file of the repository", ON_REPORT_FILES, NULL},
    {OPTION_SARIF_CATEGORY, "--sarif-category", NULL, "TEXT",
     "SARIF: what tells this run from others of one commit, such as driver/Release/x64", ON_REPORT_FILES, ""},
    {OPTION_SARIF_PASSES, "--sarif-passes", NULL, NULL,
     "SARIF: list also the rules that an image passes, and those that do not apply", ON_REPORT_FILES, NULL},
    {OPTION_BASELINE, "--baseline", NULL, "OLD.sarif",
     "only findings that this earlier report does not have fail; the others are marked", ON_BASELINE, NULL},
    {OPTION_NULL, "--null", "-0", NULL, "paths from standard input (-) end with NUL instead of a line end",
     VERB_BIT(VERB_CHECK) | VERB_BIT(VERB_FIX) | VERB_BIT(VERB_ENFORCE), NULL},
    {OPTION_QUIET, "--quiet", "-q", NULL, "findings only: no details, no summary",
     ON_REPORTS | VERB_BIT(VERB_TRANSLATE), NULL},
    {OPTION_COLOR, "--color", NULL, "WHEN", "auto (default; NO_COLOR is honoured), always, never", ON_ALL,
     "auto always never"},
    {OPTION_HELP, "--help", "-h", NULL, "print this help", ON_ALL, NULL},
    {OPTION_VERSION, "--version", NULL, NULL, "print the version", ON_ALL, NULL},
};
const size_t option_row_count = sizeof option_rows / sizeof option_rows[0];

const struct verb_row verb_rows[VERB_COUNT] = {
    {VERB_CHECK, "check", "IMAGE|FOLDER|ARCHIVE...", "judge images",
     "Judges each image against the rules of memory integrity (HVCI) and prints one line a finding, with "
     "the\n"
     "evidence, what Windows does about it, and the cure at the source. Folders, zip and cab archives,\n"
     "and what programs carry as resources are searched for images; - reads paths from standard input.\n"
     "Nothing is ever written to an image.",
     "hvcifix check build/mydriver.sys            judge one driver\n"
     "  hvcifix check --format json out/ > hvci.json  judge every image below out/\n"
     "  hvcifix check drivers.zip setup.exe         judge what is packed in them",
     NULL},
    {VERB_FIX, "fix", "IMAGE|PACKAGE (-o OUT | --in-place)", "repair, verify, write",
     "Repairs what can be repaired with proof. The repaired file is read back and compared with the original "
     "by an\n"
     "independent verifier before it replaces anything; what cannot be proved is refused with the reason, "
     "and nothing\n"
     "is written. An image with nothing to repair is copied to OUT unchanged. --in-place leaves what leads "
     "back "
     "in\n"
     "IMAGE.hvcifix-undo (restore). Of a folder, zip or cab the driver\n"
     "images are repaired into the new package OUT; all else stays as it is, which is compared before OUT is "
     "there.",
     "hvcifix fix old.sys -o new.sys              write a repaired copy\n"
     "  hvcifix fix --in-place old.sys              replace it; \"hvcifix restore old.sys\" goes back\n"
     "  hvcifix fix --dry-run old.sys               see the plan first\n"
     "  hvcifix fix drivers.zip -o repaired.zip     the images of a driver package",
     NULL},
    {VERB_VERIFY, "verify", "OLD NEW", "prove that NEW is OLD but for what is explained",
     "Compares two images with the independent verifier: every difference is explained and justified from "
     "the bytes of\n"
     "both files, or NEW is refuted with the first place that is not.",
     "hvcifix verify old.sys new.sys              exit 0: proved, 1: refuted", NULL},
    {VERB_SHOW, "show", "IMAGE...", "draw the pages of an image",
     "Draws the image page by page: permissions, sections, what lies there, and which rule objects.",
     "hvcifix show mydriver.sys                   the picture\n"
     "  hvcifix show old.sys --after new.sys        before and after a repair\n"
     "  hvcifix show --references mydriver.sys      every place that holds an address",
     NULL},
    {VERB_EXPLAIN, "explain", "CODE", "what a rule means and how to cure it",
     "Prints what the rule demands, what Windows does about it, the cure for each tool chain, and what fix "
     "does.",
     "hvcifix explain HVCI2005", OPTION_CODES},
    {VERB_RULES, "rules", "", "list the rules",
     "Lists every rule with its code and default level; with --policy, what holds by that policy, and which "
     "file and line\n"
     "says so.",
     "hvcifix rules\n"
     "  hvcifix rules --policy hvcifix.ini",
     ""},
    {VERB_POLICY, "policy", "init | check FILE", "write or judge a policy file",
     "init writes a commented policy file with every key. check judges one: a line that is not understood, "
     "a waiver\n"
     "without reason or end, one that has expired. A file with errors allows nothing: whatever uses it ends "
     "with 2.",
     "hvcifix policy init --preset windows-11 --output hvcifix.ini\n"
     "  hvcifix policy check hvcifix.ini",
     "init check"},
    {VERB_RESTORE, "restore", "IMAGE...", "undo a repair in place",
     "Puts the original back in the place of an image that fix --in-place has repaired, byte for byte, by "
     "the "
     "undo file\n"
     "IMAGE.hvcifix-undo beside it, and removes that file. The image must be the repaired one, signed since "
     "or "
     "not, and\n"
     "the original must have the SHA-256 that the undo file names; else nothing is touched. show tells what "
     "an "
     "undo file\n"
     "holds.",
     "hvcifix restore mydriver.sys                the original is back\n"
     "  hvcifix restore mydriver.sys -o old.sys     write it elsewhere, keep the repaired image\n"
     "  hvcifix show mydriver.sys.hvcifix-undo      what was changed, and why",
     NULL},
    {VERB_DOCTOR, "doctor", "DRIVER|PACKAGE", "one page: what is wrong, and what to do",
     "Examines a driver, or a folder, zip, cab or installer with drivers, and prints one page for its owner: "
     "who "
     "may sign\n"
     "it, what is wrong, what can be repaired with proof, what changes, what stays, and the next commands, "
     "ready to "
     "paste.\n"
     "It writes nothing.",
     "hvcifix doctor mydriver.sys                 a lone driver\n"
     "  hvcifix doctor driver-package/              a folder with INF and catalog",
     NULL},
    {VERB_ENFORCE, "enforce", "IMAGE|FOLDER... --policy FILE", "the step behind the linker",
     "Judges each image by the policy, repairs and verifies in place what the policy lets it repair, and "
     "rejects the\n"
     "rest: a rejected image is renamed to IMAGE.rejected, so that no later step signs or ships it. Images "
     "that need\n"
     "no repair are not written to. In mode audit it changes nothing, says what would happen, and ends "
     "with 0.\n"
     "Images in archives, and those that programs carry, are judged only; a rejected one rejects the whole "
     "file.",
     "hvcifix enforce --policy hvcifix.ini x64/Release/mydriver.sys", NULL},
    {VERB_LINK, "link", "--policy FILE -- LINKER ARGS...", "run the linker, then enforce on its image",
     "Runs the linker with its arguments as they stand, then does what enforce does to the image that it has "
     "written:\n"
     "the file that /OUT:, -o or /Fe names, also in response files, or the linker's own choice. When the "
     "linker fails,\n"
     "its exit code is the result and nothing is judged. Works as a launcher in front of link.exe, "
     "lld-link, clang-cl,\n"
     "ld, gcc and clang.",
     "hvcifix link --policy hvcifix.ini -- lld-link @driver.rsp /out:driver.sys", NULL},
    {VERB_TRANSLATE, "translate", "MAP [ADDRESS...]",
     "addresses of a repaired driver in those of the old one",
     "Converts addresses by the map that fix --map FILE has written: the given ones (0x1234, driver+0x1234, "
     "with --base\n"
     "also virtual addresses), or, without any, all that stand in standard input, which may be a stack trace "
     "or a whole\n"
     "crash log. Only what is surely an address of the driver changes; everything else passes through byte "
     "for byte. An\n"
     "address without counterpart stays and is marked (not with --quiet).",
     "hvcifix translate old.json 0x5010 driver+0x5010    two addresses\n"
     "  hvcifix translate old.json <crash.txt            a log of the repaired driver, as of the old one\n"
     "  hvcifix translate old.json --to-new old!Foo+0x12    where to set a breakpoint",
     NULL},
    {VERB_HELP, "help", "[VERB | TOPIC]", "manual pages and completion",
     "Prints the help of all verbs or of one, or what a topic names: manual, policy-manual (manual pages), "
     "bash,\n"
     "powershell (completion; the output is a script for the shell).",
     "hvcifix help manual | man -l -\n"
     "  eval \"$(hvcifix help bash)\"                 complete in this bash\n"
     "  hvcifix help powershell | Out-String | Invoke-Expression",
     OPTION_TOPICS},
};

const struct exit_row exit_rows[] = {
    {"0", "clean, fixed, or passed"},
    {"1", "findings, a refusal, a refuted pair, a rejected image, or an address without counterpart"},
    {"2", "wrong usage, or a policy or baseline that cannot be trusted"},
    {"3", "unreadable or malformed input"},
    {"4", "could not write"},
    {"6", "a repair of ours that our verifier refuted; please report it"},
};
const size_t exit_row_count = sizeof exit_rows / sizeof exit_rows[0];
