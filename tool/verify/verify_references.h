/* verify_references.h - references that no table lists: base relocations and code.
 * Takes: struct verify_moves with the tables' fields.  Gives: more fields, or a counter-example.
 * Must not: pass over a byte position that could be a reference between parts that moved apart. */
#ifndef HVCIFIX_VERIFY_VERIFY_REFERENCES_H
#define HVCIFIX_VERIFY_VERIFY_REFERENCES_H

#include "verify/verify_edges.h"

/* Relocated fields: each follows what its value means. Then the new relocations against the mapped ones. */
bool verify_moved_relocations(struct verify_moves *moves);

/* Code, at every byte position. */
bool verify_moved_code(struct verify_moves *moves);

/* One field at such a position, in the piece `site`, that would lead to target_rva of the old image. `what`
 * names it in messages ("a branch"). */
bool verify_moved_operand(struct verify_moves *moves, const struct verify_piece *site,
                          const struct verify_field_in_code *field, uint64_t target_rva, const char *what);

/* Uses of the image base on x64. `formed` are the instructions that take it. */
bool verify_base_uses(struct verify_moves *moves);

/* An instruction at `at` takes the address of table_rva: when it is a jump table of label differences (its
 * entries are added to its own address and jumped to), adds a field for each entry. */
bool verify_label_table(struct verify_moves *moves, const struct verify_code_section *section, size_t at,
                        uint32_t table_rva);

/* Refutes when an instruction stores at rva of the old image, where it could be written, and the new one does
 * not let it. */
bool verify_store_is_allowed(struct verify_moves *moves, uint32_t site_rva, uint64_t rva, bool is_certain);

#endif
