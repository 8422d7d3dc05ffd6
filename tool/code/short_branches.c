/* short_branches.c - what branches with one-byte displacements lead to.
 * Takes: the finished code map.  Gives: its short_targets.  Must not: look outside of decoded instructions.
 *
 * Such a branch stays right wherever its section goes, so the inventory has no reference for it; who asks
 * whether anything leads to a place has to know it all the same. */
#include "code/code_internal.h"

static bool is_prefix(uint8_t byte)
{
    return byte == 0x2E || byte == 0x3E || byte == 0xF2 || byte == 0x66 || byte == 0x67;
}

/* jcc, jmp, loop and jecxz with one byte. */
static bool is_opcode(uint8_t byte)
{
    return (byte & 0xF0) == 0x70 || byte == 0xEB || (byte >= 0xE0 && byte <= 0xE3);
}

/* The instruction is such a branch, behind the prefixes that may stand there. */
static bool is_short_branch(const uint8_t *bytes, uint32_t nbytes)
{
    uint32_t at = 0;
    while (at + 2 < nbytes && is_prefix(bytes[at]))
        at++;
    return at + 2 == nbytes && is_opcode(bytes[at]);
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
        for (uint32_t at = 0, end; at < section->nbytes; at++) {
            if (section->classes[at] != BYTE_INSTRUCTION || !(is_opcode(bytes[at]) || is_prefix(bytes[at])))
                continue;
            for (end = at + 1; end < section->nbytes && section->classes[end] == BYTE_INSTRUCTION_TAIL; end++)
                ;
            if (!is_short_branch(bytes + at, end - at))
                continue;
            int64_t target = (int64_t)end + (int8_t)bytes[end - 1];
            if (target >= 0 && target < section->nbytes)
                site_set_add(&map->short_targets, (uint64_t)raw_foff + (uint64_t)target);
        }
    }
    return true;
}
