/* relocation_runs.h - arrays of structures with pointers, as they show in the base relocations.
 * Takes: references of the base relocations.  Gives: their places, and regular runs among them.
 * Must not: judge, or look at the bytes.
 *
 * The relocated fields of such an array repeat at a constant stride: a maximal run of relocations R[] with
 * R[k + period] - R[k] = stride for all k of the run, where `period` is the number of pointers in one
 * structure. */
#ifndef HVCIFIX_RULES_RELOCATION_RUNS_H
#define HVCIFIX_RULES_RELOCATION_RUNS_H

#include "rules/rule_parts.h"

/* Places of all judged relocations (straddlers.h), sorted and unique, in the arena. */
struct relocation_places {
    uint32_t *rvas;
    size_t count;
};

/* A regular run [low, high] of indices into struct relocation_places. */
struct relocation_run {
    size_t low, high;
    uint32_t stride_nbytes; /* 0: no run */
};

/* relocation_count: of those that are judged. False when memory ran out. */
bool relocation_places_collect(const struct rule_input *input, size_t relocation_count,
                               struct relocation_places *places);

/* The index of the first place at or after rva; places->count when there is none. */
size_t relocation_place_index(const struct relocation_places *places, uint32_t rva);

/* The best run through place `at` among the places [floor, ceiling): the longest; a larger period has to pay
 * for itself. A place in the last structure of an array has its partner in front of it. Its stride is 0 when
 * there is none. */
struct relocation_run relocation_run_best(const struct relocation_places *places, size_t at, size_t floor,
                                          size_t ceiling);

/* Relocations in the run. */
size_t relocation_run_length(const struct relocation_run *run);

#endif
