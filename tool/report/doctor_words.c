/* doctor_words.c - doctor_words.h.
 * Takes: what was examined.  Gives: sentences.  Must not: decide anything. */
#include "report/doctor_words.h"

const char *const doctor_first[] = {
    ("A repaired file has a new hash. No old signature and no old catalog covers it, so it has to be signed "
     "again "
     "before Windows loads it."),
    ("Your own certificate and Microsoft's: for machines of others, the driver's owner signs with an EV "
     "certificate and "
     "has Microsoft sign it (attestation signing or certification, Windows Hardware Developer Program)."),
    ("Test-signing mode: on machines that you control, a test certificate of your own is enough (bcdedit "
     "/set "
     "testsigning on; Secure Boot off)."),
    ("A driver that is on a block list, Microsoft's or your own, must not be repaired to get around the "
     "list: "
     "the new "
     "hash would hide the old hole. Look it up first: Microsoft's recommended driver block rules, and "
     "loldrivers.io. "
     "A newer version from its maker is always the better cure."),
};
const size_t doctor_first_count = sizeof doctor_first / sizeof doctor_first[0];

const char *const doctor_untouched[] = {
    ("What the code does: instructions stay, but for the addresses in them. Where a relocation straddles a "
     "page, a jump "
     "to a copy, or a small piece of code at the start, is added and named; --nx alone changes more."),
    "Exports, imports, resources, version and constants.",
    ("INF files and everything else in a package. Nothing is installed, and no setting of this machine is "
     "changed."),
};
const size_t doctor_untouched_count = sizeof doctor_untouched / sizeof doctor_untouched[0];

const char *doctor_kind_words(enum doctor_kind kind)
{
    static const char *const words[] = {[DOCTOR_DRIVER] = "driver",
                                        [DOCTOR_FOLDER] = "folder",
                                        [DOCTOR_ZIP] = "zip archive",
                                        [DOCTOR_CAB] = "cabinet",
                                        [DOCTOR_PROGRAM] = "program"};
    return words[kind];
}

const char *doctor_integrity_words(enum code_integrity integrity)
{
    switch (integrity) {
    case INTEGRITY_ON:
        return "Memory integrity is on, on this machine.";
    case INTEGRITY_OFF:
        return "Memory integrity is off, on this machine.";
    case INTEGRITY_NOT_TOLD:
        return "This machine does not say whether memory integrity is on. Windows Security shows it: Device "
               "security, "
               "Core isolation.";
    case INTEGRITY_ELSEWHERE:
        break;
    }
    return "Whether memory integrity is on, the Windows machine says: msinfo32, \"Virtualization-based "
           "security Services "
           "Running\" (Hypervisor enforced Code Integrity); or Windows Security, Device security, Core "
           "isolation.";
}

const char *doctor_state_words(const struct doctor_image *image)
{
    switch (image->state) {
    case DOCTOR_CLEAN:
        return "nothing to repair";
    case DOCTOR_LEFT:
        return image->is_signed ? "loads as it is; left alone, since a change would cost its signature"
                                : "loads as it is";
    case DOCTOR_FIXABLE:
        if (image->nx_helps)
            return "can be repaired, with --nx";
        return image->is_assumed ? "can be repaired; some of it rests on stated assumptions"
                                 : "can be repaired with proof";
    case DOCTOR_PARTLY:
        return "can be repaired in part; errors stay";
    case DOCTOR_REFUSED:
        return "cannot be repaired with proof";
    case DOCTOR_PACKED:
        return "can be repaired once it is unpacked, not where it is";
    case DOCTOR_BYSTANDER:
        return "no kernel driver: memory integrity does not judge it";
    case DOCTOR_UNREADABLE:
        break;
    }
    return "cannot be read, or is damaged";
}

static bool is_well(const struct doctor_image *image)
{
    return image->state == DOCTOR_CLEAN || image->state == DOCTOR_LEFT;
}

/* The worst finding in a driver that memory integrity judges: an error is refused, a warning is a call that
 * may be, and a note is neither. */
static enum finding_level worst_judged(const struct doctor *doctor)
{
    enum finding_level worst = LEVEL_OFF;
    for (size_t i = 0; i < doctor->image_count; i++) {
        const struct doctor_image *image = &doctor->images[i];
        if (image->is_kernel && !image->is_outside && doctor_worst(image) > worst)
            worst = doctor_worst(image);
    }
    return worst;
}

static bool is_curable(const struct doctor_image *image)
{
    return image->state == DOCTOR_FIXABLE;
}

bool doctor_needs_signature(const struct doctor *doctor)
{
    return doctor_count(doctor, DOCTOR_FIXABLE) + doctor_count(doctor, DOCTOR_PARTLY) +
               doctor_count(doctor, DOCTOR_REFUSED) + doctor_count(doctor, DOCTOR_PACKED) !=
           0;
}

const char *doctor_summary(const struct doctor *doctor)
{
    size_t kernel_count = 0, well_count = 0, curable_count = 0, outside_count = 0, outside_bad_count = 0;
    for (size_t i = 0; i < doctor->image_count; i++) {
        const struct doctor_image *image = &doctor->images[i];
        kernel_count += image->is_kernel;
        well_count += image->is_kernel && is_well(image);
        curable_count += image->is_kernel && is_curable(image);
        outside_count += image->is_kernel && image->is_outside;
        outside_bad_count += image->is_kernel && image->is_outside && !is_well(image);
    }
    if (doctor_count(doctor, DOCTOR_UNREADABLE) == doctor->image_count)
        return "It cannot be judged: Windows may refuse it, or read it differently from what is read here. "
               "Take the "
               "file from its maker again.";
    if (kernel_count == 0)
        return "There is no kernel driver here, and memory integrity judges no others.";
    if (well_count == kernel_count && doctor_count(doctor, DOCTOR_UNREADABLE) != 0)
        return "There is nothing to repair in what could be read. Some of it could not: see below.";
    if (well_count == kernel_count)
        return outside_count == kernel_count ? "There is nothing to repair. Memory integrity does not exist "
                                               "on the machines of this driver."
                                             : "There is nothing to repair: by its layout and by what its "
                                               "code asks for, as far as that can be "
                                               "read, memory integrity bears it.";
    if (outside_count == kernel_count)
        return "It fails Driver Verifier's checks, but memory integrity does not exist on 32-bit Windows, "
               "and 64-bit "
               "Windows does not load it. A repair is of use for a policy or a certification alone.";
    if (well_count + outside_bad_count == kernel_count)
        return "Memory integrity bears the drivers of 64-bit Windows as they are. What is wrong is in those "
               "of "
               "machines that have no memory integrity; a repair is of use for a policy or a certification "
               "alone.";
    if (worst_judged(doctor) <= LEVEL_NOTE)
        return doctor_count(doctor, DOCTOR_UNREADABLE) == 0
                   ? "Memory integrity bears it as it is. What is noted can be repaired, for policies and "
                     "checkers that object to it; below is what changes."
                   : "Memory integrity bears what could be read as it is, and what is noted can be repaired. "
                     "Some of it could not be read: see below.";
    if (well_count + curable_count == kernel_count && worst_judged(doctor) != LEVEL_ERROR)
        return "Memory integrity may refuse what its code asks for when it runs. It can be repaired; below "
               "is "
               "what changes.";
    if (well_count + curable_count == kernel_count)
        return "Memory integrity does not bear it as it is. It can be repaired; below is what changes.";
    if (doctor_count(doctor, DOCTOR_PACKED) != 0)
        return "Memory integrity does not bear it as it is. Some of it is packed inside a file of the "
               "package, and can be repaired only when that is unpacked: see below.";
    if (curable_count != 0)
        return "Memory integrity does not bear it as it is. Some of it can be repaired; the rest has to come "
               "from its "
               "maker.";
    return "Memory integrity does not bear it as it is, and no repair can be proved. Ask its maker for a new "
           "version, or "
           "build it anew from source.";
}
