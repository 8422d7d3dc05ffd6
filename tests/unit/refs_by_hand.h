/* refs_by_hand.h - the reference inventory of an image that a test has made, and questions to it.
 * Takes: a struct made_image.  Gives: the collected references; each is checked to encode back to what is
 * stored. Must not: know any table's layout. */
#ifndef HVCIFIX_TESTS_REFS_BY_HAND_H
#define HVCIFIX_TESTS_REFS_BY_HAND_H

#include "cmocka_all.h"

#include "make_image.h"
#include "refs/refset.h"

struct collected {
    struct arena arena;
    struct image image;
    struct refset refs;
};

static inline void assert_encodes_back(const struct collected *c)
{
    for (size_t i = 0; i < c->refs.ref_count; i++) {
        const struct ref *ref = &c->refs.refs[i];
        uint64_t value, stored = load_width(c->image.file.bytes + ref->site_foff, ref->width_nbytes);
        assert_true(ref_encode(&c->image, ref, stored, ref->target, ref->base_rva, &value));
        assert_true(value == stored);
    }
}

/* Makes the file, reads it, collects. collected_free() ends it. */
static inline void collect(struct collected *c, struct made_image *made, uint32_t sources)
{
    struct finding error;
    arena_init(&c->arena, NULL);
    if (!image_read(made->file ? (struct span){made->file, made->file_nbytes} : make_file(made), &c->arena,
                    &c->image, &error))
        fail_msg("%s", error.message);
    assert_true(refs_collect(&c->image, &c->arena, sources, &c->refs));
    assert_encodes_back(c);
}

static inline void collected_free(struct collected *c, struct made_image *made)
{
    arena_free(&c->arena);
    make_free(made);
}

/* The reference of that source stored at site_rva; NULL when there is none. */
static inline const struct ref *find_ref(const struct collected *c, enum ref_source source, uint32_t site_rva)
{
    for (size_t i = 0; i < c->refs.ref_count; i++)
        if (c->refs.refs[i].source == source && c->refs.refs[i].site_rva == site_rva)
            return &c->refs.refs[i];
    return NULL;
}

static inline void assert_ref(const struct collected *c, enum ref_source source, uint32_t site_rva,
                              enum ref_encoding encoding, uint32_t target, enum ref_state state)
{
    const struct ref *ref = find_ref(c, source, site_rva);
    if (!ref) {
        fail_msg("no reference of %s at RVA 0x%X", ref_source_name(source), site_rva);
        return;
    }
    assert_int_equal(ref->encoding, encoding);
    assert_int_equal(ref->target, target);
    assert_int_equal(ref->state, state);
}

static inline size_t count_refs(const struct collected *c, enum ref_source source)
{
    size_t count = 0;
    for (size_t i = 0; i < c->refs.ref_count; i++)
        count += c->refs.refs[i].source == source;
    return count;
}

static inline size_t count_extents(const struct collected *c, enum extent_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < c->refs.extent_count; i++)
        count += c->refs.extents[i].kind == kind;
    return count;
}

static inline void assert_extent(const struct collected *c, enum extent_kind kind, uint32_t rva,
                                 uint32_t nbytes)
{
    for (size_t i = 0; i < c->refs.extent_count; i++)
        if (c->refs.extents[i].kind == kind && c->refs.extents[i].rva == rva &&
            c->refs.extents[i].nbytes == nbytes)
            return;
    fail_msg("no extent \"%s\" at RVA 0x%X with 0x%X bytes", extent_kind_name(kind), rva, nbytes);
}

static inline size_t count_problems(const struct collected *c, enum ref_source source)
{
    size_t count = 0;
    for (size_t i = 0; i < c->refs.problem_count; i++)
        count += c->refs.problems[i].source == source;
    return count;
}

/* A problem of that source says `words`. */
static inline void assert_problem(const struct collected *c, enum ref_source source, const char *words)
{
    for (size_t i = 0; i < c->refs.problem_count; i++)
        if (c->refs.problems[i].source == source && strstr(c->refs.problems[i].reason, words))
            return;
    fail_msg("no problem of %s says \"%s\"", ref_source_name(source), words);
}

#endif
