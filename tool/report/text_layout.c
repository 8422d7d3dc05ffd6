/* text_layout.c - the plan of a moving repair as a table: piece, old range, new range, why.
 * Takes: a layout.  Gives: lines.  Must not: decide anything. */
#include "report/text_layout.h"

#include "report/layout.h"
#include "report/safe_text.h"

#include <inttypes.h>

enum { PIECE_COLUMNS = 30 };

static void add_range(struct text *text, uint32_t rva, uint32_t nbytes)
{
    text_printf(text, "%08" PRIX32 "-%08" PRIX32, rva, nbytes == 0 ? rva : rva + nbytes - 1);
}

static void add_piece(struct text *text, const struct image *image, const struct piece *piece)
{
    size_t line_start = text->nbytes;
    text_addz(text, "    ");
    size_t name_start = text->nbytes;
    if (piece->section != NO_SECTION)
        safe_add(text, image->sections[piece->section].name);
    if (piece->kind != PIECE_SECTION)
        text_printf(text, "%s%s", piece->section != NO_SECTION ? " " : "",
                    piece_kind_name((enum piece_kind)piece->kind));
    text_pad_to_column(text, name_start, PIECE_COLUMNS);
    text_addz(text, " ");
    add_range(text, piece->old_rva, piece->nbytes);
    text_addz(text, "  ");
    add_range(text, piece->new_rva, piece->nbytes);
    safe_end_line(text, line_start);
    layout_labelled(text, "  why", piece->why);
}

/* A section whose header is kept may lose a right as well, by a change of its own. */
static uint32_t final_characteristics(const struct image *image, const struct plan *plan,
                                      const struct new_section *section)
{
    if (section->old_section == NO_SECTION)
        return section->characteristics;
    uint64_t foff = (uint64_t)image->sections[section->old_section].header_foff + SECTION_CHARACTERISTICS;
    for (size_t i = 0; i < plan->change_count; i++)
        if (plan->changes[i].kind == CHANGE_SECTION_CHARACTERISTICS && plan->changes[i].file_offset == foff)
            return (uint32_t)plan->changes[i].new_value;
    return section->characteristics;
}

static void add_section(struct text *text, const struct new_section *section, uint32_t characteristics)
{
    char rights[4] = {characteristics & SCN_MEM_READ ? 'R' : '-', characteristics & SCN_MEM_WRITE ? 'W' : '-',
                      characteristics & SCN_MEM_EXECUTE ? 'X' : '-', 0};
    size_t line_start = text->nbytes;
    text_addz(text, "    ");
    size_t name_start = text->nbytes;
    safe_add(text, section->name);
    text_pad_to_column(text, name_start, PIECE_COLUMNS);
    text_addz(text, " ");
    add_range(text, section->rva, section->virtual_size);
    text_printf(text, "  %s%s", rights, characteristics & SCN_MEM_DISCARDABLE ? "d" : "");
    safe_end_line(text, line_start);
}

static void add_row(struct text *text, const char *what, uint32_t old_rva, uint32_t old_nbytes,
                    uint32_t new_rva, uint32_t new_nbytes)
{
    size_t line_start = text->nbytes;
    text_printf(text, "    %-*s ", PIECE_COLUMNS, what);
    add_range(text, old_rva, old_nbytes);
    text_addz(text, "  ");
    add_range(text, new_rva, new_nbytes);
    safe_end_line(text, line_start);
}

/* What takes relocations off page boundaries: copied instructions, and functions that a stub stands before.
 */
static void add_straddles(struct text *text, const struct image *image, const struct straddle_repair *repair)
{
    text_printf(text, "    %-*s %-17s  %s\n", PIECE_COLUMNS, "new code", "stands for", "new RVAs");
    for (size_t i = 0; i < repair->copy_count; i++)
        add_row(text, "copied instruction", repair->copies[i].old_rva, repair->copies[i].nbytes,
                repair->code_rva + repair->copies[i].at,
                repair->copies[i].nbytes + (repair->copies[i].comes_back ? (uint32_t)JUMP_NBYTES : 0));
    for (unsigned i = 0; i < repair->stub_count; i++) {
        const struct start_stub *stub = &repair->stubs[i];
        add_row(text, "start-up stub", stub->function_old_rva, 1, repair->code_rva + stub->at,
                start_stub_nbytes(image->is_64));
        layout_labelled(
            text, "  why",
            arena_printf(text->arena, "It stands in front of %s and relocates %zu field%s, once a load.",
                         stub->what, repair->applied_count, repair->applied_count == 1 ? "" : "s"));
    }
}

void text_layout_table(struct text *text, const struct image *image, const struct plan *plan)
{
    const struct layout *layout = plan->layout;
    text_printf(text, "    %-*s %-17s  %s\n", PIECE_COLUMNS, "piece", "old RVAs", "new RVAs");
    for (size_t i = 0; i < layout->piece_count; i++)
        add_piece(text, image, &layout->pieces[i]);
    text_printf(text, "    %-*s %-17s  %s\n", PIECE_COLUMNS, "new section", "RVAs", "rights");
    for (uint32_t i = 0; i < layout->section_count; i++)
        add_section(text, &layout->sections[i], final_characteristics(image, plan, &layout->sections[i]));
    if (layout->straddles)
        add_straddles(text, image, layout->straddles);
}
