/* test_inf.c - reading INF files (package/inf.h), and changing one entry of them. */
#include "cmocka_all.h"

#include "package/inf.h"

static const char text[] = "; a comment\r\n"
                           "[version]\r\n"
                           "Signature = \"$WINDOWS NT$\"\r\n"
                           "Class=%Cls% ; behind it\r\n"
                           "CatalogFile.NTamd64 = a.cat\r\n"
                           "catalogfile = A.CAT\r\n"
                           "DriverVer = 06/21/2006,6.1.7600.16385 ; keep me\r\n"
                           "[Manufacturer]\r\n"
                           "%Mfg% = Models,NTamd64.10.0...16299, \\\r\n"
                           "   NTarm64 ; two lines\r\n"
                           "[SourceDisksNames]\r\n"
                           "1 = %Disk%,,,\\root\r\n"
                           "[SourceDisksNames.amd64]\r\n"
                           "1 = \"Disk, one\",,,\r\n"
                           "2 = d,files.cab,,\r\n"
                           "[SourceDisksFiles.amd64]\r\n"
                           "\"my drv.sys\" = 1,\\x64\\.\\sub\r\n"
                           "packed.sys = 2\r\n"
                           "[SourceDisksFiles]\r\n"
                           "x.dll = 1\r\n"
                           "[svc]\r\n"
                           "ServiceBinary = %12%\\100%%\\my drv.sys\r\n"
                           "Add = \"say \"\"%Mfg%\"\" ; no comment\", last\r\n"
                           "[Strings]\r\n"
                           "Cls = Sample\r\n"
                           "MFG = \"We; and %Cls%\"\r\n"
                           "Disk = \"Disk\"";

struct read {
    struct arena arena;
    struct inf inf;
    struct inf_facts facts;
};

static void read_bytes(struct read *read, const void *bytes, size_t nbytes)
{
    const char *problem;
    arena_init(&read->arena, NULL);
    assert_true(inf_read((struct span){bytes, nbytes}, &read->arena, &read->inf, &problem));
    assert_true(inf_facts(&read->inf, &read->arena, &read->facts));
}

/* The text in UTF-16 with a mark. */
static uint8_t wide[2 * sizeof text + 2];

static size_t widen(bool is_big_endian)
{
    for (size_t i = 0; i < sizeof text; i++) { /* the first is the mark */
        unsigned unit = i == 0 ? 0xFEFF : (unsigned)(unsigned char)text[i - 1];
        wide[2 * i] = (uint8_t)(is_big_endian ? unit >> 8 : unit);
        wide[2 * i + 1] = (uint8_t)(is_big_endian ? unit : unit >> 8);
    }
    return 2 * sizeof text;
}

static void judge(const struct read *read)
{
    const struct inf_facts *facts = &read->facts;
    assert_true(facts->is_driver);
    assert_string_equal(facts->class_name, "Sample");
    assert_string_equal(facts->driver_ver, "06/21/2006,6.1.7600.16385");
    assert_int_equal(facts->catalog_count, 1);
    assert_string_equal(facts->catalogs[0], "a.cat");
    assert_int_equal(facts->platforms, INF_AMD64 | INF_ARM64);
    assert_int_equal(facts->source_count, 3);
    assert_string_equal(facts->sources[0].name, "my drv.sys");
    assert_int_equal(facts->sources[0].line, 17);
    assert_true(facts->sources[1].is_packed);
    assert_int_equal(facts->service_count, 1);
    assert_string_equal(facts->services[0], "my drv.sys");
    for (size_t i = 0; i < read->inf.entry_count; i++) {
        const struct inf_entry *entry = &read->inf.entries[i];
        if (entry->key && strcmp(entry->key, "Add") == 0) {
            assert_int_equal(entry->value_count, 2);
            assert_string_equal(entry->values[0].text, "say \"We; and %Cls%\" ; no comment");
            assert_string_equal(entry->values[1].text, "last");
        }
    }
}

static void test_encodings(void **state)
{
    struct read read;
    (void)state;
    read_bytes(&read, text, sizeof text - 1);
    judge(&read);
    arena_free(&read.arena);
    for (int is_big = 0; is_big < 2; is_big++) {
        size_t nbytes = widen(is_big);
        read_bytes(&read, wide, nbytes);
        judge(&read);
        arena_free(&read.arena);
    }
}

static void test_driver_ver(void **state)
{
    struct read read, again;
    struct span bytes;
    const char *problem;
    (void)state;
    read_bytes(&read, text, sizeof text - 1);
    assert_true(inf_set_driver_ver(&read.inf, "01/02/2024,1.0.0.1", &read.arena, &bytes, &problem));
    size_t at = (size_t)(strstr(text, "06/21/2006") - text);
    size_t old_nbytes = strlen("06/21/2006,6.1.7600.16385"), new_nbytes = strlen("01/02/2024,1.0.0.1");
    assert_int_equal(bytes.nbytes, sizeof text - 1 - old_nbytes + new_nbytes);
    assert_memory_equal(bytes.bytes, text, at);
    assert_memory_equal(bytes.bytes + at, "01/02/2024,1.0.0.1", new_nbytes);
    assert_memory_equal(bytes.bytes + at + new_nbytes, text + at + old_nbytes,
                        sizeof text - 1 - at - old_nbytes);
    arena_free(&read.arena);
    read_bytes(&read, wide, widen(false));
    assert_true(inf_set_driver_ver(&read.inf, "01/02/2024,1.0.0.1", &read.arena, &bytes, &problem));
    read_bytes(&again, bytes.bytes, bytes.nbytes);
    assert_string_equal(again.facts.driver_ver, "01/02/2024,1.0.0.1");
    arena_free(&again.arena);
    arena_free(&read.arena);
}

static void test_driver_ver_refused(void **state)
{
    static const char *const refused[] = {
        "[Version]\nClass=x\n",
        "[Version]\nDriverVer=1/1/2000,1\n[Install]\nDriverVer=1/1/2001,1\n",
        "[Version]\nDriverVer=1/1/2000,1\nDriverVer=1/1/2000,1\n",
        "[Version]\nDriverVer=%V%\n[Strings]\nV=x\n",
        "[Version]\nDriverVer=\"1/1/2000\",1\n",
        "[Version]\nDriverVer=1/1/2000,1,2\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct read read;
        struct span bytes;
        const char *problem = NULL;
        read_bytes(&read, refused[i], strlen(refused[i]));
        assert_false(inf_set_driver_ver(&read.inf, "1/1/2024,1", &read.arena, &bytes, &problem));
        assert_non_null(problem);
        arena_free(&read.arena);
    }
}

static void test_driver_ver_form(void **state)
{
    (void)state;
    assert_true(inf_is_driver_ver("02/29/2024,65535.0.1"));
    assert_true(inf_is_driver_ver("1/2/2024,1"));
    static const char *const wrong[] = {"",
                                        "02/30/2024,1",
                                        "02/29/2023,1",
                                        "13/01/2024,1",
                                        "1/1/24,1",
                                        "1/1/2024",
                                        "1/1/2024,1.2.3.4.5",
                                        "1/1/2024,65536",
                                        "1/1/2024,1.",
                                        "1/1/2024,1 ",
                                        "1/1/2024, 1",
                                        "1-1-2024,1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(inf_is_driver_ver(wrong[i]));
}

/* Tokens that would make a small file large; text that is none; what ends in the middle. */
static void test_hostile(void **state)
{
    struct arena arena;
    struct inf inf;
    struct inf_facts facts;
    const char *problem = NULL;
    enum { HEAD = 24, LONG = 400000, USES = 100000 };
    char *bomb = malloc(HEAD + LONG + 16 + 4 * USES);
    (void)state;
    assert_non_null(bomb);
    size_t n = (size_t)sprintf(bomb, "[Strings]\na=");
    memset(bomb + n, 'x', LONG);
    n += LONG;
    n += (size_t)sprintf(bomb + n, "\n[a]\n");
    for (int i = 0; i < USES; i++)
        n += (size_t)sprintf(bomb + n, "%%a%%,");
    arena_init(&arena, NULL);
    assert_false(inf_read((struct span){(uint8_t *)bomb, n}, &arena, &inf, &problem));
    assert_non_null(problem);
    free(bomb);
    assert_false(inf_read((struct span){(const uint8_t *)"a\0b", 3}, &arena, &inf, &problem));
    assert_non_null(problem);
    for (size_t nbytes = 0; nbytes < sizeof text; nbytes++) {
        uint8_t *part = malloc(nbytes + 1);
        assert_non_null(part);
        memcpy(part, text, nbytes);
        assert_true(inf_read((struct span){part, nbytes}, &arena, &inf, &problem));
        assert_true(inf_facts(&inf, &arena, &facts));
        arena_free(&arena);
        free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_driver_ver),
        cmocka_unit_test(test_driver_ver_refused),
        cmocka_unit_test(test_driver_ver_form),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
