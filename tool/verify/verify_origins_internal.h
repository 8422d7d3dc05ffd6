/* verify_origins_internal.h - the walk back that the files of verify_origins.h share.
 * Takes: registers that are asked for.  Gives: a list without repetitions.
 * Must not: be included by others, or grow beyond a fixed number. */
#ifndef HVCIFIX_VERIFY_VERIFY_ORIGINS_INTERNAL_H
#define HVCIFIX_VERIFY_VERIFY_ORIGINS_INTERNAL_H

#include "verify/verify_origins.h"
#include "verify/verify_ways.h"

enum { ORIGIN_MAX_COUNT = 96, VALUE_MOST = 1 << 24 }; /* larger factors and values are no part of an index */

/* Registers whose value before an instruction is asked for. What is wanted is factor * value + added. */
struct asked {
    size_t at;
    int number;
    uint64_t factor, added;
};

struct origins {
    struct verify_code *code;
    const struct verify_code_section *section;
    struct asked asked[ORIGIN_MAX_COUNT];
    size_t count, next;
};

static inline bool origins_ask(struct origins *origins, struct asked asked)
{
    if (asked.factor > VALUE_MOST || asked.added > VALUE_MOST)
        return false;
    for (size_t i = 0; i < origins->count; i++)
        if (origins->asked[i].at == asked.at && origins->asked[i].number == asked.number &&
            origins->asked[i].factor == asked.factor && origins->asked[i].added >= asked.added)
            return true;
    if (origins->count == ORIGIN_MAX_COUNT)
        return false;
    origins->asked[origins->count++] = asked;
    return true;
}

static inline bool origins_is_register(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER && verify_register_number(operand->reg.value) >= 0;
}

#endif
