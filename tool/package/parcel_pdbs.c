/* parcel_pdbs.c - parcel_pdbs.h.
 * Takes: a parcel.  Gives: pairs.  Must not: keep the contents of more than one file. */
#include "package/parcel_pdbs.h"

#include "base/path_name.h"
#include "base/text.h"
#include "io/digest.h"
#include "package/package.h"
#include "pdb/pdb.h"

#include <stdlib.h>

/* A PDB of the package. */
struct known {
    struct pdb_identity identity;
    size_t entry;
    const char *name;
};

/* An image whose own PDB `pdb_entry` is. */
struct claim {
    size_t pdb_entry, image_entry;
    uint8_t digest[DIGEST_SHA256_NBYTES]; /* of the image */
};

struct finding_pdbs {
    const struct parcel *parcel;
    struct parcel_pdbs *pdbs;
    struct known *by_name; /* all files that are called like one */
    size_t name_count;
    struct known *by_identity; /* those that can be read */
    size_t identity_count;
    struct claim *claims;
    size_t claim_count;
};

static int compare_sizes(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int compare_names(const void *left, const void *right)
{
    const struct known *a = left, *b = right;
    const char *x = a->name, *y = b->name;
    while (*x && text_lower(*x) == text_lower(*y)) {
        x++;
        y++;
    }
    return (unsigned char)text_lower(*x) - (unsigned char)text_lower(*y);
}

static int compare_identities(const struct pdb_identity *a, const struct pdb_identity *b)
{
    int order = memcmp(a->guid, b->guid, sizeof a->guid);
    return order != 0 ? order : (a->age > b->age) - (a->age < b->age);
}

static int by_identity(const void *left, const void *right)
{
    const struct known *a = left, *b = right;
    int order = compare_identities(&a->identity, &b->identity);
    return order != 0 ? order : compare_sizes(a->entry, b->entry);
}

static int by_pdb(const void *left, const void *right)
{
    const struct claim *a = left, *b = right;
    int order = compare_sizes(a->pdb_entry, b->pdb_entry);
    return order != 0 ? order : compare_sizes(a->image_entry, b->image_entry);
}

static bool is_pdb_entry(const struct parcel_entry *entry)
{
    return !entry->is_folder && path_has_suffix(entry->name, ".pdb");
}

/* False when memory ran out; what cannot be read otherwise is passed over. */
static bool look_at_pdb(struct finding_pdbs *finding, size_t entry)
{
    struct known *known = &finding->by_name[finding->name_count++];
    struct arena scratch;
    struct span bytes;
    struct pdb pdb;
    struct finding error;
    *known = (struct known){.entry = entry, .name = finding->parcel->entries[entry].name};
    arena_init(&scratch, NULL);
    if (parcel_file(finding->parcel, entry, &scratch, &bytes, &error) &&
        pdb_open(bytes, &scratch, &pdb, &error)) {
        known->identity = pdb.identity;
        finding->by_identity[finding->identity_count++] = *known;
    }
    bool has_memory = !scratch.exhausted;
    arena_free(&scratch);
    return has_memory;
}

/* The PDB in the image's folder that has the name that the image states, or else the image's own. */
static const struct known *find_by_name(const struct finding_pdbs *finding, const char *image_name,
                                        const char *stated, struct arena *scratch)
{
    struct known keys[2] = {{.name = path_beside(scratch, image_name, stated)},
                            {.name = path_with_suffix(scratch, image_name, ".pdb")}};
    const struct known *found = NULL;
    for (size_t i = 0; i < 2 && !found; i++)
        found = bsearch(&keys[i], finding->by_name, finding->name_count, sizeof keys[i], compare_names);
    return found;
}

/* The first PDB of an identity; *also is the second. NULL when there is none. */
static const struct known *find_by_identity(const struct finding_pdbs *finding,
                                            const struct pdb_identity *identity, const struct known **also)
{
    size_t low = 0, high = finding->identity_count;
    const struct known *known = finding->by_identity;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_identities(&known[middle].identity, identity) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_first = low < finding->identity_count && pdb_identity_is_equal(&known[low].identity, identity);
    bool is_second =
        low + 1 < finding->identity_count && pdb_identity_is_equal(&known[low + 1].identity, identity);
    *also = is_second ? &known[low + 1] : NULL;
    return is_first ? &known[low] : NULL;
}

static void claim(struct finding_pdbs *finding, size_t entry, struct span file,
                  const struct codeview *codeview, struct arena *scratch)
{
    struct parcel_pdb *own = &finding->pdbs->of[entry];
    const struct known *also;
    const struct known *first = find_by_identity(finding, &codeview->identity, &also);
    const struct known *named =
        find_by_name(finding, finding->parcel->entries[entry].name, codeview->file_name, scratch);
    const struct known *chosen = first ? first : named;
    if (first && named && pdb_identity_is_equal(&named->identity, &codeview->identity)) {
        chosen = named; /* of several that belong to it, the one beside it */
        if (also && named->entry == also->entry)
            also = first;
    }
    if (!chosen)
        return;
    *own = (struct parcel_pdb){.has_pdb = true,
                               .entry = chosen->entry,
                               .has_also = also != NULL,
                               .also_entry = also ? also->entry : 0};
    if (!first)
        return; /* what is wrong with it is said when the image is repaired */
    struct claim *own_claim = &finding->claims[finding->claim_count++];
    *own_claim = (struct claim){.pdb_entry = chosen->entry, .image_entry = entry};
    if (!digest_parts(DIGEST_SHA256, &file, 1, own_claim->digest))
        own->why_not = "The system computes no SHA-256.";
}

static bool look_at_image(struct finding_pdbs *finding, size_t entry)
{
    struct arena scratch;
    struct span bytes;
    struct finding error;
    struct image image;
    struct codeview codeview;
    arena_init(&scratch, NULL);
    if (parcel_file(finding->parcel, entry, &scratch, &bytes, &error) && package_is_image(bytes) &&
        image_read(bytes, &scratch, &image, &error) && codeview_read(&image, &scratch, &codeview, NULL))
        claim(finding, entry, bytes, &codeview, &scratch);
    bool has_memory = !scratch.exhausted;
    arena_free(&scratch);
    return has_memory;
}

/* A PDB follows one image, or several that are the same bytes and so become the same. */
static void settle_claims(struct finding_pdbs *finding)
{
    struct claim *claims = finding->claims;
    if (finding->claim_count > 1)
        qsort(claims, finding->claim_count, sizeof *claims, by_pdb);
    for (size_t first = 0, end; first < finding->claim_count; first = end) {
        size_t pdb_entry = claims[first].pdb_entry;
        const char *why_not = finding->pdbs->of[claims[first].image_entry].why_not;
        for (end = first; end < finding->claim_count && claims[end].pdb_entry == pdb_entry; end++)
            if (memcmp(claims[end].digest, claims[first].digest, sizeof claims[first].digest) != 0)
                why_not = "It is the PDB of other images in the package too, which are not the same bytes.";
        for (size_t i = first; i < end; i++)
            finding->pdbs->of[claims[i].image_entry].why_not = why_not;
        finding->pdbs->of[claims[first].image_entry].is_owner = !why_not;
        finding->pdbs->is_owned[pdb_entry] = !why_not;
    }
    for (size_t i = 0; i < finding->claim_count; i++) {
        struct parcel_pdb *own = &finding->pdbs->of[claims[i].image_entry];
        own->has_also = own->has_also && !finding->pdbs->is_owned[own->also_entry];
    }
}

bool parcel_pdbs_find(const struct parcel *parcel, struct arena *arena, struct parcel_pdbs *pdbs)
{
    struct finding_pdbs finding = {.parcel = parcel, .pdbs = pdbs};
    size_t pdb_count = 0;
    *pdbs = (struct parcel_pdbs){NULL, NULL};
    for (size_t i = 0; i < parcel->count; i++)
        pdb_count += is_pdb_entry(&parcel->entries[i]);
    if (pdb_count == 0)
        return true;
    pdbs->of = arena_array(arena, parcel->count, sizeof *pdbs->of);
    pdbs->is_owned = arena_array(arena, parcel->count, sizeof *pdbs->is_owned);
    finding.by_name = arena_array(arena, pdb_count, sizeof *finding.by_name);
    finding.by_identity = arena_array(arena, pdb_count, sizeof *finding.by_identity);
    finding.claims = arena_array(arena, parcel->count, sizeof *finding.claims);
    bool has_memory = !arena->exhausted;
    for (size_t i = 0; has_memory && i < parcel->count; i++)
        if (is_pdb_entry(&parcel->entries[i]))
            has_memory = look_at_pdb(&finding, i);
    if (has_memory) {
        qsort(finding.by_name, finding.name_count, sizeof *finding.by_name, compare_names);
        if (finding.identity_count > 1)
            qsort(finding.by_identity, finding.identity_count, sizeof *finding.by_identity, by_identity);
    }
    for (size_t i = 0; has_memory && i < parcel->count; i++)
        if (!parcel->entries[i].is_folder && !is_pdb_entry(&parcel->entries[i]))
            has_memory = look_at_image(&finding, i);
    if (has_memory)
        settle_claims(&finding);
    else
        arena->exhausted = true;
    return has_memory;
}
