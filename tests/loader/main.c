/* main.c - the loader's command line: one image, or an original and its repair.
 * Takes: paths.  Gives: what the driver does, or what two do differently; exit code 0 when all is well, 1
 * when not, 2 for a wrong command line, 3 when the original cannot be run. Must not: load two images at a
 * time. */
#include "exceptions.h"
#include "failure.h"
#include "faults.h"
#include "files.h"
#include "foreign.h"
#include "guard.h"
#include "judge.h"
#include "map_only.h"
#include "runs.h"
#include "step.h"
#include "system.h"
#include "unwind.h"

#define LOG_ROOM 0x400000u

enum exit_code { ALL_WELL, DIFFERENT, WRONG_USE, ORIGINAL_FAILS };

static const char usage[] =
    "usage: loader [OPTION...] IMAGE    loads a driver as memory integrity would have it, and says what it "
    "does\n"
    "       loader [OPTION...] OLD NEW  says what the repaired driver does otherwise than the original\n"
    "       loader --map-only OLD NEW [OLD NEW]...  only maps them\n"
    "  --as-asked     the one image gets the rights that it asks for, as an original does\n"
    "  --whole-pages  no relocation may straddle a page boundary (Windows before 10 version 1703)\n"
    "  --steps N      instructions of each call at which the way to the caller is looked at (400)\n"
    "  --show-steps   says how many there were\n"
    "  --foreign SIZES  for other drivers than the fixtures: what this kernel does not have answers 0, and a "
    "fault\n"
    "                 ends only the call. SIZES (x86) has lines of a function and the bytes that it takes "
    "off the stack\n"
    "exit code 0: all is well; 1: not; 2: wrong use; 3: the original cannot be run\n";

struct options {
    bool is_as_asked, is_whole_pages, shows_steps;
    uint32_t steps;
    const char *sizes_path;
    const char *paths[2];
    unsigned path_count;
};

static struct options options = {.steps = 400};
static enum way way; /* how drivers are used at present */
static bool is_possible;
static char logs[2][LOG_ROOM];

static void say(const char *words)
{
    char chars[300];
    struct text text = TEXT_IN(chars);

    text_add(&text, words);
    text_print(&text);
}

static const char *const way_names[WAY_COUNT] = {"", "DllInitialize, then DriverEntry, ",
                                                 "DllInitialize alone, "};

static void describe(struct text *text, unsigned file, unsigned base)
{
    text_add(text, options.paths[file]);
    text_add(text, ": ");
    text_add(text, way_names[way]);
    text_add(text, base == 0 ? "far base" : "near base");
}

static void say_failure(unsigned file, unsigned base)
{
    char chars[1000];
    struct text text = TEXT_IN(chars);

    describe(&text, file, base);
    text_add(&text, ": ");
    text_add(&text, failure.count > 0 ? failure.chars : "it says more than can be compared");
    text_add(&text, "\n");
    text_print(&text);
}

/* Runs one file at one base; at the near one it is followed step by step. */
static bool run_file(const struct image *images, unsigned file, unsigned base, bool is_strict,
                     struct text *log)
{
    const struct plan plan = {.image = &images[file],
                              .base = run_base(&images[file], base),
                              .is_strict = is_strict,
                              .is_whole_pages = is_strict && options.is_whole_pages,
                              .way = way,
                              .log = log};

    step_limit = base == BASE_COUNT - 1 ? options.steps : 0;
    if (run(&plan, &is_possible))
        return true;
    say_failure(file, base);
    return false;
}

static void say_details(const struct text *details)
{
    if (details->count == 0)
        return;
    say("    ");
    text_print(details);
    say("\n");
}

/* What the last run did otherwise than the original, which `reference` and `steps` tell of. */
static bool is_different(const struct text *reference, const struct text *steps, const struct text *log,
                         unsigned file, unsigned base)
{
    char chars[500];
    struct text what = TEXT_IN(chars);

    describe(&what, file, base);
    if (text_show_difference(chars, reference, log)) {
        say_details(&guard_refused);
        return true;
    }
    if (file == 1 && base == BASE_COUNT - 1 && text_show_difference(chars, steps, &step_report)) {
        say_details(&step_first_lost);
        return true;
    }
    return false;
}

static enum exit_code compare(const struct image *images)
{
    static char step_chars[10000];
    struct text reference = TEXT_IN(logs[0]), log = TEXT_IN(logs[1]), steps = TEXT_IN(step_chars);
    enum exit_code code = ALL_WELL;

    if (judge_table_is_writable(&images[1]) && !judge_table_is_writable(&images[0])) {
        say("the import address table can be written now\n");
        code = DIFFERENT;
    }
    for (way = WAY_ENTRY; way < WAY_COUNT; way++) {
        if (!run_file(images, 0, 0, false, &reference))
            return ORIGINAL_FAILS;
        if (!is_possible)
            continue;
        for (unsigned run_number = 1; run_number < 2 * BASE_COUNT; run_number++) {
            const unsigned file = run_number / BASE_COUNT, base = run_number % BASE_COUNT;

            if (!run_file(images, file, base, file == 1, &log) ||
                is_different(&reference, &steps, &log, file, base))
                code = file == 0 ? ORIGINAL_FAILS : DIFFERENT;
            if (file == 0) {
                text_clear(&steps);
                text_add(&steps, step_report.chars);
            }
            if (code == ORIGINAL_FAILS)
                return code;
        }
    }
    return code;
}

static enum exit_code show(const struct image *images)
{
    struct text log = TEXT_IN(logs[0]);
    enum exit_code code = ALL_WELL;

    for (way = WAY_ENTRY; way < WAY_COUNT && code == ALL_WELL; way++) {
        for (unsigned base = 0; base < BASE_COUNT; base++) {
            if (!run_file(images, 0, base, !options.is_as_asked, &log))
                code = DIFFERENT;
            text_print(&log);
            if (options.shows_steps) {
                text_print(&step_report);
                say_details(&step_first_lost);
            }
            say_details(&guard_refused);
            if (guard_refused.count > 0 && !options.is_as_asked)
                code = DIFFERENT;
        }
    }
    return code;
}

static bool read_number(const char *digits, uint32_t *value)
{
    for (*value = 0; *digits >= '0' && *digits <= '9' && *value < 100000000; digits++)
        *value = *value * 10 + (uint32_t)(*digits - '0');
    return *digits == '\0';
}

static bool read_options(char **words)
{
    for (; *words; words++) {
        if (text_is(*words, "--as-asked"))
            options.is_as_asked = true;
        else if (text_is(*words, "--whole-pages"))
            options.is_whole_pages = true;
        else if (text_is(*words, "--show-steps"))
            options.shows_steps = true;
        else if (text_is(*words, "--steps") && words[1] && read_number(words[1], &options.steps))
            words++;
        else if (text_is(*words, "--foreign") && words[1])
            options.sizes_path = *++words;
        else if (**words != '-' && options.path_count < COUNT_OF(options.paths))
            options.paths[options.path_count++] = *words;
        else
            return false;
    }
    return options.path_count > 0;
}

static enum exit_code run_all(char **words)
{
    static struct image images[2];

    if (words[0] && text_is(words[0], "--map-only")) {
        faults_begin();
        return map_only(words + 1) ? ALL_WELL : DIFFERENT;
    }
    if (!read_options(words)) {
        system_write(2, usage, sizeof(usage) - 1);
        return WRONG_USE;
    }
    for (unsigned i = 0; i < options.path_count; i++) {
        const char *why = file_read(i, options.paths[i], &images[i]);

        if (why) {
            say(options.paths[i]);
            say(": ");
            say(why);
            say("\n");
            return i == 0 && options.path_count > 1 ? ORIGINAL_FAILS : DIFFERENT;
        }
    }
    if (options.sizes_path) {
        static uint8_t sizes[0x40000];
        size_t nbytes;

        if (!system_read_file(options.sizes_path, sizes, sizeof(sizes) - 1, &nbytes))
            return WRONG_USE;
        foreign_begin((const char *)sizes);
    }
    faults_begin();
    return options.path_count > 1 ? compare(images) : show(images);
}

/* What the program begins with: the stack as Linux leaves it, which holds the count of words, then the words.
 */
__attribute__((used)) _Noreturn void loader_main(uintptr_t *stack);

_Noreturn void loader_main(uintptr_t *stack)
{
    static uintptr_t block[1024];
    char **words = (char **)(stack + 1);

    stack_end = (uintptr_t)stack;
#if IS_64
    const bool has_block = system_set_thread_block(block);
#else
    (void)block;
    const bool has_block = system_set_thread_block(thread_block);
#endif
    if (!has_block || !words[0])
        system_exit(WRONG_USE);
    const enum exit_code code = run_all(words + 1);
    if (options.shows_steps) {
        char chars[100];
        struct text text = TEXT_IN(chars);

        text_add(&text, "steps ");
        text_add_number(&text, step_count);
        text_add(&text, ", in stubs ");
        text_add_number(&text, step_stub_count);
        text_add(&text, "\n");
        text_print(&text);
    }
    system_exit(code);
}

#if IS_64
__asm__(".globl _start\n"
        "_start: movq %rsp, %rdi\n\t"
        "andq $-16, %rsp\n\t"
        "call loader_main");
#else
__asm__(".globl _start\n"
        "_start: movl %esp, %eax\n\t"
        "andl $-16, %esp\n\t"
        "subl $12, %esp\n\t"
        "push %eax\n\t"
        "call loader_main");
#endif
