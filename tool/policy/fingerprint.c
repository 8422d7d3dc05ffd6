/* fingerprint.c - fingerprint.h.
 * Takes: findings.  Gives: fingerprints.  Must not: need more than n log n steps for n findings. */
#include "policy/fingerprint.h"

#include "base/path_name.h"
#include "base/text.h"
#include "io/digest.h"

#include <stdlib.h>

struct key {
    uint8_t digest[DIGEST_SHA256_NBYTES];
    size_t number;
};

static struct span span_of(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text) + 1}; /* with its NUL, which keeps parts apart */
}

static bool digest_key(const struct finding *finding, const char *name, const char *machine,
                       struct arena *arena, struct key *key)
{
    const char *code = arena_printf(arena, "HVCI%04u", (unsigned)finding->code);
    const struct finding_call *call = finding->call;
    const struct span parts[] = {span_of(code),
                                 span_of(name),
                                 span_of(machine),
                                 span_of(finding->section ? finding->section : ""),
                                 span_of(call ? call->api : ""),
                                 span_of(call && call->own_name ? call->own_name : ""),
                                 span_of(call && call->tag ? call->tag : "")};
    enum { PARTS = sizeof parts / sizeof parts[0], CALL_PARTS = 3 };
    return digest_parts(DIGEST_SHA256, parts, call ? PARTS : PARTS - CALL_PARTS, key->digest);
}

static int by_digest(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = memcmp(x->digest, y->digest, sizeof x->digest);
    return order != 0 ? order : x->number < y->number ? -1 : 1;
}

/* The fingerprint of the key that is the `ordinal`th with its digest. */
static bool finish(const struct key *key, uint32_t ordinal, struct fingerprint *fingerprint)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t number[4], digest[DIGEST_SHA256_NBYTES];
    store_u32(number, ordinal);
    const struct span parts[] = {{key->digest, sizeof key->digest}, {number, sizeof number}};
    if (!digest_parts(DIGEST_SHA256, parts, 2, digest))
        return false;
    for (size_t i = 0; i < FINGERPRINT_CHARS; i++)
        fingerprint->chars[i] = digits[(digest[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 0xF];
    fingerprint->chars[FINGERPRINT_CHARS] = 0;
    return true;
}

struct fingerprint *fingerprints_of(const struct finding_list *findings, const char *path,
                                    const struct image *image, struct arena *arena)
{
    const char *file_name = path_file_name(path);
    char *name = arena_copy_text(arena, file_name, strlen(file_name));
    struct fingerprint *fingerprints = arena_array(arena, findings->count + 1, sizeof *fingerprints);
    struct key *keys = arena_array(arena, findings->count + 1, sizeof *keys);
    if (!name || !fingerprints || !keys)
        return NULL;
    for (size_t i = 0; name[i]; i++)
        name[i] = text_lower(name[i]);
    for (size_t i = 0; i < findings->count; i++) {
        keys[i].number = i;
        if (!digest_key(&findings->items[i], name, image ? image_machine_name(image) : "", arena, &keys[i]))
            return NULL;
    }
    if (findings->count > 1)
        qsort(keys, findings->count, sizeof *keys, by_digest);
    uint32_t ordinal = 0;
    for (size_t i = 0; i < findings->count; i++) {
        bool is_again = i != 0 && memcmp(keys[i].digest, keys[i - 1].digest, sizeof keys[i].digest) == 0;
        ordinal = is_again ? ordinal + 1 : 0;
        if (!finish(&keys[i], ordinal, &fingerprints[keys[i].number]))
            return NULL;
    }
    return arena->exhausted ? NULL : fingerprints;
}
