/* test_pkcs7.c - the reader of Authenticode messages and of certificate tables, on what is cut and changed.
 * Takes: messages made here byte by byte.  Gives: pass or fail.  Must not: use real signatures
 * (tests/cli/test_build_policy.py does, with osslsigncode beside it). */
#include "cmocka_all.h"
#include "make_image.h"

#include "image/image.h"
#include "io/authenticode.h"
#include "io/pkcs7.h"
#include "io/signature_read.h"

enum { MOST_NBYTES = 512 };

struct der {
    uint8_t bytes[MOST_NBYTES];
    size_t nbytes;
};

/* One element around what is given. */
static struct der wrap(uint8_t tag, const struct der *content)
{
    struct der made = {.bytes = {tag}, .nbytes = 1};
    if (content->nbytes >= 0x100)
        made.bytes[made.nbytes++] = 0x82, made.bytes[made.nbytes++] = (uint8_t)(content->nbytes >> 8);
    else if (content->nbytes >= 0x80)
        made.bytes[made.nbytes++] = 0x81;
    made.bytes[made.nbytes++] = (uint8_t)content->nbytes;
    assert_true(made.nbytes + content->nbytes <= MOST_NBYTES);
    memcpy(made.bytes + made.nbytes, content->bytes, content->nbytes);
    made.nbytes += content->nbytes;
    return made;
}

static void put(struct der *to, const struct der *part)
{
    assert_true(to->nbytes + part->nbytes <= MOST_NBYTES);
    memcpy(to->bytes + to->nbytes, part->bytes, part->nbytes);
    to->nbytes += part->nbytes;
}

static struct der element(uint8_t tag, const void *bytes, size_t nbytes)
{
    struct der content = {.nbytes = nbytes};
    memcpy(content.bytes, bytes, nbytes);
    return wrap(tag, &content);
}

static const uint8_t sha1_oid[] = {0x2B, 0x0E, 0x03, 0x02, 0x1A};
static const uint8_t sha256_oid[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
static const uint8_t md5_oid[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02, 0x05};
static const uint8_t signed_data_oid[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02};
static const uint8_t indirect_oid[] = {0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x04};

/* SEQUENCE { OID, [0] { SEQUENCE content } } */
static struct der typed(const uint8_t *oid, size_t oid_nbytes, const struct der *content)
{
    struct der inner = element(0x06, oid, oid_nbytes), sequence = wrap(0x30, content),
               tagged = wrap(0xA0, &sequence);
    put(&inner, &tagged);
    return wrap(0x30, &inner);
}

/* A message with this digest, as far as it is read. */
static struct der message_with(const uint8_t *oid, size_t oid_nbytes, const uint8_t *value,
                               size_t value_nbytes)
{
    struct der algorithm = element(0x06, oid, oid_nbytes), null = element(0x05, "", 0);
    put(&algorithm, &null);
    struct der info = wrap(0x30, &algorithm), digest = element(0x04, value, value_nbytes);
    put(&info, &digest);
    struct der indirect = element(0x30, "data", 4), info_sequence = wrap(0x30, &info);
    put(&indirect, &info_sequence);
    struct der content = typed(indirect_oid, sizeof indirect_oid, &indirect);
    struct der signed_data = element(0x02, "\x01", 1), algorithms = element(0x31, "", 0),
               rest = element(0xA0, "certificates", 12);
    put(&signed_data, &algorithms);
    put(&signed_data, &content);
    put(&signed_data, &rest);
    return typed(signed_data_oid, sizeof signed_data_oid, &signed_data);
}

static void a_digest_is_found(void **state)
{
    (void)state;
    uint8_t value[32];
    struct pkcs7_digest digest;
    const char *problem;
    memset(value, 0x5A, sizeof value);
    struct der message = message_with(sha256_oid, sizeof sha256_oid, value, sizeof value);
    assert_true(pkcs7_read_digest((struct span){message.bytes, message.nbytes}, &digest, &problem));
    assert_int_equal(digest.algorithm, DIGEST_SHA256);
    assert_int_equal(digest.value.nbytes, sizeof value);
    assert_memory_equal(digest.value.bytes, value, sizeof value);
    message = message_with(md5_oid, sizeof md5_oid, value, 16);
    assert_false(pkcs7_read_digest((struct span){message.bytes, message.nbytes}, &digest, &problem));
    assert_non_null(strstr(problem, "algorithm"));
    message = message_with(sha256_oid, sizeof sha256_oid, value, 31); /* too short for its algorithm */
    assert_false(pkcs7_read_digest((struct span){message.bytes, message.nbytes}, &digest, &problem));
}

/* In blocks of exactly their size, so that a sanitizer sees a read behind them. */
static void no_cut_and_no_changed_byte_is_read_past(void **state)
{
    (void)state;
    uint8_t value[20] = {1, 2, 3};
    struct der message = message_with(sha1_oid, sizeof sha1_oid, value, sizeof value);
    struct pkcs7_digest digest;
    const char *problem;
    for (size_t nbytes = 0; nbytes < message.nbytes; nbytes++) {
        uint8_t *cut = malloc(nbytes + (nbytes == 0));
        assert_non_null(cut);
        memcpy(cut, message.bytes, nbytes);
        problem = NULL;
        assert_false(pkcs7_read_digest((struct span){cut, nbytes}, &digest, &problem));
        assert_non_null(problem);
        free(cut);
    }
    for (size_t at = 0; at < message.nbytes; at++)
        for (unsigned flip = 1; flip < 0x100; flip <<= 1) {
            uint8_t *changed = malloc(message.nbytes);
            assert_non_null(changed);
            memcpy(changed, message.bytes, message.nbytes);
            changed[at] = (uint8_t)(changed[at] ^ flip);
            if (pkcs7_read_digest((struct span){changed, message.nbytes}, &digest, &problem))
                assert_true(digest.value.bytes >= changed &&
                            digest.value.bytes + digest.value.nbytes <= changed + message.nbytes);
            free(changed);
        }
}

/* A table of entries behind a small image; `entries` are messages, each in its WIN_CERTIFICATE. */
static struct signature_facts facts_of(const struct der *entries, size_t count, uint16_t type,
                                       uint32_t length_error, struct arena *arena)
{
    static const uint8_t code[16] = {0xC3};
    struct made_image made = make_image(MACHINE_AMD64);
    uint8_t table[4 * MOST_NBYTES] = {0};
    uint32_t table_nbytes = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t *entry = table + table_nbytes;
        uint32_t nbytes = CERTIFICATE_HEADER_NBYTES + (uint32_t)entries[i].nbytes;
        store_u32(entry + CERTIFICATE_LENGTH, nbytes + length_error);
        store_u16(entry + CERTIFICATE_TYPE, type);
        memcpy(entry + CERTIFICATE_HEADER_NBYTES, entries[i].bytes, entries[i].nbytes);
        table_nbytes += (nbytes + 7) & ~7u;
    }
    make_section(&made, ".text", 0x1000, MADE_TEXT, code, sizeof code);
    struct span file = make_file(&made);
    make_directory(&made, DIR_SECURITY, (uint32_t)file.nbytes, table_nbytes);
    make_section(&made, ".tables", 0x2000, MADE_RDATA, table, 0);
    free(made.file);
    file = make_file(&made);
    uint8_t *whole = arena_alloc(arena, file.nbytes + table_nbytes);
    assert_non_null(whole);
    memcpy(whole, file.bytes, file.nbytes);
    memcpy(whole + file.nbytes, table, table_nbytes);
    struct image image;
    struct finding error;
    struct signature_facts facts;
    if (!image_read((struct span){whole, file.nbytes + table_nbytes}, arena, &image, &error))
        fail_msg("%s", error.message);
    signature_read("x.sys", &image, ASK_DIGEST, arena, &facts);
    make_free(&made);
    return facts;
}

/* The digest that belongs to the image of facts_of(): the table is not in it. */
static void right_value(uint8_t value[DIGEST_SHA256_NBYTES], struct arena *arena)
{
    struct der none = message_with(sha256_oid, sizeof sha256_oid, (const uint8_t[32]){0}, 32);
    struct signature_facts facts = facts_of(&none, 1, CERTIFICATE_TYPE_PKCS7, 0, arena);
    assert_int_equal(facts.state, SIGNATURE_STALE);
    for (size_t i = 0; i < DIGEST_SHA256_NBYTES; i++) {
        unsigned byte;
        assert_int_equal(sscanf(facts.actual + 2 * i, "%2x", &byte), 1);
        value[i] = (uint8_t)byte;
    }
}

static void every_entry_of_the_table_counts(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL);
    uint8_t value[DIGEST_SHA256_NBYTES], other[DIGEST_SHA256_NBYTES] = {0};
    right_value(value, &arena);
    struct der right = message_with(sha256_oid, sizeof sha256_oid, value, sizeof value);
    struct der wrong = message_with(sha256_oid, sizeof sha256_oid, other, sizeof other);
    struct der damaged = right;
    damaged.bytes[0] = 0x31;
    assert_int_equal(facts_of(&right, 1, 2, 0, &arena).state, SIGNATURE_CURRENT);
    assert_int_equal(facts_of((struct der[]){right, right}, 2, 2, 0, &arena).state, SIGNATURE_CURRENT);
    assert_int_equal(facts_of((struct der[]){right, wrong}, 2, 2, 0, &arena).state, SIGNATURE_STALE);
    assert_int_equal(facts_of((struct der[]){wrong, right}, 2, 2, 0, &arena).state, SIGNATURE_STALE);
    assert_int_equal(facts_of((struct der[]){right, damaged}, 2, 2, 0, &arena).state, SIGNATURE_UNREADABLE);
    assert_int_equal(facts_of(&right, 1, 1, 0, &arena).state, SIGNATURE_UNREADABLE);       /* X.509 */
    assert_int_equal(facts_of(&right, 1, 2, 0x10000, &arena).state, SIGNATURE_UNREADABLE); /* too long */
    assert_int_equal(facts_of(&right, 1, 2, 0u - 0x1000u, &arena).state, SIGNATURE_UNREADABLE);
    assert_int_equal(facts_of(NULL, 0, 2, 0, &arena).state, SIGNATURE_NONE);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_is_found),
        cmocka_unit_test(no_cut_and_no_changed_byte_is_read_past),
        cmocka_unit_test(every_entry_of_the_table_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
