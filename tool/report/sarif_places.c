/* sarif_places.c - where a finding lies, as SARIF has it.
 * Takes: findings.  Gives: locations.  Must not: mix regions of bytes and of lines in one file
 * (SARIF 3.30.1). */
#include "base/path_name.h"
#include "base/pe_format.h"
#include "policy/file_uri.h"
#include "report/sarif.h"

void sarif_location_members(struct json_writer *json, const char *path)
{
    json_raw(json, "uri", "\"");
    file_uri_add(json->text, path);
    text_add(json->text, "\"", 1);
    if (!file_uri_is_absolute(path))
        json_text(json, "uriBaseId", SARIF_URI_BASE);
}

/* The bytes of the file that a finding is about. */
struct place {
    uint64_t foff, nbytes;
    bool is_header;                /* the headers hold it; they are mapped where they are stored */
    const struct section *section; /* else: the section of the finding's RVA, or NULL */
};

static const struct section *section_with_header_at(const struct image *image, uint64_t foff)
{
    for (uint32_t i = 0; i < image->section_count; i++)
        if (image->sections[i].header_foff == foff)
            return &image->sections[i];
    return NULL;
}

/* The place of a finding; nbytes is 0 where the file does not hold it. */
static struct place find_place(const struct image *image, const struct finding *finding)
{
    uint64_t foff = finding->file_offset;
    struct place place = {.foff = foff, .nbytes = sizeof(uint32_t)};
    const struct section *section = section_with_header_at(image, foff);
    bool is_about_flags = finding->code == HVCI2003_SECTION_WRITABLE_EXECUTABLE ||
                          finding->code == HVCI2102_INIT_WRITABLE_EXECUTABLE;
    if (section && is_about_flags)
        place.foff += SECTION_CHARACTERISTICS;
    else if (section)
        place.nbytes = SECTION_HEADER_NBYTES;
    place.is_header = place.foff < image->section_table_end_foff;
    if (!place.is_header && finding->rva != NO_RVA)
        place.section = image_section_at_rva(image, finding->rva);
    if (!place.is_header && image->is_64 && finding->code < HVCI9001_NOT_A_PE_IMAGE)
        place.nbytes = sizeof(uint64_t); /* a slot, or a relocated pointer */
    if (foff >= image->file.nbytes || !sarif_fits(foff))
        place.nbytes = 0;
    else if (place.nbytes > image->file.nbytes - place.foff)
        place.nbytes = image->file.nbytes - place.foff;
    /* A rule that passed is about the whole image. */
    if (foff == NO_FILE_OFFSET && finding->rva == NO_RVA && sarif_fits(image->file.nbytes))
        place = (struct place){.nbytes = image->file.nbytes, .is_header = true};
    return place;
}

static void add_address(struct json_writer *json, const struct sarif_subject *subject,
                        const struct finding *finding, const struct place *place)
{
    const struct section *section = place->section;
    uint64_t rva = place->is_header ? place->foff : finding->rva;
    if (!subject->has_addresses || !sarif_fits(rva))
        return;
    json_begin_object(json, "address");
    json_text(json, "kind", place->is_header ? "header" : "data");
    json_number(json, "relativeAddress", rva);
    json_number(json, "offsetFromParent", section && rva >= section->rva ? rva - section->rva : rva);
    sarif_index(json, "parentIndex", SARIF_ADDRESSES,
                section && rva >= section->rva ? 1 + section->index : 0);
    json_end_object(json);
}

void sarif_binary_place(struct json_writer *json, const struct sarif_subject *subject,
                        const struct finding *finding)
{
    uint64_t file_nbytes = subject->outcome->file.bytes.nbytes;
    json_begin_object(json, "physicalLocation");
    json_begin_object(json, "artifactLocation");
    sarif_location_members(json, subject->outcome->path);
    sarif_index(json, "index", SARIF_ARTIFACTS, 0);
    json_end_object(json);
    if (finding && subject->outcome->has_image) {
        struct place place = find_place(&subject->outcome->image, finding);
        if (place.nbytes != 0) {
            json_begin_object(json, "region");
            json_number(json, "byteOffset", place.foff);
            json_number(json, "byteLength", place.nbytes);
            json_end_object(json);
        }
        add_address(json, subject, finding, &place);
    } else if (finding && file_nbytes != 0 && sarif_fits(file_nbytes)) { /* an archive: all of it */
        json_begin_object(json, "region");
        json_number(json, "byteOffset", 0);
        json_number(json, "byteLength", file_nbytes);
        json_end_object(json);
    }
    json_end_object(json);
}

static void add_logical_location(struct json_writer *json, const struct sarif_subject *subject,
                                 const struct finding *finding)
{
    const char *image_name = path_file_name(subject->outcome->path);
    const char *section = finding ? finding->section : NULL;
    json_begin_array(json, "logicalLocations");
    json_begin_object(json, NULL);
    json_text(json, "name", section ? section : image_name);
    if (section)
        json_text(json, "fullyQualifiedName", arena_printf(json->text->arena, "%s!%s", image_name, section));
    json_text(json, "kind", "module");
    json_end_object(json);
    json_end_array(json);
}

/* A line of a file of the repository: what GitHub shows a result at. */
static void add_anchor(struct json_writer *json, const struct sarif_subject *subject)
{
    const struct report_settings *settings = subject->settings;
    json_begin_object(json, "physicalLocation");
    json_begin_object(json, "artifactLocation");
    sarif_location_members(json, settings->anchor_file ? settings->anchor_file : subject->outcome->path);
    json_end_object(json);
    json_begin_object(json, "region");
    json_number(json, "startLine", settings->anchor_file ? settings->anchor_line : 1);
    json_end_object(json);
    json_end_object(json);
}

void sarif_locations(struct json_writer *json, const struct sarif_subject *subject,
                     const struct finding *finding)
{
    bool is_github = subject->settings->sarif_profile == SARIF_GITHUB;
    json_begin_array(json, "locations");
    json_begin_object(json, NULL);
    if (is_github)
        add_anchor(json, subject);
    else
        sarif_binary_place(json, subject, finding);
    add_logical_location(json, subject, finding);
    json_end_object(json);
    json_end_array(json);
    if (!is_github || !subject->settings->anchor_file)
        return; /* one file must not have both kinds of regions */
    json_begin_array(json, "relatedLocations");
    json_begin_object(json, NULL);
    json_number(json, "id", 1);
    sarif_binary_place(json, subject, finding);
    json_begin_object(json, "message");
    json_text(json, "text", "The place in the image.");
    json_end_object(json);
    json_end_object(json);
    json_end_array(json);
}
