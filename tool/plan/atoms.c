/* atoms.c - the atoms of one candidate: its sections, cut where runs of data leave the code.
 * Takes: rewrite->wholes and splits, and what the candidate takes out.  Gives: rewrite->atoms.
 * Must not: place anything, or ask again what a section needs. */
#include "plan/rewrite.h"

static struct atom *find_atom(struct atom *atoms, uint32_t count, uint32_t rva)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (atoms[middle].rva <= rva)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && rva < atoms[low - 1].end_rva ? &atoms[low - 1] : NULL;
}

struct atom *atom_at(const struct rewrite *rewrite, uint32_t rva)
{
    return find_atom(rewrite->atoms, rewrite->atom_count, rva);
}

struct atom *whole_at(const struct rewrite *rewrite, uint32_t rva)
{
    return find_atom(rewrite->wholes, rewrite->whole_count, rva);
}

static bool add_atom(struct rewrite *rewrite, const struct atom *whole, uint32_t rva, uint32_t end_rva,
                     const struct data_run *run)
{
    if (rva >= end_rva)
        return true;
    if (rewrite->atom_count >= MOST_ATOMS)
        return rewrite_refuse(rewrite, rva, NO_FILE_OFFSET, "Put variables into a section of their own.",
                              "There are more than %d runs of data between the code.", MOST_ATOMS);
    struct atom *atom = &rewrite->atoms[rewrite->atom_count++];
    *atom = *whole;
    atom->rva = rva;
    atom->nbytes = end_rva - rva;
    atom->end_rva = end_rva == whole->rva + whole->nbytes ? whole->end_rva : end_rva;
    if (!run)
        return true;
    atom->is_data_run = true;
    bool is_written = rewrite->splits[whole->section].kind == SPLIT_ALL || run->holds_variables;
    atom->needs = is_written ? NEEDS_WRITE : 0;
    atom->why = is_written ? "It is written, and lay among code."
                           : "It holds what the loader writes, and addresses near it could mean either.";
    return true;
}

static bool split_atom(struct rewrite *rewrite, const struct atom *whole)
{
    struct section_split *split = &rewrite->splits[whole->section];
    bool takes_all = rewrite->takes_all_runs && (whole->needs & NEEDS_EXECUTE);
    if (takes_all && !split->runs &&
        !runs_find(rewrite, &rewrite->image->sections[whole->section], &split->runs, &split->run_count))
        return false;
    uint32_t at_rva = whole->rva, end_rva = whole->rva + whole->nbytes;
    for (size_t i = 0; i < split->run_count; i++) {
        const struct data_run *run = &split->runs[i];
        bool leaves = takes_all || split->kind == SPLIT_ALL ||
                      (split->kind == SPLIT_SLOTS &&
                       (rewrite->keeps_distances || (rewrite->runs_leave_whole && run->holds_slots)));
        if (!leaves)
            continue;
        if (!add_atom(rewrite, whole, at_rva, run->rva, NULL) ||
            !add_atom(rewrite, whole, run->rva, run->rva + run->nbytes, run))
            return false;
        at_rva = run->rva + run->nbytes;
    }
    return at_rva == whole->rva ? (rewrite->atoms[rewrite->atom_count++] = *whole, true)
                                : add_atom(rewrite, whole, at_rva, end_rva, NULL);
}

bool atoms_make(struct rewrite *rewrite)
{
    if (!rewrite->atoms)
        rewrite->atoms =
            arena_array(rewrite->arena, MOST_ATOMS + rewrite->whole_count, sizeof *rewrite->atoms);
    if (!rewrite->atoms)
        return false;
    rewrite->atom_count = 0;
    for (uint32_t i = 0; i < rewrite->whole_count; i++)
        if (!split_atom(rewrite, &rewrite->wholes[i]))
            return false;
    if (rewrite->keeps_distances)
        keep_distances(rewrite);
    return true;
}
