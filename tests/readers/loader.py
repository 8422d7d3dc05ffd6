"""A small loader of the tests' own: maps an image at a base that is not its own and applies its relocations.

Takes: the bytes of an image; pefile reads headers and tables.  Gives: memory as a program would see it, and what the
tables name.  Must not: share code, tables or results with tool/.
"""

import struct

import pefile

from reader import Headers

PAGE = 0x1000
WIDTHS = {3: 4, 10: 8}  # HIGHLOW, DIR64
DIRECTORIES = [pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_" + name] for name in
               ("EXPORT", "IMPORT", "RESOURCE", "EXCEPTION", "DEBUG", "DELAY_IMPORT")]


class Loaded:
    """One image in memory."""

    def __init__(self, data, base):
        self.pe = Headers(data=data, fast_load=True)
        self.base, self.own_base = base, self.pe.OPTIONAL_HEADER.ImageBase
        self.slide = base - self.own_base
        self.is_64 = self.pe.OPTIONAL_HEADER.Magic == 0x20B
        self.memory = bytearray(-(-self.pe.OPTIONAL_HEADER.SizeOfImage // PAGE) * PAGE)
        if self.pe.OPTIONAL_HEADER.SectionAlignment < PAGE:  # the file is mapped as one piece
            self.put(0, data[: len(self.memory)])
        else:
            self.put(0, data[: self.pe.OPTIONAL_HEADER.SizeOfHeaders])
            for section in self.pe.sections:
                room = -(-max(section.Misc_VirtualSize, 1) // PAGE) * PAGE
                raw = section.PointerToRawData & ~0x1FF
                self.put(section.VirtualAddress, data[raw : raw + min(section.SizeOfRawData, room)])
        self.relocations = dict(self.read_relocations())  # RVA -> bytes of the field
        for rva, width in self.relocations.items():
            self.slide_field(rva, width)

    def put(self, rva, data):
        data = data[: max(0, len(self.memory) - rva)]
        self.memory[rva : rva + len(data)] = data

    def number(self, rva, width=4):
        return int.from_bytes(self.memory[rva : rva + width], "little")

    def slide_field(self, rva, width):
        value = (self.number(rva, width) + self.slide) % (1 << 8 * width)
        self.memory[rva : rva + width] = value.to_bytes(width, "little")

    def read_relocations(self):
        directory = self.pe.OPTIONAL_HEADER.DATA_DIRECTORY[5]
        at, end = directory.VirtualAddress, directory.VirtualAddress + directory.Size
        while at + 8 <= end:
            page, nbytes = struct.unpack_from("<II", self.memory, at)
            if nbytes < 8 or at + nbytes > end:
                raise ValueError(f"a relocation block of {nbytes} bytes at {at:#x}")
            for entry in struct.unpack_from(f"<{(nbytes - 8) // 2}H", self.memory, at + 8):
                if entry >> 12 in WIDTHS:
                    yield page + (entry & 0xFFF), WIDTHS[entry >> 12]
                elif entry >> 12:
                    raise ValueError(f"relocation type {entry >> 12}")
            at += nbytes

    def section_at(self, rva):
        return next((s.Name.rstrip(b"\0").decode("latin-1") for s in self.pe.sections
                     if s.VirtualAddress <= rva < s.VirtualAddress + -(-max(s.Misc_VirtualSize, 1) // PAGE) * PAGE), "")

    def named(self):
        """{what: RVA}: everything that the tables name, by a key that does not depend on where it is."""
        found = {"entry point": self.pe.OPTIONAL_HEADER.AddressOfEntryPoint}
        self.pe.parse_data_directories(directories=DIRECTORIES)
        for symbol in getattr(getattr(self.pe, "DIRECTORY_ENTRY_EXPORT", None), "symbols", []):
            found[f"export {symbol.ordinal} {symbol.name} {symbol.forwarder}"] = None if symbol.forwarder else symbol.address
        for table in ("IMPORT", "DELAY_IMPORT"):
            for module in getattr(self.pe, f"DIRECTORY_ENTRY_{table}", []):
                for place, symbol in enumerate(module.imports):
                    found[f"{table} {module.dll} {place} {symbol.name} {symbol.ordinal}"] = symbol.address - self.own_base
        if self.is_64:
            directory = self.pe.OPTIONAL_HEADER.DATA_DIRECTORY[3]
            for place in range(directory.Size // 12):
                begin, end, info = struct.unpack_from("<III", self.memory, directory.VirtualAddress + 12 * place)
                found.update({f"function {place}": begin, f"function {place} end": end - 1, f"function {place} info": info})
        for path, leaf in self.resources(getattr(self.pe, "DIRECTORY_ENTRY_RESOURCE", None), ()):
            found[f"resource {path} {leaf.Size}"] = leaf.OffsetToData
        for place, entry in enumerate(getattr(self.pe, "DIRECTORY_ENTRY_DEBUG", [])):
            if entry.struct.AddressOfRawData:
                found[f"debug {place} {entry.struct.Type} {entry.struct.SizeOfData}"] = entry.struct.AddressOfRawData
        return found

    def resources(self, directory, path):
        for entry in directory.entries if directory else []:
            here = (*path, str(entry.name) if entry.name else entry.id)
            if hasattr(entry, "directory"):
                yield from self.resources(entry.directory, here)
            else:
                yield here, entry.data.struct
