/* straddle_describe.c - what the plan says about the repair of straddling relocations.
 * Takes: layout->straddles.  Gives: the texts of the change.  Must not: decide. */
#include "plan/rewrite.h"

static const char *count_words(struct arena *arena, size_t count, const char *one, const char *many)
{
    return arena_printf(arena, "%zu %s", count, count == 1 ? one : many);
}

static const char *stub_words(struct rewrite *rewrite, const struct straddle_repair *repair)
{
    return arena_printf(rewrite->arena,
                        "%s the base relocation table; a stub in front of the entry point%s "
                        "relocates %s, once "
                        "a load.",
                        count_words(rewrite->arena, repair->applied_count, "field in writable data leaves",
                                    "fields in writable data leave"),
                        repair->stub_count > 1 ? " and of DllInitialize" : "",
                        repair->applied_count == 1 ? "it" : "them");
}

static const char *copy_words(struct rewrite *rewrite, const struct straddle_repair *repair)
{
    return arena_printf(rewrite->arena,
                        "%s replaced by a jump to a copy in section %s, where no operand crosses a page "
                        "boundary.",
                        count_words(rewrite->arena, repair->copy_count, "instruction is", "instructions are"),
                        STRADDLE_CODE_SECTION);
}

static const char *shift_words(struct rewrite *rewrite, const struct straddle_repair *repair)
{
    return arena_printf(rewrite->arena, "%s inside %s pages.",
                        count_words(rewrite->arena, repair->shifted_count, "section of constants moves",
                                    "sections of constants move"),
                        repair->shifted_count == 1 ? "its" : "their");
}

void straddle_describe(struct rewrite *rewrite, struct change *change)
{
    const struct straddle_repair *repair = rewrite->layout->straddles;
    bool has_stub = repair->stub_count != 0, has_copies = repair->copy_count != 0;
    bool has_shifts = repair->shifted_count != 0;
    change->field = "base relocations";
    change->why =
        arena_printf(rewrite->arena,
                     "Windows 10 before version 1703 does not relocate across a page boundary.%s%s%s%s%s%s",
                     has_shifts ? " " : "", has_shifts ? shift_words(rewrite, repair) : "",
                     has_stub ? " " : "", has_stub ? stub_words(rewrite, repair) : "", has_copies ? " " : "",
                     has_copies ? copy_words(rewrite, repair) : "");
    if (!has_stub && !has_shifts) {
        change->proof = "Nothing leads into the instructions but to their first byte.";
        return;
    }
    change->assurance = ASSURANCE_ASSUMED;
    change->proof = arena_printf(
        rewrite->arena, "%s%s%s",
        has_stub
            ? "Before the entry point or DllInitialize of a driver nobody reads these fields. No table that "
              "Windows reads and no exported address holds one."
            : "",
        has_stub && has_shifts ? " " : "",
        has_shifts ? "Nothing in a shifted section needs more alignment than it is shifted by." : "");
}
