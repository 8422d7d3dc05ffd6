/* test_io.c - reading files and replacing them: what is refused, and that a target is whole at every moment.
 */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#include "cmocka_all.h"

#include "io/file.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[64];
    struct arena arena;
};

static int begin(void **state)
{
    struct folder *folder = calloc(1, sizeof *folder);
    if (!folder)
        return -1;
    strcpy(folder->path, "/tmp/hvcifix-test-XXXXXX");
    arena_init(&folder->arena, NULL);
    *state = folder;
    return mkdtemp(folder->path) ? 0 : -1;
}

static int end(void **state)
{
    struct folder *folder = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder->path);
    int result = system(command);
    arena_free(&folder->arena);
    free(folder);
    return result;
}

static const char *in_folder(struct folder *folder, const char *name)
{
    return arena_printf(&folder->arena, "%s/%s", folder->path, name);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
}

static void expect_content(struct folder *folder, const char *path, const char *text)
{
    struct file_content content;
    struct finding error;
    assert_true(file_read(path, &folder->arena, &content, &error));
    assert_int_equal(content.bytes.nbytes, strlen(text));
    assert_memory_equal(content.bytes.bytes, text, strlen(text));
}

static size_t count_entries(const char *path)
{
    DIR *stream = opendir(path);
    assert_non_null(stream);
    size_t count = 0;
    while (readdir(stream))
        count++;
    closedir(stream);
    return count - 2; /* "." and ".." */
}

static bool accept_all(void *context, struct span written)
{
    *(size_t *)context = written.nbytes;
    return true;
}

static bool accept_none(void *context, struct span written)
{
    (void)context;
    (void)written;
    return false;
}

static enum file_write_result replace(struct folder *folder, const char *path, const char *text,
                                      uint32_t mode, const struct file_state *expected,
                                      file_accept_fn *accept, void *context, struct finding *error)
{
    struct file_replacement replacement = {.path = path,
                                           .bytes = {(const uint8_t *)text, strlen(text)},
                                           .mode = mode,
                                           .expected = expected,
                                           .accept = accept,
                                           .context = context};
    return file_replace(&replacement, &folder->arena, error);
}

static void test_what_is_no_file_is_refused(void **state)
{
    struct folder *folder = *state;
    struct file_content content;
    struct finding error;
    assert_false(file_read(in_folder(folder, "missing"), &folder->arena, &content, &error));
    assert_int_equal(error.code, HVCI9006_CANNOT_READ);
    assert_non_null(error.cure);
    assert_false(file_read(folder->path, &folder->arena, &content, &error));
    assert_non_null(strstr(error.message, "a folder"));
    assert_false(file_read("/dev/zero", &folder->arena, &content, &error));
    assert_non_null(strstr(error.message, "a device"));
    const char *pipe_path = in_folder(folder, "pipe");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_false(file_read(pipe_path, &folder->arena, &content, &error)); /* and does not wait for a writer */
    assert_non_null(strstr(error.message, "a pipe"));
    const char *huge = in_folder(folder, "huge");
    put(huge, "");
    assert_int_equal(truncate(huge, (off_t)UINT32_MAX + 1), 0); /* sparse */
    assert_false(file_read(huge, &folder->arena, &content, &error));
    assert_non_null(strstr(error.message, "4 GiB"));
}

static void test_replacing_keeps_mode_and_leaves_nothing(void **state)
{
    struct folder *folder = *state;
    const char *path = in_folder(folder, "a.sys");
    put(path, "old");
    assert_int_equal(chmod(path, 0640), 0);
    struct finding error;
    size_t seen_nbytes = 0;
    assert_int_equal(replace(folder, path, "newer", 0600, NULL, accept_all, &seen_nbytes, &error),
                     FILE_WRITTEN);
    assert_int_equal(seen_nbytes, 5); /* read back from the disk, not handed over */
    expect_content(folder, path, "newer");
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(count_entries(folder->path), 1);
}

static void test_only_what_was_read_is_replaced(void **state)
{
    struct folder *folder = *state;
    const char *path = in_folder(folder, "a.sys"), *other = in_folder(folder, "b.sys");
    struct file_content read;
    struct finding error;
    put(path, "old");
    put(other, "old");
    assert_true(file_read(path, &folder->arena, &read, &error));
    struct file_state states[] = {read.state, read.state, read.state, read.state};
    states[0].nbytes++;
    states[1].written_at++;
    states[2].identity.number++;
    states[3].identity.volume++;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(replace(folder, path, "new", 0644, &states[i], NULL, NULL, &error),
                         FILE_WRITE_FAILED);
        assert_int_equal(error.code, HVCI9007_CANNOT_WRITE);
        assert_non_null(strstr(error.message, "was changed or replaced"));
        assert_non_null(error.cure);
        expect_content(folder, path, "old");
    }
    assert_int_equal(replace(folder, other, "new", 0644, &read.state, NULL, NULL, &error), FILE_WRITE_FAILED);
    assert_int_equal(replace(folder, in_folder(folder, "none"), "new", 0644, &read.state, NULL, NULL, &error),
                     FILE_WRITE_FAILED);
    assert_int_equal(count_entries(folder->path), 2);
    assert_int_equal(replace(folder, path, "new", 0644, &read.state, NULL, NULL, &error), FILE_WRITTEN);
    expect_content(folder, path, "new");
}

static void test_refused_and_failed_writes_leave_the_target(void **state)
{
    struct folder *folder = *state;
    const char *path = in_folder(folder, "a.sys");
    put(path, "old");
    struct finding error;
    assert_int_equal(replace(folder, path, "new", 0644, NULL, accept_none, NULL, &error), FILE_NOT_ACCEPTED);
    expect_content(folder, path, "old");

    assert_int_equal(chmod(path, 0444), 0);
    size_t seen_nbytes;
    assert_int_equal(replace(folder, path, "new", 0644, NULL, accept_all, &seen_nbytes, &error),
                     FILE_WRITE_FAILED);
    assert_non_null(strstr(error.message, "read-only"));
    expect_content(folder, path, "old");

    assert_int_equal(replace(folder, in_folder(folder, "no/such/folder.sys"), "new", 0644, NULL, accept_all,
                             &seen_nbytes, &error),
                     FILE_WRITE_FAILED);
    assert_int_equal(error.code, HVCI9007_CANNOT_WRITE);
    assert_int_equal(replace(folder, folder->path, "new", 0644, NULL, accept_all, &seen_nbytes, &error),
                     FILE_WRITE_FAILED);
    assert_int_equal(count_entries(folder->path), 1);
}

static void test_a_link_stays_a_link(void **state)
{
    struct folder *folder = *state;
    const char *real_path = in_folder(folder, "real.sys"), *link_path = in_folder(folder, "link.sys");
    put(real_path, "old");
    assert_int_equal(symlink("real.sys", link_path), 0);
    struct finding error;
    size_t seen_nbytes;
    assert_int_equal(replace(folder, link_path, "new", 0644, NULL, accept_all, &seen_nbytes, &error),
                     FILE_WRITTEN);
    struct stat status;
    assert_int_equal(lstat(link_path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    expect_content(folder, real_path, "new");
}

static void test_listing_is_sorted_and_does_not_follow_folder_links(void **state)
{
    struct folder *folder = *state;
    assert_int_equal(mkdir(in_folder(folder, "b"), 0755), 0);
    put(in_folder(folder, "b/2.sys"), "x");
    put(in_folder(folder, "c.sys"), "x");
    put(in_folder(folder, "a.sys"), "x");
    assert_int_equal(symlink("..", in_folder(folder, "b/loop")), 0);
    assert_int_equal(symlink("nowhere", in_folder(folder, "dangling")), 0);
    struct path_list list;
    struct finding error;
    assert_true(file_list(folder->path, &folder->arena, &list, &error));
    assert_true(list.from_folder);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.paths[0], in_folder(folder, "a.sys"));
    assert_string_equal(list.paths[1], in_folder(folder, "b/2.sys"));
    assert_string_equal(list.paths[2], in_folder(folder, "c.sys"));

    assert_true(file_list(in_folder(folder, "missing"), &folder->arena, &list, &error));
    assert_false(list.from_folder);
    assert_int_equal(list.count, 1); /* reading it will say why */

    put(in_folder(folder, "one.CAT"), "x");
    assert_true(file_siblings(in_folder(folder, "a.sys"), ".cat", &folder->arena, &list, &error));
    assert_int_equal(list.count, 1);
    assert_string_equal(list.paths[0], in_folder(folder, "one.CAT"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_no_file_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_replacing_keeps_mode_and_leaves_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_only_what_was_read_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_and_failed_writes_leave_the_target, begin, end),
        cmocka_unit_test_setup_teardown(test_a_link_stays_a_link, begin, end),
        cmocka_unit_test_setup_teardown(test_listing_is_sorted_and_does_not_follow_folder_links, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
