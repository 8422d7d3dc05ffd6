/* doctor.c - doctor.h: the images of a driver or package, each by a dry run of the repair.
 * Takes: a path.  Gives: struct doctor.  Must not: write, or keep more of an image than what is said of it.
 */
#include "doctor/doctor.h"

#include "base/path_name.h"
#include "doctor/doctor_inside.h"
#include "io/catalog_index.h"
#include "package/package.h"

static bool end_without_memory(struct doctor *doctor)
{
    doctor->arena.exhausted = true;
    doctor->exit_code = EXIT_INPUT;
    return false;
}

static bool end_with(struct doctor *doctor, const struct finding *problem)
{
    if (!problem->message) /* there was no memory for the words */
        return end_without_memory(doctor);
    doctor->has_problem = true;
    doctor->problem = *problem;
    doctor->exit_code = EXIT_INPUT;
    return false;
}

static bool add_catalog(struct doctor *doctor, const char *name)
{
    const char **names = arena_grow(&doctor->arena, doctor->catalogs, doctor->catalog_count,
                                    &doctor->catalog_capacity, doctor->catalog_count + 1, sizeof *names);
    if (!names)
        return end_without_memory(doctor);
    doctor->catalogs = names;
    doctor->catalogs[doctor->catalog_count++] = name;
    return true;
}

static bool add_inf(struct doctor *doctor, const char *path, const char *name, struct span bytes)
{
    struct inf inf;
    const char *problem;
    struct doctor_inf *infs = arena_grow(&doctor->arena, doctor->infs, doctor->inf_count,
                                         &doctor->inf_capacity, doctor->inf_count + 1, sizeof *infs);
    if (!infs)
        return end_without_memory(doctor);
    doctor->infs = infs;
    struct doctor_inf *one = &infs[doctor->inf_count];
    *one = (struct doctor_inf){.name = path_last_part(name), .path = path};
    /* What is no INF, or cannot be read as one, is a file like any other. */
    if (inf_read(bytes, &doctor->arena, &inf, &problem) && inf_facts(&inf, &doctor->arena, &one->facts) &&
        one->facts.is_driver)
        doctor->inf_count++;
    return !doctor->arena.exhausted || end_without_memory(doctor);
}

enum finding_level doctor_worst(const struct doctor_image *image)
{
    enum finding_level worst = LEVEL_OFF;
    for (size_t i = 0; i < image->findings.count; i++)
        if (image->findings.items[i].level > worst)
            worst = image->findings.items[i].level;
    return worst;
}

bool doctor_add_image(struct doctor *doctor, const struct doctor_image *image)
{
    struct doctor_image *images =
        arena_grow(&doctor->arena, doctor->images, doctor->image_count, &doctor->image_capacity,
                   doctor->image_count + 1, sizeof *images);
    if (!images)
        return end_without_memory(doctor);
    doctor->images = images;
    doctor->images[doctor->image_count++] = *image;
    if (image->is_kernel && doctor_worst(image) == LEVEL_ERROR)
        doctor->exit_code = exit_code_worse(doctor->exit_code, EXIT_FINDINGS);
    if (image->state == DOCTOR_UNREADABLE)
        doctor->exit_code = exit_code_worse(doctor->exit_code, EXIT_INPUT);
    return true;
}

static bool is_stopped(struct doctor *doctor, const struct doctor_options *options)
{
    doctor->was_stopped = options->stop && atomic_load(options->stop);
    return doctor->was_stopped;
}

/* Is an INF that lies beside the driver about it? One that lists no files may be. */
static bool is_about(const struct inf_facts *facts, const char *driver)
{
    for (size_t i = 0; i < facts->source_count; i++)
        if (text_same_word(facts->sources[i].name, driver))
            return true;
    for (size_t i = 0; i < facts->service_count; i++)
        if (text_same_word(path_last_part(facts->services[i]), driver))
            return true;
    return facts->source_count + facts->service_count == 0;
}

/* The files beside a driver that belong to its package: what names it, and what lists it. */
static bool look_beside(struct doctor *doctor)
{
    struct path_list found;
    struct finding error;
    const char *const suffixes[] = {".inf", ".cat"};
    for (size_t k = 0; k < 2; k++) {
        /* What cannot be read may be what signs the driver: a page without it would be a wrong one. */
        if (!file_siblings(doctor->path, suffixes[k], &doctor->arena, &found, &error))
            return end_with(doctor, &error);
        for (size_t i = 0; i < found.count; i++) {
            struct file_content file;
            if (k == 0 && !file_read(found.paths[i], &doctor->arena, &file, &error))
                return end_with(doctor, &error);
            if (k == 1 ? !add_catalog(doctor, path_last_part(found.paths[i]))
                       : !add_inf(doctor, found.paths[i], found.paths[i], file.bytes))
                return false;
            if (k == 0 && doctor->inf_count != 0 &&
                !is_about(&doctor->infs[doctor->inf_count - 1].facts, path_last_part(doctor->path)))
                doctor->inf_count--;
        }
    }
    return true;
}

enum { CATALOGS_MOST_NBYTES = 32 * 1024 * 1024 };

/* INF files and catalogs first: they say what is signed. */
static bool read_texts(struct doctor *doctor, const struct parcel *parcel, struct catalog_index *catalogs)
{
    uint64_t nbytes_left = CATALOGS_MOST_NBYTES;
    for (size_t i = 0; i < parcel->count; i++) {
        const struct parcel_entry *entry = &parcel->entries[i];
        bool is_inf = path_has_suffix(entry->name, ".inf"), is_catalog = path_has_suffix(entry->name, ".cat");
        struct span bytes;
        struct finding error;
        if (entry->is_folder || (!is_inf && !is_catalog) || entry->nbytes > nbytes_left)
            continue;
        if (!parcel_file(parcel, i, &doctor->arena, &bytes, &error))
            return end_with(doctor, &error);
        nbytes_left -= bytes.nbytes;
        if (is_inf ? !add_inf(doctor, entry->path, entry->name, bytes) : !add_catalog(doctor, entry->name))
            return false;
        if (is_catalog && !catalog_index_add(catalogs, entry->name, bytes))
            return end_without_memory(doctor);
    }
    catalog_index_sort(catalogs);
    return true;
}

/* Every image of a package, by the repair that its command will make: without --nx, or with. */
static bool examine_images(struct doctor *doctor, const struct parcel *parcel,
                           const struct catalog_index *catalogs, const struct doctor_options *options,
                           bool has_nx)
{
    for (size_t i = 0; i < parcel->count && !is_stopped(doctor, options); i++) {
        const struct parcel_entry *entry = &parcel->entries[i];
        struct arena arena;
        struct span bytes;
        struct finding error = {.level = LEVEL_OFF};
        struct doctor_image image;
        bool goes_on = true;
        if (entry->is_folder)
            continue;
        arena_init(&arena, NULL);
        struct doctor_case one = {.path = entry->path,
                                  .container_path = parcel->path,
                                  .catalogs = catalogs,
                                  .has_nx = has_nx,
                                  .options = options};
        if (!parcel_file(parcel, i, &arena, &bytes, &error))
            goes_on = end_with(
                doctor,
                &(struct finding){.code = error.code,
                                  .level = LEVEL_ERROR,
                                  .message = error.message ? arena_printf(&doctor->arena, "%s", error.message)
                                                           : NULL,
                                  .cure = error.cure});
        else if ((bytes.nbytes >= 2 && load_u16(bytes.bytes) == 0x5A4D) || path_is_image_name(entry->name)) {
            one.bytes = bytes;
            goes_on = doctor_image_examine(&one, &doctor->arena, &image) ? doctor_add_image(doctor, &image)
                                                                         : end_without_memory(doctor);
        }
        /* Of what a program carries, everything is in the parcel already. */
        if (goes_on && error.level != LEVEL_ERROR && parcel->kind != PARCEL_CARRIED)
            goes_on = doctor_look_inside(doctor, entry->path, bytes, options) || end_without_memory(doctor);
        arena_free(&arena);
        if (!goes_on)
            return false;
    }
    return true;
}

static bool nx_helps_any(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->image_count; i++)
        if (doctor->images[i].nx_helps)
            return true;
    return false;
}

static bool examine_parcel(struct doctor *doctor, const struct parcel *parcel,
                           const struct doctor_options *options)
{
    struct catalog_index catalogs = {.arena = &doctor->arena};
    if (!read_texts(doctor, parcel, &catalogs) || !examine_images(doctor, parcel, &catalogs, options, false))
        return false;
    if (!nx_helps_any(doctor) || doctor->was_stopped)
        return true;
    /* One command repairs all: with --nx for one image it has --nx for the others. */
    doctor->image_count = 0;
    doctor->exit_code = EXIT_CLEAN;
    return examine_images(doctor, parcel, &catalogs, options, true);
}

static bool examine(struct doctor *doctor, const struct doctor_options *options)
{
    struct arena *arena = &doctor->arena;
    struct file_content file;
    struct finding error;
    struct parcel parcel;
    struct image image;
    struct doctor_image one;

    if (folder_look_at(doctor->path, arena) == FOLDER_AT_FULL ||
        folder_look_at(doctor->path, arena) == FOLDER_AT_EMPTY) {
        doctor->kind = DOCTOR_FOLDER;
        if (!parcel_read_folder(doctor->path, arena, &parcel, &error))
            return end_with(doctor, &error);
        return examine_parcel(doctor, &parcel, options);
    }
    if (!file_read(doctor->path, arena, &file, &error))
        return end_with(doctor, &error);
    if (package_is_archive(file.bytes)) {
        doctor->kind = parcel_kind_of(file.bytes) == PARCEL_CAB ? DOCTOR_CAB : DOCTOR_ZIP;
        if (!parcel_read_archive(doctor->path, file.bytes, arena, &parcel, &error))
            return end_with(doctor, &error);
        return examine_parcel(doctor, &parcel, options);
    }
    if (!image_read(file.bytes, arena, &image, &error))
        return end_with(doctor, &error);
    if (!look_beside(doctor))
        return false;
    struct doctor_case lone = {.path = doctor->path, .bytes = file.bytes, .options = options};
    if (!doctor_image_examine(&lone, arena, &one))
        return end_without_memory(doctor);
    struct package *package = NULL;
    if (!package_open_image(doctor->path, &image, &package))
        return end_without_memory(doctor);
    if (!package)
        return doctor_add_image(doctor, &one);
    package_close(package);
    doctor->kind = one.is_kernel ? DOCTOR_DRIVER : DOCTOR_PROGRAM;
    if (one.is_kernel) /* it is what is repaired, in place; what it carries is judged */
        return doctor_add_image(doctor, &one) &&
               (doctor_look_inside(doctor, doctor->path, file.bytes, options) || end_without_memory(doctor));
    if (!parcel_read_carried(doctor->path, file.bytes, &image, arena, &parcel, &error))
        return end_with(doctor, &error);
    if (parcel.count == 0) {
        doctor->kind = DOCTOR_DRIVER;
        return doctor_add_image(doctor, &one);
    }
    return examine_parcel(doctor, &parcel, options);
}

void doctor_examine(const char *path, const struct doctor_options *options, struct doctor *doctor)
{
    *doctor = (struct doctor){.path = path, .exit_code = EXIT_CLEAN};
    arena_init(&doctor->arena, NULL);
    if (!examine(doctor, options) || doctor->was_stopped)
        return;
    if (doctor->image_count == 0) {
        struct finding none = finding_make(&doctor->arena, HVCI9001_NOT_A_PE_IMAGE, LEVEL_ERROR,
                                           "There is no Windows image in this package.");
        none.cure = "Name the driver, or the folder or archive that holds it.";
        (void)end_with(doctor, &none);
    }
}

void doctor_release(struct doctor *doctor)
{
    arena_free(&doctor->arena);
}

size_t doctor_count(const struct doctor *doctor, enum doctor_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < doctor->image_count; i++)
        count += doctor->images[i].state == state;
    return count;
}

bool doctor_concerns_memory_integrity(const struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->image_count; i++)
        if (doctor->images[i].is_kernel && !doctor->images[i].is_outside)
            return true;
    return false;
}
