/* address_map_read.c - the JSON map of a repair, read with cJSON.
 * Takes: the bytes of a file.  Gives: struct address_map.  Must not: trust them: size, depth and number of
 * values are looked at before the library sees them, and what is not as hvcifix writes it is an error. */
#include "translate/address_map.h"

#include "base/json_bounds.h"
#include "base/path_name.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

enum {
    MOST_NBYTES = 128 * 1024 * 1024,
    MOST_DEPTH = 8,
    MOST_VALUES = 8 * 1000 * 1000,
    MOST_STUBS = 16,
    MOST_INSTRUCTION_NBYTES = 15,
    MOST_NAME_NBYTES = 4096
};

struct reader {
    struct arena *arena;
    struct address_map *map;
    const char *message;
};

static bool fail(struct reader *reader, const char *message)
{
    if (!reader->message)
        reader->message = message;
    return false;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_IsObject(object) ? cJSON_GetObjectItemCaseSensitive(object, name) : NULL;
}

static bool take_u32(struct reader *reader, const cJSON *object, const char *name, uint32_t *value)
{
    const cJSON *number = member(object, name);
    if (!cJSON_IsNumber(number) || !(number->valuedouble >= 0 && number->valuedouble <= UINT32_MAX))
        return fail(reader, "a number in it is missing or is none");
    *value = (uint32_t)number->valuedouble;
    return (double)*value == number->valuedouble || fail(reader, "a number in it is no whole one");
}

/* The array under `name`, and room for as many values. */
static bool take_array(struct reader *reader, const cJSON *root, const char *name, size_t value_nbytes,
                       const cJSON **array, size_t *count, void **values)
{
    *array = member(root, name);
    if (!cJSON_IsArray(*array))
        return fail(reader, "a list in it is missing");
    *count = (size_t)cJSON_GetArraySize(*array);
    *values = arena_array(reader->arena, *count != 0 ? *count : 1, value_nbytes);
    return *values != NULL;
}

static bool fits(const struct reader *reader, enum address_side side, uint32_t rva, uint32_t nbytes)
{
    return range_fits(reader->map->image_nbytes[side], rva, nbytes);
}

static int by_side(const struct address_piece *a, const struct address_piece *b, enum address_side side)
{
    return (a->rva[side] > b->rva[side]) - (a->rva[side] < b->rva[side]);
}

static int by_new_rva(const void *a, const void *b)
{
    const struct address_piece *const *x = a, *const *y = b;
    return by_side(*x, *y, SIDE_NEW);
}

/* An empty piece (a section without bytes) holds no address. */
static bool read_pieces(struct reader *reader, const cJSON *root)
{
    struct address_map *map = reader->map;
    const cJSON *array, *item;
    struct address_piece *pieces;
    size_t count, kept = 0;
    if (!take_array(reader, root, "pieces", sizeof *pieces, &array, &count, (void **)&pieces))
        return false;
    bool is_identity = count == 0;
    cJSON_ArrayForEach(item, array)
    {
        struct address_piece *piece = &pieces[kept];
        if (!take_u32(reader, item, "old_rva", &piece->rva[SIDE_OLD]) ||
            !take_u32(reader, item, "new_rva", &piece->rva[SIDE_NEW]) ||
            !take_u32(reader, item, "size", &piece->nbytes))
            return false;
        /* Linkers have been seen to make SizeOfImage smaller than the last section. */
        if (piece->nbytes > UINT32_MAX - piece->rva[SIDE_OLD] ||
            piece->nbytes > UINT32_MAX - piece->rva[SIDE_NEW])
            return fail(reader, "a piece in it lies outside the image");
        kept += piece->nbytes != 0;
    }
    if (is_identity) /* nothing moves */
        pieces[kept++].nbytes = map->image_nbytes[SIDE_OLD] < map->image_nbytes[SIDE_NEW]
                                    ? map->image_nbytes[SIDE_OLD]
                                    : map->image_nbytes[SIDE_NEW];
    map->piece_count = kept;
    for (enum address_side side = SIDE_OLD; side < SIDE_COUNT; side++) {
        map->pieces[side] = arena_array(reader->arena, kept, sizeof *map->pieces[side]);
        if (!map->pieces[side])
            return false;
        for (size_t i = 0; i < kept; i++)
            map->pieces[side][i] = &pieces[i];
    }
    if (kept != 0)
        qsort(map->pieces[SIDE_NEW], kept, sizeof *map->pieces[SIDE_NEW], by_new_rva);
    for (enum address_side side = SIDE_OLD; side < SIDE_COUNT; side++)
        for (size_t i = 1; i < kept; i++)
            if (map->pieces[side][i]->rva[side] <
                (uint64_t)map->pieces[side][i - 1]->rva[side] + map->pieces[side][i - 1]->nbytes)
                return fail(reader, "two pieces in it overlap, or are not in ascending order");
    return true;
}

static int by_copy(const void *a, const void *b)
{
    const struct address_copy *x = a, *y = b;
    return (x->new_rva > y->new_rva) - (x->new_rva < y->new_rva);
}

static bool read_copies(struct reader *reader, const cJSON *root)
{
    struct address_copy *copies;
    const cJSON *array, *item;
    size_t at = 0;
    if (!take_array(reader, root, "copied_instructions", sizeof *copies, &array, &reader->map->copy_count,
                    (void **)&copies))
        return false;
    cJSON_ArrayForEach(item, array)
    {
        struct address_copy *copy = &copies[at++];
        if (!take_u32(reader, item, "old_rva", &copy->old_rva) ||
            !take_u32(reader, item, "size", &copy->nbytes) ||
            !take_u32(reader, item, "new_rva", &copy->new_rva))
            return false;
        if (copy->nbytes == 0 || copy->nbytes > MOST_INSTRUCTION_NBYTES ||
            !fits(reader, SIDE_OLD, copy->old_rva, copy->nbytes) ||
            !fits(reader, SIDE_NEW, copy->new_rva, copy->nbytes))
            return fail(reader, "an instruction in it lies outside the image, or has no such size");
    }
    if (at > 1)
        qsort(copies, at, sizeof *copies, by_copy);
    reader->map->copies = copies;
    return true;
}

static bool read_stubs(struct reader *reader, const cJSON *root)
{
    struct address_stub *stubs;
    const cJSON *array, *item;
    size_t at = 0;
    if (!take_array(reader, root, "start_stubs", sizeof *stubs, &array, &reader->map->stub_count,
                    (void **)&stubs))
        return false;
    if (reader->map->stub_count > MOST_STUBS)
        return fail(reader, "it has too many start stubs");
    cJSON_ArrayForEach(item, array)
    {
        struct address_stub *stub = &stubs[at++];
        if (!take_u32(reader, item, "new_rva", &stub->new_rva) ||
            !take_u32(reader, item, "size", &stub->nbytes) ||
            !take_u32(reader, item, "function_old_rva", &stub->function_old_rva))
            return false;
        if (!fits(reader, SIDE_NEW, stub->new_rva, stub->nbytes) ||
            !fits(reader, SIDE_OLD, stub->function_old_rva, 1))
            return fail(reader, "a start stub in it lies outside the image");
    }
    reader->map->stubs = stubs;
    return true;
}

static int names_by_old(const void *a, const void *b)
{
    const struct address_name *const *x = a, *const *y = b;
    return ((*x)->rva[SIDE_OLD] > (*y)->rva[SIDE_OLD]) - ((*x)->rva[SIDE_OLD] < (*y)->rva[SIDE_OLD]);
}

static int names_by_new(const void *a, const void *b)
{
    const struct address_name *const *x = a, *const *y = b;
    return ((*x)->rva[SIDE_NEW] > (*y)->rva[SIDE_NEW]) - ((*x)->rva[SIDE_NEW] < (*y)->rva[SIDE_NEW]);
}

/* The order of names that are equal, and of places with several names, must not depend on the library. */
static int names_by_text(const void *a, const void *b)
{
    const struct address_name *const *x = a, *const *y = b;
    int order = strcmp((*x)->name, (*y)->name);
    return order != 0 ? order : names_by_old(a, b);
}

static int names_by_old_then_text(const void *a, const void *b)
{
    int order = names_by_old(a, b);
    return order != 0 ? order : names_by_text(a, b);
}

static int names_by_new_then_text(const void *a, const void *b)
{
    int order = names_by_new(a, b);
    return order != 0 ? order : names_by_text(a, b);
}

static bool read_names(struct reader *reader, const cJSON *root)
{
    struct address_map *map = reader->map;
    struct address_name *names;
    const cJSON *array, *item;
    size_t at = 0;
    if (!take_array(reader, root, "names", sizeof *names, &array, &map->name_count, (void **)&names))
        return false;
    cJSON_ArrayForEach(item, array)
    {
        const cJSON *text = member(item, "name");
        struct address_name *name = &names[at++];
        if (!cJSON_IsString(text) || !take_u32(reader, item, "old_rva", &name->rva[SIDE_OLD]) ||
            !take_u32(reader, item, "new_rva", &name->rva[SIDE_NEW]))
            return fail(reader, "a name in it has no text or no place");
        size_t nbytes = strlen(text->valuestring);
        name->name = arena_copy_text(reader->arena, text->valuestring,
                                     nbytes < MOST_NAME_NBYTES ? nbytes : MOST_NAME_NBYTES);
        if (!name->name)
            return false;
    }
    const struct address_name ***lists[] = {&map->names[SIDE_OLD], &map->names[SIDE_NEW],
                                            &map->names_by_text};
    int (*const orders[])(const void *, const void *) = {names_by_old_then_text, names_by_new_then_text,
                                                         names_by_text};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const struct address_name **list = arena_array(reader->arena, at != 0 ? at : 1, sizeof *list);
        if (!list)
            return false;
        for (size_t j = 0; j < at; j++)
            list[j] = &names[j];
        if (at > 1)
            qsort(list, at, sizeof *list, orders[i]);
        *lists[i] = list;
    }
    return true;
}

static const char *file_name(struct arena *arena, const char *path)
{
    const char *name = path_last_part(path);
    return arena_copy_text(arena, name, strlen(name));
}

static bool read_sides(struct reader *reader, const cJSON *root)
{
    static const char *const keys[SIDE_COUNT] = {[SIDE_OLD] = "old", [SIDE_NEW] = "new"};
    static const char *const paths[SIDE_COUNT] = {[SIDE_OLD] = "image", [SIDE_NEW] = "output"};
    for (enum address_side side = SIDE_OLD; side < SIDE_COUNT; side++) {
        const cJSON *path = member(root, paths[side]);
        if (cJSON_IsString(path))
            reader->map->module[side] = file_name(reader->arena, path->valuestring);
        else if (side == SIDE_OLD || !cJSON_IsNull(path))
            return fail(reader,
                        "it names no image, or is the map of an older version; fix --map writes it anew");
        if (!take_u32(reader, member(root, keys[side]), "image_size", &reader->map->image_nbytes[side]))
            return false;
    }
    return !reader->arena->exhausted;
}

static bool parse(struct reader *reader, struct span file)
{
    const char *end = NULL;
    if (file.nbytes > MOST_NBYTES)
        return fail(reader, "it is larger than 128 MiB");
    if (json_bounds_of(file, MOST_DEPTH, MOST_VALUES) != JSON_IN_BOUNDS)
        return fail(reader, "it is nested too deeply, or holds too many values");
    cJSON *root = cJSON_ParseWithLengthOpts((const char *)file.bytes, file.nbytes, &end, false);
    if (!root)
        return fail(reader, "it is no JSON, or there is too little memory to read it");
    bool is_read = read_sides(reader, root) && read_pieces(reader, root) && read_copies(reader, root) &&
                   read_stubs(reader, root) && read_names(reader, root);
    cJSON_Delete(root);
    return is_read;
}

bool address_map_read(struct span file, struct arena *arena, struct address_map *map, const char **message)
{
    struct reader reader = {.arena = arena, .map = map};
    *map = (struct address_map){.piece_count = 0};
    bool is_read = parse(&reader, file);
    *message = reader.message;
    return is_read && !arena->exhausted;
}
