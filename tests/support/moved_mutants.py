"""Wrong rewrites, made from right ones: each mutation breaks one thing in a repaired image.

The places come from pefile and from comparing the two files, not from what hvcifix says about them.
"""

import array
import random
import struct

import pefile

PAGE = 0x1000
FILL = 0xCC
EXECUTE, WRITE, DISCARDABLE, READ = 0x20000000, 0x80000000, 0x02000000, 0x40000000


def with_checksum(data):
    """The image with the checksum that belongs to it."""
    data = bytearray(data)
    at = struct.unpack_from("<I", data, 0x3C)[0] + 24 + 64
    struct.pack_into("<I", data, at, 0)
    words = array.array("H", bytes(data) + b"\0" * (len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("<I", data, at, (total + len(data)) & 0xFFFFFFFF)
    return bytes(data)


class Pair:
    """OLD and NEW, and the ways to make NEW wrong. Each method gives (kind, file offset, bytes)."""

    def __init__(self, old, new, seed):
        self.old_data, self.data = old, new
        self.old, self.new = pefile.PE(data=old), pefile.PE(data=new)
        self.chooser = random.Random(seed)
        self.nbytes = 8 if self.new.PE_TYPE == pefile.OPTIONAL_HEADER_MAGIC_PE_PLUS else 4
        self.base = self.new.OPTIONAL_HEADER.ImageBase

    def some(self, things, count):
        things = list(things)
        return self.chooser.sample(things, min(count, len(things)))

    def foff(self, rva):
        """File offset of an RVA that has raw data, else None."""
        for section in self.new.sections:
            at = rva - section.VirtualAddress
            if 0 <= at < section.SizeOfRawData:
                return section.PointerToRawData + at
        return None

    def with_bytes(self, kind, foff, replacement):
        if foff is None or self.data[foff : foff + len(replacement)] == replacement:
            return
        data = bytearray(self.data)
        data[foff : foff + len(replacement)] = replacement
        yield kind, foff, bytes(data)

    def added(self, kind, foff, nbytes, amount):
        """The little-endian field, with an amount added."""
        if foff is None or foff + nbytes > len(self.data):
            return
        value = int.from_bytes(self.data[foff : foff + nbytes], "little") + amount
        yield from self.with_bytes(kind, foff, (value % (1 << 8 * nbytes)).to_bytes(nbytes, "little"))

    def sections(self, flag):
        return [section for section in self.new.sections if section.Characteristics & flag]

    # What references hold.

    def sites(self):
        """(RVA, type) of each base relocation of NEW."""
        blocks = getattr(self.new, "DIRECTORY_ENTRY_BASERELOC", [])
        return [(entry.rva, entry.type) for block in blocks for entry in block.entries if entry.type]

    def relocated_values(self):
        for rva, _ in self.some(self.sites(), 6):
            for amount in (PAGE, -PAGE, 4, -8):
                yield from self.added("relocated value", self.foff(rva), self.nbytes, amount)

    def code_operands(self):
        """Four-byte fields of code that changed by whole pages, found by comparing the files at each distance."""
        fields = []
        for section in self.sections(EXECUTE):
            for distance in (0, PAGE):
                fields += self.changed_fields(section, distance)
        for foff, old_value, value in self.some(fields, 8):
            yield from self.with_bytes("operand unpatched", foff, struct.pack("<I", old_value))
            yield from self.with_bytes("operand patched twice", foff,
                                       struct.pack("<I", (2 * value - old_value) & 0xFFFFFFFF))
            for amount in (self.nbytes, -self.nbytes):
                yield from self.added("operand to the neighbour", foff, 4, amount)

    def changed_fields(self, section, distance):
        old = self.old.get_memory_mapped_image()
        start = section.VirtualAddress - distance
        fields, at = [], 1
        end = min(section.SizeOfRawData, len(old) - start) - 4
        while at < end:
            foff = section.PointerToRawData + at
            if start + at > 0 and old[start + at] != self.data[foff]:
                value = struct.unpack_from("<I", self.data, foff - 1)[0]
                old_value = struct.unpack_from("<I", old, start + at - 1)[0]
                if (value - old_value) % PAGE == 0 and old[start + at - 1] == self.data[foff - 1] \
                        and value != 0xCCCCCCCC and FILL not in self.data[foff : foff + 2]:
                    fields.append((foff - 1, old_value, value))
                at += 4
            else:
                at += 1
        return fields if len(fields) < section.SizeOfRawData // 12 else []

    # Tables.

    def iat(self):
        directory = self.new.OPTIONAL_HEADER.DATA_DIRECTORY[12]
        foff = self.foff(directory.VirtualAddress)
        if foff is None or directory.Size < 2 * self.nbytes:
            return
        first, second = (self.data[foff + i * self.nbytes : foff + (i + 1) * self.nbytes] for i in (0, 1))
        yield from self.with_bytes("IAT slots swapped", foff, second + first)
        yield from self.with_bytes("IAT slot doubled", foff, second)

    def tables(self):
        pe = self.new
        if hasattr(pe, "DIRECTORY_ENTRY_EXPORT"):
            foff = self.foff(pe.DIRECTORY_ENTRY_EXPORT.struct.AddressOfFunctions)
            for amount in (0x10, -PAGE):
                yield from self.added("export", foff, 4, amount)
            yield from self.added("export name", self.foff(pe.DIRECTORY_ENTRY_EXPORT.struct.AddressOfNames), 4, 1)
        if self.nbytes == 8:
            directory = pe.OPTIONAL_HEADER.DATA_DIRECTORY[3]
            for i in self.some(range(directory.Size // 12), 4):
                foff = self.foff(directory.VirtualAddress + 12 * i)
                for k in range(3):
                    yield from self.added("unwind entry", foff + 4 * k, 4, 12)
        config = getattr(pe, "DIRECTORY_ENTRY_LOAD_CONFIG", None)
        table = getattr(config.struct, "GuardCFFunctionTable", 0) if config else 0
        if table:
            stride = 4 + (config.struct.GuardFlags >> 28)
            for i in self.some(range(config.struct.GuardCFFunctionCount), 3):
                yield from self.added("guard entry", self.foff(table - self.base + stride * i), 4, 0x10)
        for entry in getattr(pe, "DIRECTORY_ENTRY_DEBUG", []):
            yield from self.added("debug place", entry.struct.get_file_offset() + 20, 4, 4)
            yield from self.added("debug file offset", entry.struct.get_file_offset() + 24, 4, 4)
        for kind in getattr(getattr(pe, "DIRECTORY_ENTRY_RESOURCE", None), "entries", []):
            for name in kind.directory.entries:
                for language in name.directory.entries:
                    yield from self.added("resource data", language.data.struct.get_file_offset(), 4, 0x10)
        for descriptor in getattr(pe, "DIRECTORY_ENTRY_IMPORT", []):
            for at in (0, 12, 16):
                yield from self.added("import descriptor", descriptor.struct.get_file_offset() + at, 4, self.nbytes)

    def relocations(self):
        blocks = getattr(self.new, "DIRECTORY_ENTRY_BASERELOC", [])
        places = [block.struct.get_file_offset() + 8 + 2 * i for block in blocks
                  for i, entry in enumerate(block.entries) if entry.type]
        for foff in self.some(places, 5):
            yield from self.with_bytes("relocation dropped", foff, b"\0\0")
            yield from self.added("relocation moved", foff, 2, 2)
            yield from self.added("relocation of another type", foff, 2, PAGE)
            yield from self.with_bytes("relocation doubled", foff, self.data[foff - 2 : foff] if foff - 2 in places
                                       else self.data[foff + 2 : foff + 4])

    # Layout.

    def rights(self):
        for section in self.new.sections:
            if not section.SizeOfRawData:  # a hole: nothing lies there
                continue
            foff = section.get_field_absolute_offset("Characteristics")
            for flag in (EXECUTE, WRITE, DISCARDABLE, READ, 0x10000000):
                flags = section.Characteristics ^ flag
                yield from self.with_bytes(f"right {flag:#x} turned", foff, struct.pack("<I", flags))
            yield from self.with_bytes("section paged by name", section.get_file_offset(), b"PAGE1\0\0\0")

    def free_bytes(self):
        """Offsets in section headers whose value means nothing, or may be another: names and kinds of content of new
        sections, the size inside the last page, the place of no raw data."""
        free = set()
        for section in self.new.sections:
            start = section.get_file_offset()
            free |= {*range(start, start + 10), start + 36, start + 39}
            if not section.SizeOfRawData:
                free |= set(range(start + 20, start + 24))
        return free

    def headers(self):
        start = self.new.OPTIONAL_HEADER.get_file_offset()
        checksum = self.new.OPTIONAL_HEADER.get_field_absolute_offset("CheckSum")
        end = self.new.sections[-1].get_file_offset() + 40
        free = self.free_bytes() | set(range(checksum, checksum + 4))
        for foff in self.some([at for at in range(start, end) if at not in free], 40):
            yield from self.with_bytes("header byte", foff, bytes([self.data[foff] ^ 1 << self.chooser.randrange(8)]))
        size = self.new.OPTIONAL_HEADER.DATA_DIRECTORY[12].get_file_offset() + 4
        for amount in (self.nbytes, -self.nbytes):
            yield from self.added("directory 12", size, 4, amount)

    def filling(self):
        for section in self.sections(EXECUTE):
            start, end = section.PointerToRawData, section.PointerToRawData + section.SizeOfRawData
            runs = [at for at in range(start, end - 8) if self.data[at : at + 8] == bytes([FILL]) * 8]
            for foff in self.some(runs, 4):
                yield from self.with_bytes("filling", foff + 3, b"\x90")

    def any_byte(self):
        checksum = self.new.OPTIONAL_HEADER.get_field_absolute_offset("CheckSum")
        free = self.free_bytes() | set(range(checksum, checksum + 4))
        places = [at for at in range(len(self.data)) if at not in free]
        for foff in self.some(places, 40):
            yield from self.with_bytes("any byte", foff, bytes([self.data[foff] ^ 1 << self.chooser.randrange(8)]))

    def mutants(self):
        for family in (self.relocated_values, self.code_operands, self.iat, self.tables, self.relocations, self.rights,
                       self.headers, self.filling, self.any_byte):
            for kind, foff, data in family():
                yield kind, foff, with_checksum(data)
        checksum = self.new.OPTIONAL_HEADER.get_field_absolute_offset("CheckSum")
        yield from self.added("checksum", checksum, 4, 1)
