"""Images that make careless readers slow, deep or wrong: large, shared, cyclic, contradictory. For test_replay.py,
which counts the steps on them, and for tests/cli/test_hostile.py, which looks at exit codes.

Each is a few hundred kilobytes: a reader that goes over a shared table once for each record that names it takes
thousands of times as many steps as a reader that does not.
"""

import struct

import seed_tables as tables
from seed_image import (BASERELOC, CODE, DATA, DEBUG, DELAY_IMPORT, EXCEPTION, EXPORT, IAT, IMPORT, INIT, LOAD_CONFIG,
                        RDATA, RELOC, RESOURCE, TLS, Image, u32)

ROOM = 0x100000  # of each section
MOST = 0xFFFFFFFF


class Large(Image):
    """x64 unless said otherwise, with room: .text holds one function, .rdata is for the table under attack."""

    def __init__(self, machine="x64"):
        super().__init__(machine, alignment=ROOM, spacing=ROOM)
        self.text, self.rdata = self.section(".text", CODE), self.section(".rdata", RDATA)
        self.rdata.extra_nbytes = 16  # Windows refuses an empty section
        self.entry = self.text.put(b"\x33\xC0\xC3")

    def long_text(self, nbytes=60000):
        return self.rdata.put(b"a" * nbytes + b"\0", align=4)


def shared_names(count=12000):
    """Exports, forwarders, imports and delay imports whose names are all one long text."""
    image = Large()
    text = image.long_text()
    names, ordinals = image.rdata.put(u32(*[text] * count), align=4), image.rdata.put(bytes(2 * count))
    addresses = image.rdata.put(u32(*[text] * count), align=4)  # inside the directory: forwarders
    rva = image.rdata.put(u32(0, 0, 0, text, 1, count, count, addresses, names, ordinals), align=4)
    image.directory(EXPORT, image.rdata.rva, rva + 40 - image.rdata.rva)
    lookup = tables.thunks(image, image.rdata, [text - 2] * count)
    iat = tables.thunks(image, image.rdata, [text - 2] * count)
    image.directory(IMPORT, image.rdata.put(u32(lookup, 0, 0, text, iat) + bytes(20), align=4), 40)
    delayed = tables.thunks(image, image.rdata, [text - 2] * count)
    image.directory(DELAY_IMPORT, image.rdata.put(u32(1, text, text, iat, delayed, 0, 0, 0) + bytes(32), align=4), 64)
    return image.file()


def shared_thunks(count=6000):
    """As many import descriptors as slots, all with the same lookup table and IAT."""
    image = Large()
    name = image.rdata.text("x.dll")
    hint = image.rdata.put(b"\0\0f\0", align=2)
    lookup = tables.thunks(image, image.rdata, [hint] * count)
    iat = tables.thunks(image, image.rdata, [hint] * count)
    image.directory(IMPORT, image.rdata.put(u32(lookup, 0, 0, name, iat) * count + bytes(20), align=4), 20 * count)
    delayed = u32(1, name, iat, iat, lookup, lookup, iat, 0) * count + bytes(32)
    image.directory(DELAY_IMPORT, image.rdata.put(delayed), len(delayed))
    image.directory(IAT, iat, 8 * count)
    return image.file()


def shared_unwind(count=8000):
    """All functions share unwind info whose handler has a scope table as long as there are functions."""
    image = Large()
    code = image.text.rva
    scope = u32(count) + u32(code, code + 1, 1, code) * count
    info = tables.unwind_info(image.rdata, 3, u32(code) + scope)
    rva = image.rdata.put(b"".join(u32(code + i, code + i + 1, info) for i in range(count)), align=4)
    image.directory(EXCEPTION, rva, 12 * count)
    image.text.put(b"\x90" * count)
    return image.file()


def shared_catches(count=4000):
    """C++ data: every function has its own FuncInfo, all with the same tries, each try with all catches."""
    image = Large()
    code, handler = image.text.rva, image.text.put(b"\xCC" * 16 + b"\xC3")
    catches = image.rdata.put(u32(0, 0, 0, code, 0) * count, align=4)
    tries = image.rdata.put(u32(0, 0, 1, count, catches) * count)
    info = image.rdata.put(u32(0x19930522, 0, 0, count, tries, 0, 0, 0, 0, 1) * count)
    unwinds = [tables.unwind_info(image.rdata, 3, u32(handler, info + 40 * i)) for i in range(count)]
    rva = image.rdata.put(b"".join(u32(code + i, code + i + 1, unwind) for i, unwind in enumerate(unwinds)))
    image.directory(EXCEPTION, rva, 12 * count)
    image.text.put(b"\x90" * count)
    return image.file()


def chained_unwind(count=20000):
    """Unwind info chained in one long line that ends in a circle; and function records that name each other."""
    image = Large()
    first = image.rdata.put(b"", align=4)
    for i in range(count):
        following = first + 16 * ((i + 1) % count)
        image.rdata.put(bytes([0x21, 0, 0, 0]) + u32(image.text.rva, image.text.rva + 1, following))
    rva = image.rdata.put(b"", align=4)
    records = [(image.text.rva, image.text.rva + 1, first + 16 * (i % count)) for i in range(count)]
    records += [(image.text.rva, image.text.rva + 1, rva + 12 * ((i + 7) % count) | 1) for i in range(count)]
    image.rdata.put(b"".join(u32(*record) for record in records))
    image.directory(EXCEPTION, rva, 24 * count)
    return image.file()


def resource_directory(entries):
    return bytes(12) + struct.pack("<HH", 0, len(entries)) + b"".join(u32(i, entry) for i, entry in enumerate(entries))


def resources(kind, count=20000):
    """deep: each folder in the one before. cyclic: every folder holds all of them. wide: counts beyond the file."""
    image = Large()
    rva, high = image.rdata.put(b""), 0x80000000
    if kind == "deep":
        image.rdata.put(b"".join(resource_directory([high | 24 * (i + 1)]) for i in range(count)))
        image.rdata.put(resource_directory([high | 24 * count]))
    elif kind == "cyclic":
        folder = resource_directory([high | (i % 200) * (16 + 8 * 200) for i in range(200)])
        image.rdata.put(folder * 200)
    else:
        image.rdata.put(bytes(12) + b"\xFF\xFF\xFF\xFF" + u32(high | 8, high) * count)
    image.directory(RESOURCE, rva, image.rdata.end_rva - rva)
    return image.file()


def shared_debug(count=4000):
    """Debug entries of all kinds that share their payload."""
    image = Large()
    payload = image.rdata.put(b"LTCG" + u32(0x1000, 8) + b".text$mn\0\0\0\0" * 9000, align=4)
    entries = b"".join(u32(0, 0, 0, kind % 21, 100000, payload if i % 3 else 0, 0x600)
                       for i, kind in enumerate(range(count)))
    image.directory(DEBUG, image.rdata.put(entries, align=4), len(entries))
    return image.file()


def relocations(kind, count=100000):
    """same: all change one place. empty: only blocks. far: pages outside the image."""
    image = Large()
    reloc = image.section(".reloc", RELOC)
    image.rdata.put(bytes(0x1000))
    if kind == "same":
        data = u32(image.rdata.rva, 8 + 2 * count) + struct.pack("<H", 0xA010) * count
    elif kind == "empty":
        data = u32(image.rdata.rva, 8) * count
    else:
        data = b"".join(u32(0xFFFFF000 - 0x1000 * (i % 4000), 12) + b"\xFF\xAF\xFE\xAF" for i in range(count // 2))
    image.directory(BASERELOC, reloc.put(data), len(data))
    return image.file()


def counts_of_most():
    """Every count and size that a table has, at 2^32-1 (or 2^16-1, or 2^64-1)."""
    image = Large()
    rva = image.rdata.put(u32(0, 0, 0, image.rdata.rva, 1, MOST, MOST, *[image.rdata.rva] * 3), align=4)
    image.directory(EXPORT, rva, MOST)
    functions = image.rdata.put(u32(*[image.text.rva] * 16), align=4)
    config = image.rdata.put(u32(0x148) + bytes(0x144), align=8)
    for name in ("functions", "iat", "longjmp", "ehcont", "seh"):
        image.rdata.set(config + tables.LC[name][1], image.va(functions) + b"\xFF" * 8)
    for name in ("dvrt", "volatile"):
        image.rdata.set(config + tables.LC[name][1], image.va(image.rdata.put(u32(1, MOST) + u32(MOST) * 8, align=4)))
    image.rdata.set(config + tables.GUARD_FLAGS[1], u32(0xF0017500))
    for number in (IMPORT, RESOURCE, EXCEPTION, BASERELOC, DEBUG, TLS, DELAY_IMPORT, IAT):
        image.directory(number, image.rdata.put(u32(MOST) * 16 + u32(image.rdata.rva) * 16, align=4), MOST)
    image.directory(LOAD_CONFIG, config, MOST)
    return image.file()


def sections(kind, count=65535):
    """65,535 section headers: empty, in a row of pages, or all with the same bytes of the file."""
    headers_nbytes = 0x400 + 40 * count & ~0x1FF
    image = Image("x64")
    image.section(".text", CODE).put(b"\xC3" * 16)
    data = bytearray(image.file()[:0x148])
    rows = []
    for i in range(count):
        size, rva, raw, foff = {"empty": (0, 0, 0, 0), "row": (16, 0x400000 + 0x1000 * i, 0, 0),
                                "same": (16, 0x400000 + 0x1000 * i, 0x200, 0x200)}[kind]
        rows.append(b"s%07x" % i + u32(size, rva, raw, foff, 0, 0, 0, RDATA))
    data += b"".join(rows)
    data[0x46:0x48] = struct.pack("<H", count)
    data[0x90:0x98] = u32(0x400000 + 0x1000 * count if kind != "empty" else 0x400000, headers_nbytes)
    return bytes(data.ljust(headers_nbytes + 0x400, b"\0"))


def pointers_into_sled(count=40000):
    """A pointer to every byte of a long run that decodes until an invalid opcode at its end."""
    image = Large()
    data, reloc = image.section(".data", DATA), image.section(".reloc", RELOC)
    sled = image.text.put(b"\x90" * count + b"\x06" * 16)
    image.pointer(data, *range(sled, sled + count))
    image.put_relocations(reloc)
    return image.file()


def overlapping_jumps(count=60000):
    """jne by an odd distance, at every byte: all of them can be reached, and each lies in another."""
    image = Large()
    image.entry = image.text.put(b"\x75" * count + b"\xC3" * 256)
    return image.file()


def shared_jump_tables(count=3000):
    """Functions that all switch over the same long table."""
    image = Large()
    table = image.rdata.put(b"", align=4)
    image.rdata.put(u32(*[image.text.rva - table] * 50000))
    for _ in range(count):
        begin = tables.rip(image.text, b"\x48\x8D\x15", table)
        image.text.put(b"\x48\x63\x04\x8A\x48\x01\xD0\xFF\xE0" + b"\xCC" * 7)
        image.relocations.append(begin)
    pointers = image.section(".data", DATA)
    image.pointer(pointers, *image.relocations)
    image.relocations = image.relocations[count:]
    image.put_relocations(image.section(".reloc", RELOC))
    return image.file()


def stores_near_init(count=20000):
    """INIT is writable; the code holds as many displacements that lead into it as fit."""
    image = Large()
    init = image.section("INIT", INIT)
    init.put(b"\xC3" * 16)
    for _ in range(count):
        tables.rip(image.text, b"\x48\x8B\x05", init.rva + 4)
    image.text.put(b"\xC3")
    image.put_relocations(image.section(".reloc", RELOC))
    return image.file()


def made():
    """{name: bytes}"""
    images = {f.__name__: f() for f in (shared_names, shared_thunks, shared_unwind, shared_catches, chained_unwind,
                                      shared_debug, counts_of_most, pointers_into_sled, overlapping_jumps,
                                      shared_jump_tables, stores_near_init)}
    images |= {f"resources_{kind}": resources(kind) for kind in ("deep", "cyclic", "wide")}
    images |= {f"relocations_{kind}": relocations(kind) for kind in ("same", "empty", "far")}
    images |= {f"sections_{kind}": sections(kind) for kind in ("empty", "row", "same")}
    return images
