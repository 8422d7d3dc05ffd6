/* outcome_by_hand.h - outcomes filled by hand, for the tests of the reports.
 * Takes: nothing.  Gives: struct outcome as the pipeline would make it.  Must not: run any stage. */
#ifndef HVCIFIX_TESTS_OUTCOME_BY_HAND_H
#define HVCIFIX_TESTS_OUTCOME_BY_HAND_H

#include "report/report.h"

#include <stdlib.h>
#include <string.h>

struct hand {
    struct outcome outcome;
    struct section sections[4];
    const struct section *by_rva[4];
    struct rule_answer answers[32];
    uint8_t bytes[0x3000];
};

/* x64, native, headers in page 0, no sections yet. Give it back with hand_free(). */
static inline struct hand *hand_new(const char *path)
{
    struct hand *hand = calloc(1, sizeof *hand);
    if (!hand)
        abort();
    struct outcome *outcome = &hand->outcome;
    arena_init(&outcome->arena, NULL);
    outcome->path = path;
    outcome->target = TARGET_DEFAULT;
    outcome->findings.arena = outcome->problems.arena = outcome->remaining.arena = &outcome->arena;
    outcome->has_image = true;
    outcome->image = (struct image){
        .file = {hand->bytes, sizeof hand->bytes},
        .arena = &outcome->arena,
        .is_64 = true,
        .machine = MACHINE_AMD64,
        .subsystem = SUBSYSTEM_NATIVE,
        .section_alignment = 0x1000,
        .image_nbytes = 0x1000,
        .headers_nbytes = 0x400,
        .sections = hand->sections,
        .sections_by_rva = hand->by_rva,
        .role = ROLE_KERNEL,
    };
    outcome->refs.image = &outcome->image;
    outcome->refs.arena = &outcome->arena;
    return hand;
}

static inline void hand_free(struct hand *hand)
{
    pipeline_release(&hand->outcome);
    free(hand);
}

/* Sections must be added in ascending order of RVA; their file bytes follow each other from 0x400. */
static inline void hand_section(struct hand *hand, const char *name, uint32_t rva, uint32_t memory_nbytes,
                                uint32_t file_nbytes, uint32_t characteristics)
{
    struct image *image = &hand->outcome.image;
    struct section *section = &hand->sections[image->section_count];
    uint32_t foff = 0x400;
    for (uint32_t i = 0; i < image->section_count; i++)
        foff += hand->sections[i].file_nbytes;
    *section = (struct section){
        .index = image->section_count,
        .name = name,
        .header_foff = 0x1F8 + 0x28 * image->section_count,
        .rva = rva,
        .virtual_size = memory_nbytes,
        .memory_nbytes = memory_nbytes,
        .raw_foff = foff,
        .stored_raw_foff = foff,
        .raw_nbytes = file_nbytes,
        .file_nbytes = file_nbytes,
        .characteristics = characteristics,
    };
    hand->by_rva[image->mapped_section_count++] = section;
    image->section_count++;
    image->image_nbytes = (rva + memory_nbytes + 0xFFF) & ~UINT32_C(0xFFF);
}

static inline struct finding hand_finding(enum finding_code code, enum finding_level level,
                                          const char *message)
{
    return (struct finding){.code = code,
                            .level = level,
                            .rva = NO_RVA,
                            .file_offset = NO_FILE_OFFSET,
                            .place_count = 1,
                            .message = message};
}

static const struct report_style hand_plain = {false, false};
static const struct report_style hand_quiet = {false, true};

/* What a report function appends, as one string; "" when it appends nothing. */
static inline const char *hand_chars(const struct text *text)
{
    return text->chars ? text->chars : "";
}

#endif
