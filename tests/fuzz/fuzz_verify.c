/* fuzz_verify.c - the independent verifier, on pairs.
 * Claims: a file and itself are identical; a pair that is proved differs only in what can be explained (an
 * oracle of this file's own on the bytes); the steps that the verifier counts, and those that are counted
 * here, are linear. The second file of a pair is the input with a repair, if there is one, and with up to
 * four pokes that the reserved words of its DOS header (0x1C to 0x3B, eight bytes each) describe: offset 4,
 * kind 1, value 3. */
#include "fuzz.h"

#include <stdlib.h>

static const struct work_limit verifying = {80, 100000, 100, 200000};
/* A search for where everything went: at most 4,096 samples for each likely place of each section. */
static const struct work_limit verifying_moved = {1000, 3000000, 300, 1000000};
enum { POKES_FOFF = 0x1C, POKE_NBYTES = 8, POKE_COUNT = 4 };

/* What the oracle reads, by itself. */
struct frame {
    uint64_t checksum_foff, directories_foff, section_table_foff;
    uint32_t section_count;
};

static uint64_t directory_foff(const struct frame *frame, unsigned number)
{
    return frame->directories_foff + (uint64_t)number * DIRECTORY_ENTRY_NBYTES;
}

static bool frame_of(struct span file, struct frame *frame)
{
    uint32_t pe_foff;
    uint16_t magic, opt_nbytes, section_count;
    if (!span_u32(file, DOS_E_LFANEW, &pe_foff))
        return false;
    uint64_t coff_foff = (uint64_t)pe_foff + PE_SIGNATURE_NBYTES, opt_foff = coff_foff + COFF_HEADER_NBYTES;
    if (!span_u16(file, opt_foff, &magic) ||
        !span_u16(file, coff_foff + COFF_SIZE_OF_OPTIONAL_HEADER, &opt_nbytes) ||
        !span_u16(file, coff_foff + COFF_NUMBER_OF_SECTIONS, &section_count))
        return false;
    uint64_t directories_foff = opt_foff + (magic == OPT_MAGIC_64 ? OPT_DIRECTORIES_64 : OPT_DIRECTORIES_32);
    *frame = (struct frame){opt_foff + OPT_CHECK_SUM, directories_foff, opt_foff + opt_nbytes, section_count};
    return range_fits(file.nbytes, directory_foff(frame, DIR_SECURITY), DIRECTORY_ENTRY_NBYTES) &&
           range_fits(file.nbytes, frame->section_table_foff,
                      (uint64_t)section_count * SECTION_HEADER_NBYTES);
}

static uint32_t checksum_of(struct span file, uint64_t checksum_foff)
{
    uint64_t sum = 0;
    for (uint64_t at = 0; at < file.nbytes; at++)
        if (at < checksum_foff || at - checksum_foff >= 4)
            sum += (uint64_t)file.bytes[at] << (8 * (at % 2));
    while (sum >> 16 != 0)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint32_t)(sum + file.nbytes);
}

static bool same_at(struct span a, struct span b, uint64_t foff, uint64_t nbytes)
{
    return memcmp(a.bytes + foff, b.bytes + foff, (size_t)nbytes) == 0;
}

/* The directory 12 of the new file does not touch a section that lost its write right: the loader fills it.
 */
static void claim_iat_stays_writable(struct span file, const struct frame *frame, uint64_t header)
{
    uint64_t entry = directory_foff(frame, DIR_IAT);
    uint32_t count, rva, nbytes;
    if (!span_u32(file, frame->directories_foff - 4, &count) || count <= DIR_IAT ||
        !span_u32(file, entry, &rva) || !span_u32(file, entry + 4, &nbytes) || rva == 0)
        return;
    uint32_t section_rva = load_u32(file.bytes + header + SECTION_VIRTUAL_ADDRESS);
    uint32_t section_nbytes = load_u32(file.bytes + header + SECTION_VIRTUAL_SIZE);
    CLAIM(!ranges_overlap(rva, nbytes, section_rva, section_nbytes),
          "a section that holds the IAT lost its write right and the pair was proved");
}

/* Every byte in which a proved pair differs, explained here. */
static void claim_explained(struct span old_file, struct span new_file)
{
    struct frame frame;
    CLAIM(frame_of(old_file, &frame), "proved, and the headers cannot be read");
    struct span security;
    uint64_t security_foff = directory_foff(&frame, DIR_SECURITY);
    CLAIM(span_part(old_file, security_foff, DIRECTORY_ENTRY_NBYTES, &security), "no security entry");
    bool is_cut = new_file.nbytes != old_file.nbytes;
    if (is_cut) {
        uint32_t begin = load_u32(security.bytes), size = load_u32(security.bytes + 4);
        CLAIM(begin == new_file.nbytes && (uint64_t)begin + size <= old_file.nbytes &&
                  old_file.nbytes - begin - size < CERTIFICATE_ALIGN_NBYTES,
              "proved, and what was cut off is not the certificate table");
        CLAIM(load_u64(new_file.bytes + security_foff) == 0,
              "proved, and the directory entry is still there");
    }
    for (uint64_t foff = 0; foff < new_file.nbytes; foff++) {
        if (old_file.bytes[foff] == new_file.bytes[foff] || foff - frame.checksum_foff < 4 ||
            (is_cut && foff - security_foff < DIRECTORY_ENTRY_NBYTES))
            continue;
        uint64_t at = foff - frame.section_table_foff;
        CLAIM(foff >= frame.section_table_foff && at / SECTION_HEADER_NBYTES < frame.section_count &&
                  at % SECTION_HEADER_NBYTES == SECTION_CHARACTERISTICS + 3,
              "proved, and byte 0x%llX differs", (unsigned long long)foff);
        uint64_t header = foff - SECTION_CHARACTERISTICS - 3;
        uint32_t was = load_u32(old_file.bytes + header + SECTION_CHARACTERISTICS);
        uint32_t is = load_u32(new_file.bytes + header + SECTION_CHARACTERISTICS);
        bool had_both = (was & SCN_MEM_WRITE) && (was & SCN_MEM_EXECUTE);
        bool lost_execute = had_both && !(was & SCN_CNT_CODE) && is == (was & ~SCN_MEM_EXECUTE);
        CLAIM(lost_execute || (is == (was & ~SCN_MEM_WRITE) && (was & SCN_MEM_EXECUTE) != 0),
              "proved, and characteristics went from 0x%X to 0x%X", (unsigned)was, (unsigned)is);
        if (!lost_execute)
            claim_iat_stays_writable(new_file, &frame, header);
    }
    uint32_t stored = load_u32(new_file.bytes + frame.checksum_foff);
    CLAIM(same_at(old_file, new_file, frame.checksum_foff, 4) ||
              stored == checksum_of(new_file, frame.checksum_foff),
          "proved, and the checksum is wrong");
}

/* The pair has another section table: what lies where is the verifier's to say. */
static bool is_laid_out_anew(struct span old_file, struct span new_file, struct frame *frame)
{
    struct frame new_frame;
    uint32_t old_alignment, new_alignment;
    return frame_of(old_file, frame) && frame_of(new_file, &new_frame) &&
           span_u32(old_file, frame->checksum_foff - OPT_CHECK_SUM + OPT_SECTION_ALIGNMENT, &old_alignment) &&
           span_u32(new_file, new_frame.checksum_foff - OPT_CHECK_SUM + OPT_SECTION_ALIGNMENT,
                    &new_alignment) &&
           frame->section_table_foff == new_frame.section_table_foff &&
           (frame->section_count != new_frame.section_count || old_alignment != new_alignment);
}

/* What no layout changes, and what every new section must be. */
static void claim_moved(struct span old_file, struct span new_file)
{
    struct frame frame, new_frame;
    CLAIM(frame_of(old_file, &frame) && frame_of(new_file, &new_frame),
          "proved, and the headers are unreadable");
    uint64_t coff_foff = load_u32(old_file.bytes + DOS_E_LFANEW);
    CLAIM(same_at(old_file, new_file, 0, coff_foff) &&
              same_at(old_file, new_file, coff_foff + PE_SIGNATURE_NBYTES + COFF_TIME_DATE_STAMP, 4),
          "proved, and the first header differs");
    CLAIM(load_u32(new_file.bytes + new_frame.checksum_foff) ==
              checksum_of(new_file, new_frame.checksum_foff),
          "proved, and the checksum is wrong");
    for (uint32_t i = frame.section_count; i < new_frame.section_count; i++) {
        uint64_t header = new_frame.section_table_foff + (uint64_t)i * SECTION_HEADER_NBYTES;
        uint32_t flags = load_u32(new_file.bytes + header + SECTION_CHARACTERISTICS);
        CLAIM(!(flags & SCN_MEM_WRITE) || !(flags & SCN_MEM_EXECUTE), "proved, and section %u is W+X",
              (unsigned)i);
    }
}

static enum verify_result judge_pair(struct span old_file, struct span new_file)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct verify_verdict verdict;
    size_t nbytes = old_file.nbytes + new_file.nbytes;
    struct work work = work_begin(&arena);
    CLAIM(verify_pair(old_file, new_file, &arena, &verdict), "out of memory");
    struct frame frame;
    bool is_moved = is_laid_out_anew(old_file, new_file, &frame);
    work_end(&work, &arena, nbytes, is_moved ? &verifying_moved : &verifying, "verify_pair");
    CLAIM(is_moved || verdict.step_count <= 64 * (uint64_t)nbytes + 100000, "%llu steps counted on %zu bytes",
          (unsigned long long)verdict.step_count, nbytes);
    bool is_same = old_file.nbytes == new_file.nbytes && same_at(old_file, new_file, 0, new_file.nbytes);
    switch (verdict.result) {
    case VERIFY_IDENTICAL:
        CLAIM(is_same, "identical, and they differ");
        break;
    case VERIFY_PROVED:
    case VERIFY_PROVED_WITH_ASSUMPTIONS:
        CLAIM(!is_same && verdict.difference_count != 0, "proved, and nothing differs");
        if (is_moved)
            claim_moved(old_file, new_file);
        else
            claim_explained(old_file, new_file);
        break;
    case VERIFY_REFUTED:
    case VERIFY_UNREADABLE:
        CLAIM(verdict.result == VERIFY_UNREADABLE || !is_same, "refuted, and they are the same");
        CLAIM(is_sentence(verdict.reason), "no reason: \"%s\"",
              verdict.reason ? verdict.reason : "(nothing)");
        break;
    }
    enum verify_result result = verdict.result;
    arena_free(&arena);
    return result;
}

/* Bit 7 of the kind: put the checksum right afterwards. Bit 6: xor. Bits 0-1: bytes less one. Bits 2-3: 1
 * aims at a section's Characteristics, 2 at the end of the file (which is cut there). */
struct poke {
    uint32_t place, value;
    unsigned kind; /* 0: no poke */
};

static size_t poke_once(uint8_t *bytes, size_t nbytes, const struct poke *poke)
{
    struct frame frame;
    unsigned width = (poke->kind & 3) + 1, aim = (poke->kind >> 2) & 3;
    bool has_frame = frame_of((struct span){bytes, nbytes}, &frame);
    if (poke->kind == 0 || nbytes == 0)
        return nbytes;
    if (aim == 2)
        return nbytes - poke->place % (nbytes < 64 ? nbytes : 64);
    uint64_t foff = poke->place % nbytes;
    if (aim == 1 && has_frame && frame.section_count != 0)
        foff = frame.section_table_foff +
               (uint64_t)(poke->place % frame.section_count) * SECTION_HEADER_NBYTES +
               SECTION_CHARACTERISTICS + 3; /* the byte with EXECUTE, READ and WRITE */
    for (unsigned i = 0; i < width && i < 3 && foff + i < nbytes; i++) {
        uint8_t byte = (uint8_t)(poke->value >> (8 * i));
        bytes[foff + i] = (poke->kind & 0x40) != 0 ? bytes[foff + i] ^ byte : byte;
    }
    if ((poke->kind & 0x80) != 0 && frame_of((struct span){bytes, nbytes}, &frame))
        store_u32(bytes + frame.checksum_foff,
                  checksum_of((struct span){bytes, nbytes}, frame.checksum_foff));
    return nbytes;
}

/* Judges (old, new) and (old, new with pokes), each also the other way round. */
static void judge_around(struct span old_file, struct span new_file, const struct poke pokes[POKE_COUNT])
{
    judge_pair(old_file, new_file);
    judge_pair(new_file, old_file);
    uint8_t *poked = malloc(new_file.nbytes + 1);
    CLAIM(poked, "no memory for the claim");
    memcpy(poked, new_file.bytes, new_file.nbytes);
    size_t nbytes = new_file.nbytes;
    for (unsigned i = 0; i < POKE_COUNT; i++)
        nbytes = poke_once(poked, nbytes, &pokes[i]);
    uint8_t *exact = malloc(nbytes + (nbytes == 0)); /* so that a read past the end is seen */
    CLAIM(exact, "no memory for the claim");
    memcpy(exact, poked, nbytes);
    judge_pair(old_file, (struct span){exact, nbytes});
    judge_pair((struct span){exact, nbytes}, old_file);
    free(exact);
    free(poked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct span file = {data, nbytes};
    struct poke pokes[POKE_COUNT] = {{0}};
    for (unsigned i = 0; i < POKE_COUNT; i++) {
        uint32_t kind_and_value;
        uint64_t foff = POKES_FOFF + (uint64_t)i * POKE_NBYTES;
        if (span_u32(file, foff, &pokes[i].place) && span_u32(file, foff + 4, &kind_and_value)) {
            pokes[i].kind = kind_and_value & 0xFF;
            pokes[i].value = kind_and_value >> 8;
        }
    }
    enum verify_result result = judge_pair(file, file);
    CLAIM(result == VERIFY_IDENTICAL || result == VERIFY_UNREADABLE, "a file and itself: %d", (int)result);
    judge_around(file, file, pokes);
    struct pipeline_options options = {
        .goal = GOAL_FIX, .target = TARGET_DEFAULT, .dry_run = true, .drop_signature = true};
    struct outcome outcome;
    pipeline_on_bytes(file, &options, &outcome);
    if (outcome.output.bytes)
        judge_around(file, (struct span){outcome.output.bytes, outcome.output.nbytes}, pokes);
    pipeline_release(&outcome);
    return 0;
}
