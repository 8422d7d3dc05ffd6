/* target.c - words for Windows releases.
 * Takes: a word from the command line or a policy.  Gives: an ordered value and its name back.
 * Must not: guess at unknown words.
 * A server release stands for the client release with the same kernel. Windows Server 2022 has a kernel
 * of its own between two client releases; it is mapped to the older of them, so that nothing is taken as
 * supported which it may lack. */
#include "rules/target.h"

#include "base/text.h"

#include <stddef.h>

/* The one list of words. The first word for a value is its name. */
#define TARGET_WORD_LIST(WORD)                                                                               \
    WORD("7", TARGET_7)                                                                                      \
    WORD("8", TARGET_8)                                                                                      \
    WORD("8.1", TARGET_8_1)                                                                                  \
    WORD("1507", TARGET_1507)                                                                                \
    WORD("1511", TARGET_1511)                                                                                \
    WORD("1607", TARGET_1607)                                                                                \
    WORD("1703", TARGET_1703)                                                                                \
    WORD("1709", TARGET_1709)                                                                                \
    WORD("1803", TARGET_1803)                                                                                \
    WORD("1809", TARGET_1809)                                                                                \
    WORD("1903", TARGET_1903)                                                                                \
    WORD("1909", TARGET_1909)                                                                                \
    WORD("2004", TARGET_2004)                                                                                \
    WORD("20H2", TARGET_20H2)                                                                                \
    WORD("21H1", TARGET_21H1)                                                                                \
    WORD("21H2", TARGET_21H2)                                                                                \
    WORD("22H2", TARGET_22H2)                                                                                \
    WORD("11", TARGET_11)                                                                                    \
    WORD("11-22H2", TARGET_11_22H2)                                                                          \
    WORD("11-23H2", TARGET_11_23H2)                                                                          \
    WORD("11-24H2", TARGET_11_24H2)                                                                          \
    WORD("11-25H2", TARGET_11_25H2)                                                                          \
    WORD("server-2008-r2", TARGET_7)                                                                         \
    WORD("server-2012", TARGET_8)                                                                            \
    WORD("server-2012-r2", TARGET_8_1)                                                                       \
    WORD("server-2016", TARGET_1607)                                                                         \
    WORD("server-2019", TARGET_1809)                                                                         \
    WORD("server-2022", TARGET_21H2)                                                                         \
    WORD("server-2025", TARGET_11_24H2)

static const struct {
    const char *word;
    enum windows_target target;
} target_table[] = {
#define TABLE_ROW(word, target) {word, target},
    TARGET_WORD_LIST(TABLE_ROW)
#undef TABLE_ROW
};

bool target_parse(const char *word, enum windows_target *target)
{
    for (size_t i = 0; i < sizeof target_table / sizeof *target_table; i++)
        if (text_same_word(word, target_table[i].word)) {
            *target = target_table[i].target;
            return true;
        }
    return false;
}

const char *target_name(enum windows_target target)
{
    for (size_t i = 0; i < sizeof target_table / sizeof *target_table; i++)
        if (target_table[i].target == target)
            return target_table[i].word;
    return "unknown";
}

const char *target_words(void)
{
#define SPACED_WORD(word, target) " " word
    return &TARGET_WORD_LIST(SPACED_WORD)[1];
#undef SPACED_WORD
}
