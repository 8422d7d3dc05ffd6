/* fuzz_inf.c - any bytes as the INF file of a driver package, and another DriverVer in it.
 * Claims: entries and values stand in the file in their order, and a literal value is what stands there; work
 * and memory are linear; with another DriverVer one piece of the file is another, every other byte is the
 * same, and reading it again gives the same entries but for that one. */
#include "fuzz.h"
#include "package/inf.h"

static const struct work_limit reading = {
    .steps_per_byte = 600, .steps_constant = 2000000, .memory_per_byte = 1000, .memory_constant = 1 << 20};

static const char wanted[] = "12/31/2025,10.0.65535.1";

/* The character of the file, as a byte, or -1 for one that is none. */
static int char_at(const struct inf *inf, size_t at)
{
    const uint8_t *p = inf->bytes.bytes + inf->mark_nbytes + at * inf->width_nbytes;
    if (inf->width_nbytes == 1)
        return p[0];
    unsigned unit = inf->is_big_endian ? (unsigned)p[0] << 8 | p[1] : load_u16(p);
    return unit < 0x80 ? (int)unit : -1;
}

static void claim_entries(const struct inf *inf)
{
    size_t count = (inf->bytes.nbytes - inf->mark_nbytes) / inf->width_nbytes, at = 0;
    unsigned line = 1;
    for (size_t i = 0; i < inf->entry_count; i++) {
        const struct inf_entry *entry = &inf->entries[i];
        CLAIM(entry->section && entry->value_count != 0 && entry->line >= line, "entry %zu", i);
        line = entry->line;
        for (size_t k = 0; k < entry->value_count; k++) {
            const struct inf_value *value = &entry->values[k];
            CLAIM(value->text && value->first >= at && value->end >= value->first && value->end <= count,
                  "value %zu of entry %zu stands at %zu to %zu of %zu", k, i, value->first, value->end,
                  count);
            at = value->end;
            for (size_t c = value->first; value->is_literal && c < value->end; c++) {
                int stands = char_at(inf, c);
                CLAIM(stands < 0 || inf->width_nbytes == 2 ||
                          (uint8_t)value->text[c - value->first] == stands,
                      "\"%s\" is not what stands there", value->text);
            }
        }
    }
}

static void claim_same_but_one(const struct inf *before, const struct inf *after)
{
    size_t other_count = 0;
    CLAIM(before->entry_count == after->entry_count, "%zu entries, then %zu", before->entry_count,
          after->entry_count);
    for (size_t i = 0; i < before->entry_count; i++) {
        const struct inf_entry *x = &before->entries[i], *y = &after->entries[i];
        CLAIM(strcmp(x->section, y->section) == 0 && !x->key == !y->key &&
                  (!x->key || strcmp(x->key, y->key) == 0),
              "entry %zu has another name", i);
        bool is_same = x->value_count == y->value_count;
        for (size_t k = 0; is_same && k < x->value_count; k++)
            is_same = strcmp(x->values[k].text, y->values[k].text) == 0;
        if (is_same)
            continue;
        other_count++;
        CLAIM(y->value_count == 2 && strcmp(y->values[0].text, "12/31/2025") == 0 &&
                  strcmp(y->values[1].text, "10.0.65535.1") == 0,
              "entry %zu has other values", i);
    }
    CLAIM(other_count <= 1, "%zu entries have other values", other_count);
}

/* The bytes in front of and behind the piece are the same, and the piece is what was asked for. */
static void claim_bytes(const struct inf *inf, struct span changed)
{
    struct span old = inf->bytes;
    size_t front = 0, back = 0, nbytes = (sizeof wanted - 1) * inf->width_nbytes;
    size_t least = old.nbytes < changed.nbytes ? old.nbytes : changed.nbytes;
    while (front < least && old.bytes[front] == changed.bytes[front])
        front++;
    while (back < least - front &&
           old.bytes[old.nbytes - back - 1] == changed.bytes[changed.nbytes - back - 1])
        back++;
    CLAIM(changed.nbytes - front - back <= nbytes, "%zu bytes changed, not %zu",
          changed.nbytes - front - back, nbytes);
}

static void set_driver_ver(const struct inf *inf, struct arena *arena)
{
    struct inf again;
    struct inf_facts facts;
    struct span changed, twice;
    const char *problem;
    if (!inf_set_driver_ver(inf, wanted, arena, &changed, &problem)) {
        CLAIM(is_sentence(problem), "no reason");
        return;
    }
    claim_bytes(inf, changed);
    CLAIM(inf_read(changed, arena, &again, &problem), "%s", problem ? problem : "memory");
    claim_same_but_one(inf, &again);
    CLAIM(inf_facts(&again, arena, &facts), "memory");
    CLAIM(facts.driver_ver && strcmp(facts.driver_ver, wanted) == 0, "DriverVer is %s", facts.driver_ver);
    CLAIM(inf_set_driver_ver(&again, wanted, arena, &twice, &problem) && span_is_equal(changed, twice),
          "the same once more is something else");
}

static void claim_facts(const struct inf_facts *facts)
{
    for (size_t i = 0; i < facts->catalog_count; i++)
        CLAIM(facts->catalogs[i] && *facts->catalogs[i], "a catalog without a name");
    for (size_t i = 0; i < facts->service_count; i++)
        CLAIM(facts->services[i] && !strpbrk(facts->services[i], "\\/"), "service %s", facts->services[i]);
    for (size_t i = 0; i < facts->source_count; i++)
        CLAIM(facts->sources[i].name && facts->sources[i].line != 0, "source %zu", i);
    CLAIM(inf_is_driver_ver(wanted), "%s is refused", wanted);
    if (facts->driver_ver && inf_is_driver_ver(facts->driver_ver))
        CLAIM(strspn(facts->driver_ver, "0123456789/,.") == strlen(facts->driver_ver), "DriverVer %s",
              facts->driver_ver);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct inf inf;
    struct inf_facts facts;
    struct arena arena;
    const char *problem;
    arena_init(&arena, NULL);
    struct work work = work_begin(&arena);
    bool is_read = inf_read((struct span){data, nbytes}, &arena, &inf, &problem);
    CLAIM(is_read || is_sentence(problem), "no reason");
    if (is_read)
        CLAIM(inf_facts(&inf, &arena, &facts), "memory");
    work_end(&work, &arena, nbytes, &reading, "reading an INF");
    if (is_read) {
        claim_entries(&inf);
        claim_facts(&facts);
        set_driver_ver(&inf, &arena);
    }
    arena_free(&arena);
    return 0;
}
