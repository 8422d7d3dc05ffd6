/* run_translate.c - run_translate.h.
 * Takes: options and standard input.  Gives: lines.  Must not: keep more of the input than a line, or than a
 * piece of one that is longer. */
#include "cli/run_translate.h"

#include "cli/console.h"
#include "cli/interrupt.h"
#include "report/safe_text.h"
#include "translate/translate.h"

#include <inttypes.h>

enum { PIECE_NBYTES = 64 * 1024 };

static bool put(void *stream, const char *chars, size_t nbytes)
{
    return console_write(stream, chars, nbytes);
}

static bool read_map(const char *path, struct arena *arena, struct address_map *map)
{
    struct file_content file;
    struct finding error = {.code = HVCI9046_MAP_INVALID};
    const char *message;
    if (file_read(path, arena, &file, &error)) {
        error.code = HVCI9046_MAP_INVALID;
        if (address_map_read(file.bytes, arena, map, &message))
            return true;
        if (message)
            error.message = arena_printf(arena, "The map cannot be used: %s.", message);
    }
    struct text text = {.arena = arena};
    safe_add_path(&text, path);
    if (arena->exhausted || !error.message)
        console_complain("hvcifix : error HVCI9008: There was not enough memory for the map.\n");
    else
        console_complain("%s : error HVCI%04u: %s\n", text.chars, (unsigned)error.code, error.message);
    return false;
}

/* The word as an address of the module: in one of the forms of logs, or as a bare number, which is a virtual
 * address where it lies in the loaded image, and an RVA otherwise. */
static bool take_word(const struct address_words *words, const char *chars, struct address_word *word)
{
    size_t nbytes = strlen(chars);
    uint64_t value;
    struct address_before nothing = {0};
    if (nbytes != 0 && address_word_match(words, chars, nbytes, nothing, word) && word->nbytes == nbytes)
        return true;
    if (!address_parse(chars, &value) || value > UINT32_MAX)
        return false;
    size_t prefix_nbytes = chars[0] == '0' && (chars[1] == 'x' || chars[1] == 'X') ? 2 : 0;
    *word = (struct address_word){.nbytes = nbytes,
                                  .value_at = prefix_nbytes,
                                  .value_nbytes = nbytes - prefix_nbytes,
                                  .kind = WORD_RVA,
                                  .rva = (uint32_t)value};
    return true;
}

/* One line an argument. */
static enum exit_code translate_arguments(const struct cli_options *options, struct arena *arena,
                                          struct translation *translation)
{
    enum exit_code exit_code = EXIT_CLEAN;
    for (size_t i = 1; i < options->path_count; i++) {
        struct address_word word;
        uint32_t counterpart = 0;
        struct text shown = {.arena = arena};
        safe_add(&shown, options->paths[i]);
        if (arena->exhausted)
            return EXIT_INPUT;
        if (!take_word(&translation->words, options->paths[i], &word)) {
            console_complain(
                "hvcifix : error HVCI9010: \"%s\" is no address of %s: 0x1234, %s+0x1234, or with "
                "--base a virtual address.\n",
                shown.chars ? shown.chars : "", translation->words.modules[0], translation->words.modules[0]);
            return EXIT_USAGE;
        }
        char room[TRANSLATE_REASON_NBYTES];
        if (!options->quiet) {
            put(translation->context, shown.chars, shown.nbytes);
            put(translation->context, " -> ", 4);
        }
        enum address_state state =
            address_map_find(translation->words.map, translation->words.from, word.rva, &counterpart);
        const char *reason = translate_reason(state, counterpart, room);
        if (reason) {
            const char *line = options->quiet ? "-" : arena_printf(arena, "none (%s)", reason);
            put(translation->context, line, strlen(line));
            exit_code = EXIT_FINDINGS;
        } else {
            (void)translate_word(translation, options->paths[i], &word, &counterpart);
        }
        put(translation->context, "\n", 1);
    }
    return exit_code;
}

/* Up to a line end, or as much as there is room for. */
static size_t read_line(char *chars, size_t nbytes, size_t room_nbytes)
{
    int c = EOF;
    while (nbytes < room_nbytes && (c = fgetc(stdin)) != EOF) {
        chars[nbytes++] = (char)c;
        if (c == '\n')
            break;
    }
    return nbytes;
}

static enum exit_code translate_input(const struct cli_options *options, struct translation *translation)
{
    static char chars[PIECE_NBYTES];
    size_t kept_nbytes = 0;
    const atomic_bool *stop = interrupt_flag();
    while (!translation->is_stopped && !atomic_load(stop)) {
        size_t nbytes = read_line(chars, kept_nbytes, sizeof chars);
        bool is_end = nbytes < sizeof chars || chars[nbytes - 1] == '\n';
        if (nbytes == 0)
            break;
        size_t done_nbytes = translate_bytes(translation, chars, nbytes, is_end);
        kept_nbytes = nbytes - done_nbytes;
        memmove(chars, chars + done_nbytes, kept_nbytes);
    }
    if (ferror(stdin)) {
        console_complain("hvcifix : error HVCI9006: Standard input could not be read to its end.\n");
        return EXIT_INPUT;
    }
    if (!options->quiet && translation->lost_count != 0)
        console_complain("hvcifix : note HVCI9047: %" PRIu64 " of %" PRIu64
                         " addresses of %s have no counterpart and were left as they are.\n",
                         translation->lost_count, translation->lost_count + translation->translated_count,
                         translation->words.modules[0]);
    else if (!options->quiet && translation->translated_count == 0)
        console_complain("hvcifix : note HVCI9048: No address of %s was found%s.\n",
                         translation->words.modules[0],
                         options->has_base ? "" : "; --module NAME and --base ADDRESS say what to look for");
    return EXIT_CLEAN;
}

enum exit_code run_translate(const struct cli_options *options, FILE *stream)
{
    struct arena arena;
    struct address_map map;
    arena_init(&arena, NULL);
    enum exit_code exit_code = EXIT_INPUT;
    if (read_map(options->paths[0], &arena, &map)) {
        struct translation translation = {.words = {.map = &map,
                                                    .from = options->to_new ? SIDE_OLD : SIDE_NEW,
                                                    .modules = {map.module[0], map.module[1]},
                                                    .has_base = options->has_base,
                                                    .base_va = options->base_va},
                                          .marks = !options->quiet,
                                          .put = put,
                                          .context = stream};
        if (options->module) {
            translation.words.modules[0] = options->module;
            translation.words.modules[1] = NULL;
        }
        bool reads_input =
            options->path_count == 1 || (options->path_count == 2 && strcmp(options->paths[1], "-") == 0);
        exit_code = reads_input ? translate_input(options, &translation)
                                : translate_arguments(options, &arena, &translation);
    }
    arena_free(&arena);
    return exit_code;
}
