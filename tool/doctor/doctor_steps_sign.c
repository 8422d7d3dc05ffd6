/* doctor_steps_sign.c - the new catalog, and the signature. See doctor_steps_parts.h.
 * Takes: what was examined.  Gives: steps.  Must not: name a file where it will not be.
 * Commands of Microsoft's tools are those of their documentation: inf2cat, signtool. */
#include "doctor/doctor_steps_parts.h"

#include "base/path_name.h"

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

void doctor_step_catalog(struct step_maker *maker)
{
    struct doctor *doctor = maker->doctor;
    if (doctor->inf_count == 0)
        return;
    struct doctor_step *step = doctor_step_begin(
        maker, "Make the catalog anew",
        "A catalog lists the hashes of the files of a driver package, so the old one is stale. inf2cat "
        "(Windows Driver Kit) reads the INF and writes the catalogs that it names. It demands a DriverVer "
        "that is not in the future. Windows prefers the package with the later one: \"fix --driver-ver "
        "MM/DD/YYYY,VERSION\" sets it in the new package.");
    bool is_folder = doctor->kind == DOCTOR_FOLDER;
    const char *folder = is_folder ? maker->repaired : "FOLDER";
    doctor_step_command(maker, step, DOCTOR_ON_WINDOWS,
                        arena_printf(&doctor->arena, "inf2cat /driver:@ /os:%s", catalog_systems(doctor)),
                        folder);
    if (!is_folder)
        step->after =
            "FOLDER is the folder that holds the repaired driver, the INF and the other files of the "
            "package.";
}

/* A path of the package, as the page names it, below the folder in which the new package is unpacked. */
static const char *in_folder(struct step_maker *maker, const char *path)
{
    struct doctor *doctor = maker->doctor;
    struct text text = {.arena = &doctor->arena};
    bool is_known = doctor->kind == DOCTOR_FOLDER || doctor->kind == DOCTOR_PROGRAM;
    size_t length = strlen(doctor->path);
    const char *name = strncmp(path, doctor->path, length) == 0 ? path + length : path;
    while (path_is_separator(*name) || *name == '!')
        name++;
    text_printf(&text, "%s/", is_known ? maker->repaired : "FOLDER");
    for (; *name; name++)
        text_addz(&text, *name == '!' ? "!/" : (char[]){*name, 0});
    return text.chars ? text.chars : "";
}

/* The catalog that carries the signature lies beside its INF; or NULL. */
static const char *catalog_path(struct step_maker *maker)
{
    const struct doctor *doctor = maker->doctor;
    for (size_t i = 0; i < doctor->inf_count; i++) {
        const struct doctor_inf *inf = &doctor->infs[i];
        if (inf->facts.catalog_count == 0)
            continue;
        const char *path =
            arena_printf(&maker->doctor->arena, "%.*s%s", (int)(strlen(inf->path) - strlen(inf->name)),
                         inf->path, inf->facts.catalogs[0]);
        return doctor->kind == DOCTOR_DRIVER
                   ? arena_printf(&maker->doctor->arena, "FOLDER/%s", inf->facts.catalogs[0])
                   : in_folder(maker, path);
    }
    return NULL;
}

void doctor_step_sign(struct step_maker *maker)
{
    struct doctor *doctor = maker->doctor;
    const char *catalog = catalog_path(maker);
    const char *path = catalog                         ? catalog
                       : doctor->kind == DOCTOR_DRIVER ? doctor->path
                                                       : in_folder(maker, maker->driver->path);
    struct doctor_step *step = doctor_step_begin(
        maker, catalog ? "Sign the catalog, for a test" : "Sign, for a test",
        "With a test certificate of your own, for machines in test-signing mode. The first two "
        "commands make the "
        "certificate, once; openssl and osslsigncode run on Linux and Windows.");
    const char *signed_path = arena_printf(&doctor->arena, "%s.signed", path);
    doctor_step_command(maker, step, DOCTOR_HERE,
                        "openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj @ -addext "
                        "extendedKeyUsage=codeSigning -keyout test.key -out test.pem",
                        "/CN=Driver test");
    doctor_step_command(maker, step, DOCTOR_HERE, "openssl x509 -in test.pem -outform DER -out test.cer");
    doctor_step_command(maker, step, DOCTOR_HERE,
                        "osslsigncode sign -h sha256 -certs test.pem -key test.key -in @ -out @", path,
                        signed_path);
    if (!catalog)
        doctor_step_command(maker, step, DOCTOR_HERE, "hvcifix check @", signed_path);
    doctor_step_command(maker, step, DOCTOR_ON_WINDOWS, "signtool sign /v /s My /n @ /fd sha256 @",
                        "Driver test", path_last_part(path));
    const char *more = catalog && doctor->inf_count > 1 ? "Sign the other catalogs in the same way. "
                       : !catalog && maker->repaired_count > 1
                           ? "Sign the other repaired drivers in the same way. "
                           : "";
    if (!step->after)
        step->after = arena_printf(
            &doctor->arena,
            "%sThe signed file takes the name of the unsigned one (FOLDER, where it stands, is where the new "
            "package is unpacked). signtool (Windows SDK) stands for osslsigncode where the certificate is "
            "in "
            "the store of the user.",
            more);
}
