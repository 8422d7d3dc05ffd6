/* trouble.c - trouble.h.
 * Takes: a reason.  Gives: a finding.  Must not: ask the system anything. */
#include "io/trouble.h"

static const struct {
    const char *reason, *cure;
} texts[] = {
    [TROUBLE_MISSING] = {"there is no such file or folder",
                         "Check the name; it is taken relative to the current folder."},
    [TROUBLE_DENIED] = {"access is denied", "Run as a user who may use this file and its folder."},
    [TROUBLE_PROTECTED] = {"the disk is read-only", "Use a disk that can be written to."},
    [TROUBLE_NAME] = {"the name is too long or not allowed",
                      "Use another name; this system cannot have a file of this one."},
    [TROUBLE_HELD] =
        {"another program holds the file",
         "Another program, perhaps a virus scanner, holds the file open; close it and run again."},
    [TROUBLE_FULL] = {"the disk is full", "Free some space on that disk; nothing was changed."},
    [TROUBLE_MEMORY] = {"there was not enough memory", "Close other programs, or give this one more memory."},
    [TROUBLE_OTHER] = {"", "The reason is the operating system's own; nothing was changed."},
};

struct finding trouble_finding(struct arena *arena, enum finding_code code, const char *doing,
                               const char *path, enum trouble trouble, const char *system_words,
                               unsigned long system_code)
{
    struct finding finding;
    if (trouble == TROUBLE_OTHER)
        finding = finding_make(arena, code, LEVEL_ERROR, "%s \"%s\" failed: %s (system code %lu).", doing,
                               path, system_words, system_code);
    else
        finding = finding_make(arena, code, LEVEL_ERROR, "%s \"%s\" failed: %s.", doing, path,
                               texts[trouble].reason);
    finding.cure = texts[trouble].cure;
    return finding;
}

struct finding trouble_changed_finding(struct arena *arena, const char *path)
{
    struct finding finding =
        finding_make(arena, HVCI9007_CANNOT_WRITE, LEVEL_ERROR,
                     "\"%s\" was changed or replaced by another program since it was read; "
                     "that file was kept.",
                     path);
    finding.cure = "Run again when no other program writes to the file.";
    return finding;
}
