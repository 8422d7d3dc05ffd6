/* mutate_records.c - changes tables record by record: order, doubles, early ends, records that lead to one
 * another, and sizes that are off by whole records. Takes: a mutation whose shape has tables.  Gives: changed
 * bytes.  Must not: change the size of the input. */
#include "mutate.h"

static const struct table *pick_table(struct mutation *m)
{
    return &m->shape->tables[mutate_pick(m, m->shape->table_count)];
}

static uint8_t *pick_record(struct mutation *m, const struct table *table, uint32_t *rva)
{
    uint32_t offset = (uint32_t)mutate_pick(m, table->record_count) * table->record_nbytes;
    *rva = table->rva + offset;
    return m->data + table->foff + offset;
}

static void swap_bytes(uint8_t *a, uint8_t *b, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++) {
        uint8_t byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

/* A field of one record leads to another record, of this table or of another: cycles, shared tables, tables
 * inside tables. Flags that some tables keep in the low or the high bits are set now and then. */
static void join_records(struct mutation *m)
{
    const struct table *from = pick_table(m), *to = pick_table(m);
    uint32_t from_rva, to_rva;
    uint8_t *record = pick_record(m, from, &from_rva);
    (void)pick_record(m, to, &to_rva);
    uint64_t place = to_rva;
    switch (mutate_pick(m, 6)) {
    case 0:
        place = to_rva - to->rva; /* an offset in the table */
        break;
    case 1:
        place = (to_rva - to->rva) | UINT32_C(0x80000000);
        break;
    case 2:
        place |= 1 + mutate_pick(m, 3);
        break;
    case 3:
        place += m->shape->image_base_va;
        break;
    default:
        break;
    }
    unsigned width_nbytes = m->shape->is_64 && place > UINT32_MAX ? 8 : 4;
    uint32_t offset = (uint32_t)mutate_pick(m, from->record_nbytes) & ~UINT32_C(3);
    if (range_fits(m->nbytes, (uint64_t)(record - m->data) + offset, width_nbytes))
        store_width(record + offset, width_nbytes, place);
}

void mutate_table(struct mutation *m)
{
    const struct table *table = pick_table(m);
    uint32_t rva, nbytes = table->record_nbytes;
    uint8_t *a = pick_record(m, table, &rva), *b = pick_record(m, table, &rva);
    switch (mutate_pick(m, 6)) {
    case 0:
        swap_bytes(a, b, nbytes);
        break;
    case 1:
        memmove(a, b, nbytes);
        break;
    case 2: /* the whole table the other way round */
        for (uint32_t i = 0; i < table->record_count / 2; i++)
            swap_bytes(m->data + table->foff + (size_t)i * nbytes,
                       m->data + table->foff + (size_t)(table->record_count - 1 - i) * nbytes, nbytes);
        break;
    case 3:
        memset(a, mutate_pick(m, 4) == 0 ? 0xFF : 0, nbytes);
        break;
    case 4: { /* a field, a count or a size, by so many records */
        const struct field *field = mutate_pick_field(m);
        uint64_t by = nbytes * (mutate_pick(m, 3) + 1);
        uint64_t value = mutate_load(m, field);
        store_width(m->data + field->foff, field->width_nbytes,
                    mutate_pick(m, 2) == 0 ? value + by : value - by);
        break;
    }
    default:
        join_records(m);
        break;
    }
}
