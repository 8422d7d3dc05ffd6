/* page_objections.c - which pages the findings are about.
 * Takes: findings and references.  Gives: covered tracks.  Must not: judge. */
#include "report/page_tracks.h"

/* The codes that occur, ascending; at most PAGE_MAP_MAX_CODES, which is more than there are rules. */
static void collect_codes(struct page_map *map, const struct finding_list *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        enum finding_code code = findings->items[i].code;
        size_t at = 0;
        while (at < map->code_count && map->codes[at] < code)
            at++;
        bool is_known = at < map->code_count && map->codes[at] == code;
        if (findings->items[i].level == LEVEL_OFF || is_known || map->code_count == PAGE_MAP_MAX_CODES)
            continue;
        for (size_t k = map->code_count++; k > at; k--)
            map->codes[k] = map->codes[k - 1];
        map->codes[at] = code;
    }
}

static unsigned track_of(const struct page_map *map, enum finding_code code)
{
    for (unsigned i = 0; i < map->code_count; i++)
        if (map->codes[i] == code)
            return TRACK_CODES + i;
    return TRACK_COUNT;
}

/* A finding that stands for many relocations names one place; the picture marks every page. */
static bool cover_straddlers(struct page_tracks *tracks, const struct refset *refs, unsigned track)
{
    for (size_t i = 0; i < refs->ref_count; i++) {
        const struct ref *ref = &refs->refs[i];
        if (ref->source == SOURCE_RELOCATED && ref->site_rva != NO_RVA &&
            ref->site_rva % PAGE_NBYTES + ref->width_nbytes > PAGE_NBYTES &&
            !page_tracks_cover(tracks, ref->site_rva, ref->width_nbytes, track))
            return false;
    }
    return true;
}

/* The pages that one finding is about: the whole image when its alignment is wrong as such, a whole section,
 * the import address table, or a single place. */
static bool cover_finding(struct page_tracks *tracks, const struct image *image,
                          const struct finding *finding, unsigned track)
{
    const struct section *section = finding->rva == NO_RVA ? NULL : image_section_at_rva(image, finding->rva);
    const struct directory *iat = image_directory(image, DIR_IAT);
    if (finding->code == HVCI2004_SECTION_NOT_PAGE_ALIGNED && image->is_flat)
        return page_tracks_cover(tracks, 0, image->image_nbytes, track);
    switch (finding->code) {
    case HVCI2003_SECTION_WRITABLE_EXECUTABLE:
    case HVCI2004_SECTION_NOT_PAGE_ALIGNED:
    case HVCI2102_INIT_WRITABLE_EXECUTABLE:
        if (section)
            return page_tracks_cover(tracks, section->rva, section->memory_nbytes, track);
        break;
    case HVCI2005_IAT_EXECUTABLE:
        if (iat && finding->rva >= iat->rva && finding->rva - iat->rva < iat->nbytes)
            return page_tracks_cover(tracks, iat->rva, iat->nbytes, track);
        break;
    default:
        break;
    }
    return finding->rva == NO_RVA || page_tracks_cover(tracks, finding->rva, 1, track);
}

bool page_objections_cover(struct page_tracks *tracks, const struct outcome *outcome, struct page_map *map)
{
    const struct finding_list *findings = &outcome->findings;
    collect_codes(map, findings);
    for (size_t i = 0; i < findings->count; i++) {
        unsigned track = track_of(map, findings->items[i].code);
        if (track != TRACK_COUNT && findings->items[i].level != LEVEL_OFF &&
            !cover_finding(tracks, &outcome->image, &findings->items[i], track))
            return false;
    }
    unsigned straddles = track_of(map, HVCI2101_RELOCATION_STRADDLES);
    return straddles == TRACK_COUNT || cover_straddlers(tracks, &outcome->refs, straddles);
}
