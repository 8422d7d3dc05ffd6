/* fuzz_pdb.c - what any file that is named as a PDB holds.
 * Claims: reading ends, in work and memory linear in the file; names lie in what was read, by ascending RVA;
 * the verifier's own reader takes what the writer's takes; a PDB that is written for a move is read again,
 * with the same streams, GUID as asked for, and OMAP tables that lead where they were told. */
#include "fuzz.h"
#include "pdb/pdb_move.h"
#include "pdb/pdb_symbols.h"
#include "verify/verify_msf.h"

static const struct work_limit limit = {
    .steps_per_byte = 400, .steps_constant = 400000, .memory_per_byte = 64, .memory_constant = 1 << 22};

static void judge_symbols(const struct pdb *pdb, struct arena *arena)
{
    struct pdb_symbols symbols;
    struct finding error;
    CLAIM(pdb_symbols_read(pdb, arena, &symbols, &error), "%s", error.message);
    for (size_t i = 0; i < symbols.count; i++) {
        CLAIM(symbols.items[i].name[0] != 0, "an empty name at %zu", i);
        CLAIM(i == 0 || symbols.items[i - 1].rva <= symbols.items[i].rva, "no order at %zu", i);
    }
}

static void judge_streams(const struct pdb *pdb, struct span file, struct arena *arena)
{
    struct verify_msf second;
    const char *reason;
    CLAIM(verify_msf_read(file, arena, &second, &reason), "the second reader says that it %s", reason);
    CLAIM(second.stream_count == pdb->msf.stream_count, "%u streams, not %u", second.stream_count,
          pdb->msf.stream_count);
    for (uint32_t i = 1; i < second.stream_count; i++)
        CLAIM(verify_msf_nbytes(&second, i) == pdb->msf.streams[i].nbytes, "the size of stream %u", i);
}

/* Two pieces change places; the first byte of each is looked for again. */
static void judge_move(const struct pdb *pdb, struct arena *arena)
{
    static const struct pdb_moved_range pieces[] = {
        {0, 0x1000, 0}, {0x1000, 0x800, 0x5000}, {0x3000, 0x10, 0x1000}};
    struct pdb_move move = {
        .pieces = pieces, .piece_count = 3, .section_table = pdb->section_headers, .guid = {7, 1}};
    struct span moved, old_stream, new_stream;
    struct finding error;
    struct pdb again;
    uint32_t rva;
    if (!pdb_move(pdb, &move, arena, &moved, &error))
        return;
    CLAIM(pdb_open(moved, arena, &again, &error), "%s", error.message);
    judge_streams(&again, moved, arena);
    CLAIM(memcmp(again.identity.guid, move.guid, PDB_GUID_NBYTES) == 0, "another GUID");
    CLAIM(again.identity.age == pdb->identity.age, "another age");
    CLAIM(omap_lookup(&again.from_source, 0x1000, &rva) && rva == 0x5000, "0x1000 is lost");
    CLAIM(omap_lookup(&again.from_source, 0x300F, &rva) && rva == 0x100F, "0x300F is lost");
    CLAIM(!omap_lookup(&again.from_source, 0x3010, &rva), "what is behind the last piece is somewhere");
    for (uint32_t i = 1; i < pdb->msf.stream_count; i++) {
        if (i == 1 || i == 3)
            continue;
        CLAIM(msf_read(&pdb->msf, i, arena, &old_stream) && msf_read(&again.msf, i, arena, &new_stream),
              "memory");
        CLAIM(span_is_equal(old_stream, new_stream), "stream %u changed", i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    struct span file = {data, nbytes};
    struct arena arena;
    struct pdb pdb;
    struct finding error;
    arena_init(&arena, NULL);
    struct work work = work_begin(&arena);
    bool is_read = pdb_open(file, &arena, &pdb, &error);
    if (is_read)
        judge_symbols(&pdb, &arena);
    work_end(&work, &arena, nbytes, &limit, "reading a PDB");
    if (is_read) {
        judge_streams(&pdb, file, &arena);
        judge_move(&pdb, &arena);
    }
    arena_free(&arena);
    return 0;
}
