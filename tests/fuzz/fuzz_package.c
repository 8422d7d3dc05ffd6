/* fuzz_package.c - what any archive holds and any program carries.
 * Claims: items lie inside a bounded depth and have paths below the package's; their bytes are there; what is
 * opened ends, in work linear in what it holds; two walks give the same. */
#include "fuzz.h"
#include "package/package.h"

enum { MOST_ITEMS = 200000, ITEM_NBYTES = 512 };

/* In the bytes of the file and of all that comes out of it, an item counted as a small file at least. The
 * memory is bounded by the tool's own limits. */
static const struct work_limit walking = {.steps_per_byte = 4000,
                                          .steps_constant = 4000000,
                                          .memory_per_byte = 1 << 10,
                                          .memory_constant = 1 << 24};

struct walked {
    size_t count, nbytes;
    uint64_t digest; /* of steps, paths and bytes */
};

static void mix(struct walked *walked, const void *bytes, size_t nbytes)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < nbytes; i++)
        walked->digest = (walked->digest ^ p[i]) * UINT64_C(0x100000001B3);
}

static struct package *open_package(struct span file, struct arena *arena)
{
    struct image image;
    struct package *package = NULL;
    if (package_is_archive(file)) {
        package = package_open_archive("f", file);
        CLAIM(package, "an archive of %zu bytes was not opened", file.nbytes);
    } else if (read_input(file, arena, &image)) {
        CLAIM(package_open_image("f", &image, &package), "an image of %zu bytes was not opened", file.nbytes);
    }
    return package;
}

static void claim_item(enum package_step step, const struct package_item *item)
{
    CLAIM(item->path && item->path[0] == 'f' && (item->path[1] == 0 || item->path[1] == '!'), "path %s",
          item->path ? item->path : "NULL");
    if (step == PACKAGE_PROBLEM)
        CLAIM(item->problem.code >= HVCI9050_PACKAGE_DAMAGED && is_sentence(item->problem.message),
              "problem at %s", item->path);
    else
        CLAIM(item->bytes.nbytes <= PACKAGE_MEMBER_NBYTES, "%zu bytes at %s", item->bytes.nbytes, item->path);
}

static struct walked walk(struct span file)
{
    struct walked walked = {0};
    struct arena opened;
    arena_init(&opened, NULL);
    struct work work = work_begin(&opened);
    struct package *package = open_package(file, &opened);
    while (package) {
        struct arena arena;
        struct package_item item;
        arena_init(&arena, NULL);
        enum package_step step = package_next(package, &arena, &item);
        CLAIM(step != PACKAGE_NO_MEMORY && walked.count < MOST_ITEMS, "step %d after %zu items", (int)step,
              walked.count);
        if (step == PACKAGE_END) {
            CLAIM(package_next(package, &arena, &item) == PACKAGE_END, "%s",
                  "there is an item behind the end");
            package_close(package);
            package = NULL;
        } else {
            claim_item(step, &item);
            walked.count++;
            walked.nbytes += item.bytes.nbytes;
            mix(&walked, &step, sizeof step);
            mix(&walked, item.path, strlen(item.path));
            mix(&walked, item.bytes.bytes, item.bytes.nbytes);
        }
        arena_free(&arena);
    }
    work_end(&work, &opened, file.nbytes + walked.nbytes + ITEM_NBYTES * walked.count, &walking, "a walk");
    arena_free(&opened);
    return walked;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct span file = {data, nbytes};
    struct walked first = walk(file), second = walk(file);
    CLAIM(first.count == second.count && first.digest == second.digest, "%zu items, then %zu", first.count,
          second.count);
    return 0;
}
