/* package_problem.c - what is wrong with a package, and how much of one is looked at.
 * Takes: reasons and counts.  Gives: findings.  Must not: read packages. */
#include "package/package_parts.h"

enum package_step package_end_at(struct package *package, struct package_item *item, const char *path,
                                 struct finding problem)
{
    while (package->depth != 0)
        package_pop(package);
    item->path = path;
    item->problem = problem;
    return PACKAGE_PROBLEM;
}

enum package_step package_problem_at(struct package_item *item, const char *path, struct finding problem)
{
    item->path = path;
    item->problem = problem;
    return PACKAGE_PROBLEM;
}

struct finding package_damaged(struct arena *arena, const char *what, const char *reason)
{
    struct finding problem =
        finding_make(arena, HVCI9050_PACKAGE_DAMAGED, LEVEL_ERROR, "%s: %s.", what, reason);
    problem.cure = "Make the package anew, or unpack it with the tool that made it and name the folder.";
    return problem;
}

struct finding package_limit(struct arena *arena, const char *message)
{
    struct finding problem = finding_make(arena, HVCI9052_PACKAGE_LIMIT, LEVEL_ERROR, "%s", message);
    problem.cure = "If the package is what it should be, unpack it and name the folder.";
    return problem;
}

bool package_charge(struct package *package, uint64_t nbytes)
{
    if (nbytes > package->nbytes_left)
        return false;
    package->nbytes_left -= nbytes;
    return true;
}

enum package_step package_too_much(struct package *package, struct arena *arena, struct package_item *item,
                                   const char *path)
{
    return package_end_at(
        package, item, path,
        package_limit(arena,
                      "Far more comes out of this package than went into it, so unpacking ends here; what "
                      "follows was not judged."));
}
