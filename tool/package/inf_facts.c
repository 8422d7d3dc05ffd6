/* inf_facts.c - inf_facts(): what a driver package's INF names.
 * Takes: entries.  Gives: struct inf_facts.  Must not: look for the files that it names. */
#include "package/inf.h"

#include "base/path_name.h"
#include "base/text.h"
#include "package/word_order.h"

#include <stdlib.h>

static bool begins_with(const char *text, const char *word)
{
    for (; *word; text++, word++)
        if (text_lower(*text) != text_lower(*word))
            return false;
    return true;
}

/* Is the section, or key, `word`, or `word` with a decoration behind it ("SourceDisksFiles.amd64")? */
static bool is_decorated(const char *text, const char *word)
{
    size_t nbytes = strlen(word);
    return begins_with(text, word) && (text[nbytes] == 0 || text[nbytes] == '.');
}

static const char *value_at(const struct inf_entry *entry, size_t i)
{
    return i < entry->value_count ? entry->values[i].text : "";
}

/* Names that were kept, without case, sorted at the end so that each is there once. */
struct names {
    const char **items;
    size_t count, capacity;
};

static bool add_name(struct arena *arena, struct names *names, const char *name)
{
    if (!*name)
        return true;
    const char **items = arena_grow(arena, (void *)names->items, names->count, &names->capacity,
                                    names->count + 1, sizeof *items);
    if (!items)
        return false;
    names->items = items;
    items[names->count++] = name;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return word_order(*(const char *const *)a, *(const char *const *)b);
}

/* The same, and of names that differ in case only always the same one first. */
static int by_name_and_case(const void *a, const void *b)
{
    int order = by_name(a, b);
    return order != 0 ? order : strcmp(*(const char *const *)b, *(const char *const *)a);
}

static void sort_names(struct names *names)
{
    size_t kept = 0;
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, by_name_and_case);
    for (size_t i = 0; i < names->count; i++)
        if (kept == 0 || by_name(&names->items[kept - 1], &names->items[i]) != 0)
            names->items[kept++] = names->items[i];
    names->count = kept;
}

/* A disk of [SourceDisksNames]: DISKID = description[,[tag-or-cab-file][,[unused][,[path][,flags]]]]. The
 * path is not asked for: put together for each file, a long one would be far more text than the INF has. */
struct disk {
    const char *id, *decoration; /* of the section, from its dot on */
    bool is_cabinet;
};

struct disks {
    struct disk *items;
    size_t count, capacity;
};

static const char *decoration_of(const char *section)
{
    const char *dot = strchr(section, '.');
    return dot ? dot : "";
}

static bool find_disks(const struct inf *inf, struct arena *arena, struct disks *disks)
{
    for (size_t i = 0; i < inf->entry_count; i++) {
        const struct inf_entry *entry = &inf->entries[i];
        if (!entry->key || !is_decorated(entry->section, "SourceDisksNames"))
            continue;
        struct disk *items =
            arena_grow(arena, disks->items, disks->count, &disks->capacity, disks->count + 1, sizeof *items);
        if (!items)
            return false;
        disks->items = items;
        const char *cabinet = value_at(entry, 1);
        size_t nbytes = strlen(cabinet);
        items[disks->count++] =
            (struct disk){.id = entry->key,
                          .decoration = decoration_of(entry->section),
                          .is_cabinet = nbytes > 4 && text_same_word(cabinet + nbytes - 4, ".cab")};
    }
    return true;
}

/* The disk of the same platform, or else the one of all. So few are looked at that no file can make this
 * slow. */
enum { MOST_DISKS = 64 };

static const struct disk *find_disk(const struct disks *disks, const char *id, const char *decoration)
{
    const struct disk *found = NULL;
    for (size_t i = 0; i < disks->count && i < MOST_DISKS; i++) {
        const struct disk *disk = &disks->items[i];
        if (!text_same_word(disk->id, id))
            continue;
        if (text_same_word(disk->decoration, decoration))
            return disk;
        if (!*disk->decoration || !found)
            found = disk;
    }
    return found;
}

/* [SourceDisksFiles]: FILE = diskid[,[subdir][,size]] */
static bool find_sources(const struct inf *inf, struct arena *arena, struct inf_facts *facts)
{
    struct disks disks = {0};
    size_t capacity = 0;
    if (!find_disks(inf, arena, &disks))
        return false;
    for (size_t i = 0; i < inf->entry_count; i++) {
        const struct inf_entry *entry = &inf->entries[i];
        if (!entry->key || !is_decorated(entry->section, "SourceDisksFiles"))
            continue;
        struct inf_source *sources = arena_grow(arena, facts->sources, facts->source_count, &capacity,
                                                facts->source_count + 1, sizeof *sources);
        if (!sources)
            return false;
        facts->sources = sources;
        const struct disk *disk = find_disk(&disks, value_at(entry, 0), decoration_of(entry->section));
        sources[facts->source_count++] = (struct inf_source){
            .name = entry->key, .line = entry->line, .is_packed = disk && disk->is_cabinet};
    }
    return true;
}

/* [Manufacturer]: %Name% = models[,decoration...] */
static unsigned platform_of(const char *decoration)
{
    static const struct {
        const char *word;
        unsigned platform;
    } known[] = {{"NTx86", INF_X86},
                 {"NTamd64", INF_AMD64},
                 {"NTarm64", INF_ARM64},
                 {"NTarm", INF_ARM},
                 {"NTia64", INF_IA64}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is_decorated(decoration, known[i].word))
            return known[i].platform;
    return 0;
}

static void read_version(const struct inf_entry *entry, struct arena *arena, struct inf_facts *facts)
{
    const char *value = value_at(entry, 0);
    if (text_same_word(entry->key, "Signature"))
        facts->is_driver = *value == '$';
    else if (text_same_word(entry->key, "Class"))
        facts->class_name = value;
    else if (text_same_word(entry->key, "Provider"))
        facts->provider = value;
    else if (text_same_word(entry->key, "DriverVer"))
        facts->driver_ver =
            entry->value_count > 1 ? arena_printf(arena, "%s,%s", value, value_at(entry, 1)) : value;
}

bool inf_facts(const struct inf *inf, struct arena *arena, struct inf_facts *facts)
{
    struct names catalogs = {0}, services = {0};
    *facts = (struct inf_facts){0};
    for (size_t i = 0; i < inf->entry_count; i++) {
        const struct inf_entry *entry = &inf->entries[i];
        bool is_version = text_same_word(entry->section, "Version");
        if (!entry->key)
            continue;
        if (is_version)
            read_version(entry, arena, facts);
        if (is_version && is_decorated(entry->key, "CatalogFile") &&
            !add_name(arena, &catalogs, value_at(entry, 0)))
            return false;
        if (text_same_word(entry->key, "ServiceBinary") &&
            !add_name(arena, &services, path_last_part(value_at(entry, 0)) /* %12%\\x.sys */))
            return false;
        if (is_decorated(entry->section, "Manufacturer")) {
            for (size_t k = 1; k < entry->value_count; k++)
                facts->platforms |= platform_of(value_at(entry, k));
            if (entry->value_count == 1)
                facts->platforms |= INF_X86; /* without a decoration */
        }
    }
    sort_names(&catalogs);
    sort_names(&services);
    facts->catalogs = catalogs.items;
    facts->catalog_count = catalogs.count;
    facts->services = services.items;
    facts->service_count = services.count;
    return find_sources(inf, arena, facts) && !arena->exhausted;
}
