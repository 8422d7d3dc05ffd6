/* pieces.c - pieces.h: a walk over the resource tree, three levels deep, and a look behind the image.
 * Takes: struct image.  Gives: parts of the file.  Must not: follow a deeper tree than Windows does. */
#include "package/pieces.h"

#include "base/utf16.h"
#include "package/archive.h"

enum {
    LEVEL_COUNT = 3 /* type, name, language */,
    MOST_ENTRIES = 65536,
    MOST_SHARED_ENTRIES = 4096, /* of tables that lie over each other, as in trees that are none */
    MOST_NAME_UNITS = 255,      /* all entries may have the same name, however long: the rest is not shown */
    RT_RCDATA = 10
};

/* Archives behind a program begin there, or behind what its unpacker keeps of its own. */
enum { OVERLAY_SEARCH_NBYTES = 1024 * 1024 };

struct walk {
    const struct image *image;
    struct arena *arena;
    struct piece_list *list;
    struct span tree;
    size_t entry_count, most_entry_count; /* looked at so far, and at most */
};

bool piece_is_image(struct span bytes)
{
    return bytes.nbytes >= 2 && bytes.bytes[0] == 'M' && bytes.bytes[1] == 'Z';
}

static bool is_wanted(struct span bytes)
{
    return piece_is_image(bytes) || archive_is_known(bytes);
}

static bool add(struct walk *walk, const char *name, uint64_t foff, uint64_t nbytes)
{
    struct piece_list *list = walk->list;
    struct piece *items =
        arena_grow(walk->arena, list->items, list->count, &list->capacity, list->count + 1, sizeof *items);
    if (!items)
        return false;
    list->items = items;
    list->items[list->count++] = (struct piece){name, foff, nbytes};
    return !walk->arena->exhausted;
}

/* The number or the text by which an entry is called. */
static const char *entry_name(struct walk *walk, uint32_t name)
{
    uint16_t unit_count;
    uint64_t offset = name & ~RESOURCE_HIGH_BIT;
    if ((name & RESOURCE_HIGH_BIT) == 0)
        return arena_printf(walk->arena, "%u", name);
    if (!span_u16(walk->tree, offset, &unit_count) ||
        !range_fits(walk->tree.nbytes, offset + 2, 2 * (uint64_t)unit_count))
        return "?";
    if (unit_count > MOST_NAME_UNITS)
        unit_count = MOST_NAME_UNITS;
    uint16_t *units = arena_array(walk->arena, (size_t)unit_count + 1, sizeof *units);
    size_t nbytes;
    for (uint16_t i = 0; units && i < unit_count; i++)
        units[i] = load_u16(walk->tree.bytes + offset + 2 + 2 * (uint64_t)i);
    const char *text = units ? utf16_to_utf8(units, unit_count, walk->arena, &nbytes) : NULL;
    return text ? text : "?";
}

struct table {
    uint64_t first; /* offset of its first entry */
    uint32_t count;
};

static bool read_table(const struct walk *walk, uint32_t offset, struct table *table)
{
    if (!range_fits(walk->tree.nbytes, offset, RESOURCE_DIRECTORY_NBYTES))
        return false;
    const uint8_t *bytes = walk->tree.bytes + offset;
    table->first = (uint64_t)offset + RESOURCE_DIRECTORY_NBYTES;
    table->count =
        (uint32_t)load_u16(bytes + RESOURCE_NUMBER_OF_NAMED) + load_u16(bytes + RESOURCE_NUMBER_OF_IDS);
    uint64_t room_count = (walk->tree.nbytes - table->first) / RESOURCE_ENTRY_NBYTES;
    if (table->count > room_count)
        table->count = (uint32_t)room_count;
    return true;
}

/* names: type, name and language; the last NULL where there is only one. */
static bool add_leaf(struct walk *walk, uint32_t offset, const uint32_t ids[LEVEL_COUNT], bool has_languages)
{
    if (!range_fits(walk->tree.nbytes, offset, RESOURCE_DATA_ENTRY_NBYTES))
        return true;
    uint32_t rva = load_u32(walk->tree.bytes + offset + RESOURCE_DATA_RVA);
    uint32_t nbytes = load_u32(walk->tree.bytes + offset + RESOURCE_DATA_SIZE);
    uint32_t foff;
    struct span run = image_run_at_rva(walk->image, rva);
    if (nbytes > run.nbytes) /* as much of it as there is: judging it says what is missing */
        nbytes = (uint32_t)run.nbytes;
    run.nbytes = nbytes;
    if (!is_wanted(run) || !image_rva_to_foff(walk->image, rva, nbytes, &foff))
        return true;
    const char *type = ids[0] == RT_RCDATA ? "" : arena_printf(walk->arena, "%s/", entry_name(walk, ids[0]));
    const char *language = has_languages ? arena_printf(walk->arena, "/%s", entry_name(walk, ids[2])) : "";
    return add(walk, arena_printf(walk->arena, "rsrc/%s%s%s", type, entry_name(walk, ids[1]), language), foff,
               nbytes);
}

/* Without recursion: where each level stands. */
static bool walk_tree(struct walk *walk)
{
    struct table tables[LEVEL_COUNT];
    uint32_t next[LEVEL_COUNT] = {0}, ids[LEVEL_COUNT] = {0};
    unsigned level = 0;
    if (!read_table(walk, 0, &tables[0]))
        return true;
    for (;;) {
        if (next[level] == tables[level].count) {
            if (level == 0)
                return true;
            level--;
            continue;
        }
        if (++walk->entry_count > walk->most_entry_count) {
            walk->list->is_cut = true;
            return true;
        }
        const uint8_t *entry =
            walk->tree.bytes + tables[level].first + (uint64_t)next[level]++ * RESOURCE_ENTRY_NBYTES;
        uint32_t target = load_u32(entry + RESOURCE_ENTRY_OFFSET);
        ids[level] = load_u32(entry + RESOURCE_ENTRY_NAME);
        if ((target & RESOURCE_HIGH_BIT) == 0) {
            bool has_languages = level == LEVEL_COUNT - 1 && tables[level].count > 1;
            if (level != 0 && !add_leaf(walk, target, ids, has_languages))
                return false;
        } else if (level + 1 < LEVEL_COUNT &&
                   read_table(walk, target & ~RESOURCE_HIGH_BIT, &tables[level + 1])) {
            next[++level] = 0;
        }
    }
}

/* The first place from which on the bytes begin like an archive, or like an image where they begin. */
static bool find_begin(struct span bytes, size_t *begin)
{
    *begin = 0;
    if (is_wanted(bytes))
        return true;
    size_t last = bytes.nbytes < OVERLAY_SEARCH_NBYTES ? bytes.nbytes : OVERLAY_SEARCH_NBYTES;
    for (size_t at = 1; at + 4 <= last; at++) {
        if (bytes.bytes[at] != 'P' && bytes.bytes[at] != 'M')
            continue;
        if (archive_is_known((struct span){bytes.bytes + at, bytes.nbytes - at})) {
            *begin = at;
            return true;
        }
    }
    return false;
}

/* What stands behind the last section: before the certificates of a signed program it is called unnamed. */
static bool look_behind(struct walk *walk)
{
    const struct image *image = walk->image;
    uint64_t sections_end = image->headers_nbytes;
    for (uint32_t i = 0; i < image->section_count; i++) {
        const struct section *section = &image->sections[i];
        uint64_t end = (uint64_t)section->raw_foff + section->raw_nbytes;
        if (section->raw_nbytes != 0 && end > sections_end)
            sections_end = end;
    }
    unsigned count = 0;
    for (size_t i = 0; i < image->region_count; i++) {
        const struct region *region = &image->regions[i];
        struct span bytes;
        size_t begin;
        if ((region->kind != REGION_OVERLAY && region->kind != REGION_UNNAMED) ||
            region->foff < sections_end || !span_part(image->file, region->foff, region->nbytes, &bytes) ||
            !find_begin(bytes, &begin))
            continue;
        const char *name = count == 0 ? "overlay" : arena_printf(walk->arena, "overlay%u", count + 1);
        if (!add(walk, name, region->foff + begin, region->nbytes - begin))
            return false;
        count++;
    }
    return true;
}

bool pieces_find(const struct image *image, struct arena *arena, struct piece_list *list)
{
    struct walk walk = {.image = image, .arena = arena, .list = list};
    *list = (struct piece_list){0};
    const struct directory *directory = image_directory(image, DIR_RESOURCE);
    if (directory)
        walk.tree = image_run_at_rva(image, directory->rva);
    /* Tables that lie over each other would make a small tree endless, in each of the images that it leads
     * to. */
    size_t room_count = walk.tree.nbytes / RESOURCE_ENTRY_NBYTES + MOST_SHARED_ENTRIES;
    walk.most_entry_count = room_count < MOST_ENTRIES ? room_count : MOST_ENTRIES;
    return walk_tree(&walk) && look_behind(&walk) && !arena->exhausted;
}
