/* mutate.c - changes images field by field: LLVMFuzzerCustomMutator().
 * Takes: an input and a seed.  Gives: another input, nearly always of the same size.
 * Must not: depend on anything but its arguments.
 * A change sets fields to extremes, to neighbours of what they hold, to what other fields hold, to the
 * borders of sections and directories and one beside them, or to the field's own address; swaps fields;
 * copies one table's bytes over another's; cuts the file. In the tables of the target's family it also swaps,
 * doubles, empties and reverses records and leads them to one another. Afterwards the frame that every reader
 * looks at first (signatures, magic, counts) is mostly put right again, so that the change is met behind it,
 * and so is the checksum. Places and sizes hardly ever shift, so that an input stays a short list of
 * differences from its seed (poke.py). */
#include "mutate.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t nbytes, size_t most_nbytes);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t nbytes, size_t most_nbytes, unsigned int seed);

/* xorshift64* */
uint64_t mutate_pick(struct mutation *m, uint64_t limit)
{
    m->random_state ^= m->random_state >> 12;
    m->random_state ^= m->random_state << 25;
    m->random_state ^= m->random_state >> 27;
    return (m->random_state * UINT64_C(0x2545F4914F6CDD1D) >> 16) % limit;
}

const struct field *mutate_pick_field(struct mutation *m)
{
    size_t family_first = m->shape->family_field_first, family_count = m->shape->field_count - family_first;
    if (family_count != 0 && mutate_pick(m, 2) == 0)
        return &m->shape->fields[family_first + mutate_pick(m, family_count)];
    size_t header_count = m->shape->header_field_count, count = m->shape->field_count;
    if (count == header_count || mutate_pick(m, 2) == 0)
        return &m->shape->fields[mutate_pick(m, header_count)];
    return &m->shape->fields[header_count + mutate_pick(m, count - header_count)];
}

uint64_t mutate_load(const struct mutation *m, const struct field *field)
{
    return load_width(m->data + field->foff, field->width_nbytes);
}

static uint64_t extreme(struct mutation *m, unsigned width_nbytes)
{
    uint64_t top = UINT64_C(1) << (8 * width_nbytes - 1); /* the sign bit */
    uint64_t all = top | (top - 1);
    const uint64_t values[] = {0,
                               1,
                               2,
                               3,
                               all,
                               all - 1,
                               all - 2,
                               top,
                               top - 1,
                               top + 1,
                               0xFFF,
                               0x1000,
                               0x1001,
                               all & ~UINT64_C(0xFFF),
                               m->nbytes,
                               m->nbytes - 1,
                               m->nbytes + 1,
                               0x10000,
                               0xFFFF,
                               0x7FFFFFFF,
                               0x80000000,
                               0x10};
    return values[mutate_pick(m, sizeof values / sizeof values[0])];
}

static uint64_t neighbour(struct mutation *m, uint64_t value)
{
    static const uint64_t steps[] = {1, 2, 3, 4, 8, 12, 16, 40, 0x200, 0x1000};
    uint64_t step = steps[mutate_pick(m, sizeof steps / sizeof steps[0])];
    switch (mutate_pick(m, 5)) {
    case 0:
        return value + step;
    case 1:
        return value - step;
    case 2:
        return value * 2;
    case 3:
        return value / 2;
    default:
        return value ^ (UINT64_C(1) << mutate_pick(m, 64));
    }
}

/* A place in the image, one beside it, or where a field itself lies: as RVA or file offset, or as VA. */
static uint64_t address(struct mutation *m, const struct field *field)
{
    const struct shape *shape = m->shape;
    uint64_t place = field->foff;
    if (shape->border_count != 0 && mutate_pick(m, 3) != 0)
        place = shape->borders[mutate_pick(m, shape->border_count)];
    else if (mutate_pick(m, 2) == 0)
        place = mutate_load(m, mutate_pick_field(m));
    static const int beside[] = {0, 0, 0, 1, -1, 4, -4, 8, -8, 2, -2, 7};
    place += (uint64_t)(int64_t)beside[mutate_pick(m, sizeof beside / sizeof beside[0])];
    return field->width_nbytes == 8 && mutate_pick(m, 3) != 0 ? shape->image_base_va + place : place;
}

static void set_field(struct mutation *m, const struct field *field)
{
    uint64_t value;
    switch (mutate_pick(m, 5)) {
    case 0:
        value = extreme(m, field->width_nbytes);
        break;
    case 1:
        value = neighbour(m, mutate_load(m, field));
        break;
    case 2:
        value = mutate_load(m, mutate_pick_field(m));
        break;
    case 3:
        value = address(m, field);
        break;
    default:
        value = mutate_pick(m, 4) == 0 ? mutate_pick(m, UINT64_MAX) : mutate_pick(m, 64);
        break;
    }
    store_width(m->data + field->foff, field->width_nbytes, value);
}

static void swap_fields(struct mutation *m)
{
    const struct field *a = mutate_pick_field(m), *b = mutate_pick_field(m);
    uint64_t a_value = mutate_load(m, a), b_value = mutate_load(m, b);
    store_width(m->data + a->foff, a->width_nbytes, b_value);
    store_width(m->data + b->foff, b->width_nbytes, a_value);
}

/* One table's bytes over another's. */
static void copy_range(struct mutation *m)
{
    size_t from = mutate_pick_field(m)->foff, to = mutate_pick_field(m)->foff,
           nbytes = 1 + mutate_pick(m, mutate_pick(m, 4) == 0 ? 256 : 40);
    size_t room = m->nbytes - (from > to ? from : to);
    memmove(m->data + to, m->data + from, nbytes < room ? nbytes : room);
}

static void fill_range(struct mutation *m)
{
    static const uint8_t fillers[] = {0, 0xFF, 0x41, 0x80, 0xCC, 1};
    size_t at = mutate_pick_field(m)->foff, nbytes = 1 + mutate_pick(m, 64);
    uint8_t filler = fillers[mutate_pick(m, sizeof fillers)];
    memset(m->data + at, filler, nbytes < m->nbytes - at ? nbytes : m->nbytes - at);
}

/* One directory becomes another, or becomes a part of it. */
static void overlap_directories(struct mutation *m)
{
    const struct shape *shape = m->shape;
    if (shape->directory_count == 0 || !range_fits(m->nbytes, shape->directories_foff,
                                                   (uint64_t)shape->directory_count * DIRECTORY_ENTRY_NBYTES))
        return;
    uint8_t *directories = m->data + shape->directories_foff;
    uint8_t *to = directories + mutate_pick(m, shape->directory_count) * DIRECTORY_ENTRY_NBYTES;
    const uint8_t *from = directories + mutate_pick(m, shape->directory_count) * DIRECTORY_ENTRY_NBYTES;
    store_u32(to + DIRECTORY_RVA, load_u32(from + DIRECTORY_RVA) + 4 * (uint32_t)mutate_pick(m, 4));
    if (mutate_pick(m, 2) == 0)
        store_u32(to + DIRECTORY_SIZE, load_u32(from + DIRECTORY_SIZE));
}

/* libFuzzer's own changes, inside a window that keeps its place and size. */
static void mutate_window(struct mutation *m)
{
    uint8_t window[64];
    size_t at = mutate_pick(m, 3) == 0 ? mutate_pick(m, m->nbytes) : mutate_pick_field(m)->foff;
    size_t nbytes = 1 + mutate_pick(m, sizeof window);
    if (nbytes > m->nbytes - at)
        nbytes = m->nbytes - at;
    memcpy(window, m->data + at, nbytes);
    memcpy(m->data + at, window, LLVMFuzzerMutate(window, nbytes, nbytes));
}

static void cut_or_extend(struct mutation *m)
{
    size_t nbytes = mutate_pick(m, 2) == 0 ? mutate_pick_field(m)->foff + mutate_pick(m, 9)
                                           : m->nbytes + mutate_pick(m, 600);
    if (nbytes > m->most_nbytes)
        nbytes = m->most_nbytes;
    if (nbytes > m->nbytes)
        memset(m->data + m->nbytes, (int)mutate_pick(m, 2), nbytes - m->nbytes);
    m->nbytes = nbytes;
}

static void change_once(struct mutation *m)
{
    uint64_t kind = mutate_pick(m, 100);
    if (m->shape->table_count != 0 && mutate_pick(m, 3) == 0) {
        mutate_table(m);
        return;
    }
    if (kind < 55)
        set_field(m, mutate_pick_field(m));
    else if (kind < 63)
        swap_fields(m);
    else if (kind < 73)
        copy_range(m);
    else if (kind < 77)
        fill_range(m);
    else if (kind < 85)
        overlap_directories(m);
    else if (kind < 97)
        mutate_window(m);
    else
        cut_or_extend(m);
}

/* The frame at its old place, and counts that a reader does not refuse at once. */
static void put_frame_right(struct mutation *m, uint32_t coff_foff, uint16_t magic)
{
    uint32_t directories = magic == OPT_MAGIC_64 ? OPT_DIRECTORIES_64 : OPT_DIRECTORIES_32;
    uint32_t opt_foff = coff_foff + COFF_HEADER_NBYTES;
    if (m->nbytes < opt_foff + directories + (uint64_t)DIR_COUNT * DIRECTORY_ENTRY_NBYTES)
        return;
    uint8_t *coff = m->data + coff_foff, *opt = m->data + opt_foff;
    store_u16(m->data + DOS_E_MAGIC, DOS_MAGIC);
    store_u32(m->data + DOS_E_LFANEW, coff_foff - PE_SIGNATURE_NBYTES);
    store_u32(coff - PE_SIGNATURE_NBYTES, PE_SIGNATURE);
    store_u16(opt + OPT_MAGIC, magic);
    store_u16(coff + COFF_SIZE_OF_OPTIONAL_HEADER,
              (uint16_t)(directories + DIR_COUNT * DIRECTORY_ENTRY_NBYTES));
    if (load_u16(coff + COFF_NUMBER_OF_SECTIONS) > MOST_SECTIONS_SEEN)
        store_u16(coff + COFF_NUMBER_OF_SECTIONS, (uint16_t)(1 + mutate_pick(m, 16)));
    if (load_u32(opt + directories - 4) > DIR_COUNT)
        store_u32(opt + directories - 4, DIR_COUNT);
}

static void put_checksum_right(struct mutation *m, uint32_t checksum_foff)
{
    if (!range_fits(m->nbytes, checksum_foff, 4))
        return;
    store_u32(m->data + checksum_foff, 0);
    uint32_t sum = 0;
    for (size_t at = 0; at < m->nbytes; at += 2) {
        sum += m->data[at] | (at + 1 < m->nbytes ? (uint32_t)m->data[at + 1] << 8 : 0);
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    store_u32(m->data + checksum_foff, sum + (uint32_t)m->nbytes);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t nbytes, size_t most_nbytes, unsigned int seed)
{
    static struct shape shape;
    struct mutation m = {data, nbytes, most_nbytes, seed * UINT64_C(0x9E3779B97F4A7C15) + 1, &shape};
    shape_read((struct span){data, nbytes}, &shape);
    if (!shape.has_headers || mutate_pick(&m, 60) == 0)
        return LLVMFuzzerMutate(data, nbytes, most_nbytes);
    uint16_t magic = shape.is_64 ? OPT_MAGIC_64 : OPT_MAGIC_32;
    do {
        change_once(&m);
        if (m.nbytes != shape.file.nbytes || mutate_pick(&m, 4) == 0) {
            shape_read((struct span){data, m.nbytes}, &shape);
            if (!shape.has_headers)
                return m.nbytes;
        }
    } while (mutate_pick(&m, 5) < 3);
    if (mutate_pick(&m, 8) != 0)
        put_frame_right(&m, shape.coff_foff, magic);
    if (mutate_pick(&m, 2) == 0)
        put_checksum_right(&m, shape.opt_foff + OPT_CHECK_SUM);
    return m.nbytes;
}
