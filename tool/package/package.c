/* package.c - package.h by a stack of open containers.
 * Takes: bytes.  Gives: images and problems.  Must not: recurse; hold more than the containers that are open.
 */
#include "package/package_parts.h"

#include <stdlib.h>

bool package_is_archive(struct span bytes)
{
    return archive_is_known(bytes);
}

bool package_is_image(struct span bytes)
{
    return piece_is_image(bytes);
}

static struct package *new_package(uint64_t nbytes)
{
    struct package *package = calloc(1, sizeof *package);
    if (!package)
        return NULL;
    package->nbytes_left = PACKAGE_FREE_NBYTES + nbytes * PACKAGE_MOST_RATIO;
    if (package->nbytes_left > PACKAGE_MOST_NBYTES)
        package->nbytes_left = PACKAGE_MOST_NBYTES;
    package->members_left = PACKAGE_MOST_MEMBERS;
    arena_init(&package->frames[0].arena, NULL);
    package->depth = 1;
    return package;
}

void package_pop(struct package *package)
{
    struct package_frame *frame = &package->frames[--package->depth];
    if (frame->reader)
        archive_close(frame->reader);
    arena_free(&frame->arena);
    *frame = (struct package_frame){0};
}

void package_close(struct package *package)
{
    while (package->depth != 0)
        package_pop(package);
    free(package);
}

struct package *package_open_archive(const char *path, struct span bytes)
{
    struct package *package = new_package(bytes.nbytes);
    if (!package)
        return NULL;
    package->frames[0].path = path;
    package->frames[0].bytes = bytes;
    package->frames[0].reader = archive_open(bytes);
    if (package->frames[0].reader)
        return package;
    package_close(package);
    return NULL;
}

bool package_open_image(const char *path, const struct image *image, struct package **package)
{
    struct package *opened = new_package(image->file.nbytes);
    *package = NULL;
    if (!opened)
        return false;
    struct package_frame *frame = &opened->frames[0];
    frame->path = path;
    frame->bytes = image->file;
    bool is_done = pieces_find(image, &frame->arena, &frame->pieces);
    if (is_done && (frame->pieces.count != 0 || frame->pieces.is_cut))
        *package = opened;
    else
        package_close(opened);
    return is_done;
}

/* A new container on the stack. Its bytes are copied unless they belong to the container below it. */
static struct package_frame *push(struct package *package, const char *path, struct span bytes,
                                  bool is_copied)
{
    struct package_frame *frame = &package->frames[package->depth];
    arena_init(&frame->arena, NULL);
    frame->path = arena_copy_text(&frame->arena, path, strlen(path));
    frame->bytes = bytes;
    if (is_copied) {
        uint8_t *copy = arena_alloc_unset(&frame->arena, bytes.nbytes);
        if (copy)
            memcpy(copy, bytes.bytes, bytes.nbytes);
        frame->bytes.bytes = copy;
    }
    package->depth++;
    return frame->arena.exhausted ? NULL : frame;
}

/* An image inside: an item at once, or when what it carries has been given. */
static enum package_step take_image(struct package *package, struct arena *arena, const char *path,
                                    struct span bytes, bool is_copied, const char *remark,
                                    struct package_item *item)
{
    struct image image;
    struct finding error;
    struct piece_list pieces = {0};
    item->path = path;
    item->bytes = bytes;
    item->remark = remark;
    bool is_read = image_read(bytes, arena, &image, &error);
    if (arena->exhausted || (is_read && !pieces_find(&image, arena, &pieces)))
        return PACKAGE_NO_MEMORY;
    if (pieces.count == 0 && !pieces.is_cut)
        return PACKAGE_IMAGE;
    if (package->depth == PACKAGE_DEEPEST) {
        item->remark =
            "It carries more images, which were not looked at: too many packages are inside each other.";
        return PACKAGE_IMAGE;
    }
    struct package_frame *frame = push(package, path, bytes, is_copied);
    if (!frame)
        return PACKAGE_NO_MEMORY;
    /* The model borrows the bytes, so it is made again for the copy. */
    if (!image_read(frame->bytes, &frame->arena, &image, &error) ||
        !pieces_find(&image, &frame->arena, &frame->pieces))
        return PACKAGE_NO_MEMORY;
    frame->gives_itself = true;
    frame->remark = remark ? arena_copy_text(&frame->arena, remark, strlen(remark)) : NULL;
    return PACKAGE_GOES_ON;
}

enum package_step package_take(struct package *package, struct arena *arena, const char *path,
                               struct span bytes, bool is_copied, const char *remark,
                               struct package_item *item)
{
    if (!archive_is_known(bytes))
        return take_image(package, arena, path, bytes, is_copied, remark, item);
    if (package->depth == PACKAGE_DEEPEST)
        return package_problem_at(
            item, path,
            package_limit(arena, "Too many packages are inside each other, so this one was not opened."));
    struct package_frame *frame = push(package, path, bytes, is_copied);
    if (!frame)
        return PACKAGE_NO_MEMORY;
    frame->reader = archive_open(frame->bytes);
    return frame->reader ? PACKAGE_GOES_ON : PACKAGE_NO_MEMORY;
}

static enum package_step next_piece(struct package *package, struct arena *arena, struct package_item *item)
{
    struct package_frame *frame = &package->frames[package->depth - 1];
    struct span bytes;
    if (frame->next_piece == frame->pieces.count && frame->pieces.is_cut) {
        frame->pieces.is_cut = false;
        return package_problem_at(item, arena_printf(arena, "%s!rsrc", frame->path),
                                  package_limit(arena, "There are more resources than are looked at."));
    }
    if (frame->next_piece == frame->pieces.count) {
        bool gives_itself = frame->gives_itself;
        if (gives_itself) {
            uint8_t *copy = arena_alloc_unset(arena, frame->bytes.nbytes);
            if (copy)
                memcpy(copy, frame->bytes.bytes, frame->bytes.nbytes);
            item->bytes = (struct span){copy, frame->bytes.nbytes};
            item->path = arena_printf(arena, "%s", frame->path);
            item->remark = frame->remark ? arena_printf(arena, "%s", frame->remark) : NULL;
        }
        package_pop(package);
        return !gives_itself ? PACKAGE_GOES_ON : arena->exhausted ? PACKAGE_NO_MEMORY : PACKAGE_IMAGE;
    }
    const struct piece *piece = &frame->pieces.items[frame->next_piece++];
    const char *path = arena_printf(arena, "%s!%s", frame->path, piece->name);
    if (!package_charge(package, piece->nbytes))
        return package_too_much(package, arena, item, path);
    if (!span_part(frame->bytes, piece->foff, piece->nbytes, &bytes))
        return PACKAGE_GOES_ON;
    if (archive_is_known(bytes)) /* its bytes stay as long as this container does */
        return package_take(package, arena, path, bytes, false, NULL, item);
    uint8_t *copy = arena_alloc_unset(arena, bytes.nbytes);
    if (!copy)
        return PACKAGE_NO_MEMORY;
    memcpy(copy, bytes.bytes, bytes.nbytes);
    return package_take(package, arena, path, (struct span){copy, bytes.nbytes}, true, NULL, item);
}

enum package_step package_next(struct package *package, struct arena *arena, struct package_item *item)
{
    *item = (struct package_item){0};
    while (package->depth != 0) {
        const struct package_frame *frame = &package->frames[package->depth - 1];
        enum package_step step =
            frame->reader ? package_next_member(package, arena, item) : next_piece(package, arena, item);
        if (step == PACKAGE_GOES_ON)
            continue;
        if (arena->exhausted)
            step = PACKAGE_NO_MEMORY;
        if (step == PACKAGE_NO_MEMORY)
            while (package->depth != 0)
                package_pop(package);
        return step;
    }
    return PACKAGE_END;
}
