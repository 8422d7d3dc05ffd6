#!/usr/bin/python3
"""Writes a well-formed x64 driver of about a given size, to see how time and memory grow with it.

    big_image.py KIND MEBIBYTES OUT

KIND says what most of it is made of: "data" (bytes that nobody refers to), "relocations" (pointers, each with a base
relocation), "imports" (modules of 1,000 functions each), "code" (small functions with unwind data that call each other),
"iat_in_text" (small functions that call the kernel through an import address table beside them, in executable memory),
"init_rwx" (the same as "code", and an INIT section that is writable and executable), "pool_calls" (small functions that
each ask for pool).
The same arguments give the same bytes. Nothing of tool/ is used.
"""

import array
import struct
import sys

PAGE, FILE_ALIGN, BASE = 0x1000, 0x200, 0x140000000
CODE, RDATA, DATA, DISCARDABLE_DATA, INIT = 0x68000020, 0x48000040, 0xC8000040, 0x42000040, 0xE2000020
EXCEPTION, BASERELOC, IMPORT, IAT = 3, 5, 1, 12
POINTERS_PER_PAGE = PAGE // 8
FUNCTIONS_PER_MODULE = 1000


def u32s(values):
    return array.array("I", values).tobytes()


def round_up(value, align):
    return (value + align - 1) // align * align


class Image:
    """Sections one after the other; each gets its RVA when it is added."""

    def __init__(self):
        self.sections, self.directories, self.next_rva = [], {}, PAGE
        self.entry_rva = PAGE

    def add(self, name, characteristics, data):
        rva = self.next_rva
        self.sections.append((name, characteristics, rva, data))
        self.next_rva = round_up(rva + len(data), PAGE)
        return rva

    def write(self, path):
        headers_nbytes = PAGE
        optional = struct.pack("<HBBIIIIIQIIHHHHHHIIIIHHQQQQII", 0x20B, 14, 0, 0, 0, 0, self.entry_rva,
                               self.sections[0][2], BASE, PAGE, FILE_ALIGN, 10, 0, 10, 0, 10, 0, 0, self.next_rva,
                               headers_nbytes, 0, 1, 0x160, 0x100000, 0x1000, 0x100000, 0x1000, 0, 16)
        for index in range(16):
            optional += struct.pack("<II", *self.directories.get(index, (0, 0)))
        table, foff = b"", headers_nbytes
        for name, characteristics, rva, data in self.sections:
            raw_nbytes = round_up(len(data), FILE_ALIGN)
            table += struct.pack("<8sIIIIIIHHI", name, len(data), rva, raw_nbytes, foff, 0, 0, 0, 0, characteristics)
            foff += raw_nbytes
        with open(path, "wb") as file:
            file.write(b"MZ" + bytes(58) + struct.pack("<I", 0x40))
            file.write(b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(self.sections), 0, 0, 0, len(optional), 0x22))
            file.write(optional + table)
            file.write(bytes(headers_nbytes - file.tell()))
            for _, _, _, data in self.sections:
                file.write(data)
                file.write(bytes(-len(data) % FILE_ALIGN))


def add_return(image):
    """A section of code that holds the entry point."""
    image.add(b".text", CODE, b"\x31\xC0\xC3")


def make_data(image, nbytes):
    add_return(image)
    image.add(b".data", DATA, bytes(range(256)) * (nbytes // 256))


def make_relocations(image, nbytes):
    add_return(image)
    pages = max(1, nbytes * 4 // 5 // PAGE)  # a page of pointers needs a quarter of a page of relocations
    rva = image.next_rva
    pointers = array.array("Q", (BASE + rva + 8 * (i * 7 % POINTERS_PER_PAGE) for i in range(POINTERS_PER_PAGE)))
    image.add(b".data", DATA, pointers.tobytes() * pages)
    entries = array.array("H", (0xA000 | 8 * i for i in range(POINTERS_PER_PAGE))).tobytes()
    block_nbytes = 8 + len(entries)
    table = b"".join(struct.pack("<II", rva + PAGE * page, block_nbytes) + entries for page in range(pages))
    image.directories[BASERELOC] = (image.add(b".reloc", DISCARDABLE_DATA, table), len(table))


def make_imports(image, nbytes):
    add_return(image)
    name = b"\0\0FunctionNumber%05d\0"
    one_nbytes = len(name % 0) + 16  # the name, a slot of the lookup table, one of the IAT
    modules = max(1, nbytes // (one_nbytes * FUNCTIONS_PER_MODULE))
    slots_nbytes = 8 * (FUNCTIONS_PER_MODULE + 1)
    names = b"".join(name % i for i in range(FUNCTIONS_PER_MODULE))
    first_name_rva = image.next_rva
    module_nbytes = len(names) + 16
    names_rva = image.add(b".rdata", RDATA, b"".join(names + b"module%05d.sys\0\0" % i for i in range(modules)))
    assert names_rva == first_name_rva
    slots = bytearray()
    for module in range(modules):
        first = names_rva + module * module_nbytes
        slots += array.array("Q", range(first, first + len(names), len(name % 0))).tobytes() + bytes(8)
    lookup_rva = image.add(b".idata", RDATA, bytes(slots))
    iat_rva = image.add(b".iat", RDATA, bytes(slots))
    descriptors = b"".join(
        u32s((lookup_rva + i * slots_nbytes, 0, 0, names_rva + i * module_nbytes + len(names), iat_rva + i * slots_nbytes))
        for i in range(modules)) + bytes(20)
    image.directories[IMPORT] = (image.add(b".idesc", RDATA, descriptors), len(descriptors))
    image.directories[IAT] = (iat_rva, len(slots))


def make_code(image, nbytes):
    # sub rsp, 28h; call the function after the next; lea rcx, [here]; mov rax, [rcx]; add rsp, 28h; ret; padding
    body = (b"\x48\x83\xEC\x28\xE8" + struct.pack("<i", 64 - 9) + b"\x48\x8D\x0D\xF9\xFF\xFF\xFF\x48\x8B\x01"
            b"\x48\x83\xC4\x28\xC3")
    used_nbytes = len(body)
    body += b"\xCC" * (32 - used_nbytes)
    last = b"\x31\xC0\xC3".ljust(32, b"\xCC")
    count = nbytes // (32 + 12)
    text_rva = image.add(b".text", CODE, body * count + last * 2)
    unwind_rva = image.add(b".xdata", RDATA, bytes((1, 4, 1, 0, 4, 0x42, 0, 0)))
    table = array.array("I", bytes(12 * count))
    table[0::3] = array.array("I", range(text_rva, text_rva + 32 * count, 32))
    table[1::3] = array.array("I", range(text_rva + used_nbytes, text_rva + used_nbytes + 32 * count, 32))
    table[2::3] = array.array("I", [unwind_rva]) * count
    image.directories[EXCEPTION] = (image.add(b".pdata", RDATA, table.tobytes()), 12 * count)


def make_init_rwx(image, nbytes):
    make_code(image, nbytes)
    image.add(b"INIT", INIT, b"\x31\xC0\xC3")


def make_iat_in_text(image, nbytes):
    slot_count, slots_nbytes, function_nbytes = 16, 256, 32
    count = nbytes // (function_nbytes + 12)
    text_rva = image.next_rva
    image.entry_rva = text_rva + slots_nbytes
    unwind_rva = round_up(text_rva + slots_nbytes + count * function_nbytes, PAGE)
    names_rva = unwind_rva + 8
    names = [names_rva + 24 * i for i in range(slot_count)]
    lookup_rva = names_rva + 24 * slot_count
    slots = array.array("Q", names).tobytes() + bytes(8)
    # sub rsp, 28h; call [slot]; add rsp, 28h; ret; padding
    functions = bytearray((b"\x48\x83\xEC\x28\xFF\x15\0\0\0\0\x48\x83\xC4\x28\xC3").ljust(function_nbytes, b"\xCC") * count)
    for i in range(count):
        at = function_nbytes * i + 6
        struct.pack_into("<i", functions, at, 8 * (i % slot_count) - (slots_nbytes + at + 4))
    assert image.add(b".text", CODE, slots.ljust(slots_nbytes, b"\0") + bytes(functions)) == text_rva
    tables = bytes((1, 4, 1, 0, 4, 0x42, 0, 0)) + b"".join(b"\0\0KernelFunction%05d\0\0\0" % i for i in range(slot_count))
    descriptor_rva = lookup_rva + len(slots)
    tables += slots + u32s((lookup_rva, 0, 0, descriptor_rva + 40, text_rva)) + bytes(20) + b"ntoskrnl.exe\0"
    assert image.add(b".rdata", RDATA, tables) == unwind_rva
    begins = range(text_rva + slots_nbytes, text_rva + slots_nbytes + function_nbytes * count, function_nbytes)
    table = array.array("I", bytes(12 * count))
    table[0::3] = array.array("I", begins)
    table[1::3] = array.array("I", (begin + 15 for begin in begins))
    table[2::3] = array.array("I", [unwind_rva]) * count
    image.directories[EXCEPTION] = (image.add(b".pdata", RDATA, table.tobytes()), 12 * count)
    image.directories[IMPORT] = (descriptor_rva, 40)
    image.directories[IAT] = (text_rva, len(slots))


def make_pool_calls(image, nbytes):
    # sub rsp, 28h; mov ecx, NonPagedPoolNx; mov edx, 40h; mov r8d, 'hcnB'; call [slot]; test rax, rax; jz; mov [rax], rax;
    # add rsp, 28h; ret; padding
    begin = b"\x48\x83\xEC\x28\xB9\0\2\0\0\xBA\x40\0\0\0\x41\xB8Bnch\xFF\x15"
    end = b"\x48\x85\xC0\x74\x03\x48\x89\0\x48\x83\xC4\x28\xC3"
    function_nbytes, used_nbytes = 48, len(begin) + 4 + len(end)
    count = nbytes // (function_nbytes + 12)
    text_rva = image.next_rva
    tables_rva = text_rva + round_up(count * function_nbytes, PAGE)
    name_rva, lookup_rva, iat_rva, descriptor_rva = (tables_rva + offset for offset in (8, 40, 56, 72))
    functions = bytearray((begin + bytes(4) + end).ljust(function_nbytes, b"\xCC") * count)
    for i in range(count):
        at = function_nbytes * i + len(begin)
        struct.pack_into("<i", functions, at, iat_rva - (text_rva + at + 4))
    assert image.add(b".text", CODE, bytes(functions)) == text_rva
    slot = struct.pack("<QQ", name_rva, 0)
    tables = bytes((1, 4, 1, 0, 4, 0x42, 0, 0)) + b"\0\0ExAllocatePoolWithTag\0".ljust(32, b"\0") + slot + slot
    tables += u32s((lookup_rva, 0, 0, descriptor_rva + 40, iat_rva)) + bytes(20) + b"ntoskrnl.exe\0"
    assert image.add(b".rdata", RDATA, tables) == tables_rva
    begins = range(text_rva, text_rva + function_nbytes * count, function_nbytes)
    table = array.array("I", bytes(12 * count))
    table[0::3] = array.array("I", begins)
    table[1::3] = array.array("I", (begin + used_nbytes for begin in begins))
    table[2::3] = array.array("I", [tables_rva]) * count
    image.directories[EXCEPTION] = (image.add(b".pdata", RDATA, table.tobytes()), 12 * count)
    image.directories[IMPORT] = (descriptor_rva, 40)
    image.directories[IAT] = (iat_rva, len(slot))


KINDS = {"iat_in_text": make_iat_in_text, "init_rwx": make_init_rwx, "data": make_data, "relocations": make_relocations, "imports": make_imports, "code": make_code,
         "pool_calls": make_pool_calls}


def main():
    kind, mebibytes, path = sys.argv[1:]
    image = Image()
    KINDS[kind](image, int(float(mebibytes) * 1024 * 1024))
    image.write(path)


if __name__ == "__main__":
    main()
