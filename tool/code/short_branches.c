/* short_branches.c - what branches with one-byte displacements lead to.
 * Takes: the finished code map.  Gives: its short_targets.  Must not: look outside of decoded instructions.
 *
 * Such a branch stays right wherever its section goes, so the inventory has no reference for it; who asks
 * whether anything leads to a place has to know it all the same. */
#include "code/code_internal.h"

/* jcc, jmp, loop and jecxz with one byte, behind the prefixes that may stand there. */
static bool is_short_branch(const uint8_t *bytes, uint32_t nbytes)
{
    uint32_t at = 0;
    while (at + 2 < nbytes && (bytes[at] == 0x2E || bytes[at] == 0x3E || bytes[at] == 0xF2 ||
                               bytes[at] == 0x66 || bytes[at] == 0x67))
        at++;
    uint8_t opcode = bytes[at];
    return at + 2 == nbytes &&
           ((opcode & 0xF0) == 0x70 || opcode == 0xEB || (opcode >= 0xE0 && opcode <= 0xE3));
}

bool short_branches_collect(struct code_reader *reader)
{
    struct code_map *map = reader->map;
    if (!site_set_init(&map->short_targets, reader->arena, reader->image->file.nbytes))
        return false;
    for (size_t s = 0; s < map->section_count; s++) {
        const struct code_section *section = &map->sections[s];
        uint32_t raw_foff = reader->image->sections[section->section].raw_foff;
        const uint8_t *bytes = reader->image->file.bytes + raw_foff;
        for (uint32_t at = 0, end; at < section->nbytes; at = end) {
            for (end = at + 1; end < section->nbytes && section->classes[end] == BYTE_INSTRUCTION_TAIL; end++)
                ;
            if (section->classes[at] != BYTE_INSTRUCTION || !is_short_branch(bytes + at, end - at))
                continue;
            int64_t target = (int64_t)end + (int8_t)bytes[end - 1];
            if (target >= 0 && target < section->nbytes)
                site_set_add(&map->short_targets, (uint64_t)raw_foff + (uint64_t)target);
        }
    }
    return true;
}
