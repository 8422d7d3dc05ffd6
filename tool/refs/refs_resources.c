/* refs_resources.c - the resource tree and the addresses of its leaves.
 * Takes: directory 2.  Gives: SOURCE_RESOURCES: offsets inside the tree, and one RVA for each leaf.
 * What the leaves hold is plain data. A table, name or leaf that two entries share goes in once.
 * Must not: recurse, or follow a cycle. Source: PE format specification, ".rsrc". */
#include "refs/refs_sources.h"

enum { DEEPEST_LEVEL = 32 }; /* Windows uses three */

struct pending_table {
    uint32_t offset; /* from the start of the tree */
    uint32_t level;
};

/* Tables still to be read, first in first out. */
struct tree_walk {
    struct window tree;
    struct pending_table *pending;
    size_t pending_count, pending_capacity;
    struct site_set tables, names, leaves; /* those met so far, by file offset; they may overlap */
};

static bool mark_tree(struct refset *refs, const struct tree_walk *walk, uint64_t offset, uint32_t nbytes)
{
    return refset_extent(refs, walk->tree.rva + (uint32_t)offset, nbytes, EXTENT_RESOURCE_TREE,
                         SOURCE_RESOURCES);
}

static bool collect_name(struct refset *refs, struct tree_walk *walk, uint64_t field_offset, uint32_t offset)
{
    struct ref_spec spec = {.source = SOURCE_RESOURCES,
                            .encoding = REF_OFFSET,
                            .width_nbytes = 4,
                            .base_rva = walk->tree.rva,
                            .detail = DETAIL_RESOURCE_NAME};
    uint16_t char_count;
    if (!window_add(refs, &walk->tree, field_offset, spec))
        return false;
    if (!span_u16(walk->tree.bytes, offset, &char_count) ||
        !range_fits(walk->tree.bytes.nbytes, offset, 2 + 2 * (uint64_t)char_count))
        return refset_problem(refs, SOURCE_RESOURCES, walk->tree.rva, walk->tree.foff + field_offset,
                              "A resource name at offset 0x%X lies outside the resource section.", offset);
    if (!site_set_add(&walk->names, walk->tree.foff + offset))
        return true;
    return mark_tree(refs, walk, offset, 2 + 2 * (uint32_t)char_count);
}

static bool collect_leaf(struct refset *refs, struct tree_walk *walk, uint32_t offset)
{
    if (!range_fits(walk->tree.bytes.nbytes, offset, RESOURCE_DATA_ENTRY_NBYTES))
        return refset_problem(refs, SOURCE_RESOURCES, walk->tree.rva, walk->tree.foff,
                              "A resource leaf at offset 0x%X lies outside the resource section.", offset);
    if (!site_set_add(&walk->leaves, walk->tree.foff + offset))
        return true;
    struct ref_spec spec = {
        .source = SOURCE_RESOURCES, .encoding = REF_RVA, .width_nbytes = 4, .detail = DETAIL_RESOURCE_DATA};
    const uint8_t *bytes = walk->tree.bytes.bytes + offset;
    uint32_t data_rva = load_u32(bytes + RESOURCE_DATA_RVA);
    enum ref_state state = refs_classify_rva(refs->image, data_rva, false);
    if (state != REF_RESOLVED && state != REF_HEADERS && load_u32(bytes + RESOURCE_DATA_SIZE) != 0 &&
        !refset_problem(refs, SOURCE_RESOURCES, walk->tree.rva + offset, walk->tree.foff + offset,
                        "The data of a resource are said to be at RVA 0x%X, which is not in the image.",
                        data_rva))
        return false;
    return window_add(refs, &walk->tree, offset + RESOURCE_DATA_RVA, spec) &&
           mark_tree(refs, walk, offset, RESOURCE_DATA_ENTRY_NBYTES) &&
           refset_extent(refs, data_rva, load_u32(bytes + RESOURCE_DATA_SIZE), EXTENT_RESOURCE_DATA,
                         SOURCE_RESOURCES);
}

static bool push_table(struct refset *refs, struct tree_walk *walk, uint32_t offset, uint32_t level)
{
    if (level > DEEPEST_LEVEL)
        return refset_problem(refs, SOURCE_RESOURCES, walk->tree.rva, walk->tree.foff,
                              "The resource tree is more than %d levels deep.", (int)DEEPEST_LEVEL);
    if (!range_fits(walk->tree.bytes.nbytes, offset, RESOURCE_DIRECTORY_NBYTES))
        return refset_problem(refs, SOURCE_RESOURCES, walk->tree.rva, walk->tree.foff,
                              "A resource table at offset 0x%X lies outside the resource section.", offset);
    if (!site_set_add(&walk->tables, walk->tree.foff + offset))
        return refset_problem(refs, SOURCE_RESOURCES, walk->tree.rva, walk->tree.foff + offset,
                              "Two entries of the resource tree lead to the same table.");
    struct pending_table *grown = arena_grow(refs->arena, walk->pending, walk->pending_count,
                                             &walk->pending_capacity, walk->pending_count + 1, sizeof *grown);
    if (!grown)
        return false;
    walk->pending = grown;
    walk->pending[walk->pending_count++] = (struct pending_table){offset, level};
    return true;
}

static bool collect_entry(struct refset *refs, struct tree_walk *walk, uint64_t entry, uint32_t level)
{
    uint32_t name = load_u32(walk->tree.bytes.bytes + entry + RESOURCE_ENTRY_NAME);
    uint32_t offset = load_u32(walk->tree.bytes.bytes + entry + RESOURCE_ENTRY_OFFSET);
    struct ref_spec spec = {.source = SOURCE_RESOURCES,
                            .encoding = REF_OFFSET,
                            .width_nbytes = 4,
                            .base_rva = walk->tree.rva,
                            .detail = DETAIL_RESOURCE_TREE};
    if ((name & RESOURCE_HIGH_BIT) != 0 &&
        !collect_name(refs, walk, entry + RESOURCE_ENTRY_NAME, name & ~RESOURCE_HIGH_BIT))
        return false;
    if (!window_add(refs, &walk->tree, entry + RESOURCE_ENTRY_OFFSET, spec))
        return false;
    return (offset & RESOURCE_HIGH_BIT) != 0 ? push_table(refs, walk, offset & ~RESOURCE_HIGH_BIT, level + 1)
                                             : collect_leaf(refs, walk, offset);
}

static bool collect_table(struct refset *refs, struct tree_walk *walk, struct pending_table table)
{
    const uint8_t *bytes = walk->tree.bytes.bytes + table.offset;
    uint32_t entry_count =
        (uint32_t)load_u16(bytes + RESOURCE_NUMBER_OF_NAMED) + load_u16(bytes + RESOURCE_NUMBER_OF_IDS);
    uint64_t first = (uint64_t)table.offset + RESOURCE_DIRECTORY_NBYTES;
    uint64_t room_count = (walk->tree.bytes.nbytes - first) / RESOURCE_ENTRY_NBYTES;
    if (entry_count > room_count) {
        if (!refset_problem(refs, SOURCE_RESOURCES, walk->tree.rva + table.offset,
                            walk->tree.foff + table.offset,
                            "A resource table names %u entries, but only %llu fit the section.", entry_count,
                            (unsigned long long)room_count))
            return false;
        entry_count = (uint32_t)room_count;
    }
    if (!mark_tree(refs, walk, table.offset, RESOURCE_DIRECTORY_NBYTES + entry_count * RESOURCE_ENTRY_NBYTES))
        return false;
    for (uint32_t i = 0; i < entry_count; i++) {
        uint64_t entry = first + (uint64_t)i * RESOURCE_ENTRY_NBYTES;
        if (window_claimed(refs, &walk->tree, entry + RESOURCE_ENTRY_OFFSET))
            return refset_problem(refs, SOURCE_RESOURCES, walk->tree.rva + table.offset,
                                  walk->tree.foff + entry, "Two resource tables overlap.");
        if (!collect_entry(refs, walk, entry, table.level))
            return false;
    }
    return true;
}

bool refs_collect_resources(struct refset *refs)
{
    const struct directory *directory = image_directory(refs->image, DIR_RESOURCE);
    struct tree_walk walk = {0};
    if (!directory)
        return true;
    if (!window_from_rva(refs->image, directory->rva, &walk.tree))
        return refset_problem(refs, SOURCE_RESOURCES, directory->rva, NO_FILE_OFFSET,
                              "The resource directory at RVA 0x%X has no bytes in the file.", directory->rva);
    uint64_t file_nbytes = refs->image->file.nbytes;
    if (!site_set_init(&walk.tables, refs->arena, file_nbytes) ||
        !site_set_init(&walk.names, refs->arena, file_nbytes) ||
        !site_set_init(&walk.leaves, refs->arena, file_nbytes) || !push_table(refs, &walk, 0, 0))
        return false;
    for (size_t next = 0; next < walk.pending_count; next++)
        if (!collect_table(refs, &walk, walk.pending[next]))
            return false;
    return true;
}
