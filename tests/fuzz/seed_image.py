"""Builds small PE images, byte by byte, from sections that are filled piece by piece.

    image = Image("x64", alignment=0x1000)
    text = image.section(".text", CODE)
    rva = text.put(b"\\xC3", align=16)        # appended bytes, and the RVA they got
    image.directory(EXPORT, rva, 40)
    data = image.file()

Sections get their RVAs when they are made, one every `spacing` bytes, so that a piece can point at any section and at
every piece that was put before it; a field that points forward is filled in later with set(). Nothing of tool/ is used.
"""

import struct

MACHINES = {"x64": 0x8664, "x86": 0x14C, "arm64": 0xAA64, "ia64": 0x200, "arm": 0x1C4}
EXPORT, IMPORT, RESOURCE, EXCEPTION, SECURITY, BASERELOC, DEBUG = range(7)
TLS, LOAD_CONFIG, BOUND_IMPORT, IAT, DELAY_IMPORT, CLR = range(9, 15)
CODE, RDATA, DATA, INIT, RELOC = 0x60000020, 0x40000040, 0xC0000040, 0xE2000020, 0x42000040
DOS_STUB = b"MZ" + bytes(58) + struct.pack("<I", 0x40)


def u32(*values):
    return struct.pack(f"<{len(values)}I", *(value & 0xFFFFFFFF for value in values))


def round_up(value, align):
    return (value + align - 1) // align * align


class Section:
    def __init__(self, image, name, rva, characteristics):
        self.image, self.name, self.rva, self.characteristics = image, name, rva, characteristics
        self.bytes = bytearray()
        self.extra_nbytes = 0  # zero-filled memory behind the bytes

    def put(self, data, align=1):
        """Appends data; returns the RVA that it got."""
        self.bytes += bytes(-len(self.bytes) % align)
        rva = self.rva + len(self.bytes)
        self.bytes += data
        assert len(self.bytes) <= self.image.spacing, self.name
        return rva

    def text(self, words):
        return self.put(words.encode() + b"\0")

    def set(self, rva, data):
        """Fills in what was put before."""
        at = rva - self.rva
        assert 0 <= at and at + len(data) <= len(self.bytes)
        self.bytes[at : at + len(data)] = data

    @property
    def end_rva(self):
        return self.rva + len(self.bytes)


class Image:
    def __init__(self, machine, alignment=0x1000, file_alignment=0x200, spacing=0x1000):
        self.machine = MACHINES[machine]
        self.is_64 = machine not in ("x86", "arm")
        self.pointer_nbytes = 8 if self.is_64 else 4
        self.base = 0x140000000 if self.is_64 else 0x10000
        self.alignment, self.file_alignment, self.spacing = alignment, file_alignment, spacing
        self.sections, self.directories, self.relocations = [], {}, []
        self.entry = 0
        self.characteristics = 0x22 if self.is_64 else 0x102
        self.dll_characteristics, self.subsystem = 0x140, 1
        self.symbols, self.strings = b"", b""

    def section(self, name, characteristics):
        rva = self.sections[-1].rva + self.spacing if self.sections else max(self.spacing, 0x400)
        self.sections.append(Section(self, name, rva, characteristics))
        return self.sections[-1]

    def directory(self, number, rva, nbytes):
        self.directories[number] = (rva, nbytes)

    def pointer(self, section, *rvas):
        """Appends addresses with base relocations; returns the RVA of the first."""
        first = section.put(b"", align=self.pointer_nbytes)
        for rva in rvas:
            place = section.put(self.va(rva))
            if rva:
                self.relocations.append(place)
        return first

    def va(self, rva):
        return (self.base + rva if rva else 0).to_bytes(self.pointer_nbytes, "little")

    def word(self, value):
        return value.to_bytes(self.pointer_nbytes, "little")

    def put_relocations(self, section):
        """One block a page; the table is filled up to whole words."""
        begin = section.put(b"", align=4)
        kind = 10 if self.is_64 else 3
        for page in sorted({rva & ~0xFFF for rva in self.relocations}):
            entries = [kind << 12 | rva & 0xFFF for rva in sorted(self.relocations) if rva & ~0xFFF == page]
            entries += [0] * (len(entries) % 2)
            section.put(u32(page, 8 + 2 * len(entries)) + struct.pack(f"<{len(entries)}H", *entries))
        self.directory(BASERELOC, begin, section.end_rva - begin)

    def optional_header(self, headers_nbytes, image_nbytes):
        code_rva = self.sections[0].rva
        header = struct.pack("<HBB5I", 0x20B if self.is_64 else 0x10B, 14, 0, 0x200, 0x200, 0, self.entry, code_rva)
        header += struct.pack("<Q", self.base) if self.is_64 else u32(code_rva, self.base)
        header += u32(self.alignment, self.file_alignment) + struct.pack("<6H", 10, 0, 1, 0, 10, 0)
        header += u32(0, image_nbytes, headers_nbytes, 0) + struct.pack("<HH", self.subsystem, self.dll_characteristics)
        header += b"".join(self.word(n) for n in (0x40000, 0x1000, 0x100000, 0x1000)) + u32(0, 16)
        return header + b"".join(u32(*self.directories.get(number, (0, 0))) for number in range(16))

    def file(self, tail=b"", certificate=b""):
        """The bytes: headers, sections, symbols, tail, certificate; the checksum is right."""
        table_foff = 0x40 + 24 + (240 if self.is_64 else 224)
        headers_nbytes = round_up(table_foff + 40 * len(self.sections), self.file_alignment)
        is_flat = self.alignment < 0x1000
        assert not is_flat or headers_nbytes <= self.sections[0].rva
        headers, body, foff = b"", bytearray(), headers_nbytes
        for section in self.sections:
            raw_nbytes = round_up(len(section.bytes), self.file_alignment)
            memory_nbytes = len(section.bytes) + section.extra_nbytes
            if is_flat:  # what Windows loads: everything is in the file, and nothing lies between
                foff = section.rva
                raw_nbytes = memory_nbytes = raw_nbytes if section is self.sections[-1] else self.spacing
            raw = bytes(section.bytes).ljust(raw_nbytes, b"\0")
            body += bytes(foff - headers_nbytes - len(body)) + raw
            headers += section.name.encode()[:8].ljust(8, b"\0")
            headers += u32(memory_nbytes, section.rva, len(raw), foff if raw else 0)
            headers += u32(0, 0, 0, section.characteristics)
            foff += len(raw)
        last = self.sections[-1]
        image_nbytes = round_up(last.end_rva + last.extra_nbytes, self.alignment)
        symbols_foff = headers_nbytes + len(body) if self.symbols else 0
        body += self.symbols + (u32(4 + len(self.strings)) + self.strings if self.symbols else b"") + tail
        body += bytes(-(headers_nbytes + len(body)) % 8) if certificate else b""
        if certificate:
            self.directory(SECURITY, headers_nbytes + len(body), len(certificate))
        coff = struct.pack("<HHIIIHH", self.machine, len(self.sections), 0x5F000000, symbols_foff,
                           len(self.symbols) // 18, table_foff - 0x40 - 24, self.characteristics)
        named_nbytes = self.sections[0].rva if is_flat else headers_nbytes
        data = bytearray(DOS_STUB + b"PE\0\0" + coff + self.optional_header(named_nbytes, image_nbytes) + headers)
        data += bytes(headers_nbytes - len(data)) + body + certificate
        data[0x98:0x9C] = u32(checksum(data))
        return bytes(data)


def checksum(data):
    """Of a file whose CheckSum field is still zero."""
    data = bytes(data)
    padded = data + bytes(len(data) % 2)
    total = sum(struct.unpack(f"<{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total + len(data)
