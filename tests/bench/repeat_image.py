#!/usr/bin/python3
"""Writes an x64 image whose code is that of a real one, over and over, to see how reading code grows with its size.

    repeat_image.py HVCIFIX BASE MEBIBYTES OUT

.text, .pdata and .reloc of BASE and all its data sections (as one) are repeated until they fill so many MiB. Each copy
is consistent in itself: HVCIFIX lists the references of BASE, and what the distance between code and data changes in
is moved along. Wanted is a BASE without tables that are relative to the image base in its code, so one that gcc made.
"""

import array
import json
import struct
import subprocess
import sys

PAGE, FILE_ALIGN, PE_OFFSET = 0x1000, 0x200, 0x40
CODE, DATA, CONSTANT, DISCARDABLE = 0x60000020, 0xC0000040, 0x40000040, 0x42000040
EXCEPTION, BASERELOC = 3, 5
LEFT_OUT = (b".pdata", b".reloc", b".rsrc", b".edata")  # and what follows .reloc: debug information


def round_up(value, align):
    return (value + align - 1) // align * align


class Base:
    """The sections of the image to repeat."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        pe = struct.unpack_from("<I", self.data, 0x3C)[0]
        count, optional_nbytes = struct.unpack_from("<H12xH", self.data, pe + 6)
        self.image_base = struct.unpack_from("<Q", self.data, pe + 24 + 24)[0]
        self.sections = {}
        for i in range(count):
            name, memory_nbytes, rva, raw_nbytes, foff = struct.unpack_from(
                "<8sIIII", self.data, pe + 24 + optional_nbytes + 40 * i)
            self.sections[name.rstrip(b"\0")] = (rva, memory_nbytes, self.data[foff:foff + min(raw_nbytes, memory_nbytes)])
            if name.rstrip(b"\0") == b".reloc":
                break

    def bytes_of(self, name):
        return self.sections[name][2]


class Piece:
    """A part of the base that is repeated as a whole, each copy behind the one before."""

    def __init__(self, sections):
        self.begin = min(rva for rva, _, _ in sections)
        self.end = max(rva + nbytes for rva, nbytes, _ in sections)
        self.stride = round_up(self.end - self.begin, PAGE)
        self.bytes = bytearray(self.stride)
        for rva, _, data in sections:
            self.bytes[rva - self.begin:rva - self.begin + len(data)] = data
        self.rva = None  # of the first copy
        self.fields = []  # (offset, width, by how much the stored value changes in a copy)
        self.relocations = {}  # page: entries

    def holds(self, rva):
        return self.begin <= rva < self.end

    def shift(self, copy):
        return self.rva - self.begin + copy * self.stride

    def copy(self, number):
        data = bytearray(self.bytes)
        for offset, width, change in self.fields:
            value = int.from_bytes(data[offset:offset + width], "little") + change(number)
            data[offset:offset + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
        return data


def change_of(encoding, there, here):
    """What a reference from `here` to `there` has to change by in each copy; None when it stays as it is."""
    if encoding in ("PC-relative", "label difference", "offset"):
        return None if there is here else lambda copy: there.shift(copy) - here.shift(copy)
    if encoding in ("RVA", "RVA with flags", "VA", "image-base-relative"):
        return there.shift
    return None


def list_fields(tool, path, pieces):
    shown = subprocess.run([tool, "show", "--references", "--format", "json", path], capture_output=True, check=True)
    seen = set()
    for reference in json.loads(shown.stdout)["images"][0]["references"]:
        rva, target = reference["rva"], reference["target"]
        here = next((piece for piece in pieces if rva is not None and piece.holds(rva)), None)
        there = next((piece for piece in pieces if target is not None and piece.holds(target)), None)
        if here and reference["source"] == "relocated values":
            page = (rva - here.begin) // PAGE
            here.relocations.setdefault(page, []).append((10 if reference["width"] == 8 else 3) << 12 | rva % PAGE)
        if not here or not there or (rva, here) in seen or reference["state"] != "resolved":
            continue
        seen.add((rva, here))
        change = change_of(reference["encoding"], there, here)
        if change:
            here.fields.append((rva - here.begin, reference["width"], change))


def function_table(base, text, data, copies):
    entries = array.array("I", base.bytes_of(b".pdata"))
    while entries and entries[-3] == 0:
        del entries[-3:]
    table = bytearray()
    for copy in range(copies):
        moved = array.array("I", entries)
        for column, piece in enumerate((text, text, data)):
            moved[column::3] = array.array("I", (rva + piece.shift(copy) for rva in entries[column::3]))
        table += moved.tobytes()
    return bytes(table)


def relocation_table(pieces, copies):
    table = bytearray()
    for piece in pieces:
        for copy in range(copies):
            for page, entries in sorted(piece.relocations.items()):
                entries = sorted(entries) + [0] * (len(entries) % 2)
                table += struct.pack("<II", piece.begin + piece.shift(copy) + page * PAGE, 8 + 2 * len(entries))
                table += array.array("H", entries).tobytes()
    return bytes(table)


def write_image(path, image_base, sections, directories):
    table, foff, end_rva = b"", PAGE, PAGE
    for name, characteristics, rva, data in sections:
        raw_nbytes = round_up(len(data), FILE_ALIGN)
        table += struct.pack("<8sIIIIIIHHI", name, len(data), rva, raw_nbytes, foff, 0, 0, 0, 0, characteristics)
        foff, end_rva = foff + raw_nbytes, round_up(rva + len(data), PAGE)
    optional = struct.pack("<HBBIIIIIQIIHHHHHHIIIIHHQQQQII", 0x20B, 14, 0, 0, 0, 0, 0, PAGE, image_base, PAGE, FILE_ALIGN,
                           10, 0, 10, 0, 10, 0, 0, end_rva, PAGE, 0, 1, 0x160, 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
    for index in range(16):
        optional += struct.pack("<II", *directories.get(index, (0, 0)))
    with open(path, "wb") as file:
        file.write(b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", PE_OFFSET))
        file.write(b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, len(optional), 0x22))
        file.write(optional + table)
        file.write(bytes(PAGE - file.tell()))
        for _, _, _, data in sections:
            file.write(data)
            file.write(bytes(-len(data) % FILE_ALIGN))


def main():
    tool, base_path, mebibytes, out = sys.argv[1:]
    base = Base(base_path)
    text = Piece([base.sections[b".text"]])
    data = Piece([section for name, section in base.sections.items() if name not in LEFT_OUT + (b".text",)])
    one_nbytes = text.stride + data.stride + len(base.bytes_of(b".pdata")) + len(base.bytes_of(b".reloc"))
    copies = max(1, round(float(mebibytes) * 1024 * 1024 / one_nbytes))
    text.rva = PAGE
    data.rva = text.rva + copies * text.stride
    list_fields(tool, base_path, (text, data))
    sections = [(b".text", CODE, text.rva, b"".join(text.copy(i) for i in range(copies))),
                (b".data", DATA, data.rva, b"".join(data.copy(i) for i in range(copies)))]
    directories = {}
    for name, index, characteristics, content in (
            (b".pdata", EXCEPTION, CONSTANT, function_table(base, text, data, copies)),
            (b".reloc", BASERELOC, DISCARDABLE, relocation_table((text, data), copies))):
        rva = round_up(sections[-1][2] + len(sections[-1][3]), PAGE)
        sections.append((name, characteristics, rva, content))
        directories[index] = (rva, len(content))
    write_image(out, base.image_base, sections, directories)


if __name__ == "__main__":
    main()
