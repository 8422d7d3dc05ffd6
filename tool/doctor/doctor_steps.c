/* doctor_steps.c - doctor_steps.h.
 * Takes: struct doctor.  Gives: steps.  Must not: print.
 * Commands of Microsoft's tools are those of their documentation: inf2cat, signtool, certutil, bcdedit,
 * pnputil, verifier (rule "code integrity checking", 0x02000000), and the registry value of memory integrity.
 */
#include "doctor/doctor_steps.h"

#include <stdarg.h>

struct step_maker {
    struct doctor *doctor;
    enum shell here;
    struct doctor_steps *steps;
    const char *repaired; /* the path of what is signed: the driver in place, or the new package */
    const char *driver;   /* file name of the driver that the test is about */
};

static struct doctor_step *begin_step(struct step_maker *maker, const char *title, const char *about)
{
    struct doctor_step *step = &maker->steps->items[maker->steps->count++];
    *step = (struct doctor_step){.title = title, .about = about};
    return step;
}

/* Adds a command; each "@" in it stands for the next word, quoted for the shell where it is run. One that the
 * shell would not take is told in words instead. */
static void add_command(struct step_maker *maker, struct doctor_step *step, enum doctor_where where,
                        const char *format, ...)
{
    enum shell shell = where == DOCTOR_HERE ? maker->here : SHELL_WINDOWS;
    struct text text = {.arena = &maker->doctor->arena};
    va_list words;
    va_start(words, format);
    bool is_taken = true;
    for (const char *at = format; *at; at++) {
        if (*at != '@') {
            text_add(&text, at, 1);
            continue;
        }
        const char *word = va_arg(words, const char *);
        is_taken = is_taken && shell_takes(shell, word);
        shell_add(&text, shell, word);
    }
    va_end(words);
    if (is_taken)
        step->commands[step->command_count++] = (struct doctor_command){where, text.chars ? text.chars : ""};
    else
        step->after =
            "A name here has characters that cannot be pasted into a shell: give the file a plain name "
            "first, and run doctor again.";
}

static bool needs_repair(const struct doctor *doctor)
{
    return doctor_count(doctor, DOCTOR_FIXABLE) + doctor_count(doctor, DOCTOR_PARTLY) != 0;
}

static bool any_nx(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->image_count; i++)
        if (doctor->images[i].needs_nx && doctor->images[i].nx_helps)
            return true;
    return false;
}

static bool any_signed_to_repair(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->image_count; i++)
        if (doctor->images[i].is_signed &&
            (doctor->images[i].state == DOCTOR_FIXABLE || doctor->images[i].state == DOCTOR_PARTLY))
            return true;
    return false;
}

/* "setup.exe" -> "setup-repaired", "drv.cab" -> "drv-repaired.cab", "folder" -> "folder-repaired" */
static const char *new_path(struct doctor *doctor)
{
    const char *path = doctor->path;
    size_t length = strlen(path);
    while (length > 1 && (path[length - 1] == '/' || path[length - 1] == '\\'))
        length--;
    const char *dot = NULL;
    for (size_t i = 0; i < length; i++)
        dot = path[i] == '.' ? path + i : path[i] == '/' || path[i] == '\\' ? NULL : dot;
    if (doctor->kind == DOCTOR_FOLDER || !dot || dot == path)
        dot = path + length;
    const char *end = doctor->kind == DOCTOR_PROGRAM ? "" : dot;
    bool is_here = length == 1 && path[0] == '.';
    return is_here ? "../repaired"
                   : arena_printf(&doctor->arena, "%.*s-repaired%.*s", (int)(dot - path), path,
                                  (int)(*end ? length - (size_t)(dot - path) : 0), end);
}

static void repair(struct step_maker *maker)
{
    struct doctor *doctor = maker->doctor;
    const char *signed_option = any_signed_to_repair(doctor) ? " --drop-signature" : "";
    bool has_nx = any_nx(doctor);
    const char *nx = has_nx ? " --nx" : "";
    bool in_place = doctor->kind == DOCTOR_DRIVER;
    maker->repaired = in_place ? doctor->path : new_path(doctor);
    struct doctor_step *step = begin_step(
        maker, "Repair",
        in_place
            ? "Nothing is written that is not proved. The original comes back with the last step, byte for "
              "byte, also after signing; keep a copy of it all the same."
        : doctor->kind == DOCTOR_PROGRAM ? "Nothing is written that is not proved. The program stays as it "
                                           "is; the drivers that it carries are "
                                           "written to a folder, repaired."
                                         : "Nothing is written that is not proved. The package stays as it "
                                           "is; a new one is written beside "
                                           "it, in which only the images differ.");
    const char *options = arena_printf(&doctor->arena, "%s%s", signed_option, nx);
    if (in_place)
        add_command(maker, step, DOCTOR_HERE,
                    arena_printf(&doctor->arena, "hvcifix fix --in-place%s @", options), doctor->path);
    else
        add_command(maker, step, DOCTOR_HERE,
                    arena_printf(&doctor->arena, "hvcifix fix%s%s @ -o @",
                                 doctor->kind == DOCTOR_PROGRAM ? " --extract" : "", options),
                    doctor->path, maker->repaired);
    add_command(maker, step, DOCTOR_HERE, "hvcifix check @", maker->repaired);
    if (has_nx)
        step->after =
            "--nx changes what the driver does: memory that it asked for as executable is no longer. A "
            "driver that runs code from there stops working; test for that.";
    else if (doctor->kind == DOCTOR_PROGRAM)
        step->after =
            "Build the installer anew from these images; what is packed in it cannot be replaced with "
            "proof.";
}

/* The names of inf2cat for the systems that an INF is about. */
static const char *catalog_systems(const struct doctor *doctor)
{
    unsigned platforms = 0;
    for (size_t i = 0; i < doctor->inf_count; i++)
        platforms |= doctor->infs[i].facts.platforms;
    bool has_x64 = (platforms & INF_AMD64) != 0, has_arm64 = (platforms & INF_ARM64) != 0;
    if (!platforms)
        for (size_t i = 0; i < doctor->image_count; i++) {
            has_x64 |= doctor->images[i].is_kernel && strcmp(doctor->images[i].machine, "x64") == 0;
            has_arm64 |= doctor->images[i].is_kernel && strcmp(doctor->images[i].machine, "ARM64") == 0;
        }
    return has_x64 && has_arm64 ? "10_X64,10_RS3_ARM64"
           : has_arm64          ? "10_RS3_ARM64"
           : has_x64            ? "10_X64"
                                : "10_X86";
}

static void catalog(struct step_maker *maker)
{
    struct doctor *doctor = maker->doctor;
    if (doctor->inf_count == 0)
        return;
    struct doctor_step *step = begin_step(
        maker, "Make the catalog anew",
        "A catalog lists the hashes of the files of a driver package, so the old one is stale. inf2cat "
        "(Windows Driver Kit) reads the INF and writes the catalogs that it names. It demands a DriverVer "
        "that is not in the future; give the new package a later one than the old.");
    bool is_folder = doctor->kind == DOCTOR_FOLDER;
    const char *folder = is_folder ? maker->repaired : "FOLDER";
    add_command(maker, step, DOCTOR_ON_WINDOWS,
                arena_printf(&doctor->arena, "inf2cat /driver:@ /os:%s", catalog_systems(doctor)), folder);
    if (!is_folder)
        step->after =
            "FOLDER is the folder that holds the repaired driver, the INF and the other files of the "
            "package.";
}

/* The file that carries the signature: the catalog of a package, else the driver. */
static const char *signed_file(const struct step_maker *maker)
{
    const struct doctor *doctor = maker->doctor;
    for (size_t i = 0; i < doctor->inf_count; i++)
        if (doctor->infs[i].facts.catalog_count != 0)
            return doctor->infs[i].facts.catalogs[0];
    return maker->driver;
}

static void sign(struct step_maker *maker)
{
    struct doctor *doctor = maker->doctor;
    const char *file = signed_file(maker);
    bool is_catalog = strcmp(file, maker->driver) != 0;
    struct doctor_step *step =
        begin_step(maker, is_catalog ? "Sign the catalog, for a test" : "Sign, for a test",
                   "With a test certificate of your own, for machines in test-signing mode. The first two "
                   "commands make the "
                   "certificate, once; openssl and osslsigncode run on Linux and Windows.");
    add_command(maker, step, DOCTOR_HERE,
                "openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj @ -addext "
                "extendedKeyUsage=codeSigning -keyout test.key -out test.pem",
                "/CN=Driver test");
    add_command(maker, step, DOCTOR_HERE, "openssl x509 -in test.pem -outform DER -out test.cer");
    /* What lies in an archive is signed where it is unpacked. */
    const char *folder = doctor->kind == DOCTOR_FOLDER   ? maker->repaired
                         : doctor->kind == DOCTOR_DRIVER ? NULL
                                                         : "FOLDER";
    const char *path = folder       ? arena_printf(&doctor->arena, "%s/%s", folder, file)
                       : is_catalog ? file
                                    : doctor->path;
    add_command(maker, step, DOCTOR_HERE,
                "osslsigncode sign -h sha256 -certs test.pem -key test.key -in @ -out @", path,
                arena_printf(&doctor->arena, "%s.signed", path));
    if (!is_catalog)
        add_command(maker, step, DOCTOR_HERE, "hvcifix check @",
                    arena_printf(&doctor->arena, "%s.signed", path));
    add_command(maker, step, DOCTOR_ON_WINDOWS, "signtool sign /v /s My /n @ /fd sha256 @", "Driver test",
                file);
    step->after = "The signed file takes the name of the unsigned one (FOLDER, where it stands, is where the "
                  "new package "
                  "is unpacked). signtool (Windows SDK) stands for "
                  "osslsigncode where the certificate is in the store of the user.";
}

static void trust(struct step_maker *maker)
{
    struct doctor_step *step = begin_step(
        maker, "Prepare the test machine",
        "A machine that you control and can lose; never one of somebody else. Secure Boot has to be off "
        "for test-signing mode. Restart afterwards.");
    add_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "certutil -addstore Root test.cer");
    add_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "certutil -addstore TrustedPublisher test.cer");
    add_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "bcdedit /set testsigning on");
}

static void integrity(struct step_maker *maker)
{
    struct doctor_step *step = begin_step(maker, "Turn memory integrity on, on the test machine",
                                          "Windows Security, Device security, Core isolation, Memory "
                                          "integrity; or this command. Restart afterwards. "
                                          "A driver that it refuses does not load; should the machine not "
                                          "start, the recovery environment turns it "
                                          "off again (the same value with 0).");
    add_command(
        maker, step, DOCTOR_ON_WINDOWS_ADMIN, "reg add @ /v Enabled /t REG_DWORD /d 1 /f",
        "HKLM\\SYSTEM\\CurrentControlSet\\Control\\DeviceGuard\\Scenarios\\HypervisorEnforcedCodeIntegrity");
    step->after =
        "hvcifix doctor says on that machine whether it is on; so does msinfo32 (Virtualization-based "
        "security Services Running).";
}

static void load(struct step_maker *maker)
{
    struct doctor *doctor = maker->doctor;
    struct doctor_step *step = begin_step(
        maker, "See that it loads",
        "Driver Verifier's code integrity checks stop the machine (bug check 0xC4, 0x2000 to 0x2006) when "
        "the driver "
        "does what memory integrity forbids. Set them, restart, load the driver, and use the device.");
    add_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "verifier /flags 0x02000000 /driver @", maker->driver);
    if (doctor->inf_count != 0)
        add_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "pnputil /add-driver @ /install",
                    doctor->infs[0].name);
    add_command(maker, step, DOCTOR_ON_WINDOWS, "driverquery /v /fo list");
    add_command(maker, step, DOCTOR_ON_WINDOWS,
                "wevtutil qe Microsoft-Windows-CodeIntegrity/Operational /c:20 /rd:true /f:text");
    add_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "verifier /reset");
    if (doctor->inf_count == 0)
        step->after =
            "driverquery lists what is loaded; the event log names each driver that code integrity has "
            "refused, and why. verifier /reset ends the test.";
    else
        step->after =
            "pnputil installs the package. driverquery lists what is loaded; the event log names each "
            "driver that code integrity has refused, and why. verifier /reset ends the test.";
}

static void release(struct step_maker *maker)
{
    (void)begin_step(
        maker, "For other people's machines: Microsoft's signature",
        "Windows 10 version 1607 and later load only drivers that Microsoft has signed. With an account in "
        "the Windows Hardware Developer Program and an EV certificate, submit the tested package (a "
        "cabinet that is signed with that certificate) for attestation signing, or for certification. That "
        "is for the owner of the driver, or with the owner's permission: whoever signs, answers for it.");
}

static void go_back(struct step_maker *maker)
{
    struct doctor *doctor = maker->doctor;
    bool in_place = doctor->kind == DOCTOR_DRIVER;
    struct doctor_step *step = begin_step(
        maker, "To go back",
        in_place ? "By the undo file that lies beside the driver since the repair. Then the test machine "
                   "loads only what is signed for everybody again, after a restart."
                 : "The old package is as it was; install it again. Then the test machine loads only what "
                   "is signed for everybody again, after a restart.");
    if (in_place)
        add_command(maker, step, DOCTOR_HERE, "hvcifix restore @", doctor->path);
    add_command(maker, step, DOCTOR_ON_WINDOWS_ADMIN, "bcdedit /set testsigning off");
}

void doctor_steps_make(struct doctor *doctor, enum shell here, struct doctor_steps *steps)
{
    struct step_maker maker = {.doctor = doctor, .here = here, .steps = steps, .repaired = doctor->path};
    *steps = (struct doctor_steps){0};
    bool can_load = false, can_bear = false, is_changed = needs_repair(doctor);
    bool is_chosen = false;
    for (size_t i = 0; i < doctor->image_count; i++) {
        const struct doctor_image *image = &doctor->images[i];
        bool is_good = image->is_kernel && image->state <= DOCTOR_FIXABLE;
        can_load |= is_good;
        can_bear |= is_good && !image->is_outside;
        /* The test is about the first driver that was repaired, or else the first that is well. */
        if (is_good && (!maker.driver || (!is_chosen && image->state != DOCTOR_CLEAN))) {
            maker.driver = image->name;
            is_chosen = image->state != DOCTOR_CLEAN;
        }
    }
    if (!can_load)
        return;
    if (is_changed) {
        repair(&maker);
        catalog(&maker);
        sign(&maker);
        trust(&maker);
    }
    if (can_bear)
        integrity(&maker);
    load(&maker);
    if (is_changed && can_bear)
        release(&maker);
    if (is_changed)
        go_back(&maker);
}
